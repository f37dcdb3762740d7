//! What the cluster's API would refuse: in every form of a preview, and before `up` asks.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, WHOLE};
use rayplat_resources::rehearsal::{Rehearsal, Seed};
use serde_json::json;

/// A platform in which somebody has set a field that the next manifest sets otherwise.
fn contested() -> Place {
    let place = Place::empty();
    place.write("rayplat.yaml", &format!("{WHOLE}ray: {{token_auth: false}}\n"));
    place.ok(&["up", "--rehearse", "--yes"]);
    let seed = Seed { account_id: "123456789012".to_owned(), region: "us-east-1".to_owned(), seed: 1 };
    let rehearsal = Rehearsal::open(&place.file(".rayplat/rehearsal/rayplat/account"), &seed, 0).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let tokens = rehearsal.clients().kubernetes.tokens("production-ray-cluster").unwrap();
    let token = runtime.block_on(tokens.token()).unwrap().text;
    rehearsal.with_account(|account| {
        let host = account.eks.clusters["production-ray-cluster"].endpoint.url.replace("https://", "");
        let object = json!({
            "apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "ray", "namespace": "ray"},
            "spec": {"authOptions": {"mode": "disabled"}},
        });
        let request = json!({
            "host": host, "token": token, "query": {"fieldManager": "kubectl-edit", "force": "true"},
            "group": "ray.io", "version": "v1", "plural": "rayclusters", "namespace": "ray", "name": "ray", "subresource": "",
            "contentType": "application/apply-patch+yaml", "body": object,
        });
        account.handle("kubernetes", "Apply", &request).unwrap();
    });
    rehearsal.save().unwrap();
    place.write("rayplat.yaml", WHOLE);
    place
}

const URN: &str = "kubernetes:Ray/ray/RayCluster/ray";
const WHY: &str = "others own fields that are to be set: spec.authOptions.mode belongs to kubectl-edit";

#[test]
fn a_refusal_is_65_in_every_form() {
    let place = contested();
    let text = place.run(&["preview", "--rehearse"]);
    assert_eq!(text.code, 65, "{}", text.stderr);
    let line = format!(
        "\nDry run: 1 refused, 0 accepted\n  refused: update {URN}: kubernetes:DryRun: Conflict: {WHY}. Cure: Leave "
    );
    assert!(text.stdout.contains(&line), "{}", text.stdout);
    assert!(text.stdout.contains("1 to change, 82 unchanged."), "the plan is shown too: {}", text.stdout);

    let json = place.run(&["preview", "--rehearse", "--json"]);
    assert_eq!(json.code, 65);
    let found = &json.last_json()["dry_run"];
    assert_eq!((&found["accepted"], &found["unasked"]), (&json!(0), &json!([])));
    assert_eq!((&found["refused"][0]["urn"], &found["refused"][0]["action"]), (&json!(URN), &json!("update")));
    assert_eq!(found["refused"][0]["error"]["message"], WHY);

    let markdown = place.run(&["preview", "--rehearse", "--format", "markdown"]);
    assert_eq!(markdown.code, 65);
    let line = format!("#### Dry run: 1 refused, 0 accepted (1)\n\n- **refused:** `update {URN}`: ");
    assert!(markdown.stdout.contains(&line), "{}", markdown.stdout);
}

#[test]
fn up_begins_nothing() {
    let place = contested();
    let before = place.ok(&["state", "export", "--rehearse"]).stdout;
    let up = place.run(&["up", "--rehearse", "--yes"]);
    assert_eq!(up.code, 65, "{}", up.stdout);
    assert!(
        up.stderr.contains(&format!("\n  update {URN}: kubernetes:DryRun: Conflict: {WHY}\n    cure: Leave ")),
        "{}",
        up.stderr
    );
    assert!(!up.stdout.contains("Apply?") && !up.stdout.contains("changed"), "{}", up.stdout);
    let up = place.run(&["up", "--rehearse", "--yes", "--json"]);
    assert_eq!(up.code, 65);
    let said = up.last_json();
    assert_eq!(
        (&said["event"], &said["exit_code"], &said["refused"][0]["urn"]),
        (&json!("error"), &json!(65), &json!(URN))
    );
    assert!(!up.stdout.contains("step_started"), "{}", up.stdout);
    let objects =
        |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["checkpoint"]["objects"].clone();
    assert_eq!(objects(&place.ok(&["state", "export", "--rehearse"]).stdout), objects(&before));
}

#[test]
fn what_is_accepted_is_told_to_programs_alone() {
    let place = Place::empty();
    place.write("rayplat.yaml", WHOLE);
    place.ok(&["up", "--rehearse", "--yes"]);
    place.write("rayplat.yaml", &format!("{WHOLE}ray: {{version: 2.59.0}}\n"));
    let text = place.run(&["preview", "--rehearse"]);
    assert_eq!(text.code, 2, "{}", text.stderr);
    assert!(!text.stdout.contains("Dry run"), "{}", text.stdout);
    let json = place.run(&["preview", "--rehearse", "--json"]);
    assert_eq!(json.last_json()["dry_run"], json!({"accepted": 1, "refused": [], "unasked": []}));
}
