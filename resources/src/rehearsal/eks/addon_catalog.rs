//! The addons that EKS offers, with their versions.

use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::params::{self, invalid_parameter, text, texts};
use super::versions::{KUBERNETES_VERSIONS, minor_number};

/// One addon.
pub(super) struct Offer {
    pub name: &'static str,
    /// E.g. `networking`.
    kind: &'static str,
    /// Where its pods run.
    pub namespace: &'static str,
    /// Part of it is a Deployment, whose replicas need a node without taints.
    pub needs_nodes: bool,
    /// True when it calls AWS and so wants a role.
    needs_role: bool,
    /// Its service account.
    service_account: &'static str,
    /// The managed policy that EKS recommends for that role.
    policy: Option<&'static str>,
    /// Newest first.
    versions: &'static [OfferedVersion],
}

/// One version, for the Kubernetes minors from `first` to `last`.
struct OfferedVersion {
    name: &'static str,
    first: u32,
    last: u32,
    /// The default of these minors.
    default: bool,
}

const fn version(name: &'static str, first: u32, last: u32, default: bool) -> OfferedVersion {
    OfferedVersion { name, first, last, default }
}

/// Plausible releases of November 2026 in the naming of EKS's own
/// (`v<upstream>-eksbuild.<n>`); only their order and their minors matter here.
const OFFERS: &[Offer] = &[
    Offer {
        name: "vpc-cni",
        kind: "networking",
        namespace: "kube-system",
        needs_nodes: false,
        needs_role: true,
        service_account: "aws-node",
        policy: Some("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"),
        versions: &[
            version("v1.21.1-eksbuild.3", 31, 36, false),
            version("v1.21.1-eksbuild.1", 31, 36, true),
            version("v1.20.4-eksbuild.2", 31, 35, false),
        ],
    },
    Offer {
        name: "kube-proxy",
        kind: "networking",
        namespace: "kube-system",
        needs_nodes: false,
        needs_role: false,
        service_account: "kube-proxy",
        policy: None,
        versions: &[
            version("v1.36.1-eksbuild.2", 36, 36, true),
            version("v1.35.3-eksbuild.5", 35, 36, false),
            version("v1.35.0-eksbuild.2", 35, 36, true),
            version("v1.34.3-eksbuild.5", 34, 36, true),
            version("v1.33.7-eksbuild.2", 33, 36, true),
            version("v1.32.11-eksbuild.2", 32, 35, true),
            version("v1.31.14-eksbuild.2", 31, 34, true),
        ],
    },
    Offer {
        name: "coredns",
        kind: "networking",
        namespace: "kube-system",
        needs_nodes: true,
        needs_role: false,
        service_account: "coredns",
        policy: None,
        versions: &[
            version("v1.13.2-eksbuild.3", 35, 36, false),
            version("v1.13.2-eksbuild.1", 35, 36, true),
            version("v1.12.4-eksbuild.1", 33, 36, true),
            version("v1.11.4-eksbuild.28", 31, 34, true),
        ],
    },
    Offer {
        name: "eks-pod-identity-agent",
        kind: "security",
        namespace: "kube-system",
        needs_nodes: false,
        needs_role: false,
        service_account: "eks-pod-identity-agent",
        policy: None,
        versions: &[version("v1.3.10-eksbuild.2", 31, 36, true), version("v1.3.9-eksbuild.5", 31, 36, false)],
    },
    Offer {
        name: "aws-ebs-csi-driver",
        kind: "storage",
        namespace: "kube-system",
        needs_nodes: true,
        needs_role: true,
        service_account: "ebs-csi-controller-sa",
        policy: Some("arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"),
        versions: &[version("v1.55.0-eksbuild.2", 31, 36, true), version("v1.54.0-eksbuild.1", 31, 36, false)],
    },
    Offer {
        name: "metrics-server",
        kind: "observability",
        namespace: "kube-system",
        needs_nodes: true,
        needs_role: false,
        service_account: "metrics-server",
        policy: None,
        versions: &[version("v0.8.1-eksbuild.1", 31, 36, true), version("v0.8.0-eksbuild.6", 31, 36, false)],
    },
];

/// The addon of that name.
pub(super) fn find(name: &str) -> Option<&'static Offer> {
    OFFERS.iter().find(|offer| offer.name == name)
}

impl Offer {
    /// The version that a request means for a cluster: the asked one if it fits,
    /// else the minor's default.
    ///
    /// # Errors
    /// `InvalidParameterException`: no such version, or not for this minor.
    pub(super) fn choose(&self, asked: Option<&str>, cluster_version: &str) -> Result<String, ApiError> {
        let minor = minor_number(cluster_version).unwrap_or_default();
        let fits = |version: &&OfferedVersion| (version.first..=version.last).contains(&minor);
        let chosen = match asked {
            Some(asked) => self.versions.iter().filter(fits).find(|it| it.name == asked),
            None => self.default(minor),
        };
        chosen
            .map(|version| version.name.to_owned())
            .ok_or_else(|| invalid_parameter("Addon version specified is not supported"))
    }

    /// The default is the newest version that is marked so and fits.
    fn default(&self, minor: u32) -> Option<&OfferedVersion> {
        self.versions.iter().find(|it| it.default && (it.first..=it.last).contains(&minor))
    }

    /// True if the addon has this version at all.
    pub(super) fn has(&self, version: &str) -> bool {
        self.versions.iter().any(|it| it.name == version)
    }

    /// `podIdentityConfiguration` of DescribeAddonConfiguration.
    pub(super) fn pod_identity(&self) -> Value {
        self.policy
            .map(|policy| json!({"serviceAccount": self.service_account, "recommendedManagedPolicies": [policy]}))
            .into_iter()
            .collect()
    }
}

/// `DescribeAddonVersions`.
pub(super) fn describe_versions(_account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = text(params, "addonName");
    if let Some(name) = name
        && find(name).is_none()
    {
        return Err(params::not_found(format!("Addon {name} is not supported.")).with("addonName", name));
    }
    let minor = match text(params, "kubernetesVersion") {
        None => None,
        Some(version) => Some(
            KUBERNETES_VERSIONS
                .iter()
                .find(|it| it.minor == version)
                .and_then(|it| minor_number(it.minor))
                .ok_or_else(|| invalid_parameter(format!("Unsupported Kubernetes version {version}")))?,
        ),
    };
    let types = texts(params, "types");
    let all = |member: &str, value: &str| {
        let wanted = texts(params, member);
        wanted.is_empty() || wanted.iter().any(|it| it == value)
    };
    let mut items = Vec::new();
    for offer in OFFERS {
        let shown = name.is_none_or(|name| name == offer.name)
            && (types.is_empty() || types.iter().any(|kind| kind == offer.kind))
            && all("owners", "aws")
            && all("publishers", "eks");
        let versions = offered(offer, minor);
        if shown && !versions.is_empty() {
            items.push((
                offer.name.to_owned(),
                json!({
                    "addonName": offer.name,
                    "type": offer.kind,
                    "owner": "aws",
                    "publisher": "eks",
                    "defaultNamespace": offer.namespace,
                    "addonVersions": versions,
                }),
            ));
        }
    }
    params::page(params, "addons", items).map(Value::Object)
}

fn offered(offer: &Offer, minor: Option<u32>) -> Vec<Value> {
    let mut versions = Vec::new();
    for version in offer.versions {
        let compatibilities: Vec<Value> = (version.first..=version.last)
            .rev()
            .filter(|it| minor.is_none_or(|minor| minor == *it))
            .map(|minor| {
                let default = offer.default(minor).is_some_and(|it| it.name == version.name);
                json!({"clusterVersion": format!("1.{minor}"), "platformVersions": ["*"], "defaultVersion": default})
            })
            .collect();
        if !compatibilities.is_empty() {
            versions.push(json!({
                "addonVersion": version.name,
                "architecture": ["amd64", "arm64"],
                "computeTypes": ["ec2", "auto", "hybrid"],
                "compatibilities": compatibilities,
                "requiresConfiguration": false,
                "requiresIamPermissions": offer.needs_role,
            }));
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_addon_has_a_default_for_every_minor_and_it_fits() {
        for offer in OFFERS {
            for minor in 31..=36 {
                let version = offer.choose(None, &format!("1.{minor}")).unwrap();
                assert_eq!(offer.choose(Some(&version), &format!("1.{minor}")).unwrap(), version);
            }
        }
        let proxy = find("kube-proxy").unwrap();
        assert_eq!(proxy.choose(None, "1.35").unwrap(), "v1.35.0-eksbuild.2");
        assert!(proxy.choose(Some("v1.36.1-eksbuild.2"), "1.35").is_err());
        assert!(proxy.choose(Some("latest"), "1.35").is_err());
    }
}
