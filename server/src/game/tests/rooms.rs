//! Rooms: places, capacity, and that no place is left behind.

use holdfast_protocol::client::Verb;
use holdfast_protocol::edge::Proof;
use proptest::prelude::*;
use serde_json::json;

use super::world::{Sent, World, join};
use crate::actor::contract::{Actor, Ctx, Message, Origin, Undelivered};
use crate::game::room::Room;
use crate::game::tells::ToRoom;
use crate::game::{Settings, pack};

#[test]
fn a_room_has_as_many_places_as_it_is_set_to() {
    let mut world = World::with(&["a", "b", "c"]);
    world.settings.room_capacities.insert("small".into(), 2);
    world.act("a", join("small")).unwrap();
    assert_eq!(world.act("b", join("small")).unwrap()["room"]["max_players"], 2);
    world.act("c", join("elsewhere")).unwrap();
    assert_eq!(world.refusal("c", join("small")), "room_full");
    assert_eq!(world.members("small"), ["a", "b"]);
    assert_eq!(world.members("elsewhere"), ["c"], "a refused join leaves the player there");
    world.act("a", Verb::LeaveRoom {}).unwrap();
    world.act("c", join("small")).unwrap();
    assert_eq!(world.members("small"), ["b", "c"]);
    assert!(world.members("elsewhere").is_empty());
}

#[test]
fn twenty_players_fit_by_default() {
    let names: Vec<String> = (0..21).map(|n| format!("p{n}")).collect();
    let mut world = World::with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &names[..20] {
        world.act(name, join("arena")).unwrap();
    }
    assert_eq!(world.refusal("p20", join("arena")), "room_full");
}

#[test]
fn a_join_waits_for_the_room() {
    let mut world = World::with(&["a"]);
    world.events("a");
    let sent = world.send("a", Origin::Session, join("r")).unwrap();
    assert!(matches!(sent, Sent::Later(_)));
    assert!(world.state("a").current_room.is_none());
    assert!(world.events("a").is_empty());
    world.deliver();
    let room = json!({"room_id": "r", "room_name": "Room r", "player_count": 1,
        "max_players": 20});
    let set = json!({"status": "in_room", "current_room": room});
    assert_eq!(world.events("a"), [json!({"ev": "player", "set": set})]);
    assert_eq!(world.state("a").total_actions_count, 1);
}

#[test]
fn joining_ones_own_room_and_leaving_none_are_no_actions() {
    let mut world = World::with(&["a"]);
    assert_eq!(world.act("a", Verb::LeaveRoom {}).unwrap(), json!({"room": null}));
    world.act("a", join("r")).unwrap();
    world.events("a");
    assert_eq!(world.act("a", join("r")).unwrap()["room"]["room_id"], "r");
    assert!(world.events("a").is_empty());
    assert_eq!(world.state("a").total_actions_count, 1);
    assert_eq!(world.act("a", Verb::LeaveRoom {}).unwrap(), json!({"room": null}));
    let set = json!({"status": "online", "current_room": null});
    assert_eq!(world.events("a"), [json!({"ev": "player", "set": set})]);
    assert_eq!(world.state("a").total_actions_count, 1);
}

#[test]
fn position_is_kept_through_rooms() {
    let mut world = World::in_room("r", &["a"]);
    world.act("a", super::world::walk(1, &[(1, 0, 0)])).unwrap();
    let x = world.state("a").x;
    world.act("a", join("s")).unwrap();
    assert_eq!(world.state("a").x, x);
}

#[test]
fn of_two_joins_the_one_answered_last_wins() {
    let mut world = World::with(&["a"]);
    let sent = [join("r"), join("s")].map(|verb| world.send("a", Origin::Owner, verb).unwrap());
    world.deliver();
    for sent in sent {
        let Sent::Later(token) = sent else { panic!("joins are answered later") };
        assert!(world.seat("a").answers[&token].is_ok());
    }
    assert_eq!(world.state("a").current_room.unwrap().room_id.as_str(), "s");
    assert!(world.members("r").is_empty());
    assert_eq!(world.members("s"), ["a"]);
}

#[test]
fn joining_one_room_twice_at_once_keeps_one_place() {
    let mut world = World::with(&["a"]);
    world.send("a", Origin::Owner, join("r")).unwrap();
    world.send("a", Origin::Owner, join("r")).unwrap();
    world.deliver();
    assert_eq!(world.members("r"), ["a"]);
    world.act("a", Verb::LeaveRoom {}).unwrap();
    assert!(world.members("r").is_empty());
}

#[test]
fn a_place_that_comes_after_logout_is_given_back() {
    let mut world = World::with(&["a"]);
    let Ok(Sent::Later(token)) = world.send("a", Origin::Owner, join("r")) else {
        panic!("a join is answered later")
    };
    world.act("a", Verb::Logout {}).unwrap();
    assert_eq!(world.seat("a").answers[&token].clone().unwrap_err().code, "not_in_room");
    assert!(world.members("r").is_empty());
    assert_eq!(world.status("a"), "offline");
}

#[test]
fn joins_that_wait_are_bounded() {
    let mut world = World::with(&["a"]);
    for n in 0..8 {
        world.send("a", Origin::Owner, join(&format!("r{n}"))).unwrap();
    }
    let refused = world.send("a", Origin::Owner, join("r8")).unwrap_err();
    assert_eq!(refused.code, "too_many_in_flight");
}

#[test]
fn a_room_that_is_out_of_reach_refuses() {
    let mut world = World::with(&["a"]);
    let Ok(Sent::Later(token)) = world.send("a", Origin::Session, join("r")) else {
        panic!("a join is answered later")
    };
    let payload = pack(&ToRoom::Join { n: 1, name: "a".into() });
    let to = "room:r".parse().unwrap();
    let reason = Undelivered::TooManyHops;
    world.message("a", &Message::Undelivered { to: &to, payload: &payload, reason }).unwrap();
    assert_eq!(world.seat("a").answers[&token].clone().unwrap_err().code, "room_full");
}

#[test]
fn saying_needs_a_room_and_names_the_player() {
    let mut world = World::with(&["a"]);
    let say = || Verb::Say { text: "hello".into() };
    assert_eq!(world.refusal("a", say()), "not_in_room");
    world.act("a", join("r")).unwrap();
    assert_eq!(world.act("a", say()).unwrap(), json!({}));
    let said = json!({"ev": "say", "from": "a", "text": "hello"});
    assert_eq!(world.seat("a").broadcasts, [said]);
}

#[test]
fn the_view_names_the_place() {
    let mut world = World::new();
    world.open("a", Some("Ann"), Proof::Open).unwrap();
    let view = world.seat("a").state.view().unwrap();
    assert_eq!((view.topic, &*view.label, view.health), (None, "Ann", 100));
    world.hello("b");
    world.act("b", join("r")).unwrap();
    world.act("a", join("r")).unwrap();
    let view = world.seat("a").state.view().unwrap();
    assert_eq!((view.topic.as_deref(), view.entity, view.flags), (Some("r"), 2, 0));
}

fn room_says(room: &mut Room, from: &str, tell: &ToRoom) {
    let (id, settings) = ("room:r".parse().unwrap(), Settings::default());
    let ctx = Ctx {
        id: &id,
        now_ms: 1,
        seq: 1,
        token: 1,
        random: 0,
        connected: false,
        settings: &settings,
    };
    let from = format!("player:{from}").parse().unwrap();
    let payload = pack(tell);
    let tell = Message::Tell { from: &from, payload: &payload };
    for event in room.decide(&ctx, &tell).unwrap().events {
        room.apply(&event);
    }
    let body = room.query(&ctx, &[]).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["player_count"], room.members().len());
    assert_eq!(body["room_name"], "Room r");
}

#[test]
fn a_late_leave_does_not_end_a_newer_place() {
    let mut room = Room::new(&"room:r".parse().unwrap());
    let name = std::sync::Arc::<str>::from("a");
    room_says(&mut room, "a", &ToRoom::Join { n: 1, name: name.clone() });
    room_says(&mut room, "a", &ToRoom::Join { n: 2, name: name.clone() });
    room_says(&mut room, "a", &ToRoom::Leave { n: 1 });
    assert_eq!(room.members()["a"].n, 2);
    room_says(&mut room, "b", &ToRoom::Join { n: 1, name: name.clone() });
    room_says(&mut room, "a", &ToRoom::Leave { n: 2 });
    room_says(&mut room, "a", &ToRoom::Join { n: 3, name });
    assert_eq!((room.members()["b"].entity, room.members()["a"].entity), (2, 3));
}

#[derive(Debug, Clone)]
enum Deed {
    Join(usize, usize),
    Leave(usize),
    Logout(usize),
    Hello(usize),
    Lose(usize),
    Resume(usize),
    Carry(usize),
    Pass(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..3_usize, 0..3_usize).prop_map(|(who, room)| Deed::Join(who, room)),
        1 => (0..3_usize).prop_map(Deed::Leave),
        1 => (0..3_usize).prop_map(Deed::Logout),
        2 => (0..3_usize).prop_map(Deed::Hello),
        1 => (0..3_usize).prop_map(Deed::Lose),
        1 => (0..3_usize).prop_map(Deed::Resume),
        6 => (0..9_usize).prop_map(Deed::Carry),
        1 => (0..70_000_u64).prop_map(Deed::Pass),
    ]
}

const WHO: [&str; 3] = ["a", "b", "c"];
const WHERE: [&str; 3] = ["r", "s", "t"];

/// Like the world's own, but tells stay in the mail.
fn perform(world: &mut World, deed: &Deed) {
    let opening = super::world::opening(None, Proof::Open);
    match *deed {
        Deed::Join(who, room) => drop(world.send(WHO[who], Origin::Owner, join(WHERE[room]))),
        Deed::Leave(who) => drop(world.send(WHO[who], Origin::Session, Verb::LeaveRoom {})),
        Deed::Logout(who) => drop(world.send(WHO[who], Origin::Session, Verb::Logout {})),
        Deed::Hello(who) => {
            world.message(WHO[who], &Message::Opened { payload: &opening }).unwrap();
        }
        Deed::Lose(who) => drop(world.message(WHO[who], &Message::Lost)),
        Deed::Resume(who) => drop(world.message(WHO[who], &Message::Resumed)),
        Deed::Carry(choice) => drop(world.deliver_one(choice)),
        Deed::Pass(ms) => world.pass(ms),
    }
}

proptest! {
    #[test]
    fn no_room_keeps_a_stale_place(deeds in proptest::collection::vec(deed(), 1..80)) {
        let mut world = World::with(&WHO);
        world.settings.room_capacity = 2;
        for deed in &deeds {
            perform(&mut world, deed);
            for room in WHERE {
                prop_assert!(world.members(room).len() <= 2);
            }
        }
        world.deliver();
        for room in WHERE {
            for (player, member) in world.rooms.get(room).map_or(&Default::default(), Room::members) {
                let place = world.players[player].state.room.clone();
                let place = place.map(|place| (place.room.to_string(), place.n, place.entity));
                prop_assert_eq!(place, Some((room.to_owned(), member.n, member.entity)));
            }
        }
        for player in WHO {
            let state = world.state(player);
            if let Some(room) = state.current_room {
                prop_assert!(world.members(room.room_id.as_str()).contains(&player.to_owned()));
            }
            prop_assert!(world.players[player].state.joins.is_empty(), "all were answered");
        }
    }
}
