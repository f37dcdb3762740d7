use super::*;

#[test]
fn a_cluster_comes_up_with_endpoint_issuer_and_authority() {
    let mut rig = Rig::new();
    let made = rig.ok("CreateCluster", cluster_request())["cluster"].clone();
    assert_eq!(made["status"], "CREATING");
    assert_eq!(made["arn"], "arn:aws:eks:us-east-1:111122223333:cluster/ray");
    assert_eq!(made["resourcesVpcConfig"]["vpcId"], "vpc-1");
    assert_eq!(made["kubernetesNetworkConfig"]["serviceIpv4Cidr"], "172.20.0.0/16");
    assert_eq!(made["upgradePolicy"]["supportType"], "EXTENDED");
    assert!(made.get("endpoint").is_none());
    rig.wait(400);
    assert_eq!(rig.cluster_status(), "CREATING");
    rig.wait(210);
    let cluster = rig.cluster();
    assert_eq!(cluster["status"], "ACTIVE");
    let issuer = text(&cluster["identity"]["oidc"]["issuer"]);
    let id = issuer.strip_prefix("https://oidc.eks.us-east-1.amazonaws.com/id/").unwrap();
    assert!(id.len() == 32 && id.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase()));
    assert!(text(&cluster["endpoint"]).starts_with("https://"));
    let ca = STANDARD.decode(text(&cluster["certificateAuthority"]["data"])).unwrap();
    assert!(String::from_utf8(ca).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
}

#[test]
fn a_cluster_has_a_security_group_and_takes_it_along() {
    let mut rig = Rig::with_cluster();
    let group = text(&rig.cluster()["resourcesVpcConfig"]["clusterSecurityGroupId"]);
    let found =
        rig.ec2("DescribeSecurityGroups", json!({"Filter": [{"Name": "tag:aws:eks:cluster-name", "Value": ["ray"]}]}));
    assert_eq!(found["securityGroupInfo"][0]["groupId"], group);
    let delete = json!({"GroupId": group});
    let error = rig.account.handle("ec2", "DeleteSecurityGroup", &delete).unwrap_err();
    assert_eq!(error.code, "DependencyViolation");

    assert_eq!(rig.ok("DeleteCluster", json!({"name": "ray"}))["cluster"]["status"], "DELETING");
    assert_eq!(rig.cluster_status(), "DELETING");
    rig.wait(230);
    let error = rig.err("DescribeCluster", json!({"name": "ray"}));
    assert_eq!((error.status, error.message.as_str()), (404, "No cluster found for name: ray."));
    assert_eq!(rig.ec2("DescribeNetworkInterfaces", json!({}))["networkInterfaceSet"], json!([]));
    let groups = rig.ec2("DescribeSecurityGroups", json!({}));
    assert_eq!(groups["securityGroupInfo"].as_array().unwrap().len(), 1, "only the VPC's default group is left");
}

#[test]
fn the_same_seed_gives_the_same_cluster_and_another_another() {
    let describe = |seed: u64| {
        let mut rig = Rig::seeded(seed);
        rig.ok("CreateCluster", cluster_request());
        rig.wait(610);
        rig.cluster()
    };
    assert_eq!(describe(1), describe(1));
    let (one, two) = (describe(1), describe(2));
    assert_ne!(one["identity"], two["identity"]);
    assert_ne!(one["certificateAuthority"], two["certificateAuthority"]);
}

#[test]
fn a_token_makes_one_cluster() {
    let mut rig = Rig::new();
    let first = rig.ok("CreateCluster", cluster_request());
    assert_eq!(rig.ok("CreateCluster", cluster_request()), first);
    let other = with(cluster_request(), json!({"version": "1.34"}));
    rig.refused("CreateCluster", other, "InvalidParameterException", "clientRequestToken");
    let second = with(cluster_request(), json!({"clientRequestToken": "x".repeat(40)}));
    rig.refused("CreateCluster", second, "ResourceInUseException", "Cluster already exists with name: ray");
    let short = with(cluster_request(), json!({"name": "b", "clientRequestToken": "short"}));
    rig.refused("CreateCluster", short, "InvalidParameterException", "between 33 and 126");
}

#[test]
fn wrong_requests_are_refused() {
    let vpc = |config: Value| json!({"resourcesVpcConfig": config});
    for (change, words) in [
        (json!({"name": "-ray"}), "invalid characters"),
        (json!({"name": "r".repeat(101)}), "longer than 100"),
        (json!({"version": "1.30"}), "unsupported Kubernetes version"),
        (json!({"version": "2.0"}), "unsupported Kubernetes version"),
        (json!({"version": "1.33", "upgradePolicy": {"supportType": "STANDARD"}}), "extended support"),
        (json!({"upgradePolicy": {"supportType": "FREE"}}), "enum value set"),
        (json!({"roleArn": "arn:aws:iam::111122223333:role/nobody"}), "does not exist"),
        (
            json!({"roleArn": "arn:aws:iam::111122223333:role/node"}),
            "Role could not be assumed because the trusted entity is not correct",
        ),
        (vpc(json!({"subnetIds": ["subnet-1"]})), "at least two different AZs"),
        (vpc(json!({"subnetIds": ["subnet-1", "subnet-9"]})), "'subnet-9' does not exist"),
        (vpc(json!({"subnetIds": ["subnet-1", "subnet-2"], "securityGroupIds": ["sg-9"]})), "'sg-9' does not exist"),
        (vpc(json!({"subnetIds": ["subnet-1", "subnet-2"], "endpointPublicAccess": false})), "cannot be false"),
        (
            vpc(json!({"subnetIds": ["subnet-1", "subnet-2"], "publicAccessCidrs": ["300.0.0.0/8"]})),
            "publicAccessCidrs",
        ),
        (json!({"logging": {"clusterLogging": [{"types": ["everything"], "enabled": true}]}}), "Invalid log type"),
        (json!({"kubernetesNetworkConfig": {"serviceIpv4Cidr": "10.0.4.0/22"}}), "overlaps"),
        (json!({"kubernetesNetworkConfig": {"serviceIpv4Cidr": "8.0.0.0/16"}}), "must be a block"),
        (json!({"accessConfig": {"authenticationMode": "MAGIC"}}), "enum value set"),
        (json!({"encryptionConfig": [{"resources": ["pods"], "provider": {"keyArn": "k"}}]}), "[secrets]"),
        (json!({"tags": {"aws:mine": "x"}}), "reserved"),
    ] {
        let mut rig = Rig::new();
        let request = with(cluster_request(), change);
        rig.refused("CreateCluster", request, "InvalidParameterException", words);
    }
}

#[test]
fn a_role_needs_its_policy_and_time_to_be_seen() {
    let mut rig = Rig::new();
    rig.role("bare", "eks.amazonaws.com", &[]);
    let request = with(cluster_request(), json!({"roleArn": "arn:aws:iam::111122223333:role/bare"}));
    rig.refused(
        "CreateCluster",
        request.clone(),
        "InvalidParameterException",
        "doesn't have the Amazon EKS Managed Policies",
    );
    let role = rig.account.iam.roles.get_mut("bare").unwrap();
    role.visible_ms = START_MS + 5000;
    role.attached.push(Attachment {
        policy_arn: "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy".to_owned(),
        visible_ms: START_MS + 8000,
    });
    rig.refused("CreateCluster", request.clone(), "InvalidParameterException", "does not exist");
    rig.wait(6);
    rig.refused("CreateCluster", request.clone(), "InvalidParameterException", "AmazonEKSClusterPolicy");
    rig.wait(3);
    rig.ok("CreateCluster", request);
}

#[test]
fn subnets_of_two_vpcs_or_of_a_zone_without_control_plane_are_refused() {
    let mut rig = Rig::new();
    ec2::seed_network(&mut rig.account, Some("vpc-2"), &["subnet-a", "subnet-b"], "10.1.0.0/16").unwrap();
    let vpc = |ids: Value| with(cluster_request(), json!({"resourcesVpcConfig": {"subnetIds": ids}}));
    rig.refused("CreateCluster", vpc(json!(["subnet-1", "subnet-b"])), "InvalidParameterException", "same VPC");
    rig.account.ec2.subnets.get_mut("subnet-3").unwrap().zone = "us-east-1e".to_owned();
    rig.refused(
        "CreateCluster",
        vpc(json!(["subnet-1", "subnet-3"])),
        "UnsupportedAvailabilityZoneException",
        "us-east-1e",
    );
}

#[test]
fn deletion_has_its_conditions() {
    let mut rig = Rig::with_nodes();
    let delete = json!({"name": "ray"});
    rig.refused("DeleteCluster", delete.clone(), "ResourceInUseException", "Cluster has nodegroups attached");
    rig.ok("DeleteNodegroup", json!({"clusterName": "ray", "nodegroupName": "cpu"}));
    rig.refused("DeleteCluster", delete.clone(), "ResourceInUseException", "nodegroups attached");
    rig.wait(510);
    rig.ok("UpdateClusterConfig", json!({"name": "ray", "deletionProtection": true}));
    rig.wait(30);
    rig.refused("DeleteCluster", delete.clone(), "InvalidRequestException", "deletion protection");
    rig.ok("UpdateClusterConfig", json!({"name": "ray", "deletionProtection": false}));
    rig.wait(30);
    rig.ok("DeleteCluster", delete.clone());
    // Addons do not hold a cluster; they go with it.
    rig.wait(230);
    let error = rig.account.handle("eks", "DeleteCluster", &delete).unwrap_err();
    assert!(error.message.starts_with("No cluster found for name: ray"));
    assert!(["ResourceNotFoundException", "ClientException"].contains(&error.code.as_str()));
}

#[test]
fn a_cluster_being_made_cannot_be_deleted_or_used() {
    let mut rig = Rig::new();
    rig.ok("CreateCluster", cluster_request());
    rig.refused("DeleteCluster", json!({"name": "ray"}), "ResourceInUseException", "in progress");
    rig.refused("CreateNodegroup", nodegroup_request("cpu"), "InvalidRequestException", "not in ACTIVE status");
    let addon = json!({"clusterName": "ray", "addonName": "vpc-cni"});
    rig.refused("CreateAddon", addon, "InvalidRequestException", "not in ACTIVE status");
}

#[test]
fn a_failure_asked_for_shows_in_the_health() {
    let mut rig = Rig::new();
    rig.fail("cluster/*", "create", "InsufficientFreeAddresses");
    rig.ok("CreateCluster", cluster_request());
    rig.wait(610);
    let cluster = rig.cluster();
    assert_eq!(cluster["status"], "FAILED");
    assert_eq!(cluster["health"]["issues"][0]["code"], "InsufficientFreeAddresses");
    assert!(cluster.get("endpoint").is_none());
    rig.ok("DeleteCluster", json!({"name": "ray"}));
}

#[test]
fn lists_come_in_pages() {
    let mut rig = Rig::new();
    for index in 0..5 {
        let token = format!("{index}-{}", "x".repeat(33));
        let change = json!({"name": format!("c{index}"), "clientRequestToken": token});
        rig.ok("CreateCluster", with(cluster_request(), change));
    }
    let first = rig.ok("ListClusters", json!({"maxResults": 2}));
    assert_eq!(first["clusters"], json!(["c0", "c1"]));
    let second = rig.ok("ListClusters", json!({"maxResults": "2", "nextToken": first["nextToken"]}));
    assert_eq!(second["clusters"], json!(["c2", "c3"]));
    let third = rig.ok("ListClusters", json!({"maxResults": 2, "nextToken": second["nextToken"]}));
    assert_eq!(third, json!({"clusters": ["c4"]}));
    rig.refused("ListClusters", json!({"maxResults": 0}), "InvalidParameterException", "maxResults");
    rig.refused("ListClusters", json!({"nextToken": "%"}), "InvalidParameterException", "token");
}

#[test]
fn versions_have_the_support_of_the_clock() {
    let mut rig = Rig::new();
    let of = |rig: &mut Rig, version: &str| {
        let answer = rig.ok("DescribeClusterVersions", json!({"clusterVersions": [version]}));
        text(&answer["clusterVersions"][0]["versionStatus"])
    };
    assert_eq!(of(&mut rig, "1.35"), "STANDARD_SUPPORT");
    assert_eq!(of(&mut rig, "1.34"), "STANDARD_SUPPORT");
    assert_eq!(of(&mut rig, "1.31"), "EXTENDED_SUPPORT");
    let default = rig.ok("DescribeClusterVersions", json!({"defaultOnly": true}));
    assert_eq!(default["clusterVersions"][0]["clusterVersion"], "1.35");
    rig.wait(10 * 86_400);
    assert_eq!(of(&mut rig, "1.34"), "EXTENDED_SUPPORT");
    assert_eq!(of(&mut rig, "1.31"), "UNSUPPORTED");
    let old = with(cluster_request(), json!({"version": "1.31"}));
    rig.refused("CreateCluster", old, "InvalidParameterException", "unsupported");
}

#[test]
fn tags_go_by_arn() {
    let mut rig = Rig::with_nodes();
    let arns = [
        text(&rig.cluster()["arn"]),
        text(&rig.nodegroup("cpu")["nodegroupArn"]),
        text(&rig.addon("vpc-cni")["addonArn"]),
    ];
    for arn in arns {
        rig.ok("TagResource", json!({"resourceArn": arn, "tags": {"team": "ml", "x": "y"}}));
        rig.ok("UntagResource", json!({"resourceArn": arn, "tagKeys": ["x"]}));
        let tags = rig.ok("ListTagsForResource", json!({"resourceArn": arn}))["tags"].clone();
        assert_eq!(tags["team"], "ml");
        assert!(tags.get("x").is_none());
    }
    assert_eq!(rig.cluster()["tags"], json!({"rayplat:stack": "ray", "team": "ml"}));
    let unknown = "arn:aws:eks:us-east-1:111122223333:cluster/other";
    rig.refused("ListTagsForResource", json!({"resourceArn": unknown}), "NotFoundException", "not found");
    rig.refused(
        "ListTagsForResource",
        json!({"resourceArn": "arn:aws:s3:::b"}),
        "BadRequestException",
        "Invalid resource ARN",
    );
    let reserved = json!({"resourceArn": "arn:aws:eks:us-east-1:111122223333:cluster/ray", "tags": {"aws:x": "y"}});
    rig.refused("TagResource", reserved, "BadRequestException", "reserved");
}

#[test]
fn an_account_survives_being_written_and_read() {
    let mut rig = Rig::with_nodes();
    rig.ok("UpdateClusterConfig", json!({"name": "ray", "deletionProtection": true}));
    let written = serde_json::to_string(&rig.account).unwrap();
    let mut read: Account = serde_json::from_str(&written).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), written);
    read.now_ms += 60_000;
    let cluster = read.handle("eks", "DescribeCluster", &json!({"name": "ray"})).unwrap();
    assert_eq!(cluster["cluster"]["deletionProtection"], true);
}
