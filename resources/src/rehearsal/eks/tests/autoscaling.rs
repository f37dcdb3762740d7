//! The Auto Scaling groups behind node groups, and their tags.

use super::*;

fn ask(rig: &mut Rig, operation: &str, params: Value) -> Result<Value, ApiError> {
    rig.account.handle("autoscaling", operation, &params)
}

fn group(rig: &mut Rig) -> String {
    text(&rig.nodegroup("cpu")["resources"]["autoScalingGroups"][0]["name"])
}

fn tag(group: &str, key: &str, value: &str) -> Value {
    json!({"ResourceId": group, "ResourceType": "auto-scaling-group", "Key": key, "Value": value,
        "PropagateAtLaunch": "false"})
}

fn keys(answer: &Value) -> Vec<String> {
    answer["Tags"].as_array().unwrap().iter().map(|tag| text(&tag["Key"])).collect()
}

#[test]
fn a_group_stands_behind_each_node_group_with_the_tags_of_eks() {
    let mut rig = Rig::with_nodes();
    let name = group(&mut rig);
    let found = ask(&mut rig, "DescribeAutoScalingGroups", json!({"AutoScalingGroupNames": [name]})).unwrap();
    let group = &found["AutoScalingGroups"][0];
    assert_eq!((&group["MinSize"], &group["DesiredCapacity"], &group["MaxSize"]), (&json!(2), &json!(3), &json!(10)));
    assert_eq!(group["Instances"].as_array().unwrap().len(), 3);
    assert_eq!(group["Instances"][0]["InstanceType"], "m6g.xlarge");
    assert_eq!(
        keys(group),
        [
            "eks:cluster-name",
            "eks:nodegroup-name",
            "k8s.io/cluster-autoscaler/ray",
            "k8s.io/cluster-autoscaler/enabled",
            "kubernetes.io/cluster/ray"
        ]
    );
    let by_tag = |value: &str| json!({"Filters": [{"Name": "tag:eks:nodegroup-name", "Values": [value]}]});
    let count = |answer: Value| answer["AutoScalingGroups"].as_array().unwrap().len();
    assert_eq!(count(ask(&mut rig, "DescribeAutoScalingGroups", by_tag("cpu")).unwrap()), 1);
    assert_eq!(count(ask(&mut rig, "DescribeAutoScalingGroups", by_tag("gpu")).unwrap()), 0);
    let none = json!({"AutoScalingGroupNames": ["none"]});
    assert_eq!(count(ask(&mut rig, "DescribeAutoScalingGroups", none).unwrap()), 0);
}

#[test]
fn tags_are_set_overwritten_taken_off_and_go_with_the_group() {
    let mut rig = Rig::with_nodes();
    let name = group(&mut rig);
    let set = |value: &str| json!({"Tags": [tag(&name, "k8s.io/x", value)]});
    ask(&mut rig, "CreateOrUpdateTags", set("1")).unwrap();
    ask(&mut rig, "CreateOrUpdateTags", set("2")).unwrap();
    let ours =
        json!({"Filters": [{"Name": "auto-scaling-group", "Values": [name]}, {"Name": "key", "Values": ["k8s.io/x"]}]});
    let found = ask(&mut rig, "DescribeTags", ours.clone()).unwrap();
    let mut expected = tag(&name, "k8s.io/x", "2");
    expected["PropagateAtLaunch"] = json!(false);
    assert_eq!(found, json!({"Tags": [expected]}));
    let first = ask(&mut rig, "DescribeTags", json!({"MaxRecords": "4"})).unwrap();
    let second = ask(&mut rig, "DescribeTags", json!({"MaxRecords": "4", "NextToken": first["NextToken"]})).unwrap();
    assert_eq!((keys(&first).len(), keys(&second).len()), (4, 2));
    ask(&mut rig, "DeleteTags", set("")).unwrap();
    ask(&mut rig, "DeleteTags", set("")).unwrap();
    assert_eq!(ask(&mut rig, "DescribeTags", ours).unwrap(), json!({"Tags": []}));
    rig.ok("DeleteNodegroup", json!({"clusterName": "ray", "nodegroupName": "cpu"}));
    rig.wait(600);
    assert_eq!(ask(&mut rig, "DescribeTags", json!({})).unwrap(), json!({"Tags": []}));
    let gone = ask(&mut rig, "CreateOrUpdateTags", set("1")).unwrap_err();
    assert_eq!(gone.code, "ValidationError");
    assert_eq!(gone.message, format!("AutoScalingGroup not found - AutoScaling Group {name} not found"));
}

#[test]
fn wrong_tags_are_refused_whole() {
    let mut rig = Rig::with_nodes();
    let name = group(&mut rig);
    let before = ask(&mut rig, "DescribeTags", json!({})).unwrap();
    let good = tag(&name, "good", "1");
    let many: Vec<Value> = (0..46).map(|number| tag(&name, &format!("k{number}"), "")).collect();
    for (tags, code) in [
        (json!([good, tag(&name, "aws:x", "1")]), "ValidationError"),
        (json!([good, tag(&name, &"k".repeat(129), "1")]), "ValidationError"),
        (json!([good, tag(&name, "k", &"v".repeat(257))]), "ValidationError"),
        (json!([good, tag("none", "k", "1")]), "ValidationError"),
        (json!([good, {"ResourceId": name, "Key": "k"}]), "ValidationError"),
        (json!([]), "ValidationError"),
        (json!(many), "LimitExceeded"),
    ] {
        let error = ask(&mut rig, "CreateOrUpdateTags", json!({"Tags": tags})).unwrap_err();
        assert_eq!(error.code, code, "{}", error.message);
    }
    let filter = json!({"Filters": [{"Name": "nonsense", "Values": ["x"]}]});
    assert_eq!(ask(&mut rig, "DescribeTags", filter).unwrap_err().code, "ValidationError");
    assert_eq!(ask(&mut rig, "DescribeTags", json!({"NextToken": "%"})).unwrap_err().code, "InvalidNextToken");
    assert_eq!(ask(&mut rig, "DescribeTags", json!({})).unwrap(), before);
}
