//! The traps of the guide's sample: repeats after snapshots and restarts, commands during
//! snapshots and activities, stale places in rooms.

use std::collections::{BTreeMap, VecDeque};

use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::server::{PlayerState, RoomBody, RoomsBody};
use loadtest::bot::{Bot, Error};
use loadtest::expect::Expected;
use loadtest::ledger::Violation;
use tokio::task::JoinSet;

use crate::scenario::{attack, join, strike};
use crate::support::{Options, PATIENCE, Server, eventually, store};

/// Snapshots come every 16 records; the rate limits are out of the way.
const OFTEN: [&str; 4] = ["--snapshot-records", "16", "--commands-per-s", "10000"];
/// Well below the 64 replies that are kept.
const IN_FLIGHT: usize = 48;

async fn state(bot: &mut Bot) -> PlayerState {
    bot.query(Verb::GetState {}).await.unwrap()
}

/// Practice blows, one record each.
async fn practise(bot: &mut Bot, count: usize) {
    for _ in 0..count {
        let blow = bot.command(strike(MoveType::Attack, None, None)).await.unwrap();
        assert!(blow.result.is_ok(), "{blow:?}");
    }
}

/// Practice blows, as many in flight as may be.
async fn flood(bot: &mut Bot, count: usize) {
    let mut open = VecDeque::new();
    for _ in 0..count {
        if open.len() == IN_FLIGHT {
            bot.reply(open.pop_front().unwrap()).await.unwrap();
        }
        open.push_back(bot.send(strike(MoveType::Attack, None, None)).await.unwrap());
    }
    for id in open {
        let blow = bot.reply(id).await.unwrap();
        assert!(blow.result.is_ok(), "{id}: {blow:?}");
    }
}

fn check_sum(bot: &Bot, state: &PlayerState) {
    let odd = Expected::of(bot.ledger()).unwrap().differences(state);
    assert!(odd.is_empty(), "{odd:?}");
}

/// Players in each room that has any, as `rooms` tells, once it says `expected`.
async fn rooms_become(bot: &mut Bot, expected: &[(&str, u32)]) {
    let expected: BTreeMap<_, _> =
        expected.iter().map(|(room, count)| ((*room).to_owned(), *count)).collect();
    eventually(&format!("rooms to be {expected:?}"), PATIENCE, async || {
        let body: RoomsBody = bot.query(Verb::Rooms {}).await.unwrap();
        let full = body.rooms.into_iter().filter(|room| room.player_count > 0);
        let seen: BTreeMap<_, _> =
            full.map(|room| (room.room_id.to_string(), room.player_count)).collect();
        (seen == expected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_and_a_key_repeated_after_three_snapshots_and_a_restart_change_nothing() {
    let mut server = Server::start_with(Options::default().with(&OFTEN)).await;
    let mut alice = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    let keyed = || strike(MoveType::Attack, None, Some("evt-1"));
    let first_id = alice.send(keyed()).await.unwrap();
    let first = alice.reply(first_id).await.unwrap();
    practise(&mut alice, 60).await;
    let before = state(&mut alice).await;
    server.stop().await;
    let [_, newest] = store::snapshots(&store::open(&server.store_dir()), "player:alice").await;
    assert!(newest >= 3 * 16, "the newest snapshot is at {newest}: three have not been taken");
    server.start_again().await;
    alice.resume_within(PATIENCE).await.unwrap();

    let again = alice.repeat(first_id).await.unwrap();
    assert_eq!((again.dup, &again.result), (true, &first.result), "the first reply once more");
    let by_key = alice.command(keyed()).await.unwrap();
    assert!(by_key.dup, "{by_key:?}");
    let bodies = [&by_key, &first].map(|answer| answer.result.clone().unwrap().body);
    assert_eq!(bodies[0], bodies[1], "the key gets the first reply while it is kept");
    assert_eq!(state(&mut alice).await, before);

    // Beyond the kept replies: never run again, and never a false ok.
    practise(&mut alice, 70).await;
    let before = state(&mut alice).await;
    let forgotten = alice.repeat(first_id).await.unwrap_err();
    let Error::Violation(Violation::Changed { second, .. }) = forgotten else {
        panic!("{forgotten}");
    };
    assert_eq!(second.code(), Some(ErrorCode::OutcomeUnknown));
    let by_key = alice.command(keyed()).await.unwrap();
    assert_eq!((by_key.dup, &*by_key.result.unwrap().body), (true, "{}"));
    assert_eq!(state(&mut alice).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_sent_during_snapshots_are_all_applied() {
    let mut server = Server::start_with(Options::default().with(&OFTEN)).await;
    let mut alice = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    for _ in 0..5 {
        flood(&mut alice, 100).await;
        practise(&mut alice, 20).await;
        let now = state(&mut alice).await;
        check_sum(&alice, &now);
    }
    server.crash().await;
    alice.resume_within(PATIENCE).await.unwrap();
    let now = state(&mut alice).await;
    check_sum(&alice, &now);
    assert_eq!(now.total_actions_count, 600);
    server.kill().await;
    let [older, newest] = store::snapshots(&store::open(&server.store_dir()), "player:alice").await;
    assert!(0 < older && older < newest, "snapshots at {older} and {newest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_sent_during_the_metrics_activity_are_all_applied() {
    let mut server = Server::start_with(Options::default().with(&OFTEN)).await;
    let mut alice = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    flood(&mut alice, 1_100).await;
    let now = state(&mut alice).await;
    check_sum(&alice, &now);
    assert_eq!(now.total_actions_count, 1_100);
    assert_eq!(now.session_actions_count, 100, "the metrics of the first 1,000 were handed over");
    server.crash().await;
    alice.resume_within(PATIENCE).await.unwrap();
    assert_eq!(state(&mut alice).await.session_actions_count, 100);
    let bye = alice.command(Verb::Logout {}).await.unwrap();
    assert!(bye.result.is_ok(), "{bye:?}");
    assert_eq!(alice.closed().await.unwrap(), Some(1000));
    let rows = eventually("two rows of metrics", PATIENCE, async || {
        let rows = store::metrics(&server.store_dir(), "alice");
        (rows.len() >= 2).then_some(rows)
    })
    .await;
    assert_eq!(rows, [1_000, 100]);
    server.stop().await;
    assert_eq!(store::metrics(&server.store_dir(), "alice"), [1_000, 100], "and no row twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_joins_ends_in_one_room_and_leaves_no_stale_place() {
    let mut server = Server::start_with(Options::default().with(&OFTEN)).await;
    let mut alice = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    let rooms: Vec<_> = (0..40).map(|turn| format!("hall-{}", turn * 7 % 10)).collect();
    let mut ids = Vec::new();
    for room in &rooms {
        ids.push(alice.send(join(room)).await.unwrap());
    }
    for (id, room) in ids.into_iter().zip(&rooms) {
        let joined: RoomBody = alice.reply(id).await.unwrap().body().unwrap();
        assert_eq!(joined.room.unwrap().room_id.as_str(), room);
    }
    let last = rooms.last().unwrap();
    rooms_become(&mut alice, &[(last, 1)]).await;
    let now = state(&mut alice).await;
    check_sum(&alice, &now);
    assert_eq!(now.current_room.unwrap().player_count, 1);
    assert_eq!(server.player("alice").await["current_room"]["room_id"], last.as_str());
    server.crash().await;
    alice.resume_within(PATIENCE).await.unwrap();
    rooms_become(&mut alice, &[(last, 1)]).await;
    // A place that had stayed behind would be counted when somebody joins there.
    let mut bob = Bot::enter(&server.ws(), "bob", None).await.unwrap();
    for room in (0..10).map(|hall| format!("hall-{hall}")).filter(|room| room != last) {
        let joined: RoomBody = bob.query(join(&room)).await.unwrap();
        assert_eq!(joined.room.unwrap().player_count, 1, "somebody is still in {room}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_join_leaves_the_player_where_it_was() {
    let options = Options::default().with(&["--room-capacity", "1"]);
    let mut server = Server::start_with(options).await;
    let mut alice = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    let mut bob = Bot::enter(&server.ws(), "bob", None).await.unwrap();
    assert!(alice.command(join("loft")).await.unwrap().result.is_ok());
    assert!(bob.command(join("den")).await.unwrap().result.is_ok());
    let before = state(&mut alice).await;
    for round in ["live", "after a kill"] {
        let refused = alice.command(join("den")).await.unwrap();
        assert_eq!(refused.code(), Some(ErrorCode::RoomFull), "{round}");
        assert_eq!(state(&mut alice).await, before, "{round}");
        let apart = alice.command(attack("bob")).await.unwrap();
        assert_eq!(apart.code(), Some(ErrorCode::SameRoomRequired), "{round}");
        rooms_become(&mut bob, &[("den", 1), ("loft", 1)]).await;
        server.crash().await;
        alice.resume_within(PATIENCE).await.unwrap();
        bob.resume_within(PATIENCE).await.unwrap();
    }
    assert!(bob.command(Verb::LeaveRoom {}).await.unwrap().result.is_ok());
    assert!(alice.command(join("den")).await.unwrap().result.is_ok(), "now there is a place");
    rooms_become(&mut bob, &[("den", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_place_goes_to_exactly_one() {
    let server = Server::start_with(Options::default().with(&["--room-capacity", "1"])).await;
    let mut racers = JoinSet::new();
    for racer in 0..8 {
        let url = server.ws();
        racers.spawn(async move {
            let mut bot = Bot::enter(&url, &format!("racer-{racer}"), None).await.unwrap();
            let answer = bot.command(join("den")).await.unwrap();
            (answer.code(), bot)
        });
    }
    let (codes, mut bots): (Vec<_>, Vec<_>) = racers.join_all().await.into_iter().unzip();
    let winners = codes.iter().filter(|code| code.is_none()).count();
    let losers = codes.iter().filter(|code| **code == Some(ErrorCode::RoomFull)).count();
    assert_eq!((winners, losers), (1, 7), "{codes:?}");
    rooms_become(&mut bots[0], &[("den", 1)]).await;
}
