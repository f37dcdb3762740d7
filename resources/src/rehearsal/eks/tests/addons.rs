use super::*;

fn request(name: &str) -> Value {
    json!({"clusterName": "ray", "addonName": name, "clientRequestToken": format!("token-{name}")})
}

#[test]
fn an_addon_lives_and_goes() {
    let mut rig = Rig::with_cluster();
    let made = rig.ok("CreateAddon", request("vpc-cni"))["addon"].clone();
    assert_eq!(made["status"], "CREATING");
    assert_eq!(made["addonVersion"], "v1.21.1-eksbuild.1");
    assert_eq!(rig.ok("CreateAddon", request("vpc-cni"))["addon"], made);
    let again = with(request("vpc-cni"), json!({"clientRequestToken": "x"}));
    rig.refused("CreateAddon", again, "ResourceInUseException", "Addon already exists.");
    rig.refused("DeleteAddon", request("vpc-cni"), "InvalidRequestException", "in progress");
    rig.wait(36);
    assert_eq!(rig.addon("vpc-cni")["status"], "ACTIVE");
    assert_eq!(rig.ok("ListAddons", json!({"clusterName": "ray"}))["addons"], json!(["vpc-cni"]));
    assert_eq!(rig.ok("DeleteAddon", request("vpc-cni"))["addon"]["status"], "DELETING");
    rig.wait(26);
    rig.refused(
        "DescribeAddon",
        request("vpc-cni"),
        "ResourceNotFoundException",
        "No addon: vpc-cni found in cluster: ray",
    );
}

#[test]
fn wrong_requests_are_refused() {
    let mut rig = Rig::with_cluster();
    for (name, change, words) in [
        ("magic", json!({}), "Addon magic specified is not supported in 1.35 kubernetes version"),
        ("vpc-cni", json!({"addonVersion": "v0"}), "Addon version specified is not supported"),
        ("kube-proxy", json!({"addonVersion": "v1.36.1-eksbuild.2"}), "Addon version specified is not supported"),
        ("vpc-cni", json!({"configurationValues": "{\"nonsense\": 1}"}), "$.nonsense: is not defined in the schema"),
        (
            "vpc-cni",
            json!({"configurationValues": "not json"}),
            "ConfigurationValue provided in request is not supported",
        ),
        ("vpc-cni", json!({"serviceAccountRoleArn": "arn:aws:iam::111122223333:role/nobody"}), "does not exist"),
        (
            "vpc-cni",
            json!({"podIdentityAssociations": [{"serviceAccount": "aws-node", "roleArn": "arn:aws:iam::111122223333:role/node"}]}),
            "pods.eks.amazonaws.com",
        ),
        ("vpc-cni", json!({"resolveConflicts": "PRESERVE"}), "PRESERVE"),
        ("vpc-cni", json!({"resolveConflicts": "FIGHT"}), "enum value set"),
    ] {
        rig.refused("CreateAddon", with(request(name), change), "InvalidParameterException", words);
    }
}

#[test]
fn a_deployment_waits_for_nodes() {
    let mut rig = Rig::with_cni();
    rig.ok("CreateAddon", request("coredns"));
    rig.wait(60);
    let addon = rig.addon("coredns");
    assert_eq!(addon["status"], "DEGRADED");
    assert_eq!(addon["health"]["issues"][0]["code"], "InsufficientNumberOfReplicas");
    // Nodes that nothing tolerates do not help.
    let taints = json!({"taints": [{"key": "nvidia.com/gpu", "effect": "NO_SCHEDULE"}]});
    rig.ok("CreateNodegroup", with(nodegroup_request("gpu"), taints));
    rig.wait(230);
    assert_eq!(rig.addon("coredns")["status"], "DEGRADED");
    rig.ok("CreateNodegroup", nodegroup_request("cpu"));
    rig.wait(230);
    let addon = rig.addon("coredns");
    assert_eq!(addon["status"], "ACTIVE");
    assert_eq!(addon["health"]["issues"], json!([]));
    rig.ok("DeleteNodegroup", json!({"clusterName": "ray", "nodegroupName": "cpu"}));
    rig.wait(510);
    assert_eq!(rig.addon("coredns")["status"], "DEGRADED");
}

#[test]
fn an_update_has_a_record_and_keeps_what_it_does_not_name() {
    let mut rig = Rig::with_nodes();
    let values = r#"{"replicaCount": 4}"#;
    rig.ok(
        "CreateAddon",
        with(request("coredns"), json!({"configurationValues": values, "addonVersion": "v1.13.2-eksbuild.1"})),
    );
    rig.wait(60);
    let newer = with(
        request("coredns"),
        json!({"addonVersion": "v1.13.2-eksbuild.3", "clientRequestToken": "up", "resolveConflicts": "PRESERVE"}),
    );
    let made = rig.ok("UpdateAddon", newer.clone())["update"].clone();
    assert_eq!(made["type"], "AddonUpdate");
    assert_eq!(rig.ok("UpdateAddon", newer)["update"], made);
    assert_eq!(rig.addon("coredns")["status"], "UPDATING");
    let other = with(request("coredns"), json!({"clientRequestToken": "other"}));
    rig.refused("UpdateAddon", other, "ResourceInUseException", "in progress");
    rig.wait(61);
    let params = json!({"name": "ray", "addonName": "coredns", "updateId": made["id"]});
    assert_eq!(rig.ok("DescribeUpdate", params)["update"]["status"], "Successful");
    let addon = rig.addon("coredns");
    assert_eq!(addon["status"], "ACTIVE");
    assert_eq!(addon["addonVersion"], "v1.13.2-eksbuild.3");
    assert_eq!(addon["configurationValues"], values);
    let wrong = with(
        request("coredns"),
        json!({"configurationValues": "{\"replicaCount\": \"4\"}", "clientRequestToken": "wrong"}),
    );
    rig.refused("UpdateAddon", wrong, "InvalidParameterException", "string found, integer expected");
    rig.refused("UpdateAddon", request("metrics-server"), "ResourceNotFoundException", "metrics-server");
}

#[test]
fn what_eks_installed_by_itself_is_in_the_way() {
    let mut rig = Rig::new();
    rig.ok("CreateCluster", with(cluster_request(), json!({"bootstrapSelfManagedAddons": true})));
    rig.wait(610);
    let values = json!({"configurationValues": r#"{"env": {"ENABLE_PREFIX_DELEGATION": "true"}}"#});
    rig.ok("CreateAddon", with(request("vpc-cni"), values.clone()));
    rig.wait(36);
    let addon = rig.addon("vpc-cni");
    assert_eq!(addon["status"], "CREATE_FAILED");
    assert_eq!(addon["health"]["issues"][0]["code"], "ConfigurationConflict");
    rig.ok("DeleteAddon", request("vpc-cni"));
    rig.wait(26);
    let overwrite = with(with(request("vpc-cni"), values), json!({"resolveConflicts": "OVERWRITE"}));
    rig.ok("CreateAddon", overwrite);
    rig.wait(36);
    assert_eq!(rig.addon("vpc-cni")["status"], "ACTIVE");
}

#[test]
fn failures_asked_for_show_in_the_health() {
    let mut rig = Rig::with_cni();
    rig.fail("addon/ray/kube-proxy", "create", "AddonPermissionFailure");
    rig.ok("CreateAddon", request("kube-proxy"));
    rig.wait(36);
    assert_eq!(rig.addon("kube-proxy")["status"], "CREATE_FAILED");
    rig.refused("UpdateAddon", request("kube-proxy"), "InvalidRequestException", "delete it first");
    rig.fail("addon/ray/vpc-cni", "update", "ConfigurationConflict");
    rig.ok("UpdateAddon", with(request("vpc-cni"), json!({"addonVersion": "v1.21.1-eksbuild.3"})));
    rig.wait(61);
    assert_eq!(rig.addon("vpc-cni")["status"], "UPDATE_FAILED");
    assert_eq!(rig.addon("vpc-cni")["addonVersion"], "v1.21.1-eksbuild.1");
    rig.fail("addon/ray/vpc-cni", "delete", "K8sResourceNotFound");
    rig.ok("DeleteAddon", request("vpc-cni"));
    rig.wait(26);
    assert_eq!(rig.addon("vpc-cni")["status"], "DELETE_FAILED");
}

#[test]
fn addon_roles_become_associations_that_the_addon_owns() {
    let mut rig = Rig::with_cni();
    let role = "arn:aws:iam::111122223333:role/pods";
    let associations = json!([{"serviceAccount": "ebs-csi-controller-sa", "roleArn": role}]);
    let made = rig.ok(
        "CreateAddon",
        with(
            request("aws-ebs-csi-driver"),
            json!({"podIdentityAssociations": associations}),
        ),
    )["addon"]
        .clone();
    let listed = rig.ok("ListPodIdentityAssociations", json!({"clusterName": "ray"}))["associations"].clone();
    assert_eq!(listed[0]["associationArn"], made["podIdentityAssociations"][0]);
    assert_eq!(listed[0]["ownerArn"], made["addonArn"]);
    let named = json!({"clusterName": "ray", "associationId": listed[0]["associationId"]});
    rig.refused("DeletePodIdentityAssociation", named, "InvalidRequestException", "owned by");
    rig.wait(60);
    rig.ok("DeleteAddon", request("aws-ebs-csi-driver"));
    rig.wait(26);
    assert_eq!(rig.ok("ListPodIdentityAssociations", json!({"clusterName": "ray"}))["associations"], json!([]));
}

#[test]
fn versions_and_schemas_are_offered() {
    let mut rig = Rig::new();
    let params = json!({"addonName": "vpc-cni", "kubernetesVersion": "1.35"});
    let versions = rig.ok("DescribeAddonVersions", params)["addons"][0]["addonVersions"].clone();
    let default =
        versions.as_array().unwrap().iter().find(|it| it["compatibilities"][0]["defaultVersion"] == true).unwrap();
    assert_eq!(default["addonVersion"], "v1.21.1-eksbuild.1");
    assert_eq!(rig.ok("DescribeAddonVersions", json!({}))["addons"].as_array().unwrap().len(), 6);
    let page = rig.ok("DescribeAddonVersions", json!({"maxResults": 4}));
    assert_eq!(page["addons"].as_array().unwrap().len(), 4);
    assert!(page["nextToken"].is_string());
    let storage = rig.ok("DescribeAddonVersions", json!({"types": ["storage"]}));
    assert_eq!(storage["addons"][0]["addonName"], "aws-ebs-csi-driver");
    let params = json!({"addonName": "vpc-cni", "addonVersion": "v1.21.1-eksbuild.1"});
    let configuration = rig.ok("DescribeAddonConfiguration", params);
    let schema: Value = serde_json::from_str(configuration["configurationSchema"].as_str().unwrap()).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(configuration["podIdentityConfiguration"][0]["serviceAccount"], "aws-node");
    let unknown = json!({"addonName": "vpc-cni", "addonVersion": "v0"});
    rig.refused("DescribeAddonConfiguration", unknown, "ResourceNotFoundException", "v0");
}
