//! Who is where, and which sockets are to be told.
//!
//! Views of actors come from the runtime's workers, at most one lock each and never a wait. A
//! tick for the whole node wakes the sockets whose room changed or whose own input became
//! durable; each builds its own frame ([`Hub::frame`]).
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
use holdfast_protocol::server::{EntityRow, WhoRow};
use tokio_util::sync::CancellationToken;

use super::seat::{Mark, Seat, Sight};
use super::view::{Cursor, Member, Topic};
use crate::actor::contract::View;
use crate::actor::envelope::{Attached, Attachment, ConnectionId, Delivery, Nearby};
use crate::clock::Clock;

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
}

/// One topic and the sockets at it.
pub(super) struct Place {
    pub(super) id: Arc<str>,
    changed: AtomicBool,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    topic: Topic,
    seats: HashMap<ConnectionId, Arc<Seat>>,
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
    pub(super) rows: Vec<EntityRow>,
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
        let inner = Inner {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            places: Mutex::default(),
            changed: Mutex::default(),
            moved: Mutex::default(),
            seats: Mutex::default(),
            board: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Wakes sockets that have something due, every `frame_ms`, until it is told to stop.
    pub(super) async fn run(self, clock: Clock, frame_ms: u64, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = clock.sleep_ms(frame_ms) => self.tick(clock.now_ms()),
            }
        }
    }

    /// One sweep over what changed since the last.
    pub(super) fn tick(&self, now_ms: u64) {
        let changed = std::mem::take(&mut *lock(&self.inner.changed));
        let moved = std::mem::take(&mut *lock(&self.inner.moved));
        for seat in moved {
            seat.listed.store(false, Ordering::Release);
            self.wake(&seat, now_ms);
        }
        for place in changed {
            place.changed.store(false, Ordering::Release);
            for seat in lock(&place.inside).seats.values() {
                self.wake(seat, now_ms);
            }
        }
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

    fn enter(
        &self,
        id: &Arc<str>,
        player: &Arc<str>,
        view: &View,
        seats: &[Arc<Seat>],
    ) -> Arc<Place> {
        let mut places = lock(&self.inner.places);
        let place = places.entry(id.clone()).or_insert_with(|| {
            let changed = AtomicBool::new(false);
            Arc::new(Place { id: id.clone(), changed, inside: Mutex::default() })
        });
        let mut inside = lock(&place.inside);
        inside.topic.put(player, &view.label, row(view));
        inside.seats.extend(seats.iter().map(|seat| (seat.connection.id, seat.clone())));
        drop(inside);
        self.note(place);
        place.clone()
    }

    fn leave(&self, place: &Arc<Place>, player: &str, entity: u32, seats: &[Arc<Seat>]) {
        let mut places = lock(&self.inner.places);
        let mut inside = lock(&place.inside);
        inside.topic.remove(player, entity);
        for seat in seats {
            inside.seats.remove(&seat.connection.id);
        }
        if inside.topic.is_empty() && inside.seats.is_empty() {
            places.remove(&place.id);
        }
        drop(inside);
        self.note(place);
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
        if let Some(place) = &known.place {
            lock(&place.inside).seats.insert(seat.connection.id, seat.clone());
        }
        // An older view still has the input numbers of the session before.
        let fresh = (known.epoch, known.seq) >= (attached.epoch, attached.seq);
        let old = attached.how == Attachment::Welcome && !fresh;
        let mut sight = seat.sight();
        *sight = Sight { player: Some(player.clone()), ..Sight::default() };
        sight.place.clone_from(&known.place);
        sight.look(known.seq.max(attached.seq), known.view.as_ref());
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
    pub(super) fn frame(&self, seat: &Seat, now_ms: u64, full_every_ms: u64) -> Option<Frame> {
        let mut sight = seat.sight();
        let mut frame = Frame { input: sight.input, ..Frame::default() };
        let mut due = sight.input != sight.input_told;
        if let Some(place) = sight.place.clone() {
            let inside = lock(&place.inside);
            let own = sight.entity;
            frame.names = inside.topic.names(&mut sight.cursor);
            let delta = inside.topic.delta(&mut sight.cursor, own, now_ms, full_every_ms);
            drop(inside);
            due |= !delta.is_empty();
            (frame.rows, frame.gone, frame.full) = (delta.rows, delta.gone, delta.full);
        } else if std::mem::take(&mut sight.left) {
            (frame.full, due) = (true, true);
        }
        sight.input_told = sight.input;
        let pace_ms = seat.pace_ms.load(Ordering::Acquire);
        seat.next_ms.store(now_ms.saturating_add(pace_ms), Ordering::Release);
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

    /// Who is connected to this node; at most [`WHO_LEN_MAX`].
    pub(super) fn who(&self) -> Vec<WhoRow> {
        let mut rows = Vec::new();
        for shard in &self.inner.shards {
            for (actor, known) in &lock(shard).actors {
                if known.seats.is_empty() || rows.len() >= WHO_LEN_MAX {
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

impl Nearby for Hub {
    fn view(&self, actor: &ActorId, epoch: u64, seq: u64, view: Option<View>) {
        if actor.kind() != "player" {
            return;
        }
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
        let player = known.player.clone();
        let target = view.as_ref().and_then(|view| Some((view.topic.clone()?, view.entity)));
        let old = known.place.as_ref().map(|place| place.id.clone());
        let old = old.zip(known.view.as_ref().map(|view| view.entity));
        match (&known.place, &view) {
            (Some(place), Some(view)) if old == target => {
                if lock(&place.inside).topic.put(&player, &view.label, row(view)) {
                    self.note(place);
                }
            }
            (place, view) => {
                if let (Some(place), Some((_, entity))) = (place, &old) {
                    self.leave(place, &player, *entity, &known.seats);
                }
                known.place = view.as_ref().and_then(|view| {
                    let topic = view.topic.as_ref()?;
                    Some(self.enter(topic, &player, view, &known.seats))
                });
            }
        }
        let died = view.is_none() && known.view.is_some() && known.seats.is_empty();
        known.view = view;
        self.show_own(known);
        if died {
            shard.bury(actor.clone());
        }
    }

    fn broadcast(&self, _actor: &ActorId, topic: &Arc<str>, message: Bytes) {
        let place = lock(&self.inner.places).get(topic).cloned();
        let Some(place) = place else { return };
        for seat in lock(&place.inside).seats.values() {
            seat.connection.deliver(Delivery::Transient(message.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
