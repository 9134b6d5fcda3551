//! Finished trades leave nothing: not in the store, not in memory, not in the players who traded.
//!
//! `HOLDFAST_TRADES=1000000` plays so many; without it a few thousand. The clock is the test's: a
//! player begins one trade a second, and a day passes at the end.

use futures::future::join_all;
use holdfast_protocol::client::Verb;
use holdfast_protocol::goods::Goods;
use holdfast_protocol::ids::PlayerId;
use holdfast_protocol::server::PlayerState;

use crate::inproc::{Client, payload};
use crate::longevity::{House, at_most_a_fifth_more, house, worst_load};
use crate::support::eventually;

/// Players in a ring: each gives to the next.
const PLAYERS: usize = 50;
/// How often the run says how far it is.
const ROUNDS_A_LINE: u64 = 200;
const DAY_MS: u64 = 86_400_000;
/// The longest that the last trades may take to be gone, in real time.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

fn name(n: usize) -> String {
    format!("trader-{}", n % PLAYERS)
}

fn gift(to: usize) -> Verb {
    let to = PlayerId::new(&name(to)).unwrap();
    Verb::Gift { to, give: Goods { gold: Some(1), items: vec![] } }
}

/// Everyone gives the next one a coin of gold.
async fn round(house: &House, clients: &mut [Client]) {
    let gifts = clients.iter_mut().enumerate().map(async |(n, client)| {
        let outcome = client.command(&gift(n + 1)).await;
        assert!(outcome.result.is_ok(), "{outcome:?}");
    });
    join_all(gifts).await;
    house.clock.advance(1_000);
}

async fn all_forgotten(house: &House) {
    eventually("all trades to be forgotten", PATIENCE, async || {
        house.clock.advance(5_000);
        house.store.actors("trade", None, 1).await.unwrap().is_empty().then_some(())
    })
    .await;
}

async fn gold(house: &House, client: &Client) -> u64 {
    let answer = house.runtime.query(&client.actor, payload(&Verb::GetState {}), false).await;
    let state: PlayerState = serde_json::from_slice(&answer.unwrap().body).unwrap();
    assert!(state.trades.is_empty(), "{state:?}");
    state.gold
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_trades_leave_no_keys_and_no_player_grown() {
    let trades = std::env::var("HOLDFAST_TRADES").map_or(2_000, |n| n.parse().unwrap());
    let house = house();
    let mut clients = Vec::new();
    for n in 0..PLAYERS {
        clients.push(Client::hello(&house.runtime, &name(n)).await.0);
    }
    let rounds = u64::div_ceil(trades, PLAYERS as u64);
    for n in 1..=rounds {
        round(&house, &mut clients).await;
        if n % ROUNDS_A_LINE == 0 || n == rounds {
            let played = n * PLAYERS as u64;
            let live = house.runtime.stats().activations.get();
            println!("{played} of {trades} trades, {live} actors in memory");
        }
    }
    all_forgotten(&house).await;
    assert_eq!(house.runtime.stats().erased.get(), rounds * PLAYERS as u64);
    house.clock.advance(DAY_MS);
    assert_eq!(house.store.due(0, None, u64::MAX, 1_000).await.unwrap().len(), PLAYERS);
    let mut sum = 0;
    for client in &clients {
        sum += gold(&house, client).await;
    }
    assert_eq!(sum, 100 * PLAYERS as u64);
    let (mut young, _) = Client::hello(&house.runtime, "young").await;
    let young = worst_load(&house, &mut young).await;
    let old = worst_load(&house, &mut clients[0]).await;
    println!("records and bytes of a player: without trades {young:?}, after {rounds} {old:?}");
    assert!(at_most_a_fifth_more(old.1, young.1), "bytes: {old:?} against {young:?}");
    assert_eq!(house.runtime.stats().alarms.get(), 0);
    house.runtime.drain().await;
}
