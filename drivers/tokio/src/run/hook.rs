//! `Hook`: asks the app's `before_retry` (R17).

use std::{error::Error, sync::Arc};

use outbox::{AskId, AskedItem, HookError, Input, ItemId, RetryBatch, Verdict};
use tokio::{sync::mpsc::UnboundedSender, task::JoinError};
use tokio_util::task::AbortOnDropHandle;

use crate::{attempt::BoxFuture, run::flights::panic_message};

/// What a hook comes to.
pub(crate) type HookResult = Result<RetryBatch, Box<dyn Error + Send + Sync>>;

/// The app's hook, its type erased.
pub(crate) type HookFn = Arc<dyn Fn(RetryBatch) -> BoxFuture<HookResult> + Send + Sync>;

/// The hook, and the one question it may be busy with.
#[derive(Default)]
pub(crate) struct Hook {
    hook: Option<HookFn>,
    asking: Option<AbortOnDropHandle<()>>,
}

impl Hook {
    pub(crate) fn new(hook: Option<HookFn>) -> Self {
        Self { hook, asking: None }
    }

    /// Asks in a task of its own. A question that still runs is given up: the core waits for it no longer.
    pub(crate) fn ask(&mut self, ask: AskId, items: Vec<AskedItem>, inbox: UnboundedSender<Input>) {
        let hook =
            Arc::clone(self.hook.as_ref().expect("the outbox asks only if the config says there is a hook"));
        let answering = async move {
            // In a task inside the task, so that a panic is an answer.
            let answer =
                AbortOnDropHandle::new(tokio::spawn(async move { hook(RetryBatch::new(items)).await })).await;
            let _ = inbox.send(Input::Answered { ask, verdicts: verdicts(answer) });
        };
        self.asking = Some(AbortOnDropHandle::new(tokio::spawn(answering)));
    }
}

fn verdicts(answer: Result<HookResult, JoinError>) -> Result<Vec<(ItemId, Verdict)>, HookError> {
    match answer {
        Ok(Ok(batch)) => Ok(batch.into_verdicts()),
        Ok(Err(error)) => Err(match error.downcast::<HookError>() {
            Ok(error) => *error,
            Err(error) => HookError::Threw { message: error.to_string() },
        }),
        Err(error) => Err(HookError::Threw {
            message: error
                .try_into_panic()
                .map_or_else(|e| e.to_string(), |p| panic_message(p.as_ref()).to_owned()),
        }),
    }
}
