//! IAM's check of a policy document: its shape, not its meaning.

use serde_json::{Map, Value};

use super::super::{Account, ApiError, policy};

const ELEMENTS: &[&str] =
    &["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "MalformedPolicyDocument", message)
}

fn syntax() -> ApiError {
    malformed("Syntax errors in policy.")
}

/// Parses the document and checks what all policies share.
fn parsed(text: &str) -> Result<Value, ApiError> {
    let policy: Value = serde_json::from_str(text).map_err(|_| malformed("This policy contains invalid Json"))?;
    let members = policy.as_object().ok_or_else(syntax)?;
    if members.keys().any(|name| !["Version", "Id", "Statement"].contains(&name.as_str())) {
        return Err(syntax());
    }
    match members.get("Version").map(Value::as_str) {
        None | Some(Some("2012-10-17" | "2008-10-17")) => {}
        _ => return Err(syntax()),
    }
    let statements = policy::statements(&policy);
    if statements.is_empty() {
        return Err(syntax());
    }
    let mut ids = Vec::new();
    for statement in statements {
        let statement = statement.as_object().ok_or_else(syntax)?;
        check_statement(statement)?;
        if let Some(id) = statement.get("Sid").and_then(Value::as_str).filter(|id| !id.is_empty()) {
            if ids.contains(&id) {
                return Err(malformed("Statement IDs (SID) in a single policy must be unique."));
            }
            ids.push(id);
        }
    }
    Ok(policy)
}

fn check_statement(statement: &Map<String, Value>) -> Result<(), ApiError> {
    let known = statement.keys().all(|name| ELEMENTS.contains(&name.as_str()));
    let effect = matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny"));
    let texts = ["Action", "NotAction", "Resource", "NotResource"].iter().all(|name| is_texts(statement.get(*name)));
    let conditions = match statement.get("Condition") {
        None => true,
        Some(Value::Object(operators)) => operators.values().all(Value::is_object),
        Some(_) => false,
    };
    if known && effect && texts && conditions { Ok(()) } else { Err(syntax()) }
}

/// Nothing, a text, or a list of texts that is not empty.
fn is_texts(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::String(_)) => true,
        Some(Value::Array(items)) => !items.is_empty() && items.iter().all(Value::is_string),
        Some(_) => false,
    }
}

/// Checks a policy that says what its bearer may do.
pub fn check_identity(text: &str) -> Result<(), ApiError> {
    for statement in policy::statements(&parsed(text)?) {
        let has = |name: &str| statement.get(name).is_some();
        if has("Principal") || has("NotPrincipal") {
            return Err(malformed("Policy document should not specify a principal."));
        }
        if !has("Action") && !has("NotAction") {
            return Err(malformed("Policy statement must contain actions."));
        }
        if !has("Resource") && !has("NotResource") {
            return Err(malformed("Policy statement must contain resources."));
        }
        for action in policy::texts(statement.get("Action")) {
            if action != "*" && !action.contains(':') {
                return Err(malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."));
            }
        }
        for resource in policy::texts(statement.get("Resource")) {
            if resource != "*" && !resource.starts_with("arn:") {
                return Err(malformed(format!("Resource {resource} must be in ARN format or \"*\".")));
            }
        }
    }
    Ok(())
}

/// Checks a policy that says who may take a role.
pub fn check_trust(account: &Account, text: &str) -> Result<(), ApiError> {
    for statement in policy::statements(&parsed(text)?) {
        let has = |name: &str| statement.get(name).is_some();
        if has("Resource") || has("NotResource") {
            return Err(malformed("Has prohibited field Resource"));
        }
        if !has("Action") && !has("NotAction") {
            return Err(malformed("Missing required field Action"));
        }
        for action in policy::texts(statement.get("Action")) {
            if !action.to_lowercase().starts_with("sts:") {
                return Err(malformed("AssumeRole policy may only specify STS AssumeRole actions."));
            }
        }
        match statement.get("Principal") {
            None => return Err(malformed("Missing required field Principal")),
            Some(Value::String(anyone)) if anyone == "*" => {}
            Some(Value::Object(kinds)) if !kinds.is_empty() => check_principals(account, kinds)?,
            Some(_) => return Err(syntax()),
        }
    }
    Ok(())
}

fn check_principals(account: &Account, kinds: &Map<String, Value>) -> Result<(), ApiError> {
    for (kind, who) in kinds {
        if !is_texts(Some(who)) {
            return Err(syntax());
        }
        for one in policy::texts(Some(who)) {
            match kind.as_str() {
                "Federated" if !is_federated(one) => {
                    return Err(malformed("Federated principals must be valid domain names or SAML metadata ARNs"));
                }
                "Service" if !is_service(one) => {
                    return Err(malformed(format!("Invalid principal in policy: \"SERVICE\":\"{one}\"")));
                }
                "AWS" if !is_aws_principal(account, one) => {
                    return Err(malformed(format!("Invalid principal in policy: \"AWS\":\"{one}\"")));
                }
                "AWS" | "Service" | "Federated" | "CanonicalUser" => {}
                _ => return Err(syntax()),
            }
        }
    }
    Ok(())
}

fn is_domain(text: &str) -> bool {
    text.contains('.') && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

fn is_federated(text: &str) -> bool {
    let Some(arn) = text.strip_prefix("arn:") else {
        return is_domain(text);
    };
    match arn.splitn(5, ':').collect::<Vec<_>>().as_slice() {
        [_, "iam", "", account, resource] => {
            let name = resource.strip_prefix("oidc-provider/").or_else(|| resource.strip_prefix("saml-provider/"));
            is_account_id(account) && name.is_some_and(|name| !name.is_empty() && !name.contains("//"))
        }
        _ => false,
    }
}

fn is_service(text: &str) -> bool {
    is_domain(text) && ["amazonaws.com", "amazonaws.com.cn", "amazon.com"].iter().any(|end| text.ends_with(end))
}

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Is this an account, or a principal that exists if it is one of ours?
pub fn is_aws_principal(account: &Account, text: &str) -> bool {
    if text == "*" || is_account_id(text) {
        return true;
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", _, "iam" | "sts", "", owner, resource] = parts.as_slice() else {
        return false;
    };
    let ours = *owner == account.account_id;
    match resource.split_once('/') {
        _ if !is_account_id(owner) => false,
        None => *resource == "root",
        Some(("role", _)) if ours => super::usable_role(account, text).is_ok(),
        // The account has no users.
        Some(("user", _)) if ours => false,
        Some(("assumed-role", rest)) if ours => {
            rest.split('/').next().is_some_and(|name| account.iam.roles.contains_key(name))
        }
        Some(("role" | "user" | "assumed-role" | "federated-user", _)) => true,
        Some(_) => false,
    }
}
