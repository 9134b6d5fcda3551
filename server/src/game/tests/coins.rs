//! Coins in arenas, and gold from defeats.

use holdfast_protocol::client::MoveType::Attack;
use holdfast_protocol::client::Verb;
use holdfast_protocol::edge::Request;
use holdfast_protocol::movement::{Position, WORLD_SIZE};
use holdfast_protocol::server::COIN_REACH;
use proptest::prelude::*;
use serde_json::json;

use super::world::{Sent, World, join, player_id, strike};
use crate::actor::contract::{Actor, Message, Origin, Reject, Undelivered};
use crate::game::coins::{COIN_EVERY_MS, COIN_GOLD, COINS_MAX, MARGIN, place};
use crate::game::event::{Event, Input};
use crate::game::pack;
use crate::game::room::Room;
use crate::game::tells::{ToPlayer, ToRoom};

fn reach_as(world: &mut World, origin: Origin, player: &str, coin: u64) -> Result<Sent, Reject> {
    let payload = pack(&Request::Reach { coin });
    world.message(player, &Message::Command { origin, payload: &payload })
}

fn reach(world: &mut World, player: &str, coin: u64) -> Result<Sent, Reject> {
    reach_as(world, Origin::Service, player, coin)
}

fn refusal(world: &mut World, player: &str, coin: u64) -> String {
    let before = world.seat(player).state.clone();
    let code = reach(world, player, coin).unwrap_err().code.into_owned();
    assert_eq!(world.seat(player).state, before);
    code
}

/// Walks there, as far as the clock's credit does not matter.
fn put(world: &mut World, player: &str, to: Position) {
    let seat = world.seat(player);
    let (mut at, mut n) = (seat.state.at, seat.state.input);
    let mut steps = Vec::new();
    while (to.x - at.x).abs() >= 12 || (to.y - at.y).abs() >= 12 {
        let along = |from: i32, to: i32| i8::try_from(((to - from) / 12).signum()).unwrap();
        let step = (along(at.x, to.x), along(at.y, to.y), 0).into();
        at = holdfast_protocol::movement::step(at, step);
        steps.push(crate::game::movement::to_byte(step));
        n += 1;
    }
    let (credit, credit_ms, at_ms) = (0, 0, seat.state.active_ms);
    let steps = steps.into();
    let input = Input { first: 1, steps, input: n, credit, credit_ms, dropped: 0, at: at_ms };
    world.fold(player, &[Event::Input(input)]);
}

fn near(room: &str, coin: u64, dx: i32) -> Position {
    let Position { x, y } = place(room, coin);
    Position { x: x + dx, y }
}

/// An arena with that many coins, and everybody at the first.
fn arena(players: &[&str], coins: u64) -> World {
    let mut world = World::in_room("arena", players);
    world.pass(COIN_EVERY_MS * coins);
    for player in players {
        put(&mut world, player, place("arena", 1));
    }
    world
}

fn timers(world: &World) -> usize {
    world.room_timers.values().map(std::collections::BTreeMap::len).sum()
}

fn lying(world: &World) -> usize {
    let room = serde_json::to_value(&world.rooms["arena"]).unwrap();
    room["coins"].as_array().unwrap().len()
}

fn gold(world: &mut World, players: &[&str]) -> Vec<u64> {
    players.iter().map(|player| world.state(player).gold).collect()
}

#[test]
fn an_arena_puts_down_a_coin_every_two_seconds_and_twenty_at_most() {
    let mut world = World::in_room("arena-7", &["a"]);
    world.pass(COIN_EVERY_MS - 1);
    assert!(world.room_says.is_empty());
    world.pass(1);
    let Position { x, y } = place("arena-7", 1);
    let first = json!({"ev": "coins", "at": [[1, x, y]], "taken": [], "full": true});
    assert_eq!(world.room_says, [first]);
    world.pass(COIN_EVERY_MS * 30);
    let counts: Vec<_> =
        world.room_says.iter().map(|said| said["at"].as_array().unwrap().len()).collect();
    let expected: Vec<_> = (1..=31).map(|n| COINS_MAX.min(n)).collect();
    assert_eq!(counts, expected, "and says so although nothing is new");
    let last = world.room_says.last().unwrap();
    assert_eq!(last["at"][19][0], 20, "a number is used once: {last}");
}

#[test]
fn other_rooms_have_none() {
    for room in ["r", "dungeon-7", "the-arena"] {
        let mut world = World::in_room(room, &["a"]);
        assert_eq!(timers(&world), 0);
        world.pass(COIN_EVERY_MS * 3);
        assert!(world.room_says.is_empty());
        assert_eq!(refusal(&mut world, "a", 1), "not_in_room");
    }
    assert_eq!(refusal(&mut World::with(&["a"]), "a", 1), "not_in_room");
}

#[test]
fn an_empty_arena_rests_and_keeps_its_coins() {
    let mut world = arena(&["a", "b"], 3);
    world.act("a", Verb::LeaveRoom {}).unwrap();
    assert_eq!(timers(&world), 1, "one is still there");
    world.act("b", Verb::LeaveRoom {}).unwrap();
    assert_eq!(timers(&world), 0);
    world.room_says.clear();
    world.pass(COIN_EVERY_MS * 10);
    assert!(world.room_says.is_empty());
    world.act("a", join("arena")).unwrap();
    assert_eq!(timers(&world), 1);
    world.act("b", join("arena")).unwrap();
    world.pass(COIN_EVERY_MS);
    assert_eq!((lying(&world), world.room_says.len()), (4, 1));
}

#[test]
fn a_room_of_before_begins_with_the_next_join() {
    let mut world = World::in_room("arena", &["a"]);
    world.room_timers.clear();
    let mut old = serde_json::to_value(&world.rooms["arena"]).unwrap();
    old.as_object_mut().unwrap().retain(|field, _| field == "members" || field == "last_entity");
    world.rooms.insert("arena".into(), serde_json::from_value(old).unwrap());
    world.hello("b");
    world.act("b", join("arena")).unwrap();
    world.pass(COIN_EVERY_MS);
    assert_eq!(lying(&world), 1);
}

#[test]
fn coins_lie_all_over_the_field_where_they_always_will() {
    assert_eq!([1, 2].map(|coin| place("arena", coin)), [AT[0], AT[1]]);
    assert_eq!(place("arena-2", 1), AT[2]);
    let places: Vec<_> = (1..1_000).map(|coin| place("arena", coin)).collect();
    let inside = MARGIN..WORLD_SIZE - MARGIN;
    assert!(places.iter().all(|at| inside.contains(&at.x) && inside.contains(&at.y)));
    for quarter in 0..4 {
        let is_there = |at: &&Position| at.x / 2048 + at.y / 2048 * 2 == quarter;
        let count = places.iter().filter(is_there).count();
        assert!((150..350).contains(&count), "{count} in quarter {quarter}");
    }
}

/// Nodes of other versions must agree.
const AT: [Position; 3] =
    [Position { x: 1539, y: 2951 }, Position { x: 2469, y: 2308 }, Position { x: 541, y: 1660 }];

#[test]
fn a_coin_comes_to_whoever_stands_near_it() {
    let mut world = arena(&["a"], 2);
    (world.room_says, _) = (Vec::new(), world.events("a"));
    reach(&mut world, "a", 1).unwrap();
    assert_eq!(gold(&mut world, &["a"]), [100], "not before the room says so");
    world.deliver();
    assert_eq!(gold(&mut world, &["a"]), [100 + COIN_GOLD]);
    assert_eq!(world.events("a"), [json!({"ev": "player", "set": {"gold": 105}})]);
    assert_eq!(world.room_says, [json!({"ev": "coins", "at": [], "taken": [1]})]);
    assert_eq!(lying(&world), 1);
    assert!(world.seat("a").state.asked.is_none());
    // The gateway may not have heard yet.
    reach(&mut world, "a", 1).unwrap();
    world.deliver();
    assert_eq!(gold(&mut world, &["a"]), [105]);
    assert!(world.seat("a").state.asked.is_none());
}

#[test]
fn only_the_node_says_what_is_in_reach() {
    let mut world = arena(&["a"], 1);
    for origin in [Origin::Session, Origin::Owner] {
        let refused = reach_as(&mut world, origin, "a", 1).unwrap_err();
        assert_eq!(refused.code, "unauthorized");
    }
}

#[test]
fn a_coin_is_asked_for_from_near_by() {
    let mut world = arena(&["a"], 1);
    let at = world.seat("a").state.at;
    let Position { x, y } = place("arena", 1);
    assert!((at.x - x).abs() < 12 && (at.y - y).abs() < 12);
    put(&mut world, "a", near("arena", 1, COIN_REACH + 24));
    assert_eq!(refusal(&mut world, "a", 1), "not_useful");
    put(&mut world, "a", near("arena", 1, COIN_REACH - 24));
    reach(&mut world, "a", 1).unwrap();
    assert_eq!(refusal(&mut world, "a", 1), "not_useful", "it has asked");
    world.deliver();
    assert_eq!(gold(&mut world, &["a"]), [105]);
}

#[test]
fn the_defeated_pick_nothing_up() {
    let mut world = arena(&["a", "b"], 1);
    for _ in 0..4 {
        world.act("b", strike(Attack, Some("a"))).unwrap();
    }
    assert_eq!(refusal(&mut world, "a", 1), "defeated");
    world.pass(5_000);
    reach(&mut world, "a", 1).unwrap();
    world.deliver();
    assert_eq!(gold(&mut world, &["a"]), [90 + COIN_GOLD]);
}

#[test]
fn of_racers_one_gets_it() {
    let who = ["a", "b", "c"];
    for choice in 0..9 {
        let mut world = arena(&who, 1);
        for player in who {
            reach(&mut world, player, 1).unwrap();
        }
        while world.deliver_one(choice) {}
        let mut gold = gold(&mut world, &who);
        gold.sort_unstable();
        assert_eq!(gold, [100, 100, 105]);
        assert_eq!(lying(&world), 0);
    }
}

#[test]
fn a_coin_that_was_taken_comes_although_the_player_has_left() {
    for way in [Verb::LeaveRoom {}, Verb::Logout {}, join("arena-2")] {
        let mut world = arena(&["a"], 1);
        reach(&mut world, "a", 1).unwrap();
        world.send("a", Origin::Session, way).unwrap();
        world.deliver();
        assert_eq!(gold(&mut world, &["a"]), [105]);
        assert!(world.seat("a").state.asked.is_none());
    }
}

#[test]
fn who_is_no_member_takes_nothing() {
    let mut world = arena(&["a", "b"], 1);
    world.act("b", Verb::LeaveRoom {}).unwrap();
    let (from, room) = (player_id("b"), "room:arena".parse().unwrap());
    let payload = pack(&ToRoom::Take { coin: 1 });
    world.room_message(&room, &Message::Tell { from: &from, payload: &payload });
    world.deliver();
    assert_eq!((lying(&world), gold(&mut world, &["b"])), (1, vec![100]));
}

#[test]
fn only_a_room_gives_coins() {
    let mut world = arena(&["a"], 1);
    let payload = pack(&ToPlayer::Coin { coin: 1, gold: 5 });
    let from = player_id("b");
    world.message("a", &Message::Tell { from: &from, payload: &payload }).unwrap();
    assert_eq!(gold(&mut world, &["a"]), [100]);
}

/// The player's store has forgotten that it asked; the room has given the coin away.
#[test]
fn a_coin_counts_whether_or_not_its_player_remembers() {
    let mut world = World::with(&["a"]);
    let payload = pack(&ToPlayer::Coin { coin: 1, gold: 5 });
    let from = "room:arena".parse().unwrap();
    world.message("a", &Message::Tell { from: &from, payload: &payload }).unwrap();
    assert_eq!(gold(&mut world, &["a"]), [105]);
}

#[test]
fn a_coin_that_finds_nobody_lies_there_again() {
    let mut world = arena(&["a", "b"], 1);
    reach(&mut world, "a", 1).unwrap();
    world.deliver_one(0);
    assert_eq!(lying(&world), 0);
    // The store has lost the player.
    world.seat("a").seq = 0;
    world.deliver();
    assert_eq!(lying(&world), 1);
    reach(&mut world, "b", 1).unwrap();
    world.deliver();
    assert_eq!(gold(&mut world, &["b"]), [105]);
}

#[test]
fn a_room_that_is_out_of_reach_leaves_no_ask_behind() {
    let mut world = arena(&["a"], 1);
    reach(&mut world, "a", 1).unwrap();
    let (to, payload) = ("room:arena".parse().unwrap(), pack(&ToRoom::Take { coin: 1 }));
    let reason = Undelivered::TooManyHops;
    world.message("a", &Message::Undelivered { to: &to, payload: &payload, reason }).unwrap();
    assert!(world.seat("a").state.asked.is_none());
}

#[test]
fn asks_that_nobody_answers_are_bounded() {
    let mut world = World::in_room("arena", &["a"]);
    for coin in 1..=50 {
        put(&mut world, "a", place("arena", coin));
        reach(&mut world, "a", coin).unwrap();
    }
    assert_eq!(world.seat("a").state.asked.as_ref().unwrap().coins.len(), 20);
    world.deliver();
    assert!(world.seat("a").state.asked.is_none());
}

#[test]
fn a_defeat_costs_a_tenth_rounded_down() {
    let mut world = World::in_room("arena", &["a", "b"]);
    world.fold("b", &[Event::Coined { room: "arena".into(), coin: 9, gold: 99 }]);
    for _ in 0..3 {
        let reply = world.act("a", strike(Attack, Some("b"))).unwrap();
        assert_eq!(reply, json!({"damage": 25, "xp": 10, "health": 100}));
    }
    world.events("a");
    world.events("b");
    let reply = world.act("a", strike(Attack, Some("b"))).unwrap();
    assert_eq!(reply, json!({"damage": 25, "xp": 10, "health": 100, "gold": 19}));
    assert_eq!(gold(&mut world, &["a", "b"]), [119, 180]);
    let combat = json!({"ev": "combat", "move_type": "attack", "by": "a", "target": "b",
        "damage": 25, "xp": 10, "gold": 19});
    let told = world.events("b");
    assert_eq!(told[0], combat);
    assert_eq!(told[1]["text"], "a attacked you for 25 damage (attack executed against b)");
    assert_eq!(told[2]["set"], json!({"gold": 180, "health": 0}));
    let told = world.events("a");
    assert_eq!((&told[1], &told[2]["set"]["gold"]), (&combat, &json!(119)));
}

#[test]
fn who_has_little_loses_nothing() {
    let mut world = World::in_room("r", &["a", "b"]);
    let token = 1;
    world.fold("b", &[Event::Robbed { gold: 91, by: "c".into(), token }]);
    for _ in 0..4 {
        let reply = world.act("a", strike(Attack, Some("b"))).unwrap();
        assert!(reply.get("gold").is_none());
    }
    assert_eq!(gold(&mut world, &["a", "b"]), [100, 9]);
}

/// The blow's answer, and whom it comes to.
fn done(world: &mut World, token: u64) {
    let payload = pack(&ToPlayer::BlowDone { token, damage: 25, gold: 10 });
    let from = player_id("b");
    world.message("a", &Message::Tell { from: &from, payload: &payload }).unwrap();
}

#[test]
fn gold_from_a_defeat_counts_although_the_blow_is_forgotten() {
    let mut world = World::in_room("r", &["a", "b"]);
    let Ok(Sent::Later(token)) = world.send("a", Origin::Session, strike(Attack, Some("b"))) else {
        panic!("a blow is answered later")
    };
    done(&mut world, token + 7);
    assert_eq!((world.state("a").gold, world.state("a").score), (110, 0));
    done(&mut world, token);
    assert_eq!((world.state("a").gold, world.state("a").score), (120, 35));
}

#[test]
fn gold_that_finds_nobody_goes_back() {
    let mut world = World::in_room("r", &["a", "b"]);
    for _ in 0..3 {
        world.act("a", strike(Attack, Some("b"))).unwrap();
    }
    world.send("a", Origin::Session, strike(Attack, Some("b"))).unwrap();
    world.deliver_one(0);
    assert_eq!(world.state("b").gold, 90);
    // The store has lost the attacker.
    world.seat("a").seq = 0;
    world.deliver();
    assert_eq!(world.state("b").gold, 100);
}

#[derive(Debug, Clone)]
enum Deed {
    Reach(usize, u64),
    Blow(usize, usize),
    Leave(usize),
    Join(usize, bool),
    Carry(usize),
    Pass(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (0..3_usize, 1..9_u64).prop_map(|(who, coin)| Deed::Reach(who, coin)),
        3 => (0..3_usize, 0..3_usize).prop_map(|(who, whom)| Deed::Blow(who, whom)),
        1 => (0..3_usize).prop_map(Deed::Leave),
        2 => (0..3_usize, any::<bool>()).prop_map(|(who, two)| Deed::Join(who, two)),
        6 => (0..9_usize).prop_map(Deed::Carry),
        2 => (0..4_000_u64).prop_map(Deed::Pass),
    ]
}

const WHO: [&str; 3] = ["a", "b", "c"];

fn perform(world: &mut World, deed: &Deed) {
    match *deed {
        Deed::Reach(who, coin) => {
            let room = world.seat(WHO[who]).state.room.as_ref().map(|place| place.room.clone());
            put(world, WHO[who], place(room.as_deref().unwrap_or("arena"), coin));
            drop(reach(world, WHO[who], coin));
        }
        Deed::Blow(who, whom) => {
            drop(world.send(WHO[who], Origin::Owner, strike(Attack, Some(WHO[whom]))));
        }
        Deed::Leave(who) => drop(world.send(WHO[who], Origin::Owner, Verb::LeaveRoom {})),
        Deed::Join(who, two) => {
            let room = if two { "arena-2" } else { "arena" };
            drop(world.send(WHO[who], Origin::Owner, join(room)));
        }
        Deed::Carry(choice) => drop(world.deliver_one(choice)),
        Deed::Pass(ms) => world.pass(ms),
    }
}

/// Gold that rooms have put down and that does not lie there any more.
fn given_away(room: &Room) -> u64 {
    let room = serde_json::to_value(room).unwrap();
    let lying = room["coins"].as_array().unwrap().len() as u64;
    assert!(lying <= COINS_MAX as u64);
    (room["last_coin"].as_u64().unwrap() - lying) * COIN_GOLD
}

proptest! {
    #[test]
    fn gold_is_conserved(deeds in proptest::collection::vec(deed(), 1..80)) {
        let mut world = World::in_room("arena", &WHO);
        world.pass(COIN_EVERY_MS * 6);
        for deed in &deeds {
            perform(&mut world, deed);
        }
        world.deliver();
        let held: u64 = gold(&mut world, &WHO).iter().sum();
        let minted: u64 = world.rooms.values().map(given_away).sum();
        prop_assert_eq!(held, 300 + minted);
        for player in WHO {
            prop_assert!(world.seat(player).state.asked.is_none(), "all were answered");
        }
    }
}

#[test]
fn an_idle_player_pays_one_pointer_for_coins() {
    assert_eq!(std::mem::size_of::<Option<Box<crate::game::coins::Asked>>>(), 8);
    assert_eq!(Room::new(&"room:r".parse().unwrap()).view(), None);
}
