use super::*;

const LOGGING: &str = r#"{"clusterLogging": [{"types": ["api", "audit"], "enabled": true}]}"#;

fn logging() -> Value {
    json!({"name": "ray", "logging": serde_json::from_str::<Value>(LOGGING).unwrap(), "clientRequestToken": "logging-1"})
}

fn update_status(rig: &mut Rig, id: &Value) -> String {
    text(&rig.ok("DescribeUpdate", json!({"name": "ray", "updateId": id}))["update"]["status"])
}

/// Waits until a further update is taken.
fn rest(rig: &mut Rig) {
    rig.wait(1300);
}

#[test]
fn an_update_has_a_record_and_changes_at_its_end() {
    let mut rig = Rig::with_cluster();
    let update = rig.ok("UpdateClusterConfig", logging())["update"].clone();
    assert_eq!(update["type"], "LoggingUpdate");
    assert_eq!(update["status"], "InProgress");
    assert_eq!(update["params"][0]["type"], "ClusterLogging");
    assert_eq!(rig.cluster_status(), "UPDATING");
    assert_eq!(rig.ok("UpdateClusterConfig", logging())["update"], update);
    assert_eq!(rig.ok("ListUpdates", json!({"name": "ray"}))["updateIds"], json!([update["id"]]));
    rig.wait(181);
    assert_eq!(update_status(&mut rig, &update["id"]), "Successful");
    let cluster = rig.cluster();
    assert_eq!(cluster["status"], "ACTIVE");
    assert_eq!(cluster["logging"]["clusterLogging"][0]["types"], json!(["api", "audit"]));
    rest(&mut rig);
    let again = with(logging(), json!({"clientRequestToken": "logging-2"}));
    rig.refused(
        "UpdateClusterConfig",
        again,
        "InvalidParameterException",
        "No changes needed for the logging config provided",
    );
    rig.refused(
        "DescribeUpdate",
        json!({"name": "ray", "updateId": "x"}),
        "ResourceNotFoundException",
        "No update found for ID: x",
    );
}

#[test]
fn one_update_at_a_time_and_sometimes_a_little_longer() {
    let mut busy_after = 0;
    for seed in 0..20 {
        let mut rig = Rig::seeded(seed);
        rig.ok("CreateCluster", cluster_request());
        rig.wait(610);
        rig.ok("UpdateClusterConfig", logging());
        let other = json!({"name": "ray", "deletionProtection": true});
        rig.refused("UpdateClusterConfig", other.clone(), "ResourceInUseException", "in progress");
        rig.refused("DeleteCluster", json!({"name": "ray"}), "ResourceInUseException", "in progress");
        let due = rig.account.eks.clusters["ray"].due_ms.unwrap();
        rig.account.now_ms = due;
        assert_eq!(rig.cluster_status(), "ACTIVE");
        match rig.account.handle("eks", "UpdateClusterConfig", &other) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!((error.status, error.code.as_str()), (409, "ResourceInUseException"));
                busy_after += 1;
                rig.wait(9);
                rig.ok("UpdateClusterConfig", other);
            }
        }
    }
    assert!((3..=17).contains(&busy_after), "{busy_after} of 20");
}

#[test]
fn one_kind_of_change_in_a_call() {
    let mut rig = Rig::with_cluster();
    let both = with(logging(), json!({"deletionProtection": true}));
    rig.refused("UpdateClusterConfig", both, "InvalidParameterException", "Only one type of update can be allowed.");
    rig.refused(
        "UpdateClusterConfig",
        json!({"name": "ray"}),
        "InvalidParameterException",
        "The type for cluster update was not provided.",
    );
    let endpoint =
        json!({"name": "ray", "resourcesVpcConfig": {"endpointPublicAccess": false, "endpointPrivateAccess": true}});
    rig.refused(
        "UpdateClusterConfig",
        endpoint,
        "InvalidParameterException",
        "Cluster is already at the desired configuration",
    );
    let none = json!({"name": "ray", "resourcesVpcConfig": {"endpointPrivateAccess": false}});
    rig.refused("UpdateClusterConfig", none, "InvalidParameterException", "cannot be false");
    let mode = json!({"name": "ray", "accessConfig": {"authenticationMode": "CONFIG_MAP"}});
    rig.refused(
        "UpdateClusterConfig",
        mode,
        "InvalidParameterException",
        "Unsupported authentication mode update from API to CONFIG_MAP",
    );
    let nobody = json!({"name": "nobody", "deletionProtection": true});
    rig.refused("UpdateClusterConfig", nobody, "ResourceNotFoundException", "No cluster found for name: nobody.");
}

#[test]
fn every_setting_can_be_changed() {
    let mut rig = Rig::with_cluster();
    let others = json!({"name": "ray", "resourcesVpcConfig": {"subnetIds": ["subnet-2", "subnet-3"]}});
    rig.refused("UpdateClusterConfig", others, "InvalidParameterException", "from the exact set of AZs");
    let zone = rig.account.ec2.subnets["subnet-1"].zone.clone();
    rig.account.ec2.subnets.get_mut("subnet-3").unwrap().zone = zone;
    for (change, pointer, expected) in [
        (
            json!({"resourcesVpcConfig": {"endpointPublicAccess": true, "publicAccessCidrs": ["1.2.3.4/32"]}}),
            "/resourcesVpcConfig/publicAccessCidrs",
            json!(["1.2.3.4/32"]),
        ),
        (
            json!({"resourcesVpcConfig": {"subnetIds": ["subnet-2", "subnet-3"]}}),
            "/resourcesVpcConfig/subnetIds",
            json!(["subnet-2", "subnet-3"]),
        ),
        (json!({"upgradePolicy": {"supportType": "STANDARD"}}), "/upgradePolicy/supportType", json!("STANDARD")),
        (json!({"deletionProtection": true}), "/deletionProtection", json!(true)),
        (json!({"zonalShiftConfig": {"enabled": true}}), "/zonalShiftConfig/enabled", json!(true)),
    ] {
        let update = rig.ok("UpdateClusterConfig", with(json!({"name": "ray"}), change))["update"]["id"].clone();
        rest(&mut rig);
        assert_eq!(update_status(&mut rig, &update), "Successful");
        assert_eq!(rig.cluster().pointer(pointer), Some(&expected));
    }
    let interfaces =
        rig.ec2("DescribeNetworkInterfaces", json!({"Filter": [{"Name": "subnet-id", "Value": ["subnet-1"]}]}));
    assert_eq!(interfaces["networkInterfaceSet"], json!([]));
}

#[test]
fn a_version_goes_up_one_minor_at_a_time() {
    let mut rig = Rig::with_cluster();
    let to = |version: &str| json!({"name": "ray", "version": version});
    rig.refused("UpdateClusterVersion", to("1.37"), "InvalidParameterException", "unsupported Kubernetes version");
    rig.refused(
        "UpdateClusterVersion",
        to("1.34"),
        "InvalidParameterException",
        "Unsupported Kubernetes minor version update from 1.35 to 1.34",
    );
    rig.refused("UpdateClusterVersion", to("1.35"), "InvalidParameterException", "already at version");
    let update = rig.ok("UpdateClusterVersion", to("1.36"))["update"].clone();
    assert_eq!(update["type"], "VersionUpdate");
    rig.refused("CreateNodegroup", nodegroup_request("cpu"), "InvalidRequestException", "not in ACTIVE status");
    rest(&mut rig);
    assert_eq!(rig.cluster()["version"], "1.36");
}

#[test]
fn a_failed_update_changes_nothing() {
    let mut rig = Rig::with_cluster();
    rig.fail("cluster/ray", "update", "IpNotAvailable");
    let update = rig.ok("UpdateClusterConfig", logging())["update"]["id"].clone();
    rest(&mut rig);
    let record = rig.ok("DescribeUpdate", json!({"name": "ray", "updateId": update}))["update"].clone();
    assert_eq!(record["status"], "Failed");
    assert_eq!(record["errors"][0]["errorCode"], "IpNotAvailable");
    assert_eq!(rig.cluster()["logging"]["clusterLogging"][0]["enabled"], false);
    assert_eq!(rig.cluster_status(), "ACTIVE");
}
