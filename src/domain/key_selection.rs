//! Selection of the API keys of an organization that are revoked together.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::error::{Error, Resource, Result};

use super::api_key::ApiKey;
use super::ids::ApiKeyId;

/// Group of keys by their issuer. A key issues keys by creating and rotating, and the keys that
/// those issue count as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyGroup {
    /// All keys of the organization.
    All,
    /// One key.
    Only(ApiKeyId),
    /// Keys that a key issued.
    IssuedBy(ApiKeyId),
    /// A key, and the keys that it issued.
    WithIssued(ApiKeyId),
}

/// Keys to revoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySelection {
    pub group: KeyGroup,
    /// Earliest creation. `None` selects keys of any age.
    pub since: Option<DateTime<Utc>>,
}

impl KeySelection {
    /// Returns the selected keys of `all` that are not revoked, in the same order. `all` has every
    /// key of the organization, because a revoked key may have issued keys that are not.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the selection names a key that `all` lacks.
    pub fn unrevoked(&self, all: Vec<ApiKey>) -> Result<Vec<ApiKey>> {
        let group = match self.group {
            KeyGroup::All => None,
            KeyGroup::Only(id) => Some((id, BTreeSet::from([id]))),
            KeyGroup::WithIssued(id) => Some((id, with_issued(id, &all))),
            KeyGroup::IssuedBy(id) => {
                let mut group = with_issued(id, &all);
                group.remove(&id);
                Some((id, group))
            }
        };
        if let Some((id, _)) = &group
            && !all.iter().any(|key| key.id == *id)
        {
            return Err(Error::NotFound(Resource::ApiKey));
        }
        let is_selected = |key: &ApiKey| {
            key.revoked_at.is_none()
                && group.as_ref().is_none_or(|(_, ids)| ids.contains(&key.id))
                && self.since.is_none_or(|since| since <= key.created_at)
        };
        Ok(all.into_iter().filter(is_selected).collect())
    }
}

/// Returns the key `id`, and the keys that it issued.
fn with_issued(id: ApiKeyId, all: &[ApiKey]) -> BTreeSet<ApiKeyId> {
    let mut by_issuer: BTreeMap<ApiKeyId, Vec<ApiKeyId>> = BTreeMap::new();
    for key in all {
        if let Some(issuer) = key.issuer() {
            by_issuer.entry(issuer).or_default().push(key.id);
        }
    }
    let (mut group, mut left) = (BTreeSet::new(), vec![id]);
    while let Some(next) = left.pop() {
        // Removed, so that issuers in a circle, which only SQL can make, end too.
        left.extend(by_issuer.remove(&next).unwrap_or_default());
        group.insert(next);
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::OrgId;
    use crate::domain::scope::ScopeSet;

    fn key(issuer: Option<&ApiKey>, hour: u32, is_revoked: bool) -> ApiKey {
        let created_at = format!("2026-01-04T{hour:02}:00:00Z");
        let created_at = created_at.parse().expect("a time");
        ApiKey {
            id: ApiKeyId::generate(),
            org_id: OrgId::LEAST,
            label: "test".to_owned(),
            prefix: "am_live_0000".to_owned(),
            scopes: ScopeSet::default(),
            created_by: issuer.map_or("command-line".to_owned(), |issuer| {
                format!("api_key:{}", issuer.id)
            }),
            created_at,
            last_used_at: None,
            revoked_at: is_revoked.then_some(created_at),
            expires_at: None,
        }
    }

    #[test]
    fn a_group_has_what_a_key_issued_directly_or_through_revoked_keys() {
        let root = key(None, 1, true);
        let child = key(Some(&root), 2, true);
        let grandchild = key(Some(&child), 3, false);
        let other = key(None, 4, false);
        let its_child = key(Some(&other), 5, false);
        let all = [&its_child, &other, &grandchild, &child, &root];
        let select = |group, since: Option<&ApiKey>| {
            let since = since.map(|key| key.created_at);
            let keys = all.iter().map(|key| (*key).clone()).collect();
            let selected = KeySelection { group, since }.unrevoked(keys);
            let selected = selected.expect("keys of the organization");
            selected.iter().map(|key| key.id).collect::<Vec<_>>()
        };
        let ids = |keys: &[&ApiKey]| keys.iter().map(|key| key.id).collect::<Vec<_>>();
        for (group, expected) in [
            (KeyGroup::All, ids(&[&its_child, &other, &grandchild])),
            (KeyGroup::Only(root.id), ids(&[])),
            (KeyGroup::Only(other.id), ids(&[&other])),
            (KeyGroup::IssuedBy(other.id), ids(&[&its_child])),
            (KeyGroup::WithIssued(other.id), ids(&[&its_child, &other])),
            (KeyGroup::WithIssued(root.id), ids(&[&grandchild])),
            (KeyGroup::IssuedBy(grandchild.id), ids(&[])),
        ] {
            assert_eq!(select(group, None), expected, "{group:?}");
        }
        assert_eq!(
            select(KeyGroup::All, Some(&other)),
            ids(&[&its_child, &other])
        );
        let by_root = KeyGroup::IssuedBy(root.id);
        assert_eq!(select(by_root, Some(&other)), ids(&[]));
    }

    #[test]
    fn a_selection_by_a_key_of_another_organization_is_not_found() {
        let (own, other) = (key(None, 1, false), key(None, 1, false));
        for group in [
            KeyGroup::Only(other.id),
            KeyGroup::IssuedBy(other.id),
            KeyGroup::WithIssued(other.id),
        ] {
            let selection = KeySelection { group, since: None };
            let selected = selection.unrevoked(vec![own.clone()]);
            assert!(matches!(selected, Err(Error::NotFound(Resource::ApiKey))));
        }
    }

    #[test]
    fn issuers_in_a_circle_end() {
        let (mut one, two) = (key(None, 1, false), key(None, 1, false));
        let two = ApiKey {
            created_by: format!("api_key:{}", one.id),
            ..two
        };
        one.created_by = format!("api_key:{}", two.id);
        let group = KeyGroup::WithIssued(one.id);
        let selection = KeySelection { group, since: None };
        let selected = selection.unrevoked(vec![one, two]);
        assert_eq!(selected.map(|keys| keys.len()).ok(), Some(2));
    }
}
