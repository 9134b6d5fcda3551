//! The story that the protocol tells: two players, one room, one blow.

use holdfast_protocol::client::MoveType;
use holdfast_protocol::edge::Proof;
use holdfast_protocol::server::Status;
use serde_json::json;

use super::world::{World, join, strike};

#[test]
fn alice_attacks_bob_in_dungeon_7() {
    let mut world = World::new();
    world.open("alice", Some("Alice the Brave"), Proof::Open).unwrap();
    world.hello("bob");
    let reply = world.act("alice", join("dungeon-7")).unwrap();
    let room = json!({"room_id": "dungeon-7", "room_name": "Room dungeon-7",
        "player_count": 1, "max_players": 20});
    assert_eq!(reply, json!({"room": room}));
    let reply = world.act("bob", join("dungeon-7")).unwrap();
    assert_eq!(reply["room"]["player_count"], 2);
    world.events("alice");
    world.events("bob");

    let reply = world.act("alice", strike(MoveType::Attack, Some("bob"))).unwrap();
    assert_eq!(reply, json!({"damage": 25, "xp": 10, "health": 100}));

    let alice = world.state("alice");
    assert_eq!((alice.score, alice.xp, alice.level), (35, 10, 1));
    assert_eq!((alice.session_actions_count, alice.total_actions_count), (2, 2));
    assert_eq!((alice.status, alice.health), (Status::InRoom, 100));
    assert_eq!(world.state("bob").health, 75);
    let text = "Alice the Brave attacked you for 25 damage (attack executed against bob)";
    let combat = json!({"ev": "combat", "move_type": "attack", "by": "alice", "target": "bob",
        "damage": 25, "xp": 10});
    assert_eq!(
        world.events("bob"),
        [
            combat.clone(),
            json!({"ev": "notice", "text": text, "from": "alice"}),
            json!({"ev": "player", "set": {"health": 75}}),
        ]
    );
    assert_eq!(
        world.events("alice"),
        [
            json!({"ev": "player", "set": {"status": "in_combat"}}),
            combat,
            json!({"ev": "player", "set": {"status": "in_room", "xp": 10, "score": 35}}),
        ]
    );
}

#[test]
fn a_new_player_has_what_the_rules_say() {
    let mut world = World::with(&["alice"]);
    let state = serde_json::to_value(world.state("alice")).unwrap();
    let at = holdfast_protocol::movement::spawn("alice");
    let inventory = json!([
        {"item_id": "potion-001", "name": "Health Potion", "quantity": 5},
        {"item_id": "sword-001", "name": "Iron Sword", "quantity": 1},
    ]);
    let expected = json!({
        "player_id": "alice", "display_name": "alice", "status": "online", "current_room": null,
        "inventory": inventory, "gold": 100, "health": 100, "max_health": 100, "xp": 0,
        "level": 1, "score": 0, "x": at.x, "y": at.y, "buffs": [], "cooldowns": [],
        "session_actions_count": 0, "total_actions_count": 0, "pending_notifications": [],
    });
    assert_eq!(state, expected);
}
