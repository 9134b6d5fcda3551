//! Reading an inbox: one blocking read on a connection of its own, one at a time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value, from_redis_value};

use super::{inbox_key, tag, unexpected};
use crate::store::fleet::Parcel;
use crate::store::redis::connect::Purpose;
use crate::store::redis::link::{Link, answer};
use crate::store::redis::route::Router;
use crate::store::{Error, NodeSession};

/// Most batches in one read.
const READ_LEN_MAX: u64 = 32;
/// How much longer than it was told to block a server may take.
const GRACE: Duration = Duration::from_secs(1);
/// A server blocks for ever when told 0.
const BLOCK_MS_MIN: u64 = 1;

/// Keeps the connection between two reads.
#[derive(Debug)]
pub(super) struct Reader {
    router: Router,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    session: NodeSession,
    link: Link,
    connection: MultiplexedConnection,
    /// A position that this server's stream has not reached, as after a failover: reads after it
    /// begin at the stream's begin, or they would wait for ever.
    beyond: Option<String>,
}

impl Reader {
    pub fn new(router: Router) -> Self {
        Self { router, kept: Mutex::new(None) }
    }

    /// Waits for mail. A connection whose read failed or was given up is not used again.
    pub async fn receive(
        &self,
        session: NodeSession,
        after: Option<String>,
        wait_ms: u64,
    ) -> Result<Vec<Parcel>, Error> {
        let link = self.router.link(&tag(session));
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let kept = kept.filter(|kept| kept.session == session && kept.link == link);
        let mut kept = match kept {
            Some(kept) => kept,
            None => Kept::open(session, link, after.as_deref()).await?,
        };
        let from = if after == kept.beyond { None } else { after };
        let parcels = kept.read(from, wait_ms.max(BLOCK_MS_MIN)).await?;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(parcels)
    }
}

impl Kept {
    async fn open(session: NodeSession, link: Link, after: Option<&str>) -> Result<Self, Error> {
        let connection = link.connection(Purpose::Blocking).await?;
        let mut kept = Self { session, link, connection, beyond: None };
        if let Some(after) = after
            && kept.last().await?.is_none_or(|last| last < position(after))
        {
            kept.beyond = Some(after.to_owned());
        }
        Ok(kept)
    }

    /// The newest position that the stream has had; `None`: there is no stream.
    async fn last(&mut self) -> Result<Option<(u64, u64)>, Error> {
        let mut ask = redis::pipe();
        ask.cmd("XINFO").arg("STREAM").arg(inbox_key(self.session));
        let answers = self.exchange(&ask, 1, GRACE).await?;
        let Some(Value::Array(facts)) = answers.into_iter().next() else { return Ok(None) };
        let mut facts = facts.into_iter();
        while let (Some(name), Some(value)) = (facts.next(), facts.next()) {
            if text(name)? == "last-generated-id" {
                return Ok(Some(position(&text(value)?)));
            }
        }
        Ok(None)
    }

    async fn read(&mut self, after: Option<String>, wait_ms: u64) -> Result<Vec<Parcel>, Error> {
        let mut ask = redis::pipe();
        ask.cmd("XREAD").arg("COUNT").arg(READ_LEN_MAX).arg("BLOCK").arg(wait_ms);
        ask.arg("STREAMS").arg(inbox_key(self.session)).arg(after.as_deref().unwrap_or("0"));
        ask.cmd("TIME");
        let limit = GRACE + Duration::from_millis(wait_ms);
        let mut answers = self.exchange(&ask, 2, limit).await?.into_iter();
        let (Some(read), Some(time)) = (answers.next(), answers.next()) else {
            return Err(Error::Doubt("an answer is missing".into()));
        };
        let (seconds, micros): (u64, u64) = from_redis_value(answer(time)?).map_err(odd)?;
        parcels(answer(read)?, seconds * 1_000 + micros / 1_000)
    }

    async fn exchange(
        &mut self,
        ask: &redis::Pipeline,
        count: usize,
        limit: Duration,
    ) -> Result<Vec<Value>, Error> {
        let asking = self.connection.send_packed_commands(ask, 0, count);
        match tokio::time::timeout(limit, asking).await {
            Ok(answers) => answers.map_err(|error| Error::Doubt(format!("the inbox: {error}"))),
            Err(_) => Err(Error::Doubt("the inbox: no answer in time".into())),
        }
    }
}

/// The stream's entries, as of a time of its server.
fn parcels(read: Value, now_ms: u64) -> Result<Vec<Parcel>, Error> {
    if read == Value::Nil {
        return Ok(Vec::new());
    }
    if matches!(read, Value::ServerError(_)) {
        return Err(unexpected("XREAD", &read));
    }
    type Entry = (String, Vec<(String, Vec<u8>)>);
    let streams: Vec<(String, Vec<Entry>)> = from_redis_value(read).map_err(odd)?;
    let entries = streams.into_iter().flat_map(|(_, entries)| entries);
    let parcel = |(at, fields): Entry| {
        let bytes = fields.into_iter().next().map(|(_, bytes)| Bytes::from(bytes));
        let age_ms = now_ms.saturating_sub(position(&at).0);
        Parcel { at, age_ms, bytes: bytes.unwrap_or_default() }
    };
    Ok(entries.map(parcel).collect())
}

/// A stream's id as numbers; what is none comes before all.
fn position(id: &str) -> (u64, u64) {
    let (ms, seq) = id.split_once('-').unwrap_or((id, "0"));
    (ms.parse().unwrap_or(0), seq.parse().unwrap_or(0))
}

fn text(value: Value) -> Result<String, Error> {
    match value {
        Value::BulkString(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Value::SimpleString(text) => Ok(text),
        // Other facts of a stream, which no one asked for.
        _ => Ok(String::new()),
    }
}

fn odd(error: impl Into<RedisError>) -> Error {
    Error::Doubt(format!("the inbox: {}", error.into()))
}
