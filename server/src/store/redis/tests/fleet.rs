//! The fleet port on a real server: its promises, and what a lost server does to it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::server::{PATIENCE, Server, eventually};
use crate::actor::fleet::{self as node, FleetHandle, LeaseState, Post, Vital};
use crate::clock::Clock;
use crate::store::fleet::conformance::{self, Subject};
use crate::store::fleet::{Fleet, Heard, NodeInfo, Renewed};
use crate::store::redis::fleet::RedisFleet;
use crate::store::redis::route::Router;

async fn fleet(server: &Server, ttl_ms: u64) -> RedisFleet {
    let address = server.address().parse().expect("an address");
    let router = Router::open(&address, Clock::system()).await.expect("the server answers");
    RedisFleet::new(router, Clock::system(), ttl_ms)
}

fn info(session: u64) -> NodeInfo {
    NodeInfo {
        session,
        name: "n".into(),
        address: String::new(),
        version: String::new(),
        format: 1,
        format_oldest: 1,
        activations: 0,
        sockets: 0,
        draining: false,
        outdated: false,
    }
}

async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not soon: {what}"))
}

#[tokio::test]
async fn a_redis_keeps_the_port_of_fleets() {
    let server = Server::start(&[]).await;
    conformance::run(async |ttl_ms| {
        server.run("FLUSHALL").await;
        let (one, other) = (fleet(&server, ttl_ms).await, fleet(&server, ttl_ms).await);
        Subject { one: Arc::new(one), other: Arc::new(other) }
    })
    .await;
}

#[tokio::test]
async fn a_full_server_still_renews_and_reaps() {
    let server = Server::start(&[]).await;
    let fleet = fleet(&server, 50).await;
    assert_eq!(fleet.renew(info(1)).await, Ok(Renewed::Held));
    server.run("CONFIG SET maxmemory 1").await;
    assert_eq!(fleet.renew(info(1)).await, Ok(Renewed::Held));
    assert_eq!(fleet.renew(info(2)).await, Ok(Renewed::Held));
    let refused = fleet.send(1, Bytes::from_static(b"x")).await;
    assert!(matches!(refused, Err(crate::store::Error::Stalled(_))), "{refused:?}");
    let reaped = async || fleet.reap(1).await.expect("it answers").then_some(());
    eventually("the lease runs out and is reaped", reaped).await;
}

#[tokio::test]
async fn a_subscriber_hears_that_it_lost_something() {
    let mut server = Server::start(&[]).await;
    let fleet = fleet(&server, 1_500).await;
    let (topics, wanted) = mpsc::channel(8);
    let mut heard = fleet.watch(wanted);
    topics.send(("hall".into(), true)).await.expect("it is taken");
    let publish = |text: &'static str| fleet.publish("hall", Bytes::from_static(text.as_bytes()));
    eventually("the first is heard", async || {
        publish("one").await.ok()?;
        heard.try_recv().ok()
    })
    .await;
    server.kill();
    server.restart().await;
    eventually("it hears of the loss", async || {
        let _ = publish("two").await;
        (heard.try_recv().ok()? == Heard::Lost).then_some(())
    })
    .await;
    eventually("it hears on", async || {
        publish("three").await.ok()?;
        let message = Heard::Message { topic: "hall".into(), bytes: "three".into() };
        (heard.try_recv().ok()? == message).then_some(())
    })
    .await;
}

struct Node {
    handle: FleetHandle,
    shutdown: CancellationToken,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn join(server: &Server, ttl_ms: u64) -> Node {
    let shutdown = CancellationToken::new();
    let port = Arc::new(fleet(server, ttl_ms).await);
    let vitals: node::Vitals = Arc::new(Vital::default);
    let config = node::Config::default();
    let handle = node::start(config, port, vitals, Clock::system(), shutdown.clone())
        .expect("the lease's thread starts");
    soon("the lease is held", handle.held()).await;
    Node { handle, shutdown }
}

async fn see_each_other(one: &Node, other: &Node) {
    for (node, peer) in [(one, other), (other, one)] {
        let mut table = node.handle.members();
        let seen = table.wait_for(|table| table.member(peer.handle.session()).is_some());
        soon("both are in the table", seen).await.expect("the node lives");
    }
}

/// Sends until something arrives: what is sent while the server is away is lost.
async fn reaches(from: &Node, to: &Node, inbox: &mut mpsc::Receiver<(u64, Post)>) {
    eventually("mail arrives", async || {
        let actor = "player:a".parse().expect("an id");
        let _ = from.handle.post(to.handle.session(), Post::HandOver { actor });
        inbox.try_recv().ok()
    })
    .await;
}

#[tokio::test]
async fn nodes_outlive_their_server() {
    let mut server = Server::start(&[]).await;
    let (one, other) = (join(&server, 900).await, join(&server, 900).await);
    let sessions = (one.handle.session(), other.handle.session());
    see_each_other(&one, &other).await;
    let mut inbox = other.handle.inbox().expect("it is there");
    reaches(&one, &other, &mut inbox).await;
    let mut states = [one.handle.state(), other.handle.state()];
    server.kill();
    for state in &mut states {
        let frozen = state.wait_for(|state| *state == LeaseState::Frozen);
        soon("it freezes", frozen).await.expect("the node lives");
    }
    assert!(!one.handle.in_force() && !other.handle.in_force());
    assert!(one.handle.is_alive(sessions.1) && other.handle.is_alive(sessions.0));
    server.restart().await;
    assert_eq!(soon("a lease", one.handle.held()).await, sessions.0);
    assert_eq!(soon("a lease", other.handle.held()).await, sessions.1);
    // The table came back empty, and the inboxes with it.
    see_each_other(&one, &other).await;
    while inbox.try_recv().is_ok() {}
    reaches(&one, &other, &mut inbox).await;
    assert_eq!(*one.handle.departures().borrow(), 0, "no one died");
}

#[tokio::test]
async fn a_silent_node_is_declared_dead() {
    let server = Server::start(&[]).await;
    let (one, other) = (join(&server, 900).await, join(&server, 900).await);
    see_each_other(&one, &other).await;
    let dead = other.handle.session();
    other.shutdown.cancel();
    let mut departures = one.handle.departures();
    soon("it goes", departures.wait_for(|count| *count == 1)).await.expect("the node lives");
    assert!(!one.handle.is_alive(dead));
    assert!(one.handle.in_force());
}
