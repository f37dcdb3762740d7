//! The least policy for a set of permissions: names keep what is known beforehand, ids that
//! AWS draws become wildcards, and what belongs together stands in one statement.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Need;

/// The most characters of a managed policy; white space does not count.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const LIMIT: usize = 6144;

/// Policy documents, each within [`LIMIT`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Documents(pub Vec<Value>);

/// What an action is allowed on: resources, and values of condition keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Scope {
    resources: BTreeSet<String>,
    conditions: BTreeMap<&'static str, BTreeSet<String>>,
}

/// The policy for these permissions of a platform. `known` are ids that the manifest names:
/// they stand as they are. Account ids become `*`: an identity policy reaches only its own
/// account, and a rehearsal does not know which that will be.
pub fn documents(needs: &BTreeSet<Need>, name: &str, known: &BTreeSet<String>) -> Documents {
    let mut scopes: BTreeMap<(&str, Vec<&'static str>), Scope> = BTreeMap::new();
    for need in needs {
        let keys = need.context.iter().map(|(key, _)| *key).collect();
        let scope = scopes.entry((need.action.as_str(), keys)).or_default();
        scope.resources.insert(generalised(&need.resource, &need.action, name, known));
        for (key, value) in &need.context {
            let value = if value.starts_with("arn:") { generalised(value, "", name, known) } else { value.clone() };
            scope.conditions.entry(key).or_default().insert(value);
        }
    }
    // By service first: a reader looks for a service.
    let mut statements: BTreeMap<(&str, Scope), Vec<&str>> = BTreeMap::new();
    for ((action, _), mut scope) in scopes {
        thin(&mut scope.resources);
        let service = action.split(':').next().unwrap_or_default();
        statements.entry((service, scope)).or_default().push(action);
    }
    let mut sids = BTreeMap::new();
    let statements =
        statements.into_iter().map(|((service, scope), actions)| statement(service, &scope, &actions, &mut sids));
    Documents(split(statements.collect()))
}

fn statement(service: &str, scope: &Scope, actions: &[&str], sids: &mut BTreeMap<String, usize>) -> Value {
    let base = sid(service, scope);
    let count = sids.entry(base.clone()).or_default();
    *count += 1;
    let sid = if *count == 1 { base } else { format!("{base}{count}") };
    let mut statement = json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": scope.resources});
    if !scope.conditions.is_empty() {
        let mut operators: Map<String, Value> = Map::new();
        for (key, values) in &scope.conditions {
            let operator = operators.entry(operator(key)).or_insert_with(|| json!({}));
            operator[*key] = if values.len() == 1 { json!(values.first()) } else { json!(values) };
        }
        statement["Condition"] = Value::Object(operators);
    }
    statement
}

fn operator(key: &str) -> &'static str {
    match key {
        "kms:GrantIsForAWSResource" => "Bool",
        "iam:PolicyARN" => "ArnEquals",
        _ => "StringEquals",
    }
}

/// Letters and digits only, as IAM asks: the service, and what it is about.
fn sid(service: &str, scope: &Scope) -> String {
    let first = scope.resources.first().map_or("", String::as_str);
    let kind = first.splitn(6, ':').nth(5).map(|rest| rest.split(['/', ':']).next().unwrap_or_default());
    let more = if scope.resources.len() > 1 { "AndMore" } else { "" };
    let condition = scope.conditions.keys().next().and_then(|key| key.split(':').nth(1)).unwrap_or_default();
    let words = [service, kind.unwrap_or("any"), more, condition];
    words.iter().flat_map(|word| word.split(|c: char| !c.is_ascii_alphanumeric())).map(capital).collect()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// Takes out what a wider pattern covers.
fn thin(resources: &mut BTreeSet<String>) {
    let all = resources.clone();
    let covered =
        |one: &String| all.iter().any(|other| other != one && crate::rehearsal::policy::matches_exactly(other, one));
    resources.retain(|one| !covered(one));
}

/// An ARN with wildcards for what is not known beforehand.
fn generalised(resource: &str, action: &str, name: &str, known: &BTreeSet<String>) -> String {
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    let [arn, partition, service, region, account, rest] = parts.as_slice() else {
        return resource.to_owned();
    };
    let account = if account.len() == 12 { "*" } else { account };
    let rest = match *service {
        // A look at a role changes nothing, and whose session the caller is differs.
        "iam" if action == "iam:GetRole" => "role/*".to_owned(),
        "iam" if account == "aws" => (*rest).to_owned(),
        "iam" => iam(rest, name),
        "eks" => eks(rest),
        // EKS names its groups after the node groups.
        "autoscaling" => "autoScalingGroup:*:autoScalingGroupName/eks-*".to_owned(),
        "sqs" => upto(rest, name),
        "s3" => match rest.split_once('/') {
            Some((bucket, _)) => format!("{}/*", upto(bucket, name)),
            None => upto(rest, name),
        },
        "logs" if rest.starts_with("log-group::") => "log-group:*".to_owned(),
        "logs" | "kms" if rest.contains(name) => upto(rest, name),
        _ => drawn(rest, name, known),
    };
    format!("{arn}:{partition}:{service}:{region}:{account}:{rest}")
}

/// Roles and policies begin with the platform's name; service-linked roles are exact.
fn iam(rest: &str, name: &str) -> String {
    if rest.starts_with("role/aws-service-role/") {
        return rest.to_owned();
    }
    match rest.split_once('/') {
        Some(("oidc-provider", issuer)) => format!("oidc-provider/{}/*", issuer.split('/').next().unwrap_or_default()),
        _ if rest.contains(name) => upto(rest, name),
        Some((kind, _)) => format!("{kind}/*"),
        None => rest.to_owned(),
    }
}

/// A cluster's name is its own; what is in it has ids.
fn eks(rest: &str) -> String {
    match rest.split('/').collect::<Vec<_>>().as_slice() {
        [kind, cluster, _, ..] => format!("{kind}/{cluster}/*"),
        _ => rest.to_owned(),
    }
}

/// Everything up to the platform's name and the separator behind it, and what follows. A
/// name of somebody else's stands as it is.
fn upto(rest: &str, name: &str) -> String {
    let end = rest.find(name).map_or(rest.len(), |at| at + name.len());
    match rest[end..].chars().next() {
        None => rest.to_owned(),
        Some(separator) if separator.is_ascii_punctuation() => format!("{}{separator}*", &rest[..end]),
        Some(_) => format!("{}*", &rest[..end]),
    }
}

/// `KIND/ID`, where the id is drawn by AWS unless it is known beforehand.
fn drawn(rest: &str, name: &str, known: &BTreeSet<String>) -> String {
    match rest.split_once('/') {
        Some((_, id)) if known.contains(id) => rest.to_owned(),
        _ if !name.is_empty() && rest.contains(name) => upto(rest, name),
        Some((kind, _)) => format!("{kind}/*"),
        None => "*".to_owned(),
    }
}

/// Fills one document after another.
fn split(statements: Vec<Value>) -> Vec<Value> {
    let empty = length(&document(Vec::new()));
    let mut documents: Vec<Vec<Value>> = vec![Vec::new()];
    let mut used = empty;
    for statement in statements {
        // With the comma before it.
        let size = length(&statement) + 1;
        if used + size > LIMIT && used > empty {
            documents.push(Vec::new());
            used = empty;
        }
        used += size;
        if let Some(last) = documents.last_mut() {
            last.push(statement);
        }
    }
    documents.into_iter().map(document).collect()
}

fn document(statements: Vec<Value>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn length(value: &Value) -> usize {
    value.to_string().len()
}

impl Documents {
    /// As a file: one document, or a list of them where one is too small.
    pub fn json(&self) -> Value {
        match self.0.as_slice() {
            [one] => one.clone(),
            many => Value::Array(many.to_vec()),
        }
    }

    /// Every statement.
    pub fn statements(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().filter_map(|document| document["Statement"].as_array()).flatten()
    }

    /// For reading: a statement a line. Each document is valid JSON by itself.
    pub fn text(&self) -> String {
        let one = |document: &Value| {
            let statements = document["Statement"].as_array().into_iter().flatten();
            let lines: Vec<String> = statements.map(|statement| format!("  {statement}")).collect();
            format!("{{\"Version\": \"2012-10-17\", \"Statement\": [\n{}\n]}}", lines.join(",\n"))
        };
        self.0.iter().map(one).collect::<Vec<_>>().join("\n")
    }
}
