//! Work that operators have a node do: one at a time, how far it is, and what came of it. It does
//! not survive its node.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// See the module. `S` is what operators are told, `P` the numbers that change while it runs.
#[derive(Debug, Clone)]
pub(super) struct Job<S, P> {
    state: Arc<Mutex<S>>,
    progress: Arc<watch::Sender<P>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl<S: Default, P: Copy + Default> Job<S, P> {
    /// Nothing runs yet. What runs ends with `stop`.
    pub fn new(tasks: TaskTracker, stop: CancellationToken) -> Self {
        let (state, progress) = (Arc::default(), Arc::new(watch::channel(P::default()).0));
        Self { state, progress, tasks, stop }
    }

    /// What operators are told.
    pub fn state(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far it is.
    pub fn progress(&self) -> P {
        *self.progress.borrow()
    }

    /// Where the work says how far it is.
    pub fn says(&self) -> &watch::Sender<P> {
        &self.progress
    }

    /// Begins work; whoever holds the state has made sure that none runs.
    pub fn begin(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.progress.send_replace(P::default());
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled(work).await });
    }
}
