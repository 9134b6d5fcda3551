//! Appends a second through the embedded store, against a bare insert loop into the same tables.
//!
//! Both write the same records of the same actors with the same settings; rounds alternate, so
//! that the machine's moods touch both. The bare loop checks nothing and answers no one, so the
//! ratio says what the store's promises cost. Run it with
//! `cargo bench -p holdfast --bench store`; `TMPDIR` chooses the disk.

#![allow(clippy::print_stdout, reason = "it prints its findings")]

mod support;

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use holdfast::clock::{Clock, instant};
use holdfast::store::embedded::Embedded;
use holdfast::store::{Append, Claim, Claimed, Epoch, Store};
use holdfast_protocol::ids::ActorId;
use rusqlite::{Connection, TransactionBehavior, params};
use support::{Outcome, median, verdict};

const ACTORS: usize = 10_000;
const RECORD: &[u8] = &[0x5A; 100];
const RECORDS_PER_ROUND: usize = 61_440;
const ROUNDS: usize = 5;
const BATCHES: [usize; 3] = [64, 256, 1024];
const IN_FLIGHT: [usize; 2] = [4, 1];
/// Least share of the bare loop's pace, with batches in flight.
const GOAL: f64 = 0.8;

fn main() -> Outcome<()> {
    support::print_machine()?;
    println!("{ROUNDS} alternating rounds of {RECORDS_PER_ROUND} appends, {ACTORS} actors");
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut rows = Vec::new();
    for in_flight in IN_FLIGHT {
        for batch in BATCHES {
            rows.push(runtime.block_on(compare(batch, in_flight))?);
        }
    }
    support::print_load("at the end");
    println!("\n| batch | in flight | store, appends/s | bare, appends/s | ratio | goal | |");
    println!("|---|---|---|---|---|---|---|");
    for row in rows {
        println!("{row}");
    }
    Ok(())
}

/// Measures one size of batch; gives its row of the table.
async fn compare(batch: usize, in_flight: usize) -> Outcome<String> {
    let (store_dir, bare_dir) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let mut ours = Ours::open(store_dir.path()).await?;
    let mut bare = Bare::open(bare_dir.path()).await?;
    let (mut ours_paces, mut bare_paces, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let commits_before = ours.store.commits();
    for _ in 0..ROUNDS {
        let began = instant();
        ours.round(batch, in_flight).await?;
        let ours_pace = pace(began.elapsed());
        let began = instant();
        bare.round(batch)?;
        let bare_pace = pace(began.elapsed());
        ours_paces.push(ours_pace);
        bare_paces.push(bare_pace);
        ratios.push(ours_pace / bare_pace);
    }
    let commits = ours.store.commits() - commits_before;
    let (ours, bare, ratio) = (median(&ours_paces), median(&bare_paces), median(&ratios));
    println!("batch {batch}, {in_flight} in flight: ratio {ratio:.2}, {commits} commits");
    let (goal, met) = if in_flight > 1 {
        (format!("at least {GOAL}"), verdict(ratio >= GOAL))
    } else {
        (String::new(), "")
    };
    Ok(format!("| {batch} | {in_flight} | {ours:.0} | {bare:.0} | {ratio:.2} | {goal} | {met} |"))
}

fn pace(took: Duration) -> f64 {
    f64::from(u32::try_from(RECORDS_PER_ROUND).unwrap_or(u32::MAX)) / took.as_secs_f64()
}

/// Spreads consecutive records over the actors; each actor is met once a cycle.
fn actor_of(nth: usize) -> usize {
    nth.wrapping_mul(7_919) % ACTORS
}

/// The store, driven as a runtime does: batches, a few in flight.
struct Ours {
    store: Embedded,
    actors: Vec<(ActorId, Epoch)>,
    written: usize,
}

type Answers = BoxFuture<'static, Vec<Result<(), holdfast::store::Error>>>;

impl Ours {
    async fn open(dir: &Path) -> Outcome<Self> {
        let store = Embedded::open(dir, Clock::system())?;
        let claims: Vec<_> = (0..ACTORS)
            .map(|n| {
                let actor = ActorId::new("player", &n.to_string())?;
                let claim =
                    Claim { actor: actor.clone(), session: 1, creates: true, replaces: None };
                Ok((actor, store.claim(claim)))
            })
            .collect::<Outcome<_>>()?;
        let mut actors = Vec::with_capacity(ACTORS);
        for (actor, claimed) in claims {
            let Claimed::Granted { epoch, .. } = claimed.await? else {
                return Err("a new actor was not granted".into());
            };
            actors.push((actor, epoch));
        }
        Ok(Self { store, actors, written: 0 })
    }

    async fn round(&mut self, batch: usize, in_flight: usize) -> Outcome<()> {
        let mut waiting: VecDeque<Answers> = VecDeque::with_capacity(in_flight);
        for _ in 0..RECORDS_PER_ROUND / batch {
            if waiting.len() == in_flight {
                check(waiting.pop_front()).await?;
            }
            waiting.push_back(self.store.append(self.batch(batch)));
            self.written += batch;
        }
        while !waiting.is_empty() {
            check(waiting.pop_front()).await?;
        }
        Ok(())
    }

    fn batch(&self, len: usize) -> Vec<Append> {
        let append = |nth: usize| {
            let (actor, epoch) = self.actors.get(actor_of(nth))?.clone();
            let (seq, append_id) = (seq_of(nth), nth.try_into().ok()?);
            let record = Bytes::from_static(RECORD);
            Some(Append { actor, epoch, seq, append_id, history: 0, record, due_ms: None })
        };
        (self.written..self.written + len).filter_map(append).collect()
    }
}

fn seq_of(nth: usize) -> u64 {
    u64::try_from(nth / ACTORS + 1).unwrap_or(u64::MAX)
}

async fn check(answers: Option<Answers>) -> Outcome<()> {
    let Some(answers) = answers else { return Ok(()) };
    Ok(answers.await.into_iter().collect::<Result<(), _>>()?)
}

/// The same inserts in a loop, one transaction a batch.
struct Bare {
    conn: Connection,
    written: usize,
}

impl Bare {
    async fn open(dir: &Path) -> Outcome<Self> {
        // The store makes the tables and the actors; then it is out of the way.
        Ours::open(dir).await?.store.close().await?;
        let conn = Connection::open(dir.join("holdfast.db"))?;
        conn.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;
             PRAGMA wal_autocheckpoint = 8000; PRAGMA cache_size = -65536;",
        )?;
        Ok(Self { conn, written: 0 })
    }

    fn round(&mut self, batch: usize) -> Outcome<()> {
        for _ in 0..RECORDS_PER_ROUND / batch {
            let transaction =
                self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO journal(actor, seq, epoch, append_id, record)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for nth in self.written..self.written + batch {
                let row = i64::try_from(actor_of(nth) + 1)?;
                let (seq, append_id) = (i64::try_from(seq_of(nth))?, i64::try_from(nth)?);
                insert.execute(params![row, seq, 1_700_000_000_000_i64, append_id, RECORD])?;
            }
            drop(insert);
            transaction.commit()?;
            self.written += batch;
        }
        Ok(())
    }
}
