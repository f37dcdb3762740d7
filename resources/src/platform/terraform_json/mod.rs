//! A plan as a document in the shape of `terraform show -json PLAN`, with Terraform's
//! resource types and attribute names: what policies written for Terraform read.
//!
//! One file a service, one line a kind in `mapping`. Shape:
//! <https://developer.hashicorp.com/terraform/internals/json-format>; names: the pages of
//! the AWS provider, <https://registry.terraform.io/providers/hashicorp/aws/latest/docs>.

mod ec2;
mod eks;
mod iam;
mod others;
mod values;
mod vpc;

use std::collections::{BTreeMap, BTreeSet};

use rayplat_engine::{
    plan::{Plan, Step, diff::Effect},
    provider::{Action, ReplaceOrder},
    store::{Checkpoint, Object},
    urn::Urn,
    value::Planned,
};
use serde_json::{Map, Value, json};

use values::{Part, Source, differing, set_path, split};

/// The version of the form, and the program whose form it is: 1.2 came with Terraform 1.5.
const FORMAT_VERSION: &str = "1.2";
const TERRAFORM_VERSION: &str = "1.9.8";

const AWS: &str = "registry.terraform.io/hashicorp/aws";

/// From a kind's inputs to Terraform's resources: most kinds are one, some are several.
type Mapping = fn(&Source<'_>) -> Vec<Part>;

/// The table of kinds. One that is not here falls back to `rayplat_...` with its own inputs.
fn mapping(kind: &str) -> Option<Mapping> {
    Some(match kind {
        "aws:iam:Role" => iam::role,
        "aws:iam:RolePolicy" => iam::role_policy,
        "aws:iam:RolePolicyAttachment" => iam::role_policy_attachment,
        "aws:iam:Policy" => iam::policy,
        "aws:iam:OpenIdConnectProvider" => iam::oidc_provider,
        "aws:kms:Key" => others::kms_key,
        "aws:kms:Alias" => others::kms_alias,
        "aws:logs:LogGroup" => others::log_group,
        "aws:s3:Bucket" => others::bucket,
        "aws:sqs:Queue" => others::queue,
        "aws:events:Rule" => others::event_rule,
        "aws:autoscaling:GroupTags" => others::group_tags,
        "tls:IssuerCertificate" => others::certificate,
        "kubernetes:Object"
        | "kubernetes:CustomResourceDefinition"
        | "kubernetes:Workload"
        | "kubernetes:Hook"
        | "kubernetes:Ray" => others::kubernetes_object,
        "kubernetes:Chart" => others::chart,
        "kubernetes:GeneratedSecret" => others::secret,
        "kubernetes:Entry" | "kubernetes:Sweep" => others::entry,
        "aws:ec2:LaunchTemplate" => ec2::launch_template,
        "aws:ec2:SecurityGroup" => ec2::security_group,
        "aws:ec2:SecurityGroupRule" => ec2::security_group_rule,
        "aws:ec2:Vpc" => vpc::vpc,
        "aws:ec2:Subnet" => vpc::subnet,
        "aws:ec2:InternetGateway" => vpc::internet_gateway,
        "aws:ec2:NatGateway" => vpc::nat_gateway,
        "aws:ec2:Eip" => vpc::eip,
        "aws:ec2:RouteTable" => vpc::route_table,
        "aws:ec2:Route" => vpc::route,
        "aws:ec2:RouteTableAssociation" => vpc::route_table_association,
        "aws:ec2:VpcEndpoint" => vpc::endpoint,
        "aws:eks:Cluster" => eks::cluster,
        "aws:eks:NodeGroup" => eks::node_group,
        "aws:eks:Addon" => eks::addon,
        "aws:eks:AccessEntry" => eks::access_entry,
        "aws:eks:PodIdentityAssociation" => eks::pod_identity_association,
        _ => return None,
    })
}

/// What becomes of a resource.
#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Same,
    Create,
    Update,
    Replace(ReplaceOrder),
    Delete,
    Read,
}

/// One resource before and after.
struct Resource<'a> {
    urn: &'a Urn,
    what: What,
    before: Option<&'a Object>,
    after: Option<&'a Planned>,
    step: Option<&'a Step>,
}

/// The document. `state` is the state as read for the plan, `region` where it works.
pub fn document(plan: &Plan, state: &Checkpoint, region: &str) -> Value {
    let mut changes: Vec<Value> = resources(plan, state).iter().flat_map(resource_changes).collect();
    changes.sort_by(|a, b| text(a, "address").cmp(text(b, "address")));
    number_twins(&mut changes);
    let planned: Vec<Value> = changes.iter().filter_map(planned_value).collect();
    json!({
        "format_version": FORMAT_VERSION,
        "terraform_version": TERRAFORM_VERSION,
        "variables": {"region": {"value": region}, "cluster_name": {"value": plan.stack}},
        "planned_values": {"root_module": {"resources": planned}},
        "resource_changes": changes,
        "configuration": {
            "provider_config": {
                "aws": {"name": "aws", "full_name": AWS, "expressions": {"region": {"constant_value": region}}}
            },
            "root_module": {},
        },
        "applyable": !plan.is_empty(),
        "complete": true,
        "errored": false,
    })
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Every resource of the plan once: a replacement has two steps.
fn resources<'a>(plan: &'a Plan, state: &'a Checkpoint) -> Vec<Resource<'a>> {
    let mut resources = Vec::new();
    for step in &plan.steps {
        let what = match (step.action, &step.pair) {
            (Action::Delete, Some(_)) => continue,
            (Action::Create, Some(pair)) => What::Replace(pair.order),
            (Action::Create, None) => What::Create,
            (Action::Update, _) => What::Update,
            (Action::Delete, None) => What::Delete,
            (Action::Read, _) => What::Read,
        };
        let before = match (&step.pair, what) {
            (_, What::Create | What::Read) => None,
            (Some(pair), _) => state.objects.get(&pair.old),
            (None, _) => state.objects.get(&step.key()),
        };
        let after = step.planned.as_ref().filter(|_| what != What::Delete);
        resources.push(Resource { urn: &step.urn, what, before, after, step: Some(step) });
    }
    // Terraform shows no look-up that has nothing new to say.
    let same = plan.unchanged.iter().filter_map(|urn| state.current(urn)).filter(|object| !object.data);
    resources.extend(same.map(|object| Resource {
        urn: &object.urn,
        what: What::Same,
        before: Some(object),
        after: None,
        step: None,
    }));
    resources
}

fn resource_changes(resource: &Resource<'_>) -> Vec<Value> {
    let kind = resource.urn.kind();
    let before: Vec<Part> = resource.before.map_or_else(Vec::new, |object| {
        let inputs = Planned::Known(object.inputs.clone());
        map(kind, &Source { inputs: &inputs, object: Some(object), updating: false })
    });
    let after: Vec<Part> = match (resource.what, resource.after) {
        (What::Same, _) => before.clone(),
        (_, Some(inputs)) => {
            let keeps = resource.before.filter(|_| resource.what == What::Update);
            map(kind, &Source { inputs, object: keeps, updating: resource.what == What::Update })
        }
        (_, None) => Vec::new(),
    };
    let names: BTreeSet<(&str, &str)> = before.iter().chain(&after).map(Part::name).collect();
    let find = |parts: &[Part], name| parts.iter().find(|part| part.name() == name).cloned();
    names.into_iter().map(|name| resource_change(resource, find(&before, name), find(&after, name))).collect()
}

fn map(kind: &str, source: &Source<'_>) -> Vec<Part> {
    match mapping(kind) {
        Some(mapping) => mapping(source),
        None => vec![Part { kind: fallback(kind), suffix: String::new(), values: source.inputs.clone() }],
    }
}

/// `custom:Thing` becomes `rayplat_custom_thing`.
fn fallback(kind: &str) -> String {
    let mut name = "rayplat".to_owned();
    for part in kind.split(':') {
        name.push('_');
        name.push_str(&part.to_lowercase());
    }
    identifier(&name)
}

/// What Terraform takes for a name: letters, digits, `_` and `-`, no digit first.
fn identifier(text: &str) -> String {
    let mut name: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    name
}

fn resource_change(resource: &Resource<'_>, before: Option<Part>, after: Option<Part>) -> Value {
    let kind = before.as_ref().or(after.as_ref()).map_or_else(String::new, |part| part.kind.clone());
    let suffix = before.as_ref().or(after.as_ref()).map_or("", |part| &part.suffix);
    let name = identifier(&format!("{}{suffix}", resource.urn.name()));
    let (mode, prefix) = if resource.what == What::Read { ("data", "data.") } else { ("managed", "") };
    let provider = match &kind {
        kind if kind.starts_with("aws_") => AWS,
        kind if kind.starts_with("helm_") => "registry.terraform.io/hashicorp/helm",
        kind if kind.starts_with("time_") => "registry.terraform.io/hashicorp/time",
        kind if kind.starts_with("kubernetes_") => "registry.terraform.io/hashicorp/kubernetes",
        kind if kind.starts_with("tls_") => "registry.terraform.io/hashicorp/tls",
        _ => "rayplat",
    };
    let mut change = json!({
        "address": format!("{prefix}{kind}.{name}"),
        "mode": mode,
        "type": kind,
        "name": name,
        "provider_name": provider,
        "change": change(resource, before.as_ref(), after.as_ref()),
        "rayplat_urn": resource.urn,
    });
    if let Some(object) = resource.before.filter(|object| object.deposed) {
        change["deposed"] = object.generation.to_string().into();
    }
    change
}

fn change(resource: &Resource<'_>, before: Option<&Part>, after: Option<&Part>) -> Value {
    let old = before.map(|part| split(&part.values).0);
    let (new, unknown) = after.map_or((None, json!({})), |part| {
        let (value, unknown) = split(&part.values);
        // Of what stays, nothing becomes known later: what the state has not, it never has.
        (Some(value), unknown.filter(|_| resource.what != What::Same).unwrap_or_else(|| json!({})))
    });
    let same = old == new && unknown == json!({});
    let actions = match (resource.what, old.is_some(), new.is_some()) {
        (What::Read, ..) => json!(["read"]),
        (_, false, _) => json!(["create"]),
        (_, true, false) => json!(["delete"]),
        (What::Replace(ReplaceOrder::CreateThenDelete), ..) => json!(["create", "delete"]),
        (What::Replace(ReplaceOrder::DeleteThenCreate), ..) => json!(["delete", "create"]),
        _ if same => json!(["no-op"]),
        _ => json!(["update"]),
    };
    let mut change = json!({
        "actions": actions,
        "before": old,
        "after": new,
        "after_unknown": unknown,
        "before_sensitive": if before.is_some() { json!({}) } else { json!(false) },
        "after_sensitive": if after.is_some() { json!({}) } else { json!(false) },
    });
    if let (What::Replace(_), Some(before)) = (resource.what, before) {
        change["replace_paths"] = replace_paths(resource, before).into();
    }
    change
}

/// Which of Terraform's attributes ask for the replacement: those that change when only the
/// input that asks for it changes.
fn replace_paths(resource: &Resource<'_>, before: &Part) -> Vec<Value> {
    let (Some(object), Some(step)) = (resource.before, resource.step) else { return Vec::new() };
    let mut paths: BTreeMap<String, Value> = BTreeMap::new();
    for change in step.changes.iter().filter(|change| change.effect == Effect::Replace) {
        let new = change.new.clone().unwrap_or(Planned::Known(Value::Null));
        let inputs = set_path(&Planned::Known(object.inputs.clone()), &change.path, new);
        let source = Source { inputs: &inputs, object: Some(object), updating: false };
        let parts = map(resource.urn.kind(), &source);
        let Some(after) = parts.iter().find(|part| part.name() == before.name()) else { continue };
        for path in differing(&before.values, &after.values) {
            paths.insert(path.to_string(), path);
        }
    }
    paths.into_values().collect()
}

/// Names that Terraform would not tell apart get a number.
fn number_twins(changes: &mut [Value]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for change in changes {
        if change.get("deposed").is_some() {
            continue;
        }
        let address = text(change, "address").to_owned();
        let count = seen.entry(address.clone()).or_default();
        *count += 1;
        if *count > 1 {
            let name = format!("{}_{count}", text(change, "name"));
            change["address"] = format!("{address}_{count}").into();
            change["name"] = name.into();
        }
    }
}

fn planned_value(change: &Value) -> Option<Value> {
    let values = change.pointer("/change/after").filter(|after| !after.is_null())?;
    let mut planned = Map::new();
    for key in ["address", "mode", "type", "name", "provider_name"] {
        planned.insert(key.to_owned(), change.get(key).cloned().unwrap_or_default());
    }
    planned.insert("schema_version".to_owned(), 0.into());
    planned.insert("values".to_owned(), values.clone());
    Some(Value::Object(planned))
}

#[cfg(test)]
pub(super) mod tests;
