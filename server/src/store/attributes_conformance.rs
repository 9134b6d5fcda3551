//! The suite of the attribute index: whatever a backend keeps to find rows fast, it finds what a
//! look at every row finds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a check fails by panicking"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use futures::future::{FutureExt, join_all};
use holdfast_protocol::ids::PlayerId;

use super::attributes::{EntriesFound, Found, RowAt, RowOf, Search, Want};
use super::conformance::{Checks, Subject};
use crate::search::{Counts, Cursor, Declaration, Registry, Row, Type, Value, parse};

/// What every store promises of its index.
pub const CHECKS: Checks = &[
    ("queries find what a look at every row finds", |s| queries_find_every_row(s).boxed()),
    ("a row follows its player", |s| a_row_follows_its_player(s).boxed()),
    ("older rows never come back", |s| older_rows_never_come_back(s).boxed()),
    ("pages hang together", |s| pages_hang_together(s).boxed()),
    ("counts add up", |s| counts_add_up(s).boxed()),
    ("rows are walked by partition", |s| rows_are_walked_by_partition(s).boxed()),
    ("rows go only as they were seen", |s| rows_go_only_as_they_were_seen(s).boxed()),
    ("entries match their rows", |s| entries_match_their_rows(s).boxed()),
    ("rows are written from many sides", |s| rows_are_written_from_many_sides(s).boxed()),
];

/// The now of all checks: 2026-11-22T12:00:00Z.
const NOW_MS: u64 = 1_795_348_800_000;
const MINUTE_MS: i64 = 60_000;
const ROWS: u64 = 300;

/// The built-in attributes, and some that a game has declared: the same one each time, as a
/// process has one.
#[must_use]
pub fn registry() -> Arc<Registry> {
    static REGISTRY: LazyLock<Arc<Registry>> = LazyLock::new(declared);
    Arc::clone(&REGISTRY)
}

fn declared() -> Arc<Registry> {
    let mut registry = Registry::default();
    for declaration in [
        Declaration::stored("Guild", Type::Keyword),
        Declaration::stored("Banned", Type::Bool),
        Declaration::stored("LastWin", Type::Time),
        Declaration::since("WinAge", "LastWin"),
        Declaration::stored("Steps", Type::Integer).unindexed(),
    ] {
        registry.declare(declaration).unwrap();
    }
    Arc::new(registry)
}

/// A row with these values.
#[must_use]
pub fn row(player: &str, values: &[(&str, Value)]) -> Row {
    let registry = registry();
    let mut row = Row::new(PlayerId::new(player).unwrap());
    for (name, value) in values {
        row.set(registry.find(name).unwrap(), Some(value.clone())).unwrap();
    }
    row
}

/// The n-th of a crowd whose values repeat, are missing, or lie at the ends of what there is.
fn nth(n: u64) -> Row {
    let ago = |minutes: u64| Value::from(NOW_MS as i64 - minutes as i64 * MINUTE_MS);
    let texts = ["dungeon-7", "dungeon-1", "arena", "", "a\0b", "ü \"'", "arena-2"];
    let numbers = [0, 1, -1, i64::MAX, i64::MIN, (1 << 53) + 1, 1 << 53, 42, -(1 << 60)];
    let pick = |of: &[i64], n: u64| Value::from(of[(n % of.len() as u64) as usize]);
    let mut values = vec![
        ("DisplayName", Value::from(format!("Player {}", n % 50).as_str())),
        ("PlayerStatus", ["online", "in_room", "idle", "offline"][(n % 4) as usize].into()),
        ("PlayerLevel", (n % 13).into()),
        ("Score", pick(&numbers, n)),
        ("TotalActions", (n * n).into()),
        ("StartTime", ago(n % 90)),
        ("LastCommandTime", ago(n % 17)),
        ("Banned", n.is_multiple_of(5).into()),
        ("Steps", (n % 3).into()),
    ];
    if !n.is_multiple_of(3) {
        values.push(("CurrentRoom", texts[(n / 3 % 7) as usize].into()));
    }
    if n.is_multiple_of(2) {
        values.push(("Gold", (n / 2).into()));
        values.push(("Guild", texts[(n % 7) as usize].into()));
        values.push(("Node", format!("gw-{}", n % 3).as_str().into()));
        values.push(("LastWin", pick(&numbers, n / 2)));
    }
    row(&format!("p{n}"), &values)
}

fn at(epoch: u64, seq: u64) -> RowAt {
    RowAt { epoch, seq }
}

async fn put(store: &Subject, at: RowAt, rows: impl IntoIterator<Item = Row>) {
    let rows = rows.into_iter().map(|row| RowOf { at, row }).collect();
    store.put_rows(&registry(), rows).await.unwrap();
}

async fn ask(store: &Subject, text: &str, want: Want) -> Found {
    let registry = registry();
    let query = parse(&registry, text).unwrap_or_else(|mistake| panic!("{}", mistake.render(text)));
    store.search(Search { registry, query: Arc::new(query), now_ms: NOW_MS, want }).await.unwrap()
}

async fn page(
    store: &Subject,
    text: &str,
    after: Option<Cursor>,
    limit: usize,
) -> (Vec<Row>, Option<Cursor>) {
    match ask(store, text, Want::Page { after, limit }).await {
        Found::Page { rows, next } => (rows, next),
        other => panic!("{other:?}"),
    }
}

/// Players that a query finds, in its order.
async fn found(store: &Subject, text: &str) -> Vec<String> {
    let (rows, next) = page(store, text, None, 1_000).await;
    assert_eq!(next, None);
    rows.iter().map(|row| row.player().to_string()).collect()
}

/// Players that a query should find among these.
fn wanted(rows: &[Row], text: &str) -> Vec<String> {
    let query = parse(&registry(), text).unwrap();
    let mut rows: Vec<_> = rows.iter().filter(|row| query.matches(row, NOW_MS)).collect();
    rows.sort_by(|one, two| query.compare(one, two, NOW_MS));
    rows.iter().map(|row| row.player().to_string()).collect()
}

const QUERIES: &[&str] = &[
    "",
    "PlayerId = \"p7\"",
    "PlayerId STARTS_WITH \"p1\"",
    "PlayerStatus = \"in_room\" AND CurrentRoom = \"dungeon-7\"",
    "CurrentRoom = \"\"",
    "CurrentRoom = \"a\\\\0b\" OR CurrentRoom STARTS_WITH \"a\"",
    "CurrentRoom STARTS_WITH \"ü\"",
    "CurrentRoom STARTS_WITH \"\"",
    "CurrentRoom IS NOT NULL",
    "CurrentRoom IS NULL",
    "CurrentRoom != \"arena\"",
    "NOT CurrentRoom = \"arena\"",
    "CurrentRoom IN ('arena', 'arena-2', 'none')",
    "CurrentRoom > \"b\"",
    "PlayerLevel >= 10",
    "PlayerLevel BETWEEN 3 AND 5 AND NOT PlayerStatus = 'idle'",
    "PlayerLevel IN (1, 2, 2, 99)",
    "Score = 9007199254740993",
    "Score > 9007199254740992",
    "Score >= 9223372036854775807",
    "Score <= -9223372036854775808",
    "Score < 0 OR Score > 9007199254740992",
    "Gold IS NOT NULL AND Gold < 20",
    "Gold = 3 OR PlayerLevel = 4 OR Guild = \"arena\"",
    "IdleTime > 10m",
    "IdleTime <= 0s",
    "SessionDuration BETWEEN 10m AND 1h",
    "StartTime < \"2026-11-22T11:00:00Z\"",
    "WinAge > 1m",
    "Banned = true AND PlayerStatus = \"online\"",
    "Banned IS NOT NULL AND PlayerLevel = 0",
    "Steps = 2",
    "Node = \"gw-1\" ORDER BY Score DESC",
    "PlayerStatus = \"in_room\" ORDER BY PlayerLevel DESC, IdleTime",
    "ORDER BY CurrentRoom, Score",
    "TotalActions BETWEEN 100 AND 2500 ORDER BY TotalActions DESC",
    "DisplayName STARTS_WITH \"Player 4\" AND Gold > 100",
    "PlayerLevel > 5 AND PlayerLevel < 5",
];

async fn queries_find_every_row(store: Subject) {
    let rows: Vec<_> = (0..ROWS).map(nth).collect();
    put(&store, at(1, 1), rows.clone()).await;
    for text in QUERIES {
        assert_eq!(found(&store, text).await, wanted(&rows, text), "{text}");
    }
}

async fn a_row_follows_its_player(store: Subject) {
    let first: Vec<_> = (0..ROWS).map(nth).collect();
    put(&store, at(1, 1), first).await;
    // Everyone becomes somebody else, some of them twice.
    let second: Vec<_> = (0..ROWS).map(|n| renamed(&nth(n + 101), n)).collect();
    put(&store, at(1, 2), second.clone()).await;
    let third: Vec<_> = (0..ROWS / 2).map(|n| renamed(&nth(n + 57), n)).collect();
    put(&store, at(2, 2), third.clone()).await;
    let rows: Vec<_> =
        third.into_iter().chain(second.into_iter().skip(ROWS as usize / 2)).collect();
    for text in QUERIES {
        assert_eq!(found(&store, text).await, wanted(&rows, text), "{text}");
    }
}

/// The values of a row under another player's id.
fn renamed(row: &Row, n: u64) -> Row {
    let registry = registry();
    let mut renamed = Row::new(PlayerId::new(&format!("p{n}")).unwrap());
    let stored = registry.iter().filter(|a| !a.is_computed() && a.name() != "PlayerId");
    for attribute in stored {
        let value = row.value(attribute, NOW_MS).map(|seen| seen.to_value());
        renamed.set(attribute, value).unwrap();
    }
    renamed
}

async fn older_rows_never_come_back(store: Subject) {
    let gold = |gold: i64| row("alice", &[("Gold", gold.into())]);
    let now = async |store: &Subject| {
        let (rows, _) = page(store, "PlayerId = 'alice'", None, 10).await;
        let shown = async |gold: i64| found(store, &format!("Gold = {gold}")).await.len();
        let all = [shown(1).await, shown(2).await, shown(3).await, shown(4).await];
        (rows.len(), all)
    };
    put(&store, at(5, 9), [gold(1)]).await;
    assert_eq!(now(&store).await, (1, [1, 0, 0, 0]));
    for old in [at(5, 8), at(4, 100)] {
        put(&store, old, [gold(2)]).await;
    }
    assert_eq!(now(&store).await, (1, [1, 0, 0, 0]), "older rows are dropped");
    put(&store, at(5, 9), [gold(2)]).await;
    assert_eq!(now(&store).await, (1, [0, 1, 0, 0]), "the same position replaces");
    put(&store, at(6, 9), [gold(3)]).await;
    assert_eq!(now(&store).await, (1, [0, 0, 1, 0]), "a newer term replaces");
    // The order within one call counts too.
    let rows = [(at(6, 11), 4), (at(6, 10), 1)].map(|(at, n)| RowOf { at, row: gold(n) });
    store.put_rows(&registry(), rows.into()).await.unwrap();
    assert_eq!(now(&store).await, (1, [0, 0, 0, 1]));
    // Epochs are milliseconds, and fill more than 53 bits at most at the end of time.
    put(&store, at(u64::MAX >> 1, u64::MAX >> 1), [gold(1)]).await;
    put(&store, at((u64::MAX >> 1) - 1, 12), [gold(2)]).await;
    assert_eq!(now(&store).await, (1, [1, 0, 0, 0]), "positions are compared exactly");
}

async fn pages_hang_together(store: Subject) {
    let rows: Vec<_> = (0..ROWS).map(nth).collect();
    put(&store, at(1, 1), rows.clone()).await;
    for text in ["", "PlayerStatus = 'in_room' ORDER BY Score DESC, Gold", "PlayerLevel >= 3"] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (rows, next) = page(&store, text, after, 17).await;
            assert!(rows.len() == 17 || next.is_none());
            seen.extend(rows.iter().map(|row| row.player().to_string()));
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, wanted(&rows, text), "{text}");
    }
}

async fn counts_add_up(store: Subject) {
    let rows: Vec<_> = (0..ROWS).map(nth).collect();
    put(&store, at(1, 1), rows.clone()).await;
    let registry = registry();
    for (text, by) in [
        ("", "PlayerStatus"),
        ("PlayerLevel >= 10", "CurrentRoom"),
        ("CurrentRoom = 'dungeon-7'", "PlayerStatus"),
        ("Gold = 3 OR PlayerLevel = 4 OR Gold IN (3, 4)", "Banned"),
    ] {
        let query = parse(&registry, text).unwrap();
        let mut expected = Counts::by(&registry, by).unwrap();
        rows.iter().filter(|row| query.matches(row, NOW_MS)).for_each(|row| expected.offer(row));
        let counts = Counts::by(&registry, by).unwrap();
        let answer = ask(&store, text, Want::Counts(counts)).await;
        assert_eq!(answer, Found::Counts(expected), "{text} by {by}");
    }
}

/// All rows, walked in pieces.
async fn walked(store: &Subject, limit: usize) -> BTreeMap<String, RowOf> {
    let mut all = BTreeMap::new();
    for partition in 0..store.partitions() {
        let mut after = None;
        loop {
            let rows = store.rows(&registry(), partition, after, limit).await.unwrap();
            assert!(rows.windows(2).all(|two| two[0].row.player() < two[1].row.player()));
            after = rows.last().map(|last| last.row.player().clone());
            let len = rows.len();
            for row in rows {
                assert_eq!(store.partition_of(&row.actor()), partition);
                assert!(all.insert(row.row.player().to_string(), row).is_none(), "once each");
            }
            if len < limit {
                break;
            }
        }
    }
    all
}

async fn rows_are_walked_by_partition(store: Subject) {
    put(&store, at(1, 1), (0..ROWS).map(nth)).await;
    put(&store, at(3, 7), [nth(5)]).await;
    for limit in [1, 7, 1_000] {
        let all = walked(&store, limit).await;
        assert_eq!(all.len() as u64, ROWS);
        for n in 0..ROWS {
            let known = &all[&format!("p{n}")];
            assert_eq!(known.at, if n == 5 { at(3, 7) } else { at(1, 1) });
            assert_eq!(known.row, nth(n));
        }
    }
}

async fn rows_go_only_as_they_were_seen(store: Subject) {
    put(&store, at(1, 1), (0..10).map(nth)).await;
    put(&store, at(1, 2), [nth(3)]).await;
    let player = |n: u64| PlayerId::new(&format!("p{n}")).unwrap();
    let doomed = vec![(player(2), at(1, 1)), (player(3), at(1, 1)), (player(99), at(1, 1))];
    store.drop_rows(&registry(), doomed).await.unwrap();
    assert_eq!(found(&store, "").await.len(), 9);
    assert_eq!(found(&store, "PlayerId = 'p2' OR PlayerLevel = 2").await, [""; 0]);
    assert_eq!(found(&store, "PlayerId = 'p3' OR PlayerLevel = 3").await, ["p3"]);
    // What has gone leaves nothing behind, and may come back older than it was.
    put(&store, at(0, 1), [nth(2)]).await;
    assert_eq!(found(&store, "PlayerLevel = 2").await, ["p2"]);
}

async fn entries_match_their_rows(store: Subject) {
    for round in 0..4 {
        put(&store, at(1, round), (0..ROWS).map(|n| renamed(&nth(n + round * 31), n))).await;
    }
    for mends in [false, true, false] {
        let mut all = EntriesFound::default();
        for partition in 0..store.partitions() {
            let found = store.check_entries(&registry(), partition, mends).await.unwrap();
            all = all.and(found);
        }
        assert_eq!(all, EntriesFound { rows: ROWS, missing: 0, stray: 0 });
    }
}

async fn rows_are_written_from_many_sides(store: Subject) {
    let writes = (1..=20_u64).map(|round| {
        // Later rounds come first now and then.
        let seq = if round % 2 == 0 { round } else { 21 - round };
        let rows = (0..50).map(|n| RowOf { at: at(1, seq), row: renamed(&nth(n + seq), n) });
        store.put_rows(&registry(), rows.collect())
    });
    for answer in join_all(writes.collect::<Vec<_>>()).await {
        answer.unwrap();
    }
    let rows: Vec<_> = (0..50).map(|n| renamed(&nth(n + 20), n)).collect();
    for text in QUERIES {
        assert_eq!(found(&store, text).await, wanted(&rows, text), "{text}");
    }
}
