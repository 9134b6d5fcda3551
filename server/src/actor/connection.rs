//! One socket as the runtime sees it: the reliable lane to its task, and the bell that wakes it.
//!
//! All that a socket's task waits for rings one bell: a bit says what it was, and whoever rang
//! twice rang once. So a task that was woken looks only at what rang, and an idle socket keeps
//! one waker and an empty queue.
//! I7: a delivery that finds the lane full cuts the connection; the edge closes it (4002) and the
//! client resumes.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;

use super::envelope::{ConnectionId, Delivery};

/// Bit of the bell: a delivery waits in the lane.
pub const DELIVERY: u32 = 1;
/// Bit of the bell: the connection is cut.
pub const CUT: u32 = 2;
/// The lowest bit of the bell that the edge may give a meaning of its own; the higher ones too.
pub const EDGE: u32 = 4;

/// The runtime's end of one socket, and the socket's: the lane has one reader, its task. Cheap
/// to clone.
#[derive(Clone)]
pub struct Connection {
    /// Names the socket.
    pub id: ConnectionId,
    inner: Arc<Inner>,
}

struct Inner {
    /// What rang since the task looked.
    rung: AtomicU32,
    task: AtomicWaker,
    len_max: usize,
    lane: Mutex<Lane>,
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Delivery>,
    end: Option<End>,
}

/// Why nothing more is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The lane overflowed, or the edge has no patience left.
    Cut,
    /// Its reader has gone.
    Closed,
}

impl Connection {
    /// A connection whose lane holds at most `len_max` deliveries.
    #[must_use]
    pub fn new(id: ConnectionId, len_max: usize) -> Self {
        let (rung, task, lane) = (AtomicU32::new(0), AtomicWaker::new(), Mutex::default());
        Self { id, inner: Arc::new(Inner { rung, task, len_max, lane }) }
    }

    /// Hands a delivery to the socket's task without waiting. A full lane cuts the connection,
    /// and nothing comes after what was dropped: a resume goes on from there.
    pub fn deliver(&self, delivery: Delivery) {
        let mut lane = self.lane();
        if lane.end.is_some() {
            return;
        }
        if lane.waiting.len() >= self.inner.len_max {
            drop(lane);
            self.cut();
            return;
        }
        if lane.waiting.capacity() == 0 {
            // Most sockets have one delivery at a time, and an idle one has had only its first.
            lane.waiting.reserve_exact(1);
        }
        lane.waiting.push_back(delivery);
        drop(lane);
        self.ring(DELIVERY);
    }

    /// Lets go of a socket that does not read: its task closes as of a slow consumer.
    pub fn cut(&self) {
        self.lane().end.get_or_insert(End::Cut);
        self.ring(CUT);
    }

    /// Takes no more; what waits is dropped. The task no longer wants to be woken.
    pub fn close(&self) {
        let waiting = {
            let mut lane = self.lane();
            lane.end = Some(End::Closed);
            std::mem::take(&mut lane.waiting)
        };
        drop(waiting);
        self.inner.task.take();
    }

    /// True when the connection was cut.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.lane().end == Some(End::Cut)
    }

    /// Rings with one bit, and wakes the task unless that bit rings already.
    pub fn ring(&self, bit: u32) {
        if self.inner.rung.fetch_or(bit, Ordering::AcqRel) & bit == 0 {
            self.inner.task.wake();
        }
    }

    /// What rang since the last look; 0 when nothing did.
    #[must_use]
    pub fn rung(&self) -> u32 {
        self.inner.rung.swap(0, Ordering::AcqRel)
    }

    /// Waits until something rings, and takes all that did.
    pub async fn listen(&self) -> u32 {
        poll_fn(|cx| match self.rung() {
            0 => {
                self.inner.task.register(cx.waker());
                // What rang in between would not wake anyone.
                match self.rung() {
                    0 => Poll::Pending,
                    rung => Poll::Ready(rung),
                }
            }
            rung => Poll::Ready(rung),
        })
        .await
    }

    /// Waits until the connection is cut, and leaves what rings for later.
    pub async fn until_cut(&self) {
        poll_fn(|cx| self.poll_cut(cx)).await;
    }

    fn poll_cut(&self, cx: &Context<'_>) -> Poll<()> {
        self.inner.task.register(cx.waker());
        if self.is_cut() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The next delivery that waits.
    #[must_use]
    pub fn take(&self) -> Option<Delivery> {
        let mut lane = self.lane();
        let next = lane.waiting.pop_front();
        if lane.waiting.is_empty() {
            // An idle connection keeps no queue.
            lane.waiting = VecDeque::new();
        }
        next
    }

    /// The next delivery, for a reader without other duties.
    pub async fn next(&self) -> Delivery {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.listen().await;
        }
    }

    fn lane(&self) -> MutexGuard<'_, Lane> {
        self.inner.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures::FutureExt;

    fn events(seq: u64) -> Delivery {
        Delivery::Events { seq, evs: Bytes::new() }
    }

    #[test]
    fn nothing_follows_a_delivery_that_found_no_room() {
        let connection = Connection::new(1, 1);
        connection.deliver(events(1));
        assert!(!connection.is_cut());
        connection.deliver(events(2));
        assert!(matches!(connection.take(), Some(Delivery::Events { seq: 1, .. })));
        connection.deliver(events(3));
        assert!(connection.take().is_none(), "events after a gap");
        assert!(connection.is_cut());
    }

    #[test]
    fn a_closed_lane_takes_nothing_and_is_not_cut() {
        let connection = Connection::new(1, 1);
        connection.deliver(events(1));
        connection.close();
        connection.deliver(events(2));
        connection.deliver(events(3));
        assert!(connection.take().is_none());
        assert!(!connection.is_cut());
    }

    #[test]
    fn what_rings_is_heard_once_and_together() {
        let connection = Connection::new(1, 2);
        assert_eq!(connection.listen().now_or_never(), None);
        connection.deliver(events(1));
        connection.deliver(events(2));
        connection.ring(EDGE);
        assert_eq!(connection.listen().now_or_never(), Some(DELIVERY | EDGE));
        assert_eq!(connection.listen().now_or_never(), None);
        assert_eq!(connection.until_cut().now_or_never(), None);
        connection.cut();
        assert_eq!(connection.until_cut().now_or_never(), Some(()));
        assert_eq!(connection.rung(), CUT, "whoever waits for the cut takes nothing");
    }

    #[tokio::test]
    async fn a_ring_wakes_whoever_listens() {
        let connection = Connection::new(1, 2);
        let listener = tokio::spawn({
            let connection = connection.clone();
            async move { connection.listen().await }
        });
        tokio::task::yield_now().await;
        connection.ring(EDGE << 1);
        assert_eq!(listener.await.unwrap(), EDGE << 1);
        let reader = tokio::spawn({
            let connection = connection.clone();
            async move { connection.next().await }
        });
        tokio::task::yield_now().await;
        connection.deliver(events(7));
        assert!(matches!(reader.await.unwrap(), Delivery::Events { seq: 7, .. }));
    }

    /// A ring that falls between the look and the wait must not be missed: nobody rings again.
    #[test]
    fn no_ring_is_missed_between_a_look_and_a_wait() {
        const ROUNDS: u32 = 30_000;
        let (there, back) = (Connection::new(1, 1), Connection::new(2, 1));
        let alone = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answerer = {
            let (there, back) = (there.clone(), back.clone());
            std::thread::spawn(move || {
                alone().block_on(async {
                    for _ in 0..ROUNDS {
                        there.listen().await;
                        back.ring(EDGE);
                    }
                });
            })
        };
        let (done, all_done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            alone().block_on(async {
                for _ in 0..ROUNDS {
                    there.ring(EDGE);
                    back.listen().await;
                }
            });
            let _ = done.send(());
        });
        let heard = all_done.recv_timeout(std::time::Duration::from_secs(60));
        assert!(heard.is_ok(), "somebody waits for a ring that has been");
        answerer.join().unwrap();
    }
}
