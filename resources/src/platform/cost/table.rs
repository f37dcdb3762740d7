//! The price list of this program: used where AWS's own cannot be asked.
//!
//! Region us-east-1, US dollars, Linux on shared hardware, On-Demand, without free tier,
//! discounts and taxes. Another region has other prices, and there is no factor between
//! them: for those nothing is known here.
//!
//! Instances: the AWS Price List of that day, as karpenter-provider-aws publishes it
//! (`pkg/providers/pricing/zz_generated.pricing_aws.go`, v1.14.1). All else: the list
//! prices of the services' pricing pages; docs/cost.md has the addresses.

use super::{Money, Product};

/// The one region of the table.
pub const REGION: &str = "us-east-1";

/// The day that the table is of.
pub const DATE: &str = "2026-07-20";

/// Millionths of a dollar an hour, by family and size.
type Family = (&'static str, &'static [(&'static str, i64)]);

#[rustfmt::skip]
const INSTANCES: &[Family] = &[
    ("m5", &[("large", 96_000), ("xlarge", 192_000), ("2xlarge", 384_000), ("4xlarge", 768_000), ("8xlarge", 1_536_000), ("12xlarge", 2_304_000), ("16xlarge", 3_072_000), ("24xlarge", 4_608_000)]),
    ("m6i", &[("large", 96_000), ("xlarge", 192_000), ("2xlarge", 384_000), ("4xlarge", 768_000), ("8xlarge", 1_536_000), ("12xlarge", 2_304_000), ("16xlarge", 3_072_000), ("24xlarge", 4_608_000), ("32xlarge", 6_144_000)]),
    ("m7i", &[("large", 100_800), ("xlarge", 201_600), ("2xlarge", 403_200), ("4xlarge", 806_400), ("8xlarge", 1_612_800), ("12xlarge", 2_419_200), ("16xlarge", 3_225_600), ("24xlarge", 4_838_400), ("48xlarge", 9_676_800)]),
    ("m6g", &[("medium", 38_500), ("large", 77_000), ("xlarge", 154_000), ("2xlarge", 308_000), ("4xlarge", 616_000), ("8xlarge", 1_232_000), ("12xlarge", 1_848_000), ("16xlarge", 2_464_000)]),
    ("m7g", &[("medium", 40_800), ("large", 81_600), ("xlarge", 163_200), ("2xlarge", 326_400), ("4xlarge", 652_800), ("8xlarge", 1_305_600), ("12xlarge", 1_958_400), ("16xlarge", 2_611_200)]),
    ("c5", &[("large", 85_000), ("xlarge", 170_000), ("2xlarge", 340_000), ("4xlarge", 680_000), ("9xlarge", 1_530_000), ("12xlarge", 2_040_000), ("18xlarge", 3_060_000), ("24xlarge", 4_080_000)]),
    ("c6i", &[("large", 85_000), ("xlarge", 170_000), ("2xlarge", 340_000), ("4xlarge", 680_000), ("8xlarge", 1_360_000), ("12xlarge", 2_040_000), ("16xlarge", 2_720_000), ("24xlarge", 4_080_000), ("32xlarge", 5_440_000)]),
    ("c7i", &[("large", 89_250), ("xlarge", 178_500), ("2xlarge", 357_000), ("4xlarge", 714_000), ("8xlarge", 1_428_000), ("12xlarge", 2_142_000), ("16xlarge", 2_856_000), ("24xlarge", 4_284_000), ("48xlarge", 8_568_000)]),
    ("c6g", &[("medium", 34_000), ("large", 68_000), ("xlarge", 136_000), ("2xlarge", 272_000), ("4xlarge", 544_000), ("8xlarge", 1_088_000), ("12xlarge", 1_632_000), ("16xlarge", 2_176_000)]),
    ("c7g", &[("medium", 36_300), ("large", 72_500), ("xlarge", 145_000), ("2xlarge", 290_000), ("4xlarge", 580_000), ("8xlarge", 1_160_000), ("12xlarge", 1_740_000), ("16xlarge", 2_320_000)]),
    ("r5", &[("large", 126_000), ("xlarge", 252_000), ("2xlarge", 504_000), ("4xlarge", 1_008_000), ("8xlarge", 2_016_000), ("12xlarge", 3_024_000), ("16xlarge", 4_032_000), ("24xlarge", 6_048_000)]),
    ("r6i", &[("large", 126_000), ("xlarge", 252_000), ("2xlarge", 504_000), ("4xlarge", 1_008_000), ("8xlarge", 2_016_000), ("12xlarge", 3_024_000), ("16xlarge", 4_032_000), ("24xlarge", 6_048_000), ("32xlarge", 8_064_000)]),
    ("r7i", &[("large", 132_300), ("xlarge", 264_600), ("2xlarge", 529_200), ("4xlarge", 1_058_400), ("8xlarge", 2_116_800), ("12xlarge", 3_175_200), ("16xlarge", 4_233_600), ("24xlarge", 6_350_400), ("48xlarge", 12_700_800)]),
    ("r6g", &[("medium", 50_400), ("large", 100_800), ("xlarge", 201_600), ("2xlarge", 403_200), ("4xlarge", 806_400), ("8xlarge", 1_612_800), ("12xlarge", 2_419_200), ("16xlarge", 3_225_600)]),
    ("r7g", &[("medium", 53_600), ("large", 107_100), ("xlarge", 214_200), ("2xlarge", 428_400), ("4xlarge", 856_800), ("8xlarge", 1_713_600), ("12xlarge", 2_570_400), ("16xlarge", 3_427_200)]),
    ("t3", &[("micro", 10_400), ("small", 20_800), ("medium", 41_600), ("large", 83_200), ("xlarge", 166_400), ("2xlarge", 332_800)]),
    ("t4g", &[("micro", 8_400), ("small", 16_800), ("medium", 33_600), ("large", 67_200), ("xlarge", 134_400), ("2xlarge", 268_800)]),
    ("g4dn", &[("xlarge", 526_000), ("2xlarge", 752_000), ("4xlarge", 1_204_000), ("8xlarge", 2_176_000), ("12xlarge", 3_912_000), ("16xlarge", 4_352_000)]),
    ("g5", &[("xlarge", 1_006_000), ("2xlarge", 1_212_000), ("4xlarge", 1_624_000), ("8xlarge", 2_448_000), ("12xlarge", 5_672_000), ("16xlarge", 4_096_000), ("24xlarge", 8_144_000), ("48xlarge", 16_288_000)]),
    ("g6", &[("xlarge", 804_800), ("2xlarge", 977_600), ("4xlarge", 1_323_200), ("8xlarge", 2_014_400), ("12xlarge", 4_601_600), ("16xlarge", 3_396_800), ("24xlarge", 6_675_200), ("48xlarge", 13_350_400)]),
    ("g6e", &[("xlarge", 1_861_000), ("2xlarge", 2_242_080), ("4xlarge", 3_004_240), ("8xlarge", 4_528_560), ("12xlarge", 10_492_640), ("48xlarge", 30_131_180)]),
    ("p3", &[("2xlarge", 3_060_000), ("8xlarge", 12_240_000), ("16xlarge", 24_480_000)]),
    ("p4d", &[("24xlarge", 21_957_642)]),
    ("p5", &[("48xlarge", 55_040_000)]),
    ("inf2", &[("xlarge", 758_200), ("8xlarge", 1_967_860), ("48xlarge", 12_981_270)]),
    ("trn1", &[("2xlarge", 1_343_750), ("32xlarge", 21_500_000)]),
];

/// The price of one unit of a product in us-east-1.
pub fn price(product: &Product) -> Option<Money> {
    let micros = match product {
        Product::Instance(name) => return instance(name),
        Product::ControlPlane => 100_000,
        // In all: the $0.10 are a part of it (AWS containers blog, "Amazon EKS extended
        // support for Kubernetes versions pricing", April 2024).
        Product::ControlPlaneExtended => 600_000,
        Product::Volume(kind) => match kind.as_str() {
            "gp3" => 80_000,
            "gp2" => 100_000,
            _ => return None,
        },
        Product::Gp3Iops => 5_000,
        Product::Gp3Throughput => 40_000,
        Product::NatGateway => 45_000,
        Product::InterfaceEndpoint => 10_000,
        Product::PublicAddress => 5_000,
        Product::Key => 1_000_000,
        Product::LogIngestion => 500_000,
        Product::LogStorage => 30_000,
        Product::BucketStorage => 23_000,
    };
    Some(Money::micros(micros))
}

fn instance(name: &str) -> Option<Money> {
    let (family, size) = name.split_once('.')?;
    let (_, sizes) = INSTANCES.iter().find(|row| row.0 == family)?;
    let (_, micros) = sizes.iter().find(|row| row.0 == size)?;
    Some(Money::micros(*micros))
}

/// Every product that the table has a price of.
pub fn products() -> Vec<Product> {
    let volumes = ["gp3", "gp2"].map(|kind| Product::Volume(kind.to_owned()));
    let instances = INSTANCES
        .iter()
        .flat_map(|(family, sizes)| sizes.iter().map(move |(size, _)| Product::Instance(format!("{family}.{size}"))));
    Product::FIXED.into_iter().chain(volumes).chain(instances).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::instance_types;

    #[test]
    fn every_known_instance_type_has_a_price() {
        let missing: Vec<String> = instance_types::names().filter(|name| instance(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!(instance("m6g.24xlarge"), None);
        assert_eq!(instance("m6g"), None);
    }

    /// AWS prices the sizes of an ordinary family in proportion to their vCPUs: a digit
    /// wrongly copied would stand out. Prices are rounded to a hundredth of a cent.
    #[test]
    fn the_sizes_of_ordinary_families_are_in_proportion() {
        for name in instance_types::names().filter(|name| ["m", "c", "r"].contains(&&name[..1])) {
            let family = name.split('.').next().unwrap_or_default();
            let one = |name: &str| {
                let vcpus = i64::from(instance_types::look_up(name)?.vcpus);
                Some((instance(name)?.in_micros(), vcpus))
            };
            let (Some((price, vcpus)), Some((base, of_base))) = (one(&name), one(&format!("{family}.4xlarge"))) else {
                panic!("{name} has no price");
            };
            assert!((price - base * vcpus / of_base).abs() <= 100, "{name}: {price}");
        }
    }

    #[test]
    fn every_product_of_the_table_has_a_price() {
        assert!(products().iter().all(|product| price(product).is_some()));
        assert_eq!(price(&Product::Volume("io2".to_owned())), None);
    }
}
