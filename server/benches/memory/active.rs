//! Players who play: resident memory for each of them, minute by minute, and whether it stays.
//!
//! What counts is the server's memory while all are playing, less that of the fresh server before
//! anybody came. SQLite's page caches (64 MiB of journals and 32 MiB of attributes at most, however
//! many players there are) are in it: with few players they are most of it, and on Redis there are
//! none.
//! Whether it stays: a straight line is laid through the readings from the second minute on, by
//! least squares, and its slope is the growth.

use std::time::Duration;

use loadtest::drive::{Ask, Crowd, Guests, Lost, Pace, Plan, Tally};
use tokio::time::{Instant, sleep_until};

use super::support::redis::RedisServer;
use super::support::{Outcome, Process, Server};
use super::{Args, ROOM_LEN, Row, Store};

/// Input frames a second and player.
const HZ: f64 = 20.0;
/// Most bytes for each player.
const GOAL: f64 = 24.0 * 1024.0;
/// The first minutes fill what is filled once: a player's journal has its length and its caches
/// are made.
const SETTLED_AFTER: usize = 2;
/// Most bytes a minute and player afterwards: a leak of a few hundred fails.
const FLAT: f64 = 100.0;
const MINUTE: Duration = Duration::from_secs(60);
/// How long the last answers may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A fresh server and its players; the rows of the final table.
///
/// # Errors
/// A player was lost or refused.
pub async fn run(args: &Args) -> Outcome<Vec<Row>> {
    let (players, minutes) = (args.active, args.minutes);
    let redis = (args.store == Store::Redis).then(RedisServer::start).transpose()?;
    let server = Server::start_on(redis.as_ref().map(RedisServer::url), &[])?;
    let fresh = server.process.resident()?;
    println!(
        "\n{players} active players, {HZ} input frames a second each, in rooms of {ROOM_LEN}; \
         on {}; the fresh server has {} KiB",
        args.store.name(),
        fresh / 1024
    );
    let room_of = usize::try_from(ROOM_LEN)?;
    let guests = Guests::new(&server.url, players as usize);
    let mut crowd = Crowd::at_server(&guests, room_of).await?;
    let tally = Tally::new()?;
    let plan = Plan { ask: Ask::Input, pace: Pace::Open { hz: HZ }, span: MINUTE * minutes };
    let run = crowd.run_on(plan, &tally, PATIENCE);
    let (lost, each) = tokio::join!(run, watch(&server.process, fresh, players, minutes, &tally));
    let (lost, each): (Lost, Vec<f64>) = (lost?, each?);
    if !lost.is_empty() {
        return Err(lost.to_string().into());
    }
    let refused: u64 = crowd.connections().iter().map(|one| one.refused()).sum();
    if refused > 0 {
        return Err(format!("{refused} frames were refused").into());
    }
    let settled = each.get(SETTLED_AFTER - 1..).unwrap_or_default();
    let what = format!("{players} active on {}", args.store.name());
    Ok(vec![
        Row {
            what: format!("{what}, after {minutes} minutes, more than the fresh server"),
            bytes: each.last().copied().unwrap_or_default(),
            most: Some(GOAL),
        },
        Row {
            what: format!("{what}, growth a minute, from minute {SETTLED_AFTER} to {minutes}"),
            bytes: slope(settled),
            most: Some(FLAT),
        },
    ])
}

/// Bytes for each player at the end of each minute.
async fn watch(
    server: &Process,
    fresh: u64,
    players: u32,
    minutes: u32,
    tally: &Tally,
) -> Outcome<Vec<f64>> {
    let began = Instant::now();
    let mut each = Vec::new();
    for minute in 1..=minutes {
        sleep_until(began + MINUTE * minute).await;
        let resident = server.resident()?;
        let report = tally.report();
        tally.restart();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let bytes = resident.saturating_sub(fresh) as f64 / f64::from(players);
        println!(
            "minute {minute} of {minutes}: {} KiB resident, {bytes:.0} bytes for each player; \
             {:.0} of {:.0} frames/s, p50 {:.0} ms, p99 {:.0} ms",
            resident / 1024,
            report.pace(),
            HZ * f64::from(players),
            report.within_ms(0.5),
            report.within_ms(0.99)
        );
        each.push(bytes);
    }
    Ok(each)
}

/// The slope of the straight line through numbers that are a step apart, by least squares.
#[expect(clippy::cast_precision_loss, reason = "minutes")]
fn slope(numbers: &[f64]) -> f64 {
    let count = numbers.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let mean = numbers.iter().sum::<f64>() / count;
    let (mut rise, mut run) = (0.0, 0.0);
    for (nth, number) in numbers.iter().enumerate() {
        let away = nth as f64 - middle;
        rise += away * (number - mean);
        run += away * away;
    }
    rise / run
}
