//! Upgrades on the command line: what a preview shows of one, and what it refuses.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, QUICKSTART};

/// Every line of an upgrade, in eighty columns.
#[test]
fn an_upgrade_is_nine_changes_and_no_replacement() {
    let at =
        |version: &str| QUICKSTART.replace("cluster:\n", &format!("cluster:\n  kubernetes_version: \"{version}\"\n"));
    let place = Place::new();
    // The day's date decides which versions are on standard support: the newest two always are.
    place.write("rayplat.yaml", &at("1.35"));
    place.ok(&["up", "--rehearse", "--yes"]);
    place.write("rayplat.yaml", &at("1.36"));
    let ran = place.run(&["preview", "--rehearse"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().skip(1).take_while(|line| !line.starts_with("Expected")).collect();
    let step = "      kubernetes_version: \"1.35\" -> \"1.36\"";
    let below = |mark: &str| format!("{mark} {step}");
    let mut expected = vec!["aws:eks:Addon".to_owned()];
    for name in ["aws-ebs-csi-driver", "coredns", "eks-pod-identity-agent", "kube-proxy"] {
        expected.extend([format!("├─ ~   {name}"), below("│")]);
    }
    expected.extend(["└─ ~   vpc-cni".to_owned(), below(" "), "aws:eks:Cluster".to_owned()]);
    expected.extend(["└─ ~   main".to_owned(), below(" "), "aws:eks:NodeGroup".to_owned()]);
    expected.extend(["├─ ~   cpu".to_owned(), below("│"), "├─ ~   gpu".to_owned(), below("│")]);
    expected.extend(["└─ ~   gpu-fallback".to_owned(), below(" "), String::new()]);
    expected.push("9 to change, 24 unchanged.".to_owned());
    assert_eq!(lines, expected);
    assert!(ran.stdout.lines().any(|line| line == "Expected to take about 22 min 25 s."), "{}", ran.stdout);
    assert!(lines.iter().all(|line| line.chars().count() <= 80));
}

#[test]
fn a_step_that_eks_does_not_allow_is_65_with_the_cure() {
    let at =
        |version: &str| QUICKSTART.replace("cluster:\n", &format!("cluster:\n  kubernetes_version: \"{version}\"\n"));
    let place = Place::new();
    place.write("rayplat.yaml", &at("1.36"));
    place.ok(&["up", "--rehearse", "--yes"]);
    place.write("rayplat.yaml", &at("1.35"));
    let ran = place.run(&["preview", "--rehearse"]);
    assert_eq!(ran.code, 65);
    assert!(ran.stderr.contains("Kubernetes 1.36 cannot become 1.35"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: Write cluster.kubernetes_version: \"1.36\"."), "{}", ran.stderr);
}

#[test]
fn a_protected_cluster_is_not_replaced_whoever_insists() {
    let place = Place::new();
    place.write("rayplat.yaml", &QUICKSTART.replace("cluster:\n", "cluster:\n  deletion_protection: true\n"));
    place.ok(&["up", "--rehearse", "--yes"]);
    for args in [&["preview", "--rehearse", "--replace", "cluster/main"][..], &["down", "--rehearse", "--yes"]] {
        let ran = place.run(args);
        assert_eq!(ran.code, 65, "{}", ran.stderr);
        assert!(ran.stderr.contains("its deletion protection is on"), "{}", ran.stderr);
        assert!(ran.stderr.contains("cluster.deletion_protection: false"), "{}", ran.stderr);
    }
    place.write("rayplat.yaml", QUICKSTART);
    place.ok(&["up", "--rehearse", "--yes"]);
    let ran = place.run(&["preview", "--rehearse", "--replace", "cluster/main"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stdout.contains("-/+ main  a new object by --replace, the old one goes first"), "{}", ran.stdout);
}
