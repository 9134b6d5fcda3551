//! The books of one simulated player, over all its sessions: what it asked and was promised, what
//! it sent and is acknowledged, and what must be true of it in the end. Pure.
//!
//! It keeps what is open and the newest replies as they are; older ones become a sum of what they
//! must have done ([`Expected`]) and a line each of where the journal must have them
//! ([`Ack`]), so that a player of a million commands stays small.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use holdfast_protocol::client::{ClientMessage, Step, Verb};
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::ids::{PlayerId, TradeId};
use holdfast_protocol::movement::{self, Position};
use holdfast_protocol::server::{
    Event, Events, PlayerState, RoomEvent, ServerMessage, TradeEvent, Welcome, WelcomeKind,
};
use tokio::time::Instant;

use super::closed::held;
pub use super::closed::{Ack, Closed, InputAck};
use super::dealings::Dealings;
use super::mind::Knows;
use crate::expect::Expected;
use crate::ledger::{Answer, Ledger, Violation};
use crate::mirror::Mirror;

/// Replies that are kept as they came; the server keeps as many.
const KEPT: usize = 64;
/// Numbered frames that are kept.
const FRAMES_MAX: usize = 256;

/// A step that was sent.
#[derive(Debug, Clone, Copy)]
struct Sent {
    seq: u64,
    step: Step,
    due: Instant,
}

/// Something that the server's message settled.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// A command was answered `ok`; it was due then.
    Done(Instant),
    /// A command that others had a say in, of trades or parties, was answered `ok`.
    Dealt(Instant),
    /// The same, where the command accepts this trade.
    Accepted(Instant, TradeId),
    /// A trade is in a new phase.
    Told(Box<TradeEvent>),
    /// A command was refused, with this code.
    Refused(ErrorCode),
    /// A message without an id was refused.
    Complaint(ErrorCode),
    /// A step is durable; it was due then.
    Step(Instant),
    /// A reply that had come before.
    Repeat,
}

/// See the module.
#[derive(Debug)]
pub struct Account {
    /// Whose.
    pub player: PlayerId,
    ledger: Ledger,
    mirror: Mirror,
    /// When each command that is open was due.
    due: BTreeMap<u64, Instant>,
    dealings: Dealings,
    accepted: BTreeSet<TradeId>,
    began: Option<BTreeMap<String, u64>>,
    session: Option<u64>,
    resume: Option<String>,
    sum: Expected,
    acks: Vec<Ack>,
    input_acks: Vec<InputAck>,
    steps: u64,
    unacked: VecDeque<Sent>,
    through: u64,
    /// Where the steps lead that are acknowledged, and those that were sent.
    at: Option<Position>,
    ahead: Option<Position>,
    /// Steps were refused, or it is not known whether they counted: the place says nothing.
    astray: bool,
    /// Calls without an outcome, and commands of sessions that have ended.
    left_open: u64,
    violations: Vec<String>,
}

impl Account {
    /// The books of a player who has not said hello yet.
    #[must_use]
    pub fn new(player: PlayerId) -> Self {
        Self {
            player,
            ledger: Ledger::default(),
            mirror: Mirror::default(),
            due: BTreeMap::new(),
            dealings: Dealings::default(),
            accepted: BTreeSet::new(),
            began: None,
            session: None,
            resume: None,
            sum: Expected::default(),
            acks: Vec::new(),
            input_acks: Vec::new(),
            steps: 0,
            unacked: VecDeque::new(),
            through: 0,
            at: None,
            ahead: None,
            astray: false,
            left_open: 0,
            violations: Vec::new(),
        }
    }

    /// What to say first on a new socket: hello, or resume where there is a session.
    #[must_use]
    pub fn greeting(&self) -> ClientMessage {
        let verb = match &self.resume {
            Some(token) => Verb::Resume { token: token.clone(), seq: self.mirror.seen() },
            None => Verb::Hello { token: None, player: Some(self.player.clone()), name: None },
        };
        ClientMessage { id: None, verb }
    }

    /// Takes the answer to hello or resume. What has no outcome and what is to be repeated
    /// follows by [`Account::open`] and [`Account::unacked`].
    pub fn welcome(&mut self, welcome: Welcome) {
        let is_new = welcome.kind == WelcomeKind::Welcome;
        if is_new {
            self.end_session();
            self.session = welcome.session.parse().ok();
            self.place(&welcome.state);
        }
        self.began.get_or_insert_with(|| held(&welcome.state));
        let whole = welcome.kind == WelcomeKind::Resumed;
        if let Err(odd) = self.dealings.welcome(&welcome.state, whole) {
            self.violations.push(odd);
        }
        self.resume = Some(welcome.resume.clone());
        if let Err(violation) = self.mirror.welcome(welcome) {
            self.violated(&violation);
        }
    }

    /// The session is over; whatever it left open was lost with it, and is said so.
    pub fn session_lost(&mut self) {
        self.resume = None;
    }

    fn end_session(&mut self) {
        self.settle(0);
        self.ledger.clear();
        // Whether they took effect is not known, and will not be.
        self.left_open += self.due.len() as u64;
        self.due.clear();
        // Of what was open it is not known whether it took effect.
        self.astray |= !self.unacked.is_empty();
        self.unacked.clear();
        (self.steps, self.through) = (0, 0);
    }

    fn place(&mut self, state: &PlayerState) {
        let at = Position { x: state.x, y: state.y };
        if let Some(before) = self.at
            && before != at
            && !self.astray
        {
            let (x, y) = (before.x, before.y);
            self.violations.push(format!(
                "acknowledged steps lead to {x}, {y}, but the player stands at {}, {}",
                at.x, at.y
            ));
        }
        (self.at, self.ahead) = (Some(at), Some(at));
    }

    /// Numbers a command, which was due then.
    pub fn ask(&mut self, verb: Verb, due: Instant) -> ClientMessage {
        let message = self.ledger.issue(verb);
        self.due.extend(message.id.map(|id| (id, due)));
        message
    }

    /// Commands and queries without an outcome, to be sent once more.
    pub fn open(&mut self) -> Vec<ClientMessage> {
        let open = self.ledger.open();
        open.into_iter().filter_map(|id| self.ledger.repeat(id)).collect()
    }

    /// Commands and queries without an outcome.
    #[must_use]
    pub fn open_len(&self) -> usize {
        self.due.len()
    }

    /// Numbers a step, which was due then.
    pub fn walk(&mut self, step: Step, due: Instant) -> u64 {
        self.steps += 1;
        self.unacked.push_back(Sent { seq: self.steps, step, due });
        self.ahead = self.ahead.map(|at| movement::step(at, step));
        self.steps
    }

    /// Steps that are not acknowledged, with the number of the first.
    #[must_use]
    pub fn unacked(&self) -> Option<(u64, Vec<Step>)> {
        let first = self.unacked.front()?.seq;
        Some((first, self.unacked.iter().map(|sent| sent.step).collect()))
    }

    /// Steps that are not acknowledged.
    #[must_use]
    pub fn unacked_len(&self) -> usize {
        self.unacked.len()
    }

    /// Where the player will stand when all that was sent has been taken.
    #[must_use]
    pub const fn ahead(&self) -> Option<Position> {
        self.ahead
    }

    /// Whether there is a session to take up.
    #[must_use]
    pub const fn has_session(&self) -> bool {
        self.resume.is_some()
    }

    /// What the server told of the player and its surroundings.
    #[must_use]
    pub const fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// What the player knows, from which it wishes.
    #[must_use]
    pub fn knows(&self) -> Knows<'_> {
        Knows {
            me: &self.player,
            state: self.mirror.state.as_ref(),
            dealings: &self.dealings,
            coins: &self.mirror.coins,
            at: self.ahead,
        }
    }

    /// A room frame said that all steps up to this number are durable.
    pub fn durable_input(&mut self, through: u64, settled: &mut Vec<Settled>) {
        if through < self.through {
            let (was, now) = (self.through, through);
            return self.violated(&Violation::InputFell { was, now });
        }
        if through > self.steps {
            let steps = self.steps;
            self.violations.push(format!("input {through} was acknowledged, of {steps} sent"));
            return;
        }
        self.through = through;
        while let Some(sent) = self.unacked.front().filter(|sent| sent.seq <= through) {
            settled.push(Settled::Step(sent.due));
            self.at = self.at.map(|at| movement::step(at, sent.step));
            self.unacked.pop_front();
        }
        if let Some(session) = self.session.filter(|_| through > 0) {
            match self.input_acks.last_mut().filter(|ack| ack.session == session) {
                Some(ack) => ack.through = through,
                None => self.input_acks.push(InputAck { session, through }),
            }
        }
    }

    /// Takes any message but the answer to hello and resume.
    pub fn hear(&mut self, message: ServerMessage, settled: &mut Vec<Settled>) {
        match message {
            ServerMessage::Reply(reply) => self.reply(reply, settled),
            ServerMessage::Events(events) => self.events(events, settled),
            ServerMessage::Event(event) => {
                if let Err(violation) = self.mirror.event(event) {
                    self.violated(&violation);
                }
                self.mirror.says.clear();
                self.mirror.unknown.clear();
            }
            ServerMessage::Pong(_) => {}
            ServerMessage::Welcome(_) => {
                self.violations.push("a second welcome came".to_owned());
            }
        }
    }

    fn events(&mut self, events: Events, settled: &mut Vec<Settled>) {
        for event in &events.evs {
            match self.dealings.event(&self.player, event) {
                Ok(told) => settled.extend(told.map(|told| Settled::Told(Box::new(told)))),
                Err(odd) => self.violations.push(odd),
            }
        }
        if let Err(violation) = self.mirror.events(events) {
            self.violated(&violation);
        }
        if self.mirror.frames.len() > FRAMES_MAX {
            self.mirror.frames.clear();
        }
    }

    fn reply(&mut self, reply: holdfast_protocol::server::Reply, settled: &mut Vec<Settled>) {
        let (id, answer) = (reply.id, Answer::from(reply));
        if let (None, Some(code)) = (id, answer.code()) {
            // What was not walked can't be told from what was.
            self.astray |= matches!(code, ErrorCode::Defeated | ErrorCode::NotInRoom);
            self.astray |= matches!(code, ErrorCode::RateLimited | ErrorCode::Busy);
            settled.push(Settled::Complaint(code));
            return;
        }
        let outcome = answer.result.as_ref().map(|_| ()).map_err(|error| error.code);
        match self.ledger.note(id, answer) {
            Ok(false) => {}
            Ok(true) => {
                let due = id.and_then(|id| self.due.remove(&id));
                settled.push(match (due, outcome) {
                    (None, _) => Settled::Repeat,
                    (Some(due), Ok(())) => self.done(id, due),
                    (Some(_), Err(code)) => Settled::Refused(code),
                });
                self.settle(KEPT);
            }
            Err(violation) => self.violated(&violation),
        }
    }

    /// A command that was due then was answered `ok`.
    fn done(&mut self, id: Option<u64>, due: Instant) -> Settled {
        match id.and_then(|id| self.ledger.entry(id)).map(|entry| &entry.verb) {
            Some(Verb::TradeAccept { trade_id, .. }) => {
                let trade = trade_id.clone();
                self.accepted.insert(trade.clone());
                Settled::Accepted(due, trade)
            }
            Some(verb) if is_dealing(verb) => Settled::Dealt(due),
            _ => Settled::Done(due),
        }
    }

    /// Takes a room frame in full.
    pub fn room(&mut self, frame: RoomEvent, settled: &mut Vec<Settled>) {
        let through = frame.input_seq;
        let event = Event::Room(frame);
        if let Err(violation) = self.mirror.event(event) {
            self.violated(&violation);
        }
        self.durable_input(through, settled);
    }

    /// Sums up what was answered, but for the newest replies.
    fn settle(&mut self, keep: usize) {
        let session = self.session.unwrap_or(0);
        for (id, entry) in self.ledger.forget(keep) {
            let Some(answer) = entry.answer else { continue };
            if let Err(odd) = self.sum.fold(&entry.verb, &answer) {
                self.violations.push(format!("command {id}: {odd}"));
            }
            let is_command = entry.verb.class() == holdfast_protocol::client::Class::Command;
            if let Some(seq) = answer.seq().filter(|_| is_command) {
                self.acks.push(Ack { session, id, seq });
            }
        }
    }

    /// Notes the answer to an HTTP command, counted by the harness.
    pub fn called(&mut self, id: u64, verb: &Verb, answer: &Answer) {
        if let Err(odd) = self.sum.fold(verb, answer) {
            self.violations.push(format!("call {id}: {odd}"));
        }
        self.acks.extend(answer.seq().map(|seq| Ack { session: 0, id, seq }));
    }

    /// A call's outcome is not known.
    pub fn left_open(&mut self) {
        self.left_open += 1;
    }

    fn violated(&mut self, violation: &Violation) {
        self.violations.push(violation.to_string());
    }

    /// Whether everything that was sent has an outcome.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.due.is_empty() && self.unacked.is_empty()
    }

    /// Ends the books.
    #[must_use]
    pub fn close(mut self) -> Closed {
        self.settle(0);
        let open = self.due.len() + self.unacked.len();
        let at = self.at.filter(|_| !self.astray && self.unacked.is_empty());
        Closed {
            player: self.player,
            sum: self.sum,
            acks: self.acks,
            input_acks: self.input_acks,
            at,
            unacknowledged: open as u64 + self.left_open,
            violations: self.violations,
            began: self.began,
            dealings: self.dealings,
            accepted: self.accepted,
        }
    }
}

/// Whether others have a say in a command's outcome: those of trades and parties.
const fn is_dealing(verb: &Verb) -> bool {
    matches!(
        verb,
        Verb::TradeOffer { .. }
            | Verb::TradeCounter { .. }
            | Verb::TradeAccept { .. }
            | Verb::TradeCancel { .. }
            | Verb::Gift { .. }
            | Verb::PartyCreate { .. }
            | Verb::PartyInvite { .. }
            | Verb::PartyKick { .. }
            | Verb::PartyAccept { .. }
            | Verb::PartyLeave {}
            | Verb::PartySay { .. }
            | Verb::PartyJoinRoom { .. }
    )
}

/// How long ago something was due.
#[must_use]
pub fn since(due: Instant, now: Instant) -> Duration {
    now.saturating_duration_since(due)
}

#[cfg(test)]
#[path = "account/tests.rs"]
mod tests;
