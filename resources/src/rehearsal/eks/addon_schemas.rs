//! The JSON schemas of addon configurations, and the check against them.
//!
//! The schemas hold the members that the addons' own schemas have; free-form
//! Kubernetes structures (tolerations, affinity, resources) are not described
//! further.

use serde_json::{Map, Value, json};

use super::super::{Account, ApiError};
use super::addon_catalog;
use super::params::{invalid_parameter, not_found, required};

/// Kubernetes structures that most addons let one set.
fn pod_members() -> Map<String, Value> {
    let object = json!({"type": ["object", "null"]});
    let array = json!({"type": "array", "items": {"type": "object"}});
    Map::from_iter([
        ("affinity".to_owned(), object.clone()),
        ("nodeSelector".to_owned(), json!({"type": "object", "additionalProperties": {"type": "string"}})),
        ("podAnnotations".to_owned(), json!({"type": "object", "additionalProperties": {"type": "string"}})),
        ("podLabels".to_owned(), json!({"type": "object", "additionalProperties": {"type": "string"}})),
        ("resources".to_owned(), object),
        ("tolerations".to_owned(), array),
    ])
}

fn closed(own: Value) -> Value {
    let mut properties = pod_members();
    if let Value::Object(own) = own {
        properties.extend(own);
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

/// Environment variables are text in vpc-cni's schema, Booleans and numbers too.
fn vpc_cni() -> Value {
    let mut env = Map::new();
    for name in [
        "ADDITIONAL_ENI_TAGS",
        "ANNOTATE_POD_IP",
        "AWS_EC2_ENDPOINT",
        "AWS_MANAGE_ENIS_NON_SCHEDULABLE",
        "AWS_VPC_CNI_NODE_PORT_SUPPORT",
        "AWS_VPC_ENI_MTU",
        "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG",
        "AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS",
        "AWS_VPC_K8S_CNI_EXTERNALSNAT",
        "AWS_VPC_K8S_CNI_LOGLEVEL",
        "AWS_VPC_K8S_CNI_LOG_FILE",
        "AWS_VPC_K8S_CNI_RANDOMIZESNAT",
        "AWS_VPC_K8S_CNI_VETHPREFIX",
        "AWS_VPC_K8S_PLUGIN_LOG_FILE",
        "AWS_VPC_K8S_PLUGIN_LOG_LEVEL",
        "CLUSTER_ENDPOINT",
        "CLUSTER_NAME",
        "DISABLE_INTROSPECTION",
        "DISABLE_LEAKED_ENI_CLEANUP",
        "DISABLE_METRICS",
        "DISABLE_NETWORK_RESOURCE_PROVISIONING",
        "DISABLE_POD_V6",
        "ENABLE_BANDWIDTH_PLUGIN",
        "ENABLE_IMDS_ONLY_MODE",
        "ENABLE_POD_ENI",
        "ENABLE_PREFIX_DELEGATION",
        "ENABLE_SUBNET_DISCOVERY",
        "ENABLE_V6_EGRESS",
        "ENI_CONFIG_ANNOTATION_DEF",
        "ENI_CONFIG_LABEL_DEF",
        "INTROSPECTION_BIND_ADDRESS",
        "IP_COOLDOWN_PERIOD",
        "MAX_ENI",
        "MINIMUM_IP_TARGET",
        "NETWORK_POLICY_ENFORCING_MODE",
        "POD_SECURITY_GROUP_ENFORCING_MODE",
        "WARM_ENI_TARGET",
        "WARM_IP_TARGET",
        "WARM_PREFIX_TARGET",
    ] {
        env.insert(name.to_owned(), json!({"type": "string"}));
    }
    closed(json!({
        "enableNetworkPolicy": {"type": "string", "format": "boolean"},
        "enableWindowsIpam": {"type": "string", "format": "boolean"},
        "enableWindowsPrefixDelegation": {"type": "string", "format": "boolean"},
        "eniConfig": {"type": "object"},
        "env": {"type": "object", "additionalProperties": false, "properties": env},
        "init": {"type": "object"},
        "livenessProbeTimeoutSeconds": {"type": "integer"},
        "readinessProbeTimeoutSeconds": {"type": "integer"},
        "nodeAgent": {"type": "object"},
        "originalMatchLabels": {"type": "string", "format": "boolean"},
    }))
}

fn coredns() -> Value {
    closed(json!({
        "autoScaling": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "enabled": {"type": "boolean"},
                "minReplicas": {"type": "integer", "minimum": 2, "maximum": 1000},
                "maxReplicas": {"type": "integer", "minimum": 2, "maximum": 1000},
            },
            "required": ["enabled"],
        },
        "computeType": {"type": "string"},
        "corefile": {"type": "string"},
        "podDisruptionBudget": {"type": "object"},
        "replicaCount": {"type": "integer", "minimum": 0},
        "topologySpreadConstraints": {"type": "array", "items": {"type": "object"}},
    }))
}

/// The schema of an addon's configuration.
pub(super) fn schema(addon: &str) -> Value {
    match addon {
        "vpc-cni" => vpc_cni(),
        "coredns" => coredns(),
        "kube-proxy" => closed(json!({
            "ipvs": {"type": "object"},
            "mode": {"type": "string", "enum": ["iptables", "ipvs", "nftables"]},
        })),
        "eks-pod-identity-agent" => closed(json!({
            "agent": {"type": "object"},
            "daemonsets": {"type": "object"},
            "priorityClassName": {"type": "string"},
            "updateStrategy": {"type": "object"},
        })),
        "aws-ebs-csi-driver" => closed(json!({
            "controller": {"type": "object"},
            "defaultStorageClass": {
                "type": "object",
                "additionalProperties": false,
                "properties": {"enabled": {"type": "boolean"}},
            },
            "node": {"type": "object"},
            "sidecars": {"type": "object"},
            "volumeModification": {"type": "object"},
        })),
        _ => closed(json!({
            "addonResizer": {"type": "object"},
            "args": {"type": "array", "items": {"type": "string"}},
            "replicas": {"type": "integer", "minimum": 1},
        })),
    }
}

/// Checks `configurationValues` of a request.
///
/// # Errors
/// `InvalidParameterException` in EKS's words: not JSON, or against the schema.
pub(super) fn check(addon: &str, values: &str) -> Result<(), ApiError> {
    let unsupported = |reason: String| {
        invalid_parameter(format!("ConfigurationValue provided in request is not supported: {reason}"))
    };
    let values: Value =
        serde_json::from_str(values).map_err(|error| unsupported(format!("it is not valid JSON: {error}")))?;
    let mut problems = Vec::new();
    find_problems(&schema(addon), &values, "$", &mut problems);
    if problems.is_empty() {
        return Ok(());
    }
    Err(unsupported(format!("Json schema validation failed with error: [{}]", problems.join(", "))))
}

/// Collects what is against the schema: types, members, enums, ranges.
fn find_problems(schema: &Value, value: &Value, path: &str, problems: &mut Vec<String>) {
    if let Some(expected) = schema.get("type") {
        let allowed: Vec<&str> = match expected {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let found = type_name(value);
        let fits = |name: &&str| *name == found || *name == "number" && found == "integer";
        if !allowed.iter().any(fits) {
            problems.push(format!("{path}: {found} found, {} expected", allowed.join(" or ")));
            return;
        }
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array)
        && !choices.contains(value)
    {
        problems.push(format!("{path}: does not have a value in the enumeration {}", Value::Array(choices.clone())));
    }
    for (member, too_far, words) in [("minimum", -1, "minimum"), ("maximum", 1, "maximum")] {
        if let (Some(bound), Some(number)) = (schema.get(member).and_then(Value::as_i64), value.as_i64())
            && (number - bound).signum() == too_far
        {
            problems.push(format!("{path}: must have a {words} value of {bound}"));
        }
    }
    match value {
        Value::Object(members) => find_member_problems(schema, members, path, problems),
        Value::Array(items) => {
            if let Some(item_schema) = schema.get("items") {
                for (index, item) in items.iter().enumerate() {
                    find_problems(item_schema, item, &format!("{path}[{index}]"), problems);
                }
            }
        }
        _ => {}
    }
}

fn find_member_problems(schema: &Value, members: &Map<String, Value>, path: &str, problems: &mut Vec<String>) {
    let additional = schema.get("additionalProperties");
    for (name, member) in members {
        let path = format!("{path}.{name}");
        if let Some(member_schema) = schema.get("properties").and_then(|it| it.get(name)) {
            find_problems(member_schema, member, &path, problems);
        } else if additional == Some(&Value::Bool(false)) {
            problems.push(format!(
                "{path}: is not defined in the schema and the schema does not allow additional properties"
            ));
        } else if let Some(member_schema) = additional {
            find_problems(member_schema, member, &path, problems);
        }
    }
    let needed = schema.get("required").and_then(Value::as_array);
    for name in needed.into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            problems.push(format!("{path}.{name}: is missing but it is required"));
        }
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `DescribeAddonConfiguration`.
pub(super) fn describe(_account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = required(params, "addonName")?;
    let version = required(params, "addonVersion")?;
    let offer = addon_catalog::find(name).filter(|offer| offer.has(version)).ok_or_else(|| {
        not_found(format!("No addon configuration found for {name} {version}")).with("addonName", name)
    })?;
    Ok(json!({
        "addonName": name,
        "addonVersion": version,
        "configurationSchema": schema(name).to_string(),
        "podIdentityConfiguration": offer.pod_identity(),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refusal(addon: &str, values: &str) -> String {
        check(addon, values).unwrap_err().message
    }

    #[test]
    fn the_usual_configurations_pass() {
        check("vpc-cni", r#"{"env": {"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"}, "enableNetworkPolicy": "true"}"#).unwrap();
        check("coredns", r#"{"autoScaling": {"enabled": true, "minReplicas": 4, "maxReplicas": 10}}"#).unwrap();
        check("coredns", r#"{"replicaCount": 4, "tolerations": [{"key": "a", "operator": "Exists"}]}"#).unwrap();
        check("aws-ebs-csi-driver", r#"{"defaultStorageClass": {"enabled": true}}"#).unwrap();
        check("metrics-server", "{}").unwrap();
    }

    #[test]
    fn unknown_members_and_wrong_types_are_named() {
        assert_eq!(
            refusal("aws-ebs-csi-driver", r#"{"replicas": 2}"#),
            "ConfigurationValue provided in request is not supported: Json schema validation failed with error: [$.replicas: is not defined in the schema and the schema does not allow additional properties]"
        );
        assert!(
            refusal("coredns", r#"{"replicaCount": "4"}"#).contains("$.replicaCount: string found, integer expected")
        );
        assert!(
            refusal("vpc-cni", r#"{"env": {"ENABLE_PREFIX_DELEGATION": true}}"#)
                .contains("boolean found, string expected")
        );
        assert!(refusal("coredns", r#"{"autoScaling": {"minReplicas": 1}}"#).contains("minimum value of 2"));
        assert!(
            refusal("coredns", r#"{"autoScaling": {"minReplicas": 4}}"#).contains("$.autoScaling.enabled: is missing")
        );
        assert!(refusal("kube-proxy", r#"{"mode": "magic"}"#).contains("enumeration"));
        assert!(refusal("coredns", "null").contains("$: null found, object expected"));
        assert!(refusal("coredns", "replicaCount: 4").contains("not valid JSON"));
    }
}
