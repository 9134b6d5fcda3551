//! The life of one socket's conversation, before and after its hello. Pure: time is an argument.
//!
//! Decides what may be said when, which messages wait for the answer to a hello, in which form
//! the client is spoken to, when it is pinged, and when it has gone too far. The socket's task
//! carries the decisions out.
//! What a person types is answered in its order: a line waits until those before it are answered,
//! questions that the edge answers itself too.
//! I7: when `held_len_max` messages wait, the socket is not read; beyond them only those that came
//! in the same frame wait.

use std::collections::{BTreeSet, VecDeque};

use holdfast_protocol::client::{Class, Verb};
use holdfast_protocol::codes::{CloseCode, ErrorCode};
use holdfast_protocol::ids::PlayerId;
use holdfast_protocol::server::ErrorBody;

/// The window in which refused messages are counted, in milliseconds.
pub const MISUSE_WINDOW_MS: u64 = 10_000;
/// Most unanswered commands that are remembered by id; above what the runtime lets be open.
pub const OPEN_MAX: usize = 512;
/// How long a typed line waits for the end of a walk, in milliseconds.
pub const WALK_PATIENCE_MS: u64 = 2_000;

/// What the subprotocol allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// `holdfast.v1.json`: JSON only.
    Json,
    /// `holdfast.v1.msgpack`: MessagePack only, of what would be JSON.
    Packed,
    /// `holdfast.v1.text`, or none asked for: lines, JSON or human.
    Text,
}

/// How the client is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON texts, or what they say as MessagePack.
    Json,
    /// Human lines.
    Lines,
}

/// The bounds that a session keeps to.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Time to the hello, in milliseconds.
    pub hello_deadline_ms: u64,
    /// Time between pings, in milliseconds.
    pub ping_ms: u64,
    /// Silence that ends a socket, in milliseconds.
    pub dead_ms: u64,
    /// Longest wait for the answer to a hello, in milliseconds.
    pub answer_deadline_ms: u64,
    /// Messages that wait for that answer.
    pub held_len_max: usize,
    /// Refused messages in ten seconds.
    pub misuse_max: usize,
}

/// A hello or resume that is not answered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The message's id.
    pub id: Option<u64>,
    /// Who is meant.
    pub player: PlayerId,
    /// The end of the token, in Unix milliseconds.
    pub expires_ms: Option<u64>,
    /// A name that the answer makes the caller's.
    pub claims: bool,
}

/// A session on this socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Whose.
    pub player: PlayerId,
    /// Which.
    pub session: u64,
    /// When the token ends, in Unix milliseconds.
    pub expires_ms: Option<u64>,
}

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Carry it out.
    Pass,
    /// Keep it until the hello is answered.
    Hold,
    /// It came before hello: refuse it and close.
    NotHello,
}

/// What is due by the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// A ping.
    Ping,
    /// What waited for a walk waits no more.
    GoOn,
    /// The hello or resume was not answered in time.
    Unanswered,
    /// The end.
    Close(CloseCode),
}

/// One socket's conversation.
#[derive(Debug)]
pub struct Session {
    rules: Rules,
    form: Form,
    bounds: Bounds,
    asked: Option<Box<Asked>>,
    /// Messages wait for an answer that the socket itself needs.
    paused: bool,
    /// A hello waits until the node serves again: its id.
    postponed: Option<Option<u64>>,
    /// The runtime has no room for the last message yet.
    stuck: bool,
    /// A typed line waits until those before it are answered.
    queues: bool,
    /// Commands without an answer.
    open: BTreeSet<u64>,
    /// Commands that were answered with `pending` and nothing more.
    late: BTreeSet<u64>,
    /// Until when a typed walk is waited for.
    walk_by_ms: Option<u64>,
    bound: Option<Box<Bound>>,
    held: VecDeque<Box<str>>,
    refused_at: VecDeque<u64>,
    hello_by_ms: u64,
    answer_by_ms: u64,
    heard_ms: u64,
    ping_at_ms: u64,
}

impl Session {
    /// A socket that was opened at `now_ms`.
    #[must_use]
    pub fn new(rules: Rules, bounds: Bounds, now_ms: u64) -> Self {
        let form = match rules {
            Rules::Json | Rules::Packed => Form::Json,
            Rules::Text => Form::Lines,
        };
        Self {
            rules,
            form,
            bounds,
            asked: None,
            paused: false,
            postponed: None,
            stuck: false,
            queues: false,
            open: BTreeSet::new(),
            late: BTreeSet::new(),
            walk_by_ms: None,
            bound: None,
            held: VecDeque::new(),
            refused_at: VecDeque::new(),
            hello_by_ms: now_ms.saturating_add(bounds.hello_deadline_ms),
            answer_by_ms: u64::MAX,
            heard_ms: now_ms,
            ping_at_ms: now_ms.saturating_add(bounds.ping_ms),
        }
    }

    /// What the subprotocol allows.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// How the client is spoken to.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// The form of the last message decides; JSON rules know one form.
    pub fn speak(&mut self, form: Form) {
        if self.rules == Rules::Text {
            self.form = form;
        }
    }

    /// The session that is bound to this socket.
    #[must_use]
    pub fn bound(&self) -> Option<&Bound> {
        self.bound.as_deref()
    }

    /// True while messages wait: for an answer, for room, or for their turn.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        let in_turn = self.queues && self.owes();
        self.is_asking() || self.paused || self.stuck || in_turn
    }

    /// True while a hello or resume is not answered.
    fn is_asking(&self) -> bool {
        self.asked.is_some() || self.postponed.is_some()
    }

    /// The id of the hello or resume that is not answered.
    #[must_use]
    pub fn unanswered(&self) -> Option<Option<u64>> {
        self.postponed.or_else(|| self.asked.as_ref().map(|asked| asked.id))
    }

    /// Lets a hello or resume, and all that comes after it, wait until [`Session::serve`].
    pub fn postpone(&mut self, line: &str, id: Option<u64>, now_ms: u64) {
        self.held.push_front(line.into());
        self.postponed = Some(id);
        self.answer_by_ms = now_ms.saturating_add(self.bounds.answer_deadline_ms);
    }

    /// The node serves: a hello that waited is looked at again.
    pub fn serve(&mut self) {
        self.postponed = None;
    }

    /// The runtime has no room for a message, or has it again: others wait behind it.
    pub fn stuck(&mut self, stuck: bool) {
        self.stuck = stuck;
    }

    /// True while something that was said has no last word.
    fn owes(&self) -> bool {
        !self.open.is_empty() || !self.late.is_empty() || self.walk_by_ms.is_some()
    }

    /// Lets a typed line wait for the answers to those before it; `false` where it need not.
    pub fn queue(&mut self, line: &str) -> bool {
        if self.is_waiting() {
            self.hold(line);
            return true;
        }
        if !self.owes() {
            return false;
        }
        self.queues = true;
        // Others wait only while it is taken from before them.
        self.held.push_front(line.into());
        true
    }

    /// A typed walk began.
    pub fn walks(&mut self, now_ms: u64) {
        self.walk_by_ms = Some(now_ms.saturating_add(WALK_PATIENCE_MS));
    }

    /// No typed walk is under way.
    pub fn arrived(&mut self) {
        self.walk_by_ms = None;
    }

    /// A command was passed on.
    pub fn sent(&mut self, id: u64) {
        if self.open.len() < OPEN_MAX {
            self.open.insert(id);
        }
    }

    /// A command was answered.
    pub fn answered(&mut self, id: u64) {
        self.open.remove(&id);
        self.late.remove(&id);
    }

    /// A command was answered with `pending`: it is durable, and its answer is still to come.
    pub fn pends(&mut self, id: u64) {
        if self.open.remove(&id) && self.late.len() < OPEN_MAX {
            self.late.insert(id);
        }
    }

    /// True while a command has no answer, not even `pending`.
    #[must_use]
    pub fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Who is meant by a hello or resume that is not answered.
    #[must_use]
    pub fn asked(&self) -> Option<&Asked> {
        self.asked.as_deref()
    }

    /// Lets messages wait until [`Session::go_on`].
    pub fn pause(&mut self, now_ms: u64) {
        self.paused = true;
        self.answer_by_ms = now_ms.saturating_add(self.bounds.answer_deadline_ms);
    }

    /// Ends a pause.
    pub fn go_on(&mut self) {
        self.paused = false;
    }

    /// Notes that anything came from the client.
    pub fn heard(&mut self, now_ms: u64) {
        self.heard_ms = now_ms;
    }

    /// What to do with a message now.
    #[must_use]
    pub fn admit(&self, verb: &Verb) -> Admission {
        match (self.is_waiting(), self.bound.is_some(), verb.class()) {
            (true, ..) if matches!(verb, Verb::Ping { .. }) => Admission::Pass,
            (true, ..) => Admission::Hold,
            (false, true, _) | (false, false, Class::Session) => Admission::Pass,
            (false, false, _) => Admission::NotHello,
        }
    }

    /// True when another message may be held.
    #[must_use]
    pub fn can_hold(&self) -> bool {
        self.held.len() < self.bounds.held_len_max
    }

    /// Keeps a message until the hello is answered.
    pub fn hold(&mut self, line: &str) {
        self.held.push_back(line.into());
    }

    /// The next message that was kept and may be looked at now.
    pub fn release(&mut self) -> Option<Box<str>> {
        if self.is_waiting() {
            return None;
        }
        self.queues = false;
        self.held.pop_front()
    }

    /// Begins a hello or resume.
    ///
    /// # Errors
    /// `bad_args` when this socket is another player's.
    pub fn ask(&mut self, asked: Asked, now_ms: u64) -> Result<(), ErrorBody> {
        if self.bound.as_ref().is_some_and(|bound| bound.player != asked.player) {
            let message = "this connection is another player's; open another one";
            return Err(ErrorBody::new(ErrorCode::BadArgs, message));
        }
        self.asked = Some(Box::new(asked));
        self.answer_by_ms = now_ms.saturating_add(self.bounds.answer_deadline_ms);
        Ok(())
    }

    /// The hello is answered well.
    pub fn attached(&mut self, session: u64) -> Option<Asked> {
        let asked = *self.asked.take()?;
        self.open.clear();
        self.late.clear();
        self.walk_by_ms = None;
        let (player, expires_ms) = (asked.player.clone(), asked.expires_ms);
        self.bound = Some(Box::new(Bound { player, session, expires_ms }));
        Some(asked)
    }

    /// The hello is refused; there is time for another one.
    pub fn refused(&mut self, now_ms: u64) -> Option<Asked> {
        self.hello_by_ms = now_ms.saturating_add(self.bounds.hello_deadline_ms);
        self.asked.take().map(|asked| *asked)
    }

    /// The session's token ends then.
    pub fn expires(&mut self, expires_ms: u64) {
        if let Some(bound) = &mut self.bound {
            bound.expires_ms = Some(expires_ms);
        }
    }

    /// A token was refreshed.
    pub fn prolong(&mut self, expires_ms: u64) {
        if let Some(bound) = &mut self.bound {
            bound.expires_ms = bound.expires_ms.map(|before| before.max(expires_ms));
        }
    }

    /// Counts a refused message. True when that was one too many.
    pub fn misused(&mut self, code: ErrorCode, now_ms: u64) -> bool {
        let counts = matches!(
            code,
            ErrorCode::RateLimited
                | ErrorCode::BadMessage
                | ErrorCode::UnknownVerb
                | ErrorCode::BadArgs
        );
        if !counts {
            return false;
        }
        self.refused_at.push_back(now_ms);
        let over = |at: &u64| at.saturating_add(MISUSE_WINDOW_MS) <= now_ms;
        while self.refused_at.front().is_some_and(over) {
            self.refused_at.pop_front();
        }
        self.refused_at.len() > self.bounds.misuse_max
    }

    /// What is due at `now_ms`. A ping is due once.
    pub fn due(&mut self, now_ms: u64) -> Due {
        let expired = self.bound.as_ref().and_then(|bound| bound.expires_ms);
        if self.bound.is_none() && !self.is_asking() && now_ms >= self.hello_by_ms {
            return Due::Close(CloseCode::ProtocolError);
        }
        if self.is_asking() && now_ms >= self.answer_by_ms {
            return Due::Unanswered;
        }
        if self.paused && now_ms >= self.answer_by_ms {
            return Due::Close(CloseCode::Internal);
        }
        if expired.is_some_and(|expires_ms| now_ms >= expires_ms) {
            return Due::Close(CloseCode::SessionExpired);
        }
        if now_ms >= self.heard_ms.saturating_add(self.bounds.dead_ms) {
            return Due::Close(CloseCode::HeartbeatTimeout);
        }
        if self.walk_by_ms.is_some_and(|by_ms| now_ms >= by_ms) {
            self.walk_by_ms = None;
            return Due::GoOn;
        }
        if now_ms >= self.ping_at_ms {
            self.ping_at_ms = now_ms.saturating_add(self.bounds.ping_ms);
            return Due::Ping;
        }
        Due::Nothing
    }

    /// When to look again, in Unix milliseconds.
    #[must_use]
    pub fn next_due_ms(&self) -> u64 {
        let dead_ms = self.heard_ms.saturating_add(self.bounds.dead_ms);
        let mut next = self.ping_at_ms.min(dead_ms);
        if self.is_asking() || self.paused {
            next = next.min(self.answer_by_ms);
        } else if self.bound.is_none() {
            next = next.min(self.hello_by_ms);
        }
        let expires_ms = self.bound.as_ref().and_then(|bound| bound.expires_ms);
        next = next.min(expires_ms.unwrap_or(u64::MAX));
        next.min(self.walk_by_ms.unwrap_or(u64::MAX))
    }
}

/// The lines of a frame under text rules: each is a message, blank ones are none.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests;
