// @generated automatically by Diesel CLI.

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::tables::sql_types::{Timestamptz, Uuid};

    api_keys (id) {
        id -> Uuid,
        org_id -> Uuid,
        label -> Text,
        prefix -> Text,
        hash -> Bytea,
        scopes -> Text,
        created_by -> Text,
        created_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        expires_at -> Nullable<Timestamptz>,
        rotated_from -> Nullable<Uuid>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::tables::sql_types::{Timestamptz, Uuid};

    audit_log (org_id, seq) {
        org_id -> Uuid,
        seq -> Int8,
        id -> Text,
        occurred_at -> Timestamptz,
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
    use diesel::sql_types::*;
    use crate::db::tables::sql_types::{Timestamptz, Uuid};

    brands (id) {
        id -> Uuid,
        org_id -> Uuid,
        name -> Text,
        status -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::tables::sql_types::{Timestamptz, Uuid};

    campaigns (id) {
        id -> Uuid,
        org_id -> Uuid,
        brand_id -> Uuid,
        name -> Text,
        status -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::tables::sql_types::{Timestamptz, Uuid};

    idempotency_records (org_id, credential, idempotency_key) {
        org_id -> Uuid,
        credential -> Text,
        idempotency_key -> Text,
        fingerprint -> Bytea,
        status -> Int4,
        headers -> Text,
        body -> Bytea,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::tables::sql_types::{Timestamptz, Uuid};

    issued_tokens (id) {
        id -> Uuid,
        org_id -> Nullable<Uuid>,
        issuer -> Nullable<Text>,
        subject -> Text,
        role -> Text,
        issued_at -> Timestamptz,
        expires_at -> Timestamptz,
        issued_by -> Text,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::tables::sql_types::{Timestamptz, Uuid};

    organizations (id) {
        id -> Uuid,
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
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::tables::sql_types::{Timestamptz, Uuid};

    server_secrets (name) {
        name -> Text,
        secret -> Bytea,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::tables::sql_types::{Timestamptz, Uuid};

    token_revocations (id) {
        id -> Uuid,
        org_id -> Nullable<Uuid>,
        issuer -> Nullable<Text>,
        subject -> Nullable<Text>,
        issued_before -> Timestamptz,
        revoked_at -> Timestamptz,
        revoked_by -> Text,
        reason -> Nullable<Text>,
    }
}

diesel::joinable!(api_keys -> organizations (org_id));
diesel::joinable!(audit_log -> organizations (org_id));
diesel::joinable!(brands -> organizations (org_id));
diesel::joinable!(campaigns -> brands (brand_id));
diesel::joinable!(campaigns -> organizations (org_id));
diesel::joinable!(idempotency_records -> organizations (org_id));
diesel::joinable!(issued_tokens -> organizations (org_id));
diesel::joinable!(token_revocations -> organizations (org_id));

diesel::allow_tables_to_appear_in_same_query!(
    api_keys,
    audit_log,
    brands,
    campaigns,
    idempotency_records,
    issued_tokens,
    organizations,
    server_secrets,
    token_revocations,
);
