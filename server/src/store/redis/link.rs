//! The way to one primary: two lanes, what is known of the server behind them, and the local
//! refusal of whatever was decided upon another history.
//!
//! - A [`History`] is a number of this process for what a primary keeps. It changes, before
//!   anything more is sent, whenever the server's replication id or its role is found changed.
//! - The append lane sends nothing on a finding older than [`FINDING_MAX`]: it asks first.
//! - No command is ever sent again, unless the server said that it has not run: a script that it
//!   did not know, and a key of a cluster's slot that is moving (`ASK`). The latter is followed at
//!   once on the bulk lane. An append refused so ends in doubt at first; once a read of its slot
//!   was followed, such appends are too, in the history of the server that was read.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, ServerErrorKind, ToRedisArgs, Value};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::address::{Node, written};
use super::cluster::asked;
use super::connect::{Connector, Facts, Purpose, examine};
use super::lane::{LANE_WAIT, Lane, Profile};
use super::pool::Pool;
use super::time::StoreTime;
use crate::clock;
use crate::store::{Error, History};

/// How old what is known of a primary may be when something is appended to it.
pub const FINDING_MAX: Duration = Duration::from_secs(1);

const HOT: Profile =
    Profile { pulse: Duration::from_millis(200), answer_max: Duration::from_millis(500) };
const BULK: Profile = Profile { pulse: Duration::from_secs(1), answer_max: Duration::from_secs(2) };

/// The next number of a history; counts from 1 for the life of the process.
pub(super) fn next_history() -> History {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// What all primaries of a router share.
#[derive(Debug)]
pub struct Shared {
    /// Moves with every change of a history.
    pub changes: watch::Sender<u64>,
    /// Wakes the topology.
    pub look: Notify,
    /// Counts.
    pub counters: Counters,
    /// The store's clock.
    pub time: StoreTime,
}

impl Shared {
    /// With nothing known yet.
    pub fn new(time: StoreTime) -> Self {
        let (changes, look) = (watch::Sender::new(0), Notify::new());
        Self { changes, look, counters: Counters::default(), time }
    }

    /// Says that some history changed.
    pub fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Makes the topology look again soon.
    pub fn look_again(&self) {
        self.look.notify_one();
    }

    /// An outcome that is not known, counted.
    pub fn doubt(&self, what: String) -> Error {
        self.counters.doubts.fetch_add(1, Ordering::Relaxed);
        Error::Doubt(what)
    }

    /// A refusal for now, counted.
    pub fn stalled(&self, what: String) -> Error {
        self.counters.stalls.fetch_add(1, Ordering::Relaxed);
        Error::Stalled(what)
    }
}

/// Counts since the start, for operators.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections made, the first ones included.
    pub connections: AtomicU64,
    /// Calls that ended in doubt.
    pub doubts: AtomicU64,
    /// Calls for which there was no connection.
    pub stalls: AtomicU64,
}

impl Counters {
    pub(super) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }
}

/// What is known of a primary.
#[derive(Debug)]
struct Known {
    replication_id: Option<String>,
    history: History,
    primary: bool,
    /// When it was last found so; `None` after an answer that spoke against it.
    found: Option<Instant>,
}

/// One primary and its lanes.
#[derive(Debug)]
pub struct Primary {
    /// Where it is.
    pub at: Node,
    pub(super) connector: Arc<Connector>,
    pub(super) shared: Arc<Shared>,
    pub(super) stop: CancellationToken,
    /// Makes a lane ask its server at once.
    pub(super) poke: Notify,
    known: watch::Sender<Known>,
    hot: Lane,
    bulk: Lane,
}

impl Primary {
    /// Starts the lanes; `stop` and what is derived from it ends them.
    pub fn start(
        at: Node,
        connector: Arc<Connector>,
        shared: Arc<Shared>,
        stop: CancellationToken,
        tasks: &TaskTracker,
    ) -> Arc<Self> {
        let known =
            Known { replication_id: None, history: next_history(), primary: false, found: None };
        let primary = Arc::new(Self {
            at,
            connector,
            shared,
            stop,
            poke: Notify::new(),
            known: watch::Sender::new(known),
            hot: Lane::new(HOT),
            bulk: Lane::new(BULK),
        });
        let kept = Arc::clone(&primary);
        tasks.spawn(async move { kept.hot.keep(&kept).await });
        let kept = Arc::clone(&primary);
        tasks.spawn(async move { kept.bulk.keep(&kept).await });
        primary
    }

    /// Waits until both lanes are up.
    pub async fn reached(&self) -> Result<(), Error> {
        self.hot.ready(self).await?;
        self.bulk.ready(self).await?;
        Ok(())
    }

    /// Why it can't be used, as a sentence.
    pub fn complaint(&self) -> String {
        self.hot.complaint(self)
    }

    /// Takes over what the server said of itself. Histories change here, before any lane is
    /// handed out again; lanes that lead elsewhere are closed.
    pub(super) fn observe(&self, facts: &Facts) -> Result<(), String> {
        let mut changed = false;
        self.known.send_modify(|known| {
            let same = known.replication_id.as_ref() == Some(&facts.replication_id);
            let first = known.replication_id.is_none();
            changed = if facts.primary { !first && !same } else { known.primary };
            if changed {
                known.history = next_history();
            }
            known.primary = facts.primary;
            if facts.primary {
                known.replication_id = Some(facts.replication_id.clone());
            }
            known.found = facts.primary.then_some(facts.received);
        });
        if changed {
            let at = written(&self.at);
            tracing::warn!(at, primary = facts.primary, "the store's history has changed");
            self.shared.changed();
        }
        let leads_to = facts.primary.then_some(facts.replication_id.as_str());
        self.hot.keep_only(leads_to);
        self.bulk.keep_only(leads_to);
        if !facts.primary {
            self.shared.look_again();
            return Err(format!("{} is a replica", written(&self.at)));
        }
        self.shared.time.sample(&self.at, facts);
        Ok(())
    }

    pub(super) fn history(&self) -> History {
        self.known.borrow().history
    }

    /// Sends on the append lane, in a history that is at least `floor`.
    pub(super) async fn send_hot(
        &self,
        verified: Option<History>,
        floor: History,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>, Error> {
        let live = self.hot.ready(self).await?;
        self.fresh().await?;
        let present = {
            let known = self.known.borrow();
            if known.replication_id.as_ref() != Some(&live.replication_id) {
                live.give_up();
            }
            known.history.max(floor)
        };
        if let Some(verified) = verified.filter(|verified| *verified != present) {
            let at = written(&self.at);
            return Err(self.shared.doubt(format!(
                "{at} is in history {present}, and the tip was read in history {verified}"
            )));
        }
        let answers = self.hot.exchange(self, &live, pipeline).await?;
        self.heed(&answers);
        Ok(answers)
    }

    /// Sends on the bulk lane.
    pub(super) async fn send_bulk(&self, pipeline: &Pipeline) -> Result<Vec<Value>, Error> {
        let live = self.bulk.ready(self).await?;
        let answers = self.bulk.exchange(self, &live, pipeline).await?;
        self.heed(&answers);
        Ok(answers)
    }

    /// Waits until what is known is young enough to append upon.
    async fn fresh(&self) -> Result<(), Error> {
        let young = |known: &Known| {
            known
                .found
                .is_some_and(|at| clock::instant().saturating_duration_since(at) <= FINDING_MAX)
        };
        if young(&self.known.borrow()) {
            return Ok(());
        }
        self.poke.notify_waiters();
        let mut findings = self.known.subscribe();
        match tokio::time::timeout(LANE_WAIT, findings.wait_for(young)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(self.shared.stalled(format!("{} does not say what it is", written(&self.at)))),
        }
    }

    /// Reacts to refusals among the answers: asks the server what it is, and the topology where
    /// the primary is.
    fn heed(&self, answers: &[Value]) {
        for answer in answers {
            let Value::ServerError(error) = answer else { continue };
            match Refusal::of(error) {
                Some(Refusal::Elsewhere) => self.shared.look_again(),
                Some(Refusal::NotPrimary) => {
                    self.known.send_modify(|known| known.found = None);
                    self.poke.notify_waiters();
                    self.shared.look_again();
                }
                Some(Refusal::Stalled) | None => {}
            }
        }
    }
}

/// A refusal that says something of the server rather than of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// The slot is, or is about to be, with another server.
    Elsewhere,
    /// The server does not act as a primary now.
    NotPrimary,
    /// It takes no writes for now.
    Stalled,
}

impl Refusal {
    fn of(error: &redis::ServerError) -> Option<Self> {
        match error.kind() {
            Some(ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::TryAgain) => {
                Some(Self::Elsewhere)
            }
            Some(
                ServerErrorKind::ReadOnly
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown,
            ) => Some(Self::NotPrimary),
            _ => match error.code() {
                "UNBLOCKED" => Some(Self::NotPrimary),
                "OOM" | "MISCONF" | "NOREPLICAS" => Some(Self::Stalled),
                _ => None,
            },
        }
    }
}

/// Turns an answer that says something of the server into its error: [`Error::Doubt`] for
/// `MOVED`, `ASK`, `TRYAGAIN`, `READONLY`, `LOADING`, `CLUSTERDOWN`, `MASTERDOWN` and `UNBLOCKED`;
/// [`Error::Stalled`] for `OOM`, `MISCONF` and `NOREPLICAS`. Every other answer is returned as it
/// is, refusals of the command itself included.
///
/// # Errors
/// As said.
pub fn answer(value: Value) -> Result<Value, Error> {
    let Value::ServerError(error) = &value else { return Ok(value) };
    match Refusal::of(error) {
        Some(Refusal::Stalled) => Err(Error::Stalled(error.to_string())),
        Some(_) => Err(Error::Doubt(error.to_string())),
        None => Ok(value),
    }
}

/// A Lua script and its hash.
#[derive(Debug, Clone)]
pub struct Script {
    code: String,
    hash: String,
}

impl Script {
    /// From its text.
    #[must_use]
    pub fn new(code: impl Into<String>) -> Self {
        let code = code.into();
        let hash = redis::Script::new(&code).get_hash().to_owned();
        Self { code, hash }
    }

    /// From its text, with a prelude of functions behind its first line, which has the flags.
    #[must_use]
    pub fn with(prelude: &str, text: &str) -> Self {
        let (flags, body) = text.split_once('\n').unwrap_or((text, ""));
        Self::new(format!("{flags}\n{prelude}\n{body}"))
    }

    /// A call of it, for a pipeline too; the server may answer `NOSCRIPT`.
    pub fn call<K: ToRedisArgs, A: ToRedisArgs>(&self, keys: &[K], args: &[A]) -> Cmd {
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.hash).arg(keys.len());
        for key in keys {
            call.arg(key);
        }
        for arg in args {
            call.arg(arg);
        }
        call
    }
}

/// The way to the primary that serves some keys, as things are now: ask the router for it anew
/// for each piece of work. Two equal links lead to the same primary and the same history.
#[derive(Clone)]
pub struct Link {
    primary: Arc<Primary>,
    /// The number of the slot's arrival at this primary.
    floor: History,
    pool: Arc<Pool>,
}

impl PartialEq for Link {
    fn eq(&self, other: &Self) -> bool {
        self.is_to(&other.primary, other.floor)
    }
}

impl Eq for Link {}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({}, history {})", written(&self.primary.at), self.history())
    }
}

impl Link {
    pub(super) fn new(primary: Arc<Primary>, floor: History, pool: Arc<Pool>) -> Self {
        Self { primary, floor, pool }
    }

    /// Whether it leads there.
    pub(super) fn is_to(&self, primary: &Arc<Primary>, floor: History) -> bool {
        Arc::ptr_eq(&self.primary, primary) && self.floor == floor
    }

    /// Where the primary is.
    #[must_use]
    pub fn at(&self) -> &Node {
        &self.primary.at
    }

    /// The history that is behind it now; never 0. The later of the primary's own and of the
    /// slot's arrival there.
    #[must_use]
    pub fn history(&self) -> History {
        self.primary.history().max(self.floor)
    }

    /// Sends appends: in the order in which the calls are first polled, on one connection. The
    /// answers are in the order of the commands, and a refused command's is a value among them
    /// (see [`answer`]).
    ///
    /// # Errors
    /// [`Error::Doubt`] where `history` is given and is not the present one (nothing was sent), or
    /// the outcome is not known; [`Error::Stalled`] where there is no connection (nothing was
    /// sent).
    pub async fn hot(
        &self,
        history: Option<History>,
        pipeline: Pipeline,
    ) -> Result<Vec<Value>, Error> {
        let mut answers = self.primary.send_hot(history, self.floor, &pipeline).await?;
        for (place, slot, to, command) in self.asked(&pipeline, &answers) {
            if let Some(Ok(told)) = self.pool.ask_hot(slot, &to, command).await
                && let Some(answer) = answers.get_mut(place)
            {
                *answer = told;
            }
        }
        Ok(answers)
    }

    /// Sends anything that may be large or slow, on a connection apart from the appends; answers
    /// as of [`Link::hot`].
    ///
    /// # Errors
    /// As of [`Link::hot`], without a history.
    pub async fn bulk(&self, pipeline: Pipeline) -> Result<Vec<Value>, Error> {
        let mut answers = self.primary.send_bulk(&pipeline).await?;
        for (place, slot, to, command) in self.asked(&pipeline, &answers) {
            if let Some(answer) = answers.get_mut(place) {
                *answer = self.pool.ask(slot, &to, &[], command).await?;
            }
        }
        Ok(answers)
    }

    /// The commands that were not run because their keys have moved on, and where to.
    fn asked<'a>(
        &self,
        pipeline: &'a Pipeline,
        answers: &[Value],
    ) -> Vec<(usize, u16, Node, &'a Cmd)> {
        if pipeline.is_transaction() {
            return Vec::new();
        }
        let from = &self.primary.at;
        let commands = pipeline.cmd_iter().zip(answers).enumerate();
        commands
            .filter_map(|(place, (command, answer))| {
                let (slot, to) = asked(answer, from)?;
                Some((place, slot, to, command))
            })
            .collect()
    }

    /// Runs a script on the bulk connection. Where the server does not know it, the call has not
    /// run; it is taught the script and called once more.
    ///
    /// # Errors
    /// As of [`Link::bulk`], and those of [`answer`]. An error that the script itself raised is a
    /// value.
    pub async fn script<K: ToRedisArgs, A: ToRedisArgs>(
        &self,
        script: &Script,
        keys: &[K],
        args: &[A],
    ) -> Result<Value, Error> {
        answer(last(self.scripts(script, vec![script.call(keys, args)]).await?)?)
    }

    /// Runs calls of one script, in their order, on the bulk connection; refusals are values.
    ///
    /// # Errors
    /// As of [`Link::bulk`].
    pub async fn scripts(&self, script: &Script, calls: Vec<Cmd>) -> Result<Vec<Value>, Error> {
        let mut answers = self.bulk(of(&calls)).await?;
        let unknown = |(place, value)| unknown_script(value).then_some(place);
        let again: Vec<usize> = answers.iter().enumerate().filter_map(unknown).collect();
        if again.is_empty() {
            return Ok(answers);
        }
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(&script.code);
        let repeated = again.iter().filter_map(|place| calls.get(*place));
        let pipeline = of(std::iter::once(&load).chain(repeated.clone()));
        let told = self.primary.send_bulk(&pipeline).await?.into_iter().skip(1);
        for ((place, call), value) in again.iter().zip(repeated).zip(told) {
            let told = match asked(&value, self.at()) {
                Some((slot, to)) => {
                    self.pool.ask(slot, &to, std::slice::from_ref(&load), call).await?
                }
                None => value,
            };
            if let Some(answer) = answers.get_mut(*place) {
                *answer = told;
            }
        }
        Ok(answers)
    }

    /// A connection of the caller's own, to a server that was just found to be this primary.
    /// It is not made again when it is lost, and does not follow the primary: a caller that keeps
    /// it compares links from time to time.
    ///
    /// # Errors
    /// [`Error::Stalled`] where there is none.
    pub async fn connection(&self, purpose: Purpose) -> Result<MultiplexedConnection, Error> {
        let primary = &*self.primary;
        let opened = async {
            let mut connection = primary.connector.open(&primary.at, purpose).await?;
            let facts = examine(&mut connection, HOT.answer_max).await?;
            primary.observe(&facts)?;
            Ok(connection)
        };
        opened.await.map_err(|why| primary.shared.stalled(why))
    }
}

fn of<'a>(commands: impl IntoIterator<Item = &'a Cmd>) -> Pipeline {
    let mut pipeline = redis::pipe();
    for command in commands {
        pipeline.add_command(command.clone());
    }
    pipeline
}

fn last(mut answers: Vec<Value>) -> Result<Value, Error> {
    answers.pop().ok_or_else(|| Error::Doubt("an answer is missing".into()))
}

fn unknown_script(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}
