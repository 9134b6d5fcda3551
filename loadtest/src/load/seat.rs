//! One simulated player on its socket: connects, plays at fixed times whatever the answers do,
//! comes back when it is thrown off, and ends with everything answered.
//!
//! | state | what it does | leaves to |
//! |---|---|---|
//! | waiting | its turn in the ramp has not come | connecting |
//! | connecting | opens a socket, says hello or resume, repeats what is open | playing, waiting a while |
//! | playing | sends what is due, takes what comes | connecting, draining |
//! | draining | sends nothing new, waits for what is open | ended, connecting |
//! | ended | its books are closed | |
//!
//! In reading order: here its life and what comes, `greet` (how it gets a session), `deeds` (what
//! it does when it is due), `notes` (what becomes of the numbers).

mod deeds;
mod greet;
mod notes;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use holdfast_protocol::server::{Event, ServerMessage};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::tungstenite::Message;

use super::account::{Account, Closed, Settled};
use super::mind::Mind;
use super::pulse::Pulse;
use super::share::Share;
use super::sight::Sight;
use crate::scenario::{Bots, Kind};
use crate::socket::{self, Socket};
use crate::stats::Count;
use crate::wire::Wire;

/// Waits between attempts to come back: the first two are made at once.
const RETRY: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(1);
/// How long an abuser stays away after it was thrown out.
const PENANCE: Duration = Duration::from_secs(3);
/// Messages that are taken before anything is sent.
const BURST_LEN: usize = 64;
/// How long a slow reader waits after each message.
const SLOWNESS: Duration = Duration::from_millis(400);
/// Every so many players that walk, one looks at all frames in full.
const WATCH_EVERY: u32 = 8;

/// Why a player left its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Everything is answered, or time is up.
    Done,
    /// The socket is gone.
    Lost,
    /// It dropped the socket itself.
    Dropped,
    /// The server wants it no more.
    Banished,
}

/// See the module.
pub(super) struct Seat {
    share: Arc<Share>,
    stop: watch::Receiver<Option<Instant>>,
    nth: u32,
    bots: Bots,
    mind: Mind,
    wire: Wire,
    account: Account,
    pulse: Pulse,
    sight: Option<Sight>,
    /// Which gateway it is at, or tries next.
    at: usize,
    /// When the connection was lost, until something is acknowledged again.
    lost_at: Option<Instant>,
    frame_at: Option<(Instant, Option<Duration>)>,
    drop_at: Option<Instant>,
    read_at: Instant,
    settled: Vec<Settled>,
    abuses: usize,
    /// It has asked all that it was to ask.
    finished: bool,
}

impl Seat {
    /// The player `nth` of the run; `None`: nobody plays there.
    pub(super) fn new(
        share: Arc<Share>,
        stop: watch::Receiver<Option<Instant>>,
        nth: u32,
    ) -> Option<Self> {
        let scenario = &share.scenario;
        let bots = scenario.bots_of(nth)?.clone();
        let mind = Mind::new(scenario, &bots, share.names, nth);
        let watches = bots.input_hz > 0 && nth.is_multiple_of(WATCH_EVERY);
        Some(Self {
            wire: if scenario.packed { Wire::Packed } else { Wire::Json },
            account: Account::new(share.names.player(nth)?),
            pulse: Pulse::new(&bots, nth, scenario.players, share.began),
            sight: watches.then(|| Sight::new(share.names)),
            at: nth as usize,
            share,
            stop,
            nth,
            bots,
            mind,
            lost_at: None,
            frame_at: None,
            drop_at: None,
            read_at: Instant::now(),
            settled: Vec::new(),
            abuses: 0,
            finished: false,
        })
    }

    /// Plays until it is told to stop, and all is answered or time is up.
    pub(super) async fn live(mut self) -> Closed {
        let mut stop = self.stop.clone();
        tokio::select! {
            () = sleep_until(self.share.turn(self.nth)) => {}
            _ = stop.wait_for(Option::is_some) => return self.account.close(),
        }
        let mut attempts = 0;
        while !self.is_over() {
            let Some(socket) = self.connect().await else {
                attempts += 1;
                self.wait(attempts).await;
                continue;
            };
            attempts = 0;
            self.share.connected(1);
            let left = self.play(socket).await;
            self.share.connected(-1);
            match left {
                Left::Done => break,
                Left::Lost => {
                    self.share.count(Count::Losses, 1);
                    self.lost_at.get_or_insert_with(Instant::now);
                    self.at += 1;
                }
                Left::Dropped => self.share.count(Count::Drops, 1),
                Left::Banished if self.bots.kind == Kind::Abuser => {
                    self.account.session_lost();
                    sleep(PENANCE).await;
                }
                Left::Banished => {
                    self.share.lose(&self.account.player);
                    break;
                }
            }
        }
        self.account.close()
    }

    /// Told to stop, and there is nothing to wait for.
    fn is_over(&self) -> bool {
        let stop = *self.stop.borrow();
        stop.is_some_and(|until| self.account.is_settled() || Instant::now() >= until)
    }

    async fn wait(&mut self, attempts: u32) {
        let wait = RETRY.saturating_mul(1 << attempts.saturating_sub(2).min(8)).min(RETRY_MAX);
        if attempts > 1 {
            sleep(self.mind.jittered(wait)).await;
        }
    }

    async fn play(&mut self, mut socket: Socket) -> Left {
        let began = Instant::now();
        self.pulse.resume(began, &mut self.mind);
        self.share.count(Count::InputsUnsent, self.pulse.take_unsent());
        let mut stop = self.stop.clone();
        let timer = sleep_until(began);
        tokio::pin!(timer);
        loop {
            let stopping = *stop.borrow_and_update();
            if self.is_over() {
                return Left::Done;
            }
            let next = self.next_at(stopping);
            if timer.deadline() != next {
                timer.as_mut().reset(next);
            }
            let reads = self.bots.kind != Kind::SlowReader || self.read_at <= Instant::now();
            tokio::select! {
                message = socket.hear(), if reads => {
                    if let Some(left) = self.hear(&mut socket, message) {
                        return left;
                    }
                    if self.bots.kind == Kind::Grinder
                        && stopping.is_none()
                        && self.grind(&mut socket).await.is_err()
                    {
                        return Left::Lost;
                    }
                }
                () = timer.as_mut() => {
                    if let Some(left) = self.act(&mut socket, stopping.is_some()).await {
                        return left;
                    }
                }
                _ = stop.changed() => {}
            }
        }
    }

    /// When it has something to do.
    fn next_at(&self, stopping: Option<Instant>) -> Instant {
        let reads = (self.bots.kind == Kind::SlowReader).then_some(self.read_at);
        let reads = reads.filter(|at| *at > Instant::now());
        let acts = || self.drop_at.map_or(self.pulse.next(), |at| at.min(self.pulse.next()));
        let other = stopping.unwrap_or_else(acts);
        reads.map_or(other, |at| at.min(other))
    }

    /// Takes what came, and what lies there too.
    fn hear(&mut self, socket: &mut Socket, first: Result<Message, socket::Error>) -> Option<Left> {
        if let Some(left) = self.take(first) {
            return Some(left);
        }
        if self.bots.kind == Kind::SlowReader {
            self.read_at = Instant::now() + SLOWNESS;
            return None;
        }
        for _ in 1..BURST_LEN {
            let message = socket.hear().now_or_never()?;
            if let Some(left) = self.take(message) {
                return Some(left);
            }
        }
        None
    }

    fn take(&mut self, message: Result<Message, socket::Error>) -> Option<Left> {
        let message = match message {
            Ok(Message::Close(frame)) => return Some(self.closed(frame.map(|f| f.code.into()))),
            Ok(message) => message,
            Err(_) => {
                self.share.closed(None);
                return Some(Left::Lost);
            }
        };
        let now = Instant::now();
        self.share.heard(message.len());
        let mut settled = std::mem::take(&mut self.settled);
        match self.wire.room_input(&message) {
            Some(through) if self.sight.is_none() => {
                self.frame(now);
                self.account.durable_input(through, &mut settled);
            }
            room => match self.wire.read(&message) {
                Ok(ServerMessage::Event(Event::Room(frame))) => {
                    self.frame(now);
                    self.account.room(frame, &mut settled);
                    if let Some(sight) = &mut self.sight {
                        sight.look(&self.share, &self.account.mirror().room, now);
                    }
                }
                Ok(message) => self.account.hear(message, &mut settled),
                Err(why) => self.share.unreadable(&self.account.player, room.is_some(), &why),
            },
        }
        self.note(&settled, now);
        settled.clear();
        self.settled = settled;
        None
    }
}
