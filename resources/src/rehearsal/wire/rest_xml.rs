//! restXml, as S3 speaks it: the bucket in the path or in the host's name, the operation
//! in method and query, members in headers, query and body.
//! <https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use quick_xml::escape::escape;
use serde_json::{Map, Value};

use super::{WireRequest, WireResponse, xml};
use crate::rehearsal::ApiError;

/// Method, what the query asks for, operation: on a bucket.
const ON_BUCKETS: &[(&str, &str, &str)] = &[
    ("PUT", "", "CreateBucket"),
    ("HEAD", "", "HeadBucket"),
    ("DELETE", "", "DeleteBucket"),
    ("GET", "location", "GetBucketLocation"),
    ("PUT", "versioning", "PutBucketVersioning"),
    ("GET", "versioning", "GetBucketVersioning"),
    ("PUT", "encryption", "PutBucketEncryption"),
    ("GET", "encryption", "GetBucketEncryption"),
    ("DELETE", "encryption", "DeleteBucketEncryption"),
    ("PUT", "publicAccessBlock", "PutPublicAccessBlock"),
    ("GET", "publicAccessBlock", "GetPublicAccessBlock"),
    ("DELETE", "publicAccessBlock", "DeletePublicAccessBlock"),
    ("PUT", "policy", "PutBucketPolicy"),
    ("GET", "policy", "GetBucketPolicy"),
    ("DELETE", "policy", "DeleteBucketPolicy"),
    ("PUT", "tagging", "PutBucketTagging"),
    ("GET", "tagging", "GetBucketTagging"),
    ("DELETE", "tagging", "DeleteBucketTagging"),
    ("PUT", "lifecycle", "PutBucketLifecycleConfiguration"),
    ("GET", "lifecycle", "GetBucketLifecycleConfiguration"),
    ("DELETE", "lifecycle", "DeleteBucketLifecycle"),
    ("PUT", "ownershipControls", "PutBucketOwnershipControls"),
    ("GET", "ownershipControls", "GetBucketOwnershipControls"),
    ("DELETE", "ownershipControls", "DeleteBucketOwnershipControls"),
    ("POST", "delete", "DeleteObjects"),
    ("GET", "list-type", "ListObjectsV2"),
    ("GET", "versions", "ListObjectVersions"),
];

/// Method, operation: on an object.
const ON_OBJECTS: &[(&str, &str)] =
    &[("PUT", "PutObject"), ("GET", "GetObject"), ("HEAD", "HeadObject"), ("DELETE", "DeleteObject")];

/// Query members that say more about an operation, and the member they become.
const QUERY: &[(&str, &str)] = &[
    ("continuation-token", "ContinuationToken"),
    ("delimiter", "Delimiter"),
    ("encoding-type", "EncodingType"),
    ("fetch-owner", "FetchOwner"),
    ("key-marker", "KeyMarker"),
    ("max-buckets", "MaxBuckets"),
    ("max-keys", "MaxKeys"),
    ("prefix", "Prefix"),
    ("start-after", "StartAfter"),
    ("version-id-marker", "VersionIdMarker"),
    ("versionId", "VersionId"),
];

/// Request headers, and the member they become; and the other way round for answers.
const HEADERS: &[(&str, &str)] = &[
    ("content-length", "ContentLength"),
    ("content-type", "ContentType"),
    ("date", "Date"),
    ("etag", "ETag"),
    ("if-match", "IfMatch"),
    ("if-none-match", "IfNoneMatch"),
    ("last-modified", "LastModified"),
    ("location", "Location"),
    ("x-amz-bucket-arn", "BucketArn"),
    ("x-amz-bucket-object-lock-enabled", "ObjectLockEnabledForBucket"),
    ("x-amz-bucket-region", "BucketRegion"),
    ("x-amz-copy-source", "CopySource"),
    ("x-amz-delete-marker", "DeleteMarker"),
    ("x-amz-object-ownership", "ObjectOwnership"),
    ("x-amz-server-side-encryption", "ServerSideEncryption"),
    ("x-amz-server-side-encryption-aws-kms-key-id", "SSEKMSKeyId"),
    ("x-amz-server-side-encryption-bucket-key-enabled", "BucketKeyEnabled"),
    ("x-amz-transition-default-minimum-object-size", "TransitionDefaultMinimumObjectSize"),
    ("x-amz-version-id", "VersionId"),
];

/// Elements of request bodies that may be repeated.
const LISTS: &[&str] = &["NoncurrentVersionTransition", "Object", "Rule", "Tag", "Transition"];

/// The root of each answer that is a document.
const ROOTS: &[(&str, &str)] = &[
    ("DeleteObjects", "DeleteResult"),
    ("GetBucketEncryption", "ServerSideEncryptionConfiguration"),
    ("GetBucketLifecycleConfiguration", "LifecycleConfiguration"),
    ("GetBucketLocation", "LocationConstraint"),
    ("GetBucketOwnershipControls", "OwnershipControls"),
    ("GetBucketTagging", "Tagging"),
    ("GetBucketVersioning", "VersioningConfiguration"),
    ("GetPublicAccessBlock", "PublicAccessBlockConfiguration"),
    ("ListBuckets", "ListAllMyBucketsResult"),
    ("ListObjectVersions", "ListVersionsResult"),
    ("ListObjectsV2", "ListBucketResult"),
];

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

pub(super) fn decode(request: &WireRequest) -> Result<(String, Value), ApiError> {
    let (bucket, key) =
        place(request).ok_or_else(|| ApiError::new(400, "InvalidURI", "Couldn't parse the specified URI."))?;
    let query: Vec<(String, String)> = form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
    let operation = operation(request, &bucket, &key, &query)?;
    let mut params = Map::new();
    for (name, member) in HEADERS {
        if let Some(value) = request.header(name) {
            params.insert((*member).to_owned(), value.into());
        }
    }
    for (name, value) in query {
        if let Some((_, member)) = QUERY.iter().find(|(known, _)| *known == name) {
            params.insert((*member).to_owned(), value.into());
        }
    }
    body(request, operation, &mut params)?;
    for (name, value) in [("Bucket", bucket), ("Key", key)] {
        if !value.is_empty() {
            params.insert(name.to_owned(), value.into());
        }
    }
    Ok((operation.to_owned(), Value::Object(params)))
}

/// Bucket and key; empty where there is none. `None`: the path is no text.
fn place(request: &WireRequest) -> Option<(String, String)> {
    let path = request.path.strip_prefix('/').unwrap_or(&request.path);
    let text = |part: &str| percent_decode_str(part).decode_utf8().map(std::borrow::Cow::into_owned).ok();
    if let Some(bucket) = request.header("host").and_then(bucket_in_host) {
        return Some((bucket.to_owned(), text(path)?));
    }
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    Some((text(bucket)?, text(key)?))
}

/// The bucket of `BUCKET.s3.REGION.amazonaws.com` and its kin. A bucket's name may have dots.
fn bucket_in_host(host: &str) -> Option<&str> {
    let host = host.split(':').next().unwrap_or(host);
    let rest = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let at = rest.rfind(".s3.").or_else(|| rest.ends_with(".s3").then(|| rest.len() - 3))?;
    Some(&rest[..at])
}

fn operation(
    request: &WireRequest,
    bucket: &str,
    key: &str,
    query: &[(String, String)],
) -> Result<&'static str, ApiError> {
    let asks = |name: &str| query.iter().any(|(key, _)| key == name);
    let method = request.method.as_str();
    // A query member that is no modifier asks for something else than the plain operation.
    let plain = query.iter().all(|(name, _)| name == "x-id" || QUERY.iter().any(|(known, _)| known == name));
    let found = match (bucket, key) {
        ("", _) => (method == "GET" && plain).then_some("ListBuckets"),
        (_, "") => ON_BUCKETS
            .iter()
            .find(|(of, what, _)| *of == method && if what.is_empty() { plain } else { asks(what) })
            .map(|(_, _, operation)| *operation),
        _ if request.header("x-amz-copy-source").is_some() => None,
        _ => ON_OBJECTS.iter().find(|(of, _)| *of == method && plain).map(|(_, operation)| *operation),
    };
    found.ok_or_else(|| {
        let message = format!("The rehearsal account has no operation {method} {}?{}.", request.path, request.query);
        ApiError::new(501, "NotImplemented", message)
    })
}

fn body(request: &WireRequest, operation: &str, params: &mut Map<String, Value>) -> Result<(), ApiError> {
    match operation {
        "PutObject" => {
            let bytes = unchunked(request)
                .ok_or_else(|| ApiError::new(400, "IncompleteBody", "The request body terminated unexpectedly"))?;
            params.insert("Body".to_owned(), STANDARD.encode(bytes).into());
        }
        "PutBucketPolicy" => {
            params.insert("Policy".to_owned(), String::from_utf8_lossy(&request.body).into_owned().into());
        }
        _ if request.body.is_empty() => {}
        _ => {
            let malformed = || {
                let message =
                    "The XML you provided was not well-formed or did not validate against our published schema";
                ApiError::new(400, "MalformedXML", message)
            };
            let text = std::str::from_utf8(&request.body).map_err(|_| malformed())?;
            params.extend(xml::parse(text, LISTS).ok_or_else(malformed)?);
        }
    }
    Ok(())
}

/// The content of a body that was sent in signed or checksummed chunks.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>
fn unchunked(request: &WireRequest) -> Option<Vec<u8>> {
    let chunked = request.header("x-amz-content-sha256").is_some_and(|hash| hash.starts_with("STREAMING-"));
    if !chunked {
        return Some(request.body.clone());
    }
    let mut content = Vec::new();
    let mut rest = request.body.as_slice();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let head = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(head.split(';').next()?, 16).ok()?;
        if size == 0 {
            return Some(content);
        }
        content.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 4 + size..)?;
    }
}

pub(super) fn success(operation: &str, value: &Value, request_id: &str) -> WireResponse {
    let status = if operation.starts_with("Delete") && operation != "DeleteObjects" { 204 } else { 200 };
    let mut response = answer(status, request_id);
    if let Some((_, root)) = ROOTS.iter().find(|(of, _)| *of == operation) {
        let mut text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{NAMESPACE}\">");
        xml::content(&mut text, value);
        text.push_str(&format!("</{root}>"));
        response.headers.push(("content-type".to_owned(), "application/xml".to_owned()));
        response.body = text.into_bytes();
        return response;
    }
    for (name, member) in HEADERS {
        let text = match value.get(*member) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        // Who sends a body counts it.
        if *member != "ContentLength" || operation == "HeadObject" {
            response.headers.push(((*name).to_owned(), text));
        }
    }
    if let Some(policy) = value.get("Policy").and_then(Value::as_str) {
        response.headers.push(("content-type".to_owned(), "application/json".to_owned()));
        response.body = policy.as_bytes().to_vec();
    }
    if let Some(body) = value.get("Body").and_then(Value::as_str) {
        response.body = STANDARD.decode(body).unwrap_or_default();
    }
    response
}

pub(super) fn failure(error: &ApiError, request_id: &str) -> WireResponse {
    let mut response = answer(error.status, request_id);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>",
        escape(error.code.as_str()),
        escape(error.message.as_str()),
    );
    error.members.iter().for_each(|(name, value)| xml::element(&mut text, name, value));
    text.push_str(&format!("<RequestId>{request_id}</RequestId><HostId>rehearsal</HostId></Error>"));
    response.headers.push(("content-type".to_owned(), "application/xml".to_owned()));
    response.body = text.into_bytes();
    response
}

fn answer(status: u16, request_id: &str) -> WireResponse {
    let headers =
        vec![("x-amz-request-id".to_owned(), request_id.to_owned()), ("x-amz-id-2".to_owned(), "rehearsal".to_owned())];
    WireResponse { status, headers, body: Vec::new() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn request(method: &str, host: &str, target: &str, body: &str) -> WireRequest {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        WireRequest {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers: vec![("host".into(), host.into())],
            body: body.into(),
        }
    }

    #[test]
    fn the_bucket_is_in_the_host_or_in_the_path() {
        let cases = [
            ("a.b.s3.us-east-1.amazonaws.com", "/x/y%20z", "a.b", "x/y z"),
            ("b.s3.amazonaws.com", "/k", "b", "k"),
            ("b.s3.cn-north-1.amazonaws.com.cn", "/", "b", ""),
            ("s3.us-east-1.amazonaws.com", "/b/k/", "b", "k/"),
            ("127.0.0.1:4566", "/b", "b", ""),
            ("localhost", "/", "", ""),
        ];
        for (host, path, bucket, key) in cases {
            let found = place(&request("GET", host, path, "")).unwrap();
            assert_eq!(found, (bucket.to_owned(), key.to_owned()), "{host} {path}");
        }
    }

    #[test]
    fn method_and_query_name_the_operation() {
        let cases = [
            ("GET", "/", Some("ListBuckets")),
            ("PUT", "/b", Some("CreateBucket")),
            ("PUT", "/b?versioning", Some("PutBucketVersioning")),
            ("GET", "/b?list-type=2&prefix=a", Some("ListObjectsV2")),
            ("GET", "/b?versions&max-keys=2", Some("ListObjectVersions")),
            ("DELETE", "/b/k?versionId=v", Some("DeleteObject")),
            ("GET", "/b/k?x-id=GetObject", Some("GetObject")),
            ("GET", "/b", None),
            ("PUT", "/b?acl", None),
            ("PUT", "/b/k?tagging", None),
            ("POST", "/b/k?uploads", None),
        ];
        for (method, target, operation) in cases {
            let found = decode(&request(method, "x", target, "")).map(|(operation, _)| operation).ok();
            assert_eq!(found.as_deref(), operation, "{method} {target}");
        }
    }

    #[test]
    fn members_come_from_everywhere() {
        let mut put = request("PUT", "x", "/b/k", "text");
        put.headers.push(("if-none-match".into(), "*".into()));
        let (_, params) = decode(&put).unwrap();
        assert_eq!(params, json!({"IfNoneMatch": "*", "Body": "dGV4dA==", "Bucket": "b", "Key": "k"}));
        let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
        let (_, params) = decode(&request("PUT", "x", "/b?tagging", tags)).unwrap();
        assert_eq!(params["TagSet"], json!({"Tag": [{"Key": "a", "Value": "b"}]}));
        let refused = decode(&request("PUT", "x", "/b?tagging", "<a>")).unwrap_err();
        assert_eq!(refused.code, "MalformedXML");
    }

    #[test]
    fn chunks_are_put_together() {
        let mut put =
            request("PUT", "x", "/b/k", "3;chunk-signature=0\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:x\r\n\r\n");
        put.headers.push(("x-amz-content-sha256".into(), "STREAMING-UNSIGNED-PAYLOAD-TRAILER".into()));
        assert_eq!(unchunked(&put).unwrap(), b"abcde");
        put.body.truncate(24);
        assert_eq!(decode(&put).unwrap_err().code, "IncompleteBody");
    }

    #[test]
    fn answers_are_documents_or_headers() {
        let text = |response: &WireResponse| String::from_utf8(response.body.clone()).unwrap();
        let tags = success("GetBucketTagging", &json!({"TagSet": {"Tag": [{"Key": "a", "Value": "<"}]}}), "r");
        assert!(text(&tags).ends_with("<TagSet><Tag><Key>a</Key><Value>&lt;</Value></Tag></TagSet></Tagging>"));
        let put = success("PutObject", &json!({"ETag": "\"e\"", "VersionId": "v"}), "r");
        assert!(put.headers.contains(&("etag".into(), "\"e\"".into())) && put.body.is_empty());
        assert_eq!(success("DeleteObject", &json!({}), "r").status, 204);
        let refused = failure(&ApiError::new(404, "NoSuchKey", "gone").with("Key", "a&b"), "r");
        assert!(text(&refused).contains("<Code>NoSuchKey</Code><Message>gone</Message><Key>a&amp;b</Key>"));
    }
}
