//! kill -9 under load: 200 players, more than twenty kills at random moments. Every acknowledged
//! command counts exactly once, none by half, and every repeated id gets its first reply.

use std::time::Duration;

use holdfast_protocol::client::Verb;
use holdfast_protocol::ids::RoomId;
use holdfast_protocol::server::PlayerState;
use loadtest::scenario::Pace;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;

use crate::storm::{
    CAPACITY, Storm, Survivor, check_blows, check_gold, check_leaderboard, check_own_state,
    check_rooms,
};
use crate::support::{Options, PATIENCE, Server, seed};

const PLAYERS: usize = 200;
const KILLS: u32 = 22;

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_command_is_lost_or_done_twice_through_twenty_kills() {
    let seed = seed();
    let settings =
        ["--room-capacity", CAPACITY, "--snapshot-records", "64", "--commands-per-s", "10000"];
    let mut server = Server::start_with(Options::default().alone().with(&settings)).await;
    let mut survivors = storm(&mut server, seed).await;
    for survivor in &survivors {
        check_own_state(survivor);
    }
    check_meaning(&survivors);
    check_blows(&survivors);
    check_gold(&survivors);
    check_rooms(&mut survivors).await;
    check_pages(&server, &survivors).await;
    check_leaderboard(&mut survivors).await;
    // What replay gives is what was live.
    server.crash().await;
    for survivor in &mut survivors {
        survivor.bot.resume_within(PATIENCE).await.unwrap();
        let again: PlayerState = survivor.bot.query(Verb::GetState {}).await.unwrap();
        let odd = survivor.expected.differences(&again);
        assert!(odd.is_empty(), "{} after a last kill: {odd:?}", survivor.name);
    }
}

/// Plays everybody through the kills, until every command has an outcome.
async fn storm(server: &mut Server, seed: u64) -> Vec<Survivor> {
    let storm = Storm::begin(PLAYERS, &[server.ws()], seed, Pace::default()).await;
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..KILLS {
        // A random moment is what this test is about, not a wait for something.
        sleep(Duration::from_millis(rng.random_range(200..2_500))).await;
        server.crash().await;
    }
    sleep(Duration::from_secs(2)).await;
    storm.end().await
}

/// Services see everybody where the players know themselves to be.
async fn check_pages(server: &Server, survivors: &[Survivor]) {
    for survivor in survivors {
        let page = server.player(&survivor.name).await;
        let room = page["current_room"]["room_id"].as_str();
        assert_eq!(room, survivor.expected.room.as_ref().map(RoomId::as_str), "{page}");
    }
}

/// The storm was one: without this, a quiet run would pass.
fn check_meaning(survivors: &[Survivor]) {
    let sum = |of: fn(&Survivor) -> u64| survivors.iter().map(of).sum::<u64>();
    let (resumes, late) = (sum(|s| s.tally.resumes), sum(|s| s.tally.learnt_late));
    let (repeated, done) = (sum(|s| s.tally.repeated), sum(|s| s.expected.done));
    let (blows, refused) = (sum(|s| s.expected.blows.len() as u64), sum(|s| s.expected.refused));
    let longest = survivors.iter().map(|s| s.tally.longest_absence).max();
    println!(
        "{done} commands done, {refused} refused, {blows} blows at others; {resumes} resumes, \
         {late} outcomes learnt late, {repeated} repeats; longest absence {longest:?}"
    );
    let players = PLAYERS as u64;
    assert!(resumes >= players * u64::from(KILLS) / 2, "only {resumes} resumes");
    assert!(late >= 40, "only {late} commands were open when the server was killed");
    assert!(repeated >= players, "only {repeated} ids were repeated");
    assert!(done >= 20 * players, "only {done} commands were done");
    assert!(blows >= players, "only {blows} blows landed");
}
