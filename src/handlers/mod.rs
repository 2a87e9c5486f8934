//! The two dialects. Each implements its generated traits: it converts the request, calls `app`,
//! and converts the result. Not here: rules and statements.

pub mod agentmessage;
pub mod failure;
mod idempotency;
mod preconditions;
pub mod tether_relay;

use quietline_api_runtime::Operation;

use crate::domain::access::Demand;

/// Returns whether `operation` counts for the limits of changes. Revocations and rotations do not,
/// because the owner of a leaked key must be able to contain it while it uses the limit up.
/// Rotations have a limit of their own.
fn is_change(operation: &Operation) -> bool {
    !["GET", "DELETE"].contains(&operation.method) && operation.id != "rotateApiKey"
}

/// Returns the requirements of `operation`, as its spec states them.
fn requirements(operation: &'static Operation) -> Demand {
    Demand {
        scopes: operation.scopes,
        minimum_role: operation.minimum_role,
    }
}
