//! Two nodes that show each other's actors over a relay in memory.

use std::collections::HashMap;

use bytes::Bytes;

use super::*;
use crate::actor::connection::Connection;
use crate::actor::envelope::{Attached, Attachment, Delivery, Nearby};
use crate::gateway::relay::Peer;
use crate::gateway::seat::Seat;

const FRAME_MS: u64 = 100;
const FULL_MS: u64 = 1_000;

/// The wire: what was published and not yet carried to each subscriber.
#[derive(Debug, Default)]
struct Wire {
    boxes: Mutex<Vec<Vec<(String, Bytes)>>>,
}

#[derive(Debug)]
struct End {
    wire: Arc<Wire>,
}

impl Relay for End {
    fn publish(&self, topic: &str, bytes: Bytes) {
        for inbox in lock(&self.wire.boxes).iter_mut() {
            inbox.push((topic.to_owned(), bytes.clone()));
        }
    }

    fn watch(&self, _: mpsc::Receiver<(String, bool)>) -> mpsc::Receiver<Heard> {
        mpsc::channel(1).1
    }
}

struct Node {
    at: usize,
    hub: Hub,
    live: watch::Sender<Arc<Live>>,
    topics: mpsc::Receiver<(String, bool)>,
    watched: HashMap<String, bool>,
    wire: Arc<Wire>,
    deaf: bool,
}

fn live(own: u64, others: &[u64]) -> Arc<Live> {
    let peer = |session: &u64| Peer { session: *session, url: String::new(), draining: false };
    Arc::new(Live { own, others: others.iter().map(peer).collect() })
}

impl Node {
    fn join(wire: &Arc<Wire>, own: u64, others: &[u64]) -> Self {
        lock(&wire.boxes).push(Vec::new());
        let at = lock(&wire.boxes).len() - 1;
        let (sender, receiver) = watch::channel(live(own, others));
        let hub = Hub::across(Arc::new(End { wire: wire.clone() }), receiver, FRAME_MS, FULL_MS);
        let across = hub.inner.across.as_ref().unwrap();
        let topics = lock(&across.asked).take().unwrap();
        let wire = wire.clone();
        Self { at, hub, live: sender, topics, watched: HashMap::new(), wire, deaf: false }
    }

    /// One beat: subscriptions first, then what waits on the wire, then what is said.
    fn beat(&mut self, now_ms: u64) {
        while let Ok((topic, on)) = self.topics.try_recv() {
            self.watched.insert(topic, on);
        }
        let waiting = std::mem::take(&mut lock(&self.wire.boxes)[self.at]);
        for (topic, bytes) in waiting {
            if self.watched.get(&topic) == Some(&true) && !self.deaf {
                self.hub.take_in(Next::Heard(Heard::Message { topic, bytes }), now_ms);
            }
        }
        self.hub.tick(now_ms);
    }

    fn show(&self, name: &str, epoch: u64, seq: u64, room: Option<&str>, x: i32) {
        let view = View {
            topic: room.map(Arc::from),
            entity: name.bytes().map(u32::from).sum(),
            label: name.into(),
            x,
            y: 0,
            health: 100,
            flags: 0,
            input: 0,
        };
        self.hub.view(&actor(name), epoch, seq, Some(view));
    }

    fn sees(&self, room: &str) -> Vec<(String, i32)> {
        let row = |one: crate::gateway::view::Member| (one.player.to_string(), one.row.x);
        let mut rows: Vec<_> = self.hub.members_of(room).into_iter().map(row).collect();
        rows.sort();
        rows
    }
}

fn actor(name: &str) -> ActorId {
    ActorId::player(&PlayerId::new(name).unwrap())
}

fn at(rows: &[(&str, i32)]) -> Vec<(String, i32)> {
    rows.iter().map(|(name, x)| ((*name).to_owned(), *x)).collect()
}

/// Two nodes with alice and bob in the arena, who know of each other; and the time then.
fn pair() -> (Node, Node, u64) {
    let wire = Arc::default();
    let (mut one, mut two) = (Node::join(&wire, 1, &[2]), Node::join(&wire, 2, &[1]));
    one.show("alice", 10, 1, Some("arena"), 1);
    two.show("bob", 20, 1, Some("arena"), 2);
    let now_ms = run(&mut [&mut one, &mut two], 0, 4);
    assert_eq!(one.sees("arena"), at(&[("alice", 1), ("bob", 2)]));
    assert_eq!(two.sees("arena"), at(&[("alice", 1), ("bob", 2)]));
    (one, two, now_ms)
}

fn run(nodes: &mut [&mut Node], mut now_ms: u64, beats: u64) -> u64 {
    for _ in 0..beats {
        now_ms += FRAME_MS;
        for node in nodes.iter_mut() {
            node.beat(now_ms);
        }
    }
    now_ms
}

fn seat(node: &Node, id: u64, name: &str) -> Arc<Seat> {
    let seat = Seat::new(Connection::new(id, 8));
    node.hub.open(&seat);
    let (how, state) = (Attachment::Welcome, Bytes::new());
    let attached = Attached {
        how,
        session: 1,
        watermark: 0,
        epoch: 1,
        seq: 1,
        state,
        replay: vec![],
        activated: None,
    };
    node.hub.attach(&seat, &PlayerId::new(name).unwrap(), &attached);
    seat
}

fn heard(seat: &Seat) -> Vec<Bytes> {
    let mut out = Vec::new();
    while let Some(delivery) = seat.connection.take() {
        match delivery {
            Delivery::Transient(message) => out.push(message),
            other => panic!("{other:?}"),
        }
    }
    out
}

#[test]
fn moves_and_leaves_are_seen_across_nodes() {
    let (mut one, mut two, now_ms) = pair();
    one.show("alice", 10, 2, Some("arena"), 50);
    let now_ms = run(&mut [&mut one, &mut two], now_ms, 2);
    assert_eq!(two.sees("arena"), at(&[("alice", 50), ("bob", 2)]));
    one.show("alice", 10, 3, Some("cave"), 50);
    let now_ms = run(&mut [&mut one, &mut two], now_ms, 2);
    assert_eq!(two.sees("arena"), at(&[("bob", 2)]));
    assert_eq!(one.sees("arena"), [], "a room without an actor of its own is not watched");
    assert_eq!(one.watched.get("room:arena"), Some(&false));
    assert!(lock(&one.hub.inner.places).get("arena").is_none(), "and is forgotten");
    two.hub.view(&actor("bob"), 20, 2, None);
    run(&mut [&mut one, &mut two], now_ms, 2);
    assert_eq!(two.sees("arena"), []);
}

#[test]
fn one_message_a_room_and_a_beat() {
    let (mut one, mut two, now_ms) = pair();
    let published = one.hub.traffic().unwrap();
    let before = published.published.load(Ordering::Relaxed);
    for x in 0..20 {
        one.show("alice", 10, 2 + x, Some("arena"), 100 + x as i32);
        one.show("carol", 10, 2 + x, Some("arena"), 200 + x as i32);
        one.hub.broadcast(&actor("alice"), &"arena".into(), Bytes::from_static(b"{}"));
    }
    run(&mut [&mut one, &mut two], now_ms, 1);
    assert_eq!(published.published.load(Ordering::Relaxed), before + 1);
    assert_eq!(two.sees("arena"), at(&[("alice", 119), ("bob", 2), ("carol", 219)]));
}

#[test]
fn chat_is_heard_across_nodes_in_order_and_once() {
    let (mut one, mut two, now_ms) = pair();
    let bob = seat(&two, 5, "bob");
    let say = |text: &'static str| {
        one.hub.broadcast(&actor("alice"), &"arena".into(), Bytes::from_static(text.as_bytes()));
    };
    say("1");
    say("2");
    let now_ms = run(&mut [&mut one, &mut two], now_ms, 1);
    let again = lock(&one.wire.boxes)[one.at].clone();
    one.hub.broadcast(&actor("alice"), &"arena".into(), Bytes::from_static(b"3"));
    // The relay may bring the same once more.
    lock(&two.wire.boxes)[two.at].extend(again);
    run(&mut [&mut one, &mut two], now_ms, 2);
    assert_eq!(heard(&bob), [&b"1"[..], b"2", b"3"]);
}

#[test]
fn a_fenced_owners_late_frame_shows_nothing() {
    let (mut one, mut two, now_ms) = pair();
    one.show("carol", 10, 1, Some("arena"), 3);
    // Alice connects to the second node: its claim has the higher epoch.
    two.show("alice", 30, 2, Some("arena"), 7);
    let now_ms = run(&mut [&mut one, &mut two], now_ms, 2);
    let all = at(&[("alice", 7), ("bob", 2), ("carol", 3)]);
    assert_eq!(one.sees("arena"), all);
    // The first has not noticed yet, then drops its activation.
    one.show("alice", 10, 9, Some("arena"), 666);
    let now_ms = run(&mut [&mut one, &mut two], now_ms, 12);
    one.hub.view(&actor("alice"), 10, 9, None);
    run(&mut [&mut one, &mut two], now_ms, 12);
    assert_eq!((one.sees("arena"), two.sees("arena")), (all.clone(), all));
}

#[test]
fn who_missed_messages_recovers() {
    let (mut one, mut two, now_ms) = pair();
    two.deaf = true;
    one.show("carol", 10, 1, Some("arena"), 3);
    one.show("alice", 10, 2, Some("cave"), 1);
    let now_ms = run(&mut [&mut one, &mut two], now_ms, 2);
    assert_eq!(two.sees("arena"), at(&[("alice", 1), ("bob", 2)]));
    two.deaf = false;
    // The subscription says that something was lost.
    two.hub.take_in(Next::Heard(Heard::Lost), now_ms);
    let now_ms = run(&mut [&mut one, &mut two], now_ms, 4);
    assert_eq!(two.sees("arena"), at(&[("bob", 2), ("carol", 3)]));
    // It says nothing, but the next message does not follow.
    two.deaf = true;
    one.show("dave", 10, 1, Some("arena"), 4);
    let now_ms = run(&mut [&mut one, &mut two], now_ms, 1);
    two.deaf = false;
    one.show("carol", 10, 2, Some("arena"), 30);
    run(&mut [&mut one, &mut two], now_ms, 4);
    assert_eq!(two.sees("arena"), at(&[("bob", 2), ("carol", 30), ("dave", 4)]));
}

#[test]
fn a_dead_nodes_actors_go_with_it_and_stay_gone() {
    let (mut one, mut two, now_ms) = pair();
    one.show("alice", 10, 2, Some("arena"), 9);
    one.beat(now_ms + 1);
    two.live.send_replace(live(2, &[]));
    two.hub.take_in(Next::Live, now_ms + 1);
    assert_eq!(two.sees("arena"), at(&[("bob", 2)]));
    two.beat(now_ms + 2);
    assert_eq!(two.sees("arena"), at(&[("bob", 2)]), "its last message came too late");
    // It was only slow, and is alive after all.
    two.live.send_replace(live(2, &[1]));
    two.hub.take_in(Next::Live, now_ms + 3);
    run(&mut [&mut one, &mut two], now_ms, 24);
    assert_eq!(two.sees("arena"), at(&[("alice", 9), ("bob", 2)]));
}

#[test]
fn ghosts_that_nobody_names_are_gone_in_three_rounds() {
    let (one, mut two, now_ms) = pair();
    drop(one);
    let now_ms = run(&mut [&mut two], now_ms, 20);
    assert_eq!(two.sees("arena").len(), 2);
    run(&mut [&mut two], now_ms, 14);
    assert_eq!(two.sees("arena"), at(&[("bob", 2)]));
}

#[test]
fn a_node_that_was_declared_dead_shows_its_actors_under_its_new_name() {
    let (mut one, mut two, now_ms) = pair();
    two.live.send_replace(live(2, &[]));
    two.hub.take_in(Next::Live, now_ms);
    one.live.send_replace(live(11, &[2]));
    one.hub.take_in(Next::Live, now_ms);
    two.live.send_replace(live(2, &[11]));
    two.hub.take_in(Next::Live, now_ms);
    run(&mut [&mut one, &mut two], now_ms, 3);
    assert_eq!(two.sees("arena"), at(&[("alice", 1), ("bob", 2)]));
}

#[test]
fn a_player_who_comes_over_sees_the_room_with_the_own_place() {
    let (mut one, mut two, now_ms) = pair();
    let seat = seat(&two, 5, "alice");
    seat.watch(true);
    assert!(seat.sight().place.is_none(), "another node's view is not the session's");
    two.show("alice", 30, 2, Some("arena"), 7);
    run(&mut [&mut one, &mut two], now_ms, 1);
    let frame = two.hub.frame(&seat, now_ms, 5_000).unwrap();
    let xs: Vec<_> = frame.rows.to_vec().iter().map(|row| row.x).collect();
    assert_eq!((xs, frame.full), (vec![7, 2], true), "the own entity first");
    // Its new moves reach the socket.
    two.show("bob", 20, 2, Some("arena"), 3);
    two.hub.tick(now_ms);
    assert_eq!(two.hub.frame(&seat, now_ms, 5_000).unwrap().rows.to_vec().len(), 1);
}

#[test]
fn without_a_relay_nothing_is_kept_for_others() {
    let hub = Hub::new();
    hub.view(
        &actor("alice"),
        1,
        1,
        Some(View {
            topic: Some("arena".into()),
            entity: 1,
            label: "A".into(),
            x: 0,
            y: 0,
            health: 1,
            flags: 0,
            input: 0,
        }),
    );
    let place = lock(&hub.inner.places).get("arena").cloned().unwrap();
    assert!(lock(&place.inside).exchange.is_none());
    assert!(hub.traffic().is_none());
}

/// The room's actor may be where none of its members are.
#[test]
fn a_room_is_heard_where_its_members_are() {
    let wire = Arc::default();
    let (mut one, mut two) = (Node::join(&wire, 1, &[2]), Node::join(&wire, 2, &[1]));
    two.show("bob", 20, 1, Some("arena"), 2);
    let bob = seat(&two, 5, "bob");
    let mut now_ms = run(&mut [&mut one, &mut two], 0, 5);
    let room: ActorId = "room:arena".parse().unwrap();
    let coins = |coin: u64| Bytes::from(format!(r#"{{"ev":"coins","at":[[{coin},9,9]]}}"#));
    for coin in 1..4 {
        one.hub.broadcast(&room, &"arena".into(), coins(coin));
        now_ms = run(&mut [&mut one, &mut two], now_ms, 20);
        assert!(lock(&one.hub.inner.places).get("arena").is_none(), "and is forgotten");
    }
    assert_eq!(heard(&bob), [coins(1), coins(2), coins(3)]);
    assert_eq!(two.sees("arena"), at(&[("bob", 2)]));
    let mut reaches = two.hub.reaches().unwrap();
    two.show("bob", 20, 2, Some("arena"), 3);
    let named: Vec<_> = std::iter::from_fn(|| reaches.try_recv().ok()).collect();
    assert_eq!(named.iter().map(|(_, coin)| *coin).collect::<Vec<_>>(), [1, 2, 3]);
    // A room that was quiet while somebody came is heard with everybody else.
    one.show("alice", 10, 1, Some("arena"), 1);
    now_ms = run(&mut [&mut one, &mut two], now_ms, 20);
    one.hub.broadcast(&room, &"arena".into(), coins(4));
    run(&mut [&mut one, &mut two], now_ms, 3);
    assert_eq!(heard(&bob), [coins(4)]);
    assert_eq!(two.sees("arena"), at(&[("alice", 1), ("bob", 3)]));
    assert!(reaches.try_recv().is_err(), "alice is another node's");
}
