//! The module's variables as a manifest. Each variable is written out, its default too, so
//! that the platform means the same whatever rayplat's defaults are or become.

use serde_json::{Map, Value, json};

use super::{FileError, TfObject, TfState, yaml};

/// A manifest, and what could not be said in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The manifest.
    pub yaml: String,
    /// What to look at.
    pub warnings: Vec<String>,
}

/// The variables that the manifest has a place for.
const KNOWN: [&str; 35] = [
    "cluster_name",
    "region",
    "environment",
    "tags",
    "repo_name",
    "commit_sha",
    "vpc_id",
    "subnet_ids",
    "kubernetes_version",
    "cluster_endpoint_public_access",
    "kms_key_arn",
    "enable_cloudwatch_logs",
    "log_retention_days",
    "enable_oidc_thumbprint_management",
    "eks_addons",
    "enable_ebs_csi_driver",
    "cpu_node_instance_types",
    "cpu_node_min_size",
    "cpu_node_desired_size",
    "cpu_node_max_size",
    "cpu_capacity_type",
    "enable_gpu_nodes",
    "gpu_node_instance_types",
    "gpu_node_min_size",
    "gpu_node_desired_size",
    "gpu_node_max_size",
    "gpu_capacity_type",
    "enable_gpu_ondemand_fallback",
    "gpu_ondemand_fallback_instance_types",
    "gpu_ondemand_fallback_min_size",
    "gpu_ondemand_fallback_desired_size",
    "gpu_ondemand_fallback_max_size",
    "enable_cluster_autoscaler",
    "enable_velero",
    "velero_backup_schedule",
];

/// Writes the manifest of these variables. `adopt` fits it to a platform that the module has
/// made: what it did not have is switched off. `state` says better than the variables what
/// stands.
///
/// # Errors
/// A variable of the wrong type.
pub fn write(variables: &Map<String, Value>, state: Option<&TfState>, adopt: bool) -> Result<Written, FileError> {
    let mut writer = Writer { variables, facts: Facts::of(state), adopt, warnings: Vec::new() };
    let mut root = Map::new();
    root.insert("#head".to_owned(), head(adopt).into());
    for (name, value) in variables.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())) {
        root.insert(format!("#{name}"), format!("not a variable of the module, left out: {name} = {value}").into());
        writer.warnings.push(format!("`{name}` is not a variable of the module: it is left out"));
    }
    root.insert("name".to_owned(), writer.text("cluster_name", "ray-ml-cluster")?.into());
    root.insert("region".to_owned(), writer.text("region", "us-east-1")?.into());
    root.insert("environment".to_owned(), writer.text("environment", "production")?.into());
    root.insert("tags".to_owned(), writer.tags()?);
    root.insert("network".to_owned(), writer.network()?);
    root.insert("cluster".to_owned(), writer.cluster()?);
    root.insert("node_pools".to_owned(), writer.pools()?);
    root.insert("addons".to_owned(), writer.addons()?);
    root.insert("autoscaler".to_owned(), writer.autoscaler()?);
    writer.velero(&mut root)?;
    if adopt {
        let text = "What Helm put into the cluster for the module stays Helm's: objects of those names are not taken over.\n\
                    Uninstall its releases and take this away, and rayplat installs KubeRay and Ray itself.";
        root.insert("#kubernetes".to_owned(), text.into());
        root.insert("kubernetes".to_owned(), json!({"enabled": false}));
    }
    Ok(Written { yaml: yaml::write(&Value::Object(root)), warnings: writer.warnings })
}

fn head(adopt: bool) -> &'static str {
    if adopt {
        "The platform that the Terraform module made, as it stands. What it did not have is switched off:\n\
         switch it on when you want it. `rayplat import --tfstate FILE` adopts what stands."
    } else {
        "The platform that the Terraform module's variables describe. `rayplat schema` has every field."
    }
}

/// What the state says of the platform.
#[derive(Default)]
struct Facts<'s> {
    state: Option<&'s TfState>,
    cluster: Option<&'s TfObject>,
}

impl<'s> Facts<'s> {
    fn of(state: Option<&'s TfState>) -> Self {
        let cluster = state.and_then(|state| state.find("aws_eks_cluster", "main").next());
        Self { state, cluster }
    }

    /// The objects of a type in the cluster's module.
    fn all(&self, kind: &'s str) -> impl Iterator<Item = &'s TfObject> {
        let module = self.cluster.map(|cluster| cluster.module.as_str());
        let objects = self.state.into_iter().flat_map(|state| &state.objects);
        objects.filter(move |object| object.kind == kind && !object.deposed && Some(object.module.as_str()) == module)
    }

    /// `None` where nothing is known of the cluster.
    fn has(&self, kind: &'s str, name: &str) -> Option<bool> {
        self.cluster.map(|_| self.all(kind).any(|object| object.name == name))
    }

    fn cluster_text(&self, path: &str) -> Option<&'s str> {
        self.cluster.and_then(|cluster| cluster.text(path))
    }

    /// The names of the AWS-managed policies of a role, ARNs of others.
    fn policies(&self, role: &str) -> Option<Vec<String>> {
        let name = self.all("aws_iam_role").find(|object| object.name == role)?.text("name")?;
        let attached = self.all("aws_iam_role_policy_attachment").filter(|object| object.text("role") == Some(name));
        let policies = attached
            .filter_map(|object| object.text("policy_arn"))
            .map(|arn| arn.split_once(":iam::aws:policy/").map_or(arn, |(_, policy)| policy).to_owned());
        let mut policies: Vec<String> = policies.collect();
        policies.sort();
        Some(policies)
    }
}

struct Writer<'v> {
    variables: &'v Map<String, Value>,
    facts: Facts<'v>,
    adopt: bool,
    warnings: Vec<String>,
}

impl Writer<'_> {
    fn given(&self, name: &str) -> Option<&Value> {
        self.variables.get(name).filter(|value| !value.is_null())
    }

    fn wrong<T>(name: &str, expected: &str, found: &Value) -> Result<T, FileError> {
        let message = format!("`{name}` must be {expected}, not {found}");
        Err(FileError::new(message, "Terraform would refuse it too: set it right in the file."))
    }

    fn text(&self, name: &str, default: &str) -> Result<String, FileError> {
        match self.given(name) {
            None => Ok(default.to_owned()),
            Some(Value::String(text)) => Ok(text.clone()),
            // Terraform makes texts of numbers: 1.31 is "1.31".
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(other) => Self::wrong(name, "a text", other),
        }
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool, FileError> {
        match self.given(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text == "true" || text == "false" => Ok(text == "true"),
            Some(other) => Self::wrong(name, "true or false", other),
        }
    }

    fn number(&self, name: &str, default: u64) -> Result<u64, FileError> {
        let Some(value) = self.given(name) else { return Ok(default) };
        let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        number.map_or_else(|| Self::wrong(name, "a number of 0 or more", value), Ok)
    }

    fn texts(&self, name: &str, default: &[&str]) -> Result<Vec<String>, FileError> {
        let Some(value) = self.given(name) else { return Ok(default.iter().map(|text| (*text).to_owned()).collect()) };
        let texts = value
            .as_array()
            .and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>());
        texts.map_or_else(|| Self::wrong(name, "a list of texts", value), Ok)
    }

    fn map(&self, name: &str, default: Value) -> Result<Map<String, Value>, FileError> {
        match self.given(name).cloned().unwrap_or(default) {
            Value::Object(map) => Ok(map),
            other => Self::wrong(name, "a map", &other),
        }
    }

    fn tags(&self) -> Result<Value, FileError> {
        let mut tags = Map::new();
        let given = json!({"Service": "Ray-ML-Platform", "Repository": "Terraform-Driven-Ray-on-Kubernetes-Platform"});
        for (key, value) in self.map("tags", given)? {
            // Who manages it is no longer Terraform; rayplat says so itself.
            if key != "ManagedBy" {
                tags.insert(key, value.as_str().map_or_else(|| value.to_string(), str::to_owned).into());
            }
        }
        for (variable, tag) in [("repo_name", "Repository"), ("commit_sha", "Commit")] {
            let text = self.text(variable, "unknown")?;
            if text != "unknown" {
                tags.insert(tag.to_owned(), text.into());
            }
        }
        Ok(Value::Object(tags))
    }

    fn network(&mut self) -> Result<Value, FileError> {
        let subnets = self.facts.cluster.and_then(|cluster| cluster.get("vpc_config.0.subnet_ids")).cloned();
        let vpc = self.facts.cluster_text("vpc_config.0.vpc_id").unwrap_or_default();
        let vpc = self.text("vpc_id", vpc)?;
        let subnets = match self.given("subnet_ids") {
            Some(_) => self.texts("subnet_ids", &[])?.into(),
            None => subnets.unwrap_or_else(|| json!([])),
        };
        let mut network = Map::new();
        if vpc.is_empty() || subnets.as_array().is_none_or(Vec::is_empty) {
            let missing = "network.vpc_id and network.subnet_ids are not in the file: put yours in";
            self.warnings.push(missing.to_owned());
            network.insert("#missing".to_owned(), "put yours in: they are not among the variables".into());
        }
        let dummy = |number: u8| format!("subnet-0123456789abcdef{number}");
        network.insert("vpc_id".to_owned(), if vpc.is_empty() { "vpc-0123456789abcdef0".into() } else { vpc.into() });
        let given = subnets.as_array().is_some_and(|subnets| !subnets.is_empty());
        network.insert("subnet_ids".to_owned(), if given { subnets } else { json!([dummy(0), dummy(1)]) });
        Ok(Value::Object(network))
    }

    fn cluster(&self) -> Result<Value, FileError> {
        let facts = &self.facts;
        let version = self.text("kubernetes_version", "1.31")?;
        // What EKS says is right: it upgrades clusters by itself.
        let version = facts.cluster_text("version").filter(|_| self.adopt).unwrap_or(&version).to_owned();
        let support = facts.cluster_text("upgrade_policy.0.support_type").unwrap_or("EXTENDED").to_lowercase();
        let mut cluster = Map::new();
        cluster.insert("kubernetes_version".to_owned(), version.into());
        cluster.insert(
            "#support".to_owned(),
            "EKS's own default, which the module left as it is; `standard` costs less".into(),
        );
        cluster.insert("support".to_owned(), support.into());
        let public = self.flag("cluster_endpoint_public_access", false)?;
        let mut endpoint = json!({"public": public, "private": true});
        let cidrs = facts.cluster.and_then(|cluster| cluster.get("vpc_config.0.public_access_cidrs"));
        if let Some(cidrs) = cidrs.filter(|cidrs| public && **cidrs != json!(["0.0.0.0/0"]) && **cidrs != json!([])) {
            endpoint["public_cidrs"] = cidrs.clone();
        }
        cluster.insert("endpoint".to_owned(), endpoint);
        self.secrets(&mut cluster)?;
        let logs = json!({
            "enabled": self.flag("enable_cloudwatch_logs", true)?,
            "retention_days": self.number("log_retention_days", 365)?,
        });
        cluster.insert("logs".to_owned(), logs);
        let managed = self.flag("enable_oidc_thumbprint_management", false)?;
        cluster.insert("oidc".to_owned(), json!({"manage_thumbprint": managed}));
        if self.adopt {
            self.as_it_stands(&mut cluster)?;
        }
        Ok(Value::Object(cluster))
    }

    fn secrets(&self, cluster: &mut Map<String, Value>) -> Result<(), FileError> {
        let given = self.text("kms_key_arn", "")?;
        let found = self.facts.cluster_text("encryption_config.0.provider.0.key_arn");
        let own = self.facts.has("aws_kms_key", "eks");
        match (given.as_str(), own, found) {
            ("", Some(false), Some(arn)) if self.adopt => {
                cluster.insert("secrets_key_arn".to_owned(), arn.into());
            }
            ("", Some(false), None) if self.adopt => {
                cluster.insert("secrets_encryption".to_owned(), false.into());
            }
            ("", _, _) => {}
            (arn, _, _) => {
                cluster.insert("secrets_key_arn".to_owned(), arn.into());
            }
        }
        Ok(())
    }

    /// What the module left as AWS makes it.
    fn as_it_stands(&self, cluster: &mut Map<String, Value>) -> Result<(), FileError> {
        let mode = self.facts.cluster_text("access_config.0.authentication_mode").unwrap_or("CONFIG_MAP");
        cluster.insert(
            "#mode".to_owned(),
            "who may enter is in the aws-auth ConfigMap; `api_and_config_map`, then `api`, moves to access entries"
                .into(),
        );
        cluster.insert("authentication_mode".to_owned(), mode.to_lowercase().into());
        let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let of_cluster = || strings(&["AmazonEKSClusterPolicy", "AmazonEKSVPCResourceController"]);
        cluster.insert("role_policies".to_owned(), self.facts.policies("cluster").unwrap_or_else(of_cluster).into());
        let mut of_node =
            strings(&["AmazonEC2ContainerRegistryReadOnly", "AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy"]);
        if self.flag("enable_ebs_csi_driver", true)? {
            of_node.push("service-role/AmazonEBSCSIDriverPolicy".to_owned());
        }
        cluster.insert("node_role_policies".to_owned(), self.facts.policies("node").unwrap_or(of_node).into());
        Ok(())
    }

    fn pools(&self) -> Result<Value, FileError> {
        let mut pools = Map::new();
        let spot = |capacity: &str| capacity.eq_ignore_ascii_case("SPOT");
        let capacity = self.text("cpu_capacity_type", "ON_DEMAND")?;
        let mut cpu = json!({
            "instance_types": self.texts("cpu_node_instance_types", &["m6g.xlarge", "m6g.2xlarge"])?,
            "capacity": capacity.to_lowercase(),
            "min": self.number("cpu_node_min_size", 2)?,
            "desired": self.number("cpu_node_desired_size", 3)?,
            "max": self.number("cpu_node_max_size", 10)?,
            "labels": labels("cpu", "general"),
        });
        if spot(&capacity) {
            cpu["fallback"] = json!({"enabled": false});
        }
        pools.insert("cpu".to_owned(), cpu);
        let has_gpu = self.facts.has("aws_eks_node_group", "gpu_workers").filter(|_| self.adopt);
        if has_gpu.map_or_else(|| self.flag("enable_gpu_nodes", true), Ok)? {
            pools.insert("gpu".to_owned(), self.gpu_pool(spot)?);
        }
        Ok(Value::Object(pools))
    }

    fn gpu_pool(&self, spot: impl Fn(&str) -> bool) -> Result<Value, FileError> {
        let capacity = self.text("gpu_capacity_type", "SPOT")?;
        let mut gpu = json!({
            "instance_types": self.texts("gpu_node_instance_types", &["g4dn.xlarge", "g4dn.2xlarge"])?,
            "capacity": capacity.to_lowercase(),
            "min": self.number("gpu_node_min_size", 0)?,
            "desired": self.number("gpu_node_desired_size", 0)?,
            "max": self.number("gpu_node_max_size", 5)?,
            "labels": labels("gpu", "gpu-intensive"),
        });
        if spot(&capacity) {
            let stands = self.facts.has("aws_eks_node_group", "gpu_ondemand_fallback").filter(|_| self.adopt);
            gpu["fallback"] = if stands.map_or_else(|| self.flag("enable_gpu_ondemand_fallback", true), Ok)? {
                json!({
                    "instance_types": self.texts("gpu_ondemand_fallback_instance_types", &["g4dn.xlarge"])?,
                    "min": self.number("gpu_ondemand_fallback_min_size", 0)?,
                    "desired": self.number("gpu_ondemand_fallback_desired_size", 0)?,
                    "max": self.number("gpu_ondemand_fallback_max_size", 1)?,
                })
            } else {
                json!({"enabled": false})
            };
        }
        Ok(gpu)
    }

    fn addons(&mut self) -> Result<Value, FileError> {
        let given = self.map("eks_addons", default_addons())?;
        let stands: Option<Vec<&str>> = self
            .facts
            .cluster
            .filter(|_| self.adopt)
            .map(|_| self.facts.all("aws_eks_addon").filter_map(|object| object.text("addon_name")).collect());
        let mut addons = Map::new();
        for name in
            ["vpc-cni", "kube-proxy", "eks-pod-identity-agent", "coredns", "aws-ebs-csi-driver", "metrics-server"]
        {
            let there = match &stands {
                Some(stands) => stands.contains(&name),
                None => given.contains_key(name),
            };
            let there = match name {
                // Without adopting, what the variable stood for: volumes for pods, and the
                // agent that gives the driver its role.
                "aws-ebs-csi-driver" if !self.adopt => there || self.flag("enable_ebs_csi_driver", true)?,
                "eks-pod-identity-agent" if !self.adopt => true,
                _ => there,
            };
            let addon = if there { self.addon(name, given.get(name))? } else { json!({"enabled": false}) };
            addons.insert(name.to_owned(), addon);
        }
        for name in given.keys().filter(|name| !addons.contains_key(*name)) {
            self.warnings.push(format!("rayplat does not install the add-on {name}: it stays unmanaged"));
        }
        Ok(Value::Object(addons))
    }

    fn addon(&mut self, name: &str, given: Option<&Value>) -> Result<Value, FileError> {
        let mut addon = json!({"enabled": true});
        let get = |key: &str| given.and_then(|given| given.get(key)).and_then(Value::as_str);
        if let Some(version) = get("addon_version") {
            addon["version"] = version.into();
        }
        if let Some(text) = get("configuration_values") {
            let configuration: Value = serde_json::from_str(text).map_err(|error| {
                FileError::new(
                    format!("eks_addons.{name}.configuration_values is not JSON: {error}"),
                    "Set it right in the file, or leave it out and write it into the manifest.",
                )
            })?;
            let fixed = name == "coredns" && configuration.get("replicaCount").is_some();
            addon["configuration"] = configuration;
            if fixed && addon["configuration"].get("autoScaling").is_none() {
                // A fixed number of replicas and autoscaling exclude each other.
                addon["configuration"]["autoScaling"] = Value::Null;
            }
        }
        if get("service_account_role_arn").is_some() {
            let text =
                format!("eks_addons.{name}.service_account_role_arn has no place: rayplat makes the add-on's role");
            self.warnings.push(text);
        }
        if self.adopt && matches!(name, "vpc-cni" | "aws-ebs-csi-driver") {
            addon["own_role"] = false.into();
        }
        Ok(addon)
    }

    fn autoscaler(&mut self) -> Result<Value, FileError> {
        let stands = self.facts.has("aws_iam_role", "cluster_autoscaler").filter(|_| self.adopt);
        let enabled = stands.map_or_else(|| self.flag("enable_cluster_autoscaler", true), Ok)?;
        let mut autoscaler = json!({"enabled": enabled});
        let mut policies = self.facts.all("aws_iam_policy").filter(|object| object.name == "cluster_autoscaler");
        match policies.next().and_then(|object| object.text("arn")) {
            Some(arn) if self.adopt && enabled => autoscaler["policy_arn"] = arn.into(),
            None if self.adopt && enabled => {
                let text = "autoscaler.policy_arn: put in the ARN of the module's autoscaler policy, or rayplat writes one of its own";
                self.warnings.push(text.to_owned());
            }
            _ => {}
        }
        Ok(autoscaler)
    }

    fn velero(&mut self, root: &mut Map<String, Value>) -> Result<(), FileError> {
        if !self.flag("enable_velero", false)? {
            return Ok(());
        }
        let schedule = self.text("velero_backup_schedule", "0 2 * * *")?;
        if self.adopt {
            let text = format!("Velero goes on as it is (schedule {schedule}), with its bucket and role, unmanaged");
            root.insert("#velero".to_owned(), text.clone().into());
            self.warnings.push(text);
        } else {
            root.insert("backup".to_owned(), json!({"enabled": true, "schedule": schedule}));
        }
        Ok(())
    }
}

/// What workloads select nodes by.
fn labels(resource: &str, workload: &str) -> Value {
    json!({
        "role": format!("{resource}-worker"),
        "workload-type": workload,
        "ray.io/node-type": "worker",
        "ray.io/resource-type": resource,
    })
}

/// The module's default of `eks_addons`.
fn default_addons() -> Value {
    let resources =
        json!({"limits": {"cpu": "200m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}});
    let coredns = json!({"replicaCount": 4, "resources": resources}).to_string();
    let vpc_cni = json!({"env": {"ENABLE_PREFIX_DELEGATION": "true"}}).to_string();
    json!({
        "vpc-cni": {"configuration_values": vpc_cni},
        "kube-proxy": {},
        "coredns": {"configuration_values": coredns},
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::platform::manifest::{self as platform, ResolvedPool};

    fn variables(text: &str) -> Map<String, Value> {
        super::super::parse_tfvars(text).unwrap()
    }

    fn loaded(written: &Written) -> platform::Resolved {
        let today = "2026-06-01".parse().unwrap();
        let loaded = platform::load("rayplat.yaml", written.yaml.as_bytes(), today);
        loaded.unwrap_or_else(|found| panic!("{found}\n{}", written.yaml)).manifest
    }

    const NETWORK: &str = "vpc_id = \"vpc-0abcd1234ef567890\"\n\
                           subnet_ids = [\"subnet-0123456789abcdef0\", \"subnet-0123456789abcdef1\"]\n";
    const VERSION: &str = "kubernetes_version = \"1.33\"\n";

    fn sizes(pool: &ResolvedPool) -> (u32, u32, u32) {
        (pool.min, pool.desired, pool.max)
    }

    #[test]
    fn the_modules_defaults_mean_the_same() {
        let text = format!("{NETWORK}{VERSION}");
        let written = write(&variables(&text), None, false).unwrap();
        assert_eq!(written.warnings, Vec::<String>::new());
        let manifest = loaded(&written);
        assert_eq!((manifest.name.as_str(), manifest.region.as_str()), ("ray-ml-cluster", "us-east-1"));
        assert!(write(&variables(NETWORK), None, false).unwrap().yaml.contains("kubernetes_version: \"1.31\""));
        assert_eq!(manifest.cluster.logs.retention_days, 365);
        let (cpu, gpu) = (&manifest.node_pools["cpu"], &manifest.node_pools["gpu"]);
        assert_eq!((cpu.instance_types.len(), sizes(cpu)), (2, (2, 3, 10)));
        assert_eq!((gpu.capacity, sizes(gpu)), (platform::types::Capacity::Spot, (0, 0, 5)));
        let fallback = gpu.fallback.as_ref().unwrap();
        assert_eq!((fallback.instance_types.clone(), fallback.max), (vec!["g4dn.xlarge".to_owned()], 1));
        assert_eq!(manifest.addons["coredns"].configuration["replicaCount"], json!(4));
        assert!(!manifest.addons["coredns"].configuration.contains_key("autoScaling"));
        assert!(manifest.addons.contains_key("aws-ebs-csi-driver"));
        assert!(!manifest.tags.contains_key("ManagedBy"));
    }

    #[test]
    fn every_variable_has_its_place() {
        let text = format!(
            "{NETWORK}
            cluster_name = \"ours\"
            region = \"eu-west-1\"
            environment = \"dev\"
            tags = {{ Team = \"ml\", ManagedBy = \"Terraform\" }}
            repo_name = \"a/b\"
            commit_sha = \"unknown\"
            kubernetes_version = \"1.33\"
            cluster_endpoint_public_access = true
            kms_key_arn = \"arn:aws:kms:eu-west-1:111122223333:key/1234\"
            enable_cloudwatch_logs = false
            log_retention_days = 30
            enable_oidc_thumbprint_management = true
            eks_addons = {{ vpc-cni = {{}}, kube-proxy = {{}}, coredns = {{ addon_version = \"v1.11.4-eksbuild.2\" }}, snapshot-controller = {{}} }}
            enable_ebs_csi_driver = false
            cpu_node_instance_types = [\"m5.xlarge\"]
            cpu_node_min_size = 1
            cpu_node_desired_size = \"2\"
            cpu_node_max_size = 4
            cpu_capacity_type = \"SPOT\"
            enable_gpu_nodes = true
            gpu_node_instance_types = [\"g5.xlarge\"]
            gpu_node_min_size = 1
            gpu_node_desired_size = 1
            gpu_node_max_size = 3
            gpu_capacity_type = \"ON_DEMAND\"
            enable_cluster_autoscaler = false
            enable_velero = true
            velero_backup_schedule = \"0 3 * * *\"
            vpc_cidr = \"10.0.0.0/16\"
            "
        );
        let written = write(&variables(&text), None, false).unwrap();
        let manifest = loaded(&written);
        assert_eq!((manifest.name.as_str(), manifest.region.as_str()), ("ours", "eu-west-1"));
        assert_eq!(manifest.environment, platform::types::Environment::Dev);
        assert_eq!(manifest.tags, [("Repository", "a/b"), ("Team", "ml")].map(|(k, v)| (k.into(), v.into())).into());
        let cluster = &manifest.cluster;
        assert_eq!((cluster.kubernetes_version.as_str(), cluster.endpoint.public), ("1.33", true));
        assert_eq!(cluster.secrets_key_arn.as_deref(), Some("arn:aws:kms:eu-west-1:111122223333:key/1234"));
        assert_eq!((cluster.logs.enabled, cluster.logs.retention_days), (false, 30));
        assert!(cluster.oidc.manage_thumbprint);
        let (cpu, gpu) = (&manifest.node_pools["cpu"], &manifest.node_pools["gpu"]);
        assert_eq!((sizes(cpu), cpu.fallback.is_none()), ((1, 2, 4), true));
        assert_eq!((sizes(gpu), gpu.instance_types.clone()), ((1, 1, 3), vec!["g5.xlarge".to_owned()]));
        assert_eq!(manifest.addons["coredns"].version.as_deref(), Some("v1.11.4-eksbuild.2"));
        assert!(!manifest.addons.contains_key("aws-ebs-csi-driver"));
        assert!(!manifest.autoscaler.enabled);
        assert_eq!((manifest.backup.enabled, manifest.backup.schedule.as_str()), (true, "0 3 * * *"));
        let warned = ["`vpc_cidr` is not a variable", "does not install the add-on snapshot-controller"];
        assert_eq!(written.warnings.len(), warned.len(), "{:?}", written.warnings);
        for (warning, says) in written.warnings.iter().zip(warned) {
            assert!(warning.contains(says), "{warning}");
        }
        assert!(written.yaml.contains("# not a variable of the module, left out: vpc_cidr = \"10.0.0.0/16\""));
    }

    #[test]
    fn without_gpu_nodes_there_is_no_pool_and_without_a_network_a_warning() {
        let written = write(&variables(&format!("{VERSION}enable_gpu_nodes = false")), None, false).unwrap();
        assert_eq!(loaded(&written).node_pools.keys().collect::<Vec<_>>(), ["cpu"]);
        assert!(written.warnings[0].contains("network.vpc_id"), "{:?}", written.warnings);
    }

    #[test]
    fn what_the_module_did_not_have_is_off_when_it_is_adopted() {
        let manifest = loaded(&write(&variables(&format!("{NETWORK}{VERSION}")), None, true).unwrap());
        assert_eq!(manifest.cluster.authentication_mode, platform::types::AuthenticationMode::ConfigMap);
        assert_eq!(manifest.addons.keys().collect::<Vec<_>>(), ["coredns", "kube-proxy", "vpc-cni"]);
        assert_eq!(manifest.addons["vpc-cni"].identity, None);
        assert_eq!(manifest.cluster.role_policies.len(), 2);
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named() {
        for (text, says) in [
            ("cpu_node_min_size = true", "`cpu_node_min_size` must be a number of 0 or more, not true"),
            ("cpu_node_min_size = -1", "must be a number of 0 or more"),
            ("subnet_ids = \"subnet-1\"", "`subnet_ids` must be a list of texts"),
            ("enable_gpu_nodes = 1", "`enable_gpu_nodes` must be true or false, not 1"),
            ("tags = []", "`tags` must be a map"),
            ("region = []", "`region` must be a text"),
            ("eks_addons = { coredns = { configuration_values = \"{\" } }", "configuration_values is not JSON"),
        ] {
            let error = write(&variables(text), None, false).unwrap_err();
            assert!(error.to_string().contains(says), "{text}: {error}");
        }
    }
}
