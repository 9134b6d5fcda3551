//! How the rest of the node speaks to actors. Cheap to clone.
//!
//! Every call goes to the worker that owns the actor; the actor is activated if it is not in
//! memory. A call waits only for room in the worker's bounded queue.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::FuturesUnordered;
use holdfast_protocol::ids::ActorId;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::activity::Activities;
use super::connection::Connection;
use super::core::Limits;
use super::desk::{Checks, Desk};
use super::due;
use super::envelope::{Answered, Attach, Call, CallError, Command, ConnectionId, Nearby};
use super::fleet::FleetHandle;
use super::index::keeper::Keeper;
use super::index::{Index, IndexHandle};
use super::kind::Kinds;
use super::lost_found::LostFound;
use super::mail::{Mail, Peers, Reply};
use super::post_office::PostOffice;
use super::runner::Runner;
use super::stats::Stats;
use super::worker::{self, Worker};
use crate::clock::Clock;
use crate::store::Store;

/// Settings of the runtime.
#[derive(Debug, Clone)]
pub struct Config {
    /// Bounds and spans of each activation.
    pub limits: Limits,
    /// Tasks that own activations; one a core.
    pub workers: usize,
    /// Actors in memory at most, shared evenly among the workers; the idlest go first.
    pub activations_max: usize,
    /// Idle time after which an activation ends.
    pub idle_ms: u64,
    /// Records kept before a snapshot trims the journal.
    pub retain: u64,
    /// Attempts of activities that run at once.
    pub activities_max: usize,
    /// Mail that waits at a worker; senders at the edge wait, actors try again.
    pub queue_len_max: usize,
    /// Actors of dead nodes that are adopted in a second.
    pub adopt_per_s: u64,
    /// Routes to actors of other nodes that a worker remembers, and questions of its callers that
    /// wait for those nodes' answers; what is beyond hears BUSY.
    pub away_len_max: usize,
    /// Where what a fenced activation alone knew is kept; `None`: it is only said and counted.
    pub lost_found: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            workers: 2,
            activations_max: 200_000,
            idle_ms: 30_000,
            retain: 128,
            activities_max: 100,
            queue_len_max: 8_192,
            adopt_per_s: 2_000,
            away_len_max: 16_384,
            lost_found: None,
        }
    }
}

/// What the runtime needs from the rest of the node.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where journals are.
    pub store: Arc<dyn Store>,
    /// Rules.
    pub kinds: Kinds,
    /// Work with effects outside.
    pub activities: Activities,
    /// Who shows views and broadcasts.
    pub nearby: Arc<dyn Nearby>,
    /// For sleeping; times are the store's.
    pub clock: Clock,
    /// The other nodes over the same store; `None`: there are none.
    pub fleet: Option<FleetHandle>,
    /// Where rows of attributes go; `None`: there is no index.
    pub index: Option<Index>,
}

/// The runtime's handle.
#[derive(Clone)]
pub struct Runtime {
    peers: Peers,
    stats: Arc<Stats>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    fatal: CancellationToken,
    fleet: Option<FleetHandle>,
    index: IndexHandle,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "runtime of {} workers", self.peers.0.len())
    }
}

impl Runtime {
    /// Starts the workers and the driver of due actors. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(config: &Config, parts: Parts) -> Self {
        let workers = config.workers.max(1);
        let (senders, inboxes): (Vec<_>, Vec<_>) =
            (0..workers).map(|_| mpsc::channel(config.queue_len_max.max(1))).unzip();
        let stats = Arc::<Stats>::default();
        let (store, clock) = (Arc::clone(&parts.store), parts.clock.clone());
        let index = parts
            .index
            .clone()
            .map(|index| IndexHandle::start(index, store, clock, Arc::clone(&stats)));
        let runtime = Self {
            peers: Peers(senders.into()),
            stats,
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            fatal: CancellationToken::new(),
            fleet: parts.fleet.clone(),
            index: index.unwrap_or_default(),
        };
        let runner = runtime.runner(config, &parts);
        let (session, lost_found) = (rand::random(), LostFound::new(config.lost_found.clone()));
        let mut limits = config.limits.clone();
        limits.attributes_ms = limits.attributes_ms.filter(|_| parts.index.is_some());
        limits.stable_ms = limits.stable_ms.max(parts.store.stable_after_ms());
        let limits = Arc::new(limits);
        let ttl_ms = parts.fleet.as_ref().map_or(0, FleetHandle::ttl_ms);
        for (index, inbox) in inboxes.into_iter().enumerate() {
            let mut desk = runtime.desk(index, config, &parts, runner.clone());
            (desk.session, desk.lost_found) = (session, lost_found.clone());
            let own = worker::Config {
                kinds: parts.kinds.clone(),
                limits: Arc::clone(&limits),
                activations_max: config.activations_max.div_ceil(workers),
                idle_ms: config.idle_ms,
                ttl_ms,
                away_len_max: config.away_len_max,
            };
            let (shutdown, fatal) = (runtime.shutdown.clone(), runtime.fatal.clone());
            let worker = Worker::new(own, parts.clock.clone(), desk, inbox, shutdown, fatal);
            runtime.tasks.spawn(worker.run());
        }
        runtime.open_post_office();
        runtime.drive(config, parts);
        runtime
    }

    /// Takes mail of other nodes. It ends with the fleet, after the drain: until then it says that
    /// nothing is here.
    fn open_post_office(&self) {
        let Some(fleet) = self.fleet.clone() else { return };
        let Some((inbox, returned)) = fleet.inbox().zip(fleet.returned()) else { return };
        let (peers, stats) = (self.peers.clone(), Arc::clone(&self.stats));
        let shutdown = self.shutdown.clone();
        let office = PostOffice { fleet, peers, stats, shutdown };
        tokio::spawn(office.run(inbox, returned));
    }

    fn drive(&self, config: &Config, parts: Parts) {
        let Parts { store, clock, fleet, index, .. } = parts;
        let (peers, fatal) = (self.peers.clone(), self.fatal.clone());
        let adopt_per_s = config.adopt_per_s;
        if let Some(index) = index {
            let (store, clock, stats) = (Arc::clone(&store), clock.clone(), self.stats());
            let (fleet, peers) = (fleet.clone(), peers.clone());
            let keeper = Keeper { index, store, fleet, peers, clock, stats, adopt_per_s };
            self.until_shutdown(keeper.run());
        }
        let due = due::Driver { store, fleet, peers, clock, adopt_per_s, fatal };
        self.until_shutdown(due.run());
    }

    fn until_shutdown(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.shutdown.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(work).await;
        });
    }

    fn runner(&self, config: &Config, parts: &Parts) -> Runner {
        Runner {
            activities: parts.activities.clone(),
            places: Arc::new(Semaphore::new(config.activities_max)),
            peers: self.peers.clone(),
            clock: parts.clock.clone(),
            stats: Arc::clone(&self.stats),
            tasks: self.tasks.clone(),
            shutdown: self.shutdown.clone(),
        }
    }

    fn desk(&self, index: usize, config: &Config, parts: &Parts, runner: Runner) -> Desk {
        Desk {
            index,
            store: Arc::clone(&parts.store),
            peers: self.peers.clone(),
            nearby: Arc::clone(&parts.nearby),
            rows: self.index.clone(),
            runner,
            stats: Arc::clone(&self.stats),
            retain: config.retain,
            batch: Vec::new(),
            local: std::collections::VecDeque::new(),
            jobs: FuturesUnordered::new(),
            verifying: 0,
            checks: Checks::new(Arc::clone(&self.stats)),
            session: 0,
            // A node acts once its lease was granted.
            frozen: parts.fleet.is_some(),
            fleet: parts.fleet.clone(),
            lost_found: LostFound::default(),
        }
    }

    /// What the runtime counts.
    #[must_use]
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// Cancelled when the store can't go on: the node must stop and recover on restart.
    #[must_use]
    pub fn fatal(&self) -> CancellationToken {
        self.fatal.clone()
    }

    /// Finishes what is in flight, gives every actor up, and returns when all tasks have ended
    /// and the lease, if there is one, is given up.
    pub async fn drain(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.index.finish().await;
        if let Some(fleet) = &self.fleet {
            fleet.leave().await;
        }
    }

    /// Attaches a socket to a player by hello or resume. The first delivery on the connection is
    /// [`super::envelope::Delivery::Attached`] or [`super::envelope::Delivery::Refused`].
    pub async fn attach(&self, actor: &ActorId, connection: Connection, attach: Attach) {
        self.peers.send(actor, Mail::Attach(connection, attach)).await;
    }

    /// Says that a socket is gone. Not a logout.
    pub async fn detach(&self, actor: &ActorId, connection: ConnectionId) {
        self.peers.send(actor, Mail::Detach(connection)).await;
    }

    /// A command of a session; the answer is delivered to the connection.
    pub async fn command(&self, actor: &ActorId, command: Command) {
        self.peers.send(actor, Mail::Command(command)).await;
    }

    /// A session's read, in order with its commands; the answer is delivered to the connection.
    pub async fn read(&self, actor: &ActorId, connection: Connection, id: u64, payload: Bytes) {
        self.peers.send(actor, Mail::Read(connection, id, payload)).await;
    }

    /// A command from outside any session.
    ///
    /// # Errors
    /// [`CallError`], each with its meaning for the caller.
    pub async fn call(&self, actor: &ActorId, call: Call) -> Result<Answered, CallError> {
        let (reply, answer) = oneshot::channel();
        if !self.peers.send(actor, Mail::Call(Box::new(call), Reply::Here(reply))).await {
            return Err(CallError::Busy);
        }
        answer.await.unwrap_or(Err(CallError::OutcomeUnknown))
    }

    /// A command of the node's own, whose answer nobody waits for. It may be lost.
    pub async fn hint(&self, actor: &ActorId, call: Call) {
        let (reply, _) = oneshot::channel();
        self.peers.send(actor, Mail::Call(Box::new(call), Reply::Here(reply))).await;
    }

    /// A read from outside any session. `linearizable`: the journal's tip is read after the call.
    ///
    /// # Errors
    /// [`CallError`], each with its meaning for the caller.
    pub async fn query(
        &self,
        actor: &ActorId,
        payload: Bytes,
        linearizable: bool,
    ) -> Result<Answered, CallError> {
        let (reply, answer) = oneshot::channel();
        let reply = Reply::Here(reply);
        if !self.peers.send(actor, Mail::Query { payload, linearizable, reply }).await {
            return Err(CallError::Busy);
        }
        answer.await.unwrap_or(Err(CallError::Busy))
    }
}
