//! Both gateways are restarted, one after the other, under load.

use std::time::Duration;

use tokio::time::sleep;

use super::{pace, pair, urls};
use crate::storm::{Storm, results};
use crate::support::redis::{Aof, Redis};
use crate::support::seed;

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_no_command() {
    let seed = seed();
    let redis = Redis::single(Aof::EverySecond).await;
    let mut gateways = pair(&redis.url()).await;
    let storm = Storm::begin(200, &urls(&gateways), seed, pace()).await;
    for gateway in &mut gateways.all {
        sleep(Duration::from_secs(3)).await;
        gateway.stop().await;
        gateway.start_again().await;
    }
    sleep(Duration::from_secs(3)).await;
    let mut crowd = storm.end().await;
    crowd.check().await;
    let fault = "rolling restart of both gateways";
    let moved = results::recoveries(fault, &crowd.survivors);
    crowd.report(fault);
    assert_eq!(moved, crowd.survivors.len(), "everybody was on a gateway that was restarted");
}
