//! From a chart to objects.

use std::{collections::BTreeMap, ffi::OsString, fs};

use rayplat_engine::value::Expr;
use serde_json::Value;

use super::{
    ChartError, ChartProblem, ChartSpec, Fetched, Helm, Hook, Rendered, RenderedObject, Source,
    helm::scratch,
    hooks,
    order::rank,
    placeholder::{Placeholders, Wording, compact, differs},
    scope::{Scope, Scopes},
    yaml::{self, Document},
};

/// Renders a chart, with references in its values as references in its objects.
///
/// # Errors
/// Helm refuses the chart or the values; the objects cannot be used; or the chart makes something
/// of a reference other than passing it on. Each names the place and says what to do.
pub async fn render(helm: &Helm, chart: &Fetched, spec: &ChartSpec) -> Result<Rendered, ChartError> {
    check(spec)?;
    let (first, placeholders) = Placeholders::replace(&spec.values, Wording::First);
    let (second, _) = Placeholders::replace(&spec.values, Wording::Second);
    let (first, second) = tokio::join!(template(helm, chart, spec, &first), template(helm, chart, spec, &second));
    let (first, second) = match (first?, second?) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(said), _) => return Err(refused(spec, &placeholders.explain(&said, Wording::First))),
        (_, Err(said)) => return Err(refused(spec, &placeholders.explain(&said, Wording::Second))),
    };
    assemble(spec, chart, helm.version(), &placeholders, &first, &second)
}

fn check(spec: &ChartSpec) -> Result<(), ChartError> {
    let refuse = |message: String, hint: &str| Err(ChartError::new(ChartProblem::Spec, message, hint));
    for (what, text, longest) in [("release", &spec.name, 53), ("namespace", &spec.namespace, 63)] {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let label = !text.is_empty() && text.chars().all(good) && !text.starts_with('-') && !text.ends_with('-');
        if !label || text.len() > longest {
            let hint = format!("Lower case letters, digits and dashes, {longest} characters at most.");
            return refuse(format!("chart {}: `{text}` is no name of a {what}", spec.label()), &hint);
        }
    }
    if !matches!(&spec.values, Expr::Object(_) | Expr::Value(Value::Object(_))) {
        return refuse(format!("chart {}: its values are no object", spec.label()), "Values have names.");
    }
    Ok(())
}

/// What Helm prints, or what it complains of.
async fn template(
    helm: &Helm,
    chart: &Fetched,
    spec: &ChartSpec,
    values: &Value,
) -> Result<Result<String, String>, ChartError> {
    let home = scratch()?;
    let file = home.path().join("values.json");
    fs::write(&file, values.to_string()).map_err(|error| {
        let message = format!("{} cannot be written: {error}", file.display());
        ChartError::new(ChartProblem::Disk, message, "Make room in the temporary folder.")
    })?;
    let mut args: Vec<OsString> = vec!["template".into(), spec.name.clone().into(), chart.path.clone().into()];
    args.extend(["--namespace".into(), spec.namespace.clone().into()]);
    args.extend(["--kube-version".into(), three_numbers(&spec.kube_version).into()]);
    args.extend(["--values".into(), file.into()]);
    if !spec.skip_crds {
        args.push("--include-crds".into());
    }
    for api in &spec.api_versions {
        args.extend(["--api-versions".into(), api.into()]);
    }
    helm.run(&args, home.path(), false).await
}

/// Clusters say `1.35.0`, and charts compare it.
fn three_numbers(version: &str) -> String {
    if version.matches('.').count() == 1 { format!("{version}.0") } else { version.to_owned() }
}

fn refused(spec: &ChartSpec, said: &str) -> ChartError {
    let message =
        format!("chart {} cannot be rendered; helm says: {}", spec.label(), said.trim_start_matches("Error: "));
    let hint = "Compare the values with what the chart knows (`helm show values`).";
    ChartError::new(ChartProblem::Template, message, hint)
}

/// An object as Helm printed it.
struct Found {
    object: RenderedObject,
    /// Of the object, as printed.
    annotations: BTreeMap<String, String>,
}

/// Objects and hooks from what two renderings printed.
pub(super) fn assemble(
    spec: &ChartSpec,
    chart: &Fetched,
    helm: &str,
    placeholders: &Placeholders,
    first: &str,
    second: &str,
) -> Result<Rendered, ChartError> {
    let mut notes = Vec::new();
    let mut found = read(spec, placeholders, first, Wording::First, &mut notes)?;
    // Without placeholders and with nothing made up they are the same.
    if first != second {
        let other = read(spec, placeholders, second, Wording::Second, &mut Vec::new())?;
        compare(spec, placeholders, &mut found, &other, &mut notes)?;
    }
    for found in &mut found {
        found.object.manifest = compact(std::mem::replace(&mut found.object.manifest, Expr::Value(Value::Null)));
    }
    let (mut objects, mut hooks) = (Vec::new(), Vec::new());
    for Found { object, annotations } in found {
        match hooks::of(&object, &annotations) {
            hooks::Kind::Object => objects.push(object),
            hooks::Kind::Skipped(why) => notes.push(format!("{object} is left out: {why}")),
            hooks::Kind::Hook { events, weight, delete } => hooks.push(Hook { object, events, weight, delete }),
        }
    }
    unique(spec, &objects)?;
    objects.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    hooks::sort(&mut hooks);
    Ok(Rendered {
        spec: spec.clone(),
        source: Source::Helm { version: helm.to_owned() },
        digest: Some(chart.digest.clone()),
        version: chart.version.clone(),
        app_version: chart.app_version.clone(),
        objects,
        hooks,
        notes,
    })
}

pub(super) fn sort_key(object: &RenderedObject) -> (usize, &str, Option<&str>, &str) {
    (rank(&object.kind), &object.kind, object.namespace.as_deref(), &object.name)
}

fn read(
    spec: &ChartSpec,
    placeholders: &Placeholders,
    text: &str,
    wording: Wording,
    notes: &mut Vec<String>,
) -> Result<Vec<Found>, ChartError> {
    let documents = yaml::documents(text).map_err(|error| {
        let message = format!("chart {} renders to what is no YAML: {error}", spec.label());
        ChartError::new(ChartProblem::Rendered, message, "Look at what `helm template --debug` prints there.")
    })?;
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

/// Both renderings must be the same now. A digest of the values in an annotation is let pass: it is
/// there to roll pods when a value changes, and for that the references themselves are put behind it.
fn compare(
    spec: &ChartSpec,
    placeholders: &Placeholders,
    first: &mut [Found],
    second: &[Found],
    notes: &mut Vec<String>,
) -> Result<(), ChartError> {
    let name = |found: &Found| found.object.to_string();
    let other = first.iter().zip(second).find(|(a, b)| name(a) != name(b)).map(|(a, _)| name(a));
    let uneven = (first.len() != second.len()).then(|| "the number of objects".to_owned());
    if let Some(what) = other.or(uneven) {
        return Err(unsteady(spec, placeholders, &what, ""));
    }
    for (found, other) in first.iter_mut().zip(second) {
        let label = name(found);
        let mut allow = |path: &[String], first: &mut Expr, _: &Expr| {
            let checksum =
                path.len() > 1 && path[path.len() - 2] == "annotations" && path[path.len() - 1].contains("checksum");
            if checksum && !placeholders.is_empty() {
                let mut parts = vec![first.clone()];
                for reference in placeholders.exprs() {
                    parts.extend([Expr::Value(" ".into()), reference.clone()]);
                }
                *first = Expr::Concat(parts);
                notes.push(format!(
                    "{label}: the digest at {} has the values that are known later behind it",
                    path.join(".")
                ));
            }
            checksum && !placeholders.is_empty()
        };
        if let Some(path) = differs(&mut found.object.manifest, &other.object.manifest, &mut Vec::new(), &mut allow) {
            return Err(unsteady(spec, placeholders, &label, &path));
        }
    }
    Ok(())
}

fn unsteady(spec: &ChartSpec, placeholders: &Placeholders, what: &str, path: &str) -> ChartError {
    let at = if path.is_empty() { what.to_owned() } else { format!("{path} of {what}") };
    if placeholders.is_empty() {
        let message = format!("chart {} makes up something new each time: {at}", spec.label());
        let hint = "A random password or certificate would change in every run, and stand in the state. Give the chart \
                    one that exists (most have a value for the name of a Secret).";
        return ChartError::new(ChartProblem::Rendered, message, hint);
    }
    let message = format!(
        "chart {} makes something of a value that is known only later ({}), or makes up something new each time: {at}",
        spec.label(),
        placeholders.describe()
    );
    ChartError::new(ChartProblem::Rendered, message, CURE)
}

const CURE: &str = "What the chart makes of the text that stands for the value now is wrong for the value itself. Give it a \
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
