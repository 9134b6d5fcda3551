//! Memory that outlives its activation: the store goes back behind a change of hands, and what the
//! one before had acknowledged comes back from its memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use holdfast::actor::activity::Activities;
use holdfast::actor::connection::Connection;
use holdfast::actor::envelope::{Attach, CallError, Delivery, Refusal};
use holdfast::actor::handle::{Config, Runtime};
use holdfast::clock::Clock;
use holdfast::store::durability::Durability;
use holdfast::store::memory::fleet::MemoryFleet;
use holdfast::store::redis::{Options, Redis};
use holdfast::store::{Claim, Claimed, Owner, Store, Tip};

use crate::houses::{City, House, Plan, TTL_MS};
use crate::support::redis::Aof;
use crate::support::redis::deploy::Pair;
use crate::support::{PATIENCE, eventually};
use crate::toy::store::Bent;
use crate::toy::{Line, Order, alone, order, query, start, toy};

/// For how long memory is kept, unless a test says otherwise.
const STABLE_MS: u64 = 3_000;
/// A node session that claims and is never heard of again.
const NOBODY: u64 = 77;

fn city(stable_after_ms: u64) -> City {
    let city = City::new();
    city.store.switches().stable_after_ms.store(stable_after_ms, Ordering::SeqCst);
    city
}

async fn add(rt: &Runtime, key: &str, times: u64) {
    for _ in 0..times {
        order(rt, &toy(key), &Order::Add(1)).await.unwrap();
    }
}

async fn tip(store: &dyn Store, key: &str) -> Option<Tip> {
    store.tip(&toy(key)).await.ok().flatten()
}

/// Another node claims the actor, and its holder finds out.
async fn fence(store: &dyn Store, holder: &House, key: &str) {
    let epoch = tip(store, key).await.unwrap().epoch;
    let replaces = Some(Owner { session: holder.session(), epoch });
    let claim = Claim { actor: toy(key), session: NOBODY, creates: false, replaces };
    let claimed = store.claim(claim).await.unwrap();
    assert!(matches!(claimed, Claimed::Granted { .. }), "{claimed:?}");
    let fenced = || holder.runtime.stats().fenced.get();
    let before = fenced();
    assert_eq!(query(&holder.runtime, &toy(key), true).await, Err(CallError::Busy));
    // It is counted as fenced first, and then as lingering.
    let lingering = || holder.runtime.stats().lingering.get();
    let rests = async || (fenced() > before && lingering() > 0).then_some(());
    eventually("the holder to be fenced and to linger", PATIENCE, rests).await;
}

/// Waits until the store has this record of the actor again.
async fn back(store: &dyn Store, key: &str, seq: u64) {
    let back = async || tip(store, key).await.filter(|tip| tip.seq >= seq);
    eventually("the records to be back", PATIENCE, back).await;
}

async fn sum(rt: &Runtime, key: &str) -> u64 {
    let answer = async || query(rt, &toy(key), true).await.ok();
    eventually("an answer", PATIENCE, answer).await.sum
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fenced_holder_acknowledged_comes_back() {
    let city = city(STABLE_MS);
    let (one, two) = (city.house("one").await, city.house("two").await);
    add(&one.runtime, "a", 10).await;
    city.store.keep();
    add(&one.runtime, "a", 10).await;
    let before = tip(&city.store, "a").await.unwrap().seq;
    fence(&city.store, &one, "a").await;
    assert_eq!(one.runtime.stats().lingering.get(), 1);
    city.store.go_back();
    back(&city.store, "a", before).await;
    let free = async || city.owner("a").await.is_none().then_some(());
    eventually("the actor to be given up again", PATIENCE, free).await;
    assert_eq!(one.runtime.stats().reasserted.get(), 2, "written back, and confirmed");
    assert_eq!(one.runtime.stats().activations.get(), 0, "it serves again");
    assert_eq!(sum(&two.runtime, "a").await, 20);
    one.drain().await;
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_hand_over_comes_back() {
    let city = city(STABLE_MS);
    let (one, two) = (city.house("one").await, city.house("two").await);
    let line = Line::open(&one.runtime, "a").await;
    add(&one.runtime, "a", 10).await;
    city.store.keep();
    add(&one.runtime, "a", 10).await;
    let before = tip(&city.store, "a").await.unwrap().seq;
    let (store, once) = (city.store.clone(), AtomicBool::new(false));
    city.store.bend(move |_, loaded| {
        if !once.swap(true, Ordering::SeqCst) {
            // The other one has claimed, and reads in a history that lacks its claim.
            store.go_back();
            loaded.tip.history += 1;
        }
    });
    let connection = Connection::new(1, 16);
    let hello = Attach::Hello { payload: Bytes::new(), creates: true };
    two.runtime.attach(&toy("a"), connection.clone(), hello).await;
    let heard = tokio::time::timeout(PATIENCE, connection.next()).await.unwrap();
    let Delivery::Refused(why) = heard else { panic!("{heard:?}") };
    assert_eq!(*why, Refusal::Busy);
    back(&city.store, "a", before).await;
    assert_eq!(sum(&two.runtime, "a").await, 20);
    let stats = one.runtime.stats();
    assert_eq!((stats.handed_over.get(), stats.fenced.get()), (1, 0));
    drop(line);
    one.drain().await;
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_drain_comes_back_during_it() {
    let city = city(STABLE_MS);
    let (one, two) = (city.house("one").await, city.house("two").await);
    add(&one.runtime, "a", 10).await;
    city.store.keep();
    add(&one.runtime, "a", 10).await;
    let before = tip(&city.store, "a").await.unwrap().seq;
    let draining = tokio::spawn(one.drain());
    let free = async || city.owner("a").await.is_none().then_some(());
    eventually("the actor to be given up", PATIENCE, free).await;
    city.store.go_back();
    draining.await.unwrap();
    assert!(tip(&city.store, "a").await.unwrap().seq >= before, "acknowledged records are lost");
    assert_eq!(sum(&two.runtime, "a").await, 20);
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_kept_until_the_store_has_answered() {
    let city = city(100);
    let (one, two) = (city.house("one").await, city.house("two").await);
    add(&one.runtime, "a", 1).await;
    fence(&city.store, &one, "a").await;
    let gone = async || (one.runtime.stats().lingering.get() == 0).then_some(());
    eventually("what has had its time to be forgotten", PATIENCE, gone).await;
    add(&one.runtime, "a", 9).await;
    city.store.keep();
    add(&one.runtime, "a", 10).await;
    let before = tip(&city.store, "a").await.unwrap().seq;
    fence(&city.store, &one, "a").await;
    Bent::turn(&city.store.switches().no_tip, true);
    let over_ms = city.clock.now_ms() + 1_000;
    let over = async || (city.clock.now_ms() > over_ms).then_some(());
    eventually("its time to be over", PATIENCE, over).await;
    city.store.go_back();
    Bent::turn(&city.store.switches().no_tip, false);
    back(&city.store, "a", before).await;
    assert_eq!(sum(&two.runtime, "a").await, 20);
    one.drain().await;
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_activation_takes_the_place_of_memory_that_lingers() {
    let city = city(600_000);
    let one = city.house("one").await;
    add(&one.runtime, "a", 1).await;
    fence(&city.store, &one, "a").await;
    assert_eq!(one.runtime.stats().lingering.get(), 1);
    // Until the claimer is known to be in no lease table, the actor is looked for elsewhere.
    let added = async || order(&one.runtime, &toy("a"), &Order::Add(1)).await.ok();
    eventually("a new activation", PATIENCE, added).await;
    assert_eq!(one.runtime.stats().lingering.get(), 0);
    city.store.switches().stable_after_ms.store(0, Ordering::SeqCst);
    one.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_its_bound_the_oldest_memory_goes() {
    let city = city(600_000);
    let config = Config { activations_max: 8, ..alone() };
    let one = city.build("one", &Plan { runtime: config.clone(), ..Plan::default() }).await;
    for key in ["a", "b", "c"] {
        add(&one.runtime, key, 1).await;
    }
    city.store.keep();
    for key in ["a", "b", "c"] {
        add(&one.runtime, key, 1).await;
        fence(&city.store, &one, key).await;
    }
    let stats = one.runtime.stats();
    assert_eq!((stats.lingering.get(), stats.lingered_short.get()), (2, 1));
    city.store.go_back();
    for key in ["b", "c"] {
        back(&city.store, key, 2).await;
    }
    assert_eq!(tip(&city.store, "a").await.unwrap().seq, 1);
    // Written back, it lingers for as long again; this drain does not wait for it.
    drop(one);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_actor_stays_until_its_last_append_is_old_enough() {
    let clock = Clock::movable();
    let store = Bent::new(&clock);
    store.switches().stable_after_ms.store(STABLE_MS, Ordering::SeqCst);
    let config = Config { idle_ms: 0, ..alone() };
    let rt = start(store.shared(), &clock, Activities::default(), &config);
    add(&rt, "a", 1).await;
    let appended_ms = clock.now_ms();
    let stats = rt.stats();
    eventually("it to leave memory", PATIENCE, async || {
        clock.advance(100);
        (stats.activations.get() == 0).then_some(())
    })
    .await;
    let after_ms = store.switches().released_ms.load(Ordering::SeqCst) - appended_ms;
    assert!(after_ms >= STABLE_MS, "given up after {after_ms} ms");
    let gone = async || (stats.lingering.get() == 0).then_some(());
    eventually("its memory to go with the store's answer", PATIENCE, gone).await;
    rt.drain().await;
}

/// The replica has all that the primary has.
async fn in_step(pair: &Pair) {
    eventually("a replica in step", PATIENCE, async || {
        let offset = pair.replica.info("slave_repl_offset").await?;
        (offset == pair.primary.info("master_repl_offset").await?).then_some(())
    })
    .await;
}

/// The primary comes back with what its replica has.
async fn fail_back(pair: &Pair) {
    pair.demote().await;
    let _: String = pair.primary.ask(&["REPLICAOF", "NO", "ONE"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_fails_back_behind_a_claim_gets_it_from_memory() {
    let pair = Pair::start(Aof::Off).await;
    let clock = Clock::system();
    let open = async || {
        let address = pair.primary.url().parse().expect("an address");
        let options = Options { address, namespace: "hf".into(), level: Durability::Stored };
        let store = Redis::open(&options, clock.clone()).await.expect("the server answers");
        Arc::new(store) as Arc<dyn Store>
    };
    let fleet = MemoryFleet::new(clock.clone(), TTL_MS);
    let (store, other) = (open().await, open().await);
    let one = House::over(Arc::clone(&store), fleet.door(), &clock, &Plan::default(), "one")
        .await
        .unwrap();
    let two = House::over(other, fleet.door(), &clock, &Plan::default(), "two").await.unwrap();
    add(&one.runtime, "a", 10).await;
    in_step(&pair).await;
    // From here on the replica lags.
    pair.promote().await;
    add(&one.runtime, "a", 10).await;
    let before = tip(&*store, "a").await.unwrap();
    fence(&*store, &one, "a").await;
    fail_back(&pair).await;
    back(&*store, "a", before.seq).await;
    let stats = one.runtime.stats();
    let confirmed = async || (stats.reasserted.get() == 2).then_some(());
    eventually("what was written back to be confirmed", PATIENCE, confirmed).await;
    assert_eq!(stats.lost_tails.get(), 0);
    assert_eq!(sum(&two.runtime, "a").await, 20);
    one.drain().await;
    two.drain().await;
}
