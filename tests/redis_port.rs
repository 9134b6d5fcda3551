//! Shows on a real Redis 7 that the store port fits it: claim, append, load and tip.
//!
//! A sketch, not the backend: one journal stream an actor, ids `<epoch>-<seq>`, claims by
//! script, appends as plain XADD. It speaks the port's types, so that a misfit would show.
//! Where the port asks for more than Redis checks, a test says what the backend must add.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Mutex;

use bytes::Bytes;
use futures::future::join_all;
use holdfast::store::{
    Append, Base, Claim, Claimed, Epoch, Error, Loaded, Owner, RecordRow, Seq, SnapshotRow, Tip,
    check_contiguous,
};
use holdfast_protocol::ids::ActorId;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Script, cmd};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// KEYS: journal, meta. ARGV: session, creates, replaced session, replaced epoch.
const CLAIM: &str = r#"#!lua
local epoch, seq = '0', '0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then epoch, seq = string.match(info[i + 1], '(%d+)-(%d+)') end
  end
elseif ARGV[2] == '0' then
  return {'absent'}
end
local owner = redis.call('HGET', KEYS[2], 'owner')
if owner and owner ~= ARGV[1] and not (owner == ARGV[3] and epoch == ARGV[4]) then
  return {'held', owner, epoch}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local newest = string.format('%.0f', math.max(now, epoch + 1))
redis.call('XADD', KEYS[1], newest .. '-' .. seq, 'claim', ARGV[1])
redis.call('HSET', KEYS[2], 'owner', ARGV[1])
return {'granted', newest, seq}
"#;

/// A Redis of its own, in a directory of its own; ends with the test.
struct Server {
    _child: Child,
    _dir: TempDir,
    connection: MultiplexedConnection,
}

impl Server {
    async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--daemonize", "no", "--dir"])
            .arg(dir.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("this test needs redis-server 7 in the PATH: apt-get install redis-server");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            said.push_str(&line);
            if line.contains("Ready to accept connections") {
                break;
            }
        }
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
        let connection = client.get_multiplexed_async_connection().await;
        let connection = connection.unwrap_or_else(|error| panic!("{error}; redis said: {said}"));
        Self { _child: child, _dir: dir, connection }
    }

    /// One gateway's view: what it knows of the tips is its own.
    fn gateway(&self) -> Gateway {
        Gateway { connection: self.connection.clone(), tips: Mutex::default() }
    }
}

/// The sketch of a backend.
struct Gateway {
    connection: MultiplexedConnection,
    /// The last seq that this gateway knows per actor it holds: XADD checks order, not gaps.
    tips: Mutex<HashMap<ActorId, Seq>>,
}

fn journal(actor: &ActorId) -> String {
    format!("hf:{{p0}}:j:{actor}")
}

fn meta(actor: &ActorId) -> String {
    format!("hf:{{p0}}:m:{actor}")
}

fn snapshot(actor: &ActorId) -> String {
    format!("hf:{{p0}}:s:{actor}")
}

/// A stream entry: its id and its fields.
type Entry = (String, Vec<(String, Vec<u8>)>);

/// What one load reads: the snapshot, the entries, and what XINFO says.
type Moment = (Option<Vec<u8>>, Vec<Entry>, HashMap<String, redis::Value>);

fn field<'a>(entry: &'a Entry, name: &str) -> Option<&'a [u8]> {
    entry.1.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_slice())
}

fn epoch_and_seq(id: &str) -> (Epoch, Seq) {
    let (epoch, seq) = id.split_once('-').unwrap();
    (epoch.parse().unwrap(), seq.parse().unwrap())
}

fn append_id(entry: &Entry) -> u64 {
    field(entry, "a").map_or(0, |id| u64::from_be_bytes(id.try_into().unwrap()))
}

fn in_doubt(error: &redis::RedisError) -> Error {
    Error::Doubt(error.to_string())
}

impl Gateway {
    fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, Error> {
        let replaces = claim.replaces.unwrap_or(Owner { session: 0, epoch: 0 });
        let answer: Vec<String> = Script::new(CLAIM)
            .key(journal(&claim.actor))
            .key(meta(&claim.actor))
            .arg(claim.session)
            .arg(i32::from(claim.creates))
            .arg(replaces.session)
            .arg(replaces.epoch)
            .invoke_async(&mut self.connection())
            .await
            .map_err(|error| in_doubt(&error))?;
        let number = |nth: usize| answer[nth].parse::<u64>().unwrap();
        Ok(match answer[0].as_str() {
            "granted" => {
                self.tips.lock().unwrap().insert(claim.actor, number(2));
                Claimed::Granted { epoch: number(1), seq: number(2) }
            }
            "held" => Claimed::Held(Owner { session: number(1), epoch: number(2) }),
            _ => Claimed::Absent,
        })
    }

    /// All appends go into the connection's one pipeline.
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<(), Error>> {
        join_all(batch.into_iter().map(|append| self.append_one(append))).await
    }

    async fn append_one(&self, append: Append) -> Result<(), Error> {
        // What XADD does not see is checked here, against what the holder knows.
        if let Some(tip) = self.tips.lock().unwrap().get_mut(&append.actor) {
            if append.seq != *tip + 1 {
                return Err(Error::OutOfSequence { tip: *tip });
            }
            *tip = append.seq;
        }
        self.xadd(append).await
    }

    async fn xadd(&self, append: Append) -> Result<(), Error> {
        let added: redis::RedisResult<Option<String>> = cmd("XADD")
            .arg(journal(&append.actor))
            .arg("NOMKSTREAM")
            .arg(format!("{}-{}", append.epoch, append.seq))
            .arg("a")
            .arg(&append.append_id.to_be_bytes())
            .arg("r")
            .arg(&append.record[..])
            .query_async(&mut self.connection())
            .await;
        match added {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Error::Absent),
            Err(error) if error.to_string().contains("equal or smaller") => {
                Err(self.verdict(&append).await?)
            }
            Err(error) => Err(in_doubt(&error)),
        }
    }

    /// "Equal or smaller" does not say which: the tip does.
    async fn verdict(&self, append: &Append) -> Result<Error, Error> {
        let tip = self.tip(&append.actor).await?.ok_or(Error::Absent)?;
        if tip.epoch > append.epoch {
            return Ok(Error::Fenced { newest: tip.epoch });
        }
        Ok(Error::OutOfSequence { tip: tip.seq })
    }

    async fn tip(&self, actor: &ActorId) -> Result<Option<Tip>, Error> {
        match self.load(actor, Base::Newest).await {
            Ok(loaded) => Ok(Some(loaded.tip)),
            Err(Error::Absent) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Snapshot, entries and tip at one moment. Ids begin with the epoch, so the stream can't be
    /// entered at a seq: it is read whole, which trimming keeps short.
    async fn load(&self, actor: &ActorId, _base: Base) -> Result<Loaded, Error> {
        let mut moment = redis::pipe();
        moment.atomic();
        moment.cmd("GET").arg(snapshot(actor));
        moment.cmd("XRANGE").arg(journal(actor)).arg("-").arg("+");
        moment.cmd("XINFO").arg("STREAM").arg(journal(actor));
        let read: redis::RedisResult<Moment> = moment.query_async(&mut self.connection()).await;
        let (snapshot, entries, info) = match read {
            Ok(moment) => moment,
            Err(error) if error.to_string().contains("no such key") => return Err(Error::Absent),
            Err(error) => return Err(in_doubt(&error)),
        };
        let snapshot = snapshot.map(|stored| {
            let (seq, bytes) = stored.split_first_chunk().unwrap();
            SnapshotRow { seq: u64::from_be_bytes(*seq), bytes: Bytes::copy_from_slice(bytes) }
        });
        let base = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
        let last_id: String = redis::from_redis_value(info["last-generated-id"].clone()).unwrap();
        let (epoch, seq) = epoch_and_seq(&last_id);
        let records: Vec<_> = entries.iter().filter(|entry| field(entry, "r").is_some()).collect();
        let append_id = records.last().map_or(0, |entry| append_id(entry));
        let rows = records.into_iter().map(|entry| {
            let (epoch, seq) = epoch_and_seq(&entry.0);
            let record = Bytes::copy_from_slice(field(entry, "r").unwrap());
            RecordRow { seq, epoch, record }
        });
        let records: Vec<_> = rows.filter(|row| row.seq > base).collect();
        let tip = Tip { epoch, seq, append_id };
        check_contiguous(actor, base, &records, tip)?;
        Ok(Loaded { snapshot, records, tip })
    }
}

fn alice() -> ActorId {
    "player:alice".parse().unwrap()
}

fn claim(session: u64) -> Claim {
    Claim { actor: alice(), session, creates: true, replaces: None }
}

fn append(epoch: Epoch, seq: Seq) -> Append {
    let record = Bytes::from(format!("record {seq}"));
    Append { actor: alice(), epoch, seq, append_id: u64::MAX - seq, record, due_ms: None }
}

async fn hold(gateway: &Gateway, claim: Claim) -> (Epoch, Seq) {
    match gateway.claim(claim).await.unwrap() {
        Claimed::Granted { epoch, seq } => (epoch, seq),
        refused => panic!("not granted: {refused:?}"),
    }
}

fn seqs(loaded: &Loaded) -> Vec<Seq> {
    loaded.records.iter().map(|row| row.seq).collect()
}

#[tokio::test]
async fn redis_claims_appends_and_loads_through_the_port() {
    let server = Server::start().await;
    let gateway = server.gateway();
    let absent = Claim { creates: false, ..claim(1) };
    assert_eq!(gateway.claim(absent).await, Ok(Claimed::Absent));
    assert_eq!(gateway.tip(&alice()).await, Ok(None), "an absent claim leaves no key");
    assert_eq!(gateway.append(vec![append(9, 1)]).await, [Err(Error::Absent)]);

    let (epoch, seq) = hold(&gateway, claim(1)).await;
    assert_eq!(seq, 0);
    let batch = vec![append(epoch, 1), append(epoch, 2), append(epoch, 4), append(epoch, 3)];
    let expected = [Ok(()), Ok(()), Err(Error::OutOfSequence { tip: 2 }), Ok(())];
    assert_eq!(gateway.append(batch).await, expected);

    let loaded = gateway.load(&alice(), Base::Newest).await.unwrap();
    assert_eq!(seqs(&loaded), [1, 2, 3]);
    assert_eq!(loaded.records[2].record, "record 3");
    assert_eq!(loaded.tip, Tip { epoch, seq: 3, append_id: u64::MAX - 3 });
    assert_eq!(gateway.tip(&alice()).await, Ok(Some(loaded.tip)));

    let (newer, seq) = hold(&gateway, claim(1)).await;
    assert!(newer > epoch && seq == 3);
    let tip = gateway.tip(&alice()).await.unwrap().unwrap();
    assert_eq!(tip, Tip { epoch: newer, ..loaded.tip }, "a marker is no record");
}

#[tokio::test]
async fn redis_replaces_the_named_owner_and_fences_it() {
    let server = Server::start().await;
    let (old, new) = (server.gateway(), server.gateway());
    let (epoch, _) = hold(&old, claim(u64::MAX)).await;
    assert_eq!(old.append(vec![append(epoch, 1)]).await, [Ok(())]);

    let owner = Owner { session: u64::MAX, epoch };
    let wrong = Owner { epoch: epoch - 1, ..owner };
    for replaces in [None, Some(wrong)] {
        let refused = new.claim(Claim { replaces, ..claim(2) }).await;
        assert_eq!(refused, Ok(Claimed::Held(owner)));
    }
    let (newest, seq) = hold(&new, Claim { replaces: Some(owner), ..claim(2) }).await;
    assert!(newest > epoch && seq == 1);

    let fenced = [Err(Error::Fenced { newest })];
    assert_eq!(old.append(vec![append(epoch, 2)]).await, fenced, "by the marker alone");
    assert_eq!(new.append(vec![append(newest, 2)]).await, [Ok(())]);
    assert_eq!(old.append(vec![append(epoch, 3)]).await, fenced);
    let loaded = new.load(&alice(), Base::Newest).await.unwrap();
    assert_eq!(loaded.records.iter().map(|row| row.epoch).collect::<Vec<_>>(), [epoch, newest]);
}

#[tokio::test]
async fn redis_keeps_the_fence_of_a_trimmed_journal() {
    let server = Server::start().await;
    let gateway = server.gateway();
    let (epoch, _) = hold(&gateway, claim(1)).await;
    gateway.append(vec![append(epoch, 1), append(epoch, 2)]).await;
    let stored = [&2_u64.to_be_bytes()[..], b"state 2"].concat();
    let mut connection = gateway.connection();
    let () = connection.set(snapshot(&alice()), stored).await.unwrap();
    let () =
        connection.xtrim(journal(&alice()), redis::streams::StreamMaxlen::Equals(0)).await.unwrap();

    let loaded = gateway.load(&alice(), Base::Newest).await.unwrap();
    assert_eq!(loaded.snapshot, Some(SnapshotRow { seq: 2, bytes: "state 2".into() }));
    assert_eq!((seqs(&loaded), loaded.tip.seq), (vec![], 2));
    let repeated = server.gateway().append(vec![append(epoch, 2)]).await;
    assert_eq!(repeated, [Err(Error::OutOfSequence { tip: 2 })]);
    assert_eq!(gateway.append(vec![append(epoch, 3)]).await, [Ok(())]);
}

/// The port's misfit: a gap, and an epoch that no one claimed, must be refused by the holder's
/// own knowledge of the tip, for Redis takes them.
#[tokio::test]
async fn redis_itself_takes_gaps_and_unclaimed_epochs() {
    let server = Server::start().await;
    let gateway = server.gateway();
    let (epoch, _) = hold(&gateway, claim(1)).await;
    gateway.xadd(append(epoch, 1)).await.unwrap();
    gateway.xadd(append(epoch, 3)).await.expect("XADD sees no gap");
    let loaded = gateway.load(&alice(), Base::Newest).await;
    assert!(matches!(loaded, Err(Error::Corrupt { .. })), "but a load does: {loaded:?}");
    gateway.xadd(append(epoch + 1, 4)).await.expect("XADD asks no one who claimed");
}
