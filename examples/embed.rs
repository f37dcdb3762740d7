//! Embedding the engine: build a stack, preview it, bring it up, read the events.
//!
//! It runs on an emulated account, so it needs no credentials and no network:
//! `cargo run --release -p rayplat-examples --example embed`

use std::{error::Error, sync::Arc};

use rayplat_engine::{
    apply::Interrupt,
    event::{Event, Events},
    ops::{Engine, Options},
    plan::render::render,
    provider::Registry,
    retry::RetryPolicy,
    stack::Stack,
};
use rayplat_resources::{
    aws::{iam_role::Role, iam_role::RoleArgs},
    rehearsal::{Rehearsal, Seed},
};
use rayplat_state::MemoryStore;
use serde_json::json;

fn stack(description: &str) -> Result<Stack, Box<dyn Error>> {
    let mut stack = Stack::new("embedded");
    let role = stack.add::<Role>(
        "reader",
        RoleArgs {
            name_prefix: "embedded-reader".into(),
            trust_policy: json!({
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Principal": {"Service": "ec2.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }],
            })
            .into(),
            description: description.into(),
            ..RoleArgs::default()
        },
    )?;
    println!("the stack has {} resource, {}", stack.len(), role.urn);
    Ok(stack)
}

// A paused clock: the account's minutes pass in milliseconds.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let seed = Seed { account_id: "123456789012".into(), region: "us-east-1".into(), seed: 7 };
    let account = Rehearsal::in_memory(&seed, 1_800_000_000_000);
    let clients = account.clients();
    let identity = clients.identity().await?;

    let mut registry = Registry::new();
    rayplat_resources::register(&mut registry, &clients);
    let options = Options {
        parallelism: 16,
        retry: RetryPolicy::default(),
        clock: Arc::new(account.clone()),
        binding: clients.binding(&identity),
        seed: 7,
    };
    let engine = Engine::new(registry, Arc::new(MemoryStore::default()), options);

    let wanted = stack("made by an embedder")?;
    let preview = engine.preview(&wanted, Events::none()).await?;
    print!("{}", render(&preview.plan));

    let (events, mut reader) = Events::channel();
    let report = engine.up(&wanted, events, Interrupt::default(), |plan| plan.steps.len() == 1).await?;
    while let Ok(event) = reader.try_recv() {
        if let Event::StepFinished { urn, took_ms, .. } = event {
            println!("{urn} took {took_ms} ms of the account's time");
        }
    }
    assert_eq!(report.summary.created, 1);

    let changed = engine.up(&stack("changed in place")?, Events::none(), Interrupt::default(), |_| true).await?;
    assert_eq!(changed.summary.updated, 1);
    let down = engine.down("embedded", Events::none(), Interrupt::default(), |_| true).await?;
    assert_eq!(down.summary.deleted, 1);
    println!("made, changed and destroyed");
    Ok(())
}
