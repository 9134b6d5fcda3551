//! One player's serial durable round trip over WebSocket, on either store, against a bare
//! WebSocket echo.
//!
//! All servers are processes of their own with as many threads as cores and the same WebSocket
//! settings; one client on one thread asks, waits for the answer and asks again. Rounds
//! alternate, so that the machine's moods touch all. The echo is this program again, started
//! with `echo`. The last number of a round is the disk alone: a write of a page and its flush
//! to the same file system, without which no answer may go out on the embedded store. Redis, with
//! its append-only file flushed every second, answers without it.
//! Needs `redis-server` in the PATH. Run it with `cargo bench -p holdfast --bench roundtrip`.

#![allow(clippy::print_stdout, reason = "it prints its findings")]

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use holdfast::clock::instant;
use support::client::{Client, UNLIMITED, echo, is_echo, start_echo};
use support::redis::RedisServer;
use support::{Outcome, Server, median, micros, quantile, verdict};

const ROUNDS: usize = 9;
const TRIPS_PER_ROUND: u64 = 2_000;
const WARM_UP_TRIPS: u64 = 500;
/// Most times as long as the echo.
const GOAL_REDIS: f64 = 1.5;
const GOAL_EMBEDDED: f64 = 4.0;
/// A page of the store.
const PAGE: [u8; 4096] = [0x5A; 4096];
const FLUSHES_PER_ROUND: u64 = 1_000;

fn main() -> Outcome<()> {
    if is_echo() {
        return tokio::runtime::Runtime::new()?.block_on(echo());
    }
    support::print_machine()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(compare())
}

/// Medians of the rounds, in microseconds, and what a store's are in echoes.
#[derive(Default)]
struct Medians {
    redis: Vec<f64>,
    embedded: Vec<f64>,
    echo: Vec<f64>,
    disk: Vec<f64>,
    redis_ratios: Vec<f64>,
    embedded_ratios: Vec<f64>,
}

async fn compare() -> Outcome<()> {
    let store = RedisServer::start()?;
    let on_redis = Server::start_on(Some(store.url()), &UNLIMITED)?;
    let on_disk = Server::start(&UNLIMITED)?;
    let (_echo, url) = start_echo()?;
    let mut redis = Client::player(&on_redis.url, "alice").await?;
    let mut embedded = Client::player(&on_disk.url, "alice").await?;
    let mut bare = Client::bare(&url).await?;
    for client in [&mut redis, &mut embedded, &mut bare] {
        client.trips(WARM_UP_TRIPS).await?;
    }
    println!("command: execute_move heal, each acknowledged with its place in the journal");
    println!("{ROUNDS} alternating rounds of {TRIPS_PER_ROUND} round trips, microseconds");
    println!(
        " round  redis p50   p99  embedded p50   p99  echo p50   p99  disk p50  redis/echo  embedded/echo"
    );
    let disk = tempfile::tempfile()?;
    flushes(&disk)?;
    let mut all = Medians::default();
    for round in 1..=ROUNDS {
        // The echo goes before and after, so that each store has one right beside it.
        let before = bare.trips(TRIPS_PER_ROUND / 2).await?;
        let on_redis = redis.trips(TRIPS_PER_ROUND).await?;
        let after = bare.trips(TRIPS_PER_ROUND / 2).await?;
        let on_disk = embedded.trips(TRIPS_PER_ROUND).await?;
        let echoes: Vec<f64> = before.into_iter().chain(after).collect();
        let [redis, embedded, echo] = [&on_redis, &on_disk, &echoes].map(|trips| median(trips));
        let [redis_99, embedded_99, echo_99] =
            [&on_redis, &on_disk, &echoes].map(|trips| quantile(trips, 0.99));
        let disk = flushes(&disk)?;
        println!(
            "{round:>6} {redis:>10.0} {redis_99:>5.0} {embedded:>13.0} {embedded_99:>5.0} \
             {echo:>9.0} {echo_99:>5.0} {disk:>9.0} {:>11.2} {:>14.2}",
            redis / echo,
            embedded / echo
        );
        all.redis.push(redis);
        all.embedded.push(embedded);
        all.echo.push(echo);
        all.disk.push(disk);
        all.redis_ratios.push(redis / echo);
        all.embedded_ratios.push(embedded / echo);
    }
    report(&all);
    Ok(())
}

/// Writes pages over and over, each flushed; the middle time in microseconds.
fn flushes(disk: &File) -> Outcome<f64> {
    let mut took = Vec::new();
    for nth in 0..FLUSHES_PER_ROUND {
        let began = instant();
        disk.write_all_at(&PAGE, nth * PAGE.len() as u64)?;
        disk.sync_data()?;
        took.push(micros(began.elapsed()));
    }
    Ok(median(&took))
}

fn report(all: &Medians) {
    support::print_load("at the end");
    println!("\necho p50 {:.0} µs, disk p50 {:.0} µs", median(&all.echo), median(&all.disk));
    println!("\n| store | durable p50 | times the echo (least to most) | goal | |");
    println!("|---|---|---|---|---|");
    let rows = [
        ("Redis", &all.redis, &all.redis_ratios, GOAL_REDIS),
        ("embedded", &all.embedded, &all.embedded_ratios, GOAL_EMBEDDED),
    ];
    for (store, trips, ratios, goal) in rows {
        let ratio = median(ratios);
        println!(
            "| {store} | {:.0} µs | {ratio:.2} ({:.2} to {:.2}) | at most {goal} | {} |",
            median(trips),
            quantile(ratios, 0.0),
            quantile(ratios, 1.0),
            verdict(ratio <= goal)
        );
    }
}
