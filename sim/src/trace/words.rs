//! Short words for what the core has none for: steps, faults, the election.

use outbox::{Effect, Event, Timestamp, lease::Says};

use crate::scenario::{Action, RetryAfter, What};

/// An effect in the core's words, with times since the run began.
pub(super) fn effect(effect: &Effect, zero_ms: u64) -> String {
    let text = effect.to_string();
    let time = match effect {
        Effect::Sleep { until: Some(until) } => *until,
        Effect::Notify(Event::AttemptFailed { next_attempt_at, .. }) => *next_attempt_at,
        _ => return text,
    };
    let since = Timestamp::from_millis(time.as_millis().saturating_sub(zero_ms));
    text.replace(&time.to_string(), &since.to_string())
}

/// What is done in a tab.
pub(super) fn action(action: &Action) -> String {
    match action {
        Action::Enqueue { item, mutator, .. } => format!("enqueue i{item} {mutator}"),
        Action::Remove { item } => format!("remove i{item}"),
        Action::RetryFailure { item } => format!("retry failure i{item}"),
        Action::DismissFailure { item } => format!("dismiss failure i{item}"),
        Action::Pause { reason } => format!("pause {reason}"),
        Action::Resume { reason } => format!("resume {reason}"),
        Action::Online(true) => "online".into(),
        Action::Online(false) => "offline".into(),
        Action::Link(true) => "the network is back".into(),
        Action::Link(false) => "the network is gone".into(),
        Action::Visible => "visible".into(),
        Action::Focus => "focus".into(),
        Action::Register { build } => format!("register the mutators of build {build}"),
        Action::Open { build } => format!("open build {build}"),
        Action::Close => "close".into(),
        Action::Crash => "crash".into(),
        Action::Freeze => "freeze".into(),
        Action::Thaw => "thaw".into(),
        Action::Throttle(true) => "timers are throttled".into(),
        Action::Throttle(false) => "timers are no longer throttled".into(),
    }
}

/// A fault: its name, and how much of it.
pub(super) fn fault(what: What) -> String {
    let name = what.name();
    match what {
        What::Duplicate { after_ms } | What::RepeatResult { after_ms } | What::RepeatMessage { after_ms } => {
            format!("{name}, {after_ms} ms later")
        }
        What::SlowRequest { by_ms }
        | What::SlowReply { by_ms }
        | What::SlowStorage { by_ms }
        | What::SlowMessage { by_ms }
        | What::EarlyTimer { by_ms }
        | What::LateTimer { by_ms }
        | What::SlowHook { by_ms } => format!("{name}, by {by_ms} ms"),
        What::UnavailableStorage { for_ms }
        | What::FullStorage { for_ms }
        | What::Freeze { for_ms }
        | What::Suspend { for_ms }
        | What::FalselyElected { for_ms } => format!("{name}, for {for_ms} ms"),
        What::Unavailable { status, retry_after } => {
            format!(
                "{name}: {status}{}",
                match retry_after {
                    RetryAfter::None => String::new(),
                    RetryAfter::Seconds(seconds) => format!(", retry after {seconds} s"),
                    RetryAfter::Date(seconds) => format!(", retry after a date {seconds} s ahead"),
                    RetryAfter::Absurd => ", retry after centuries".into(),
                }
            )
        }
        What::UnknownStorage { committed } => {
            format!("{name}, {}", if committed { "and it was committed" } else { "and it was not committed" })
        }
        What::PowerLoss { commits } => format!("{name}, {commits} commits"),
        What::Crash { reopen_ms } => format!("{name}, open again in {reopen_ms} ms"),
        What::Steal { told_after_ms: Some(ms) } => format!("{name}, told after {ms} ms"),
        What::Steal { told_after_ms: None } => format!("{name}, never told"),
        What::StepClock { by_ms } => format!("{name} of {by_ms} ms"),
        _ => name.into(),
    }
}

/// What replicas tell each other.
pub(super) fn says(says: Says) -> &'static str {
    match says {
        Says::Ask => "ask",
        Says::Claim => "claim",
        Says::Lease => "lease",
        Says::Bye => "bye",
    }
}
