//! The ledger: everything durable about an actor besides its rules' state. Pure.
//!
//! Sessions and what was answered in them, caller's keys, pending replies, the outbox, watermarks
//! of senders, timers, activities, and the newest numbered messages for its player. I5:
//! obligations are state; whoever activates the actor finds them here. I8: every collection has
//! a bound, or shrinks with its obligation.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

use super::contract::{ActivityOptions, Reject, Token};
use super::record::{ActivityId, Fact, KeyHash, Place, TellId};

/// Sessions whose watermarks are kept.
pub const SESSIONS_MAX: usize = 4;
/// Replies kept of a session.
pub const REPLIES_MAX: usize = 64;
/// Caller-chosen keys kept.
pub const KEYS_MAX: usize = 256;
/// Frames of numbered messages kept for resume.
pub const FRAMES_MAX: usize = 64;
/// Bytes of them.
pub const FRAMES_BYTES_MAX: usize = 4096;
/// Dead letters kept.
pub const DEAD_LETTERS_MAX: usize = 16;
/// The session of callers that have none.
pub const NO_SESSION: u64 = 0;

/// How one command ended, as it is kept for a repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The client's id.
    pub id: u64,
    /// The record that says so.
    pub seq: u64,
    /// JSON text of `ok`, or the refusal.
    pub result: Result<Bytes, Reject>,
}

/// What is remembered of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Session {
    /// The seq of the record that opened it.
    pub id: u64,
    /// The highest id that was answered, refused or deferred.
    pub watermark: u64,
    /// No longer goes on.
    pub ended: bool,
    /// Ordered by when they were answered.
    pub kept: VecDeque<Kept>,
}

/// A caller-chosen key and the command that it named first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    /// The key.
    pub hash: KeyHash,
    /// The command.
    pub place: Place,
}

/// A command whose answer comes later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The command.
    pub place: Place,
    /// Its second key.
    pub key: Option<KeyHash>,
}

/// A tell that its receiver has not acknowledged, as far as the journal knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Which.
    pub id: TellId,
    /// The receiver.
    pub to: ActorId,
    /// For its rules.
    pub payload: Bytes,
    /// Creates the receiver.
    pub creates: bool,
    /// Hands that its cause has passed through.
    pub hops: u8,
}

/// The newest tell heard from a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Which.
    pub id: TellId,
    /// When, by the journal's time.
    pub at_ms: u64,
}

/// An activity that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// As it is registered.
    pub name: Cow<'static, str>,
    /// For the activity.
    pub input: Bytes,
    /// How long and how often.
    pub options: ActivityOptions,
    /// Attempts that failed.
    pub failed: u32,
    /// When the next attempt may begin.
    pub not_before_ms: u64,
    /// The last heartbeat's payload.
    pub heartbeat: Option<Bytes>,
}

/// A frame of numbered messages: all of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The record.
    pub seq: u64,
    /// JSON texts, comma-separated.
    pub evs: Bytes,
}

/// A tell that was laid aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The receiver.
    pub to: ActorId,
    /// What it said.
    pub payload: Bytes,
    /// The record that laid it aside.
    pub seq: u64,
}

/// The record that a fact is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The writer's term.
    pub epoch: u64,
    /// The record.
    pub seq: u64,
}

/// See the module. Equal ledgers have equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Ledger {
    /// The newest record's time.
    pub now_ms: u64,
    /// The record that `told` counts in.
    pub seq: u64,
    /// Tells of that record.
    pub told: u32,
    /// Newest last.
    pub sessions: VecDeque<Session>,
    /// Replies to callers without a session; their ids are counted here.
    pub service: Session,
    /// Oldest first.
    pub keys: VecDeque<KeyUse>,
    /// By token.
    pub pending: BTreeMap<Token, Pending>,
    /// The newest token given out.
    pub token: Token,
    /// Oldest first.
    pub outbox: VecDeque<Outgoing>,
    /// By sender.
    pub heard: BTreeMap<ActorId, Watermark>,
    /// By name, Unix milliseconds.
    pub timers: BTreeMap<Cow<'static, str>, u64>,
    /// By id. Boxed: a map's node has room for eleven, and most actors have one at a time.
    pub activities: BTreeMap<ActivityId, Box<Activity>>,
    /// The newest activity.
    pub activity: ActivityId,
    /// Oldest first.
    pub frames: VecDeque<Frame>,
    /// The newest frame that is no longer kept.
    pub frames_floor: u64,
    /// The session has a socket, as far as the journal knows.
    pub connected: bool,
    /// When it last lost one.
    pub detached_ms: u64,
    /// Oldest first.
    pub dead_letters: VecDeque<DeadLetter>,
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, max: usize) {
    if queue.len() >= max {
        queue.pop_front();
    }
    queue.push_back(item);
}

/// Gives back the node that an empty map keeps.
pub(super) fn clear_empty<K, V>(map: &mut BTreeMap<K, V>) {
    if map.is_empty() {
        *map = BTreeMap::new();
    }
}

impl Ledger {
    /// The session that goes on, if one does.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.sessions.back().filter(|s| !s.ended)
    }

    /// A session that is still remembered; [`NO_SESSION`] always is.
    #[must_use]
    pub fn session_of(&self, id: u64) -> Option<&Session> {
        if id == NO_SESSION {
            return Some(&self.service);
        }
        self.sessions.iter().find(|s| s.id == id)
    }

    /// The kept answer of a command.
    #[must_use]
    pub fn kept(&self, place: Place) -> Option<&Kept> {
        self.session_of(place.session)?.kept.iter().rev().find(|k| k.id == place.id)
    }

    /// The command that a caller's key named first.
    #[must_use]
    pub fn key(&self, hash: &KeyHash) -> Option<Place> {
        self.keys.iter().rev().find(|k| &k.hash == hash).map(|k| k.place)
    }

    /// The token under which a command's answer is awaited.
    #[must_use]
    pub fn pending_token(&self, place: Place) -> Option<Token> {
        self.pending.iter().find(|(_, p)| p.place == place).map(|(&token, _)| token)
    }

    /// Whether a command of this session awaits its answer.
    #[must_use]
    pub fn has_pending(&self, session: u64) -> bool {
        self.pending.values().any(|p| p.place.session == session)
    }

    /// The predecessor that a tell to the same receiver must not overtake: the newest one before
    /// it that the journal does not know as acknowledged.
    #[must_use]
    pub fn predecessor(&self, tell: &Outgoing) -> Option<TellId> {
        self.outbox.iter().rev().find(|o| o.to == tell.to && o.id < tell.id).map(|o| o.id)
    }

    /// The earliest time at which this actor must be in memory; `None`: only when addressed.
    #[must_use]
    pub fn due_ms(&self) -> Option<u64> {
        let now = (!self.outbox.is_empty() || self.connected).then_some(self.now_ms);
        let timers = self.timers.values().min().copied();
        let activities = self.activities.values().map(|a| a.not_before_ms).min();
        [now, timers, activities].into_iter().flatten().min()
    }

    /// Gives back room that what is left does not need: an ordered map keeps a node for eleven
    /// entries after its last one is gone. Changes no value.
    pub(super) fn slim(&mut self) {
        self.sessions.shrink_to_fit();
        self.sessions.iter_mut().for_each(|session| session.kept.shrink_to_fit());
        self.service.kept.shrink_to_fit();
        self.keys.shrink_to_fit();
        self.outbox.shrink_to_fit();
        self.frames.shrink_to_fit();
        clear_empty(&mut self.pending);
        clear_empty(&mut self.heard);
        clear_empty(&mut self.timers);
        clear_empty(&mut self.activities);
    }

    /// Begins the fold of a record.
    pub(super) fn enter(&mut self, at: Position, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        (self.seq, self.told) = (at.seq, 0);
    }

    /// Folds one fact. Total: a fact about something unknown changes nothing. I3.
    pub(super) fn fold(&mut self, at: Position, fact: &Fact) {
        match fact {
            Fact::Event(_) => {}
            Fact::Opened | Fact::Ended | Fact::Attached | Fact::Detached => {
                self.fold_session(at, fact);
            }
            Fact::Answered { .. }
            | Fact::Refused { .. }
            | Fact::Deferred { .. }
            | Fact::Completed { .. } => self.fold_answer(at, fact),
            Fact::Told { .. }
            | Fact::Acked { .. }
            | Fact::Heard { .. }
            | Fact::Forgot { .. }
            | Fact::DeadLetter { .. } => self.fold_tell(at, fact),
            Fact::TimerSet { name, at_ms } => {
                self.timers.insert(name.clone(), *at_ms);
            }
            Fact::TimerGone { name } => {
                self.timers.remove(name);
            }
            Fact::ActivityBegun { .. }
            | Fact::ActivityTried { .. }
            | Fact::Heartbeat { .. }
            | Fact::ActivityEnded { .. } => self.fold_activity(fact),
            Fact::Pushed(message) => self.push(at.seq, message),
        }
    }

    fn fold_session(&mut self, at: Position, fact: &Fact) {
        match fact {
            Fact::Opened => {
                if let Some(last) = self.sessions.back_mut() {
                    last.ended = true;
                }
                let session = Session { id: at.seq, ..Session::default() };
                push_bounded(&mut self.sessions, session, SESSIONS_MAX);
            }
            Fact::Ended => {
                if let Some(last) = self.sessions.back_mut() {
                    last.ended = true;
                }
            }
            Fact::Attached => self.connected = true,
            Fact::Detached => {
                self.connected = false;
                self.detached_ms = self.now_ms;
            }
            _ => {}
        }
    }

    fn fold_answer(&mut self, at: Position, fact: &Fact) {
        match fact {
            Fact::Answered { place, key, body, first } => {
                self.keep(*place, first.unwrap_or(at.seq), Ok(body.clone()));
                self.use_key(*key, *place);
            }
            Fact::Refused { place, reject } => self.keep(*place, at.seq, Err(reject.clone())),
            Fact::Deferred { token, place, key } => {
                self.token = self.token.max(*token);
                self.pending.insert(*token, Pending { place: *place, key: *key });
                self.raise(*place);
                self.use_key(*key, *place);
            }
            Fact::Completed { token, result } => {
                if let Some(pending) = self.pending.remove(token) {
                    if result.is_err() {
                        // A refused command uses nothing up, so its key is free again.
                        self.keys.retain(|k| Some(k.hash) != pending.key);
                    }
                    self.keep(pending.place, at.seq, result.clone());
                }
            }
            _ => {}
        }
    }

    fn session_mut(&mut self, id: u64) -> Option<&mut Session> {
        if id == NO_SESSION {
            return Some(&mut self.service);
        }
        self.sessions.iter_mut().find(|s| s.id == id)
    }

    fn raise(&mut self, place: Place) {
        if let Some(session) = self.session_mut(place.session) {
            session.watermark = session.watermark.max(place.id);
        }
    }

    fn keep(&mut self, place: Place, seq: u64, result: Result<Bytes, Reject>) {
        self.raise(place);
        if let Some(session) = self.session_mut(place.session) {
            push_bounded(&mut session.kept, Kept { id: place.id, seq, result }, REPLIES_MAX);
        }
    }

    fn use_key(&mut self, key: Option<KeyHash>, place: Place) {
        if let Some(hash) = key.filter(|hash| self.key(hash).is_none()) {
            push_bounded(&mut self.keys, KeyUse { hash, place }, KEYS_MAX);
        }
    }

    fn fold_tell(&mut self, at: Position, fact: &Fact) {
        match fact {
            Fact::Told { to, payload, creates, hops } => {
                let id = TellId { epoch: at.epoch, seq: at.seq, index: self.told };
                self.told += 1;
                let (to, payload) = (to.clone(), payload.clone());
                self.outbox.push_back(Outgoing { id, to, payload, creates: *creates, hops: *hops });
            }
            Fact::Acked { to, through } => {
                self.outbox.retain(|o| &o.to != to || o.id > *through);
            }
            Fact::Heard { from, id } => {
                self.heard.insert(from.clone(), Watermark { id: *id, at_ms: self.now_ms });
            }
            Fact::Forgot { from } => {
                self.heard.remove(from);
            }
            Fact::DeadLetter { to, payload } => {
                let letter = DeadLetter { to: to.clone(), payload: payload.clone(), seq: at.seq };
                push_bounded(&mut self.dead_letters, letter, DEAD_LETTERS_MAX);
            }
            _ => {}
        }
    }

    fn fold_activity(&mut self, fact: &Fact) {
        match fact {
            Fact::ActivityBegun { name, input, options } => {
                self.activity += 1;
                let activity = Activity {
                    name: name.clone(),
                    input: input.clone(),
                    options: options.clone(),
                    failed: 0,
                    not_before_ms: self.now_ms,
                    heartbeat: None,
                };
                self.activities.insert(self.activity, Box::new(activity));
            }
            Fact::ActivityTried { activity, retry_at_ms } => {
                if let Some(activity) = self.activities.get_mut(activity) {
                    activity.failed += 1;
                    activity.not_before_ms = *retry_at_ms;
                }
            }
            Fact::Heartbeat { activity, payload } => {
                if let Some(activity) = self.activities.get_mut(activity) {
                    activity.heartbeat = Some(payload.clone());
                }
            }
            Fact::ActivityEnded { activity } => {
                self.activities.remove(activity);
                clear_empty(&mut self.activities);
            }
            _ => {}
        }
    }

    fn push(&mut self, seq: u64, message: &Bytes) {
        match self.frames.back_mut().filter(|frame| frame.seq == seq) {
            Some(frame) => frame.evs = [&frame.evs[..], b",", &message[..]].concat().into(),
            None => self.frames.push_back(Frame { seq, evs: message.clone() }),
        }
        let mut bytes: usize = self.frames.iter().map(|frame| frame.evs.len()).sum();
        while self.frames.len() > FRAMES_MAX || bytes > FRAMES_BYTES_MAX {
            let Some(gone) = self.frames.pop_front() else { break };
            bytes -= gone.evs.len();
            self.frames_floor = gone.seq;
        }
    }
}
