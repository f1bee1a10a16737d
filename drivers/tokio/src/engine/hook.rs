//! `Hook`: asks the app's `before_retry` (R17).

use std::{any::Any, error::Error, sync::Arc};

use outbox::{AskId, AskedItem, HookError, Input, ItemId, RetryBatch, Verdict};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Engine,
    flights::{caught, panic_message},
};
use crate::attempt::BoxFuture;

/// What a hook comes to.
pub(crate) type HookResult = Result<RetryBatch, Box<dyn Error + Send + Sync>>;

/// The app's hook, its type erased.
pub(crate) type HookFn = Arc<dyn Fn(RetryBatch) -> BoxFuture<HookResult> + Send + Sync>;

/// The hook, and the one question it may be busy with.
#[derive(Default)]
pub(crate) struct Hook {
    hook: Option<HookFn>,
    asking: Option<DropGuard>,
}

/// A question that is to be put.
pub(crate) struct Question {
    hook: HookFn,
    ask: AskId,
    items: Vec<AskedItem>,
    given_up: CancellationToken,
}

impl Hook {
    pub(crate) fn new(hook: Option<HookFn>) -> Self {
        Self { hook, asking: None }
    }

    /// A question that still runs is given up: the core waits for it no longer.
    pub(crate) fn ask(&mut self, ask: AskId, items: Vec<AskedItem>) -> Question {
        let hook =
            Arc::clone(self.hook.as_ref().expect("the outbox asks only if the config says there is a hook"));
        let given_up = CancellationToken::new();
        self.asking = Some(given_up.clone().drop_guard());
        Question { hook, ask, items, given_up }
    }
}

impl Question {
    /// The question's task: asks, and hands the answer in.
    pub(crate) async fn put(self, engine: Arc<Engine>) {
        let Self { hook, ask, items, given_up } = self;
        // The hook is called in there: a panic before its first await is an answer as well.
        let answering = caught(async move { hook(RetryBatch::new(items)).await });
        tokio::select! {
            biased;
            () = given_up.cancelled() => {}
            answer = answering => engine.feed(Input::Answered { ask, verdicts: verdicts(answer) }),
        }
    }
}

fn verdicts(answer: Result<HookResult, Box<dyn Any + Send>>) -> Result<Vec<(ItemId, Verdict)>, HookError> {
    match answer {
        Ok(Ok(batch)) => Ok(batch.into_verdicts()),
        Ok(Err(error)) => Err(match error.downcast::<HookError>() {
            Ok(error) => *error,
            Err(error) => HookError::Threw { message: error.to_string() },
        }),
        Err(panic) => Err(HookError::Threw { message: panic_message(panic.as_ref()).to_owned() }),
    }
}
