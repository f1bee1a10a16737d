//! `Election`: follower, candidate, leader, and the times between them (R26).

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{ElectionConfig, ElectionEffect, ElectionInput, ElectionMessage, Says};
use crate::{draw::draw64, error::ConfigError, time::Timestamp};

/// A candidate claims again at so many late wakes, and takes no more of them for a freeze.
const MAX_LATE_WAKES: u8 = 2;

/// The state machine of one replica. How it works: see the head of [`lease`](super).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Election {
    config: ElectionConfig,
    role: Role,
    /// The time of the last input.
    now: Timestamp,
    /// The leader last heard of, and its newest message: older ones of it say nothing.
    heard: Option<(String, u64)>,
    /// That leader's lease can last until here.
    leased_until: Timestamp,
    /// Another's claim is given time until here.
    yielded_until: Timestamp,
    /// Whose claim, and which of its messages: a later goodbye gives the time back.
    yielded_to: Option<(String, u64)>,
    /// The own resignation gives others time until here.
    stands_back_until: Timestamp,
    /// Ask the leader to renew, if it is not heard before.
    ask_at: Option<Timestamp>,
    /// Messages sent.
    sent: u64,
    /// Candidacies so far: each has its own jitter.
    round: u64,
    /// What the last `Sleep` said.
    sleep: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Role {
    Stopped,
    Follower,
    Candidate {
        /// When it last claimed.
        since: Timestamp,
        /// It was woken late so often, and claimed again each time.
        late_wakes: u8,
    },
    Leader {
        /// When the lease was last announced.
        renewed: Timestamp,
    },
}

impl Election {
    /// A replica that takes no part until [`ElectionInput::Started`].
    ///
    /// # Errors
    /// The first field of `config` that is out of its limits (R32).
    pub fn new(config: ElectionConfig, now: Timestamp) -> Result<Self, ConfigError> {
        config.validate()?;
        let now = Timestamp::ZERO.advanced_to(now);
        Ok(Self {
            config,
            role: Role::Stopped,
            now,
            heard: None,
            leased_until: now,
            yielded_until: now,
            yielded_to: None,
            stands_back_until: now,
            ask_at: None,
            sent: 0,
            round: 0,
            sleep: None,
        })
    }

    /// The only way state changes. Appends a handful of effects at most.
    ///
    /// A `now` before an earlier one counts as that earlier one (R30).
    pub fn handle(&mut self, now: Timestamp, input: ElectionInput, effects: &mut Vec<ElectionEffect>) {
        let missed_ms = now.since_ms(self.now);
        self.now = self.now.advanced_to(now);
        self.look_at_the_clock(missed_ms, effects);
        match input {
            ElectionInput::Started => self.start(effects),
            ElectionInput::Message(message) => self.hear(&message, effects),
            ElectionInput::Tick => (),
            ElectionInput::Resign => self.resign(effects),
            ElectionInput::Stop => self.stop(effects),
        }
        self.do_what_is_due(effects);
        self.ask_for_sleep(effects);
    }

    /// Whether this replica holds a lease at `now`. A driver may ask right before it acts: a frozen
    /// replica that wakes no longer does, although no input has told it so yet.
    #[must_use]
    pub fn holds_lease(&self, now: Timestamp) -> bool {
        matches!(self.role, Role::Leader { renewed } if now < renewed.plus_ms(self.config.lease_ms))
    }

    /// The leader last heard of, as long as its lease can last; not this replica itself. For
    /// [`Input::Holder`](crate::Input::Holder).
    #[must_use]
    pub fn leader(&self) -> Option<&str> {
        let (leader, _) = self.heard.as_ref()?;
        (self.now < self.leased_until).then_some(leader)
    }

    /// When the next timer is due; what the last [`ElectionEffect::Sleep`] said.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.sleep
    }

    /// What must be seen before anything else: time that passed without this replica.
    fn look_at_the_clock(&mut self, missed_ms: u64, effects: &mut Vec<ElectionEffect>) {
        match self.role {
            Role::Leader { .. } if !self.holds_lease(self.now) => self.depose(effects),
            Role::Candidate { since, late_wakes } if missed_ms >= self.config.max_delay_ms => {
                // After a freeze, objections wait unread. A throttled timer looks the same, but the last
                // wakes with it: what objected to the first claim has been read by the third.
                let heeded_ms = self.config.lease_ms - self.config.max_delay_ms;
                if self.now.since_ms(since) >= heeded_ms {
                    self.claim(0, effects);
                } else if late_wakes < MAX_LATE_WAKES {
                    self.claim(late_wakes + 1, effects);
                }
            }
            Role::Candidate { .. } | Role::Leader { .. } | Role::Follower | Role::Stopped => (),
        }
    }

    fn start(&mut self, effects: &mut Vec<ElectionEffect>) {
        if self.role == Role::Stopped {
            self.role = Role::Follower;
            self.leased_until = self.now.plus_ms(self.config.lease_ms);
            self.broadcast(Says::Ask, effects);
        }
    }

    fn hear(&mut self, message: &ElectionMessage, effects: &mut Vec<ElectionEffect>) {
        let ElectionMessage { from, nth, says } = message;
        let old = self.heard.as_ref().is_some_and(|(leader, newest)| leader == from && nth <= newest);
        if self.role == Role::Stopped || *from == self.config.replica || old {
            return;
        }
        match says {
            Says::Ask => {
                if let Role::Leader { .. } = self.role {
                    self.renew(effects);
                }
            }
            Says::Claim => self.hear_claim(from, *nth, effects),
            Says::Lease => self.hear_lease(from, *nth, effects),
            Says::Bye => self.hear_bye(from, *nth),
        }
    }

    fn hear_claim(&mut self, from: &str, nth: u64, effects: &mut Vec<ElectionEffect>) {
        match self.role {
            Role::Leader { .. } => self.renew(effects),
            // Say it again: the other may have begun after it was said first.
            Role::Candidate { .. } if *self.config.replica < *from => self.broadcast(Says::Claim, effects),
            Role::Candidate { .. } | Role::Follower => {
                self.role = Role::Follower;
                self.yielded_until = self.now.plus_ms(self.config.lease_ms);
                self.yielded_to = Some((from.into(), nth));
            }
            Role::Stopped => (),
        }
    }

    fn hear_bye(&mut self, from: &str, nth: u64) {
        if let Some((leader, newest)) = &mut self.heard
            && leader == from
        {
            *newest = nth;
            self.leased_until = self.now;
            self.ask_at = None;
        }
        if self.yielded_to.take_if(|(claimant, claim)| claimant == from && *claim < nth).is_some() {
            self.yielded_until = self.yielded_until.min(self.now);
        }
    }

    fn hear_lease(&mut self, from: &str, nth: u64, effects: &mut Vec<ElectionEffect>) {
        match self.role {
            // Two lead, because messages were lost or late. The other hears of it at once.
            Role::Leader { .. } if *self.config.replica < *from => return self.renew(effects),
            Role::Leader { .. } => self.depose(effects),
            Role::Candidate { .. } => self.role = Role::Follower,
            Role::Follower | Role::Stopped => (),
        }
        self.heard = Some((from.into(), nth));
        self.leased_until = self.now.plus_ms(self.config.lease_ms);
        self.ask_at = Some(self.now.plus_ms(self.config.lease_ms / 2));
    }

    fn resign(&mut self, effects: &mut Vec<ElectionEffect>) {
        if let Role::Leader { .. } = self.role {
            self.broadcast(Says::Bye, effects);
            self.depose(effects);
        }
        if let Role::Candidate { .. } = self.role {
            self.role = Role::Follower;
        }
        // The goodbye takes one delay, the next one's jitter one, its claim two or three, its lease one.
        self.stands_back_until = self.now.plus_ms(6 * self.config.max_delay_ms);
    }

    fn stop(&mut self, effects: &mut Vec<ElectionEffect>) {
        if let Role::Leader { .. } = self.role {
            self.broadcast(Says::Bye, effects);
            self.depose(effects);
        }
        self.role = Role::Stopped;
        self.heard = None;
        self.ask_at = None;
    }

    fn do_what_is_due(&mut self, effects: &mut Vec<ElectionEffect>) {
        match self.role {
            Role::Follower if self.now >= self.claim_at() => self.claim(0, effects),
            Role::Follower if self.ask_at.is_some_and(|at| self.now >= at) => {
                self.ask_at = None; // once per lease heard; after that there is the claim
                self.broadcast(Says::Ask, effects);
            }
            Role::Candidate { since, .. } if self.now >= since.plus_ms(2 * self.config.max_delay_ms) => {
                self.round += 1;
                self.heard = None;
                self.ask_at = None;
                effects.push(ElectionEffect::Elected);
                self.renew(effects);
            }
            Role::Leader { renewed } if self.now >= renewed.plus_ms(self.config.lease_ms / 3) => {
                self.renew(effects);
            }
            Role::Follower | Role::Candidate { .. } | Role::Leader { .. } | Role::Stopped => (),
        }
    }

    /// Asks to be woken, if that is to be at another time than was last asked for.
    fn ask_for_sleep(&mut self, effects: &mut Vec<ElectionEffect>) {
        let delay_ms = self.config.max_delay_ms;
        let until = match self.role {
            Role::Stopped => None,
            Role::Follower => Some(self.ask_at.map_or(self.claim_at(), |at| at.min(self.claim_at()))),
            // Awake often, so that a freeze is noticed.
            Role::Candidate { since, .. } => {
                Some(since.plus_ms(2 * delay_ms).min(self.now.plus_ms(delay_ms / 2)))
            }
            Role::Leader { renewed } => Some(renewed.plus_ms(self.config.lease_ms / 3)),
        };
        debug_assert!(until.is_none_or(|until| until >= self.now.plus_ms(1)), "no timer in the past (R31)");
        if until != self.sleep {
            self.sleep = until;
            effects.push(ElectionEffect::Sleep { until });
        }
    }

    /// When a follower that hears nothing more claims.
    fn claim_at(&self) -> Timestamp {
        let others_until = self.leased_until.max(self.yielded_until);
        others_until.max(self.stands_back_until).plus_ms(self.jitter_ms())
    }

    /// Uniform below one delay (the bias is under 2⁻³²), the same for one round however often it is asked.
    fn jitter_ms(&self) -> u64 {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.config.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&self.round.to_le_bytes());
        draw64(&seed) % self.config.max_delay_ms
    }

    fn claim(&mut self, late_wakes: u8, effects: &mut Vec<ElectionEffect>) {
        self.round += 1;
        self.role = Role::Candidate { since: self.now, late_wakes };
        self.broadcast(Says::Claim, effects);
    }

    fn renew(&mut self, effects: &mut Vec<ElectionEffect>) {
        self.role = Role::Leader { renewed: self.now };
        self.broadcast(Says::Lease, effects);
    }

    fn depose(&mut self, effects: &mut Vec<ElectionEffect>) {
        self.role = Role::Follower;
        self.leased_until = self.now;
        effects.push(ElectionEffect::Deposed);
    }

    fn broadcast(&mut self, says: Says, effects: &mut Vec<ElectionEffect>) {
        self.sent += 1;
        let from = self.config.replica.clone();
        effects.push(ElectionEffect::Broadcast(ElectionMessage { from, nth: self.sent, says }));
    }
}
