//! One driven connection: asks, and knows what is under way.

use std::collections::VecDeque;
use std::time::Duration;

use futures::FutureExt;
use holdfast_protocol::client::{ClientMessage, MoveType, Verb};
use holdfast_protocol::ids::{IdError, PlayerId, RoomId};
use holdfast_protocol::movement::Position;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use super::schedule::Schedule;
use super::{Ask, Error, Guests, PATIENCE, Pace, Plan, Tally};
use crate::socket::{self, Handshake, Socket};
use crate::walk;
use crate::wire::{Heard, Wire};

/// Messages that are looked at before anything new is asked.
const BURST_LEN: usize = 64;
/// A stopped socket that has nothing more to read for so long is still open.
const QUIET: Duration = Duration::from_secs(1);
/// How long a stopped socket is read at most.
const READING: Duration = Duration::from_secs(3);

/// Who answers, and so what an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    /// Any message answers the oldest.
    Echo,
    /// Holdfast: `in` and replies.
    Server,
}

/// What became of a socket that nobody read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// The server did not close it.
    Open,
    /// The server closed it, with this code.
    Closed(Option<u16>),
    /// It broke before a close could be read.
    Broken,
}

/// One connection's part of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub plan: Plan,
    /// Whether it goes on where an input is refused.
    pub goes_on: bool,
    pub began: Instant,
    pub nth: usize,
    pub of: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    wire: Wire,
    peer: Peer,
    player: String,
    /// Input frames of one step sent.
    steps: u64,
    /// Inputs that were refused.
    refused: u64,
    /// Command ids used.
    ids: u64,
    /// When each that has no answer yet was due, oldest first.
    under_way: VecDeque<Instant>,
}

impl Connection {
    async fn open(guests: &Guests, nth: usize, peer: Peer) -> Result<Self, Error> {
        let subprotocol = (peer == Peer::Server).then(|| guests.wire.subprotocol());
        let handshake = Handshake { subprotocol, origin: None };
        let opened = match guests.receive_bytes(nth) {
            None => Socket::open(&guests.url, handshake, PATIENCE).await,
            Some(bytes) => Socket::open_narrow(&guests.url, handshake, PATIENCE, bytes).await,
        };
        let (url, wire) = (guests.url.clone(), guests.wire);
        let socket = opened.map_err(|source| Error::Open { nth, url, source })?;
        let player = format!("p{nth}");
        let (steps, refused, ids, under_way) = (0, 0, 0, VecDeque::new());
        Ok(Self { socket, wire, peer, player, steps, refused, ids, under_way })
    }

    /// A connection of an echo.
    pub(super) async fn to_echo(guests: &Guests, nth: usize) -> Result<Self, Error> {
        Self::open(guests, nth, Peer::Echo).await
    }

    /// A player in a room.
    pub(super) async fn to_server(
        guests: &Guests,
        nth: usize,
        room_of: usize,
    ) -> Result<Self, Error> {
        let mut one = Self::open(guests, nth, Peer::Server).await?;
        let named = |error: IdError| Error::Unreadable(error.to_string());
        let player = Some(PlayerId::new(&one.player).map_err(named)?);
        one.say(None, Verb::Hello { token: None, player, name: None }).await?;
        one.expect("hello", &Heard::Welcome).await?;
        one.ids += 1;
        let room_id = RoomId::new(&format!("room-{}", nth / room_of.max(1))).map_err(named)?;
        one.say(Some(one.ids), Verb::JoinRoom { room_id }).await?;
        one.expect("join_room", &Heard::Done(one.ids)).await?;
        Ok(one)
    }

    /// Whom it plays.
    #[must_use]
    pub fn player(&self) -> &str {
        &self.player
    }

    /// Steps sent so far.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Of those refused, which only a run that goes on survives.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Where the player stands if the server took every step.
    #[must_use]
    pub fn place(&self) -> Position {
        walk::place_after(&self.player, self.steps)
    }

    async fn say(&mut self, id: Option<u64>, verb: Verb) -> Result<(), Error> {
        let message = self.wire.say(&ClientMessage { id, verb });
        Ok(self.socket.send(message).await?)
    }

    /// Reads past everything up to what is expected.
    async fn expect(&mut self, what: &'static str, expected: &Heard) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = timeout_at(deadline, self.socket.hear()).await;
            let message = message.map_err(|_| socket::Error::Deadline(PATIENCE))??;
            match self.wire.hear(&message) {
                heard if heard == *expected => return Ok(()),
                Heard::Refused(why) => return Err(Error::Refused { what, why }),
                Heard::Closed(code) => return Err(Error::Closed(code)),
                Heard::Unreadable(what) => return Err(Error::Unreadable(what)),
                _ => {}
            }
        }
    }

    /// Its part of a run; it comes back when everything is answered.
    pub(super) async fn play(mut self, turn: Turn, tally: Tally) -> Result<(usize, Self), Error> {
        match turn.plan.pace {
            Pace::Closed { window } => self.closed_loop(turn, window.max(1), &tally).await?,
            Pace::Open { hz } => self.open_loop(turn, hz, &tally).await?,
        }
        Ok((turn.nth, self))
    }

    async fn closed_loop(&mut self, turn: Turn, window: usize, tally: &Tally) -> Result<(), Error> {
        let until = turn.began + turn.plan.span;
        loop {
            let now = Instant::now();
            if now < until {
                self.ask(turn.plan.ask, window - self.under_way.len(), now, tally).await?;
            } else if self.under_way.is_empty() {
                return Ok(());
            }
            let message = self.socket.hear().await?;
            self.take(turn, &message, tally)?;
            for _ in 1..BURST_LEN {
                let Some(message) = self.socket.hear().now_or_never() else { break };
                self.take(turn, &message?, tally)?;
            }
        }
    }

    async fn open_loop(&mut self, turn: Turn, hz: f64, tally: &Tally) -> Result<(), Error> {
        let schedule = Schedule::new(hz, turn.nth, turn.of);
        let (until, mut frame) = (turn.plan.span, 0);
        let timer = sleep_until(turn.began + schedule.due(frame));
        tokio::pin!(timer);
        loop {
            let goes_on = schedule.due(frame) < until;
            if !goes_on && (self.under_way.is_empty() || self.refused > 0) {
                return Ok(());
            }
            tokio::select! {
                message = self.socket.hear() => self.take(turn, &message?, tally)?,
                () = timer.as_mut(), if goes_on => {
                    let now = turn.began.elapsed();
                    while schedule.due(frame) <= now && schedule.due(frame) < until {
                        let due = turn.began + schedule.due(frame);
                        self.ask(turn.plan.ask, 1, due, tally).await?;
                        frame += 1;
                    }
                    timer.as_mut().reset(turn.began + schedule.due(frame));
                }
            }
        }
    }

    /// Asks so many times; each was due at `due`.
    async fn ask(
        &mut self,
        ask: Ask,
        times: usize,
        due: Instant,
        tally: &Tally,
    ) -> Result<(), Error> {
        if times == 0 {
            return Ok(());
        }
        for _ in 0..times {
            let message = self.next(ask);
            self.socket.feed(message).await?;
            self.under_way.push_back(due);
        }
        tally.sent(times as u64);
        Ok(self.socket.flush().await?)
    }

    fn next(&mut self, ask: Ask) -> Message {
        match ask {
            Ask::Input => {
                self.steps += 1;
                self.wire.input(self.steps, walk::step_of(self.steps))
            }
            Ask::Heal => {
                self.ids += 1;
                let (target_player_id, event_id) = (None, None);
                let move_type = MoveType::Heal;
                let verb = Verb::ExecuteMove { move_type, target_player_id, event_id };
                self.wire.say(&ClientMessage { id: Some(self.ids), verb })
            }
        }
    }

    /// Takes a message, and counts what it answers.
    fn take(&mut self, turn: Turn, message: &Message, tally: &Tally) -> Result<(), Error> {
        let ask = turn.plan.ask;
        let asked = match ask {
            Ask::Input => self.steps,
            Ask::Heal => self.ids,
        };
        let answered = asked - self.under_way.len() as u64;
        let answer = match (self.peer, ask, self.heard(message)) {
            (_, _, Heard::Closed(code)) => return Err(Error::Closed(code)),
            (Peer::Echo, ..) => answered + 1,
            (_, Ask::Input, Heard::Refused(_)) if turn.goes_on => {
                self.refused += 1;
                tally.refused();
                answered
            }
            (_, _, Heard::Refused(why)) => return Err(Error::Refused { what: ask.name(), why }),
            (_, _, Heard::Unreadable(what)) => return Err(Error::Unreadable(what)),
            (_, Ask::Input, Heard::Input(number)) | (_, Ask::Heal, Heard::Done(number)) => number,
            (Peer::Server, ..) => answered,
        };
        if answer > asked {
            return Err(Error::NotAsked { answer, asked });
        }
        let fresh = usize::try_from(answer.saturating_sub(answered)).unwrap_or(usize::MAX);
        let fresh = fresh.min(self.under_way.len());
        tally.heard(message.len(), Instant::now(), self.under_way.drain(..fresh));
        Ok(())
    }

    fn heard(&self, message: &Message) -> Heard {
        match (self.peer, message) {
            (Peer::Echo, Message::Text(_) | Message::Binary(_)) => Heard::Other,
            _ => self.wire.hear(message),
        }
    }

    /// Reads what lies there to its end: what became of a socket that nobody read.
    pub async fn fate(mut self) -> Fate {
        let end = Instant::now() + READING;
        while Instant::now() < end {
            match timeout(QUIET, self.socket.hear()).await {
                Err(_) => return Fate::Open,
                Ok(Err(_)) | Ok(Ok(Message::Close(None))) => return Fate::Broken,
                Ok(Ok(Message::Close(Some(frame)))) => {
                    return Fate::Closed(Some(frame.code.into()));
                }
                Ok(Ok(_)) => {}
            }
        }
        Fate::Open
    }
}

impl Ask {
    const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Heal => "execute_move",
        }
    }
}
