//! A decision in the making: a working copy of the player that takes each event at once.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use holdfast_protocol::server as wire;
use serde::Serialize;

use super::event::{DealEvent, Event};
use super::player::Player;
use super::{Settings, books, json, leaderboard, metrics, pack, public};
use crate::actor::contract::{
    ActivityCall, ActivityOptions, Actor, Ctx, Decision, Push, Reject, Reply, Tell, TimerChange,
    Token,
};

/// A decision in the making.
pub(super) struct Draft<'a> {
    /// The player before the message.
    pub before: &'a Player,
    /// The player as the events so far make it.
    pub now: Player,
    /// What the decision may know.
    pub ctx: &'a Ctx<'a, Settings>,
    decision: Decision<Event>,
}

impl<'a> Draft<'a> {
    pub fn new(before: &'a Player, ctx: &'a Ctx<'a, Settings>) -> Self {
        Self { before, now: before.clone(), ctx, decision: Decision::default() }
    }

    /// Adds a fact, and folds it into the working copy.
    pub fn record(&mut self, event: Event) {
        self.now.apply(&event);
        self.decision.events.push(event);
    }

    /// Adds a fact about one of the player's trades.
    pub fn deal(&mut self, trade: &Arc<str>, deal: DealEvent) {
        self.record(Event::Deal { trade: Arc::clone(trade), deal });
    }

    /// Adds a sentence for the operators: something that must not happen has.
    pub fn alarm(&mut self, what: String) {
        self.decision.alarms.push(what);
    }

    /// The key of an actor that this decision creates. No other one has had it or will: not even a
    /// store that goes back makes it again.
    pub fn fresh_key(&self) -> Arc<str> {
        format!("{:x}-{:016x}", self.ctx.now_ms, self.ctx.random).into()
    }

    pub fn tell<T: Serialize>(&mut self, kind: &str, key: &str, message: &T, creates: bool) {
        // Keys come from checked ids of the same alphabet, so there is always an actor id.
        if let Ok(to) = ActorId::new(kind, key) {
            self.decision.tells.push(Tell { to, payload: pack(message), creates });
        }
    }

    pub fn set_timer(&mut self, name: &'static str, at_ms: u64) {
        self.decision.timers.push(TimerChange::Set { name: name.into(), at_ms });
    }

    pub fn cancel_timer(&mut self, name: &'static str) {
        self.decision.timers.push(TimerChange::Cancel { name: name.into() });
    }

    pub fn activity(&mut self, name: &'static str, input: Bytes, options: ActivityOptions) {
        self.decision.activities.push(ActivityCall { name: name.into(), input, options });
    }

    /// Adds a numbered event for the player's socket.
    pub fn push(&mut self, event: &wire::Event) {
        self.decision.pushes.push(Push::Numbered(json(event)));
    }

    /// Adds an event for the socket that there is now; whoever is away misses it.
    pub fn pass(&mut self, event: &wire::Event) {
        if self.ctx.connected {
            self.decision.pushes.push(Push::Transient(json(event)));
        }
    }

    pub fn broadcast(&mut self, event: &wire::Event) {
        self.decision.broadcasts.push(json(event));
    }

    pub fn reply<T: Serialize>(&mut self, body: &T) {
        self.decision.reply = Reply::Now(json(body));
    }

    pub fn reply_empty(&mut self) {
        self.decision.reply = Reply::Now(Bytes::from_static(b"{}"));
    }

    /// The answer comes later; returns the token to complete it with.
    pub fn reply_later(&mut self) -> Token {
        self.decision.reply = Reply::Later(self.ctx.token);
        self.ctx.token
    }

    pub fn complete<T: Serialize>(&mut self, token: Token, body: &T) {
        self.decision.completions.push((token, Ok(json(body))));
    }

    pub fn complete_refused(&mut self, token: Token, reject: Reject) {
        self.decision.completions.push((token, Err(reject)));
    }

    pub fn warn(&mut self, warning: Option<Reject>) {
        self.decision.warning = warning;
    }

    pub fn end_session(&mut self) {
        self.decision.ends_session = true;
    }

    /// What every decision ends with: metrics, the score, and what the player sees change.
    pub fn finish(mut self) -> Decision<Event> {
        metrics::settle(&mut self);
        leaderboard::settle(&mut self);
        if let Some(what) = books::check(self.before, &self.now, &self.decision.events) {
            self.alarm(what);
        }
        let set = public::changes(self.before, &self.now);
        if !set.is_empty() {
            self.push(&wire::Event::Player(wire::PlayerEvent { set }));
        }
        self.decision
    }
}
