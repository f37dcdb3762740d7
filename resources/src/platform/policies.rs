//! The policy documents of the platform. One fact, one place.

use rayplat_engine::value::Expr;
use serde_json::{Value, json};

/// The trust policy of a role that a service assumes.
pub fn trust_service(service: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
        }],
    })
}

/// The trust policy of a role for EKS Pod Identity.
/// Source: <https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html>
pub fn trust_pod_identity() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }],
    })
}

/// The trust policy of a role for one service account, by the cluster's issuer (IRSA).
/// The issuer, without its scheme, stands in the keys of the condition.
/// Source: <https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html>
pub fn trust_service_account(provider_arn: Expr, issuer: Expr, namespace: &str, account: &str) -> Expr {
    let key = |suffix: &str| {
        let host = Expr::StripPrefix { of: Box::new(issuer.clone()), prefix: "https://".to_owned() };
        Expr::Concat(vec![host, text(suffix)])
    };
    object(vec![
        ("Version", text("2012-10-17")),
        (
            "Statement",
            Expr::List(vec![object(vec![
                ("Effect", text("Allow")),
                ("Principal", object(vec![("Federated", provider_arn)])),
                ("Action", text("sts:AssumeRoleWithWebIdentity")),
                (
                    "Condition",
                    object(vec![(
                        "StringEquals",
                        Expr::Object(vec![
                            (key(":aud"), text("sts.amazonaws.com")),
                            (key(":sub"), text(&format!("system:serviceaccount:{namespace}:{account}"))),
                        ]),
                    )]),
                ),
            ])]),
        ),
    ])
}

fn text(text: &str) -> Expr {
    Expr::Value(text.into())
}

fn object(entries: Vec<(&str, Expr)>) -> Expr {
    Expr::Object(entries.into_iter().map(|(key, value)| (self::text(key), value)).collect())
}

/// The policy of the platform's own key: the account manages it, and CloudWatch Logs
/// may use it for this cluster's log group alone. Without the second statement the
/// encrypted log group cannot be created (terraform-provider-aws#29282).
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html>
pub fn key_policy(partition: &str, account: &str, region: &str, log_group: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AccountManagesTheKey",
                "Effect": "Allow",
                "Principal": {"AWS": format!("arn:{partition}:iam::{account}:root")},
                "Action": "kms:*",
                "Resource": "*",
            },
            {
                "Sid": "LogsOfThisCluster",
                "Effect": "Allow",
                "Principal": {"Service": format!("logs.{region}.amazonaws.com")},
                "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                "Resource": "*",
                "Condition": {"ArnEquals": {
                    "kms:EncryptionContext:aws:logs:arn":
                        format!("arn:{partition}:logs:{region}:{account}:log-group:{log_group}"),
                }},
            },
        ],
    })
}

/// What the cluster autoscaler needs; changes only to the groups of this cluster.
/// Source: kubernetes/autoscaler, `cluster-autoscaler/cloudprovider/aws/README.md`, "Full Cluster
/// Autoscaler Features Policy".
pub fn autoscaler_policy(cluster: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [
                    "autoscaling:DescribeAutoScalingGroups",
                    "autoscaling:DescribeAutoScalingInstances",
                    "autoscaling:DescribeLaunchConfigurations",
                    "autoscaling:DescribeScalingActivities",
                    "autoscaling:DescribeTags",
                    "ec2:DescribeImages",
                    "ec2:DescribeInstanceTypes",
                    "ec2:DescribeLaunchTemplateVersions",
                    "ec2:GetInstanceTypesFromInstanceRequirements",
                    "eks:DescribeNodegroup",
                ],
                "Resource": "*",
            },
            {
                "Effect": "Allow",
                "Action": ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"],
                "Resource": "*",
                "Condition": {"StringEquals": {
                    "aws:ResourceTag/eks:cluster-name": cluster,
                }},
            },
        ],
    })
}

/// What the node termination handler may look at where there is no queue to read.
/// Source: aws/aws-node-termination-handler, `README.md`, "IAM Permissions".
pub fn termination_policy() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": [
                "autoscaling:DescribeAutoScalingInstances",
                "autoscaling:DescribeTags",
                "ec2:DescribeInstances",
            ],
            "Resource": "*",
        }],
    })
}

/// The policy of a key that the account alone manages, by its own IAM policies.
pub fn account_key_policy(partition: &str, account: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "AccountManagesTheKey",
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:{partition}:iam::{account}:root")},
            "Action": "kms:*",
            "Resource": "*",
        }],
    })
}

/// What Velero needs: its bucket with the bucket's key, and snapshots of volumes.
/// Source: vmware-tanzu/velero-plugin-for-aws, `README.md`, "Set permissions for Velero";
/// for the key: S3 user guide, "Using server-side encryption with AWS KMS keys", permissions.
pub fn velero_policy(bucket_arn: Expr, key_arn: Expr) -> Expr {
    let statement = |actions: &[&str], resource: Expr| {
        object(vec![("Effect", text("Allow")), ("Action", Expr::Value(json!(actions))), ("Resource", resource)])
    };
    let volumes = [
        "ec2:CreateSnapshot",
        "ec2:CreateTags",
        "ec2:CreateVolume",
        "ec2:DeleteSnapshot",
        "ec2:DescribeSnapshots",
        "ec2:DescribeVolumes",
    ];
    let objects = [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
        "s3:PutObjectTagging",
    ];
    object(vec![
        ("Version", text("2012-10-17")),
        (
            "Statement",
            Expr::List(vec![
                statement(&volumes, text("*")),
                statement(&objects, Expr::Concat(vec![bucket_arn.clone(), text("/*")])),
                statement(&["s3:GetBucketLocation", "s3:ListBucket"], bucket_arn),
                statement(&["kms:Decrypt", "kms:GenerateDataKey"], key_arn),
            ]),
        ),
    ])
}
