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
    /// Read the organization.
    #[strum(serialize = "org:read")]
    OrgRead,
    /// Change the organization.
    #[strum(serialize = "org:admin:write")]
    OrgAdminWrite,
    /// List API keys.
    #[strum(serialize = "apikeys:read")]
    ApiKeysRead,
    /// Create, rotate and revoke API keys.
    #[strum(serialize = "apikeys:write")]
    ApiKeysWrite,
    /// Read the audit log.
    #[strum(serialize = "audit:read")]
    AuditRead,
    /// Send messages.
    #[strum(serialize = "messages:send")]
    MessagesSend,
    /// Read messages.
    #[strum(serialize = "messages:read")]
    MessagesRead,
    /// Erase messages.
    #[strum(serialize = "messages:erase")]
    MessagesErase,
    /// Read consent.
    #[strum(serialize = "consent:read")]
    ConsentRead,
    /// Record consent.
    #[strum(serialize = "consent:write")]
    ConsentWrite,
    /// Read brands.
    #[strum(serialize = "brands:read")]
    BrandsRead,
    /// Change brands.
    #[strum(serialize = "brands:write")]
    BrandsWrite,
    /// Read campaigns.
    #[strum(serialize = "campaigns:read")]
    CampaignsRead,
    /// Change campaigns.
    #[strum(serialize = "campaigns:write")]
    CampaignsWrite,
    /// Read numbers.
    #[strum(serialize = "numbers:read")]
    NumbersRead,
    /// Change numbers.
    #[strum(serialize = "numbers:write")]
    NumbersWrite,
    /// Read invoices.
    #[strum(serialize = "billing:read")]
    BillingRead,
    /// Change billing.
    #[strum(serialize = "billing:write")]
    BillingWrite,
    /// Read webhooks.
    #[strum(serialize = "webhooks:read")]
    WebhooksRead,
    /// Change webhooks.
    #[strum(serialize = "webhooks:write")]
    WebhooksWrite,
}

/// A set of [`Scope`]s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScopeSet(u32);

impl ScopeSet {
    /// Whether `scope` is in the set.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }

    /// Whether all scopes of `other` are in the set.
    pub fn contains_all(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// The scopes of the set, in the order of the spec.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::VARIANTS
            .iter()
            .copied()
            .filter(move |scope| self.contains(*scope))
    }

    /// Reads names; unknown and duplicate ones are refused, and none at all.
    ///
    /// # Errors
    /// The first thing that is wrong, at `scopes` or at one of them (`scopes.2`).
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Violation> {
        let mut set = Self::default();
        for (place, name) in names.into_iter().enumerate() {
            let wrong = |rule: &'static str| Violation::new(format!("scopes.{place}"), rule);
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

    /// Reads what [`ScopeSet::to_text`] wrote. A name that this version does not know grants
    /// nothing.
    pub(crate) fn from_stored(text: &str) -> Self {
        text.split(' ')
            .filter_map(|name| name.parse().ok())
            .collect()
    }

    /// The names, separated by single spaces.
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
        for (bad, place) in [
            (&[][..], "scopes"),
            (&["org:root"], "scopes.0"),
            (&["org:read", ""], "scopes.1"),
            (&["org:read", "audit:read", "org:read"], "scopes.2"),
        ] {
            let refused = ScopeSet::parse(bad.iter().copied());
            assert_eq!(refused.map_err(|rule| rule.path), Err(place.into()));
        }
    }
}
