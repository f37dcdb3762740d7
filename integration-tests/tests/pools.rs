//! What pools may be beside the quick start's: each is made, changed and taken away on the
//! emulated account, and standing it is what the manifest says.

#![allow(clippy::unwrap_used)]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rayplat_engine::plan::render::render;
use rayplat_integration_tests::{QUICKSTART, World, failures, leftovers};
use serde_json::{Value, json};

/// The quick start with these pools and other keys.
fn manifest(pools: &str, rest: &str) -> String {
    let (head, _) = QUICKSTART.split_once("cluster:").unwrap();
    format!("{head}node_pools:\n{pools}\n{rest}\n")
}

async fn stands(text: &str) -> World {
    let world = World::new(11);
    up(&world, text).await;
    world
}

async fn up(world: &World, text: &str) {
    let (report, events) = world.up(text).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    let again = world.preview(text).await.unwrap();
    assert!(again.plan.is_empty(), "{}", render(&again.plan));
}

async fn goes(world: &World) {
    let (down, events) = world.down().await.unwrap();
    assert!(down.summary.complete(), "{:#?}", failures(&events));
    assert_eq!(leftovers(world), Vec::<String>::new());
}

/// The node group of this pool, as the account has it.
fn group(world: &World, pool: &str) -> Value {
    world.account.with_account(|account| {
        let cluster = json!({"clusterName": "production-ray-cluster"});
        let names = account.handle("eks", "ListNodegroups", &cluster).unwrap()["nodegroups"].clone();
        let mut names = names.as_array().unwrap().iter().filter_map(Value::as_str);
        let name = names.rfind(|name| name.rsplit_once('-').unwrap().0 == pool).unwrap().to_owned();
        let named = json!({"clusterName": "production-ray-cluster", "nodegroupName": name});
        account.handle("eks", "DescribeNodegroup", &named).unwrap()["nodegroup"].clone()
    })
}

/// The data of the template that this pool's group has.
fn template(world: &World, pool: &str) -> Value {
    let group = group(world, pool);
    world.account.with_account(|account| {
        let params = json!({
            "LaunchTemplateId": group["launchTemplate"]["id"],
            "LaunchTemplateVersion": [group["launchTemplate"]["version"]],
        });
        let answer = account.handle("ec2", "DescribeLaunchTemplateVersions", &params).unwrap();
        answer["launchTemplateVersionSet"][0]["launchTemplateData"].clone()
    })
}

fn user_data(world: &World, pool: &str) -> String {
    let data = template(world, pool);
    String::from_utf8(STANDARD.decode(data["userData"].as_str().unwrap()).unwrap()).unwrap()
}

const CPU: &str = "  cpu: {min: 1, max: 3}\n";

#[tokio::test(start_paused = true)]
async fn a_capacity_block_with_efa() {
    let pools = format!(
        "{CPU}  train:\n    instance_types: [p4d.24xlarge]\n    capacity: capacity_block\n    efa: true\n    \
         capacity_reservation: {{id: cr-0123456789abcdef0}}\n    subnet_ids: [subnet-0123456789abcdef1]"
    );
    let text = manifest(&pools, "");
    let world = stands(&text).await;
    let group = group(&world, "train");
    assert_eq!(group["capacityType"], "CAPACITY_BLOCK");
    assert_eq!(group["subnets"], json!(["subnet-0123456789abcdef1"]));
    let data = template(&world, "train");
    assert_eq!(data["instanceType"], "p4d.24xlarge");
    assert_eq!(data["instanceMarketOptions"]["marketType"], "capacity-block");
    let target = &data["capacityReservationSpecification"]["capacityReservationTarget"];
    assert_eq!(target["capacityReservationId"], "cr-0123456789abcdef0");
    let cards = data["networkInterfaceSet"].as_array().unwrap();
    assert_eq!((cards.len(), &cards[0]["interfaceType"]), (4, &json!("efa")));
    assert!(cards.iter().all(|card| card["groupSet"].as_array().unwrap().len() == 1), "{data}");
    // Its members may reach each other outwards too, by a rule that names the group.
    let rules = world.account.with_account(|account| {
        account.handle("ec2", "DescribeSecurityGroupRules", &json!({})).unwrap()["securityGroupRuleSet"].clone()
    });
    let out = rules.as_array().unwrap().iter().filter(|rule| rule["isEgress"] == "true" || rule["isEgress"] == true);
    assert!(out.filter(|rule| rule.get("referencedGroupInfo").is_some()).count() == 1, "{rules}");
    goes(&world).await;
}

#[tokio::test(start_paused = true)]
async fn reserved_capacity_comes_and_goes_by_a_new_template_version() {
    let group_arn = "arn:aws:resource-groups:us-east-1:123456789012:group/gpus";
    let pool = |reservation: &str| {
        manifest(
            &format!(
                "{CPU}  own:\n    instance_types: [g5.xlarge]\n    subnet_ids: [subnet-0123456789abcdef0]\n{reservation}"
            ),
            "",
        )
    };
    let reserved = pool(&format!("    capacity_reservation: {{resource_group_arn: '{group_arn}'}}"));
    let world = stands(&reserved).await;
    let target = &template(&world, "own")["capacityReservationSpecification"]["capacityReservationTarget"];
    assert_eq!(target["capacityReservationResourceGroupArn"], group_arn);
    up(&world, &pool("")).await;
    assert!(template(&world, "own").get("capacityReservationSpecification").is_none());
    assert_eq!(group(&world, "own")["launchTemplate"]["version"], "2");
    goes(&world).await;
}

#[tokio::test(start_paused = true)]
async fn bottlerocket_has_two_encrypted_volumes_and_binds_its_instance_stores() {
    let pools = format!(
        "{CPU}  rocket: {{instance_types: [g5.xlarge], ami: BOTTLEROCKET_x86_64_NVIDIA, min: 1, max: 2, max_pods: 50}}"
    );
    let world = stands(&manifest(&pools, "")).await;
    assert_eq!(group(&world, "rocket")["amiType"], "BOTTLEROCKET_x86_64_NVIDIA");
    let data = template(&world, "rocket");
    let disks: Vec<_> = data["blockDeviceMappingSet"]
        .as_array()
        .unwrap()
        .iter()
        .map(|disk| (disk["deviceName"].clone(), disk["ebs"]["encrypted"].clone()))
        .collect();
    assert_eq!(disks, [(json!("/dev/xvdb"), json!("true")), (json!("/dev/xvda"), json!("true"))]);
    let told = user_data(&world, "rocket");
    assert!(told.starts_with("[settings.kubernetes]\nmax-pods = 50\n"), "{told}");
    assert!(told.contains("[\"apiclient\", \"ephemeral-storage\", \"bind\""), "{told}");
    assert!(!told.contains("api-server"), "EKS tells the node how to join: {told}");
    goes(&world).await;
}

#[tokio::test(start_paused = true)]
async fn images_of_ones_own_are_told_how_to_join() {
    let pools = format!(
        "{CPU}  linux:\n    instance_types: [m5.xlarge]\n    image_id: ami-0123456789abcdef0\n    min: 1\n    \
         labels: {{team: ml}}\n    taints: [{{key: team, value: ml, effect: NoSchedule}}]\n    max_pods: 40\n  \
         rocket: {{instance_types: [m5.xlarge], image_id: ami-0123456789abcdef1, ami: BOTTLEROCKET_x86_64, min: 1}}"
    );
    let text = manifest(&pools, "cluster: {service_cidr: 172.30.0.0/16, zonal_shift: true}");
    let world = stands(&text).await;
    assert_eq!(
        (&group(&world, "linux")["amiType"], &group(&world, "rocket")["amiType"]),
        (&json!("CUSTOM"), &json!("CUSTOM"))
    );
    let cluster = world.account.with_account(|account| {
        account.handle("eks", "DescribeCluster", &json!({"name": "production-ray-cluster"})).unwrap()["cluster"].clone()
    });
    assert_eq!(cluster["zonalShiftConfig"]["enabled"], true);
    let (endpoint, authority) =
        (cluster["endpoint"].as_str().unwrap(), cluster["certificateAuthority"]["data"].as_str().unwrap());
    let told = user_data(&world, "linux");
    let expected = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"BOUNDARY\"\n\n--BOUNDARY\nContent-Type: \
         application/node.eks.aws\n\napiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  cluster:\n    \
         name: production-ray-cluster\n    apiServerEndpoint: {endpoint}\n    certificateAuthority: {authority}\n    \
         cidr: 172.30.0.0/16\n  kubelet:\n    config:\n      maxPods: 40\n    flags:\n      - \
         \"--node-labels=team=ml,rayplat.io/pool=linux\"\n      - \"--register-with-taints=team=ml:NoSchedule\"\n\n\
         --BOUNDARY--\n"
    );
    assert_eq!(told, expected);
    let told = user_data(&world, "rocket");
    for line in [
        format!("api-server = \"{endpoint}\"\n"),
        format!("cluster-certificate = \"{authority}\"\n"),
        "cluster-name = \"production-ray-cluster\"\n".to_owned(),
        "\"rayplat.io/pool\" = \"rocket\"\n".to_owned(),
    ] {
        assert!(told.contains(&line), "{line} is not in {told}");
    }
    // Another image rolls the nodes and replaces nothing; shifting off is an update too.
    let other = text.replace("ami-0123456789abcdef0", "ami-0123456789abcdef9").replace(", zonal_shift: true", "");
    up(&world, &other).await;
    assert_eq!(template(&world, "linux")["imageId"], "ami-0123456789abcdef9");
    assert_eq!(group(&world, "linux")["launchTemplate"]["version"], "2");
    goes(&world).await;
}

#[tokio::test(start_paused = true)]
async fn warm_pools_and_repair_change_in_place() {
    let pool = |extra: &str| manifest(&format!("  cpu: {{min: 1, max: 3{extra}}}"), "");
    let world = stands(&pool(", warm_pool: {min: 1}, node_repair: {max_unhealthy_percent: 20}")).await;
    let name = group(&world, "cpu")["nodegroupName"].clone();
    assert_eq!(group(&world, "cpu")["warmPoolConfig"]["minSize"], 1);
    assert_eq!(group(&world, "cpu")["nodeRepairConfig"]["maxUnhealthyNodeThresholdPercentage"], 20);
    up(&world, &pool(", warm_pool: {min: 2, state: running}, node_repair: {}")).await;
    let changed = group(&world, "cpu");
    assert_eq!(
        (&changed["warmPoolConfig"]["poolState"], &changed["warmPoolConfig"]["minSize"]),
        (&json!("RUNNING"), &json!(2))
    );
    up(&world, &pool("")).await;
    let changed = group(&world, "cpu");
    assert!(changed.get("warmPoolConfig").is_none());
    assert_eq!((&changed["nodeRepairConfig"]["enabled"], &changed["nodegroupName"]), (&json!(false), &name));
    goes(&world).await;
}

/// Both ways to a role stand, change into each other, and are what the add-on shows.
#[tokio::test(start_paused = true)]
async fn add_ons_get_their_roles_by_pod_identity_or_by_the_issuer() {
    let addons = |cni: &str, csi: &str| {
        manifest(CPU, &format!("addons: {{vpc-cni: {{identity: {cni}}}, aws-ebs-csi-driver: {{identity: {csi}}}}}"))
    };
    let world = stands(&addons("irsa", "pod_identity")).await;
    let addon = |name: &str| {
        let named = json!({"clusterName": "production-ray-cluster", "addonName": name});
        world.account.with_account(|account| account.handle("eks", "DescribeAddon", &named).unwrap()["addon"].clone())
    };
    let by_issuer = |addon: &Value| addon.get("serviceAccountRoleArn").is_some();
    let by_agent = |addon: &Value| addon.get("podIdentityAssociations").is_some();
    let (cni, csi) = (addon("vpc-cni"), addon("aws-ebs-csi-driver"));
    assert_eq!((by_issuer(&cni), by_agent(&cni), by_issuer(&csi), by_agent(&csi)), (true, false, false, true));
    let role = cni["serviceAccountRoleArn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let trust = world.account.with_account(|account| {
        account.handle("iam", "GetRole", &json!({"RoleName": role})).unwrap()["Role"]["AssumeRolePolicyDocument"]
            .clone()
    });
    assert!(trust.to_string().contains("system%3Aserviceaccount%3Akube-system%3Aaws-node"), "{trust}");
    up(&world, &addons("pod_identity", "irsa")).await;
    let (cni, csi) = (addon("vpc-cni"), addon("aws-ebs-csi-driver"));
    assert_eq!((by_issuer(&cni), by_agent(&cni), by_issuer(&csi), by_agent(&csi)), (false, true, true, false));
    goes(&world).await;
}
