//! From documents to objects, hooks and what is said of them.

use std::collections::BTreeMap;

use rayplat_engine::value::Expr;
use serde_json::Value;

use super::{
    ChartError, ChartProblem, ChartSpec, Hook, Rendered, RenderedObject, Source, hooks,
    order::rank,
    placeholder::{Placeholders, Wording, compact},
    scope::{Scope, Scopes},
    yaml::Document,
};

/// An object as it was printed.
pub(super) struct Found {
    pub object: RenderedObject,
    /// Of the object, as printed.
    annotations: BTreeMap<String, String>,
}

/// What there is to say of a chart beside its objects.
pub(super) struct About {
    pub source: Source,
    pub digest: Option<String>,
    pub version: String,
    pub app_version: Option<String>,
}

/// Objects apart from hooks, in order.
pub(super) fn finish(
    spec: &ChartSpec,
    about: About,
    found: Vec<Found>,
    mut notes: Vec<String>,
) -> Result<Rendered, ChartError> {
    let (mut objects, mut hooks) = (Vec::new(), Vec::new());
    for Found { mut object, annotations } in found {
        object.manifest = compact(object.manifest);
        match hooks::of(&object, &annotations) {
            hooks::Kind::Object => objects.push(object),
            hooks::Kind::Skipped(why) => notes.push(format!("{object} is left out: {why}")),
            hooks::Kind::Hook { events, weight, delete } => hooks.push(Hook { object, events, weight, delete }),
        }
    }
    unique(spec, &objects)?;
    objects.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    hooks::sort(&mut hooks);
    let About { source, digest, version, app_version } = about;
    Ok(Rendered { spec: spec.clone(), source, digest, version, app_version, objects, hooks, notes })
}

fn sort_key(object: &RenderedObject) -> (usize, &str, Option<&str>, &str) {
    (rank(&object.kind), &object.kind, object.namespace.as_deref(), &object.name)
}

/// The objects of documents, with references where placeholders stand.
pub(super) fn read(
    spec: &ChartSpec,
    placeholders: &Placeholders,
    documents: Vec<Document>,
    wording: Wording,
    notes: &mut Vec<String>,
) -> Result<Vec<Found>, ChartError> {
    let mut flat = Vec::new();
    documents.into_iter().for_each(|document| flatten(document, &mut flat));
    let scopes = Scopes::of(flat.iter().map(|document| &document.value));
    flat.into_iter().map(|document| object(spec, placeholders, wording, &scopes, document, notes)).collect()
}

/// Lists are their items.
fn flatten(document: Document, into: &mut Vec<Document>) {
    let is_list = document.value["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match document.value["items"].as_array() {
        Some(items) if is_list => {
            for item in items {
                flatten(Document { source: document.source.clone(), value: item.clone() }, into);
            }
        }
        _ => into.push(document),
    }
}

fn object(
    spec: &ChartSpec,
    placeholders: &Placeholders,
    wording: Wording,
    scopes: &Scopes,
    document: Document,
    notes: &mut Vec<String>,
) -> Result<Found, ChartError> {
    let Document { source, mut value } = document;
    let template = source.unwrap_or_else(|| spec.chart.clone());
    let unusable = |why: &str| {
        let message = format!("chart {}: {template} renders to {why}", spec.label());
        ChartError::new(
            ChartProblem::Rendered,
            message,
            "It is the chart's mistake, or a value of yours that it puts there.",
        )
    };
    let named = |value: &Value, what: &str| -> Result<String, ChartError> {
        let text = value
            .as_str()
            .filter(|text| !text.is_empty())
            .ok_or_else(|| unusable(&format!("an object without its {what}")))?;
        let restored = placeholders.restore(value, wording);
        if restored != Ok(Expr::Value(value.clone())) {
            return Err(unusable(&format!("an object whose {what} is known only later ({})", placeholders.describe())));
        }
        Ok(text.to_owned())
    };
    let api_version = named(&value["apiVersion"], "apiVersion")?;
    let kind = named(&value["kind"], "kind")?;
    let name = named(&value["metadata"]["name"], "name")?;
    let namespace = match &value["metadata"]["namespace"] {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        other => Some(named(other, "namespace")?),
    };
    let group = api_version.split_once('/').map_or("", |(group, _)| group).to_owned();
    let scope = scopes.get(&group, &kind);
    let namespace = match (scope, namespace) {
        (Scope::Cluster, _) => None,
        (_, Some(namespace)) => Some(namespace),
        (Scope::Namespaced, None) => Some(spec.namespace.clone()),
        (Scope::Unknown, None) => {
            notes.push(format!("{kind} {name} is taken to belong to the namespace {}", spec.namespace));
            Some(spec.namespace.clone())
        }
    };
    settle(&mut value, namespace.as_deref(), scope != Scope::Unknown && !scopes.is_own(&group, &kind));
    let annotations = annotations(&value);
    let manifest = placeholders.restore(&value, wording).map_err(|(path, why)| {
        let object = RenderedObject {
            api_version: api_version.clone(),
            kind: kind.clone(),
            namespace: namespace.clone(),
            name: name.clone(),
            manifest: Expr::Value(Value::Null),
            template: template.clone(),
            keep: false,
        };
        made_something(spec, placeholders, &object, &path, &why)
    })?;
    let keep = annotations.get("helm.sh/resource-policy").is_some_and(|policy| policy.trim() == "keep");
    Ok(Found { object: RenderedObject { api_version, kind, namespace, name, manifest, template, keep }, annotations })
}

/// Puts the namespace in, and takes out what is the server's to say. In Kubernetes' own kinds
/// a null is as good as nothing; in others it may mean something.
fn settle(value: &mut Value, namespace: Option<&str>, built_in: bool) {
    let crd = value["kind"] == "CustomResourceDefinition";
    if let Some(metadata) = value["metadata"].as_object_mut() {
        match namespace {
            Some(namespace) => metadata.insert("namespace".to_owned(), namespace.into()),
            None => metadata.remove("namespace"),
        };
        metadata.retain(|key, value| !value.is_null() && key != "creationTimestamp");
    }
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
    }
    if built_in && !crd {
        without_nulls(value);
    }
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

fn annotations(value: &Value) -> BTreeMap<String, String> {
    let of = value["metadata"]["annotations"].as_object();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    of.into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
}

pub(super) const CURE: &str = "What the chart makes of the text that stands for the value now is wrong for the value itself. Give it a \
                    value that is known from the start, or have the chart refer to an object of yours that holds it.";

fn made_something(
    spec: &ChartSpec,
    placeholders: &Placeholders,
    object: &RenderedObject,
    path: &str,
    why: &str,
) -> ChartError {
    let message = format!(
        "chart {} {why} a value that is known only later ({}): {path} of {object} ({})",
        spec.label(),
        placeholders.describe(),
        object.template
    );
    ChartError::new(ChartProblem::Rendered, message, CURE)
}

fn unique(spec: &ChartSpec, objects: &[RenderedObject]) -> Result<(), ChartError> {
    let mut seen = BTreeMap::new();
    for object in objects {
        let key = (object.group(), &object.kind, &object.namespace, &object.name);
        if let Some(first) = seen.insert(key, &object.template) {
            let message = format!("chart {} has {object} twice: in {first} and in {}", spec.label(), object.template);
            let hint = "Only one of them can stand in the cluster. Two values that give two things one name?";
            return Err(ChartError::new(ChartProblem::Rendered, message, hint));
        }
    }
    Ok(())
}
