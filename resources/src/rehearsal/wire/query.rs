//! awsQuery (IAM, STS, Auto Scaling) and ec2Query: a form in, XML out.
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>,
//! <https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html>

use std::collections::BTreeMap;

use quick_xml::escape::escape;
use serde_json::Value;

use super::{WireRequest, WireResponse, response};
use crate::rehearsal::ApiError;

/// No shape nests deeper; reading and dropping the tree recurse.
const MAX_DEPTH: usize = 24;

pub(super) fn decode(request: &WireRequest) -> Result<(String, Value), ApiError> {
    let form = if request.method == "GET" { request.query.as_bytes() } else { &request.body };
    let malformed =
        |key: &str| ApiError::new(400, "MalformedQueryString", format!("The parameter {key} is malformed."));
    let mut root = Node::default();
    let mut action = None;
    for (key, value) in form_urlencoded::parse(form) {
        match key.as_ref() {
            "Action" => action = Some(value.into_owned()),
            "Version" => {}
            _ => {
                let path: Vec<&str> = key.split('.').filter(|part| *part != "member").collect();
                if path.len() > MAX_DEPTH {
                    return Err(malformed("with more than 24 parts"));
                }
                root.put(&path, value.into_owned()).ok_or_else(|| malformed(&key))?;
            }
        }
    }
    let action = action.ok_or_else(|| ApiError::new(400, "MissingAction", "The request has no Action."))?;
    Ok((action, root.into_params()))
}

/// The dotted names of a form as a tree. Sparse: `A.999999999=x` costs no more than `A.1=x`.
#[derive(Default)]
struct Node {
    text: Option<String>,
    members: BTreeMap<String, Node>,
}

impl Node {
    /// `None` for a path that contradicts what is there. An empty parameter (`Tags=`) that
    /// gets members after all is no contradiction.
    fn put(&mut self, path: &[&str], text: String) -> Option<()> {
        match path.split_first() {
            None if !self.members.is_empty() => return text.is_empty().then_some(()),
            None => self.text = Some(text),
            Some(_) if self.text.as_ref().is_some_and(|text| !text.is_empty()) => return None,
            Some((first, rest)) => {
                self.text = None;
                self.members.entry((*first).to_owned()).or_default().put(rest, text)?;
            }
        }
        Some(())
    }

    fn into_params(self) -> Value {
        Value::Object(self.members.into_iter().map(|(name, node)| (name, node.into_value())).collect())
    }

    /// `["Tags", "1", "Key"]` becomes `{"Tags": [{"Key": ...}]}`: numbered members are a
    /// list in the order of their numbers.
    fn into_value(self) -> Value {
        if self.members.is_empty() {
            return self.text.unwrap_or_default().into();
        }
        let numbered: Option<Vec<u64>> = self.members.keys().map(|name| name.parse().ok()).collect();
        let Some(numbers) = numbered else {
            return self.into_params();
        };
        let mut items: Vec<(u64, Node)> = numbers.into_iter().zip(self.members.into_values()).collect();
        items.sort_by_key(|(number, _)| *number);
        Value::Array(items.into_iter().map(|(_, node)| node.into_value()).collect())
    }
}

/// How lists are written.
#[derive(Clone, Copy)]
struct Style {
    item: &'static str,
}

impl Style {
    /// A list of group ids names its members; groups with id and name are items like others.
    fn item_of(self, list: &str, item: &Value) -> &'static str {
        if list == "groupSet" && item.is_string() { "groupId" } else { self.item }
    }
}

const QUERY: Style = Style { item: "member" };
const EC2: Style = Style { item: "item" };

fn element(out: &mut String, name: &str, value: &Value, style: Style) {
    match value {
        Value::Null => {}
        Value::Array(items) => {
            out.push_str(&format!("<{name}>"));
            for item in items {
                element(out, style.item_of(name, item), item, style);
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
    match service {
        "sts" => "https://sts.amazonaws.com/doc/2011-06-15/",
        "autoscaling" => "http://autoscaling.amazonaws.com/doc/2011-01-01/",
        _ => "https://iam.amazonaws.com/doc/2010-05-08/",
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

pub(super) fn failure(service: &str, error: &ApiError, request_id: &str) -> WireResponse {
    let party = if error.status < 500 { "Sender" } else { "Receiver" };
    let xml = format!(
        "<ErrorResponse xmlns=\"{}\"><Error><Type>{party}</Type><Code>{}</Code>\
         <Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
        namespace(service),
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
        assert_eq!(params, json!({"Tags": [{"Key": "a", "Value": "b"}], "Filter": [{"Name": "n"}], "Name": "z"}));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(decoded("A=1").is_err());
        assert!(decoded("Action=X&A=1&A.B=2").is_err());
        assert!(decoded("Action=X&A.B=2&A=1").is_err());
        assert_eq!(decoded("Action=X&A.99999999999=2&A.5=1").unwrap().1, json!({"A": ["1", "2"]}));
        assert_eq!(decoded("Action=X&Tags=&Tags.1.Key=k&L=").unwrap().1, json!({"L": "", "Tags": [{"Key": "k"}]}));
        assert!(decoded(&format!("Action=X&{}=1", ["a"; 1000].join("."))).is_err());
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
