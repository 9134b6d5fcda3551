//! Items, and notices.

use holdfast_protocol::client::MoveType::{Attack, Special};
use holdfast_protocol::client::Verb;
use holdfast_protocol::edge::Request;
use serde_json::json;

use super::world::{World, strike, use_item};
use crate::actor::contract::{Message, Origin, Reject};
use crate::game::notices::{NotificationInput, SEND_PLAYER_NOTIFICATION};
use crate::game::pack;

#[test]
fn a_potion_gives_fifty_up_to_the_maximum() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    assert_eq!(world.refusal("bob", use_item("potion-001")), "not_useful");
    world.act("alice", strike(Special, Some("bob"))).unwrap();
    world.act("alice", strike(Attack, Some("bob"))).unwrap();
    world.events("bob");
    let item = |quantity: u64| json!({"item_id": "potion-001", "name": "Health Potion", "quantity": quantity});
    let reply = world.act("bob", use_item("potion-001")).unwrap();
    assert_eq!(reply, json!({"item": item(4), "health": 85}));
    let sword = json!({"item_id": "sword-001", "name": "Iron Sword", "quantity": 1});
    let set = json!({"health": 85, "inventory": [item(4), sword]});
    assert_eq!(world.events("bob"), [json!({"ev": "player", "set": set})]);
    let reply = world.act("bob", use_item("potion-001")).unwrap();
    assert_eq!(reply, json!({"item": item(3), "health": 100}));
    assert_eq!(world.state("bob").total_actions_count, 1, "an item is no action");
}

#[test]
fn the_last_potion_leaves_nothing_behind() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    for left in (0..5).rev() {
        world.act("alice", strike(Attack, Some("bob"))).unwrap();
        let reply = world.act("bob", use_item("potion-001")).unwrap();
        assert_eq!(reply["item"]["quantity"], left);
    }
    assert_eq!(world.refusal("bob", use_item("potion-001")), "no_such_item");
    let inventory = world.query("bob", Verb::GetInventory {}).unwrap();
    let sword = json!({"item_id": "sword-001", "name": "Iron Sword", "quantity": 1});
    assert_eq!(inventory, json!({"inventory": [sword]}));
}

#[test]
fn what_is_no_potion_is_not_used() {
    let mut world = World::with(&["alice"]);
    assert_eq!(world.refusal("alice", use_item("sword-001")), "not_useful");
    assert_eq!(world.refusal("alice", use_item("crown")), "no_such_item");
}

fn notify(world: &mut World, origin: Origin, text: &str) -> Result<(), Reject> {
    let request = Request::Notify { text: text.into(), from: Some("the town".into()) };
    let payload = pack(&request);
    world.message("alice", &Message::Command { origin, payload: &payload }).map(|_| ())
}

#[test]
fn a_connected_player_is_told_at_once() {
    let mut world = World::with(&["alice"]);
    world.events("alice");
    notify(&mut world, Origin::Service, "hear, hear").unwrap();
    let notice = json!({"ev": "notice", "text": "hear, hear", "from": "the town"});
    assert_eq!(world.events("alice"), [notice]);
    assert!(world.seat("alice").activities.is_empty());
    assert!(world.state("alice").pending_notifications.is_empty());
}

#[test]
fn an_absent_player_is_told_on_return_once() {
    let mut world = World::with(&["alice"]);
    world.lose("alice");
    notify(&mut world, Origin::Service, "first").unwrap();
    notify(&mut world, Origin::Service, "second").unwrap();
    assert_eq!(world.state("alice").pending_notifications.len(), 2);
    let call = &world.seat("alice").activities[0];
    assert_eq!(call.options.start_to_close_ms, 10_000);
    let inputs = world.inputs::<NotificationInput>("alice", SEND_PLAYER_NOTIFICATION);
    assert_eq!(inputs.len(), 2);
    assert_eq!((inputs[0].player.as_str(), inputs[0].text.as_str()), ("alice", "first"));
    world.events("alice");
    world.resume("alice");
    let events = world.events("alice");
    assert_eq!(events[0]["text"], "first");
    assert_eq!(events[1]["text"], "second");
    assert_eq!(events[2], json!({"ev": "player", "set": {"pending_notifications": []}}));
    world.hello("alice");
    assert!(world.events("alice").is_empty());
}

#[test]
fn the_last_fifty_wait() {
    let mut world = World::with(&["alice"]);
    world.act("alice", Verb::Logout {}).unwrap();
    for n in 0..60 {
        notify(&mut world, Origin::Service, &n.to_string()).unwrap();
    }
    let waiting = world.state("alice").pending_notifications;
    assert_eq!((waiting.len(), waiting[0].text.as_str()), (50, "10"));
    world.events("alice");
    world.hello("alice");
    let told = world.events("alice");
    assert_eq!(told.iter().filter(|event| event["ev"] == "notice").count(), 50);
}

#[test]
fn a_blow_at_an_absent_player_waits_as_a_notice() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    world.lose("bob");
    world.act("alice", strike(Attack, Some("bob"))).unwrap();
    let text = "alice attacked you for 25 damage (attack executed against bob)";
    assert_eq!(world.state("bob").pending_notifications[0].text, text);
}

#[test]
fn only_a_service_notifies_and_not_without_end() {
    let mut world = World::with(&["alice"]);
    let code = |result: Result<(), Reject>| result.unwrap_err().code;
    assert_eq!(code(notify(&mut world, Origin::Owner, "x")), "unauthorized");
    assert_eq!(code(notify(&mut world, Origin::Session, "x")), "unauthorized");
    assert_eq!(code(notify(&mut world, Origin::Service, &"x".repeat(501))), "too_large");
}
