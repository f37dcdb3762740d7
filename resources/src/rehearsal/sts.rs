//! The emulated STS: who is calling.

use serde_json::{Value, json};

use super::{Account, ApiError, iam};

/// Answers one call.
///
/// # Errors
/// The service's refusal.
pub fn call(account: &mut Account, operation: &str, _params: &Value) -> Result<Value, ApiError> {
    match operation {
        "GetCallerIdentity" => Ok(caller_identity(account)),
        other => {
            Err(ApiError::new(400, "InvalidAction", format!("Could not find operation {other} for version 2011-06-15")))
        }
    }
}

/// Everybody who signs is the same person: a session of IAM Identity Center.
fn caller_identity(account: &Account) -> Value {
    let role_id = account.iam.roles.get(iam::CALLER_ROLE).map_or("AROAUNKNOWN", |role| role.id.as_str());
    json!({
        "UserId": format!("{role_id}:{}", iam::CALLER_SESSION),
        "Account": account.account_id,
        "Arn": caller_arn(account),
    })
}

/// The ARN of the calling session. It has no path; the role behind it has.
pub fn caller_arn(account: &Account) -> String {
    format!("arn:aws:sts::{}:assumed-role/{}/{}", account.account_id, iam::CALLER_ROLE, iam::CALLER_SESSION)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::{ACCOUNT, iam, rehearsal, sts};

    #[tokio::test(start_paused = true)]
    async fn the_caller_is_a_session_of_a_role_that_iam_has() {
        let rehearsal = rehearsal();
        let me = sts(&rehearsal).get_caller_identity().send().await.unwrap();
        assert_eq!(me.account(), Some(ACCOUNT));
        let arn = me.arn().unwrap();
        let role_name = arn.split('/').nth(1).unwrap();
        assert!(arn.starts_with(&format!("arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_")));
        let role = iam(&rehearsal).get_role().role_name(role_name).send().await.unwrap().role.unwrap();
        assert_eq!(role.path(), "/aws-reserved/sso.amazonaws.com/us-east-1/");
        assert!(me.user_id().unwrap().starts_with(role.role_id()));
    }
}
