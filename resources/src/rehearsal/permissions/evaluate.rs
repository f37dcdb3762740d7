//! Identity policies, evaluated as IAM does.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use serde_json::Value;

use super::Need;
use crate::rehearsal::policy::{matches, matches_exactly};

/// What a policy says of a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A statement allows it and none denies it.
    Allowed,
    /// A statement denies it.
    Denied,
    /// No statement is about it.
    NotAllowed,
}

/// The identity policies of a caller, together.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq)]
struct Statement {
    allow: bool,
    actions: Matching,
    resources: Matching,
    conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug, Clone, PartialEq)]
struct Matching {
    patterns: Vec<String>,
    not: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Condition {
    test: Test,
    /// Holds where the key is missing.
    if_exists: bool,
    set: Option<Set>,
    key: String,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Any,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equals,
    NotEquals,
    EqualsIgnoreCase,
    Like,
    NotLike,
    Bool,
    Null,
}

impl Policy {
    /// Reads a policy document, or a list of them. What it does not understand it refuses:
    /// a statement left out would make a wrong verdict.
    ///
    /// # Errors
    /// What is wrong, and in which statement.
    pub fn parse(documents: &Value) -> Result<Self, String> {
        let documents = one_or_many(documents);
        let mut statements = Vec::new();
        for document in documents {
            let listed = document.get("Statement").ok_or("a policy document needs a `Statement`")?;
            for (index, statement) in one_or_many(listed).into_iter().enumerate() {
                let name = statement.get("Sid").and_then(Value::as_str);
                let name = name.map_or_else(|| format!("statement {}", index + 1), |sid| format!("statement `{sid}`"));
                statements.push(read(statement).map_err(|why| format!("{name}: {why}"))?);
            }
        }
        Ok(Self { statements })
    }

    /// May the holder do this? An explicit deny wins.
    pub fn verdict(&self, need: &Need) -> Verdict {
        let concerned: Vec<&Statement> = self.statements.iter().filter(|statement| statement.concerns(need)).collect();
        match (concerned.iter().any(|statement| !statement.allow), concerned.is_empty()) {
            (true, _) => Verdict::Denied,
            (false, false) => Verdict::Allowed,
            (false, true) => Verdict::NotAllowed,
        }
    }
}

fn one_or_many(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |items| items.iter().collect())
}

fn read(statement: &Value) -> Result<Statement, String> {
    const KNOWN: [&str; 7] = ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];
    let members = statement.as_object().ok_or("it is no object")?;
    if let Some(other) = members.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(format!("`{other}` has no place in an identity policy"));
    }
    let allow = match statement["Effect"].as_str() {
        Some("Allow") => true,
        Some("Deny") => false,
        _ => return Err("its `Effect` must be `Allow` or `Deny`".to_owned()),
    };
    Ok(Statement {
        allow,
        actions: matching(statement, "Action", "NotAction")?,
        resources: matching(statement, "Resource", "NotResource")?,
        conditions: conditions(statement.get("Condition"))?,
    })
}

fn matching(statement: &Value, positive: &str, negative: &str) -> Result<Matching, String> {
    let (value, not) = match (statement.get(positive), statement.get(negative)) {
        (Some(value), None) => (value, false),
        (None, Some(value)) => (value, true),
        _ => return Err(format!("it needs one of `{positive}` and `{negative}`")),
    };
    Ok(Matching { patterns: texts(value, positive)?, not })
}

fn texts(value: &Value, what: &str) -> Result<Vec<String>, String> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        other => Err(format!("`{what}` holds {other}, which is no text")),
    };
    one_or_many(value).into_iter().map(text).collect()
}

fn conditions(block: Option<&Value>) -> Result<Vec<Condition>, String> {
    let Some(block) = block else { return Ok(Vec::new()) };
    let block = block.as_object().ok_or("its `Condition` is no object")?;
    let mut all = Vec::new();
    for (operator, keys) in block {
        let (set, rest) = match operator.split_once(':') {
            Some(("ForAnyValue", rest)) => (Some(Set::Any), rest),
            Some(("ForAllValues", rest)) => (Some(Set::All), rest),
            _ => (None, operator.as_str()),
        };
        let (base, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |base| (base, true));
        let test = match base {
            "StringEquals" => Test::Equals,
            "StringNotEquals" => Test::NotEquals,
            "StringEqualsIgnoreCase" => Test::EqualsIgnoreCase,
            // The two ARN operators are the same: both know wildcards.
            "StringLike" | "ArnLike" | "ArnEquals" => Test::Like,
            "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => Test::NotLike,
            "Bool" => Test::Bool,
            "Null" => Test::Null,
            _ => return Err(format!("the condition operator `{operator}` is not emulated")),
        };
        for (key, values) in keys.as_object().ok_or(format!("`{operator}` is no object"))? {
            all.push(Condition { test, if_exists, set, key: key.clone(), values: texts(values, key)? });
        }
    }
    Ok(all)
}

impl Statement {
    fn concerns(&self, need: &Need) -> bool {
        self.actions.hits(|pattern| matches(pattern, &need.action))
            && self.resources.hits(|pattern| matches_exactly(pattern, &need.resource))
            && self.conditions.iter().all(|condition| condition.holds(need))
    }
}

impl Matching {
    fn hits(&self, is: impl Fn(&str) -> bool) -> bool {
        self.patterns.iter().any(|pattern| is(pattern)) != self.not
    }
}

impl Condition {
    fn holds(&self, need: &Need) -> bool {
        let present = need.context.iter().filter(|(key, _)| key.eq_ignore_ascii_case(&self.key));
        let present: Vec<&str> = present.map(|(_, value)| value.as_str()).collect();
        if self.test == Test::Null {
            let wanted = self.values.iter().any(|value| value == "true");
            return present.is_empty() == wanted;
        }
        if present.is_empty() {
            // A negated test of a missing key holds, and so does "for all" of nothing.
            return self.if_exists
                || self.set == Some(Set::All)
                || (self.set.is_none() && matches!(self.test, Test::NotEquals | Test::NotLike));
        }
        match self.set {
            Some(Set::All) => present.iter().all(|value| self.test.of(value, &self.values)),
            _ => present.iter().any(|value| self.test.of(value, &self.values)),
        }
    }
}

impl Test {
    fn of(self, value: &str, wanted: &[String]) -> bool {
        let any = |is: &dyn Fn(&str) -> bool| wanted.iter().any(|one| is(one));
        match self {
            Self::Equals => any(&|one| one == value),
            Self::NotEquals => !any(&|one| one == value),
            Self::EqualsIgnoreCase | Self::Bool => any(&|one| one.eq_ignore_ascii_case(value)),
            Self::Like => any(&|one| matches_exactly(one, value)),
            Self::NotLike => !any(&|one| matches_exactly(one, value)),
            Self::Null => false,
        }
    }
}
