//! The app's mutations: what is stored of each, whose turn it waits for, and how it is sent.
//!
//! This is the file to copy from. A mutation is a name that never changes its meaning, args that are
//! plain data, a key that says what must stay in order, and one request.

use std::{path::Path, pin::Pin};

use outbox_tokio::{
    Attempt, Builder, EnqueueOptions, Executor, ExecutorError, MutatorError,
    http::{RequestBuilderExt, ResponseExt},
    outbox::{CallError, ItemId, Mutator},
};
use reqwest::{StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};

/// One user, one outbox: what this technician records is never sent as another's.
pub(crate) const OUTBOX: &str = "technician-7";

const START_VISIT: &str = "startVisit";
const ADD_NOTE: &str = "addNote";
const ADD_PHOTO: &str = "addPhoto";
const MOVE_STOCK: &str = "moveStock";
const SIGN_VISIT: &str = "signVisit";
const FINISH_VISIT: &str = "finishVisit";
const LOG_TRIP: &str = "logTrip";

/// The technician arrives. A visit is a key: what belongs to it reaches the office in order, while other
/// visits go on beside it.
#[derive(Serialize, Deserialize)]
pub(crate) struct StartVisit {
    visit: String,
    customer: String,
    site: String,
    task: String,
}

/// A remark on a visit.
#[derive(Serialize, Deserialize)]
pub(crate) struct AddNote {
    visit: String,
    text: String,
}

/// A photo was taken. Only what describes it is recorded; an outbox is no place for the picture itself.
#[derive(Serialize, Deserialize)]
pub(crate) struct AddPhoto {
    visit: String,
    file: String,
    bytes: u64,
    width: u32,
    height: u32,
    caption: String,
}

/// Parts change places: between depot, van and site.
#[derive(Serialize, Deserialize)]
pub(crate) struct MoveStock {
    part: String,
    quantity: u32,
    from: String,
    to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    visit: Option<String>,
}

impl MoveStock {
    /// Both places, and the visit if it is for one: a move waits until it is first in each of their lanes,
    /// so that no stock is taken before it was put there.
    fn keys(&self) -> Vec<String> {
        [&self.from, &self.to].into_iter().chain(&self.visit).cloned().collect()
    }
}

/// The customer signs; `strokes` stands for the drawing.
#[derive(Serialize, Deserialize)]
pub(crate) struct SignVisit {
    visit: String,
    signer: String,
    strokes: u32,
}

/// The technician leaves.
#[derive(Serialize, Deserialize)]
pub(crate) struct FinishVisit {
    visit: String,
    minutes: u32,
    result: VisitResult,
}

/// How a visit ended.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum VisitResult {
    Repaired,
    Maintained,
}

/// A trip begins. It has no key, so trips are sent one after another, which suits a mileage log.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogTrip {
    odometer_km: u32,
    destination: String,
}

/// The app's executor. Every mutator of which items may be stored is registered before it starts.
pub(crate) fn executor(database: &Path, office: &Office) -> Builder {
    Executor::builder(OUTBOX)
        .mutator(
            Mutator::<StartVisit>::new(START_VISIT).key(|args| args.visit.clone()),
            office.post(START_VISIT),
        )
        .mutator(Mutator::<AddNote>::new(ADD_NOTE).key(|args| args.visit.clone()), office.post(ADD_NOTE))
        .mutator(Mutator::<AddPhoto>::new(ADD_PHOTO).key(|args| args.visit.clone()), office.post(ADD_PHOTO))
        .mutator(Mutator::<MoveStock>::new(MOVE_STOCK).key(MoveStock::keys), office.post(MOVE_STOCK))
        .mutator(
            Mutator::<SignVisit>::new(SIGN_VISIT).key(|args| args.visit.clone()),
            office.post(SIGN_VISIT),
        )
        .mutator(
            Mutator::<FinishVisit>::new(FINISH_VISIT).key(|args| args.visit.clone()),
            office.post(FINISH_VISIT),
        )
        .mutator(Mutator::<LogTrip>::new(LOG_TRIP), office.post(LOG_TRIP))
        .sqlite(database)
}

/// Anything that the technician can record.
#[derive(Deserialize)]
#[serde(tag = "do", content = "args", rename_all = "camelCase")]
pub(crate) enum Mutation {
    StartVisit(StartVisit),
    AddNote(AddNote),
    AddPhoto(AddPhoto),
    MoveStock(MoveStock),
    SignVisit(SignVisit),
    FinishVisit(FinishVisit),
    LogTrip(LogTrip),
}

impl Mutation {
    /// Stores it, and returns when it is durable.
    ///
    /// The app chose the `id` when the technician tapped. It names the item and is its idempotency key, so
    /// that the tap can be repeated if the app died before it could say "stored": if the item is stored
    /// still it is a duplicate here, and if it was sent already, one at the office.
    pub(crate) async fn enqueue(&self, executor: &Executor, id: &str) -> Result<(), ExecutorError> {
        let options = EnqueueOptions::new().id(ItemId::new(id)?).idempotency_key(id);
        let enqueued = match self {
            Self::StartVisit(args) => executor.enqueue_with(START_VISIT, args, options).await,
            Self::AddNote(args) => executor.enqueue_with(ADD_NOTE, args, options).await,
            Self::AddPhoto(args) => executor.enqueue_with(ADD_PHOTO, args, options).await,
            Self::MoveStock(args) => executor.enqueue_with(MOVE_STOCK, args, options).await,
            Self::SignVisit(args) => executor.enqueue_with(SIGN_VISIT, args, options).await,
            Self::FinishVisit(args) => executor.enqueue_with(FINISH_VISIT, args, options).await,
            Self::LogTrip(args) => executor.enqueue_with(LOG_TRIP, args, options).await,
        };
        match enqueued {
            Ok(_handle) => Ok(()), // it is sent whether or not anybody waits for it
            Err(ExecutorError::Call(CallError::Duplicate { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The office's server, as the app sees it.
#[derive(Clone)]
pub(crate) struct Office {
    client: reqwest::Client,
    url: String,
}

/// What a mutator returns once the office has the mutation; whoever holds the item's handle gets it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sent {
    /// The office's number for it.
    pub(crate) receipt: u64,
    /// How many attempts it took.
    pub(crate) attempts: u32,
}

type Sending = Pin<Box<dyn Future<Output = Result<Sent, MutatorError>> + Send>>;

impl Office {
    /// The office at `url`, which ends without a slash.
    pub(crate) fn at(url: &str) -> Self {
        Self { client: reqwest::Client::new(), url: url.into() }
    }

    /// What a mutator does at each attempt: one POST of its args.
    fn post<A>(&self, path: &'static str) -> impl Fn(Attempt<A>) -> Sending + Send + Sync + use<A>
    where
        A: Serialize + Send + 'static,
    {
        let office = self.clone();
        move |attempt| {
            let office = office.clone();
            Box::pin(async move { office.send(path, attempt).await })
        }
    }

    /// Every `?` here is tried again: a broken connection as well as an answer that cannot be read. Only
    /// what the office refuses for good is dropped.
    async fn send<A: Serialize>(&self, path: &str, attempt: Attempt<A>) -> Result<Sent, MutatorError> {
        let request = self.client.post(format!("{}/{path}", self.url)).idempotency_key(&attempt);
        let body = serde_json::to_vec(&attempt.args)?;
        let response = request.header(CONTENT_TYPE, "application/json").body(body).send().await?;
        if response.status() == StatusCode::UNPROCESSABLE_ENTITY {
            // The office says why, in words that the technician can act on.
            return Err(MutatorError::non_retriable(response.text().await?).with_name("Refused"));
        }
        let receipt = serde_json::from_slice(&response.accepted()?.bytes().await?)?;
        Ok(Sent { receipt, attempts: attempt.number })
    }
}
