//! The audit of goods. A server that loses a settlement says so within ten seconds and names it;
//! one that keeps its promises is silent through kills; the whole audit is clean while the world
//! trades, and finds what somebody has taken out of the store.

mod market;
mod tamper;
mod thief;

use std::net::SocketAddr;
use std::time::Duration;

use holdfast::clock::Clock;
use holdfast::config::{Settings, StoreChoice};
use holdfast::node::Node;
use holdfast::store::Store;
use holdfast::store::durability::Durability;
use holdfast::store::embedded::Embedded;
use holdfast::store::redis::{Options as RedisOptions, Redis as RedisStore};
use loadtest::bot::Bot;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::gateways::Gateways;
use crate::support::http::Connection;
use crate::support::redis::{Aof, Redis};
use crate::support::{Options, Server, command, eventually};
use market::{Market, deal, offer};
use thief::{Crime, thieves};

/// Within this a loss is to be said.
const SOON: Duration = Duration::from_secs(10);

/// Servers whose players may do as much as they can.
fn busy() -> Options {
    Options::default().with(&["--commands-per-s", "1000"])
}

/// `GET /audit`.
async fn status(admin: SocketAddr) -> Value {
    Connection::open(admin).await.unwrap().get("/audit").await.unwrap().json()
}

/// Runs `holdfast audit`; its exit code, and the last line of what it says.
async fn audit(admin: SocketAddr, args: &[&str]) -> (i32, Value) {
    let mut command = command(&std::env::temp_dir());
    command.args(["audit", "--json", "--admin", &admin.to_string()]).args(args);
    let output = command.output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let last = said.lines().last().unwrap_or_else(|| {
        panic!("the audit says nothing but {}", String::from_utf8_lossy(&output.stderr))
    });
    (output.status.code().unwrap(), serde_json::from_str(last).unwrap())
}

/// Nothing is wrong, and all that there was at the start is still there.
fn assert_clean((code, status): &(i32, Value), players: usize) {
    assert_eq!((*code, &status["status"]), (0, &json!("finished")), "{status:#}");
    let report = &status["report"];
    assert_eq!((&report["found"], &report["unreadable"]), (&json!(0), &json!(0)), "{status:#}");
    assert_eq!(report["players"], players, "{status:#}");
    assert_eq!(report["totals"]["exact"], true, "{status:#}");
    assert_eq!(report["totals"]["beyond"], json!({"gold": 0, "items": {}}), "{status:#}");
}

/// A node whose rules lose what bob gets.
async fn thievish(crime: Crime, dir: &std::path::Path) -> Node {
    let any = "127.0.0.1:0".parse().unwrap();
    let settings = Settings {
        listen: any,
        admin_listen: Some(any),
        store: StoreChoice::Embedded(dir.to_owned()),
        data_dir: dir.to_owned(),
        ..Settings::default()
    };
    let store = Embedded::open(dir, Clock::system()).unwrap();
    let kinds = thieves(crime);
    Node::start_by(&settings, kinds, std::sync::Arc::new(store), Clock::system()).await.unwrap()
}

async fn speaks(crime: Crime) {
    let _turn = crate::support::beside().await;
    let dir = tempfile::tempdir().unwrap();
    let node = thievish(crime, dir.path()).await;
    let (url, admin) = (format!("ws://{}/ws", node.address), node.admin_address.unwrap());
    let mut alice = Bot::enter(&url, "alice", None).await.unwrap();
    let mut bob = Bot::enter(&url, "bob", None).await.unwrap();
    let trade = offer(&mut alice, "bob").await;
    bob.send(deal(&trade)).await.unwrap();
    let accepted = Instant::now();
    let said = eventually("the node to say that goods are lost", SOON, async || {
        let status = status(admin).await;
        (status["violations"].as_u64() > Some(0)).then(|| status["said"].clone())
    })
    .await;
    assert!(accepted.elapsed() < SOON, "said after {:?}", accepted.elapsed());
    let first = said[0].as_str().unwrap();
    assert!(first.contains(&trade) && first.contains("alice") && first.contains("bob"), "{first}");
    let metrics = Connection::open(admin).await.unwrap().get("/metrics").await.unwrap().body;
    let count = metrics.lines().find(|line| line.starts_with("holdfast_goods_violations_total"));
    assert_ne!(count, Some("holdfast_goods_violations_total 0"), "{count:?}");
    if crime == Crime::Swallow {
        let (code, status) = audit(admin, &["--horizon-ms", "0"]).await;
        assert_eq!(code, 2, "{status:#}");
        let finding = &status["report"]["findings"][0];
        assert_eq!((&finding["flaw"], &finding["trade"]), (&json!("unsettled"), &json!(trade)));
        assert_eq!(finding["players"], json!(["bob", "alice"]));
    }
    assert!(node.drain(10_000).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_loses_a_settlement_says_so_in_time_and_names_it() {
    speaks(Crime::Swallow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_settles_by_half_says_so_in_time_and_names_it() {
    speaks(Crime::Keep).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_its_promises_is_silent_through_kills() {
    let mut server = Server::start_with(Options::default().admin()).await;
    let mut market = Market::open(&server.ws(), 6).await;
    for _ in 0..4 {
        market.offer_all().await;
        market.accept_unheard().await;
        server.crash().await;
        market.resume().await;
    }
    market.settle().await;
    let status = status(server.admin()).await;
    assert_eq!((&status["violations"], &status["said"]), (&json!(0), &json!([])));
    assert!(!server.log().contains("ERROR"), "{}", server.log());
    assert_clean(&audit(server.admin(), &["--horizon-ms", "0", "--deep"]).await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_clean_while_an_embedded_world_trades() {
    let server = Server::start_with(busy().admin()).await;
    let running = Market::open(&server.ws(), 6).await.run();
    for _ in 0..3 {
        assert_clean(&audit(server.admin(), &["--horizon-ms", "0"]).await, 6);
    }
    assert!(running.stop().await > 0, "trades were made meanwhile");
    assert_clean(&audit(server.admin(), &["--horizon-ms", "0", "--deep"]).await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_clean_while_gateways_over_redis_trade() {
    let redis = Redis::single(Aof::Always).await;
    let gateways = Gateways::start(2, |_| redis.url(), busy()).await;
    let [first, second] = [&gateways.all[0], &gateways.all[1]];
    let running = Market::open_at(&[first.ws(), second.ws()], 6).await.run();
    for gateway in [first, second] {
        assert_clean(&audit(gateway.admin(), &["--horizon-ms", "0"]).await, 6);
    }
    assert!(running.stop().await > 0, "trades were made meanwhile");
    assert_clean(&audit(first.admin(), &["--horizon-ms", "0"]).await, 6);
}

/// Two players who have traded; the trade.
async fn traded(url: &str) -> String {
    let mut alice = Bot::enter(url, "alice", None).await.unwrap();
    let mut bob = Bot::enter(url, "bob", None).await.unwrap();
    let trade = offer(&mut alice, "bob").await;
    bob.command(deal(&trade)).await.unwrap().result.unwrap();
    trade
}

/// The audit finds that bob has lost the settlement of this trade, and that alice's gold is there.
fn assert_found((code, status): (i32, Value), trade: &str) {
    assert_eq!(code, 2, "{status:#}");
    let report = &status["report"];
    assert_eq!(report["found"], 1, "{status:#}");
    let finding = &report["findings"][0];
    assert_eq!((&finding["flaw"], &finding["trade"]), (&json!("unsettled"), &json!(trade)));
    assert_eq!(finding["players"], json!(["bob", "alice"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_taken_out_of_an_embedded_store_is_found() {
    let mut server = Server::start_with(Options::default().admin()).await;
    let trade = traded(&server.ws()).await;
    assert_clean(&audit(server.admin(), &["--horizon-ms", "0", "--deep"]).await, 2);
    server.stop().await;
    let store = crate::support::store::open(&server.store_dir());
    tamper::forget_settlement(&store, "player:bob").await;
    store.close().await.unwrap();
    server.start_again().await;
    assert_found(audit(server.admin(), &["--horizon-ms", "0"]).await, &trade);
    let (code, _) = audit(server.admin(), &["--horizon-ms", "60000"]).await;
    assert_eq!(code, 0, "it is younger than this");
    // The journal that made the snapshot is still there.
    let (code, status) = audit(server.admin(), &["--horizon-ms", "60000", "--deep"]).await;
    let findings = &status["report"]["findings"];
    assert_eq!((code, &findings[0]["flaw"]), (2, &json!("journal")), "{status:#}");
    assert_eq!(findings[0]["players"], json!(["bob"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_taken_out_of_redis_is_found() {
    let redis = Redis::single(Aof::Always).await;
    let mut gateways = Gateways::start(1, |_| redis.url(), Options::default()).await;
    let gateway = &mut gateways.all[0];
    let trade = traded(&gateway.ws()).await;
    gateway.stop().await;
    let (address, namespace) = (redis.url().parse().unwrap(), "hf".into());
    let options = RedisOptions { address, namespace, level: Durability::Stored };
    let store = RedisStore::open(&options, Clock::default()).await.unwrap();
    tamper::forget_settlement(&store, "player:bob").await;
    store.close().await.unwrap();
    gateway.start_again().await;
    assert_found(audit(gateway.admin(), &["--horizon-ms", "0"]).await, &trade);
}
