//! One connection to one primary, made again whenever it is lost. Owns the connection and the
//! task that keeps it.
//!
//! - What was in flight on a lost connection ends in doubt, at once and for every caller; its late
//!   answers reach no one. Nothing is ever sent a second time.
//! - A connection is handed out only after the server behind it said that it is a primary, and it
//!   is asked again every pulse, in line with what its callers send.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::address::written;
use super::connect::{Purpose, examine};
use super::link::Primary;
use crate::clock;
use crate::store::Error;

/// How long a caller waits for a lane that is down.
pub const LANE_WAIT: Duration = Duration::from_secs(1);
const BACKOFF_MIN_MS: u64 = 10;
const BACKOFF_MAX_MS: u64 = 500;

/// A connection that is in use.
#[derive(Debug)]
pub struct Live {
    connection: MultiplexedConnection,
    /// The history that was found behind it.
    pub replication_id: String,
    /// Cancelled once it is lost; whoever waits for an answer stops waiting.
    dead: CancellationToken,
}

impl Live {
    /// Closes it; what is in flight on it ends in doubt, and nothing more is sent.
    pub fn give_up(&self) {
        self.dead.cancel();
    }
}

#[derive(Debug, Clone)]
enum State {
    Up(Arc<Live>),
    Down { since: Instant, why: String },
}

/// What sets one lane apart from another.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// Time between two questions about role and history.
    pub pulse: Duration,
    /// How long an answer may take before the connection is given up.
    pub answer_max: Duration,
}

/// The callers' side.
#[derive(Debug)]
pub struct Lane {
    state: watch::Sender<State>,
    profile: Profile,
}

impl Lane {
    /// A lane that is down until [`Lane::keep`] runs.
    pub fn new(profile: Profile) -> Self {
        let down = State::Down { since: clock::instant(), why: "it was never reached".into() };
        Self { state: watch::Sender::new(down), profile }
    }

    /// The connection, once there is one; waits for it at most [`LANE_WAIT`].
    ///
    /// # Errors
    /// [`Error::Stalled`] says since when there is none, and why. Nothing was sent.
    pub async fn ready(&self, primary: &Primary) -> Result<Arc<Live>, Error> {
        if let State::Up(live) = &*self.state.borrow() {
            return Ok(Arc::clone(live));
        }
        let mut states = self.state.subscribe();
        let up = states.wait_for(|state| matches!(state, State::Up(_)));
        if let Ok(Ok(state)) = tokio::time::timeout(LANE_WAIT, up).await
            && let State::Up(live) = &*state
        {
            return Ok(Arc::clone(live));
        }
        Err(primary.shared.stalled(self.complaint(primary)))
    }

    /// Why there is no connection, as a sentence.
    pub fn complaint(&self, primary: &Primary) -> String {
        let at = written(&primary.at);
        match &*self.state.borrow() {
            State::Up(_) => format!("{at} has only just been reached"),
            State::Down { since, why } => {
                let ms = clock::instant().saturating_duration_since(*since).as_millis();
                format!("{at} has not been reachable for {ms} ms: {why}")
            }
        }
    }

    /// Sends a pipeline and waits for all of its answers; refusals are among them as values.
    ///
    /// # Errors
    /// [`Error::Doubt`] where the connection was lost or the answers took longer than the lane
    /// allows; in both cases the connection is closed.
    pub async fn exchange(
        &self,
        primary: &Primary,
        live: &Live,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>, Error> {
        if pipeline.is_empty() {
            return Ok(Vec::new());
        }
        let (skipped, kept) =
            if pipeline.is_transaction() { (pipeline.len() + 1, 1) } else { (0, pipeline.len()) };
        let mut connection = live.connection.clone();
        let sending = connection.send_packed_commands(pipeline, skipped, kept);
        let at = written(&primary.at);
        let why = tokio::select! {
            biased;
            () = live.dead.cancelled() => "its connection was lost before the answer came".into(),
            answer = tokio::time::timeout(self.profile.answer_max, sending) => match answer {
                Ok(Ok(values)) => return Ok(values),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {} ms", self.profile.answer_max.as_millis()),
            },
        };
        live.give_up();
        Err(primary.shared.doubt(format!("{at}: {why}")))
    }

    /// Closes the connection unless it leads to this history.
    pub fn keep_only(&self, replication_id: Option<&str>) {
        if let State::Up(live) = &*self.state.borrow()
            && replication_id != Some(&live.replication_id)
        {
            live.give_up();
        }
    }

    /// Keeps a connection until the primary is given up.
    pub async fn keep(&self, primary: &Primary) {
        let mut backoff = Backoff::default();
        while !primary.stop.is_cancelled() {
            let why = match self.connect(primary).await {
                Ok(live) => {
                    backoff = Backoff::default();
                    primary.shared.counters.connected();
                    self.state.send_replace(State::Up(Arc::clone(&live)));
                    self.watch(primary, &live).await
                }
                Err(why) => why,
            };
            self.down(why);
            primary.shared.look_again();
            let pause = tokio::time::sleep(backoff.next());
            tokio::select! { () = pause => {}, () = primary.stop.cancelled() => {} }
        }
        self.down("it is no longer in use".into());
    }

    fn down(&self, why: String) {
        self.state.send_modify(|state| {
            let since = match state {
                State::Up(_) => clock::instant(),
                State::Down { since, .. } => *since,
            };
            *state = State::Down { since, why };
        });
    }

    async fn connect(&self, primary: &Primary) -> Result<Arc<Live>, String> {
        let opening = primary.connector.open(&primary.at, Purpose::Blocking);
        let mut connection = tokio::select! {
            opened = opening => opened?,
            () = primary.stop.cancelled() => return Err("it is no longer in use".into()),
        };
        let facts = examine(&mut connection, self.profile.answer_max).await?;
        primary.observe(&facts)?;
        let dead = primary.stop.child_token();
        Ok(Arc::new(Live { connection, replication_id: facts.replication_id, dead }))
    }

    /// Asks the server what it is until the connection is lost; says why it was.
    async fn watch(&self, primary: &Primary, live: &Live) -> String {
        let mut connection = live.connection.clone();
        loop {
            let pause = tokio::time::sleep(self.profile.pulse);
            tokio::select! {
                () = live.dead.cancelled() => return "its connection was lost".into(),
                () = pause => {}
                () = primary.poke.notified() => {}
            }
            let examined = tokio::select! {
                () = live.dead.cancelled() => return "its connection was lost".into(),
                examined = examine(&mut connection, self.profile.answer_max) => examined,
            };
            if let Err(why) = examined.and_then(|facts| primary.observe(&facts)) {
                live.give_up();
                return why;
            }
        }
    }
}

/// Waiting times between attempts: doubled, and each a random part of that.
#[derive(Debug)]
struct Backoff {
    next_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next_ms: BACKOFF_MIN_MS }
    }
}

impl Backoff {
    fn next(&mut self) -> Duration {
        let full_ms = self.next_ms;
        self.next_ms = (full_ms * 2).min(BACKOFF_MAX_MS);
        Duration::from_millis(rand::random_range(full_ms / 2..=full_ms))
    }
}
