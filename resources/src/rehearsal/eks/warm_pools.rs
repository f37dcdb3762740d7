//! What EKS insists on for warm pools and Capacity Blocks.

use serde_json::{Value, json};

use super::super::ApiError;
use super::launch::Launch;
use super::params::{choice, flag, invalid_parameter, number};

/// `warmPoolConfig` over what stands: what is not said stays, and `enabled: false` ends it.
/// Source: EKS user guide, "Decrease latency for applications with long boot times using warm
/// pools with managed node groups", considerations.
pub(super) fn warm_pool(
    params: &Value,
    current: Option<&Value>,
    ami_type: &str,
    capacity_type: &str,
) -> Result<Option<Value>, ApiError> {
    let Some(config) = params.get("warmPoolConfig").filter(|it| !it.is_null()) else {
        return Ok(current.cloned());
    };
    if !flag(config, "enabled")?.unwrap_or(current.is_some()) {
        return Ok(None);
    }
    let before = |member: &str| current.and_then(|current| current.get(member)).cloned();
    let state = choice(config, "poolState", &["STOPPED", "RUNNING", "HIBERNATED"])?.map(Value::from);
    let reuse = flag(config, "reuseOnScaleIn")?.map(Value::from);
    let mut answer = json!({
        "enabled": true,
        "minSize": number(config, "minSize")?.map(Value::from).or_else(|| before("minSize")).unwrap_or(json!(0)),
        "poolState": state.or_else(|| before("poolState")).unwrap_or(json!("STOPPED")),
        "reuseOnScaleIn": reuse.or_else(|| before("reuseOnScaleIn")).unwrap_or(json!(false)),
    });
    let most = number(config, "maxGroupPreparedCapacity")?.map(Value::from);
    if let Some(most) = most.or_else(|| before("maxGroupPreparedCapacity")) {
        answer["maxGroupPreparedCapacity"] = most;
    }
    check(&answer, ami_type, capacity_type)?;
    Ok(Some(answer))
}

fn check(config: &Value, ami_type: &str, capacity_type: &str) -> Result<(), ApiError> {
    let (least, most) = (config["minSize"].as_i64().unwrap_or_default(), config["maxGroupPreparedCapacity"].as_i64());
    if least < 0 || most.is_some_and(|most| most < least) {
        return Err(invalid_parameter(
            "minSize of warmPoolConfig must be at least 0 and at most maxGroupPreparedCapacity",
        ));
    }
    if capacity_type != "ON_DEMAND" {
        return Err(invalid_parameter(format!("Warm pools are not supported with capacity type {capacity_type}")));
    }
    if ami_type == "CUSTOM" {
        return Err(invalid_parameter("Warm pools are not supported with custom AMIs"));
    }
    let lazy = config["poolState"] == "HIBERNATED" || config["reuseOnScaleIn"] == true;
    if ami_type.starts_with("BOTTLEROCKET") && lazy {
        return Err(invalid_parameter(
            "Warm pools with Bottlerocket AMIs support neither the pool state Hibernated nor reuseOnScaleIn",
        ));
    }
    Ok(())
}

/// A template asks for a Capacity Block, with its id and the instance type, if and only if
/// the group does.
/// Source: EKS user guide, "Create a managed node group with Capacity Blocks for ML".
pub(super) fn market(launch: Option<&Launch>, capacity_type: &str) -> Result<(), ApiError> {
    let market = launch.and_then(|launch| launch.market_type.as_deref());
    if capacity_type != "CAPACITY_BLOCK" {
        return match market {
            None => Ok(()),
            Some(_) => Err(invalid_parameter(
                "Launch template should not specify request Spot Instances. The noted field is populated by EKS: InstanceMarketOptions",
            )),
        };
    }
    let whole = launch.is_some_and(|launch| {
        market == Some("capacity-block") && launch.instance_type.is_some() && launch.reservation_id.is_some()
    });
    if whole {
        return Ok(());
    }
    Err(invalid_parameter(
        "Capacity type CAPACITY_BLOCK needs a launch template with the market type capacity-block, the id of a Capacity Block and an instance type",
    ))
}
