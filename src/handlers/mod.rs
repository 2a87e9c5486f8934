//! The two dialects. Each implements its generated traits: it converts the request, calls `app`,
//! and converts the result. Not here: rules and statements.

pub mod agentmessage;
pub mod failure;
mod idempotency;
mod preconditions;
pub mod tether_relay;

use quietline_api_runtime::Operation;

use crate::domain::access::Demand;
use crate::limits::ChangeKind;

/// Returns as what `operation` counts for the limits of changes. The owner of a leaked key must be
/// able to contain it while it uses a limit up. So revocations do not count, and rotations count
/// apart.
fn change_kind(operation: &Operation) -> Option<ChangeKind> {
    match (operation.method, operation.id) {
        ("GET" | "DELETE", _) => None,
        (_, "rotateApiKey") => Some(ChangeKind::Rotation),
        _ => Some(ChangeKind::Other),
    }
}

/// Returns the requirements of `operation`, as its spec states them.
fn requirements(operation: &'static Operation) -> Demand {
    Demand {
        scopes: operation.scopes,
        minimum_role: operation.minimum_role,
    }
}
