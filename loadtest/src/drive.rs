//! Many connections that ask and wait, of the server or of an echo: the same driver for both, so
//! that their numbers are ratios of like things.
//!
//! In reading order: [`schedule`] (when an open loop's frames are due; pure), [`tally`] (what was
//! sent and answered, and after how long), [`connection`] (one socket's turn), and here the crowd
//! of them. In a closed loop whoever was answered asks again: a server that pauses is asked
//! less, so that its latencies leave out the worst (coordinated omission). In an open loop frames
//! are due at fixed times whatever happens, and a latency counts from that time.

pub mod connection;
pub mod schedule;
pub mod tally;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::socket;
use crate::wire::Wire;
pub use connection::{Connection, Fate};
pub use tally::{Report, Tally};

/// Sockets that are opened at the same time.
const OPENING: usize = 50;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a crowd can't go on. Each is final.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A socket could not be opened: nobody listens there, or no more are let in.
    #[error("connection {nth} to {url} could not be opened: {source}")]
    Open {
        /// Which, counted from 0.
        nth: usize,
        /// Where to.
        url: String,
        /// Why.
        source: socket::Error,
    },
    /// A socket broke.
    #[error("a socket broke: {0}")]
    Socket(#[from] socket::Error),
    /// The server closed a socket.
    #[error("the server closed a socket with {}", .0.map_or("no code".to_owned(), |code| code.to_string()))]
    Closed(Option<u16>),
    /// The server refused what was asked, in its own words.
    #[error("the server refused {what}: {why}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// The server's words.
        why: String,
    },
    /// What came is no message.
    #[error("what came is no message: {0}")]
    Unreadable(String),
    /// An answer that nothing was asked for.
    #[error("{answer} was answered, but only {asked} asked")]
    NotAsked {
        /// The number in the answer.
        answer: u64,
        /// The last number that was asked.
        asked: u64,
    },
    /// Answers did not come.
    #[error("{left} of {of} connections had no answer within {PATIENCE:?}")]
    Silent {
        /// Connections that wait.
        left: usize,
        /// Connections in all.
        of: usize,
    },
    /// A task of the driver ended early: a bug of the driver.
    #[error("a task of the driver ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// No histogram could be made.
    #[error("no histogram could be made: {0}")]
    Tally(#[from] hdrhistogram::CreationError),
}

/// What is asked over and over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// An input frame of one step; the server's `in` answers all up to it.
    Input,
    /// `execute_move heal`, each answered by its own reply.
    Heal,
}

/// When it is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As many as this are under way at any time.
    Closed {
        /// At least 1.
        window: usize,
    },
    /// So many a second and connection, spread evenly over the connections.
    Open {
        /// More than 0.
        hz: f64,
    },
}

/// One run of a crowd.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// What is asked.
    pub ask: Ask,
    /// When.
    pub pace: Pace,
    /// For how long something new is asked.
    pub span: Duration,
}

/// Whom to connect.
#[derive(Debug, Clone)]
pub struct Guests {
    /// Where to.
    pub url: String,
    /// How many.
    pub len: usize,
    /// How they speak.
    pub wire: Wire,
    /// Every so many connections one has a small receive buffer, of so many bytes.
    pub narrow: Option<(usize, u32)>,
}

impl Guests {
    /// So many, speaking JSON.
    #[must_use]
    pub fn new(url: impl Into<String>, len: usize) -> Self {
        Self { url: url.into(), len, wire: Wire::Json, narrow: None }
    }

    /// The receive buffer of one of them, if it is small.
    fn receive_bytes(&self, nth: usize) -> Option<u32> {
        self.narrow.filter(|(every, _)| nth.is_multiple_of(*every)).map(|(_, bytes)| bytes)
    }
}

/// What a run lost that went on without it; see [`Crowd::run_on`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lost {
    /// Connections that broke or were closed, by what was said of them.
    pub broken: BTreeMap<String, usize>,
    /// Connections that still had no answer when patience ended.
    pub silent: usize,
}

impl Lost {
    /// Connections in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.silent + self.broken.values().sum::<usize>()
    }

    /// Whether none was lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sockets lost", self.broken.values().sum::<usize>())?;
        for (why, count) in &self.broken {
            write!(f, " ({count}: {why})")?;
        }
        write!(f, ", {} still without an answer", self.silent)
    }
}

/// The tasks of a run, each of which gives its connection back.
type Playing = JoinSet<Result<(usize, Connection), Error>>;

/// Connections that are driven together.
#[derive(Debug, Default)]
pub struct Crowd {
    connections: Vec<Connection>,
}

impl Crowd {
    /// Connects to an echo.
    ///
    /// # Errors
    /// [`Error::Open`].
    pub async fn at_echo(guests: &Guests) -> Result<Self, Error> {
        let opening = (0..guests.len).map(|nth| Connection::to_echo(guests, nth));
        let connections = stream::iter(opening).buffered(OPENING).try_collect().await?;
        Ok(Self { connections })
    }

    /// Connects to a server as the players `p0`, `p1`, …, each `room_of` of them in a room of
    /// their own.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Refused`], [`Error::Closed`].
    pub async fn at_server(guests: &Guests, room_of: usize) -> Result<Self, Error> {
        let opening = (0..guests.len).map(|nth| Connection::to_server(guests, nth, room_of));
        let connections = stream::iter(opening).buffered(OPENING).try_collect().await?;
        Ok(Self { connections })
    }

    /// The connections.
    #[must_use]
    pub fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// Takes every so-many-th connection out of the crowd: it is neither read nor written any
    /// more.
    pub fn set_aside(&mut self, every: usize) -> Vec<Connection> {
        let all = std::mem::take(&mut self.connections).into_iter().enumerate();
        let (aside, stay): (Vec<_>, Vec<_>) = all.partition(|(nth, _)| nth.is_multiple_of(every));
        self.connections = stay.into_iter().map(|(_, connection)| connection).collect();
        aside.into_iter().map(|(_, connection)| connection).collect()
    }

    /// Asks for [`Plan::span`], then waits until everything is answered. What is sent and
    /// answered goes into the tally, whose owner may look at it meanwhile.
    ///
    /// # Errors
    /// The first of any connection's; the crowd is empty then.
    pub async fn run(&mut self, plan: Plan, tally: &Tally) -> Result<(), Error> {
        let of = self.connections.len();
        let deadline = Instant::now() + plan.span + PATIENCE;
        let mut playing = self.begin(plan, false, tally);
        let mut back = Vec::with_capacity(of);
        while let Some(done) = timeout_at(deadline, playing.join_next())
            .await
            .map_err(|_| Error::Silent { left: of - back.len(), of })?
        {
            back.push(done??);
        }
        self.gather(back);
        Ok(())
    }

    /// As [`Crowd::run`], of a peer that may be overrun: an input that is refused is counted, and
    /// a connection that is lost, or has no answer for `patience` after the last was asked, is
    /// left out of the crowd. Whoever was refused an input is not waited for in the end.
    ///
    /// # Errors
    /// [`Error::Task`].
    pub async fn run_on(
        &mut self,
        plan: Plan,
        tally: &Tally,
        patience: Duration,
    ) -> Result<Lost, Error> {
        let of = self.connections.len();
        let deadline = Instant::now() + plan.span + patience;
        let mut playing = self.begin(plan, true, tally);
        let (mut back, mut broken) = (Vec::with_capacity(of), BTreeMap::new());
        while let Ok(Some(done)) = timeout_at(deadline, playing.join_next()).await {
            match done? {
                Ok(connection) => back.push(connection),
                Err(error) => *broken.entry(error.to_string()).or_insert(0) += 1,
            }
        }
        let silent = playing.len();
        self.gather(back);
        Ok(Lost { broken, silent })
    }

    fn begin(&mut self, plan: Plan, goes_on: bool, tally: &Tally) -> Playing {
        let (began, of) = (Instant::now(), self.connections.len());
        let mut playing = JoinSet::new();
        for (nth, connection) in self.connections.drain(..).enumerate() {
            let turn = connection::Turn { plan, goes_on, began, nth, of };
            playing.spawn(connection.play(turn, tally.clone()));
        }
        playing
    }

    fn gather(&mut self, mut back: Vec<(usize, Connection)>) {
        back.sort_by_key(|(nth, _)| *nth);
        self.connections = back.into_iter().map(|(_, connection)| connection).collect();
    }
}

#[cfg(test)]
mod tests;
