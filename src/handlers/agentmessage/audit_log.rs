//! Handler of GET /v1/audit-log: conversion between the spec's types and the domain's.

use std::collections::BTreeMap;

use quietline_api::agentmessage::api::{
    AuditLogApi, ListAuditLogActorKind, ListAuditLogInclude, ListAuditLogParams,
    ListAuditLogSuccess,
};
use quietline_api::agentmessage::models;
use quietline_api_runtime::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::app;
use crate::app::audit_log::AuditQuery;
use crate::domain::access::Authorized;
use crate::domain::audit::entry::{ActorKind, ActorRecord, AuditEntry};
use crate::domain::audit::filter::{AuditFilter, AuditMoment};
use crate::error::{Error, Result};
use crate::handlers::failure;

use super::dialect::AgentMessage;

impl AuditLogApi for AgentMessage {
    async fn list_audit_log(
        &self,
        caller: Authorized,
        params: ListAuditLogParams,
    ) -> failure::Result<ListAuditLogSuccess> {
        let ListAuditLogParams {
            cursor,
            limit,
            action,
            resource_type,
            resource_id,
            actor_kind,
            since,
            until,
            include,
        } = params;
        let filter = AuditFilter {
            action,
            resource_type,
            resource_id,
            actor_kind: actor_kind.map(|kind| match kind {
                ListAuditLogActorKind::Customer => ActorKind::Customer,
                ListAuditLogActorKind::Platform => ActorKind::Platform,
            }),
            since: since.map(|since| AuditMoment::new(since.0)),
            until: until.map(|until| AuditMoment::new(until.0)),
        };
        let query = AuditQuery {
            cursor,
            // The spec refuses negative limits, so that a failure here is a defect.
            limit: usize::try_from(limit).map_err(Error::internal)?,
            filter,
        };
        let page = app::audit_log::page(&self.state.db, caller.access, query).await?;
        if caller.preconditions.is_not_modified(None)? {
            return Ok(ListAuditLogSuccess::NotModified);
        }
        let has_payload = include == Some(ListAuditLogInclude::Payload);
        let entries = page.entries.into_iter();
        let body = models::AuditLogResponse {
            success: true,
            data: entries
                .map(|entry| to_entry(entry, has_payload))
                .collect::<Result<_>>()?,
            meta: models::AuditLogMeta {
                limit,
                next_cursor: page.next_cursor,
            },
        };
        Ok(ListAuditLogSuccess::Ok { body })
    }
}

fn to_entry(entry: AuditEntry, has_payload: bool) -> Result<models::AuditEntry> {
    let AuditEntry {
        id,
        occurred_at,
        actor,
        action,
        resource_type,
        resource_id,
        reason,
        request_id,
        payload,
        // Not part of this dialect.
        org_id: _,
        seq: _,
        previous_hash: _,
        hash: _,
    } = entry;
    Ok(models::AuditEntry {
        id,
        occurred_at: Timestamp(occurred_at.and_utc()),
        actor: to_actor(actor)?,
        action,
        resource: models::AuditResource {
            r#type: resource_type,
            id: resource_id,
        },
        reason,
        request_id,
        payload: has_payload.then(|| to_payload(&payload)).transpose()?,
    })
}

fn to_actor(actor: ActorRecord) -> Result<models::AuditActor> {
    let ActorRecord {
        kind,
        label,
        // Only platform staff may see it.
        identity: _,
    } = actor;
    let kind = kind.parse().map_err(Error::internal)?;
    Ok(models::AuditActor {
        kind: match kind {
            ActorKind::Customer => models::AuditActorKind::Customer,
            ActorKind::Platform => models::AuditActorKind::Platform,
        },
        label,
    })
}

/// Reads the stored payload, which is JSON text.
fn to_payload(text: &str) -> Result<models::AuditPayload> {
    #[derive(Deserialize)]
    struct Payload {
        before: BTreeMap<String, Value>,
        after: BTreeMap<String, Value>,
    }
    let Payload { before, after } = serde_json::from_str(text).map_err(Error::internal)?;
    Ok(models::AuditPayload { before, after })
}
