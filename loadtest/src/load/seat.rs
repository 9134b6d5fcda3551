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

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use holdfast_protocol::client::{ClientMessage, MoveType, Verb};
use holdfast_protocol::codes::{CloseCode, Verdict};
use holdfast_protocol::movement::INPUT_STEPS_MAX;
use holdfast_protocol::server::{Outcome, ServerMessage};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::account::{Account, Closed, Settled, since};
use super::mind::{Mind, NONSENSE};
use super::pulse::{Pulse, Turn};
use super::share::Share;
use super::sight::Sight;
use crate::scenario::{Bots, Kind};
use crate::socket::{self, Handshake, Socket};
use crate::stats::{Count, Measure};
use crate::wire::Wire;

/// How long a socket may take to open, and hello to be answered.
const PATIENCE: Duration = Duration::from_secs(10);
/// Waits between attempts to come back: the first two are made at once.
const RETRY: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(1);
/// How long an abuser stays away after it was thrown out.
const PENANCE: Duration = Duration::from_secs(3);
/// Messages that are taken before anything is sent.
const BURST_LEN: usize = 64;
/// What a slow reader's kernel keeps, in bytes, and how long it waits after each message.
const NARROW: u32 = 4 * 1024;
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

    /// A socket with a session; `None`: not now.
    async fn connect(&mut self) -> Option<Socket> {
        let url = self.share.url(self.at)?.to_owned();
        let handshake = Handshake { subprotocol: Some(self.wire.subprotocol()), origin: None };
        let began = Instant::now();
        let opened = if self.bots.kind == Kind::SlowReader {
            Socket::open_narrow(&url, handshake, PATIENCE, NARROW).await
        } else {
            Socket::open(&url, handshake, PATIENCE).await
        };
        let Ok(mut socket) = opened else {
            self.share.count(Count::ConnectsFailed, 1);
            self.at += 1;
            return None;
        };
        self.share.count(Count::Connects, 1);
        self.share.time(Measure::Connect, began.elapsed());
        match self.greet(&mut socket).await {
            Ok(true) => Some(socket),
            Ok(false) => None,
            Err(_) => {
                self.share.count(Count::ConnectsFailed, 1);
                self.at += 1;
                None
            }
        }
    }

    /// Says hello or resume, and repeats what is open. False: refused.
    async fn greet(&mut self, socket: &mut Socket) -> Result<bool, socket::Error> {
        let (began, resumes) = (Instant::now(), self.account.has_session());
        let dropped_at = self.drop_at;
        self.say(socket, &self.account.greeting()).await?;
        let message = timeout(PATIENCE, socket.hear()).await;
        let message = message.map_err(|_| socket::Error::Deadline(PATIENCE))??;
        match self.wire.read(&message) {
            Ok(ServerMessage::Welcome(welcome)) => {
                use holdfast_protocol::server::WelcomeKind;
                match welcome.kind {
                    WelcomeKind::Welcome => self.share.count(Count::Hellos, 1),
                    WelcomeKind::Resumed => self.share.count(Count::Resumes, 1),
                    WelcomeKind::Resync => self.share.count(Count::Resyncs, 1),
                }
                self.account.welcome(*welcome);
            }
            Ok(ServerMessage::Reply(reply)) => {
                if let Outcome::Err(error) = reply.outcome {
                    self.share.refused(error.code);
                    if resumes && !error.retry {
                        self.account.session_lost();
                    }
                }
                return Ok(false);
            }
            _ => return Ok(false),
        }
        if resumes {
            // A dropped connection is taken up in its own time; a lost one counts from its loss.
            if let Some(dropped_at) = dropped_at.filter(|_| self.lost_at.is_none()) {
                self.share.time(Measure::Resume, dropped_at.elapsed());
            }
        } else {
            self.share.time(Measure::Hello, began.elapsed());
        }
        self.frame_at = None;
        if let Some(sight) = &mut self.sight {
            sight.clear();
        }
        self.take_up(socket, resumes).await?;
        Ok(true)
    }

    /// After the welcome: what is open once more, or the way to the first room.
    async fn take_up(&mut self, socket: &mut Socket, resumes: bool) -> Result<(), socket::Error> {
        self.drop_at = self.mind.until_drop().map(|wait| Instant::now() + wait);
        if !resumes {
            if let Some(room_id) = self.mind.home() {
                let join = self.account.ask(Verb::JoinRoom { room_id }, Instant::now());
                self.share.count(Count::Commands, 1);
                self.say(socket, &join).await?;
            }
            return Ok(());
        }
        for message in self.account.open() {
            self.share.count(Count::Repeats, 1);
            self.say(socket, &message).await?;
        }
        if let Some((mut seq, steps)) = self.account.unacked() {
            for steps in steps.chunks(INPUT_STEPS_MAX) {
                self.share.count(Count::Repeats, 1);
                let verb = Verb::Input { seq, steps: steps.to_vec() };
                self.say(socket, &ClientMessage { id: None, verb }).await?;
                seq += steps.len() as u64;
            }
        }
        let probes = self.lost_at.is_some() && !matches!(self.bots.kind, Kind::Abuser);
        if probes && self.account.open_len() == 0 && self.stop.borrow().is_none() {
            // Nothing shows that its actor goes on like a command that is made durable.
            let (move_type, target_player_id, event_id) = (MoveType::Defend, None, None);
            let verb = Verb::ExecuteMove { move_type, target_player_id, event_id };
            let probe = self.account.ask(verb, Instant::now());
            self.share.count(Count::Commands, 1);
            self.say(socket, &probe).await?;
        }
        Ok(())
    }

    async fn say(&self, socket: &mut Socket, message: &ClientMessage) -> Result<(), socket::Error> {
        let message = self.wire.say(message);
        self.share.sent(message.len());
        socket.send(message).await
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
                Ok(ServerMessage::Event(holdfast_protocol::server::Event::Room(frame))) => {
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

    /// Counts what was settled.
    fn note(&mut self, settled: &[Settled], now: Instant) {
        for one in settled {
            match one {
                Settled::Step(due) => {
                    self.share.count(Count::InputsAcked, 1);
                    self.share.time(Measure::InputAck, since(*due, now));
                }
                Settled::Done(due) => {
                    self.share.count(Count::CommandsDone, 1);
                    self.share.time(Measure::Command, since(*due, now));
                }
                Settled::Refused(code) => {
                    self.share.count(Count::CommandsRefused, 1);
                    self.share.refused(*code);
                }
                Settled::Complaint(code) if self.bots.kind == Kind::Abuser => {
                    self.share.count(Count::Abuses, 1);
                    self.share.refused(*code);
                }
                Settled::Complaint(code) => {
                    self.share.count(Count::InputsRefused, 1);
                    self.share.refused(*code);
                }
                Settled::Repeat => {}
            }
        }
        // A refusal too is its actor's: it goes on where the one before it ended.
        let goes_on = |one: &Settled| {
            matches!(one, Settled::Step(_) | Settled::Done(_) | Settled::Refused(_))
        };
        if settled.iter().any(goes_on)
            && let Some(lost_at) = self.lost_at.take()
            && !matches!(self.bots.kind, Kind::SlowReader | Kind::Abuser)
        {
            self.share.time(Measure::Recovery, since(lost_at, now));
        }
    }

    fn frame(&mut self, now: Instant) {
        if self.bots.input_hz == 0 || self.bots.kind == Kind::SlowReader {
            return;
        }
        let Some((before, last)) = self.frame_at else {
            self.frame_at = Some((now, None));
            return;
        };
        let interval = since(before, now);
        self.share.time(Measure::FrameInterval, interval);
        if let Some(last) = last {
            self.share.time(Measure::FrameJitter, interval.abs_diff(last));
        }
        self.frame_at = Some((now, Some(interval)));
    }

    fn closed(&mut self, code: Option<u16>) -> Left {
        self.share.closed(code);
        match code.and_then(CloseCode::from_code).map(CloseCode::verdict) {
            Some(Verdict::Final) => Left::Banished,
            _ => Left::Lost,
        }
    }

    /// Sends what is due.
    async fn act(&mut self, socket: &mut Socket, stopping: bool) -> Option<Left> {
        let now = Instant::now();
        if stopping {
            return None;
        }
        if self.drop_at.is_some_and(|at| at <= now) {
            // Resume counts from here.
            self.drop_at = Some(now);
            return Some(Left::Dropped);
        }
        let sent = match self.pulse.turn(now) {
            Turn::Rest => Ok(()),
            Turn::Step(due) => self.step(socket, due).await,
            Turn::Wish(due) => self.wish(socket, due).await,
        };
        self.pulse.sent(now, Instant::now());
        sent.is_err().then_some(Left::Lost)
    }

    async fn step(&mut self, socket: &mut Socket, due: Instant) -> Result<(), socket::Error> {
        self.punctual(due);
        let nth = self.pulse.steps();
        let seq = self.account.walk(self.mind.step(nth), due);
        if let Some(at) = self.account.ahead() {
            self.share.track(self.nth, at, due);
        }
        self.share.count(Count::Inputs, 1);
        let message = self.wire.input(seq, self.mind.step(nth));
        self.share.sent(message.len());
        socket.send(message).await
    }

    async fn wish(&mut self, socket: &mut Socket, due: Instant) -> Result<(), socket::Error> {
        if self.bots.kind == Kind::Abuser {
            return self.abuse(socket, due).await;
        }
        if self.account.open_len() >= self.bots.in_flight as usize {
            self.share.count(Count::CommandsHeld, 1);
            self.pulse.hold(due, Instant::now());
            return Ok(());
        }
        self.pulse.wished(due, &mut self.mind);
        self.punctual(due);
        let verb = self.mind.wish();
        self.share.count(Count::Commands, 1);
        let message = self.account.ask(verb, due);
        self.say(socket, &message).await
    }

    /// As many commands as may be under way.
    async fn grind(&mut self, socket: &mut Socket) -> Result<(), socket::Error> {
        while self.account.open_len() < self.bots.in_flight as usize {
            if self.bots.commands > 0 && self.pulse.wishes() >= self.bots.commands {
                if !std::mem::replace(&mut self.finished, true) {
                    self.share.finish();
                }
                break;
            }
            let now = Instant::now();
            self.pulse.wished(now, &mut self.mind);
            self.punctual(now);
            let verb = self.mind.wish();
            let message = self.account.ask(verb, now);
            let message = self.wire.say(&message);
            self.share.count(Count::Commands, 1);
            self.share.sent(message.len());
            socket.feed(message).await?;
        }
        socket.flush().await
    }

    async fn abuse(&mut self, socket: &mut Socket, due: Instant) -> Result<(), socket::Error> {
        self.pulse.wished(due, &mut self.mind);
        for _ in 0..NONSENSE.len() {
            self.abuses += 1;
            let Some(nonsense) = NONSENSE.get(self.abuses % NONSENSE.len()) else { continue };
            let message = match self.wire {
                Wire::Json => Message::text(*nonsense),
                Wire::Packed => Message::binary(nonsense.as_bytes().to_vec()),
            };
            self.share.sent(message.len());
            socket.send(message).await?;
        }
        Ok(())
    }

    /// Counts a send, and whether the harness made it late.
    fn punctual(&self, due: Instant) {
        self.share.count(Count::Sends, 1);
        if self.pulse.is_late(due, Instant::now()) {
            self.share.count(Count::LateSends, 1);
        }
    }
}
