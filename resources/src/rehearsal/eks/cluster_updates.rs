//! UpdateClusterConfig, UpdateClusterVersion, AssociateEncryptionConfig: one
//! update at a time, each with its record.

use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::cluster_checks as checks;
use super::clusters::{AUTHENTICATION_MODES, support_type};
use super::durations::{self, Range};
use super::model::{Cluster, ClusterChange, Running, Status};
use super::params::{self, choice, flag, in_use, invalid_parameter, invalid_request, required, texts};
use super::updates::Update;
use super::versions::{self, Support, minor_number};

/// What a request asks for: the change, its record's type and parameters, and how
/// long it takes.
struct Asked {
    change: ClusterChange,
    kind: &'static str,
    params: Vec<(&'static str, String)>,
    takes: Range,
}

/// `UpdateClusterConfig`: exactly one kind of change in a call.
pub(super) fn config(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    run(account, params, "UpdateClusterConfig", "name", |account, cluster| {
        let mut asked = kinds(params);
        match (asked.next(), asked.next()) {
            (None, _) => Err(invalid_parameter("The type for cluster update was not provided.")),
            (Some(_), Some(_)) => Err(invalid_parameter("Only one type of update can be allowed.")),
            (Some(kind), None) => config_change(account, cluster, params, kind),
        }
    })
}

/// The kinds of change that a request holds.
fn kinds(params: &Value) -> impl Iterator<Item = &'static str> + '_ {
    let vpc = params.get("resourcesVpcConfig");
    let has = |member: &str| vpc.is_some_and(|vpc| vpc.get(member).is_some_and(|it| !it.is_null()));
    let endpoint = has("endpointPublicAccess") || has("endpointPrivateAccess") || has("publicAccessCidrs");
    let subnets = has("subnetIds") || has("securityGroupIds");
    let given = |member: &str| params.get(member).is_some_and(|it| !it.is_null());
    [
        ("endpoint", endpoint),
        ("vpc", subnets),
        ("logging", given("logging")),
        ("access", given("accessConfig")),
        ("upgrade", given("upgradePolicy")),
        ("protection", given("deletionProtection")),
        ("zonal", given("zonalShiftConfig")),
    ]
    .into_iter()
    .filter_map(|(kind, asked)| asked.then_some(kind))
}

fn config_change(account: &Account, cluster: &Cluster, params: &Value, kind: &str) -> Result<Asked, ApiError> {
    match kind {
        "endpoint" => endpoint_change(cluster, &params["resourcesVpcConfig"]),
        "vpc" => vpc_change(account, cluster, &params["resourcesVpcConfig"]),
        "logging" => {
            let on = checks::logging(params, &cluster.logging)?;
            if on == cluster.logging {
                return Err(invalid_parameter("No changes needed for the logging config provided"));
            }
            Ok(Asked {
                change: ClusterChange::Logging(on),
                kind: "LoggingUpdate",
                params: vec![("ClusterLogging", params["logging"].to_string())],
                takes: durations::CLUSTER_CONFIG_UPDATE,
            })
        }
        "access" => access_change(cluster, &params["accessConfig"]),
        "upgrade" => upgrade_change(account, cluster, params),
        "protection" => {
            let on = flag(params, "deletionProtection")?.unwrap_or(false);
            if on == cluster.deletion_protection {
                return Err(no_change("deletionProtection"));
            }
            Ok(Asked {
                change: ClusterChange::DeletionProtection(on),
                kind: "DeletionProtectionUpdate",
                params: vec![("DeletionProtection", on.to_string())],
                takes: durations::CLUSTER_FLAG_UPDATE,
            })
        }
        _ => {
            let on = flag(&params["zonalShiftConfig"], "enabled")?.unwrap_or(false);
            if on == cluster.zonal_shift {
                return Err(no_change("zonalShiftConfig"));
            }
            Ok(Asked {
                change: ClusterChange::ZonalShift(on),
                kind: "ZonalShiftConfigUpdate",
                params: vec![("ZonalShiftConfig", json!({"enabled": on}).to_string())],
                takes: durations::CLUSTER_FLAG_UPDATE,
            })
        }
    }
}

fn no_change(what: &str) -> ApiError {
    invalid_parameter(format!("No changes needed for the {what} provided"))
}

fn endpoint_change(cluster: &Cluster, vpc_config: &Value) -> Result<Asked, ApiError> {
    let network = &cluster.network;
    let before =
        if network.public_cidrs.is_empty() { vec!["0.0.0.0/0".to_owned()] } else { network.public_cidrs.clone() };
    let (public, private, cidrs) =
        checks::endpoint_access(vpc_config, network.endpoint_public, network.endpoint_private, &before)?;
    let public_cidrs = if public { cidrs } else { Vec::new() };
    if (public, private, &public_cidrs) == (network.endpoint_public, network.endpoint_private, &network.public_cidrs) {
        return Err(invalid_parameter(format!(
            "Cluster is already at the desired configuration with endpointPrivateAccess: {private} , endpointPublicAccess: {public}, and Public Endpoint Restrictions: [{}]",
            public_cidrs.join(", ")
        )));
    }
    Ok(Asked {
        kind: "EndpointAccessUpdate",
        params: vec![
            ("EndpointPublicAccess", public.to_string()),
            ("EndpointPrivateAccess", private.to_string()),
            ("PublicAccessCidrs", json!(public_cidrs).to_string()),
        ],
        change: ClusterChange::EndpointAccess { public, private, public_cidrs },
        takes: durations::CLUSTER_ENDPOINT_UPDATE,
    })
}

fn vpc_change(account: &Account, cluster: &Cluster, vpc_config: &Value) -> Result<Asked, ApiError> {
    let given = |member: &str, current: &Vec<String>| match vpc_config.get(member) {
        Some(Value::Array(_)) => texts(vpc_config, member),
        _ => current.clone(),
    };
    let network = &cluster.network;
    let subnet_ids = given("subnetIds", &network.subnet_ids);
    let security_group_ids = given("securityGroupIds", &network.security_group_ids);
    let vpc_id = checks::network(account, &subnet_ids, &security_group_ids)?;
    if vpc_id != network.vpc_id {
        return Err(invalid_parameter(format!(
            "Provided subnets belong to VPC {vpc_id}; the cluster is in {}",
            network.vpc_id
        )));
    }
    let (zones, made_in) = (checks::zones(account, &subnet_ids), checks::zones(account, &network.subnet_ids));
    if zones != made_in {
        let list = |zones: &std::collections::BTreeSet<String>| zones.iter().cloned().collect::<Vec<_>>().join(",");
        return Err(invalid_parameter(format!(
            "Provided subnets belong to the AZs '{}'. But they should be from the exact set of AZs '{}' in which subnets were provided during cluster creation.",
            list(&zones),
            list(&made_in)
        )));
    }
    if subnet_ids == network.subnet_ids && security_group_ids == network.security_group_ids {
        return Err(no_change("resourcesVpcConfig"));
    }
    Ok(Asked {
        kind: "VpcConfigUpdate",
        params: vec![
            ("Subnets", json!(subnet_ids).to_string()),
            ("SecurityGroups", json!(security_group_ids).to_string()),
        ],
        change: ClusterChange::Vpc { subnet_ids, security_group_ids },
        takes: durations::CLUSTER_ENDPOINT_UPDATE,
    })
}

/// The mode only goes from CONFIG_MAP over API_AND_CONFIG_MAP to API.
fn access_change(cluster: &Cluster, access: &Value) -> Result<Asked, ApiError> {
    let current = cluster.authentication_mode.as_str();
    let Some(mode) = choice(access, "authenticationMode", AUTHENTICATION_MODES)? else {
        return Err(invalid_parameter("authenticationMode can't be null"));
    };
    if mode == current {
        return Err(no_change("accessConfig"));
    }
    if !matches!((current, mode), ("CONFIG_MAP", "API_AND_CONFIG_MAP") | ("API_AND_CONFIG_MAP", "API")) {
        return Err(invalid_parameter(format!("Unsupported authentication mode update from {current} to {mode}")));
    }
    Ok(Asked {
        change: ClusterChange::AuthenticationMode(mode.to_owned()),
        kind: "AccessConfigUpdate",
        params: vec![("AuthenticationMode", mode.to_owned())],
        takes: durations::CLUSTER_CONFIG_UPDATE,
    })
}

fn upgrade_change(account: &Account, cluster: &Cluster, params: &Value) -> Result<Asked, ApiError> {
    let kind = support_type(params)?.ok_or_else(|| invalid_parameter("supportType can't be null"))?;
    if kind == cluster.support_type {
        return Err(no_change("upgradePolicy"));
    }
    let support = versions::find(&cluster.version).map(|it| it.support(account.now_ms));
    if kind == "STANDARD" && support != Some(Support::Standard) {
        return Err(invalid_parameter(format!(
            "Cluster {} is on Kubernetes {} in extended support: upgrade it before you change the support type to STANDARD",
            cluster.name, cluster.version
        )));
    }
    Ok(Asked {
        change: ClusterChange::SupportType(kind.to_owned()),
        kind: "UpgradePolicyUpdate",
        params: vec![("UpgradePolicy", json!({"supportType": kind}).to_string())],
        takes: durations::CLUSTER_FLAG_UPDATE,
    })
}

/// `UpdateClusterVersion`: one minor version up.
pub(super) fn version(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    run(account, params, "UpdateClusterVersion", "name", |account, cluster| {
        let version = required(params, "version")?;
        if version == cluster.version {
            return Err(invalid_parameter(format!("Cluster is already at version {version}")));
        }
        let support = versions::find(version).map(|it| it.support(account.now_ms));
        if matches!(support, None | Some(Support::Ended)) {
            return Err(invalid_parameter(format!("unsupported Kubernetes version {version}")));
        }
        let (from, to) = (minor_number(&cluster.version), minor_number(version));
        if from.map(|it| it + 1) != to {
            return Err(invalid_parameter(format!(
                "Unsupported Kubernetes minor version update from {} to {version}",
                cluster.version
            )));
        }
        // The kubelet may be three minor versions behind, not four.
        let behind = cluster
            .nodegroups
            .values()
            .find(|group| minor_number(&group.version).zip(to).is_some_and(|(old, new)| new > old + 3));
        if let Some(group) = behind {
            return Err(invalid_parameter(format!(
                "Nodegroup {} must be updated before updating cluster version",
                group.name
            )));
        }
        Ok(Asked {
            change: ClusterChange::Version(version.to_owned()),
            kind: "VersionUpdate",
            params: vec![
                ("Version", version.to_owned()),
                ("PlatformVersion", versions::find(version).map_or("eks.1", |it| it.platform).to_owned()),
            ],
            takes: durations::CLUSTER_VERSION_UPDATE,
        })
    })
}

/// `AssociateEncryptionConfig`: once, and for good.
pub(super) fn encryption(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    run(account, params, "AssociateEncryptionConfig", "clusterName", |account, cluster| {
        if cluster.encryption.is_some() {
            return Err(invalid_parameter("Encryption is already enabled for the cluster and cannot be changed"));
        }
        let encryption = checks::encryption(account, params)?
            .ok_or_else(|| invalid_parameter("encryptionConfig can't be null or empty"))?;
        Ok(Asked {
            change: ClusterChange::Encryption(encryption),
            kind: "AssociateEncryptionConfig",
            params: vec![("EncryptionConfig", params["encryptionConfig"].to_string())],
            takes: durations::CLUSTER_ENCRYPTION,
        })
    })
}

/// The common course: token, state of the cluster, checks, record, status.
fn run(
    account: &mut Account,
    params: &Value,
    operation: &str,
    member: &str,
    asked: impl FnOnce(&Account, &Cluster) -> Result<Asked, ApiError>,
) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, member)?;
    let name = cluster.name.clone();
    if let Some(answer) = cluster.tokens.replay(operation, params)? {
        return Ok(answer);
    }
    let named = |error: ApiError| error.with("clusterName", name.as_str());
    let asked = asked(account, cluster).map_err(named)?;
    check_free(account, cluster, asked.kind).map_err(named)?;
    let update = Update::begin(account, asked.kind, asked.params);
    let (low, high) = asked.takes;
    let due = account.draw_due(&format!("cluster/{name}"), "update", low, high);
    let answer = json!({"update": update.answer()});
    let cluster = params::cluster_mut(account, &name)?;
    cluster.status = Status::Updating;
    cluster.due_ms = Some(due);
    cluster.running = Some(Running { update_id: update.id.clone(), change: asked.change });
    cluster.tokens.remember(operation, params, &format!("update/{}", update.id), &answer);
    cluster.updates.insert(update.id.clone(), update);
    Ok(answer)
}

fn check_free(account: &Account, cluster: &Cluster, kind: &str) -> Result<(), ApiError> {
    let name = &cluster.name;
    if let Some(running) = &cluster.running {
        return Err(in_use(format!(
            "Cannot {kind} because cluster {name} currently has update {} in progress",
            running.update_id
        )));
    }
    if cluster.status != Status::Active {
        return Err(invalid_request(format!(
            "Cannot {kind} because cluster {name} is in status {}",
            cluster.status.as_str()
        )));
    }
    if account.now_ms < cluster.busy_until_ms {
        let last = cluster.updates.keys().next_back().map_or("", String::as_str);
        return Err(in_use(format!("Cannot {kind} because cluster {name} currently has update {last} in progress")));
    }
    Ok(())
}
