//! What EKS does with log groups and keys.

use super::*;

const LOGGING: &str = r#"{"clusterLogging": [{"types": ["api"], "enabled": true}]}"#;

impl Rig {
    fn log_groups(&mut self) -> Vec<String> {
        let answer = self.account.handle("logs", "DescribeLogGroups", &json!({})).unwrap();
        answer["logGroups"].as_array().unwrap().iter().map(|it| text(&it["logGroupName"])).collect()
    }

    fn with_logging(seed: u64) -> Self {
        let mut rig = Self::seeded(seed);
        let logging: Value = serde_json::from_str(LOGGING).unwrap();
        rig.ok("CreateCluster", with(cluster_request(), json!({"logging": logging})));
        rig
    }

    fn key(&mut self) -> String {
        text(&self.account.handle("kms", "CreateKey", &json!({})).unwrap()["KeyMetadata"]["Arn"])
    }
}

#[test]
fn eks_makes_the_log_group_that_nobody_made() {
    let mut rig = Rig::with_logging(7);
    rig.wait(30);
    assert!(rig.log_groups().is_empty());
    rig.wait(200);
    assert_eq!(rig.log_groups(), ["/aws/eks/ray/cluster"]);
    // Somebody who comes after EKS finds the name taken.
    let late = json!({"logGroupName": "/aws/eks/ray/cluster"});
    let error = rig.account.handle("logs", "CreateLogGroup", &late).unwrap_err();
    assert_eq!(error.code, "ResourceAlreadyExistsException");
    let mut rig = Rig::with_cluster();
    assert!(rig.log_groups().is_empty());
    rig.ok("UpdateClusterConfig", json!({"name": "ray", "logging": serde_json::from_str::<Value>(LOGGING).unwrap()}));
    rig.wait(200);
    assert_eq!(rig.log_groups(), ["/aws/eks/ray/cluster"]);
}

#[test]
fn now_and_then_the_log_group_comes_back_after_its_cluster() {
    let mut back = 0;
    for seed in 0..40 {
        let mut rig = Rig::with_logging(seed);
        rig.wait(610);
        rig.ok("DeleteCluster", json!({"name": "ray"}));
        rig.wait(10);
        let name = json!({"logGroupName": "/aws/eks/ray/cluster"});
        rig.account.handle("logs", "DeleteLogGroup", &name).unwrap();
        rig.wait(300);
        back += rig.log_groups().len();
    }
    assert!((4..=24).contains(&back), "{back} of 40");
}

#[test]
fn secrets_need_an_enabled_key() {
    let mut rig = Rig::new();
    let encrypted = |key: &str| {
        let config = json!([{"resources": ["secrets"], "provider": {"keyArn": key}}]);
        with(cluster_request(), json!({"encryptionConfig": config}))
    };
    let missing = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000";
    rig.refused("CreateCluster", encrypted(missing), "InvalidParameterException", "keyArn");
    let key = rig.key();
    rig.account.handle("kms", "DisableKey", &json!({"KeyId": key})).unwrap();
    rig.refused("CreateCluster", encrypted(&key), "InvalidParameterException", "Disabled");
    let key = rig.key();
    let made = rig.ok("CreateCluster", encrypted(&key))["cluster"].clone();
    assert_eq!(made["encryptionConfig"][0]["provider"]["keyArn"], key);
}

#[test]
fn encryption_is_switched_on_once() {
    let mut rig = Rig::with_cluster();
    let key = rig.key();
    let config = json!([{"resources": ["secrets"], "provider": {"keyArn": key}}]);
    let request = json!({"clusterName": "ray", "encryptionConfig": config});
    let update = rig.ok("AssociateEncryptionConfig", request.clone())["update"].clone();
    assert_eq!(update["type"], "AssociateEncryptionConfig");
    rig.wait(1210);
    assert_eq!(rig.cluster()["encryptionConfig"], config);
    rig.refused("AssociateEncryptionConfig", request, "InvalidParameterException", "already enabled");
}
