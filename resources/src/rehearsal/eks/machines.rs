//! What the nodes of a group are: AMI type, instance types, disk.

use serde_json::Value;

use super::super::ApiError;
use super::super::ec2::{Architecture, instance_shape};
use super::launch::Launch;
use super::params::{choice, invalid_parameter, number, texts};

/// What the nodes will be: AMI type and instance types, checked together.
pub(super) struct Machines {
    pub ami_type: String,
    pub asked_types: Vec<String>,
    pub effective_types: Vec<String>,
    pub disk_size: Option<i64>,
}

const AMI_TYPES: &[&str] = &[
    "AL2_x86_64",
    "AL2_x86_64_GPU",
    "AL2_ARM_64",
    "CUSTOM",
    "BOTTLEROCKET_ARM_64",
    "BOTTLEROCKET_x86_64",
    "BOTTLEROCKET_ARM_64_FIPS",
    "BOTTLEROCKET_x86_64_FIPS",
    "BOTTLEROCKET_ARM_64_NVIDIA",
    "BOTTLEROCKET_x86_64_NVIDIA",
    "BOTTLEROCKET_ARM_64_NVIDIA_FIPS",
    "BOTTLEROCKET_x86_64_NVIDIA_FIPS",
    "WINDOWS_CORE_2019_x86_64",
    "WINDOWS_FULL_2019_x86_64",
    "WINDOWS_CORE_2022_x86_64",
    "WINDOWS_FULL_2022_x86_64",
    "WINDOWS_CORE_2025_x86_64",
    "WINDOWS_FULL_2025_x86_64",
    "AL2023_x86_64_STANDARD",
    "AL2023_ARM_64_STANDARD",
    "AL2023_x86_64_NEURON",
    "AL2023_x86_64_NVIDIA",
    "AL2023_ARM_64_NVIDIA",
];

/// Checks AMI type, instance types and disk of a CreateNodegroup.
pub(super) fn machines(params: &Value, launch: Option<&Launch>, version: &str) -> Result<Machines, ApiError> {
    let asked_ami = choice(params, "amiType", AMI_TYPES)?;
    let asked_types = texts(params, "instanceTypes");
    let template_type = launch.and_then(|it| it.instance_type.clone());
    if template_type.is_some() && !asked_types.is_empty() {
        return Err(invalid_parameter("Cannot specify instance types in launch template and API request"));
    }
    let disk_size = disk_size(params, launch)?;
    let (asked_types, effective_types) = match template_type {
        Some(kind) => (Vec::new(), vec![kind]),
        None if asked_types.is_empty() => (vec!["t3.medium".to_owned()], vec!["t3.medium".to_owned()]),
        None => (asked_types.clone(), asked_types),
    };
    let ami_type = ami_type(asked_ami, launch)?;
    check_types(&ami_type, &effective_types)?;
    // AL2 ended on 2025-11-26, with 1.32 as its last version.
    let minor = super::versions::minor_number(version).unwrap_or_default();
    if ami_type.starts_with("AL2_") && minor > 32 {
        return Err(invalid_parameter(format!(
            "AMI Type {ami_type} is only supported for kubernetes versions 1.32 or earlier"
        )));
    }
    Ok(Machines { ami_type, asked_types, effective_types, disk_size })
}

/// The disk's size is in the template or, without one, in the call. EKS's own
/// default is 20 GiB.
fn disk_size(params: &Value, launch: Option<&Launch>) -> Result<Option<i64>, ApiError> {
    let asked = number(params, "diskSize")?;
    if launch.is_none() {
        return match asked.unwrap_or(20) {
            size @ 1.. => Ok(Some(size)),
            _ => Err(invalid_parameter("diskSize can't be less than 1")),
        };
    }
    if asked.is_some() {
        return Err(invalid_parameter("Disk size must be specified within the launch template."));
    }
    if params.get("remoteAccess").is_some_and(|it| !it.is_null()) {
        return Err(invalid_parameter("Remote access configuration cannot be specified with a launch template."));
    }
    Ok(None)
}

fn ami_type(asked: Option<&str>, launch: Option<&Launch>) -> Result<String, ApiError> {
    let own_image = launch.is_some_and(|it| it.image_id.is_some());
    match (asked, own_image) {
        (None | Some("CUSTOM"), true) => Ok("CUSTOM".to_owned()),
        (Some(_), true) => Err(invalid_parameter(
            "You cannot specify an AMI Type other than CUSTOM, when specifying an image id in your launch template.",
        )),
        (Some("CUSTOM"), false) => Err(invalid_parameter("AMI Type CUSTOM needs an image id in the launch template.")),
        (Some(asked), false) => Ok(asked.to_owned()),
        (None, false) => Ok("AL2023_x86_64_STANDARD".to_owned()),
    }
}

/// The instance types exist and the AMI runs on them.
pub(super) fn check_types(ami_type: &str, types: &[String]) -> Result<(), ApiError> {
    for kind in types {
        let shape = instance_shape(kind).ok_or_else(|| {
            invalid_parameter(format!(
                "The following supplied instance types do not exist: [{kind}] (Service: AmazonEC2; Status Code: 400; Error Code: InvalidInstanceType)"
            ))
        })?;
        let architecture = if ami_type.contains("ARM_64") { Architecture::Arm64 } else { Architecture::X86_64 };
        let wants_gpu = ami_type.contains("NVIDIA") || ami_type.ends_with("_GPU");
        if ami_type != "CUSTOM" && (shape.architecture != architecture || wants_gpu && shape.gpus.is_none()) {
            return Err(invalid_parameter(format!(
                "[{kind}] is not a valid instance type for requested amiType {ami_type}"
            )));
        }
    }
    Ok(())
}
