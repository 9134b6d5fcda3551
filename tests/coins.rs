//! Coins and the gold of defeats over real sockets: first come, first served, and never more nor
//! less gold than rooms have given away, whichever process dies in between.

use std::net::SocketAddr;

use holdfast_protocol::client::{Step, Verb};
use holdfast_protocol::movement::{self, INPUT_STEPS_MAX, Position, WALK_SPEED};
use holdfast_protocol::server::{CoinRow, MoveBody, PlayerState};
use loadtest::bot::{Bot, Error};
use serde_json::Value;

use crate::scenario::{attack, join};
use crate::storm::options;
use crate::support::gateways::Gateways;
use crate::support::redis::{Aof, Redis};
use crate::support::{Options, PATIENCE, Server, command, eventually};

const ARENA: &str = "arena-1";
/// Players of these tests do not wait for their legs.
const HASTE: [&str; 2] = ["--movement-clock", "off"];
const START_GOLD: u64 = 100;
const COIN_GOLD: u64 = 5;

/// One server that refuses nobody for asking often.
fn alone() -> Options {
    Options::default().admin().with(&HASTE).with(&["--commands-per-s", "10000"])
}

async fn in_arena(url: &str, player: &str) -> Bot {
    let mut bot = Bot::enter(url, player, None).await.unwrap();
    assert!(bot.command(join(ARENA)).await.unwrap().result.is_ok());
    bot
}

/// The steps from one place to another, as near as steps go.
fn way(mut at: Position, to: CoinRow) -> Vec<Step> {
    let along = |from: i32, to: i32| i8::try_from(((to - from) / WALK_SPEED).signum()).unwrap();
    let mut steps = Vec::new();
    loop {
        let step = Step { dx: along(at.x, to.x), dy: along(at.y, to.y), buttons: 0 };
        if (step.dx, step.dy) == (0, 0) {
            return steps;
        }
        at = movement::step(at, step);
        steps.push(step);
    }
}

async fn state(bot: &mut Bot) -> PlayerState {
    bot.query(Verb::GetState {}).await.unwrap()
}

/// Walks to a coin, and waits for each step but the last few to be durable.
async fn walk(bot: &mut Bot, to: CoinRow) -> Result<u64, Error> {
    let PlayerState { x, y, .. } = bot.query(Verb::GetState {}).await?;
    let (mut sent, mut before) = (0, 0);
    for steps in way(Position { x, y }, to).chunks(INPUT_STEPS_MAX) {
        sent = bot.input(steps.to_vec()).await?;
        bot.wait_for("the steps before", |bot| bot.mirror().input_seq >= before).await?;
        before = sent;
    }
    Ok(sent)
}

/// Waits until a player knows a coin; the one with the highest number.
async fn newest_coin(bot: &mut Bot) -> CoinRow {
    bot.wait_for("a coin", |bot| !bot.mirror().coins.is_empty()).await.unwrap();
    *bot.mirror().coins.last_key_value().unwrap().1
}

/// What `holdfast history` says of an actor.
async fn history(admin: SocketAddr, args: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let admin = admin.to_string();
    let run = command(dir.path()).arg("history").args(args).args(["--admin", &admin]).output();
    let output = tokio::time::timeout(PATIENCE, run).await.expect("the command to end").unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Coins that the arena has given away.
async fn given_away(admin: SocketAddr) -> u64 {
    let actor = format!("room:{ARENA}");
    let entries = history(admin, &[&actor, "--json"]).await;
    let seqs = entries.lines().filter_map(|line| {
        let entry: Value = serde_json::from_str(line).unwrap();
        (entry["entry"] == "record").then(|| entry["seq"].as_u64().unwrap())
    });
    let newest = seqs.max().unwrap().to_string();
    let state = history(admin, &[&actor, "--json", "--state", &newest]).await;
    let state: Value = serde_json::from_str(&state).unwrap();
    let lying = state["state"]["coins"].as_array().unwrap().len() as u64;
    state["state"]["last_coin"].as_u64().unwrap() - lying
}

/// How many facts of that name a player's history has about a coin.
async fn facts(admin: SocketAddr, player: &str, name: &str, coin: u64) -> usize {
    let shown = history(admin, &[&format!("player:{player}")]).await;
    let of = |line: &&str| line.contains(&format!(" {name} {{")) && is_about(line, coin);
    shown.lines().filter(of).count()
}

fn is_about(line: &str, coin: u64) -> bool {
    [',', '}'].iter().any(|end| line.contains(&format!("\"coin\":{coin}{end}")))
}

/// Every coin that was given away is somebody's gold, once. Returns how many there were.
async fn conserved(admin: SocketAddr, bots: &mut [&mut Bot]) -> u64 {
    for bot in &mut *bots {
        assert!(bot.command(Verb::LeaveRoom {}).await.unwrap().result.is_ok());
    }
    let mut seen = Vec::new();
    eventually("as much gold as was given away", PATIENCE, async || {
        let mut held = 0;
        for bot in &mut *bots {
            held += state(bot).await.gold;
        }
        let coins = given_away(admin).await;
        seen.push((held, coins));
        let expected = START_GOLD * bots.len() as u64 + COIN_GOLD * coins;
        assert!(held <= expected, "{held} of {expected}: {seen:?}");
        (held == expected).then_some(coins)
    })
    .await
}

/// Two players walk over one coin at once.
async fn race(one: &mut Bot, two: &mut Bot, admin: SocketAddr) {
    let coin = newest_coin(one).await;
    two.wait_for("the same coin", |bot| bot.mirror().coins.contains_key(&coin.coin)).await.unwrap();
    let (first, second) = tokio::join!(walk(one, coin), walk(two, coin));
    let sent = [first.unwrap(), second.unwrap()];
    for (bot, sent) in [&mut *one, &mut *two].into_iter().zip(sent) {
        let there = |bot: &Bot| {
            bot.mirror().input_seq >= sent && !bot.mirror().coins.contains_key(&coin.coin)
        };
        bot.wait_for("the coin to be gone", there).await.unwrap();
    }
    assert!(conserved(admin, &mut [one, two]).await >= 1);
    let alice = facts(admin, "alice", "coin", coin.coin).await;
    let bob = facts(admin, "bob", "coin", coin.coin).await;
    assert_eq!(alice + bob, 1, "of coin {}", coin.coin);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_walk_over_one_coin_one_has_it() {
    let server = Server::start_with(alone()).await;
    let mut alice = in_arena(&server.ws(), "alice").await;
    let mut bob = in_arena(&server.ws(), "bob").await;
    newest_coin(&mut bob).await;
    // Who comes later is told what lies there.
    let mut carol = in_arena(&server.ws(), "carol").await;
    newest_coin(&mut carol).await;
    race(&mut alice, &mut bob, server.admin()).await;
    assert_eq!(state(&mut carol).await.gold, START_GOLD);
}

#[tokio::test(flavor = "multi_thread")]
async fn coins_are_shared_across_gateways() {
    let redis = Redis::single(Aof::Always).await;
    let url = redis.url();
    let gateways = Gateways::start(2, |_| url.clone(), options().with(&HASTE)).await;
    let [one, two] = [&gateways.all[0], &gateways.all[1]];
    let mut alice = in_arena(&one.ws(), "alice").await;
    let mut bob = in_arena(&two.ws(), "bob").await;
    race(&mut alice, &mut bob, two.admin()).await;
    // The room's actor stays where it is; its members need not be there.
    assert!(bob.command(join(ARENA)).await.unwrap().result.is_ok());
    let coin = newest_coin(&mut bob).await;
    let sent = walk(&mut bob, coin).await.unwrap();
    let gone =
        |bob: &Bot| bob.mirror().input_seq >= sent && !bob.mirror().coins.contains_key(&coin.coin);
    bob.wait_for("the coin to be gone", gone).await.unwrap();
    conserved(one.admin(), &mut [&mut alice, &mut bob]).await;
    assert_eq!(facts(one.admin(), "bob", "coin", coin.coin).await, 1);
}

/// Sends both to a coin, and comes back when their last steps are on their way.
async fn set_out(alice: &mut Bot, bob: &mut Bot) {
    let coin = newest_coin(alice).await;
    let (one, two) = tokio::join!(walk(alice, coin), walk(bob, coin));
    one.unwrap();
    two.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_coin_is_lost_in_a_crash() {
    let mut server = Server::start_with(alone()).await;
    let mut alice = in_arena(&server.ws(), "alice").await;
    let mut bob = in_arena(&server.ws(), "bob").await;
    for _ in 0..4 {
        set_out(&mut alice, &mut bob).await;
        server.crash().await;
        for bot in [&mut alice, &mut bob] {
            bot.resume_within(PATIENCE).await.unwrap();
        }
    }
    set_out(&mut alice, &mut bob).await;
    assert!(conserved(server.admin(), &mut [&mut alice, &mut bob]).await >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_coin_is_lost_with_a_gateway() {
    let redis = Redis::single(Aof::Always).await;
    let url = redis.url();
    let mut gateways = Gateways::start(2, |_| url.clone(), options().with(&HASTE)).await;
    let urls = [gateways.all[0].ws(), gateways.all[1].ws()];
    let mut alice = in_arena(&urls[0], "alice").await;
    let mut bob = in_arena(&urls[1], "bob").await;
    alice.know([urls[1].clone()]);
    bob.know([urls[0].clone()]);
    for turn in 0..4 {
        set_out(&mut alice, &mut bob).await;
        // The room's gateway and the other one.
        gateways.all[turn % 2].crash().await;
        for bot in [&mut alice, &mut bob] {
            bot.resume_within(PATIENCE).await.unwrap();
        }
    }
    set_out(&mut alice, &mut bob).await;
    let admin = gateways.all[0].admin();
    assert!(conserved(admin, &mut [&mut alice, &mut bob]).await >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenth_of_the_gold_goes_with_a_defeat() {
    let redis = Redis::single(Aof::Always).await;
    let url = redis.url();
    let gateways = Gateways::start(2, |_| url.clone(), options()).await;
    let mut alice = in_arena(&gateways.all[0].ws(), "alice").await;
    let mut bob = in_arena(&gateways.all[1].ws(), "bob").await;
    let mut blows = Vec::new();
    for _ in 0..4 {
        let blow = alice.command(attack("bob")).await.unwrap();
        blows.push(blow.body::<MoveBody>().unwrap().gold);
    }
    assert_eq!(blows, [0, 0, 0, 10]);
    assert_eq!((state(&mut alice).await.gold, state(&mut bob).await.gold), (110, 90));
    let told = |bot: &Bot| bot.mirror().combats().map(|(_, one)| one.gold).sum::<u64>() == 10;
    for bot in [&mut alice, &mut bob] {
        bot.wait_for("the defeat", told).await.unwrap();
    }
}
