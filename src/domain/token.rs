//! Tokens of the Tether dialect: those that the command line signed, and revocations. Not here:
//! signatures and claims, which `auth::jwt` verifies.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::actor::Role;
use super::audit::event::{Action, AuditEvent, object, recorded_time};
use super::ids::{OrgId, OrganizationRef, RevocationId, TokenId};

/// Tolerance for the issuer's clock.
const LEEWAY: TimeDelta = TimeDelta::seconds(30);

/// Token that the command line signed, without the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// `jti`.
    pub id: TokenId,
    /// Organization that the token names. `None` for a superadmin's token that names none.
    pub org_id: Option<OrgId>,
    /// `iss`.
    pub issuer: Option<String>,
    /// `sub`.
    pub subject: String,
    pub role: Role,
    pub issued_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// Identity of the operator.
    pub issued_by: String,
    /// Reason that the operator gave.
    pub reason: Option<String>,
}

impl IssuedToken {
    /// Returns the event that records the token in its organization's log.
    pub fn issued(&self) -> AuditEvent {
        let mut after = vec![
            ("role", self.role.into_str().into()),
            ("expires_at", recorded_time(self.expires_at)),
        ];
        // Customers read the entry, and must not learn which member of the platform's staff acts.
        if self.role != Role::Superadmin {
            after.push(("issuer", json!(self.issuer)));
            after.push(("subject", json!(self.subject)));
        }
        AuditEvent {
            action: Action::TokenIssue,
            resource_type: "token",
            resource_id: self.id.to_string(),
            before: object(Vec::new()),
            after: object(after),
        }
    }
}

/// Tokens that a revocation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokedTokens {
    /// Tokens with this `organizationId`, under either name of the organization.
    OfOrganization(OrgId),
    /// Tokens with this `sub`, of one issuer or of all.
    OfSubject {
        subject: String,
        issuer: Option<String>,
    },
}

/// Revocation of all tokens of a subject or an organization that were issued before a moment. It is
/// final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    pub id: RevocationId,
    pub tokens: RevokedTokens,
    /// Tokens with an earlier `iat`, or without one, are refused.
    pub issued_before: DateTime<Utc>,
    pub revoked_at: DateTime<Utc>,
    /// Identity of the operator.
    pub revoked_by: String,
    /// Reason that the operator gave.
    pub reason: Option<String>,
}

impl Revocation {
    /// Returns the event that records the revocation in the organization's log. `None` for a
    /// subject, who belongs to no organization.
    pub fn recorded(&self) -> Option<AuditEvent> {
        let RevokedTokens::OfOrganization(org_id) = &self.tokens else {
            return None;
        };
        Some(AuditEvent {
            action: Action::TokenRevoke,
            resource_type: "organization",
            resource_id: org_id.to_string(),
            before: object(Vec::new()),
            after: object(vec![("issued_before", recorded_time(self.issued_before))]),
        })
    }
}

/// Token of a user, to check again later that it is not revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserToken {
    /// `iss`.
    pub issuer: Option<String>,
    /// `sub`.
    pub subject: String,
    /// Organization that the token names.
    pub organization: Option<OrganizationRef>,
    /// `iat`.
    pub issued_at: Option<DateTime<Utc>>,
}

impl UserToken {
    /// Returns the claims that decide whether the token is revoked.
    pub fn claimed(&self) -> Claimed<'_> {
        Claimed {
            issuer: self.issuer.as_deref(),
            subject: &self.subject,
            organization: self.organization.as_ref(),
            issued_at: self.issued_at,
        }
    }
}

/// Claims of a token that decide whether it is revoked.
#[derive(Debug, Clone, Copy)]
pub struct Claimed<'a> {
    pub issuer: Option<&'a str>,
    pub subject: &'a str,
    pub organization: Option<&'a OrganizationRef>,
    pub issued_at: Option<DateTime<Utc>>,
}

/// Revocations by what they are about. Holds the latest moment of each subject and organization.
#[derive(Debug, Default)]
pub struct Revocations {
    /// By subject, then by issuer. `None` stands for all issuers.
    subjects: HashMap<String, BTreeMap<Option<String>, DateTime<Utc>>>,
    organizations: HashMap<OrganizationRef, DateTime<Utc>>,
}

impl Revocations {
    /// Adds a revocation of the tokens of a subject.
    pub fn add_subject(&mut self, subject: String, issuer: Option<String>, before: DateTime<Utc>) {
        let by_issuer = self.subjects.entry(subject).or_default();
        let latest = by_issuer.entry(issuer).or_insert(before);
        *latest = before.max(*latest);
    }

    /// Adds a revocation of the tokens that name an organization by `name`.
    pub fn add_organization(&mut self, name: OrganizationRef, before: DateTime<Utc>) {
        let latest = self.organizations.entry(name).or_insert(before);
        *latest = before.max(*latest);
    }

    /// Returns whether a token with these claims is revoked at `now`.
    pub fn revoke(&self, claimed: Claimed<'_>, now: DateTime<Utc>) -> bool {
        let of_subject = self.subjects.get(claimed.subject).and_then(|by_issuer| {
            let own = claimed.issuer.map(str::to_owned);
            let moments = [by_issuer.get(&None), by_issuer.get(&own)];
            moments.into_iter().flatten().max()
        });
        let organization = claimed.organization;
        let of_organization = organization.and_then(|name| self.organizations.get(name));
        let Some(before) = of_subject.max(of_organization) else {
            return false;
        };
        let is_newer = claimed
            .issued_at
            // A time in the future would escape every revocation.
            .is_some_and(|issued_at| *before <= issued_at && issued_at <= now + LEEWAY);
        !is_newer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn name(text: &str) -> OrganizationRef {
        OrganizationRef::parse(text).expect("a name")
    }

    #[test]
    fn the_latest_revocation_of_subject_issuer_and_organization_decides() {
        let mut revocations = Revocations::default();
        let (early, late) = (at("2026-01-01T10:00:00Z"), at("2026-01-01T12:00:00Z"));
        revocations.add_subject("ada".into(), None, early);
        revocations.add_subject("ada".into(), Some("i1".into()), late);
        revocations.add_subject("ada".into(), Some("i1".into()), early);
        revocations.add_organization(name("org"), late);
        let (before, between, after) = (
            Some(at("2026-01-01T09:59:59Z")),
            Some(at("2026-01-01T10:00:00Z")),
            Some(at("2026-01-01T12:00:00Z")),
        );
        let now = at("2026-01-01T13:00:00Z");
        let table = [
            (None, "ada", None, before, true),
            (None, "ada", None, between, false),
            (Some("i2"), "ada", None, between, false),
            (Some("i1"), "ada", None, between, true),
            (Some("i1"), "ada", None, after, false),
            (Some("i1"), "ada", None, None, true),
            (Some("i1"), "Ada", None, None, false),
            (None, "bob", Some("org"), between, true),
            (None, "bob", Some("org"), after, false),
            (None, "bob", Some("Org"), before, false),
            (None, "ada", Some("org"), between, true),
            (None, "bob", Some("org"), Some(now + LEEWAY), false),
            (None, "bob", Some("org"), Some(now + LEEWAY * 2), true),
            (None, "bob", None, Some(now + LEEWAY * 2), false),
        ];
        for (issuer, subject, organization, issued_at, expected) in table {
            let organization = organization.map(name);
            let claimed = Claimed {
                issuer,
                subject,
                organization: organization.as_ref(),
                issued_at,
            };
            assert_eq!(revocations.revoke(claimed, now), expected, "{claimed:?}");
        }
    }
}
