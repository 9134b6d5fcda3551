//! The part `stopped`: one player in ten stops reading for good and says nothing more, while the
//! others go on at the pace of a game. The server has its default settings.
//!
//! Those who will stop have small receive buffers from the beginning, so that the server soon
//! finds them full. A round is one server: first everybody plays, then the nine in ten for as long:
//! the longer a run, the more of what is rare is in its p99.

use std::collections::BTreeMap;
use std::time::Duration;

use loadtest::drive::{Ask, Connection, Crowd, Fate, Guests, Pace};

use super::rooms::HZ;
use super::stage::{Kind, Stage};
use super::table::{Goal, Table};
use super::{Args, Outcome};

/// Every so many connections one stops.
const EVERY: usize = 10;
/// Their receive buffers, in bytes; the kernel takes about twice that.
const NARROW: u32 = 4 * 1024;
/// Most times as long, the others' p99.
const GOAL: f64 = 1.2;
/// Rounds are long here.
const ROUNDS_MAX: usize = 3;
/// Codes of the server that may befall a slow or silent client.
const CODES: [&str; 2] = ["4002", "4003"];

/// All rounds on one store.
pub async fn run(args: &Args, kind: Kind, table: &mut Table) -> Outcome<()> {
    let what = format!(
        "{} of {} players stop reading, {}",
        args.players.div_ceil(EVERY),
        args.players,
        kind.name()
    );
    println!("\n{what}, for {} s", args.stopped_seconds);
    println!(
        "{:>6} {:>9} {:>9} {:>9} {:>9} {:>7} {:>11} {:>11} {:>8}",
        "round",
        "p50 ms",
        "p99 ms",
        "p50 then",
        "p99 then",
        "times",
        "before MiB",
        "after MiB",
        "driver"
    );
    let (mut times, mut growth, mut alone, mut among) = (vec![], vec![], vec![], vec![]);
    let mut fates = BTreeMap::new();
    for round in 1..=args.rounds.min(ROUNDS_MAX) {
        let stage = Stage::start(kind, &args.serve(&[]))?;
        let mut guests = Guests::new(&stage.server.url, args.players);
        guests.narrow = Some((EVERY, NARROW));
        let mut players = Crowd::at_server(&guests, args.room_of).await?;
        let (ask, pace) = (Ask::Input, Pace::Open { hz: HZ });
        let span = Duration::from_secs(args.stopped_seconds);
        let whole = stage.run(&mut players, ask, pace, span).await?;
        let before = mib(stage.server.process.resident()?);
        let stopped = players.set_aside(EVERY);
        let rest = stage.run(&mut players, ask, pace, span).await?;
        let after = mib(stage.server.process.resident()?);
        let [was, is] = [&whole, &rest].map(|one| one.report.within_ms(0.99));
        println!(
            "{round:>6} {:>9.1} {was:>9.1} {:>9.1} {is:>9.1} {:>7.2} {before:>11.1} {after:>11.1} \
             {:>8.2}",
            whole.report.within_ms(0.5),
            rest.report.within_ms(0.5),
            is / was,
            rest.driver
        );
        stage.check_steps(&what, &players, table)?;
        say_closed(&stage)?;
        for (fate, count) in fates_of(stopped).await {
            *fates.entry(fate).or_insert(0) += count;
        }
        times.push(is / was);
        growth.push(after - before);
        alone.push(whole);
        among.push(rest);
    }
    table.find(
        &format!("{what}: the others' p99, times that before"),
        &times,
        "",
        Goal::Most(GOAL),
    );
    table.find(&format!("{what}: the server's memory grows by"), &growth, " MiB", Goal::Open);
    table.note(&format!("{what}: what their sockets read in the end, all rounds"), &words(&fates));
    table.cost(&format!("{what}: before"), &alone);
    table.cost(&format!("{what}: the others"), &among);
    Ok(())
}

/// What the server says that it closed, by its own count.
fn say_closed(stage: &Stage) -> Outcome<()> {
    for code in CODES {
        let name = format!("holdfast_sockets_closed_total{{code=\"{code}\"}}");
        println!("       sockets that the server closed with {code}: {}", stage.metric(&name)?);
    }
    let open = stage.metric("holdfast_sockets")?;
    println!("       sockets open at the server: {open}");
    Ok(())
}

/// What became of the stopped sockets, with counts.
async fn fates_of(stopped: Vec<Connection>) -> BTreeMap<Fate, usize> {
    let mut counts = BTreeMap::new();
    for fate in futures::future::join_all(stopped.into_iter().map(Connection::fate)).await {
        *counts.entry(fate).or_insert(0) += 1;
    }
    counts
}

fn words(fates: &BTreeMap<Fate, usize>) -> String {
    let word = |(fate, count): (&Fate, &usize)| match fate {
        Fate::Open => format!("{count} still open"),
        Fate::Closed(Some(code)) => format!("{count} closed with {code}"),
        Fate::Closed(None) => format!("{count} closed without a code"),
        Fate::Broken => format!("{count} broken off"),
    };
    fates.iter().map(word).collect::<Vec<_>>().join(", ")
}

#[expect(clippy::cast_precision_loss, reason = "memory, far below 2^52")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
