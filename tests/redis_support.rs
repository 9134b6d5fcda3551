//! The tests' own Redis servers: each topology comes up, fails over, and keeps or loses what it
//! should. A test that trusts them trusts this.

use std::collections::HashMap;

use crate::support::gateways::Gateways;
use crate::support::redis::deploy::{Cluster, Pair, Sentinels};
use crate::support::redis::tls::Tls;
use crate::support::redis::{Aof, GATEWAY, OPERATOR, Redis, Setup, command, is_read_only};
use crate::support::{Options, PATIENCE, eventually};

async fn set(server: &Redis, value: &str) {
    let _: String = server.ask(&["SET", "hf:test", value]).await;
}

async fn get(server: &Redis) -> Option<String> {
    server.ask(&["GET", "hf:test"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_what_was_synced_and_nothing_without_a_file() {
    let mut kept = Redis::single(Aof::Always).await;
    set(&kept, "1").await;
    let before = kept.info("run_id").await;
    kept.crash().await;
    assert_eq!(get(&kept).await.as_deref(), Some("1"));
    assert_ne!(kept.info("run_id").await, before, "it is the same process");
    kept.wipe().await;
    assert_eq!(get(&kept).await, None);

    let mut lost = Redis::single(Aof::Off).await;
    set(&lost, "1").await;
    lost.crash().await;
    assert_eq!(get(&lost).await, None);

    let mut each_second = Redis::single(Aof::EverySecond).await;
    set(&each_second, "1").await;
    eventually("a sync", PATIENCE, async || {
        let waiting = each_second.info("aof_pending_bio_fsync").await?;
        let written = each_second.info("aof_buffer_length").await?;
        (waiting == "0" && written == "0").then_some(())
    })
    .await;
    each_second.crash().await;
    assert_eq!(get(&each_second).await.as_deref(), Some("1"), "SIGKILL loses no page cache");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_server_answers_nothing_until_it_goes_on() {
    let server = Redis::single(Aof::Off).await;
    server.pause().await;
    assert!(server.try_ask::<String>(&["PING"]).await.is_err());
    server.resume().await;
    let _: String =
        eventually("an answer", PATIENCE, async || server.try_ask(&["PING"]).await.ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_replica_has_the_writes_and_the_old_primary_follows() {
    let pair = Pair::start(Aof::Off).await;
    set(&pair.primary, "1").await;
    let refused = pair.replica.try_ask::<String>(&["SET", "hf:test", "2"]).await.unwrap_err();
    assert!(is_read_only(&refused), "{refused}");
    eventually("the write at the replica", PATIENCE, async || get(&pair.replica).await).await;
    pair.promote().await;
    set(&pair.replica, "2").await;
    pair.demote().await;
    assert_eq!(get(&pair.primary).await.as_deref(), Some("2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_promote_the_replica_of_a_killed_primary() {
    let mut all = Sentinels::start(Aof::EverySecond).await;
    assert_eq!(all.primary_port().await, Some(all.pair.primary.port()));
    set(&all.pair.primary, "1").await;
    eventually("the write at the replica", PATIENCE, async || get(&all.pair.replica).await).await;
    all.pair.primary.kill().await;
    all.promoted(&all.pair.replica).await;
    assert_eq!(get(&all.pair.replica).await.as_deref(), Some("1"));
    all.pair.primary.start_again().await;
    eventually("the old primary to follow", PATIENCE, async || {
        (all.pair.primary.info("role").await? == "slave").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_serves_every_slot_and_survives_a_primary() {
    let mut cluster = Cluster::start(Aof::EverySecond).await;
    let owner = cluster.primary_of("hf:test").await.port();
    let at = cluster.nodes.iter().position(|node| node.port() == owner).unwrap();
    assert!(at < 3, "a replica owns the slot");
    set(&cluster.nodes[at], "1").await;
    let moved = cluster.nodes[(at + 1) % 3].try_ask::<String>(&["GET", "hf:test"]).await;
    assert!(moved.unwrap_err().to_string().to_uppercase().contains("MOVED"));
    eventually("the write at the replica", PATIENCE, async || {
        let offset = cluster.nodes[at + 3].info("slave_repl_offset").await?;
        (offset == cluster.nodes[at].info("master_repl_offset").await?).then_some(())
    })
    .await;
    cluster.nodes[at].kill().await;
    cluster.promoted(&cluster.nodes[at + 3]).await;
    cluster.well().await;
    assert_eq!(get(&cluster.nodes[at + 3]).await.as_deref(), Some("1"));
    assert_eq!(cluster.primary_of("hf:test").await.port(), cluster.nodes[at + 3].port());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_files_start_a_server_with_tls_and_users() {
    let server = Redis::start(Setup::documented().tls(&Tls::new())).await;
    assert!(server.url().starts_with("rediss://holdfast:"), "{}", server.url());
    let settings: HashMap<String, String> = server
        .ask(&["CONFIG", "GET", "appendonly", "maxmemory-policy", "stream-node-max-bytes"])
        .await;
    assert_eq!(settings["appendonly"], "yes");
    assert_eq!(settings["maxmemory-policy"], "noeviction");
    assert_eq!(settings["stream-node-max-bytes"], "1024");
    assert!(
        server.connect(None).await.is_err() || {
            let mut nobody = server.connect(None).await.unwrap();
            command(&["GET", "hf:test"]).query_async::<Option<String>>(&mut nobody).await.is_err()
        }
    );
    let mut gateway = server.connect(Some(GATEWAY)).await.unwrap();
    command(&["SET", "hf:test", "1"]).query_async::<String>(&mut gateway).await.unwrap();
    for forbidden in
        [&["SET", "other", "1"][..], &["FLUSHALL"], &["KEYS", "*"], &["CONFIG", "SET", "save", ""]]
    {
        let answer = command(forbidden).query_async::<String>(&mut gateway).await;
        let error = answer.expect_err("forbidden").to_string();
        assert!(error.contains("NOPERM") || error.contains("permission"), "{forbidden:?}: {error}");
    }
    let mut operator = server.connect(Some(OPERATOR)).await.unwrap();
    command(&["FLUSHALL"]).query_async::<String>(&mut operator).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_users_replicate_and_fail_over() {
    let setup = Setup::documented().tls(&Tls::new());
    let all = Sentinels::with(&setup).await;
    set(&all.pair.primary, "1").await;
    eventually("the write at the replica", PATIENCE, async || get(&all.pair.replica).await).await;
    all.fail_over().await;
    assert!(all.url().starts_with("rediss+sentinel://holdfast:"), "{}", all.url());
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_have_names_and_ports_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = |name: &str| format!("embedded:{}", dir.path().join(name).display());
    let mut gateways = Gateways::start(2, store, Options::default()).await;
    let names: Vec<&str> = gateways.all.iter().map(|gateway| gateway.name()).collect();
    assert_eq!(names, ["gw-1", "gw-2"]);
    assert_ne!(gateways.all[0].ws(), gateways.all[1].ws());
    assert_ne!(gateways.all[0].addr(), gateways.all[0].admin());
    gateways.all[0].kill().await;
    gateways.all[0].start_again().await;
    gateways.all[0].pause().await;
    assert_eq!(gateways.all[1].get("/health/ready").await.status, 200);
    gateways.all[0].resume().await;
    for gateway in &mut gateways.all {
        gateway.stop().await;
        assert!(gateway.log().contains("drained"), "{}", gateway.log());
    }
    let third = store("gw-3");
    assert_eq!(gateways.add("gw-3", &third, &[]).await.get("/health/live").await.status, 200);
}
