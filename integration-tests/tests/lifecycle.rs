//! The quick start's whole life on the emulated account.

#![allow(clippy::unwrap_used)]

use rayplat_engine::plan::render::render;
use rayplat_integration_tests::{QUICKSTART, World, failures};

#[tokio::test(start_paused = true)]
async fn up_again_down() {
    let world = World::new(1);
    let (report, events) = world.up(QUICKSTART).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    let made = report.summary.created;
    assert!(made > 30, "{made}");

    let again = world.preview(QUICKSTART).await.unwrap();
    assert!(again.plan.is_empty(), "{}", render(&again.plan));

    let (down, events) = world.down().await.unwrap();
    assert!(down.summary.complete(), "{:#?}", failures(&events));
    assert_eq!(down.summary.deleted, made);
}
