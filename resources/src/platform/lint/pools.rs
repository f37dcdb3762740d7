//! Rules of the node pools.

use super::{Context, rules};
use crate::platform::{
    instance_types::{self, Accelerator},
    manifest::{
        ResolvedPool,
        types::{Capacity, VolumeType},
    },
};

pub(super) fn check(context: &mut Context<'_>) {
    let pools = context.manifest().node_pools.clone();
    for (name, pool) in &pools {
        spot(context, name, pool);
        gpu(context, name, pool);
        disk(context, name, pool);
    }
    autoscaler(context);
    let ordinary = pools.values().any(|pool| pool.taints.is_empty() && pool.desired > 0);
    if !ordinary {
        let open = pools.values().any(|pool| pool.taints.is_empty());
        let (message, cure) = if open {
            ("the pools without taints begin without a node: add-ons wait for one", "give one of them `min: 2`")
        } else {
            ("no pool takes ordinary pods: every one has taints", "add a pool without taints, such as `cpu: {}`")
        };
        context.at("node_pools", &rules::NO_ORDINARY_NODE, message, cure);
    }
}

/// Types of one shape that a Spot pool should have, where there are as many.
const STEADY: usize = 5;

fn spot(context: &mut Context<'_>, name: &str, pool: &ResolvedPool) {
    if pool.capacity != Capacity::Spot {
        return;
    }
    let given = pool.instance_types.len();
    let more = alike(pool);
    // One type is said by the manifest's own check.
    if given > 1 && given < STEADY && !more.is_empty() {
        let path = format!("node_pools.{name}.instance_types");
        context.at(
            &path,
            &rules::SPOT_DIVERSITY,
            format!("a Spot pool of {given} types; {STEADY} of one shape make a steady one"),
            format!("add {}", more.into_iter().take(STEADY - given).collect::<Vec<_>>().join(", ")),
        );
    }
    if pool.accelerator != Accelerator::None && pool.fallback.is_none() {
        let path = format!("node_pools.{name}.fallback");
        context.at(
            &path,
            &rules::SPOT_FALLBACK,
            format!("the GPU pool `{name}` is Spot and nothing stands in for it"),
            "write `fallback: {max: 1}` for an On-Demand pool beside it",
        );
    }
}

/// Types of the pool's shape that it does not have.
fn alike(pool: &ResolvedPool) -> Vec<String> {
    let Some(first) = pool.instance_types.first().and_then(|name| instance_types::look_up(name)) else {
        return Vec::new();
    };
    let shape = |kind: &instance_types::InstanceType| {
        (kind.architecture, kind.accelerator, kind.accelerators, kind.vcpus, kind.memory_gib)
    };
    let names = instance_types::names().filter(|name| !pool.instance_types.contains(name));
    names.filter(|name| instance_types::look_up(name).is_some_and(|kind| shape(&kind) == shape(&first))).collect()
}

fn gpu(context: &mut Context<'_>, name: &str, pool: &ResolvedPool) {
    if pool.accelerator != Accelerator::Nvidia {
        return;
    }
    if pool.taints.is_empty() {
        context.at(
            &format!("node_pools.{name}.taints"),
            &rules::GPU_TAINT,
            format!("ordinary pods may fill the GPU nodes of `{name}`"),
            "remove `taints`: the default is nvidia.com/gpu=true:NoSchedule",
        );
    }
    // Bottlerocket's NVIDIA variants bring the plugin.
    if pool.ami.as_str().starts_with("AL2023") && !context.manifest().kubernetes.enabled {
        context.at(
            &format!("node_pools.{name}"),
            &rules::GPU_DEVICE_PLUGIN,
            format!("the nodes of `{name}` offer no GPU until the NVIDIA device plugin runs on them"),
            "install the chart nvidia-device-plugin once the cluster stands, or take a Bottlerocket NVIDIA AMI",
        );
    }
    if pool.disk.size_gb < 100 {
        context.at(
            &format!("node_pools.{name}.disk.size_gb"),
            &rules::GPU_DISK,
            format!("{} GiB hold few GPU images", pool.disk.size_gb),
            "give 100 GiB or more; without `disk` it is 200",
        );
    }
}

fn disk(context: &mut Context<'_>, name: &str, pool: &ResolvedPool) {
    if pool.disk.volume_type == VolumeType::Gp2 {
        let path = format!("node_pools.{name}.disk.type");
        context.at(&path, &rules::VOLUME_GP2, "gp2 is dearer and slower than gp3", "write `type: gp3`, or remove it");
    }
}

fn autoscaler(context: &mut Context<'_>) {
    let manifest = context.manifest();
    if manifest.autoscaler.enabled {
        return;
    }
    let elastic: Vec<&str> =
        manifest.node_pools.iter().filter(|(_, pool)| pool.min < pool.max).map(|(name, _)| name.as_str()).collect();
    if !elastic.is_empty() {
        let message = format!("nothing scales the pools {}: they stay at their desired size", elastic.join(", "));
        let path = if context.written("autoscaler.enabled") { "autoscaler.enabled" } else { "autoscaler" };
        let cure = "remove `enabled: false`, or give `min`, `desired` and `max` one value";
        context.at(path, &rules::AUTOSCALER_OFF, message, cure);
    }
}
