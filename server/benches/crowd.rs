//! Durable commands a second over WebSocket, of 1,000 players at once, on Redis, against a bare
//! WebSocket echo with as many connections.
//!
//! Every connection asks, waits for its answer and asks again. Rounds alternate; clients, server
//! and Redis share the machine. After the rounds: what a command costs the gateway and Redis in
//! CPU, and what a player of the example game costs Redis in memory.
//! Needs `redis-server` in the PATH, and 4,100 open files.
//! Run it with `cargo bench -p holdfast --bench crowd`.

#![allow(clippy::print_stdout, reason = "it prints its findings")]

mod support;

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use holdfast::clock::instant;
use holdfast::store::redis::keys::Keys;
use holdfast_protocol::ids::ActorId;
use support::client::{Client, UNLIMITED, echo, is_echo, start_echo};
use support::redis::RedisServer;
use support::{Outcome, Process, Server, median, quantile, verdict};

const PLAYERS: u32 = 1_000;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
/// Least share of the echo.
const GOAL: f64 = 0.5;

fn main() -> Outcome<()> {
    if is_echo() {
        return tokio::runtime::Runtime::new()?.block_on(echo());
    }
    support::print_machine()?;
    rlimit::increase_nofile_limit(u64::MAX)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(compare())
}

/// Everyone asks until the time is over; round trips in all.
async fn turns(clients: &mut [Client], until: Instant) -> Outcome<f64> {
    let each = clients.iter_mut().map(async |client| -> Outcome<f64> {
        let mut count = 0.0;
        while instant() < until {
            client.trip().await?;
            count += 1.0;
        }
        Ok(count)
    });
    Ok(try_join_all(each).await?.into_iter().sum())
}

/// One round: round trips a second, and CPU microseconds of a process for each.
async fn round(clients: &mut [Client], server: &Process) -> Outcome<(f64, f64, f64)> {
    let (began, cpu) = (instant(), server.cpu_micros()?);
    let count = turns(clients, began + ROUND).await?;
    let spent = server.cpu_micros()? - cpu;
    Ok((count, count / began.elapsed().as_secs_f64(), spent / count))
}

async fn compare() -> Outcome<()> {
    let store = RedisServer::start()?;
    let many = [&UNLIMITED[..], &["--connections-per-address-max", "2000"]].concat();
    let server = Server::start_on(Some(store.url()), &many)?;
    let (echo, url) = start_echo()?;
    let empty = store.memory().await?;
    let (mut players, mut bare) = (Vec::new(), Vec::new());
    for nth in 0..PLAYERS {
        players.push(Client::player(&server.url, &format!("p{nth}")).await?);
        bare.push(Client::bare(&url).await?);
    }
    let bytes = (store.memory().await? - empty) / f64::from(PLAYERS);
    println!("bytes of Redis a player who has said hello: {bytes:.0}");
    let (mut shares, mut gateway, mut redis, mut echoed) = (vec![], vec![], vec![], vec![]);
    let began = store.work().await?;
    let mut commands = 0.0;
    println!(" round       echo    durable   share   round trips/s of {PLAYERS} connections");
    for nth in 1..=ROUNDS {
        let (_, limit, echo_cpu) = round(&mut bare, &echo).await?;
        let before = store.work().await?;
        let (count, pace, cpu) = round(&mut players, &server.process).await?;
        redis.push(store.work().await?.cpu_micros_since(&before) / count);
        println!("{nth:>6} {limit:>10.0} {pace:>10.0} {:>7.2}", pace / limit);
        shares.push(pace / limit);
        gateway.push(cpu);
        echoed.push(echo_cpu);
        commands += count;
    }
    support::print_load("at the end");
    let bytes = (store.memory().await? - empty) / f64::from(PLAYERS);
    println!("bytes of Redis a player after {:.0} commands: {bytes:.0}", commands / 1e3);
    say_keys(&store).await?;
    let work = store.work().await?;
    let calls = |name: &str| work.since(&began, name).calls / commands;
    println!(
        "a command: {:.2} XADD, {:.3} ZADD, {:.4} scripts",
        calls("xadd"),
        calls("zadd"),
        calls("evalsha")
    );
    let (share, least, most) = (median(&shares), quantile(&shares, 0.0), quantile(&shares, 1.0));
    println!("\n| durable commands/s, share of the echo (least to most) | goal | |\n|---|---|---|");
    let met = verdict(share >= GOAL);
    println!("| {share:.2} ({least:.2} to {most:.2}) | at least {GOAL} | {met} |");
    println!("\n| CPU microseconds a command | |\n|---|---|");
    println!("| gateway | {:.1} |", median(&gateway));
    println!("| Redis | {:.1} |", median(&redis));
    println!("| the echo, a round trip | {:.1} |", median(&echoed));
    Ok(())
}

/// What the keys of one player take.
async fn say_keys(store: &RedisServer) -> Outcome<()> {
    let (keys, actor) = (Keys::new("hf"), ActorId::new("player", "p0")?);
    for (what, key) in [
        ("journal", keys.journal(&actor)),
        ("owner", keys.meta(&actor)),
        ("newest snapshot", keys.newest(&actor)),
        ("older snapshot", keys.older(&actor)),
    ] {
        let bytes = store.ask(&["MEMORY", "USAGE", &key, "SAMPLES", "0"]).await?;
        println!(
            "  of the first player's, {what}: {:?}",
            redis::from_redis_value::<Option<u64>>(bytes)?
        );
    }
    let records = store.ask(&["XLEN", &keys.journal(&actor)]).await?;
    println!("  records in its journal: {}", redis::from_redis_value::<u64>(records)?);
    Ok(())
}
