//! What the fields of objects are: which lists have keys, which are sets, what is taken
//! as one. For built-in kinds a table of field names, for custom resources the schema.
//! Source of the table: `x-kubernetes-list-type`, `x-kubernetes-list-map-keys` and
//! `x-kubernetes-map-type` in Kubernetes' `api/openapi-spec/swagger.json`.

use serde_json::{Map, Value, json};

use super::set::Element;

/// The type of a place in an object.
#[derive(Debug, Clone, Copy)]
pub(in crate::rehearsal::kubernetes) enum Types<'a> {
    /// In a built-in kind: the kind, the names of the field and of the one that it is in.
    BuiltIn { kind: &'a str, parent: &'a str, name: &'a str },
    /// In a custom resource: the schema of the whole object.
    Root(&'a Value),
    /// In a custom resource: the schema there.
    Schema(&'a Value),
    /// Nothing is known: lists are taken as one, every key of a map is for itself.
    Deduced,
}

/// How a value is merged.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::rehearsal::kubernetes) enum Shape {
    /// As one.
    Leaf,
    /// Field by field.
    Fields,
    /// A list whose values are there or not.
    Set,
    /// A list whose items have keys, each with its default.
    Keyed(Vec<(String, Option<Value>)>),
}

/// Lists with keys: field, what it must be in (or anywhere), keys.
const KEYED: &[(&str, &str, &[&str])] = &[
    ("conditions", "", &["type"]),
    ("containers", "", &["name"]),
    ("initContainers", "", &["name"]),
    ("ephemeralContainers", "", &["name"]),
    ("env", "", &["name"]),
    ("volumes", "", &["name"]),
    ("volumeMounts", "", &["mountPath"]),
    ("volumeDevices", "", &["devicePath"]),
    ("imagePullSecrets", "spec", &["name"]),
    ("secrets", "ServiceAccount", &["name"]),
    ("hostAliases", "", &["ip"]),
    ("topologySpreadConstraints", "", &["topologyKey", "whenUnsatisfiable"]),
    ("resourceClaims", "", &["name"]),
    ("claims", "resources", &["name"]),
    ("schedulingGates", "", &["name"]),
    ("ownerReferences", "metadata", &["uid"]),
    ("ports", "containers", &["containerPort", "protocol"]),
    ("ports", "initContainers", &["containerPort", "protocol"]),
    ("ports", "spec", &["port", "protocol"]),
    ("webhooks", "", &["name"]),
    ("matchConditions", "", &["name"]),
    ("hostIPs", "", &["ip"]),
    ("podIPs", "", &["ip"]),
    ("addresses", "status", &["type"]),
];

/// Lists whose values are there or not.
const SETS: &[(&str, &str)] = &[("finalizers", ""), ("podCIDRs", "")];

/// Maps that are taken as one: a field and what it is in (or anywhere).
const ATOMIC: &[(&str, &str)] = &[
    ("nodeSelector", ""),
    ("selector", ""),
    ("labelSelector", ""),
    ("namespaceSelector", ""),
    ("podSelector", ""),
    ("objectSelector", ""),
    ("secretKeyRef", ""),
    ("configMapKeyRef", ""),
    ("fieldRef", ""),
    ("resourceFieldRef", ""),
    ("roleRef", ""),
    ("claimRef", ""),
    ("involvedObject", ""),
    ("dataSource", ""),
    ("secretRef", "volumes"),
    ("secrets", "ServiceAccount"),
    ("imagePullSecrets", "spec"),
    ("requiredDuringSchedulingIgnoredDuringExecution", "nodeAffinity"),
    ("required", "nodeAffinity"),
    // Of interest as a whole only; with 400 KB a definition it would be a fifth of a second each time.
    ("openAPIV3Schema", ""),
];

/// Fields that are maps from names to values, and no structures.
const MAPS: &[&str] = &[
    "labels",
    "annotations",
    "data",
    "stringData",
    "binaryData",
    "limits",
    "requests",
    "capacity",
    "allocatable",
    "hard",
    "used",
    "parameters",
    "volumeAttributes",
    "matchLabels",
    "default",
    "defaultRequest",
    "max",
    "min",
];

/// What an object of a built-in kind always has, if empty: it is never news.
const ALWAYS: &[&str] =
    &["containers", "metadata", "spec", "status", "template", "jobTemplate", "strategy", "updateStrategy"];

/// `ports[].protocol` of containers and services.
fn default_key(key: &str) -> Option<Value> {
    (key == "protocol").then(|| json!("TCP"))
}

impl<'a> Types<'a> {
    /// The type of a field here.
    pub fn field(self, name: &'a str) -> Self {
        match self {
            // In maps there are no more fields with rules of their own.
            Self::BuiltIn { name: here, .. } if MAPS.contains(&here) => Self::Deduced,
            Self::BuiltIn { kind, name: here, .. } => Self::BuiltIn { kind, parent: here, name },
            Self::Root(_) if name == "metadata" => Self::BuiltIn { kind: "", parent: "", name },
            Self::Root(schema) | Self::Schema(schema) => {
                let of_field = schema.get("properties").and_then(|properties| properties.get(name));
                of_field
                    .or_else(|| schema.get("additionalProperties"))
                    .map_or(Self::Deduced, |found| if found.is_object() { Self::Schema(found) } else { Self::Deduced })
            }
            Self::Deduced => Self::Deduced,
        }
    }

    /// The type of a list's items.
    pub fn item(self) -> Self {
        match self {
            Self::Schema(schema) => schema.get("items").map_or(Self::Deduced, Self::Schema),
            other => other,
        }
    }

    /// Is this the field of a structure, so that it is no member by itself?
    pub fn names(self, field: &str) -> bool {
        match self {
            Self::BuiltIn { name, .. } => !MAPS.contains(&name),
            Self::Root(_) if matches!(field, "apiVersion" | "kind" | "metadata") => true,
            Self::Root(schema) | Self::Schema(schema) => {
                schema.get("properties").is_some_and(|properties| properties.get(field).is_some())
            }
            Self::Deduced => false,
        }
    }

    /// Is a field of this name always there?
    pub fn always_has(self, field: &str) -> bool {
        match self {
            Self::BuiltIn { .. } => ALWAYS.contains(&field),
            Self::Root(_) => field == "metadata",
            _ => false,
        }
    }

    /// How a value here is merged.
    pub fn shape(self, value: &Value) -> Shape {
        match (self, value) {
            (Self::BuiltIn { kind, parent, name }, Value::Array(_)) => built_in_list(kind, parent, name),
            (Self::BuiltIn { parent, name, .. }, Value::Object(_)) => {
                let atomic = ATOMIC.iter().any(|(field, of)| *field == name && (of.is_empty() || *of == parent));
                if atomic { Shape::Leaf } else { Shape::Fields }
            }
            (Self::Schema(schema), Value::Array(_)) => schema_list(schema),
            (Self::Schema(schema), Value::Object(_)) if schema["x-kubernetes-map-type"] == "atomic" => Shape::Leaf,
            (_, Value::Object(_)) => Shape::Fields,
            _ => Shape::Leaf,
        }
    }
}

fn built_in_list(kind: &str, parent: &str, name: &str) -> Shape {
    let fits = |of: &str| of.is_empty() || of == parent || of == kind;
    if SETS.iter().any(|(field, of)| *field == name && fits(of)) {
        return Shape::Set;
    }
    // Only Services have ports with keys in their spec; only pods have pull secrets with keys.
    let misplaced = name == "ports" && parent == "spec" && kind != "Service";
    match KEYED.iter().find(|(field, of, _)| *field == name && fits(of)) {
        Some((_, _, keys)) if !misplaced => {
            Shape::Keyed(keys.iter().map(|key| ((*key).to_owned(), default_key(key))).collect())
        }
        _ => Shape::Leaf,
    }
}

fn schema_list(schema: &Value) -> Shape {
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => Shape::Set,
        Some("map") => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
            let default = |key: &str| schema["items"]["properties"][key].get("default").cloned();
            Shape::Keyed(keys.filter_map(Value::as_str).map(|key| (key.to_owned(), default(key))).collect())
        }
        _ => Shape::Leaf,
    }
}

impl Shape {
    /// The step from a list to one of its items. `None`: the item has not got the keys.
    pub fn element(&self, item: &Value) -> Option<Element> {
        match self {
            Self::Set => Some(format!("v:{item}")),
            Self::Keyed(keys) => {
                let mut found: Vec<(&str, Value)> = Vec::new();
                for (key, default) in keys {
                    if let Some(value) = item.get(key).filter(|value| !value.is_null()).or(default.as_ref()) {
                        found.push((key, value.clone()));
                    }
                }
                if found.is_empty() {
                    return None;
                }
                found.sort_by_key(|(key, _)| *key);
                let map: Map<String, Value> = found.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
                Some(format!("k:{}", Value::Object(map)))
            }
            Self::Leaf | Self::Fields => None,
        }
    }
}
