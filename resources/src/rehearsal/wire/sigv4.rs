//! The Authorization header: well-formed SigV4, any credentials.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>

use super::WireRequest;
use crate::rehearsal::ApiError;

/// The signing name in the credential scope, once the header is well-formed.
/// `Ok(None)`: there is no signature at all.
pub(super) fn signing_name(request: &WireRequest) -> Result<Option<String>, ApiError> {
    let Some(authorization) = request.header("authorization").filter(|header| !header.is_empty()) else {
        return Ok(None);
    };
    let Some(fields) = authorization.strip_prefix("AWS4-HMAC-SHA256 ") else {
        return Err(incomplete("Authorization header requires the algorithm 'AWS4-HMAC-SHA256'."));
    };
    let pairs: Vec<(&str, &str)> = fields.split(',').filter_map(|one| one.trim().split_once('=')).collect();
    let field = |name: &str| pairs.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| *value);
    let mut wrong = Vec::new();
    for name in ["Credential", "Signature", "SignedHeaders"] {
        if field(name).is_empty() {
            wrong.push(format!("Authorization header requires '{name}' parameter."));
        }
    }
    if request.header("x-amz-date").is_none() && request.header("date").is_none() {
        wrong.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".to_owned());
    }
    if !wrong.is_empty() {
        return Err(incomplete(&wrong.join(" ")));
    }
    let signature = field("Signature");
    if signature.len() != 64 || !signature.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(incomplete("'Signature' must be 64 hexadecimal digits."));
    }
    let credential = field("Credential");
    match credential.rsplitn(5, '/').collect::<Vec<_>>().as_slice() {
        ["aws4_request", service, region, date, key]
            if date.len() == 8 && ![service, region, key].iter().any(|part| part.is_empty()) =>
        {
            Ok(Some((*service).to_owned()))
        }
        _ => Err(incomplete(&format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
        ))),
    }
}

fn incomplete(message: &str) -> ApiError {
    ApiError::new(400, "IncompleteSignature", message)
}
