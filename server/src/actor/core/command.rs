//! Sessions, commands and reads.
//!
//! I4: a command takes effect at most once. Before the rules see it, its id is held against the
//! session's watermark and its key against those kept; a repeat is answered with the first reply,
//! or with `outcome_unknown`, never a false ok.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::draft::{Answer, Draft};
use super::{CallerId, Core, Output, Waiter, busy, guard};
use crate::actor::contract::{Message, Origin, Reject, Token};
use crate::actor::envelope::{
    Answered, Attached, Attachment, Call, CallError, Closing, Command, ConnectionId, Delivery,
    Outcome, Refusal,
};
use crate::actor::ledger::{Frame, NO_SESSION};
use crate::actor::record::{Fact, KeyHash, Place};

/// Where a command's second key leads.
enum Known {
    /// It has an answer.
    Answered(Outcome),
    /// Its answer is awaited.
    Pending(Token),
}

/// The answer where there is nothing to say.
const EMPTY: Bytes = Bytes::from_static(b"{}");

fn hash(key: &str) -> KeyHash {
    let digest = Sha256::digest(key.as_bytes());
    let mut short = [0; 16];
    for (to, from) in short.iter_mut().zip(digest) {
        *to = from;
    }
    KeyHash(short)
}

impl Core {
    pub(super) fn hello(&mut self, draft: &mut Draft, connection: ConnectionId, payload: &[u8]) {
        let decision = match self.judge(draft, &Message::Opened { payload }) {
            Ok(decision) => decision,
            Err(reject) => {
                let refused = Delivery::Refused(Box::new(Refusal::Rejected(reject)));
                return draft.deliver(connection, refused);
            }
        };
        self.write(draft, Fact::Opened);
        self.write(draft, Fact::Attached);
        self.replace(draft, connection);
        self.waiting.clear();
        let first = draft.outputs.len();
        self.accept(draft, decision, 0);
        self.attached(draft, first, connection, (Attachment::Welcome, Vec::new()));
    }

    pub(super) fn resume(
        &mut self,
        draft: &mut Draft,
        connection: ConnectionId,
        session: u64,
        seen: u64,
    ) {
        let ledger = &self.durable.ledger;
        let open = ledger.session().is_some_and(|s| s.id == session);
        let idle = !ledger.connected
            && draft.now_ms.saturating_sub(ledger.detached_ms) > self.limits.resume_ms;
        if !open || idle {
            let refused = Delivery::Refused(Box::new(Refusal::SessionEnded));
            return draft.deliver(connection, refused);
        }
        // A resume is complete or is a resync, never partial.
        let complete = seen >= ledger.frames_floor && seen <= self.acked;
        let missed = |frame: &&Frame| frame.seq > seen && frame.seq <= self.acked;
        let replay: Vec<_> =
            ledger.frames.iter().filter(missed).map(|f| (f.seq, f.evs.clone())).collect();
        let back = !ledger.connected;
        self.replace(draft, connection);
        let first = draft.outputs.len();
        if back {
            self.write(draft, Fact::Attached);
            if let Ok(decision) = self.judge(draft, &Message::Resumed) {
                self.accept(draft, decision, 0);
            }
        }
        let how = match complete {
            true => (Attachment::Resumed, replay),
            false => (Attachment::Resync, Vec::new()),
        };
        self.attached(draft, first, connection, how);
    }

    /// The newest connection of a player wins.
    fn replace(&mut self, draft: &mut Draft, connection: ConnectionId) {
        let former = self.connection.replace(connection);
        // The client says again what it still waits for.
        self.waiting.retain(|command| command.connection == connection);
        self.turned_away.retain(|(of, _)| *of == connection);
        if let Some(former) = former.filter(|former| *former != connection) {
            draft.deliver(former, Delivery::Close(Closing::Replaced));
        }
    }

    /// Sends the state ahead of what the rules said about the attach. A record that is being
    /// written ends here: who resumes from its seq has missed nothing of it.
    fn attached(
        &mut self,
        draft: &mut Draft,
        first: usize,
        connection: ConnectionId,
        (how, replay): (Attachment, Vec<(u64, Bytes)>),
    ) {
        let state = self.ask_own(draft);
        let session = self.durable.ledger.session().map_or(NO_SESSION, |s| s.id);
        let seq = self.state_seq(draft);
        let (watermark, epoch) = (self.watermark(session), self.epoch);
        let attached = Attached {
            how,
            session,
            watermark,
            epoch,
            seq,
            state,
            replay,
            // The cell knows.
            activated: None,
        };
        let delivery = Delivery::Attached(Box::new(attached));
        draft.outputs.insert(first, Output::Deliver(connection, delivery));
        draft.sealed = !draft.facts.is_empty() && guard!(self, WholeAttach);
    }

    /// The newest record that the state contains.
    fn state_seq(&self, draft: &Draft) -> u64 {
        if draft.facts.is_empty() { self.acked } else { draft.seq }
    }

    pub(super) fn lost(&mut self, draft: &mut Draft) {
        self.connection = None;
        if !self.durable.ledger.connected {
            return;
        }
        self.write(draft, Fact::Detached);
        self.react(draft, &Message::Lost, 0);
    }

    pub(super) fn command(&mut self, draft: &mut Draft, command: Command) {
        let current = self.durable.ledger.session().is_some_and(|s| s.id == command.session);
        if !current {
            let reject = Reject::new("unauthorized", "this session has ended; say hello again");
            return self.refuse(draft, &command, reject);
        }
        if self.connection != Some(command.connection) {
            // A socket that was given up; its client has moved on.
            return;
        }
        let Some(id) = command.id else { return self.unanswered(draft, &command) };
        let place = Place { session: command.session, id };
        let turned_away = self.turned_away.contains(&(command.connection, id));
        if turned_away && guard!(self, BusyStays) {
            return self.refuse(draft, &command, busy());
        }
        if self.repeat(draft, &command, place) || self.wait(&command) {
            return;
        }
        let key = command.key.as_deref().map(hash);
        if let Some(known) = self.known(key) {
            return self.repeat_of_key(draft, &command, place, known);
        }
        if self.durable.ledger.outbox.len() >= self.limits.outbox_len_max {
            self.note_refusal(place, &busy());
            return self.refuse(draft, &command, busy());
        }
        let message = Message::Command { origin: Origin::Session, payload: &command.payload };
        match self.judge(draft, &message) {
            Err(reject) => {
                self.note_refusal(place, &reject);
                self.refuse(draft, &command, reject);
            }
            Ok(decision) => self.executed(draft, &command, place, key, decision),
        }
    }

    fn executed(
        &mut self,
        draft: &mut Draft,
        command: &Command,
        place: Place,
        key: Option<KeyHash>,
        decision: crate::actor::contract::Decision<Bytes>,
    ) {
        let ends = decision.ends_session;
        match self.accept(draft, decision, 0) {
            Answer::Later(token) => {
                self.write(draft, Fact::Deferred { token, place, key });
                self.await_answer(draft.now_ms, token, None);
            }
            Answer::Now(body) => {
                self.write(draft, Fact::Answered { place, key, body: body.clone(), first: None });
                let outcome = Outcome { result: Ok(body), seq: Some(draft.seq), dup: false };
                draft.reply(command.connection, command.id, outcome);
            }
        }
        if ends {
            self.end_session(draft, Closing::LoggedOut);
        }
    }

    /// Input: decided and journaled, but not answered.
    fn unanswered(&mut self, draft: &mut Draft, command: &Command) {
        let message = Message::Command { origin: Origin::Session, payload: &command.payload };
        match self.judge(draft, &message) {
            Ok(decision) => {
                let ends = decision.ends_session;
                self.accept(draft, decision, 0);
                if ends {
                    self.end_session(draft, Closing::LoggedOut);
                }
            }
            Err(reject) => self.refuse(draft, command, reject),
        }
    }

    fn refuse(&mut self, draft: &mut Draft, command: &Command, reject: Reject) {
        let outcome = Outcome { result: Err(reject), seq: None, dup: false };
        draft.reply(command.connection, command.id, outcome);
    }

    /// I4: answers an id that was seen before. Returns whether it was.
    fn repeat(&mut self, draft: &mut Draft, command: &Command, place: Place) -> bool {
        if place.id > self.watermark(place.session) {
            return false;
        }
        if let Some(token) = self.durable.ledger.pending_token(place) {
            self.await_answer(draft.now_ms, token, None);
        } else if let Some(outcome) = self.remembered(place) {
            draft.reply(command.connection, command.id, outcome);
        } else {
            let text = "the first reply is no longer kept; it was not executed again";
            self.refuse(draft, command, Reject::new("outcome_unknown", text));
        }
        true
    }

    /// While a command is pending, the session's later ones wait. Returns whether this one does.
    fn wait(&mut self, command: &Command) -> bool {
        let pending = self.durable.ledger.has_pending(command.session);
        if !pending || !guard!(self, WaitWhilePending) {
            return false;
        }
        self.waiting.push_back(command.clone());
        true
    }

    fn known(&self, key: Option<KeyHash>) -> Option<Known> {
        if !guard!(self, Keys) {
            return None;
        }
        let place = self.durable.ledger.key(&key?)?;
        if let Some(token) = self.durable.ledger.pending_token(place) {
            return Some(Known::Pending(token));
        }
        let first = self.durable.ledger.kept(place).map(|kept| (kept.result.clone(), kept.seq));
        let (result, seq) = first.unwrap_or_else(|| (Ok(EMPTY), self.acked));
        Some(Known::Answered(Outcome { result, seq: Some(seq), dup: true }))
    }

    /// A new id with a key that was used before: nothing is executed.
    fn repeat_of_key(&mut self, draft: &mut Draft, command: &Command, place: Place, known: Known) {
        match known {
            Known::Answered(outcome) => {
                let (body, first) = (outcome.result.clone().unwrap_or_default(), outcome.seq);
                self.write(draft, Fact::Answered { place, key: None, body, first });
                draft.reply(command.connection, command.id, outcome);
            }
            Known::Pending(token) => {
                self.await_answer(draft.now_ms, token, None);
                if let Some(waiter) = self.waiters.get_mut(&token) {
                    waiter.followers.push((command.connection, place));
                }
            }
        }
    }

    /// Someone waits for a deferred answer; after a while they hear `pending`.
    fn await_answer(&mut self, now_ms: u64, token: Token, caller: Option<(CallerId, bool)>) {
        let deadline_ms = now_ms + self.limits.pending_after_ms;
        let waiter =
            Waiter { deadline_ms, told: false, callers: Vec::new(), followers: Vec::new() };
        let waiter = self.waiters.entry(token).or_insert(waiter);
        (waiter.deadline_ms, waiter.told) = (deadline_ms, false);
        waiter.callers.extend(caller);
    }

    /// Says `pending` to those who have waited long enough. It ends nothing. I2: with an append
    /// in flight, which may hold the deferral itself or the attach of the socket, it waits for it.
    pub(super) fn remind(&mut self, now_ms: u64) {
        let mut late = Vec::new();
        for (token, waiter) in &mut self.waiters {
            if !waiter.told && waiter.deadline_ms <= now_ms {
                waiter.told = true;
                late.push((*token, std::mem::take(&mut waiter.callers)));
            }
        }
        let mut said = Vec::new();
        for (token, callers) in late {
            for (caller, _) in callers {
                said.push(Output::Answer(caller, Err(CallError::Pending)));
            }
            let place = self.durable.ledger.pending.get(&token).map(|p| p.place);
            let session = self.durable.ledger.session().map(|s| s.id);
            let place = place.filter(|place| Some(place.session) == session);
            if let (Some(connection), Some(place)) = (self.connection, place) {
                let reject = Reject::new("pending", "accepted and durable; the answer follows");
                said.push(super::draft::reply_err(connection, Some(place.id), reject));
            }
        }
        match &mut self.flight {
            Some(flight) if guard!(self, WaitForAppend) => flight.outputs.extend(said),
            _ => self.out.extend(said),
        }
    }

    pub(super) fn read(
        &mut self,
        draft: &mut Draft,
        connection: ConnectionId,
        id: u64,
        payload: &[u8],
    ) {
        let result = self.ask(draft, payload);
        let seq = result.is_ok().then(|| self.state_seq(draft));
        draft.reply(connection, Some(id), Outcome { result, seq, dup: false });
    }

    pub(super) fn query(&mut self, draft: &mut Draft, caller: CallerId, payload: &[u8]) {
        let result = self.ask(draft, payload);
        self.answer(draft, caller, result, false);
    }

    pub(super) fn answer(
        &self,
        draft: &mut Draft,
        caller: CallerId,
        result: Result<Bytes, Reject>,
        dup: bool,
    ) {
        let seq = self.state_seq(draft);
        self.answer_at(draft, caller, result, (seq, dup));
    }

    fn answer_at(
        &self,
        draft: &mut Draft,
        caller: CallerId,
        result: Result<Bytes, Reject>,
        (seq, dup): (u64, bool),
    ) {
        let answer = result.map(|body| Answered { body, epoch: self.epoch, seq, dup });
        draft.outputs.push(Output::Answer(caller, answer.map_err(CallError::Rejected)));
    }

    /// Answers a key that was used before.
    fn repeat_of_call(&mut self, draft: &mut Draft, caller: CallerId, signal: bool, known: Known) {
        match known {
            Known::Pending(_) if signal => self.answer(draft, caller, Ok(EMPTY), true),
            Known::Pending(token) => {
                self.await_answer(draft.now_ms, token, Some((caller, true)));
            }
            Known::Answered(Outcome { result, seq, .. }) => {
                let seq = seq.unwrap_or_else(|| self.state_seq(draft));
                self.answer_at(draft, caller, result, (seq, true));
            }
        }
    }

    pub(super) fn call(&mut self, draft: &mut Draft, caller: CallerId, call: Call) {
        let key = call.key.as_deref().map(hash);
        if let Some(known) = self.known(key) {
            return self.repeat_of_call(draft, caller, call.signal, known);
        }
        if self.durable.ledger.outbox.len() >= self.limits.outbox_len_max {
            return draft.outputs.push(Output::Answer(caller, Err(CallError::Busy)));
        }
        let message = Message::Command { origin: call.origin, payload: &call.payload };
        let decision = match self.judge(draft, &message) {
            Ok(decision) => decision,
            Err(reject) => return self.answer(draft, caller, Err(reject), false),
        };
        let ends = decision.ends_session;
        let place = Place { session: NO_SESSION, id: self.watermark(NO_SESSION) + 1 };
        match self.accept(draft, decision, 0) {
            Answer::Later(token) => {
                self.write(draft, Fact::Deferred { token, place, key });
                if call.signal {
                    self.answer(draft, caller, Ok(EMPTY), false);
                } else {
                    self.await_answer(draft.now_ms, token, Some((caller, false)));
                }
            }
            Answer::Now(body) => {
                self.write(draft, Fact::Answered { place, key, body: body.clone(), first: None });
                self.answer(draft, caller, Ok(body), false);
            }
        }
        if ends {
            self.end_session(draft, Closing::LoggedOut);
        }
    }

    /// Ends the player's session, after the replies that it is still owed.
    pub(super) fn end_session(&mut self, draft: &mut Draft, closing: Closing) {
        self.write(draft, Fact::Ended);
        self.write(draft, Fact::Detached);
        self.waiting.clear();
        if let Some(connection) = self.connection.take() {
            draft.deliver(connection, Delivery::Close(closing));
        }
    }

    fn ask_own(&mut self, draft: &Draft) -> Bytes {
        // The empty payload asks for the state as its own player sees it.
        self.ask(draft, &[]).unwrap_or_else(|_| Bytes::from_static(b"null"))
    }
}
