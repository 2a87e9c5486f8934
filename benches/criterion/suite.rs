//! Micro-benchmarks of a request without HTTP and the database: body validation, authorization,
//! hashing and verification of credentials, sealing of audit entries, rendering.

use std::hint::black_box;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::rt::System;
use actix_web::test::TestRequest;
use actix_web::{FromRequest as _, HttpRequest, web};
use chrono::{DateTime, Utc};
use criterion::{BatchSize, Criterion};
use quietline::auth::jwt::{Claims, JwtKeys, JwtSettings, Secret};
use quietline::domain::access::{Caller, Credential, Demand, OrgAccess, Target};
use quietline::domain::api_key::PlaintextApiKey;
use quietline::domain::audit::entry::{AuditEntry, ChainHead};
use quietline::domain::billing_email::BillingEmail;
use quietline::domain::ids::{ApiKeyId, OrgId, RequestId};
use quietline::domain::organization::{OrganizationName, Settings};
use quietline::domain::quiet_hours::TimeOfDay;
use quietline::domain::scope::Scope;
use quietline::domain::scope::ScopeSet;
use quietline_api::agentmessage::api::operations::{GET_ORGANIZATION, PATCH_ORGANIZATION};
use quietline_api::agentmessage::{SPEC_JSON, models};
use quietline_api_runtime::{Input, Rejection, ResponseBuilder};

/// Body of workload W2.
const PATCH: &str = r#"{"message_retention_days":123,
    "quiet_hours":{"enabled":true,"start":"21:30","end":"08:00"}}"#;

/// Body of workload W4b.
const OUT_OF_RANGE: &str = r#"{"message_retention_days":29,
    "quiet_hours":{"enabled":true,"start":"24:00","end":"08:00"}}"#;

type Body = Result<models::UpdateOrganizationRequest, Rejection>;

fn body_validation(criterion: &mut Criterion) {
    let system = System::new();
    let spec = serde_json::from_str(SPEC_JSON).expect("the spec is JSON");
    let input = Input::compile(&spec, &PATCH_ORGANIZATION);
    let read = |(request, payload): (HttpRequest, web::Payload)| -> Body {
        system.block_on(async { input.body(&request, payload).await })
    };
    let request = |body: &'static str| {
        let (request, mut payload) = TestRequest::patch()
            .insert_header(("content-type", "application/json"))
            .set_payload(body)
            .to_http_parts();
        let payload = web::Payload::from_request(&request, &mut payload).into_inner();
        (request, payload.expect("there is a payload"))
    };
    assert!(read(request(PATCH)).is_ok());
    assert!(matches!(
        read(request(OUT_OF_RANGE)),
        Err(Rejection::InvalidBody(_))
    ));
    for (name, body) in [("accepted", PATCH), ("out of range", OUT_OF_RANGE)] {
        criterion.bench_function(&format!("body validation, {name}"), |bencher| {
            bencher.iter_batched(|| request(body), read, BatchSize::SmallInput);
        });
    }
}

fn authorization(criterion: &mut Criterion) {
    let caller = caller();
    let demand = Demand {
        scopes: &["org:admin:write"],
        minimum_role: None,
    };
    assert!(caller.clone().require(demand, Target::Own).is_ok());
    criterion.bench_function("authorization, Caller::require", |bencher| {
        let require = |caller: Caller| black_box(caller).require(demand, Target::Own);
        bencher.iter_batched(|| caller.clone(), require, BatchSize::SmallInput);
    });
}

fn credentials(criterion: &mut Criterion) {
    let key = PlaintextApiKey::generate();
    criterion.bench_function("API key, parse and hash", |bencher| {
        bencher.iter(|| PlaintextApiKey::parse(black_box(key.reveal())).map(|key| key.hash()));
    });
    let settings = JwtSettings {
        secret: Some(Secret::new("benchmark-".repeat(4))),
        ..JwtSettings::default()
    };
    let keys = JwtKeys::new(&settings).expect("a secret of 40 bytes");
    let claims = Claims {
        subject: "user-1".into(),
        organization: Some(OrgId::generate().to_string()),
        role: "ADMIN".into(),
    };
    let now = DateTime::UNIX_EPOCH;
    let token = keys
        .sign(&claims, None, now, Duration::from_secs(3600))
        .expect("a secret signs")
        .text;
    assert!(keys.verify(&token, now).is_ok());
    criterion.bench_function("JWT, verify HS256", |bencher| {
        bencher.iter(|| keys.verify(black_box(&token), now));
    });
}

fn audit(criterion: &mut Criterion) {
    let (org_id, access, now) = (OrgId::generate(), access(), DateTime::UNIX_EPOCH);
    let before = settings();
    let mut after = before.clone();
    after.message_retention_days = 123;
    after.quiet_hours.start = TimeOfDay::new(21, 30);
    let events = before.changes_to(&after, &org_id, None);
    assert_eq!(events.len(), 2);
    let head = ChainHead::default();
    criterion.bench_function("audit, AuditEntry::seal", |bencher| {
        bencher
            .iter(|| AuditEntry::seal(&org_id, black_box(&head), access.author(), &events[0], now));
    });
    criterion.bench_function("audit, Settings::changes_to", |bencher| {
        bencher.iter(|| black_box(&before).changes_to(&after, &org_id, None));
    });
    criterion.bench_function("request id, generate and write", |bencher| {
        bencher.iter(|| RequestId::generate().to_string());
    });
}

fn rendering(criterion: &mut Criterion) {
    let body = organization();
    let size = serde_json::to_vec(&body).map(|json| json.len());
    let name = format!("response, {} bytes of JSON", size.unwrap_or_default());
    criterion.bench_function(&name, |bencher| {
        bencher.iter(|| {
            ResponseBuilder::new(&GET_ORGANIZATION, StatusCode::OK).json(black_box(&body))
        });
    });
}

fn caller() -> Caller {
    let scopes: ScopeSet = [Scope::OrgRead, Scope::OrgAdminWrite].into_iter().collect();
    let credential = Credential::ApiKey {
        id: ApiKeyId::generate(),
        label: "settings service".into(),
        hash: PlaintextApiKey::generate().hash(),
        org_id: OrgId::generate(),
        scopes,
        expires_at: None,
    };
    Caller {
        credential,
        request_id: RequestId::generate(),
        client_network: None,
        prefetched: None,
    }
}

fn access() -> OrgAccess {
    let demand = Demand {
        scopes: &["org:read"],
        minimum_role: None,
    };
    caller()
        .require(demand, Target::Own)
        .expect("the caller has the scope")
        .access
}

fn settings() -> Settings {
    let name = OrganizationName::parse("Northwind Dental Partners, Inc.").expect("a name");
    let email = BillingEmail::parse("accounts-payable@northwind-dental.example");
    Settings::new(name, Some(email.expect("an address")))
}

fn organization() -> models::OrganizationResponse {
    let created_at: DateTime<Utc> = DateTime::UNIX_EPOCH;
    let value = serde_json::json!({ "success": true, "data": {
        "id": OrgId::generate().to_string(),
        "name": "Northwind Dental Partners 0001, Inc.",
        "billing_email": "accounts-payable-0001@northwind-dental.example",
        "plan": "payg",
        "throughput_tier": 1,
        "message_retention_days": 60,
        "mms_retention_days": 30,
        "is_reseller": false,
        "quiet_hours": { "enabled": true, "start": "19:00", "end": "08:00", "mode": "defer" },
        "auto_replies": {
            "enabled": true,
            "stop_text": "You will get no more messages from us. Reply START to get them again.",
            "help_text": "Call us on weekdays from 8 to 17. Reply STOP to end messages.",
            "start_text": "You will get our messages again.",
        },
        "registration_status": { "brand": "ACTIVE", "brand_count": 1, "campaign_count": 2 },
        "created_at": created_at,
    } });
    serde_json::from_value(value).expect("the model of an organization")
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    body_validation(&mut criterion);
    authorization(&mut criterion);
    credentials(&mut criterion);
    audit(&mut criterion);
    rendering(&mut criterion);
    criterion.final_summary();
}
