//! A generator process: does what it is told, line by line, and says how it goes.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, Stdin, Stdout};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::account::Closed;
use super::caller::Caller;
use super::mind::Names;
use super::orders::{self, EchoRun, Order, Saying, Stopped};
use super::seat::Seat;
use super::share::Share;
use crate::drive::{Ask, Crowd, Guests, Pace, Plan, Tally};
use crate::http::Client;
use crate::scenario::{Kind, Scenario};
use crate::stats::{Measure, Packed, Stats};
use crate::verify;

/// How often numbers are said.
const SECOND: Duration = Duration::from_secs(1);
/// How long an echo may take to answer what was asked in the end.
const ECHO_PATIENCE: Duration = Duration::from_secs(10);
/// How often a comparison says how far it is, in players.
const CHECKED_EVERY: u64 = 50;

/// Why a process can't go on; the sentence reaches whoever started the run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Whoever told it what to do has gone.
    #[error("the run that this process belongs to has gone")]
    Gone,
    /// A line is no order, or comes too early: a bug of the harness.
    #[error("an order can't be followed: {0}")]
    Order(String),
    /// A player's task ended early: a bug of the harness.
    #[error("a player's task ended early: {0}")]
    Player(String),
    /// The echo could not be driven.
    #[error("the echo can't be driven: {0}")]
    Echo(String),
}

/// Both ends of the conversation.
struct Talk {
    orders: Lines<BufReader<Stdin>>,
    sayings: Stdout,
}

impl Talk {
    async fn hear(&mut self) -> Result<Order, Error> {
        let line = self.orders.next_line().await.ok().flatten().ok_or(Error::Gone)?;
        serde_json::from_str(&line).map_err(|why| Error::Order(why.to_string()))
    }

    async fn say(&mut self, saying: &Saying) -> Result<(), Error> {
        let mut line = serde_json::to_string(saying).map_err(|e| Error::Order(e.to_string()))?;
        line.push('\n');
        let written = self.sayings.write_all(line.as_bytes()).await;
        written.and(self.sayings.flush().await).map_err(|_| Error::Gone)
    }
}

/// Follows orders until there are no more. `files`: open files that are allowed.
///
/// # Errors
/// [`Error`]; it has been said too, where there is anyone to hear it.
pub async fn run(files: u64) -> Result<(), Error> {
    let orders = BufReader::new(tokio::io::stdin()).lines();
    let mut talk = Talk { orders, sayings: tokio::io::stdout() };
    let done = follow(&mut talk, files).await;
    if let Err(error) = &done {
        let _ = talk.say(&Saying::Failed(error.to_string())).await;
    }
    done
}

async fn follow(talk: &mut Talk, files: u64) -> Result<(), Error> {
    let Order::Begin(share) = talk.hear().await? else {
        return Err(Error::Order("the first must be `begin`".to_owned()));
    };
    let mut scenario = Scenario::parse(&share.toml).map_err(|e| Error::Order(e.to_string()))?;
    scenario.players = share.players;
    talk.say(&Saying::Ready { files }).await?;
    let urls = loop {
        match talk.hear().await? {
            Order::Echo(run) => {
                let echoed = echo(&run).await?;
                talk.say(&Saying::Echoed(echoed)).await?;
            }
            Order::Play { urls } => break urls,
            other => return Err(Error::Order(format!("{other:?} came before `play`"))),
        }
    };
    let (closed, share) = play(talk, scenario, &share, urls).await?;
    let Order::Verify(asked) = talk.hear().await? else {
        return Err(Error::Order("the last must be `verify`".to_owned()));
    };
    let (progress, mut checked) = mpsc::unbounded_channel();
    let http = Client::default();
    let note = move |done: u64| {
        if done.is_multiple_of(CHECKED_EVERY) {
            let _ = progress.send(done);
        }
    };
    let oddities = share.oddities();
    let verifying = verify::verify(&http, &asked, closed, oddities, note);
    tokio::pin!(verifying);
    let verified = loop {
        tokio::select! {
            verified = verifying.as_mut() => break verified,
            Some(done) = checked.recv() => talk.say(&Saying::Checked { done }).await?,
        }
    };
    talk.say(&Saying::Verified(verified)).await
}

/// Drives an echo in an open loop.
async fn echo(run: &EchoRun) -> Result<Packed, Error> {
    let failed = |why: String| Error::Echo(why);
    let guests = Guests::new(&run.url, run.len);
    let mut crowd = Crowd::at_echo(&guests).await.map_err(|e| failed(e.to_string()))?;
    let tally = Tally::new().map_err(|e| failed(e.to_string()))?;
    let span = Duration::from_millis(run.span_ms);
    let plan = Plan { ask: Ask::Input, pace: Pace::Open { hz: run.hz }, span };
    crowd.run_on(plan, &tally, ECHO_PATIENCE).await.map_err(|e| failed(e.to_string()))?;
    let mut stats = Stats::default();
    stats.adopt(Measure::Echo, tally.report().latency);
    Ok(stats.pack())
}

/// Plays until told to stop, and closes all books.
async fn play(
    talk: &mut Talk,
    scenario: Scenario,
    part: &orders::Share,
    urls: Vec<String>,
) -> Result<(Vec<Closed>, Arc<Share>), Error> {
    let names = Names { seed: part.seed };
    let share = Share::new(scenario, names, urls, part.first, part.len);
    let share = Arc::new(share);
    let (stop, stopped) = watch::channel(None);
    let mut players = JoinSet::new();
    for nth in part.first..part.first + part.len {
        let (share, stopped) = (Arc::clone(&share), stopped.clone());
        let calls = share.scenario.bots_of(nth).is_some_and(|bots| bots.kind == Kind::Caller);
        if calls {
            Caller::new(share, stopped, nth).map(|caller| players.spawn(caller.live()));
        } else {
            Seat::new(share, stopped, nth).map(|seat| players.spawn(seat.live()));
        }
    }
    let mut seconds = interval_at(Instant::now() + SECOND, SECOND);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut closed = Vec::new();
    let mut stopping = false;
    loop {
        tokio::select! {
            _ = seconds.tick() => second(talk, &share).await?,
            order = talk.hear(), if !stopping => match order? {
                Order::Stop { patience_ms } => {
                    stopping = true;
                    stop.send_replace(Some(Instant::now() + Duration::from_millis(patience_ms)));
                }
                other => return Err(Error::Order(format!("{other:?} came during the play"))),
            },
            Some(done) = players.join_next() => {
                closed.push(done.map_err(|why| Error::Player(why.to_string()))?);
            }
        }
        if stopping && players.is_empty() {
            break;
        }
    }
    second(talk, &share).await?;
    let unacknowledged = closed.iter().map(|one| one.unacknowledged).sum();
    talk.say(&Saying::Stopped(Stopped { unacknowledged, lost: share.lost() })).await?;
    Ok((closed, share))
}

async fn second(talk: &mut Talk, share: &Share) -> Result<(), Error> {
    let (connected, finished) = (share.connected_len(), share.finished());
    let stats = share.take();
    // Beside the players, whom it would make late.
    let packed = spawn_blocking(move || stats.pack()).await;
    let stats = packed.map_err(|why| Error::Player(why.to_string()))?;
    talk.say(&Saying::Second { connected, finished, stats }).await
}
