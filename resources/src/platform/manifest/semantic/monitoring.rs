//! Rules of monitoring: what is to be watched is there, and may be reached.

use super::super::diagnostic::{Code, Diagnostic};
use super::super::ray::{Kubernetes, Ray};
use super::super::types::Monitoring;
use super::{Context, labels};

pub(super) fn check(context: &mut Context<'_>) {
    let monitoring: Monitoring = context.section("/monitoring").unwrap_or_default();
    labels::check_syntax(context, "monitoring.labels", &monitoring.labels);
    let ray: Ray = context.section("/ray").unwrap_or_default();
    let kubernetes: Kubernetes = context.section("/kubernetes").unwrap_or_default();
    for (key, wanted) in [("dashboards", monitoring.dashboards), ("pod_monitors", monitoring.pod_monitors)] {
        if !wanted {
            continue;
        }
        let (message, cure) = match key {
            _ if !kubernetes.enabled => (
                format!("`{key}` would stand in the cluster, and `kubernetes.enabled` keeps it empty"),
                format!("leave `{key}` out, or let rayplat fill the cluster"),
            ),
            "pod_monitors" if !ray.enabled => (
                "there is no Ray whose pods could be watched".to_owned(),
                "leave `pod_monitors` out, or switch `ray` on".to_owned(),
            ),
            "pod_monitors" if monitoring.namespace.is_none() => (
                "Ray's NetworkPolicies let no Prometheus in whose namespace they do not know".to_owned(),
                "name it with `namespace`".to_owned(),
            ),
            "dashboards" if !ray.enabled && monitoring.namespace.is_none() => (
                "without Ray there is no namespace for the dashboards".to_owned(),
                "name Grafana's with `namespace`".to_owned(),
            ),
            _ => continue,
        };
        context.at(&format!("monitoring.{key}"), Diagnostic::error(Code::Conflict, message, cure));
    }
}
