//! Policy documents: just enough evaluation to refuse what AWS refuses.

use serde_json::Value;

/// The statements of a policy: AWS takes a list or a single object.
pub fn statements(policy: &Value) -> Vec<&Value> {
    one_or_many(policy.get("Statement"))
}

/// A member that may be a list or stand alone.
fn one_or_many(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(single) => vec![single],
        None => Vec::new(),
    }
}

/// The texts of a member that may be a list or stand alone.
pub fn texts(value: Option<&Value>) -> Vec<&str> {
    one_or_many(value).into_iter().filter_map(Value::as_str).collect()
}

/// Does `pattern` (with `*` and `?`) match `text`? Case matters not: actions and
/// service names are compared so.
pub fn matches(pattern: &str, text: &str) -> bool {
    fn go(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skip| go(rest, &text[skip..])),
            Some((b'?', rest)) => !text.is_empty() && go(rest, &text[1..]),
            Some((byte, rest)) => {
                text.first().is_some_and(|first| first.eq_ignore_ascii_case(byte)) && go(rest, &text[1..])
            }
        }
    }
    go(pattern.as_bytes(), text.as_bytes())
}

fn covers_action(statement: &Value, action: &str) -> bool {
    let listed = texts(statement.get("Action"));
    if listed.is_empty() {
        let excluded = texts(statement.get("NotAction"));
        return !excluded.is_empty() && !excluded.iter().any(|pattern| matches(pattern, action));
    }
    listed.iter().any(|pattern| matches(pattern, action))
}

/// Does the policy let the service principal do the action? Conditions are taken as
/// met; an explicit deny wins.
pub fn lets_service(policy: &Value, principal: &str, action: &str) -> bool {
    verdict(policy, action, |statement| {
        let who = statement.get("Principal");
        who.and_then(Value::as_str) == Some("*") || texts(who.and_then(|who| who.get("Service"))).contains(&principal)
    })
}

/// Does the policy let one of these AWS principals (ARNs, account ids) do the action?
pub fn lets_principal(policy: &Value, principals: &[&str], action: &str) -> bool {
    verdict(policy, action, |statement| {
        let who = statement.get("Principal");
        let listed = texts(who.and_then(|who| who.get("AWS")));
        who.and_then(Value::as_str) == Some("*") || listed.iter().any(|one| *one == "*" || principals.contains(one))
    })
}

fn verdict(policy: &Value, action: &str, concerns: impl Fn(&Value) -> bool) -> bool {
    let mut allowed = false;
    for statement in statements(policy) {
        if !concerns(statement) || !covers_action(statement, action) {
            continue;
        }
        match statement.get("Effect").and_then(Value::as_str) {
            Some("Deny") => return false,
            Some("Allow") => allowed = true,
            _ => {}
        }
    }
    allowed
}
