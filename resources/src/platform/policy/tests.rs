//! Every built-in policy on plans that pass and fail; files as people write them.

#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn document(changes: &[Value]) -> Value {
    json!({"resource_changes": changes})
}

fn change(kind: &str, name: &str, after: Value) -> Value {
    json!({
        "address": format!("{kind}.{name}"), "type": kind, "name": name,
        "change": {"actions": ["create"], "before": null, "after": after},
    })
}

fn template(tokens: &str, encrypted: Value) -> Value {
    let disk = json!({"device_name": "/dev/xvda", "ebs": [{"encrypted": encrypted}]});
    change(
        "aws_launch_template",
        "t",
        json!({
            "metadata_options": [{"http_tokens": tokens}], "block_device_mappings": [disk],
        }),
    )
}

fn endpoint(private: bool, public: bool) -> Value {
    change(
        "aws_eks_cluster",
        "main",
        json!({
            "vpc_config": [{"endpoint_private_access": private, "endpoint_public_access": public}],
        }),
    )
}

fn group(pool: &str, capacity: &str, types: &[&str], max: u32) -> Value {
    change(
        "aws_eks_node_group",
        &format!("{pool}-{}", capacity.to_lowercase()),
        json!({
            "capacity_type": capacity,
            "instance_types": types,
            "ami_type": if types[0].starts_with('g') { "AL2023_x86_64_NVIDIA" } else { "AL2023_ARM_64_STANDARD" },
            "labels": {"rayplat.io/pool": pool},
            "scaling_config": [{"min_size": 0, "desired_size": 0, "max_size": max}],
        }),
    )
}

fn gone(kind: &str) -> Value {
    change(kind, "gone", Value::Null)
}

fn denied(changes: &[Value]) -> Vec<(String, String)> {
    let verdict = Policies::default().judge(&document(changes)).unwrap();
    verdict.findings.into_iter().map(|finding| (finding.policy, finding.message)).collect()
}

/// The changes of several plans.
type Plans = Vec<Vec<Value>>;

/// Each with plans that pass and plans that fail.
#[test]
fn every_built_in_policy_passes_and_fails() {
    let spot = || group("gpu", "SPOT", &["g4dn.xlarge"], 5);
    let own = |ami: &str| {
        let mut group = group("x", "SPOT", &["c7g.xlarge"], 1);
        group["change"]["after"]["ami_type"] = ami.into();
        group
    };
    let table: Vec<(&str, Plans, Plans)> = vec![
        (
            "imdsv2-required",
            vec![vec![template("required", json!("true"))], vec![gone("aws_launch_template")]],
            vec![
                vec![template("optional", json!(true))],
                vec![change(
                    "aws_launch_template",
                    "t",
                    json!({
                        "block_device_mappings": [{"device_name": "x", "ebs": [{"encrypted": true}]}],
                    }),
                )],
            ],
        ),
        (
            "encrypted-root-volume",
            vec![vec![template("required", json!(true))], vec![gone("aws_launch_template")]],
            vec![
                vec![template("required", json!(false))],
                vec![template("required", json!("false"))],
                vec![template("required", Value::Null)],
                vec![change("aws_launch_template", "t", json!({"metadata_options": [{"http_tokens": "required"}]}))],
            ],
        ),
        (
            "private-endpoint-kept",
            vec![vec![endpoint(true, false)], vec![endpoint(true, true)], vec![gone("aws_eks_cluster")]],
            vec![vec![endpoint(false, true)], vec![endpoint(false, false)]],
        ),
        (
            "spot-gpu-fallback",
            vec![
                vec![spot(), group("gpu", "ON_DEMAND", &["g4dn.xlarge"], 1)],
                vec![group("gpu", "ON_DEMAND", &["g4dn.xlarge"], 1)],
                vec![group("cpu", "SPOT", &["m6g.xlarge"], 5)],
            ],
            vec![
                vec![spot()],
                vec![spot(), group("other", "ON_DEMAND", &["g4dn.xlarge"], 1)],
                vec![spot(), group("gpu", "ON_DEMAND", &["g4dn.xlarge"], 0)],
                vec![spot(), gone("aws_eks_node_group")],
                vec![own("BOTTLEROCKET_x86_64_NVIDIA")],
            ],
        ),
        (
            "expensive-gpu",
            vec![
                vec![group("a", "ON_DEMAND", &["g5.12xlarge", "g4dn.12xlarge"], 1)],
                vec![group("a", "ON_DEMAND", &["m7i.48xlarge"], 1)],
                vec![gone("aws_eks_node_group")],
            ],
            [
                "p4d.24xlarge",
                "p5en.48xlarge",
                "p6-b200.48xlarge",
                "p3.16xlarge",
                "g5.48xlarge",
                "g4dn.metal",
                "trn1.2xlarge",
            ]
            .map(|kind| vec![group("a", "ON_DEMAND", &["g4dn.xlarge", kind], 1)])
            .to_vec(),
        ),
        (
            "node-budget",
            vec![
                vec![group("a", "ON_DEMAND", &["m6g.xlarge"], 20), group("b", "ON_DEMAND", &["g4dn.xlarge"], 10)],
                vec![gone("aws_eks_node_group")],
                Vec::new(),
            ],
            vec![
                vec![group("a", "ON_DEMAND", &["m6g.xlarge"], 31)],
                vec![group("a", "ON_DEMAND", &["m6g.xlarge"], 20), group("b", "ON_DEMAND", &["m6g.xlarge"], 11)],
            ],
        ),
    ];
    assert_eq!(table.iter().map(|(name, ..)| *name).collect::<std::collections::BTreeSet<_>>(), built_in().collect());
    for (name, passing, failing) in table {
        for changes in passing {
            assert_eq!(denied(&changes), [], "{name}: {changes:#?}");
        }
        for changes in failing {
            let found = denied(&changes);
            assert!(
                !found.is_empty() && found.iter().all(|(policy, _)| policy == name),
                "{name}: {found:?} {changes:#?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_quick_start_passes_and_a_pool_without_fallback_does_not() {
    let quickstart = include_str!("../../../../examples/quickstart.yaml");
    let made = |text: &str| crate::platform::terraform_json::tests::made(text);
    let passed = Policies::default().judge(&made(quickstart)).unwrap();
    assert_eq!(passed, Verdict { policies: 6, findings: Vec::new() });
    let without = quickstart.replace("capacity: spot, max: 5", "capacity: spot, max: 25, fallback: {enabled: false}");
    let verdict = Policies::default().judge(&made(&without)).unwrap();
    let found: Vec<_> = verdict.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        found,
        [
            "all node groups together may grow to 35 nodes; the budget is 30",
            "aws_eks_node_group.gpu: Spot GPU nodes need an On-Demand fallback of the same pool",
        ]
    );
    assert!(verdict.denied());
}

#[test]
fn what_a_manifest_allows_is_shown_and_does_not_deny() {
    let allow = BTreeMap::from([("private-endpoint-kept".to_owned(), "a test cluster".to_owned())]);
    let policies = Policies { allow, ..Policies::default() };
    let verdict = policies.judge(&document(&[endpoint(false, true)])).unwrap();
    assert!(!verdict.denied());
    let [finding] = verdict.findings.as_slice() else { panic!("{verdict:?}") };
    assert_eq!((finding.ruling, finding.reason.as_deref()), (Ruling::Allowed, Some("a test cluster")));
}

fn judge(texts: &[&str]) -> Result<Verdict, PolicyError> {
    let file = |(index, text): (usize, &&str)| PolicyFile { name: format!("p{index}.rego"), text: (*text).to_owned() };
    let files = texts.iter().enumerate().map(file).collect();
    Policies { files, ..Policies::default() }.judge(&document(&[change("aws_nat_gateway", "n", json!({}))]))
}

fn said(text: &str) -> Vec<(Ruling, String, String)> {
    let verdict = judge(&[text]).unwrap_or_else(|error| panic!("{error}\n{text}"));
    verdict.findings.into_iter().map(|finding| (finding.ruling, finding.policy, finding.message)).collect()
}

/// As conftest's and OPA's users write them, then and now.
#[test]
fn rules_in_every_usual_form() {
    let body = r#"input.resource_changes[_].type == "aws_nat_gateway""#;
    for (text, ruling, policy, message) in [
        (
            format!("package main\nimport rego.v1\ndeny contains msg if {{ {body}; msg := \"no\" }}"),
            Ruling::Deny,
            "main.deny",
            "no",
        ),
        (format!("package main\ndeny contains msg if {{ {body}; msg := \"no\" }}"), Ruling::Deny, "main.deny", "no"),
        (format!("package terraform\ndeny[msg] {{ {body}; msg = \"no\" }}"), Ruling::Deny, "terraform.deny", "no"),
        (
            format!("package terraform.nat\ndeny[msg] if {{ {body}; msg := \"no\" }}"),
            Ruling::Deny,
            "terraform.nat.deny",
            "no",
        ),
        (format!("package main\nwarn[msg] {{ {body}; msg := \"hm\" }}"), Ruling::Warn, "main.warn", "hm"),
        (
            format!("package main\nviolation[{{\"msg\": msg}}] {{ {body}; msg := \"no\" }}"),
            Ruling::Deny,
            "main.violation",
            "no",
        ),
        (format!("package main\ndeny_nat[msg] {{ {body}; msg := \"no\" }}"), Ruling::Deny, "main.deny_nat", "no"),
        (format!("package main\nimport rego.v1\ndeny if {{ {body} }}"), Ruling::Deny, "main.deny", "main.deny holds"),
        (format!("package main\ndeny = msg {{ {body}; msg := \"no\" }}"), Ruling::Deny, "main.deny", "no"),
        (format!("package a[\"b-c\"]\ndeny[msg] {{ {body}; msg := \"no\" }}"), Ruling::Deny, "a.b-c.deny", "no"),
        (
            format!(
                "package main\nimport future.keywords.if\nimport future.keywords.contains\ndeny contains msg if {{ {body}; msg := \"no\" }}"
            ),
            Ruling::Deny,
            "main.deny",
            "no",
        ),
    ] {
        assert_eq!(said(&text), [(ruling, policy.to_owned(), message.to_owned())], "{text}");
    }
}

#[test]
fn rules_that_do_not_hold_say_nothing() {
    for text in [
        "package main\nimport rego.v1\ndeny contains msg if { false; msg := \"no\" }",
        "package main\nimport rego.v1\ndefault deny := false",
        "package main\ndenied := true\ndeny[msg] { input.nothing; msg := \"no\" }",
        "package main\nimport rego.v1\ndeny contains msg if { to_number(input.resource_changes[0].type) > 1; msg := \"x\" }",
    ] {
        assert_eq!(said(text), [], "{text}");
    }
}

#[test]
fn files_can_use_each_other_in_both_syntaxes() {
    let library = "package lib.names\nimport rego.v1\nis_nat(change) if change.type == \"aws_nat_gateway\"";
    let rule =
        "package main\nimport data.lib.names\ndeny[msg] { names.is_nat(input.resource_changes[_]); msg := \"no\" }";
    let verdict = judge(&[library, rule]).unwrap();
    assert_eq!(verdict.policies, 8);
    assert_eq!(verdict.count(Ruling::Deny), 1);
}

/// A package of several files says all that any of them says, in whatever order.
#[test]
fn files_of_one_package_add_to_each_other() {
    let one = "package t\nimport rego.v1\ndeny contains \"a\" if input.resource_changes[_].type == \"aws_nat_gateway\"";
    let two = "package t\nimport rego.v1\ndefault allow = false\ndeny contains \"b\" if {\n  helper\n  not other\n}\nhelper if {\n  \
               some i\n  input.resource_changes[i].name == \"n\"\n}\nother if input.nothing\nallow if count(deny) == 0";
    let three = "package t\ndeny[msg] { msg := \"c\" }\ndeny_more[msg] { msg := \"d\" }";
    for texts in [[one, two, three], [two, three, one], [three, one, two]] {
        let verdict = judge(&texts).unwrap();
        let said: Vec<_> = verdict.findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(said, ["a", "b", "c", "d"]);
    }
}

#[test]
fn what_cannot_be_evaluated_is_never_a_pass() {
    for (text, line, what) in [
        ("package main\n\ndeny contains msg if {", Some(3), ""),
        (
            "package main\nimport rego.v1\ndeny contains msg if {\n  msg := no_such_function(1)\n}",
            Some(4),
            "no_such_function",
        ),
        ("package main\nimport rego.v1\ndeny contains msg if { x == 1; msg := \"a\" }", Some(3), "x"),
        ("package main\nimport rego.v1\ndeny := 1\ndeny := 2", Some(4), ""),
        (
            "package main\nimport rego.v1\ndeny contains m if { r := http.send({\"url\": \"x\"}); m := r.body }",
            Some(3),
            "http.send",
        ),
        ("package main\nimport rego.v1\ndenies contains \"x\"", None, "there is no rule `deny`"),
        ("", Some(1), "package"),
    ] {
        let error = judge(&[text]).expect_err(text);
        assert_eq!(error.file, "p0.rego", "{text}: {error}");
        assert_eq!(error.place.map(|(line, _)| line), line, "{text}: {error}");
        assert!(error.message.contains(what) && !error.message.is_empty(), "{text}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn a_rule_without_an_end_is_stopped() {
    let text = "package main\nimport rego.v1\ndeny contains msg if {\n  some a in numbers.range(1, 3000)\n  some b in \
                numbers.range(1, 3000)\n  some c in numbers.range(1, 3000)\n  a + b + c == 0\n  msg := \"no\"\n}";
    let file = PolicyFile { name: "p.rego".into(), text: text.to_owned() };
    let policies = Policies { files: vec![file], ..Policies::default() };
    let error = policies.judge_within(&document(&[]), Duration::from_millis(200)).unwrap_err();
    assert!(error.message.contains("time limit"), "{error}");
}

#[test]
fn files_and_folders_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "package x").unwrap();
    };
    for name in ["p/b.rego", "p/a.rego", "p/deep/c.rego", "p/a_test.rego", "p/readme.md", "q/readme.md", "one.rego"] {
        write(name);
    }
    let names = |paths: &[&str]| -> Result<Vec<String>, PolicyError> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        load(folder.path(), &paths).map(|files| files.into_iter().map(|file| file.name).collect())
    };
    assert_eq!(names(&["p", "one.rego", "p/a.rego"]).unwrap(), ["p/a.rego", "p/b.rego", "p/deep/c.rego", "one.rego"]);
    assert_eq!(names(&["q"]).unwrap_err().to_string(), "policy q: the folder has no .rego file");
    assert!(names(&["nowhere.rego"]).unwrap_err().to_string().starts_with("policy nowhere.rego: "));
}
