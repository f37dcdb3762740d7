//! The default network ACL of each VPC: it lets everything through, and nothing here
//! changes it, so that it follows from the VPC and its subnets.

use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::network::Vpc;
use super::params::{self, USUAL_PAGE, refuse, texts};
use super::tags::Tags;

/// `DescribeNetworkAcls`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let ids = texts(params, "NetworkAclId");
    let known = |id: &String| account.ec2.vpcs.values().any(|vpc| acl_id(vpc) == *id);
    if let Some(id) = ids.iter().find(|id| !known(id)) {
        return Err(refuse("InvalidNetworkAclID.NotFound", format!("The networkAcl ID '{id}' does not exist")));
    }
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for vpc in account.ec2.vpcs.values().filter(|vpc| vpc.visible_ms <= account.now_ms) {
        let id = acl_id(vpc);
        let subnets = account.ec2.subnets.values().filter(|subnet| subnet.vpc_id == vpc.id);
        let subnets: Vec<&str> = subnets.map(|subnet| subnet.id.as_str()).collect();
        let keep = params::passes(&filters, &Tags::new(), |name| {
            Some(match name {
                "network-acl-id" => vec![id.clone()],
                "vpc-id" => vec![vpc.id.clone()],
                "default" => vec!["true".to_owned()],
                "owner-id" => vec![account.account_id.clone()],
                "association.subnet-id" => subnets.iter().map(|id| (*id).to_owned()).collect(),
                _ => return None,
            })
        })?;
        if keep && (ids.is_empty() || ids.contains(&id)) {
            items.push((id.clone(), answer(account, vpc, &id, &subnets)));
        }
    }
    Ok(params::paged_answer("networkAclSet", params::page(params, &USUAL_PAGE, items)?))
}

fn acl_id(vpc: &Vpc) -> String {
    vpc.id.replacen("vpc-", "acl-", 1)
}

fn answer(account: &Account, vpc: &Vpc, id: &str, subnets: &[&str]) -> Value {
    let entry = |egress: bool, number: u16, action: &str| json!({"cidrBlock": "0.0.0.0/0", "egress": egress, "protocol": "-1", "ruleAction": action, "ruleNumber": number});
    let associations: Vec<Value> = subnets
        .iter()
        .map(|subnet| {
            let association = subnet.replacen("subnet-", "aclassoc-", 1);
            json!({"networkAclAssociationId": association, "networkAclId": id, "subnetId": subnet})
        })
        .collect();
    json!({
        "networkAclId": id,
        "vpcId": vpc.id,
        "ownerId": account.account_id,
        "default": true,
        "entrySet": [
            entry(true, 100, "allow"), entry(true, 32_767, "deny"),
            entry(false, 100, "allow"), entry(false, 32_767, "deny"),
        ],
        "associationSet": associations,
        "tagSet": [],
    })
}
