//! Rebuilding the leaderboard over 10,000 players, killed half-way: it goes on from its
//! heartbeat, and the leaderboard is right.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use holdfast_protocol::client::MoveType;
use loadtest::bot::Bot;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::scenario::strike;
use crate::support::http::Connection;
use crate::support::{Options, PATIENCE, Server, eventually, store};

const PLAYERS: usize = 10_000;
/// Players who have played, and so have a score.
const SCORERS: usize = 12;
/// Connections that make players.
const MAKERS: usize = 16;
/// Players a second: slow enough that heartbeats, one record every 5 s, come before the kill.
const RATE: usize = 500;
/// Done when the server is killed: 12 s of work.
const KILL_AT: u64 = PLAYERS as u64 * 6 / 10;

fn name(player: usize) -> String {
    format!("p{player:05}")
}

/// Makes the players by `POST /v1/sessions`.
async fn make_players(server: &Server) {
    let next = Arc::new(AtomicUsize::new(0));
    let mut makers = JoinSet::new();
    for _ in 0..MAKERS {
        let (next, addr) = (Arc::clone(&next), server.addr());
        makers.spawn(async move {
            let mut http = Connection::open(addr).await.unwrap();
            loop {
                let player = next.fetch_add(1, Ordering::Relaxed);
                if player >= PLAYERS {
                    return;
                }
                let body = json!({"player": name(player)}).to_string();
                let made = http.post("/v1/sessions", &body).await.unwrap();
                assert_eq!(made.status, 200, "{}", made.body);
            }
        });
    }
    makers.join_all().await;
}

/// Some players, spread over all, practise: the n-th makes n blows.
async fn play(server: &Server) -> Vec<Value> {
    let mut rows = Vec::new();
    for scorer in 1..=SCORERS {
        let player = name(scorer * PLAYERS / (SCORERS + 1));
        let mut bot = Bot::enter(&server.ws(), &player, None).await.unwrap();
        for _ in 0..scorer {
            let blow = bot.command(strike(MoveType::Attack, None, None)).await.unwrap();
            assert!(blow.result.is_ok(), "{blow:?}");
        }
        rows.push(json!([player, player, 35 * scorer, SCORERS - scorer + 1]));
    }
    rows.reverse();
    rows.truncate(10);
    rows
}

async fn leaderboard(server: &Server) -> Vec<Value> {
    let body = server.get("/v1/leaderboard?limit=10").await.json();
    let rows = body.get("top").cloned().unwrap_or(body);
    rows.as_array().cloned().unwrap_or_default()
}

async fn status(server: &Server) -> Value {
    let mut admin = Connection::open(server.admin()).await.unwrap();
    let response = admin.get("/leaderboard/rebuild").await.unwrap();
    assert_eq!(response.status, 200, "{}", response.body);
    response.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_of_ten_thousand_players_killed_half_way_resumes_from_its_heartbeat() {
    let mut server = Server::start_with(Options::default().alone().admin()).await;
    make_players(&server).await;
    let best = play(&server).await;
    eventually("the leaderboard by play", PATIENCE, async || {
        (leaderboard(&server).await == best).then_some(())
    })
    .await;

    // Without its rows, only a rebuild can bring them back.
    server.stop().await;
    assert_eq!(store::forget_scores(&server.store_dir()), SCORERS);
    server.start_again().await;
    assert!(leaderboard(&server).await.is_empty(), "the leaderboard is not lost");

    let mut admin = Connection::open(server.admin()).await.unwrap();
    let path = format!("/leaderboard/rebuild?rate={RATE}");
    let started = admin.post(&path, "").await.unwrap();
    assert_eq!(started.status, 202, "{}", started.body);
    let span = Duration::from_secs((PLAYERS / RATE) as u64) + PATIENCE;
    let at_kill = eventually("the rebuild to be half-way", span, async || {
        let done = status(&server).await["done"].as_u64().unwrap_or(0);
        (done >= KILL_AT).then_some(done)
    })
    .await;
    assert!(at_kill < PLAYERS as u64, "the rebuild was over before the kill");
    server.crash().await;

    let end = eventually("the rebuild to end", span + PATIENCE, async || {
        let status = status(&server).await;
        let running = matches!(status["status"].as_str(), None | Some("running"));
        (!running).then_some(status)
    })
    .await;
    assert_ne!(end["status"], "failed", "{end}");
    assert_eq!(end["done"], PLAYERS, "{end}");
    let resumed_from = end["resumed_from"].as_u64().unwrap_or(0);
    assert!(resumed_from > 0, "it began anew: {end}");
    assert!(resumed_from <= at_kill, "it skipped players: {end}, killed at {at_kill}");
    assert_eq!(leaderboard(&server).await, best);
}
