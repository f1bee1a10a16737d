//! The office over real HTTP on loopback: what arrives twice takes effect once (R21), and pages that were
//! away get what they missed.

use std::{fs, future::Future, time::Duration};

use outbox_demo_server::{Settings, serve, trouble::CLIENT};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};

/// An office with a page and a database of its own.
struct Running {
    url: String,
    client: Client,
    folder: TempDir,
    task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    async fn start_in(folder: TempDir) -> Self {
        fs::write(folder.path().join("index.html"), "the board").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let settings = Settings { page: folder.path().into(), database: folder.path().join("office.sqlite") };
        let task = tokio::spawn(async move { serve(listener, &settings).await });
        Self { url, client: Client::new(), folder, task }
    }

    /// Ends it without a farewell and starts it again on the same database.
    async fn restart(self) -> Self {
        self.task.abort();
        self.task.await.unwrap_err();
        Self::start_in(self.folder).await
    }

    fn patch(&self, id: &str, key: &str, edit: &Value) -> RequestBuilder {
        let request = self.client.patch(format!("{}/visits/{id}", self.url));
        request.header("Idempotency-Key", key).header(CLIENT, "a").json(edit)
    }

    async fn trouble(&self, trouble: &Value) {
        let request = self.client.put(format!("{}/trouble", self.url)).header(CLIENT, "a").json(trouble);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    }

    async fn tally(&self) -> Value {
        let request = self.client.get(format!("{}/trouble", self.url)).header(CLIENT, "a");
        request.send().await.unwrap().json::<Value>().await.unwrap()["tally"].take()
    }

    async fn events(&self, last: Option<&str>) -> Events {
        let mut request = self.client.get(format!("{}/changes", self.url));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        Events { response: request.send().await.unwrap(), text: String::new() }
    }
}

/// A page's event stream.
struct Events {
    response: Response,
    text: String,
}

impl Events {
    /// The next event: its kind, its id, its data.
    async fn next(&mut self) -> (String, String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    String::from(line.unwrap_or_else(|| panic!("no {name} in {event}")).trim())
                };
                let read = (field("event:"), field("id:"), serde_json::from_str(&field("data:")).unwrap());
                self.text = rest.into();
                return read;
            }
            let chunk = soon(self.response.chunk()).await.unwrap().expect("the stream goes on");
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }
}

async fn soon<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(10), future).await.expect("it happens within 10 s")
}

async fn read(response: Response) -> (u16, String) {
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn the_same_key_twice_is_one_effect_and_one_answer() {
    let office = Running::start().await;
    let edit = json!({ "note": "K3 replaced" });
    let first = read(office.patch("v-107", "key-1", &edit).send().await.unwrap()).await;
    let again = office.patch("v-107", "key-1", &edit).send().await.unwrap();
    assert_eq!(again.headers()["idempotency-repeated"], "true");
    assert_eq!(read(again).await, first, "byte for byte");
    assert_eq!(first.0, 200);
    assert_eq!(office.tally().await, json!({ "arrived": 2, "effects": 1, "repeats": 1 }));
}

#[tokio::test]
async fn two_attempts_at_the_same_time_are_one_effect() {
    let office = Running::start().await;
    let edit = json!({ "status": "done" });
    let attempts: Vec<_> =
        (0..8).map(|_| tokio::spawn(office.patch("v-105", "key-1", &edit).send())).collect();
    let mut answers = Vec::new();
    for attempt in attempts {
        answers.push(read(attempt.await.unwrap().unwrap()).await);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(office.tally().await, json!({ "arrived": 8, "effects": 1, "repeats": 7 }));
}

#[tokio::test]
async fn a_reply_that_was_lost_is_given_again_after_a_restart_too() {
    let office = Running::start().await;
    let edit = json!({ "assignee": "Mei" });
    office.trouble(&json!({ "dropReplies": true })).await;
    let lost = office.patch("v-107", "key-1", &edit).send().await;
    let body = match lost {
        Ok(response) => response.text().await,
        Err(error) => Err(error),
    };
    assert!(body.is_err(), "the reply breaks off: {body:?}");
    assert_eq!(office.tally().await["effects"], 1);

    let office = office.restart().await;
    let again = office.patch("v-107", "key-1", &edit).send().await.unwrap();
    assert_eq!(again.headers()["idempotency-repeated"], "true");
    let change: Value = again.json().await.unwrap();
    assert_eq!(change["visit"]["assignee"], "Mei");
    assert_eq!(change["seq"], 8, "the first effect after the seven of the day");
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_is_kept() {
    let office = Running::start().await;
    let edit = json!({ "note": "?" });
    let first = read(office.patch("v-999", "key-1", &edit).send().await.unwrap()).await;
    assert_eq!(first.0, 404);
    assert!(first.1.contains("The visit was deleted meanwhile."), "{}", first.1);
    let create = json!({ "id": "v-999", "customer": "Late", "task": "", "time": "", "assignee": "",
        "status": "planned", "note": "" });
    let url = format!("{}/visits/v-999", office.url);
    let created =
        office.client.put(url).header("Idempotency-Key", "key-2").json(&create).send().await.unwrap();
    assert_eq!(created.status(), 200);
    assert_eq!(read(office.patch("v-999", "key-1", &edit).send().await.unwrap()).await, first);
}

#[tokio::test]
async fn a_key_with_another_request_is_refused() {
    let office = Running::start().await;
    office.patch("v-107", "key-1", &json!({ "note": "a" })).send().await.unwrap();
    let (status, body) =
        read(office.patch("v-107", "key-1", &json!({ "note": "b" })).send().await.unwrap()).await;
    assert_eq!(status, 422);
    assert!(body.contains("key-reused"), "{body}");
}

#[tokio::test]
async fn a_write_without_a_key_or_that_cannot_be_read_is_refused() {
    let office = Running::start().await;
    let url = format!("{}/visits/v-107", office.url);
    let (status, body) = read(office.client.delete(&url).send().await.unwrap()).await;
    assert_eq!((status, body.contains("no-key")), (400, true), "{body}");
    let (status, body) =
        read(office.patch("v-107", "key-1", &json!({ "nots": "b" })).send().await.unwrap()).await;
    assert_eq!((status, body.contains("unknown field `nots`")), (422, true), "{body}");
}

#[tokio::test]
async fn not_now_is_not_stored() {
    let office = Running::start().await;
    let edit = json!({ "note": "later" });
    office.trouble(&json!({ "retryAfter": 7 })).await;
    let busy = office.patch("v-107", "key-1", &edit).send().await.unwrap();
    assert_eq!((busy.status().as_u16(), &busy.headers()["retry-after"]), (503, &"7".parse().unwrap()));
    office.trouble(&json!({ "loggedOut": true })).await;
    assert_eq!(office.patch("v-107", "key-1", &edit).send().await.unwrap().status(), 401);
    office.client.post(format!("{}/login", office.url)).header(CLIENT, "a").send().await.unwrap();
    office.trouble(&json!({ "refuse": "v-101" })).await;
    assert_eq!(office.patch("v-101", "key-2", &edit).send().await.unwrap().status(), 422);
    let done = office.patch("v-107", "key-1", &edit).send().await.unwrap();
    assert_eq!((done.status().as_u16(), done.headers().contains_key("idempotency-repeated")), (200, false));
}

#[tokio::test]
async fn trouble_is_made_for_its_client_alone() {
    let office = Running::start().await;
    office.trouble(&json!({ "loggedOut": true })).await;
    let other = office.client.patch(format!("{}/visits/v-107", office.url)).header(CLIENT, "b");
    let answer = other.header("Idempotency-Key", "key-1").json(&json!({ "note": "b" })).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_page_that_was_away_gets_what_it_missed() {
    let office = Running::start().await;
    let mut events = office.events(None).await;
    let (kind, id, data) = events.next().await;
    assert_eq!(
        (kind.as_str(), &data["seq"], data["visits"].as_array().unwrap().len()),
        ("snapshot", &json!(7), 7)
    );
    drop(events);
    for (key, note) in [("key-1", "one"), ("key-2", "two")] {
        office.patch("v-107", key, &json!({ "note": note })).send().await.unwrap();
    }
    let mut events = office.events(Some(&id)).await;
    for (seq, note) in [(8, "one"), (9, "two")] {
        let (kind, _, data) = events.next().await;
        assert_eq!(
            (kind.as_str(), &data["seq"], &data["visit"]["note"]),
            ("change", &json!(seq), &json!(note))
        );
    }
    office.patch("v-107", "key-3", &json!({ "note": "three" })).send().await.unwrap();
    assert_eq!(events.next().await.2["visit"]["note"], "three", "and it stays open");
}

#[tokio::test]
async fn an_event_id_of_another_database_gets_everything() {
    let office = Running::start().await;
    for last in ["another:3", "nonsense"] {
        assert_eq!(office.events(Some(last)).await.next().await.0, "snapshot");
    }
    let (_, id, _) = office.events(None).await.next().await;
    let ahead = id.replace(":7", ":700");
    assert_eq!(office.events(Some(&ahead)).await.next().await.0, "snapshot");
}

#[tokio::test]
async fn the_page_is_served_with_its_policy() {
    let office = Running::start().await;
    let page = office.client.get(&office.url).send().await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("wasm-unsafe-eval"));
    assert_eq!(page.text().await.unwrap(), "the board");
    let missing = office.client.get(format!("{}/../Cargo.toml", office.url)).send().await.unwrap();
    assert_eq!(missing.status(), 404);
}
