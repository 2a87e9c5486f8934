//! The AgentMessage client against a live server: every operation, every nullable field, every
//! error it can meet.

use agentmessage_client::apis::Error;
use agentmessage_client::apis::api_keys_api::{
    CreateApiKeyError, RotateApiKeyError, create_api_key, delete_api_key, get_api_key,
    list_api_keys, rotate_api_key,
};
use agentmessage_client::apis::audit_log_api::list_audit_log;
use agentmessage_client::apis::organization_api::{
    GetOrganizationError, PatchOrganizationError, get_organization, patch_organization,
};
use agentmessage_client::models::{
    AutoRepliesPatch, CreateApiKeyRequest, ErrorCode, ErrorResponse, Organization, QuietHoursMode,
    QuietHoursPatch, UpdateOrganizationRequest,
};
use sdk_tests::{agentmessage, patch, read, refused, setting};
use uuid::Uuid;

type Value = Option<String>;
type Body = fn(Option<Value>) -> UpdateOrganizationRequest;
type Read = fn(&Organization) -> &Value;

/// A request with one field of `auto_replies`.
fn replies(block: AutoRepliesPatch) -> UpdateOrganizationRequest {
    UpdateOrganizationRequest {
        auto_replies: Some(block),
        ..Default::default()
    }
}

/// The nullable fields: how to send one, how to read it, and two values for it.
const NULLABLE: [(Body, Read, [&str; 2]); 4] = [
    (
        |value| UpdateOrganizationRequest {
            billing_email: value,
            ..Default::default()
        },
        |organization| &organization.billing_email,
        ["one@acme.example", "two@acme.example"],
    ),
    (
        |value| {
            replies(AutoRepliesPatch {
                stop_text: value,
                ..Default::default()
            })
        },
        |organization| &organization.auto_replies.stop_text,
        ["Stopped.", "You are out."],
    ),
    (
        |value| {
            replies(AutoRepliesPatch {
                help_text: value,
                ..Default::default()
            })
        },
        |organization| &organization.auto_replies.help_text,
        ["Call us.", "Write to us."],
    ),
    (
        |value| {
            replies(AutoRepliesPatch {
                start_text: value,
                ..Default::default()
            })
        },
        |organization| &organization.auto_replies.start_text,
        ["Started.", "You are in."],
    ),
];

/// Tries nine cases for each: three that can be sent (absent, null, a value), on three that can be
/// stored.
async fn absent_null_and_value() {
    for (body, value_of, [one, other]) in NULLABLE {
        for stored in [None, Some(one), Some(other)] {
            for sent in [None, Some(None), Some(Some(one))] {
                patch(body(Some(stored.map(str::to_owned)))).await;
                let (before, _) = read().await;
                let expected = sent.unwrap_or(stored);
                let changed = patch(body(sent.map(|value| value.map(str::to_owned)))).await;
                assert_eq!(
                    value_of(&changed).as_deref(),
                    expected,
                    "{sent:?} on {stored:?}"
                );
                let (after, organization) = read().await;
                assert_eq!(value_of(&organization).as_deref(), expected);
                assert_eq!(
                    before == after,
                    stored == expected,
                    "{sent:?} on {stored:?}"
                );
            }
        }
    }
}

async fn entity_tags() {
    let client = agentmessage(&setting("SDK_KEY"));
    let (tag, _) = read().await;
    let unchanged = get_organization(&client, Some(&tag))
        .await
        .expect("304 is no failure");
    assert_eq!(unchanged.status, 304);
    assert!(unchanged.entity.is_none());
    assert_eq!(unchanged.header("ETag"), Some(tag.as_str()));

    let body = UpdateOrganizationRequest {
        name: Some("Round trip".into()),
        ..Default::default()
    };
    let changed = patch_organization(&client, body.clone(), Some(&tag), None)
        .await
        .expect("the tag is present");
    let next = changed.header("ETag").expect("an entity tag");
    assert_ne!(next, tag);
    let again = patch_organization(&client, body, Some("*"), None)
        .await
        .expect("* matches");
    assert_eq!(again.header("ETag"), Some(next), "nothing changed");

    let lost = UpdateOrganizationRequest {
        name: Some("Lost update".into()),
        ..Default::default()
    };
    let outdated = refused(&client, lost, Some(&tag)).await;
    assert_eq!(outdated.status, 412);
    let Some(PatchOrganizationError::Status412(error)) = outdated.entity else {
        panic!("decoded as {:?}", outdated.entity);
    };
    assert_eq!(error.error.code, ErrorCode::PreconditionFailed);
    assert_eq!(read().await.1.name, "Round trip");
}

async fn a_change_that_is_sent_again_is_made_once() {
    let (client, key) = (
        agentmessage(&setting("SDK_KEY")),
        Uuid::new_v4().to_string(),
    );
    let named = |name: &str| UpdateOrganizationRequest {
        name: Some(name.into()),
        ..Default::default()
    };
    let send = async |name: &str| patch_organization(&client, named(name), None, Some(&key)).await;
    let first = send("Sent twice").await.expect("it is made");
    assert_eq!(first.header("Idempotent-Replayed"), None);
    patch(named("Changed since")).await;
    let again = send("Sent twice").await.expect("it was made");
    assert_eq!(again.header("Idempotent-Replayed"), Some("true"));
    assert_eq!(again.header("ETag"), first.header("ETag"));
    assert_eq!(again.entity, first.entity);
    assert_eq!(read().await.1.name, "Changed since");
    let Err(Error::ResponseError(reused)) = send("Another change").await else {
        panic!("it was not refused")
    };
    assert_eq!(
        code(reused.entity.as_ref()),
        (422, ErrorCode::IdempotencyKeyReused)
    );
}

async fn other_fields_and_blocks() {
    let changed = patch(UpdateOrganizationRequest {
        name: Some("  Acme  ".into()),
        message_retention_days: Some(365),
        mms_retention_days: Some(31),
        quiet_hours: Some(QuietHoursPatch {
            enabled: Some(true),
            start: Some("20:00".into()),
            end: Some("06:30".into()),
            mode: Some(QuietHoursMode::Defer),
        }),
        ..Default::default()
    })
    .await;
    assert_eq!(
        (
            changed.name.as_str(),
            changed.message_retention_days,
            changed.mms_retention_days
        ),
        ("Acme", 365, 31)
    );
    let block = QuietHoursPatch {
        enabled: Some(false),
        ..Default::default()
    };
    let hours = patch(UpdateOrganizationRequest {
        quiet_hours: Some(block),
        ..Default::default()
    })
    .await
    .quiet_hours;
    assert_eq!(
        (hours.enabled, hours.start.as_str(), hours.end.as_str()),
        (false, "20:00", "06:30")
    );
    assert_eq!(hours.mode, QuietHoursMode::Defer);
}

async fn characters_are_counted_and_not_bytes() {
    let text = "\u{1f512}".repeat(320);
    let changed = patch(replies(AutoRepliesPatch {
        stop_text: Some(Some(text.clone())),
        ..Default::default()
    }))
    .await;
    assert_eq!(changed.auto_replies.stop_text, Some(text));
}

async fn auto_replies_are_disabled_with_an_attestation() {
    let client = agentmessage(&setting("SDK_KEY"));
    let disable = AutoRepliesPatch {
        enabled: Some(false),
        ..Default::default()
    };
    let refusal = refused(&client, replies(disable.clone()), None).await;
    assert_eq!(
        code(refusal.entity.as_ref()),
        (422, ErrorCode::AttestationRequired)
    );
    let attested = AutoRepliesPatch {
        attestation: Some("We answer HELP and STOP.".into()),
        ..disable
    };
    assert!(!patch(replies(attested)).await.auto_replies.enabled);
    let enable = AutoRepliesPatch {
        enabled: Some(true),
        ..Default::default()
    };
    assert!(patch(replies(enable)).await.auto_replies.enabled);
}

/// The variant's status and the error's code.
fn code(error: Option<&PatchOrganizationError>) -> (u16, ErrorCode) {
    let (status, ErrorResponse { error, .. }) = match error.expect("a body that the spec knows") {
        PatchOrganizationError::Status401(body) => (401, body),
        PatchOrganizationError::Status403(body) => (403, body),
        PatchOrganizationError::Status412(body) => (412, body),
        PatchOrganizationError::Status422(body) => (422, body),
        other => panic!("unexpected {other:?}"),
    };
    (status, error.code)
}

async fn credentials_and_rules() {
    let none = UpdateOrganizationRequest::default();
    let reseller = |value| UpdateOrganizationRequest {
        is_reseller: Some(value),
        ..Default::default()
    };
    assert!(patch(reseller(true)).await.is_reseller);
    let unknown = format!("am_live_{}", "0".repeat(34));
    let cases = [
        (unknown, none.clone(), (401, ErrorCode::Unauthorized)),
        (setting("SDK_KEY_READER"), none, (403, ErrorCode::Forbidden)),
        (
            setting("SDK_KEY_PERSONAL"),
            reseller(true),
            (422, ErrorCode::ResellerNotEligible),
        ),
        (
            setting("SDK_KEY"),
            reseller(false),
            (422, ErrorCode::ResellerHasBrands),
        ),
    ];
    for (key, body, expected) in cases {
        let refusal = refused(&agentmessage(&key), body, None).await;
        assert_eq!(code(refusal.entity.as_ref()), expected);
        assert_eq!(refusal.status, expected.0);
        assert!(
            refusal
                .content
                .contains(refusal.headers["X-Request-Id"].to_str().expect("text"))
        );
    }
    let unscoped = get_organization(&agentmessage(&setting("SDK_KEY_WITHOUT_SCOPE")), None).await;
    let Err(Error::ResponseError(refusal)) = unscoped else {
        panic!("it was not refused")
    };
    assert!(matches!(
        refusal.entity,
        Some(GetOrganizationError::Status403(_))
    ));
}

async fn validation() {
    let mut direct = agentmessage(&setting("SDK_KEY"));
    direct.base_path = setting("SDK_DIRECT_URL");
    let (before, _) = read().await;
    let body = UpdateOrganizationRequest {
        name: Some("x".repeat(201)),
        message_retention_days: Some(29),
        mms_retention_days: Some(77),
        ..Default::default()
    };
    let refusal = refused(&direct, body, None).await;
    let Some(PatchOrganizationError::Status422(body)) = refusal.entity else {
        panic!("{:?}", refusal.entity)
    };
    assert_eq!(body.error.code, ErrorCode::ValidationFailed);
    let mut faults: Vec<_> = body.error.details.expect("details").into_keys().collect();
    faults.sort();
    assert_eq!(faults, ["message_retention_days", "name"]);
    assert_eq!(read().await.0, before, "all or nothing");
}

/// A request for a key with one scope.
fn key_with(scope: &str) -> CreateApiKeyRequest {
    CreateApiKeyRequest {
        label: "  SDK  ".into(),
        scopes: vec![scope.into()],
        ..CreateApiKeyRequest::default()
    }
}

async fn keys_are_created_rotated_and_revoked() {
    let client = agentmessage(&setting("SDK_KEY"));
    let made = create_api_key(&client, key_with("org:read"), None)
        .await
        .expect("a key")
        .entity
        .expect("a body")
        .data;
    let plaintext = made.plaintext.expect("the whole key");
    assert_eq!(
        (made.label.as_str(), made.prefix.as_str()),
        ("SDK", &plaintext[..12])
    );
    assert!(
        get_organization(&agentmessage(&plaintext), None)
            .await
            .is_ok()
    );
    let id = made.id.to_string();

    let replaced = rotate_api_key(&client, &id)
        .await
        .expect("a key")
        .entity
        .expect("a body")
        .data;
    assert_eq!(
        (&replaced.label, &replaced.scopes),
        (&made.label, &made.scopes)
    );
    let dead = get_organization(&agentmessage(&plaintext), None).await;
    let Err(Error::ResponseError(dead)) = dead else {
        panic!("it was not refused")
    };
    assert_eq!(dead.status, 401);
    let Err(Error::ResponseError(again)) = rotate_api_key(&client, &id).await else {
        panic!("it was not refused")
    };
    let Some(RotateApiKeyError::Status422(body)) = again.entity else {
        panic!("{:?}", again.entity)
    };
    assert_eq!(body.error.code, ErrorCode::ApiKeyRevoked);

    let id = replaced.id.to_string();
    for _ in 0..2 {
        let deleted = delete_api_key(&client, &id, None)
            .await
            .expect("it is revoked");
        assert_eq!(deleted.status, 204);
    }
    let shown = get_api_key(&client, &id)
        .await
        .expect("it stays")
        .entity
        .expect("a body")
        .data;
    assert!(shown.revoked_at.is_some());
    let unknown = create_api_key(&client, key_with("no:such"), None).await;
    let Err(Error::ResponseError(unknown)) = unknown else {
        panic!("it was not refused")
    };
    let Some(CreateApiKeyError::Status400(body)) = unknown.entity else {
        panic!("{:?}", unknown.entity)
    };
    assert_eq!(body.error.code, ErrorCode::InvalidInput);
}

async fn a_request_that_is_sent_again_makes_no_second_key() {
    let (client, key) = (
        agentmessage(&setting("SDK_KEY")),
        Uuid::new_v4().to_string(),
    );
    let send = async || {
        create_api_key(&client, key_with("org:read"), Some(&key))
            .await
            .expect("a key")
    };
    let (first, again) = (send().await, send().await);
    assert_eq!(again.header("Idempotent-Replayed"), Some("true"));
    let (first, again) = (
        first.entity.expect("a body").data,
        again.entity.expect("a body").data,
    );
    assert_eq!((again.id, again.plaintext), (first.id, None));
}

async fn keys_are_listed_page_by_page() {
    let client = agentmessage(&setting("SDK_KEY"));
    let (mut seen, mut cursor) = (std::collections::HashSet::new(), None::<String>);
    loop {
        let page = list_api_keys(&client, cursor.as_deref(), Some(1), None)
            .await
            .expect("a page")
            .entity;
        let page = page.expect("a body");
        assert_eq!(page.meta.offset, seen.len() as i64);
        seen.extend(page.data.iter().map(|key| key.id));
        cursor = page.meta.next_cursor;
        if cursor.is_none() {
            assert_eq!(page.meta.total, seen.len() as i64);
            return;
        }
    }
}

async fn what_was_changed_is_in_the_audit_log() {
    let days = |days| UpdateOrganizationRequest {
        mms_retention_days: Some(days),
        ..Default::default()
    };
    patch(days(31)).await;
    patch(days(32)).await;
    let client = agentmessage(&setting("SDK_KEY"));
    let since = read().await.1.created_at;
    let list = |until, include| {
        let action = Some("retention.update");
        list_audit_log(
            &client,
            None,
            Some(1),
            action,
            None,
            None,
            Some("customer"),
            Some(since),
            until,
            include,
        )
    };
    let page = list(None, Some("payload"))
        .await
        .expect("a page")
        .entity
        .expect("a body");
    let payload = page.data[0].payload.clone().expect("it was asked for");
    assert_eq!(payload.before["mms_retention_days"], 31);
    assert_eq!(payload.after["mms_retention_days"], 32);
    let page = list(None, None)
        .await
        .expect("a page")
        .entity
        .expect("a body");
    assert!(page.data[0].payload.is_none());
    let page = list(Some(since), None)
        .await
        .expect("a page")
        .entity
        .expect("a body");
    assert!(page.data.is_empty());
}

/// One test, one step after the other: they all change the same organization.
#[tokio::test]
async fn the_client_and_the_server_agree() {
    let (_, organization) = read().await;
    assert_eq!(organization.id.to_string(), setting("SDK_ORGANIZATION_ID"));
    absent_null_and_value().await;
    entity_tags().await;
    a_change_that_is_sent_again_is_made_once().await;
    other_fields_and_blocks().await;
    characters_are_counted_and_not_bytes().await;
    auto_replies_are_disabled_with_an_attestation().await;
    credentials_and_rules().await;
    validation().await;
    keys_are_created_rotated_and_revoked().await;
    a_request_that_is_sent_again_makes_no_second_key().await;
    keys_are_listed_page_by_page().await;
    what_was_changed_is_in_the_audit_log().await;
}
