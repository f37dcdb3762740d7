//! `rayplat kubeconfig` and `rayplat token`, and a whole platform over HTTP.

#![allow(clippy::unwrap_used)]

mod common;

use common::{
    Place, Ran, WHOLE,
    served::{Served, run},
    summary,
};
use serde_json::Value;

#[test]
fn a_whole_platform_over_http_lets_kubectl_in() {
    let place = Place::empty();
    place.write("rayplat.yaml", WHOLE);
    let served = Served::new(&place, "123456789012");
    let ran = |args: &[&str]| Ran::from(run(&place, &served, args).env("HOME", place.path()).output().unwrap());
    let early = ran(&["kubeconfig"]);
    assert_eq!(early.code, 64, "{}", early.stderr);

    let up = ran(&["up", "--yes", "--json"]);
    assert_eq!(up.code, 0, "{}\n{}", up.stdout, up.stderr);
    assert_eq!(up.last_json()["summary"], summary(&[("created", 83)]));

    let others = "apiVersion: v1\nkind: Config\nclusters:\n- name: home\n  cluster: {server: https://home.example}\n";
    std::fs::create_dir_all(place.file(".kube")).unwrap();
    place.write(".kube/config", others);
    let added = ran(&["kubeconfig"]);
    assert_eq!(added.code, 0, "{}", added.stderr);
    assert!(added.stdout.contains("added `production-ray-cluster`"), "{}", added.stdout);
    let text = std::fs::read_to_string(place.file(".kube/config")).unwrap();
    assert!(text.contains("https://home.example") && text.contains("- token"), "{text}");
    assert!(ran(&["kubeconfig"]).stdout.contains("is as it should be"));

    // An entry of a former cluster of the name is said.
    let (_, host) =
        text.split_once("server: https://").map(|(_, rest)| rest.split_once("server: https://").unwrap()).unwrap();
    let host = host.split(['\n', '"']).next().unwrap();
    place.write(".kube/config", &text.replace(host, "FORMER.gr7.us-east-1.eks.amazonaws.com"));
    let former = ran(&["kubeconfig"]);
    assert!(former.stdout.contains("led to a former cluster, https://FORMER"), "{}", former.stdout);

    let token = ran(&["token", "--cluster", "production-ray-cluster", "--region", "us-east-1"]);
    assert_eq!(token.code, 0, "{}", token.stderr);
    let credential: Value = serde_json::from_str(&token.stdout).unwrap();
    assert_eq!(credential["kind"], "ExecCredential");
    assert!(credential["status"]["token"].as_str().unwrap().starts_with("k8s-aws-v1."));
    assert_eq!(ran(&["token", "--cluster", "x"]).code, 64, "a region is needed");

    let down = ran(&["down", "--yes", "--json"]);
    assert_eq!(down.last_json()["summary"], summary(&[("deleted", 83)]), "{}", down.stdout);
}

#[test]
fn a_rehearsals_cluster_lets_nobody_in() {
    let place = Place::new();
    let refused = place.run(&["kubeconfig", "--rehearse"]);
    assert_eq!(refused.code, 64);
    assert!(refused.stderr.contains("is in this program"), "{}", refused.stderr);
}
