//! Actors, as the audit log records them.

use ipnet::IpNet;
use serde_json::json;

use super::ids::{ApiKeyId, RequestId};
use super::operator::Operator;

/// Start of the identity of an API key, before its id.
pub const API_KEY_IDENTITY: &str = "api_key:";

/// Name of the operator of the platform, as customers see it.
pub const PLATFORM: &str = "platform";

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
    CommandLine {
        /// Name of the operator.
        operator: String,
    },
}

impl Actor {
    /// Returns the exact identity. Only platform staff may see it.
    pub fn identity(&self) -> String {
        match self {
            Self::ApiKey { id, .. } => format!("{API_KEY_IDENTITY}{id}"),
            // As JSON, so that different users never have the same text. Subjects are unique only
            // within their issuer, and a user may act in several roles.
            Self::User {
                issuer,
                subject,
                role,
            } => format!("user:{}", json!([issuer, subject, role.into_str()])),
            Self::CommandLine { operator } => format!("command-line:{operator}"),
        }
    }

    /// Returns the identity as the issuer of a key. Customers see it in the payload of an entry, so
    /// that it does not name the operator.
    pub fn issuer(&self) -> String {
        match self {
            Self::ApiKey { .. } | Self::User { .. } => self.identity(),
            Self::CommandLine { .. } => "command-line".to_owned(),
        }
    }
}

/// Author of a change: the actor, the request, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub actor: Actor,
    pub request_id: RequestId,
    /// Network that the request came from. `None` unless the server records networks.
    pub client_network: Option<IpNet>,
    /// Reason of the change, which requests cannot give.
    pub reason: Option<String>,
}

impl Author {
    /// Returns `operator` at the command line, with a new request id.
    pub fn command_line(operator: &Operator) -> Self {
        let Operator { name, reason } = operator.clone();
        Self {
            actor: Actor::CommandLine { operator: name },
            request_id: RequestId::generate(),
            client_network: None,
            reason,
        }
    }
}
