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
    fits(pattern, text, |a, b| a.eq_ignore_ascii_case(&b))
}

/// The same where case matters: in ARNs and values.
pub fn matches_exactly(pattern: &str, text: &str) -> bool {
    fits(pattern, text, |a, b| a == b)
}

fn fits(pattern: &str, text: &str, same: fn(u8, u8) -> bool) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last star stands, and how much of the text it has eaten.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == b'?' || same(pattern[p], text[t])) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((at, eaten)) = star {
            star = Some((at, eaten + 1));
            (p, t) = (at + 1, eaten + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
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
    lets_service_with(policy, principal, action, &[])
}

/// The same for a request whose context has these keys and values. Conditions on other
/// keys count as met: what they ask of is not emulated.
pub fn lets_service_with(policy: &Value, principal: &str, action: &str, context: &[(&str, &str)]) -> bool {
    verdict(policy, action, |statement| {
        if !conditions_met(statement, context) {
            return false;
        }
        let who = statement.get("Principal");
        who.and_then(Value::as_str) == Some("*") || texts(who.and_then(|who| who.get("Service"))).contains(&principal)
    })
}

/// Do the conditions hold that concern the context? String and ARN operators only.
fn conditions_met(statement: &Value, context: &[(&str, &str)]) -> bool {
    let Some(operators) = statement.get("Condition").and_then(Value::as_object) else {
        return true;
    };
    operators.iter().all(|(operator, keys)| {
        let keys = keys.as_object();
        keys.into_iter().flatten().all(|(key, wanted)| {
            match context.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)) {
                Some((_, value)) => condition_holds(operator, &texts(Some(wanted)), value),
                None => true,
            }
        })
    })
}

fn condition_holds(operator: &str, wanted: &[&str], value: &str) -> bool {
    let like = || wanted.iter().any(|pattern| matches(pattern, value));
    let equal = || wanted.contains(&value);
    match operator.strip_suffix("IfExists").unwrap_or(operator) {
        "StringEquals" => equal(),
        "StringNotEquals" => !equal(),
        "StringEqualsIgnoreCase" => wanted.iter().any(|one| one.eq_ignore_ascii_case(value)),
        // The two ARN operators are the same (IAM reference, "ARN condition operators").
        "StringLike" | "ArnLike" | "ArnEquals" => like(),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => !like(),
        _ => true,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wildcards_match_as_in_policies() {
        for (pattern, text, expected) in [
            ("kms:*", "kms:Encrypt", true),
            ("kms:Enc*t", "KMS:encrypt", true),
            ("kms:enc*t", "kms:Encrypt", true),
            ("kms:Encrypt", "kms:EncryptX", false),
            ("a?c*", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("", "x", false),
            ("*a*b", "xaxbxb", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(matches_exactly("role/a-*", "role/a-b") && !matches_exactly("role/a-*", "role/A-b"));
        // A pattern from a request must not take exponential time.
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199)));
    }

    #[test]
    fn a_deny_wins_and_not_actions_are_the_rest() {
        let principal = json!({"Service": ["a.amazonaws.com", "b.amazonaws.com"]});
        let policy = json!({"Statement": [
            {"Effect": "Allow", "Principal": principal, "NotAction": "x:No"},
            {"Effect": "Deny", "Principal": "*", "Action": "x:Never"},
        ]});
        assert!(lets_service(&policy, "b.amazonaws.com", "x:Yes"));
        assert!(!lets_service(&policy, "c.amazonaws.com", "x:Yes"));
        assert!(!lets_service(&policy, "a.amazonaws.com", "x:No"));
        assert!(!lets_service(&policy, "a.amazonaws.com", "x:Never"));
    }
}
