use super::*;

#[test]
fn a_launch_template_is_made_once_for_a_token() {
    let mut account = account();
    let first = template(&mut account, "nodes", "token-1");
    assert_eq!(template(&mut account, "nodes", "token-1"), first);
    let named = ok(&mut account, "DescribeLaunchTemplates", json!({"LaunchTemplateName": ["nodes"]}));
    assert_eq!(named["launchTemplates"], json!([first]));
    let other = json!({
        "LaunchTemplateName": "nodes", "ClientToken": "token-1",
        "LaunchTemplateData": {"MetadataOptions": {"HttpTokens": "optional"}},
    });
    assert_eq!(code(&mut account, "CreateLaunchTemplate", other), "IdempotentParameterMismatch");
    let taken =
        json!({"LaunchTemplateName": "nodes", "ClientToken": "token-2", "LaunchTemplateData": {"ImageId": "ami-1"}});
    assert_eq!(code(&mut account, "CreateLaunchTemplate", taken), "InvalidLaunchTemplateName.AlreadyExistsException");
    ok(&mut account, "DeleteLaunchTemplate", json!({"LaunchTemplateId": first["launchTemplateId"]}));
    assert_eq!(
        code(&mut account, "DeleteLaunchTemplate", json!({"LaunchTemplateId": first["launchTemplateId"]})),
        "InvalidLaunchTemplateId.NotFound"
    );
    // The token went with the template.
    assert_ne!(template(&mut account, "nodes", "token-1")["launchTemplateId"], first["launchTemplateId"]);
}

#[test]
fn launch_template_versions_are_numbered_and_never_reused() {
    let mut account = account();
    let id = template(&mut account, "nodes", "t")["launchTemplateId"].clone();
    let version = json!({
        "LaunchTemplateId": id, "ClientToken": "v2", "SourceVersion": "$Latest",
        "LaunchTemplateData": {"InstanceType": "m6g.xlarge"},
    });
    let second = ok(&mut account, "CreateLaunchTemplateVersion", version.clone())["launchTemplateVersion"].clone();
    assert_eq!(second["versionNumber"], 2);
    assert_eq!(second["launchTemplateData"]["metadataOptions"]["httpTokens"], "required");
    assert_eq!(ok(&mut account, "CreateLaunchTemplateVersion", version)["launchTemplateVersion"], second);
    let both = json!({"LaunchTemplateId": id, "LaunchTemplateVersion": ["$Latest", "$Default"]});
    let described = ok(&mut account, "DescribeLaunchTemplateVersions", both);
    let numbers: Vec<u64> = described["launchTemplateVersionSet"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["versionNumber"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [2, 1]);
    let going = json!({"LaunchTemplateId": id, "LaunchTemplateVersion": ["1", "2", "9"]});
    let deleted = ok(&mut account, "DeleteLaunchTemplateVersions", going);
    assert_eq!(deleted["successfullyDeletedLaunchTemplateVersionSet"][0]["versionNumber"], 2);
    assert_eq!(deleted["unsuccessfullyDeletedLaunchTemplateVersionSet"].as_array().unwrap().len(), 2);
    let third = json!({"LaunchTemplateId": id, "LaunchTemplateData": {"InstanceType": "m6g.xlarge"}});
    assert_eq!(ok(&mut account, "CreateLaunchTemplateVersion", third)["launchTemplateVersion"]["versionNumber"], 3);
    ok(&mut account, "ModifyLaunchTemplate", json!({"LaunchTemplateId": id, "SetDefaultVersion": "3"}));
    assert_eq!(
        code(&mut account, "ModifyLaunchTemplate", json!({"LaunchTemplateId": id, "SetDefaultVersion": "2"})),
        "InvalidLaunchTemplateId.VersionNotFound"
    );
}

#[test]
fn malformed_launch_templates_are_refused() {
    let mut account = account();
    for (name, data, expected) in [
        ("ab", json!({"ImageId": "ami-1"}), "InvalidLaunchTemplateName.MalformedException"),
        ("nodes", json!({}), "MissingParameter"),
        ("nodes", json!({"UserData": "%%%"}), "InvalidUserData.Malformed"),
        ("nodes", json!({"MetadataOptions": {"HttpTokens": "never"}}), "InvalidParameterValue"),
        ("nodes", json!({"MetadataOptions": {"HttpPutResponseHopLimit": "65"}}), "InvalidParameterValue"),
    ] {
        let params = json!({"LaunchTemplateName": name, "LaunchTemplateData": data});
        assert_eq!(code(&mut account, "CreateLaunchTemplate", params), expected);
    }
    let both = json!({"LaunchTemplateId": "lt-0123456789abcdef0", "LaunchTemplateName": "nodes"});
    assert_eq!(code(&mut account, "DeleteLaunchTemplate", both), "InvalidParameterCombination");
    let unknown = json!({"LaunchTemplateName": ["nodes"]});
    assert_eq!(code(&mut account, "DescribeLaunchTemplates", unknown), "InvalidLaunchTemplateName.NotFoundException");
}
