//! From a chart to objects.

use std::{ffi::OsString, fs};

use rayplat_engine::value::Expr;
use serde_json::Value;

use super::{
    ChartError, ChartProblem, ChartSpec, Fetched, Helm, Rendered, Source,
    helm::scratch,
    objects::{About, CURE, Found, finish, read},
    placeholder::{Placeholders, Wording, differs},
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
    let mut found = read(spec, placeholders, documents(spec, first)?, Wording::First, &mut notes)?;
    // Without placeholders and with nothing made up they are the same.
    if first != second {
        let other = read(spec, placeholders, documents(spec, second)?, Wording::Second, &mut Vec::new())?;
        compare(spec, placeholders, &mut found, &other, &mut notes)?;
    }
    let about = About {
        source: Source::Helm { version: helm.to_owned() },
        digest: Some(chart.digest.clone()),
        version: chart.version.clone(),
        app_version: chart.app_version.clone(),
    };
    finish(spec, about, found, notes)
}

fn documents(spec: &ChartSpec, text: &str) -> Result<Vec<Document>, ChartError> {
    yaml::documents(text).map_err(|error| {
        let message = format!("chart {} renders to what is no YAML: {error}", spec.label());
        ChartError::new(ChartProblem::Rendered, message, "Look at what `helm template --debug` prints there.")
    })
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
