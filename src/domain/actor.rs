//! Actors, as the audit log records them.

use ipnet::IpNet;
use serde_json::json;

use super::ids::{ApiKeyId, RequestId};

/// Role of a user in the Tether dialect (claim `accessRole`), weakest first.
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
pub enum Role {
    #[strum(serialize = "SALES_REP")]
    SalesRep,
    #[strum(serialize = "DEPARTMENT_HEAD")]
    DepartmentHead,
    /// Administrator of one organization.
    #[strum(serialize = "ADMIN")]
    Admin,
    /// Platform staff, who administer every organization.
    #[strum(serialize = "SUPERADMIN")]
    Superadmin,
}

/// Actor, as the audit log records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// API key of the organization.
    ApiKey {
        id: ApiKeyId,
        /// Label of the key at that time.
        label: String,
    },
    /// User with a token.
    User {
        /// Claim `iss` of the token.
        issuer: Option<String>,
        /// Claim `sub` of the token.
        subject: String,
        role: Role,
    },
    /// Operator at the command line.
    CommandLine,
}

impl Actor {
    /// Returns the exact identity. Only platform staff may see it.
    pub fn identity(&self) -> String {
        match self {
            Self::ApiKey { id, .. } => format!("api_key:{id}"),
            // As JSON, so that different users never have the same text. Subjects are unique only
            // within their issuer, and a user may act in several roles.
            Self::User {
                issuer,
                subject,
                role,
            } => format!("user:{}", json!([issuer, subject, role.into_str()])),
            Self::CommandLine => "command-line".to_owned(),
        }
    }
}

/// Author of a change: the actor, and the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub actor: Actor,
    pub request_id: RequestId,
    /// Network that the request came from. `None` unless the server records networks.
    pub client_network: Option<IpNet>,
}

impl Author {
    /// Returns the operator at the command line, with a new request id.
    pub fn command_line() -> Self {
        Self {
            actor: Actor::CommandLine,
            request_id: RequestId::generate(),
            client_network: None,
        }
    }
}
