//! Rules of security groups, each by itself.
//! API: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html>

use aws_sdk_ec2::{
    Client,
    types::{self, IpPermission, IpRange, ResourceType, UserIdGroupPair},
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::ProviderError,
    inputs, outputs,
    provider::{Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered},
};
use serde::{Deserialize, Serialize};

use super::{
    Clients, Ownership, SecurityGroupId, Tags, all_tags, call, discovered,
    ec2::{filter, from_tags, of_stack, retag, specification},
    found, gone_is_ok, marks, ownership, unexpected, users_tags, vanished,
};

/// Whom a rule lets in or out to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Members of the group itself.
    #[default]
    SelfRef,
    /// Members of another group.
    Group(SecurityGroupId),
    /// Addresses, e.g. `10.0.0.0/16`.
    Cidr(String),
}

/// Which way a rule looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Inwards.
    #[default]
    Ingress,
    /// Outwards.
    Egress,
}

inputs! {
    /// A rule.
    pub struct SecurityGroupRuleInputs, SecurityGroupRuleArgs {
        /// The group that it belongs to.
        pub group_id: SecurityGroupId,
        /// Which way.
        pub direction: Direction,
        /// `tcp`, `udp`, `icmp`, or `-1` for all.
        pub protocol: String,
        /// The first port; `None` for all.
        pub from_port: Option<i32>,
        /// The last port; `None` for all.
        pub to_port: Option<i32>,
        /// Whom it lets.
        pub source: Source,
        /// Shown in the console.
        pub description: String,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// A rule.
    pub struct SecurityGroupRuleOutputs, SecurityGroupRuleRefs {
        /// Its id, `sgr-...`.
        pub id: String,
    }
}

/// The kind.
pub struct SecurityGroupRule {
    ec2: Client,
}

impl SecurityGroupRule {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2.clone() }
    }

    async fn get(&self, ctx: &Ctx, id: &str) -> Result<Option<types::SecurityGroupRule>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeSecurityGroupRules", Repeat::Safe, || {
            self.ec2.describe_security_group_rules().security_group_rule_ids(id).send()
        })
        .await;
        Ok(found(answer)?.and_then(|answer| answer.security_group_rules().first().cloned()))
    }

    async fn authorize(
        &self,
        ctx: &Ctx,
        inputs: &SecurityGroupRuleInputs,
    ) -> Result<Vec<types::SecurityGroupRule>, ProviderError> {
        let (group, permission) = (inputs.group_id.as_str(), permission(inputs));
        let tags = specification(ResourceType::SecurityGroupRule, &all_tags(ctx, &inputs.tags));
        // The same rule twice is refused, and looked at then.
        Ok(match inputs.direction {
            Direction::Ingress => call(ctx, "ec2", "AuthorizeSecurityGroupIngress", Repeat::Once, || {
                let request = self.ec2.authorize_security_group_ingress().group_id(group);
                request.ip_permissions(permission.clone()).tag_specifications(tags.clone()).send()
            })
            .await?
            .security_group_rules
            .unwrap_or_default(),
            Direction::Egress => call(ctx, "ec2", "AuthorizeSecurityGroupEgress", Repeat::Once, || {
                let request = self.ec2.authorize_security_group_egress().group_id(group);
                request.ip_permissions(permission.clone()).tag_specifications(tags.clone()).send()
            })
            .await?
            .security_group_rules
            .unwrap_or_default(),
        })
    }
}

fn permission(inputs: &SecurityGroupRuleInputs) -> IpPermission {
    let permission = IpPermission::builder()
        .ip_protocol(&inputs.protocol)
        .set_from_port(inputs.from_port)
        .set_to_port(inputs.to_port);
    let pair = |id: &SecurityGroupId| {
        UserIdGroupPair::builder().group_id(id.as_str()).description(&inputs.description).build()
    };
    match &inputs.source {
        Source::SelfRef => permission.user_id_group_pairs(pair(&inputs.group_id)),
        Source::Group(id) => permission.user_id_group_pairs(pair(id)),
        Source::Cidr(cidr) => {
            permission.ip_ranges(IpRange::builder().cidr_ip(cidr).description(&inputs.description).build())
        }
    }
    .build()
}

/// The ports as we write them: AWS says -1 where a rule has none.
fn port(port: Option<i32>) -> Option<i32> {
    port.filter(|port| *port >= 0)
}

fn source(rule: &types::SecurityGroupRule) -> Source {
    let referenced = rule.referenced_group_info().and_then(|info| info.group_id());
    match (referenced, rule.cidr_ipv4()) {
        (Some(id), _) if Some(id) == rule.group_id() => Source::SelfRef,
        (Some(id), _) => Source::Group(id.into()),
        (None, cidr) => Source::Cidr(cidr.unwrap_or_default().to_owned()),
    }
}

fn observed(rule: &types::SecurityGroupRule) -> SecurityGroupRuleInputs {
    SecurityGroupRuleInputs {
        group_id: rule.group_id().unwrap_or_default().into(),
        direction: if rule.is_egress() == Some(true) { Direction::Egress } else { Direction::Ingress },
        protocol: rule.ip_protocol().unwrap_or_default().to_owned(),
        from_port: port(rule.from_port()),
        to_port: port(rule.to_port()),
        source: source(rule),
        description: rule.description().unwrap_or_default().to_owned(),
        tags: users_tags(&from_tags(rule.tags())),
    }
}

impl Provider for SecurityGroupRule {
    type Inputs = SecurityGroupRuleInputs;
    type Outputs = SecurityGroupRuleOutputs;

    const TYPE: &'static str = "aws:ec2:SecurityGroupRule";
    const REPLACE_ON: &'static [&'static str] =
        &["group_id", "direction", "protocol", "from_port", "to_port", "source", "description"];

    async fn create(
        &self,
        ctx: &Ctx,
        inputs: &SecurityGroupRuleInputs,
    ) -> Result<Created<SecurityGroupRuleOutputs>, ProviderError> {
        let id = if let Some(id) = ctx.resume() {
            let rule = self.get(ctx, id).await?.ok_or_else(|| vanished(id))?;
            retag(ctx, &self.ec2, id, &from_tags(rule.tags()), &all_tags(ctx, &inputs.tags)).await?;
            id.to_owned()
        } else {
            let rules = self.authorize(ctx, inputs).await?;
            let id = rules.first().and_then(|rule| rule.security_group_rule_id());
            id.ok_or_else(|| unexpected("AuthorizeSecurityGroupIngress", "rule id"))?.to_owned()
        };
        ctx.progress(&id);
        Ok(Created { outputs: SecurityGroupRuleOutputs { id: id.clone() }, id })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<SecurityGroupRuleInputs, SecurityGroupRuleOutputs>,
    ) -> Reading<SecurityGroupRuleInputs, SecurityGroupRuleOutputs> {
        Ok(self.get(ctx, &current.id).await?.map(|rule| Observed {
            inputs: observed(&rule),
            outputs: SecurityGroupRuleOutputs { id: current.id.clone() },
        }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<SecurityGroupRuleInputs, SecurityGroupRuleOutputs>,
        to: &SecurityGroupRuleInputs,
    ) -> Result<SecurityGroupRuleOutputs, ProviderError> {
        retag(ctx, &self.ec2, &current.id, &current.inputs.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    async fn delete(
        &self,
        ctx: &Ctx,
        current: &Current<SecurityGroupRuleInputs, SecurityGroupRuleOutputs>,
    ) -> Result<(), ProviderError> {
        let group = current.inputs.group_id.as_str();
        gone_is_ok(match current.inputs.direction {
            Direction::Ingress => call(ctx, "ec2", "RevokeSecurityGroupIngress", Repeat::Safe, || {
                let request = self.ec2.revoke_security_group_ingress().group_id(group);
                request.security_group_rule_ids(&current.id).send()
            })
            .await
            .map(drop),
            Direction::Egress => call(ctx, "ec2", "RevokeSecurityGroupEgress", Repeat::Safe, || {
                let request = self.ec2.revoke_security_group_egress().group_id(group);
                request.security_group_rule_ids(&current.id).send()
            })
            .await
            .map(drop),
        })
    }

    async fn marks(
        &self,
        ctx: &Ctx,
        current: &Current<SecurityGroupRuleInputs, SecurityGroupRuleOutputs>,
    ) -> Result<Marks, ProviderError> {
        let rule = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tags(rule.tags())))
    }

    /// By our tags; failing that, the same rule of somebody else's.
    async fn recover(&self, ctx: &Ctx, inputs: &SecurityGroupRuleInputs) -> Result<Recovered, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeSecurityGroupRules", Repeat::Safe, || {
            let filter = filter("group-id", inputs.group_id.as_str());
            self.ec2.describe_security_group_rules().filters(filter).max_results(1000).send()
        })
        .await?;
        let rules = answer.security_group_rules();
        let id = |rule: &types::SecurityGroupRule| rule.security_group_rule_id().unwrap_or_default().to_owned();
        let whose = |rule: &types::SecurityGroupRule| ownership(ctx, &from_tags(rule.tags()));
        if let Some(mine) = rules.iter().find(|rule| whose(rule) == Ownership::Mine) {
            return Ok(Recovered::Mine(id(mine)));
        }
        let same = |rule: &types::SecurityGroupRule| {
            let found = observed(rule);
            (found.direction, &found.protocol, found.from_port, found.to_port, &found.source)
                == (inputs.direction, &inputs.protocol, inputs.from_port, inputs.to_port, &inputs.source)
        };
        Ok(match rules.iter().find(|rule| same(rule)) {
            Some(rule) => whose(rule).recovered(id(rule)),
            None => Recovered::Absent,
        })
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let answer = call(ctx, "ec2", "DescribeSecurityGroupRules", Repeat::Safe, || {
            self.ec2.describe_security_group_rules().filters(of_stack(ctx)).max_results(1000).send()
        })
        .await?;
        let rules = answer.security_group_rules().iter();
        let found = rules
            .filter_map(|rule| discovered(ctx, Self::TYPE, rule.security_group_rule_id()?, &from_tags(rule.tags())));
        Ok(Some(found.collect()))
    }
}
