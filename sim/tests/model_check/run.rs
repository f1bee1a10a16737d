//! Runs a world through the checker: its number of states, its marks, and the shortest way to what it breaks.

use stateright::{Checker, HasDiscoveries, Model};

use super::{
    marks::Mark,
    state::State,
    world::{NO_RULE_IS_BROKEN, WHAT_ENDS_ENDS_SETTLED, World},
};

/// Plays everything that can happen in `world`. Nothing may break, all of `marks` must have happened, and
/// it must have been `pinned` states.
pub(crate) fn exhaust(world: World, pinned: usize, marks: &[Mark]) {
    let seen = world.marks.clone();
    let checker = world.clone().checker().symmetry_fn(State::representative).spawn_dfs().join();
    if checker.discoveries().into_keys().next().is_some() {
        panic!("{}", shortest(world).unwrap_or_else(|| "a violation that was not found again".into()));
    }
    let missing: Vec<&Mark> = marks.iter().filter(|mark| !seen.has(**mark)).collect();
    assert!(missing.is_empty(), "this world never saw {missing:?}: the check says less than it seems to");
    let states = checker.unique_state_count();
    assert_eq!(
        states, pinned,
        "the number of states has drifted from {pinned} to {states}: the protocol, or what the core keeps of \
         its past, has changed. Find out which of your changes did it, and whether you meant it; then pin \
         {states} here",
    );
}

/// The same for a world that takes up to two minutes in a release build: only with `OUTBOX_CHECK=large`.
pub(crate) fn exhaust_large(world: World, pinned: usize, marks: &[Mark]) {
    if std::env::var("OUTBOX_CHECK").is_ok_and(|wanted| wanted == "large") {
        exhaust(world, pinned, marks);
    }
}

/// Which rule a world with a planted fault breaks, if any.
pub(crate) fn found(world: World) -> Option<(&'static str, Option<&'static str>)> {
    let any = world.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let (property, path) = any.discoveries().into_iter().next()?;
    Some((property, path.last_state().broken))
}

/// The shortest way to a violation, in words.
fn shortest(world: World) -> Option<String> {
    let checker = world.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let property = [NO_RULE_IS_BROKEN, WHAT_ENDS_ENDS_SETTLED];
    let path = property.into_iter().find_map(|property| checker.discovery(property))?;
    let last = path.last_state().clone();
    let broken = last.broken.unwrap_or(WHAT_ENDS_ENDS_SETTLED);
    let steps: Vec<String> = path.into_actions().iter().map(|action| format!("  {action:?}")).collect();
    Some(format!("{broken}, after {} steps:\n{}\n{last:?}", steps.len(), steps.join("\n")))
}
