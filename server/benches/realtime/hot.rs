//! The part `hot`: everybody in one room, and more and more of them. But for the room's capacity
//! the server has its default settings.

use loadtest::drive::{Ask, Pace};

use super::rooms::HZ;
use super::stage::{Kind, Measured, Stage, middle};
use super::table::{Goal, Table};
use super::{Args, Outcome};

/// Most bits of state a second and player, in the largest room.
const GOAL_KBIT: f64 = 64.0;

/// All sizes on one store; rounds go through all of them.
pub async fn run(args: &Args, kind: Kind, table: &mut Table) -> Outcome<()> {
    println!("\none room, {HZ} input frames a second and player, {}", kind.name());
    println!(
        "{:>6} {:>8} {:>15} {:>19} {:>18} {:>9} {:>9} {:>8}",
        "round",
        "players",
        "kbit/s a player",
        "server CPU ms/s a p.",
        "Redis CPU ms/s a p.",
        "p50 ms",
        "p99 ms",
        "driver"
    );
    let mut sizes: Vec<(usize, Vec<Measured>)> =
        args.sizes.iter().map(|size| (*size, Vec::new())).collect();
    for round in 1..=args.rounds {
        for (size, rounds) in &mut sizes {
            let done = fill(args, kind, *size, table).await?;
            say(round, *size, &done);
            rounds.push(done);
        }
    }
    let largest = args.sizes.iter().max();
    for (size, rounds) in &sizes {
        let what = format!("one room of {size}, {}", kind.name());
        let bits: Vec<f64> = rounds.iter().map(|one| kbit(one, *size)).collect();
        let goal = if Some(size) == largest { Goal::Most(GOAL_KBIT) } else { Goal::Open };
        table.find(&format!("{what}: state received for each player"), &bits, " kbit/s", goal);
        let cpu: Vec<f64> = rounds.iter().map(|one| cpu_ms(one, *size)).collect();
        table.find(&format!("{what}: server CPU a second and player"), &cpu, " ms", Goal::Open);
        table.cost(&what, rounds);
    }
    if let [first, .., last] = sizes.as_slice() {
        let of = |(size, rounds): &(usize, Vec<Measured>)| {
            middle(&rounds.iter().map(|one| cpu_ms(one, *size)).collect::<Vec<_>>())
        };
        let grown = format!("{:.2} times, from {} to {}", of(last) / of(first), first.0, last.0);
        let what = format!("one room, {}: growth of the server's CPU for each player", kind.name());
        table.note(&what, &grown);
    }
    Ok(())
}

/// A fresh server with one room of so many.
async fn fill(args: &Args, kind: Kind, size: usize, table: &mut Table) -> Outcome<Measured> {
    let capacity = size.to_string();
    let stage = Stage::start(kind, &args.serve(&["--room-capacity", &capacity]))?;
    let mut players = stage.crowd(size, size, args.wire()).await?;
    let done = stage.run(&mut players, Ask::Input, Pace::Open { hz: HZ }, args.round()).await?;
    let what = format!("one room of {size}, {}", kind.name());
    stage.check_steps(&what, &players, table)?;
    Ok(done)
}

#[expect(clippy::cast_precision_loss, reason = "players")]
fn kbit(done: &Measured, size: usize) -> f64 {
    done.report.heard_bits() / 1e3 / size as f64
}

/// Milliseconds of the server's CPU a second and player.
fn cpu_ms(done: &Measured, size: usize) -> f64 {
    a_player(done.server, done, size)
}

#[expect(clippy::cast_precision_loss, reason = "players")]
fn a_player(micros: f64, done: &Measured, size: usize) -> f64 {
    micros / 1e3 / done.report.span.as_secs_f64() / size as f64
}

fn say(round: usize, size: usize, done: &Measured) {
    println!(
        "{round:>6} {size:>8} {:>15.1} {:>19.3} {:>18.3} {:>9.1} {:>9.1} {:>8.2}",
        kbit(done, size),
        cpu_ms(done, size),
        a_player(done.redis, done, size),
        done.report.within_ms(0.5),
        done.report.within_ms(0.99),
        done.driver
    );
}
