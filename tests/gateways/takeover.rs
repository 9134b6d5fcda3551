//! kill -9 of one gateway of two: its players go on at the other at once, and what no player
//! comes back for is adopted.

use std::time::Duration;

use holdfast_protocol::client::Verb;
use holdfast_protocol::server::WhoBody;
use loadtest::bot::Bot;
use tokio::time::sleep;

use super::{options, pace, pair, urls};
use crate::scenario::join;
use crate::storm::{Storm, results};
use crate::support::gateways::Gateways;
use crate::support::redis::{Aof, Redis};
use crate::support::{PATIENCE, eventually, seed};

#[tokio::test(flavor = "multi_thread")]
async fn four_hundred_players_survive_the_kill_of_one_gateway_of_two() {
    let seed = seed();
    let redis = Redis::single(Aof::EverySecond).await;
    let mut gateways = pair(&redis.url()).await;
    let storm = Storm::begin(400, &urls(&gateways), seed, pace()).await;
    // Some time of play before, and after; the kill may come at any moment of it.
    sleep(Duration::from_secs(4)).await;
    gateways.all[0].kill().await;
    sleep(Duration::from_secs(5)).await;
    let mut crowd = storm.end().await;
    crowd.check().await;
    let fault = "kill -9 of one gateway of two";
    let moved = results::recoveries(fault, &crowd.survivors);
    crowd.report(fault);
    assert!(moved >= 200, "only {moved} players had to move");
}

/// A player whose gateway died and who never comes back leaves the room by its own deadline,
/// which the other gateway adopts.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_gateway_owed_goes_on_without_a_client() {
    let redis = Redis::single(Aof::EverySecond).await;
    let options = options().with(&["--linkdead-ms", "1000"]);
    let mut gateways = Gateways::start(2, |_| redis.url(), options).await;
    let mut alice = Bot::enter(&gateways.all[0].ws(), "alice", None).await.unwrap();
    let mut bob = Bot::enter(&gateways.all[1].ws(), "bob", None).await.unwrap();
    for bot in [&mut alice, &mut bob] {
        bot.command(join("dungeon-7")).await.unwrap();
    }
    gateways.all[0].kill().await;
    drop(alice);
    eventually("alice to have left", PATIENCE, async || {
        let who: WhoBody = bob.query(Verb::Who {}).await.unwrap();
        let there =
            who.players.iter().any(|row| row.player.as_str() == "alice" && row.room.is_some());
        (!there).then_some(())
    })
    .await;
}
