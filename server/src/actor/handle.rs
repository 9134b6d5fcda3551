//! How the rest of the node speaks to actors. Cheap to clone.
//!
//! Every call goes to the worker that owns the actor; the actor is activated if it is not in
//! memory. A call waits only for room in the worker's bounded queue.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::FuturesUnordered;
use holdfast_protocol::ids::ActorId;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::activity::Activities;
use super::cell::Desk;
use super::core::Limits;
use super::due;
use super::envelope::{
    Answered, Attach, Call, CallError, Command, Connection, ConnectionId, Nearby,
};
use super::kind::Kinds;
use super::mail::{Mail, Peers};
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
}

/// The runtime's handle.
#[derive(Clone)]
pub struct Runtime {
    peers: Peers,
    stats: Arc<Stats>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    fatal: CancellationToken,
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
        let runtime = Self {
            peers: Peers(senders.into()),
            stats: Arc::default(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            fatal: CancellationToken::new(),
        };
        let runner = runtime.runner(config, &parts);
        let session = rand::random();
        for (index, inbox) in inboxes.into_iter().enumerate() {
            let desk = runtime.desk(index, config, &parts, runner.clone());
            let own = worker::Config {
                session,
                kinds: parts.kinds.clone(),
                limits: Arc::new(config.limits.clone()),
                activations_max: config.activations_max.div_ceil(workers),
                idle_ms: config.idle_ms,
            };
            let fatal = runtime.fatal.clone();
            let worker = Worker::new(own, parts.clock.clone(), desk, inbox, fatal);
            runtime.tasks.spawn(worker.run(runtime.shutdown.clone()));
        }
        let fatal = runtime.fatal.clone();
        let due = due::run(parts.store, runtime.peers.clone(), parts.clock, fatal);
        let stop = runtime.shutdown.clone();
        runtime.tasks.spawn(async move {
            tokio::select! { () = due => {}, () = stop.cancelled() => {} }
        });
        runtime
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
            runner,
            stats: Arc::clone(&self.stats),
            retain: config.retain,
            batch: Vec::new(),
            local: std::collections::VecDeque::new(),
            jobs: FuturesUnordered::new(),
            verifying: 0,
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

    /// Finishes what is in flight, gives every actor up, and returns when all tasks have ended.
    pub async fn drain(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
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
        if !self.peers.send(actor, Mail::Call(Box::new(call), reply)).await {
            return Err(CallError::Busy);
        }
        answer.await.unwrap_or(Err(CallError::OutcomeUnknown))
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
        if !self.peers.send(actor, Mail::Query { payload, linearizable, reply }).await {
            return Err(CallError::Busy);
        }
        answer.await.unwrap_or(Err(CallError::Busy))
    }
}
