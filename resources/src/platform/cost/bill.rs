//! From resources to lines of a bill: one function a kind.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::Value;

use super::{Estimate, Item, Line, MONTH_HOURS, Money, Prices, Product, Range};
use crate::platform::manifest::versions;

/// Spot costs at least this share of the On-Demand price, percent ("up to 90 % off",
/// <https://aws.amazon.com/ec2/spot/>), and at most all of it: EKS sets no maximum price,
/// and EC2's own is the On-Demand price
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances.html>).
const SPOT_AT_LEAST: u32 = 10;

/// What every gp3 volume has without being asked.
/// Source: <https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html>
const GP3_IOPS: u64 = 3000;
const GP3_THROUGHPUT: u64 = 125;

/// Kinds that cost nothing by themselves. The services' pricing pages name no price for
/// them, or name them as free.
const FREE: &[&str] = &[
    "aws:autoscaling:GroupTags",
    "aws:ec2:InternetGateway",
    "aws:ec2:Route",
    "aws:ec2:RouteTable",
    "aws:ec2:RouteTableAssociation",
    "aws:ec2:SecurityGroup",
    "aws:ec2:SecurityGroupRule",
    "aws:ec2:Subnet",
    "aws:ec2:Vpc",
    "aws:eks:AccessEntry",
    "aws:eks:Addon",
    "aws:eks:PodIdentityAssociation",
    "aws:iam:OpenIdConnectProvider",
    "aws:iam:Policy",
    "aws:iam:Role",
    "aws:iam:RolePolicy",
    "aws:iam:RolePolicyAttachment",
    "aws:kms:Alias",
    "kubernetes:Chart",
    "kubernetes:CustomResourceDefinition",
    "kubernetes:Entry",
    "kubernetes:GeneratedSecret",
    "kubernetes:Hook",
    "kubernetes:Object",
    "kubernetes:Ray",
    "kubernetes:Sweep",
    "tls:IssuerCertificate",
];

/// The lines of one kind's resources.
type Biller = fn(&mut Bill<'_>, &Item);

const BILLERS: &[(&str, Biller)] = &[
    ("aws:eks:Cluster", |bill, item| bill.cluster(item)),
    ("aws:eks:NodeGroup", |bill, item| bill.node_group(item)),
    // Its disk is billed with each node group that uses it.
    ("aws:ec2:LaunchTemplate", |_, _| {}),
    ("aws:kms:Key", |bill, item| bill.key(item)),
    ("aws:logs:LogGroup", |bill, item| bill.log_group(item)),
    ("aws:ec2:NatGateway", |bill, item| bill.nat_gateway(item)),
    ("aws:ec2:Eip", |bill, item| bill.address(item)),
    ("aws:ec2:VpcEndpoint", |bill, item| bill.endpoint(item)),
    ("aws:s3:Bucket", |bill, _| bill.bucket()),
    ("aws:sqs:Queue", |bill, _| bill.requests("SQS")),
    ("aws:events:Rule", |bill, _| bill.requests("EventBridge")),
    // Its pods run on nodes that are billed; its volumes are disks of their own.
    ("kubernetes:Workload", |bill, item| bill.claims(item)),
];

/// Is it known what a kind costs, or that it costs nothing?
pub fn knows(kind: &str) -> bool {
    FREE.contains(&kind) || BILLERS.iter().any(|(known, _)| *known == kind)
}

/// The bill of `items` on a day.
pub(super) fn estimate(items: &[Item], prices: &Prices, today: Date) -> Estimate {
    let get = |product: &Product| prices.get(product);
    estimate_with(items, &get, prices.region(), today)
}

/// What must be priced for a bill of `items`.
pub(super) fn needs(items: &[Item], today: Date) -> BTreeSet<Product> {
    let asked = std::cell::RefCell::new(BTreeSet::new());
    let get = |product: &Product| {
        asked.borrow_mut().insert(product.clone());
        // Any price will do to see what else is asked.
        Some(Money::micros(1))
    };
    estimate_with(items, &get, "", today);
    asked.into_inner()
}

fn estimate_with(items: &[Item], get: &dyn Fn(&Product) -> Option<Money>, region: &str, today: Date) -> Estimate {
    let templates = items.iter().filter(|item| item.urn.kind() == "aws:ec2:LaunchTemplate");
    let templates = templates.map(|item| (item.urn.as_str(), &item.inputs)).collect();
    let classes = items.iter().map(|item| &item.inputs["manifest"]).filter(|it| it["kind"] == "StorageClass");
    let classes = classes.map(|class| (text(&class["metadata"]["name"]), &class["parameters"])).collect();
    let mut bill = Bill { get, region, today, templates, classes, estimate: Estimate::default() };
    for item in items {
        let kind = item.urn.kind();
        match BILLERS.iter().find(|(known, _)| *known == kind) {
            Some((_, biller)) => biller(&mut bill, item),
            None if FREE.contains(&kind) => {}
            None => bill.unknown("other", item.urn.to_string(), format!("no price is known for {kind}")),
        }
    }
    bill.estimate
}

/// A bill being made.
struct Bill<'a> {
    get: &'a dyn Fn(&Product) -> Option<Money>,
    region: &'a str,
    today: Date,
    templates: BTreeMap<&'a str, &'a Value>,
    /// Storage classes with their parameters.
    classes: BTreeMap<&'a str, &'a Value>,
    estimate: Estimate,
}

fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What EBS makes of a claim's size: whole GiB, rounded up. `None` for one that is not written in binary units.
/// Source: aws-ebs-csi-driver, `pkg/util/util.go`
fn whole_gib(quantity: &str) -> Option<u64> {
    let (digits, mib) = [("Mi", 1), ("Gi", 1024), ("Ti", 1024 * 1024)]
        .into_iter()
        .find_map(|(unit, mib)| Some((quantity.strip_suffix(unit)?, mib)))?;
    Some(digits.parse::<u64>().ok()?.checked_mul(mib)?.div_ceil(1024))
}

impl Bill<'_> {
    fn price(&self, product: &Product) -> Result<Money, String> {
        (self.get)(product).ok_or_else(|| format!("no price known for {} in {}", product.name(), self.region))
    }

    fn line(&mut self, group: &str, what: String, now: Range, at_most: Range) {
        self.estimate.lines.push(Line { group: group.to_owned(), what, now, at_most, unknown: None });
    }

    fn unknown(&mut self, group: &str, what: String, why: String) {
        let nothing = Range::default();
        let line = Line { group: group.to_owned(), what, now: nothing, at_most: nothing, unknown: Some(why) };
        self.estimate.lines.push(line);
    }

    fn note(&mut self, text: String) {
        self.estimate.notes.insert(text);
    }

    /// One thing that costs the same all month.
    fn steady(&mut self, group: &str, what: String, product: &Product, units: u64) {
        match self.price(product) {
            Ok(price) => {
                let amount = Range::exactly(price.times(units));
                self.line(group, what, amount, amount);
            }
            Err(why) => self.unknown(group, what, why),
        }
    }

    fn cluster(&mut self, item: &Item) {
        let version = text(&item.inputs["kubernetes_version"]);
        let stays = text(&item.inputs["support"]) == "EXTENDED";
        let ends = versions::look_up(version).map(|known| known.standard_ends);
        // On standard support EKS upgrades the cluster when it ends: nothing more is paid.
        let product = match ends {
            Some(ends) if stays && self.today > ends => Product::ControlPlaneExtended,
            _ => Product::ControlPlane,
        };
        let kind = if product == Product::ControlPlane { "standard" } else { "extended" };
        self.steady("control plane", format!("Kubernetes {version}, {kind} support"), &product, MONTH_HOURS);
        if let Some(ends) = ends.filter(|ends| stays && self.today <= *ends)
            && let Ok(price) = self.price(&Product::ControlPlaneExtended)
        {
            self.note(format!(
                "After {ends} Kubernetes {version} is in extended support: the control plane then costs {} a month.",
                price.times(MONTH_HOURS)
            ));
        }
        self.note(
            "Data transfer is not in the sums: between zones, through NAT and to the internet it is paid by GB."
                .to_owned(),
        );
    }

    fn node_group(&mut self, item: &Item) {
        let inputs = &item.inputs;
        let group = match inputs["labels"]["rayplat.io/pool"].as_str() {
            Some(pool) => format!("pool {pool}"),
            None => format!("pool {}", item.urn.name()),
        };
        let (desired, most) = (whole(&inputs["scaling"]["desired"]), whole(&inputs["scaling"]["max"]));
        let types: Vec<&str> = inputs["instance_types"].as_array().into_iter().flatten().map(text).collect();
        let capacity = text(&inputs["capacity"]);
        let how = match capacity {
            "SPOT" => "Spot",
            "ON_DEMAND" => "On-Demand",
            other => other,
        };
        let what = format!("{desired} to {most} {}, {how}", types.join(" or "));
        match self.node_hour(&types, capacity) {
            Ok(hour) => {
                let month = hour.times(MONTH_HOURS);
                self.line(&group, what, month.times(desired), month.times(most));
            }
            Err(why) => self.unknown(&group, what, why),
        }
        if capacity == "SPOT" && most > 0 {
            self.note("Spot changes with the market: from 90 % below the On-Demand price up to that price.".to_owned());
        }
        if inputs["warm_pool"].is_object() {
            self.note(
                "A warm pool is not in the sums: its stopped nodes cost their disks, its running ones all.".to_owned(),
            );
        }
        self.disk(&group, item, desired, most);
    }

    /// What one node costs an hour: of several types any may be launched.
    fn node_hour(&self, types: &[&str], capacity: &str) -> Result<Range, String> {
        let prices: Vec<Money> =
            types.iter().map(|name| self.price(&Product::Instance((*name).to_owned()))).collect::<Result<_, _>>()?;
        let (Some(low), Some(high)) = (prices.iter().min(), prices.iter().max()) else {
            return Err("its instance types are in its launch template, which is not looked into".to_owned());
        };
        match capacity {
            "ON_DEMAND" => Ok(Range { low: *low, high: *high }),
            "SPOT" => Ok(Range { low: low.percent(SPOT_AT_LEAST), high: *high }),
            other => Err(format!("no price is known for capacity of the kind {other}")),
        }
    }

    fn disk(&mut self, group: &str, item: &Item, desired: u64, most: u64) {
        let template = item.depends_on.iter().find_map(|urn| self.templates.get(urn.as_str()).copied());
        let Some(disk) = template.map(|template| &template["disk"]).filter(|disk| disk.is_object()) else {
            return self.unknown(group, "disks".to_owned(), "the launch template is not known".to_owned());
        };
        let (size, kind) = (whole(&disk["size_gb"]), text(&disk["volume_type"]));
        let what = format!("{size} GiB {kind} a node");
        match self.volume(disk, size, kind) {
            Ok(month) => {
                let month = Range::exactly(month);
                self.line(group, what, month.times(desired), month.times(most));
            }
            Err(why) => self.unknown(group, what, why),
        }
        // Bottlerocket's own volume, beside that of images and pods.
        let system = template.map(|template| &template["system_disk"]).filter(|disk| disk.is_object()).cloned();
        if let Some(system) = system {
            let (size, kind) = (whole(&system["size_gb"]), text(&system["volume_type"]).to_owned());
            let what = format!("{size} GiB {kind} of the system a node");
            match self.volume(&system, size, &kind).map(Range::exactly) {
                Ok(month) => self.line(group, what, month.times(desired), month.times(most)),
                Err(why) => self.unknown(group, what, why),
            }
        }
    }

    fn volume(&self, disk: &Value, size: u64, kind: &str) -> Result<Money, String> {
        let mut month = self.price(&Product::Volume(kind.to_owned()))?.times(size);
        if kind == "gp3" {
            let iops = whole(&disk["iops"]).saturating_sub(GP3_IOPS);
            let throughput = whole(&disk["throughput"]).saturating_sub(GP3_THROUGHPUT);
            if iops > 0 {
                month = month + self.price(&Product::Gp3Iops)?.times(iops);
            }
            if throughput > 0 {
                month = month + self.price(&Product::Gp3Throughput)?.times(throughput);
            }
        }
        Ok(month)
    }

    /// The volumes that a StatefulSet's pods claim.
    fn claims(&mut self, item: &Item) {
        let manifest = &item.inputs["manifest"];
        let pods = manifest["spec"]["replicas"].as_u64().unwrap_or(1);
        for claim in manifest["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
            let of = format!("{}/{}", text(&manifest["metadata"]["name"]), text(&claim["metadata"]["name"]));
            let size = text(&claim["spec"]["resources"]["requests"]["storage"]);
            match self.claim(&claim["spec"], size) {
                Ok((month, size, kind)) => {
                    let month = Range::exactly(month).times(pods);
                    self.line("pod volumes", format!("{pods} of {size} GiB {kind}, {of}"), month, month);
                }
                Err(why) => self.unknown("pod volumes", format!("{size}, {of}"), why),
            }
        }
    }

    /// A claim's price, size in GiB and kind of volume.
    fn claim(&self, claim: &Value, size: &str) -> Result<(Money, u64, String), String> {
        let name = text(&claim["storageClassName"]);
        let class =
            *self.classes.get(name).ok_or_else(|| format!("the storage class `{name}` is not the platform's"))?;
        let size = whole_gib(size).ok_or_else(|| format!("{size} is not in Mi, Gi or Ti"))?;
        // Parameters are texts.
        let number = |key: &str| text(&class[key]).parse::<u64>().unwrap_or_default();
        let disk = serde_json::json!({"iops": number("iops"), "throughput": number("throughput")});
        let kind = text(&class["type"]);
        Ok((self.volume(&disk, size, kind)?, size, kind.to_owned()))
    }

    fn key(&mut self, item: &Item) {
        self.steady("KMS keys", format!("key {}", item.urn.name()), &Product::Key, 1);
        if let (Some(true), Ok(price)) = (item.inputs["rotation"].as_bool(), self.price(&Product::Key)) {
            self.note(format!(
                "Each of a key's first two yearly rotations adds {price} a month; its requests are extra."
            ));
        }
    }

    fn log_group(&mut self, item: &Item) {
        let kept = match item.inputs["retention_days"].as_u64() {
            Some(days) => format!("each GB is kept for {days} days"),
            None => "each GB is kept for ever".to_owned(),
        };
        let (taken, stored) = (self.price(&Product::LogIngestion), self.price(&Product::LogStorage));
        if let (Ok(taken), Ok(stored)) = (taken, stored) {
            self.note(format!(
                "Log volume is not known beforehand: {} per GB taken in, {} per GB and month kept; {kept} in {}.",
                taken.exact(),
                stored.exact(),
                text(&item.inputs["name"])
            ));
        } else {
            self.note(format!("Log volume is not known beforehand, and no price of it: {kept}."));
        }
    }

    fn nat_gateway(&mut self, item: &Item) {
        self.steady("network", format!("NAT gateway {}", item.urn.name()), &Product::NatGateway, MONTH_HOURS);
        self.note("Data through NAT gateways is extra, by GB.".to_owned());
    }

    fn address(&mut self, item: &Item) {
        let what = format!("public IPv4 address {}", item.urn.name());
        self.steady("network", what, &Product::PublicAddress, MONTH_HOURS);
    }

    /// An interface endpoint is paid for in each zone that it is in; a gateway endpoint is free.
    fn endpoint(&mut self, item: &Item) {
        let kind = text(&item.inputs["kind"]);
        if kind.eq_ignore_ascii_case("gateway") {
            return;
        }
        let zones = item.inputs["subnet_ids"].as_array().map_or(0, Vec::len) as u64;
        let what = format!("interface endpoint {} in {zones} zones", item.urn.name());
        if zones == 0 {
            return self.unknown("network", what, "its subnets are not known".to_owned());
        }
        self.steady("network", what, &Product::InterfaceEndpoint, MONTH_HOURS * zones);
        self.note("Data through interface endpoints is extra, by GB.".to_owned());
    }

    fn bucket(&mut self) {
        let price = self.price(&Product::BucketStorage);
        let price = price.map_or_else(|_| "no price known".to_owned(), |price| price.exact());
        self.note(format!("What buckets hold is not known beforehand: {price} per GB and month, requests extra."));
    }

    fn requests(&mut self, service: &str) {
        self.note(format!("{service} is paid by request; a platform's own traffic is small."));
    }
}
