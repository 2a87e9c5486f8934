//! GET /v1/organization.

use quietline::domain::access::Scope;
use serde_json::json;

use crate::support::TestApp;

#[actix_web::test]
async fn every_field_is_present_and_no_attestation_is() {
    let app = TestApp::new().await;
    app.brand().await;
    let key = app.api_key(&[Scope::OrgRead]).await;
    let response = app.get("/v1/organization", &key).await;
    assert_eq!(response.status, 200);
    let expected = json!({
        "success": true,
        "data": {
            "id": app.org_id.as_str(),
            "name": "Acme Health, Inc.",
            "billing_email": "ap@acme.example",
            "plan": "payg",
            "throughput_tier": 1,
            "message_retention_days": 60,
            "mms_retention_days": 30,
            "is_reseller": false,
            "quiet_hours": {"enabled": false, "start": "21:00", "end": "08:00", "mode": "reject"},
            "auto_replies": {"enabled": true, "stop_text": null, "help_text": null, "start_text": null},
            "registration_status": {"brand": "ACTIVE", "brand_count": 1, "campaign_count": 0},
            "created_at": "2026-01-04T12:00:00Z",
        },
    });
    assert_eq!(response.json(), expected);
}
