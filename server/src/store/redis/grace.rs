//! Starts the grace of every partition as soon as a change of history is noticed.
//!
//! The claim script would start it too, but only with the first claim that reaches a partition:
//! that could be long after the change, with no holder left to wait for. Every node does this;
//! the first one counts.

use std::sync::{Arc, Weak};

use redis::Value;
use tokio::sync::watch;

use super::Inner;
use super::claim::GRACE_MS;
use super::keys::{PARTITIONS, tag};
use super::link::{Link, answer};
use super::scripts::GRACE;
use super::world::by_link;
use crate::clock::Clock;
use crate::store::Error;

/// Between two attempts while a primary does not answer.
const RETRY_MS: u64 = 100;

/// Follows changes of history until the store is dropped or closed.
pub async fn follow(inner: Weak<Inner>, mut changes: watch::Receiver<u64>, clock: Clock) {
    while changes.changed().await.is_ok() {
        loop {
            let Some(inner) = inner.upgrade().filter(|inner| !inner.is_closed()) else { return };
            match inner.begin_grace().await {
                Ok(()) => break,
                Err(Error::Wiped(why)) => {
                    tracing::error!(why, "a partition of the store was wiped");
                    break;
                }
                Err(error) => tracing::debug!(%error, "the grace is not recorded yet"),
            }
            drop(inner);
            clock.sleep_ms(RETRY_MS).await;
        }
    }
}

impl Inner {
    async fn begin_grace(self: &Arc<Self>) -> Result<(), Error> {
        for (link, tags) in by_link(&self.router, (0..PARTITIONS).map(tag)) {
            self.begin_grace_at(&link, &tags).await?;
        }
        Ok(())
    }

    async fn begin_grace_at(&self, link: &Link, tags: &[String]) -> Result<(), Error> {
        let mut pipeline = redis::pipe();
        let mut first = true;
        for tag in tags {
            let (key, grace) = (self.keys.facts(tag), GRACE_MS.to_string());
            if first {
                // Teaches the server the script, should it have forgotten.
                link.script(&GRACE, &[&key], &[&self.incarnation, &grace]).await?;
                first = false;
            }
            pipeline.add_command(GRACE.call(&[&key], &[&self.incarnation, &grace]));
        }
        for value in link.bulk(pipeline).await? {
            match answer(value)? {
                Value::Array(words) if words.first() == Some(&Value::BulkString(b"ok".into())) => {}
                Value::Array(_) => {
                    return Err(Error::Wiped(format!("{} lacks partitions", link.at().0)));
                }
                other => return Err(super::reply::strange("the grace", &other)),
            }
        }
        Ok(())
    }
}
