//! Runs activities: at most so many at once a node, each attempt with its timeouts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::{debug, warn};

use super::activity::{Activities, Activity, Attempt, Failure, Heart};
use super::core::RunOut;
use super::desk::Born;
use super::mail::{Mail, Peers};
use super::stats::Stats;
use crate::clock::Clock;

/// Starts attempts and sends home what came of them. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Runner {
    pub activities: Activities,
    /// I7: attempts beyond the bound wait here.
    pub places: Arc<Semaphore>,
    pub peers: Peers,
    pub clock: Clock,
    pub stats: Arc<Stats>,
    pub tasks: TaskTracker,
    /// At shutdown attempts are dropped; the next start runs them again.
    pub shutdown: CancellationToken,
}

impl Runner {
    /// Runs an attempt in a task of its own.
    pub fn run(&self, actor: ActorId, born: Born, run: RunOut) {
        let (runner, stop) = (self.clone(), self.shutdown.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = runner.attempt(actor, born, run) => {}
            }
        });
    }

    async fn attempt(&self, actor: ActorId, born: Born, run: RunOut) {
        let Ok(_place) = self.places.acquire().await else { return };
        self.stats.attempts.add(1);
        debug!(%actor, epoch = born, activity = run.activity, name = run.name, attempt = run.attempt, "run");
        let result = match self.activities.get(&run.name) {
            Some(activity) => self.guarded(activity, &actor, born, &run).await,
            None => Err(Failure::lasting(format!("no activity is named {}", run.name))),
        };
        if let Err(failure) = &result {
            self.stats.attempts_failed.add(1);
            let (name, attempt) = (&run.name, run.attempt);
            warn!(%actor, epoch = born, name, attempt, retry = failure.retry, "{}", failure.message);
        }
        self.peers.send(&actor, Mail::ActivityEnded(born, run.activity, result)).await;
    }

    /// One attempt under its start-to-close and heartbeat timeouts.
    async fn guarded(
        &self,
        activity: Arc<dyn Activity>,
        actor: &ActorId,
        born: Born,
        run: &RunOut,
    ) -> Result<Bytes, Failure> {
        let begun = self.clock.now_ms();
        let beaten = Arc::new(AtomicU64::new(begun));
        let heart = self.heart(actor, born, run, Arc::clone(&beaten));
        let attempt = Attempt {
            key: format!("{actor}/{}", run.activity),
            input: run.input.clone(),
            attempt: run.attempt,
            heartbeat: run.heartbeat.clone(),
            heart,
        };
        // A task of its own: a panic of the activity, even before its first step, is a failed
        // attempt, not ours. It ends with this future, also when that is dropped at shutdown.
        let work = tokio::spawn(async move { activity.run(attempt).await });
        let mut work = AbortOnDropHandle::new(work);
        let timeout = tokio::select! {
            result = &mut work => {
                return result.unwrap_or_else(|e| Err(Failure::passing(format!("it panicked: {e}"))));
            }
            () = self.clock.sleep_ms(run.options.start_to_close_ms) => "start-to-close",
            () = self.silence(&beaten, run.options.heartbeat_timeout_ms) => "heartbeat",
        };
        Err(Failure::passing(format!("{timeout} timeout")))
    }

    fn heart(&self, actor: &ActorId, born: Born, run: &RunOut, beaten: Arc<AtomicU64>) -> Heart {
        let (peers, clock) = (self.peers.clone(), self.clock.clone());
        let (actor, activity) = (actor.clone(), run.activity);
        Heart::new(move |payload| {
            beaten.store(clock.now_ms(), Ordering::Relaxed);
            // A beat that finds the queue full is followed by the next one.
            peers.try_send(&actor, Mail::Heartbeat(born, activity, payload));
        })
    }

    /// Ends when no heartbeat came for the given time; never, when none is expected.
    async fn silence(&self, beaten: &AtomicU64, timeout_ms: Option<u64>) {
        let Some(timeout_ms) = timeout_ms else { return std::future::pending().await };
        loop {
            let until = beaten.load(Ordering::Relaxed) + timeout_ms;
            if self.clock.now_ms() >= until {
                return;
            }
            self.clock.sleep_until(until).await;
        }
    }
}
