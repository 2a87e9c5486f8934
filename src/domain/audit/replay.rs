//! Replay of an organization's log: the rows that its entries describe, and their comparison with
//! the stored rows. Not here: the chain of the entries, which `chain` verifies.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::api_key::IssuedKey;
use super::super::registry::{Brand, Campaign, RegistrationStatus, RegistrySummary};
use super::entry::AuditEntry;
use super::event::{Action, Fields, recorded_time};

/// Field of a key that a later entry sets.
const REVOKED_AT: &str = "revoked_at";

/// Contradiction between a log and the stored rows, or within a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateFault {
    /// An entry does not follow from the entries before it.
    #[error("entry {seq} cannot be replayed: {reason}")]
    Entry { seq: i64, reason: String },
    /// A stored value differs from the recorded value.
    #[error(transparent)]
    Drift(Box<Drift>),
    /// No entry creates a stored row.
    #[error("{0}: no entry creates it")]
    NoEntry(RowName),
    /// A recorded row is not stored.
    #[error("{row}: the row is missing, entry {seq} creates it")]
    NoRow { row: RowName, seq: i64 },
}

/// Difference between a stored value and the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{row}: {field} is {}, entry {seq} says {}", shown(.found), shown(.recorded))]
pub struct Drift {
    pub row: RowName,
    pub field: String,
    /// Stored value; `None` for a field that only the log has.
    pub found: Option<Value>,
    /// Recorded value; `None` for a field that only the row has.
    pub recorded: Option<Value>,
    /// Entry that set the field, or created the row.
    pub seq: i64,
}

fn shown(value: &Option<Value>) -> String {
    value.as_ref().map_or("absent".to_owned(), Value::to_string)
}

/// Table of a row, by the type of the resource in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Table {
    Organization,
    ApiKey,
    Brand,
    Campaign,
    Token,
}

/// Name of a row of one organization. The row of the organization itself has no id, and is divided
/// into groups of settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowName {
    pub table: Table,
    /// Id of the row, or name of the group of settings.
    pub id: String,
}

impl fmt::Display for RowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.table {
            Table::Organization => f.write_str("organization"),
            table => write!(f, "{} {}", table.into_str(), self.id),
        }
    }
}

/// Row as the log describes it: the entry that creates it, and each value with its entry.
#[derive(Debug, Clone, Default, PartialEq)]
struct Row {
    seq: i64,
    fields: BTreeMap<String, (Value, i64)>,
}

/// Rows of one organization as the entries so far describe them. Holds every key, brand and
/// campaign that the log ever names, with their latest values only.
#[derive(Debug, Default)]
pub struct Replay {
    rows: BTreeMap<RowName, Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    before: Map<String, Value>,
    after: Map<String, Value>,
}

/// Change of one row by an entry.
struct Step {
    seq: i64,
    row: RowName,
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
                self.change(step)
            }
            Action::RetentionUpdate
            | Action::OrganizationUpdate
            | Action::ResellerUpdate
            | Action::QuietHoursUpdate
            | Action::MissedCallMessageUpdate
            | Action::ApiKeyRevoke => self.change(step),
            // Tokens are not stored, and revocations of tokens not in a row of an organization.
            Action::TokenIssue | Action::TokenRevoke => Ok(()),
            Action::ApiKeyCreate => self.create_key(step),
            Action::ApiKeyRotate => self.rotate_key(step),
            Action::BrandCreate | Action::CampaignCreate => {
                self.change(step.take_summary()?)?;
                self.create(step)
            }
            Action::CampaignDelete => {
                self.change(step.take_summary()?)?;
                self.change(step)
            }
            Action::BrandDelete => {
                self.change(step.take_summary()?)?;
                self.delete_campaigns(&step.row.id, step.seq);
                self.change(step)
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
            self.create(Step {
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
        self.create(step)
    }

    fn rotate_key(&mut self, mut step: Step) -> Result<(), String> {
        let Some(Value::String(id)) = step.after.remove("id") else {
            return Err("the new key has no id".to_owned());
        };
        // A rotation revokes the old key at the creation of the new one.
        let revoked_at = step.after.get("created_at").cloned().unwrap_or_default();
        let change = |value| Map::from_iter([(REVOKED_AT.to_owned(), value)]);
        self.change(Step {
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

    fn delete_campaigns(&mut self, brand_id: &str, seq: i64) {
        let is_campaign = |name: &RowName| name.table == Table::Campaign;
        for (_, row) in self.rows.iter_mut().filter(|(name, _)| is_campaign(name)) {
            let is_of_brand = row
                .fields
                .get("brand_id")
                .is_some_and(|(id, _)| id == brand_id);
            // A campaign that was deleted before keeps the entry that deleted it.
            let deleted = RegistrationStatus::Deleted.into_str();
            if let Some(status) = row.fields.get_mut("status")
                && is_of_brand
                && status.0 != deleted
            {
                *status = (deleted.into(), seq);
            }
        }
    }

    fn create(&mut self, step: Step) -> Result<(), String> {
        let seq = step.seq;
        let fields = step.after.into_iter();
        let fields = fields.map(|(name, value)| (name, (value, seq))).collect();
        match self.rows.entry(step.row) {
            Entry::Vacant(place) => {
                place.insert(Row { seq, fields });
                Ok(())
            }
            Entry::Occupied(row) => Err(format!(
                "entry {} has created {} already",
                row.get().seq,
                row.key()
            )),
        }
    }

    fn change(&mut self, step: Step) -> Result<(), String> {
        let row = self.rows.get_mut(&step.row);
        let row = row.ok_or_else(|| format!("no entry before it creates {}", step.row))?;
        if !step.before.keys().eq(step.after.keys()) {
            return Err("before and after have different fields".to_owned());
        }
        for ((name, before), after) in step.before.into_iter().zip(step.after.into_values()) {
            match row.fields.get_mut(&name) {
                Some((value, seq)) if *value == before => (*value, *seq) = (after, step.seq),
                Some((value, seq)) => {
                    return Err(format!("{name} is {value} by entry {seq}, not {before}"));
                }
                None => return Err(format!("unknown field {name:?}")),
            }
        }
        Ok(())
    }

    /// Compares a stored organization, in the groups of its recorded fields. Call once at most, and
    /// once at most for each other row, because a compared row is removed.
    pub fn compare_organization(&mut self, groups: Vec<(&'static str, Fields)>) -> Vec<StateFault> {
        let table = Table::Organization;
        if !self.rows.keys().any(|name| name.table == table) {
            let id = String::new();
            return vec![StateFault::NoEntry(RowName { table, id })];
        }
        let groups = groups.into_iter();
        groups
            .flat_map(|(group, fields)| self.compare(table, group.to_owned(), fields))
            .collect()
    }

    pub fn compare_key(&mut self, issued: &IssuedKey) -> Vec<StateFault> {
        let mut fields = issued.recorded();
        let revoked_at = issued.key.revoked_at.map(recorded_time);
        fields.push((REVOKED_AT, revoked_at.unwrap_or_default()));
        self.compare(Table::ApiKey, issued.key.id.to_string(), fields)
    }

    pub fn compare_brand(&mut self, brand: &Brand) -> Vec<StateFault> {
        self.compare(Table::Brand, brand.id.to_string(), brand.recorded())
    }

    pub fn compare_campaign(&mut self, campaign: &Campaign) -> Vec<StateFault> {
        let (id, fields) = (campaign.id.to_string(), campaign.recorded());
        self.compare(Table::Campaign, id, fields)
    }

    fn compare(&mut self, table: Table, id: String, found: Fields) -> Vec<StateFault> {
        let name = RowName { table, id };
        let Some(mut row) = self.rows.remove(&name) else {
            return vec![StateFault::NoEntry(name)];
        };
        let mut faults = Vec::new();
        let mut drift = |field: &str, found, recorded, seq| {
            let row = name.clone();
            let field = match table {
                Table::Organization => format!("{}.{field}", row.id),
                Table::ApiKey | Table::Brand | Table::Campaign | Table::Token => field.to_owned(),
            };
            faults.push(StateFault::Drift(Box::new(Drift {
                row,
                field,
                found,
                recorded,
                seq,
            })));
        };
        for (field, found) in found {
            match row.fields.remove(field) {
                Some((recorded, _)) if recorded == found => {}
                Some((recorded, seq)) => drift(field, Some(found), Some(recorded), seq),
                None => drift(field, Some(found), None, row.seq),
            }
        }
        for (field, (recorded, seq)) in row.fields {
            drift(&field, None, Some(recorded), seq);
        }
        faults
    }

    /// Returns the faults of the rows that were not compared, because they are not stored.
    pub fn into_missing(self) -> impl Iterator<Item = StateFault> {
        let missing = |(row, Row { seq, .. })| StateFault::NoRow { row, seq };
        self.rows.into_iter().map(missing)
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
    use super::super::super::change::Change;
    use super::*;
    use crate::domain::organization::{Organization, OrganizationKind, OrganizationName, Settings};

    /// Returns a new organization's only entry.
    fn creation() -> AuditEntry {
        let name = OrganizationName::parse("Acme").expect("a name");
        let settings = Settings::new(name, None);
        let now = "2026-01-04T12:00:00Z".parse().expect("a time");
        let new = Organization::new(OrganizationKind::Personal, None, settings, now);
        let mut change = Change::creation(new, &Author::command_line());
        change.entries.remove(0)
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
