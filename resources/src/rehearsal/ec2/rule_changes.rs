//! Adding, removing, changing and listing security group rules.

use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::params::{self, USUAL_PAGE, list, refuse, required, texts};
use super::rules::{self, Asked, Peer, Permission, Rule, group_id, revoked_answer, rule_answer};
use super::security_groups::{SecurityGroup, not_found};
use super::tags;

/// A group may have 60 rules in each direction (VPC quota L-0EA8095F).
const MOST_RULES: usize = 60;

/// `AuthorizeSecurityGroupIngress` and `…Egress`.
pub(super) fn authorize(account: &mut Account, params: &Value, egress: bool) -> Result<Value, ApiError> {
    let id = group_id(required(params, "GroupId")?)?;
    let asked = rules::asked(params)?;
    let tags = tags::from_specifications(params, "security-group-rule")?;
    let group = existing(account, &id)?;
    for rule in &asked {
        check_peer(account, group, &rule.permission)?;
        if group.rules.values().any(|it| it.egress == egress && it.permission == rule.permission) {
            return Err(duplicate(&rule.permission));
        }
    }
    let present = group.rules.values().filter(|rule| rule.egress == egress).count();
    if present + asked.len() > MOST_RULES {
        return Err(refuse(
            "RulesPerSecurityGroupLimitExceeded",
            "The maximum number of rules per security group has been reached.",
        ));
    }
    let mut added = Vec::new();
    for Asked { permission, description } in asked {
        let rule =
            Rule { id: format!("sgr-{}", account.draw_hex(17)), egress, permission, description, tags: tags.clone() };
        added.push(rule_answer(account, &id, &rule));
        if let Some(group) = account.ec2.security_groups.get_mut(&id) {
            group.rules.insert(rule.id.clone(), rule);
        }
    }
    Ok(json!({"return": true, "securityGroupRuleSet": added}))
}

fn duplicate(permission: &Permission) -> ApiError {
    refuse("InvalidPermission.Duplicate", format!("the specified rule \"{}\" already exists", permission.in_words()))
}

fn check_peer(account: &Account, group: &SecurityGroup, permission: &Permission) -> Result<(), ApiError> {
    let Peer::Group(peer) = &permission.peer else {
        return Ok(());
    };
    let found = existing(account, peer)?;
    if found.vpc_id != group.vpc_id {
        return Err(refuse(
            "InvalidGroup.NotFound",
            "You have specified two resources that belong to different networks.",
        ));
    }
    Ok(())
}

fn existing<'a>(account: &'a Account, id: &str) -> Result<&'a SecurityGroup, ApiError> {
    account.ec2.security_groups.get(id).ok_or_else(|| not_found(id))
}

/// `RevokeSecurityGroupIngress` and `…Egress`, by rule ids or by permissions.
pub(super) fn revoke(account: &mut Account, params: &Value, egress: bool) -> Result<Value, ApiError> {
    let id = group_id(required(params, "GroupId")?)?;
    let group = existing(account, &id)?;
    let rule_ids = texts(params, "SecurityGroupRuleId");
    let mut going = Vec::new();
    if rule_ids.is_empty() {
        for rule in rules::asked(params)? {
            let found = group
                .rules
                .values()
                .find(|it| it.egress == egress && it.permission == rule.permission)
                .ok_or_else(|| {
                    refuse("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
                })?;
            going.push(found.id.clone());
        }
    } else {
        for rule_id in rule_ids {
            if group.rules.get(&rule_id).is_none_or(|rule| rule.egress != egress) {
                return Err(rule_not_found(&rule_id));
            }
            going.push(rule_id);
        }
    }
    let mut revoked = Vec::new();
    if let Some(group) = account.ec2.security_groups.get_mut(&id) {
        for rule_id in going {
            if let Some(rule) = group.rules.shift_remove(&rule_id) {
                revoked.push(revoked_answer(&id, &rule));
            }
        }
    }
    Ok(json!({"return": true, "revokedSecurityGroupRuleSet": revoked, "unknownIpPermissionSet": []}))
}

fn rule_not_found(id: &str) -> ApiError {
    refuse("InvalidSecurityGroupRuleId.NotFound", format!("The security group rule ID '{id}' does not exist"))
}

/// `ModifySecurityGroupRules`: each named rule becomes what is asked.
pub(super) fn modify(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = group_id(required(params, "GroupId")?)?;
    let group = existing(account, &id)?;
    let mut changed = group.rules.clone();
    for update in list(params, "SecurityGroupRule") {
        let rule_id = required(update, "SecurityGroupRuleId")?;
        let request = update.get("SecurityGroupRule").ok_or_else(|| params::missing("SecurityGroupRule"))?;
        let asked = rules::asked_flat(request)?;
        check_peer(account, group, &asked.permission)?;
        let rule = changed.get(rule_id).ok_or_else(|| rule_not_found(rule_id))?;
        let egress = rule.egress;
        let taken = changed
            .values()
            .any(|other| other.id != rule_id && other.egress == egress && other.permission == asked.permission);
        if taken {
            return Err(duplicate(&asked.permission));
        }
        if let Some(rule) = changed.get_mut(rule_id) {
            rule.permission = asked.permission;
            rule.description = asked.description;
        }
    }
    if let Some(group) = account.ec2.security_groups.get_mut(&id) {
        group.rules = changed;
    }
    Ok(json!({"return": true}))
}

/// `DescribeSecurityGroupRules`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let ids = texts(params, "SecurityGroupRuleId");
    let groups = &account.ec2.security_groups;
    for id in &ids {
        if !groups.values().any(|group| group.rules.contains_key(id)) {
            return Err(rule_not_found(id));
        }
    }
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for group in groups.values() {
        for rule in group.rules.values() {
            if !ids.is_empty() && !ids.contains(&rule.id) {
                continue;
            }
            let keep = params::passes(&filters, &rule.tags, |name| {
                Some(vec![match name {
                    "group-id" => group.id.clone(),
                    "security-group-rule-id" => rule.id.clone(),
                    _ => return None,
                }])
            })?;
            if keep {
                items.push((rule.id.clone(), rule_answer(account, &group.id, rule)));
            }
        }
    }
    Ok(params::paged_answer("securityGroupRuleSet", params::page(params, &USUAL_PAGE, items)?))
}
