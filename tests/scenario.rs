//! The guide's scenario over WebSocket, to the number and to the letter; the same after a clean
//! restart and after a kill.

use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::server::{MoveBody, PlayerState, RoomBody, RoomsBody, Status};
use loadtest::bot::Bot;
use serde_json::json;

use crate::support::{PATIENCE, Server, eventually};

const NOTICE: &str = "Alice the Brave attacked you for 25 damage (attack executed against bob)";

pub fn join(room: &str) -> Verb {
    Verb::JoinRoom { room_id: room.parse().unwrap() }
}

pub fn attack(target: &str) -> Verb {
    strike(MoveType::Attack, Some(target), None)
}

pub fn strike(move_type: MoveType, target: Option<&str>, key: Option<&str>) -> Verb {
    let target_player_id = target.map(|target| target.parse().unwrap());
    Verb::ExecuteMove { move_type, target_player_id, event_id: key.map(str::to_owned) }
}

/// The scenario's end, as far as time does not change it.
fn check(alice: &PlayerState, bob: &PlayerState) {
    assert_eq!(alice.display_name, "Alice the Brave");
    assert_eq!((alice.score, alice.xp, alice.level), (35, 10, 1));
    assert_eq!((alice.total_actions_count, alice.session_actions_count), (2, 2));
    assert_eq!((alice.health, alice.gold, alice.status), (100, 100, Status::InRoom));
    assert_eq!((bob.health, bob.max_health, bob.score), (75, 100, 0));
    assert_eq!((bob.total_actions_count, bob.status), (1, Status::InRoom));
    for state in [alice, bob] {
        let room = state.current_room.as_ref().expect("a room");
        assert_eq!((room.room_id.as_str(), &*room.room_name), ("dungeon-7", "Room dungeon-7"));
        assert_eq!(room.max_players, 20);
        let items: Vec<_> =
            state.inventory.iter().map(|i| (&*i.item_id, &*i.name, i.quantity)).collect();
        let start = [("sword-001", "Iron Sword", 1), ("potion-001", "Health Potion", 5)];
        assert!(start.iter().all(|item| items.contains(item)) && items.len() == 2, "{items:?}");
    }
}

/// Asks both players for their whole state.
async fn states(alice: &mut Bot, bob: &mut Bot) -> (PlayerState, PlayerState) {
    let alice = alice.query(Verb::GetState {}).await.unwrap();
    (alice, bob.query(Verb::GetState {}).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_scenario_holds_and_survives_restart_and_kill() {
    let mut server = Server::start().await;
    let mut alice = Bot::enter(&server.ws(), "alice", Some("Alice the Brave")).await.unwrap();
    let mut bob = Bot::enter(&server.ws(), "bob", None).await.unwrap();
    assert_eq!(bob.state().unwrap().display_name, "bob");
    for bot in [&mut alice, &mut bob] {
        let joined: RoomBody = bot.query(join("dungeon-7")).await.unwrap();
        assert_eq!(joined.room.unwrap().room_id.as_str(), "dungeon-7");
    }
    let blow_id = alice.send(attack("bob")).await.unwrap();
    let blow = alice.reply(blow_id).await.unwrap();
    let body = MoveBody { damage: 25, xp: 10, health: 100, gold: 0 };
    assert_eq!(blow.body::<MoveBody>().unwrap(), body);
    bob.wait_for("the notice", |bob| bob.mirror().notices().any(|(_, n)| n.text == NOTICE))
        .await
        .unwrap();
    let notices = bob.mirror().notices().filter(|(_, notice)| notice.text == NOTICE).count();
    assert_eq!(notices, 1);
    let before = states(&mut alice, &mut bob).await;
    check(&before.0, &before.1);
    // A player's own state says how many there were when the room let them in.
    let counts = [&before.0, &before.1].map(|s| s.current_room.as_ref().unwrap().player_count);
    assert_eq!(counts, [1, 2], "alice came first, then bob");
    let rooms: RoomsBody = alice.query(Verb::Rooms {}).await.unwrap();
    assert_eq!(rooms.rooms.iter().map(|room| room.player_count).collect::<Vec<_>>(), [2]);

    server.restart().await;
    for (bot, name) in [(&mut alice, "alice"), (&mut bob, "bob")] {
        bot.resume_within(PATIENCE).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(states(&mut alice, &mut bob).await, before, "after a restart");

    server.crash().await;
    for (bot, name) in [(&mut alice, "alice"), (&mut bob, "bob")] {
        bot.resume_within(PATIENCE).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(states(&mut alice, &mut bob).await, before, "after a kill");
    let blow_again = alice.repeat(blow_id).await.unwrap();
    assert!(blow_again.dup, "the blow is remembered");
    assert_eq!(states(&mut alice, &mut bob).await, before, "after the blow was repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leaderboard_and_the_player_pages_say_the_same() {
    let mut server = Server::start().await;
    let mut alice = Bot::enter(&server.ws(), "alice", Some("Alice the Brave")).await.unwrap();
    alice.command(strike(MoveType::Attack, None, None)).await.unwrap();
    for round in ["live", "after a kill"] {
        let top = eventually("alice on the leaderboard", PATIENCE, async || {
            let top = server.get("/v1/leaderboard?limit=10").await.json();
            let rows = top.get("top").cloned().unwrap_or(top);
            rows.as_array().filter(|rows| !rows.is_empty()).cloned()
        })
        .await;
        assert_eq!(top[0], json!(["alice", "Alice the Brave", 35, 1]), "{round}");
        let page = server.player("alice").await;
        assert_eq!((&page["score"], &page["xp"]), (&json!(35), &json!(10)), "{round}");
        server.crash().await;
    }
    let nobody = server.get("/v1/players/nobody").await;
    assert_eq!(nobody.status, 404);
    assert_eq!(nobody.json()["error"]["code"], "no_such_player");
}
