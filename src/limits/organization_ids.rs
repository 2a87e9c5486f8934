//! Ids of organizations that tokens name by their external id. With the id, both names of an
//! organization share a quota.

use quick_cache::sync::Cache;

use crate::domain::ids::{ExternalId, OrgId, OrganizationRef};
use crate::error::Result;

/// Maximum number of ids in memory, about 100 bytes each.
const CAPACITY: usize = 10_000;

/// Ids that were looked up, so that counting does not cost a query per request.
pub(super) struct OrganizationIds(Cache<ExternalId, OrgId>);

impl Default for OrganizationIds {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl OrganizationIds {
    /// Returns the organization by its id, which `find_id` looks up at most once. An organization
    /// that does not exist keeps its external id.
    pub(super) async fn by_id(
        &self,
        name: &OrganizationRef,
        find_id: impl AsyncFnOnce(&OrganizationRef) -> Result<Option<OrgId>>,
    ) -> Result<OrganizationRef> {
        let OrganizationRef::External(external_id) = name else {
            return Ok(name.clone());
        };
        if let Some(id) = self.0.get(external_id) {
            return Ok(OrganizationRef::Id(id));
        }
        let Some(id) = find_id(name).await? else {
            return Ok(name.clone());
        };
        // Never stale, because the database refuses to change an external id.
        self.0.insert(external_id.clone(), id);
        Ok(OrganizationRef::Id(id))
    }
}
