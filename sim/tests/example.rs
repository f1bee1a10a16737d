//! The example of an app of one's own: the simulator finds its bug, makes it small, and replays it from
//! plain data; the mended server holds under the same and under other scenarios (R21, R29).

#[expect(dead_code, reason = "its `main` is for people")]
#[path = "../examples/van_stock.rs"]
mod van_stock;

use outbox_sim::{
    scenario::{Action, Scenario, What},
    shrink::{self, Shrunk},
};
use van_stock::{Van, drawn, search};

const BROKEN: Van = Van { looks_at_keys: false };
const MENDED: Van = Van { looks_at_keys: true };

#[test]
fn a_server_that_ignores_keys_is_found_and_the_counter_example_is_small() {
    let (_, Shrunk { scenario, violation, .. }) = search(BROKEN, 0..100).unwrap();
    assert_eq!(violation.oracle, "stock", "{}", violation.what);

    // Of more than a hundred steps and faults, a handful says it.
    assert!(scenario.steps.len() + scenario.faults.len() <= 8, "{scenario:#?}");
    assert!(scenario.steps.iter().any(|step| matches!(step.action, Action::Enqueue { .. })));

    // It can be kept: as plain data it breaks the same promise at the same moment.
    let kept = serde_json::to_string(&scenario).unwrap();
    let replayed: Scenario = serde_json::from_str(&kept).unwrap();
    assert_eq!(shrink::verdict(&BROKEN, &replayed), Some(violation));

    assert_eq!(shrink::verdict(&MENDED, &scenario), None);
}

#[test]
fn a_server_that_looks_at_keys_holds() {
    let mut lost = 0;
    for seed in 0..30 {
        let scenario = drawn(MENDED, seed);
        lost += scenario.faults.iter().filter(|fault| matches!(fault.what, What::LoseReply)).count();
        assert_eq!(shrink::verdict(&MENDED, &scenario), None, "seed {seed}");
    }
    assert!(lost > 0, "no reply is ever lost: this proves nothing");
}

#[test]
fn the_same_seed_draws_the_same_for_the_same_app() {
    assert_eq!(drawn(BROKEN, 7), drawn(BROKEN, 7));
    assert_ne!(drawn(BROKEN, 7).steps, drawn(BROKEN, 8).steps);
}
