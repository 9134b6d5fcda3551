//! One primary: restarts, cuts, pauses and demotions.

use redis::Value;

use super::server::{Server, eventually, hot, pipeline};
use crate::clock::Clock;
use crate::store::Error;
use crate::store::redis::link::Script;
use crate::store::redis::route::Router;

const TAG: &str = "p0001";

async fn router(server: &Server) -> Router {
    let address = server.address().parse().expect("an address");
    Router::open(&address, Clock::system()).await.expect("the server answers")
}

async fn counted(server: &Server) -> i64 {
    let value = server.run("GET {p0001}:n").await;
    redis::from_redis_value::<Option<i64>>(value).expect("a number").unwrap_or(0)
}

#[tokio::test]
async fn a_failing_command_keeps_the_other_answers() {
    let server = Server::start(&[]).await;
    let router = router(&server).await;
    let sent = ["SET a x", "INCR a", "SET b y", "GET b"];
    let answers = hot(&router.link(TAG), &sent).await.expect("answers");
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[0], Value::Okay);
    assert!(matches!(&answers[1], Value::ServerError(error) if error.code() == "ERR"));
    assert_eq!(answers[3], Value::BulkString(b"y".to_vec()));
    router.close().await;
}

#[tokio::test]
async fn a_restart_is_another_history_and_nothing_is_sent_again() {
    let mut server = Server::start(&[]).await;
    let router = router(&server).await;
    let link = router.link(TAG);
    let before = link.history();
    let mut changes = router.changes();
    changes.mark_unchanged();
    server.run("CLIENT PAUSE 60000 WRITE").await;
    let flying = tokio::spawn({
        let link = link.clone();
        async move { hot(&link, &["INCR {p0001}:n"]).await }
    });
    eventually("the write is held at the server", async || {
        let info: String = redis::from_redis_value(server.run("INFO clients").await).expect("text");
        info.contains("blocked_clients:1").then_some(())
    })
    .await;
    server.kill();
    let outcome = flying.await.expect("it ends");
    assert!(matches!(outcome, Err(Error::Doubt(_))), "{outcome:?}");
    server.restart().await;
    changes.changed().await.expect("the router lives");
    eventually("it is reached again", async || hot(&link, &["PING"]).await.ok()).await;
    assert!(link.history() > before);
    assert_eq!(counted(&server).await, 0, "the write was sent again");
    let refused = link.hot(Some(before), pipeline(&["INCR {p0001}:n"])).await;
    assert!(matches!(refused, Err(Error::Doubt(_))), "{refused:?}");
    assert_eq!(counted(&server).await, 0, "a write upon the old history was sent");
    router.close().await;
}

#[tokio::test]
async fn a_pause_ends_in_doubt_and_late_answers_reach_no_one() {
    let server = Server::start(&[]).await;
    let router = router(&server).await;
    let link = router.link(TAG);
    let before = link.history();
    let admin = server.admin().await;
    server.run("CLIENT PAUSE 60000 WRITE").await;
    let outcome = hot(&link, &["INCR {p0001}:n"]).await;
    assert!(matches!(&outcome, Err(Error::Doubt(why)) if why.contains("500 ms")), "{outcome:?}");
    let mut unpause = admin;
    redis::cmd("CLIENT").arg("UNPAUSE").exec_async(&mut unpause).await.expect("it goes on");
    for text in ["a", "b", "c"] {
        let echo = format!("ECHO {text}");
        let answers =
            eventually("it answers again", async || hot(&link, &[&echo]).await.ok()).await;
        assert_eq!(answers, [Value::BulkString(text.into())], "a late answer was taken for this");
    }
    assert!(counted(&server).await <= 1);
    assert_eq!(link.history(), before, "a pause is no other history");
    router.close().await;
}

#[tokio::test]
async fn a_cut_connection_keeps_the_history() {
    let server = Server::start(&[]).await;
    let router = router(&server).await;
    let link = router.link(TAG);
    let (before, made) = (link.history(), router.stats().connections);
    assert_eq!(made, 2);
    server.run("CLIENT KILL TYPE normal SKIPME yes").await;
    eventually("both lanes are made again", async || {
        let _ = hot(&link, &["PING"]).await;
        let _ = link.bulk(pipeline(&["PING"])).await;
        (router.stats().connections >= made + 2).then_some(())
    })
    .await;
    assert_eq!(link.history(), before);
    hot(&link, &["INCR {p0001}:n"]).await.expect("the same history goes on");
    router.close().await;
}

#[tokio::test]
async fn a_demotion_on_a_living_connection_is_noticed() {
    let (server, other) = (Server::start(&[]).await, Server::start(&[]).await);
    let router = router(&server).await;
    let link = router.link(TAG);
    let before = link.history();
    let mut changes = router.changes();
    changes.mark_unchanged();
    server.run(&format!("REPLICAOF 127.0.0.1 {}", other.port)).await;
    changes.changed().await.expect("the router lives");
    let demoted = link.history();
    assert_ne!(demoted, before);
    let refused = link.hot(Some(demoted), pipeline(&["INCR {p0001}:n"])).await;
    assert!(matches!(refused, Err(Error::Stalled(_))), "{refused:?}");
    server.run("REPLICAOF NO ONE").await;
    eventually("it is a primary again", async || hot(&link, &["INCR {p0001}:n"]).await.ok()).await;
    assert!(link.history() > demoted, "a promotion is another history");
    router.close().await;
}

#[tokio::test]
async fn a_script_that_the_server_forgot_is_taught_again() {
    let server = Server::start(&[]).await;
    let router = router(&server).await;
    let link = router.link(TAG);
    let script = Script::new("#!lua\nreturn redis.call('INCRBY', KEYS[1], ARGV[1])");
    for expected in [2, 4] {
        server.run("SCRIPT FLUSH").await;
        let value = link.script(&script, &["{p0001}:n"], &["2"]).await.expect("it runs");
        assert_eq!(value, Value::Int(expected));
    }
    router.close().await;
}

#[tokio::test]
async fn the_stores_clock_is_followed() {
    let server = Server::start(&[]).await;
    let address = server.address().parse().expect("an address");
    let clock = Clock::movable();
    let router = Router::open(&address, clock.clone()).await.expect("the server answers");
    let off_ms = router.now_ms().abs_diff(clock.now_ms());
    assert!(off_ms < 1000, "{off_ms} ms off");
    clock.advance(60_000);
    let off_ms = router.now_ms().abs_diff(clock.now_ms());
    assert!(off_ms < 1000, "{off_ms} ms off after the clock was moved");
    router.close().await;
}

#[tokio::test]
async fn nothing_there_is_said_in_a_sentence() {
    let port = super::server::free_port();
    let address = format!("redis://127.0.0.1:{port}").parse().expect("an address");
    let refused = Router::open(&address, Clock::system()).await.expect_err("nothing is there");
    let Error::Open(text) = refused else { panic!("{refused:?}") };
    assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
}
