//! The example workflows: parsed as YAML, and judged by actionlint, which others wrote.

#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf, process::Command};

use rayplat_integration_tests::python::skipped;

/// Pinned: a newer one may find more.
const ACTIONLINT: &str = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12";

fn workflows() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/github-actions");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn they_pin_their_actions_and_say_what_they_may_do() {
    let files = workflows();
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["deploy.yaml", "drift.yaml", "preview.yaml"]);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for needed in
            ["\npermissions:\n", "id-token: write", "\nconcurrency:\n", "role-to-assume: ${{ vars.", "timeout-minutes:"]
        {
            assert!(text.contains(needed), "{}: no {needed}", file.display());
        }
        let uses: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("- uses: ")).collect();
        assert!(!uses.is_empty(), "{}", file.display());
        for action in uses {
            let version = action.split_once("@v").map(|(_, version)| version.parse::<u32>());
            assert!(matches!(version, Some(Ok(_))), "{action} is not pinned by its major version");
        }
    }
}

#[test]
fn actionlint_finds_nothing() {
    let on_path = Command::new("actionlint").arg("--version").output().is_ok_and(|output| output.status.success());
    let go = Command::new("go").arg("version").output().is_ok_and(|output| output.status.success());
    let mut command = match (on_path, go) {
        (true, _) => Command::new("actionlint"),
        (false, true) => {
            let mut command = Command::new("go");
            command.args(["run", ACTIONLINT]);
            command
        }
        (false, false) => {
            skipped("actionlint_finds_nothing", "there is neither actionlint nor go; install one to run this test");
            return;
        }
    };
    let output = command.args(workflows()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
}
