use super::*;

const ADMIN: &str = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";
const NODE: &str = "arn:aws:iam::111122223333:role/node";

fn entry(principal: &str) -> Value {
    json!({"clusterName": "ray", "principalArn": principal, "clientRequestToken": format!("token-{principal}")})
}

#[test]
fn an_entry_lives_with_its_policies() {
    let mut rig = Rig::with_cluster();
    rig.role("people", "sts.amazonaws.com", &[]);
    let people = "arn:aws:iam::111122223333:role/people";
    let made = rig.ok("CreateAccessEntry", entry(people))["accessEntry"].clone();
    assert_eq!((&made["type"], &made["kubernetesGroups"]), (&json!("STANDARD"), &json!([])));
    assert_eq!(made["username"], "arn:aws:sts::111122223333:assumed-role/people/{{SessionName}}");
    assert_eq!(rig.ok("CreateAccessEntry", entry(people))["accessEntry"], made);
    let again = with(entry(people), json!({"clientRequestToken": "x"}));
    rig.refused("CreateAccessEntry", again, "ResourceInUseException", "already in use on this cluster");

    let associate = with(entry(people), json!({"policyArn": ADMIN, "accessScope": {"type": "cluster"}}));
    let associated = rig.ok("AssociateAccessPolicy", associate.clone());
    assert_eq!(associated["associatedAccessPolicy"]["policyArn"], ADMIN);
    let narrow = with(associate.clone(), json!({"accessScope": {"type": "namespace", "namespaces": ["ray"]}}));
    rig.ok("AssociateAccessPolicy", narrow);
    let listed = rig.ok("ListAssociatedAccessPolicies", entry(people))["associatedAccessPolicies"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["accessScope"]["namespaces"], json!(["ray"]));
    let found = rig.ok("ListAccessEntries", json!({"clusterName": "ray", "associatedPolicyArn": ADMIN}));
    assert_eq!(found["accessEntries"], json!([people]));
    rig.ok("DisassociateAccessPolicy", associate.clone());
    rig.refused("DisassociateAccessPolicy", associate, "ResourceNotFoundException", "policyArn");

    let groups = with(entry(people), json!({"kubernetesGroups": ["ml"], "clientRequestToken": "groups"}));
    assert_eq!(rig.ok("UpdateAccessEntry", groups)["accessEntry"]["kubernetesGroups"], json!(["ml"]));
    rig.ok("DeleteAccessEntry", entry(people));
    rig.refused(
        "DescribeAccessEntry",
        entry(people),
        "ResourceNotFoundException",
        "The specified principalArn could not be found",
    );
    // The token went with the entry.
    rig.ok("CreateAccessEntry", entry(people));
}

#[test]
fn wrong_requests_are_refused() {
    let mut rig = Rig::with_cluster();
    for (principal, change, words) in [
        ("arn:aws:iam::111122223333:role/nobody", json!({}), "invalid principal"),
        ("arn:aws:sts::111122223333:assumed-role/node/x", json!({}), "invalid principal"),
        ("somebody", json!({}), "invalid principal"),
        (NODE, json!({"type": "ROBOT"}), "enum value set"),
        (NODE, json!({"kubernetesGroups": ["system:masters"]}), "cannot start with system:"),
        (NODE, json!({"type": "EC2_LINUX", "kubernetesGroups": ["x"]}), "cannot be specified"),
    ] {
        rig.refused("CreateAccessEntry", with(entry(principal), change), "InvalidParameterException", words);
    }
    rig.ok("CreateAccessEntry", with(entry(NODE), json!({"type": "EC2_LINUX"})));
    let associate = with(entry(NODE), json!({"policyArn": ADMIN, "accessScope": {"type": "cluster"}}));
    rig.refused("AssociateAccessPolicy", associate.clone(), "InvalidRequestException", "EC2_LINUX");
    let unknown = with(associate, json!({"policyArn": "arn:aws:eks::aws:cluster-access-policy/Magic"}));
    rig.refused("AssociateAccessPolicy", unknown, "InvalidParameterException", "invalid");
}

#[test]
fn entries_need_the_api_mode() {
    let mut rig = Rig::new();
    rig.ok("CreateCluster", with(cluster_request(), json!({"accessConfig": {"authenticationMode": "CONFIG_MAP"}})));
    rig.wait(610);
    rig.refused(
        "CreateAccessEntry",
        entry(NODE),
        "InvalidRequestException",
        "authentication mode must be set to one of [API, API_AND_CONFIG_MAP]",
    );
    let mode = |mode: &str| json!({"name": "ray", "accessConfig": {"authenticationMode": mode}});
    rig.refused(
        "UpdateClusterConfig",
        mode("API"),
        "InvalidParameterException",
        "Unsupported authentication mode update",
    );
    rig.ok("UpdateClusterConfig", mode("API_AND_CONFIG_MAP"));
    rig.wait(200);
    rig.ok("CreateAccessEntry", entry(NODE));
}

#[test]
fn the_creator_is_an_administrator_unless_told_otherwise() {
    let mut rig = Rig::new();
    rig.ok("CreateCluster", with(cluster_request(), json!({"accessConfig": {"authenticationMode": "API"}})));
    let listed = rig.ok("ListAccessEntries", json!({"clusterName": "ray"}))["accessEntries"].clone();
    assert!(text(&listed[0]).contains("AWSReservedSSO_AdministratorAccess"));
    let policies = rig.ok("ListAssociatedAccessPolicies", json!({"clusterName": "ray", "principalArn": listed[0]}));
    assert_eq!(policies["associatedAccessPolicies"][0]["policyArn"], ADMIN);
    let mut rig = Rig::with_cluster();
    assert_eq!(rig.ok("ListAccessEntries", json!({"clusterName": "ray"}))["accessEntries"], json!([]));
}

#[test]
fn eks_makes_the_entry_of_nodes_and_takes_it_away() {
    let mut rig = Rig::with_nodes();
    let entry_of_nodes = rig.ok("DescribeAccessEntry", entry(NODE))["accessEntry"].clone();
    assert_eq!(entry_of_nodes["type"], "EC2_LINUX");
    assert_eq!(entry_of_nodes["kubernetesGroups"], json!(["system:nodes"]));
    rig.ok("CreateNodegroup", nodegroup_request("gpu"));
    rig.wait(210);
    rig.ok("DeleteNodegroup", json!({"clusterName": "ray", "nodegroupName": "cpu"}));
    rig.wait(510);
    rig.ok("DescribeAccessEntry", entry(NODE));
    rig.ok("DeleteNodegroup", json!({"clusterName": "ray", "nodegroupName": "gpu"}));
    rig.wait(510);
    rig.refused("DescribeAccessEntry", entry(NODE), "ResourceNotFoundException", "principalArn");
}

#[test]
fn policies_are_listed_in_pages() {
    let mut rig = Rig::new();
    let first = rig.ok("ListAccessPolicies", json!({"maxResults": 6}));
    assert_eq!(first["accessPolicies"].as_array().unwrap().len(), 6);
    let rest = rig.ok("ListAccessPolicies", json!({"maxResults": 6, "nextToken": first["nextToken"]}));
    assert!(rest["nextToken"].is_null());
}

#[test]
fn a_pod_identity_association_lives_and_goes() {
    let mut rig = Rig::with_cluster();
    let role = "arn:aws:iam::111122223333:role/pods";
    let request = json!({
        "clusterName": "ray", "namespace": "kube-system", "serviceAccount": "cluster-autoscaler",
        "roleArn": role, "clientRequestToken": "autoscaler", "tags": {"a": "b"},
    });
    let made = rig.ok("CreatePodIdentityAssociation", request.clone())["association"].clone();
    assert!(text(&made["associationId"]).starts_with("a-"));
    assert_eq!(rig.ok("CreatePodIdentityAssociation", request.clone())["association"], made);
    let again = with(request.clone(), json!({"clientRequestToken": "x"}));
    rig.refused("CreatePodIdentityAssociation", again, "ResourceInUseException", "Association already exists");
    let wrong = with(request, json!({"roleArn": NODE, "serviceAccount": "other", "clientRequestToken": "y"}));
    rig.refused("CreatePodIdentityAssociation", wrong, "InvalidParameterException", "pods.eks.amazonaws.com");
    rig.role("pods2", "pods.eks.amazonaws.com", &[]);
    let named = json!({"clusterName": "ray", "associationId": made["associationId"]});
    let role = "arn:aws:iam::111122223333:role/pods2";
    rig.ok("UpdatePodIdentityAssociation", with(named.clone(), json!({"roleArn": role})));
    assert_eq!(rig.ok("DescribePodIdentityAssociation", named.clone())["association"]["roleArn"], role);
    let other = json!({"clusterName": "ray", "namespace": "default"});
    assert_eq!(rig.ok("ListPodIdentityAssociations", other)["associations"], json!([]));
    rig.ok("DeletePodIdentityAssociation", named.clone());
    rig.refused(
        "DescribePodIdentityAssociation",
        named,
        "ResourceNotFoundException",
        "No pod identity association found",
    );
}
