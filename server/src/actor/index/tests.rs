//! The writer, over the reference store.

use super::*;
use crate::search::{Declaration, Query, Type};
use crate::store::attributes::{Found, Search, Want};
use crate::store::memory::Memory;

struct Rig {
    store: Arc<dyn Store>,
    rows: IndexHandle,
    stats: Arc<Stats>,
}

fn rig() -> Rig {
    let clock = Clock::system();
    let store: Arc<dyn Store> = Arc::new(Memory::new(clock.clone()));
    let mut registry = Registry::default();
    registry.declare(Declaration::stored("Health", Type::Integer)).unwrap();
    let index = Index { registry: Arc::new(registry), node: "gw-1".into() };
    let stats = Arc::<Stats>::default();
    let rows = IndexHandle::start(index, Arc::clone(&store), clock, Arc::clone(&stats));
    Rig { store, rows, stats }
}

fn gold(seq: u64, gold: u64, leaves: bool) -> Offer {
    let builtin = vec![(Builtin::Gold, gold.into())];
    let attributes = Attributes { builtin, declared: vec![("Health", gold.into())] };
    Offer { at: RowAt { epoch: 1, seq }, attributes, leaves }
}

impl Rig {
    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.rows.0.as_ref().unwrap().index.registry)
    }

    async fn all(&self) -> Vec<Row> {
        let want = Want::Page { after: None, limit: 1_000 };
        let query = Arc::new(Query::default());
        let search = Search { registry: self.registry(), query, now_ms: 0, want };
        match self.store.search(search).await.unwrap() {
            Found::Page { rows, .. } => rows,
            other => panic!("{other:?}"),
        }
    }
}

fn player(name: &str) -> ActorId {
    ActorId::player(&PlayerId::new(name).unwrap())
}

fn shown(rows: &[Row], registry: &Registry) -> Vec<String> {
    let show = |row: &Row| {
        let of = |name: &str| row.value(registry.find(name).unwrap(), 0);
        format!("{} {:?} {:?} {:?}", row.player(), of("Gold"), of("Health"), of("Node"))
    };
    rows.iter().map(show).collect()
}

#[tokio::test]
async fn the_newest_offer_is_written_and_only_of_players() {
    let rig = rig();
    for seq in 1..=40 {
        assert!(rig.rows.offer(&player("alice"), gold(seq, seq, false)));
    }
    assert!(rig.rows.offer(&player("bob"), gold(1, 5, true)));
    assert!(rig.rows.offer(&"room:dungeon-7".parse().unwrap(), gold(1, 5, false)));
    rig.rows.finish().await;
    let shown = shown(&rig.all().await, &rig.registry());
    let alice = "alice Some(Integer(40)) Some(Integer(40)) Some(Text(\"gw-1\"))";
    assert_eq!(shown, [alice, "bob Some(Integer(5)) Some(Integer(5)) None"]);
    assert_eq!(rig.stats.rows_waiting.get(), 0);
    assert!(rig.stats.rows_written.get() < 42, "offers that came meanwhile are one row");
}

#[tokio::test]
async fn what_the_rules_must_not_give_is_left_out() {
    let rig = rig();
    let mut offer = gold(1, 7, false);
    let Attributes { builtin, declared } = &mut offer.attributes;
    builtin.push((Builtin::IdleTime, 1_u64.into()));
    builtin.push((Builtin::Score, "much".into()));
    declared.push(("Undeclared", 1_u64.into()));
    assert!(rig.rows.offer(&player("alice"), offer));
    rig.rows.finish().await;
    let rows = rig.all().await;
    assert_eq!(rows[0].value(&Builtin::Score.attribute(), 0), None);
    assert_eq!(rows[0].value(&Builtin::IdleTime.attribute(), 0), None);
    assert_eq!(shown(&rows, &rig.registry())[0].split(' ').nth(1), Some("Some(Integer(7))"));
}

#[tokio::test]
async fn a_batch_that_failed_waits_again_unless_something_newer_does() {
    let rig = rig();
    rig.store.close().await.unwrap();
    assert!(rig.rows.offer(&player("alice"), gold(1, 1, false)));
    let shared = rig.rows.0.clone().unwrap();
    while rig.stats.rows_failed.get() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(shared.take().len(), 1, "it waits again");
    let offered =
        |seq| RowOf { at: RowAt { epoch: 1, seq }, row: Row::new(PlayerId::new("a").unwrap()) };
    assert!(shared.wait(offered(2)));
    shared.put_back(vec![offered(1)]);
    assert_eq!(shared.take(), [offered(2)]);
    rig.rows.finish().await;
}

#[tokio::test]
async fn beyond_the_bound_offers_are_refused() {
    let rig = rig();
    rig.store.close().await.unwrap();
    let shared = rig.rows.0.clone().unwrap();
    let row = |n: usize| {
        let player = PlayerId::new(&format!("p{n}")).unwrap();
        RowOf { at: RowAt::default(), row: Row::new(player) }
    };
    for n in 0..WAITING_MAX {
        assert!(shared.wait(row(n)));
    }
    assert!(!rig.rows.offer(&player("one-more"), gold(1, 1, false)), "I7");
    assert!(shared.wait(row(7)), "who waits already has a place");
    assert_eq!(rig.stats.rows_refused.get(), 1);
}

#[test]
fn batches_go_round_by_partition() {
    let place = |partition, n: usize| (partition, PlayerId::new(&format!("p{n:04}")).unwrap());
    let row = |player: &PlayerId| RowOf { at: RowAt::default(), row: Row::new(player.clone()) };
    let mut waiting = Waiting::default();
    let wait = |waiting: &mut Waiting, (partition, player): Place| {
        waiting.rows.insert((partition, player.clone()), row(&player));
    };
    for n in 0..BATCH_LEN + 10 {
        wait(&mut waiting, place(u16::from(n % 2 == 0), n));
    }
    let first = waiting.take();
    assert_eq!(first.len(), BATCH_LEN);
    let odd = |row: &RowOf| row.row.player().as_str().ends_with(['1', '3', '5', '7', '9']);
    assert!(first.is_sorted_by_key(|row| !odd(row)), "one partition, then the other");
    // Who comes in front does not go before those whose turn it is.
    wait(&mut waiting, place(0, 1));
    let second = waiting.take();
    let first_and_last = [second.first(), second.last()].map(|row| row.unwrap().row.player());
    assert_eq!(second.len(), 11);
    assert_eq!(first_and_last.map(PlayerId::as_str), ["p0502", "p0001"]);
    assert!(waiting.take().is_empty());
}
