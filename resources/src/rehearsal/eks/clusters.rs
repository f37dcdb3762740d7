//! CreateCluster, DescribeCluster, ListClusters, DeleteCluster.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::super::ec2::{self, NewInterface, Tags};
use super::super::{Account, ApiError};
use super::access_entries;
use super::answers;
use super::certificate;
use super::cluster_checks as checks;
use super::durations;
use super::model::{Cluster, Endpoint, Network, Status};
use super::outside;
use super::params::{
    self, arn, check_name, choice, flag, in_use, invalid_parameter, invalid_request, limit_exceeded, page_of_names,
    required, text, texts,
};
use super::tokens::Tokens;
use super::versions::{self, DEFAULT_VERSION, Support};

/// EKS service quota L-1194D53C.
const MOST_CLUSTERS: usize = 100;

/// `CreateCluster`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    check_token(params)?;
    if let Some(answer) = account.eks.tokens.replay("CreateCluster", params)? {
        return Ok(answer);
    }
    let name = required(params, "name")?.to_owned();
    let mut cluster = checked(account, params, &name).map_err(|error| error.with("clusterName", name.as_str()))?;
    begin(account, &mut cluster)?;
    let answer = json!({"cluster": answers::cluster(&cluster)});
    account.eks.clusters.insert(name.clone(), cluster);
    connect(account, &name)?;
    account.eks.tokens.remember("CreateCluster", params, &format!("cluster/{name}"), &answer);
    Ok(answer)
}

/// CreateCluster wants a token of 33 to 126 characters.
fn check_token(params: &Value) -> Result<(), ApiError> {
    match text(params, "clientRequestToken") {
        Some(token) if !(33..=126).contains(&token.len()) => {
            Err(invalid_parameter("clientRequestToken must be between 33 and 126 characters long"))
        }
        _ => Ok(()),
    }
}

/// The cluster that the request asks for. Nothing is drawn or made yet.
fn checked(account: &Account, params: &Value, name: &str) -> Result<Cluster, ApiError> {
    check_room(account, name)?;
    let support_type = support_type(params)?.unwrap_or("EXTENDED").to_owned();
    let version = text(params, "version").unwrap_or(DEFAULT_VERSION).to_owned();
    check_version(account, &version, &support_type)?;
    let role_arn = required(params, "roleArn")?.to_owned();
    outside::check_cluster_role(account, &role_arn)?;
    let network = network(account, params)?;
    let access = params.get("accessConfig").cloned().unwrap_or(Value::Null);
    let mode = choice(&access, "authenticationMode", AUTHENTICATION_MODES)?;
    let encryption = checks::encryption(account, params)?;
    let zonal_shift = params.get("zonalShiftConfig").cloned().unwrap_or(Value::Null);
    Ok(Cluster {
        name: name.to_owned(),
        arn: arn(account, &format!("cluster/{name}")),
        version,
        role_arn,
        created_ms: account.now_ms,
        status: Status::Creating,
        due_ms: None,
        running: None,
        busy_until_ms: 0,
        network,
        logging: checks::logging(params, &BTreeSet::new())?,
        log_group_due_ms: None,
        encryption,
        // The API's default is CONFIG_MAP.
        authentication_mode: mode.unwrap_or("CONFIG_MAP").to_owned(),
        bootstrap_creator_admin: flag(&access, "bootstrapClusterCreatorAdminPermissions")?.unwrap_or(true),
        self_managed_addons: flag(params, "bootstrapSelfManagedAddons")?.unwrap_or(true),
        preserved_addons: BTreeSet::new(),
        support_type,
        deletion_protection: flag(params, "deletionProtection")?.unwrap_or(false),
        zonal_shift: flag(&zonal_shift, "enabled")?.unwrap_or(false),
        endpoint: Endpoint::default(),
        stands: false,
        issues: Vec::new(),
        tags: params::tags(params)?,
        client_request_token: text(params, "clientRequestToken").map(str::to_owned),
        nodegroups: IndexMap::new(),
        addons: IndexMap::new(),
        access_entries: IndexMap::new(),
        associations: IndexMap::new(),
        updates: IndexMap::new(),
        tokens: Tokens::default(),
    })
}

/// The name is free and the account can take another cluster.
fn check_room(account: &Account, name: &str) -> Result<(), ApiError> {
    check_name("cluster name", name, 100)?;
    if account.eks.clusters.contains_key(name) {
        return Err(in_use(format!("Cluster already exists with name: {name}")));
    }
    if account.eks.clusters.len() >= MOST_CLUSTERS {
        return Err(limit_exceeded(format!("Cluster limit of {MOST_CLUSTERS} exceeded for account.")));
    }
    Ok(())
}

/// Gives a checked cluster its endpoint, its end of creation and its creator's
/// access, and makes the service-linked role.
fn begin(account: &mut Account, cluster: &mut Cluster) -> Result<(), ApiError> {
    outside::ensure_service_linked(account, &["eks.amazonaws.com"]);
    cluster.endpoint = endpoint(account)?;
    let (low, high) = durations::CLUSTER_CREATE;
    let what = format!("cluster/{}", cluster.name);
    cluster.due_ms = Some(account.draw_due(&what, "create", low, high));
    if !cluster.logging.is_empty() {
        cluster.log_group_due_ms = Some(first_log(account));
    }
    if cluster.bootstrap_creator_admin && cluster.authentication_mode != "CONFIG_MAP" {
        access_entries::add_creator(account, cluster);
    }
    Ok(())
}

/// When the control plane writes its first line and EKS makes the log group.
pub(super) fn first_log(account: &mut Account) -> u64 {
    let (low, high) = durations::CLUSTER_FIRST_LOG;
    let wait = (low + (high - low) * account.draw()) * 1000.0;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let wait = wait as u64;
    account.now_ms + wait
}

pub(super) const AUTHENTICATION_MODES: &[&str] = &["API", "API_AND_CONFIG_MAP", "CONFIG_MAP"];

/// `upgradePolicy.supportType`.
pub(super) fn support_type(params: &Value) -> Result<Option<&str>, ApiError> {
    match params.get("upgradePolicy") {
        Some(policy) => choice(policy, "supportType", &["STANDARD", "EXTENDED"]),
        None => Ok(None),
    }
}

fn check_version(account: &Account, version: &str, support_type: &str) -> Result<(), ApiError> {
    match versions::find(version).map(|it| it.support(account.now_ms)) {
        None | Some(Support::Ended) => Err(invalid_parameter(format!("unsupported Kubernetes version {version}"))),
        Some(Support::Extended) if support_type == "STANDARD" => Err(invalid_parameter(format!(
            "Kubernetes version {version} is in extended support: a cluster on it needs the upgrade policy support type EXTENDED"
        ))),
        Some(_) => Ok(()),
    }
}

fn network(account: &Account, params: &Value) -> Result<Network, ApiError> {
    let vpc_config =
        params.get("resourcesVpcConfig").ok_or_else(|| invalid_parameter("resourcesVpcConfig can't be null"))?;
    let subnet_ids = texts(vpc_config, "subnetIds");
    let security_group_ids = texts(vpc_config, "securityGroupIds");
    let vpc_id = checks::network(account, &subnet_ids, &security_group_ids)?;
    let everywhere = ["0.0.0.0/0".to_owned()];
    let (endpoint_public, endpoint_private, public_cidrs) =
        checks::endpoint_access(vpc_config, true, false, &everywhere)?;
    Ok(Network {
        service_cidr: checks::service_cidr(account, params, &vpc_id)?,
        vpc_id,
        subnet_ids,
        security_group_ids,
        cluster_security_group_id: String::new(),
        endpoint_public,
        endpoint_private,
        public_cidrs: if endpoint_public { public_cidrs } else { Vec::new() },
    })
}

fn endpoint(account: &mut Account) -> Result<Endpoint, ApiError> {
    let id = account.draw_hex(32).to_uppercase();
    let region = account.region.clone();
    let certificate_authority = certificate::authority(account).map_err(|error| {
        ApiError::new(500, "ServerException", format!("The cluster's certificate authority could not be made: {error}"))
    })?;
    Ok(Endpoint {
        url: format!("https://{id}.gr7.{region}.eks.amazonaws.com"),
        issuer: format!("https://oidc.eks.{region}.amazonaws.com/id/{id}"),
        certificate_authority,
    })
}

/// Makes the cluster security group and the control plane's interfaces.
fn connect(account: &mut Account, name: &str) -> Result<(), ApiError> {
    let network = params::cluster_mut(account, name)?.network.clone();
    let number = account.draw_u64() % 10_000_000_000;
    let group_name = format!("eks-cluster-sg-{name}-{number}");
    let tags = Tags::from([
        ("Name".to_owned(), group_name.clone()),
        ("aws:eks:cluster-name".to_owned(), name.to_owned()),
        (format!("kubernetes.io/cluster/{name}"), "owned".to_owned()),
    ]);
    let group_id = ec2::create_owned_group(
        account,
        &network.vpc_id,
        &group_name,
        "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads.",
        tags,
    );
    params::cluster_mut(account, name)?.network.cluster_security_group_id = group_id;
    attach_interfaces(account, name)
}

/// One interface in each subnet, at most four, with the cluster's groups.
pub(super) fn attach_interfaces(account: &mut Account, name: &str) -> Result<(), ApiError> {
    let network = params::cluster_mut(account, name)?.network.clone();
    let mut groups = network.security_group_ids.clone();
    groups.push(network.cluster_security_group_id.clone());
    for subnet_id in network.subnet_ids.iter().take(4) {
        ec2::attach_interface(
            account,
            NewInterface {
                subnet_id,
                group_ids: &groups,
                description: format!("Amazon EKS {name}"),
                owner: Some(format!("cluster/{name}")),
                instance_id: None,
                tags: Tags::from([("cluster.k8s.amazonaws.com/name".to_owned(), name.to_owned())]),
            },
        )?;
    }
    Ok(())
}

/// `DescribeCluster`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "name")?;
    Ok(json!({"cluster": answers::cluster(cluster)}))
}

/// `ListClusters`.
pub(super) fn list(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    page_of_names(params, "clusters", account.eks.clusters.keys())
}

/// `DeleteCluster`. Addons, access entries and associations go with it.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = required(params, "name")?;
    let Some(cluster) = account.eks.clusters.get(name) else {
        // Seen in the wild in place of ResourceNotFoundException
        // (terraform-provider-aws, internal/service/eks/cluster.go).
        return Err(if account.draw() < 0.25 {
            ApiError::new(400, "ClientException", format!("No cluster found for name: {name}."))
        } else {
            params::no_cluster(name)
        });
    };
    if let Some(group) = cluster.nodegroups.keys().next() {
        return Err(in_use("Cluster has nodegroups attached")
            .with("clusterName", name)
            .with("nodegroupName", group.as_str()));
    }
    if cluster.deletion_protection {
        return Err(invalid_request(format!(
            "Cannot delete cluster {name}: deletion protection is enabled. Disable it with UpdateClusterConfig first."
        ))
        .with("clusterName", name));
    }
    match (cluster.status, &cluster.running) {
        (Status::Deleting, _) => return Ok(json!({"cluster": answers::cluster(cluster)})),
        (Status::Creating, _) => {
            return Err(in_use(format!("Cannot delete because cluster {name} currently has its creation in progress"))
                .with("clusterName", name));
        }
        (_, Some(running)) => {
            return Err(in_use(format!(
                "Cannot delete because cluster {name} currently has update {} in progress",
                running.update_id
            ))
            .with("clusterName", name));
        }
        _ => {}
    }
    let (low, high) = durations::CLUSTER_DELETE;
    let due = account.draw_due(&format!("cluster/{name}"), "delete", low, high);
    let cluster = params::cluster_mut(account, name)?;
    cluster.status = Status::Deleting;
    cluster.due_ms = Some(due);
    Ok(json!({"cluster": answers::cluster(cluster)}))
}
