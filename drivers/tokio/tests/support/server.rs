//! A keyed HTTP server on loopback that loses requests, loses replies, hangs, and answers "later", by chance.
//!
//! Its ledger lives in memory and remembers each `Idempotency-Key`: a request that comes again gets its
//! first answer again and changes nothing. What it has seen is told by [`Server::findings`].
//!
//! The faults are drawn from a seed, one draw a request. Requests race, so a seed repeats the mix of
//! faults and not which request meets which.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, Path, State, connect_info::Connected},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
    serve::{IncomingStream, Listener},
};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

/// What `Retry-After` asks for.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The chances of the faults, in requests out of `of`; what is left of them is answered well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Faults {
    /// What the chances are out of; at least their sum.
    pub(crate) of: u32,
    /// The connection breaks and nothing is applied.
    pub(crate) lost_request: u32,
    /// Applied, and the connection breaks.
    pub(crate) lost_reply: u32,
    /// Answered after up to `delay`.
    pub(crate) delayed: u32,
    /// Answered after `hang`, and applied then or at once, whether or not the client waits.
    pub(crate) hung: u32,
    /// 503 with `Retry-After` in seconds.
    pub(crate) busy: u32,
    /// 503 with `Retry-After` as a date.
    pub(crate) busy_until: u32,
    /// 429 with `Retry-After` in seconds.
    pub(crate) too_many: u32,
    /// 500, before or after it is applied.
    pub(crate) broken: u32,
    /// The longest delay.
    pub(crate) delay: Duration,
    /// How long a hung request takes; longer than the client's timeout, if it is to hang.
    pub(crate) hang: Duration,
}

impl Faults {
    /// A good network and a healthy server.
    pub(crate) const NONE: Self = Self {
        of: 1,
        lost_request: 0,
        lost_reply: 0,
        delayed: 0,
        hung: 0,
        busy: 0,
        busy_until: 0,
        too_many: 0,
        broken: 0,
        delay: Duration::from_millis(20),
        hang: Duration::from_secs(1),
    };
    /// No network: no request arrives.
    pub(crate) const DOWN: Self = Self { lost_request: 1, ..Self::NONE };
    /// A bad day: one request in four meets something.
    pub(crate) const ROUGH: Self = Self {
        of: 200,
        lost_request: 6,
        lost_reply: 10,
        delayed: 20,
        hung: 4,
        busy: 3,
        busy_until: 2,
        too_many: 2,
        broken: 5,
        ..Self::NONE
    };

    fn draw(&self, rng: &mut ChaCha8Rng) -> Option<Fault> {
        let chances = [
            (self.lost_request, Fault::LostRequest),
            (self.lost_reply, Fault::LostReply),
            (self.delayed, Fault::Delayed),
            (self.hung, Fault::Hung),
            (self.busy, Fault::Busy),
            (self.busy_until, Fault::BusyUntil),
            (self.too_many, Fault::TooMany),
            (self.broken, Fault::Broken),
        ];
        let mut left = below(rng, self.of);
        for (chance, fault) in chances {
            match left.checked_sub(chance) {
                Some(rest) => left = rest,
                None => return Some(fault),
            }
        }
        None
    }
}

/// What can happen to a request; [`Faults`] says what each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    LostRequest,
    LostReply,
    Delayed,
    Hung,
    Busy,
    BusyUntil,
    TooMany,
    Broken,
}

impl Fault {
    /// How many kinds there are.
    pub(crate) const COUNT: usize = 8;
}

/// The body of a request to `POST /{mutator}`; further fields are welcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The item.
    pub(crate) item: String,
    /// Its scheduling keys.
    pub(crate) keys: Vec<String>,
    /// Refused for good, for this reason: 422.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refuse: Option<String>,
}

/// The answer to an order that is applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    /// Its place in the ledger.
    pub(crate) place: usize,
    /// Whether it had been applied before.
    pub(crate) repeated: bool,
}

/// One decision of the server, made once per idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) idempotency_key: String,
    pub(crate) mutator: String,
    pub(crate) order: Order,
}

impl Entry {
    /// Whether it took effect; otherwise it was refused.
    pub(crate) fn applied(&self) -> bool {
        self.order.refuse.is_none()
    }
}

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Its item.
    pub(crate) item: String,
    /// How long the ledger was then.
    pub(crate) decided: usize,
}

/// What the server has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// Its decisions, in order.
    pub(crate) ledger: Vec<Entry>,
    /// Requests that came, answered or not, in order.
    pub(crate) requests: Vec<Request>,
    /// Requests that the ledger knew already: effects that the idempotency key prevented.
    pub(crate) repeats: u64,
    /// How often each fault happened.
    pub(crate) faults: BTreeMap<Fault, u64>,
}

/// A running server; dropping it closes its port.
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<Mutex<Ledger>>,
    accepting: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Starts it in the current runtime.
    pub(crate) async fn start(seed: u64, faults: Faults) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(Ledger {
            rng: ChaCha8Rng::seed_from_u64(seed),
            faults,
            places: BTreeMap::new(),
            findings: Findings::default(),
        }));
        let router = Router::new().route("/{mutator}", post(answer)).with_state(Arc::clone(&state));
        let service = router.into_make_service_with_connect_info::<Line>();
        let accepting = tokio::spawn(async move { axum::serve(BreakableListener(listener), service).await });
        Ok(Self { address, state, accepting })
    }

    /// Where a mutator's orders go to.
    pub(crate) fn url(&self, mutator: &str) -> String {
        format!("http://{}/{mutator}", self.address)
    }

    /// From the next request on.
    pub(crate) fn set_faults(&self, faults: Faults) {
        lock(&self.state).faults = faults;
    }

    /// The faults stop. Requests that hang already go on hanging.
    pub(crate) fn heal(&self) {
        self.set_faults(Faults::NONE);
    }

    /// What it has seen so far.
    pub(crate) fn findings(&self) -> Findings {
        lock(&self.state).findings.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Ledger {
    rng: ChaCha8Rng,
    faults: Faults,
    /// The place in the ledger of each idempotency key.
    places: BTreeMap<String, usize>,
    findings: Findings,
}

/// What happens to one request.
struct Fate {
    fault: Option<Fault>,
    /// For faults that can come before or after the effect.
    effect_first: bool,
    delay: Duration,
    hang: Duration,
}

impl Ledger {
    fn receive(&mut self, order: &Order) -> Fate {
        let fault = self.faults.draw(&mut self.rng);
        self.findings
            .requests
            .push(Request { item: order.item.clone(), decided: self.findings.ledger.len() });
        if let Some(fault) = fault {
            *self.findings.faults.entry(fault).or_default() += 1;
        }
        let delay_ms = u32::try_from(self.faults.delay.as_millis()).unwrap_or(u32::MAX - 1);
        Fate {
            fault,
            effect_first: below(&mut self.rng, 2) == 0,
            delay: Duration::from_millis(below(&mut self.rng, delay_ms + 1).into()),
            hang: self.faults.hang,
        }
    }

    /// Decides once per idempotency key, and says the same ever after.
    fn apply(&mut self, entry: Entry) -> Response {
        let known = self.places.get(&entry.idempotency_key).copied();
        let place = known.unwrap_or(self.findings.ledger.len());
        if known.is_some() {
            self.findings.repeats += 1;
        } else {
            self.places.insert(entry.idempotency_key.clone(), place);
            self.findings.ledger.push(entry);
        }
        match &self.findings.ledger[place].order.refuse {
            Some(reason) => (StatusCode::UNPROCESSABLE_ENTITY, reason.clone()).into_response(),
            None => axum::Json(Receipt { place, repeated: known.is_some() }).into_response(),
        }
    }
}

async fn answer(
    State(state): State<Arc<Mutex<Ledger>>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Path(mutator): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(String::from);
    let Some(idempotency_key) = key else {
        return (StatusCode::BAD_REQUEST, "no idempotency key").into_response();
    };
    let order: Order = match serde_json::from_slice(&body) {
        Ok(order) => order,
        Err(problem) => return (StatusCode::BAD_REQUEST, problem.to_string()).into_response(),
    };
    let fate = lock(&state).receive(&order);
    let entry = Entry { idempotency_key, mutator, order };
    // In a task of its own: what a server has begun does not end because its client has gone.
    let met = tokio::spawn(async move { meet(&state, &line, entry, fate).await });
    met.await.unwrap_or_else(|_stopping| StatusCode::SERVICE_UNAVAILABLE.into_response())
}

/// Carries the request's fate out.
async fn meet(state: &Mutex<Ledger>, line: &Line, entry: Entry, fate: Fate) -> Response {
    let apply = || lock(state).apply(entry);
    match fate.fault {
        None => apply(),
        Some(Fault::LostRequest) => line.broken(),
        Some(Fault::LostReply) => {
            apply();
            line.broken()
        }
        Some(Fault::Delayed) => {
            sleep(fate.delay).await;
            apply()
        }
        Some(Fault::Hung) if fate.effect_first => {
            let answer = apply();
            sleep(fate.hang).await;
            answer
        }
        Some(Fault::Hung) => {
            sleep(fate.hang).await;
            apply()
        }
        Some(Fault::Busy) => later(StatusCode::SERVICE_UNAVAILABLE, RETRY_AFTER.as_secs().to_string()),
        Some(Fault::BusyUntil) => {
            let until = httpdate::fmt_http_date(SystemTime::now() + RETRY_AFTER);
            later(StatusCode::SERVICE_UNAVAILABLE, until)
        }
        Some(Fault::TooMany) => later(StatusCode::TOO_MANY_REQUESTS, RETRY_AFTER.as_secs().to_string()),
        Some(Fault::Broken) => {
            if fate.effect_first {
                apply();
            }
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn later(status: StatusCode, retry_after: String) -> Response {
    (status, [("retry-after", retry_after)]).into_response()
}

/// Uniform in `0..n`, but for a bias that does not matter here.
pub(crate) fn below(rng: &mut ChaCha8Rng, n: u32) -> u32 {
    rng.next_u32() % n
}

/// Nothing panics while it holds this mutex.
fn lock(state: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a connection is broken: then nothing more is written to it, and it is closed.
#[derive(Clone, Debug, Default)]
struct Line(Arc<AtomicBool>);

impl Line {
    /// Breaks it; the response is what hyper fails to write.
    fn broken(&self) -> Response {
        self.0.store(true, Ordering::Relaxed);
        StatusCode::OK.into_response()
    }

    fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl Connected<IncomingStream<'_, BreakableListener>> for Line {
    fn connect_info(stream: IncomingStream<'_, BreakableListener>) -> Self {
        stream.io().line.clone()
    }
}

struct BreakableListener(TcpListener);

impl Listener for BreakableListener {
    type Io = BreakableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (BreakableStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (BreakableStream { stream, line: Line::default() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

struct BreakableStream {
    stream: TcpStream,
    line: Line,
}

impl AsyncRead for BreakableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for BreakableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.line.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::time::Instant;

    use reqwest::Client;

    use super::*;

    async fn send(server: &Server, item: &str, refuse: Option<&str>) -> reqwest::Result<reqwest::Response> {
        let order = Order { item: item.into(), keys: vec!["a".into()], refuse: refuse.map(String::from) };
        let request =
            Client::new().post(server.url("move")).header("idempotency-key", format!("key of {item}"));
        request.body(serde_json::to_vec(&order).unwrap()).send().await
    }

    async fn receipt(response: reqwest::Response) -> Receipt {
        assert_eq!(response.status(), StatusCode::OK);
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_key_has_one_effect_and_one_answer() {
        let server = Server::start(1, Faults::NONE).await.unwrap();
        let first = receipt(send(&server, "x", None).await.unwrap()).await;
        let again = receipt(send(&server, "x", None).await.unwrap()).await;
        assert_eq!((first.place, first.repeated, again.place, again.repeated), (0, false, 0, true));
        let refused = send(&server, "y", Some("no stock")).await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(send(&server, "y", None).await.unwrap().status(), StatusCode::UNPROCESSABLE_ENTITY);
        let findings = server.findings();
        let ledger: Vec<_> =
            findings.ledger.iter().map(|entry| (entry.order.item.as_str(), entry.applied())).collect();
        assert_eq!(ledger, [("x", true), ("y", false)]);
        assert_eq!((findings.requests.len(), findings.repeats), (4, 2));
        let decided: Vec<usize> = findings.requests.iter().map(|request| request.decided).collect();
        assert_eq!(decided, [0, 1, 1, 2]);
    }

    #[tokio::test]
    async fn a_lost_request_has_no_effect_and_a_lost_reply_has_one() {
        let server = Server::start(1, Faults::DOWN).await.unwrap();
        assert!(send(&server, "x", None).await.unwrap_err().status().is_none());
        assert!(server.findings().ledger.is_empty());
        server.set_faults(Faults { lost_reply: 1, ..Faults::NONE });
        assert!(send(&server, "x", None).await.unwrap_err().status().is_none());
        assert_eq!(server.findings().ledger.len(), 1);
        server.heal();
        assert!(receipt(send(&server, "x", None).await.unwrap()).await.repeated);
    }

    #[tokio::test]
    async fn later_is_said_in_seconds_and_as_a_date() {
        let server = Server::start(1, Faults { busy: 1, ..Faults::NONE }).await.unwrap();
        let busy = send(&server, "x", None).await.unwrap();
        assert_eq!(
            (busy.status(), &busy.headers()["retry-after"]),
            (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
        );
        server.set_faults(Faults { busy_until: 1, ..Faults::NONE });
        let busy = send(&server, "x", None).await.unwrap();
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        let date = |name| httpdate::parse_http_date(busy.headers()[name].to_str().unwrap()).unwrap();
        assert!(date("retry-after") >= date("date"));
        server.set_faults(Faults { too_many: 1, ..Faults::NONE });
        assert_eq!(send(&server, "x", None).await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(server.findings().ledger.is_empty());
    }

    #[tokio::test]
    async fn a_hung_request_is_applied_though_its_client_has_gone() {
        let hang = Duration::from_secs(2);
        let server = Server::start(1, Faults { hung: 1, hang, ..Faults::NONE }).await.unwrap();
        for n in 0..8 {
            let arrived = async {
                while server.findings().requests.len() <= n {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            let item = n.to_string();
            tokio::select! {
                _ = send(&server, &item, None) => panic!("it does not hang"),
                () = arrived => {} // the client goes once the server has its request, and not before
            }
        }
        assert!((1..8).contains(&server.findings().ledger.len()), "some at once, some later");
        let begun = Instant::now();
        while server.findings().ledger.len() < 8 {
            assert!(begun.elapsed() < Duration::from_secs(10), "never applied");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_rough_day_has_every_fault() {
        let server =
            Server::start(2, Faults { hang: Duration::from_millis(1), ..Faults::ROUGH }).await.unwrap();
        for n in 0..500 {
            let _any = send(&server, &n.to_string(), None).await;
        }
        let findings = server.findings();
        assert_eq!(findings.requests.len(), 500);
        let met: Vec<Fault> = findings.faults.into_keys().collect();
        assert_eq!(met.len(), Fault::COUNT, "{met:?}");
    }
}
