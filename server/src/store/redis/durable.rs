//! What an answer promises: the levels of durability, and the beacons that show a level reached.
//! Owns a task and a connection for each primary, where the level needs them.
//!
//! A beacon writes a key and waits until so many replicas (or disks) have it. The replication
//! stream is in one order, so it then covers every append that was answered before the key was
//! sent, on any connection. It counts only where the primary's replication id is the same before
//! and after: a new primary has its own stream, and may lack what the old one answered.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::Value;
use redis::aio::MultiplexedConnection;
use tokio::sync::{mpsc, oneshot};

use super::address::Node;
use super::connect::{Purpose, examine};
use super::keys::Keys;
use super::link::{Link, answer};
use super::reply::{array, number};
use super::route::Router;
use crate::store::durability::Durability;
use crate::store::{Error, History};

/// Answers that may wait for one primary's beacon.
const WAITERS: usize = 65_536;
/// How long replicas have to confirm.
const WAIT_MS: u64 = 500;
/// How long the primary has to answer beyond that.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// A beacon's key outlives the wait, and is then forgotten.
const BEACON_MS: u64 = 10_000;

/// What an answered append promises at a level.
#[must_use]
pub fn promise(level: Durability) -> String {
    match level {
        Durability::Stored => "stored: an answer survives the loss of a node, or of the Redis \
                               primary while the node that gave it lives; not of both together"
            .into(),
        Durability::Replicated(count) => format!(
            "replicated({count}): an answer survives the loss of the Redis primary and of the node \
             if one of the {count} replicas that confirmed it is promoted"
        ),
        Durability::Fsynced => "fsynced: an answer survives a restart of Redis and of its \
                                machine; its disk has it"
            .into(),
    }
}

/// How a beacon waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Replicas(u32),
    Disk,
}

struct Waiter {
    link: Link,
    history: History,
    tag: String,
    done: oneshot::Sender<Result<(), Error>>,
}

/// The beacons of all primaries.
#[derive(Debug)]
pub struct Beacons {
    wait: Option<Wait>,
    keys: Keys,
    running: Mutex<Vec<(Node, mpsc::Sender<Waiter>)>>,
}

impl Beacons {
    /// Checks that every primary can keep the level.
    ///
    /// # Errors
    /// [`Error::Open`] says what is missing.
    pub async fn open(level: Durability, router: &Router, keys: &Keys) -> Result<Self, Error> {
        let mut wait = None;
        for link in router.links() {
            wait = needs(level, &link).await?.or(wait);
        }
        Ok(Self { wait, keys: keys.clone(), running: Mutex::default() })
    }

    /// Waits until everything that a primary answered in one history before this call has the
    /// level.
    ///
    /// # Errors
    /// [`Error::Doubt`] where that could not be shown.
    pub async fn confirm(
        &self,
        router: &Router,
        link: &Link,
        history: History,
        tag: &str,
    ) -> Result<(), Error> {
        let Some(wait) = self.wait else { return Ok(()) };
        let (done, outcome) = oneshot::channel();
        let waiter = Waiter { link: link.clone(), history, tag: tag.to_owned(), done };
        if self.queue(wait, router, link).try_send(waiter).is_err() {
            return Err(Error::Doubt(format!("{WAITERS} answers wait to be made durable")));
        }
        outcome.await.unwrap_or_else(|_| Err(Error::Doubt("the store was dropped".into())))
    }

    fn queue(&self, wait: Wait, router: &Router, link: &Link) -> mpsc::Sender<Waiter> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, queue)) = running.iter().find(|(known, _)| known == link.at()) {
            return queue.clone();
        }
        let serving = router.links();
        running.retain(|(known, _)| serving.iter().any(|link| link.at() == known));
        let (sender, waiters) = mpsc::channel(WAITERS);
        let beacon = Beacon { wait, keys: self.keys.clone(), lit: None };
        tokio::spawn(beacon.run(waiters));
        running.push((link.at().clone(), sender.clone()));
        sender
    }
}

/// Whether answers have to wait for a level, and how.
async fn needs(level: Durability, link: &Link) -> Result<Option<Wait>, Error> {
    let at = &link.at().0;
    match level {
        Durability::Stored => Ok(None),
        Durability::Replicated(count) => {
            let replicas: u32 = info(link, "replication", "connected_slaves").await?;
            let count = u32::from(count);
            if replicas < count {
                return Err(Error::Open(format!(
                    "replicated({count}) was asked for, but {at} has {replicas} replicas"
                )));
            }
            Ok(Some(Wait::Replicas(count)))
        }
        Durability::Fsynced => {
            let enabled: u32 = info(link, "persistence", "aof_enabled").await?;
            if enabled == 0 {
                return Err(Error::Open(format!(
                    "fsynced was asked for, but {at} writes no append-only file: set appendonly yes"
                )));
            }
            let mut ask = redis::pipe();
            ask.cmd("CONFIG")
                .arg("GET")
                .arg("appendfsync")
                .cmd("COMMAND")
                .arg("INFO")
                .arg("WAITAOF");
            let mut answers = link.bulk(ask).await?;
            let known = answers.pop();
            let setting: Vec<String> = answers
                .pop()
                .and_then(|value| redis::from_redis_value(value).ok())
                .unwrap_or_default();
            if setting.last().map(String::as_str) == Some("always") {
                return Ok(None);
            }
            // A command that the server does not know is nil among the answers.
            let told = known.and_then(array).unwrap_or_default();
            if matches!(told.first(), Some(Value::Array(_))) {
                return Ok(Some(Wait::Disk));
            }
            Err(Error::Open(format!(
                "fsynced was asked for, but {at} can't be asked to wait for its disk: set \
                 appendfsync always, or use a Redis of version 7.2 or newer"
            )))
        }
    }
}

/// A field of `INFO`.
async fn info(link: &Link, section: &str, name: &str) -> Result<u32, Error> {
    let mut ask = redis::pipe();
    ask.cmd("INFO").arg(section);
    let value = answer(link.bulk(ask).await?.pop().unwrap_or_default())?;
    let text: String =
        redis::from_redis_value(value).map_err(|error| Error::Open(error.to_string()))?;
    let line = text.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|count| count.parse().ok())
        .ok_or_else(|| Error::Open(format!("INFO {section} does not say {name}")))
}

/// The beacon's connection, and what was found behind it.
struct Lit {
    connection: MultiplexedConnection,
    /// The primary, and its history when the connection was opened.
    link: Link,
    history: History,
    replication_id: String,
}

impl Lit {
    /// No other history was seen since.
    fn is_present(&self) -> bool {
        self.link.history() == self.history
    }
}

struct Beacon {
    wait: Wait,
    keys: Keys,
    lit: Option<Lit>,
}

impl Beacon {
    async fn run(mut self, mut waiters: mpsc::Receiver<Waiter>) {
        while let Some(first) = waiters.recv().await {
            let (link, tag) = (first.link.clone(), first.tag.clone());
            let mut answered = vec![first];
            while let Ok(waiter) = waiters.try_recv() {
                answered.push(waiter);
            }
            let outcome = self.round(&link, &tag).await;
            if outcome.is_err() {
                self.lit = None;
            }
            for waiter in answered {
                let verdict = match &outcome {
                    Ok(()) if waiter.link.history() == waiter.history => Ok(()),
                    Ok(()) => Err(Error::Doubt("the store's history has changed".into())),
                    Err(error) => Err(error.clone()),
                };
                // A caller that stopped waiting reads its tip.
                let _ = waiter.done.send(verdict);
            }
        }
    }

    /// One wait. It holds in the history that the primary is in when it ends.
    async fn round(&mut self, link: &Link, tag: &str) -> Result<(), Error> {
        let mut lit = match self.lit.take().filter(Lit::is_present) {
            Some(lit) => lit,
            None => light(link).await?,
        };
        let key = self.keys.of(tag, &format!("beacon:{:016x}", rand::random::<u64>()));
        let mut pipeline = redis::pipe();
        pipeline.cmd("SET").arg(key).arg(1).arg("PX").arg(BEACON_MS);
        let wanted = match self.wait {
            Wait::Replicas(count) => {
                pipeline.cmd("WAIT").arg(count).arg(WAIT_MS);
                count
            }
            Wait::Disk => {
                pipeline.cmd("WAITAOF").arg(1).arg(0).arg(WAIT_MS);
                1
            }
        };
        let doubt = |why: String| Error::Doubt(format!("the beacon: {why}"));
        let limit = Duration::from_millis(WAIT_MS) + ANSWER_MAX;
        let waiting = lit.connection.send_packed_commands(&pipeline, 0, 2);
        let answers = match tokio::time::timeout(limit, waiting).await {
            Ok(answers) => answers.map_err(|error| doubt(error.to_string()))?,
            Err(_) => return Err(doubt("no answer".into())),
        };
        let mut confirmed = None;
        for value in answers {
            confirmed = Some(answer(value).map_err(|error| doubt(error.to_string()))?);
        }
        let reached = match confirmed {
            Some(Value::Array(counts)) => counts.first().and_then(number),
            Some(value) => number(&value),
            None => None,
        };
        if reached.is_none_or(|reached| reached < wanted.into()) {
            return Err(doubt(format!("{reached:?} of {wanted} confirmed within {WAIT_MS} ms")));
        }
        let after = examine(&mut lit.connection, ANSWER_MAX).await.map_err(doubt)?;
        let same = after.primary && after.replication_id == lit.replication_id;
        if !same || !lit.is_present() {
            return Err(doubt("the primary's history changed meanwhile".into()));
        }
        self.lit = Some(lit);
        Ok(())
    }
}

/// Opens a beacon's connection, and ties what is behind it to a history.
async fn light(link: &Link) -> Result<Lit, Error> {
    let history = link.history();
    let doubt = |error: Error| Error::Doubt(format!("the beacon: {error}"));
    let mut connection = link.connection(Purpose::Blocking).await.map_err(doubt)?;
    let facts = examine(&mut connection, ANSWER_MAX).await.map_err(Error::Doubt)?;
    let (link, replication_id) = (link.clone(), facts.replication_id);
    let lit = Lit { connection, link, history, replication_id };
    if lit.is_present() {
        return Ok(lit);
    }
    Err(Error::Doubt("the store's history has changed".into()))
}
