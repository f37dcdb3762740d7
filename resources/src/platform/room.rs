//! What pods can have of a node: the instance's size less what the system, the kubelet and
//! the platform's own DaemonSets take.

use super::instance_types;

/// The share of an instance's memory that its firmware and kernel keep, in thousandths.
/// Source: Karpenter's `VM_MEMORY_OVERHEAD_PERCENT`, 0.075,
/// <https://karpenter.sh/docs/reference/settings/>
const MEMORY_OVERHEAD: u64 = 75;

/// The kubelet evicts pods before the last of the memory is gone, MiB.
/// Source: amazon-eks-ami, `nodeadm/internal/kubelet/config.go`, `evictionHard`.
const EVICTION_MIB: u32 = 100;

/// What DaemonSets of every node ask for, in thousandths of a CPU: aws-node 50, kube-proxy
/// 100, ebs-csi-node 30, and 50 for one of one's own.
const DAEMONS_MILLI: u32 = 230;

/// The same for memory, MiB: ebs-csi-node 120, and room for those without requests.
const DAEMONS_MIB: u32 = 256;

/// What is left for pods on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Thousandths of a CPU.
    pub cpu_milli: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Accelerators.
    pub accelerators: u32,
}

impl Room {
    /// On the smallest of these instance types; `None` if one of them is not known.
    #[must_use]
    pub fn of(types: &[String], max_pods: Option<u32>, prefix_delegation: bool) -> Option<Self> {
        let rooms: Option<Vec<Self>> =
            types.iter().map(|name| Self::of_type(name, max_pods, prefix_delegation)).collect();
        let smallest = |of: fn(&Self) -> u32, rooms: &[Self]| rooms.iter().map(of).min();
        let rooms = rooms?;
        Some(Self {
            cpu_milli: smallest(|room| room.cpu_milli, &rooms)?,
            memory_mib: smallest(|room| room.memory_mib, &rooms)?,
            accelerators: smallest(|room| room.accelerators, &rooms)?,
        })
    }

    fn of_type(name: &str, max_pods: Option<u32>, prefix_delegation: bool) -> Option<Self> {
        let kind = instance_types::look_up(name)?;
        let pods = max_pods.unwrap_or_else(|| kind.max_pods(prefix_delegation));
        let memory = u64::from(kind.memory_gib) * 1024;
        let usable = u32::try_from(memory - memory * MEMORY_OVERHEAD / 1000).ok()?;
        Some(Self {
            cpu_milli: (kind.vcpus * 1000).saturating_sub(reserved_milli(kind.vcpus) + DAEMONS_MILLI),
            memory_mib: usable.saturating_sub(reserved_mib(pods) + EVICTION_MIB + DAEMONS_MIB),
            accelerators: kind.accelerators,
        })
    }

    /// The arithmetic, for whoever's pods do not fit.
    #[must_use]
    pub fn told(name: &str, max_pods: Option<u32>, prefix_delegation: bool) -> String {
        let Some(kind) = instance_types::look_up(name) else { return String::new() };
        let pods = max_pods.unwrap_or_else(|| kind.max_pods(prefix_delegation));
        let Some(room) = Self::of_type(name, max_pods, prefix_delegation) else { return String::new() };
        format!(
            "{name} has {} CPUs and {} GiB; firmware and kernel keep {}.{} %, the kubelet {} m of CPU and {} MiB (11 x {pods} pods + \
             255), {EVICTION_MIB} MiB are left free, DaemonSets ask for {DAEMONS_MILLI} m and {DAEMONS_MIB} MiB: pods can have \
             {}.{:02} CPUs and {}.{} GiB",
            kind.vcpus,
            kind.memory_gib,
            MEMORY_OVERHEAD / 10,
            MEMORY_OVERHEAD % 10,
            reserved_milli(kind.vcpus),
            reserved_mib(pods),
            room.cpu_milli / 1000,
            room.cpu_milli % 1000 / 10,
            room.memory_mib / 1024,
            room.memory_mib % 1024 * 10 / 1024,
        )
    }
}

/// The kubelet's memory, MiB. Source: amazon-eks-ami, `nodeadm/internal/kubelet/config.go`.
fn reserved_mib(pods: u32) -> u32 {
    11 * pods + 255
}

/// The kubelet's CPU: 6 % of the first, 1 % of the second, 0.5 % of the next two, 0.25 % of
/// the rest. Source: as above.
fn reserved_milli(vcpus: u32) -> u32 {
    let shares = (1..=vcpus).map(|cpu| match cpu {
        1 => 600,
        2 => 100,
        3 | 4 => 50,
        _ => 25,
    });
    shares.sum::<u32>() / 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_quick_starts_types() {
        let room = |name: &str| Room::of(&[name.to_owned()], None, true);
        // 16384 - 1228 - (11 x 110 + 255) - 100 - 256; 4000 - 80 - 230.
        assert_eq!(room("m6g.xlarge"), Some(Room { cpu_milli: 3690, memory_mib: 13_335, accelerators: 0 }));
        assert_eq!(room("g4dn.xlarge").map(|room| room.accelerators), Some(1));
        assert_eq!(room("none.large"), None);
        let told = Room::told("m6g.xlarge", None, true);
        assert!(told.ends_with("pods can have 3.69 CPUs and 13.0 GiB"), "{told}");
    }

    #[test]
    fn the_smallest_of_several_counts() {
        let types = ["m6g.2xlarge".to_owned(), "m6g.xlarge".to_owned()];
        assert_eq!(Room::of(&types, None, true), Room::of(&types[1..], None, true));
    }
}
