//! Values as they are authored, planned and sent.
//!
//! [`Expr`] is what a stack holds: values with references to outputs of other
//! resources. [`Planned`] is an expression evaluated with what is known now; it
//! may hold unknowns. Only a wholly known [`Value`] ever reaches a provider.
//!
//! Expressions are a closed, serialisable set, so that a plan can be saved and
//! applied by another process.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::urn::Urn;

/// A value with references in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expr {
    /// A known value.
    Value(Value),
    /// An output of another resource.
    Ref {
        /// The resource.
        urn: Urn,
        /// The output's name; dots go into objects.
        field: String,
    },
    /// A list.
    List(Vec<Expr>),
    /// An object. Keys may be expressions too: a trust policy for a service
    /// account has the cluster's issuer in a key.
    Object(Vec<(Expr, Expr)>),
    /// Texts joined.
    Concat(Vec<Expr>),
    /// A text without a prefix, if it has it.
    StripPrefix {
        /// The text.
        of: Box<Expr>,
        /// What to take off, e.g. `https://`.
        prefix: String,
    },
}

/// An expression evaluated with what is known now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Planned {
    /// Wholly known.
    Known(Value),
    /// Known only after a step of the plan has run.
    Unknown,
    /// A list with unknowns in it.
    List(Vec<Planned>),
    /// An object with unknowns in it (its keys are known).
    Object(Vec<(String, Planned)>),
}

/// What a reference stands for while an expression is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// The output's value.
    Known(Value),
    /// It will be known later.
    Unknown,
    /// The resource has no such output: a mistake in the stack or the kind.
    Missing,
}

/// Why an expression cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// The resource has no such output.
    #[error("{urn} has no output `{field}`")]
    Missing {
        /// The resource referred to.
        urn: Urn,
        /// The output asked for.
        field: String,
    },
    /// A text was expected.
    #[error("{what} must be a text, not {found}")]
    NotText {
        /// Which part of the expression.
        what: &'static str,
        /// The value found, as JSON.
        found: String,
    },
}

impl Expr {
    /// Evaluates with the outputs that `lookup` knows.
    ///
    /// # Errors
    /// A reference to an output that does not exist, or a part that is no text
    /// where a text is needed.
    pub fn eval(&self, lookup: &dyn Fn(&Urn, &str) -> Lookup) -> Result<Planned, EvalError> {
        match self {
            Self::Value(value) => Ok(Planned::Known(value.clone())),
            Self::Ref { urn, field } => match lookup(urn, field) {
                Lookup::Known(value) => Ok(Planned::Known(value)),
                Lookup::Unknown => Ok(Planned::Unknown),
                Lookup::Missing => Err(EvalError::Missing { urn: urn.clone(), field: field.clone() }),
            },
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| item.eval(lookup)).collect::<Result<_, _>>()?;
                Ok(Planned::List(items).simplify())
            }
            Self::Object(entries) => eval_object(entries, lookup),
            Self::Concat(parts) => {
                let mut text = String::new();
                let mut known = true;
                for part in parts {
                    match eval_text(part, lookup, "a part of a joined text")? {
                        Some(part) => text.push_str(&part),
                        None => known = false,
                    }
                }
                Ok(if known { Planned::Known(text.into()) } else { Planned::Unknown })
            }
            Self::StripPrefix { of, prefix } => Ok(match eval_text(of, lookup, "a text with a prefix")? {
                Some(text) => Planned::Known(text.strip_prefix(prefix.as_str()).unwrap_or(&text).into()),
                None => Planned::Unknown,
            }),
        }
    }

    /// Calls `visit` for each reference.
    pub fn each_ref(&self, visit: &mut dyn FnMut(&Urn, &str)) {
        match self {
            Self::Value(_) => {}
            Self::Ref { urn, field } => visit(urn, field),
            Self::List(items) | Self::Concat(items) => items.iter().for_each(|item| item.each_ref(visit)),
            Self::Object(entries) => {
                for (key, value) in entries {
                    key.each_ref(visit);
                    value.each_ref(visit);
                }
            }
            Self::StripPrefix { of, .. } => of.each_ref(visit),
        }
    }
}

fn eval_object(entries: &[(Expr, Expr)], lookup: &dyn Fn(&Urn, &str) -> Lookup) -> Result<Planned, EvalError> {
    let mut object = Vec::with_capacity(entries.len());
    let mut keys_known = true;
    for (key, value) in entries {
        let value = value.eval(lookup)?;
        match eval_text(key, lookup, "a key")? {
            Some(key) => object.push((key, value)),
            None => keys_known = false,
        }
    }
    Ok(if keys_known { Planned::Object(object).simplify() } else { Planned::Unknown })
}

fn eval_text(
    expr: &Expr,
    lookup: &dyn Fn(&Urn, &str) -> Lookup,
    what: &'static str,
) -> Result<Option<String>, EvalError> {
    match expr.eval(lookup)? {
        Planned::Known(Value::String(text)) => Ok(Some(text)),
        Planned::Unknown => Ok(None),
        other => Err(EvalError::NotText { what, found: other.to_string() }),
    }
}

impl Planned {
    /// The value, if nothing in it is unknown.
    pub fn known(&self) -> Option<&Value> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }

    /// A member of an object, known or not; `None` if there is none.
    pub fn get(&self, key: &str) -> Option<Planned> {
        match self {
            Self::Known(Value::Object(map)) => map.get(key).map(|value| Self::Known(value.clone())),
            Self::Object(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()),
            Self::Unknown => Some(Self::Unknown),
            _ => None,
        }
    }

    /// An element of a list, known or not; `None` if there is none.
    pub fn element(&self, index: usize) -> Option<Planned> {
        match self {
            Self::Known(Value::Array(list)) => list.get(index).map(|value| Self::Known(value.clone())),
            Self::List(list) => list.get(index).cloned(),
            Self::Unknown => Some(Self::Unknown),
            _ => None,
        }
    }

    /// Folds lists and objects without unknowns into known values.
    pub(crate) fn simplify(self) -> Self {
        match self {
            Self::List(items) if items.iter().all(|item| item.known().is_some()) => {
                Self::Known(Value::Array(items.into_iter().filter_map(Self::into_known).collect()))
            }
            Self::Object(entries) if entries.iter().all(|(_, v)| v.known().is_some()) => {
                let map: Map<_, _> = entries.into_iter().filter_map(|(k, v)| v.into_known().map(|v| (k, v))).collect();
                Self::Known(Value::Object(map))
            }
            other => other,
        }
    }

    fn into_known(self) -> Option<Value> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }
}

impl std::fmt::Display for Planned {
    /// JSON, with `(known after apply)` for unknowns.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known(value) => write!(f, "{value}"),
            Self::Unknown => f.write_str("(known after apply)"),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            Self::Object(entries) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{value}", Value::from(key.as_str()))?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Looks up `field` (dots go into objects) in a resource's outputs.
pub fn output_field<'a>(outputs: &'a Value, field: &str) -> Option<&'a Value> {
    field.split('.').try_fold(outputs, |value, part| value.get(part))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn reference(field: &str) -> Expr {
        Expr::Ref { urn: Urn::new("k", "a").unwrap(), field: field.to_owned() }
    }

    fn lookup(_: &Urn, field: &str) -> Lookup {
        match field {
            "issuer" => Lookup::Known(json!("https://x/id/1")),
            "later" => Lookup::Unknown,
            _ => Lookup::Missing,
        }
    }

    #[test]
    fn an_unknown_key_makes_the_object_unknown() {
        let key = |field| Expr::Concat(vec![reference(field), Expr::Value(json!(":sub"))]);
        let object = |field| Expr::Object(vec![(key(field), Expr::Value(json!(1)))]);
        assert_eq!(object("later").eval(&lookup), Ok(Planned::Unknown));
        assert_eq!(object("issuer").eval(&lookup), Ok(Planned::Known(json!({"https://x/id/1:sub": 1}))));
    }

    #[test]
    fn a_prefix_is_stripped_once() {
        let expr = Expr::StripPrefix { of: Box::new(reference("issuer")), prefix: "https://".into() };
        assert_eq!(expr.eval(&lookup), Ok(Planned::Known(json!("x/id/1"))));
    }

    #[test]
    fn unknowns_stay_inside_lists_and_objects() {
        let expr = Expr::Object(vec![
            (Expr::Value(json!("a")), Expr::List(vec![reference("later"), Expr::Value(json!(1))])),
            (Expr::Value(json!("b")), Expr::Value(json!(2))),
        ]);
        let planned = expr.eval(&lookup).unwrap();
        assert_eq!(planned.known(), None);
        assert_eq!(planned.get("b"), Some(Planned::Known(json!(2))));
        assert_eq!(planned.to_string(), r#"{"a":[(known after apply),1],"b":2}"#);
    }

    #[test]
    fn a_missing_output_is_an_error() {
        assert!(matches!(reference("nope").eval(&lookup), Err(EvalError::Missing { .. })));
    }
}
