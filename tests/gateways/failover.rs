//! Failovers under load, while the gateways that hold the players live: a promoted replica may lack
//! what was acknowledged last, and its holders write it back.

use std::time::Duration;

use tokio::time::sleep;

use super::faults::{storm, through};
use super::options;
use crate::support::gateways::Gateways;
use crate::support::redis::Aof;
use crate::support::redis::deploy::{Cluster, Pair, Sentinels};
use crate::support::{PATIENCE, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_that_are_asked_to_fail_over() {
    let sentinels = Sentinels::start(Aof::EverySecond).await;
    let name = "Sentinel failover asked for, everybody alive";
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

/// The connections live on, and what is written on them is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_made_a_replica_while_it_is_connected_to() {
    let pair = Pair::start(Aof::EverySecond).await;
    let name = "a demotion on living connections, undone after 3 s";
    through(name, &pair.primary.url(), async || {
        pair.promote().await;
        pair.demote().await;
        sleep(Duration::from_secs(3)).await;
        let heard = pair.primary.refusals("READONLY").await;
        println!("{heard} times READONLY");
        assert!(heard > 0, "nothing was written on a living connection");
        let _: String = pair.primary.ask(&["REPLICAOF", "NO", "ONE"]).await;
    })
    .await;
}

/// Here too the old primary and its connections live on, and it says where else to go.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_replica_is_asked_to_take_over() {
    let cluster = Cluster::start(Aof::EverySecond).await;
    let name = "CLUSTER FAILOVER asked for, everybody alive";
    through(name, &cluster.url(), async || {
        let _: String = cluster.nodes[4].ask(&["CLUSTER", "FAILOVER"]).await;
        cluster.promoted(&cluster.nodes[4]).await;
        eventually("the old primary to be a replica", PATIENCE, async || {
            (cluster.nodes[1].info("role").await? == "slave").then_some(())
        })
        .await;
        cluster.well().await;
    })
    .await;
    let heard = cluster.nodes[1].refusals("MOVED").await;
    println!("{heard} times MOVED");
    assert!(heard > 0, "nothing was sent to the old primary");
}

/// What only a gateway and the primary had is gone with both; at `replicated` there is none.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_and_the_primary_killed_together_at_replicated() {
    let mut sentinels = Sentinels::start(Aof::EverySecond).await;
    let options = options().with(&["--durability", "replicated:1"]);
    let mut gateways = Gateways::start(2, |_| sentinels.url(), options).await;
    let name = "gateway and primary killed together, replicated:1";
    storm(name, &mut gateways, async |gateways| {
        gateways.all[0].kill().await;
        sentinels.pair.primary.kill().await;
        sentinels.promoted(&sentinels.pair.replica).await;
        // The promoted one has no replica, and nothing is acknowledged until it has one.
        sentinels.pair.primary.start_again().await;
        eventually("the old primary to follow", PATIENCE, async || {
            let follows = sentinels.pair.primary.info("master_link_status").await?;
            (follows == "up").then_some(())
        })
        .await;
    })
    .await;
}
