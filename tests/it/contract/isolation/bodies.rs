//! Random valid and invalid bodies. Some are the same for every organization, so that many
//! organizations send equal requests with equal `Idempotency-Key`s.

use serde_json::{Value, json};

use super::dice::Dice;
use super::tenant::marker;

/// Author of a body, and the organization that the body may name.
pub struct Author<'a> {
    pub number: usize,
    /// Scopes of the caller's key.
    pub scopes: &'a [String],
    /// Id of another organization.
    pub other: &'a str,
}

impl Author<'_> {
    /// Returns a text with this organization's marker.
    fn text(&self, dice: &mut Dice) -> String {
        format!("{} {}", marker(self.number), dice.below(1_000))
    }
}

/// Returns a body for PATCH /v1/organization.
pub fn settings(dice: &mut Dice, author: &Author) -> String {
    match dice.below(10) {
        0..3 => equal_settings(dice),
        3..8 => marked_settings(dice, author),
        _ => bad_settings(dice, author),
    }
}

fn equal_settings(dice: &mut Dice) -> String {
    let body = dice.pick(&[
        r#"{}"#,
        r#"{"message_retention_days":90}"#,
        r#"{"mms_retention_days":31,"message_retention_days":45}"#,
        r#"{"is_reseller":true}"#,
        r#"{"is_reseller":false}"#,
        r#"{"billing_email":null}"#,
        r#"{"quiet_hours":{"enabled":true,"mode":"defer"}}"#,
        r#"{"auto_replies":{"enabled":true,"help_text":null}}"#,
    ]);
    (*body).to_owned()
}

fn marked_settings(dice: &mut Dice, author: &Author) -> String {
    let mut body = json!({});
    for _ in 0..=dice.below(3) {
        let text = author.text(dice);
        let number = dice.below(336) + 30;
        match dice.below(8) {
            0 => body["name"] = json!(text),
            1 => {
                let marker = marker(author.number);
                body["billing_email"] = json!(format!("{marker}.{number}@{marker}.example"));
            }
            2 => body["message_retention_days"] = json!(number),
            3 => body["mms_retention_days"] = json!(number),
            4 => body["quiet_hours"] = quiet_hours(dice),
            5 => body["auto_replies"]["enabled"] = json!(true),
            6 => {
                body["auto_replies"]["enabled"] = json!(false);
                body["auto_replies"]["attestation"] = json!(text);
            }
            _ => {
                let name = *dice.pick(&["stop_text", "help_text", "start_text"]);
                body["auto_replies"][name] = json!(text);
            }
        }
    }
    body.to_string()
}

fn quiet_hours(dice: &mut Dice) -> Value {
    let (start, end) = (dice.below(24), dice.below(24));
    json!({
        "enabled": dice.percent(50),
        "start": format!("{start:02}:00"),
        "end": format!("{end:02}:30"),
        "mode": *dice.pick(&["reject", "defer"]),
    })
}

fn bad_settings(dice: &mut Dice, author: &Author) -> String {
    let text = author.text(dice);
    let bodies = [
        json!({"name": null, "billing_email": text}),
        json!({"name": text, "message_retention_days": 29}),
        json!({"name": text, "id": author.other}),
        json!({"name": text, "organization_id": author.other}),
        json!({"name": text, "quiet_hours": {"start": "08:00", "end": "08:00"}}),
        json!({"name": text, "auto_replies": {"enabled": false, "attestation": " "}}),
        json!([author.other]),
        json!({"is_reseller": "true", "auto_replies": {"help_text": 7}}),
    ];
    match dice.below(bodies.len() + 1) {
        at if at < bodies.len() => bodies[at].to_string(),
        _ => format!("{{\"name\": \"{text}"),
    }
}

/// Returns a body for POST /v1/api-keys.
pub fn key(dice: &mut Dice, author: &Author) -> String {
    let label = if dice.percent(30) {
        "A key".to_owned()
    } else {
        author.text(dice)
    };
    let kept = dice.below(64);
    let subset = author.scopes.iter().enumerate();
    let subset = subset.filter(|(place, _)| kept >> (place % 6) & 1 == 1);
    let subset: Vec<_> = subset.map(|(_, scope)| scope).collect();
    let body = match dice.below(10) {
        0..3 => json!({"label": label, "scopes": ["org:read"]}),
        3..8 => json!({"label": label, "scopes": subset}),
        8 => json!({"label": label, "scopes": ["org:read", "billing:write"]}),
        _ => json!({"label": label, "scopes": ["org:read"], "org_id": author.other}),
    };
    body.to_string()
}

/// Returns a body for PUT of the missed-call message.
pub fn missed_call(dice: &mut Dice, author: &Author) -> String {
    let text = author.text(dice);
    let enabled = dice.percent(50);
    let bodies = [
        json!({}),
        json!({"missedCallMessage": ""}),
        json!({"missedCallAutoMessageEnabled": enabled}),
        json!({"missedCallMessage": text}),
        json!({"missedCallMessage": text, "missedCallAutoMessageEnabled": enabled}),
        json!({"missedCallMessage": text, "organizationId": author.other}),
        json!({"missedCallMessage": null, "missedCallAutoMessageEnabled": enabled}),
        json!({"missedCallMessage": format!("{text}{}", "x".repeat(500))}),
        json!([text]),
    ];
    dice.pick(&bodies).to_string()
}
