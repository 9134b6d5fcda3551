//! Two runtimes over one store: the second claims on contact, the first is fenced, and nothing
//! that was acknowledged is lost.

use holdfast::actor::activity::Activities;
use holdfast::actor::envelope::{CallError, Closing};
use holdfast::actor::handle::Runtime;
use holdfast::clock::Clock;
use holdfast::store::Store;

use crate::support::{PATIENCE, eventually};
use crate::toy::store::Bent;
use crate::toy::{Line, Order, alone, order, query, start, toy};

struct Houses {
    store: Bent,
    one: Runtime,
    two: Runtime,
}

fn houses() -> Houses {
    let clock = Clock::movable();
    let store = Bent::new(&clock);
    Bent::turn(&store.switches().no_due, true);
    let runtime = || start(store.shared(), &clock, Activities::default(), &alone());
    let (one, two) = (runtime(), runtime());
    Houses { store, one, two }
}

impl Houses {
    async fn drain(self) {
        self.one.drain().await;
        self.two.drain().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_claims_and_the_first_is_fenced() {
    let houses = houses();
    let mut line = Line::open(&houses.one, "a").await;
    let mut sent = 0;
    let mut more = async |line: &mut Line, n: u64| {
        for _ in 0..n {
            sent += 1;
            line.send(sent, &Order::Add(1)).await;
        }
    };
    more(&mut line, 40).await;
    order(&houses.two, &toy("a"), &Order::Add(1_000)).await.unwrap();
    more(&mut line, 20).await;
    let (ok, why) = line.acknowledged().await;
    assert_eq!(why, Closing::Lost);
    let state = query(&houses.two, &toy("a"), true).await.unwrap();
    // Whether the last record of the first was written may not be known to its player.
    assert!(state.sum >= 1_000 + ok, "{ok} were acknowledged, but the sum is {}", state.sum);
    assert!(state.sum <= 1_060, "executed twice: {}", state.sum);
    houses.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_a_lost_connection_do_not_take_the_actor_back() {
    let houses = houses();
    let (one, two) = (&houses.one, &houses.two);
    let mut line = Line::open(one, "a").await;
    order(two, &toy("a"), &Order::Add(1)).await.unwrap();
    line.send(1, &Order::Add(1)).await;
    line.acknowledged().await;
    let tip = houses.store.tip(&toy("a")).await.unwrap();
    // The client has not heard yet that its connection is lost.
    line.send(2, &Order::Add(1)).await;
    let read = (line.connection.clone(), 3, bytes::Bytes::new());
    one.read(&toy("a"), read.0, read.1, read.2).await;
    // Later mail of the same worker has been served, from claim to answer.
    for key in ["b", "c"] {
        order(one, &toy(key), &Order::Add(1)).await.unwrap();
    }
    assert_eq!(houses.store.tip(&toy("a")).await.unwrap(), tip, "the first has claimed it back");
    houses.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linearizable_read_never_comes_from_a_stale_activation() {
    let houses = houses();
    let (one, two) = (&houses.one, &houses.two);
    let mut sum = 1;
    order(one, &toy("a"), &Order::Add(1)).await.unwrap();
    for _ in 0..10 {
        // A command that finds its activation fenced was not executed.
        let again = async || order(two, &toy("a"), &Order::Add(1)).await.ok();
        eventually("an answer", PATIENCE, again).await;
        sum += 1;
        let read =
            eventually("an answer", PATIENCE, async || match query(one, &toy("a"), true).await {
                Err(CallError::Busy) => None,
                other => Some(other.unwrap()),
            })
            .await;
        assert_eq!(read.sum, sum, "a stale answer");
    }
    houses.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tip_that_can_not_be_read_costs_no_one_the_connection() {
    let houses = houses();
    let mut line = Line::open(&houses.one, "a").await;
    Bent::turn(&houses.store.switches().no_tip, true);
    assert_eq!(query(&houses.one, &toy("a"), true).await, Err(CallError::Busy));
    Bent::turn(&houses.store.switches().no_tip, false);
    line.send(1, &Order::Add(1)).await;
    assert!(line.reply(1).await.result.is_ok());
    assert_eq!(query(&houses.one, &toy("a"), true).await.unwrap().sum, 1);
    houses.drain().await;
}
