//! Activities whose attempts a test answers by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use holdfast::actor::activity::{Activities, Activity, Attempt, Failure};
use tokio::sync::{mpsc, oneshot};

use crate::inproc::SOON;

/// An attempt that runs until the test answers it, or for ever.
pub struct Run {
    pub attempt: Attempt,
    answer: oneshot::Sender<Result<Bytes, Failure>>,
}

impl Run {
    pub fn done(self, result: &'static str) {
        self.end(Ok(Bytes::from_static(result.as_bytes())));
    }

    pub fn end(self, result: Result<Bytes, Failure>) {
        self.answer.send(result).unwrap();
    }

    /// Waits until the runtime has dropped the attempt.
    pub async fn dropped(&mut self) {
        tokio::time::timeout(SOON, self.answer.closed()).await.expect("it runs on");
    }
}

/// The test's end.
pub struct Desk {
    runs: mpsc::UnboundedReceiver<Run>,
    alive: Arc<AtomicUsize>,
}

struct Manual {
    runs: mpsc::UnboundedSender<Run>,
    alive: Arc<AtomicUsize>,
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Activity for Manual {
    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Bytes, Failure>> {
        let (runs, alive) = (self.runs.clone(), Arc::clone(&self.alive));
        async move {
            alive.fetch_add(1, Ordering::SeqCst);
            let _alive = Alive(alive);
            let (answer, answered) = oneshot::channel();
            let _ = runs.send(Run { attempt, answer });
            match answered.await {
                Ok(result) => result,
                Err(_) => std::future::pending().await,
            }
        }
        .boxed()
    }
}

struct Panics {
    early: bool,
}

impl Activity for Panics {
    fn run(&self, _: Attempt) -> BoxFuture<'static, Result<Bytes, Failure>> {
        assert!(!self.early, "as the test wants it");
        async { panic!("as the test wants it") }.boxed()
    }
}

/// `manual` is the test's to answer; `panics` and `panics_early` do.
pub fn activities() -> (Activities, Desk) {
    let (sender, runs) = mpsc::unbounded_channel();
    let alive = Arc::new(AtomicUsize::new(0));
    let manual = Manual { runs: sender, alive: Arc::clone(&alive) };
    let activities = Activities::default()
        .with("manual", Arc::new(manual))
        .with("panics", Arc::new(Panics { early: false }))
        .with("panics_early", Arc::new(Panics { early: true }));
    (activities, Desk { runs, alive })
}

impl Desk {
    /// The next attempt that has begun.
    pub async fn next(&mut self) -> Run {
        tokio::time::timeout(SOON, self.runs.recv()).await.expect("no attempt in time").unwrap()
    }

    /// An attempt that has begun, if there is one.
    pub fn now(&mut self) -> Option<Run> {
        self.runs.try_recv().ok()
    }

    /// Attempts that run now.
    pub fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }
}
