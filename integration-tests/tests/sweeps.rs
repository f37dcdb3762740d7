//! What other people made through the cluster and what nodes left behind: gone, kept or named when
//! the platform goes, and never touched otherwise.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use rayplat_engine::{
    apply::Interrupt,
    error::Error,
    event::{Event, Events},
    ops::Report,
    provider::Action,
};
use rayplat_integration_tests::{
    QUICKSTART, WHOLE, World, failures, leftovers,
    others::{NAMESPACE, Others},
};
use rayplat_resources::{
    kubernetes::sweep::Volumes,
    rehearsal::{
        LifecycleFailure,
        ec2::NetworkInterface,
        faults::{Faults, Moment},
    },
};
use serde_json::json;

const NAME: &str = "production-ray-cluster";
const SWEEP: &str = "kubernetes:Sweep/cluster";

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

async fn stand(world: &World) -> Others {
    let (report, events) = world.up(WHOLE).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    Others::of(world).await
}

async fn down(world: &World, volumes: Option<Volumes>) -> Result<(Report, Vec<Event>), Error> {
    let (engine, _) = world.engine().await;
    let engine = match volumes {
        Some(volumes) => volumes.decided(engine),
        None => engine,
    };
    let (events, mut reader) = Events::channel();
    let report = engine.down(NAME, events, Interrupt::default(), |_| true).await?;
    let mut seen = Vec::new();
    while let Ok(event) = reader.try_recv() {
        seen.push(event);
    }
    Ok((report, seen))
}

/// The interfaces whose description begins like this.
fn interfaces(world: &World, begin: &str) -> Vec<String> {
    world.account.with_account(|account| {
        let all = account.ec2.network_interfaces.values();
        all.filter(|one| one.description.starts_with(begin)).map(|one| one.id.clone()).collect()
    })
}

/// The claims that the volumes of the account were made for.
fn volumes(world: &World) -> BTreeSet<String> {
    world.account.with_account(|account| {
        let of = |tag: &str, volume: &rayplat_resources::rehearsal::ec2::Volume| {
            volume.tags[&format!("kubernetes.io/created-for/pvc/{tag}")].clone()
        };
        account.ec2.volumes.values().map(|one| format!("{}/{}", of("namespace", one), of("name", one))).collect()
    })
}

fn at(events: &[Event], what: impl Fn(&Event) -> bool) -> usize {
    events.iter().position(what).unwrap()
}

fn statuses(events: &[Event], of: &str) -> Vec<String> {
    let told = |event: &Event| match event {
        Event::StepStatus { urn, message } if urn.as_str() == of => Some(message.clone()),
        _ => None,
    };
    events.iter().filter_map(told).collect()
}

#[test]
fn load_balancers_of_others_are_gone_before_what_they_hold_goes() {
    block_on(async {
        let world = World::new(81);
        let others = stand(&world).await;
        others.expose().await;
        let ingresses = format!("/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/ingresses");
        let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
        for (name, host) in
            [("site", "k8s-team-site-0a1b-123.us-east-1.elb.amazonaws.com"), ("inner", "proxy.example.com")]
        {
            let ingress = json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
                "spec": {"defaultBackend": backend},
            });
            others.apply(&ingresses, &ingress).await;
            others.set_status(&ingresses, name, &json!({"loadBalancer": {"ingress": [{"hostname": host}]}})).await;
        }
        assert!(!interfaces(&world, "ELB ").is_empty());
        let (report, events) = down(&world, None).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        let along: Vec<&str> = report.plan.along.iter().map(|along| along.what.as_str()).collect();
        assert_eq!(along.len(), 2, "{along:?}");
        assert!(along[0].starts_with("Service team/web with the load balancer a"), "{along:?}");
        assert_eq!(
            along[1],
            "Ingress team/site with the load balancer k8s-team-site-0a1b-123.us-east-1.elb.amazonaws.com"
        );
        // Each wait had its reason: the Service's finalizer, then the interfaces.
        let told = statuses(&events, SWEEP).join("\n");
        assert!(told.contains("Service team/web is held by service.kubernetes.io/load-balancer-cleanup"), "{told}");
        assert!(told.contains(" (ELB a") && told.contains("of a load balancer is still there"), "{told}");
        let swept = at(&events, |event| matches!(event, Event::StepFinished { urn, .. } if urn.as_str() == SWEEP));
        for kind in ["aws:eks:NodeGroup", "aws:eks:Addon", "kubernetes:Entry", "aws:eks:AccessEntry", "aws:eks:Cluster"]
        {
            let begins = |event: &Event| matches!(event, Event::StepStarted { urn, .. } if urn.kind() == kind);
            assert!(swept < at(&events, begins), "{kind}");
        }
        let ray = |event: &Event| matches!(event, Event::StepFinished { urn, .. } if urn.kind() == "kubernetes:Ray");
        let began = at(&events, |event| matches!(event, Event::StepStarted { urn, .. } if urn.as_str() == SWEEP));
        assert!(at(&events, ray) < began);
        assert_eq!(interfaces(&world, "ELB "), Vec::<String>::new());
        assert_eq!(leftovers(&world), Vec::<String>::new());
    });
}

#[test]
fn what_becomes_of_data_is_asked_before_anything_is_deleted() {
    block_on(async {
        let world = World::new(82);
        let others = stand(&world).await;
        others.store(NAMESPACE, "20Gi").await;
        let before = (leftovers(&world), world.account.log().len());
        let error = down(&world, None).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("kubernetes:Sweep/cluster: a volume of claims that"), "{text}");
        assert!(text.contains(" (20Gi, claim team/data-db-0)"), "{text}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("`rayplat down --keep-volumes`") && hint.contains("--delete-volumes"), "{hint}");
        let deleted: Vec<String> = world.account.log()[before.1..]
            .iter()
            .filter(|access| access.operation.starts_with("Delete"))
            .map(|access| format!("{access:?}"))
            .collect();
        assert_eq!(deleted, Vec::<String>::new());
        assert_eq!(leftovers(&world), before.0);
        // Redis of the platform's own is nobody's question.
        assert_eq!(volumes(&world), ["ray/data-ray-redis-0", "team/data-db-0"].map(str::to_owned).into());
        // Nor is it one while the cluster stays.
        assert!(world.preview(WHOLE).await.unwrap().plan.is_empty());
    });
}

#[test]
fn kept_volumes_outlive_the_platform_and_are_named() {
    block_on(async {
        let world = World::new(83);
        let others = stand(&world).await;
        others.store(NAMESPACE, "20Gi").await;
        let (report, events) = down(&world, Some(Volumes::Keep)).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        assert_eq!(volumes(&world), ["team/data-db-0".to_owned()].into());
        let id = world.account.with_account(|account| account.ec2.volumes.keys().next().cloned().unwrap());
        assert_eq!(report.plan.along.len(), 1);
        assert_eq!(report.plan.along[0].what, format!("volume {id} (20Gi, claim team/data-db-0)"));
        assert!(report.plan.along[0].stays);
        assert_eq!(leftovers(&world), ["ec2 volume"]);
    });
}

#[test]
fn deleted_volumes_go_with_their_claims_and_what_uses_them() {
    block_on(async {
        let world = World::new(84);
        let others = stand(&world).await;
        others.store(NAMESPACE, "20Gi").await;
        others.notebook("ray").await;
        let (report, events) = down(&world, Some(Volumes::Delete)).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        let told = statuses(&events, SWEEP).join("\n");
        let used = "is used by Pod team/db-0; and 1 more";
        assert!(told.contains("PersistentVolumeClaim team/data-db-0 (vol-") && told.contains(used), "{told}");
        assert_eq!(volumes(&world), BTreeSet::new());
        assert_eq!(leftovers(&world), Vec::<String>::new());
    });
}

/// Interfaces and groups of load balancers hold subnets and the VPC: an own network goes all the same.
#[test]
fn an_own_network_goes_after_load_balancers_of_others() {
    const OWN: &str = include_str!("../../examples/network-create.yaml");
    block_on(async {
        let world = World::new(88);
        let (report, events) = world.up(OWN).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        Others::of(&world).await.expose().await;
        let (report, events) = world.down_of(world.platform(OWN).stack.name()).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        let retried =
            |event: &&Event| matches!(event, Event::StepRetry { urn, .. } if urn.as_str() == "aws:ec2:Vpc/main");
        assert_eq!(events.iter().filter(retried).count(), 0);
        assert_eq!(leftovers(&world), Vec::<String>::new());
    });
}

/// Wherever a `down` is cut off, the next one goes on, and nothing is left of it.
#[test]
fn a_sweep_that_was_cut_off_is_finished_by_the_next() {
    let total = block_on(async {
        let world = World::new(85);
        let others = stand(&world).await;
        others.expose().await;
        others.store(NAMESPACE, "20Gi").await;
        let before: u64 = world.account.calls().values().sum();
        down(&world, Some(Volumes::Delete)).await.unwrap();
        world.account.calls().values().sum::<u64>() - before
    });
    let mut within = 0;
    for n in (60..total).step_by(50) {
        within += block_on(async {
            let world = World::new(85);
            let others = stand(&world).await;
            others.expose().await;
            others.store(NAMESPACE, "20Gi").await;
            let (faults, reached) = Faults::default().stop_at(n, Moment::AfterEffect);
            world.account.set_faults(faults);
            tokio::select! {
                () = reached.notified() => {}
                _ = down(&world, Some(Volumes::Delete)) => {}
            }
            world.account.set_faults(Faults::default());
            let stood = world.engine().await.0.state(NAME).await.unwrap();
            let within = stood.objects.values().any(|object| object.urn.as_str() == SWEEP && object.phase.pending());
            let (report, events) = down(&world, Some(Volumes::Delete)).await.unwrap();
            assert!(report.summary.complete(), "call {n}: {:#?}", failures(&events));
            assert_eq!(leftovers(&world), Vec::<String>::new(), "call {n}");
            assert_eq!(interfaces(&world, "ELB "), Vec::<String>::new(), "call {n}");
            usize::from(within)
        });
    }
    assert!(within > 0, "no stop of {total} calls was within the sweep");
}

/// The cluster stays and so does what others have in it.
#[test]
fn an_emptied_cluster_keeps_what_others_made() {
    block_on(async {
        let world = World::new(86);
        let others = stand(&world).await;
        others.expose().await;
        others.store(NAMESPACE, "20Gi").await;
        let (report, events) = world.up(QUICKSTART).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        let swept = |event: &Event| matches!(event, Event::StepFinished { urn, action: Action::Delete, .. } if urn.as_str() == SWEEP);
        assert!(events.iter().any(swept));
        assert_eq!(report.plan.along, []);
        assert!(others.get(&format!("/api/v1/namespaces/{NAMESPACE}/services"), "web").await.is_some());
        assert!(!interfaces(&world, "ELB ").is_empty());
        assert_eq!(volumes(&world), ["team/data-db-0".to_owned()].into());
    });
}

/// Nodes that go leave interfaces behind in the group that they share: those of this cluster are
/// deleted, one of another cluster is named and stays.
#[test]
fn interfaces_that_the_cni_left_behind_are_swept_if_they_are_ours() {
    block_on(async {
        let world = World::new(87);
        let (report, events) = world.up(QUICKSTART).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        let foreign = world.account.with_account(|account| {
            account.failures.push(LifecycleFailure {
                what: format!("nodegroup/{NAME}/*"),
                phase: "detach".to_owned(),
                code: String::new(),
                message: String::new(),
            });
            let nodes = |one: &&NetworkInterface| one.instance_id.is_some();
            let mut left = account.ec2.network_interfaces.values().find(nodes).unwrap().clone();
            left.id = "eni-0123456789abcdef0".to_owned();
            left.description = "aws-K8S-i-0fedcba9876543210".to_owned();
            left.tags.insert("cluster.k8s.amazonaws.com/name".to_owned(), "somebody-elses".to_owned());
            (left.owner, left.instance_id) = (None, None);
            account.ec2.network_interfaces.insert(left.id.clone(), left.clone());
            left.id
        });
        let (report, events) = world.down().await.unwrap();
        assert_eq!(report.summary.failed, 1, "{:#?}", failures(&events));
        let failed = events.iter().find_map(|event| match event {
            Event::StepFailed { urn, error, .. } => Some((urn.to_string(), error.clone())),
            _ => None,
        });
        let (urn, error) = failed.unwrap();
        assert_eq!(urn, "aws:ec2:SecurityGroup/node");
        let hint = error.hint.unwrap();
        let named = format!("{foreign} (aws-K8S-i-0fedcba9876543210, of cluster somebody-elses, available)");
        assert!(hint.contains(&named), "{hint}");
        let told = statuses(&events, "aws:ec2:SecurityGroup/node").join("\n");
        assert!(told.contains("which the VPC CNI has left behind, is deleted"), "{told}");
        assert_eq!(interfaces(&world, "aws-K8S-"), std::slice::from_ref(&foreign));
        world.account.with_account(|account| {
            account.handle("ec2", "DeleteNetworkInterface", &json!({"NetworkInterfaceId": foreign})).unwrap()
        });
        let (report, events) = world.down().await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        assert_eq!(leftovers(&world), Vec::<String>::new());
    });
}
