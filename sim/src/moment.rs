//! `Moment`: one thing that happened in the world. Oracles, the trace and the hash all read these.

use std::hash::Hash;

use outbox::{
    AttemptId, Effect, Input,
    lease::{ElectionEffect, ElectionInput},
};

use crate::{
    app::{Answer, Request},
    scenario::{Action, What},
};

/// One thing that happened, in the order in which it did.
#[derive(Clone, Copy, Debug, Hash)]
pub enum Moment<'a> {
    /// A step of the scenario is carried out.
    Step {
        /// In which tab.
        tab: u32,
        /// What.
        action: &'a Action,
    },
    /// A fault strikes.
    Fault {
        /// Where, if it is a fault of a tab.
        tab: Option<u32>,
        /// What.
        what: What,
    },
    /// A page starts.
    Opened {
        /// The tab.
        tab: u32,
        /// The page: counted from 1 in each tab.
        page: u32,
        /// Its build.
        build: u32,
    },
    /// A page ends: closed in good order, or it died.
    Ended {
        /// The tab.
        tab: u32,
        /// The page.
        page: u32,
        /// It died.
        crashed: bool,
    },
    /// A page is frozen.
    Frozen {
        /// The tab.
        tab: u32,
    },
    /// It wakes; what it missed follows.
    Thawed {
        /// The tab.
        tab: u32,
    },
    /// The core of a tab is given an input.
    Input {
        /// The tab.
        tab: u32,
        /// The input.
        input: &'a Input,
    },
    /// The core of a tab asks for an effect, which is carried out next.
    Effect {
        /// The tab.
        tab: u32,
        /// The effect.
        effect: &'a Effect,
    },
    /// All effects of the input before are carried out.
    Handled {
        /// The tab.
        tab: u32,
        /// How many there were.
        effects: u32,
    },
    /// The election of a tab is given an input.
    ElectionInput {
        /// The tab.
        tab: u32,
        /// The input.
        input: &'a ElectionInput,
    },
    /// The election of a tab asks for an effect.
    ElectionEffect {
        /// The tab.
        tab: u32,
        /// The effect.
        effect: &'a ElectionEffect,
    },
    /// The store ran a request; `answer` is on its way, unless the page has died.
    Ran {
        /// The tab.
        tab: u32,
        /// The page that asked.
        page: u32,
        /// An `Acquire`, `Load` or `Persist`.
        request: &'a Effect,
        /// What the store did, as it would answer.
        answer: &'a Input,
        /// What the page is told, if that is something else (`Unknown`).
        told: &'a Input,
    },
    /// A request arrived at the server.
    Served {
        /// The tab that sent it.
        tab: u32,
        /// The attempt.
        attempt: AttemptId,
        /// The request.
        request: &'a Request,
        /// What the server did and says.
        answer: &'a Answer,
    },
    /// A row was put into the store by nobody in this world.
    Planted {
        /// Its place.
        seq: outbox::Seq,
        /// Its bytes.
        record: &'a [u8],
    },
    /// The last commits were undone by a loss of power.
    Undone {
        /// How many.
        commits: u32,
    },
    /// The store was deleted and made anew.
    MadeAnew,
    /// The leader's lock changed hands.
    Lock {
        /// Its holder now.
        holder: Option<u32>,
    },
    /// All faults have ended.
    Healed,
    /// Everything is over.
    End,
}
