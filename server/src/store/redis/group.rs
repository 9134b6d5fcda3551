//! Joins the appends of all actors of one primary into pipelines. Owns a task and a bounded queue
//! for each primary.
//!
//! - What waits when a group may be sent goes in one pipeline; several are in flight, and are
//!   sent in the order of the calls.
//! - A queue that is full answers [`Error::Stalled`]: nothing was sent.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;

use futures::future::{BoxFuture, join_all, ready};
use futures::stream::FuturesOrdered;
use futures::{FutureExt, StreamExt, poll};
use tokio::sync::{mpsc, oneshot};

use super::Inner;
use super::address::Node;
use super::append::write;
use super::link::Link;
use crate::store::{Append, Error};

type Outcomes = Vec<Result<(), Error>>;

/// Calls that may wait for one primary.
const QUEUE_LEN: usize = 65_536;
/// Appends of one pipeline, at which no further call joins it.
const GROUP_LEN: usize = 512;
/// Bytes of one pipeline, at which no further call joins it.
const GROUP_BYTES: usize = 1 << 20;
/// Pipelines in flight to one primary.
const IN_FLIGHT: usize = 4;

enum Job {
    Appends(Link, Vec<Append>, oneshot::Sender<Outcomes>),
    /// Answered when everything before it was.
    Mark(oneshot::Sender<()>),
}

/// The queues.
#[derive(Debug, Default)]
pub struct Groups {
    queues: Mutex<Vec<(Node, mpsc::Sender<Job>)>>,
}

impl Groups {
    fn queue(&self, inner: &Arc<Inner>, link: &Link) -> mpsc::Sender<Job> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, queue)) = queues.iter().find(|(known, _)| known == link.at()) {
            return queue.clone();
        }
        // Queues of primaries that are gone end here; what they hold is still answered.
        let serving = inner.router.links();
        queues.retain(|(known, _)| serving.iter().any(|link| link.at() == known));
        let (sender, jobs) = mpsc::channel(QUEUE_LEN);
        tokio::spawn(run(Arc::downgrade(inner), jobs));
        queues.push((link.at().clone(), sender.clone()));
        sender
    }

    /// Queues appends for one primary; sends them in the order of the calls.
    pub fn append(
        &self,
        inner: &Arc<Inner>,
        link: &Link,
        appends: Vec<Append>,
    ) -> BoxFuture<'static, Outcomes> {
        let len = appends.len();
        let (answer, answered) = oneshot::channel();
        if self.queue(inner, link).try_send(Job::Appends(link.clone(), appends, answer)).is_err() {
            let full = Error::Stalled(format!("{QUEUE_LEN} appends wait for {}", link.at().0));
            return ready(vec![Err(full); len]).boxed();
        }
        let lost = move || vec![Err(Error::Doubt("the store was dropped".into())); len];
        async move { answered.await.unwrap_or_else(|_| lost()) }.boxed()
    }

    /// Waits until every append that was queued for a primary before this call is answered.
    pub fn settled(&self, inner: &Arc<Inner>, link: &Link) -> BoxFuture<'static, ()> {
        mark(self.queue(inner, link))
    }

    /// Waits until every queued append is answered.
    pub async fn drained(&self) {
        let marks: Vec<_> = {
            let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            queues.iter().map(|(_, queue)| mark(queue.clone())).collect()
        };
        join_all(marks).await;
    }
}

/// Puts a mark into a queue, now if there is room, and waits until it is reached.
fn mark(queue: mpsc::Sender<Job>) -> BoxFuture<'static, ()> {
    let (mark, reached) = oneshot::channel();
    let full = match queue.try_send(Job::Mark(mark)) {
        Err(mpsc::error::TrySendError::Full(job)) => Some(job),
        _ => None,
    };
    async move {
        if let Some(job) = full {
            let _ = queue.send(job).await;
        }
        let _ = reached.await;
    }
    .boxed()
}

/// One group: what it appends, who hears of it, and who waits for it to be over.
#[derive(Default)]
struct Group {
    /// By link, which is one and the same unless a slot has just moved.
    parts: Vec<(Link, Vec<Append>)>,
    len: usize,
    callers: Vec<(usize, oneshot::Sender<Outcomes>)>,
    marks: Vec<oneshot::Sender<()>>,
    bytes: usize,
}

impl Group {
    /// Whatever waits, up to a group's size.
    fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Self {
        let mut group = Self::default();
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                Job::Appends(link, appends, caller) => {
                    group.callers.push((appends.len(), caller));
                    group.len += appends.len();
                    group.bytes += appends.iter().map(|append| append.record.len()).sum::<usize>();
                    match group.parts.last_mut().filter(|(last, _)| *last == link) {
                        Some((_, all)) => all.extend(appends),
                        None => group.parts.push((link, appends)),
                    }
                }
                Job::Mark(mark) => group.marks.push(mark),
            }
            let room = group.len < GROUP_LEN && group.bytes < GROUP_BYTES;
            next = if room { jobs.try_recv().ok() } else { None };
        }
        group
    }

    async fn write(self, inner: Arc<Inner>) -> Vec<oneshot::Sender<()>> {
        // Polled, and so sent, in their order.
        let parts = self.parts.iter().map(|(link, appends)| write(&inner, link, appends));
        let mut outcomes = join_all(parts).await.into_iter().flatten();
        for (len, caller) in self.callers {
            // A caller that stopped waiting reads its tip.
            let _ = caller.send(outcomes.by_ref().take(len).collect());
        }
        self.marks
    }
}

/// Sends groups to one primary until its queue is dropped.
async fn run(inner: Weak<Inner>, mut jobs: mpsc::Receiver<Job>) {
    let mut in_flight = FuturesOrdered::new();
    let mut open = true;
    while open || !in_flight.is_empty() {
        tokio::select! {
            biased;
            Some(marks) = in_flight.next(), if !in_flight.is_empty() => {
                let marks: Vec<oneshot::Sender<()>> = marks;
                for mark in marks {
                    let _ = mark.send(());
                }
            }
            job = jobs.recv(), if open && in_flight.len() < IN_FLIGHT => {
                let (Some(job), Some(inner)) = (job, inner.upgrade()) else {
                    open = false;
                    continue;
                };
                let group = Group::gather(job, &mut jobs);
                let mut writing = group.write(inner).boxed();
                // The first poll sends it, so that groups leave in their order.
                match poll!(&mut writing) {
                    Poll::Ready(marks) => in_flight.push_back(ready(marks).boxed()),
                    Poll::Pending => in_flight.push_back(writing),
                }
            }
        }
    }
}
