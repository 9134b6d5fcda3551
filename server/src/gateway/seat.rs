//! One socket as the hub sees it: what woke it, and what it has been told of its room.
//!
//! Whatever the socket's task waits for is a mark: a bit of its connection's bell, never a queue.
//! The hub marks what is to be shown, and the task builds the frame when its socket can take one:
//! latest wins.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use holdfast_protocol::ids::PlayerId;
use holdfast_protocol::movement::Position;
use holdfast_protocol::server::EntityRow;

use super::hub::Place;
use super::view::Cursor;
use super::view::shown::Rows;
use crate::actor::connection::{self, Connection};
use crate::actor::contract::View;

/// What may be due on a socket: bits of its connection's bell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Mark {
    /// Its actor has something for it.
    Delivery = connection::DELIVERY,
    /// It has to go.
    Cut = connection::CUT,
    /// A room frame or a roster.
    Room = connection::EDGE,
    /// The leaderboard.
    Board = connection::EDGE << 1,
    /// The node stops.
    Drain = connection::EDGE << 2,
    /// The node serves again, or has not for too long.
    Standing = connection::EDGE << 3,
    /// The client may have said something, or the runtime has room again.
    Socket = connection::EDGE << 4,
    /// The time for which the socket waits has come.
    Timer = connection::EDGE << 5,
}

/// What was due when a socket looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks(u32);

impl Marks {
    pub(super) fn has(self, mark: Mark) -> bool {
        self.0 & mark as u32 != 0
    }

    /// There is something to show that the hub or the node marked.
    pub(super) fn shows(self) -> bool {
        let shown = [Mark::Room, Mark::Board, Mark::Drain, Mark::Standing];
        shown.into_iter().any(|mark| self.has(mark))
    }
}

/// Where a socket's own actor is, and what the socket was told.
#[derive(Debug)]
pub(super) struct Sight {
    pub(super) player: Option<PlayerId>,
    pub(super) place: Option<Arc<Place>>,
    /// The own number at `place`.
    pub(super) entity: u32,
    /// Where the own actor stands.
    pub(super) at: Position,
    /// Where the last frame with an own row has put it.
    pub(super) at_told: Option<Position>,
    /// The journal position of what is known of the own actor.
    pub(super) seq: u64,
    /// The last durable input.
    pub(super) input: u64,
    /// The input that the last frame carried.
    pub(super) input_told: u64,
    /// The client has yet to be told that it is nowhere.
    pub(super) left: bool,
    pub(super) cursor: Cursor,
    /// When the last room frame was made, in Unix milliseconds.
    pub(super) framed_ms: u64,
}

impl Default for Sight {
    fn default() -> Self {
        Self {
            player: None,
            place: None,
            entity: 0,
            at: Position { x: 0, y: 0 },
            at_told: None,
            seq: 0,
            input: 0,
            input_told: 0,
            left: false,
            cursor: Cursor::default(),
            framed_ms: 0,
        }
    }
}

impl Sight {
    /// Takes over what a view says of the own actor.
    pub(super) fn look(&mut self, seq: u64, view: Option<&View>) {
        let Some(view) = view else { return };
        self.seq = seq;
        self.entity = view.entity;
        self.at = Position { x: view.x, y: view.y };
        self.input = view.input;
    }

    /// Puts the own actor where the input that goes with these rows has brought it. The room may
    /// know a newer step already, whose number this socket is told in the next frame: a client
    /// would take that step twice. `known` is the room's row of it, for when it had none to tell.
    pub(super) fn stand(&mut self, rows: &mut Rows, known: impl FnOnce() -> Option<EntityRow>) {
        let elsewhere = self.at_told.is_some_and(|told| told != self.at);
        let row = rows.own_row.or_else(|| elsewhere.then(known).flatten());
        let Some(row) = row else { return };
        let Position { x, y } = self.at;
        rows.own_row = Some(EntityRow { x, y, ..row });
        self.at_told = Some(self.at);
    }
}

/// One socket.
pub(super) struct Seat {
    pub(super) connection: Connection,
    /// Room frames are wanted.
    watching: AtomicBool,
    /// The own input is waited for, though room frames may not be wanted.
    walking: AtomicBool,
    /// Least time between room frames that the client asked for, in milliseconds.
    pub(super) pace_ms: AtomicU64,
    /// When the next room frame may go, in Unix milliseconds.
    pub(super) next_ms: AtomicU64,
    /// In the hub's list of sockets to look at.
    pub(super) listed: AtomicBool,
    sight: Mutex<Sight>,
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seat of {:?}", self.connection)
    }
}

impl Seat {
    pub(super) fn new(connection: Connection) -> Arc<Self> {
        Arc::new(Self {
            connection,
            watching: AtomicBool::new(false),
            walking: AtomicBool::new(false),
            pace_ms: AtomicU64::new(0),
            next_ms: AtomicU64::new(0),
            listed: AtomicBool::new(false),
            sight: Mutex::default(),
        })
    }

    /// Says that something is due, if this socket wants to know.
    pub(super) fn mark(&self, mark: Mark) {
        let wanted = match mark {
            Mark::Room => self.wants_room(),
            Mark::Board => self.is_watching(),
            _ => true,
        };
        if wanted {
            self.connection.ring(mark as u32);
        }
    }

    /// Takes all that is due, and waits for it first if it `waits`.
    pub(super) async fn due(&self, waits: bool) -> Marks {
        Marks(if waits { self.connection.listen().await } else { self.connection.rung() })
    }

    pub(super) fn is_watching(&self) -> bool {
        self.watching.load(Ordering::Acquire)
    }

    pub(super) fn wants_room(&self) -> bool {
        self.is_watching() || self.walking.load(Ordering::Acquire)
    }

    /// Waits for the own input, or no more.
    pub(super) fn walk(&self, on: bool) {
        self.walking.store(on, Ordering::Release);
    }

    /// Wants room frames from now on, or no more. A new watcher begins with a full frame.
    pub(super) fn watch(&self, on: bool) {
        if self.watching.swap(on, Ordering::AcqRel) == on || !on {
            return;
        }
        let mut sight = self.sight();
        sight.cursor = Cursor::default();
        let begins = sight.place.is_some() || sight.input != sight.input_told;
        drop(sight);
        if begins {
            self.mark(Mark::Room);
        }
    }

    /// Shows everything once more, also that there is nothing to show.
    pub(super) fn look_again(&self) {
        let mut sight = self.sight();
        sight.cursor = Cursor::default();
        sight.left = sight.place.is_none();
        drop(sight);
        self.mark(Mark::Room);
    }

    /// Wants no room frame before then.
    pub(super) fn hold_until(&self, at_ms: u64) {
        self.next_ms.fetch_max(at_ms, Ordering::AcqRel);
    }

    pub(super) fn sight(&self) -> MutexGuard<'_, Sight> {
        self.sight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As the waker of its WebSocket.
impl Wake for Seat {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.mark(Mark::Socket);
    }
}

/// A socket's timer, as the waker of what it waits for.
pub(super) struct Alarm(pub(super) Arc<Seat>);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.mark(Mark::Timer);
    }
}
