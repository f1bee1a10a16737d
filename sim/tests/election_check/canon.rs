//! The canonical form of a state: two states are one if no later step can tell them apart.
//!
//! An [`Election`](outbox::lease::Election) keeps absolute times and counts what it sends, so that no state
//! would ever come again. Here times are relative, and one is cut off where it makes no difference any more;
//! of the numbers of messages, all that matters is their order and which are old to their receiver.

use std::hash::{Hash, Hasher};

use outbox::lease::{Election, Says};
use serde::Deserialize;

use super::model::{Budget, Message, Replica, State};

/// The state of an election, as it is serialised.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Serialised {
    role: Role,
    now: u64,
    heard: Option<(String, u64)>,
    leased_until: u64,
    yielded_until: u64,
    yielded_to: Option<(String, u64)>,
    stands_back_until: u64,
    ask_at: Option<u64>,
    round: u64,
    sleep: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Role {
    Stopped,
    Follower,
    Candidate { since: u64, late_wakes: u8 },
    Leader { renewed: u64 },
}

#[derive(Hash)]
struct CanonicalReplica {
    seed: u64,
    lives: u64,
    /// For how long it has been frozen; `D`: longer.
    frozen: Option<u64>,
    election: Option<CanonicalElection>,
}

#[derive(Hash)]
struct CanonicalElection {
    /// The role's number, and since when: as far back as it looks.
    role: (u8, u64),
    late_wakes: u8,
    /// Only a candidate asks when it was last awake.
    slept: u64,
    heard: Option<String>,
    leased: i64,
    yielded: i64,
    yielded_to: Option<String>,
    stands_back: i64,
    ask_in: Option<u64>,
    round: u64,
    /// How late its timer is, or how long until then.
    wake_in: Option<i64>,
}

#[derive(Hash, PartialEq, Eq, PartialOrd, Ord)]
struct CanonicalMessage {
    to: usize,
    from: String,
    /// Its place among those from the same replica to the same.
    nth: usize,
    says: u8,
    /// To its receiver it will say nothing.
    old: bool,
    /// It is sent after the claim that its receiver yields to.
    after_claim: bool,
    /// For how long it could have been handled; `None`: a straggler.
    age: Option<u64>,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let left: Budget = self.left;
        left.hash(hasher);
        let elections: Vec<Option<Serialised>> =
            self.replicas.iter().map(|replica| replica.election.as_ref().map(serialised)).collect();
        for (replica, election) in self.replicas.iter().zip(&elections) {
            self.replica(replica, election.as_ref()).hash(hasher);
        }
        let mut messages: Vec<CanonicalMessage> =
            self.messages.iter().map(|message| self.message(message, &elections)).collect();
        messages.sort();
        messages.hash(hasher);
    }
}

fn serialised(election: &Election) -> Serialised {
    let text = serde_json::to_string(election).expect("an election can be serialised");
    serde_json::from_str(&text).expect("and its fields are those above")
}

impl State {
    fn replica(&self, replica: &Replica, election: Option<&Serialised>) -> CanonicalReplica {
        CanonicalReplica {
            seed: replica.seed,
            lives: replica.lives,
            frozen: replica.frozen_since.map(|since| self.ago(since, self.delay_ms)),
            election: election.map(|election| self.election(election)),
        }
    }

    fn election(&self, election: &Serialised) -> CanonicalElection {
        let (delay_ms, lease_ms) = (self.delay_ms, 8 * self.delay_ms);
        let (role, late_wakes, slept) = match election.role {
            Role::Stopped => ((0, 0), 0, 0),
            Role::Follower => ((1, 0), 0, 0),
            // Begins anew when a lease less a delay is over; a wake is late after a delay.
            Role::Candidate { since, late_wakes } => {
                ((2, self.ago(since, lease_ms - delay_ms)), late_wakes, self.ago(election.now, delay_ms))
            }
            Role::Leader { renewed } => ((3, self.ago(renewed, lease_ms)), 0, 0),
        };
        CanonicalElection {
            role,
            late_wakes,
            slept,
            heard: election.heard.as_ref().map(|(from, _)| from.clone()),
            // A claim follows in less than a delay after both.
            leased: self.until(election.leased_until, delay_ms),
            yielded: self.until(election.yielded_until, delay_ms),
            // Nothing is left to give back when it is over.
            yielded_to: (election.yielded_until > self.now)
                .then(|| election.yielded_to.as_ref().map(|(to, _)| to.clone()))
                .flatten(),
            stands_back: self.until(election.stands_back_until, delay_ms),
            ask_in: election.ask_at.map(|at| at.saturating_sub(self.now)),
            round: election.round,
            wake_in: election.sleep.map(|at| self.until(at, self.late_ms)),
        }
    }

    fn message(&self, message: &Message, elections: &[Option<Serialised>]) -> CanonicalMessage {
        let from = &message.message.from;
        let heard = elections[message.to].as_ref().and_then(|election| election.heard.as_ref());
        let yielded_to = elections[message.to].as_ref().and_then(|election| election.yielded_to.as_ref());
        let earlier = |other: &&Message| {
            other.to == message.to && other.message.from == *from && other.message.nth < message.message.nth
        };
        CanonicalMessage {
            to: message.to,
            from: from.clone(),
            nth: self.messages.iter().filter(earlier).count(),
            says: match message.message.says {
                Says::Ask => 0,
                Says::Claim => 1,
                Says::Lease => 2,
                Says::Bye => 3,
            },
            old: heard.is_some_and(|(leader, newest)| leader == from && message.message.nth <= *newest),
            after_claim: yielded_to.is_some_and(|(to, claim)| to == from && message.message.nth > *claim),
            age: (!message.straggler).then(|| self.ago(self.counts_from(message), self.delay_ms)),
        }
    }

    /// How long ago a time was, `most` if longer.
    fn ago(&self, at: u64, most: u64) -> u64 {
        self.now.saturating_sub(at).min(most)
    }

    /// How long until a time, or how long ago, `most` if longer.
    fn until(&self, at: u64, most: u64) -> i64 {
        let signed = |ms: u64| i64::try_from(ms).expect("times of this model are small");
        (signed(at) - signed(self.now)).max(-signed(most))
    }
}
