//! Two real gateways on a real Redis are one world: players of both meet, either gateway may die,
//! freeze or be restarted, Redis may fail in every way that the level promises to survive, and
//! nothing that was acknowledged is lost or done twice.

mod failover;
mod faults;
mod meet;
mod restart;
mod takeover;
mod zombie;

use std::time::Duration;

use loadtest::scenario::Pace;

use crate::storm::{
    CAPACITY, Survivor, check_blows, check_gold, check_leaderboard, check_own_state, check_rooms,
};
use crate::support::Options;
use crate::support::gateways::Gateways;

/// What every storm of these tests is played with.
fn options() -> Options {
    let settings =
        ["--room-capacity", CAPACITY, "--snapshot-records", "64", "--commands-per-s", "10000"];
    Options::default().alone().with(&settings)
}

/// Two gateways on a store.
async fn pair(store: &str) -> Gateways {
    Gateways::start(2, |_| store.to_owned(), options()).await
}

fn urls(gateways: &Gateways) -> Vec<String> {
    gateways.all.iter().map(|gateway| gateway.ws()).collect()
}

/// Players who give a silent gateway up and go to the next at once.
fn pace() -> Pace {
    Pace { silence: Some(Duration::from_secs(3)), ..Pace::default() }
}

/// Everything that must hold once a storm is over, wherever each player ended up.
async fn check(survivors: &mut [Survivor]) {
    for survivor in &*survivors {
        check_own_state(survivor);
    }
    check_blows(survivors);
    check_gold(survivors);
    check_rooms(survivors).await;
    check_leaderboard(survivors).await;
}

/// Says how long players went without an acknowledged command, and returns how many had to move.
fn say_recoveries(survivors: &[Survivor]) -> usize {
    let mut all: Vec<_> = survivors.iter().flat_map(|s| s.tally.recoveries.clone()).collect();
    all.sort();
    let at = |share: f64| {
        let last = all.len().saturating_sub(1);
        all.get(((last as f64) * share).round() as usize).copied().unwrap_or_default()
    };
    let (median, p99, longest) = (at(0.5), at(0.99), at(1.0));
    let moved = survivors.iter().filter(|s| s.tally.resumes > 0).count();
    println!(
        "{moved} players moved; from socket loss to the next acknowledged command: median \
         {median:?}, p99 {p99:?}, longest {longest:?}"
    );
    moved
}
