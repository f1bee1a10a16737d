//! Against a real HTTP server on loopback (R11, R12, R21).

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![cfg(feature = "http")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use common::{Todo, todo, until, within};
use outbox_tokio::{
    Attempt, Executor, Settled,
    http::{RequestBuilderExt, ResponseExt, UNAUTHORIZED},
    outbox::{Class, Event, Mutator},
};
use tokio::net::TcpListener;

/// Answers as scripted, then 200; keeps the idempotency keys it saw.
#[derive(Clone, Default)]
struct Server {
    script: Arc<Mutex<VecDeque<Answer>>>,
    keys: Arc<Mutex<Vec<Option<String>>>>,
}

enum Answer {
    Status(StatusCode, Option<&'static str>),
    Hang,
}

impl Server {
    async fn start(script: impl IntoIterator<Item = Answer>) -> (Self, SocketAddr) {
        let server = Self { script: Arc::new(Mutex::new(script.into_iter().collect())), ..Self::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        server.clone().serve(listener);
        (server, address)
    }

    fn serve(self, listener: TcpListener) {
        let router = Router::new().route("/todos", post(Self::answer)).with_state(self);
        tokio::spawn(async move { axum::serve(listener, router).await });
    }

    async fn answer(State(server): State<Self>, headers: HeaderMap, body: String) -> Response {
        let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap().to_owned());
        server.keys.lock().unwrap().push(key);
        let next = server.script.lock().unwrap().pop_front();
        match next {
            Some(Answer::Status(status, Some(delay))) => (status, [("retry-after", delay)]).into_response(),
            Some(Answer::Status(status, None)) => status.into_response(),
            Some(Answer::Hang) => std::future::pending().await,
            None => body.into_response(),
        }
    }
}

async fn start(address: SocketAddr) -> Executor {
    let client = reqwest::Client::new();
    let send = move |attempt: Attempt<Todo>| {
        let client = client.clone();
        async move {
            let body = serde_json::to_vec(&attempt.args)?;
            let request =
                client.post(format!("http://{address}/todos?token=secret")).idempotency_key(&attempt);
            let answer = request.body(body).timeout(Duration::from_millis(500)).send().await?.accepted()?;
            Ok(serde_json::from_str::<Todo>(&answer.text().await?)?)
        }
    };
    let mutator = Mutator::<Todo>::new("addTodo").idempotency_key();
    Executor::builder("todos").jitter(false).mutator(mutator, send).memory().start().await.unwrap()
}

fn failure(event: &Event) -> Option<(u32, String, String)> {
    match event {
        Event::AttemptFailed { attempt, error, .. } => {
            Some((*attempt, error.name.clone(), error.message.clone()))
        }
        _ => None,
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says_with_the_same_idempotency_key_r11_r21() {
    let busy = Answer::Status(StatusCode::SERVICE_UNAVAILABLE, Some("2"));
    let (server, address) = Server::start([busy]).await;
    let executor = start(address).await;
    let begun = Instant::now();
    let handle = executor.enqueue("addTodo", &todo("1")).await.unwrap().typed::<Todo>();
    assert_eq!(within("the result", handle).await.unwrap(), Settled::Committed(Some(todo("1"))));
    assert!(begun.elapsed() >= Duration::from_secs(2), "the backoff alone would be 1 s");
    let keys = server.keys.lock().unwrap();
    assert_eq!(keys.len(), 2);
    assert!(keys[0].is_some());
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_refusal_drops_and_an_expired_login_does_not_r12() {
    let refused = Answer::Status(StatusCode::UNPROCESSABLE_ENTITY, None);
    let expired = Answer::Status(StatusCode::UNAUTHORIZED, None);
    let (_server, address) = Server::start([refused, expired]).await;
    let executor = start(address).await;
    let first = executor.enqueue("addTodo", &todo("1")).await.unwrap();
    let Settled::Dropped(error) = within("the refusal", first).await.unwrap() else { panic!("not dropped") };
    assert_eq!(error.message, "the server answered 422 Unprocessable Entity");
    let mut events = executor.events();
    let second = executor.enqueue("addTodo", &todo("2")).await.unwrap();
    assert_eq!(until(&mut events, "the 401", failure).await.1, UNAUTHORIZED);
    assert!(within("the retry", second).await.unwrap().is_committed());
}

#[tokio::test]
async fn no_answer_is_a_transport_failure_and_the_address_is_not_stored_r12_r25() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let executor = start(address).await;
    let mut events = executor.events();
    let handle = executor.enqueue("addTodo", &todo("1")).await.unwrap();
    let (attempt, name, message) = until(&mut events, "the refused connection", failure).await;
    assert_eq!((attempt, name.as_str()), (1, "ConnectError"));
    assert!(!message.contains("secret"), "{message}");
    assert!(message.contains("onnection refused"), "the cause is told: {message}");
    assert_eq!(executor.pending().await.unwrap()[0].last_class, Some(Class::Transport));
    let server = Server { script: Arc::new(Mutex::new([Answer::Hang].into())), ..Server::default() };
    server.serve(TcpListener::bind(address).await.unwrap());
    let (attempt, name, message) = until(&mut events, "the timeout", failure).await;
    assert_eq!((attempt, name.as_str()), (2, "TimeoutError"));
    assert!(!message.contains("secret"), "{message}");
    assert!(within("the outcome", handle).await.unwrap().is_committed());
}
