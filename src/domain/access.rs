//! Callers and their permissions. [`Caller::require`] alone decides, as a pure function of the
//! credential and the demand of the spec. Not here: authentication, which is in `auth`.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use ipnet::IpNet;

use crate::error::{Error, Resource, Result, Violation};

use super::actor::{Actor, Author, Role};
use super::api_key::HashedApiKey;
use super::ids::{ApiKeyId, OrgId, OrganizationRef, RequestId};
use super::organization::Organization;
use super::precondition::Preconditions;
use super::scope::{Scope, ScopeSet};
use super::token::UserToken;

/// Verified credential of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// An API key that is not revoked.
    ApiKey {
        id: ApiKeyId,
        label: String,
        hash: HashedApiKey,
        /// Organization that owns the key.
        org_id: OrgId,
        scopes: ScopeSet,
        /// Expiry of the key. `None` for never.
        expires_at: Option<DateTime<Utc>>,
    },
    /// A user with a token whose signature and times were verified.
    User {
        /// Claim `iss`. `None` when the token has none.
        issuer: Option<String>,
        /// Claim `sub`.
        subject: String,
        /// Claim `accessRole`. `None` for an unknown role.
        role: Option<Role>,
        /// Claim `iat`.
        issued_at: Option<DateTime<Utc>>,
        /// Claim `organizationId`. `None` when the claim is absent or cannot name an organization.
        organization: Option<OwnOrganization>,
    },
}

/// Organization that a token names, with its alias if that was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnOrganization {
    /// Name in the token.
    pub claimed: OrganizationRef,
    /// The organization's other name, `None` unless it was looked up.
    pub alias: Option<OrganizationRef>,
}

/// Credential and id of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub credential: Credential,
    /// Id of the request, for the audit log.
    pub request_id: RequestId,
    /// Network of the client, for the audit log. `None` unless the server records networks.
    pub client_network: Option<IpNet>,
    /// Organization of an API key, if the key's lookup read it too.
    pub prefetched: Option<Box<Organization>>,
}

/// Requirements of an operation, as its spec states them.
#[derive(Debug, Clone, Copy)]
pub struct Demand {
    /// Scopes that an API key must have, all of them. Without any, the operation refuses API keys.
    pub scopes: &'static [&'static str],
    /// Weakest role that a user may have. `None` refuses users.
    pub minimum_role: Option<&'static str>,
}

/// Organization that a request is about.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// The organization of the credential.
    Own,
    /// The organization that the request names. `None` if no organization can have the name.
    Named(Option<&'a OrganizationRef>),
}

/// Proof that a caller may act on an organization, with the scopes and the expiry that the caller
/// may grant there. Only [`Caller::require`] creates it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgAccess {
    organization: OrganizationRef,
    author: Author,
    scopes: ScopeSet,
    expires_at: Option<DateTime<Utc>>,
}

/// Authorized request: the proof of permission, the data that authentication read, and the
/// preconditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorized {
    pub access: OrgAccess,
    /// Hash of the API key, to check again later that the key is live. `None` for a user.
    pub key_hash: Option<HashedApiKey>,
    /// Token of a user, to check again later that it is not revoked. `None` for an API key.
    pub token: Option<UserToken>,
    /// Organization of an API key, if the key's lookup read it too.
    pub prefetched: Option<Box<Organization>>,
    /// Preconditions of the request.
    pub preconditions: Preconditions,
}

impl OrgAccess {
    /// Returns the organization that the caller may act on. It need not exist.
    pub fn organization(&self) -> &OrganizationRef {
        &self.organization
    }

    pub fn author(&self) -> &Author {
        &self.author
    }

    /// Refuses to grant a scope that the caller does not have.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn check_grant(&self, scopes: ScopeSet) -> Result<()> {
        if self.scopes.contains_all(scopes) {
            Ok(())
        } else {
            Err(Error::Forbidden("cannot grant a scope that it lacks"))
        }
    }

    /// Returns the expiry of a key that the caller creates: `wanted`, or else the caller's own.
    ///
    /// # Errors
    /// Errors of [`OrgAccess::check_expiry`].
    pub fn granted_expiry(&self, wanted: Option<DateTime<Utc>>) -> Result<Option<DateTime<Utc>>> {
        let granted = wanted.or(self.expires_at);
        self.check_expiry(granted)?;
        Ok(granted)
    }

    /// Refuses a key that would outlive the caller. `None` is a key that never expires.
    ///
    /// # Errors
    /// [`Violation`] of `expires_at`.
    pub fn check_expiry(&self, expires_at: Option<DateTime<Utc>>) -> Result<()> {
        let is_granted = self
            .expires_at
            .is_none_or(|own| expires_at.is_some_and(|expiry| expiry <= own));
        if is_granted {
            Ok(())
        } else {
            let rule = "must not be after the expiry of the calling key";
            Err(Violation::new("expires_at", rule).into())
        }
    }
}

impl Caller {
    /// Decides whether this caller may do what `demand` says to `target`.
    ///
    /// # Errors
    /// [`Error::Forbidden`], which never depends on whether another organization exists.
    /// [`Error::NotFound`] only for a superadmin whose target cannot exist.
    pub fn require(self, demand: Demand, target: Target<'_>) -> Result<Authorized> {
        let Self {
            credential,
            request_id,
            client_network,
            prefetched,
        } = self;
        let author = |actor| Author {
            actor,
            request_id,
            client_network,
            reason: None,
        };
        match credential {
            Credential::ApiKey {
                id,
                label,
                org_id,
                scopes,
                expires_at,
                hash,
            } => {
                check_scopes(scopes, demand.scopes)?;
                let own = OwnOrganization::of_key(org_id);
                let actor = Actor::ApiKey { id, label };
                let access = OrgAccess {
                    organization: own_only(own, target)?,
                    author: author(actor),
                    scopes,
                    expires_at,
                };
                Ok(Authorized {
                    access,
                    key_hash: Some(hash),
                    token: None,
                    prefetched,
                    preconditions: Preconditions::default(),
                })
            }
            Credential::User {
                issuer,
                subject,
                role,
                issued_at,
                organization,
            } => {
                let token = user_token(&issuer, &subject, &organization, issued_at);
                let role = check_role(role, demand.minimum_role)?;
                let organization = organization_of(role, organization, target)?;
                let actor = Actor::User {
                    issuer,
                    subject,
                    role,
                };
                let access = OrgAccess {
                    organization,
                    author: author(actor),
                    // Tokens have no scopes, so that users cannot grant any.
                    scopes: ScopeSet::default(),
                    expires_at: None,
                };
                Ok(Authorized {
                    access,
                    key_hash: None,
                    token: Some(token),
                    prefetched: None,
                    preconditions: Preconditions::default(),
                })
            }
        }
    }
}

impl OwnOrganization {
    /// Returns the organization of an API key.
    fn of_key(org_id: OrgId) -> Self {
        Self {
            claimed: OrganizationRef::Id(org_id),
            alias: None,
        }
    }
}

fn user_token(
    issuer: &Option<String>,
    subject: &str,
    organization: &Option<OwnOrganization>,
    issued_at: Option<DateTime<Utc>>,
) -> UserToken {
    UserToken {
        issuer: issuer.clone(),
        subject: subject.to_owned(),
        organization: organization.as_ref().map(|own| own.claimed.clone()),
        issued_at,
    }
}

fn check_scopes(granted: ScopeSet, demanded: &[&str]) -> Result<()> {
    // An unknown scope in a demand refuses every key. A demand without scopes is not for API keys.
    let has = |name: &&str| Scope::from_str(name).is_ok_and(|scope| granted.contains(scope));
    if !demanded.is_empty() && demanded.iter().all(has) {
        Ok(())
    } else {
        Err(Error::Forbidden("missing scope"))
    }
}

fn check_role(role: Option<Role>, minimum: Option<&str>) -> Result<Role> {
    let minimum = minimum
        // A role that this program does not know refuses every user instead of admitting one.
        .and_then(|name| name.parse().ok())
        .ok_or(Error::Forbidden("not open to users"))?;
    role.filter(|role| *role >= minimum)
        .ok_or(Error::Forbidden("role too weak"))
}

fn organization_of(
    role: Role,
    own: Option<OwnOrganization>,
    target: Target<'_>,
) -> Result<OrganizationRef> {
    match role {
        // Superadmins act on every organization, so that their token need not name one.
        Role::Superadmin => named_or_own(own, target),
        Role::Admin | Role::DepartmentHead | Role::SalesRep => own_only(
            own.ok_or(Error::Forbidden("user has no organization"))?,
            target,
        ),
    }
}

fn own_only(own: OwnOrganization, target: Target<'_>) -> Result<OrganizationRef> {
    match target {
        Target::Own => Ok(own.claimed),
        Target::Named(Some(named))
            if *named == own.claimed || Some(named) == own.alias.as_ref() =>
        {
            Ok(named.clone())
        }
        // The same for an unknown organization, so that a caller cannot probe for names.
        Target::Named(_) => Err(Error::Forbidden("another organization")),
    }
}

fn named_or_own(own: Option<OwnOrganization>, target: Target<'_>) -> Result<OrganizationRef> {
    let chosen = match target {
        Target::Own => own.map(|own| own.claimed),
        Target::Named(named) => named.cloned(),
    };
    // Not `Forbidden`, because a superadmin may learn that an organization does not exist.
    chosen.ok_or(Error::NotFound(Resource::Organization))
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;
    use crate::domain::api_key::PlaintextApiKey;

    const ADMIN_ONLY: Demand = Demand {
        scopes: &[],
        minimum_role: Some("ADMIN"),
    };

    fn organization(text: &str) -> OrganizationRef {
        OrganizationRef::parse(text).expect("a name of an organization")
    }

    fn user(role: Option<Role>, claimed: Option<&str>, alias: Option<&str>) -> Caller {
        let organization = claimed.map(|claimed| OwnOrganization {
            claimed: organization(claimed),
            alias: alias.map(organization),
        });
        let credential = Credential::User {
            issuer: None,
            subject: "u1".into(),
            role,
            issued_at: None,
            organization,
        };
        Caller {
            credential,
            request_id: RequestId::generate(),
            client_network: None,
            prefetched: None,
        }
    }

    fn key(scopes: &[Scope]) -> Caller {
        let credential = Credential::ApiKey {
            id: ApiKeyId::generate(),
            label: "test".into(),
            hash: PlaintextApiKey::generate().hash(),
            org_id: OrgId::generate(),
            scopes: scopes.iter().copied().collect(),
            expires_at: None,
        };
        Caller {
            credential,
            request_id: RequestId::generate(),
            client_network: None,
            prefetched: None,
        }
    }

    #[test]
    fn a_user_needs_admin_of_the_named_organization_or_superadmin() {
        let rows = [
            (Some(Role::Superadmin), None, None, "x", "ok"),
            (Some(Role::Superadmin), Some("x"), None, "y", "ok"),
            (Some(Role::Admin), Some("x"), None, "x", "ok"),
            (Some(Role::Admin), Some("x"), Some("z"), "z", "ok"),
            (Some(Role::Admin), Some("x"), Some("z"), "y", "forbidden"),
            (Some(Role::Admin), None, None, "x", "forbidden"),
            (
                Some(Role::DepartmentHead),
                Some("x"),
                None,
                "x",
                "forbidden",
            ),
            (Some(Role::SalesRep), Some("x"), None, "x", "forbidden"),
            (None, Some("x"), None, "x", "forbidden"),
        ];
        for (role, claimed, alias, named, expected) in rows {
            let named = organization(named);
            let outcome =
                user(role, claimed, alias).require(ADMIN_ONLY, Target::Named(Some(&named)));
            let seen = match outcome {
                Ok(authorized) if *authorized.access.organization() == named => "ok",
                Err(Error::Forbidden(_)) => "forbidden",
                _ => "something else",
            };
            assert_eq!(seen, expected, "{role:?} of {claimed:?} on {named:?}");
        }
    }

    #[test]
    fn an_unnameable_organization_is_not_found_for_a_superadmin_and_forbidden_for_an_admin() {
        let nowhere = Target::Named(None);
        let superadmin = user(Some(Role::Superadmin), None, None).require(ADMIN_ONLY, nowhere);
        assert!(matches!(
            superadmin,
            Err(Error::NotFound(Resource::Organization))
        ));
        let admin = user(Some(Role::Admin), Some("x"), None).require(ADMIN_ONLY, nowhere);
        assert!(matches!(admin, Err(Error::Forbidden(_))));
    }

    #[test]
    fn a_key_needs_every_scope_of_the_operation() {
        let demand = |scopes| Demand {
            scopes,
            minimum_role: None,
        };
        let require = |scopes| {
            let caller = key(&[Scope::OrgRead, Scope::AuditRead]);
            caller.require(demand(scopes), Target::Own)
        };
        assert!(require(&["org:read"]).is_ok());
        assert!(require(&["org:read", "audit:read"]).is_ok());
        for missing in [
            &["org:admin:write"][..],
            &["org:read", "org:admin:write"],
            &["no:such"],
            &[],
        ] {
            let refused = require(missing);
            assert!(matches!(refused, Err(Error::Forbidden(_))), "{missing:?}");
        }
    }

    #[test]
    fn a_key_grants_its_own_scopes_and_no_others() {
        let demand = Demand {
            scopes: &["apikeys:write"],
            minimum_role: None,
        };
        let scopes = [Scope::ApiKeysWrite, Scope::OrgRead];
        let authorized = key(&scopes).require(demand, Target::Own).expect("access");
        let access = authorized.access;
        let grants = |scopes: &[Scope]| access.check_grant(scopes.iter().copied().collect());
        assert!(grants(&scopes).is_ok() && grants(&scopes[1..]).is_ok());
        for beyond in [&[Scope::AuditRead][..], &[Scope::OrgRead, Scope::AuditRead]] {
            assert!(matches!(grants(beyond), Err(Error::Forbidden(_))));
        }
        let admin = user(Some(Role::Admin), Some("x"), None);
        let access = admin
            .require(ADMIN_ONLY, Target::Own)
            .expect("access")
            .access;
        let refused = access.check_grant(scopes.into_iter().collect());
        assert!(matches!(refused, Err(Error::Forbidden(_))));
    }

    #[test]
    fn a_credential_of_one_dialect_opens_nothing_of_the_other() {
        let everything = Scope::VARIANTS;
        let named = organization("x");
        let refused = key(everything).require(ADMIN_ONLY, Target::Named(Some(&named)));
        assert!(matches!(refused, Err(Error::Forbidden(_))));
        let scoped = Demand {
            scopes: &["org:read"],
            minimum_role: None,
        };
        let refused = user(Some(Role::Superadmin), Some("x"), None).require(scoped, Target::Own);
        assert!(matches!(refused, Err(Error::Forbidden(_))));
    }
}
