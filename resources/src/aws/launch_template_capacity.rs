//! What a launch template says of the capacity that instances are launched into, and of
//! their network cards.
//! API: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RequestLaunchTemplateData.html>

use aws_sdk_ec2::types::{
    CapacityReservationTarget, InstanceType, LaunchTemplateCapacityReservationSpecificationRequest as Specification,
    LaunchTemplateInstanceMarketOptionsRequest as MarketOptions,
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest as Interface, MarketType, ResponseLaunchTemplateData,
    builders::RequestLaunchTemplateDataBuilder,
};
use serde::{Deserialize, Serialize};

use super::{SecurityGroupId, launch_template::LaunchTemplateInputs};

/// Reserved capacity; one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// `cr-...`.
    pub id: Option<String>,
    /// A resource group of Capacity Reservations.
    pub resource_group_arn: Option<String>,
}

/// Image, type, market, reservation and groups of a template.
pub(super) fn request(
    mut data: RequestLaunchTemplateDataBuilder,
    inputs: &LaunchTemplateInputs,
) -> RequestLaunchTemplateDataBuilder {
    data = data
        .set_image_id(inputs.image_id.clone())
        .set_instance_type(inputs.instance_type.as_deref().map(InstanceType::from));
    if let Some(market) = &inputs.market_type {
        let market = MarketType::from(market.as_str());
        data = data.instance_market_options(MarketOptions::builder().market_type(market).build());
    }
    if let Some(reservation) = &inputs.reservation {
        let target = CapacityReservationTarget::builder()
            .set_capacity_reservation_id(reservation.id.clone())
            .set_capacity_reservation_resource_group_arn(reservation.resource_group_arn.clone())
            .build();
        data = data
            .capacity_reservation_specification(Specification::builder().capacity_reservation_target(target).build());
    }
    match inputs.efa_cards {
        // EC2 takes groups of the instance or of its interfaces, not both.
        None => inputs.security_group_ids.iter().fold(data, |data, group| data.security_group_ids(group.as_str())),
        Some(cards) => (0..cards).fold(data, |data, card| data.network_interfaces(interface(card, inputs))),
    }
}

/// The first card has an interface for IP as well; on the others EFA alone, which takes no
/// address.
/// Source: EC2 user guide, "Maximize network bandwidth on instances with multiple network cards".
fn interface(card: u32, inputs: &LaunchTemplateInputs) -> Interface {
    let groups = inputs.security_group_ids.iter().map(ToString::to_string).collect();
    Interface::builder()
        .network_card_index(i32::try_from(card).unwrap_or(i32::MAX))
        .device_index(i32::from(card > 0))
        .interface_type(if card == 0 { "efa" } else { "efa-only" })
        .set_groups(Some(groups))
        .delete_on_termination(true)
        .build()
}

/// How many cards have an adapter; `None` where interfaces are left to EC2.
pub(super) fn efa_cards(data: &ResponseLaunchTemplateData) -> Option<u32> {
    let interfaces = data.network_interfaces();
    let efa = interfaces.iter().filter(|one| one.interface_type().is_some_and(|kind| kind.starts_with("efa"))).count();
    (!interfaces.is_empty()).then(|| u32::try_from(efa).unwrap_or(u32::MAX))
}

/// The groups of the instance, or of its interfaces where those have them.
pub(super) fn groups(data: &ResponseLaunchTemplateData) -> Vec<SecurityGroupId> {
    let of_interface = data.network_interfaces().first().map(|one| one.groups()).unwrap_or_default();
    let groups = if data.security_group_ids().is_empty() { of_interface } else { data.security_group_ids() };
    groups.iter().map(|id| id.as_str().into()).collect()
}

/// The reserved capacity that the template targets.
pub(super) fn reservation(data: &ResponseLaunchTemplateData) -> Option<Reservation> {
    let target = data.capacity_reservation_specification()?.capacity_reservation_target()?;
    Some(Reservation {
        id: target.capacity_reservation_id().map(str::to_owned),
        resource_group_arn: target.capacity_reservation_resource_group_arn().map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::RequestLaunchTemplateData;

    use super::*;

    #[test]
    fn groups_are_the_instances_or_its_interfaces() {
        let mut inputs = LaunchTemplateInputs { security_group_ids: vec!["sg-1".into()], ..Default::default() };
        let plain = request(RequestLaunchTemplateData::builder(), &inputs).build();
        assert_eq!((plain.security_group_ids(), plain.network_interfaces().len()), (&["sg-1".to_owned()][..], 0));
        inputs.efa_cards = Some(3);
        let efa = request(RequestLaunchTemplateData::builder(), &inputs).build();
        assert!(efa.security_group_ids().is_empty());
        let cards: Vec<_> = efa
            .network_interfaces()
            .iter()
            .map(|one| (one.network_card_index(), one.device_index(), one.interface_type(), one.groups().len()))
            .collect();
        assert_eq!(
            cards,
            [
                (Some(0), Some(0), Some("efa"), 1),
                (Some(1), Some(1), Some("efa-only"), 1),
                (Some(2), Some(1), Some("efa-only"), 1)
            ]
        );
    }
}
