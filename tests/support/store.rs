//! A stopped server's embedded store, read through the library.

use std::path::Path;

use holdfast::actor::record::{Fact, Record};
use holdfast::clock::Clock;
use holdfast::store::embedded::Embedded;
use holdfast::store::{Base, Store};
use holdfast_protocol::ids::ActorId;

/// Records that are read at most.
const RECORDS_MAX: usize = 100_000;

/// The bytes of the rules' own facts in a record.
pub fn events(record: &Record) -> impl Iterator<Item = &[u8]> {
    record.facts.iter().filter_map(|fact| match fact {
        Fact::Event(bytes) => Some(&bytes[..]),
        _ => None,
    })
}

/// Opens the store of a server that has stopped.
pub fn open(dir: &Path) -> Embedded {
    Embedded::open(dir, Clock::default()).expect("the store of a stopped server to open")
}

/// Every record that is kept of an actor, oldest first.
pub async fn journal(store: &Embedded, actor: &str) -> Vec<Record> {
    let actor: ActorId = actor.parse().expect("an actor id");
    let rows = store.history(&actor, 1, RECORDS_MAX).await.expect("the journal");
    let decode = |bytes: &[u8]| Record::decode(bytes).expect("a readable record");
    rows.iter().map(|row| decode(&row.record)).collect()
}

/// The seqs of an actor's snapshots, older first; 0 where there is none.
pub async fn snapshots(store: &Embedded, actor: &str) -> [u64; 2] {
    let actor: ActorId = actor.parse().expect("an actor id");
    let mut seqs = [0, 0];
    for (slot, base) in seqs.iter_mut().zip([Base::Older, Base::Newest]) {
        let loaded = store.load(&actor, base).await.expect("the actor to load");
        *slot = loaded.snapshot.map_or(0, |snapshot| snapshot.seq);
    }
    seqs
}

/// The actions of a player's session metrics, in the order of their time. Read from the file:
/// the port has no reader for what it only appends.
pub fn metrics(dir: &Path, player: &str) -> Vec<i64> {
    let db = rusqlite::Connection::open(dir.join("holdfast.db")).expect("the store's file");
    let mut rows = db
        .prepare("SELECT actions FROM metrics WHERE player = ?1 ORDER BY at_ms, key")
        .expect("a table of metrics");
    let actions = rows.query_map([player], |row| row.get(0)).expect("rows");
    actions.collect::<Result<_, _>>().expect("numbers")
}

/// Empties the leaderboard behind the server's back.
pub fn forget_scores(dir: &Path) -> usize {
    let db = rusqlite::Connection::open(dir.join("holdfast.db")).expect("the store's file");
    db.execute("DELETE FROM score", []).expect("a table of scores")
}
