//! Dry runs: what the account would refuse is known before anything is begun.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Fault, STACK, World, block, res, stack, urn};
use rayplat_engine::{
    dry_run::{DryRun, Refused},
    error::{Error, ErrorClass},
    event::{Events, Summary},
    ops::Report,
    stack::Stack,
};

fn refused(result: Result<Report, Error>) -> Vec<Refused> {
    match result {
        Err(Error::DryRun(refused)) => refused,
        other => panic!("not refused: {other:?}"),
    }
}

async fn asked(world: &World, stack: &Stack) -> (Vec<String>, DryRun) {
    world.log.clear();
    let found = world.preview(stack).await.dry_run;
    let mut called = world.log.called("DryRun");
    called.sort();
    (called, found)
}

#[test]
fn a_refusal_stops_the_run_before_anything_is_begun() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("a"), res("Asked/b"), res("Asked/c"), res("Asked/d")]);
        world.cloud.script("DryRun", "Asked/b", Fault::Invalid, 1);
        world.cloud.script("DryRun", "Asked/d", Fault::Invalid, 1);
        let result = world
            .engine()
            .up(&wanted, Events::none(), world.interrupt.clone(), |_| panic!("nobody is asked about such a plan"))
            .await;
        let text = result.as_ref().unwrap_err().to_string();
        for part in
            ["\n  create test:Asked/b: test:DryRun: ValidationError: the account says no", "create test:Asked/d"]
        {
            assert!(text.contains(part), "{text}");
        }
        let names: Vec<_> = refused(result).into_iter().map(|refused| refused.urn).collect();
        assert_eq!(names, [urn("Asked/b"), urn("Asked/d")], "all of them, in the plan's order");
        assert!(world.cloud.objects().is_empty() && world.state().objects.is_empty());
        let runs = world.engine().history().await.unwrap();
        let [run] = runs.as_slice() else { panic!("{runs:?}") };
        assert!(run.deeds.is_empty() && run.summary == Some(Summary::default()), "it ended, and did nothing: {run:?}");
        // The account has changed its mind.
        world.up(&wanted).await;
        world.assert_settled(&wanted).await;
    });
}

#[test]
fn a_saved_plan_is_asked_about_too() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("Asked/a")]);
        let saved = world.engine().save(&world.preview(&wanted).await, "test 1");
        world.cloud.script("DryRun", "Asked/a", Fault::Invalid, 1);
        let result = world.engine().up_saved(&wanted, &saved, Events::none(), world.interrupt.clone()).await;
        assert_eq!(refused(result)[0].urn, urn("Asked/a"));
        assert!(world.cloud.objects().is_empty() && world.state().objects.is_empty());
    });
}

#[test]
fn what_is_known_is_asked_when_it_is_made_or_changed() {
    block(async {
        let world = World::default();
        let before = stack(&[res("a"), res("Asked/b").dep("a"), res("Asked/c"), res("Asked/d"), res("Asked/e")]);
        let (called, found) = asked(&world, &before).await;
        assert_eq!(called, ["c", "d", "e"], "the id of a is known to nobody");
        assert_eq!(found, DryRun { accepted: 3, ..DryRun::default() });
        world.up(&before).await;
        assert_eq!(asked(&world, &before).await, (Vec::new(), DryRun::default()), "nothing is to be done");
        // Changed, replaced, deleted; and one that the kind leaves open.
        let after = stack(&[
            res("a").value("w"),
            res("Asked/b").dep("a").value("w"),
            res("Asked/c").value("later"),
            res("Asked/d").key("other"),
        ]);
        let (called, found) = asked(&world, &after).await;
        assert_eq!((called, found.accepted), (vec!["b".to_owned(), "c".to_owned()], 1));
        assert_eq!((&found.unasked[0].urn, found.unasked[0].reason.as_str()), (&urn("Asked/c"), "it is too early"));
        world.log.clear();
        world.up(&after).await;
        world.assert_settled(&after).await;
        world.log.clear();
        world.down().await;
        assert_eq!(world.log.called("DryRun"), Vec::<String>::new());
    });
}

#[test]
fn what_may_pass_later_is_no_refusal() {
    block(async {
        let world = World::default();
        let alone = stack(&[res("Asked/b")]);
        world.cloud.script("DryRun", "Asked/b", Fault::Denied, 2);
        assert_eq!(asked(&world, &alone).await.1.refused[0].error.class, ErrorClass::Denied);
        // What comes before may allow it.
        let behind = stack(&[res("a"), res("Asked/b").after("a")]);
        let found = asked(&world, &behind).await.1;
        assert_eq!((found.refused.len(), found.unasked.len()), (0, 1), "{found:?}");
        // No answer is no refusal, and nobody waits long for one.
        world.cloud.script("DryRun", "Asked/b", Fault::Before, 100);
        let (called, found) = asked(&world, &alone).await;
        assert_eq!((found.refused.len(), found.unasked.len()), (0, 1), "{found:?}");
        assert!((2..20).contains(&called.len()), "{called:?}");
        world.up(&alone).await;
    });
}

#[test]
fn as_many_are_asked_at_once_as_steps_may_run() {
    block(async {
        let mut world = World::default();
        world.options.parallelism = 3;
        let names: Vec<String> = (0..9).map(|at| format!("Asked/{at}")).collect();
        let wanted = stack(&names.iter().map(|name| res(name)).collect::<Vec<_>>());
        assert_eq!(asked(&world, &wanted).await.1.accepted, 9);
        assert_eq!(world.cloud.most_working(), 3);
        assert!(world.engine().state(STACK).await.unwrap().objects.is_empty());
    });
}
