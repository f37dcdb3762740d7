//! Who may talk to Ray's pods, and to whom they may talk: in the old module nothing said it.
//!
//! Everything is denied, then: names are resolved, pods of the namespace reach each other,
//! HTTPS goes out (AWS, the Kubernetes API, model hubs), the operator, the namespaces of
//! `ray.allow_from` and, for metrics, that of `monitoring` come in.
//! Source: <https://kubernetes.io/docs/concepts/services-networking/network-policies/>

use rayplat_engine::{stack::StackError, urn::Urn};
use serde_json::{Value, json};

use super::Inside;
use crate::{kubernetes::object::Plain, platform::manifest::ResolvedRay};

/// Dashboard and jobs, clients, Serve, metrics.
const PORTS: [u16; 4] = [8265, 10_001, 8000, METRICS];
const METRICS: u16 = 8080;

pub(super) fn build(
    inside: &mut Inside<'_, '_>,
    ray: &ResolvedRay,
    namespace: &Urn,
    operator: &str,
) -> Result<Vec<Urn>, StackError> {
    let mut urns = Vec::new();
    let monitoring = &inside.builder.manifest.monitoring;
    let prometheus = monitoring.namespace.as_deref().filter(|_| monitoring.pod_monitors);
    for (name, spec) in policies(ray, operator, prometheus) {
        let added = inside.add::<Plain>(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": ray.namespace}, "spec": spec,
        }))?;
        inside.builder.stack.after(&added.urn, namespace)?;
        urns.push(added.urn);
    }
    Ok(urns)
}

/// What a chart puts into a namespace of its own calls others and is called by nobody: the kubelet's probes
/// come in all the same.
/// Source: <https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html>
pub(super) fn nobody_calls(inside: &mut Inside<'_, '_>, name: &str, namespace: &Urn) -> Result<Urn, StackError> {
    let added = inside.add::<Plain>(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "nobody-calls", "namespace": name},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }))?;
    inside.builder.stack.after(&added.urn, namespace)?;
    Ok(added.urn)
}

fn policies(ray: &ResolvedRay, operator: &str, prometheus: Option<&str>) -> Vec<(&'static str, Value)> {
    let tcp = |port: u16| json!({"protocol": "TCP", "port": port});
    let from = |name: &str| json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}});
    let anywhere = json!({"ipBlock": {"cidr": "0.0.0.0/0"}});
    let mut https = vec![tcp(443)];
    https.extend(redis_port(ray).map(tcp));
    let mut senders = vec![from(operator)];
    senders.extend(ray.allow_from.iter().map(|name| from(name)));
    let mut comes_in = vec![json!({"from": senders, "ports": PORTS.map(tcp)})];
    comes_in.extend(prometheus.map(|name| json!({"from": [from(name)], "ports": [tcp(METRICS)]})));
    vec![
        ("default-deny", json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})),
        (
            "dns",
            json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{
                "to": [from("kube-system")],
                "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
            }]}),
        ),
        (
            "within",
            json!({
                "podSelector": {}, "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": {}}]}], "egress": [{"to": [{"podSelector": {}}]}],
            }),
        ),
        (
            "out",
            json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [
                {"to": [anywhere], "ports": https},
                // Credentials of Pod Identity.
                // <https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html>
                {"to": [{"ipBlock": {"cidr": "169.254.170.23/32"}}], "ports": [tcp(80)]},
            ]}),
        ),
        ("in", json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": comes_in})),
    ]
}

/// The port of a Redis of one's own.
fn redis_port(ray: &ResolvedRay) -> Option<u16> {
    let address = ray.fault_tolerance.redis_address.as_ref().filter(|_| ray.fault_tolerance.enabled)?;
    address.rsplit(':').next()?.trim_end_matches('/').parse().ok().filter(|port| *port != 443)
}
