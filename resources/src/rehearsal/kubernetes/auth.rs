//! Who is let in: a token's shape and age, and the access entries of the cluster.
//! Source: <https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html>;
//! the token: aws-iam-authenticator, `pkg/token/token.go`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    super::{Account, ApiError, eks, iam, sts},
    status,
};

/// The policy without which nothing is allowed here: this account knows no finer grants.
const ADMIN: &str = "AmazonEKSClusterAdminPolicy";

/// How long the server takes a token for good after its signing.
const MAX_AGE_MS: u64 = 15 * 60 * 1000;

/// From when on an entry or its policy counts: 5 to 15 s after it was made, always the same
/// for the same one.
fn effective_ms(endpoint: &str, made_ms: u64) -> u64 {
    let digest = Sha256::digest(format!("{endpoint}{made_ms}"));
    let spread = u64::from(u16::from_be_bytes([digest[0], digest[1]])) * 10_000 / 65_536;
    made_ms + 5_000 + spread
}

/// Lets the caller in, or not.
pub(super) fn check(account: &Account, cluster: &eks::Cluster, params: &Value) -> Result<(), ApiError> {
    let token = params["token"].as_str().ok_or_else(status::unauthorized)?;
    // Whose clock runs faster than the caller's cannot judge a token's age.
    let now_ms = (params["fast"] != true).then_some(account.now_ms);
    if !is_good(token, now_ms) {
        return Err(status::unauthorized());
    }
    let role = account.iam.roles.get(iam::CALLER_ROLE).map(|role| role.arn.as_str()).unwrap_or_default();
    if cluster.authentication_mode == "CONFIG_MAP" && cluster.bootstrap_creator_admin {
        return Ok(());
    }
    let entry = cluster.access_entries.get(role);
    let counts = |made_ms| effective_ms(&cluster.endpoint.url, made_ms) <= account.now_ms;
    let entry = entry.filter(|entry| counts(entry.created_ms)).ok_or_else(status::unauthorized)?;
    let admin = entry.policies.iter().any(|(arn, policy)| arn.ends_with(ADMIN) && counts(policy.associated_ms));
    if admin { Ok(()) } else { Err(forbidden(account, params)) }
}

fn forbidden(account: &Account, params: &Value) -> ApiError {
    let text = |name: &str| params[name].as_str().unwrap_or_default();
    let (group, plural, name, namespace) = (text("group"), text("plural"), text("name"), text("namespace"));
    let scope = if namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{namespace}\"")
    };
    let user = sts::caller_arn(account);
    let verb = params["verb"].as_str().unwrap_or("get");
    let why = format!("User \"{user}\" cannot {verb} resource \"{plural}\" in API group \"{group}\" {scope}");
    let what = if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
    let what = if name.is_empty() { what } else { format!("{what} \"{name}\"") };
    ApiError::new(403, "Forbidden", format!("{what} is forbidden: {why}"))
        .with("name", name)
        .with("group", group)
        .with("kind", plural)
}

fn is_good(token: &str, now_ms: Option<u64>) -> bool {
    let url = token.strip_prefix("k8s-aws-v1.").and_then(|encoded| URL_SAFE_NO_PAD.decode(encoded).ok());
    let Some(url) = url.and_then(|url| String::from_utf8(url).ok()) else { return false };
    let Some((host, query)) = url.strip_prefix("https://").and_then(|rest| rest.split_once('?')) else { return false };
    let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let value = |name: &str| query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let signed: Vec<&str> = value("X-Amz-SignedHeaders").split(';').collect();
    let Some(at_ms) = time(value("X-Amz-Date")) else { return false };
    host.starts_with("sts.")
        && value("Action") == "GetCallerIdentity"
        && signed.contains(&"x-k8s-aws-id")
        && value("X-Amz-Signature").len() == 64
        && !value("X-Amz-Credential").is_empty()
        && now_ms.is_none_or(|now_ms| at_ms <= now_ms + 5 * 60 * 1000 && now_ms.saturating_sub(at_ms) <= MAX_AGE_MS)
}

/// `20261124T000000Z`
fn time(text: &str) -> Option<u64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}

/// The verb of an operation, as grants name it.
pub(super) fn verb(operation: &str) -> &'static str {
    match operation {
        "List" => "list",
        "Watch" => "watch",
        "Create" => "create",
        "Apply" | "Patch" => "patch",
        "Update" => "update",
        "Delete" => "delete",
        "DeleteCollection" => "deletecollection",
        _ => "get",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(date: &str, signed: &str) -> String {
        let url = format!(
            "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&X-Amz-Credential=AKID&X-Amz-Date={date}&X-Amz-SignedHeaders={signed}&X-Amz-Signature={}",
            "0".repeat(64)
        );
        format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(url))
    }

    #[test]
    fn tokens_have_a_shape_and_an_age() {
        let now_ms = 1_795_478_400_000; // 2026-11-24T00:00:00Z
        let signed = "host%3Bx-k8s-aws-id";
        assert!(is_good(&token("20261123T234500Z", signed), Some(now_ms)));
        assert!(!is_good(&token("20261123T234459Z", signed), Some(now_ms)), "too old");
        assert!(!is_good(&token("20261124T001000Z", signed), Some(now_ms)), "from the future");
        assert!(!is_good(&token("20261123T234500Z", "host"), Some(now_ms)), "for no cluster");
        assert!(!is_good("k8s-aws-v1.eA", Some(now_ms)));
        assert!(!is_good("secret", Some(now_ms)));
    }
}
