//! Players of different gateways are in one world.

use holdfast_protocol::client::{Step, Verb};
use holdfast_protocol::server::{MoveBody, PlayerState, RoomBody, RoomsBody};
use loadtest::bot::Bot;
use serde_json::json;

use super::{options, pair};
use crate::scenario::{attack, join};
use crate::support::gateways::Gateways;
use crate::support::redis::tls::Tls;
use crate::support::redis::{Aof, Redis, Setup};
use crate::support::{PATIENCE, eventually};

const NOTICE: &str = "Alice the Brave attacked you for 25 damage (attack executed against bob)";

/// The documented files, as they are: least privilege, passwords, TLS.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_with_tls_and_the_documented_users_is_enough() {
    let tls = Tls::new();
    let redis = Redis::start(Setup::documented().tls(&tls)).await;
    let ca = tls.ca().display().to_string();
    let options = options().with(&["--redis-ca-file", &ca]);
    let mut gateways = Gateways::start(2, |_| redis.url(), options).await;
    let mut alice = Bot::enter(&gateways.all[0].ws(), "alice", None).await.unwrap();
    alice.know([gateways.all[1].ws()]);
    let mut bob = Bot::enter(&gateways.all[1].ws(), "bob", None).await.unwrap();
    for bot in [&mut alice, &mut bob] {
        bot.command(join("dungeon-7")).await.unwrap();
    }
    alice.command(attack("bob")).await.unwrap();
    // Claims, snapshots, releases, leases and mail of a whole life.
    gateways.all[0].stop().await;
    alice.resume_within(PATIENCE).await.unwrap();
    let state: PlayerState = alice.query(Verb::GetState {}).await.unwrap();
    assert_eq!(state.score, 35);
    for gateway in &gateways.all {
        let log = gateway.log();
        let refused: Vec<_> = log.lines().filter(|line| line.contains("NOPERM")).collect();
        assert!(refused.is_empty(), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_scenario_holds_across_two_gateways() {
    let redis = Redis::single(Aof::Always).await;
    let gateways = pair(&redis.url()).await;
    let [one, two] = [&gateways.all[0], &gateways.all[1]];
    let mut alice = Bot::enter(&one.ws(), "alice", Some("Alice the Brave")).await.unwrap();
    let mut bob = Bot::enter(&two.ws(), "bob", None).await.unwrap();
    for bot in [&mut alice, &mut bob] {
        let joined: RoomBody = bot.query(join("dungeon-7")).await.unwrap();
        assert_eq!(joined.room.unwrap().room_id.as_str(), "dungeon-7");
    }
    let blow = alice.command(attack("bob")).await.unwrap();
    let body = MoveBody { damage: 25, xp: 10, health: 100, gold: 0 };
    assert_eq!(blow.body::<MoveBody>().unwrap(), body);
    let told = |bob: &Bot| bob.mirror().notices().any(|(_, notice)| notice.text == NOTICE);
    bob.wait_for("the notice", told).await.unwrap();
    let state: PlayerState = bob.query(Verb::GetState {}).await.unwrap();
    assert_eq!(state.health, 75);
    eventually("both to be counted", PATIENCE, async || {
        let rooms: RoomsBody = bob.query(Verb::Rooms {}).await.unwrap();
        let counts: Vec<_> = rooms.rooms.iter().map(|room| room.player_count).collect();
        (counts == [2]).then_some(())
    })
    .await;

    // Chat goes both ways, once.
    for (from, to, text) in [(0, 1, "to the east"), (1, 0, "to the west")] {
        let both = [&mut alice, &mut bob];
        both[from].command(Verb::Say { text: text.to_owned() }).await.unwrap();
        let heard = |bot: &Bot| bot.mirror().says.iter().filter(|say| say.text == text).count();
        both[to].wait_for(text, |bot| heard(bot) > 0).await.unwrap();
        both[to].listen(std::time::Duration::from_millis(300)).await.unwrap();
        assert_eq!(heard(both[to]), 1, "{text}");
    }

    // What alice walks on one gateway, bob sees on the other.
    alice.input(vec![Step { dx: 1, dy: 0, buttons: 0 }; 10]).await.unwrap();
    let place = |bot: &Bot| bot.mirror().room.row_of("alice");
    alice.wait_for("her own steps", |a| a.state().is_ok()).await.unwrap();
    let before = place(&bob);
    bob.wait_for("alice to move", |bob| place(bob).is_some() && place(bob) != before)
        .await
        .unwrap();

    // Services see each player's owner, from either gateway.
    for asked in [one, two] {
        for (player, owner) in [("alice", "gw-1"), ("bob", "gw-2")] {
            let page = asked.get(&format!("/v1/players/{player}")).await.json();
            assert_eq!(page["node"], json!(owner), "{page}");
        }
        let nodes = asked.get("/v1/nodes").await.json();
        let names: Vec<_> = nodes["nodes"].as_array().unwrap().iter().collect();
        assert_eq!(names.len(), 2, "{nodes}");
    }
    eventually("alice on the leaderboard of both", PATIENCE, async || {
        for asked in [one, two] {
            let top = asked.get("/v1/leaderboard?limit=10").await.json();
            let rows = top.get("top").cloned().unwrap_or(top);
            rows.as_array()
                .filter(|rows| rows.first() == Some(&json!(["alice", "Alice the Brave", 35, 1])))?;
        }
        Some(())
    })
    .await;
}
