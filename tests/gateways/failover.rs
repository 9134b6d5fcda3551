//! Failovers under load, while the gateways that hold the players live: a promoted replica may lack
//! what was acknowledged last, and its holders write it back.

use super::faults::through;
use crate::support::redis::Aof;
use crate::support::redis::deploy::{Cluster, Sentinels};

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_that_are_asked_to_fail_over() {
    let sentinels = Sentinels::start(Aof::EverySecond).await;
    let name = "Sentinel failover, the primary demoted alive";
    through(name, &sentinels.url(), async || sentinels.fail_over().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_whose_primary_is_killed() {
    let mut sentinels = Sentinels::start(Aof::EverySecond).await;
    let name = "kill -9 of the primary, Sentinels promote its replica";
    let url = sentinels.url();
    through(name, &url, async || {
        sentinels.pair.primary.kill().await;
        sentinels.promoted(&sentinels.pair.replica).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_one_of_whose_primaries_is_killed() {
    let mut cluster = Cluster::start(Aof::EverySecond).await;
    let name = "kill -9 of one of three primaries of a cluster";
    let url = cluster.url();
    through(name, &url, async || {
        cluster.nodes[1].kill().await;
        cluster.promoted(&cluster.nodes[4]).await;
        cluster.well().await;
    })
    .await;
}
