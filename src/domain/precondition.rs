//! Preconditions of a request (RFC 9110, section 13.1): the versions of a resource that permit it.
//! Not here: the header fields, which `handlers/preconditions.rs` reads.

use crate::error::{Error, Precondition, Result};

use super::organization::Organization;

/// Versions that a precondition names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Versions {
    /// Every version of an existing resource (`*`).
    All,
    /// Versions of these names ([`Organization::version_name`]). An unknown name matches no
    /// version.
    Named(Vec<String>),
}

impl Versions {
    /// Returns whether the present version is among these. `None` is a resource without entity
    /// tags, so that no tag can name its version.
    fn contains_present(&self, organization: Option<&Organization>) -> bool {
        match (self, organization) {
            (Self::All, _) => true,
            // The usual case of `If-None-Match`, without making the name.
            (Self::Named(names), _) if names.is_empty() => false,
            (Self::Named(_), None) => false,
            (Self::Named(names), Some(organization)) => {
                names.contains(&organization.version_name())
            }
        }
    }
}

/// Preconditions of a request. The default permits every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preconditions {
    /// Versions of `If-Match`, one of which the resource must have.
    pub if_match: Versions,
    /// Versions of `If-None-Match`, none of which the resource may have.
    pub if_none_match: Versions,
}

impl Default for Preconditions {
    fn default() -> Self {
        Self {
            if_match: Versions::All,
            if_none_match: Versions::Named(Vec::new()),
        }
    }
}

impl Preconditions {
    /// Checks whether a change may start from the present version. `None` is a resource without
    /// entity tags.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`].
    pub fn check_change(&self, organization: Option<&Organization>) -> Result<()> {
        if self.is_not_modified(organization)? {
            return Err(Error::PreconditionFailed(Precondition::IfNoneMatch));
        }
        Ok(())
    }

    /// Returns whether a read needs no response body, because the client has the present version.
    /// `None` is a resource without entity tags.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] for `If-Match`, which counts first (RFC 9110, section 13.2.2).
    pub fn is_not_modified(&self, organization: Option<&Organization>) -> Result<bool> {
        if !self.if_match.contains_present(organization) {
            return Err(Error::PreconditionFailed(Precondition::IfMatch));
        }
        Ok(self.if_none_match.contains_present(organization))
    }
}
