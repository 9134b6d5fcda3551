//! Moves: what they do, what refuses them.

use holdfast_protocol::client::MoveType::{Attack, Defend, Heal, Special};
use holdfast_protocol::client::Verb;
use serde_json::json;

use super::world::{Sent, World, join, strike, use_item};
use crate::actor::contract::Origin;

#[test]
fn a_defence_halves_and_rounds_down_for_three_seconds() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    let reply = world.act("bob", strike(Defend, None)).unwrap();
    assert_eq!(reply, json!({"damage": 0, "xp": 10, "health": 100}));
    assert_eq!(world.state("bob").buffs[0].kind, "defend");
    assert_eq!(world.flags("bob"), 1);
    assert_eq!(world.act("alice", strike(Attack, Some("bob"))).unwrap()["damage"], 12);
    assert_eq!(world.state("bob").health, 88);
    assert_eq!(world.state("alice").score, 22);
    world.pass(3_000);
    assert!(world.state("bob").buffs.is_empty());
    assert_eq!(world.flags("bob"), 0);
    assert_eq!(world.act("alice", strike(Attack, Some("bob"))).unwrap()["damage"], 25);
}

#[test]
fn a_second_defence_prolongs_the_first() {
    let mut world = World::in_room("r", &["bob"]);
    world.act("bob", strike(Defend, None)).unwrap();
    world.pass(2_000);
    world.act("bob", strike(Defend, None)).unwrap();
    world.pass(2_000);
    assert_eq!(world.state("bob").buffs.len(), 1);
    world.pass(1_000);
    assert!(world.state("bob").buffs.is_empty());
}

#[test]
fn a_special_cools_down_for_five_seconds() {
    let mut world = World::with(&["alice"]);
    let reply = world.act("alice", strike(Special, None)).unwrap();
    assert_eq!(reply, json!({"damage": 40, "xp": 10, "health": 100}));
    assert_eq!(world.state("alice").score, 50);
    assert_eq!(world.state("alice").cooldowns[0].until_ms, world.now_ms + 5_000);
    world.pass(4_999);
    assert_eq!(world.refusal("alice", strike(Special, None)), "cooldown");
    world.act("alice", strike(Attack, None)).unwrap();
    world.events("alice");
    world.pass(1);
    assert_eq!(world.events("alice"), [json!({"ev": "player", "set": {"cooldowns": []}})]);
    world.act("alice", strike(Special, None)).unwrap();
}

#[test]
fn a_refused_special_costs_nothing() {
    let mut world = World::in_room("r", &["alice"]);
    world.hello("bob");
    assert_eq!(world.refusal("alice", strike(Special, Some("bob"))), "same_room_required");
    assert!(world.state("alice").cooldowns.is_empty());
    world.act("bob", join("r")).unwrap();
    world.act("alice", strike(Special, Some("bob"))).unwrap();
    assert_eq!(world.state("bob").health, 60);
    assert_eq!(world.refusal("alice", strike(Special, Some("bob"))), "cooldown");
}

#[test]
fn two_specials_are_never_on_their_way_at_once() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    world.send("alice", Origin::Session, strike(Special, Some("bob"))).unwrap();
    let second = world.send("alice", Origin::Owner, strike(Special, Some("bob")));
    assert_eq!(second.unwrap_err().code, "cooldown");
}

#[test]
fn a_blow_is_refused_by_the_attackers_own_rules() {
    let mut world = World::in_room("r", &["alice"]);
    assert_eq!(world.refusal("alice", strike(Attack, Some("alice"))), "not_yourself");
    assert_eq!(world.refusal("alice", strike(Attack, Some("nobody"))), "no_such_player");
    world.act("alice", Verb::LeaveRoom {}).unwrap();
    world.hello("bob");
    assert_eq!(world.refusal("alice", strike(Attack, Some("bob"))), "not_in_room");
}

#[test]
fn an_offline_target_is_in_no_room() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    world.act("bob", Verb::Logout {}).unwrap();
    assert_eq!(world.refusal("alice", strike(Attack, Some("bob"))), "same_room_required");
}

#[test]
fn a_player_with_a_lost_connection_can_be_hit() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    world.lose("bob");
    world.act("alice", strike(Attack, Some("bob"))).unwrap();
    assert_eq!(world.state("bob").health, 75);
}

#[test]
fn health_stops_at_nothing_and_the_damage_counts_in_full() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    for _ in 0..3 {
        world.act("alice", strike(Attack, Some("bob"))).unwrap();
    }
    let reply = world.act("alice", strike(Special, Some("bob"))).unwrap();
    assert_eq!(reply["damage"], 40);
    assert_eq!(world.state("bob").health, 0);
    assert_eq!(world.state("alice").score, 3 * 35 + 50);
    assert_eq!(world.refusal("alice", strike(Attack, Some("bob"))), "defeated");
}

fn defeat(world: &mut World, attacker: &str, target: &str) {
    for _ in 0..4 {
        world.act(attacker, strike(Attack, Some(target))).unwrap();
    }
    assert_eq!(world.state(target).health, 0);
}

#[test]
fn a_defeated_player_may_do_little_and_stands_up() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    defeat(&mut world, "alice", "bob");
    assert_eq!(world.flags("bob"), 2);
    for verb in [
        join("other"),
        strike(Attack, None),
        strike(Heal, None),
        strike(Defend, None),
        strike(Attack, Some("alice")),
        use_item("potion-001"),
    ] {
        assert_eq!(world.refusal("bob", verb), "defeated");
    }
    world.act("bob", Verb::Say { text: "ouch".into() }).unwrap();
    world.query("bob", Verb::GetInventory {}).unwrap();
    world.act("bob", Verb::LeaveRoom {}).unwrap();
    world.pass(4_999);
    assert_eq!(world.state("bob").health, 0);
    world.events("bob");
    world.pass(1);
    assert_eq!(world.events("bob"), [json!({"ev": "player", "set": {"health": 100}})]);
    world.act("bob", strike(Heal, None)).unwrap();
}

#[test]
fn a_defeated_player_may_log_out_and_still_stands_up() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    defeat(&mut world, "alice", "bob");
    world.act("bob", Verb::Logout {}).unwrap();
    world.pass(5_000);
    assert_eq!(world.state("bob").health, 100);
}

#[test]
fn healing_gives_fifteen_up_to_the_maximum() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    world.act("alice", strike(Attack, Some("bob"))).unwrap();
    assert_eq!(world.act("bob", strike(Heal, None)).unwrap()["health"], 90);
    let reply = world.act("bob", strike(Heal, None)).unwrap();
    assert_eq!(reply, json!({"damage": 0, "xp": 10, "health": 100}));
    assert_eq!(world.act("bob", strike(Heal, None)).unwrap()["health"], 100);
    assert_eq!(world.state("bob").score, 30);
}

#[test]
fn practice_needs_no_room_and_counts() {
    let mut world = World::with(&["alice"]);
    world.events("alice");
    let reply = world.act("alice", strike(Attack, None)).unwrap();
    assert_eq!(reply, json!({"damage": 25, "xp": 10, "health": 100}));
    let events = world.events("alice");
    let combat = json!({"ev": "combat", "move_type": "attack", "by": "alice", "damage": 25,
        "xp": 10});
    assert_eq!(events[0], combat);
    assert_eq!(events[1], json!({"ev": "player", "set": {"xp": 10, "score": 35}}));
    assert_eq!(world.state("alice").total_actions_count, 1);
}

#[test]
fn a_hundred_experience_is_a_level() {
    let mut world = World::with(&["alice"]);
    for _ in 0..9 {
        world.act("alice", strike(Heal, None)).unwrap();
    }
    assert_eq!(world.state("alice").level, 1);
    world.act("alice", strike(Heal, None)).unwrap();
    assert_eq!((world.state("alice").level, world.state("alice").xp), (2, 100));
}

#[test]
fn a_pending_blow_is_combat_and_gives_nothing_yet() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    let sent = world.send("alice", Origin::Session, strike(Attack, Some("bob"))).unwrap();
    assert_eq!(world.status("alice"), "in_combat");
    assert_eq!(world.state("alice").score, 0);
    assert_eq!(world.state("alice").total_actions_count, 1);
    world.deliver();
    let Sent::Later(token) = sent else { panic!("a blow is answered later") };
    assert!(world.seat("alice").answers[&token].is_ok());
    assert_eq!(world.status("alice"), "in_room");
}

#[test]
fn a_blow_counts_although_the_attacker_has_gone() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    world.send("alice", Origin::Owner, strike(Attack, Some("bob"))).unwrap();
    world.send("alice", Origin::Session, Verb::Logout {}).unwrap();
    world.deliver();
    let alice = world.state("alice");
    assert_eq!((alice.score, alice.total_actions_count), (35, 2));
    assert_eq!(world.status("alice"), "offline");
    assert_eq!(world.state("bob").health, 75);
}

#[test]
fn a_target_that_left_first_is_not_struck() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    let sent = world.send("alice", Origin::Session, strike(Attack, Some("bob"))).unwrap();
    world.send("bob", Origin::Session, Verb::LeaveRoom {}).unwrap();
    world.deliver();
    let Sent::Later(token) = sent else { panic!("a blow is answered later") };
    let refused = world.seat("alice").answers.remove(&token).unwrap().unwrap_err();
    assert_eq!(refused.code, "same_room_required");
    assert_eq!(world.state("bob").health, 100);
    assert_eq!(world.status("alice"), "in_room");
}
