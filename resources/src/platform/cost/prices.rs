//! What is paid for, and the prices that a run reckons with.

use std::collections::BTreeMap;

use super::{Money, table};

/// Something that AWS has a price of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Product {
    /// A cluster on a version in standard support, an hour.
    ControlPlane,
    /// A cluster on a version in extended support, an hour, in all.
    ControlPlaneExtended,
    /// An instance of this type, On-Demand, Linux, an hour.
    Instance(String),
    /// An EBS volume of this type, a GiB and month.
    Volume(String),
    /// An IOPS of a gp3 volume beyond 3,000, a month.
    Gp3Iops,
    /// A MiB/s of a gp3 volume beyond 125, a month.
    Gp3Throughput,
    /// A NAT gateway, an hour.
    NatGateway,
    /// An interface endpoint in one Availability Zone, an hour.
    InterfaceEndpoint,
    /// A public IPv4 address, in use or not, an hour.
    PublicAddress,
    /// A KMS key, a month.
    Key,
    /// CloudWatch Logs, a GB taken in.
    LogIngestion,
    /// CloudWatch Logs, a GB kept for a month.
    LogStorage,
    /// S3 Standard, a GB kept for a month, of the first 50 TB.
    BucketStorage,
}

impl Product {
    /// All without a parameter.
    pub const FIXED: [Self; 11] = [
        Self::ControlPlane,
        Self::ControlPlaneExtended,
        Self::Gp3Iops,
        Self::Gp3Throughput,
        Self::NatGateway,
        Self::InterfaceEndpoint,
        Self::PublicAddress,
        Self::Key,
        Self::LogIngestion,
        Self::LogStorage,
        Self::BucketStorage,
    ];

    /// For people: `m6g.xlarge`, `gp3 volumes`.
    pub fn name(&self) -> String {
        match self {
            Self::ControlPlane => "the control plane".to_owned(),
            Self::ControlPlaneExtended => "a control plane in extended support".to_owned(),
            Self::Instance(name) => name.clone(),
            Self::Volume(kind) => format!("{kind} volumes"),
            Self::Gp3Iops => "IOPS of gp3 volumes".to_owned(),
            Self::Gp3Throughput => "throughput of gp3 volumes".to_owned(),
            Self::NatGateway => "NAT gateways".to_owned(),
            Self::InterfaceEndpoint => "interface endpoints".to_owned(),
            Self::PublicAddress => "public IPv4 addresses".to_owned(),
            Self::Key => "KMS keys".to_owned(),
            Self::LogIngestion => "log ingestion".to_owned(),
            Self::LogStorage => "log storage".to_owned(),
            Self::BucketStorage => "S3 storage".to_owned(),
        }
    }
}

/// Where prices are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Table,
    List,
}

/// The prices of one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    region: String,
    listed: BTreeMap<Product, Money>,
    origin: Origin,
    /// The day of the list.
    published: String,
    remarks: Vec<String>,
}

impl Prices {
    /// The prices of this program's table.
    pub fn table(region: &str) -> Self {
        Self::made(region, BTreeMap::new(), Origin::Table, "")
    }

    /// Prices that AWS's price list of a day gave; the table has the others of its region.
    pub fn listed(region: &str, listed: BTreeMap<Product, Money>, published: &str) -> Self {
        Self::made(region, listed, Origin::List, published)
    }

    fn made(region: &str, listed: BTreeMap<Product, Money>, origin: Origin, published: &str) -> Self {
        let (region, published) = (region.to_owned(), published.to_owned());
        Self { region, listed, origin, published, remarks: Vec::new() }
    }

    /// The same, with something that whoever reads the sums should know.
    #[must_use]
    pub fn remark(mut self, remark: String) -> Self {
        self.remarks.push(remark);
        self
    }

    /// The price of one unit, if it is known.
    pub fn get(&self, product: &Product) -> Option<Money> {
        let in_table = || if self.region == table::REGION { table::price(product) } else { None };
        self.listed.get(product).copied().or_else(in_table)
    }

    /// The price of one unit by AWS's price list, if it was asked and has it.
    pub fn from_list(&self, product: &Product) -> Option<Money> {
        self.listed.get(product).copied()
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Where they are from, as the end of a sentence.
    pub fn source(&self) -> String {
        match self.origin {
            Origin::Table => format!("list prices of {} as of {}", self.region, table::DATE),
            Origin::List if self.published.is_empty() => format!("the AWS Price List of {}", self.region),
            Origin::List => format!("the AWS Price List of {}, published {}", self.region, self.published),
        }
    }

    /// What should be known of them.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = self.remarks.clone();
        if self.origin == Origin::Table && self.region != table::REGION {
            remarks.push(format!(
                "Without AWS's price list only the prices of {} are known: nothing of {} is in the sums.",
                table::REGION,
                self.region
            ));
        }
        remarks
    }
}
