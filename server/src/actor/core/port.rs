//! What goes into a core and what comes out of it. Types only.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;

use crate::actor::activity::Failure;
use crate::actor::contract::{ActivityOptions, View};
use crate::actor::envelope::{Answered, Attach, Call, CallError, Command, ConnectionId, Delivery};
use crate::actor::record::{ActivityId, TellId};

/// Names a caller that waits for an answer; the driver's.
pub type CallerId = u64;

/// Bounds and spans of an activation. I7: each has a named overflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Inputs that wait; commands beyond are answered `busy`, tells BUSY.
    pub mailbox_len_max: usize,
    /// Unanswered commands of a session; more are answered `too_many_in_flight`.
    pub in_flight_max: usize,
    /// Unacknowledged tells; with more, client commands are answered `busy`.
    pub outbox_len_max: usize,
    /// Facts in one record; the rest waits for the next.
    pub record_facts_max: usize,
    /// After how long without an answer a caller hears `pending`.
    pub pending_after_ms: u64,
    /// How long what may ride in a later record waits for one.
    pub ride_ms: u64,
    /// Least time between two records that hold only heartbeats.
    pub heartbeat_ms: u64,
    /// Records after which a snapshot is due.
    pub snapshot_records: u64,
    /// Bytes of records after which a snapshot is due.
    pub snapshot_bytes: u64,
    /// How long after the sender's acknowledgement its watermark is kept.
    pub forget_ms: u64,
    /// How long a session without a connection can be resumed.
    pub resume_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mailbox_len_max: 256,
            in_flight_max: 64,
            outbox_len_max: 256,
            record_facts_max: 1024,
            pending_after_ms: 5_000,
            ride_ms: 1_000,
            heartbeat_ms: 5_000,
            snapshot_records: 128,
            snapshot_bytes: 64 * 1024,
            forget_ms: 60_000,
            resume_ms: 24 * 60 * 60 * 1_000,
        }
    }
}

/// How a receiver took a tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the receiver's journal, now or from an earlier delivery.
    Received,
    /// The receiver does not exist.
    NoSuchActor,
    /// An earlier tell of the pair is missing at the receiver: send again from the oldest.
    Gap,
    /// The receiver's mailbox is full: send again later.
    Busy,
}

/// A tell on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tell {
    /// Which.
    pub id: TellId,
    /// The tell of the pair that must have been received before; `None`: all earlier ones have.
    pub prev: Option<TellId>,
    /// For the receiver's rules.
    pub payload: Bytes,
    /// Creates the receiver.
    pub creates: bool,
    /// Hands that its cause has passed through.
    pub hops: u8,
}

/// What happens to an activation.
#[derive(Debug)]
pub enum Input {
    /// A hello or resume on a socket.
    Attach(ConnectionId, Attach),
    /// A socket is gone.
    Detach(ConnectionId),
    /// The process that held the socket is gone, by the look of the journal.
    Orphaned,
    /// A session's command.
    Command(Command),
    /// A session's read: connection, the client's id, payload.
    Read(ConnectionId, u64, Bytes),
    /// A command from outside any session.
    Call(CallerId, Call),
    /// A read from outside any session.
    Query(CallerId, Bytes),
    /// A tell from another actor.
    Tell(ActorId, Tell),
    /// How `0` took this actor's tell `1`.
    Verdict(ActorId, TellId, Verdict),
    /// The sender `0` has journaled that its tells through `1` were received.
    Settled(ActorId, TellId),
    /// The receiver `0` asks whether its acknowledgement of `1` is journaled here.
    SettleAsked(ActorId, TellId),
    /// An attempt of an activity has ended.
    ActivityEnded(ActivityId, Result<Bytes, Failure>),
    /// An activity says how far it is.
    Heartbeat(ActivityId, Bytes),
    /// The append in flight is durable.
    Appended,
    /// The append in flight was refused: a newer epoch has been written.
    AppendFenced,
    /// The fate of the append in flight is not known.
    AppendDoubt,
    /// The journal's tip, read because of a doubt: epoch, seq, append id.
    Tip(Option<(u64, u64, u64)>),
    /// The snapshot in flight was stored, or not.
    SnapshotDone(bool),
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug)]
pub enum Output {
    /// Append this record.
    Append(AppendOut),
    /// Read the journal's tip and hand it back.
    ReadTip,
    /// Keep this snapshot of the state after record `seq`.
    Snapshot {
        /// The last record that it contains.
        seq: u64,
        /// The state.
        bytes: Bytes,
        /// The earliest obligation in it.
        due_ms: Option<u64>,
    },
    /// Send to a socket.
    Deliver(ConnectionId, Delivery),
    /// Answer a caller.
    Answer(CallerId, Result<Answered, CallError>),
    /// Send a tell to an actor.
    Tell(ActorId, Tell),
    /// Tell a sender how its tell was taken.
    Verdict(ActorId, TellId, Verdict),
    /// Tell a receiver that its acknowledgement is journaled.
    Settled(ActorId, TellId),
    /// Ask a sender whether an acknowledgement is journaled.
    AskSettled(ActorId, TellId),
    /// Run an attempt of an activity.
    Run(RunOut),
    /// Show a message to every socket at a topic.
    Broadcast(Arc<str>, Bytes),
    /// What others see has changed.
    View(u64, Option<View>),
    /// Something for an operator's eyes.
    Alarm(String),
    /// A newer epoch writes: drop this activation.
    Fenced,
    /// The actor can't be served: drop this activation and let no other be made.
    Quarantine(String),
}

/// A record to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendOut {
    /// Its position.
    pub seq: u64,
    /// The writer's term.
    pub epoch: u64,
    /// Random.
    pub append_id: u64,
    /// The record.
    pub record: Bytes,
    /// An obligation that it creates, earlier than those recorded.
    pub due_ms: Option<u64>,
}

/// An attempt of an activity to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOut {
    /// Which.
    pub activity: ActivityId,
    /// As it is registered.
    pub name: String,
    /// For the activity.
    pub input: Bytes,
    /// From 1.
    pub attempt: u32,
    /// The last attempt's last heartbeat.
    pub heartbeat: Option<Bytes>,
    /// How long it may take.
    pub options: ActivityOptions,
}
