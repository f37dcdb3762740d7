//! Files of Rego, asked by the interpreter.

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use regorus::{
    Engine,
    utils::limits::{ExecutionTimerConfig, PolicyLengthConfig},
};
use serde_json::Value;

use super::{Finding, PolicyError, PolicyFile, Ruling};

/// How many characters a line may have: messages are long.
const COLUMNS: NonZeroU32 = NonZeroU32::new(16_384).unwrap();

/// How many steps lie between two looks at the clock.
const INTERVAL: NonZeroU32 = NonZeroU32::new(256).unwrap();

/// The rules that are verdicts, as conftest has them: the name alone or with `_...` behind.
const VERDICTS: [(&str, Ruling); 3] = [("deny", Ruling::Deny), ("violation", Ruling::Deny), ("warn", Ruling::Warn)];

/// What a rule of this name means; `None` if it is no verdict.
fn ruling(rule: &str) -> Option<Ruling> {
    let is = |name: &str| rule.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    VERDICTS.iter().find(|(name, _)| is(name)).map(|(_, ruling)| *ruling)
}

/// Loads the files together, so that one can import another, and asks every package.
pub(super) fn evaluate(files: &[PolicyFile], document: &Value, limit: Duration) -> Result<Vec<Finding>, PolicyError> {
    let mut engine = Engine::new();
    // As OPA: a builtin that fails makes its rule undefined.
    engine.set_strict_builtin_errors(false);
    engine.set_execution_timer_config(ExecutionTimerConfig { limit, check_interval: INTERVAL });
    engine.set_policy_length_config(lengths());
    for file in files {
        engine.set_rego_v0(is_v0(file)?);
        add(&mut engine, file)?;
    }
    let all: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let all = all.join(", ");
    let failed = |error: &dyn std::fmt::Display| PolicyError::of_report(&all, &error.to_string());
    engine.set_input_json(&document.to_string()).map_err(|error| failed(&error))?;
    let rules = verdicts(&engine, files).map_err(|error| failed(&error))?;
    if rules.is_empty() {
        return Err(PolicyError::new(
            &all,
            "there is no rule `deny`, `violation` or `warn`: nothing could ever be said",
        ));
    }
    let mut findings = Vec::new();
    for (rule, ruling) in rules {
        // Each rule by itself: asked for a package that several files make up, regorus 0.14.1
        // leaves out what the later ones add to a rule.
        let value = engine.eval_rule(rule.path()).map_err(|error| failed(&error))?;
        if value != regorus::Value::Undefined {
            let value = serde_json::to_value(&value).map_err(|error| failed(&error))?;
            findings.extend(said(&rule, ruling, &value));
        }
    }
    Ok(findings)
}

/// A rule of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    package: Vec<String>,
    name: String,
}

impl Rule {
    /// For people: `terraform.deny`.
    fn shown(&self) -> String {
        format!("{}.{}", self.package.join("."), self.name)
    }

    /// For the interpreter: `data.terraform.deny`, `data.a["b-c"].deny`.
    fn path(&self) -> String {
        let mut path = "data".to_owned();
        for part in &self.package {
            let plain = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !part.starts_with(|c: char| c.is_ascii_digit());
            if plain {
                path.push_str(&format!(".{part}"));
            } else {
                path.push_str(&format!("[{}]", Value::from(part.as_str())));
            }
        }
        format!("{path}.{}", self.name)
    }
}

/// The rules of all files that are verdicts. A file without one may be a library of others.
fn verdicts(engine: &Engine, files: &[PolicyFile]) -> Result<BTreeSet<(Rule, Ruling)>, String> {
    let mut rules = BTreeSet::new();
    for package in engine.get_policy_package_components().map_err(|error| error.to_string())? {
        let Some(file) = files.iter().find(|file| file.name == package.source_file) else { continue };
        for (name, ruling) in named(&file.text) {
            let rule = Rule { package: package.components.clone(), name };
            // The text may have the word elsewhere.
            let declared = engine.has_declared_rule_rooted_at(&file.name, &rule.name);
            if declared.map_err(|error| error.to_string())? {
                rules.insert((rule, ruling));
            }
        }
    }
    Ok(rules)
}

/// The words at the beginnings of lines that may be such rules.
fn named(text: &str) -> BTreeSet<(String, Ruling)> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("default ").unwrap_or(line).trim_start();
            let word: String = line.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            ruling(&word).map(|ruling| (word, ruling))
        })
        .collect()
}

fn lengths() -> PolicyLengthConfig {
    PolicyLengthConfig { max_col: COLUMNS, ..PolicyLengthConfig::default() }
}

fn add(engine: &mut Engine, file: &PolicyFile) -> Result<(), PolicyError> {
    let added = engine.add_policy(file.name.clone(), file.text.clone());
    added.map(drop).map_err(|error| PolicyError::of_report(&file.name, &error.to_string()))
}

/// Rego v1 unless it can only be read as v0. What is neither is reported as v1.
fn is_v0(file: &PolicyFile) -> Result<bool, PolicyError> {
    let read = |v0: bool| {
        let mut engine = Engine::new();
        engine.set_policy_length_config(lengths());
        engine.set_rego_v0(v0);
        add(&mut engine, file)
    };
    match read(false) {
        Ok(()) => Ok(false),
        Err(error) => read(true).map(|()| true).map_err(|_| error),
    }
}

fn said(rule: &Rule, ruling: Ruling, value: &Value) -> Vec<Finding> {
    let policy = rule.shown();
    let finding = |message: Option<String>| Finding {
        ruling,
        policy: policy.clone(),
        message: message.unwrap_or_else(|| format!("{policy} holds")),
        reason: None,
    };
    messages(value).into_iter().map(finding).collect()
}

/// The messages of a rule: a set of texts or of objects with `msg`; a text; `true`, which has
/// none. An object is v1's reading of `deny[msg]`: its keys are the messages.
fn messages(value: &Value) -> Vec<Option<String>> {
    match value {
        Value::Bool(true) => vec![None],
        Value::Bool(false) | Value::Null => Vec::new(),
        Value::Array(items) => items.iter().flat_map(messages).collect(),
        Value::Object(map) => match map.get("msg").or_else(|| map.get("message")).and_then(Value::as_str) {
            Some(message) => vec![Some(message.to_owned())],
            None => {
                let named = map.iter().filter(|(_, value)| **value != Value::Bool(false));
                named.map(|(key, value)| Some(value.as_str().unwrap_or(key).to_owned())).collect()
            }
        },
        Value::String(text) => vec![Some(text.clone())],
        other @ Value::Number(_) => vec![Some(other.to_string())],
    }
}
