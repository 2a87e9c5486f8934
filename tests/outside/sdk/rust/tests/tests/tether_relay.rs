//! The Tether client against a live server: both operations, all that may be sent, every error it
//! can meet.

use sdk_tests::{setting, tether};
use tether_relay_client::apis::Error;
use tether_relay_client::apis::organizations_api::{
    GetOrganizationsOrganizationIdMissedCallMessageError as GetError,
    PutOrganizationsOrganizationIdMissedCallMessageError as PutError,
    get_organizations_organization_id_missed_call_message as get,
    put_organizations_organization_id_missed_call_message as put,
};
use tether_relay_client::models::{MissedCallMessageResponse, UpdateMissedCallMessageRequest};
use uuid::Uuid;

const NOBODY: &str = "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3";

fn template(text: Option<&str>) -> UpdateMissedCallMessageRequest {
    UpdateMissedCallMessageRequest {
        missed_call_message: text.map(str::to_owned),
        ..Default::default()
    }
}

async fn change(body: UpdateMissedCallMessageRequest) -> MissedCallMessageResponse {
    let response = put(
        &tether(&setting("SDK_TOKEN_ADMIN")),
        &setting("SDK_ORGANIZATION_ID"),
        body,
        None,
    )
    .await;
    response.expect("it is accepted").entity.expect("a body")
}

/// What can be sent, on what can be stored; the empty string clears.
async fn absent_empty_and_value() {
    let one = "Call {{contactName}}";
    for stored in [None, Some(one), Some("Other")] {
        for sent in [None, Some(""), Some(one)] {
            change(template(Some(stored.unwrap_or("")))).await;
            let expected = sent
                .or(stored)
                .filter(|text| !text.is_empty())
                .map(str::to_owned);
            let changed = change(template(sent)).await;
            assert_eq!(
                changed.missed_call_message,
                Some(expected.clone()),
                "{sent:?} on {stored:?}"
            );
            let read = get(
                &tether(&setting("SDK_TOKEN_SUPERADMIN")),
                &setting("SDK_EXTERNAL_ID"),
            )
            .await;
            let read = read.expect("the configuration").entity.expect("a body");
            assert_eq!(read.missed_call_message, Some(expected));
        }
    }
    let toggle = UpdateMissedCallMessageRequest {
        missed_call_auto_message_enabled: Some(false),
        ..Default::default()
    };
    assert_eq!(
        change(toggle).await.missed_call_auto_message_enabled,
        Some(false)
    );
}

async fn a_change_that_is_sent_again_is_made_once() {
    let (client, organization) = (
        tether(&setting("SDK_TOKEN_ADMIN")),
        setting("SDK_ORGANIZATION_ID"),
    );
    let key = Uuid::new_v4().to_string();
    let send = async || {
        put(
            &client,
            &organization,
            template(Some("Sent twice")),
            Some(&key),
        )
        .await
        .expect("accepted")
    };
    let first = send().await;
    assert_eq!(first.header("Idempotent-Replayed"), None);
    change(template(Some("Changed since"))).await;
    let again = send().await;
    assert_eq!(again.header("Idempotent-Replayed"), Some("true"));
    assert_eq!(again.entity, first.entity);
    let read = get(&client, &organization)
        .await
        .expect("the configuration")
        .entity
        .expect("a body");
    assert_eq!(
        read.missed_call_message,
        Some(Some("Changed since".to_owned()))
    );
}

async fn callers() {
    let organization = setting("SDK_ORGANIZATION_ID");
    let cases = [
        (
            "no.such.token".to_owned(),
            organization.as_str(),
            401,
            "Invalid or expired token",
        ),
        (
            setting("SDK_TOKEN_SALES_REP"),
            organization.as_str(),
            403,
            "Forbidden",
        ),
        (setting("SDK_TOKEN_ADMIN"), NOBODY, 403, "Forbidden"),
        (
            setting("SDK_TOKEN_SUPERADMIN"),
            NOBODY,
            404,
            "Organization not found",
        ),
    ];
    for (token, id, status, error) in cases {
        let client = tether(&token);
        let Err(Error::ResponseError(read)) = get(&client, id).await else {
            panic!("{status} expected")
        };
        let written = put(&client, id, template(None), None).await;
        let Err(Error::ResponseError(written)) = written else {
            panic!("{status} expected")
        };
        assert_eq!(
            (read.status.as_u16(), written.status.as_u16()),
            (status, status)
        );
        let body = match (read.entity, written.entity) {
            (Some(GetError::Status401(body)), Some(PutError::Status401(_))) => body,
            (Some(GetError::Status403(body)), Some(PutError::Status403(_))) => body,
            (Some(GetError::Status404(body)), Some(PutError::Status404(_))) => body,
            other => panic!("decoded as {other:?}"),
        };
        assert_eq!(body.error.as_deref(), Some(error));
    }
}

async fn validation() {
    let mut direct = tether(&setting("SDK_TOKEN_ADMIN"));
    direct.base_path = setting("SDK_DIRECT_URL");
    let body = template(Some(&"x".repeat(501)));
    let Err(Error::ResponseError(refusal)) =
        put(&direct, &setting("SDK_ORGANIZATION_ID"), body, None).await
    else {
        panic!("it was not refused");
    };
    let Some(PutError::Status400(body)) = refusal.entity else {
        panic!("decoded as {:?}", refusal.entity)
    };
    assert_eq!(
        body.details.as_deref(),
        Some("missedCallMessage: must be at most 500 characters")
    );
}

/// One test, one step after the other: they all change the same organization.
#[tokio::test]
async fn the_client_and_the_server_agree() {
    absent_empty_and_value().await;
    a_change_that_is_sent_again_is_made_once().await;
    callers().await;
    validation().await;
}
