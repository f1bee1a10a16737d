//! The herd lab: what comes back after an outage, under each policy (R9, R10, R11, R13).

use std::sync::LazyLock;

use outbox_sim::herd::{Failing, Herd, HerdOptions, Hint, Policy, Return, herd};

/// A small herd and a server that it could crush.
fn small() -> HerdOptions {
    HerdOptions { clients: 100, outage_ms: 120_000, capacity_per_s: 20, queue: 40, ..HerdOptions::default() }
}

static SMALL: LazyLock<Herd> = LazyLock::new(|| herd(&small()).unwrap());

fn under(herd: &Herd, jitter: bool, slow_start: bool) -> &Return {
    let policy = Policy { jitter, slow_start };
    herd.returns.iter().find(|row| row.policy == policy).unwrap()
}

#[test]
fn the_same_options_give_the_same_herd() {
    let options = HerdOptions { clients: 20, ..small() };
    let played = herd(&options).unwrap();
    assert_eq!(played, herd(&options).unwrap());
    assert_eq!(played.svg(), herd(&options).unwrap().svg());
    assert_ne!(played.returns, herd(&HerdOptions { seed: 2, ..options }).unwrap().returns);

    // Plain data: options and result survive as JSON.
    let kept = serde_json::to_string(&played).unwrap();
    assert_eq!(serde_json::from_str::<Herd>(&kept).unwrap(), played);
}

#[test]
fn every_request_is_counted_once_and_every_item_gets_through() {
    let (options, played) = (small(), &*SMALL);
    let items = u64::from(options.clients * options.items);
    assert_eq!(played.returns.len(), 4);
    for row in &played.returns {
        assert!(row.drained_50_ms <= row.drained_99_ms && row.drained_99_ms <= row.drained_ms);
        assert!(row.drained_ms.is_some(), "{:?} never drains", row.policy);
        assert_eq!(row.requests - row.refusals, items + row.repeats, "{:?}", row.policy);
        assert_eq!(row.arrivals_per_s.iter().max(), Some(&row.peak_per_s));
        assert!(row.requests_in_outage >= items, "each was tried during the outage");
        for (second, (all, away)) in row.arrivals_per_s.iter().zip(&row.refusals_per_s).enumerate() {
            let most = options.capacity_per_s + options.queue + 1;
            assert!(all - away <= most, "second {second}: {all} - {away} taken");
        }
    }
}

#[test]
fn jitter_breaks_up_the_herd() {
    // R10: all failed in the same second, and without jitter all come back in the same second.
    let played = &*SMALL;
    for slow_start in [true, false] {
        let (with, without) = (under(played, true, slow_start), under(played, false, slow_start));
        assert!(with.peak_per_s * 3 < without.peak_per_s, "{}", played.table());
        assert!(with.drained_ms < without.drained_ms, "{}", played.table());
        assert!(with.requests < without.requests, "{}", played.table());
    }
}

#[test]
fn slow_start_is_about_transport_failures_alone() {
    // R9, R12: an outage and an overload of 503s tell nothing about the network.
    let unavailable = Failing::Unavailable { retry_after_s: None };
    let options = HerdOptions { outage: unavailable, overload: unavailable, ..small() };
    let played = herd(&options).unwrap();
    for jitter in [true, false] {
        let (with, without) = (under(&played, jitter, true), under(&played, jitter, false));
        assert_eq!(Return { policy: without.policy, ..with.clone() }, *without);
    }
    // Refused connections do.
    assert_ne!(under(&SMALL, false, true).arrivals_per_s, under(&SMALL, false, false).arrivals_per_s);
}

#[test]
fn a_trigger_is_spread_over_a_second() {
    // R13: the flag flaps at the end of the outage. Nobody comes before the edge; all come within a second
    // of it, though their backoff would have been up to 60 s; one way of the network is 0 here.
    let options = HerdOptions {
        items: 1,
        lanes: 1,
        outage_ms: 200_000,
        hint: Hint::Flap,
        capacity_per_s: 10_000,
        network_ms: (0, 0),
        ..small()
    };
    let played = herd(&options).unwrap();
    let row = under(&played, true, true);
    assert_eq!(row.requests, 100);
    assert!(row.drained_ms.is_some_and(|ms| ms <= 1_001), "{}", played.table());
    assert!(row.drained_50_ms.is_some_and(|ms| (300..700).contains(&ms)), "{}", played.table());

    // What was never tried is not waiting: nothing spreads it. (A probe is due after 60 s only.)
    let offline = HerdOptions { hint: Hint::Offline, outage_ms: 50_000, queue: 1_000, ..options.clone() };
    let played = herd(&offline).unwrap();
    assert!(under(&played, true, true).drained_ms.is_some_and(|ms| ms <= 20), "{}", played.table());

    // Without the edge it takes as long as the backoff.
    let played = herd(&HerdOptions { hint: Hint::Online, ..options }).unwrap();
    assert!(under(&played, true, true).drained_ms.is_some_and(|ms| ms > 20_000), "{}", played.table());
}

#[test]
fn retry_after_holds_those_that_were_turned_away() {
    // R11: whoever is turned away stays away for 90 s; the edge brings no one of them back.
    let overload = Failing::Unavailable { retry_after_s: Some(90) };
    let options = HerdOptions { hint: Hint::Offline, queue: 20, overload, ..small() };
    let played = herd(&options).unwrap();
    for row in &played.returns {
        assert!(row.refusals > 0);
        let quiet = &row.arrivals_per_s[20..85];
        assert!(quiet.iter().all(|&arrivals| arrivals == 0), "{:?}: {quiet:?}", row.policy);
    }
}

#[test]
fn a_server_whose_queue_is_longer_than_patience_works_in_vain() {
    // R14: a reply after the timeout comes to nobody; the server has done it, and does it again.
    let options = HerdOptions {
        outage: Failing::Silent,
        overload: Failing::Silent,
        queue: 1_000,
        capacity_per_s: 10,
        hint: Hint::Flap,
        ..small()
    };
    let played = herd(&options).unwrap();
    assert!(played.returns.iter().all(|row| row.repeats > 0), "{}", played.table());
    assert!(played.returns.iter().all(|row| row.drained_ms.is_some()), "{}", played.table());
}

#[test]
fn the_plot_shows_every_policy_with_units_and_a_legend() {
    let svg = herd(&HerdOptions { clients: 20, ..small() }).unwrap().svg();
    assert_eq!(svg.matches(r#"class="panel""#).count(), 4);
    for words in
        ["requests/s", "capacity", "seconds since the end of the outage", "prefers-color-scheme: dark"]
    {
        assert!(svg.contains(words), "{words}");
    }
    assert!(!svg.contains("http://") || svg.matches("http").count() == 1, "it needs nothing from elsewhere");
}

#[test]
fn options_out_of_their_limits_are_an_error_that_names_them() {
    let broken = [
        ("clients", HerdOptions { clients: 0, ..small() }),
        ("items", HerdOptions { items: 0, ..small() }),
        ("lanes", HerdOptions { lanes: 4, ..small() }),
        ("capacityPerS", HerdOptions { capacity_per_s: 0, ..small() }),
        ("queue", HerdOptions { queue: 0, ..small() }),
        ("networkMs", HerdOptions { network_ms: (2, 1), ..small() }),
        ("timeoutMs", HerdOptions { timeout_ms: 0, ..small() }),
        ("maxConcurrency", HerdOptions { max_concurrency: 0, ..small() }),
    ];
    for (field, options) in broken {
        assert_eq!(herd(&options).unwrap_err().field, field);
    }
}
