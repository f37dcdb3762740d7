//! `clientRequestToken`: the same token with the same request gets the recorded
//! answer. A token is forgotten with the resource that it made.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::ApiError;
use super::params::{invalid_parameter, text};

/// Used tokens, keyed `operation/token`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Tokens(IndexMap<String, TokenUse>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct TokenUse {
    /// The request, without the token.
    request: Value,
    answer: Value,
    /// E.g. `nodegroup/NAME`.
    resource: String,
}

impl Tokens {
    /// The recorded answer for the request's token.
    ///
    /// # Errors
    /// The token was used for another request, or is too long.
    pub(super) fn replay(&self, operation: &str, params: &Value) -> Result<Option<Value>, ApiError> {
        let Some(token) = text(params, "clientRequestToken") else {
            return Ok(None);
        };
        match self.0.get(&format!("{operation}/{token}")) {
            None => Ok(None),
            Some(used) if used.request == without_token(params) => Ok(Some(used.answer.clone())),
            // The wording is not documented; the code is that of the API page.
            Some(_) => Err(invalid_parameter(format!(
                "The clientRequestToken {token} was already used for a request with other parameters."
            ))),
        }
    }

    /// Records the answer for the request's token.
    pub(super) fn remember(&mut self, operation: &str, params: &Value, resource: &str, answer: &Value) {
        if let Some(token) = text(params, "clientRequestToken") {
            self.0.insert(
                format!("{operation}/{token}"),
                TokenUse { request: without_token(params), answer: answer.clone(), resource: resource.to_owned() },
            );
        }
    }

    /// Forgets the tokens of a resource that is gone.
    pub(super) fn forget(&mut self, resource: &str) {
        self.0.retain(|_, used| used.resource != resource);
    }
}

fn without_token(params: &Value) -> Value {
    let mut request = params.clone();
    if let Some(members) = request.as_object_mut() {
        members.remove("clientRequestToken");
    }
    request
}
