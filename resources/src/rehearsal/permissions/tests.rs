//! The table, the evaluator and the generator.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use aws_sdk_iam::error::ProvideErrorMetadata as _;
use serde_json::json;

use super::*;
use crate::rehearsal::testing::rehearsal;

fn need(action: &str, resource: &str) -> Need {
    Need::new(action, resource)
}

#[test]
fn no_operation_has_two_rows() {
    let mut seen = BTreeSet::new();
    let twice: Vec<&str> = table::calls().filter(|call| !seen.insert(*call)).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn verdicts() {
    let role = "arn:aws:iam::123456789012:role/prod-node-1a";
    let pass = need("iam:PassRole", role).with("iam:PassedToService", "eks.amazonaws.com");
    let tag = need("ec2:CreateTags", "*").with("aws:TagKeys", "a").with("aws:TagKeys", "b");
    let statement = |more: Value| {
        let mut statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        statement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        statement
    };
    let when = |operator: &str, key: &str, values: Value| json!({"Condition": {operator: {key: values}}});
    let (yes, no) = (Verdict::Allowed, Verdict::NotAllowed);
    for (more, need, expected) in [
        (json!({"Action": "iam:Pass*"}), &pass, yes),
        (json!({"Action": "IAM:passrole"}), &pass, yes),
        (json!({"Action": ["iam:Get*", "eks:*"]}), &pass, no),
        (json!({"Resource": "arn:aws:iam::*:role/prod-*"}), &pass, yes),
        (json!({"Resource": "arn:aws:iam::*:role/PROD-*"}), &pass, no),
        (when("StringEquals", "iam:PassedToService", json!(["ec2.amazonaws.com", "eks.amazonaws.com"])), &pass, yes),
        (when("StringEquals", "iam:passedtoservice", json!("ec2.amazonaws.com")), &pass, no),
        (when("StringLike", "iam:PassedToService", json!("*.amazonaws.com")), &pass, yes),
        (when("StringNotEquals", "iam:PassedToService", json!("eks.amazonaws.com")), &pass, no),
        (when("StringNotEquals", "other", json!("x")), &pass, yes),
        (when("StringEquals", "other", json!("x")), &pass, no),
        (when("StringEqualsIfExists", "other", json!("x")), &pass, yes),
        (when("Null", "other", json!("true")), &pass, yes),
        (when("Null", "iam:PassedToService", json!(true)), &pass, no),
        (when("Bool", "iam:PassedToService", json!(true)), &pass, no),
        (when("ArnLike", "iam:PassedToService", json!("eks.*")), &pass, yes),
        (when("ForAnyValue:StringEquals", "aws:TagKeys", json!(["b", "c"])), &tag, yes),
        (when("ForAllValues:StringEquals", "aws:TagKeys", json!(["b", "c"])), &tag, no),
        (when("ForAllValues:StringEquals", "other", json!(["b"])), &tag, yes),
        (when("ForAnyValue:StringEquals", "other", json!(["b"])), &tag, no),
    ] {
        let policy = Policy::parse(&json!({"Statement": statement(more.clone())})).unwrap();
        assert_eq!(policy.verdict(need), expected, "{more}");
    }
}

#[test]
fn a_deny_wins_and_the_rest_is_not_allowed() {
    let policy = Policy::parse(&json!([
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "kms:*", "Resource": "*"}]},
        {"Statement": {"Effect": "Deny", "Action": "eks:Delete*", "NotResource": "arn:*:cluster/dev"}},
    ]))
    .unwrap();
    assert_eq!(policy.verdict(&need("eks:DeleteCluster", "arn:x:cluster/prod")), Verdict::Denied);
    assert_eq!(policy.verdict(&need("eks:DeleteCluster", "arn:x:cluster/dev")), Verdict::Allowed);
    assert_eq!(policy.verdict(&need("kms:CreateKey", "*")), Verdict::NotAllowed);
}

#[test]
fn what_cannot_be_evaluated_is_refused() {
    let allow = |more: Value| {
        let mut statement = json!({"Sid": "S", "Effect": "Allow", "Action": "*", "Resource": "*"});
        statement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Policy::parse(&json!({"Statement": [statement]})).unwrap_err()
    };
    assert_eq!(
        allow(json!({"Condition": {"DateLessThan": {"aws:CurrentTime": "x"}}})),
        "statement `S`: the condition operator `DateLessThan` is not emulated"
    );
    assert!(allow(json!({"Principal": "*"})).contains("`Principal` has no place"));
    assert!(allow(json!({"NotAction": "x"})).contains("one of `Action` and `NotAction`"));
    assert!(allow(json!({"Effect": "allow"})).contains("`Allow` or `Deny`"));
    assert!(allow(json!({"Action": [7]})).contains("no text"));
    assert!(Policy::parse(&json!({})).unwrap_err().contains("`Statement`"));
}

#[test]
fn names_stay_and_drawn_ids_become_wildcards() {
    let known = BTreeSet::from(["vpc-0abc".to_owned()]);
    let of = |action: &str, resource: &str| {
        let documents = documents(&BTreeSet::from([need(action, resource)]), "prod", &known);
        documents.statements().next().unwrap()["Resource"][0].as_str().unwrap().to_owned()
    };
    for (action, resource, expected) in [
        (
            "eks:CreateCluster",
            "arn:aws:eks:us-east-1:123456789012:cluster/prod",
            "arn:aws:eks:us-east-1:*:cluster/prod",
        ),
        (
            "eks:X",
            "arn:aws:eks:us-east-1:123456789012:nodegroup/prod/cpu-1/0",
            "arn:aws:eks:us-east-1:*:nodegroup/prod/*",
        ),
        ("iam:CreateRole", "arn:aws:iam::123456789012:role/prod-node-1a", "arn:aws:iam::*:role/prod-*"),
        ("iam:GetRole", "arn:aws:iam::123456789012:role/aws-reserved/x", "arn:aws:iam::*:role/*"),
        ("iam:X", "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy", "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"),
        (
            "iam:X",
            "arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/AB",
            "arn:aws:iam::*:oidc-provider/oidc.eks.us-east-1.amazonaws.com/*",
        ),
        ("kms:X", "arn:aws:kms:us-east-1:123456789012:key/1-2", "arn:aws:kms:us-east-1:*:key/*"),
        (
            "kms:X",
            "arn:aws:kms:us-east-1:123456789012:alias/rayplat-prod",
            "arn:aws:kms:us-east-1:*:alias/rayplat-prod",
        ),
        (
            "logs:X",
            "arn:aws:logs:us-east-1:123456789012:log-group:/aws/eks/prod/cluster",
            "arn:aws:logs:us-east-1:*:log-group:/aws/eks/prod/*",
        ),
        (
            "logs:X",
            "arn:aws:logs:us-east-1:123456789012:log-group::log-stream:",
            "arn:aws:logs:us-east-1:*:log-group:*",
        ),
        ("ec2:X", "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-0abc", "arn:aws:ec2:us-east-1:*:vpc/vpc-0abc"),
        ("ec2:X", "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1", "arn:aws:ec2:us-east-1:*:vpc/*"),
        ("ec2:X", "arn:aws:ec2:us-east-1::image/ami-0", "arn:aws:ec2:us-east-1::image/*"),
        ("s3:CreateBucket", "arn:aws:s3:::prod-backup-1a", "arn:aws:s3:::prod-*"),
        ("s3:DeleteObject", "arn:aws:s3:::prod-backup-1a/*", "arn:aws:s3:::prod-*/*"),
        ("s3:CreateBucket", "arn:aws:s3:::theirs", "arn:aws:s3:::theirs"),
        (
            "autoscaling:DeleteTags",
            "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:0:autoScalingGroupName/eks-gpu-1",
            "arn:aws:autoscaling:us-east-1:*:autoScalingGroup:*:autoScalingGroupName/eks-*",
        ),
        ("sqs:CreateQueue", "arn:aws:sqs:us-east-1:123456789012:prod-spot", "arn:aws:sqs:us-east-1:*:prod-*"),
        (
            "events:PutRule",
            "arn:aws:events:us-east-1:123456789012:rule/prod-a",
            "arn:aws:events:us-east-1:*:rule/prod-*",
        ),
        ("route53:X", "arn:aws:route53:::hostedzone/0", "arn:aws:route53:::hostedzone/*"),
        ("ec2:DescribeVpcs", "*", "*"),
    ] {
        assert_eq!(of(action, resource), expected);
    }
}

#[test]
fn large_policies_are_split_within_the_limit() {
    let many: BTreeSet<Need> = (0..200)
        .map(|n| need(&format!("ec2:Action{n}"), &format!("arn:aws:ec2:us-east-1:123456789012:kind{n}/x-1")))
        .collect();
    let documents = documents(&many, "prod", &BTreeSet::new());
    assert!(documents.0.len() > 2);
    assert!(documents.0.iter().all(|document| document.to_string().len() <= LIMIT));
    assert_eq!(documents.statements().count(), 200);
    let sids: BTreeSet<&str> = documents.statements().map(|statement| statement["Sid"].as_str().unwrap()).collect();
    assert_eq!(sids.len(), 200);
    assert!(sids.iter().all(|sid| sid.bytes().all(|byte| byte.is_ascii_alphanumeric())));
    let policy = Policy::parse(&documents.json()).unwrap();
    assert!(many.iter().all(|need| policy.verdict(need) == Verdict::Allowed));
}

#[tokio::test(start_paused = true)]
async fn each_service_refuses_in_its_own_words() {
    let rehearsal = rehearsal();
    rehearsal.enforce(Policy::parse(&json!({"Statement": []})).unwrap());
    let clients = rehearsal.clients();
    let caller = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_AdministratorAccess_0123456789abcdef/someone";
    let iam = clients.iam.get_role().role_name("x").send().await.unwrap_err();
    assert_eq!(iam.code(), Some("AccessDenied"));
    let because = "because no identity-based policy allows the iam:GetRole action";
    let on = "arn:aws:iam::123456789012:role/x";
    let expected = format!("User: {caller} is not authorized to perform: iam:GetRole on resource: {on} {because}");
    assert_eq!(iam.message(), Some(expected.as_str()));
    let ec2 = clients.ec2.describe_vpcs().send().await.unwrap_err();
    assert_eq!(ec2.code(), Some("UnauthorizedOperation"));
    assert!(ec2.message().unwrap().starts_with("You are not authorized to perform this operation. User: "));
    let eks = clients.eks.describe_cluster().name("x").send().await.unwrap_err();
    assert_eq!(eks.code(), Some("AccessDeniedException"));
    let kms = clients.kms.list_keys().send().await.unwrap_err();
    assert_eq!(kms.code(), Some("AccessDeniedException"));
    // Who one is may be asked without any permission.
    clients.sts.get_caller_identity().send().await.unwrap();
    assert!(rehearsal.needed().is_empty(), "what is refused is not needed by what runs");
}

#[test]
fn an_operation_without_a_row_needs_its_own_name_everywhere() {
    let account = Account::new(&crate::rehearsal::testing::seed(), 0);
    assert_eq!(needs(&account, "new", "DoIt", &json!({})), [need("new:DoIt", "*")]);
}
