//! The lease table: one connection of its own, four calls.
//!
//! A connection whose call failed, or was given up by its caller, is not used again: its late
//! answers reach no one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script};
use serde::{Deserialize, Serialize};

use crate::store::fleet::{Member, NodeInfo, Renewed};
use crate::store::redis::connect::Purpose;
use crate::store::redis::link::Link;
use crate::store::redis::route::Router;
use crate::store::{Error, NodeSession};

const TAG: &str = "nodes";
const ALIVE: &str = "hf:{nodes}:alive";
const INFO: &str = "hf:{nodes}:info";
const DEAD: &str = "hf:{nodes}:dead";

/// For how long a dead session is refused: longer than any process is stopped and goes on.
const DEAD_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// What is kept of a node session; the wire's own form.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    info: NodeInfo,
    ttl_ms: u64,
}

/// The table, and the connection that leads to it.
#[derive(Debug)]
pub(super) struct Table {
    router: Router,
    ttl_ms: u64,
    renew: Script,
    reap: Script,
    leave: Script,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug, Clone)]
struct Kept {
    link: Link,
    connection: MultiplexedConnection,
}

/// Forgets the connection unless the call has been answered.
struct Use<'a> {
    table: &'a Table,
    connection: MultiplexedConnection,
    answered: bool,
}

impl Drop for Use<'_> {
    fn drop(&mut self) {
        if !self.answered {
            *self.table.kept() = None;
        }
    }
}

impl Table {
    pub fn new(router: Router, ttl_ms: u64) -> Self {
        Self {
            router,
            ttl_ms,
            renew: Script::new(include_str!("../scripts/renew.lua")),
            reap: Script::new(include_str!("../scripts/reap.lua")),
            leave: Script::new(include_str!("../scripts/leave.lua")),
            kept: Mutex::new(None),
        }
    }

    pub async fn renew(&self, info: &NodeInfo) -> Result<Renewed, Error> {
        let row = Row { info: info.clone(), ttl_ms: self.ttl_ms };
        let row = rmp_serde::to_vec_named(&row).map_err(|error| Error::Open(error.to_string()))?;
        let mut call = self.renew.key(ALIVE);
        call.key(INFO).key(DEAD).arg(info.session).arg(self.ttl_ms).arg(row);
        let mut using = self.connection().await?;
        let held: bool = using.done(call.invoke_async(&mut using.connection.clone()).await)?;
        Ok(if held { Renewed::Held } else { Renewed::Reaped })
    }

    pub async fn reap(&self, victim: NodeSession) -> Result<bool, Error> {
        let mut call = self.reap.key(ALIVE);
        call.key(INFO).key(DEAD).arg(victim).arg(DEAD_KEPT_MS);
        let mut using = self.connection().await?;
        using.done(call.invoke_async(&mut using.connection.clone()).await)
    }

    pub async fn leave(&self, session: NodeSession) -> Result<(), Error> {
        let mut call = self.leave.key(ALIVE);
        call.key(INFO).key(DEAD).arg(session).arg(DEAD_KEPT_MS);
        let mut using = self.connection().await?;
        using.done(call.invoke_async(&mut using.connection.clone()).await)
    }

    pub async fn members(&self) -> Result<Vec<Member>, Error> {
        let mut read = redis::pipe();
        read.atomic().cmd("TIME").cmd("ZRANGE").arg(ALIVE).arg(0).arg(-1).arg("WITHSCORES");
        read.cmd("HGETALL").arg(INFO);
        let mut using = self.connection().await?;
        let answer = read.query_async(&mut using.connection.clone()).await;
        let (time, alive, rows): (Time, Expiries, Rows) = using.done(answer)?;
        let now_ms = time.0 * 1_000 + time.1 / 1_000;
        let mut members = Vec::with_capacity(alive.len());
        for (session, expiry_ms) in alive {
            let row = rows.get(&session).map_or(&[][..], |row| row);
            let row = self.read_row(session, row);
            let expired = expiry_ms <= now_ms;
            let age_ms = (now_ms + row.ttl_ms).saturating_sub(expiry_ms);
            members.push(Member { info: row.info, age_ms, expired });
        }
        Ok(members)
    }

    /// One that can't be read is a live node's all the same: nothing else is said of it.
    fn read_row(&self, session: NodeSession, row: &[u8]) -> Row {
        rmp_serde::from_slice(row).unwrap_or_else(|error| {
            tracing::warn!(session, %error, "a row of the lease table can't be read");
            let unknown = NodeInfo {
                session,
                name: "unknown".into(),
                address: String::new(),
                version: String::new(),
                format: 0,
                format_oldest: 0,
                activations: 0,
                sockets: 0,
                draining: false,
                outdated: false,
            };
            Row { info: unknown, ttl_ms: self.ttl_ms }
        })
    }

    async fn connection(&self) -> Result<Use<'_>, Error> {
        let link = self.router.link(TAG);
        let kept = self.kept().clone().filter(|kept| kept.link == link);
        let connection = match kept {
            Some(kept) => kept.connection,
            None => {
                let limit = Duration::from_millis(self.ttl_ms / 3);
                let connection = link.connection(Purpose::Quick(limit)).await?;
                let kept = Kept { link, connection: connection.clone() };
                *self.kept() = Some(kept);
                connection
            }
        };
        Ok(Use { table: self, connection, answered: false })
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Use<'_> {
    fn done<T>(&mut self, answer: Result<T, RedisError>) -> Result<T, Error> {
        self.answered = answer.is_ok();
        answer.map_err(|error| Error::Doubt(format!("the lease table: {error}")))
    }
}

/// Seconds, and microseconds.
type Time = (u64, u64);
/// When each lease runs out.
type Expiries = Vec<(NodeSession, u64)>;
type Rows = HashMap<NodeSession, Vec<u8>>;
