//! Toy rules: accounts that hold coins and give them to each other.
//!
//! The state counts every effect by the nonce that its command carries, numbers its transfers per
//! pair, and writes down an anomaly as soon as it sees one: a second effect, a second tick, a
//! transfer out of order. One of them runs errands: it passes on what it is given, and is over.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

use super::world::{ACTORS, ERRAND, LATECOMER};
use crate::actor::contract::{
    ActivityCall, ActivityOptions, Actor, Attributes, Builtin, Ctx, Decision, Message, Push,
    Reject, Reply, Tell, TimerChange, Token, View,
};

/// An account that holds this much takes no more from others.
pub const FULL: u64 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    Deposit(u64),
    Give(usize, u64),
    Count,
    Refuse,
    Timer(u64),
    Work,
    Burst,
    Bye,
}

/// A command: what, and a nonce that every copy of the same intent shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cmd {
    pub nonce: u64,
    pub act: Act,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Note {
    Transfer { token: Token, no: u64, n: u64 },
    Answer { token: Token, taken: bool },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    Did { nonce: u64, random: u64, deposit: u64 },
    Armed { name: String },
    Ticked { name: String },
    Began { nonce: u64 },
    Worked { nonce: u64 },
    Gave { nonce: u64, token: Token, to: ActorId, n: u64 },
    Spent { no: u64, token: Token, to: ActorId, n: u64 },
    Took { from: ActorId, no: u64, n: u64 },
    Declined { from: ActorId, no: u64 },
    Closed { token: Token, taken: bool },
    Session,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    pub nonce: u64,
    pub to: ActorId,
    pub no: u64,
    pub n: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub version: u64,
    pub coins: u64,
    pub deposited: u64,
    pub random: u64,
    pub effects: BTreeMap<u64, u32>,
    pub timers: BTreeMap<String, u32>,
    pub works: BTreeMap<u64, u32>,
    pub transfers: BTreeMap<Token, Transfer>,
    pub sent_no: BTreeMap<ActorId, u64>,
    pub heard_no: BTreeMap<ActorId, u64>,
    pub taken: BTreeSet<(ActorId, u64)>,
    pub anomaly: Option<String>,
    /// See [`LATECOMER`].
    pub latecomer: bool,
    /// See [`ERRAND`].
    pub errand: bool,
}

pub fn pack(value: &impl Serialize) -> Bytes {
    rmp_serde::to_vec(value).unwrap().into()
}

pub fn name(index: usize) -> ActorId {
    ActorId::new("account", &format!("a{index}")).unwrap()
}

impl Account {
    pub fn body(&self) -> String {
        format!("{{\"v\":{},\"c\":{},\"r\":{}}}", self.version, self.coins, self.random)
    }

    fn odd(&mut self, what: String) {
        self.anomaly.get_or_insert(what);
    }

    fn effect(&mut self, nonce: u64) {
        let count = self.effects.entry(nonce).or_default();
        *count += 1;
        if *count > 1 {
            self.odd(format!("I4: command {nonce} took effect twice"));
        }
    }

    fn heard(&mut self, from: &ActorId, no: u64) {
        if *from == name(ERRAND) {
            // Each of its lives counts anew, so it names its transfers at random.
            return;
        }
        let last = self.heard_no.insert(from.clone(), no).unwrap_or(0);
        // What was undelivered before there was a receiver is left out, and given back; and what
        // an earlier life has taken.
        let left_out = (self.latecomer || self.errand) && no > last;
        if no != last + 1 && !left_out {
            self.odd(format!("I5: transfer {no} of {from} after {last}"));
        }
    }

    fn command(&self, ctx: &Ctx<'_, ()>, cmd: Cmd) -> Result<Decision<Event>, Reject> {
        let nonce = cmd.nonce;
        let mut decision = Decision::default();
        let did = |deposit| Event::Did { nonce, random: ctx.random, deposit };
        let body = format!("{{\"nonce\":{nonce},\"r\":{}}}", ctx.random);
        decision.reply = Reply::Now(body.into());
        match cmd.act {
            Act::Deposit(n) => decision.events.push(did(n)),
            Act::Count => decision.events.push(did(0)),
            Act::Refuse => return Err(Reject::new("bad_args", "refused by its own wish")),
            Act::Give(to, n) => {
                if self.coins < n {
                    return Err(Reject::new("too_poor", "not so many coins"));
                }
                let (to, token) = (name(to), ctx.token);
                let no = self.sent_no.get(&to).copied().unwrap_or(0) + 1;
                let payload = pack(&Note::Transfer { token, no, n });
                let creates = to == name(ERRAND);
                decision.tells.push(Tell { to: to.clone(), payload, creates });
                decision.events.push(Event::Gave { nonce, token, to, n });
                decision.reply = Reply::Later(token);
            }
            Act::Timer(after_ms) => {
                let name = format!("t{nonce}");
                decision.events.extend([did(0), Event::Armed { name: name.clone() }]);
                let at_ms = ctx.now_ms + after_ms;
                decision.timers.push(TimerChange::Set { name: name.into(), at_ms });
            }
            Act::Work => {
                decision.events.extend([did(0), Event::Began { nonce }]);
                let options = ActivityOptions {
                    first_retry_ms: 50,
                    attempts_max: 3,
                    ..ActivityOptions::default()
                };
                let input = pack(&nonce);
                decision.activities.push(ActivityCall { name: "work".into(), input, options });
            }
            Act::Burst => {
                decision.events.push(did(0));
                let push = |i| Push::Numbered(format!("{{\"b\":{nonce},\"i\":{i}}}").into());
                decision.pushes.extend((0..3).map(push));
                decision.pushes.push(Push::Transient(Bytes::from_static(b"{}")));
            }
            Act::Bye => {
                decision.events.push(did(0));
                decision.ends_session = true;
            }
        }
        Ok(decision)
    }

    /// Whoever runs an errand gives all that it has to someone, and tries again where no one
    /// takes it.
    fn spend(&self, ctx: &Ctx<'_, ()>) -> Decision<Event> {
        let mut decision = Decision::default();
        if self.coins > 0 && self.transfers.is_empty() {
            let (token, no, n) = (ctx.token, ctx.random, self.coins);
            let to = name(usize::try_from(ctx.random % ACTORS as u64).unwrap());
            let payload = pack(&Note::Transfer { token, no, n });
            decision.tells.push(Tell { to: to.clone(), payload, creates: false });
            decision.events.push(Event::Spent { no, token, to, n });
        }
        decision
    }

    /// Sets when it next spends.
    fn spend_soon(&self, now_ms: u64, decision: &mut Decision<Event>) {
        if self.errand {
            let (name, at_ms) = ("spend".into(), now_ms + 300);
            decision.timers.push(TimerChange::Set { name, at_ms });
        }
    }

    fn tell(&self, now_ms: u64, from: &ActorId, payload: &[u8]) -> Result<Decision<Event>, Reject> {
        let mut decision = Decision::default();
        match rmp_serde::from_slice(payload).unwrap() {
            Note::Transfer { token, no, n } => {
                let taken = self.coins + n <= FULL || *from == name(ERRAND);
                self.spend_soon(now_ms, &mut decision);
                let from = from.clone();
                let answer = pack(&Note::Answer { token, taken });
                decision.tells.push(Tell { to: from.clone(), payload: answer, creates: false });
                if taken {
                    let text = format!("{{\"took\":{n},\"from\":\"{from}\"}}");
                    decision.pushes.push(Push::Numbered(text.into()));
                    decision.events.push(Event::Took { from, no, n });
                } else {
                    decision.events.push(Event::Declined { from, no });
                }
            }
            Note::Answer { token, taken } => {
                Self::close(&mut decision, token, taken);
                self.spend_soon(now_ms, &mut decision);
            }
        }
        Ok(decision)
    }

    fn close(decision: &mut Decision<Event>, token: Token, taken: bool) {
        let full = || Reject::new("full", "the other has enough");
        let ok = Bytes::from(format!("{{\"given\":{token}}}"));
        decision.events.push(Event::Closed { token, taken });
        decision.completions.push((token, taken.then_some(ok).ok_or_else(full)));
    }
}

impl Actor for Account {
    type Event = Event;
    type Settings = ();

    fn new(id: &ActorId) -> Self {
        let (latecomer, errand) = (*id == name(LATECOMER), *id == name(ERRAND));
        Self { latecomer, errand, ..Self::default() }
    }

    fn decide(&self, ctx: &Ctx<'_, ()>, message: &Message<'_>) -> Result<Decision<Event>, Reject> {
        let mut decision = Decision::default();
        let idle = "idle";
        match *message {
            Message::Opened { .. } | Message::Resumed => {
                decision.events.push(Event::Session);
                decision.pushes.push(Push::Numbered(Bytes::from_static(b"{\"hi\":1}")));
                decision.pushes.push(Push::Transient(Bytes::from_static(b"{\"hey\":1}")));
                decision.timers.push(TimerChange::Cancel { name: idle.into() });
            }
            Message::Lost => {
                decision.events.push(Event::Session);
                let at_ms = ctx.now_ms + 2_500;
                decision.timers.push(TimerChange::Set { name: idle.into(), at_ms });
            }
            Message::Command { payload, .. } => {
                return self.command(ctx, rmp_serde::from_slice(payload).unwrap());
            }
            Message::Tell { from, payload } => return self.tell(ctx.now_ms, from, payload),
            Message::Undelivered { payload, .. } => {
                if let Note::Transfer { token, .. } = rmp_serde::from_slice(payload).unwrap() {
                    Self::close(&mut decision, token, false);
                    self.spend_soon(ctx.now_ms, &mut decision);
                }
            }
            Message::Timer { .. } if self.errand => decision = self.spend(ctx),
            Message::Timer { name } if name == idle => {
                decision.events.push(Event::Session);
                decision.ends_session = true;
            }
            Message::Timer { name } => decision.events.push(Event::Ticked { name: name.into() }),
            Message::ActivityEnded { input, .. } => {
                let nonce = rmp_serde::from_slice(input).unwrap();
                decision.events.push(Event::Worked { nonce });
            }
        }
        Ok(decision)
    }

    fn apply(&mut self, event: &Event) {
        self.version += 1;
        match event.clone() {
            Event::Did { nonce, random, deposit } => {
                self.effect(nonce);
                self.random ^= random;
                self.coins += deposit;
                self.deposited += deposit;
            }
            Event::Armed { name } => {
                self.timers.insert(name, 0);
            }
            Event::Ticked { name } => {
                let ticks = self.timers.entry(name.clone()).or_insert(7);
                *ticks += 1;
                if *ticks != 1 {
                    self.odd(format!("I5: timer {name} fired twice"));
                }
            }
            Event::Began { nonce } => {
                self.works.insert(nonce, 0);
            }
            Event::Worked { nonce } => {
                let works = self.works.entry(nonce).or_insert(7);
                *works += 1;
                if *works != 1 {
                    self.odd(format!("I5: activity of {nonce} ended twice"));
                }
            }
            Event::Gave { nonce, token, to, n } => {
                self.effect(nonce);
                self.coins -= n;
                let no = self.sent_no.entry(to.clone()).or_default();
                *no += 1;
                self.transfers.insert(token, Transfer { nonce, to, no: *no, n });
            }
            Event::Spent { no, token, to, n } => {
                self.coins -= n;
                self.transfers.insert(token, Transfer { nonce: no, to, no, n });
            }
            Event::Took { from, no, n } => {
                self.heard(&from, no);
                self.coins += n;
                if !self.taken.insert((from.clone(), no)) {
                    self.odd(format!("I9: transfer {no} of {from} was taken twice"));
                }
            }
            Event::Declined { from, no } => self.heard(&from, no),
            Event::Closed { token, taken } => match self.transfers.remove(&token) {
                Some(transfer) if !taken => {
                    self.coins += transfer.n;
                    self.effects.remove(&transfer.nonce);
                }
                Some(_) => {}
                None => self.odd(format!("I5: the answer to {token} came twice")),
            },
            Event::Session => {}
        }
    }

    fn is_over(&self) -> bool {
        self.errand && self.version > 0 && self.coins == 0 && self.transfers.is_empty()
    }

    fn query(&self, _: &Ctx<'_, ()>, _: &[u8]) -> Result<Bytes, Reject> {
        Ok(self.body().into())
    }

    fn view(&self) -> Option<View> {
        let input = self.version;
        let label = "".into();
        Some(View { topic: None, entity: 1, label, x: 0, y: 0, health: 0, flags: 0, input })
    }

    fn attributes(&self) -> Option<Attributes> {
        let builtin = vec![(Builtin::TotalActions, self.version.into())];
        Some(Attributes { builtin, declared: Vec::new() })
    }
}
