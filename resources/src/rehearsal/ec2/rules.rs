//! Security group rules: what a request asks for, and how answers show them.

use std::net::Ipv4Addr;

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::{Account, ApiError};
use super::network::arn;
use super::params::{list, missing, number, refuse, required, text};
use super::tags::{Tags, to_set};

/// One security group rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// `sgr-…`.
    pub id: String,
    /// True for a rule about traffic that leaves.
    pub egress: bool,
    /// What the rule allows.
    pub permission: Permission,
    /// Free text.
    pub description: Option<String>,
    /// Tags.
    pub tags: Tags,
}

/// What a rule allows: two rules of one direction and group never have the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Permission {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a protocol number, or `-1` for all.
    pub protocol: String,
    /// First port or ICMP type; none for all traffic.
    pub from_port: Option<i64>,
    /// Last port or ICMP code; none for all traffic.
    pub to_port: Option<i64>,
    /// The other side.
    pub peer: Peer,
}

/// The other side of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Peer {
    /// An IPv4 block.
    Ipv4(String),
    /// An IPv6 block.
    Ipv6(String),
    /// A managed prefix list.
    PrefixList(String),
    /// Another security group, or the group itself.
    Group(String),
}

impl Peer {
    fn name(&self) -> &str {
        match self {
            Self::Ipv4(name) | Self::Ipv6(name) | Self::PrefixList(name) | Self::Group(name) => name,
        }
    }
}

impl Permission {
    /// All traffic from or to the peer.
    pub(super) fn all(peer: Peer) -> Self {
        Self { protocol: "-1".to_owned(), from_port: None, to_port: None, peer }
    }

    /// The rule as EC2's messages name it.
    pub(super) fn in_words(&self) -> String {
        let peer = self.peer.name();
        match self.protocol.as_str() {
            "-1" => format!("peer: {peer}, ALL, ALLOW"),
            protocol => format!(
                "peer: {peer}, {}, from port: {}, to port: {}, ALLOW",
                protocol.to_uppercase(),
                self.from_port.unwrap_or(-1),
                self.to_port.unwrap_or(-1)
            ),
        }
    }
}

/// A rule that a request asks for.
pub(super) struct Asked {
    pub permission: Permission,
    pub description: Option<String>,
}

/// The rules that the request's `IpPermissions` (or the old flat members) ask for.
pub(super) fn asked(params: &Value) -> Result<Vec<Asked>, ApiError> {
    let mut rules = Vec::new();
    for permission in list(params, "IpPermissions") {
        let (protocol, from_port, to_port) = ports(permission)?;
        let mut add = |item: &Value, peer: Peer| -> Result<(), ApiError> {
            rules.push(Asked {
                permission: Permission { protocol: protocol.clone(), from_port, to_port, peer },
                description: description(item)?,
            });
            Ok(())
        };
        for range in list(permission, "IpRanges") {
            add(range, Peer::Ipv4(ipv4(required(range, "CidrIp")?)?))?;
        }
        for range in list(permission, "Ipv6Ranges") {
            add(range, Peer::Ipv6(ipv6(required(range, "CidrIpv6")?)?))?;
        }
        for prefixes in list(permission, "PrefixListIds") {
            let id = required(prefixes, "PrefixListId")?;
            add(prefixes, Peer::PrefixList(id.to_owned()))?;
        }
        for pair in list(permission, "Groups") {
            add(pair, Peer::Group(group_id(required(pair, "GroupId")?)?))?;
        }
    }
    if rules.is_empty() && text(params, "IpProtocol").is_some() {
        let (protocol, from_port, to_port) = ports(params)?;
        rules.push(Asked {
            permission: Permission {
                protocol,
                from_port,
                to_port,
                peer: Peer::Ipv4(ipv4(required(params, "CidrIp")?)?),
            },
            description: None,
        });
    }
    if rules.is_empty() {
        return Err(missing("ipPermissions"));
    }
    let repeated = rules
        .iter()
        .enumerate()
        .any(|(index, rule)| rules[..index].iter().any(|other| other.permission == rule.permission));
    if repeated {
        return Err(refuse("InvalidParameterValue", "The same permission must not appear multiple times"));
    }
    Ok(rules)
}

/// The rule that a `SecurityGroupRuleRequest` describes (`ModifySecurityGroupRules`).
pub(super) fn asked_flat(request: &Value) -> Result<Asked, ApiError> {
    let (protocol, from_port, to_port) = ports(request)?;
    let peers = [
        text(request, "CidrIpv4").map(|it| ipv4(it).map(Peer::Ipv4)),
        text(request, "CidrIpv6").map(|it| ipv6(it).map(Peer::Ipv6)),
        text(request, "PrefixListId").map(|it| Ok(Peer::PrefixList(it.to_owned()))),
        text(request, "ReferencedGroupId").map(|it| group_id(it).map(Peer::Group)),
    ];
    let mut peers = peers.into_iter().flatten();
    let (Some(peer), None) = (peers.next(), peers.next()) else {
        return Err(refuse(
            "InvalidParameterCombination",
            "Exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId must be specified.",
        ));
    };
    Ok(Asked {
        permission: Permission { protocol, from_port, to_port, peer: peer? },
        description: description(request)?,
    })
}

fn ports(permission: &Value) -> Result<(String, Option<i64>, Option<i64>), ApiError> {
    let protocol = match required(permission, "IpProtocol")? {
        "6" => "tcp".to_owned(),
        "17" => "udp".to_owned(),
        "1" => "icmp".to_owned(),
        "58" => "icmpv6".to_owned(),
        "all" => "-1".to_owned(),
        named @ ("tcp" | "udp" | "icmp" | "icmpv6" | "-1") => named.to_owned(),
        other if other.parse::<u8>().is_ok() => other.to_owned(),
        other => {
            return Err(refuse("InvalidPermission.Malformed", format!("Unsupported IP protocol \"{other}\"")));
        }
    };
    let from = number(permission, "FromPort")?;
    let to = number(permission, "ToPort")?;
    match protocol.as_str() {
        "tcp" | "udp" => {
            let (Some(from), Some(to)) = (from, to) else {
                return Err(refuse(
                    "InvalidParameterValue",
                    "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
                ));
            };
            if !(0..=65535).contains(&from) || !(0..=65535).contains(&to) || from > to {
                return Err(refuse(
                    "InvalidParameterValue",
                    format!("Invalid value '{from}-{to}' for portRange. TCP/UDP ports must be between 0 and 65535."),
                ));
            }
            Ok((protocol, Some(from), Some(to)))
        }
        "icmp" | "icmpv6" => Ok((protocol, Some(from.unwrap_or(-1)), Some(to.unwrap_or(-1)))),
        // EC2 drops ports where the protocol has none.
        _ => Ok((protocol, None, None)),
    }
}

/// EC2 stores the block in its canonical form: `10.0.0.7/8` becomes `10.0.0.0/8`.
fn ipv4(text: &str) -> Result<String, ApiError> {
    text.parse::<Ipv4Net>()
        .or_else(|_| text.parse::<Ipv4Addr>().map(Ipv4Net::from))
        .map(|block| block.trunc().to_string())
        .map_err(|_| malformed_block(text))
}

fn ipv6(text: &str) -> Result<String, ApiError> {
    text.parse::<Ipv6Net>().map(|block| block.trunc().to_string()).map_err(|_| malformed_block(text))
}

fn malformed_block(text: &str) -> ApiError {
    refuse("InvalidParameterValue", format!("CIDR block {text} is malformed"))
}

/// Checks that the text has the form of a group id.
pub(super) fn group_id(text: &str) -> Result<String, ApiError> {
    if text.strip_prefix("sg-").is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric()))
    {
        Ok(text.to_owned())
    } else {
        Err(refuse("InvalidGroupId.Malformed", format!("Invalid id: \"{text}\" (expecting \"sg-...\")")))
    }
}

fn description(item: &Value) -> Result<Option<String>, ApiError> {
    let Some(text) = text(item, "Description") else {
        return Ok(None);
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if text.len() > 255 || !text.chars().all(allowed) {
        return Err(refuse(
            "InvalidParameterValue",
            "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
        ));
    }
    Ok(Some(text.to_owned()))
}

/// `ipPermissions` or `ipPermissionsEgress` of an answer: rules of one protocol
/// and port range are one entry.
pub(super) fn permissions_answer<'a>(account: &Account, rules: impl Iterator<Item = &'a Rule>) -> Value {
    let mut entries: Vec<Value> = Vec::new();
    for rule in rules {
        let permission = &rule.permission;
        let same = |entry: &Value| {
            entry["ipProtocol"] == permission.protocol
                && entry.get("fromPort").and_then(Value::as_i64) == permission.from_port
                && entry.get("toPort").and_then(Value::as_i64) == permission.to_port
        };
        let index = entries.iter().position(same).unwrap_or_else(|| {
            entries.push(new_entry(permission));
            entries.len() - 1
        });
        let (list, mut item) = match &permission.peer {
            Peer::Ipv4(cidr) => ("ipRanges", json!({"cidrIp": cidr})),
            Peer::Ipv6(cidr) => ("ipv6Ranges", json!({"cidrIpv6": cidr})),
            Peer::PrefixList(id) => ("prefixListIds", json!({"prefixListId": id})),
            Peer::Group(id) => ("groups", json!({"groupId": id, "userId": account.account_id})),
        };
        if let Some(description) = &rule.description {
            item["description"] = json!(description);
        }
        if let Some(items) = entries[index][list].as_array_mut() {
            items.push(item);
        }
    }
    Value::Array(entries)
}

fn new_entry(permission: &Permission) -> Value {
    let mut entry = Map::new();
    entry.insert("ipProtocol".to_owned(), json!(permission.protocol));
    if let Some(from) = permission.from_port {
        entry.insert("fromPort".to_owned(), json!(from));
    }
    if let Some(to) = permission.to_port {
        entry.insert("toPort".to_owned(), json!(to));
    }
    for list in ["groups", "ipRanges", "ipv6Ranges", "prefixListIds"] {
        entry.insert(list.to_owned(), json!([]));
    }
    Value::Object(entry)
}

/// One item of `securityGroupRuleSet`.
pub(super) fn rule_answer(account: &Account, group: &str, rule: &Rule) -> Value {
    let mut answer = json!({
        "securityGroupRuleId": rule.id,
        "securityGroupRuleArn": arn(account, "security-group-rule", &rule.id),
        "groupId": group,
        "groupOwnerId": account.account_id,
        "isEgress": rule.egress,
        "ipProtocol": rule.permission.protocol,
        "fromPort": rule.permission.from_port.unwrap_or(-1),
        "toPort": rule.permission.to_port.unwrap_or(-1),
        "tagSet": to_set(&rule.tags),
    });
    match &rule.permission.peer {
        Peer::Ipv4(cidr) => answer["cidrIpv4"] = json!(cidr),
        Peer::Ipv6(cidr) => answer["cidrIpv6"] = json!(cidr),
        Peer::PrefixList(id) => answer["prefixListId"] = json!(id),
        Peer::Group(id) => answer["referencedGroupInfo"] = json!({"groupId": id, "userId": account.account_id}),
    }
    if let Some(description) = &rule.description {
        answer["description"] = json!(description);
    }
    answer
}

/// One item of `revokedSecurityGroupRuleSet`.
pub(super) fn revoked_answer(group: &str, rule: &Rule) -> Value {
    let mut answer = json!({
        "securityGroupRuleId": rule.id,
        "groupId": group,
        "isEgress": rule.egress,
        "ipProtocol": rule.permission.protocol,
        "fromPort": rule.permission.from_port.unwrap_or(-1),
        "toPort": rule.permission.to_port.unwrap_or(-1),
    });
    match &rule.permission.peer {
        Peer::Ipv4(cidr) => answer["cidrIpv4"] = json!(cidr),
        Peer::Ipv6(cidr) => answer["cidrIpv6"] = json!(cidr),
        Peer::PrefixList(id) => answer["prefixListId"] = json!(id),
        Peer::Group(id) => answer["referencedGroupId"] = json!(id),
    }
    if let Some(description) = &rule.description {
        answer["description"] = json!(description);
    }
    answer
}
