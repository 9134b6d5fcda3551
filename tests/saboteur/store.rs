//! A store that breaks a promise now and then: it says that it has a record and has another one,
//! or has it twice, or in an older term's name. What it does not spoil it passes on.
//!
//! It stands at the store's port, so that the server above it is the one that is shipped.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use holdfast::actor::record::{Fact, Record};
use holdfast::search::Registry;
use holdfast::store::attributes::{Doomed, EntriesFound, Found, RowOf, Search};
use holdfast::store::{
    Answer, Append, Base, Claim, Claimed, Description, Epoch, Error, Loaded, RecordRow, Score, Seq,
    SessionMetrics, Snapshot, Store, Tip,
};
use holdfast_protocol::ids::{ActorId, PlayerId};
use rusqlite::{Connection, params};
use serde_json::Value;

/// What is done to a record with a player's command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crime {
    /// It is acknowledged, and an empty one is kept.
    Drop,
    /// All that happened in it happens twice.
    Twice,
    /// It is kept in the name of a term before its own.
    Stale,
    /// Not of commands: what a trade brings, it brings without the gold.
    Short,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Saboteur {
    inner: Arc<dyn Store>,
    /// The embedded store's file.
    file: PathBuf,
    crime: Option<Crime>,
    /// Of so many records with a player's command, one is spoilt.
    every: u64,
    past: Arc<Mutex<Past>>,
}

/// What it has done.
#[derive(Debug, Default)]
struct Past {
    commands: u64,
    victims: Vec<(ActorId, Seq)>,
}

impl Saboteur {
    pub fn new(inner: Arc<dyn Store>, file: PathBuf, crime: Option<Crime>, every: u64) -> Self {
        Self { inner, file, crime, every, past: Arc::default() }
    }

    /// The records that it has spoilt.
    pub fn victims(&self) -> Vec<(ActorId, Seq)> {
        self.past.lock().unwrap().victims.clone()
    }

    /// Whether it is the turn of this record.
    fn strikes(&self, append: &Append, record: &Record) -> bool {
        let command = |fact: &Fact| matches!(fact, Fact::Answered { .. });
        let is_command = append.actor.kind() == "player" && record.facts.iter().any(command);
        if self.crime.is_none() || !is_command {
            return false;
        }
        let mut past = self.past.lock().unwrap();
        past.commands += 1;
        let strikes = past.commands.is_multiple_of(self.every);
        if strikes {
            past.victims.push((append.actor.clone(), append.seq));
        }
        strikes
    }

    /// Spoils what is about to be written; gives what is to be spoilt afterwards.
    fn spoil(&self, append: &mut Append) -> Option<(ActorId, Seq)> {
        let mut record = Record::decode(&append.record).expect("the server's own record");
        if self.crime == Some(Crime::Short) {
            self.shorten(append, &mut record);
            return None;
        }
        if !self.strikes(append, &record) {
            return None;
        }
        match self.crime? {
            Crime::Drop => record.facts.clear(),
            Crime::Twice => record.facts.extend(record.facts.clone()),
            Crime::Short => {}
            Crime::Stale => return Some((append.actor.clone(), append.seq)),
        }
        append.record = record.encode();
        None
    }

    /// Takes the gold out of what a settlement brings, where it is its turn.
    fn shorten(&self, append: &mut Append, record: &mut Record) {
        for fact in &mut record.facts {
            let Fact::Event(bytes) = fact else { continue };
            let event = rmp_serde::from_slice::<Value>(bytes);
            let Ok(mut event) = event else { continue };
            let got = event.pointer_mut("/deal/d/paid/w").and_then(Value::as_object_mut);
            let Some(gold) = got.and_then(|got| got.get_mut("g")) else { continue };
            let mut past = self.past.lock().unwrap();
            past.commands += 1;
            if past.commands.is_multiple_of(self.every) {
                *gold = 0.into();
                past.victims.push((append.actor.clone(), append.seq));
                *bytes = rmp_serde::to_vec_named(&event).unwrap().into();
            }
        }
        append.record = record.encode();
    }

    /// Gives a record that is stored to an older term.
    fn backdate(&self, actor: &ActorId, seq: Seq) {
        let conn = Connection::open(&self.file).unwrap();
        conn.busy_timeout(Duration::from_secs(10)).unwrap();
        let sql = "UPDATE journal SET epoch = epoch - 1
            WHERE seq = ?2 AND actor = (SELECT id FROM actor WHERE name = ?1)";
        let seq = i64::try_from(seq).unwrap();
        assert_eq!(conn.execute(sql, params![actor.as_str(), seq]).unwrap(), 1);
    }
}

impl Store for Saboteur {
    fn append(&self, mut batch: Vec<Append>) -> BoxFuture<'static, Vec<Result<(), Error>>> {
        let later: Vec<_> = batch.iter_mut().filter_map(|append| self.spoil(append)).collect();
        let (append, this) = (self.inner.append(batch), self.clone());
        async move {
            let answers = append.await;
            assert!(answers.iter().all(Result::is_ok), "{answers:?}");
            later.iter().for_each(|(actor, seq)| this.backdate(actor, *seq));
            answers
        }
        .boxed()
    }

    fn describe(&self) -> Description {
        self.inner.describe()
    }

    fn now_ms(&self) -> u64 {
        self.inner.now_ms()
    }

    fn claim(&self, claim: Claim) -> Answer<Claimed> {
        self.inner.claim(claim)
    }

    fn load(&self, actor: &ActorId, base: Base) -> Answer<Loaded> {
        self.inner.load(actor, base)
    }

    fn tip(&self, actor: &ActorId) -> Answer<Option<Tip>> {
        self.inner.tip(actor)
    }

    fn snapshot(&self, snapshot: Snapshot) -> Answer<()> {
        self.inner.snapshot(snapshot)
    }

    fn release(&self, actor: &ActorId, epoch: Epoch, due_ms: Option<u64>) -> Answer<()> {
        self.inner.release(actor, epoch, due_ms)
    }

    fn erase(&self, actor: &ActorId, epoch: Epoch, seq: Seq) -> Answer<()> {
        self.inner.erase(actor, epoch, seq)
    }

    fn due(
        &self,
        partition: u16,
        after: Option<(u64, ActorId)>,
        until_ms: u64,
        limit: usize,
    ) -> Answer<Vec<(u64, ActorId)>> {
        self.inner.due(partition, after, until_ms, limit)
    }

    fn actors(&self, kind: &str, after: Option<ActorId>, limit: usize) -> Answer<Vec<ActorId>> {
        self.inner.actors(kind, after, limit)
    }

    fn history(&self, actor: &ActorId, from: Seq, limit: usize) -> Answer<Vec<RecordRow>> {
        self.inner.history(actor, from, limit)
    }

    fn put_score(&self, score: Score) -> Answer<()> {
        self.inner.put_score(score)
    }

    fn top_scores(&self, limit: usize) -> Answer<Vec<Score>> {
        self.inner.top_scores(limit)
    }

    fn put_metrics(&self, metrics: SessionMetrics) -> Answer<()> {
        self.inner.put_metrics(metrics)
    }

    fn put_rows(&self, registry: &Arc<Registry>, rows: Vec<RowOf>) -> Answer<()> {
        self.inner.put_rows(registry, rows)
    }

    fn search(&self, search: Search) -> Answer<Found> {
        self.inner.search(search)
    }

    fn rows(
        &self,
        registry: &Arc<Registry>,
        partition: u16,
        after: Option<PlayerId>,
        limit: usize,
    ) -> Answer<Vec<RowOf>> {
        self.inner.rows(registry, partition, after, limit)
    }

    fn drop_rows(&self, registry: &Arc<Registry>, rows: Vec<Doomed>) -> Answer<()> {
        self.inner.drop_rows(registry, rows)
    }

    fn check_entries(
        &self,
        registry: &Arc<Registry>,
        partition: u16,
        mends: bool,
    ) -> Answer<EntriesFound> {
        self.inner.check_entries(registry, partition, mends)
    }

    fn secret(&self, name: &str, fresh: Bytes) -> Answer<Bytes> {
        self.inner.secret(name, fresh)
    }

    fn close(&self) -> Answer<()> {
        self.inner.close()
    }
}
