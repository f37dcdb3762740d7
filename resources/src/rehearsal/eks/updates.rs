//! Update records: every change of a cluster, node group or addon has one.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::model::Issue;
use super::params::{self, not_found, page_of_names, required, seconds, text, uuid};

/// The record of one update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// A UUID.
    pub id: String,
    /// E.g. `LoggingUpdate`.
    pub kind: String,
    /// `InProgress`, `Successful` or `Failed`.
    pub status: String,
    /// What was asked: parameter type and value.
    pub params: Vec<(String, String)>,
    /// Milliseconds since the epoch.
    pub created_ms: u64,
    /// Why it failed.
    pub errors: Vec<Issue>,
}

impl Update {
    /// A new record of an update that runs.
    pub(super) fn begin(account: &mut Account, kind: &str, params: Vec<(&str, String)>) -> Self {
        Self {
            id: uuid(account),
            kind: kind.to_owned(),
            status: "InProgress".to_owned(),
            params: params.into_iter().map(|(kind, value)| (kind.to_owned(), value)).collect(),
            created_ms: account.now_ms,
            errors: Vec::new(),
        }
    }

    /// Closes the record.
    pub(super) fn end(&mut self, failure: Option<Issue>) {
        self.status = if failure.is_some() { "Failed" } else { "Successful" }.to_owned();
        self.errors = failure.into_iter().collect();
    }

    /// `update` of an answer.
    pub(super) fn answer(&self) -> Value {
        let params: Vec<Value> =
            self.params.iter().map(|(kind, value)| json!({"type": kind, "value": value})).collect();
        let errors: Vec<Value> = self
            .errors
            .iter()
            .map(|issue| {
                json!({
                    "errorCode": issue.code,
                    "errorMessage": issue.message,
                    "resourceIds": issue.resource_ids,
                })
            })
            .collect();
        json!({
            "id": self.id,
            "status": self.status,
            "type": self.kind,
            "params": params,
            "createdAt": seconds(self.created_ms),
            "errors": errors,
        })
    }
}

/// The updates of the cluster, or of the node group or addon that is named.
fn records<'a>(account: &'a Account, params: &Value) -> Result<&'a indexmap::IndexMap<String, Update>, ApiError> {
    let cluster = params::cluster(account, params, "name")?;
    match (text(params, "nodegroupName"), text(params, "addonName")) {
        (Some(_), Some(_)) => {
            Err(params::invalid_parameter("Only one of nodegroupName and addonName can be specified."))
        }
        (Some(name), None) => Ok(&params::nodegroup(cluster, name)?.updates),
        (None, Some(name)) => Ok(&params::addon(cluster, name)?.updates),
        (None, None) => Ok(&cluster.updates),
    }
}

/// `DescribeUpdate`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = required(params, "updateId")?;
    let update = records(account, params)?.get(id).ok_or_else(|| not_found(format!("No update found for ID: {id}")))?;
    Ok(json!({"update": update.answer()}))
}

/// `ListUpdates`.
pub(super) fn list(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    page_of_names(params, "updateIds", records(account, params)?.keys())
}
