//! Three primaries of a cluster, without replicas.

use redis::Value;

use super::server::{Server, eventually, free_port, hot, pipeline};
use crate::clock::Clock;
use crate::store::Error;
use crate::store::redis::cluster::{SLOTS, slot_of};
use crate::store::redis::link::{Script, answer};
use crate::store::redis::route::Router;

const TAG: &str = "p0001";

/// Starts three nodes and gives each a third of the slots.
pub async fn cluster() -> Vec<Server> {
    let mut nodes = Vec::new();
    let mut buses = Vec::new();
    for _ in 0..3 {
        let bus = free_port().to_string();
        let options =
            ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", "1000"];
        nodes.push(Server::start(&options).await);
        buses.push(bus);
    }
    for (number, node) in nodes.iter().enumerate() {
        let first = usize::from(SLOTS) * number / 3;
        let last = usize::from(SLOTS) * (number + 1) / 3 - 1;
        node.run(&format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1)).await;
        node.run(&format!("CLUSTER ADDSLOTSRANGE {first} {last}")).await;
        node.run(&format!("CLUSTER MEET 127.0.0.1 {} {}", nodes[0].port, buses[0])).await;
    }
    for node in &nodes {
        eventually("the cluster serves", async || {
            let info: String = redis::from_redis_value(node.run("CLUSTER INFO").await).ok()?;
            let whole = info.contains("cluster_state:ok") && info.contains("cluster_size:3");
            whole.then_some(())
        })
        .await;
    }
    nodes
}

async fn router(nodes: &[Server]) -> Router {
    let address = format!("redis+cluster://127.0.0.1:{}", nodes[0].port);
    let router = Router::open(&address.parse().expect("an address"), Clock::system()).await;
    router.expect("the cluster answers")
}

async fn id(node: &Server) -> String {
    redis::from_redis_value(node.run("CLUSTER MYID").await).expect("an id")
}

#[tokio::test]
async fn tags_lead_to_the_primaries_that_serve_them() {
    let nodes = cluster().await;
    let router = router(&nodes).await;
    assert_eq!(router.links().len(), 3);
    let mut reached = std::collections::BTreeSet::new();
    for partition in 0..64 {
        let tag = format!("p{partition:04}");
        let link = router.link(&tag);
        let write = format!("INCR {{{tag}}}:n");
        assert_eq!(hot(&link, &[&write]).await.expect("no redirection"), [Value::Int(1)], "{tag}");
        reached.insert(link.at().1);
    }
    assert_eq!(reached.len(), 3, "64 tags fell on {reached:?}");
    router.close().await;
}

#[tokio::test]
async fn a_slot_is_followed_while_it_moves_and_after() {
    let nodes = cluster().await;
    let router = router(&nodes).await;
    let (link, slot) = (router.link(TAG), slot_of(TAG));
    let history = link.history();
    let source = nodes.iter().find(|node| node.port == link.at().1).expect("a node");
    let target = nodes.iter().find(|node| node.port != link.at().1).expect("a node");
    let incr = ["INCR {p0001}:n"];
    assert_eq!(hot(&link, &incr).await.expect("it writes"), [Value::Int(1)]);

    target.run(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", id(source).await)).await;
    source.run(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", id(target).await)).await;
    source.run(&format!("MIGRATE 127.0.0.1 {} {{p0001}}:n 0 5000", target.port)).await;

    let mut answers = hot(&link, &incr).await.expect("an answer");
    let refused = answer(answers.pop().expect("one answer"));
    assert!(
        matches!(refused, Err(Error::Doubt(_))),
        "an append followed a slot unread: {refused:?}"
    );
    let read = link.bulk(pipeline(&["GET {p0001}:n"])).await.expect("it is read on the way");
    assert_eq!(read, [Value::BulkString(b"1".to_vec())]);
    assert_eq!(hot(&link, &incr).await.expect("it follows what was read"), [Value::Int(2)]);
    let script = Script::new("#!lua\nreturn redis.call('GET', KEYS[1])");
    let none: [&str; 0] = [];
    let unknown = link.script(&script, &["{p0001}:n"], &none).await;
    assert_eq!(unknown.expect("it runs"), Value::BulkString(b"2".to_vec()));

    let mut changes = router.changes();
    changes.mark_unchanged();
    for node in [target, source] {
        node.run(&format!("CLUSTER SETSLOT {slot} NODE {}", id(target).await)).await;
    }
    let mut answers = hot(&link, &incr).await.expect("an answer");
    let refused = answer(answers.pop().expect("one answer"));
    assert!(matches!(refused, Err(Error::Doubt(_))), "the slot has moved: {refused:?}");
    eventually("the slot is followed", async || {
        (router.link(TAG).at().1 == target.port).then_some(())
    })
    .await;
    changes.changed().await.expect("the router lives");
    let moved = router.link(TAG);
    assert!(moved.history() > history, "a slot that arrived is another history");
    let stale = moved.hot(Some(history), pipeline(&incr)).await;
    assert!(matches!(stale, Err(Error::Doubt(_))), "{stale:?}");
    assert_eq!(hot(&moved, &incr).await.expect("it writes"), [Value::Int(3)]);
    let neighbour = router.links().into_iter().find(|link| link.at().1 == target.port);
    let neighbour = neighbour.expect("it is there").history();
    assert!(neighbour < moved.history(), "the other tags of that primary keep their history");
    router.close().await;
}
