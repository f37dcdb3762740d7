//! The process is stopped at every write and at every call, before and after its effect; what
//! was not synced is lost; the next run must get to exactly what is desired.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Fault, Moment, Res, Stop, World, block, res, stack};
use rayplat_engine::stack::Stack;

/// What the interrupted run does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Command {
    Up,
    Down,
}

struct Scenario {
    name: &'static str,
    /// Stands before, made without interruption.
    before: Vec<Res>,
    /// What the interrupted run and the one after it are to reach; empty for `down`.
    desired: Vec<Res>,
    command: Command,
    /// Faults on the way, for the interrupted run.
    faults: Vec<(&'static str, &'static str, Fault, usize)>,
}

fn first() -> Vec<Res> {
    vec![
        res("Look/look"),
        res("base").value_of("Look/look", "value"),
        res("Key/key").dep("base"),
        res("Slow/slow").dep("base").parent("Key/key", "id"),
        res("Moody/moody").dep("base"),
        res("Fixed/fixed").parent("base", "id"),
        res("Precious/precious").value_of("Moody/moody", "value"),
        res("gone").dep("Slow/slow"),
        res("goes-too").parent("gone", "id"),
    ]
}

/// Everything at once: replacement of each order, updates, a removal, something new.
fn second() -> Vec<Res> {
    vec![
        res("Look/look").key("new"),
        res("base").value_of("Look/look", "value").key("new"),
        res("Key/key").dep("base").key("new"),
        res("Slow/slow").dep("base").parent("Key/key", "id").value("new"),
        res("Moody/moody").dep("base").value("new"),
        res("Fixed/fixed").parent("base", "id"),
        res("Precious/precious").value_of("Moody/moody", "value"),
        res("new").parent("Moody/moody", "value"),
    ]
}

impl Scenario {
    async fn prepare(&self) -> World {
        let world = World::default();
        world.cloud.set_fact("fact");
        if !self.before.is_empty() {
            world.up(&stack(&self.before)).await;
        }
        for (operation, urn, fault, times) in &self.faults {
            world.cloud.script(operation, urn, *fault, *times);
        }
        world.store.stop_at(None);
        world.cloud.stop_at(None);
        world
    }

    fn desired(&self) -> Stack {
        stack(&self.desired)
    }

    async fn run(&self, world: &World) {
        match self.command {
            Command::Up => drop(world.try_up(&self.desired()).await),
            Command::Down => drop(world.try_down().await),
        }
    }

    /// How many writes and calls the run makes when nothing stops it.
    fn size(&self) -> (usize, usize) {
        block(async {
            let world = self.prepare().await;
            self.run(&world).await;
            (world.store.writes(), world.cloud.calls())
        })
    }

    /// One interrupted run on a runtime of its own, then a second one on another.
    /// False if the interrupted run came to its end before (its writes are grouped differently each time).
    fn interrupted(&self, set: impl Fn(&World), what: &str) -> bool {
        let place = format!("{}, {what}", self.name);
        let (world, stopped) = block(async {
            let world = self.prepare().await;
            set(&world);
            let ended = world.or_stopped(self.run(&world)).await;
            (world, ended.is_none())
        });
        // The runtime and all its tasks are gone, and so is what the store had not synced.
        world.cloud.restart();
        world.store.stop_at(None);
        block(async {
            if let Err(error) = world.check_integrity() {
                panic!("{place}: {error}");
            }
            // A fault may strike the second run, or be found by it: then there is a third.
            let mut runs = if self.faults.is_empty() { 1 } else { 3 };
            loop {
                let report = match self.command {
                    Command::Up => world.try_up(&self.desired()).await,
                    Command::Down => world.try_down().await,
                };
                let report = report.unwrap_or_else(|error| panic!("{place}: {error}"));
                runs -= 1;
                if report.summary.complete() {
                    break;
                }
                assert!(runs > 0, "{place}: {:?}\n{:#?}", report.summary, world.log.failures());
            }
            if let Err(error) = world.check_exact(&self.desired()) {
                panic!("{place}: {error}");
            }
            world.assert_settled(&self.desired()).await;
        });
        stopped
    }

    fn exhaust(&self) {
        let (writes, calls) = self.size();
        assert!(writes > 5 && calls > 5, "{}: {writes} writes and {calls} calls are no run", self.name);
        let (mut points, mut stopped) = (0, 0);
        for write in 1..=writes {
            for moment in [Moment::Before, Moment::Torn, Moment::After] {
                let set = |world: &World| world.store.stop_at(Some((write, moment)));
                stopped += usize::from(self.interrupted(set, &format!("write {write} {moment:?}")));
                points += 1;
            }
        }
        for call in 1..=calls {
            for after in [false, true] {
                let set = |world: &World| world.cloud.stop_at(Some(Stop { call, after }));
                let side = if after { "after" } else { "before" };
                stopped += usize::from(self.interrupted(set, &format!("{side} call {call}")));
                points += 1;
            }
        }
        assert!(stopped * 10 >= points * 9, "{}: stopped at {stopped} of {points} points only", self.name);
    }
}

#[test]
fn in_the_first_up() {
    let scenario =
        Scenario { name: "first up", before: vec![], desired: first(), command: Command::Up, faults: vec![] };
    scenario.exhaust();
}

#[test]
fn in_an_up_that_changes_everything() {
    let scenario =
        Scenario { name: "second up", before: first(), desired: second(), command: Command::Up, faults: vec![] };
    scenario.exhaust();
}

#[test]
fn in_a_down() {
    let scenario = Scenario { name: "down", before: first(), desired: vec![], command: Command::Down, faults: vec![] };
    scenario.exhaust();
}

#[test]
fn in_a_chain_that_goes_before_its_successors_come() {
    let chain = |key| vec![res("Fixed/a").key(key), res("b").parent("Fixed/a", "id"), res("Key/c").parent("b", "id")];
    let scenario =
        Scenario { name: "chain", before: chain("k"), desired: chain("new"), command: Command::Up, faults: vec![] };
    scenario.exhaust();
}

#[test]
fn in_an_up_whose_objects_appear_late_and_whose_responses_are_lost() {
    // The run looks for them; the process stops meanwhile.
    let faults = vec![
        ("Create", "Key", Fault::LostAndLate, 1),
        ("Create", "base", Fault::LostAndLate, 1),
        ("Create", "Fixed", Fault::Late, 1),
        ("Create", "Slow", Fault::Late, 1),
    ];
    let scenario = Scenario { name: "late", before: vec![], desired: first(), command: Command::Up, faults };
    scenario.exhaust();
}

#[test]
fn in_an_up_with_a_life_cycle_that_fails() {
    let faults = vec![("Create", "Slow", Fault::Failed, 1)];
    let scenario = Scenario { name: "failed", before: vec![], desired: first(), command: Command::Up, faults };
    scenario.exhaust();
}

#[test]
fn a_second_crash_while_the_first_is_cleared_up() {
    let (before, desired) = (first(), second());
    let scenario = Scenario { name: "twice", before, desired, command: Command::Up, faults: vec![] };
    let (_, calls) = scenario.size();
    for call in (1..=calls).step_by(3) {
        for second in (1..=12).step_by(2) {
            let world = block(async {
                let world = scenario.prepare().await;
                world.cloud.stop_at(Some(Stop { call, after: true }));
                assert!(world.or_stopped(scenario.run(&world)).await.is_none());
                world
            });
            world.cloud.restart();
            world.cloud.stop_at(Some(Stop { call: second, after: true }));
            block(async { world.or_stopped(scenario.run(&world)).await });
            world.cloud.restart();
            block(async {
                world.check_integrity().unwrap_or_else(|error| panic!("calls {call} and {second}: {error}"));
                world.up(&scenario.desired()).await;
                world.assert_settled(&scenario.desired()).await;
            });
        }
    }
}
