//! What happens where a queue between nodes is full: it is said at once, and nothing that was
//! accepted is lost. The queues of the mail itself are tested beside it.

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use holdfast::actor::envelope::CallError;
use holdfast::clock::Clock;

use crate::houses::{City, House, Plan};
use crate::support::{PATIENCE, eventually};
use crate::toy::{Order, order, query, toy};

/// Long, so that no node is slow by the machine's doing: the clock is moved.
const TTL_MS: u64 = 60_000;
/// Mail that waits for one actor.
const WAITING_MAX: usize = 256;

async fn pair(away_len_max: usize) -> (City, House, House) {
    let city = City::on(Clock::movable(), TTL_MS);
    let mut plan = Plan::default();
    plan.runtime.away_len_max = away_len_max;
    plan.runtime.idle_ms = 100 * TTL_MS;
    let (one, two) = (city.build("one", &plan).await, city.build("two", &plan).await);
    (city, one, two)
}

/// Sends so many orders, of which none is answered by the actor: how many hear BUSY at once.
async fn turned_away(one: &House, two: &House, sent: usize, expected: usize) {
    // The way is known, and the answers are lost.
    order(&two.runtime, &toy("a"), &Order::Add(1)).await.unwrap();
    one.lose_mail(true);
    let send = |_| {
        let runtime = two.runtime.clone();
        async move { order(&runtime, &toy("a"), &Order::Add(1)).await }
    };
    let mut orders: FuturesUnordered<_> = (0..sent).map(send).collect();
    for _ in 0..expected {
        assert_eq!(orders.next().await, Some(Err(CallError::Busy)));
    }
    // One more comes and goes: by then all others have been taken.
    assert_eq!(order(&two.runtime, &toy("a"), &Order::Add(1)).await, Err(CallError::Busy));
    assert_eq!(two.runtime.stats().mail_overflows.get(), expected as u64 + 1);
    assert_eq!(orders.len(), sent - expected, "taken, and not answered yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_to_other_nodes_are_bounded_by_worker() {
    let (_city, one, two) = pair(8).await;
    order(&one.runtime, &toy("a"), &Order::Add(1)).await.unwrap();
    turned_away(&one, &two, 11, 3).await;
    one.kill();
    two.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_to_other_nodes_are_bounded_by_actor() {
    let (_city, one, two) = pair(16_384).await;
    order(&one.runtime, &toy("a"), &Order::Add(1)).await.unwrap();
    turned_away(&one, &two, WAITING_MAX + 5, 5).await;
    one.kill();
    two.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_to_other_nodes_are_bounded_and_end() {
    let (city, one, two) = pair(4).await;
    let key = |n: usize| toy(&format!("k{n}"));
    for n in 0..6 {
        order(&one.runtime, &key(n), &Order::Add(1)).await.unwrap();
    }
    for n in 0..4 {
        order(&two.runtime, &key(n), &Order::Add(1)).await.unwrap();
    }
    for n in 4..6 {
        assert_eq!(order(&two.runtime, &key(n), &Order::Add(1)).await, Err(CallError::Busy));
    }
    assert_eq!(two.runtime.stats().mail_overflows.get(), 2);
    // What is known goes on, and routes end when nothing was heard for a lease's time.
    assert_eq!(query(&two.runtime, &key(0), false).await.unwrap().sum, 2);
    city.pass(TTL_MS + 2_000, &[&one, &two]).await;
    order(&two.runtime, &key(4), &Order::Add(1)).await.unwrap();
    assert_eq!(query(&one.runtime, &key(4), true).await.unwrap().sum, 2);
    one.drain().await;
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_beyond_those_that_are_listed_arrive_once_all_the_same() {
    let (city, one, two) = pair(16_384).await;
    order(&one.runtime, &toy("a"), &Order::Add(0)).await.unwrap();
    order(&two.runtime, &toy("a"), &Order::Add(0)).await.unwrap();
    two.lose_mail(true);
    let tell = Order::Tell { to: toy("a"), order: Box::new(Order::Add(1)), creates: false };
    let senders = [toy("b"), toy("c")];
    let tells = senders.iter().cycle().take(300);
    let done = join_all(tells.map(|sender| order(&two.runtime, sender, &tell))).await;
    let sent = done.iter().filter(|done| done.is_ok()).count();
    assert!(sent > WAITING_MAX, "only {sent} were sent");
    two.lose_mail(false);
    eventually("all tells to arrive", PATIENCE, async || {
        city.pass(1_000, &[&one, &two]).await;
        let sum = query(&one.runtime, &toy("a"), true).await.ok()?.sum;
        (sum == sent as u64).then_some(())
    })
    .await;
    assert_eq!(one.runtime.stats().fenced.get(), 0);
    one.drain().await;
    two.drain().await;
}
