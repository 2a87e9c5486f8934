//! One thousand random manipulations of the audit log. Goal: `audit verify` finds every one. Where
//! a chain was rewritten completely, its anchors reveal the change. Method: an attacker with full
//! control of the database (its triggers are dropped) writes other rows and covers the traces more
//! or less well. Then the database and an export of its logs are verified by the functions that the
//! command calls.

use quietline::domain::audit::chain::Anchors;
use quietline::domain::audit::entry::{AuditEntry, ChainHead};
use quietline::domain::ids::OrgId;
use quietline::operator::audit::export::export;
use quietline::operator::audit::verify::{Summary, verify_all};
use quietline::operator::audit::verify_export::verify_file;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::logs::{Logs, insert};

/// Seed of the manipulations and of the affected rows. The ids in the rows are new in every run.
const SEED: u64 = 20_261_121;
const MANIPULATIONS: usize = 1_000;

/// Measure that hides a manipulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cover {
    /// Changes nothing else.
    None,
    /// Recomputes the hashes of the changed rows.
    Reseal,
    /// Renumbers all rows and links each row to the previous one.
    Rechain,
    /// Rechains and sets the organization's head to the end. The chain is then consistent.
    Rewrite,
}

/// Log of one organization as stored in the database.
#[derive(Debug, Clone, PartialEq)]
struct Log {
    org_id: OrgId,
    entries: Vec<AuditEntry>,
    /// `None` if the organization's row was deleted.
    head: Option<ChainHead>,
}

impl Log {
    async fn read(logs: &Logs, org_id: &OrgId) -> Self {
        let entries = logs.entries_of(org_id).await;
        Self {
            org_id: *org_id,
            head: Some(entries.last().unwrap().head()),
            entries,
        }
    }

    fn cover(&mut self, cover: Cover) {
        match cover {
            Cover::None => {}
            Cover::Reseal => self.entries.iter_mut().for_each(reseal),
            Cover::Rechain => self.rechain(),
            Cover::Rewrite => {
                self.rechain();
                let head = self.entries.last().map(AuditEntry::head);
                self.head = self.head.map(|_| head.unwrap_or_default());
            }
        }
    }

    fn rechain(&mut self) {
        let mut head = ChainHead::default();
        for entry in &mut self.entries {
            entry.org_id = self.org_id;
            entry.seq = head.length + 1;
            entry.previous_hash = head.hash;
            reseal(entry);
            head = entry.head();
        }
    }

    /// Returns SQL that inserts these rows into an empty log.
    fn sql(&self) -> String {
        let mut statements: Vec<String> = self.entries.iter().map(insert).collect();
        let condition = format!("WHERE id = $id:{}", self.org_id);
        statements.push(match self.head {
            None => format!("DELETE FROM organizations {condition}"),
            Some(ChainHead { length, hash }) => format!(
                "UPDATE organizations SET audit_length = {length}, audit_head = ${} {condition}",
                hex::encode(hash)
            ),
        });
        statements.join("; ")
    }
}

/// Replaces the rows of the database.
fn write(logs: &Logs, [one, other]: &[Log; 2]) {
    logs.execute(&format!(
        "DELETE FROM audit_log; DELETE FROM organizations; \
         INSERT INTO organizations SELECT * FROM saved_organizations; {}; {}",
        one.sql(),
        other.sql()
    ));
}

fn reseal(entry: &mut AuditEntry) {
    entry.hash = entry.digest();
}

/// Sets one column to another value. `column` is the column's index in the table.
fn edit(entry: &mut AuditEntry, column: usize, random: &mut StdRng) {
    let change = |text: &mut String, random: &mut StdRng| {
        let at = random.random_range(0..=text.chars().count());
        let at = text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
        text.insert_str(
            at,
            ["x", " ", "0", "\u{e9}", "\u{1f600}"][random.random_range(0..5)],
        );
    };
    match column {
        0 => entry.org_id = OrgId::generate(),
        1 => entry.seq = far_away(random),
        2 => change(&mut entry.id, random),
        3 => {
            let millis = random.random_range(1..100_000_000);
            entry.occurred_at -= chrono::TimeDelta::milliseconds(millis);
        }
        4 => change(&mut entry.actor.kind, random),
        5 => change(&mut entry.actor.label, random),
        6 => change(&mut entry.actor.identity, random),
        7 => change(&mut entry.action, random),
        8 => change(&mut entry.resource_type, random),
        9 => change(&mut entry.resource_id, random),
        10 => {
            let mut reason = String::new();
            if random.random() {
                change(&mut reason, random);
            }
            entry.reason = Some(reason);
        }
        11 => change(&mut entry.request_id, random),
        12 => change(&mut entry.payload, random),
        13 => entry.previous_hash[random.random_range(0..32)] ^= 1 << random.random_range(0..8),
        _ => entry.hash[random.random_range(0..32)] ^= 1 << random.random_range(0..8),
    }
}

/// Returns a number that no entry of these logs has.
fn far_away(random: &mut StdRng) -> i64 {
    match random.random_range(0..5) {
        0 => 0,
        1 => i64::MIN,
        2 => i64::MAX,
        3 => random.random_range(-100..0),
        _ => random.random_range(20..1_000),
    }
}

/// Picks a cover that does not undo the manipulation itself.
fn any_cover(random: &mut StdRng) -> Cover {
    [Cover::None, Cover::Reseal, Cover::Rechain, Cover::Rewrite][random.random_range(0..4)]
}

fn edit_one(log: &mut Log, random: &mut StdRng) -> Cover {
    const COLUMNS: usize = 15;
    let (column, at) = (
        random.random_range(0..COLUMNS),
        random.random_range(0..log.entries.len()),
    );
    edit(&mut log.entries[at], column, random);
    let cover = match column {
        14 => Cover::None,
        0 | 1 | 13 => [Cover::None, Cover::Reseal][random.random_range(0..2)],
        _ => any_cover(random),
    };
    log.cover(cover);
    cover
}

fn delete_some(log: &mut Log, random: &mut StdRng) -> Cover {
    let length = log.entries.len();
    let range = match random.random_range(0..5) {
        0 => 0..1,
        1 => length - 1..length,
        2 => 0..length,
        3 => random.random_range(0..length)..length,
        _ => {
            let at = random.random_range(0..length);
            at..at + 1
        }
    };
    log.entries.drain(range);
    let cover = any_cover(random);
    log.cover(cover);
    cover
}

/// Inserts a forged entry before, between or after the others. A forged last entry with full cover
/// would be indistinguishable from a real entry.
fn insert_one(log: &mut Log, random: &mut StdRng) -> Cover {
    let cover = any_cover(random);
    let length = log.entries.len();
    let mut forged = log.entries[random.random_range(0..length)].clone();
    edit(&mut forged, 12, random);
    let at = match cover {
        Cover::Rewrite => random.random_range(0..length),
        Cover::None | Cover::Reseal | Cover::Rechain => random.random_range(0..=length),
    };
    (forged.seq, forged.previous_hash) = match (at == length, log.head) {
        (true, Some(head)) => (head.length + 1, head.hash),
        _ => (far_away(random), [0; 32]),
    };
    log.entries.insert(at, forged);
    log.cover(cover);
    cover
}

fn swap_two(log: &mut Log, random: &mut StdRng) -> Cover {
    let one = random.random_range(0..log.entries.len());
    let step = random.random_range(1..log.entries.len());
    let other = (one + step) % log.entries.len();
    let seqs = (log.entries[one].seq, log.entries[other].seq);
    log.entries.swap(one, other);
    (log.entries[one].seq, log.entries[other].seq) = seqs;
    let cover = any_cover(random);
    log.cover(cover);
    cover
}

fn move_one(from: &mut Log, to: &mut Log, random: &mut StdRng) -> Cover {
    let at = random.random_range(0..from.entries.len());
    let mut entry = from.entries.remove(at);
    entry.org_id = to.org_id;
    entry.seq = i64::try_from(to.entries.len()).unwrap() + 1;
    to.entries.push(entry);
    let cover = any_cover(random);
    from.cover(cover);
    to.cover(cover);
    cover
}

fn change_head(log: &mut Log, other: &Log, random: &mut StdRng) -> Cover {
    let head = log.head.as_mut().unwrap();
    match random.random_range(0..4) {
        0 => head.length = far_away(random),
        1 => head.length -= random.random_range(1..5),
        2 => head.hash[random.random_range(0..32)] ^= 1 << random.random_range(0..8),
        _ => head.hash = other.head.unwrap().hash,
    }
    Cover::None
}

fn remove_organization(log: &mut Log, random: &mut StdRng) -> Cover {
    match random.random_range(0..3) {
        0 => log.head = None,
        1 => log.entries.clear(),
        _ => {
            log.head = None;
            log.entries.clear();
            return Cover::Rewrite;
        }
    }
    Cover::None
}

fn replace_by_copy(log: &mut Log, other: &Log, random: &mut StdRng) -> Cover {
    let length = random.random_range(1..=other.entries.len());
    log.entries = other.entries[..length].to_vec();
    for entry in &mut log.entries {
        entry.org_id = log.org_id;
    }
    let cover = any_cover(random);
    log.cover(cover);
    cover
}

/// Manipulates the logs. Each kind of manipulation has its turn.
fn manipulate(number: usize, [one, other]: &mut [Log; 2], random: &mut StdRng) -> Cover {
    let (log, other) = if random.random() {
        (one, other)
    } else {
        (other, one)
    };
    match number % 8 {
        0 => edit_one(log, random),
        1 => delete_some(log, random),
        2 => insert_one(log, random),
        3 => swap_two(log, random),
        4 => move_one(log, other, random),
        5 => change_head(log, other, random),
        6 => remove_organization(log, random),
        _ => replace_by_copy(log, other, random),
    }
}

/// Verifies the database and an export of it. Returns both results, and asserts that the database
/// has every fault of the export.
async fn verify(logs: &Logs, anchors: &Anchors) -> [Summary; 2] {
    let db = &logs.app.state.db;
    let found = verify_all(db, anchors.clone()).unwrap();
    let mut file = Vec::new();
    export(db, None, &mut file).await.unwrap();
    let in_file = verify_file(file.as_slice(), anchors.clone()).unwrap();
    assert!(
        in_file.faults.is_empty() || !found.faults.is_empty(),
        "{in_file:?} {found:?}"
    );
    [found, in_file]
}

#[actix_web::test]
async fn one_thousand_manipulations_at_random_are_all_found() {
    let logs = Logs::new().await;
    logs.save();
    let whole = [
        Log::read(&logs, &logs.app.org_id).await,
        Log::read(&logs, &logs.other).await,
    ];
    let mut anchors = Anchors::default();
    for log in &whole {
        anchors.add(log.org_id, log.head.unwrap());
    }
    let mut random = StdRng::seed_from_u64(SEED);
    let (mut rewrites, mut hidden) = (0, 0);
    for number in 0..MANIPULATIONS {
        let mut changed = whole.clone();
        let cover = manipulate(number, &mut changed, &mut random);
        let name = format!("manipulation {number} of seed {SEED}, {cover:?}");
        assert_ne!(changed, whole, "{name}");
        write(&logs, &changed);
        let [found, in_file] = verify(&logs, &Anchors::default()).await;
        if cover == Cover::Rewrite {
            rewrites += 1;
            // The stored rows may still reveal it.
            hidden += usize::from(found.faults.is_empty());
            assert_eq!(in_file.faults, [], "{name} leaves no trace: {changed:#?}");
            for found in verify(&logs, &anchors).await {
                assert_ne!(found.faults, [], "{name} was not found: {changed:#?}");
            }
        } else {
            assert_ne!(in_file.faults, [], "{name} was not found: {changed:#?}");
        }
    }
    assert!((100..500).contains(&rewrites), "{rewrites} rewrites");
    assert!(
        (1..rewrites / 2).contains(&hidden),
        "{hidden} of {rewrites}"
    );
    // Without changes, the rows that the test itself writes are intact.
    write(&logs, &whole);
    for found in verify(&logs, &anchors).await {
        assert_eq!(found.faults, []);
    }
}
