//! The reference fleet: every rule of the port in the plainest code, in memory.
//!
//! Several runtimes of one process share it, each through a door of its own ([`MemoryFleet::door`])
//! whose [`Faults`] a test may set: cut off, mail lost, mail delayed. Time is the [`Clock`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::ready;
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::store::fleet::{Fleet, Heard, Member, NodeInfo, Parcel, Renewed};
use crate::store::{Answer, Error, NodeSession};

/// Most batches in an inbox; the oldest are dropped.
const INBOX_LEN_MAX: usize = 10_000;
/// Most messages that wait for a watcher; more are dropped, and it hears [`Heard::Lost`].
const HEARD_LEN_MAX: usize = 1024;
/// How often a door that was cut off is looked at by who waits behind it.
const GLANCE_MS: u64 = 20;

/// A fleet within one process. Clones are the same door.
#[derive(Debug, Clone)]
pub struct MemoryFleet {
    clock: Clock,
    ttl_ms: u64,
    tables: Arc<Mutex<Tables>>,
    /// Moves when mail has come.
    arrived: watch::Sender<u64>,
    faults: Arc<Faults>,
}

/// What goes wrong behind one door.
#[derive(Debug, Default)]
pub struct Faults {
    /// Every call fails.
    pub cut_off: AtomicBool,
    /// Mail that is sent is lost, and its sender does not know.
    pub loses_mail: AtomicBool,
    /// Mail that is sent arrives so much later.
    pub delays_mail_ms: AtomicU64,
}

#[derive(Debug, Default)]
struct Tables {
    alive: BTreeMap<NodeSession, Lease>,
    dead: BTreeSet<NodeSession>,
    inboxes: BTreeMap<NodeSession, BTreeMap<u64, Letter>>,
    letters: u64,
    watchers: Vec<Watcher>,
}

#[derive(Debug)]
struct Lease {
    info: NodeInfo,
    renewed_ms: u64,
}

#[derive(Debug)]
struct Letter {
    sent_ms: u64,
    visible_ms: u64,
    bytes: Bytes,
}

#[derive(Debug)]
struct Watcher {
    topics: Arc<Mutex<BTreeSet<String>>>,
    heard: mpsc::Sender<Heard>,
    /// Something was dropped since the last time that it could be told so.
    behind: bool,
}

impl MemoryFleet {
    /// A fleet without any node.
    #[must_use]
    pub fn new(clock: Clock, ttl_ms: u64) -> Self {
        Self {
            clock,
            ttl_ms,
            tables: Arc::default(),
            arrived: watch::channel(0).0,
            faults: Arc::default(),
        }
    }

    /// Another way into the same fleet, with faults of its own.
    #[must_use]
    pub fn door(&self) -> Self {
        Self { faults: Arc::default(), ..self.clone() }
    }

    /// What goes wrong behind this door.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    fn answer<T: Send + 'static>(&self, act: impl FnOnce(&mut Tables) -> T) -> Answer<T> {
        ready(self.tables().map(|mut tables| act(&mut tables))).boxed()
    }

    fn tables(&self) -> Result<MutexGuard<'_, Tables>, Error> {
        if self.faults.cut_off.load(Ordering::SeqCst) {
            return Err(Error::Stalled("the fleet can't be reached".into()));
        }
        Ok(self.tables.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn parcels(&self, session: NodeSession, after: u64) -> Result<Vec<Parcel>, Error> {
        let now_ms = self.clock.now_ms();
        let tables = self.tables()?;
        let Some(inbox) = tables.inboxes.get(&session) else { return Ok(Vec::new()) };
        let visible = inbox
            .range(after.saturating_add(1)..)
            // In order: what is delayed holds up what comes after it.
            .take_while(|(_, letter)| letter.visible_ms <= now_ms);
        let parcel = |(at, letter): (&u64, &Letter)| Parcel {
            at: at.to_string(),
            age_ms: now_ms.saturating_sub(letter.sent_ms),
            bytes: letter.bytes.clone(),
        };
        Ok(visible.map(parcel).collect())
    }

    async fn wait_for_parcels(
        self,
        session: NodeSession,
        after: u64,
        wait_ms: u64,
    ) -> Result<Vec<Parcel>, Error> {
        let end_ms = self.clock.uptime_ms().saturating_add(wait_ms);
        let mut arrived = self.arrived.subscribe();
        loop {
            let parcels = self.parcels(session, after)?;
            if !parcels.is_empty() || self.clock.uptime_ms() >= end_ms {
                return Ok(parcels);
            }
            let glance_ms = end_ms.min(self.clock.uptime_ms() + GLANCE_MS);
            tokio::select! {
                _ = arrived.changed() => {}
                () = self.clock.sleep_until_uptime(glance_ms) => {}
            }
        }
    }
}

impl Fleet for MemoryFleet {
    fn ttl_ms(&self) -> u64 {
        self.ttl_ms
    }

    fn renew(&self, info: NodeInfo) -> Answer<Renewed> {
        let renewed_ms = self.clock.now_ms();
        self.answer(|tables| {
            if tables.dead.contains(&info.session) {
                return Renewed::Reaped;
            }
            tables.inboxes.entry(info.session).or_default();
            tables.alive.insert(info.session, Lease { info, renewed_ms });
            Renewed::Held
        })
    }

    fn members(&self) -> Answer<Vec<Member>> {
        let (now_ms, ttl_ms) = (self.clock.now_ms(), self.ttl_ms);
        self.answer(|tables| {
            let member = |lease: &Lease| {
                let age_ms = now_ms.saturating_sub(lease.renewed_ms);
                Member { info: lease.info.clone(), age_ms, expired: age_ms >= ttl_ms }
            };
            tables.alive.values().map(member).collect()
        })
    }

    fn reap(&self, victim: NodeSession) -> Answer<bool> {
        let (now_ms, ttl_ms) = (self.clock.now_ms(), self.ttl_ms);
        self.answer(|tables| {
            let expired = |lease: &Lease| now_ms.saturating_sub(lease.renewed_ms) >= ttl_ms;
            let reaps = tables.alive.get(&victim).is_some_and(expired);
            if reaps {
                tables.remove(victim);
            }
            reaps
        })
    }

    fn leave(&self, session: NodeSession) -> Answer<()> {
        self.answer(|tables| tables.remove(session))
    }

    fn send(&self, to: NodeSession, bytes: Bytes) -> Answer<bool> {
        let sent_ms = self.clock.now_ms();
        let visible_ms = sent_ms + self.faults.delays_mail_ms.load(Ordering::SeqCst);
        let lost = self.faults.loses_mail.load(Ordering::SeqCst);
        let sent = self.answer(|tables| {
            let letter = Letter { sent_ms, visible_ms, bytes };
            let alive = tables.alive.contains_key(&to);
            if alive && !lost {
                tables.put(to, letter);
            }
            alive
        });
        self.arrived.send_modify(|count| *count += 1);
        sent
    }

    fn receive(
        &self,
        session: NodeSession,
        after: Option<String>,
        wait_ms: u64,
    ) -> Answer<Vec<Parcel>> {
        let after = after.and_then(|at| at.parse().ok()).unwrap_or(0);
        self.clone().wait_for_parcels(session, after, wait_ms).boxed()
    }

    fn publish(&self, topic: &str, bytes: Bytes) -> Answer<()> {
        self.answer(|tables| {
            let message = Heard::Message { topic: topic.to_owned(), bytes };
            tables.watchers.retain_mut(|watcher| watcher.hear(&message));
        })
    }

    fn watch(&self, mut topics: mpsc::Receiver<(String, bool)>) -> mpsc::Receiver<Heard> {
        let (heard, receiver) = mpsc::channel(HEARD_LEN_MAX);
        let watched = Arc::<Mutex<BTreeSet<String>>>::default();
        let watcher = Watcher { topics: watched.clone(), heard, behind: false };
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).watchers.push(watcher);
        tokio::spawn(async move {
            while let Some((topic, begins)) = topics.recv().await {
                let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
                if begins {
                    watched.insert(topic);
                } else {
                    watched.remove(&topic);
                }
            }
        });
        receiver
    }
}

impl Tables {
    fn remove(&mut self, session: NodeSession) {
        self.alive.remove(&session);
        self.inboxes.remove(&session);
        self.dead.insert(session);
    }

    fn put(&mut self, to: NodeSession, letter: Letter) {
        self.letters += 1;
        let inbox = self.inboxes.entry(to).or_default();
        inbox.insert(self.letters, letter);
        if inbox.len() > INBOX_LEN_MAX {
            inbox.pop_first();
        }
    }
}

impl Watcher {
    /// Returns whether anyone still listens.
    fn hear(&mut self, message: &Heard) -> bool {
        let Heard::Message { topic, .. } = message else { return true };
        if !self.topics.lock().unwrap_or_else(PoisonError::into_inner).contains(topic) {
            return !self.heard.is_closed();
        }
        if self.behind {
            self.behind = self.heard.try_send(Heard::Lost).is_err();
        }
        self.behind |= self.heard.try_send(message.clone()).is_err();
        !self.heard.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fleet::conformance::{self, Subject};

    #[tokio::test]
    async fn the_reference_keeps_the_port_of_fleets() {
        conformance::run(async |ttl_ms| {
            let fleet = MemoryFleet::new(Clock::system(), ttl_ms);
            Subject { one: Arc::new(fleet.door()), other: Arc::new(fleet) }
        })
        .await;
    }

    #[tokio::test]
    async fn a_watcher_that_falls_behind_is_told() {
        let fleet = MemoryFleet::new(Clock::system(), 1_000);
        let (topics, wanted) = mpsc::channel(1);
        let mut heard = fleet.watch(wanted);
        topics.send(("t".into(), true)).await.unwrap();
        while heard.is_empty() {
            fleet.publish("t", Bytes::new()).await.unwrap();
            tokio::task::yield_now().await;
        }
        for _ in 0..=HEARD_LEN_MAX {
            fleet.publish("t", Bytes::new()).await.unwrap();
        }
        while heard.try_recv().is_ok() {}
        fleet.publish("t", Bytes::from_static(b"last")).await.unwrap();
        assert_eq!(heard.recv().await, Some(Heard::Lost));
        let last = Heard::Message { topic: "t".into(), bytes: Bytes::from_static(b"last") };
        assert_eq!(heard.recv().await, Some(last));
    }
}
