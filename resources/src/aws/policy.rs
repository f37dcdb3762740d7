//! Policy documents that say the same in different words. IAM and KMS may rewrite what
//! they are given: a list of one becomes a text, an account number becomes the ARN of
//! its root. Such a document has not changed.
//!
//! Grammar: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use std::collections::BTreeMap;

use rayplat_engine::error::{ErrorClass, ProviderError};
use serde_json::Value;

/// True if both documents grant the same.
pub fn same_document(a: &Value, b: &Value) -> bool {
    a == b || canonical(a) == canonical(b)
}

/// What a read gives for a document: the prior one as long as the live one says the same,
/// so that another wording is not taken for a change.
pub fn keep_if_same(prior: &Value, live: Value) -> Value {
    if same_document(prior, &live) { prior.clone() } else { live }
}

/// Parses a document that a service gave.
///
/// # Errors
/// It is not JSON.
pub fn parse(text: &str) -> Result<Value, ProviderError> {
    serde_json::from_str(text).map_err(|error| {
        ProviderError::new(ErrorClass::Failed, format!("the service gave a policy that is not JSON: {error}"))
            .hint("Look at the policy in the console and set it right there; then run the same command again.")
    })
}

fn canonical(document: &Value) -> Value {
    let Value::Object(members) = document else {
        return document.clone();
    };
    let mut out: BTreeMap<String, Value> =
        members.iter().filter(|(key, _)| *key != "Statement").map(|(k, v)| (k.clone(), v.clone())).collect();
    // The version that a document without one has.
    out.entry("Version".to_owned()).or_insert_with(|| "2008-10-17".into());
    if let Some(statements) = members.get("Statement") {
        out.insert("Statement".to_owned(), set(items(statements).map(statement)));
    }
    out.into_iter().collect()
}

fn statement(statement: &Value) -> Value {
    let Value::Object(members) = statement else {
        return statement.clone();
    };
    let mut out = BTreeMap::new();
    for (key, value) in members {
        let value = match key.as_str() {
            // An empty name is no name.
            "Sid" if value == "" => continue,
            // Actions are the same whatever their case.
            "Action" | "NotAction" => set(items(value).map(|action| match action {
                Value::String(action) => action.to_lowercase().into(),
                other => other.clone(),
            })),
            "Resource" | "NotResource" => set(items(value).cloned()),
            "Principal" | "NotPrincipal" => principal(value),
            "Condition" => condition(value),
            _ => value.clone(),
        };
        out.insert(key.clone(), value);
    }
    out.into_iter().collect()
}

/// `"*"` is short for everybody: `{"AWS": "*"}`; an account's number for its root.
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
fn principal(value: &Value) -> Value {
    match value {
        Value::Object(kinds) => sorted(kinds.iter().map(|(kind, names)| {
            let names = items(names).map(|name| match name {
                Value::String(name) if kind == "AWS" => account_of_root(name).unwrap_or(name).into(),
                other => other.clone(),
            });
            (kind.clone(), set(names))
        })),
        Value::String(everybody) if everybody == "*" => {
            sorted([("AWS".to_owned(), Value::Array(vec!["*".into()]))].into_iter())
        }
        other => other.clone(),
    }
}

/// The account of `arn:PARTITION:iam::ACCOUNT:root`.
fn account_of_root(principal: &str) -> Option<&str> {
    let parts: Vec<&str> = principal.split(':').collect();
    match parts[..] {
        ["arn", _, "iam", "", account, "root"] => Some(account),
        _ => None,
    }
}

/// Operator -> key -> values; booleans and numbers may be written as texts.
fn condition(value: &Value) -> Value {
    let Value::Object(operators) = value else {
        return value.clone();
    };
    sorted(operators.iter().map(|(operator, keys)| {
        let keys = match keys {
            Value::Object(keys) => sorted(keys.iter().map(|(key, values)| {
                let values = items(values).map(|value| match value {
                    Value::Bool(_) | Value::Number(_) => value.to_string().into(),
                    other => other.clone(),
                });
                (key.clone(), set(values))
            })),
            other => other.clone(),
        };
        (operator.clone(), keys)
    }))
}

/// The members of a list, or the one value that stands for a list of one.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(items) => items.iter(),
        one => std::slice::from_ref(one).iter(),
    }
}

/// A list whose order and repetitions mean nothing.
fn set(items: impl Iterator<Item = Value>) -> Value {
    let unique: BTreeMap<String, Value> = items.map(|item| (item.to_string(), item)).collect();
    Value::Array(unique.into_values().collect())
}

fn sorted(members: impl Iterator<Item = (String, Value)>) -> Value {
    members.collect::<BTreeMap<_, _>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(statement: Value) -> Value {
        json!({"Version": "2012-10-17", "Statement": [statement]})
    }

    #[test]
    fn other_words_same_meaning() {
        let cases = [
            (
                with(json!({"Effect": "Allow", "Action": ["sts:AssumeRole"]})),
                json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:assumerole"}}),
            ),
            (with(json!({"Action": ["a:X", "a:Y"]})), with(json!({"Action": ["a:Y", "a:X", "a:X"]}))),
            (
                with(json!({"Principal": {"AWS": "111122223333"}})),
                with(json!({"Principal": {"AWS": ["arn:aws:iam::111122223333:root"]}})),
            ),
            (with(json!({"Principal": "*"})), with(json!({"Principal": {"AWS": "*"}}))),
            (with(json!({"Sid": "", "Resource": "*"})), with(json!({"Resource": ["*"]}))),
            (
                with(json!({"Condition": {"Bool": {"aws:SecureTransport": true}}})),
                with(json!({"Condition": {"Bool": {"aws:SecureTransport": ["true"]}}})),
            ),
            (json!({"Statement": []}), json!({"Version": "2008-10-17", "Statement": []})),
            (
                json!({"Statement": [{"Sid": "A", "Action": "a:X"}, {"Sid": "B", "Action": "b:Y"}]}),
                json!({"Statement": [{"Action": "b:Y", "Sid": "B"}, {"Action": ["a:X"], "Sid": "A"}]}),
            ),
        ];
        for (a, b) in cases {
            assert!(same_document(&a, &b), "{a} and {b}");
            assert_eq!(keep_if_same(&a, b), a);
        }
    }

    #[test]
    fn other_meaning() {
        let cases = [
            (with(json!({"Effect": "Allow"})), with(json!({"Effect": "Deny"}))),
            (with(json!({"Action": "a:X"})), with(json!({"NotAction": "a:X"}))),
            (with(json!({"Action": "a:X"})), with(json!({"Action": ["a:X", "a:Y"]}))),
            (with(json!({"Resource": "arn:X"})), with(json!({"Resource": "arn:x"}))),
            (
                with(json!({"Principal": {"AWS": "111122223333"}})),
                with(json!({"Principal": {"AWS": "arn:aws:iam::111122223333:role/root"}})),
            ),
            (with(json!({"Principal": {"Service": "*"}})), with(json!({"Principal": "*"}))),
            (
                with(json!({"Condition": {"StringEquals": {"k": "a"}}})),
                with(json!({"Condition": {"StringLike": {"k": "a"}}})),
            ),
            (with(json!({"Condition": {"StringEquals": {"k": "a"}}})), with(json!({}))),
            (json!({"Version": "2012-10-17", "Statement": []}), json!({"Statement": []})),
        ];
        for (a, b) in cases {
            assert!(!same_document(&a, &b), "{a} and {b}");
            assert_eq!(keep_if_same(&a, b.clone()), b);
        }
    }

    #[test]
    fn what_is_no_policy_is_compared_as_it_is() {
        assert!(same_document(&Value::Null, &Value::Null));
        assert!(!same_document(&Value::Null, &json!({"Statement": "x"})));
        assert!(same_document(&json!({"Statement": ["x"]}), &json!({"Statement": "x"})));
        assert!(parse("{").is_err());
    }
}
