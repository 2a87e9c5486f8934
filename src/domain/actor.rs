//! Who acts, as the audit log records it.

use super::ids::{ApiKeyId, RequestId};

/// A user's role in the Tether dialect, weakest first (claim `accessRole`).
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
    /// Talks to customers.
    #[strum(serialize = "SALES_REP")]
    SalesRep,
    /// Leads a department.
    #[strum(serialize = "DEPARTMENT_HEAD")]
    DepartmentHead,
    /// Administers one organization.
    #[strum(serialize = "ADMIN")]
    Admin,
    /// Platform staff: administers every organization.
    #[strum(serialize = "SUPERADMIN")]
    Superadmin,
}

/// Actor, as the audit log keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An API key of the organization.
    ApiKey {
        /// Its id.
        id: ApiKeyId,
        /// Its label at the time.
        label: String,
    },
    /// A user with a token.
    User {
        /// The token's `sub`.
        subject: String,
        /// The token's role.
        role: Role,
    },
    /// An operator at the command line.
    CommandLine,
}

impl Actor {
    /// Returns the exact identity, for the platform's eyes only.
    pub fn identity(&self) -> String {
        match self {
            Self::ApiKey { id, .. } => format!("api_key:{id}"),
            Self::User { subject, .. } => format!("user:{subject}"),
            Self::CommandLine => "command-line".to_owned(),
        }
    }
}

/// Author of a change: who acts, and in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Who acts.
    pub actor: Actor,
    /// The request in which they act.
    pub request_id: RequestId,
}

impl Author {
    /// Returns the operator at the command line, in a request of its own.
    pub fn command_line() -> Self {
        Self {
            actor: Actor::CommandLine,
            request_id: RequestId::generate(),
        }
    }
}
