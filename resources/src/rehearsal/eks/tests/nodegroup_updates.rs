use super::*;

fn update(changes: Value) -> Value {
    with(json!({"clusterName": "ray", "nodegroupName": "cpu"}), changes)
}

fn record(rig: &mut Rig, id: &Value) -> Value {
    let params = json!({"name": "ray", "nodegroupName": "cpu", "updateId": id});
    rig.ok("DescribeUpdate", params)["update"].clone()
}

#[test]
fn sizes_change_and_nodes_follow() {
    let mut rig = Rig::with_nodes();
    let request = update(json!({"scalingConfig": {"desiredSize": 5}, "clientRequestToken": "grow"}));
    let made = rig.ok("UpdateNodegroupConfig", request.clone())["update"].clone();
    assert_eq!((&made["type"], &made["status"]), (&json!("ConfigUpdate"), &json!("InProgress")));
    assert_eq!(rig.ok("UpdateNodegroupConfig", request)["update"], made);
    assert_eq!(rig.nodegroup("cpu")["status"], "UPDATING");
    let other = update(json!({"scalingConfig": {"desiredSize": 4}}));
    rig.refused("UpdateNodegroupConfig", other.clone(), "ResourceInUseException", "in progress");
    rig.refused("UpdateNodegroupVersion", update(json!({})), "ResourceInUseException", "in progress");
    rig.refused("DeleteNodegroup", update(json!({})), "ResourceInUseException", "in progress");
    rig.wait(46);
    assert_eq!(record(&mut rig, &made["id"])["status"], "Successful");
    let group = rig.nodegroup("cpu");
    assert_eq!((&group["status"], &group["scalingConfig"]["desiredSize"]), (&json!("ACTIVE"), &json!(5)));
    let nodes = json!({"Filter": [{"Name": "attachment.instance-id", "Value": ["i-*"]}]});
    assert_eq!(rig.ec2("DescribeNetworkInterfaces", nodes.clone())["networkInterfaceSet"].as_array().unwrap().len(), 5);
    rig.ok("UpdateNodegroupConfig", other);
    rig.wait(46);
    assert_eq!(rig.ec2("DescribeNetworkInterfaces", nodes)["networkInterfaceSet"].as_array().unwrap().len(), 4);
    let listed = rig.ok("ListUpdates", json!({"name": "ray", "nodegroupName": "cpu", "maxResults": 1}));
    assert_eq!(listed["updateIds"].as_array().unwrap().len(), 1);
    assert!(listed["nextToken"].is_string());
    assert_eq!(rig.ok("ListUpdates", json!({"name": "ray"}))["updateIds"], json!([]));
}

#[test]
fn labels_and_taints_are_deltas() {
    let mut rig = Rig::with_nodes();
    let first = update(json!({
        "labels": {"addOrUpdateLabels": {"pool": "cpu", "old": "1"}},
        "taints": {"addOrUpdateTaints": [{"key": "a", "value": "1", "effect": "NO_SCHEDULE"}]},
    }));
    rig.ok("UpdateNodegroupConfig", first);
    rig.wait(46);
    let second = update(json!({
        "labels": {"addOrUpdateLabels": {"pool": "big"}, "removeLabels": ["old"]},
        "taints": {"addOrUpdateTaints": [{"key": "a", "value": "2", "effect": "NO_SCHEDULE"}, {"key": "b", "effect": "NO_EXECUTE"}]},
    }));
    let made = rig.ok("UpdateNodegroupConfig", second)["update"].clone();
    let kinds: Vec<&str> = made["params"].as_array().unwrap().iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["LabelsToAdd", "LabelsToRemove", "TaintsToAdd"]);
    rig.wait(46);
    let group = rig.nodegroup("cpu");
    assert_eq!(group["labels"], json!({"pool": "big"}));
    assert_eq!(
        group["taints"],
        json!([{"key": "a", "effect": "NO_SCHEDULE", "value": "2"}, {"key": "b", "effect": "NO_EXECUTE"}])
    );
    let gone = update(
        json!({"taints": {"removeTaints": [{"key": "a", "effect": "NO_SCHEDULE"}, {"key": "b", "effect": "NO_EXECUTE"}]}}),
    );
    rig.ok("UpdateNodegroupConfig", gone);
    rig.wait(46);
    assert!(rig.nodegroup("cpu").get("taints").is_none());
    let both = update(json!({"labels": {"addOrUpdateLabels": {"pool": "x"}, "removeLabels": ["pool"]}}));
    rig.refused("UpdateNodegroupConfig", both, "InvalidParameterException", "added and removed");
    rig.refused("UpdateNodegroupConfig", update(json!({})), "InvalidParameterException", "No changes found");
    let wrong = update(json!({"scalingConfig": {"minSize": 11}}));
    rig.refused("UpdateNodegroupConfig", wrong, "InvalidParameterException", "Minimum capacity 11");
}

#[test]
fn a_new_template_version_rolls_the_nodes() {
    let mut rig = Rig::with_cni();
    let id = rig.template("nodes", json!({"MetadataOptions": {"HttpTokens": "required"}}));
    rig.ok("CreateNodegroup", with(nodegroup_request("cpu"), json!({"launchTemplate": {"id": id, "version": "1"}})));
    rig.wait(210);
    let version =
        json!({"LaunchTemplateId": id, "LaunchTemplateData": {"MetadataOptions": {"HttpTokens": "optional"}}});
    rig.ec2("CreateLaunchTemplateVersion", version);
    let roll = update(json!({"launchTemplate": {"id": id, "version": "$Latest"}, "clientRequestToken": "roll"}));
    let made = rig.ok("UpdateNodegroupVersion", roll)["update"].clone();
    assert_eq!(made["type"], "VersionUpdate");
    assert!(made["params"].as_array().unwrap().contains(&json!({"type": "LaunchTemplateVersion", "value": "2"})));
    // Three nodes, one at a time.
    rig.wait(440);
    assert_eq!(record(&mut rig, &made["id"])["status"], "InProgress");
    rig.wait(350);
    assert_eq!(record(&mut rig, &made["id"])["status"], "Successful");
    assert_eq!(rig.nodegroup("cpu")["launchTemplate"]["version"], "2");
    let both = update(json!({"launchTemplate": {"id": id, "name": "nodes", "version": "2"}}));
    rig.refused("UpdateNodegroupVersion", both, "InvalidParameterException", "exactly one");
    let other = rig.template("other", json!({"MetadataOptions": {"HttpTokens": "required"}}));
    let other = update(json!({"launchTemplate": {"id": other}}));
    rig.refused("UpdateNodegroupVersion", other, "InvalidRequestException", "different launch template");
}

#[test]
fn a_roll_to_user_data_that_fails_keeps_the_old_version() {
    let mut rig = Rig::with_cni();
    let id = rig.template("nodes", json!({"MetadataOptions": {"HttpTokens": "required"}}));
    rig.ok("CreateNodegroup", with(nodegroup_request("cpu"), json!({"launchTemplate": {"id": id}})));
    rig.wait(210);
    let version = json!({"LaunchTemplateId": id, "LaunchTemplateData": {"UserData": base64("#!/bin/sh\n")}});
    rig.ec2("CreateLaunchTemplateVersion", version);
    let roll = update(json!({"launchTemplate": {"id": id, "version": "2"}}));
    let made = rig.ok("UpdateNodegroupVersion", roll)["update"]["id"].clone();
    rig.wait(800);
    let record = record(&mut rig, &made);
    assert_eq!(record["status"], "Failed");
    assert_eq!(record["errors"][0]["errorCode"], "Unknown");
    assert!(text(&record["errors"][0]["errorMessage"]).contains("MIME multipart"));
    assert_eq!(rig.nodegroup("cpu")["launchTemplate"]["version"], "1");
}

#[test]
fn a_group_without_template_gets_none_and_a_version_stays_in_its_bounds() {
    let mut rig = Rig::with_nodes();
    let id = rig.template("nodes", json!({"MetadataOptions": {"HttpTokens": "required"}}));
    let add = update(json!({"launchTemplate": {"id": id}}));
    rig.refused("UpdateNodegroupVersion", add, "InvalidRequestException", "without one");
    let up = update(json!({"version": "1.36"}));
    rig.refused("UpdateNodegroupVersion", up.clone(), "InvalidParameterException", "between its current version");
    rig.ok("UpdateClusterVersion", json!({"name": "ray", "version": "1.36"}));
    rig.wait(910);
    rig.ok("UpdateNodegroupVersion", up);
    rig.wait(800);
    assert_eq!(rig.nodegroup("cpu")["version"], "1.36");
}
