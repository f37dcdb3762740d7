//! What the pods of ours have in common.

use serde_json::{Value, json};

use crate::platform::manifest::{ResolvedPool, types::TaintEffect};

/// Nothing that the restricted Pod Security Standard forbids.
/// Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>
pub(super) fn restricted(read_only_root: bool) -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": read_only_root,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": true,
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

/// Names of services have four dots at most: with the usual five, each look-up would ask
/// every search domain first.
pub(super) fn dns_config() -> Value {
    json!({"options": [{"name": "ndots", "value": "2"}]})
}

/// The taints of a pool, tolerated.
pub(in crate::platform) fn tolerations(pool: &ResolvedPool) -> Value {
    let toleration = |taint: &crate::platform::manifest::types::Taint| {
        let effect = match taint.effect {
            TaintEffect::NoSchedule => "NoSchedule",
            TaintEffect::PreferNoSchedule => "PreferNoSchedule",
            TaintEffect::NoExecute => "NoExecute",
        };
        json!({"key": taint.key, "operator": "Equal", "value": taint.value, "effect": effect})
    };
    Value::Array(pool.taints.iter().map(toleration).collect())
}

/// Requests and limits alike: such a pod is the last to be evicted.
pub(super) fn guaranteed(cpu: &str, memory: &str, disk: &str) -> Value {
    let both = json!({"cpu": cpu, "memory": memory, "ephemeral-storage": disk});
    json!({"requests": both, "limits": both})
}
