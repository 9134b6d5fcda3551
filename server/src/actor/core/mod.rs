//! The core: the life of one activation. Sans-io and synchronous. Pure.
//!
//! [`Core::handle`] takes an input at a time of the store's clock; [`Core::poll`] gives what is to
//! be done. The core keeps one state, to which events apply at once, and delays every output
//! until the append that carries them is acknowledged (I2). One append is in flight at most;
//! what comes meanwhile waits in the mailbox, and the next drain decides all of it and writes one
//! record. What others see of the state goes out before the answers that speak of it.
//!
//! Outputs that are obligations (tells, activities) are derived from the acknowledged state, not
//! remembered beside it (I5): a fresh activation finds and does the same.
//!
//! | state | what it does | leaves to |
//! |---|---|---|
//! | free | decides what comes | in flight, erasing, asked, frozen, stopped |
//! | in flight | outputs wait for the append, the mailbox fills | free, asked, frozen |
//! | asked | an append in doubt, a suspicion or a thaw: the tip was asked for; holds | free, in flight, reasserting, quiet, asked, frozen, stopped |
//! | reasserting | memory is being written back; holds | quiet, asked, frozen |
//! | quiet | it was; holds for a while, then writes so once more | confirming, asked, frozen |
//! | confirming | the second reassertion, over the first one's marker, is under way; holds | free, asked, frozen |
//! | frozen | the node may not answer for its actors; holds | asked |
//! | resting | it serves nothing any more and only remembers, see `linger`; holds | asked |
//! | erasing | it is over and settled, see `end`, and the store was asked to forget it; holds | free, asked, frozen, stopped |
//! | stopped | fenced, halted, quarantined or erased; said so, and does nothing more | |
//!
//! "In flight" is free with a flight; the others are `Hold` in `hold.rs`, which may each have a
//! flight too, whose record is then in doubt. Who holds decides nothing, appends nothing and lets
//! nothing out, but that its mailbox is full.

mod attributes;
mod command;
mod draft;
mod end;
mod guard;
mod hold;
mod linger;
mod port;
mod rest;
#[cfg(test)]
mod simulation;
mod task;
mod tell;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;

use self::attributes::Offered;
use self::draft::Draft;
pub use self::end::Erasure;
#[cfg(test)]
pub(super) use self::guard::Guard;
use self::guard::guard;
use self::hold::{Hold, Reassertion};
pub use self::port::{
    AppendOut, Ask, CallerId, Input, Limits, Lost, Output, ReassertOut, RunOut, Start, Tell,
    Verdict,
};
use self::tell::Sent;
use super::contract::{Reject, Token, View};
use super::envelope::{
    Attach, Attachment, CallError, Closing, Command, ConnectionId, Delivery, Refusal,
};
use super::ledger::Position;
use super::record::{ActivityId, Fact, Place, TellId};
use super::replay::Durable;
use crate::store::tip::{History, Term, Tip};

/// Watermarks in a snapshot below which its shrinking is no reason for another.
const SHRUNK_MIN: usize = 32;

/// What can ride in a later record, and forces one of its own only after a while.
#[derive(Debug)]
enum Rider {
    Acked(ActorId, TellId),
    Undelivered(ActorId, TellId),
    ActivityTried(ActivityId, u64),
    ActivityEnded(ActivityId, Result<Bytes, String>),
    Heartbeat(ActivityId, Bytes),
    Forgot(ActorId, TellId),
}

/// Who waits for the answer of a deferred command.
#[derive(Debug)]
struct Waiter {
    deadline_ms: u64,
    told: bool,
    /// Each with whether it repeats a key.
    callers: Vec<(CallerId, bool)>,
    /// Commands under other ids that named the same key.
    followers: Vec<(ConnectionId, Place)>,
}

/// The append in flight and what its acknowledgement sets free.
#[derive(Debug)]
struct Flight {
    append: AppendOut,
    outputs: Vec<Output>,
}

/// One activation. See the module.
pub struct Core {
    id: ActorId,
    epoch: u64,
    /// In which the tip was last known.
    history: History,
    /// The terms before and including this one, oldest first.
    lineage: Vec<Term>,
    /// The newest record that is durable.
    acked: u64,
    /// When the store last took a record, or gave what it has.
    acked_ms: u64,
    /// Not before then is the store asked to forget the actor.
    erase_at_ms: u64,
    hold: Hold,
    /// It serves nothing any more: whenever it would be free, it rests.
    lingers: bool,
    /// The newest question to the store.
    ask: Ask,
    /// Sent, and not known to be granted.
    reassertion: Option<Reassertion>,
    /// The node session is another than the one that this term was granted to.
    reclaim: bool,
    quiet_until_ms: u64,
    /// The epoch that this core stands for: its own, or what an unconfirmed reassertion continues.
    stands_for: u64,
    /// The marker of a reassertion that is not confirmed.
    marker: Option<Tip>,
    /// Outputs of a record that a reassertion made durable.
    withheld: Vec<Output>,
    /// The claimed term, and when it was first heard from.
    begun: (u64, Option<u64>),
    limits: Arc<Limits>,
    durable: Durable,
    mailbox: VecDeque<Input>,
    /// Commands of the session that wait for the pending one before them.
    waiting: VecDeque<Command>,
    /// Commands of a connection that were refused for want of room.
    turned_away: BTreeSet<(ConnectionId, u64)>,
    flight: Option<Flight>,
    /// Refusals since the last record, folded with the next.
    lazy: Vec<Fact>,
    riders: Vec<Rider>,
    ride_by_ms: Option<u64>,
    heartbeat_at_ms: u64,
    connection: Option<ConnectionId>,
    waiters: BTreeMap<Token, Waiter>,
    sent: BTreeMap<TellId, Sent>,
    /// What attempts are counted from: random, so that no verdict on another activation's attempt
    /// is taken for one on this one's.
    attempts_from: u32,
    running: BTreeSet<ActivityId>,
    /// The newest activity that the journal already held at activation.
    #[cfg(test)]
    activities_found: ActivityId,
    settled: VecDeque<(u64, ActorId, TellId)>,
    sweep_at_ms: u64,
    ask_at_ms: u64,
    warned_at_ms: u64,
    view: Option<View>,
    offered: Offered,
    due_ms: Option<u64>,
    since_snapshot: (u64, u64),
    snapshot_in_flight: bool,
    /// Watermarks that the newest snapshot holds.
    snapshot_heard: usize,
    random: u64,
    out: VecDeque<Output>,
    /// Guards switched off by a simulation that shows that they are needed.
    #[cfg(test)]
    pub(super) off: Option<Guard>,
}

impl Core {
    /// Begins an activation; obligations found in the journal are taken up by the first
    /// [`Input::Tick`].
    #[must_use]
    pub fn new(start: Start) -> Self {
        let mut mailbox = VecDeque::new();
        let snapshot_heard = start.durable.ledger.heard.len();
        if start.durable.ledger.connected {
            mailbox.push_back(Input::Orphaned);
        }
        Self {
            #[cfg(test)]
            activities_found: start.durable.ledger.activity,
            id: start.id,
            epoch: start.epoch,
            history: start.history,
            lineage: hold::lineage(start.terms, start.epoch, start.seq),
            acked: start.seq,
            acked_ms: 0,
            erase_at_ms: 0,
            hold: Hold::Free,
            lingers: false,
            ask: 0,
            reassertion: None,
            reclaim: false,
            quiet_until_ms: 0,
            stands_for: start.epoch,
            marker: None,
            withheld: Vec::new(),
            begun: (start.epoch, None),
            limits: start.limits,
            durable: start.durable,
            mailbox,
            waiting: VecDeque::new(),
            turned_away: BTreeSet::new(),
            flight: None,
            lazy: Vec::new(),
            riders: Vec::new(),
            ride_by_ms: None,
            heartbeat_at_ms: 0,
            connection: None,
            waiters: BTreeMap::new(),
            sent: BTreeMap::new(),
            attempts_from: (start.seed >> 32) as u32,
            running: BTreeSet::new(),
            settled: VecDeque::new(),
            sweep_at_ms: 0,
            ask_at_ms: 0,
            warned_at_ms: 0,
            view: None,
            offered: Offered::default(),
            due_ms: None,
            since_snapshot: start.since_snapshot,
            snapshot_in_flight: false,
            snapshot_heard,
            random: start.seed,
            out: VecDeque::new(),
            #[cfg(test)]
            off: None,
        }
    }

    /// The actor.
    #[must_use]
    pub fn id(&self) -> &ActorId {
        &self.id
    }

    /// The term.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The newest durable record.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.acked
    }

    /// The socket that is attached.
    #[must_use]
    pub fn connection(&self) -> Option<ConnectionId> {
        self.connection
    }

    /// What the journal says, plus what is in flight.
    #[must_use]
    pub fn durable(&self) -> &Durable {
        &self.durable
    }

    /// Writes records and snapshots in this format from now on.
    pub fn write_in(&mut self, format: u8) {
        self.durable.writes = format;
    }

    /// Takes an input at `now_ms` of the store's clock.
    pub fn handle(&mut self, now_ms: u64, input: Input) {
        if self.stopped() {
            return;
        }
        if self.begun.1.is_none() {
            (self.begun.1, self.acked_ms) = (Some(now_ms), now_ms);
        }
        match input {
            Input::Appended(id) if self.awaits(id) => self.settle_flight(now_ms),
            Input::AppendDoubt(id) if self.awaits(id) => self.suspect(),
            Input::Appended(_) | Input::AppendDoubt(_) | Input::Tick => {}
            Input::Suspect => self.suspect(),
            Input::Tip(ask, tip) => self.tip(now_ms, ask, tip),
            Input::Gone(ask, history) => self.gone(now_ms, ask, history),
            Input::Erased(ask, erasure) => self.erased(now_ms, ask, erasure),
            Input::Reasserted(ask, result) => self.reasserted(now_ms, ask, result),
            Input::Freeze => self.hold = Hold::Frozen,
            Input::Thaw { reclaim } => self.thaw(reclaim),
            Input::SnapshotDone(_) => self.snapshot_done(),
            Input::Settled(from, through) => self.settle(now_ms, from, through),
            Input::SettleAsked(from, through) => self.settle_asked(from, through),
            Input::Verdict(to, id, verdict) => self.verdict(now_ms, to, id, verdict),
            Input::Heartbeat(activity, payload) => self.heartbeat(now_ms, activity, payload),
            Input::ActivityEnded(id, result) => self.activity_ended(now_ms, id, result),
            other => self.receive(other),
        }
        self.end_quiet(now_ms);
        self.advance(now_ms);
        self.end(now_ms);
    }

    /// What is to be done next; `None` for now.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Puts an input in the mailbox, or says at once that there is no room (I7).
    fn receive(&mut self, input: Input) {
        let full = self.mailbox.len() >= self.limits.mailbox_len_max;
        match input {
            Input::Command(command) if self.too_many(&command) => {
                let reject = Reject::new("too_many_in_flight", "too many commands are unanswered");
                self.turn_away(&command, reject);
            }
            Input::Command(command) if full => self.turn_away(&command, busy()),
            Input::Read(connection, id, _) if full => {
                self.out.push_back(draft::reply_err(connection, Some(id), busy()));
            }
            Input::Call(caller, _) | Input::Query(caller, _) if full => {
                self.out.push_back(Output::Answer(caller, Err(CallError::Busy)));
            }
            Input::Attach(connection, _) if full => {
                let refused = Delivery::Refused(Box::new(Refusal::Busy));
                self.out.push_back(Output::Deliver(connection, refused));
            }
            Input::Tell(from, tell) if full => {
                self.out.push_back(Output::Verdict(from, tell.id, Verdict::Busy));
            }
            Input::Detach(connection) => {
                // Whoever comes back elsewhere meanwhile must not be replaced by a socket that
                // is gone.
                self.mailbox.retain(|i| !matches!(i, Input::Attach(c, _) if *c == connection));
                self.mailbox.push_back(Input::Detach(connection));
            }
            input => self.mailbox.push_back(input),
        }
    }

    /// Commands that wait to be decided.
    fn queued(&self) -> impl Iterator<Item = &Command> {
        let mailbox = self.mailbox.iter().filter_map(|input| match input {
            Input::Command(command) => Some(command),
            _ => None,
        });
        self.waiting.iter().chain(mailbox).filter(|c| c.id.is_some())
    }

    fn too_many(&self, command: &Command) -> bool {
        let mine = |c: &&Command| c.connection == command.connection;
        command.id.is_some() && self.queued().filter(mine).count() >= self.limits.in_flight_max
    }

    /// Refuses a command for want of room. I4: that says "not executed", and the client sends it
    /// under a new id; so a copy of what may have been executed is not told so, and a later copy
    /// of what was told so is told it again. What can be neither ends the connection: on the next
    /// one the client says what it has no answer for.
    fn turn_away(&mut self, command: &Command, reject: Reject) {
        let Some(id) = command.id else { return };
        let queued = self.queued().any(|c| (c.session, c.id) == (command.session, command.id));
        let seen = queued || id <= self.watermark(command.session);
        let refused = (command.connection, id);
        // I7: while a core holds, each try of a refused command comes under an id of its own.
        let noted = self.turned_away.contains(&refused)
            || self.turned_away.len() < self.limits.mailbox_len_max;
        if seen && guard!(self, BusyIsTrue) || !noted {
            let lost = Delivery::Close(Closing::Lost);
            return self.out.push_back(Output::Deliver(command.connection, lost));
        }
        self.turned_away.insert(refused);
        self.out.push_back(draft::reply_err(command.connection, command.id, reject));
    }

    /// Drains the mailbox into one record, unless an append is in flight.
    fn advance(&mut self, now_ms: u64) {
        while !self.held() {
            let mut draft = self.open_draft(now_ms);
            self.fire_timers(&mut draft);
            while !self.stopped() && draft.has_room(&self.limits) {
                let Some(input) = self.next_input() else { break };
                self.process(&mut draft, input);
            }
            self.board_riders(&mut draft);
            if self.stopped() {
                return;
            }
            if draft.facts.is_empty() {
                self.show();
                self.out.extend(draft.outputs);
                if self.mailbox.is_empty() {
                    self.oblige(now_ms);
                    break;
                }
            } else {
                self.launch(draft);
            }
        }
        if self.hold == Hold::Free {
            self.remind(now_ms);
        }
    }

    /// The next input that may be decided now.
    fn next_input(&mut self) -> Option<Input> {
        if !self.waiting.is_empty() {
            let session = self.durable.ledger.session().map(|s| s.id);
            let pending = session.is_some_and(|id| self.durable.ledger.has_pending(id));
            if !pending {
                return self.waiting.pop_front().map(Input::Command);
            }
        }
        self.mailbox.pop_front()
    }

    fn process(&mut self, draft: &mut Draft, input: Input) {
        match input {
            Input::Attach(connection, Attach::Hello { payload, .. }) => {
                self.hello(draft, connection, &payload);
            }
            Input::Attach(connection, Attach::Resume { session, seq }) => {
                self.resume(draft, connection, session, seq);
            }
            Input::Detach(connection) if self.connection == Some(connection) => self.lost(draft),
            Input::Orphaned if self.connection.is_none() => self.lost(draft),
            Input::Command(command) => self.command(draft, command),
            Input::Read(connection, id, payload) => self.read(draft, connection, id, &payload),
            Input::Call(caller, call) => self.call(draft, caller, call),
            Input::Query(caller, payload) => self.query(draft, caller, &payload),
            Input::Tell(from, tell) => self.tell(draft, from, &tell),
            _ => {}
        }
    }

    /// Seals the draft into a record and sends it. I2: its outputs wait for the append.
    fn launch(&mut self, draft: Draft) {
        let outputs = self.finish(draft.seq, draft.outputs, &draft.facts);
        let record = super::record::Record { now_ms: draft.now_ms, facts: draft.facts };
        let due = self.durable.due_ms();
        let lowers = due.filter(|due| self.due_ms.is_none_or(|recorded| *due < recorded));
        if lowers.is_some() {
            self.due_ms = lowers;
        }
        let append = AppendOut {
            seq: draft.seq,
            epoch: self.epoch,
            append_id: self.next_random(),
            history: self.history,
            record: record.encode_as(self.durable.writes),
            due_ms: lowers,
        };
        self.since_snapshot.0 += 1;
        self.since_snapshot.1 += append.record.len() as u64;
        self.out.push_back(Output::Append(append.clone()));
        let mut flight = Flight { append, outputs };
        if !guard!(self, WaitForAppend) {
            self.out.extend(flight.outputs.drain(..));
        }
        self.flight = Some(flight);
    }

    /// Adds the record's frame of numbered messages after its other outputs: all of them, also
    /// when they are more than is kept for a resume.
    fn finish(&self, seq: u64, mut outputs: Vec<Output>, facts: &[Fact]) -> Vec<Output> {
        let pushed = facts.iter().filter_map(|fact| match fact {
            Fact::Pushed(message) => Some(&message[..]),
            _ => None,
        });
        let evs = Bytes::from(pushed.collect::<Vec<_>>().join(&b","[..]));
        let Some(connection) = self.connection.filter(|_| !evs.is_empty()) else { return outputs };
        // A resume is told how many frames it gets; its own record's is the last of them.
        let resumed = outputs.iter_mut().find_map(|output| match output {
            Output::Deliver(_, Delivery::Attached(attached)) => {
                (attached.how == Attachment::Resumed).then_some(attached)
            }
            _ => None,
        });
        match resumed {
            Some(attached) => attached.replay.push((seq, evs)),
            None => outputs.push(Output::Deliver(connection, Delivery::Events { seq, evs })),
        }
        outputs
    }

    fn settle_flight(&mut self, now_ms: u64) {
        self.hold = Hold::Free;
        let Some(flight) = self.flight.take() else { return };
        (self.acked, self.acked_ms) = (flight.append.seq, now_ms);
        self.offered.outdated = true;
        if guard!(self, ShowFirst) {
            self.show();
        }
        self.out.extend(flight.outputs);
        self.oblige(now_ms);
        self.snapshot();
    }

    fn stop(&mut self, last: Output) {
        self.hold = Hold::Stopped;
        self.out.push_back(last);
    }

    /// Shows the acknowledged state to those nearby, before any answer that speaks of it: whoever
    /// hears that answer may look around at once.
    fn show(&mut self) {
        let view = self.durable.state.view();
        if view != self.view {
            self.view.clone_from(&view);
            self.out.push_back(Output::View(self.acked, view));
        }
    }

    /// Derives what the acknowledged state obliges to: tells and activities, and a row in the index.
    fn oblige(&mut self, now_ms: u64) {
        self.send_tells(now_ms);
        self.run_activities(now_ms);
        self.sweep(now_ms);
        self.offer_attributes(now_ms);
    }

    /// Sends a snapshot when one is due. It holds acknowledged state only, and changes none.
    fn snapshot(&mut self) {
        let (records, bytes) = self.since_snapshot;
        let heard = self.durable.ledger.heard.len();
        // I8: a snapshot of a crowd is not what the actor is loaded from when the crowd is gone.
        let shrunk = self.snapshot_heard > SHRUNK_MIN && heard * 8 <= self.snapshot_heard;
        let due = records >= self.limits.snapshot_records || bytes >= self.limits.snapshot_bytes;
        if self.snapshot_in_flight || records == 0 || !(due || shrunk) {
            return;
        }
        self.snapshot_heard = heard;
        self.since_snapshot = (0, 0);
        self.snapshot_in_flight = true;
        self.due_ms = self.durable.due_ms();
        let bytes = self.durable.save();
        self.out.push_back(Output::Snapshot { seq: self.acked, bytes, due_ms: self.due_ms });
    }

    /// What came due while a snapshot was in flight is taken now, if the state is acknowledged.
    fn snapshot_done(&mut self) {
        self.snapshot_in_flight = false;
        if self.hold == Hold::Free && self.flight.is_none() {
            self.snapshot();
        }
    }

    fn next_random(&mut self) -> u64 {
        // SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn position(&self, seq: u64) -> Position {
        Position { epoch: self.epoch, seq }
    }
}

/// The refusal of what was not executed for want of room.
fn busy() -> Reject {
    Reject::new("busy", "too much is waiting; nothing was executed, try again")
}
