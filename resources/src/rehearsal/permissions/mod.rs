//! Who may do what: the permissions that each call of the API needs, an evaluator of
//! identity policies, and the least policy for a set of calls.
//!
//! The table says for each operation which IAM actions AWS checks, and on which resources:
//! of the call itself, and of what the service does with the caller's own permissions
//! (passing a role, launching instances from a template, grants on a key).
//! Source: the Service Authorization Reference,
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>,
//! and what is named beside the rows.

mod evaluate;
mod generate;
mod implied;
mod shapes;
mod table;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use evaluate::{Policy, Verdict};
pub use generate::{Documents, LIMIT, documents};

use super::{Account, ApiError, sts};

/// One permission that a call needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// E.g. `eks:CreateCluster`.
    pub action: String,
    /// The ARN it is needed on; `*` where the action knows no resources.
    pub resource: String,
    /// Condition keys of the request and their values.
    pub context: Vec<(&'static str, String)>,
    /// How the service says that it is missing.
    pub refusal: Refusal,
}

/// The words for a permission that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The service's ordinary "not authorized".
    Plain,
    /// EKS's, for what launching from a template needs (aws-samples/terraform-eks-code#13).
    LaunchTemplate,
    /// EKS's, when it may not look for its service-linked role (terraform-aws-eks#823).
    RoleLookup,
    /// EKS's, when it may not make its service-linked role (XenitAB/terraform-modules#396).
    RoleCreation,
}

impl Need {
    /// An action on a resource.
    pub fn new(action: &str, resource: impl Into<String>) -> Self {
        Self { action: action.to_owned(), resource: resource.into(), context: Vec::new(), refusal: Refusal::Plain }
    }

    /// With a condition key of the request.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.context.push((key, value.into()));
        self
    }

    /// With words of its own.
    #[must_use]
    pub fn says(mut self, refusal: Refusal) -> Self {
        self.refusal = refusal;
        self
    }
}

/// Has the table a row for this operation?
pub fn knows(service: &str, operation: &str) -> bool {
    table::row(service, operation).is_some()
}

/// What a call needs, in the order in which it is asked. An operation that the table does
/// not know needs the action of its own name on everything.
pub fn needs(account: &Account, service: &str, operation: &str, params: &Value) -> Vec<Need> {
    // Access entries decide there, and no policy of IAM.
    if service == crate::kubernetes::SERVICE {
        return Vec::new();
    }
    let Some(row) = table::row(service, operation) else {
        return vec![Need::new(&format!("{service}:{operation}"), "*")];
    };
    let mut needs = Vec::new();
    for act in row.acts {
        if act.when.is_some_and(|member| !given(params, member)) {
            continue;
        }
        for resource in act.on.arns(account, params) {
            let mut need = Need::new(act.action, resource);
            need.context = shapes::context(account, act.action, operation, params);
            needs.push(need);
        }
    }
    if let Some(implied) = row.implied {
        needs.extend(implied(account, params));
    }
    needs
}

fn given(params: &Value, member: &str) -> bool {
    match params.get(member) {
        None | Some(Value::Null) => false,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        // The query protocols write a flag as a text.
        Some(Value::String(text)) => !text.is_empty() && text != "false",
        Some(_) => true,
    }
}

/// The first refusal of a call under a policy, in the service's words.
pub fn check(policy: &Policy, account: &Account, service: &str, operation: &str, params: &Value) -> Option<ApiError> {
    needs(account, service, operation, params).into_iter().find_map(|need| match policy.verdict(&need) {
        Verdict::Allowed => None,
        verdict => Some(refused(account, service, &need, verdict)),
    })
}

/// Texts: EC2's and IAM's pages on troubleshooting access denied errors,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.
fn refused(account: &Account, service: &str, need: &Need, verdict: Verdict) -> ApiError {
    let role = || need.resource.rsplit('/').next().unwrap_or_default();
    match need.refusal {
        Refusal::LaunchTemplate => {
            let message = format!(
                "You are not authorized to launch instances with this launch template. Encoded authorization failure message: {}",
                encoded(need)
            );
            return ApiError::new(400, "InvalidRequestException", message);
        }
        Refusal::RoleLookup => {
            let message = format!(
                "Failed to validate if SLR: {} already exists due to missing permissions for 'iam:GetRole'",
                role()
            );
            return ApiError::new(400, "InvalidRequestException", message);
        }
        Refusal::RoleCreation => {
            let message = format!(
                "Failed to create service linked role: {} due to missing permissions for 'iam:CreateServiceLinkedRole'",
                role()
            );
            return ApiError::new(400, "InvalidRequestException", message);
        }
        Refusal::Plain => {}
    }
    let (caller, action) = (sts::caller_arn(account), &need.action);
    let on = if need.resource == "*" && service == "ec2" {
        String::new()
    } else {
        format!(" on resource: {}", need.resource)
    };
    let why = match verdict {
        Verdict::Denied => "with an explicit deny in an identity-based policy".to_owned(),
        _ => format!("because no identity-based policy allows the {action} action"),
    };
    let message = format!("User: {caller} is not authorized to perform: {action}{on} {why}");
    match service {
        "ec2" => ApiError::new(
            403,
            "UnauthorizedOperation",
            format!(
                "You are not authorized to perform this operation. {message}. Encoded authorization failure message: {}",
                encoded(need)
            ),
        ),
        "iam" | "sts" | "s3" | "sqs" | "autoscaling" => ApiError::new(403, "AccessDenied", message),
        "eks" => ApiError::new(403, "AccessDeniedException", message),
        _ => ApiError::new(400, "AccessDeniedException", message),
    }
}

/// Only `sts:DecodeAuthorizationMessage` can read the real one.
fn encoded(need: &Need) -> String {
    hex::encode(need.action.as_bytes())
}
