//! One socket as the hub sees it: what woke it, and what it has been told of its room.
//!
//! The hub marks what is due and wakes the socket's task; the task builds the frame when its
//! socket can take one. Latest wins: a mark is a bit, never a queue.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_protocol::ids::PlayerId;
use holdfast_protocol::movement::Position;
use tokio::sync::Notify;

use super::hub::Place;
use super::view::Cursor;
use crate::actor::contract::View;
use crate::actor::envelope::Connection;

/// What may be due on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A room frame or a roster.
    Room = 1,
    /// The leaderboard.
    Board = 2,
    /// The node stops.
    Drain = 4,
    /// The node serves again, or has not for too long.
    Standing = 8,
}

/// What was due when a socket looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks(u8);

impl Marks {
    pub(super) fn has(self, mark: Mark) -> bool {
        self.0 & mark as u8 != 0
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
}

/// One socket.
pub(super) struct Seat {
    pub(super) connection: Connection,
    marks: AtomicU8,
    wake: Notify,
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
            marks: AtomicU8::new(0),
            wake: Notify::new(),
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
            Mark::Drain | Mark::Standing => true,
        };
        if !wanted {
            return;
        }
        let bit = mark as u8;
        if self.marks.fetch_or(bit, Ordering::AcqRel) & bit == 0 {
            self.wake.notify_one();
        }
    }

    /// Waits until something is due, and takes all of it.
    pub(super) async fn due(&self) -> Marks {
        loop {
            let marks = self.marks.swap(0, Ordering::AcqRel);
            if marks != 0 {
                return Marks(marks);
            }
            self.wake.notified().await;
        }
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

    /// Wants no room frame before then.
    pub(super) fn hold_until(&self, at_ms: u64) {
        self.next_ms.fetch_max(at_ms, Ordering::AcqRel);
    }

    pub(super) fn sight(&self) -> MutexGuard<'_, Sight> {
        self.sight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
