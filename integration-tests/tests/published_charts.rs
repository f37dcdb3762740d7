//! The published charts that the platform is made of, rendered by Helm in earnest with the
//! platform's values: what they come to is what their outlines say, and careful.
//!
//! The charts themselves by a switch alone: `RAYPLAT_TEST_CHARTS=network` fetches them; `RAYPLAT_TEST_CHARTS=FOLDER` takes
//! FOLDER/CHART, for each a folder with the chart.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, path::Path};

use rayplat_engine::{urn::Urn, value::Expr};
use rayplat_integration_tests::{
    helm::{accepted, find, known},
    kubernetes::{self, ControlPlane},
    python::skipped,
};
use rayplat_resources::kubernetes::{
    chart::{
        ChartSpec, Rendered, fetch, order,
        published::{
            ClusterAutoscaler, DevicePlugin, KubeRay, Mode, NodeGroupNames, TerminationHandler, Velero, outline,
        },
        render,
    },
    sanity,
};

fn reference(kind: &str, name: &str, field: &str) -> Expr {
    Expr::Ref { urn: Urn::new(kind, name).unwrap(), field: field.to_owned() }
}

fn specs() -> Vec<ChartSpec> {
    let (cluster, region, kube_version) = ("ray".to_owned(), "us-east-1".to_owned(), "1.35".to_owned());
    let role_arn = Some(reference("aws:iam:Role", "any", "arn"));
    let handler = |mode| {
        let (cluster, region, kube_version) = (cluster.clone(), region.clone(), kube_version.clone());
        TerminationHandler { cluster, region, kube_version, role_arn: role_arn.clone(), mode }.spec()
    };
    let env = vec![("ENABLE_INIT_CONTAINER_INJECTION".to_owned(), "false".to_owned())];
    let group = |name: &str| reference("aws:eks:NodeGroup", name, "autoscaling_group");
    let groups = NodeGroupNames { primary: vec![group("cpu"), group("gpu")], fallback: vec![group("gpu-fallback")] };
    let autoscaler = ClusterAutoscaler {
        cluster: cluster.clone(),
        region: region.clone(),
        kube_version: kube_version.clone(),
        role_arn: role_arn.clone(),
        groups,
    };
    let velero = Velero {
        region: region.clone(),
        kube_version: kube_version.clone(),
        role_arn: role_arn.clone(),
        bucket: reference("aws:s3:Bucket", "backup", "name"),
        prefix: Some("ray".to_owned()),
        kms_key_arn: Some(reference("aws:kms:Key", "backup", "arn")),
        schedule: "0 2 * * *".to_owned(),
        retention_days: 30,
    };
    vec![
        KubeRay { namespace: "kuberay-system".to_owned(), kube_version: kube_version.clone(), env }.spec(),
        autoscaler.spec(),
        DevicePlugin { kube_version: kube_version.clone(), pools: vec!["gpu".to_owned()] }.spec(),
        handler(Mode::Imds),
        handler(Mode::Queue { url: reference("aws:sqs:Queue", "termination", "url") }),
        velero.spec(),
    ]
}

fn names(rendered: &Rendered) -> BTreeSet<String> {
    rendered.objects.iter().map(ToString::to_string).collect()
}

fn references(rendered: &Rendered) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for object in &rendered.objects {
        object.manifest.each_ref(&mut |urn, field| {
            found.insert(format!("{object}: {urn} {field}"));
        });
    }
    found
}

#[tokio::test]
async fn published_charts_are_what_their_outlines_say() {
    const NAME: &str = "published_charts_are_what_their_outlines_say";
    let Some(from) = std::env::var_os("RAYPLAT_TEST_CHARTS") else {
        skipped(NAME, "RAYPLAT_TEST_CHARTS=network fetches the published charts and compares them");
        return;
    };
    let Some(helm) = find(NAME).await else { return };
    let plane = kubernetes::find(NAME).map(|tools| ControlPlane::start(&tools));
    let cache = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for spec in specs() {
        let outlined = outline(&spec).unwrap();
        let mut wanted = spec.clone();
        if from != "network" {
            wanted.repository = String::new();
            wanted.version = String::new();
            wanted.chart = Path::new(&from).join(&spec.chart).to_string_lossy().into_owned();
        }
        let chart = fetch(&helm, &wanted, cache.path()).await.unwrap();
        let rendered = render(&helm, &chart, &wanted).await.unwrap();
        let label = spec.label();
        assert!(rendered.hooks.is_empty(), "{label}: {:?}", rendered.hooks);
        let (real, told) = (names(&rendered), names(&outlined));
        let more: Vec<_> = real.difference(&told).collect();
        let less: Vec<_> = told.difference(&real).collect();
        if !more.is_empty() || !less.is_empty() {
            wrong.push(format!("{label}: not in the outline: {more:?}; only there: {less:?}"));
        }
        let (real, told) = (references(&rendered), references(&outlined));
        if real != told {
            wrong.push(format!("{label}: refers to {real:?}; the outline to {told:?}"));
        }
        assert!(order::edges(&rendered).iter().all(|(before, after)| before < after));
        for object in &rendered.objects {
            for finding in sanity::findings(&known(&object.manifest, "known-later")) {
                if sanity::explanation(&object.kind, &object.name, &finding).is_none() {
                    wrong.push(format!("{object} {finding}"));
                }
            }
        }
        if let Some(plane) = &plane {
            accepted(plane, &spec.chart, &rendered);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_real_api_server_accepts_every_outline() {
    let Some(tools) = kubernetes::find("a_real_api_server_accepts_every_outline") else { return };
    let plane = ControlPlane::start(&tools);
    for spec in specs() {
        accepted(&plane, &spec.chart, &outline(&spec).unwrap());
    }
}
