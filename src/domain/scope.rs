//! Scopes: the permissions of API keys (security scheme of the AgentMessage spec).

use strum::VariantArray as _;

use crate::error::Violation;

/// Permission of an API key.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(const_into_str)]
pub enum Scope {
    #[strum(serialize = "org:read")]
    OrgRead,
    #[strum(serialize = "org:admin:write")]
    OrgAdminWrite,
    #[strum(serialize = "apikeys:read")]
    ApiKeysRead,
    /// Create, rotate and revoke API keys.
    #[strum(serialize = "apikeys:write")]
    ApiKeysWrite,
    #[strum(serialize = "audit:read")]
    AuditRead,
    #[strum(serialize = "messages:send")]
    MessagesSend,
    #[strum(serialize = "messages:read")]
    MessagesRead,
    #[strum(serialize = "messages:erase")]
    MessagesErase,
    #[strum(serialize = "consent:read")]
    ConsentRead,
    #[strum(serialize = "consent:write")]
    ConsentWrite,
    #[strum(serialize = "brands:read")]
    BrandsRead,
    #[strum(serialize = "brands:write")]
    BrandsWrite,
    #[strum(serialize = "campaigns:read")]
    CampaignsRead,
    #[strum(serialize = "campaigns:write")]
    CampaignsWrite,
    #[strum(serialize = "numbers:read")]
    NumbersRead,
    #[strum(serialize = "numbers:write")]
    NumbersWrite,
    /// Read invoices.
    #[strum(serialize = "billing:read")]
    BillingRead,
    #[strum(serialize = "billing:write")]
    BillingWrite,
    #[strum(serialize = "webhooks:read")]
    WebhooksRead,
    #[strum(serialize = "webhooks:write")]
    WebhooksWrite,
}

/// Set of [`Scope`]s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScopeSet(u32);

impl ScopeSet {
    /// Returns whether `scope` is in the set.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }

    /// Returns whether all scopes of `other` are in the set.
    pub fn contains_all(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Returns the scopes of the set, in the order of the spec.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::VARIANTS
            .iter()
            .copied()
            .filter(move |scope| self.contains(*scope))
    }

    /// Reads a list of names. Refuses an empty list, and unknown and duplicate names.
    ///
    /// # Errors
    /// [`Violation`] of `scopes` or of one name (`scopes.2`), the first that is found.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Violation> {
        let mut set = Self::default();
        for (position, name) in names.into_iter().enumerate() {
            let wrong = |rule: &'static str| Violation::new(format!("scopes.{position}"), rule);
            let scope = name.parse().map_err(|_unknown| wrong("unknown scope"))?;
            if set.contains(scope) {
                return Err(wrong("duplicate scope"));
            }
            set.0 |= bit(scope);
        }
        if set == Self::default() {
            return Err(Violation::new("scopes", "must name at least one scope"));
        }
        Ok(set)
    }

    /// Reads the text of [`ScopeSet::to_text`]. A name that is unknown to this version grants
    /// nothing.
    pub(crate) fn from_stored(text: &str) -> Self {
        text.split(' ')
            .filter_map(|name| name.parse().ok())
            .collect()
    }

    /// Writes the names, separated by single spaces.
    pub fn to_text(self) -> String {
        let names: Vec<&str> = self.iter().map(|scope| scope.into_str()).collect();
        names.join(" ")
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | bit(scope)))
    }
}

fn bit(scope: Scope) -> u32 {
    1 << (scope as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_known_distinct_and_at_least_one() {
        let set = ScopeSet::parse(["audit:read", "org:read"]).expect("two known scopes");
        assert_eq!(set.to_text(), "org:read audit:read");
        assert_eq!(ScopeSet::from_stored(&set.to_text()), set);
        for (bad, position) in [
            (&[][..], "scopes"),
            (&["org:root"], "scopes.0"),
            (&["org:read", ""], "scopes.1"),
            (&["org:read", "audit:read", "org:read"], "scopes.2"),
        ] {
            let refused = ScopeSet::parse(bad.iter().copied());
            assert_eq!(refused.map_err(|rule| rule.path), Err(position.into()));
        }
    }
}
