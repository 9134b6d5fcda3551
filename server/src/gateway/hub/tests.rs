//! What the hub shows to whom, and when it wakes them.

use std::time::Duration;

use super::*;
use crate::actor::connection::Connection;
use crate::actor::envelope::{Delivery, Nearby};

fn actor(name: &str) -> ActorId {
    ActorId::player(&PlayerId::new(name).unwrap())
}

fn view(room: Option<&str>, entity: u32, x: i32, input: u64) -> Option<View> {
    Some(View {
        topic: room.map(Arc::from),
        entity,
        label: "Name".into(),
        x,
        y: 0,
        health: 100,
        flags: 0,
        input,
    })
}

struct Client {
    seat: Arc<Seat>,
}

fn attached(how: Attachment, epoch: u64, seq: u64) -> Attached {
    let (state, replay, activated) = (Bytes::new(), vec![], None);
    Attached { how, session: 1, watermark: 0, epoch, seq, state, replay, activated }
}

fn client(hub: &Hub, id: ConnectionId, name: &str) -> Client {
    let seat = Seat::new(Connection::new(id, 4));
    hub.open(&seat);
    hub.attach(&seat, &PlayerId::new(name).unwrap(), &attached(Attachment::Welcome, 1, 1));
    seat.watch(true);
    Client { seat }
}

fn frame(hub: &Hub, client: &Client) -> Option<Frame> {
    hub.tick(0);
    hub.frame(&client.seat, 0, 5_000)
}

fn xs(frame: &Frame) -> Vec<(u32, i32)> {
    frame.rows.to_vec().iter().map(|row| (row.entity, row.x)).collect()
}

async fn is_due(client: &Client) -> bool {
    tokio::time::timeout(Duration::from_millis(1), client.seat.due(true)).await.is_ok()
}

#[test]
fn a_neighbours_move_reaches_a_socket_in_the_same_room() {
    let hub = Hub::new();
    let alice = client(&hub, 1, "alice");
    hub.view(&actor("alice"), 1, 2, view(Some("arena"), 1, 10, 0));
    hub.view(&actor("bob"), 1, 2, view(Some("arena"), 2, 20, 0));
    hub.view(&actor("carol"), 1, 2, view(Some("cave"), 1, 30, 0));
    let first = frame(&hub, &alice).unwrap();
    assert_eq!((xs(&first), first.full), (vec![(1, 10), (2, 20)], true));
    assert_eq!(first.names.map(|names| (names.rows.len(), names.full)), Some((2, true)));
    hub.view(&actor("bob"), 1, 3, view(Some("arena"), 2, 21, 0));
    let second = frame(&hub, &alice).unwrap();
    assert_eq!((xs(&second), second.full, second.names), (vec![(2, 21)], false, None));
    assert_eq!(frame(&hub, &alice), None);
}

/// A frame that is made while a step comes in: the room has it, the socket's input not yet.
#[test]
fn the_own_place_and_the_input_are_of_one_moment() {
    let hub = Hub::new();
    let alice = client(&hub, 1, "alice");
    hub.view(&actor("alice"), 1, 2, view(Some("arena"), 1, 10, 1));
    assert_eq!(xs(&frame(&hub, &alice).unwrap()), [(1, 10)]);
    let place = alice.seat.sight().place.clone().unwrap();
    let (player, name) = ("alice".into(), "Name".into());
    let row = EntityRow::from((1, 22, 0, 90, 0));
    assert!(lock(&place.inside).topic.put(&player, &name, row));
    let early = frame(&hub, &alice).unwrap();
    assert_eq!((xs(&early), early.input), (vec![(1, 10)], 1), "the new step is not there yet");
    assert_eq!(early.rows.own_row.map(|row| row.health), Some(90));
    hub.view(&actor("alice"), 1, 3, view(Some("arena"), 1, 22, 2));
    let next = frame(&hub, &alice).unwrap();
    assert_eq!((xs(&next), next.input), (vec![(1, 22)], 2), "told with its input");
    assert_eq!(frame(&hub, &alice), None);
}

#[test]
fn older_views_are_dropped() {
    let hub = Hub::new();
    let alice = client(&hub, 1, "alice");
    hub.view(&actor("alice"), 2, 5, view(Some("arena"), 1, 10, 0));
    hub.view(&actor("alice"), 2, 4, view(Some("arena"), 1, 4, 0));
    hub.view(&actor("alice"), 1, 9, view(Some("cave"), 1, 9, 0));
    assert_eq!(xs(&frame(&hub, &alice).unwrap()), [(1, 10)]);
    hub.view(&actor("bob"), 1, 5, view(Some("arena"), 2, 20, 0));
    hub.view(&actor("bob"), 1, 6, None);
    hub.view(&actor("bob"), 1, 5, view(Some("arena"), 2, 20, 0));
    let gone = frame(&hub, &alice).unwrap();
    assert!(gone.rows.is_empty(), "a late view revives nobody");
}

#[test]
fn leaving_a_room_empties_the_picture_once() {
    let hub = Hub::new();
    let alice = client(&hub, 1, "alice");
    hub.view(&actor("alice"), 1, 2, view(Some("arena"), 1, 10, 0));
    frame(&hub, &alice).unwrap();
    hub.view(&actor("alice"), 1, 3, view(None, 0, 10, 0));
    let left = frame(&hub, &alice).unwrap();
    assert_eq!((left.rows.to_vec().len(), left.full), (0, true));
    assert_eq!(frame(&hub, &alice), None);
    assert!(hub.rooms().is_empty());
}

#[tokio::test]
async fn durable_input_is_told_in_no_room_too() {
    let hub = Hub::new();
    let alice = client(&hub, 1, "alice");
    hub.view(&actor("alice"), 1, 2, view(None, 0, 10, 7));
    assert!(!is_due(&alice).await, "only a tick wakes");
    hub.tick(0);
    assert!(is_due(&alice).await);
    let told = hub.frame(&alice.seat, 0, 5_000).unwrap();
    assert_eq!((told.input, told.full, told.rows.to_vec().len()), (7, false, 0));
    assert_eq!(frame(&hub, &alice), None);
}

#[test]
fn a_new_session_does_not_see_the_input_of_the_one_before() {
    let hub = Hub::new();
    hub.view(&actor("alice"), 1, 5, view(Some("arena"), 1, 10, 99));
    let seat = Seat::new(Connection::new(1, 4));
    let alice = PlayerId::new("alice").unwrap();
    hub.attach(&seat, &alice, &attached(Attachment::Welcome, 1, 6));
    assert_eq!(hub.frame(&seat, 0, 5_000).unwrap().input, 0);
    hub.attach(&seat, &alice, &attached(Attachment::Resumed, 1, 6));
    assert_eq!(hub.frame(&seat, 0, 5_000).unwrap().input, 99);
}

#[tokio::test]
async fn a_slower_watcher_is_woken_later() {
    let hub = Hub::new();
    let alice = client(&hub, 1, "alice");
    alice.seat.pace_ms.store(500, Ordering::Release);
    hub.view(&actor("alice"), 1, 2, view(Some("arena"), 1, 10, 0));
    hub.tick(1_000);
    assert!(is_due(&alice).await);
    hub.frame(&alice.seat, 1_000, 5_000).unwrap();
    hub.view(&actor("alice"), 1, 3, view(Some("arena"), 1, 11, 0));
    hub.tick(1_100);
    assert!(!is_due(&alice).await);
    hub.tick(1_500);
    assert!(is_due(&alice).await);
}

#[tokio::test]
async fn in_a_crowd_a_socket_is_woken_until_it_holds_everybody() {
    let hub = Hub::new();
    let alice = client(&hub, 1, "alice");
    let all = |seq: u64| {
        for n in 0..100 {
            let name = if n == 0 { "alice".to_owned() } else { format!("p{n}") };
            let x = i32::try_from(u64::from(n) + seq).unwrap();
            hub.view(&actor(&name), 1, seq, view(Some("arena"), n, x, 0));
        }
    };
    all(2);
    let first = frame(&hub, &alice).unwrap();
    assert_eq!((first.rows.to_vec().len(), first.full), (100, true));
    assert!(is_due(&alice).await);
    all(3);
    let (mut told, mut frames, mut now_ms) = (0, 0, 0);
    loop {
        now_ms += 50;
        hub.tick(now_ms);
        if !is_due(&alice).await {
            break;
        }
        let Some(next) = hub.frame(&alice.seat, now_ms, 5_000) else { continue };
        assert!(next.rows.to_vec().len() <= 13 && !next.full, "{}", next.rows.to_vec().len());
        (told, frames) = (told + next.rows.to_vec().len(), frames + 1);
    }
    assert_eq!(told, 100, "everybody once");
    assert!(frames >= 100 / 13, "{frames}");
}

#[test]
fn a_broadcast_reaches_everybody_at_the_topic() {
    let hub = Hub::new();
    let alice = client(&hub, 1, "alice");
    let bob = client(&hub, 2, "bob");
    hub.view(&actor("alice"), 1, 2, view(Some("arena"), 1, 10, 0));
    hub.view(&actor("bob"), 1, 2, view(Some("cave"), 1, 10, 0));
    hub.broadcast(&actor("alice"), &"arena".into(), Bytes::from_static(b"{}"));
    assert!(matches!(alice.seat.connection.take(), Some(Delivery::Transient(_))));
    assert!(bob.seat.connection.take().is_none());
}

#[test]
fn who_and_rooms_know_the_connected_and_the_present() {
    let hub = Hub::new();
    let alice = client(&hub, 1, "alice");
    hub.view(&actor("alice"), 1, 2, view(Some("arena"), 1, 10, 0));
    hub.view(&actor("bob"), 1, 2, view(Some("arena"), 2, 10, 0));
    let who: Vec<String> = hub.who().into_iter().map(|row| row.player.to_string()).collect();
    assert_eq!(who, ["alice"]);
    assert_eq!(hub.rooms(), [(RoomId::new("arena").unwrap(), 2)]);
    hub.close(&alice.seat);
    assert!(hub.who().is_empty() && hub.seats().is_empty());
    assert_eq!(hub.rooms().len(), 1, "whoever lost the connection keeps the place");
}

#[test]
fn actors_that_are_gone_are_forgotten_in_the_end() {
    let hub = Hub::new();
    for number in 0..SHARDS * (GRAVES_MAX + 64) {
        let gone = actor(&format!("p{number}"));
        hub.view(&gone, 1, 1, view(Some("arena"), 1, 0, 0));
        hub.view(&gone, 1, 2, None);
    }
    let known: usize = hub.inner.shards.iter().map(|shard| lock(shard).actors.len()).sum();
    assert!(known <= SHARDS * GRAVES_MAX);
    assert!(lock(&hub.inner.places).is_empty());
}

/// A coin's event of a room.
fn coins(at: &str, taken: &str, full: bool) -> Bytes {
    format!(r#"{{"ev":"coins","at":{at},"taken":{taken},"full":{full}}}"#).into()
}

fn room() -> ActorId {
    "room:arena".parse().unwrap()
}

fn told(client: &Client) -> Vec<serde_json::Value> {
    let mut told = Vec::new();
    while let Some(Delivery::Transient(message)) = client.seat.connection.take() {
        told.push(serde_json::from_slice(&message).unwrap());
    }
    told
}

#[test]
fn who_walks_past_a_coin_is_named_to_its_actor() {
    let hub = Hub::new();
    let mut reaches = hub.reaches().unwrap();
    assert!(hub.reaches().is_none(), "to one only");
    let _alice = client(&hub, 1, "alice");
    hub.view(&actor("alice"), 1, 2, view(Some("arena"), 1, 0, 0));
    let say = |message| hub.broadcast(&room(), &"arena".into(), message);
    say(coins("[[1,100,0],[2,300,0]]", "[]", true));
    let mut walk = |seq: u64, x: i32| {
        hub.view(&actor("alice"), 1, seq, view(Some("arena"), 1, x, 0));
        let mut named = Vec::new();
        while let Ok((who, coin)) = reaches.try_recv() {
            assert_eq!(who, actor("alice"));
            named.push(coin);
        }
        named
    };
    assert_eq!((walk(3, 51), walk(4, 52), walk(5, 64)), (vec![], vec![1], vec![]));
    hub.tick(999);
    assert_eq!(walk(6, 76), [0; 0]);
    hub.tick(1_000);
    assert_eq!((walk(7, 76), walk(8, 88)), (vec![], vec![1]), "only a step names again");
    say(coins("[[3,90,0]]", "[1]", false));
    hub.tick(5_000);
    assert_eq!((walk(9, 100), walk(10, 290)), (vec![3], vec![2]));
}

#[test]
fn an_older_step_names_no_coin() {
    let hub = Hub::new();
    let mut reaches = hub.reaches().unwrap();
    let _alice = client(&hub, 1, "alice");
    hub.view(&actor("alice"), 2, 5, view(Some("arena"), 1, 0, 0));
    hub.broadcast(&room(), &"arena".into(), coins("[[1,100,0]]", "[]", true));
    hub.view(&actor("alice"), 2, 4, view(Some("arena"), 1, 100, 0));
    assert!(reaches.try_recv().is_err());
}

#[test]
fn hints_that_nobody_passes_on_are_dropped() {
    let hub = Hub::new();
    let _alice = client(&hub, 1, "alice");
    hub.view(&actor("alice"), 1, 1, view(Some("arena"), 1, 0, 0));
    hub.broadcast(&room(), &"arena".into(), coins("[[1,0,0]]", "[]", true));
    let beyond = said::REACHES_MAX as u64 + 50;
    for step in 0..beyond {
        hub.tick(step * 1_000);
        hub.view(&actor("alice"), 1, 2 + step, view(Some("arena"), 1, (step % 2) as i32, 0));
    }
    let mut reaches = hub.reaches().unwrap();
    let mut count = 0;
    while reaches.try_recv().is_ok() {
        count += 1;
    }
    assert_eq!(count, said::REACHES_MAX);
}

#[test]
fn whoever_comes_is_told_what_lies_there() {
    let hub = Hub::new();
    let alice = client(&hub, 1, "alice");
    let bob = client(&hub, 2, "bob");
    hub.view(&actor("alice"), 1, 2, view(Some("arena"), 1, 0, 0));
    let say = |message| hub.broadcast(&room(), &"arena".into(), message);
    say(coins("[[1,100,0]]", "[]", true));
    say(coins("[[2,300,0]]", "[1]", false));
    assert_eq!(told(&alice).len(), 2);
    hub.view(&actor("bob"), 1, 2, view(Some("cave"), 1, 0, 0));
    assert_eq!(told(&bob).len(), 0);
    hub.view(&actor("bob"), 1, 3, view(Some("arena"), 2, 0, 0));
    let all = serde_json::json!({"ev": "coins", "at": [[2, 300, 0]], "taken": [], "full": true});
    assert_eq!(told(&bob), std::slice::from_ref(&all));
    // A new socket of the same session.
    let again = client(&hub, 3, "bob");
    assert_eq!(told(&again), [all]);
    assert_eq!(told(&alice).len(), 0, "nothing new for who was there");
}

#[test]
fn coins_are_remembered_where_somebody_sits() {
    let hub = Hub::new();
    hub.view(&actor("alice"), 1, 2, view(Some("arena"), 1, 0, 0));
    let say = |message| hub.broadcast(&room(), &"arena".into(), message);
    let known = || {
        let place = lock(&hub.inner.places).get("arena").cloned();
        place.is_some_and(|place| lock(&place.inside).coins.is_some())
    };
    say(coins("[[1,100,0]]", "[]", true));
    assert!(!known(), "alice has no socket");
    let alice = client(&hub, 1, "alice");
    say(coins("[[1,100,0]]", "[]", true));
    assert!(known());
    say(coins("[]", "[1]", false));
    assert!(!known(), "none is left");
    say(coins("[[2,100,0]]", "[]", true));
    say(Bytes::from_static(
        b"{\"ev\":\"say\",\"from\":\"bob\",\"text\":\"{\\\"ev\\\":\\\"coins\\\"\"}",
    ));
    assert!(known());
    hub.close(&alice.seat);
    say(coins("[[2,100,0]]", "[]", true));
    assert!(!known(), "she is gone");
    assert!(lock(&hub.inner.places).get("cave").is_none());
    hub.broadcast(&room(), &"cave".into(), coins("[[1,1,1]]", "[]", true));
    assert!(lock(&hub.inner.places).get("cave").is_none(), "nobody is there");
}
