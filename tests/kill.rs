//! kill -9 of the only gateway under load: 200 players, more than twenty kills at random moments,
//! on either store. Every acknowledged command counts exactly once, none by half, and every
//! repeated id gets its first reply.

use std::time::Duration;

use holdfast_protocol::client::Verb;
use holdfast_protocol::ids::RoomId;
use holdfast_protocol::server::PlayerState;
use loadtest::trial::Pace;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;

use crate::storm::{Crowd, Storm, Survivor, options, results};
use crate::support::gateways::{Gateway, Gateways};
use crate::support::redis::{Aof, Redis};
use crate::support::{PATIENCE, seed};

const PLAYERS: usize = 200;
const KILLS: u32 = 22;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_or_doubled_through_twenty_kills() {
    let dir = tempfile::tempdir().unwrap();
    let store = format!("embedded:{}", dir.path().join("store").display());
    endure_kills("kill -9 of the only gateway, 22 times, embedded store", &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_or_doubled_through_twenty_kills_on_redis() {
    let redis = Redis::single(Aof::EverySecond).await;
    endure_kills("kill -9 of the only gateway, 22 times, Redis", &redis.url()).await;
}

async fn endure_kills(fault: &str, store: &str) {
    let seed = seed();
    let mut gateways = Gateways::start(1, |_| store.to_owned(), options()).await;
    let gateway = &mut gateways.all[0];
    let mut crowd = storm(gateway, seed).await;
    crowd.check().await;
    check_pages(gateway, &mut crowd).await;
    // What replay gives is what was live.
    gateway.crash().await;
    check_replay(&mut crowd).await;
    results::recoveries(fault, &crowd.survivors);
    crowd.report(fault);
    check_meaning(&crowd.survivors);
}

/// Plays everybody through the kills, until every command has an outcome.
async fn storm(gateway: &mut Gateway, seed: u64) -> Crowd {
    let storm = Storm::begin(PLAYERS, &[gateway.ws()], seed, Pace::default()).await;
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..KILLS {
        // A random moment is what this test is about, not a wait for something.
        sleep(Duration::from_millis(rng.random_range(200..2_500))).await;
        gateway.crash().await;
    }
    sleep(Duration::from_secs(2)).await;
    storm.end().await
}

/// Services see everybody where the players know themselves to be.
async fn check_pages(gateway: &Gateway, crowd: &mut Crowd) {
    for survivor in &crowd.survivors {
        let page = gateway.player(&survivor.name).await;
        let room = page["current_room"]["room_id"].as_str();
        if room != survivor.expected.room.as_ref().map(RoomId::as_str) {
            crowd.findings.lose(format!("a service sees {} in {room:?}", survivor.name));
        }
    }
}

/// Everybody resumes after one more kill.
async fn check_replay(crowd: &mut Crowd) {
    for survivor in &mut crowd.survivors {
        survivor.bot.resume_within(PATIENCE).await.unwrap();
        let again: PlayerState = survivor.bot.query(Verb::GetState {}).await.unwrap();
        crowd.findings.compare_state(&survivor.name, &survivor.expected, &again);
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
    // Who is not back before the next kill resumes once for both.
    assert!(resumes >= players * u64::from(KILLS) / 3, "only {resumes} resumes");
    assert!(late >= 40, "only {late} commands were open when the gateway was killed");
    assert!(repeated >= players, "only {repeated} ids were repeated");
    assert!(done >= 20 * players, "only {done} commands were done");
    assert!(blows >= players, "only {blows} blows landed");
}
