//! Rows of one organization as its log describes them, and their comparison with the stored rows.
//! Not here: the meaning of the entries, which `replay` knows.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde_json::{Map, Value};

use super::super::registry::RegistrationStatus;
use super::event::Fields;

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

/// Row as the log describes it.
#[derive(Debug, Clone, Default, PartialEq)]
struct Row {
    /// Entry that creates the row.
    seq: i64,
    /// Values by field, each with the entry that set it.
    fields: BTreeMap<String, (Value, i64)>,
}

/// Change of one row by an entry.
pub(super) struct Step {
    pub(super) seq: i64,
    pub(super) row: RowName,
    pub(super) before: Map<String, Value>,
    pub(super) after: Map<String, Value>,
}

/// Rows by name. Holds every key, brand and campaign that the log ever names, with their latest
/// values only.
#[derive(Debug, Default)]
pub(super) struct Rows(BTreeMap<RowName, Row>);

impl Rows {
    /// Returns whether the log has created a row of `table`.
    pub(super) fn has(&self, table: Table) -> bool {
        self.0.keys().any(|name| name.table == table)
    }

    /// Creates the row of `step`.
    ///
    /// # Errors
    /// The reason if the row exists.
    pub(super) fn create(&mut self, step: Step) -> Result<(), String> {
        let seq = step.seq;
        let fields = step.after.into_iter();
        let fields = fields.map(|(name, value)| (name, (value, seq))).collect();
        match self.0.entry(step.row) {
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

    /// Changes the row of `step`.
    ///
    /// # Errors
    /// The reason if the row does not have the values before `step`.
    pub(super) fn change(&mut self, step: Step) -> Result<(), String> {
        let row = self.0.get_mut(&step.row);
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

    /// Marks the campaigns of a brand as deleted by the entry `seq`.
    pub(super) fn delete_campaigns(&mut self, brand_id: &str, seq: i64) {
        let is_campaign = |name: &RowName| name.table == Table::Campaign;
        for (_, row) in self.0.iter_mut().filter(|(name, _)| is_campaign(name)) {
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

    /// Compares a stored row, and removes it.
    pub(super) fn compare(&mut self, table: Table, id: String, found: Fields) -> Vec<StateFault> {
        let name = RowName { table, id };
        let Some(mut row) = self.0.remove(&name) else {
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
    pub(super) fn into_missing(self) -> impl Iterator<Item = StateFault> {
        let missing = |(row, Row { seq, .. })| StateFault::NoRow { row, seq };
        self.0.into_iter().map(missing)
    }
}
