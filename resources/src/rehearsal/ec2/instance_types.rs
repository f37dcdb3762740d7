//! `DescribeInstanceTypes` and `DescribeInstanceTypeOfferings`.

use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::instance_table::{InstanceShape, all_names, instance_shape};
use super::network::zones;
use super::params::{self, PageLimits, USUAL_PAGE, refuse, text, texts};
use super::tags::Tags;

/// `DescribeInstanceTypes`.
pub(super) fn describe(_account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let asked = texts(params, "InstanceType");
    let unknown: Vec<&str> = asked.iter().filter(|name| instance_shape(name).is_none()).map(String::as_str).collect();
    if !unknown.is_empty() {
        return Err(refuse(
            "InvalidInstanceType",
            format!("The following supplied instance types do not exist: [{}]", unknown.join(", ")),
        ));
    }
    let names = if asked.is_empty() { all_names() } else { asked };
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for shape in names.iter().filter_map(|name| instance_shape(name)) {
        if params::passes(&filters, &Tags::new(), |name| attribute(&shape, name))? {
            items.push((shape.name.clone(), answer(&shape)));
        }
    }
    let limits = PageLimits { least: 5, most: 100 };
    Ok(params::paged_answer("instanceTypeSet", params::page(params, &limits, items)?))
}

fn attribute(shape: &InstanceShape, name: &str) -> Option<Vec<String>> {
    Some(match name {
        "supported-usage-class" => vec!["on-demand".to_owned(), "spot".to_owned()],
        _ => vec![match name {
            "instance-type" => shape.name.clone(),
            "processor-info.supported-architecture" => shape.architecture.as_str().to_owned(),
            "vcpu-info.default-vcpus" => shape.vcpus.to_string(),
            "memory-info.size-in-mib" => shape.memory_mib.to_string(),
            "current-generation" => "true".to_owned(),
            "bare-metal" => "false".to_owned(),
            "hypervisor" => "nitro".to_owned(),
            "instance-storage-supported" => shape.local_disks.is_some().to_string(),
            "burstable-performance-supported" => shape.name.starts_with('t').to_string(),
            _ => return None,
        }],
    })
}

fn answer(shape: &InstanceShape) -> Value {
    let mut answer = json!({
        "instanceType": shape.name,
        "currentGeneration": true,
        "freeTierEligible": false,
        "supportedUsageClasses": ["on-demand", "spot"],
        "supportedRootDeviceTypes": ["ebs"],
        "supportedVirtualizationTypes": ["hvm"],
        "bareMetal": false,
        "hypervisor": "nitro",
        "processorInfo": {"supportedArchitectures": [shape.architecture.as_str()]},
        "vCpuInfo": {
            "defaultVCpus": shape.vcpus,
            "defaultCores": shape.vcpus / shape.threads_per_core,
            "defaultThreadsPerCore": shape.threads_per_core,
        },
        "memoryInfo": {"sizeInMiB": shape.memory_mib},
        "instanceStorageSupported": shape.local_disks.is_some(),
        "ebsInfo": {"ebsOptimizedSupport": "default", "encryptionSupport": "supported", "nvmeSupport": "required"},
        "networkInfo": {
            "maximumNetworkInterfaces": shape.interfaces,
            "maximumNetworkCards": 1,
            "defaultNetworkCardIndex": 0,
            "ipv4AddressesPerInterface": shape.addresses,
            "ipv6AddressesPerInterface": shape.addresses,
            "ipv6Supported": true,
            "enaSupport": "required",
            "efaSupported": false,
            "encryptionInTransitSupported": false,
        },
        "hibernationSupported": false,
        "burstablePerformanceSupported": shape.name.starts_with('t'),
        "dedicatedHostsSupported": true,
        "autoRecoverySupported": shape.local_disks.is_none(),
    });
    if let Some(gpus) = shape.gpus {
        answer["gpuInfo"] = json!({
            "gpus": [{
                "name": gpus.name,
                "manufacturer": "NVIDIA",
                "count": gpus.count,
                "memoryInfo": {"sizeInMiB": gpus.memory_mib},
            }],
            "totalGpuMemoryInMiB": u64::from(gpus.count) * gpus.memory_mib,
        });
    }
    if let Some((gigabytes, count)) = shape.local_disks {
        answer["instanceStorageInfo"] = json!({
            "totalSizeInGB": gigabytes,
            "disks": [{"sizeInGB": gigabytes / u64::from(count), "count": count, "type": "ssd"}],
            "nvmeSupport": "required",
            "encryptionSupport": "required",
        });
    }
    answer
}

/// `DescribeInstanceTypeOfferings`: all types everywhere, but the scarce ones
/// (p4d, p5) only in the first two zones, and in us-east-1e (use1-az3) none that
/// is newer than the fifth generation.
pub(super) fn describe_offerings(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let location_type = text(params, "LocationType").unwrap_or("region");
    let locations: Vec<(String, bool, bool)> = match location_type {
        "region" => vec![(account.region.clone(), true, true)],
        "availability-zone" | "availability-zone-id" => zones(&account.region)
            .into_iter()
            .enumerate()
            .map(|(index, zone)| {
                let old = zone.id == "use1-az3";
                let name = if location_type == "availability-zone" { zone.name } else { zone.id };
                (name, index < 2, !old)
            })
            .collect(),
        other => {
            return Err(refuse(
                "InvalidParameterValue",
                format!(
                    "Value ({other}) for parameter locationType is invalid. Valid values are region, availability-zone, availability-zone-id"
                ),
            ));
        }
    };
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for (location, scarce, recent) in &locations {
        for name in all_names() {
            let is_scarce = name.starts_with("p4") || name.starts_with("p5");
            let is_recent = !(name.starts_with("m5")
                || name.starts_with("c5")
                || name.starts_with("r5")
                || name.starts_with("t3."));
            if (is_scarce && !scarce) || (is_recent && !recent) {
                continue;
            }
            let keep = params::passes(&filters, &Tags::new(), |filter| {
                Some(vec![match filter {
                    "instance-type" => name.clone(),
                    "location" => location.clone(),
                    _ => return None,
                }])
            })?;
            if keep {
                items.push((
                    format!("{location}/{name}"),
                    json!({"instanceType": name, "locationType": location_type, "location": location}),
                ));
            }
        }
    }
    Ok(params::paged_answer("instanceTypeOfferingSet", params::page(params, &USUAL_PAGE, items)?))
}
