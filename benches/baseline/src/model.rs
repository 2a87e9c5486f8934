//! Rows, request bodies with their rules, and response bodies.

use std::collections::BTreeMap;

use chrono::{NaiveDateTime, NaiveTime, SecondsFormat};
use diesel::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::schema::{api_keys, organizations};

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = api_keys)]
pub struct ApiKey {
    pub id: String,
    pub org_id: String,
    pub label: String,
    pub scopes: String,
    pub revoked_at: Option<NaiveDateTime>,
}

#[derive(Debug, Clone, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = organizations, treat_none_as_null = true)]
pub struct Organization {
    pub id: String,
    pub external_id: Option<String>,
    pub kind: String,
    pub name: String,
    pub billing_email: Option<String>,
    pub plan: String,
    pub throughput_tier: i32,
    pub message_retention_days: i32,
    pub mms_retention_days: i32,
    pub is_reseller: bool,
    pub quiet_hours_enabled: bool,
    pub quiet_hours_start: String,
    pub quiet_hours_end: String,
    pub quiet_hours_mode: String,
    pub auto_replies_enabled: bool,
    pub stop_text: Option<String>,
    pub help_text: Option<String>,
    pub start_text: Option<String>,
    pub missed_call_message: Option<String>,
    pub missed_call_enabled: bool,
    pub brand_status: Option<String>,
    pub brand_count: i32,
    pub campaign_count: i32,
    pub version: i64,
    pub audit_length: i64,
    pub audit_head: Vec<u8>,
    pub created_at: NaiveDateTime,
    pub updated_at: NaiveDateTime,
}

impl Organization {
    /// Returns the organization as in the responses to GET and PATCH.
    pub fn to_json(&self) -> Value {
        let data = json!({
            "id": self.id,
            "name": self.name,
            "billing_email": self.billing_email,
            "plan": self.plan,
            "throughput_tier": self.throughput_tier,
            "message_retention_days": self.message_retention_days,
            "mms_retention_days": self.mms_retention_days,
            "is_reseller": self.is_reseller,
            "quiet_hours": self.quiet_hours(),
            "auto_replies": {
                "enabled": self.auto_replies_enabled,
                "stop_text": self.stop_text,
                "help_text": self.help_text,
                "start_text": self.start_text,
            },
            "registration_status": {
                "brand": self.brand_status,
                "brand_count": self.brand_count,
                "campaign_count": self.campaign_count,
            },
            "created_at": self.created_at.and_utc().to_rfc3339_opts(SecondsFormat::Secs, true),
        });
        json!({ "success": true, "data": data })
    }

    pub fn retention(&self) -> Value {
        json!({
            "message_retention_days": self.message_retention_days,
            "mms_retention_days": self.mms_retention_days,
        })
    }

    pub fn quiet_hours(&self) -> Value {
        json!({
            "enabled": self.quiet_hours_enabled,
            "start": self.quiet_hours_start,
            "end": self.quiet_hours_end,
            "mode": self.quiet_hours_mode,
        })
    }

    pub fn missed_call(&self) -> Value {
        json!({
            "missedCallMessage": self.missed_call_message,
            "missedCallAutoMessageEnabled": self.missed_call_enabled,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateOrganization {
    message_retention_days: Option<i32>,
    quiet_hours: Option<UpdateQuietHours>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateQuietHours {
    enabled: Option<bool>,
    start: Option<String>,
    end: Option<String>,
}

/// Violated rules by field.
pub type Faults = BTreeMap<&'static str, &'static str>;

impl UpdateOrganization {
    /// Checks the rules that do not depend on the stored organization.
    pub fn validate(&self) -> Result<(), Faults> {
        let mut faults = Faults::new();
        let days = self.message_retention_days.unwrap_or(30);
        if !(30..=365).contains(&days) {
            faults.insert("message_retention_days", "must be between 30 and 365");
        }
        if let Some(quiet_hours) = &self.quiet_hours {
            for (name, time) in [
                ("quiet_hours.start", &quiet_hours.start),
                ("quiet_hours.end", &quiet_hours.end),
            ] {
                if time.as_deref().is_some_and(|time| !is_time_of_day(time)) {
                    faults.insert(name, "must be a 24-hour time HH:MM");
                }
            }
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    pub fn apply(&self, before: &Organization) -> Result<Organization, Faults> {
        let mut after = before.clone();
        if let Some(days) = self.message_retention_days {
            after.message_retention_days = days;
        }
        if let Some(quiet_hours) = &self.quiet_hours {
            quiet_hours.apply(&mut after)?;
        }
        Ok(after)
    }
}

impl UpdateQuietHours {
    fn apply(&self, after: &mut Organization) -> Result<(), Faults> {
        if let Some(enabled) = self.enabled {
            after.quiet_hours_enabled = enabled;
        }
        if let Some(start) = &self.start {
            after.quiet_hours_start = start.clone();
        }
        if let Some(end) = &self.end {
            after.quiet_hours_end = end.clone();
        }
        if after.quiet_hours_start == after.quiet_hours_end {
            return Err(Faults::from([(
                "quiet_hours.end",
                "must differ from quiet_hours.start",
            )]));
        }
        Ok(())
    }
}

fn is_time_of_day(text: &str) -> bool {
    text.len() == 5 && NaiveTime::parse_from_str(text, "%H:%M").is_ok()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateMissedCall {
    missed_call_message: Option<String>,
    missed_call_auto_message_enabled: Option<bool>,
}

impl UpdateMissedCall {
    pub fn validate(&self) -> Result<(), Faults> {
        let message = self.missed_call_message.as_deref().unwrap_or_default();
        if message.chars().count() > 500 {
            let rule = "must be at most 500 characters";
            return Err(Faults::from([("missedCallMessage", rule)]));
        }
        Ok(())
    }

    pub fn apply(&self, before: &Organization) -> Organization {
        let mut after = before.clone();
        if let Some(message) = &self.missed_call_message {
            after.missed_call_message = Some(message.clone()).filter(|text| !text.is_empty());
        }
        if let Some(enabled) = self.missed_call_auto_message_enabled {
            after.missed_call_enabled = enabled;
        }
        after
    }
}
