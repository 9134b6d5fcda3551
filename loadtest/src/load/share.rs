//! What the players of one process share: the scenario, the numbers of the second, and who walks
//! where.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::ids::PlayerId;
use holdfast_protocol::movement::Position;
use tokio::time::Instant;

use super::deals::Deals;
use super::mind::Names;
use super::sight::Track;
use crate::http::Client;
use crate::scenario::Scenario;
use crate::stats::{Count, Measure, Stats};

/// Things that must not happen, which are kept in words.
const ODDITIES_MAX: usize = 20;

/// See the module.
#[derive(Debug)]
pub struct Share {
    /// What is played.
    pub scenario: Scenario,
    /// Who is who.
    pub names: Names,
    /// When the ramp began.
    pub began: Instant,
    /// For those who call.
    pub http: Client,
    urls: Vec<String>,
    first: u32,
    tracks: Vec<Mutex<Track>>,
    deals: Mutex<Deals>,
    stats: Mutex<Stats>,
    connected: AtomicI64,
    finished: AtomicU64,
    lost: Mutex<Vec<String>>,
    /// What came and was no message, by whom.
    odd: Mutex<Vec<(String, String)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Share {
    /// For `len` players from `first` on, who connect at `urls` by turns.
    #[must_use]
    pub fn new(scenario: Scenario, names: Names, urls: Vec<String>, first: u32, len: u32) -> Self {
        Self {
            scenario,
            names,
            began: Instant::now(),
            http: Client::default(),
            urls,
            first,
            tracks: (0..len).map(|_| Mutex::default()).collect(),
            deals: Mutex::default(),
            stats: Mutex::default(),
            connected: AtomicI64::new(0),
            finished: AtomicU64::new(0),
            lost: Mutex::default(),
            odd: Mutex::default(),
        }
    }

    /// When the player `nth` connects.
    #[must_use]
    pub fn turn(&self, nth: u32) -> Instant {
        let share = f64::from(nth) / f64::from(self.scenario.players.max(1));
        self.began + self.scenario.ramp.mul_f64(share)
    }

    /// The gateway with that number, counted around.
    #[must_use]
    pub fn url(&self, at: usize) -> Option<&str> {
        self.urls.get(at % self.urls.len().max(1)).map(String::as_str)
    }

    /// Counts.
    pub fn count(&self, count: Count, more: u64) {
        lock(&self.stats).count(count, more);
    }

    /// Measures.
    pub fn time(&self, measure: Measure, span: Duration) {
        lock(&self.stats).time(measure, span);
    }

    /// A message went out.
    pub fn sent(&self, bytes: usize) {
        let mut stats = lock(&self.stats);
        stats.count(Count::FramesOut, 1);
        stats.count(Count::BytesOut, bytes as u64);
    }

    /// A message came in.
    pub fn heard(&self, bytes: usize) {
        let mut stats = lock(&self.stats);
        stats.count(Count::FramesIn, 1);
        stats.count(Count::BytesIn, bytes as u64);
    }

    /// Something was refused.
    pub fn refused(&self, code: ErrorCode) {
        lock(&self.stats).refused(code.as_str());
    }

    /// A socket was closed by the server, or broke.
    pub fn closed(&self, code: Option<u16>) {
        lock(&self.stats).closed(code);
    }

    /// More or fewer players have a session on a socket.
    pub fn connected(&self, change: i64) {
        self.connected.fetch_add(change, Ordering::Relaxed);
    }

    /// Players with a session on a socket.
    #[must_use]
    pub fn connected_len(&self) -> u64 {
        u64::try_from(self.connected.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// A player has done all that it was to do.
    pub fn finish(&self) {
        self.finished.fetch_add(1, Ordering::Relaxed);
    }

    /// Players who have done all that they were to do.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.finished.load(Ordering::Relaxed)
    }

    /// A player can't come back.
    pub fn lose(&self, player: &PlayerId) {
        lock(&self.lost).push(player.to_string());
    }

    /// Players who could not come back.
    #[must_use]
    pub fn lost(&self) -> Vec<String> {
        lock(&self.lost).clone()
    }

    /// Something came that is no message, or no room frame though it begins like one.
    pub fn unreadable(&self, player: &PlayerId, is_room: bool, why: &str) {
        let what = if is_room { "a room frame" } else { "a message" };
        let mut odd = lock(&self.odd);
        if odd.len() < ODDITIES_MAX {
            odd.push((player.to_string(), format!("{what} that came can't be read: {why}")));
        }
    }

    /// What came and was no message, by whom.
    #[must_use]
    pub fn oddities(&self) -> Vec<(String, String)> {
        lock(&self.odd).clone()
    }

    /// A player's step, due then, leads there.
    pub fn track(&self, nth: u32, at: Position, due: Instant) {
        if let Some(track) = self.track_of(nth) {
            lock(track).push(at, due);
        }
    }

    /// When a player's step to that place was due.
    #[must_use]
    pub fn due(&self, nth: u32, at: Position) -> Option<Instant> {
        lock(self.track_of(nth)?).due(at)
    }

    fn track_of(&self, nth: u32) -> Option<&Mutex<Track>> {
        self.tracks.get(nth.checked_sub(self.first)? as usize)
    }

    /// Takes note of an acceptance; measures what came to its end.
    pub(super) fn deal(&self, note: impl FnOnce(&mut Deals) -> Vec<(Measure, Duration)>) {
        let times = note(&mut lock(&self.deals));
        for (measure, span) in times {
            self.time(measure, span);
        }
    }

    /// The numbers since the last call.
    #[must_use]
    pub fn take(&self) -> Stats {
        lock(&self.stats).take()
    }
}
