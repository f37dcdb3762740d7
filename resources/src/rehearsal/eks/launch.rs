//! What a launch template means for a managed node group.

use serde_json::Value;

use super::super::{Account, ApiError, ec2};
use super::model::Template;
use super::params::{invalid_parameter, invalid_request, text, texts};

/// What the group takes from its template.
pub(super) struct Launch {
    pub template: Template,
    pub instance_type: Option<String>,
    pub image_id: Option<String>,
    pub security_group_ids: Vec<String>,
    pub user_data: Option<String>,
    pub market_type: Option<String>,
    pub reservation_id: Option<String>,
}

/// Resolves `launchTemplate` of a request; the version becomes a number.
///
/// # Errors
/// No such template or version, both or neither of id and name, or a template
/// with what managed node groups do not allow.
pub(super) fn resolve(account: &Account, specification: &Value) -> Result<Launch, ApiError> {
    let (id, name) = (text(specification, "id"), text(specification, "name"));
    if id.is_some() == name.is_some() {
        return Err(invalid_parameter(
            "Launch template specification must have exactly one of launch template name or id",
        ));
    }
    let (template, version) =
        ec2::resolve_version(account, id, name, text(specification, "version")).map_err(|error| {
            invalid_parameter(format!(
                "{} (Service: AmazonEC2; Status Code: 400; Error Code: {})",
                error.message, error.code
            ))
        })?;
    let data = &template.versions[&version].data;
    check_allowed(data)?;
    let launch = Launch {
        template: Template { id: template.id.clone(), name: template.name.clone(), version },
        instance_type: text(data, "InstanceType").map(str::to_owned),
        image_id: text(data, "ImageId").map(str::to_owned),
        security_group_ids: security_groups(data),
        user_data: text(data, "UserData").map(str::to_owned),
        market_type: data.get("InstanceMarketOptions").map(|it| text(it, "MarketType").unwrap_or("spot").to_owned()),
        reservation_id: data["CapacityReservationSpecification"]["CapacityReservationTarget"]["CapacityReservationId"]
            .as_str()
            .map(str::to_owned),
    };
    for id in &launch.security_group_ids {
        if !account.ec2.security_groups.contains_key(id) {
            return Err(invalid_request(format!(
                "The security group '{id}' in launch template {} does not exist",
                launch.template.id
            )));
        }
    }
    Ok(launch)
}

fn security_groups(data: &Value) -> Vec<String> {
    let direct = texts(data, "SecurityGroupId");
    if !direct.is_empty() {
        return direct;
    }
    interfaces(data).iter().flat_map(|interface| texts(interface, "SecurityGroupId")).collect()
}

fn interfaces(data: &Value) -> &[Value] {
    data.get("NetworkInterface").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What EKS sets itself must not be in the template (EKS user guide, "Customize
/// managed nodes with launch templates", prohibited settings).
fn check_allowed(data: &Value) -> Result<(), ApiError> {
    let prohibited = [
        ("IamInstanceProfile", "instance profile"),
        ("HibernationOptions", "stop - hibernate behavior"),
        ("InstanceInitiatedShutdownBehavior", "shutdown behavior"),
    ];
    for (member, words) in prohibited {
        if data.get(member).is_some() {
            return Err(invalid_parameter(format!(
                "Launch template should not specify {words}. The noted field is populated by EKS: {member}"
            )));
        }
    }
    if interfaces(data).iter().any(|interface| text(interface, "SubnetId").is_some()) {
        return Err(invalid_parameter(
            "Launch template should not specify a subnet: subnets are given to the node group",
        ));
    }
    Ok(())
}
