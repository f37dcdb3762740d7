//! Other people's code to be judged by: a virtual environment with pinned packages, made
//! once under the target folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A set of packages.
struct Set {
    /// Its folder's name.
    name: &'static str,
    /// Its file beside `Cargo.toml`.
    file: &'static str,
    /// What that holds.
    text: &'static str,
}

const JUDGES: Set = Set { name: "rayplat-judges", file: "requirements.txt", text: include_str!("../requirements.txt") };

const RAY: Set =
    Set { name: "rayplat-ray", file: "ray-requirements.txt", text: include_str!("../ray-requirements.txt") };

/// The `bin` folder of boto3 and moto, or `None` where there is no Python: then the caller's
/// test is skipped, by name.
///
/// # Panics
/// In CI, if there is no Python; anywhere, if the packages cannot be installed.
pub fn environment(test: &str) -> Option<PathBuf> {
    installed(test, &JUDGES)
}

/// The same of Ray and Redis.
///
/// # Panics
/// As [`environment`].
pub fn ray(test: &str) -> Option<PathBuf> {
    installed(test, &RAY)
}

fn installed(test: &str, set: &Set) -> Option<PathBuf> {
    let have = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    if !have {
        assert!(std::env::var_os("CI").is_none(), "{test}: CI needs python3");
        skipped(test, "there is no python3; install it to run this test");
        return None;
    }
    let folder = target().join(set.name);
    fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    // Test binaries run one after another, but people start several at once.
    let lock = fs::File::create(folder.join("lock")).unwrap_or_else(|error| panic!("{error}"));
    lock.lock().unwrap_or_else(|error| panic!("{error}"));
    let done = folder.join("installed.txt");
    if fs::read_to_string(&done).ok().as_deref() != Some(set.text) {
        install(&folder.join("venv"), set.file);
        fs::write(&done, set.text).unwrap_or_else(|error| panic!("{error}"));
    }
    Some(folder.join("venv").join("bin"))
}

/// Says aloud that a test was skipped, past the test runner's capture.
#[allow(clippy::print_stderr)]
pub fn skipped(test: &str, why: &str) {
    use std::io::Write as _;
    drop(writeln!(std::io::stderr(), "SKIPPED {test}: {why}"));
}

fn install(venv: &Path, file: &str) {
    let run = |command: &mut Command| {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv));
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "-r"]).arg(requirements));
}

/// The target folder: the test's program is in it.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_else(|error| panic!("{error}"));
    // target/release/deps/test
    program.ancestors().nth(3).map_or_else(std::env::temp_dir, Path::to_path_buf)
}
