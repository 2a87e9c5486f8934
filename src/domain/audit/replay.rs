//! Replay of an organization's log: what each entry does to the rows. Not here: the chain of the
//! entries, which `chain` verifies.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::api_key::{IssuedKey, LATER_FIELDS};
use super::super::registry::{Brand, Campaign, RegistrySummary};
use super::entry::AuditEntry;
use super::event::{Action, Fields, recorded_time};
use super::rows::{RowName, Rows, StateFault, Step, Table};

/// Field of a key that a later entry sets.
const REVOKED_AT: &str = "revoked_at";

/// Rows of one organization as the entries so far describe them.
#[derive(Debug, Default)]
pub struct Replay {
    rows: Rows,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    before: Map<String, Value>,
    after: Map<String, Value>,
}

impl Replay {
    /// Applies the next entry in order of `seq`.
    ///
    /// # Errors
    /// [`StateFault::Entry`] for an entry that does not follow from the entries before it.
    pub fn apply(&mut self, entry: &AuditEntry) -> Result<(), StateFault> {
        let seq = entry.seq;
        self.apply_action(entry)
            .map_err(|reason| StateFault::Entry { seq, reason })
    }

    fn apply_action(&mut self, entry: &AuditEntry) -> Result<(), String> {
        let action: Result<Action, _> = entry.action.parse();
        let action = action.map_err(|_unknown| format!("unknown action {:?}", entry.action))?;
        let mut step = Step::new(entry, action)?;
        match action {
            Action::OrganizationCreate => self.create_organization(step),
            Action::AutoRepliesUpdate => {
                // The attestation belongs to the change, not to the settings.
                step.after.remove("attestation");
                self.rows.change(step)
            }
            Action::RetentionUpdate
            | Action::OrganizationUpdate
            | Action::ResellerUpdate
            | Action::QuietHoursUpdate
            | Action::MissedCallMessageUpdate
            | Action::ApiKeyRevoke => self.rows.change(step),
            // Tokens are not stored, and revocations of tokens not in a row of an organization.
            Action::TokenIssue | Action::TokenRevoke => Ok(()),
            Action::ApiKeyCreate => self.create_key(step),
            Action::ApiKeyRotate => self.rotate_key(step),
            Action::BrandCreate | Action::CampaignCreate => {
                self.rows.change(step.take_summary()?)?;
                self.rows.create(step)
            }
            Action::CampaignDelete => {
                self.rows.change(step.take_summary()?)?;
                self.rows.change(step)
            }
            Action::BrandDelete => {
                self.rows.change(step.take_summary()?)?;
                self.rows.delete_campaigns(&step.row.id, step.seq);
                self.rows.change(step)
            }
        }
    }

    fn create_organization(&mut self, step: Step) -> Result<(), String> {
        if step.seq != 1 {
            return Err("only the first entry creates the organization".to_owned());
        }
        for (id, fields) in step.after {
            let Value::Object(after) = fields else {
                return Err(format!("{id} is not an object"));
            };
            let table = Table::Organization;
            self.rows.create(Step {
                seq: step.seq,
                row: RowName { table, id },
                before: Map::new(),
                after,
            })?;
        }
        Ok(())
    }

    fn create_key(&mut self, mut step: Step) -> Result<(), String> {
        // The entry of a creation omits this field, which a stored key always has.
        step.after.insert(REVOKED_AT.to_owned(), Value::Null);
        for field in LATER_FIELDS {
            step.after.entry(field).or_insert(Value::Null);
        }
        self.rows.create(step)
    }

    fn rotate_key(&mut self, mut step: Step) -> Result<(), String> {
        let Some(Value::String(id)) = step.after.remove("id") else {
            return Err("the new key has no id".to_owned());
        };
        // A rotation revokes the old key at the creation of the new one.
        let revoked_at = step.after.get("created_at").cloned().unwrap_or_default();
        let change = |value| Map::from_iter([(REVOKED_AT.to_owned(), value)]);
        self.rows.change(Step {
            seq: step.seq,
            row: step.row,
            before: change(Value::Null),
            after: change(revoked_at),
        })?;
        let table = Table::ApiKey;
        self.create_key(Step {
            row: RowName { table, id },
            before: Map::new(),
            ..step
        })
    }

    /// Compares a stored organization, in the groups of its recorded fields. Call once at most, and
    /// once at most for each other row, because a compared row is removed.
    pub fn compare_organization(&mut self, groups: Vec<(&'static str, Fields)>) -> Vec<StateFault> {
        let table = Table::Organization;
        if !self.rows.has(table) {
            let id = String::new();
            return vec![StateFault::NoEntry(RowName { table, id })];
        }
        let groups = groups.into_iter();
        groups
            .flat_map(|(group, fields)| self.rows.compare(table, group.to_owned(), fields))
            .collect()
    }

    pub fn compare_key(&mut self, issued: &IssuedKey) -> Vec<StateFault> {
        let mut fields = issued.recorded();
        let revoked_at = issued.key.revoked_at.map(recorded_time);
        fields.push((REVOKED_AT, revoked_at.unwrap_or_default()));
        self.rows
            .compare(Table::ApiKey, issued.key.id.to_string(), fields)
    }

    pub fn compare_brand(&mut self, brand: &Brand) -> Vec<StateFault> {
        self.rows
            .compare(Table::Brand, brand.id.to_string(), brand.recorded())
    }

    pub fn compare_campaign(&mut self, campaign: &Campaign) -> Vec<StateFault> {
        let (id, fields) = (campaign.id.to_string(), campaign.recorded());
        self.rows.compare(Table::Campaign, id, fields)
    }

    /// Returns the faults of the rows that were not compared, because they are not stored.
    pub fn into_missing(self) -> impl Iterator<Item = StateFault> {
        self.rows.into_missing()
    }
}

impl Step {
    /// Reads `entry`, and checks that it names a resource of its `action`.
    fn new(entry: &AuditEntry, action: Action) -> Result<Self, String> {
        let payload: Result<Payload, _> = serde_json::from_str(&entry.payload);
        let Payload { before, after } = payload.map_err(|error| error.to_string())?;
        let row = match action {
            Action::ApiKeyCreate | Action::ApiKeyRotate | Action::ApiKeyRevoke => Table::ApiKey,
            Action::BrandCreate | Action::BrandDelete => Table::Brand,
            Action::CampaignCreate | Action::CampaignDelete => Table::Campaign,
            Action::TokenIssue => Table::Token,
            Action::OrganizationCreate
            | Action::RetentionUpdate
            | Action::OrganizationUpdate
            | Action::ResellerUpdate
            | Action::QuietHoursUpdate
            | Action::AutoRepliesUpdate
            | Action::MissedCallMessageUpdate
            | Action::TokenRevoke => Table::Organization,
        };
        let is_own = row != Table::Organization || entry.resource_id == entry.org_id.to_string();
        if entry.resource_type != row.into_str() || !is_own {
            return Err(format!("its resource is not one of {}", entry.action));
        }
        let id = match row {
            Table::Organization => action.settings().unwrap_or_default(),
            Table::ApiKey | Table::Brand | Table::Campaign | Table::Token => &entry.resource_id,
        };
        let id = id.to_owned();
        Ok(Self {
            seq: entry.seq,
            row: RowName { table: row, id },
            before,
            after,
        })
    }

    /// Removes and returns the part that changes the summary of the registry.
    fn take_summary(&mut self) -> Result<Self, String> {
        let take = |fields: &mut Map<String, Value>| match fields.remove(RegistrySummary::NAME) {
            Some(Value::Object(summary)) => Ok(summary),
            _ => Err(format!("no object {}", RegistrySummary::NAME)),
        };
        Ok(Self {
            seq: self.seq,
            row: RowName {
                table: Table::Organization,
                id: RegistrySummary::NAME.to_owned(),
            },
            before: take(&mut self.before)?,
            after: take(&mut self.after)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::actor::Author;
    use super::super::super::api_key::{NewApiKey, PlaintextApiKey};
    use super::super::super::change::Change;
    use super::super::super::operator::Operator;
    use super::super::super::organization::{
        Organization, OrganizationKind, OrganizationName, Settings,
    };
    use super::super::super::scope::ScopeSet;
    use super::*;

    fn operator() -> Operator {
        Operator {
            name: "tester".to_owned(),
            reason: None,
        }
    }

    /// Returns a new organization's only entry.
    fn creation() -> AuditEntry {
        let name = OrganizationName::parse("Acme").expect("a name");
        let settings = Settings::new(name, None);
        let now = "2026-01-04T12:00:00Z".parse().expect("a time");
        let new = Organization::new(OrganizationKind::Personal, None, settings, now);
        Change::creation(new, &Author::command_line(&operator()))
            .entries
            .remove(0)
    }

    /// Returns a second entry with this action and payload.
    fn second(action: &str, payload: &str) -> AuditEntry {
        AuditEntry {
            seq: 2,
            action: action.to_owned(),
            payload: payload.to_owned(),
            ..creation()
        }
    }

    fn fault_of(entry: &AuditEntry) -> Option<String> {
        let mut replay = Replay::default();
        let first = AuditEntry {
            org_id: entry.org_id,
            resource_id: entry.org_id.to_string(),
            ..creation()
        };
        replay.apply(&first).expect("the creation");
        replay.apply(entry).err().map(|fault| fault.to_string())
    }

    #[test]
    fn an_entry_that_does_not_follow_from_the_entries_before_it_is_named() {
        let update = "retention.update";
        let days = r#"{"before":{"mms_retention_days":30},"after":{"mms_retention_days":60}}"#;
        assert_eq!(fault_of(&second(update, days)), None);
        let cases = [
            (
                second(update, &days.replace("30", "31")),
                "is 30 by entry 1",
            ),
            (second(update, &days.replace("mms_", "x_")), "unknown field"),
            (
                second(update, &days.replacen("mms_", "x_", 1)),
                "different fields",
            ),
            (
                second(update, &days.replace("before", "x")),
                "unknown field `x`",
            ),
            (second(update, "{}"), "missing field `before`"),
            (second(update, "x"), "expected value"),
            (second("retention.replace", days), "unknown action"),
            (second("api_key.revoke", days), "its resource"),
            (second("organization.create", days), "only the first entry"),
            (
                AuditEntry {
                    resource_id: "0190a1b2-c3d4-7e5f-a6b7-c8d9e0f1a2b3".to_owned(),
                    ..second(update, days)
                },
                "its resource",
            ),
        ];
        for (entry, reason) in cases {
            let fault = fault_of(&entry).expect(reason);
            assert!(
                fault.starts_with("entry 2 cannot be replayed: ") && fault.contains(reason),
                "{reason}: {fault}"
            );
        }
    }

    /// Entries of earlier versions have neither an expiry nor the key before a rotation.
    #[test]
    fn a_key_whose_entry_lacks_later_fields_has_no_values_there() {
        let operator = Author::command_line(&operator()).actor;
        let new = NewApiKey {
            label: "old".to_owned(),
            scopes: ScopeSet::default(),
            expires_at: None,
            plaintext: PlaintextApiKey::generate(),
        };
        let entry = creation();
        let now = entry.occurred_at.and_utc();
        let issued = IssuedKey::issue(entry.org_id, &new, &operator, now);
        let mut event = issued.created();
        for field in LATER_FIELDS {
            event.after.remove(field).expect("a recorded field");
        }
        let create = AuditEntry {
            resource_type: "api_key".to_owned(),
            resource_id: issued.key.id.to_string(),
            ..second("api_key.create", &event.payload())
        };
        let faults_of = |issued: &IssuedKey| {
            let mut replay = Replay::default();
            replay.apply(&create).expect("an entry");
            replay.compare_key(issued).len()
        };
        assert_eq!(faults_of(&issued), 0);
        let mut with_expiry = issued.clone();
        with_expiry.key.expires_at = Some(now);
        assert_eq!(faults_of(&with_expiry), 1);
    }

    #[test]
    fn keys_brands_and_campaigns_are_created_once_before_they_change() {
        let none = r#""registration_status":{}"#;
        let of = |kind: &str, action: &str, payload: &str| AuditEntry {
            resource_type: kind.to_owned(),
            resource_id: "x".to_owned(),
            ..second(action, payload)
        };
        let revoke = r#"{"before":{"revoked_at":null},"after":{"revoked_at":"x"}}"#;
        let delete = format!(
            r#"{{"before":{{"status":"ACTIVE",{none}}},"after":{{"status":"DELETED",{none}}}}}"#
        );
        let cases = [
            (of("api_key", "api_key.revoke", revoke), "creates api_key x"),
            (of("api_key", "api_key.rotate", revoke), "no id"),
            (of("brand", "brand.delete", &delete), "creates brand x"),
            (
                of("campaign", "campaign.delete", &delete),
                "creates campaign x",
            ),
            (
                of("brand", "brand.create", revoke),
                "no object registration_status",
            ),
        ];
        for (entry, reason) in cases {
            let fault = fault_of(&entry).expect(reason);
            assert!(fault.contains(reason), "{reason}: {fault}");
        }
        let create = of("api_key", "api_key.create", r#"{"before":{},"after":{}}"#);
        let mut replay = Replay::default();
        assert_eq!(replay.apply(&create), Ok(()));
        let again = replay.apply(&create).expect_err("twice").to_string();
        assert!(
            again.contains("entry 2 has created api_key x already"),
            "{again}"
        );
    }
}
