//! Every manifest in `examples/`: it is valid without warnings, stands up on the emulated account
//! as it is written, plans nothing the second time, and goes.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use rayplat_engine::{apply::Interrupt, event::Events, plan::render::render};
use rayplat_integration_tests::{World, failures, leftovers};
use rayplat_resources::platform::manifest;

async fn rehearse(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let today = "2026-11-24".parse().unwrap();
    let loaded = manifest::load(&path.display().to_string(), text.as_bytes(), today).unwrap_or_else(|f| panic!("{f}"));
    let few = |warning: &&manifest::Diagnostic| !warning.message.contains("a Spot pool of");
    let warnings: Vec<_> = loaded.warnings.iter().filter(few).collect();
    assert!(warnings.is_empty(), "{}: {warnings:#?}", path.display());
    let name = loaded.manifest.name.clone();
    let world = World::new(31);
    let (report, events) = world.up(&text).await.unwrap();
    assert!(report.summary.complete(), "{}: {:#?}", path.display(), failures(&events));
    let again = world.preview(&text).await.unwrap();
    assert!(again.plan.is_empty(), "{}: {}", path.display(), render(&again.plan));
    let open = text.replace("deletion_protection: true", "deletion_protection: false");
    if open != text {
        world.up(&open).await.unwrap();
    }
    let engine = world.engine().await.0.purging();
    let down = engine.down(&name, Events::none(), Interrupt::default(), |_| true).await.unwrap();
    assert!(down.summary.complete(), "{}: {:?}", path.display(), down.summary);
    assert_eq!(leftovers(&world), Vec::<String>::new(), "{}", path.display());
}

#[tokio::test(start_paused = true)]
async fn every_example_is_rehearsed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut manifests: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    manifests.sort();
    // Each option that changes what the platform is has one.
    for name in ["bottlerocket", "gpu-reserved", "network-create", "private", "production", "ray-jobs", "ray-service"] {
        assert!(
            manifests.iter().any(|path| path.file_stem().is_some_and(|stem| stem == name)),
            "{name}: {manifests:?}"
        );
    }
    for path in manifests {
        rehearse(&path).await;
    }
}
