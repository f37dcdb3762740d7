//! Launch template data: checks, and the form in which answers show it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::super::ApiError;
use super::params::{self, list, refuse, text};

/// EC2 takes at most 16 KiB of user data, before base64.
const MOST_USER_DATA: usize = 16 * 1024;

/// Checks what EC2 itself checks when a version is made.
pub(super) fn check(data: &Value) -> Result<(), ApiError> {
    if data.as_object().is_none_or(Map::is_empty) {
        return Err(params::missing("LaunchTemplateData"));
    }
    check_user_data(data)?;
    if let Some(metadata) = data.get("MetadataOptions") {
        check_choice(metadata, "HttpTokens", &["optional", "required"])?;
        check_choice(metadata, "HttpEndpoint", &["enabled", "disabled"])?;
        check_choice(metadata, "InstanceMetadataTags", &["enabled", "disabled"])?;
        check_range(metadata, "HttpPutResponseHopLimit", 1, 64)?;
    }
    for mapping in list(data, "BlockDeviceMapping") {
        check_disk(mapping)?;
    }
    if !list(data, "SecurityGroupId").is_empty() && !list(data, "NetworkInterface").is_empty() {
        return Err(refuse(
            "InvalidParameterCombination",
            "Network interfaces and an instance-level security groups may not be specified on the same request",
        ));
    }
    check_capacity(data)?;
    for specification in list(data, "TagSpecification") {
        check_choice(
            specification,
            "ResourceType",
            &["instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"],
        )?;
    }
    Ok(())
}

/// The market, the reserved capacity, and the kinds of interfaces.
fn check_capacity(data: &Value) -> Result<(), ApiError> {
    if let Some(options) = data.get("InstanceMarketOptions") {
        check_choice(options, "MarketType", &["spot", "capacity-block", "interruptible-capacity-reservation"])?;
    }
    let target = data.get("CapacityReservationSpecification").and_then(|it| it.get("CapacityReservationTarget"));
    if let Some(target) = target {
        let given = |name| text(target, name).is_some();
        if given("CapacityReservationId") && given("CapacityReservationResourceGroupArn") {
            return Err(refuse(
                "InvalidParameterCombination",
                "The parameters CapacityReservationId and CapacityReservationResourceGroupArn cannot be used together",
            ));
        }
    }
    for interface in list(data, "NetworkInterface") {
        check_choice(interface, "InterfaceType", &["interface", "efa", "efa-only"])?;
        let primary = params::number(interface, "DeviceIndex")?.unwrap_or_default() == 0
            && params::number(interface, "NetworkCardIndex")?.unwrap_or_default() == 0;
        if primary && text(interface, "InterfaceType") == Some("efa-only") {
            return Err(refuse(
                "InvalidParameterCombination",
                "An EFA-only network interface can't be the primary network interface.",
            ));
        }
    }
    Ok(())
}

fn check_user_data(data: &Value) -> Result<(), ApiError> {
    if let Some(user_data) = text(data, "UserData") {
        let decoded = STANDARD
            .decode(user_data)
            .map_err(|_| refuse("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."))?;
        if decoded.len() > MOST_USER_DATA {
            return Err(refuse("InvalidParameterValue", format!("User data is limited to {MOST_USER_DATA} bytes")));
        }
    }
    Ok(())
}

fn check_disk(mapping: &Value) -> Result<(), ApiError> {
    params::required(mapping, "DeviceName")?;
    if let Some(ebs) = mapping.get("Ebs") {
        check_choice(ebs, "VolumeType", &["gp2", "gp3", "io1", "io2", "sc1", "st1", "standard"])?;
        check_range(ebs, "VolumeSize", 1, 65_536)?;
        params::flag(ebs, "Encrypted")?;
        if text(ebs, "KmsKeyId").is_some() && params::flag(ebs, "Encrypted")? == Some(false) {
            return Err(refuse(
                "InvalidParameterDependency",
                "The parameter KmsKeyId requires the parameter Encrypted to be set.",
            ));
        }
    }
    Ok(())
}

fn check_choice(data: &Value, name: &str, allowed: &[&str]) -> Result<(), ApiError> {
    match text(data, name) {
        Some(value) if !allowed.contains(&value) => Err(refuse(
            "InvalidParameterValue",
            format!("Invalid value '{value}' for {name}. Allowed values are {}.", allowed.join(", ")),
        )),
        _ => Ok(()),
    }
}

fn check_range(data: &Value, name: &str, least: i64, most: i64) -> Result<(), ApiError> {
    match params::number(data, name)? {
        Some(value) if value < least || value > most => Err(refuse(
            "InvalidParameterValue",
            format!("Invalid value '{value}' for {name}. It must be between {least} and {most}."),
        )),
        _ => Ok(()),
    }
}

/// The members of `RequestLaunchTemplateData` whose answer has another name than
/// the member with a small first letter.
const RENAMED: &[(&str, &str)] = &[
    ("BlockDeviceMapping", "blockDeviceMappingSet"),
    ("NetworkInterface", "networkInterfaceSet"),
    ("TagSpecification", "tagSpecificationSet"),
    ("ElasticGpuSpecification", "elasticGpuSpecificationSet"),
    ("ElasticInferenceAccelerator", "elasticInferenceAcceleratorSet"),
    ("SecurityGroup", "securityGroupSet"),
    ("LicenseSpecification", "licenseSet"),
    ("SecondaryInterface", "secondaryInterfaceSet"),
    ("Tag", "tagSet"),
    ("Ipv6Addresses", "ipv6AddressesSet"),
    ("PrivateIpAddresses", "privateIpAddressesSet"),
    ("Ipv4Prefix", "ipv4PrefixSet"),
    ("Ipv6Prefix", "ipv6PrefixSet"),
];

/// `launchTemplateData` of an answer.
pub(super) fn answer(data: &Value) -> Value {
    let Some(members) = data.as_object() else {
        return data.clone();
    };
    let mut answer = Map::new();
    for (name, value) in members {
        let shown = match value {
            Value::Array(items) => Value::Array(items.iter().map(self::answer).collect()),
            other => self::answer(other),
        };
        answer.insert(answer_name(name, members), shown);
    }
    Value::Object(answer)
}

fn answer_name(name: &str, siblings: &Map<String, Value>) -> String {
    if name == "SecurityGroupId" {
        // In a network interface the same list is called groupSet.
        let in_interface = ["DeviceIndex", "SubnetId", "AssociatePublicIpAddress", "DeleteOnTermination"]
            .iter()
            .any(|member| siblings.contains_key(*member));
        return if in_interface { "groupSet" } else { "securityGroupIdSet" }.to_owned();
    }
    if let Some((_, renamed)) = RENAMED.iter().find(|(from, _)| *from == name) {
        return (*renamed).to_owned();
    }
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_have_the_names_of_the_response_shape() {
        let data = json!({
            "ImageId": "ami-1",
            "SecurityGroupId": ["sg-1"],
            "BlockDeviceMapping": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": "100"}}],
            "NetworkInterface": [{"DeviceIndex": "0", "SecurityGroupId": ["sg-2"]}],
            "TagSpecification": [{"ResourceType": "instance", "Tag": [{"Key": "a", "Value": "b"}]}],
        });
        assert_eq!(
            answer(&data),
            json!({
                "imageId": "ami-1",
                "securityGroupIdSet": ["sg-1"],
                "blockDeviceMappingSet": [{"deviceName": "/dev/xvda", "ebs": {"volumeSize": "100"}}],
                "networkInterfaceSet": [{"deviceIndex": "0", "groupSet": ["sg-2"]}],
                "tagSpecificationSet": [{"resourceType": "instance", "tagSet": [{"key": "a", "value": "b"}]}],
            })
        );
    }
}
