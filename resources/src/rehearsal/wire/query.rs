//! awsQuery (IAM, STS) and ec2Query: a form in, XML out.
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>,
//! <https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html>

use quick_xml::escape::escape;
use serde_json::{Map, Value};

use super::{WireRequest, WireResponse, response};
use crate::rehearsal::ApiError;

/// A list index far above anything a client sends: `A.999999999=x` must not allocate.
const MAX_INDEX: usize = 10_000;

pub(super) fn decode(request: &WireRequest) -> Result<(String, Value), ApiError> {
    let form = if request.method == "GET" { request.query.as_bytes() } else { &request.body };
    let mut root = Value::Object(Map::new());
    let mut action = None;
    for (key, value) in form_urlencoded::parse(form) {
        match key.as_ref() {
            "Action" => action = Some(value.into_owned()),
            "Version" => {}
            _ => {
                let path: Vec<&str> = key.split('.').filter(|part| *part != "member").collect();
                insert(&mut root, &path, value.into_owned()).ok_or_else(|| {
                    ApiError::new(400, "MalformedQueryString", format!("The parameter {key} is malformed."))
                })?;
            }
        }
    }
    let action = action.ok_or_else(|| ApiError::new(400, "MissingAction", "The request has no Action."))?;
    Ok((action, root))
}

/// `["Tags", "1", "Key"]` goes into `{"Tags": [{"Key": ...}]}`. `None` for a path that
/// contradicts what is there.
fn insert(node: &mut Value, path: &[&str], text: String) -> Option<()> {
    let Some((part, rest)) = path.split_first() else {
        *node = text.into();
        return Some(());
    };
    let index = part.parse::<usize>().ok().filter(|index| (1..=MAX_INDEX).contains(index));
    // An empty parameter (`Tags=`) that gets members after all starts anew.
    if node.is_null() || node.as_str() == Some("") {
        *node = if index.is_some() { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
    }
    match (node, index) {
        (Value::Array(items), Some(index)) => {
            if items.len() < index {
                items.resize(index, Value::Null);
            }
            insert(&mut items[index - 1], rest, text)
        }
        (Value::Object(map), _) => insert(map.entry((*part).to_owned()).or_insert(Value::Null), rest, text),
        _ => None,
    }
}

/// How lists are written.
#[derive(Clone, Copy)]
struct Style {
    item: &'static str,
}

const QUERY: Style = Style { item: "member" };
const EC2: Style = Style { item: "item" };

fn element(out: &mut String, name: &str, value: &Value, style: Style) {
    match value {
        Value::Null => {}
        Value::Array(items) => {
            out.push_str(&format!("<{name}>"));
            for item in items {
                element(out, style.item, item, style);
            }
            out.push_str(&format!("</{name}>"));
        }
        _ => {
            out.push_str(&format!("<{name}>"));
            content(out, value, style);
            out.push_str(&format!("</{name}>"));
        }
    }
}

fn content(out: &mut String, value: &Value, style: Style) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| element(out, key, value, style)),
        Value::String(text) => out.push_str(&escape(text.as_str())),
        Value::Null | Value::Array(_) => {}
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn namespace(service: &str) -> &'static str {
    if service == "iam" {
        "https://iam.amazonaws.com/doc/2010-05-08/"
    } else {
        "https://sts.amazonaws.com/doc/2011-06-15/"
    }
}

pub(super) fn success(service: &str, operation: &str, value: &Value, request_id: &str) -> WireResponse {
    let mut xml = format!("<{operation}Response xmlns=\"{}\"><{operation}Result>", namespace(service));
    content(&mut xml, value, QUERY);
    xml.push_str(&format!(
        "</{operation}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    ));
    response(200, "text/xml", request_id, xml.into_bytes())
}

pub(super) fn ec2_success(operation: &str, value: &Value, request_id: &str) -> WireResponse {
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><{operation}Response \
         xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>{request_id}</requestId>"
    );
    content(&mut xml, value, EC2);
    xml.push_str(&format!("</{operation}Response>"));
    response(200, "text/xml;charset=UTF-8", request_id, xml.into_bytes())
}

pub(super) fn failure(error: &ApiError, request_id: &str) -> WireResponse {
    let party = if error.status < 500 { "Sender" } else { "Receiver" };
    let xml = format!(
        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>{party}</Type><Code>{}</Code>\
         <Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
        escape(error.code.as_str()),
        escape(error.message.as_str()),
    );
    response(error.status, "text/xml", request_id, xml.into_bytes())
}

pub(super) fn ec2_failure(error: &ApiError, request_id: &str) -> WireResponse {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error>\
         </Errors><RequestID>{request_id}</RequestID></Response>",
        escape(error.code.as_str()),
        escape(error.message.as_str()),
    );
    response(error.status, "text/xml;charset=UTF-8", request_id, xml.into_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn decoded(form: &str) -> Result<(String, Value), ApiError> {
        decode(&WireRequest { method: "POST".into(), body: form.into(), ..WireRequest::default() })
    }

    #[test]
    fn both_list_encodings() {
        let (action, params) =
            decoded("Action=X&Version=1&Tags.member.1.Key=a&Tags.member.1.Value=b&Filter.2.Name=n&Name=z").unwrap();
        assert_eq!(action, "X");
        assert_eq!(params, json!({"Tags": [{"Key": "a", "Value": "b"}], "Filter": [null, {"Name": "n"}], "Name": "z"}));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(decoded("A=1").is_err());
        assert!(decoded("Action=X&A=1&A.B=2").is_err());
        assert_eq!(decoded("Action=X&A.99999999999=1").unwrap().1, json!({"A": {"99999999999": "1"}}));
    }

    #[test]
    fn xml_is_escaped_and_lists_are_wrapped() {
        let answer = json!({"Roles": [{"Name": "a<b"}], "IsTruncated": false, "Marker": null});
        let body = String::from_utf8(success("iam", "ListRoles", &answer, "r").body).unwrap();
        assert!(body.contains("<Roles><member><Name>a&lt;b</Name></member></Roles><IsTruncated>false</IsTruncated>"));
        let body = String::from_utf8(ec2_success("X", &json!({"set": ["a"]}), "r").body).unwrap();
        assert!(body.contains("<set><item>a</item></set>"));
    }
}
