//! `rayplat doctor`: what is well, what is not, and how to mend it.

#![allow(clippy::unwrap_used)]

mod common;

use common::{
    Place, Ran, WHOLE,
    served::{Served, run},
};
use serde_json::Value;

fn place() -> Place {
    let place = Place::empty();
    place.write("rayplat.yaml", WHOLE);
    place
}

/// Name, verdict and the rest of each check.
fn checks(ran: &Ran) -> Vec<(String, String, String)> {
    let report = ran.last_json();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let checks: Vec<_> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| {
            let rest = format!("{} / {}", text(check, "what"), text(check, "cure"));
            (text(check, "name"), text(check, "verdict"), rest)
        })
        .collect();
    let failed = checks.iter().any(|(_, verdict, _)| verdict == "failed");
    assert_eq!((report["ok"].as_bool(), ran.code), (Some(!failed), i32::from(failed)), "{}", ran.stdout);
    // What is not well has a cure.
    assert!(checks.iter().all(|(_, verdict, rest)| verdict == "ok" || !rest.ends_with(" / ")), "{}", ran.stdout);
    checks
}

fn verdicts(checks: &[(String, String, String)]) -> Vec<(&str, &str)> {
    checks.iter().map(|(name, verdict, _)| (name.as_str(), verdict.as_str())).collect()
}

fn said<'a>(checks: &'a [(String, String, String)], name: &str) -> &'a str {
    &checks.iter().find(|(of, ..)| of == name).unwrap().2
}

#[test]
fn a_rehearsal_needs_little_and_is_left_as_it_was() {
    let place = place();
    let found = checks(&place.run(&["doctor", "--rehearse", "--json"]));
    assert_eq!(
        verdicts(&found),
        [
            // The quick start has a Spot pool of one type.
            ("manifest", "warning"),
            ("source", "warning"),
            ("credentials", "ok"),
            ("state", "ok"),
            ("helm", "ok"),
            ("endpoint", "ok"),
        ]
    );
    assert!(said(&found, "manifest").contains("in us-east-1, with 1 warning / Run `rayplat lint`: "), "{found:?}");
    assert!(said(&found, "state").contains("none yet in"), "{found:?}");
    assert!(!place.file(".rayplat").exists(), "it only looks");
    place.ok(&["up", "--rehearse", "--yes"]);
    let well = place.ok(&["doctor", "--rehearse"]).stdout;
    // A name that people copy is not cut.
    let wide = |line: &&str| line.chars().count() > 80 && !line.trim_start().starts_with("arn:");
    assert_eq!(well.lines().find(wide), None, "{well}");
    assert!(well.contains("\nok       credentials  account 123456789012, emulated, as\n"), "{well}");
    assert!(well.contains("\nok       binding      the state is of account 123456789012 in us-east-1"), "{well}");
    assert!(well.ends_with("Nothing is in the way of a run; 2 to look at.\n"), "{well}");
}

#[test]
fn without_credentials_or_helm_nothing_can_be_run() {
    let place = place();
    let mut command = place.command(&["doctor", "--json"]);
    // Nobody answers there, and git is not found either.
    command.env("PATH", place.path()).env("AWS_REGION", "eu-west-1");
    let found = checks(&Ran::from(command.output().unwrap()));
    let all = verdicts(&found);
    for name in ["credentials", "helm"] {
        assert!(all.contains(&(name, "failed")), "{name}: {found:?}");
    }
    assert!(said(&found, "helm").contains("Install Helm 3.14 or newer"), "{found:?}");
    assert!(said(&found, "credentials").contains("AWS_PROFILE"), "{found:?}");
    let text = Ran::from(place.command(&["doctor", "--region", "eu-west-1"]).env("PATH", "").output().unwrap());
    assert_eq!(text.code, 1);
    assert!(
        text.stdout.contains("\nfailed   region       --region is eu-west-1, but rayplat.yaml says"),
        "{}",
        text.stdout
    );
    assert!(text.stdout.lines().last().unwrap().ends_with(" to mend before a run."), "{}", text.stdout);
}

#[test]
fn a_manifest_that_is_wrong_is_the_first_to_mend() {
    let place = place();
    place.write("rayplat.yaml", &WHOLE.replace("max: 10", "maximum: 10"));
    let found = checks(&place.run(&["doctor", "--json"]));
    assert_eq!(verdicts(&found), [("manifest", "failed"), ("source", "warning")]);
    assert!(said(&found, "manifest").contains("rayplat validate"), "{found:?}");
    std::fs::remove_file(place.file("rayplat.yaml")).unwrap();
    let found = checks(&place.run(&["doctor", "--json"]));
    assert!(said(&found, "manifest").contains("rayplat init"), "{found:?}");
}

#[test]
fn somebody_else_at_work_is_named() {
    let place = place();
    place.ok(&["up", "--rehearse", "--yes"]);
    let folder = place.file(".rayplat/rehearsal/rayplat/state");
    let other = rayplat_state::SledStore::open(&folder, "rayplat up").unwrap();
    let found = checks(&place.run(&["doctor", "--rehearse", "--json"]));
    assert!(verdicts(&found).contains(&("state", "failed")), "{found:?}");
    let said = said(&found, "state");
    assert!(said.contains("the state is locked by `rayplat up` (process ") && said.contains("Wait until"), "{said}");
    drop(other);
    assert!(verdicts(&checks(&place.run(&["doctor", "--rehearse", "--json"]))).contains(&("state", "ok")));
}

#[test]
fn another_account_and_a_stale_entry_of_kubectl() {
    let place = place();
    let served = Served::new(&place, "123456789012");
    let ran = |args: &[&str]| Ran::from(run(&place, &served, args).env("HOME", place.path()).output().unwrap());
    let ok = |args: &[&str]| {
        let ran = ran(args);
        assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.stdout, ran.stderr);
    };
    ok(&["up", "--yes"]);
    let kubeconfig = |expected: &str, words: &str| {
        let found = checks(&ran(&["doctor", "--json"]));
        assert!(verdicts(&found).contains(&("kubeconfig", expected)), "{found:?}");
        for name in ["credentials", "state", "binding", "helm", "endpoint"] {
            assert!(verdicts(&found).contains(&(name, "ok")), "{name}: {found:?}");
        }
        assert!(said(&found, "kubeconfig").contains(words), "{found:?}");
    };
    kubeconfig("warning", "has no entry `production-ray-cluster` / Run `rayplat kubeconfig`.");
    ok(&["kubeconfig"]);
    kubeconfig("ok", "`production-ray-cluster` leads to https://");
    let text = std::fs::read_to_string(place.file(".kube/config")).unwrap();
    let host = text.split_once("server: https://").unwrap().1.split(['\n', '"']).next().unwrap();
    place.write(".kube/config", &text.replace(host, "FORMER.gr7.us-east-1.eks.amazonaws.com"));
    kubeconfig("warning", "is stale: it leads to a former cluster, https://FORMER");
    place.write(".kube/config", "- no kubeconfig");
    kubeconfig("warning", "it is no kubeconfig");

    // The state's account is not the one that answers here.
    let elsewhere = Served::new(&place, "210987654321");
    let found = Ran::from(run(&place, &elsewhere, &["doctor", "--json"]).env("HOME", place.path()).output().unwrap());
    let found = checks(&found);
    assert!(verdicts(&found).contains(&("binding", "failed")), "{found:?}");
    let said = said(&found, "binding");
    assert!(said.contains("the state is of account 123456789012") && said.contains("AWS_PROFILE"), "{said}");
}
