//! Nodes that share a Redis: leases, inboxes, topics.
//!
//! - The lease table is `hf:{nodes}:alive` with `info` and `dead` beside it. Expiry is judged by
//!   the server's clock inside the scripts; the table is used over one connection of the lease's
//!   own, which leads to the server that serves it now or is made anew.
//! - Mail to a node is a stream, `hf:{n:<session>}:in`, that its owner makes and keeps: where
//!   there is none, no one is there. Each end names its own key, because they may lie on
//!   different servers.
//! - Topics are sharded channels `hf:{r:<topic>}`: see `topics`.

mod inbox;
mod table;
mod topics;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use futures::FutureExt;
use redis::Value;
use tokio::sync::mpsc;

use self::inbox::Reader;
use self::table::Table;
use super::link::{Script, answer};
use super::route::Router;
use crate::clock::Clock;
use crate::store::fleet::{Fleet, Heard, Member, NodeInfo, Parcel, Renewed};
use crate::store::{Answer, Error, NodeSession};

/// About how many batches an inbox holds; the oldest are dropped.
const INBOX_LEN_MAX: u64 = 10_000;
/// How long an inbox outlives the last renewal.
const INBOX_KEPT_MS: u64 = 120_000;

/// The fleet port on Redis. Clones share everything.
#[derive(Debug, Clone)]
pub struct RedisFleet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    router: Router,
    clock: Clock,
    ttl_ms: u64,
    table: Table,
    reader: Reader,
    inbox: Script,
    /// The session whose inbox was made.
    made: AtomicU64,
    /// The inbox is being kept at this moment.
    keeping: AtomicBool,
}

impl RedisFleet {
    /// Leases run for `ttl_ms`; at least 3 round trips to the server must fit in it.
    #[must_use]
    pub fn new(router: Router, clock: Clock, ttl_ms: u64) -> Self {
        Self(Arc::new(Inner {
            table: Table::new(router.clone(), ttl_ms),
            reader: Reader::new(router.clone()),
            inbox: Script::new(include_str!("../scripts/inbox.lua")),
            made: AtomicU64::new(0),
            keeping: AtomicBool::new(false),
            router,
            clock,
            ttl_ms,
        }))
    }
}

/// The hash tag of a node's inbox.
fn tag(session: NodeSession) -> String {
    format!("n:{session}")
}

fn inbox_key(session: NodeSession) -> String {
    format!("hf:{{{}}}:in", tag(session))
}

fn channel_tag(topic: &str) -> String {
    format!("r:{topic}")
}

fn channel(topic: &str) -> String {
    format!("hf:{{{}}}", channel_tag(topic))
}

impl Inner {
    async fn renew(self: Arc<Self>, info: NodeInfo) -> Result<Renewed, Error> {
        let session = info.session;
        let renewed = self.table.renew(&info).await?;
        if renewed == Renewed::Reaped {
            return Ok(renewed);
        }
        if self.made.load(Ordering::SeqCst) != session {
            self.keep_inbox(session).await?;
            self.made.store(session, Ordering::SeqCst);
        } else if !self.keeping.swap(true, Ordering::SeqCst) {
            // A server of its own may keep the inbox: the lease does not wait for it.
            let kept = Arc::clone(&self);
            tokio::spawn(async move {
                if let Err(error) = kept.keep_inbox(session).await {
                    tracing::debug!(%error, "the inbox could not be kept");
                }
                kept.keeping.store(false, Ordering::SeqCst);
            });
        }
        Ok(renewed)
    }

    async fn keep_inbox(&self, session: NodeSession) -> Result<(), Error> {
        let link = self.router.link(&tag(session));
        match link.script(&self.inbox, &[inbox_key(session)], &[INBOX_KEPT_MS]).await? {
            Value::Int(_) => Ok(()),
            other => Err(unexpected("inbox", &other)),
        }
    }

    async fn drop_inbox(&self, session: NodeSession) {
        let mut pipeline = redis::pipe();
        pipeline.cmd("UNLINK").arg(inbox_key(session));
        if let Err(error) = self.router.link(&tag(session)).bulk(pipeline).await {
            tracing::debug!(session, %error, "an inbox was left to expire");
        }
    }

    async fn send(&self, to: NodeSession, bytes: Bytes) -> Result<bool, Error> {
        let mut pipeline = redis::pipe();
        let letter = pipeline.cmd("XADD").arg(inbox_key(to)).arg("NOMKSTREAM");
        letter.arg("MAXLEN").arg("~").arg(INBOX_LEN_MAX).arg("*").arg("d").arg(&bytes[..]);
        match one(self.router.link(&tag(to)).bulk(pipeline).await?)? {
            Value::Nil => Ok(false),
            Value::BulkString(_) | Value::SimpleString(_) => Ok(true),
            other => Err(unexpected("XADD", &other)),
        }
    }

    async fn publish(&self, topic: String, bytes: Bytes) -> Result<(), Error> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("SPUBLISH").arg(channel(&topic)).arg(&bytes[..]);
        match one(self.router.link(&channel_tag(&topic)).bulk(pipeline).await?)? {
            Value::Int(_) => Ok(()),
            other => Err(unexpected("SPUBLISH", &other)),
        }
    }
}

/// The only answer of a pipeline with one command.
fn one(mut answers: Vec<Value>) -> Result<Value, Error> {
    answer(answers.pop().ok_or_else(|| Error::Doubt("an answer is missing".into()))?)
}

fn unexpected(what: &str, value: &Value) -> Error {
    Error::Doubt(format!("{what} answered {value:?}"))
}

impl Fleet for RedisFleet {
    fn ttl_ms(&self) -> u64 {
        self.0.ttl_ms
    }

    fn renew(&self, info: NodeInfo) -> Answer<Renewed> {
        Arc::clone(&self.0).renew(info).boxed()
    }

    fn members(&self) -> Answer<Vec<Member>> {
        let inner = Arc::clone(&self.0);
        async move { inner.table.members().await }.boxed()
    }

    fn reap(&self, victim: NodeSession) -> Answer<bool> {
        let inner = Arc::clone(&self.0);
        async move {
            let reaped = inner.table.reap(victim).await?;
            if reaped {
                inner.drop_inbox(victim).await;
            }
            Ok(reaped)
        }
        .boxed()
    }

    fn leave(&self, session: NodeSession) -> Answer<()> {
        let inner = Arc::clone(&self.0);
        async move {
            inner.table.leave(session).await?;
            inner.drop_inbox(session).await;
            Ok(())
        }
        .boxed()
    }

    fn send(&self, to: NodeSession, bytes: Bytes) -> Answer<bool> {
        let inner = Arc::clone(&self.0);
        async move { inner.send(to, bytes).await }.boxed()
    }

    fn receive(
        &self,
        session: NodeSession,
        after: Option<String>,
        wait_ms: u64,
    ) -> Answer<Vec<Parcel>> {
        let inner = Arc::clone(&self.0);
        async move { inner.reader.receive(session, after, wait_ms).await }.boxed()
    }

    fn publish(&self, topic: &str, bytes: Bytes) -> Answer<()> {
        let (inner, topic) = (Arc::clone(&self.0), topic.to_owned());
        async move { inner.publish(topic, bytes).await }.boxed()
    }

    fn watch(&self, topics: mpsc::Receiver<(String, bool)>) -> mpsc::Receiver<Heard> {
        topics::watch(self.0.router.clone(), self.0.clock.clone(), topics)
    }
}
