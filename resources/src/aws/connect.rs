//! Clients for a real account, configured the way every AWS tool is: environment,
//! profile, SSO, instance role; region and endpoint likewise.

use aws_config::{BehaviorVersion, Region};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use rayplat_engine::error::{ErrorClass, ProviderError};

use super::{Clients, Identity, classify};

/// What a caller may set; all else comes from the environment.
#[derive(Debug, Clone, Default)]
pub struct Connect {
    /// A profile of `~/.aws/config`; else `AWS_PROFILE`.
    pub profile: Option<String>,
    /// The manifest's region.
    pub region: String,
    /// An endpoint for every service; else `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
}

/// Clients for the account that the credentials belong to. Sends nothing yet.
pub async fn connect(connect: &Connect) -> Clients {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).http_client(http).region(Region::new(connect.region.clone()));
    if let Some(profile) = &connect.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &connect.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    Clients::new(&loader.load().await, &connect.region)
}

/// The caller as an IAM principal that an access entry takes: a session's ARN becomes
/// that of its role, with the path that STS leaves out (SSO roles have one).
/// Source: <https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html>
///
/// # Errors
/// The role cannot be read, or the caller is the account's root user.
pub async fn resolve_principal(clients: &Clients, identity: &Identity) -> Result<String, ProviderError> {
    if identity.arn.ends_with(":root") {
        return Err(ProviderError::new(ErrorClass::Invalid, "the caller is the account's root user")
            .hint("EKS gives no access entry to root: use a role or a user."));
    }
    let Some(role) = identity.arn.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next()) else {
        return Ok(identity.arn.clone());
    };
    let answer = clients.iam.get_role().role_name(role).send().await;
    let answer = answer.map_err(|error| {
        let error = classify(error).during("iam", "GetRole");
        let hint = format!("The caller's role {role} must be read once to learn its path: allow iam:GetRole on it.");
        error.hint(hint)
    })?;
    let role = answer.role().map(|role| role.arn().to_owned());
    role.ok_or_else(|| ProviderError::new(ErrorClass::Failed, "the answer to GetRole has no role"))
}
