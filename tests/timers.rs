//! What time brings comes after a kill too: a defence ends, the defeated stand up.

use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::server::{MoveBody, PlayerState};
use loadtest::bot::Bot;

use crate::scenario::{attack, join, strike};
use crate::support::{PATIENCE, Server};

async fn pair(server: &Server) -> (Bot, Bot) {
    let mut alice = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    let mut bob = Bot::enter(&server.ws(), "bob", None).await.unwrap();
    for bot in [&mut alice, &mut bob] {
        assert!(bot.command(join("dungeon-7")).await.unwrap().result.is_ok());
    }
    (alice, bob)
}

async fn crash(server: &mut Server, bots: [&mut Bot; 2]) {
    server.crash().await;
    for bot in bots {
        bot.resume_within(PATIENCE).await.unwrap();
    }
}

async fn damage(bot: &mut Bot, verb: Verb) -> u64 {
    bot.query::<MoveBody>(verb).await.unwrap().damage
}

#[tokio::test(flavor = "multi_thread")]
async fn a_defence_holds_through_a_kill_and_ends_in_time() {
    let mut server = Server::start().await;
    let (mut alice, mut bob) = pair(&server).await;
    bob.command(strike(MoveType::Defend, None, None)).await.unwrap();
    assert_eq!(damage(&mut alice, attack("bob")).await, 12);
    bob.wait_for("the buff", |bob| !bob.state().unwrap().buffs.is_empty()).await.unwrap();
    let until_ms = bob.state().unwrap().buffs[0].until_ms;
    crash(&mut server, [&mut alice, &mut bob]).await;
    let buff = bob.state().unwrap().buffs.first().map(|buff| buff.until_ms);
    assert!(buff.is_none_or(|same| same == until_ms), "{buff:?}, not {until_ms}");
    bob.wait_for("the end of the defence", |bob| bob.state().unwrap().buffs.is_empty())
        .await
        .unwrap();
    assert_eq!(damage(&mut alice, attack("bob")).await, 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_defeated_stand_up_though_the_server_was_killed_meanwhile() {
    let mut server = Server::start().await;
    let (mut alice, mut bob) = pair(&server).await;
    let blows = [attack("bob"), attack("bob"), strike(MoveType::Special, Some("bob"), None)];
    for blow in blows {
        assert!(damage(&mut alice, blow).await >= 25);
    }
    assert_eq!(damage(&mut alice, attack("bob")).await, 25, "the whole damage counts");
    let cooling = alice.command(strike(MoveType::Special, Some("bob"), None)).await.unwrap();
    assert_eq!(cooling.code(), Some(ErrorCode::Cooldown));
    bob.wait_for("defeat", |bob| bob.state().unwrap().health == 0).await.unwrap();
    crash(&mut server, [&mut alice, &mut bob]).await;
    let at_kill: PlayerState = bob.query(Verb::GetState {}).await.unwrap();
    assert_eq!(at_kill.health, 0, "defeated for five seconds, not until the restart");
    let refused = alice.command(attack("bob")).await.unwrap();
    assert_eq!(refused.code(), Some(ErrorCode::Defeated));
    let refused = bob.command(strike(MoveType::Heal, None, None)).await.unwrap();
    assert_eq!(refused.code(), Some(ErrorCode::Defeated));
    bob.wait_for("recovery", |bob| bob.state().unwrap().health == 100).await.unwrap();
    assert!(bob.command(strike(MoveType::Defend, None, None)).await.unwrap().result.is_ok());
    let alice_now: PlayerState = alice.query(Verb::GetState {}).await.unwrap();
    assert_eq!((alice_now.score, alice_now.xp), (25 + 25 + 40 + 25 + 40, 40));
}
