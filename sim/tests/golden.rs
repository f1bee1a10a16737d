//! Golden stories: three courses of events whose effects are the same, effect for effect, here and from every
//! driver (R1–R6, R10, R15). This crate pins them in `snapshots/golden_*.snap`; the drivers' tests let real
//! stores, locks and clocks play the same, and compare the stories of their recordings with these.

#[expect(dead_code, reason = "each test uses its part")]
mod scenes;

use std::{cell::RefCell, rc::Rc};

use outbox::{AttemptOutcome, Class, Failure, Json, Mutator, Recording, Registry, SerializedError};
use outbox_sim::{
    app::{Answer, App, Request, Server},
    moment::Moment,
    oracle::{Facts, Oracle},
    run,
    scenario::{Action, Options, Scenario, Step},
    world::World,
};
use scenes::{open, scene, step};
use serde::Deserialize;

/// An app of one mutator, whose replica in tab 0 is recorded.
struct Recorded(Rc<RefCell<Option<Recording>>>);

/// What to write, and what the server makes of each attempt to: the last counts for all that follow.
#[derive(Deserialize)]
struct Todo {
    server: Vec<String>,
}

impl App for Recorded {
    fn registry(&self, _build: u32) -> Registry {
        let mut registry = Registry::new();
        registry.register(Mutator::<Json>::new("addTodo"));
        registry
    }

    fn newest_build(&self) -> u32 {
        1 // as `open` opens
    }

    fn server(&self, _scenario: &Scenario) -> Box<dyn Server> {
        Box::new(AsTold)
    }

    fn oracles(&self, _scenario: &Scenario) -> Vec<Box<dyn Oracle>> {
        vec![Box::new(Recorder(Rc::clone(&self.0)))]
    }
}

struct AsTold;

impl Server for AsTold {
    fn serve(&mut self, request: &Request) -> Answer {
        let Todo { server } = request.args.parse().expect("the args of these stories");
        let nth = (request.attempt as usize).min(server.len()) - 1;
        let class = match server[nth].as_str() {
            "ok" => return Answer::applied(Some(Json::null())),
            "unavailable" => Class::Server,
            "refused" => Class::NonRetriable,
            other => panic!("{other} is nothing that this server does"),
        };
        let error = SerializedError::new("Answer", &server[nth]);
        Answer {
            outcome: AttemptOutcome::Failure(Failure { class, error, retry_after_ms: None }),
            applied: false,
        }
    }
}

/// Not a judge: it writes down what tab 0 is told.
struct Recorder(Rc<RefCell<Option<Recording>>>);

impl Oracle for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn rules(&self) -> &'static [&'static str] {
        &[]
    }

    fn see(&mut self, world: &World, _facts: &Facts, moment: &Moment<'_>) -> Result<(), String> {
        if let Moment::Input { tab: 0, input } = moment {
            let page = world.page(0).expect("it is told something");
            let mut recording = self.0.borrow_mut();
            let new = || Recording::new(page.outbox.config().clone(), page.clock);
            recording.get_or_insert_with(new).push(world.time_of(page), input);
        }
        Ok(())
    }
}

fn add_todo(at_ms: u64, item: u32, key: &str, server: &[&str]) -> Step {
    let args = Json::from_value(&serde_json::json!({ "id": key, "server": server })).expect("it is JSON");
    step(at_ms, 0, Action::Enqueue { item, mutator: "addTodo".into(), args })
}

/// Plays the steps in one tab and compares the story with `snapshots/golden_NAME.snap`.
#[track_caller]
fn tell(name: &str, steps: Vec<Step>) {
    let recording = Rc::default();
    let app = Recorded(Rc::clone(&recording));
    let ends_ms = steps.iter().map(|step| step.at_ms).max().unwrap_or(0) + 900;
    let report =
        run(&app, &scene(Options::default(), [vec![open(0, 0)], steps].concat(), Vec::new(), ends_ms));
    assert_eq!(report.violation, None);
    let story = recording.borrow().as_ref().expect("tab 0 was open").story().expect("a valid configuration");
    // Whether it is elected before its first load is asked for is a matter of luck elsewhere.
    let (_, story) = story.split_once("leading\n").expect("it leads");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("golden_{name}"), story));
}

/// Two items of one lane, the second when the first is gone. To see: each is born claimed, sent once its
/// insert is durable, and gone when its delete is.
#[test]
fn online() {
    tell("online", vec![add_todo(100, 1, "a", &["ok"]), add_todo(300, 2, "a", &["ok"])]);
}

/// Two items of one lane while there is no network. To see: each is stored and nothing is sent; when the
/// network is back, one is claimed and sent after the other.
#[test]
fn offline() {
    let online = |at_ms, online| step(at_ms, 0, Action::Online(online));
    tell(
        "offline",
        vec![
            online(50, false),
            add_todo(100, 1, "a", &["ok"]),
            add_todo(200, 2, "a", &["ok"]),
            online(300, true),
        ],
    );
}

/// An item fails, is repeated a second later, and is refused for good. To see: its delete leaves a failure
/// record in the same transaction, its lane goes on, and the record is there until it is dismissed.
#[test]
fn refused() {
    tell(
        "refused",
        vec![
            add_todo(100, 1, "a", &["unavailable", "refused"]),
            add_todo(1_500, 2, "a", &["ok"]),
            step(1_700, 0, Action::DismissFailure { item: 1 }),
        ],
    );
}
