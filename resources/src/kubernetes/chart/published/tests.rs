//! Outlines of all five, with values as the platform gives them.
#![allow(clippy::unwrap_used)]

use rayplat_engine::urn::Urn;

use super::*;
use crate::kubernetes::{
    chart::{
        RenderedObject,
        order::{edges, plain},
    },
    sanity,
};

fn reference(kind: &str, name: &str, field: &str) -> Expr {
    Expr::Ref { urn: Urn::new(kind, name).unwrap(), field: field.to_owned() }
}

fn role(name: &str) -> Option<Expr> {
    Some(reference("aws:iam:Role", name, "arn"))
}

fn handler(mode: Mode) -> ChartSpec {
    let (cluster, region, kube_version) = ("ray".to_owned(), "us-east-1".to_owned(), "1.35".to_owned());
    TerminationHandler { cluster, region, kube_version, role_arn: role("handler"), mode }.spec()
}

fn autoscaler() -> ClusterAutoscaler {
    let group = |name: &str| reference("aws:eks:NodeGroup", name, "autoscaling_group");
    ClusterAutoscaler {
        cluster: "ray".to_owned(),
        region: "us-east-1".to_owned(),
        kube_version: "1.35".to_owned(),
        role_arn: role("cluster-autoscaler"),
        groups: NodeGroupNames { primary: vec![group("cpu"), group("gpu")], fallback: vec![group("gpu-fallback")] },
    }
}

fn velero() -> Velero {
    Velero {
        region: "us-east-1".to_owned(),
        kube_version: "1.35".to_owned(),
        role_arn: role("velero"),
        bucket: reference("aws:s3:Bucket", "backup", "name"),
        prefix: Some("ray".to_owned()),
        kms_key_arn: Some(reference("aws:kms:Key", "backup", "arn")),
        schedule: "0 2 * * *".to_owned(),
        retention_days: 30,
    }
}

fn all() -> Vec<ChartSpec> {
    let kube_version = "1.35".to_owned();
    let env = vec![("ENABLE_INIT_CONTAINER_INJECTION".to_owned(), "false".to_owned())];
    vec![
        KubeRay { namespace: "kuberay-system".to_owned(), kube_version: kube_version.clone(), env }.spec(),
        autoscaler().spec(),
        DevicePlugin { kube_version, pools: vec!["gpu".to_owned()] }.spec(),
        handler(Mode::Imds),
        handler(Mode::Queue { url: reference("aws:sqs:Queue", "termination", "url") }),
        velero().spec(),
    ]
}

fn find<'a>(rendered: &'a Rendered, kind: &str, name: &str) -> &'a RenderedObject {
    rendered.objects.iter().find(|object| object.kind == kind && object.name == name).unwrap()
}

#[test]
fn every_chart_has_an_outline() {
    let lines: Vec<_> = all()
        .iter()
        .flat_map(|spec| {
            let rendered = outline(spec).unwrap();
            assert_eq!((&rendered.source, &rendered.digest, rendered.notes.len()), (&Source::Outline, &None, 0));
            let names = rendered.objects.iter().map(|object| format!("  {object}")).collect::<Vec<_>>();
            [vec![spec.label()], names].concat()
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
kuberay-operator 1.7.0
  ServiceAccount kuberay-system/kuberay-operator
  CustomResourceDefinition rayclusters.ray.io
  CustomResourceDefinition raycronjobs.ray.io
  CustomResourceDefinition rayjobs.ray.io
  CustomResourceDefinition rayservices.ray.io
  ClusterRole kuberay-operator
  ClusterRole raycronjob-editor-role
  ClusterRole raycronjob-viewer-role
  ClusterRole rayjob-editor-role
  ClusterRole rayjob-viewer-role
  ClusterRole rayservice-editor-role
  ClusterRole rayservice-viewer-role
  ClusterRoleBinding kuberay-operator
  Role kuberay-system/kuberay-operator-leader-election
  RoleBinding kuberay-system/kuberay-operator-leader-election
  Service kuberay-system/kuberay-operator
  Deployment kuberay-system/kuberay-operator
cluster-autoscaler 9.59.0
  PodDisruptionBudget kube-system/cluster-autoscaler
  ServiceAccount kube-system/cluster-autoscaler
  ConfigMap kube-system/cluster-autoscaler-priority-expander
  ClusterRole cluster-autoscaler
  ClusterRoleBinding cluster-autoscaler
  Role kube-system/cluster-autoscaler
  RoleBinding kube-system/cluster-autoscaler
  Service kube-system/cluster-autoscaler
  Deployment kube-system/cluster-autoscaler
nvidia-device-plugin 0.20.1
  ServiceAccount kube-system/nvidia-device-plugin-service-account
  ClusterRole nvidia-device-plugin-role
  ClusterRoleBinding nvidia-device-plugin-role-binding
  DaemonSet kube-system/nvidia-device-plugin
  DaemonSet kube-system/nvidia-device-plugin-mps-control-daemon
aws-node-termination-handler 0.27.6
  ServiceAccount kube-system/aws-node-termination-handler
  ClusterRole aws-node-termination-handler
  ClusterRoleBinding aws-node-termination-handler
  DaemonSet kube-system/aws-node-termination-handler
aws-node-termination-handler 0.27.6
  PodDisruptionBudget kube-system/aws-node-termination-handler
  ServiceAccount kube-system/aws-node-termination-handler
  ClusterRole aws-node-termination-handler
  ClusterRoleBinding aws-node-termination-handler
  Deployment kube-system/aws-node-termination-handler
velero 12.1.0
  ServiceAccount velero/velero-server
  ConfigMap velero/velero-repo-maintenance
  CustomResourceDefinition backuprepositories.velero.io
  CustomResourceDefinition backups.velero.io
  CustomResourceDefinition backupstoragelocations.velero.io
  CustomResourceDefinition datadownloads.velero.io
  CustomResourceDefinition datauploads.velero.io
  CustomResourceDefinition deletebackuprequests.velero.io
  CustomResourceDefinition downloadrequests.velero.io
  CustomResourceDefinition podvolumebackups.velero.io
  CustomResourceDefinition podvolumerestores.velero.io
  CustomResourceDefinition restores.velero.io
  CustomResourceDefinition schedules.velero.io
  CustomResourceDefinition serverstatusrequests.velero.io
  CustomResourceDefinition volumesnapshotlocations.velero.io
  ClusterRoleBinding velero-server
  Role velero/velero-server
  RoleBinding velero/velero-server
  Service velero/velero
  DaemonSet velero/node-agent
  Deployment velero/velero
  BackupStorageLocation velero/default
  Schedule velero/velero-platform
  VolumeSnapshotLocation velero/default
");
}

#[test]
fn a_chart_or_version_that_is_unknown_says_what_is_known() {
    let mut spec = all().remove(0);
    spec.version = "1.8.0".to_owned();
    let error = outline(&spec).unwrap_err();
    assert_eq!(error.message, "there is no outline of the chart kuberay-operator 1.8.0");
    assert!(error.hint.contains("kuberay-operator 1.7.0, cluster-autoscaler 9.59.0"), "{}", error.hint);
}

#[test]
fn outlines_refer_to_what_the_values_refer_to() {
    let refers = |object: &RenderedObject| {
        let mut found = Vec::new();
        object.manifest.each_ref(&mut |urn, field| found.push(format!("{urn} {field}")));
        found
    };
    let rendered = outline(&autoscaler().spec()).unwrap();
    assert_eq!(
        refers(find(&rendered, "ServiceAccount", "cluster-autoscaler")),
        ["aws:iam:Role/cluster-autoscaler arn"]
    );
    let priorities = find(&rendered, "ConfigMap", "cluster-autoscaler-priority-expander");
    let group = |name: &str| format!("aws:eks:NodeGroup/{name} autoscaling_group");
    assert_eq!(refers(priorities), [group("cpu"), group("gpu"), group("gpu-fallback")]);
    let rendered = outline(&velero().spec()).unwrap();
    let location = refers(find(&rendered, "BackupStorageLocation", "default"));
    assert_eq!(location, ["aws:s3:Bucket/backup name", "aws:kms:Key/backup arn"]);
    // Pod Identity hands the role out: nothing on the account, and nothing to wait for.
    let rendered = outline(&Velero { role_arn: None, ..velero() }.spec()).unwrap();
    assert_eq!(refers(find(&rendered, "ServiceAccount", "velero-server")), Vec::<String>::new());
    assert_eq!(
        plain(&find(&rendered, "ServiceAccount", "velero-server").manifest)["metadata"].get("annotations"),
        None
    );
}

#[test]
fn the_autoscaler_is_that_of_the_clusters_version_and_asks_fallbacks_last() {
    let image = |version: &str| {
        let rendered = outline(&ClusterAutoscaler { kube_version: version.to_owned(), ..autoscaler() }.spec()).unwrap();
        let manifest = plain(&find(&rendered, "Deployment", "cluster-autoscaler").manifest);
        manifest["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
    };
    for version in crate::platform::manifest::versions::ALL {
        let version = format!("1.{}", version.minor);
        let of = format!("registry.k8s.io/autoscaling/cluster-autoscaler:v{version}.");
        assert!(image(&version).starts_with(&of), "{}", image(&version));
    }
    let groups = NodeGroupNames {
        primary: vec![Expr::Value("eks-gpu-1".into())],
        fallback: vec![Expr::Value("eks-gpu-fallback-2".into())],
    };
    let rendered = outline(&ClusterAutoscaler { groups, ..autoscaler() }.spec()).unwrap();
    let priorities = plain(&find(&rendered, "ConfigMap", "cluster-autoscaler-priority-expander").manifest);
    assert_eq!(priorities["data"]["priorities"], "20:\n  - ^eks-gpu-1$\n10:\n  - ^eks-gpu-fallback-2$\n");
    let none = ClusterAutoscaler { groups: NodeGroupNames::default(), ..autoscaler() };
    let rendered = outline(&none.spec()).unwrap();
    assert!(!rendered.objects.iter().any(|object| object.kind == "ConfigMap"));
}

/// Whether each explanation is needed is the whole platform's to say: `platform/in_cluster/tests`.
#[test]
fn what_charts_run_is_careful_or_explained() {
    for spec in all() {
        let rendered = outline(&spec).unwrap();
        let manifests: Vec<_> = rendered.objects.iter().map(|object| plain(&object.manifest)).collect();
        let budgets: Vec<_> = manifests.iter().filter(|manifest| manifest["kind"] == "PodDisruptionBudget").collect();
        for (object, manifest) in rendered.objects.iter().zip(&manifests) {
            for finding in [sanity::findings(manifest), sanity::numbers(manifest, &budgets)].concat() {
                let why = sanity::explanation(&object.kind, &object.name, &finding);
                assert!(why.is_some(), "{object} {finding}");
            }
        }
    }
}

#[test]
fn outlines_are_ordered_as_charts_are() {
    let rendered = outline(&velero().spec()).unwrap();
    let waits = |kind: &str, name: &str| -> Vec<String> {
        let of = |at: usize| rendered.objects[at].to_string();
        let wanted = find(&rendered, kind, name).to_string();
        edges(&rendered).into_iter().filter(|(_, at)| of(*at) == wanted).map(|(before, _)| of(before)).collect()
    };
    assert_eq!(
        waits("BackupStorageLocation", "default"),
        ["CustomResourceDefinition backupstoragelocations.velero.io"]
    );
    let server = waits("Deployment", "velero");
    assert!(server.contains(&"ServiceAccount velero/velero-server".to_owned()), "{server:?}");
    assert!(server.contains(&"ClusterRoleBinding velero-server".to_owned()), "{server:?}");
}
