//! `rayplat lint`

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, QUICKSTART};

#[test]
fn findings_have_a_place_a_reason_and_a_cure() {
    let place = Place::new();
    let ran = place.ok(&["lint"]);
    assert!(
        ran.stderr.contains("rayplat.yaml:17:3: warning[spot-diversity]: a Spot pool of one type"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("note[private-endpoint]: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("cure: "), "{}", ran.stderr);
    assert_eq!(ran.stdout, "0 errors, 1 warning, 3 notes\n");
    let json = place.ok(&["lint", "--json"]).last_json();
    assert_eq!(json["diagnostics"].as_array().unwrap().len(), 4);
    assert!(place.ok(&["lint", "--rules"]).stdout.contains("gpu-device-plugin (note)\n"));
}

#[test]
fn plans_show_warnings_without_notes_and_errors_stop() {
    let place = Place::new();
    let ran = place.run(&["preview", "--rehearse"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("warning[spot-diversity]") && !ran.stderr.contains("note["), "{}", ran.stderr);
    place.write("rayplat.yaml", &format!("{QUICKSTART}lint:\n  allow:\n    spot-diversity: one type is tested here\n"));
    assert_eq!(place.run(&["preview", "--rehearse"]).stderr, "");
    let allowed = place.ok(&["lint"]).stdout;
    assert!(allowed.contains("allowed: spot-diversity at line 17: one type is tested here"), "{allowed}");
    place.write("rayplat.yaml", &format!("{QUICKSTART}lint: {{allow: {{spot-divers: one type is tested here}}}}\n"));
    for command in [vec!["preview", "--rehearse"], vec!["up", "--rehearse", "--yes"], vec!["lint"], vec!["validate"]] {
        let ran = place.run(&command);
        assert_eq!(ran.code, 65, "{command:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("did you mean spot-diversity?"), "{}", ran.stderr);
    }
}
