//! Three Sentinels, a primary and its replica.

use redis::Value;

use super::server::{Server, eventually, free_port, hot, pipeline};
use crate::clock::Clock;
use crate::store::Error;
use crate::store::redis::route::Router;

const TAG: &str = "p0001";

async fn info(server: &Server, section: &str) -> String {
    redis::from_redis_value(server.run(&format!("INFO {section}")).await).expect("text")
}

#[tokio::test]
async fn a_failover_is_followed_to_the_new_primary() {
    let mut primary = Server::start(&[]).await;
    let source = format!("127.0.0.1 {}", primary.port);
    let replica = Server::start(&["--replicaof", &source]).await;
    eventually("the replica is in step", async || {
        info(&replica, "replication").await.contains("master_link_status:up").then_some(())
    })
    .await;
    let mut sentinels = Vec::new();
    for _ in 0..3 {
        let monitored = format!(
            "sentinel monitor game {source} 2\nsentinel down-after-milliseconds game 500\n\
             sentinel failover-timeout game 2000\n"
        );
        sentinels.push(Server::start_sentinel(&monitored).await);
    }
    for sentinel in &sentinels {
        eventually("the Sentinels know all of it", async || {
            let known = info(sentinel, "sentinel").await;
            known.contains("slaves=1,sentinels=3").then_some(())
        })
        .await;
    }
    let nodes: Vec<String> = sentinels.iter().map(|s| format!("127.0.0.1:{}", s.port)).collect();
    let address = format!("redis+sentinel://{}/game", nodes.join(","));
    let router = Router::open(&address.parse().expect("an address"), Clock::system()).await;
    let router = router.expect("the Sentinels name a primary");
    let before = router.link(TAG);
    assert_eq!(before.at().1, primary.port);
    let history = before.history();
    assert_eq!(hot(&before, &["INCR {p0001}:n"]).await.expect("it writes"), [Value::Int(1)]);
    let mut changes = router.changes();
    changes.mark_unchanged();

    primary.kill();
    eventually("the replica is the primary", async || {
        (router.link(TAG).at().1 == replica.port).then_some(())
    })
    .await;
    changes.changed().await.expect("the router lives");
    let link = router.link(TAG);
    assert_ne!(link.history(), history);
    let refused = link.hot(Some(history), pipeline(&["INCR {p0001}:n"])).await;
    assert!(matches!(refused, Err(Error::Doubt(_))), "{refused:?}");
    let answers =
        eventually("it writes", async || hot(&link, &["INCR {p0001}:n"]).await.ok()).await;
    assert_eq!(answers, [Value::Int(2)], "a write was lost or sent twice");
    router.close().await;
}

#[tokio::test]
async fn a_service_that_no_sentinel_knows_is_said() {
    let sentinel =
        Server::start_sentinel(&format!("sentinel monitor other 127.0.0.1 {} 1\n", free_port()))
            .await;
    let address = format!("redis+sentinel://127.0.0.1:{}/game", sentinel.port);
    let refused = Router::open(&address.parse().expect("an address"), Clock::system()).await;
    let Err(Error::Open(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("does not know 'game'"), "{why}");
}
