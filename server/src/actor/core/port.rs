//! What goes into a core and what comes out of it. Types only.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;

use super::end::Erasure;
use crate::actor::activity::Failure;
use crate::actor::contract::{ActivityOptions, Attributes, View};
use crate::actor::envelope::{Answered, Attach, Call, CallError, Command, ConnectionId, Delivery};
use crate::actor::record::{ActivityId, TellId};
use crate::actor::replay::Durable;
use crate::store::tip::{Epoch, History, Reasserted, Seq, Term, Tip};

/// Names a caller that waits for an answer; the driver's.
pub type CallerId = u64;

/// Numbers a question to the store; its answer names it, and only the newest one's counts.
pub type Ask = u64;

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
    /// How long nothing is decided or let out after a reassertion, so that whoever goes on from
    /// a newer term can write over it first.
    pub quiet_ms: u64,
    /// After how long what was sent between nodes is not taken any more: it is refused for its age
    /// at an inbox, and may then wait for a worker.
    pub under_way_ms: u64,
    /// For how long an activation that was taken over may not know of it.
    pub unaware_ms: u64,
    /// For how long an acknowledged record may still be lost with the store's primary: an actor
    /// is not erased sooner after its last one.
    pub stable_ms: u64,
    /// Least time between two offers of what a session is found by; `None`: none is made.
    pub attributes_ms: Option<u64>,
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
            quiet_ms: 300,
            under_way_ms: 45_000,
            unaware_ms: 60_000,
            stable_ms: 0,
            attributes_ms: Some(1_000),
        }
    }
}

/// How a receiver took a tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the receiver's journal, now or from an earlier delivery.
    Received,
    /// The receiver did not exist when it was handed this attempt, see [`Tell::attempt`].
    NoSuchActor(u32),
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
    /// Another one each time that it is sent. An attempt is handed over at most once.
    pub attempt: u32,
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
    /// The append with this random id is durable.
    Appended(u64),
    /// The fate of the append with this random id is not known, or it was refused: the tip says
    /// who writes.
    AppendDoubt(u64),
    /// The store's history may have changed, or someone wants to know who writes: hold, and read
    /// the tip. No append need be in flight.
    Suspect,
    /// The journal's tip; `None`: its part of the store is gone, with all that was in it.
    Tip(Ask, Option<Tip>),
    /// The store has nothing of the actor, as read in this history.
    Gone(Ask, History),
    /// What became of an erasure.
    Erased(Ask, Erasure),
    /// What became of a reassertion; `Err`: that is not known.
    Reasserted(Ask, Result<Reasserted, ()>),
    /// The node may no longer answer for its actors: decide nothing, let nothing out.
    Freeze,
    /// It may again: read the tip, and go on as it says.
    Thaw {
        /// The node session is another now, so that a new term is needed whatever the tip is.
        reclaim: bool,
    },
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
    /// Read the journal's tip and hand it back, however often that takes.
    ReadTip(Ask),
    /// Write memory back over what the store has, and say what became of it.
    Reassert(Box<ReassertOut>),
    /// Keep this snapshot of the state after record `seq`.
    Snapshot {
        /// The last record that it contains.
        seq: u64,
        /// The state.
        bytes: Bytes,
        /// The earliest obligation in it.
        due_ms: Option<u64>,
    },
    /// Remove all that the store has of the actor, if its tip is this record of this term.
    Erase {
        /// Names it in the answer.
        ask: Ask,
        /// The record.
        seq: u64,
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
    /// What the session is found by, as of a record.
    Attributes {
        /// The record.
        seq: u64,
        /// What it is found by.
        attributes: Attributes,
        /// The activation ends: nobody holds the actor.
        leaves: bool,
    },
    /// Something for an operator's eyes.
    Alarm(String),
    /// The rules have found something that must not have happened.
    Violation(String),
    /// A tell was laid aside for good; what to say of it.
    DeadLetter(String),
    /// Nothing is left of the actor: drop this activation.
    Erased,
    /// A newer epoch writes: drop this activation.
    Fenced {
        /// Records that only this memory holds, to be kept aside.
        lost: Option<Box<Lost>>,
    },
    /// The journal is gone from the store: drop this activation, and serve nothing of that part
    /// of the store until an operator has looked.
    Halted(String),
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
    /// The history that the writer knows its tip in.
    pub history: History,
    /// The record.
    pub record: Bytes,
    /// An obligation that it creates, earlier than those recorded.
    pub due_ms: Option<u64>,
}

/// A reassertion, as the store port wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReassertOut {
    /// Names it in the answer.
    pub ask: Ask,
    /// The tip that was read.
    pub observed: Tip,
    /// The term that it goes on from.
    pub continues: Epoch,
    /// The newest record that memory holds, one in doubt included.
    pub seq: Seq,
    /// Random, the same for every attempt from one term.
    pub append_id: u64,
    /// The state after record `seq`, where the store may lack records.
    pub snapshot: Option<Bytes>,
    /// The earliest obligation in it.
    pub due_ms: Option<u64>,
}

/// What is lost to whoever writes now: acknowledged records that its history does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The newest record that was acknowledged here.
    pub acked: Seq,
    /// This activation's term.
    pub epoch: Epoch,
    /// The state, with a record in doubt if there was one.
    pub snapshot: Bytes,
    /// What the store has.
    pub tip: Tip,
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

/// What an activation starts from.
pub struct Start {
    /// Whose.
    pub id: ActorId,
    /// The claimed term.
    pub epoch: u64,
    /// The newest record.
    pub seq: u64,
    /// The history that the claim was granted in.
    pub history: History,
    /// The terms before and including this one, oldest first, as far as the journal tells.
    pub terms: Vec<Term>,
    /// What the journal says.
    pub durable: Durable,
    /// Records and bytes since the snapshot that it was loaded from.
    pub since_snapshot: (u64, u64),
    /// Bounds and spans.
    pub limits: Arc<Limits>,
    /// Seed for append ids and the rules' random numbers.
    pub seed: u64,
}
