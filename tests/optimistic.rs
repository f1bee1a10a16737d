//! R22: the optimistic state is the base with the pending items folded on, at the price of what changed.

use std::collections::BTreeMap;

use outbox::{
    Item, ItemId, Json, Key, Outcome, Place, Projection, Seq, SerializedError, Timestamp, Unapplied, View,
    ViewChange,
};
use proptest::prelude::*;

/// A log: order matters, nothing is idempotent.
type Log = Vec<i64>;

fn projection() -> Projection<Log> {
    Projection::new().on("add", |log: &mut Log, number: &i64| log.push(*number)).on_confirmed(
        "number",
        |log: &mut Log, number: &i64| log.push(-number),
        |log, number, result: Option<&Json>| log.push(result.map_or(*number, |id| id.parse().unwrap())),
    )
}

fn view(base: &[i64]) -> View<Log> {
    View::new(projection(), base.to_vec())
}

fn item(mutator: &str, args: &str) -> Item {
    Item {
        id: ItemId::new("a").unwrap(),
        seq: None,
        mutator_name: mutator.into(),
        args: Json::from_text(args).unwrap(),
        key: Key::UNKNOWN,
        idempotency_key: None,
        created_at: Timestamp::ZERO,
        retry_count: 0,
        next_attempt_at: Timestamp::ZERO,
        retry_after: None,
        last_class: None,
        last_error: None,
        metadata: None,
        claimed: false,
        barrier: false,
        rewrites: 0,
        version: 1,
    }
}

fn stored(seq: u64) -> Place {
    Place::Stored(Seq(seq))
}

fn set(place: Place, mutator: &str, args: &str) -> ViewChange {
    ViewChange::Set { place, item: item(mutator, args).into() }
}

fn add(seq: u64) -> ViewChange {
    set(stored(seq), "add", &seq.to_string())
}

fn left(place: Place, outcome: Outcome) -> ViewChange {
    ViewChange::Left { place, outcome: Some(outcome) }
}

fn committed(seq: u64) -> ViewChange {
    left(stored(seq), Outcome::Committed { result: None })
}

fn dropped(seq: u64) -> ViewChange {
    left(stored(seq), Outcome::Dropped { error: SerializedError::new("E", "no") })
}

fn feed(view: &mut View<Log>, changes: impl IntoIterator<Item = ViewChange>) {
    for change in changes {
        assert_eq!(view.change(change), None);
    }
}

#[test]
fn r22_items_fold_in_the_order_of_their_places() {
    let mut view = view(&[100]);
    feed(&mut view, [add(5), set(Place::Writing(1), "add", "7"), add(2), set(Place::Writing(2), "add", "8")]);
    assert_eq!(view.state(), &[100, 2, 5, 7, 8], "items still being written come last");
    feed(&mut view, [ViewChange::Moved { from: Place::Writing(1), to: stored(3) }]);
    assert_eq!(view.state(), &[100, 2, 7, 5, 8]);
    assert_eq!(view.base(), &[100]);
}

#[test]
fn r22_a_failed_write_takes_its_effect_back() {
    let mut view = view(&[]);
    feed(&mut view, [set(Place::Writing(1), "add", "1"), set(Place::Writing(2), "add", "2")]);
    assert_eq!(view.state(), &[1, 2]);
    feed(&mut view, [ViewChange::Left { place: Place::Writing(1), outcome: None }]);
    assert_eq!(view.state(), &[2]);
}

#[test]
fn r22_a_commit_goes_into_the_base_without_a_flicker() {
    let mut view = view(&[]);
    feed(&mut view, [add(1), add(2), add(3)]);
    assert_eq!(view.state(), &[1, 2, 3]);
    feed(&mut view, [committed(1)]);
    assert_eq!((view.base(), view.folds()), (&vec![1], 4));
    assert_eq!(
        (view.state().clone(), view.folds()),
        (vec![1, 2, 3], 4),
        "the oldest one costs one application"
    );
    feed(&mut view, [committed(3)]);
    assert_eq!(view.base(), &[1, 3]);
    assert_eq!(view.state(), &[1, 3, 2], "it happened at the server before 2 did");
}

/// Found by the proptest below: a state taken up from the base, with nothing folded on, outlived the base.
#[test]
fn r22_a_commit_of_the_only_item_renews_what_is_folded() {
    let mut view = view(&[]);
    feed(&mut view, [add(1)]);
    view.state();
    feed(&mut view, [committed(1), add(2), add(3), committed(2)]);
    assert_eq!(view.state(), &[1, 2, 3]);
}

#[test]
fn r22_every_other_end_takes_the_effect_back() {
    let into = ItemId::new("b").unwrap();
    for outcome in [Outcome::Removed, Outcome::Gone, Outcome::Squashed { into }] {
        let mut view = view(&[]);
        feed(&mut view, [add(1), add(2), left(stored(1), outcome)]);
        assert_eq!((view.state().clone(), view.base().len()), (vec![2], 0));
    }
}

#[test]
fn r22_a_rewrite_recomputes() {
    let mut view = view(&[]);
    feed(&mut view, [add(1), add(2)]);
    assert_eq!(view.state(), &[1, 2]);
    feed(&mut view, [set(stored(1), "add", "10")]);
    assert_eq!(view.state(), &[10, 2]);
    let before = view.folds();
    feed(&mut view, [set(stored(1), "add", "10")]);
    assert_eq!((view.state().clone(), view.folds()), (vec![10, 2], before), "the same args cost nothing");
}

#[test]
fn r22_a_confirmed_form_sees_the_result() {
    let mut view = view(&[]);
    feed(&mut view, [set(stored(1), "number", "1"), set(stored(2), "number", "2")]);
    assert_eq!(view.state(), &[-1, -2]);
    feed(&mut view, [left(stored(1), Outcome::Committed { result: Some(Json::from_text("900").unwrap()) })]);
    assert_eq!(view.state(), &[900, -2]);
    feed(&mut view, [committed(2)]);
    assert_eq!(view.state(), &[900, 2], "the result is not known in every replica");
}

#[test]
fn r22_a_new_base_replaces_the_base_or_an_item_as_well() {
    let mut view = view(&[]);
    feed(&mut view, [add(1), add(2)]);
    view.rebase(vec![50]);
    assert_eq!(view.state(), &[50, 1, 2]);
    view.settle_with(stored(1), vec![50, 1]);
    assert_eq!(view.state(), &[50, 1, 2], "no moment with it twice, or not at all");
    feed(&mut view, [committed(1)]);
    assert_eq!(view.state(), &[50, 1, 2], "what has left already does nothing");
}

#[test]
fn r22_mutators_without_a_function_do_not_touch_the_state() {
    let mut view = view(&[9]);
    feed(&mut view, [add(2)]);
    assert_eq!((view.state().clone(), view.folds()), (vec![9, 2], 1));
    feed(&mut view, [set(stored(1), "log", "{}"), dropped(1), committed(77)]);
    assert_eq!((view.state().clone(), view.folds()), (vec![9, 2], 1));
}

#[test]
fn r22_args_that_do_not_parse_are_skipped_and_told_once() {
    let mut view = view(&[]);
    let bad = set(Place::Writing(1), "add", r#""two""#);
    let Some(Unapplied { mutator_name, cause, .. }) = view.change(bad.clone()) else { panic!("not told") };
    assert_eq!(&*mutator_name, "add");
    assert_eq!(cause, "invalid type: string \"two\", expected i64 at line 1 column 5");
    assert_eq!(view.change(bad), None);
    feed(
        &mut view,
        [
            ViewChange::Moved { from: Place::Writing(1), to: stored(1) },
            set(stored(1), "add", r#""two""#),
            add(2),
        ],
    );
    assert_eq!(view.state(), &[2]);
    feed(&mut view, [set(stored(1), "add", "1")]);
    assert_eq!(view.state(), &[1, 2], "a rewrite made it readable");
    assert!(view.change(set(stored(1), "add", "[]")).is_some());
    assert_eq!(view.state(), &[2]);
    feed(&mut view, [committed(1)]);
    assert_eq!((view.state().clone(), view.base().len()), (vec![2], 0));
}

#[test]
fn work_follows_what_changed() {
    const ITEMS: u64 = 10_000;
    let mut view = view(&[]);
    feed(&mut view, (1..=ITEMS).map(add));
    assert_eq!(view.folds(), 0, "nothing is folded until the state is asked for");
    assert_eq!(view.state().len() as u64, ITEMS);
    assert_eq!(view.folds(), ITEMS);
    view.state();
    assert_eq!(view.folds(), ITEMS, "asking again costs nothing");

    let mut spent = view.folds();
    let mut work = |view: &mut View<Log>| {
        view.state();
        let work = view.folds() - spent;
        spent = view.folds();
        work
    };
    feed(&mut view, [add(ITEMS + 1)]);
    assert_eq!(work(&mut view), 1, "an append");

    feed(
        &mut view,
        [
            set(Place::Writing(1), "add", "1"),
            ViewChange::Moved { from: Place::Writing(1), to: stored(ITEMS + 2) },
        ],
    );
    assert_eq!(work(&mut view), 1, "a write acknowledged in its place");

    feed(&mut view, [dropped(ITEMS - 100)]);
    assert!((100..1200).contains(&work(&mut view)), "from the nearest checkpoint");

    feed(&mut view, (1..=1000).map(committed));
    assert_eq!(work(&mut view), 1000, "commits in order cost one application each");

    feed(&mut view, (0..100).map(|nth| dropped(5000 + 7 * nth)));
    assert!(work(&mut view) < 6500, "a wave costs one refold");

    feed(&mut view, (0..100).map(|nth| committed(7000 + nth)));
    assert!(work(&mut view) < 9000, "and so does a wave of commits out of order");
}

#[test]
fn a_view_can_move_between_threads() {
    fn is_send<T: Send + Sync>(_: &T) {}
    is_send(&view(&[]));
}

/// A change as drawn: `pick` chooses among the places there are.
#[derive(Clone, Debug)]
enum Step {
    Write { mutator: usize, number: i64 },
    Appear { seq: u64, mutator: usize, number: i64 },
    Ack { pick: usize, seq: u64 },
    Rewrite { pick: usize, number: i64 },
    Leave { pick: usize, how: usize },
    Rebase { number: i64 },
    SettleWith { pick: usize, number: i64 },
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    let number = -9_i64..1000;
    prop_oneof![
        4 => (0..4_usize, number.clone()).prop_map(|(mutator, number)| Step::Write { mutator, number }),
        2 => (1..400_u64, 0..4_usize, number.clone())
            .prop_map(|(seq, mutator, number)| Step::Appear { seq, mutator, number }),
        3 => (any::<usize>(), 1..400_u64).prop_map(|(pick, seq)| Step::Ack { pick, seq }),
        1 => (any::<usize>(), number.clone()).prop_map(|(pick, number)| Step::Rewrite { pick, number }),
        2 => (prop_oneof![Just(0), any::<usize>()], 0..5_usize)
            .prop_map(|(pick, how)| Step::Leave { pick, how }),
        1 => number.clone().prop_map(|number| Step::Rebase { number }),
        1 => (any::<usize>(), number).prop_map(|(pick, number)| Step::SettleWith { pick, number }),
        3 => Just(Step::Look),
    ]
}

const MUTATORS: [&str; 4] = ["add", "number", "silent", "bad"];

/// Everything from scratch, every time.
#[derive(Default)]
struct Model {
    base: Log,
    items: BTreeMap<Place, (usize, i64)>,
    writes: u64,
}

impl Model {
    fn state(&self) -> Log {
        let mut state = self.base.clone();
        for (mutator, number) in self.items.values() {
            match MUTATORS[*mutator] {
                "add" => state.push(*number),
                "number" => state.push(-number),
                _ => (),
            }
        }
        state
    }

    fn pick(&self, pick: usize) -> Option<Place> {
        self.items.keys().nth(pick.checked_rem(self.items.len())?).copied()
    }

    /// Does one step to the model; what to tell the view.
    fn step(&mut self, step: &Step) -> Option<ViewChange> {
        match *step {
            Step::Write { mutator, number } => {
                self.writes += 1;
                Some(self.put(Place::Writing(self.writes), mutator, number))
            }
            Step::Appear { seq, mutator, number } => {
                (!self.items.contains_key(&stored(seq))).then(|| self.put(stored(seq), mutator, number))
            }
            Step::Ack { pick, seq } => {
                let writing: Vec<Place> =
                    self.items.range(Place::Writing(0)..).map(|(place, _)| *place).collect();
                let (from, to) = (*writing.get(pick.checked_rem(writing.len())?)?, stored(seq));
                if self.items.contains_key(&to) {
                    return None;
                }
                let item = self.items.remove(&from)?;
                self.items.insert(to, item);
                Some(ViewChange::Moved { from, to })
            }
            Step::Rewrite { pick, number } => {
                let place = self.pick(pick)?;
                let mutator = self.items[&place].0;
                Some(self.put(place, mutator, number))
            }
            Step::Leave { pick, how } => {
                let place = self.pick(pick)?;
                let (mutator, number) = self.items.remove(&place)?;
                let result = (number % 2 == 0).then(|| Json::from_text("7777").unwrap());
                let outcome = match how {
                    0 => None,
                    1 => Some(Outcome::Removed),
                    _ => {
                        match MUTATORS[mutator] {
                            "add" => self.base.push(number),
                            "number" => self.base.push(if result.is_some() { 7777 } else { number }),
                            _ => (),
                        }
                        Some(Outcome::Committed { result })
                    }
                };
                Some(ViewChange::Left { place, outcome })
            }
            Step::Rebase { .. } | Step::SettleWith { .. } | Step::Look => None,
        }
    }

    fn put(&mut self, place: Place, mutator: usize, number: i64) -> ViewChange {
        self.items.insert(place, (mutator, number));
        let (name, args) = match MUTATORS[mutator] {
            "bad" => ("add", format!("[{number}]")),
            name => (name, number.to_string()),
        };
        set(place, name, &args)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r22_the_view_is_the_fold(pending in 0..200_u64, steps in prop::collection::vec(step(), 1..200)) {
        let (mut model, mut view) = (Model::default(), view(&[]));
        for seq in 1..=pending {
            view.change(model.put(stored(2 * seq), 0, 1));
        }
        for step in &steps {
            if let Some(change) = model.step(step) {
                view.change(change);
            }
            match *step {
                Step::Rebase { number } => {
                    model.base = vec![number];
                    view.rebase(vec![number]);
                }
                Step::SettleWith { pick, number } => {
                    if let Some(place) = model.pick(pick) {
                        model.items.remove(&place);
                        model.base = vec![number];
                        view.settle_with(place, vec![number]);
                    }
                }
                Step::Look => prop_assert_eq!(view.state(), &model.state()),
                _ => (),
            }
            prop_assert_eq!(view.base(), &model.base);
        }
        prop_assert_eq!(view.state(), &model.state());
    }
}
