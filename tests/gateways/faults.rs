//! Faults of Redis under load, while the gateways that hold the players live: nothing that was
//! acknowledged is lost or done twice. Each is a row of one table.

use std::time::Duration;

use holdfast_protocol::client::Verb;
use holdfast_protocol::server::PlayerState;
use loadtest::bot::Bot;
use tokio::time::sleep;

use super::{pace, pair, urls};
use crate::storm::Storm;
use crate::support::gateways::Gateways;
use crate::support::redis::{Aof, Redis};
use crate::support::{eventually, seed};

const PLAYERS: usize = 60;

/// Plays a crowd through a fault of one Redis.
async fn endure(name: &str, redis: &mut Redis, fault: impl AsyncFnOnce(&mut Redis)) {
    let url = redis.url();
    through(name, &url, async || fault(redis).await).await;
}

/// Plays a crowd through a fault and checks it; writes its row.
pub(super) async fn through(name: &str, store: &str, fault: impl AsyncFnOnce()) {
    storm(name, &mut pair(store).await, async |_| fault().await).await;
}

/// The same with these gateways, which the fault may touch too.
pub(super) async fn storm(
    name: &str,
    gateways: &mut Gateways,
    fault: impl AsyncFnOnce(&mut Gateways),
) {
    let seed = seed();
    let storm = Storm::begin(PLAYERS, &urls(gateways), seed, pace()).await;
    sleep(Duration::from_secs(3)).await;
    fault(gateways).await;
    sleep(Duration::from_secs(6)).await;
    let mut crowd = storm.end().await;
    crowd.check().await;
    crowd.report(name);
    let done = crowd.done();
    assert!(done >= 5 * PLAYERS as u64, "only {done} commands were done");
}

async fn restart_after(redis: &mut Redis, away: Duration) {
    redis.kill().await;
    sleep(away).await;
    redis.start_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_back_after_half_a_second_with_every_write_synced() {
    let mut redis = Redis::single(Aof::Always).await;
    endure("kill -9, back after 0.5 s, appendfsync always", &mut redis, async |redis| {
        restart_after(redis, Duration::from_millis(500)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_back_after_five_seconds_with_every_write_synced() {
    let mut redis = Redis::single(Aof::Always).await;
    endure("kill -9, back after 5 s, appendfsync always", &mut redis, async |redis| {
        restart_after(redis, Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_back_after_half_a_second_with_a_second_at_stake() {
    let mut redis = Redis::single(Aof::EverySecond).await;
    endure("kill -9, back after 0.5 s, appendfsync everysec", &mut redis, async |redis| {
        restart_after(redis, Duration::from_millis(500)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_back_after_five_seconds_with_a_second_at_stake() {
    let mut redis = Redis::single(Aof::EverySecond).await;
    endure("kill -9, back after 5 s, appendfsync everysec", &mut redis, async |redis| {
        restart_after(redis, Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_flushed() {
    let mut redis = Redis::single(Aof::EverySecond).await;
    endure("SCRIPT FLUSH", &mut redis, async |redis| {
        let _: String = redis.ask(&["SCRIPT", "FLUSH"]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_clients_paused_for_three_seconds() {
    let mut redis = Redis::single(Aof::EverySecond).await;
    endure("CLIENT PAUSE 3 s", &mut redis, async |redis| {
        let _: String = redis.ask(&["CLIENT", "PAUSE", "3000", "ALL"]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_memory_left_for_three_seconds() {
    let mut redis = Redis::single(Aof::EverySecond).await;
    endure("maxmemory reached for 3 s", &mut redis, async |redis| {
        let _: String = redis.ask(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
        sleep(Duration::from_secs(3)).await;
        let _: String = redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_cut() {
    let mut redis = Redis::single(Aof::EverySecond).await;
    endure("CLIENT KILL of every connection, five times", &mut redis, async |redis| {
        for _ in 0..5 {
            let _: i64 = redis.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
            sleep(Duration::from_millis(400)).await;
        }
    })
    .await;
}

/// A store that came back empty is no place to make the players anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_comes_back_empty_is_not_served_from() {
    let mut redis = Redis::single(Aof::Off).await;
    let gateways = pair(&redis.url()).await;
    let mut alice = Bot::enter(&gateways.all[0].ws(), "alice", None).await.unwrap();
    alice.command(crate::scenario::join("den")).await.unwrap();
    redis.kill().await;
    redis.start_again().await;
    let said = |log: String| log.contains("wiped");
    eventually(
        "the gateways to say that the store was wiped",
        crate::support::PATIENCE,
        async || gateways.all.iter().all(|gateway| said(gateway.log())).then_some(()),
    )
    .await;
    let keys: i64 = redis.ask(&["DBSIZE"]).await;
    let journals: Vec<String> = redis.ask(&["KEYS", "hf:*:j:*"]).await;
    assert!(journals.is_empty(), "made anew in a wiped store: {journals:?} among {keys} keys");
}

/// A promoted replica may not have an actor that is younger than what it had; who holds it has all.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_lost_alone_is_written_back_from_memory() {
    let redis = Redis::single(Aof::Off).await;
    let gateways = pair(&redis.url()).await;
    let url = gateways.all[0].ws();
    let mut alice = Bot::enter(&url, "alice", None).await.unwrap();
    alice.command(crate::scenario::join("den")).await.unwrap();
    let keys: Vec<String> = redis.ask(&["KEYS", "hf:*:?:player:alice"]).await;
    assert!(keys.iter().any(|key| key.contains(":j:")), "{keys:?}");
    let delete = ["DEL"].into_iter().chain(keys.iter().map(String::as_str)).collect::<Vec<_>>();
    let deleted: i64 = redis.ask(&delete).await;
    assert_eq!(deleted, i64::try_from(keys.len()).unwrap());
    for room in ["hall", "den", "hall"] {
        alice.command(crate::scenario::join(room)).await.unwrap();
    }
    drop(alice);
    // Another node finds all of it: what was there before and what came after.
    let mut alice = Bot::enter(&gateways.all[1].ws(), "alice", None).await.unwrap();
    let state: PlayerState = alice.query(Verb::GetState {}).await.unwrap();
    assert_eq!(state.total_actions_count, 4);
    assert!(gateways.all.iter().all(|gateway| !gateway.log().contains("halted")));
    assert!(gateways.all[0].log().contains("nothing of this actor"), "an operator is told");
}
