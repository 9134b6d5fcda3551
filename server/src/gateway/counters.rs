//! What the edge counts. Plain atomics; telemetry reads them when it is asked.

use std::sync::atomic::{AtomicU64, Ordering};

use holdfast_protocol::codes::{CloseCode, ErrorCode};

use super::limit::Limit;

/// Counts since the process started.
#[derive(Debug, Default)]
pub struct Counters {
    /// TCP connections taken.
    pub accepted: AtomicU64,
    /// TCP connections dropped because the node is full.
    pub dropped: AtomicU64,
    /// Sockets opened.
    pub opened: AtomicU64,
    /// Handshakes refused: origin, subprotocol, rate or number.
    pub turned_away: AtomicU64,
    /// Messages from clients.
    pub messages_in: AtomicU64,
    /// Input frames taken into a batch.
    pub input_frames: AtomicU64,
    /// Input commands sent by the beat.
    pub input_commands: AtomicU64,
    /// Room frames sent.
    pub room_frames: AtomicU64,
    /// Room frames after which a slow socket was given more time.
    pub held_back: AtomicU64,
    /// Messages to clients, room frames included.
    pub messages_out: AtomicU64,
    /// Sockets whose peer went away without a close of ours.
    pub lost: AtomicU64,
    closed: [AtomicU64; CloseCode::ALL.len()],
    refused: [AtomicU64; ErrorCode::ALL.len()],
    limited: [AtomicU64; Limit::ALL.len()],
    http_refused: Statuses,
}

/// Answers of HTTP by status, from 400 on.
#[derive(Debug)]
struct Statuses([AtomicU64; STATUSES]);

/// 400 to 599.
const STATUSES: usize = 200;
const STATUS_MIN: u16 = 400;

impl Default for Statuses {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

/// Adds one.
pub(super) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    /// Sockets closed by the edge with that code.
    #[must_use]
    pub fn closed(&self, code: CloseCode) -> u64 {
        read(&self.closed, CloseCode::ALL.iter().position(|known| *known == code))
    }

    /// Messages refused by the edge with that code.
    #[must_use]
    pub fn refused(&self, code: ErrorCode) -> u64 {
        read(&self.refused, ErrorCode::ALL.iter().position(|known| *known == code))
    }

    /// What was refused for a limit: messages, handshakes, calls or sockets.
    #[must_use]
    pub fn limited(&self, limit: Limit) -> u64 {
        read(&self.limited, Limit::ALL.iter().position(|known| *known == limit))
    }

    /// Refusals by HTTP so far: status and number.
    pub fn http_refused(&self) -> impl Iterator<Item = (u16, u64)> {
        let counts = self.http_refused.0.iter().map(|count| count.load(Ordering::Relaxed));
        (STATUS_MIN..).zip(counts).filter(|(_, count)| *count > 0)
    }

    pub(super) fn count_limit(&self, limit: Limit) {
        add_at(&self.limited, Limit::ALL.iter().position(|known| *known == limit));
    }

    /// Counts an answer by HTTP, if it is a refusal.
    pub(super) fn count_answer(&self, status: u16) {
        add_at(&self.http_refused.0, status.checked_sub(STATUS_MIN).map(usize::from));
    }

    pub(super) fn count_close(&self, code: CloseCode) {
        add_at(&self.closed, CloseCode::ALL.iter().position(|known| *known == code));
    }

    pub(super) fn count_refusal(&self, code: ErrorCode) {
        add_at(&self.refused, ErrorCode::ALL.iter().position(|known| *known == code));
    }
}

/// Adds one to one of several, if there is that one.
fn add_at(counts: &[AtomicU64], at: Option<usize>) {
    if let Some(count) = at.and_then(|at| counts.get(at)) {
        add(count);
    }
}

fn read(counts: &[AtomicU64], at: Option<usize>) -> u64 {
    at.and_then(|at| counts.get(at)).map_or(0, |count| count.load(Ordering::Relaxed))
}
