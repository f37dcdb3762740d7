//! The instance types that the rehearsal account offers.
//!
//! Source of vCPU, memory, interfaces and addresses: the EC2 instance type pages
//! (general purpose, compute optimised, memory optimised, accelerated), and for
//! max-pods arithmetic `eni-max-pods.txt` of awslabs/amazon-eks-ami.

/// CPU architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Intel and AMD.
    X86_64,
    /// AWS Graviton.
    Arm64,
}

impl Architecture {
    /// As EC2 writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// A GPU model in an instance type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gpus {
    /// E.g. `T4`.
    pub name: &'static str,
    /// How many.
    pub count: u32,
    /// Memory of each, MiB.
    pub memory_mib: u64,
}

/// What an instance type is.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceShape {
    /// E.g. `m6g.xlarge`.
    pub name: String,
    /// CPU architecture.
    pub architecture: Architecture,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Threads of one core.
    pub threads_per_core: u32,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// GPUs, if any.
    pub gpus: Option<Gpus>,
    /// Local NVMe storage, GB in all and number of disks.
    pub local_disks: Option<(u64, u32)>,
    /// Most network interfaces.
    pub interfaces: u32,
    /// IPv4 addresses of each interface.
    pub addresses: u32,
}

impl InstanceShape {
    /// The number of pods that EKS sets on a managed node. Without prefix
    /// delegation: interfaces x (addresses - 1) + 2; with it sixteen times the
    /// addresses, but at most 110 below 30 vCPU and 250 above.
    pub fn max_pods(&self, prefix_delegation: bool) -> u32 {
        let secondary = self.interfaces * (self.addresses - 1);
        if prefix_delegation {
            let cap = if self.vcpus < 30 { 110 } else { 250 };
            (secondary * 16 + 2).min(cap)
        } else {
            secondary + 2
        }
    }
}

/// CPU families: name, architecture, GiB per vCPU.
const CPU_FAMILIES: &[(&str, Architecture, u64)] = &[
    ("m5", Architecture::X86_64, 4),
    ("m5a", Architecture::X86_64, 4),
    ("m6i", Architecture::X86_64, 4),
    ("m6a", Architecture::X86_64, 4),
    ("m7i", Architecture::X86_64, 4),
    ("m7a", Architecture::X86_64, 4),
    ("m6g", Architecture::Arm64, 4),
    ("m7g", Architecture::Arm64, 4),
    ("m8g", Architecture::Arm64, 4),
    ("c5", Architecture::X86_64, 2),
    ("c6i", Architecture::X86_64, 2),
    ("c6a", Architecture::X86_64, 2),
    ("c7i", Architecture::X86_64, 2),
    ("c6g", Architecture::Arm64, 2),
    ("c7g", Architecture::Arm64, 2),
    ("c8g", Architecture::Arm64, 2),
    ("r5", Architecture::X86_64, 8),
    ("r6i", Architecture::X86_64, 8),
    ("r6a", Architecture::X86_64, 8),
    ("r7i", Architecture::X86_64, 8),
    ("r6g", Architecture::Arm64, 8),
    ("r7g", Architecture::Arm64, 8),
    ("r8g", Architecture::Arm64, 8),
];

/// Sizes of the CPU families: name, vCPU, interfaces, addresses of each.
const CPU_SIZES: &[(&str, u32, u32, u32)] = &[
    ("medium", 1, 2, 4),
    ("large", 2, 3, 10),
    ("xlarge", 4, 4, 15),
    ("2xlarge", 8, 4, 15),
    ("4xlarge", 16, 8, 30),
    ("8xlarge", 32, 8, 30),
    ("12xlarge", 48, 8, 30),
    ("16xlarge", 64, 15, 50),
    ("24xlarge", 96, 15, 50),
];

/// Burstable types: name, architecture, vCPU, MiB, interfaces, addresses.
const BURSTABLE: &[(&str, Architecture, u32, u64, u32, u32)] = &[
    ("t3.small", Architecture::X86_64, 2, 2048, 3, 4),
    ("t3.medium", Architecture::X86_64, 2, 4096, 3, 6),
    ("t3.large", Architecture::X86_64, 2, 8192, 3, 12),
    ("t3.xlarge", Architecture::X86_64, 4, 16_384, 4, 15),
    ("t4g.small", Architecture::Arm64, 2, 2048, 3, 4),
    ("t4g.medium", Architecture::Arm64, 2, 4096, 3, 6),
    ("t4g.large", Architecture::Arm64, 2, 8192, 3, 12),
    ("t4g.xlarge", Architecture::Arm64, 4, 16_384, 4, 15),
];

/// One row of the accelerated types.
struct Accelerated {
    name: &'static str,
    vcpus: u32,
    memory_gib: u64,
    gpu: (&'static str, u32, u64),
    disks: (u64, u32),
    interfaces: (u32, u32),
}

const fn row(
    name: &'static str,
    vcpus: u32,
    memory_gib: u64,
    gpu: (&'static str, u32, u64),
    disks: (u64, u32),
    interfaces: (u32, u32),
) -> Accelerated {
    Accelerated { name, vcpus, memory_gib, gpu, disks, interfaces }
}

/// Memory of one GPU, MiB.
const T4: u64 = 16_384;
const A10G: u64 = 24_576;
const L4: u64 = 22_888;

/// Accelerated types: name, vCPU, GiB, GPU (model, count, MiB), disks (GB,
/// count), interfaces and their addresses.
const ACCELERATED: &[Accelerated] = &[
    row("g4dn.xlarge", 4, 16, ("T4", 1, T4), (125, 1), (3, 10)),
    row("g4dn.2xlarge", 8, 32, ("T4", 1, T4), (225, 1), (3, 10)),
    row("g4dn.4xlarge", 16, 64, ("T4", 1, T4), (225, 1), (3, 10)),
    row("g4dn.8xlarge", 32, 128, ("T4", 1, T4), (900, 1), (4, 15)),
    row("g4dn.12xlarge", 48, 192, ("T4", 4, T4), (900, 1), (8, 30)),
    row("g4dn.16xlarge", 64, 256, ("T4", 1, T4), (900, 1), (4, 15)),
    row("g5.xlarge", 4, 16, ("A10G", 1, A10G), (250, 1), (4, 15)),
    row("g5.2xlarge", 8, 32, ("A10G", 1, A10G), (450, 1), (4, 15)),
    row("g5.4xlarge", 16, 64, ("A10G", 1, A10G), (600, 1), (8, 30)),
    row("g5.8xlarge", 32, 128, ("A10G", 1, A10G), (900, 1), (8, 30)),
    row("g5.12xlarge", 48, 192, ("A10G", 4, A10G), (3800, 1), (15, 50)),
    row("g5.16xlarge", 64, 256, ("A10G", 1, A10G), (1900, 1), (8, 30)),
    row("g5.24xlarge", 96, 384, ("A10G", 4, A10G), (3800, 1), (15, 50)),
    row("g5.48xlarge", 192, 768, ("A10G", 8, A10G), (7600, 2), (7, 50)),
    row("g6.xlarge", 4, 16, ("L4", 1, L4), (250, 1), (4, 15)),
    row("g6.2xlarge", 8, 32, ("L4", 1, L4), (450, 1), (4, 15)),
    row("g6.4xlarge", 16, 64, ("L4", 1, L4), (600, 1), (8, 30)),
    row("g6.8xlarge", 32, 128, ("L4", 1, L4), (900, 2), (8, 30)),
    row("g6.12xlarge", 48, 192, ("L4", 4, L4), (3760, 4), (8, 30)),
    row("g6.24xlarge", 96, 384, ("L4", 4, L4), (3760, 4), (15, 50)),
    row("g6.48xlarge", 192, 768, ("L4", 8, L4), (7520, 8), (15, 50)),
    row("p3.2xlarge", 8, 61, ("V100", 1, 16_384), (0, 0), (4, 15)),
    row("p3.8xlarge", 32, 244, ("V100", 4, 16_384), (0, 0), (8, 30)),
    row("p4d.24xlarge", 96, 1152, ("A100", 8, 40_960), (8000, 8), (15, 50)),
    row("p5.48xlarge", 192, 2048, ("H100", 8, 81_920), (30_400, 8), (64, 50)),
];

/// What an instance type is, if the account offers it.
pub fn instance_shape(name: &str) -> Option<InstanceShape> {
    cpu_shape(name).or_else(|| burstable_shape(name)).or_else(|| accelerated_shape(name))
}

/// The names of all types, in no particular order.
pub(super) fn all_names() -> Vec<String> {
    let mut names: Vec<String> = CPU_FAMILIES
        .iter()
        .flat_map(|(family, ..)| CPU_SIZES.iter().map(move |(size, ..)| format!("{family}.{size}")))
        .filter(|name| cpu_shape(name).is_some())
        .collect();
    names.extend(BURSTABLE.iter().map(|row| row.0.to_owned()));
    names.extend(ACCELERATED.iter().map(|row| row.name.to_owned()));
    names
}

fn cpu_shape(name: &str) -> Option<InstanceShape> {
    let (family, size) = name.split_once('.')?;
    let (_, architecture, gib) = *CPU_FAMILIES.iter().find(|row| row.0 == family)?;
    let (_, vcpus, interfaces, addresses) = *CPU_SIZES.iter().find(|row| row.0 == size)?;
    // Only Graviton comes in `medium`, with one core, and stops at 16xlarge.
    let graviton = architecture == Architecture::Arm64;
    if (size == "medium" && !graviton) || (size == "24xlarge" && graviton) {
        return None;
    }
    Some(InstanceShape {
        name: name.to_owned(),
        architecture,
        vcpus,
        threads_per_core: if graviton || family.ends_with("7a") { 1 } else { 2 },
        memory_mib: u64::from(vcpus) * gib * 1024,
        gpus: None,
        local_disks: None,
        interfaces,
        addresses,
    })
}

fn burstable_shape(name: &str) -> Option<InstanceShape> {
    let (_, architecture, vcpus, memory_mib, interfaces, addresses) = *BURSTABLE.iter().find(|row| row.0 == name)?;
    Some(InstanceShape {
        name: name.to_owned(),
        architecture,
        vcpus,
        threads_per_core: if architecture == Architecture::Arm64 { 1 } else { 2 },
        memory_mib,
        gpus: None,
        local_disks: None,
        interfaces,
        addresses,
    })
}

fn accelerated_shape(name: &str) -> Option<InstanceShape> {
    let row = ACCELERATED.iter().find(|row| row.name == name)?;
    let (model, count, memory_mib) = row.gpu;
    Some(InstanceShape {
        name: name.to_owned(),
        architecture: Architecture::X86_64,
        vcpus: row.vcpus,
        threads_per_core: 2,
        memory_mib: row.memory_gib * 1024,
        gpus: Some(Gpus { name: model, count, memory_mib }),
        local_disks: (row.disks.1 > 0).then_some(row.disks),
        interfaces: row.interfaces.0,
        addresses: row.interfaces.1,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn max_pods_are_those_of_the_published_list() {
        let pods = |name: &str, prefixes| instance_shape(name).unwrap().max_pods(prefixes);
        assert_eq!(pods("g4dn.xlarge", false), 29);
        assert_eq!(pods("g4dn.xlarge", true), 110);
        assert_eq!(pods("m6g.xlarge", false), 58);
        assert_eq!(pods("m6i.8xlarge", true), 250);
        assert_eq!(pods("t3.medium", false), 17);
    }

    #[test]
    fn every_listed_name_has_a_shape() {
        let names = all_names();
        assert!(names.len() > 200);
        for name in names {
            assert_eq!(instance_shape(&name).unwrap().name, name);
        }
        assert!(instance_shape("m6i.medium").is_none());
        assert!(instance_shape("m6g").is_none());
    }
}
