//! What EC2 instance types are: architecture, vCPUs, memory, accelerators and
//! network interfaces, in this one place.
//!
//! Figures: EC2's instance type pages; interfaces and addresses from the limits
//! that the VPC CNI ships (amazon-vpc-cni-k8s, pkg/vpc, August 2026).

use serde::{Deserialize, Serialize};

/// The instruction set of an instance type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// Intel and AMD.
    X86_64,
    /// AWS Graviton.
    Arm64,
}

impl Architecture {
    /// The name that EC2's API gives it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// The kind of accelerator of an instance type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accelerator {
    /// None that rayplat supports.
    None,
    /// NVIDIA GPUs.
    Nvidia,
    /// AWS Inferentia and Trainium.
    Neuron,
}

/// An EC2 instance type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceType {
    /// Its name, as `g4dn.xlarge`.
    pub name: String,
    /// Its instruction set.
    pub architecture: Architecture,
    /// The kind of its accelerators.
    pub accelerator: Accelerator,
    /// How many accelerators it has.
    pub accelerators: u32,
    /// Its vCPUs.
    pub vcpus: u32,
    /// Its memory in GiB.
    pub memory_gib: u32,
    /// The most network interfaces that it takes.
    pub interfaces: u32,
    /// The most IPv4 addresses of an interface, the primary one included.
    pub addresses: u32,
}

impl InstanceType {
    /// The pods that EKS lets run on it (amazon-eks-ami, max-pods calculator):
    /// every interface's secondary addresses, or with prefix delegation their
    /// /28 prefixes up to 110 pods under 30 vCPUs and 250 from there.
    #[must_use]
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

use Accelerator::{Neuron, None as Plain, Nvidia};
use Architecture::{Arm64, X86_64};

/// A family whose sizes follow the common rule: GiB of memory per vCPU, sizes.
type Regular = (&'static str, Architecture, u32, &'static [&'static str]);

const GEN5: &[&str] = &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge"];
const GEN5_C: &[&str] = &["large", "xlarge", "2xlarge", "4xlarge", "9xlarge", "12xlarge", "18xlarge", "24xlarge"];
const GEN6_INTEL: &[&str] =
    &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge", "32xlarge"];
const GEN7_INTEL: &[&str] =
    &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge", "48xlarge"];
const GRAVITON: &[&str] = &["medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge"];

const REGULAR: [Regular; 15] = [
    ("m5", X86_64, 4, GEN5),
    ("m6i", X86_64, 4, GEN6_INTEL),
    ("m7i", X86_64, 4, GEN7_INTEL),
    ("m6g", Arm64, 4, GRAVITON),
    ("m7g", Arm64, 4, GRAVITON),
    ("c5", X86_64, 2, GEN5_C),
    ("c6i", X86_64, 2, GEN6_INTEL),
    ("c7i", X86_64, 2, GEN7_INTEL),
    ("c6g", Arm64, 2, GRAVITON),
    ("c7g", Arm64, 2, GRAVITON),
    ("r5", X86_64, 8, GEN5),
    ("r6i", X86_64, 8, GEN6_INTEL),
    ("r7i", X86_64, 8, GEN7_INTEL),
    ("r6g", Arm64, 8, GRAVITON),
    ("r7g", Arm64, 8, GRAVITON),
];

/// Name, architecture, accelerator, accelerators, vCPUs, GiB, interfaces, addresses.
type Listed = (&'static str, Architecture, Accelerator, [u32; 5]);

#[rustfmt::skip]
const LISTED: [Listed; 50] = [
    ("t3.micro", X86_64, Plain, [0, 2, 1, 2, 2]),
    ("t3.small", X86_64, Plain, [0, 2, 2, 3, 4]),
    ("t3.medium", X86_64, Plain, [0, 2, 4, 3, 6]),
    ("t3.large", X86_64, Plain, [0, 2, 8, 3, 12]),
    ("t3.xlarge", X86_64, Plain, [0, 4, 16, 4, 15]),
    ("t3.2xlarge", X86_64, Plain, [0, 8, 32, 4, 15]),
    ("t4g.micro", Arm64, Plain, [0, 2, 1, 2, 2]),
    ("t4g.small", Arm64, Plain, [0, 2, 2, 3, 4]),
    ("t4g.medium", Arm64, Plain, [0, 2, 4, 3, 6]),
    ("t4g.large", Arm64, Plain, [0, 2, 8, 3, 12]),
    ("t4g.xlarge", Arm64, Plain, [0, 4, 16, 4, 15]),
    ("t4g.2xlarge", Arm64, Plain, [0, 8, 32, 4, 15]),
    ("g4dn.xlarge", X86_64, Nvidia, [1, 4, 16, 3, 10]),
    ("g4dn.2xlarge", X86_64, Nvidia, [1, 8, 32, 3, 10]),
    ("g4dn.4xlarge", X86_64, Nvidia, [1, 16, 64, 3, 10]),
    ("g4dn.8xlarge", X86_64, Nvidia, [1, 32, 128, 4, 15]),
    ("g4dn.12xlarge", X86_64, Nvidia, [4, 48, 192, 8, 30]),
    ("g4dn.16xlarge", X86_64, Nvidia, [1, 64, 256, 4, 15]),
    ("g5.xlarge", X86_64, Nvidia, [1, 4, 16, 4, 15]),
    ("g5.2xlarge", X86_64, Nvidia, [1, 8, 32, 4, 15]),
    ("g5.4xlarge", X86_64, Nvidia, [1, 16, 64, 8, 30]),
    ("g5.8xlarge", X86_64, Nvidia, [1, 32, 128, 8, 30]),
    ("g5.12xlarge", X86_64, Nvidia, [4, 48, 192, 15, 50]),
    ("g5.16xlarge", X86_64, Nvidia, [1, 64, 256, 8, 30]),
    ("g5.24xlarge", X86_64, Nvidia, [4, 96, 384, 15, 50]),
    ("g5.48xlarge", X86_64, Nvidia, [8, 192, 768, 7, 50]),
    ("g6.xlarge", X86_64, Nvidia, [1, 4, 16, 4, 15]),
    ("g6.2xlarge", X86_64, Nvidia, [1, 8, 32, 4, 15]),
    ("g6.4xlarge", X86_64, Nvidia, [1, 16, 64, 8, 30]),
    ("g6.8xlarge", X86_64, Nvidia, [1, 32, 128, 8, 30]),
    ("g6.12xlarge", X86_64, Nvidia, [4, 48, 192, 8, 30]),
    ("g6.16xlarge", X86_64, Nvidia, [1, 64, 256, 15, 50]),
    ("g6.24xlarge", X86_64, Nvidia, [4, 96, 384, 15, 50]),
    ("g6.48xlarge", X86_64, Nvidia, [8, 192, 768, 15, 50]),
    ("g6e.xlarge", X86_64, Nvidia, [1, 4, 32, 4, 15]),
    ("g6e.2xlarge", X86_64, Nvidia, [1, 8, 64, 4, 15]),
    ("g6e.4xlarge", X86_64, Nvidia, [1, 16, 128, 8, 30]),
    ("g6e.8xlarge", X86_64, Nvidia, [1, 32, 256, 8, 30]),
    ("g6e.12xlarge", X86_64, Nvidia, [4, 48, 384, 10, 30]),
    ("g6e.48xlarge", X86_64, Nvidia, [8, 192, 1536, 10, 50]),
    ("p3.2xlarge", X86_64, Nvidia, [1, 8, 61, 4, 15]),
    ("p3.8xlarge", X86_64, Nvidia, [4, 32, 244, 8, 30]),
    ("p3.16xlarge", X86_64, Nvidia, [8, 64, 488, 8, 30]),
    ("p4d.24xlarge", X86_64, Nvidia, [8, 96, 1152, 15, 50]),
    ("p5.48xlarge", X86_64, Nvidia, [8, 192, 2048, 2, 50]),
    ("inf2.xlarge", X86_64, Neuron, [1, 4, 16, 4, 15]),
    ("inf2.8xlarge", X86_64, Neuron, [1, 32, 128, 8, 30]),
    ("inf2.48xlarge", X86_64, Neuron, [12, 192, 768, 15, 50]),
    ("trn1.2xlarge", X86_64, Neuron, [1, 8, 32, 4, 15]),
    ("trn1.32xlarge", X86_64, Neuron, [16, 128, 512, 5, 50]),
];

/// What is known of an instance type, or `None` when the table has not got it.
#[must_use]
pub fn look_up(name: &str) -> Option<InstanceType> {
    if let Some((_, architecture, accelerator, [accelerators, vcpus, memory_gib, interfaces, addresses])) =
        LISTED.iter().find(|listed| listed.0 == name)
    {
        return Some(InstanceType {
            name: name.to_owned(),
            architecture: *architecture,
            accelerator: *accelerator,
            accelerators: *accelerators,
            vcpus: *vcpus,
            memory_gib: *memory_gib,
            interfaces: *interfaces,
            addresses: *addresses,
        });
    }
    let (family, size) = name.split_once('.')?;
    let (_, architecture, gib_per_vcpu, sizes) = REGULAR.iter().find(|f| f.0 == family)?;
    if !sizes.contains(&size) {
        return None;
    }
    let vcpus = vcpus_of_size(size)?;
    let (interfaces, addresses) = regular_interfaces(vcpus);
    Some(InstanceType {
        name: name.to_owned(),
        architecture: *architecture,
        accelerator: Accelerator::None,
        accelerators: 0,
        vcpus,
        memory_gib: vcpus * gib_per_vcpu,
        interfaces,
        addresses,
    })
}

/// Every type of the table, for completions and for "did you mean".
pub fn names() -> impl Iterator<Item = String> {
    let listed = LISTED.iter().map(|listed| listed.0.to_owned());
    let regular =
        REGULAR.iter().flat_map(|(family, _, _, sizes)| sizes.iter().map(move |size| format!("{family}.{size}")));
    listed.chain(regular)
}

/// Whether the table has any size of this type's family.
#[must_use]
pub fn knows_family_of(name: &str) -> bool {
    let family = name.split('.').next().unwrap_or_default();
    let of_family = |other: &str| other.split('.').next() == Some(family);
    REGULAR.iter().any(|regular| regular.0 == family) || LISTED.iter().any(|listed| of_family(listed.0))
}

/// The architecture of any instance type, known or not: by the table, else by
/// AWS's naming rule, where the letter `g` after the generation's digit means
/// Graviton (EC2 User Guide, "instance type naming conventions").
#[must_use]
pub fn architecture(name: &str) -> Architecture {
    if let Some(known) = look_up(name) {
        return known.architecture;
    }
    let family = name.split('.').next().unwrap_or_default();
    let after_digit = family
        .split_once(|c: char| c.is_ascii_digit())
        .map_or("", |(_, rest)| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    // a1 is the first Graviton, older than the rule.
    if family == "a1" || after_digit.split('-').next().is_some_and(|letters| letters.contains('g')) {
        Arm64
    } else {
        X86_64
    }
}

/// The accelerator of any instance type: by the table, else by its series
/// (g and p are GPUs, of which g4ad alone is not NVIDIA's; inf and trn are AWS's).
#[must_use]
pub fn accelerator(name: &str) -> Accelerator {
    if let Some(known) = look_up(name) {
        return known.accelerator;
    }
    let family = name.split('.').next().unwrap_or_default();
    let series: String = family.chars().take_while(char::is_ascii_alphabetic).collect();
    match series.as_str() {
        "g" | "gr" | "p" if family != "g4ad" => Nvidia,
        "inf" | "trn" => Neuron,
        _ => Plain,
    }
}

fn vcpus_of_size(size: &str) -> Option<u32> {
    match size {
        "medium" => Some(1),
        "large" => Some(2),
        "xlarge" => Some(4),
        _ => size.strip_suffix("xlarge").and_then(|times| times.parse::<u32>().ok()).map(|times| times * 4),
    }
}

/// Interfaces and addresses of the regular families follow from the size.
fn regular_interfaces(vcpus: u32) -> (u32, u32) {
    match vcpus {
        0..=1 => (2, 4),
        2..=3 => (3, 10),
        4..=15 => (4, 15),
        16..=63 => (8, 30),
        _ => (15, 50),
    }
}

/// True if the type has NVMe instance stores: a `d` among the letters after the
/// generation, or a family that always has them.
/// Source: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-store-volumes.html>
#[must_use]
pub fn has_instance_store(name: &str) -> bool {
    const ALWAYS: [&str; 10] = ["g5", "g6", "g6e", "gr6", "p5", "p5e", "i3", "i4i", "i7ie", "trn1"];
    let family = name.split('.').next().unwrap_or(name);
    let attributes = family.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let attributes = attributes.trim_start_matches(|c: char| c.is_ascii_digit());
    ALWAYS.contains(&family) || attributes.contains('d')
}

/// Sizes of instance stores, GB (10^9 bytes) in all, of the types with accelerators.
/// Source: EC2's instance type pages, "Accelerated computing", instance store specifications.
#[rustfmt::skip]
const STORES: [(&str, u32); 34] = [
    ("g4dn.xlarge", 125), ("g4dn.2xlarge", 225), ("g4dn.4xlarge", 225), ("g4dn.8xlarge", 900),
    ("g4dn.12xlarge", 900), ("g4dn.16xlarge", 900),
    ("g5.xlarge", 250), ("g5.2xlarge", 450), ("g5.4xlarge", 600), ("g5.8xlarge", 900),
    ("g5.12xlarge", 3800), ("g5.16xlarge", 1900), ("g5.24xlarge", 3800), ("g5.48xlarge", 7600),
    ("g6.xlarge", 250), ("g6.2xlarge", 450), ("g6.4xlarge", 600), ("g6.8xlarge", 900),
    ("g6.12xlarge", 3760), ("g6.16xlarge", 1880), ("g6.24xlarge", 3760), ("g6.48xlarge", 7520),
    ("g6e.xlarge", 250), ("g6e.2xlarge", 450), ("g6e.4xlarge", 600), ("g6e.8xlarge", 900),
    ("g6e.12xlarge", 3800), ("g6e.16xlarge", 1900), ("g6e.24xlarge", 3800), ("g6e.48xlarge", 7600),
    ("p4d.24xlarge", 8000), ("p5.48xlarge", 30_400),
    ("trn1.2xlarge", 475), ("trn1.32xlarge", 7600),
];

/// The instance stores of a type, GB (10^9 bytes) in all; `None` where the table has not got it.
#[must_use]
pub fn instance_store_gb(name: &str) -> Option<u32> {
    STORES.iter().find(|(known, _)| *known == name).map(|(_, gb)| *gb)
}

/// How many network cards of a type take an Elastic Fabric Adapter; `None` for a type that has
/// none or is not known.
/// Source: EC2 user guide, "Elastic Fabric Adapter", supported instance types, and "Network cards".
#[must_use]
pub fn efa_cards(name: &str) -> Option<u32> {
    let (family, size) = name.split_once('.')?;
    let cards = match (family, size) {
        ("p5" | "p5e", "48xlarge") => 32,
        ("p5en" | "trn2", "48xlarge") | ("trn1n", "32xlarge") => 16,
        ("p6-b200", "48xlarge") | ("trn1", "32xlarge") => 8,
        ("p4d" | "p4de", "24xlarge") | ("g6e", "48xlarge") => 4,
        ("g6e", "24xlarge") | ("m6in" | "c6in" | "r6in", "32xlarge") => 2,
        ("g5" | "g6", "8xlarge" | "12xlarge" | "16xlarge" | "24xlarge" | "48xlarge")
        | ("g4dn" | "g6e", "8xlarge" | "12xlarge" | "16xlarge")
        | ("gr6", "8xlarge")
        | ("p5", "4xlarge")
        | ("p3dn", "24xlarge")
        | ("c5n", "18xlarge")
        | ("m5n" | "r5n", "24xlarge")
        | ("c6i" | "m6i" | "r6i", "32xlarge")
        | ("c7i" | "m7i" | "r7i", "48xlarge")
        | ("c7g" | "m7g" | "r7g" | "c6gn" | "c7gn", "16xlarge") => 1,
        _ => return None,
    };
    Some(cards)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn stores_have_sizes_where_there_are_stores() {
        assert!(STORES.iter().all(|(name, _)| has_instance_store(name)));
        assert_eq!(instance_store_gb("g4dn.xlarge"), Some(125));
        assert_eq!(instance_store_gb("m6g.xlarge"), None);
    }

    /// The rehearsal account has a table of its own, as AWS has.
    #[cfg(feature = "rehearsal")]
    #[test]
    fn the_rehearsal_account_has_the_same_stores() {
        let its = |name: &str| crate::rehearsal::ec2::instance_shape(name).and_then(|shape| shape.local_disks);
        let both: Vec<_> = STORES.iter().filter_map(|(name, gb)| its(name).map(|(its, _)| (name, *gb, its))).collect();
        assert!(both.len() > 20, "{both:?}");
        assert!(both.iter().all(|(_, ours, its)| u64::from(*ours) == *its), "{both:?}");
    }

    #[test]
    fn efa_is_for_the_large_sizes() {
        assert_eq!(efa_cards("p5.48xlarge"), Some(32));
        assert_eq!(efa_cards("p4d.24xlarge"), Some(4));
        assert_eq!(efa_cards("g6.8xlarge"), Some(1));
        assert_eq!(efa_cards("g4dn.xlarge"), None);
        assert_eq!(efa_cards("inf2.48xlarge"), None);
    }

    #[test]
    fn the_quickstart_types_are_known() {
        let cpu = look_up("m6g.xlarge").unwrap();
        assert_eq!((cpu.vcpus, cpu.memory_gib), (4, 16));
        assert_eq!((cpu.architecture, cpu.accelerator), (Arm64, Plain));
        let gpu = look_up("g4dn.xlarge").unwrap();
        assert_eq!((gpu.vcpus, gpu.memory_gib, gpu.accelerators), (4, 16, 1));
    }

    /// The figures of the EKS user guide's own examples and eni-max-pods.txt.
    #[test]
    fn max_pods_are_those_of_eks() {
        let pods = |name: &str, prefix| look_up(name).unwrap().max_pods(prefix);
        assert_eq!(pods("g4dn.xlarge", false), 29);
        assert_eq!(pods("g4dn.xlarge", true), 110);
        assert_eq!(pods("m5.large", false), 29);
        assert_eq!(pods("m6g.xlarge", false), 58);
        assert_eq!(pods("m5.16xlarge", false), 737);
        assert_eq!(pods("c5.9xlarge", false), 234);
        assert_eq!(pods("m5.8xlarge", true), 250);
        assert_eq!(pods("m6g.medium", true), 98);
        assert_eq!(pods("t3.micro", false), 4);
        assert_eq!(pods("p5.48xlarge", false), 100);
    }

    #[test]
    fn unknown_types_go_by_their_names() {
        assert_eq!(architecture("m9g.large"), Arm64);
        assert_eq!(architecture("r8gd.large"), Arm64);
        assert_eq!(architecture("c7gn.large"), Arm64);
        assert_eq!(architecture("x2gd.large"), Arm64);
        assert_eq!(architecture("im4gn.large"), Arm64);
        assert_eq!(architecture("g5g.xlarge"), Arm64);
        assert_eq!(architecture("a1.large"), Arm64);
        assert_eq!(architecture("g7e.xlarge"), X86_64);
        assert_eq!(architecture("m8i-flex.large"), X86_64);
        assert_eq!(architecture("u-6tb1.metal"), X86_64);
        assert_eq!(accelerator("g7e.xlarge"), Nvidia);
        assert_eq!(accelerator("p6-b200.48xlarge"), Nvidia);
        assert_eq!(accelerator("g4ad.xlarge"), Plain);
        assert_eq!(accelerator("trn2.48xlarge"), Neuron);
        assert_eq!(accelerator("i4i.large"), Plain);
        assert!(!knows_family_of("m9g.large"));
        assert!(knows_family_of("m6g.gigantic"));
    }

    #[test]
    fn the_table_agrees_with_the_naming_rule() {
        for name in names() {
            let known = look_up(&name).unwrap();
            let family = name.split('.').next().unwrap();
            let letters = family.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            assert_eq!(known.architecture == Arm64, letters.contains('g'), "{name}");
            assert!(known.vcpus > 0 && known.addresses > 1, "{name}");
        }
    }

    #[test]
    fn an_unknown_size_of_a_known_family_is_unknown() {
        assert_eq!(look_up("m6g.24xlarge"), None);
        assert_eq!(look_up("m6g"), None);
        assert_eq!(look_up(""), None);
    }
}
