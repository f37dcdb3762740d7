//! What the node termination handler reads in queue mode: a queue, and the event rules that
//! fill it.
//! Source: aws/aws-node-termination-handler, `README.md`, "Queue Processor": "Create an SQS Queue",
//! "Create Amazon EventBridge Rules", "IAM Permissions".

use rayplat_engine::{
    input::Input,
    stack::{Added, Stack, StackError},
    urn::Urn,
    value::Expr,
};
use serde_json::{Value, json};

use super::build::Setting;
use crate::aws::{
    Tags,
    events_rule::{Rule, RuleArgs},
    sqs_queue::{Encryption, Queue, QueueArgs},
};

/// Name, description and pattern of each rule.
const RULES: [(&str, &str, Pattern); 5] = [
    (
        "spot-interruption",
        "Spot instances about to be taken back",
        Pattern::Ec2("EC2 Spot Instance Interruption Warning"),
    ),
    ("rebalance", "Spot instances likely to be taken back", Pattern::Ec2("EC2 Instance Rebalance Recommendation")),
    ("state-change", "Instances that stop", Pattern::Ec2("EC2 Instance State-change Notification")),
    ("scheduled-change", "Maintenance of instances", Pattern::Maintenance),
    ("lifecycle", "Instances that Auto Scaling ends", Pattern::Lifecycle),
];

#[derive(Clone, Copy)]
enum Pattern {
    Ec2(&'static str),
    Maintenance,
    Lifecycle,
}

impl Pattern {
    fn document(self) -> Value {
        match self {
            Self::Ec2(kind) => json!({"source": ["aws.ec2"], "detail-type": [kind]}),
            Self::Maintenance => json!({
                "source": ["aws.health"],
                "detail-type": ["AWS Health Event"],
                "detail": {"service": ["EC2"], "eventTypeCategory": ["scheduledChange"]},
            }),
            Self::Lifecycle => json!({
                "source": ["aws.autoscaling"],
                "detail-type": ["EC2 Instance-terminate Lifecycle Action"],
            }),
        }
    }
}

/// An event that nobody read for five minutes is about an instance that is gone.
const RETENTION_SECONDS: u32 = 300;

/// The queue and the rules that fill it.
pub struct TerminationQueue {
    /// The queue: its URL is the handler's `queueURL`.
    pub queue: Added<Queue>,
    /// The rules: the handler hears of everything only when they all stand.
    pub rules: Vec<Urn>,
}

impl TerminationQueue {
    /// What the handler's role must be allowed: to read the queue, to look at instances and
    /// groups, and to end lifecycle actions.
    pub fn reader_policy(&self) -> Expr {
        let text = |text: &str| Expr::Value(text.into());
        let statement = |actions: &[&str], resource: Expr| {
            Expr::Object(vec![
                (text("Effect"), text("Allow")),
                (text("Action"), Expr::Value(json!(actions))),
                (text("Resource"), resource),
            ])
        };
        let look = [
            "autoscaling:CompleteLifecycleAction",
            "autoscaling:DescribeAutoScalingInstances",
            "autoscaling:DescribeTags",
            "ec2:DescribeInstances",
        ];
        let read = ["sqs:DeleteMessage", "sqs:ReceiveMessage"];
        Expr::Object(vec![
            (text("Version"), text("2012-10-17")),
            (
                text("Statement"),
                Expr::List(vec![statement(&look, text("*")), statement(&read, self.queue.out.arn().expr())]),
            ),
        ])
    }
}

/// Adds the queue and the rules of the platform `name`.
///
/// # Errors
/// The stack has resources of these names already.
pub fn add_queue(
    stack: &mut Stack,
    setting: &Setting,
    name: &str,
    tags: &Tags,
) -> Result<TerminationQueue, StackError> {
    let queue = stack.add::<Queue>(
        "termination",
        QueueArgs {
            name_prefix: format!("{name}-termination").into(),
            policy: Some(queue_policy(setting, name)).into(),
            retention_seconds: RETENTION_SECONDS.into(),
            // EventBridge could not use a KMS key without a statement in that key's policy.
            encryption: Encryption::Sqs.into(),
            tags: tags.clone().into(),
        },
    )?;
    let rules = RULES.iter().map(|(kind, description, pattern)| {
        let target = (Expr::Value("queue".into()), queue.out.arn().expr());
        let args = RuleArgs {
            name_prefix: format!("{}-{kind}", rule_prefix(name)).into(),
            description: format!("{description}, for {name}").into(),
            pattern: pattern.document().into(),
            targets: Input::expr(Expr::Object(vec![target])),
            disabled: false.into(),
            tags: tags.clone().into(),
        };
        Ok(stack.add::<Rule>(&format!("termination-{kind}"), args)?.urn)
    });
    let rules = rules.collect::<Result<_, StackError>>()?;
    Ok(TerminationQueue { queue, rules })
}

/// A rule's name has 64 characters at most: the longest kind and the hash need 27 of them, and the
/// queue's policy knows the rules by what is left.
fn rule_prefix(name: &str) -> String {
    name.chars().take(37).collect()
}

/// The rules of this platform alone may send, and nobody in plain text.
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions>
fn queue_policy(setting: &Setting, name: &str) -> Value {
    let Setting { partition, region, account, .. } = setting;
    let rules = format!("arn:{partition}:events:{region}:{account}:rule/{}-*", rule_prefix(name));
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "RulesOfThisPlatform",
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Condition": {"ArnLike": {"aws:SourceArn": rules}},
            },
            {
                "Sid": "OnlyEncrypted",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sqs:*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn setting() -> Setting {
        Setting {
            partition: "aws".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            caller_arn: "arn:aws:iam::123456789012:role/x".into(),
            zones: Vec::new(),
        }
    }

    #[test]
    fn five_rules_send_to_the_queue() {
        let mut stack = Stack::new("ray");
        let added = add_queue(&mut stack, &setting(), "ray", &Tags::new()).unwrap();
        assert_eq!((added.rules.len(), stack.len()), (5, 6));
        for rule in stack.resources().filter(|resource| added.rules.contains(&resource.urn)) {
            assert_eq!(rule.depends_on(), [added.queue.urn.clone()].into());
        }
        let mut refers = Vec::new();
        added.reader_policy().each_ref(&mut |urn, field| refers.push((urn.clone(), field.to_owned())));
        assert_eq!(refers, [(added.queue.urn, "arn".to_owned())]);
    }

    /// Names are cut to 64 characters: what is left must still be what the queue's policy knows.
    #[test]
    fn the_queues_policy_lets_all_rules_in_however_long_the_name_is() {
        let name = "n".repeat(100);
        let policy = queue_policy(&setting(), &name);
        let allowed = policy["Statement"][0]["Condition"]["ArnLike"]["aws:SourceArn"].as_str().unwrap();
        let known = allowed.rsplit('/').next().unwrap().strip_suffix('*').unwrap();
        for (kind, ..) in RULES {
            let whole = format!("{}-{kind}", rule_prefix(&name));
            assert!(whole.len() + "-12345678".len() <= 64, "{whole}");
            assert!(whole.starts_with(known), "{whole} and {known}");
        }
    }
}
