//! OpenID Connect providers.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::super::params::{iso_time, list, texts};
use super::super::{Account, ApiError};
use super::checks::{
    add_tags, limit_exceeded, list_tags, no_such_entity, remove_tags, required, shown_tags, validation,
};
use super::model::OidcProvider;

/// Providers in one account (IAM quotas).
const MAX_PROVIDERS: usize = 100;

/// What AWS fills in for EKS issuers when the caller sends no thumbprint: the SHA-1 of
/// the top certificate that it finds (terraform-provider-aws documents this one).
const FILLED_IN_THUMBPRINT: &str = "9e99a48a9960b14926bb7f3b02e22da2b0ab7280";

fn invalid(message: &str) -> ApiError {
    ApiError::new(400, "InvalidInput", message)
}

fn named<'a>(account: &'a mut Account, params: &Value) -> Result<&'a mut OidcProvider, ApiError> {
    let arn = required(params, "OpenIDConnectProviderArn")?;
    let missing = || no_such_entity(format!("OpenIDConnect Provider not found for arn {arn}"));
    account.iam.oidc_providers.get_mut(arn).ok_or_else(missing)
}

/// The URL without its scheme, as ARNs and answers show it.
fn host_and_path(url: &str) -> Result<&str, ApiError> {
    let rest = url.strip_prefix("https://").filter(|rest| {
        let host = rest.split('/').next().unwrap_or_default();
        url.len() <= 255
            && host.contains('.')
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
            && !rest.contains(['?', '#', ' '])
    });
    rest.map(|rest| rest.trim_end_matches('/')).ok_or_else(|| validation("Invalid Open ID Connect provider url"))
}

fn thumbprints(params: &Value) -> Result<Vec<String>, ApiError> {
    let thumbprints = texts(params, "ThumbprintList");
    if thumbprints.len() > 5 {
        return Err(invalid("Thumbprint list must contain fewer than 5 entries."));
    }
    for thumbprint in &thumbprints {
        if thumbprint.len() != 40 {
            let rule = "Member must have length equal to 40";
            let message = super::super::params::constraint(thumbprint, "thumbprintList", rule);
            return Err(validation(message));
        }
        if !thumbprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid("Thumbprint must be a hexadecimal SHA-1 digest."));
        }
    }
    Ok(thumbprints)
}

/// `CreateOpenIDConnectProvider`
pub fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let url = required(params, "Url")?;
    let host_and_path = host_and_path(url)?.to_owned();
    let mut thumbprints = thumbprints(params)?;
    if thumbprints.is_empty() {
        thumbprints.push(FILLED_IN_THUMBPRINT.to_owned());
    }
    let client_ids = texts(params, "ClientIDList");
    if client_ids.len() > 100 {
        return Err(limit_exceeded("ClientIdsPerOpenIdConnectProvider", 100));
    }
    let arn = format!("arn:{}:iam::{}:oidc-provider/{host_and_path}", account.partition(), account.account_id);
    if account.iam.oidc_providers.contains_key(&arn) {
        return Err(ApiError::new(409, "EntityAlreadyExists", format!("Provider with url {url} already exists.")));
    }
    if account.iam.oidc_providers.len() >= MAX_PROVIDERS {
        return Err(limit_exceeded("OpenIdConnectProvidersPerAccount", MAX_PROVIDERS));
    }
    let mut tags = IndexMap::new();
    add_tags(&mut tags, params)?;
    let answer = json!({"OpenIDConnectProviderArn": arn, "Tags": shown_tags(&tags)});
    let created_ms = account.now_ms;
    let provider = OidcProvider { url: host_and_path, client_ids, thumbprints, created_ms, tags };
    account.iam.oidc_providers.insert(arn, provider);
    Ok(answer)
}

/// `GetOpenIDConnectProvider`
pub fn get(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let provider = named(account, params)?;
    Ok(json!({
        "Url": provider.url,
        "ClientIDList": provider.client_ids,
        "ThumbprintList": provider.thumbprints,
        "CreateDate": iso_time(provider.created_ms),
        "Tags": shown_tags(&provider.tags),
    }))
}

/// `DeleteOpenIDConnectProvider`: deleting what is not there is no error (its API page).
pub fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let arn = required(params, "OpenIDConnectProviderArn")?;
    account.iam.oidc_providers.remove(arn);
    Ok(json!({}))
}

/// `ListOpenIDConnectProviders`: the one list of IAM without pages.
pub fn list_all(account: &Account) -> Value {
    let arns: Vec<Value> = account.iam.oidc_providers.keys().map(|arn| json!({"Arn": arn})).collect();
    json!({"OpenIDConnectProviderList": arns})
}

/// `UpdateOpenIDConnectProviderThumbprint`
pub fn update_thumbprints(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let thumbprints = thumbprints(params)?;
    if thumbprints.is_empty() {
        return Err(validation(
            "1 validation error detected: Value at 'thumbprintList' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ));
    }
    named(account, params)?.thumbprints = thumbprints;
    Ok(json!({}))
}

/// `AddClientIDToOpenIDConnectProvider`: adding what is there is no error.
pub fn add_client_id(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = required(params, "ClientID")?;
    let provider = named(account, params)?;
    if !provider.client_ids.iter().any(|known| known == id) {
        provider.client_ids.push(id.to_owned());
    }
    Ok(json!({}))
}

/// `RemoveClientIDFromOpenIDConnectProvider`: removing what is not there is no error.
pub fn remove_client_id(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = required(params, "ClientID")?;
    named(account, params)?.client_ids.retain(|known| known != id);
    Ok(json!({}))
}

/// `TagOpenIDConnectProvider`
pub fn tag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    if list(params, "Tags").is_empty() {
        return Err(validation(
            "1 validation error detected: Value null at 'tags' failed to satisfy constraint: Member must not be null",
        ));
    }
    add_tags(&mut named(account, params)?.tags, params)?;
    Ok(json!({}))
}

/// `UntagOpenIDConnectProvider`
pub fn untag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    remove_tags(&mut named(account, params)?.tags, params);
    Ok(json!({}))
}

/// `ListOpenIDConnectProviderTags`
pub fn tags(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    list_tags(&named(account, params)?.tags, params)
}
