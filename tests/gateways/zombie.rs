//! A gateway that is stopped for longer than its lease, and goes on.

use std::time::Duration;

use loadtest::bot::Bot;
use tokio::time::sleep;

use super::{pace, pair, urls};
use crate::scenario::join;
use crate::storm::{Storm, results};
use crate::support::redis::{Aof, Redis};
use crate::support::seed;

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_gateway_writes_nothing_old_and_serves_again() {
    let seed = seed();
    let redis = Redis::single(Aof::EverySecond).await;
    let gateways = pair(&redis.url()).await;
    let storm = Storm::begin(200, &urls(&gateways), seed, pace()).await;
    sleep(Duration::from_secs(3)).await;
    gateways.all[0].pause().await;
    // Longer than the lease of 1.5 s, and than its players' patience of 3 s.
    sleep(Duration::from_secs(6)).await;
    gateways.all[0].resume().await;
    sleep(Duration::from_secs(4)).await;
    let mut crowd = storm.end().await;
    crowd.check().await;
    let fault = "SIGSTOP of one gateway of two for 6 s";
    let moved = results::recoveries(fault, &crowd.survivors);
    crowd.report(fault);
    assert!(moved >= 90, "only {moved} players moved");
    // It serves again.
    let mut late = Bot::enter(&gateways.all[0].ws(), "late", None).await.unwrap();
    late.command(join("den-0-a")).await.unwrap();
}
