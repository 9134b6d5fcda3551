//! A draft: the record that a drain is writing, and what waits for it.

use bytes::Bytes;

use super::{Core, Limits, Output, guard};
use crate::actor::contract::{
    Decision, HOPS_MAX, Message, Push, Reject, Reply, Tell, TimerChange, Token,
};
use crate::actor::envelope::{Closing, ConnectionId, Delivery, Outcome};
use crate::actor::kind::{Facts, Fault};
use crate::actor::record::{Fact, Place};

/// See the module.
pub(super) struct Draft {
    /// The record's seq, if it comes to be one.
    pub seq: u64,
    /// The record's time: never less than the last record's.
    pub now_ms: u64,
    /// What the record will hold.
    pub facts: Vec<Fact>,
    /// What leaves when the record is durable, or at once if there is none.
    pub outputs: Vec<Output>,
    /// Nothing more joins the record, so that the state sent at an attach is all of it.
    pub sealed: bool,
    begun: bool,
}

impl Draft {
    /// I7: a record's size has a bound; what is left in the mailbox goes in the next.
    pub fn has_room(&self, limits: &Limits) -> bool {
        !self.sealed && self.facts.len() < limits.record_facts_max
    }

    /// Sends to a socket.
    pub fn deliver(&mut self, connection: ConnectionId, delivery: Delivery) {
        self.outputs.push(Output::Deliver(connection, delivery));
    }

    /// Answers a session's command or query.
    pub fn reply(&mut self, connection: ConnectionId, id: Option<u64>, outcome: Outcome) {
        self.deliver(connection, Delivery::Reply { id, outcome: Box::new(outcome) });
    }
}

/// The refusal of a command or query, not tied to any record.
pub(super) fn reply_err(connection: ConnectionId, id: Option<u64>, reject: Reject) -> Output {
    let outcome = Outcome { result: Err(reject), seq: None, dup: false };
    Output::Deliver(connection, Delivery::Reply { id, outcome: Box::new(outcome) })
}

/// What a decision means for the command that caused it.
pub(super) enum Answer {
    /// The `ok` body.
    Now(Bytes),
    /// It comes under this token.
    Later(Token),
}

impl Core {
    pub(super) fn open_draft(&self, now_ms: u64) -> Draft {
        // I3: time never runs backwards in a journal.
        let now_ms = now_ms.max(self.durable.ledger.now_ms);
        Draft {
            seq: self.acked + 1,
            now_ms,
            facts: Vec::new(),
            outputs: Vec::new(),
            sealed: false,
            begun: false,
        }
    }

    /// Writes a fact into the draft and folds it at once. The first one takes along what waited
    /// for a record.
    pub(super) fn write(&mut self, draft: &mut Draft, fact: Fact) {
        let at = self.position(draft.seq);
        if !draft.begun {
            draft.begun = true;
            self.durable.ledger.enter(at, draft.now_ms);
            for lazy in std::mem::take(&mut self.lazy) {
                self.durable.ledger.fold(at, &lazy);
                draft.facts.push(lazy);
            }
        }
        // The rules' events were applied by `decide`; the ledger does not know them.
        self.durable.ledger.fold(at, &fact);
        draft.facts.push(fact);
    }

    /// Asks the rules. A panic of theirs refuses the message (and tells the operator) or, when
    /// the state itself may be half changed, stops the actor.
    pub(super) fn judge(
        &mut self,
        draft: &Draft,
        message: &Message<'_>,
    ) -> Result<Decision<Bytes>, Reject> {
        let facts = Facts {
            id: &self.id.clone(),
            now_ms: draft.now_ms,
            seq: draft.seq,
            token: self.durable.ledger.token + 1,
            random: self.next_random(),
            connected: self.connection.is_some(),
        };
        match self.durable.state.decide(facts, message) {
            Ok(decision) => Ok(decision),
            Err(Fault::Rejected(reject)) => Err(reject),
            Err(Fault::Decide(panic)) => {
                self.out.push_back(Output::Alarm(format!("the rules panicked: {panic}")));
                Err(Reject::new("bad_args", "the rules failed on this; nothing was executed"))
            }
            Err(Fault::Apply(panic)) => {
                self.stop(Output::Quarantine(format!("the rules failed to apply: {panic}")));
                Err(Reject::new("bad_args", "the rules failed on this"))
            }
        }
    }

    /// Reads the state.
    pub(super) fn ask(&mut self, draft: &Draft, payload: &[u8]) -> Result<Bytes, Reject> {
        let facts = Facts {
            id: &self.id,
            now_ms: draft.now_ms,
            seq: draft.seq,
            token: 0,
            random: 0,
            connected: self.connection.is_some(),
        };
        match self.durable.state.query(facts, payload) {
            Ok(answer) => Ok(answer),
            Err(Fault::Rejected(reject)) => Err(reject),
            Err(Fault::Decide(panic) | Fault::Apply(panic)) => {
                self.out.push_back(Output::Alarm(format!("the rules panicked: {panic}")));
                Err(Reject::new("bad_args", "the rules failed on this query"))
            }
        }
    }

    /// Writes what the rules make of a message that is no command. They may end the session, as
    /// an idle player's timer does.
    pub(super) fn react(&mut self, draft: &mut Draft, message: &Message<'_>, hops: u8) {
        if let Ok(decision) = self.judge(draft, message) {
            let ends = decision.ends_session;
            self.accept(draft, decision, hops);
            if ends {
                self.end_session(draft, Closing::Expired);
            }
        }
    }

    /// Writes all that a decision wants into the draft. Returns the answer to the message.
    pub(super) fn accept(
        &mut self,
        draft: &mut Draft,
        decision: Decision<Bytes>,
        hops: u8,
    ) -> Answer {
        for event in decision.events {
            self.write(draft, Fact::Event(event));
        }
        for tell in decision.tells {
            self.accept_tell(draft, tell, hops);
        }
        for change in decision.timers {
            self.write(
                draft,
                match change {
                    TimerChange::Set { name, at_ms } => Fact::TimerSet { name, at_ms },
                    TimerChange::Cancel { name } => Fact::TimerGone { name },
                },
            );
        }
        for call in decision.activities {
            let (name, input, options) = (call.name, call.input, call.options);
            self.write(draft, Fact::ActivityBegun { name, input, options });
        }
        for push in decision.pushes {
            self.accept_push(draft, push);
        }
        for (token, result) in decision.completions {
            self.complete(draft, token, result);
        }
        self.accept_broadcasts(draft, decision.broadcasts);
        draft.outputs.extend(decision.alarms.into_iter().map(Output::Violation));
        if let Some(warning) = decision.warning {
            self.warn(draft, warning);
        }
        match decision.reply {
            Reply::None => Answer::Now(Bytes::from_static(b"{}")),
            Reply::Now(body) => Answer::Now(body),
            Reply::Later(token) => Answer::Later(token),
        }
    }

    fn accept_tell(&mut self, draft: &mut Draft, tell: Tell, hops: u8) {
        if hops >= HOPS_MAX {
            let text = format!("a tell to {} went through {hops} hands and is laid aside", tell.to);
            draft.outputs.push(Output::DeadLetter(text));
            self.write(draft, Fact::DeadLetter { to: tell.to, payload: tell.payload });
            return;
        }
        let (to, payload, creates) = (tell.to, tell.payload, tell.creates);
        self.write(draft, Fact::Told { to, payload, creates, hops });
    }

    fn accept_push(&mut self, draft: &mut Draft, push: Push) {
        match push {
            Push::Numbered(message) => self.write(draft, Fact::Pushed(message)),
            Push::Transient(message) => {
                if let Some(connection) = self.connection {
                    draft.deliver(connection, Delivery::Transient(message));
                }
            }
        }
    }

    fn accept_broadcasts(&mut self, draft: &mut Draft, broadcasts: Vec<Bytes>) {
        if broadcasts.is_empty() {
            return;
        }
        if let Some(topic) = self.durable.state.topic(&self.id) {
            let shown = broadcasts.into_iter().map(|b| Output::Broadcast(topic.clone(), b));
            draft.outputs.extend(shown);
        }
    }

    /// An error beside what was accepted, at most once a second.
    fn warn(&mut self, draft: &mut Draft, warning: Reject) {
        let quiet = draft.now_ms >= self.warned_at_ms + 1_000;
        if let Some(connection) = self.connection.filter(|_| quiet) {
            self.warned_at_ms = draft.now_ms;
            draft.outputs.push(reply_err(connection, None, warning));
        }
    }

    /// Completes a deferred command: in the journal, and for whoever waits.
    fn complete(&mut self, draft: &mut Draft, token: Token, result: Result<Bytes, Reject>) {
        let Some(pending) = self.durable.ledger.pending.get(&token) else { return };
        let place = pending.place;
        self.write(draft, Fact::Completed { token, result: result.clone() });
        if let Some(waiter) = self.waiters.remove(&token) {
            for (caller, dup) in waiter.callers {
                self.answer(draft, caller, result.clone(), dup);
            }
            for (connection, place) in waiter.followers {
                self.follow(draft, connection, place, result.clone());
            }
        }
        let current = self.durable.ledger.session().map(|s| s.id) == Some(place.session);
        if let Some(connection) = self.connection.filter(|_| current) {
            let seq = result.is_ok().then_some(draft.seq);
            draft.reply(connection, Some(place.id), Outcome { result, seq, dup: false });
        }
    }

    /// Answers a command that named the key of a deferred one, as its repeat.
    fn follow(
        &mut self,
        draft: &mut Draft,
        connection: ConnectionId,
        place: Place,
        result: Result<Bytes, Reject>,
    ) {
        let seq = result.is_ok().then_some(draft.seq);
        let fact = match &result {
            Ok(body) => Fact::Answered { place, key: None, body: body.clone(), first: None },
            Err(reject) => Fact::Refused { place, reject: reject.clone() },
        };
        self.write(draft, fact);
        draft.reply(connection, Some(place.id), Outcome { result, seq, dup: true });
    }

    /// Notes a refusal for the next record, and in memory until then.
    pub(super) fn note_refusal(&mut self, place: Place, reject: &Reject) {
        if self.lazy.len() >= super::super::ledger::REPLIES_MAX {
            self.lazy.remove(0);
        }
        self.lazy.push(Fact::Refused { place, reject: reject.clone() });
    }

    /// The highest id of a session that was answered, refused or deferred.
    pub(super) fn watermark(&self, session: u64) -> u64 {
        if !guard!(self, Watermark) {
            return 0;
        }
        let noted = self.lazy.iter().filter_map(|fact| match fact {
            Fact::Refused { place, .. } | Fact::Answered { place, .. }
                if place.session == session =>
            {
                Some(place.id)
            }
            _ => None,
        });
        let kept = self.durable.ledger.session_of(session).map_or(0, |s| s.watermark);
        noted.max().unwrap_or(0).max(kept)
    }

    /// The answer that is remembered for a command.
    pub(super) fn remembered(&self, place: Place) -> Option<Outcome> {
        if !guard!(self, KeptReplies) {
            return None;
        }
        let noted = self.lazy.iter().rev().find_map(|fact| match fact {
            Fact::Refused { place: p, reject } if *p == place => {
                Some(Outcome { result: Err(reject.clone()), seq: None, dup: true })
            }
            _ => None,
        });
        noted.or_else(|| {
            let kept = self.durable.ledger.kept(place)?;
            let seq = kept.result.is_ok().then_some(kept.seq);
            Some(Outcome { result: kept.result.clone(), seq, dup: true })
        })
    }
}
