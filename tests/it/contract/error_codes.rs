//! Every error has a response in both dialects that matches the specs. The tests of each operation
//! cover when an error occurs.

use std::collections::BTreeSet;
use std::time::Duration;

use actix_web::body::to_bytes;
use actix_web::test::TestRequest;
use actix_web::{HttpRequest, HttpResponse};
use quietline::error::{Error, Precondition, Refusal, Resource, Violation};
use quietline::handlers::failure::Failure;
use quietline::handlers::{agentmessage, tether_relay};
use quietline_api::agentmessage::models::ErrorCode;
use quietline_api_runtime::Rejection;
use serde_json::Value;

use crate::support::spec;

/// Marker in every text that must not leave the process.
const SECRET: &str = "canary";

fn every_refusal() -> Vec<Refusal> {
    let all = [
        Refusal::AttestationRequired,
        Refusal::ResellerNotEligible,
        Refusal::ResellerHasBrands,
        Refusal::ApiKeyRevoked,
        Refusal::ApiKeyExpired,
        Refusal::ApiKeyLimitReached,
    ];
    // A new refusal fails to compile here. Add it to the list.
    all.iter().for_each(|refusal| match refusal {
        Refusal::AttestationRequired
        | Refusal::ResellerNotEligible
        | Refusal::ResellerHasBrands
        | Refusal::ApiKeyRevoked
        | Refusal::ApiKeyExpired
        | Refusal::ApiKeyLimitReached => {}
    });
    all.to_vec()
}

fn every_rejection() -> Vec<Rejection> {
    // Violations are private to the generated crate, so take them from an invalid body.
    let violations = || vec![runtime_violation()];
    let all = vec![
        Rejection::UnsupportedMediaType,
        Rejection::BodyTooLarge,
        Rejection::BodyTimeout,
        Rejection::BodyUnreadable(SECRET.to_owned()),
        Rejection::MalformedJson("request body is not valid JSON".to_owned()),
        Rejection::InvalidBody(violations()),
        Rejection::InvalidQuery(violations()),
        Rejection::InvalidHeader(violations()),
        Rejection::InvalidPath(violations()),
        Rejection::MethodNotAllowed {
            allow: "GET, PATCH".to_owned(),
        },
        Rejection::Internal(SECRET.to_owned()),
    ];
    // A new rejection fails to compile here. Add it to the list.
    all.iter().for_each(|rejection| match rejection {
        Rejection::UnsupportedMediaType
        | Rejection::BodyTooLarge
        | Rejection::BodyTimeout
        | Rejection::BodyUnreadable(_)
        | Rejection::MalformedJson(_)
        | Rejection::InvalidBody(_)
        | Rejection::InvalidQuery(_)
        | Rejection::InvalidHeader(_)
        | Rejection::InvalidPath(_)
        | Rejection::MethodNotAllowed { .. }
        | Rejection::Internal(_) => {}
    });
    all
}

fn runtime_violation() -> quietline_api_runtime::Violation {
    quietline_api_runtime::Violation {
        path: "name".to_owned(),
        message: "cannot be null".to_owned(),
    }
}

fn every_error() -> Vec<Error> {
    let mut all = vec![
        Error::Unauthenticated(SECRET),
        Error::Forbidden(SECRET),
        Error::NotFound(Resource::Organization),
        Error::NotFound(Resource::ApiKey),
        Error::Malformed("request body is not valid JSON".into()),
        Error::Invalid(vec![Violation::new("name", "cannot be null")]),
        Error::PreconditionFailed(Precondition::IfMatch),
        Error::PreconditionFailed(Precondition::IfNoneMatch),
        Error::IdempotencyKeyReused,
        Error::IdempotencyKeyInUse,
        Error::KeysLimited(Duration::from_secs(60)),
        Error::RateLimited(Duration::from_millis(1500)),
        Error::unavailable(SECRET),
        Error::outcome_unknown(SECRET),
        Error::internal(SECRET),
    ];
    all.extend(every_refusal().into_iter().map(Error::Refused));
    // A new error fails to compile here. Add it to the list.
    all.iter().for_each(|error| match error {
        Error::Unauthenticated(_)
        | Error::Forbidden(_)
        | Error::NotFound(_)
        | Error::Malformed(_)
        | Error::Invalid(_)
        | Error::Refused(_)
        | Error::PreconditionFailed(Precondition::IfMatch | Precondition::IfNoneMatch)
        | Error::IdempotencyKeyReused
        | Error::IdempotencyKeyInUse
        | Error::KeysLimited(_)
        | Error::RateLimited(_)
        | Error::Unavailable(_)
        | Error::OutcomeUnknown(_)
        | Error::ShuttingDown
        | Error::Internal(_) => {}
    });
    all
}

fn every_failure() -> Vec<Failure> {
    let mut all = vec![Failure::NoSuchPath];
    all.extend(every_rejection().into_iter().map(Failure::from));
    all.extend(every_error().into_iter().map(Failure::from));
    all
}

/// Returns the status, the headers as text and the body that `render` makes of `failure`.
async fn rendered(
    render: impl Fn(&HttpRequest, Failure) -> HttpResponse,
    failure: Failure,
) -> (u16, String, Value) {
    let response = render(&TestRequest::get().to_http_request(), failure);
    let (status, headers) = (
        response.status().as_u16(),
        format!("{:?}", response.headers()),
    );
    let bytes = to_bytes(response.into_body()).await.unwrap();
    (status, headers, serde_json::from_slice(&bytes).unwrap())
}

async fn emitted() -> BTreeSet<(u16, String)> {
    let mut emitted = BTreeSet::new();
    for failure in every_failure() {
        let (status, _, body) = rendered(agentmessage::envelope::render, failure).await;
        emitted.insert((status, body["error"]["code"].as_str().unwrap().to_owned()));
    }
    emitted
}

/// Returns status and code of every error example in the AgentMessage spec.
fn documented() -> BTreeSet<(u16, String)> {
    let spec = &*spec::AGENT_MESSAGE;
    let mut documented = BTreeSet::new();
    let items = spec["paths"].as_object().unwrap().values();
    for operation in items.flat_map(|item| item.as_object().unwrap().values()) {
        for (status, response) in operation["responses"].as_object().into_iter().flatten() {
            let content = &spec::resolve(spec, response)["content"]["application/json"];
            let many = content["examples"].as_object().into_iter().flatten();
            let examples = many
                .map(|(_, example)| &example["value"])
                .chain([&content["example"]]);
            let codes = examples.filter_map(|example| example["error"]["code"].as_str());
            documented.extend(codes.map(|code| (status.parse().unwrap(), code.to_owned())));
        }
    }
    documented
}

fn codes(pairs: &BTreeSet<(u16, String)>) -> BTreeSet<&str> {
    pairs.iter().map(|(_, code)| code.as_str()).collect()
}

#[actix_web::test]
async fn codes_of_spec_examples_and_program_are_the_same() {
    let schema = &spec::AGENT_MESSAGE["components"]["schemas"]["ErrorCode"];
    let listed = schema["enum"].as_array().unwrap().iter();
    let listed: BTreeSet<&str> = listed.map(|code| code.as_str().unwrap()).collect();
    let generated: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(generated, listed);
    assert_eq!(codes(&emitted().await), listed, "codes of the server");
    assert_eq!(codes(&documented()), listed, "codes of the examples");
}

#[actix_web::test]
async fn every_code_has_its_documented_statuses() {
    assert_eq!(emitted().await, documented());
}

#[test]
fn the_description_of_the_codes_names_each_with_its_statuses() {
    let schema = &spec::AGENT_MESSAGE["components"]["schemas"]["ErrorCode"];
    let description = schema["description"].as_str().unwrap();
    let documented = documented();
    for code in codes(&documented) {
        let pairs = documented.iter().filter(|(_, of)| of == code);
        let statuses: Vec<String> = pairs.map(|(status, _)| status.to_string()).collect();
        let line = format!("- `{code}` ({}): ", statuses.join(", "));
        assert!(description.contains(&line), "{line}");
    }
}

#[actix_web::test]
async fn no_response_contains_details_meant_for_the_log() {
    for failure in every_failure() {
        let name = format!("{failure:?}");
        let (_, headers, body) = rendered(agentmessage::envelope::render, failure).await;
        assert!(
            !format!("{headers}{body}").contains(SECRET),
            "{name}: {headers} {body}"
        );
    }
    for failure in every_failure() {
        let name = format!("{failure:?}");
        let (_, headers, body) = rendered(tether_relay::envelope::render, failure).await;
        assert!(
            !format!("{headers}{body}").contains(SECRET),
            "{name}: {headers} {body}"
        );
    }
}

#[actix_web::test]
async fn details_are_a_flat_map_on_validation_errors_only() {
    for failure in every_failure() {
        let has_details = matches!(
            failure,
            Failure::Error(Error::Invalid(_) | Error::Refused(Refusal::AttestationRequired))
                | Failure::Rejection(
                    Rejection::InvalidBody(_)
                        | Rejection::InvalidQuery(_)
                        | Rejection::InvalidHeader(_)
                        | Rejection::InvalidPath(_)
                )
        );
        let (_, _, body) = rendered(agentmessage::envelope::render, failure).await;
        let details = body["error"].get("details");
        assert_eq!(details.is_some(), has_details, "{body}");
        let mut texts = details
            .into_iter()
            .flat_map(|map| map.as_object().unwrap().values());
        assert!(texts.all(Value::is_string), "{body}");
    }
}

#[actix_web::test]
async fn tether_errors_are_two_strings_with_a_documented_status() {
    let item = &spec::TETHER["paths"]["/api/organizations/{organizationId}/missed-call-message"];
    let documented = item["put"]["responses"].as_object().unwrap();
    for failure in every_failure() {
        let name = format!("{failure:?}");
        let (status, _, body) = rendered(tether_relay::envelope::render, failure).await;
        assert!(
            documented.contains_key(&status.to_string()),
            "{name}: {status}"
        );
        let fields = body.as_object().unwrap();
        let allowed = ["error", "details"];
        assert!(
            fields.keys().all(|key| allowed.contains(&key.as_str())),
            "{body}"
        );
        assert!(fields.values().all(Value::is_string), "{body}");
        assert!(!body["error"].as_str().unwrap().is_empty(), "{body}");
    }
}

#[actix_web::test]
async fn retry_after_is_in_whole_seconds_rounded_up() {
    for (wait, seconds) in [(1, "1"), (1000, "1"), (1001, "2"), (59_999, "60")] {
        let error = || Error::RateLimited(Duration::from_millis(wait));
        let request = TestRequest::get().to_http_request();
        for response in [
            agentmessage::envelope::render(&request, error()),
            tether_relay::envelope::render(&request, error()),
        ] {
            assert_eq!(
                response.headers().get("retry-after").unwrap(),
                seconds,
                "{wait} ms"
            );
        }
    }
}
