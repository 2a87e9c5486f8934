//! Verification of chains of audit entries: the faults that a chain can have, and the anchors that
//! it must contain. Hashing is in `entry`.

use std::collections::BTreeMap;

use super::super::ids::OrgId;
use super::entry::{AuditEntry, ChainHead};

/// First fault of a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// An entry is missing, duplicated or out of order.
    #[error("entry {expected} is missing or moved: found entry {found} instead")]
    OutOfOrder {
        /// Expected `seq`.
        expected: i64,
        /// Actual `seq`.
        found: i64,
    },
    /// The previous hash of an entry is wrong.
    #[error("entry {0} does not link to the entry before it")]
    BrokenLink(i64),
    /// The fields of an entry do not match its hash.
    #[error("entry {0} was edited")]
    Edited(i64),
    /// The organization's head and the last entry differ in their number.
    #[error("the log ends at entry {found}, the organization says {expected}")]
    WrongEnd {
        /// Length in the organization's row.
        expected: i64,
        /// `seq` of the last entry.
        found: i64,
    },
    /// An entry, or the organization's head, has values that the program never writes.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// The last entry's hash differs from the head in the organization's row.
    #[error("entry {0} is not the one that was last written")]
    WrongHead(i64),
    /// The chain is consistent up to this entry, but its hash differs from the anchor: the chain
    /// was rewritten.
    #[error("entry {0} is not the one that was anchored")]
    NotAnchored(i64),
    /// Anchored entries are missing, whatever the organization's row says.
    #[error("the log ends at entry {found}, entry {anchored} was anchored")]
    EndsBeforeAnchor {
        /// `seq` of the anchored entry.
        anchored: i64,
        /// `seq` of the last entry.
        found: i64,
    },
    /// The organization's row and all its entries are missing.
    #[error("the organization was deleted, its log was anchored at entry {0}")]
    Vanished(i64),
}

/// Verifier of one organization's chain, entry by entry.
#[derive(Debug, Default)]
pub struct ChainVerifier {
    head: ChainHead,
    /// Anchors not yet reached, the nearest last.
    anchors: Vec<ChainHead>,
}

impl ChainVerifier {
    /// Creates a verifier at the beginning of a chain that must contain `anchors`.
    pub fn new(mut anchors: Vec<ChainHead>) -> Self {
        // An anchor of an empty log requires no entry.
        anchors.retain(|anchor| anchor.length > 0);
        anchors.sort_unstable_by_key(|anchor| std::cmp::Reverse(anchor.length));
        let head = ChainHead::default();
        Self { head, anchors }
    }

    /// Checks the next entry in order of `seq`.
    ///
    /// # Errors
    /// [`ChainFault`] of this entry.
    pub fn follow(&mut self, entry: &AuditEntry) -> Result<(), ChainFault> {
        // The number first. A missing entry also breaks the link, but its number says more.
        let expected = self.head.length + 1;
        if entry.seq != expected {
            return Err(ChainFault::OutOfOrder {
                expected,
                found: entry.seq,
            });
        }
        if entry.previous_hash != self.head.hash {
            return Err(ChainFault::BrokenLink(entry.seq));
        }
        if entry.hash != entry.digest() {
            return Err(ChainFault::Edited(entry.seq));
        }
        // One length may have several anchors, which differ if the log was rewritten in between.
        while let Some(anchor) = self.anchors.pop_if(|anchor| anchor.length == entry.seq) {
            if anchor.hash != entry.hash {
                return Err(ChainFault::NotAnchored(entry.seq));
            }
        }
        // Last, because `head` counts only entries without a fault.
        self.head = entry.head();
        Ok(())
    }

    /// Returns the entry up to which the chain was verified.
    pub fn head(&self) -> ChainHead {
        self.head
    }

    /// Checks that the chain ends where the organization's row says, and not before its anchors.
    ///
    /// # Errors
    /// [`ChainFault`] of the end.
    pub fn finish(&self, head: &ChainHead) -> Result<(), ChainFault> {
        let found = self.head.length;
        if found != head.length {
            let expected = head.length;
            return Err(ChainFault::WrongEnd { expected, found });
        }
        if self.head.hash != head.hash {
            return Err(ChainFault::WrongHead(head.length));
        }
        // An attacker can cut the log and the row alike, but not the anchors. The farthest anchor
        // shows best how much is missing.
        match self.anchors.first() {
            None => Ok(()),
            Some(farthest) => Err(ChainFault::EndsBeforeAnchor {
                anchored: farthest.length,
                found,
            }),
        }
    }
}

/// Heads that chains had at earlier times, kept where an attacker on the database cannot change
/// them.
#[derive(Debug, Clone, Default)]
pub struct Anchors {
    heads: BTreeMap<OrgId, Vec<ChainHead>>,
}

impl Anchors {
    /// Adds an earlier head of an organization. Length 0 proves only that the organization existed.
    pub fn add(&mut self, org_id: OrgId, head: ChainHead) {
        let heads = self.heads.entry(org_id).or_default();
        // Most logs do not grow between one anchor and the next.
        if heads.last() != Some(&head) {
            heads.push(head);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Removes and returns the anchors of one organization, for the verification of its log.
    pub fn take(&mut self, org_id: &OrgId) -> Vec<ChainHead> {
        self.heads.remove(org_id).unwrap_or_default()
    }

    /// Returns the faults of the remaining organizations. Call after every existing log took its
    /// anchors.
    pub fn into_faults(self) -> impl Iterator<Item = (OrgId, ChainFault)> {
        self.heads.into_iter().map(|(org_id, heads)| {
            let lengths = heads.iter().map(|head| head.length);
            let farthest = lengths.max().unwrap_or_default();
            (org_id, ChainFault::Vanished(farthest))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(length: i64) -> ChainHead {
        let hash = [u8::try_from(length).expect("a small number"); 32];
        ChainHead { length, hash }
    }

    #[test]
    fn an_anchor_of_an_empty_log_requires_no_entry() {
        let chain = ChainVerifier::new(vec![ChainHead::default()]);
        assert_eq!(chain.finish(&ChainHead::default()), Ok(()));
    }

    #[test]
    fn a_log_that_ends_before_its_anchor_is_at_fault_though_its_head_agrees() {
        let chain = ChainVerifier::new(vec![head(2), head(7), head(3)]);
        let fault = ChainFault::EndsBeforeAnchor {
            anchored: 7,
            found: 0,
        };
        assert_eq!(chain.finish(&ChainHead::default()), Err(fault));
    }

    #[test]
    fn anchors_that_were_not_taken_belong_to_deleted_organizations() {
        let mut anchors = Anchors::default();
        let [one, two] = [OrgId::generate(), OrgId::generate()];
        for (org_id, length) in [(&one, 1), (&two, 4), (&two, 9), (&two, 9)] {
            anchors.add(*org_id, head(length));
        }
        assert_eq!(anchors.take(&one), [head(1)]);
        let left: Vec<_> = anchors.into_faults().collect();
        assert_eq!(left, [(two, ChainFault::Vanished(9))]);
    }
}
