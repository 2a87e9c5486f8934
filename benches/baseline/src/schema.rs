//! Tables of the first version, as `sqlite.sql` and `postgres.sql` create them.

diesel::table! {
    api_keys (id) {
        id -> Text,
        org_id -> Text,
        label -> Text,
        prefix -> Text,
        hash -> Bytea,
        scopes -> Text,
        created_at -> Timestamp,
        last_used_at -> Nullable<Timestamp>,
        revoked_at -> Nullable<Timestamp>,
        created_by -> Text,
    }
}

diesel::table! {
    audit_log (org_id, seq) {
        org_id -> Text,
        seq -> Int8,
        id -> Text,
        occurred_at -> Timestamp,
        actor_kind -> Text,
        actor_label -> Text,
        actor_identity -> Text,
        action -> Text,
        resource_type -> Text,
        resource_id -> Text,
        reason -> Nullable<Text>,
        request_id -> Text,
        payload -> Text,
        previous_hash -> Bytea,
        hash -> Bytea,
    }
}

diesel::table! {
    organizations (id) {
        id -> Text,
        external_id -> Nullable<Text>,
        kind -> Text,
        name -> Text,
        billing_email -> Nullable<Text>,
        plan -> Text,
        throughput_tier -> Int4,
        message_retention_days -> Int4,
        mms_retention_days -> Int4,
        is_reseller -> Bool,
        quiet_hours_enabled -> Bool,
        quiet_hours_start -> Text,
        quiet_hours_end -> Text,
        quiet_hours_mode -> Text,
        auto_replies_enabled -> Bool,
        stop_text -> Nullable<Text>,
        help_text -> Nullable<Text>,
        start_text -> Nullable<Text>,
        missed_call_message -> Nullable<Text>,
        missed_call_enabled -> Bool,
        brand_status -> Nullable<Text>,
        brand_count -> Int4,
        campaign_count -> Int4,
        version -> Int8,
        audit_length -> Int8,
        audit_head -> Bytea,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}
