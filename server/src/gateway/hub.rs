//! Who is where, and which sockets are to be told.
//!
//! Views of actors come from the runtime's workers, at most one lock each and never a wait. A
//! tick for the whole node wakes the sockets whose room changed or whose own input became
//! durable; each builds its own frame ([`Hub::frame`]). Where a relay joins several nodes, actors
//! of the others are seen like the own ones (`across`): of two views the one with the higher
//! (epoch, seq) counts, whoever sent it, so that nothing of a fenced owner is shown.
//! Locks are taken in this order: shard, places, place, sight; none is held while a socket sends.
//! I7: a shard remembers at most [`GRAVES_MAX`] actors that are gone (then the oldest is
//! forgotten); topics and sockets are as many as have somebody in them.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use holdfast_protocol::ids::{ActorId, PlayerId, RoomId};
use holdfast_protocol::server::{EntityRow, FLAG_LINKDEAD, WhoRow};
use tokio_util::sync::CancellationToken;

use super::coins::Coins;
use super::exchange::Exchange;
use super::seat::{Mark, Seat, Sight};
use super::tempo::Tempo;
use super::view::interest::Budget;
use super::view::shown::Rows;
use super::view::{Cursor, Member, Topic};
use crate::actor::contract::View;
use crate::actor::envelope::{Attached, Attachment, ConnectionId};
use crate::clock::Clock;

mod across;
mod said;

pub use across::Traffic;
use across::{Across, Source};
use said::Reaches;

const SHARDS: usize = 64;
/// Actors without a view that a shard remembers, so that a late older view does not revive them.
pub const GRAVES_MAX: usize = 256;
/// Most rows of `who`.
pub const WHO_LEN_MAX: usize = 1_000;
/// Most rows of `rooms`.
pub const ROOMS_LEN_MAX: usize = 1_000;

/// The hub's handle. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
    places: Mutex<HashMap<Arc<str>, Arc<Place>>>,
    changed: Mutex<Vec<Arc<Place>>>,
    moved: Mutex<Vec<Arc<Seat>>>,
    seats: Mutex<HashMap<ConnectionId, Arc<Seat>>>,
    board: Mutex<Bytes>,
    reaches: Reaches,
    /// Where several nodes show one another's actors.
    across: Option<Across>,
}

#[derive(Default)]
struct Shard {
    actors: HashMap<ActorId, Known>,
    graves: VecDeque<ActorId>,
}

/// What is known of an actor.
#[derive(Default)]
struct Known {
    player: Arc<str>,
    epoch: u64,
    seq: u64,
    view: Option<View>,
    place: Option<Arc<Place>>,
    seats: Vec<Arc<Seat>>,
    /// The other node that showed it last; `None`: it is here.
    node: Option<u64>,
}

/// One topic and the sockets at it.
pub(super) struct Place {
    pub(super) id: Arc<str>,
    changed: AtomicBool,
    /// In the list of places whose exchange has something to do.
    pending: AtomicBool,
    /// News of other nodes are heard.
    subscribed: AtomicBool,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    topic: Topic,
    seats: HashMap<ConnectionId, Arc<Seat>>,
    /// Only while some lie here.
    coins: Option<Box<Coins>>,
    /// Only where there is a relay.
    exchange: Option<Box<Exchange>>,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "place {}", self.id)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hub")
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn row(view: &View) -> EntityRow {
    EntityRow {
        entity: view.entity,
        x: view.x,
        y: view.y,
        health: u32::try_from(view.health).unwrap_or(0),
        flags: (view.flags & 0xff) as u8,
    }
}

/// A room frame and the roster that goes before it, for one socket.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// The last durable input.
    pub(super) input: u64,
    /// Changed entities, the own one first.
    pub(super) rows: Rows,
    /// Entities that left.
    pub(super) gone: Vec<u32>,
    /// Not a delta.
    pub(super) full: bool,
    /// There is a room frame, not only names.
    pub(super) room: bool,
    /// Names that the socket does not know.
    pub(super) names: Option<super::view::Names>,
}

impl Hub {
    /// An empty hub.
    #[must_use]
    pub fn new() -> Self {
        Self::with(None)
    }

    fn with(across: Option<Across>) -> Self {
        let inner = Inner {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            places: Mutex::default(),
            changed: Mutex::default(),
            moved: Mutex::default(),
            seats: Mutex::default(),
            board: Mutex::default(),
            reaches: Reaches::default(),
            across,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Wakes sockets that have something due, at the tempo's pace, and hears what other nodes
    /// show, until it is told to stop.
    pub(super) async fn run(self, clock: Clock, tempo: Tempo, shutdown: CancellationToken) {
        let mut line = self.listen();
        let mut tick_at_ms = clock.now_ms().saturating_add(tempo.frame_ms());
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = clock.sleep_until(tick_at_ms) => {
                    self.tick(clock.now_ms());
                    tick_at_ms = clock.now_ms().saturating_add(tempo.frame_ms());
                }
                next = line.next() => self.take_in(next, clock.now_ms()),
            }
        }
    }

    /// One sweep over what changed since the last.
    pub(super) fn tick(&self, now_ms: u64) {
        self.inner.reaches.note_time(now_ms);
        let changed = std::mem::take(&mut *lock(&self.inner.changed));
        let moved = std::mem::take(&mut *lock(&self.inner.moved));
        for seat in moved {
            seat.listed.store(false, Ordering::Release);
            self.wake(&seat, now_ms);
        }
        for place in changed {
            place.changed.store(false, Ordering::Release);
            let mut inside = lock(&place.inside);
            inside.topic.publish();
            for seat in inside.seats.values() {
                self.wake(seat, now_ms);
            }
        }
        self.trade(now_ms);
    }

    /// Wakes a watching socket now, or at a later tick where it asked for a slower pace.
    fn wake(&self, seat: &Arc<Seat>, now_ms: u64) {
        if !seat.wants_room() {
            return;
        }
        if seat.next_ms.load(Ordering::Acquire) <= now_ms {
            seat.mark(Mark::Room);
        } else {
            self.list(seat);
        }
    }

    /// Has a socket looked at by the next tick.
    fn list(&self, seat: &Arc<Seat>) {
        if !seat.listed.swap(true, Ordering::AcqRel) {
            lock(&self.inner.moved).push(seat.clone());
        }
    }

    fn shard(&self, actor: &ActorId) -> Option<MutexGuard<'_, Shard>> {
        let at = self.inner.hasher.hash_one(actor) as usize % SHARDS;
        self.inner.shards.get(at).map(lock)
    }

    fn note(&self, place: &Arc<Place>) {
        if !place.changed.swap(true, Ordering::AcqRel) {
            lock(&self.inner.changed).push(place.clone());
        }
    }

    /// Puts an actor at a place. `None`: there is no room for it.
    fn enter(&self, id: &Arc<str>, known: &Known, view: &View, from: Source) -> Option<Arc<Place>> {
        let mut places = lock(&self.inner.places);
        let place = places.entry(id.clone()).or_insert_with(|| Arc::new(self.found(id)));
        let place = place.clone();
        let mut inside = lock(&place.inside);
        if !self.record(&mut inside, known, view, from) {
            return None;
        }
        inside.topic.put(&known.player, &view.label, row(view));
        if from == Source::Here {
            known.seats.iter().for_each(|seat| inside.sit(seat));
            self.reach(&mut inside, known, view);
        }
        drop(inside);
        self.note(&place);
        self.pend(&place);
        Some(place)
    }

    fn found(&self, id: &Arc<str>) -> Place {
        let exchange = self.inner.across.as_ref().map(|_| Box::default());
        Place {
            id: id.clone(),
            changed: AtomicBool::new(false),
            pending: AtomicBool::new(false),
            subscribed: AtomicBool::new(false),
            inside: Mutex::new(Inside { exchange, ..Inside::default() }),
        }
    }

    /// Takes an actor from a place. `was_here`: it was this node's, and the others are told.
    fn leave(&self, place: &Arc<Place>, known: &Known, entity: u32, was_here: bool) {
        let mut places = lock(&self.inner.places);
        let mut inside = lock(&place.inside);
        inside.topic.remove(&known.player, entity);
        for seat in &known.seats {
            inside.seats.remove(&seat.connection.id);
        }
        let empty = inside.topic.is_empty() && inside.seats.is_empty();
        match &mut inside.exchange {
            Some(exchange) if was_here => {
                exchange.withdraw(&known.player, known.epoch, known.seq);
            }
            Some(exchange) => exchange.forget(&known.player),
            None if empty => {
                places.remove(&place.id);
            }
            None => {}
        }
        drop(inside);
        self.note(place);
        self.pend(place);
    }

    /// Tells the actor's own sockets where it is now.
    fn show_own(&self, known: &Known) {
        for seat in &known.seats {
            let mut sight = seat.sight();
            let was = (sight.place.as_ref().map(|place| place.id.clone()), sight.entity);
            sight.place.clone_from(&known.place);
            sight.look(known.seq, known.view.as_ref());
            let is = (sight.place.as_ref().map(|place| place.id.clone()), sight.entity);
            let moved = was.0 != is.0;
            if moved {
                sight.left = sight.place.is_none();
                sight.cursor = Cursor::default();
            }
            let due = moved || sight.input != sight.input_told;
            drop(sight);
            if due {
                self.list(seat);
            }
        }
    }

    /// Adds a socket that no player has yet.
    pub(super) fn open(&self, seat: &Arc<Seat>) {
        lock(&self.inner.seats).insert(seat.connection.id, seat.clone());
    }

    /// Forgets a socket.
    pub(super) fn close(&self, seat: &Arc<Seat>) {
        lock(&self.inner.seats).remove(&seat.connection.id);
        let player = seat.sight().player.take();
        let Some(actor) = player.as_ref().map(ActorId::player) else { return };
        let Some(mut shard) = self.shard(&actor) else { return };
        let Some(known) = shard.actors.get_mut(&actor) else { return };
        known.seats.retain(|other| other.connection.id != seat.connection.id);
        if let Some(place) = &known.place {
            lock(&place.inside).seats.remove(&seat.connection.id);
            self.pend(place);
        }
        let forget = known.seats.is_empty() && known.view.is_none();
        if forget {
            shard.bury(actor);
        }
        drop(shard);
        seat.sight().place = None;
    }

    /// Gives a socket to a player, whose next room frame is full.
    pub(super) fn attach(&self, seat: &Arc<Seat>, player: &PlayerId, attached: &Attached) {
        let actor = ActorId::player(player);
        let Some(mut shard) = self.shard(&actor) else { return };
        let known = shard.actors.entry(actor).or_default();
        if known.seats.iter().all(|other| other.connection.id != seat.connection.id) {
            known.seats.push(seat.clone());
        }
        // What another node showed of it is not what this socket's session sees.
        let here = known.node.is_none();
        if let (Some(place), true) = (&known.place, here) {
            lock(&place.inside).sit(seat);
            self.pend(place);
        }
        // An older view still has the input numbers of the session before.
        let fresh = (known.epoch, known.seq) >= (attached.epoch, attached.seq);
        let old = attached.how == Attachment::Welcome && !fresh;
        let mut sight = seat.sight();
        *sight = Sight { player: Some(player.clone()), ..Sight::default() };
        if here {
            sight.place.clone_from(&known.place);
            sight.look(known.seq.max(attached.seq), known.view.as_ref());
        }
        if old {
            sight.input = 0;
        }
        let begins = sight.place.is_some() || sight.input != 0;
        drop(sight);
        drop(shard);
        if begins {
            seat.mark(Mark::Room);
        }
    }

    /// What a socket has yet to be told. `None`: nothing.
    pub(super) fn frame(&self, seat: &Arc<Seat>, now_ms: u64, full_every_ms: u64) -> Option<Frame> {
        let mut sight = seat.sight();
        let mut frame = Frame { input: sight.input, ..Frame::default() };
        let mut due = sight.input != sight.input_told;
        if let Some(place) = sight.place.clone() {
            let inside = lock(&place.inside);
            let own = sight.entity;
            frame.names = inside.topic.names(&mut sight.cursor);
            let budget = Budget::after(now_ms.saturating_sub(sight.framed_ms));
            let cursor = &mut sight.cursor;
            let mut delta = inside.topic.delta(cursor, own, budget, now_ms, full_every_ms);
            sight.stand(&mut delta.rows, || inside.topic.row(own));
            drop(inside);
            due |= !delta.is_empty();
            (frame.rows, frame.gone, frame.full) = (delta.rows, delta.gone, delta.full);
        } else if std::mem::take(&mut sight.left) {
            (frame.full, due) = (true, true);
        }
        sight.input_told = sight.input;
        sight.framed_ms = now_ms;
        let behind = sight.cursor.is_behind();
        drop(sight);
        let pace_ms = seat.pace_ms.load(Ordering::Acquire);
        seat.next_ms.store(now_ms.saturating_add(pace_ms), Ordering::Release);
        if behind {
            self.list(seat);
        }
        frame.room = due;
        (due || frame.names.is_some()).then_some(frame)
    }

    /// Everybody where this socket's player is.
    pub(super) fn members(&self, seat: &Seat) -> Vec<Member> {
        let place = seat.sight().place.clone();
        place.map_or_else(Vec::new, |place| lock(&place.inside).topic.members().collect())
    }

    /// Everybody at a room.
    pub(super) fn members_of(&self, room: &str) -> Vec<Member> {
        let place = lock(&self.inner.places).get(room).cloned();
        place.map_or_else(Vec::new, |place| lock(&place.inside).topic.members().collect())
    }

    /// Who is connected to this node, or is seen by it at another one; at most [`WHO_LEN_MAX`].
    pub(super) fn who(&self) -> Vec<WhoRow> {
        let mut rows = Vec::new();
        for shard in &self.inner.shards {
            for (actor, known) in &lock(shard).actors {
                if !known.is_connected() || rows.len() >= WHO_LEN_MAX {
                    continue;
                }
                let Ok(player) = PlayerId::new(actor.key()) else { continue };
                let view = known.view.as_ref();
                let name =
                    view.map_or_else(|| actor.key().to_owned(), |view| view.label.to_string());
                let topic = view.and_then(|view| view.topic.as_ref());
                let room = topic.and_then(|topic| RoomId::new(topic).ok());
                rows.push(WhoRow { player, name, room });
            }
        }
        rows.sort_by(|left, right| left.player.cmp(&right.player));
        rows
    }

    /// The rooms that have somebody in them, and how many; at most [`ROOMS_LEN_MAX`].
    pub(super) fn rooms(&self) -> Vec<(RoomId, usize)> {
        let places: Vec<_> = lock(&self.inner.places).values().cloned().collect();
        let count = |place: &Arc<Place>| lock(&place.inside).topic.len();
        let room = |place: &Arc<Place>| Some((RoomId::new(&place.id).ok()?, count(place)));
        let mut rooms: Vec<_> = places.iter().filter_map(room).filter(|room| room.1 > 0).collect();
        rooms.sort();
        rooms.truncate(ROOMS_LEN_MAX);
        rooms
    }

    /// Every open socket.
    pub(super) fn seats(&self) -> Vec<Arc<Seat>> {
        lock(&self.inner.seats).values().cloned().collect()
    }

    /// Shows a leaderboard (an event's JSON text) to every socket.
    pub(super) fn show_board(&self, event: Bytes) {
        *lock(&self.inner.board) = event;
        for seat in self.seats() {
            seat.mark(Mark::Board);
        }
    }

    /// The newest leaderboard event, empty before the first.
    pub(super) fn board(&self) -> Bytes {
        lock(&self.inner.board).clone()
    }
}

impl Shard {
    /// Remembers an actor that is gone; the oldest is forgotten for good.
    fn bury(&mut self, actor: ActorId) {
        self.graves.push_back(actor);
        if self.graves.len() <= GRAVES_MAX {
            return;
        }
        let Some(oldest) = self.graves.pop_front() else { return };
        let gone = |known: &Known| known.view.is_none() && known.seats.is_empty();
        if self.actors.get(&oldest).is_some_and(gone) {
            self.actors.remove(&oldest);
        }
    }
}

impl Known {
    /// Has a socket here, or had one elsewhere when it was last shown.
    fn is_connected(&self) -> bool {
        let elsewhere = self.node.and(self.view.as_ref());
        !self.seats.is_empty()
            || elsewhere.is_some_and(|view| view.flags & u32::from(FLAG_LINKDEAD) == 0)
    }
}

impl Hub {
    /// Takes a view over, unless a newer one is known.
    fn see(&self, actor: &ActorId, epoch: u64, seq: u64, view: Option<View>, from: Source) {
        let Some(mut shard) = self.shard(actor) else { return };
        let known = match (shard.actors.get_mut(actor), &view) {
            (Some(known), _) => known,
            (None, Some(_)) => shard.actors.entry(actor.clone()).or_default(),
            (None, None) => return,
        };
        if (epoch, seq) < (known.epoch, known.seq) {
            return;
        }
        (known.epoch, known.seq) = (epoch, seq);
        if known.player.is_empty() {
            known.player = actor.key().into();
        }
        let was_here = known.node.is_none();
        known.node = from.node();
        let target = view.as_ref().and_then(|view| Some((view.topic.clone()?, view.entity)));
        let old = known.place.as_ref().map(|place| place.id.clone());
        let old = old.zip(known.view.as_ref().map(|view| view.entity));
        match (&known.place, &view) {
            (Some(place), Some(view)) if old == target => {
                self.stay(place, known, view, from, was_here);
            }
            (place, view) => {
                if let (Some(place), Some((_, entity))) = (place, &old) {
                    self.leave(place, known, *entity, was_here);
                }
                known.place = view
                    .as_ref()
                    .and_then(|view| self.enter(view.topic.as_ref()?, known, view, from));
            }
        }
        // What is not shown of others is not remembered either.
        let view = view.filter(|_| from == Source::Here || known.place.is_some());
        let shown = known.view.is_some() || from != Source::Here;
        let died = view.is_none() && shown && known.seats.is_empty();
        known.view = view;
        if from == Source::Here {
            self.show_own(known);
        }
        if died {
            shard.bury(actor.clone());
        }
    }

    /// Shows an actor anew where it is already.
    fn stay(&self, place: &Arc<Place>, known: &Known, view: &View, from: Source, was_here: bool) {
        let mut inside = lock(&place.inside);
        let changed = inside.topic.put(&known.player, &view.label, row(view));
        let comes = from == Source::Here && !was_here;
        if comes {
            known.seats.iter().for_each(|seat| inside.sit(seat));
        }
        if changed && from == Source::Here {
            self.reach(&mut inside, known, view);
        }
        // Of an own actor that looks as before the others know what they need.
        if changed || comes || from != Source::Here {
            self.record(&mut inside, known, view, from);
        }
        drop(inside);
        if changed {
            self.note(place);
        }
        if (changed || comes) && from == Source::Here {
            self.pend(place);
        }
    }
}

#[cfg(test)]
mod tests;
