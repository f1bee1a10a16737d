//! The office: an HTTP server on loopback with the troubles of a real one. It is busy, it is slow, its
//! replies get lost, and while the phone has no signal every connection breaks.
//!
//! It remembers idempotency keys: a request that comes again gets its first answer again and changes nothing.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http_body_util::BodyExt;
use hyper::{
    Request, Response, StatusCode, body::Incoming, header::RETRY_AFTER, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use outbox_tokio::http::IDEMPOTENCY_KEY;
use serde_json::Value;
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};

/// How long an answer takes, and how long when the office is slow.
const USUAL: Duration = Duration::from_millis(8);
const SLOW: Duration = Duration::from_millis(300);

/// The parts that the office knows. Any other is refused for good.
const CATALOGUE: [&str; 20] = [
    "CO-3RT20",
    "DH-0920",
    "DS-1700",
    "EL-4471",
    "FB-F7-592",
    "FB-M5-592",
    "FD-0164",
    "FL-2210",
    "FN-3812",
    "GL-1010",
    "GS-0130",
    "NZ-0085",
    "OR-1220",
    "RF-R32-15",
    "SF-PT1000",
    "ST-DN80",
    "TF-0033",
    "TK-0040",
    "TV-1525",
    "VB-A1320",
];

/// A running office.
#[derive(Clone)]
pub(crate) struct Office(Arc<Shared>);

struct Shared {
    url: String,
    one_in: u64,
    signal: watch::Sender<bool>,
    books: Mutex<Books>,
}

/// What the office has seen and done.
#[derive(Clone, Default)]
pub(crate) struct Books {
    /// What took effect, in order: the mutator's name and the args.
    pub(crate) effects: Vec<(String, Value)>,
    /// The idempotency keys of what was refused for good.
    pub(crate) refused: BTreeSet<String>,
    /// Requests that came again after they had been answered: what the idempotency keys prevented.
    pub(crate) repeated: u32,
    /// Requests that were told to come again later.
    pub(crate) turned_away: u32,
    /// Requests whose answer was lost.
    pub(crate) replies_lost: u32,
    /// How often each idempotency key came.
    arrivals: HashMap<String, u32>,
    answers: HashMap<String, Answer>,
}

/// What a request is answered, each time it comes.
#[derive(Clone)]
enum Answer {
    Receipt(usize),
    Refusal(String),
}

/// What goes wrong with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Busy,
    Slow,
    ReplyLost,
}

/// Why a connection breaks without an answer.
#[derive(Debug, Error)]
#[error("the connection breaks")]
struct Broken;

impl Office {
    /// Opens it on a free port of loopback, in a task of its own. One request in `one_in` meets trouble.
    pub(crate) async fn open(one_in: u64) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Shared { url, one_in, signal: watch::Sender::new(true), books: Mutex::default() };
        let office = Self(Arc::new(shared));
        tokio::spawn(office.clone().serve(listener));
        Ok(office)
    }

    /// Where it is; no slash at the end.
    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    /// Whether the phone can reach it from now on.
    pub(crate) fn set_signal(&self, signal: bool) {
        self.0.signal.send_replace(signal);
    }

    /// How many records it has accepted or refused so far.
    pub(crate) fn answered(&self) -> usize {
        self.lock().answers.len()
    }

    /// A copy of its books.
    pub(crate) fn books(&self) -> Books {
        self.lock().clone()
    }

    async fn serve(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(self.clone().connection(stream));
        }
    }

    /// One connection, until the client leaves or the signal is gone.
    async fn connection(self, stream: TcpStream) {
        let mut signal = self.0.signal.subscribe();
        let service = service_fn(|request| self.answer(request));
        tokio::select! {
            biased;
            _gone = signal.wait_for(|signal| !signal) => {}
            _served_or_broken = http1::Builder::new().serve_connection(TokioIo::new(stream), service) => {}
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<String>, Broken> {
        let mutator = request.uri().path().trim_start_matches('/').to_owned();
        let key = request.headers().get(IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok()).map(String::from);
        let body = request.into_body().collect().await.map_err(|_| Broken)?.to_bytes();
        let (Some(key), Ok(args)) = (key, serde_json::from_slice(&body)) else {
            return Ok(response(StatusCode::BAD_REQUEST, "an Idempotency-Key and a body of JSON are needed"));
        };
        let trouble = self.lock().arrives(&key, self.0.one_in);
        if trouble == Some(Trouble::Busy) {
            let mut later = response(StatusCode::SERVICE_UNAVAILABLE, "the office is busy");
            later.headers_mut().insert(RETRY_AFTER, 1.into());
            return Ok(later);
        }
        sleep(if trouble == Some(Trouble::Slow) { SLOW } else { USUAL }).await;
        let answer = self.lock().decide(key, mutator, args);
        if trouble == Some(Trouble::ReplyLost) {
            return Err(Broken);
        }
        Ok(match answer {
            Answer::Receipt(number) => response(StatusCode::OK, number.to_string()),
            Answer::Refusal(reason) => response(StatusCode::UNPROCESSABLE_ENTITY, reason),
        })
    }

    /// Nothing panics while it holds this mutex.
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.0.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// A request has come; what will go wrong with it.
    fn arrives(&mut self, key: &str, one_in: u64) -> Option<Trouble> {
        let arrivals = self.arrivals.entry(key.into()).or_default();
        *arrivals += 1;
        let trouble = trouble(key, *arrivals, one_in);
        self.turned_away += u32::from(trouble == Some(Trouble::Busy));
        self.replies_lost += u32::from(trouble == Some(Trouble::ReplyLost));
        trouble
    }

    /// Does what is asked if it is asked for the first time; else says what it said then.
    fn decide(&mut self, key: String, mutator: String, args: Value) -> Answer {
        if let Some(answer) = self.answers.get(&key) {
            self.repeated += 1;
            return answer.clone();
        }
        let answer = match unknown_part(&args) {
            Some(part) => {
                self.refused.insert(key.clone());
                Answer::Refusal(format!("part {part} is not in the catalogue"))
            }
            None => {
                self.effects.push((mutator, args));
                Answer::Receipt(self.effects.len())
            }
        };
        self.answers.insert(key, answer.clone());
        answer
    }
}

fn unknown_part(args: &Value) -> Option<&str> {
    args["part"].as_str().filter(|part| !CATALOGUE.contains(part))
}

/// A hash of which request it is decides, so that runs are alike.
fn trouble(key: &str, arrival: u32, one_in: u64) -> Option<Trouble> {
    let mut hasher = DefaultHasher::new();
    (key, arrival).hash(&mut hasher);
    match hasher.finish() % (3 * one_in) {
        0 => Some(Trouble::Busy),
        1 => Some(Trouble::ReplyLost),
        2 => Some(Trouble::Slow),
        _ => None,
    }
}

fn response(status: StatusCode, body: impl Into<String>) -> Response<String> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
}
