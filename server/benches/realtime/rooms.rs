//! The part `rooms`: what a frame costs at the pace of a game, against a round trip of the echo
//! at the same pace. Apart from the pings the server has its default settings.

use loadtest::drive::{Ask, Pace};

use super::stage::{Bare, Kind, Measured, PATIENT, Stage};
use super::table::{Goal, Table};
use super::{Args, Outcome};

/// Input frames a second and player.
pub const HZ: f64 = 20.0;
/// Most times the echo's CPU.
const GOAL: f64 = 1.3;
/// Rounds are longer than those of closed loops: CPU is read in steps of 10 ms.
pub const STRETCH: u32 = 2;

/// All rounds on one store.
pub async fn run(args: &Args, kind: Kind, table: &mut Table) -> Outcome<()> {
    let stage = Stage::start(kind, &args.serve(&PATIENT))?;
    let bare = Bare::start()?;
    let mut players = stage.crowd(args.players, args.room_of, args.wire()).await?;
    let mut echo = bare.crowd(args.players, args.wire()).await?;
    let (pace, span) = (Pace::Open { hz: HZ }, args.round() * STRETCH);
    let what = format!(
        "{} players in rooms of {}, {HZ} input frames a second each, {}",
        args.players,
        args.room_of,
        kind.name()
    );
    println!("\n{what}; CPU in microseconds a frame or round trip");
    println!(
        "{:>6} {:>9} {:>9} {:>9} {:>7} {:>9} {:>9} {:>9} {:>9} {:>8}",
        "round",
        "echo",
        "server",
        "Redis",
        "times",
        "p50 ms",
        "p99 ms",
        "echo p50",
        "echo p99",
        "driver"
    );
    let (mut ours, mut theirs, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let limit = bare.run(&mut echo, Ask::Input, pace, span).await?;
        let done = stage.run(&mut players, Ask::Input, pace, span).await?;
        times.push(say(round, &limit, &done));
        theirs.push(limit);
        ours.push(done);
    }
    stage.check_steps(&what, &players, table)?;
    let title = format!("{what}: CPU of server and Redis a frame, times the echo's");
    table.find(&title, &times, "", Goal::Most(GOAL));
    for (share, name) in [(0.5, "p50"), (0.99, "p99")] {
        let rounds: Vec<f64> = ours.iter().map(|one| one.report.within_ms(share)).collect();
        table.find(
            &format!("{what}: from a frame's due time to its `in`, {name}"),
            &rounds,
            " ms",
            Goal::Open,
        );
    }
    table.cost(&what, &ours);
    table.cost(&format!("{what}: the echo"), &theirs);
    Ok(())
}

/// Prints a round; how many times the echo's CPU.
fn say(round: usize, limit: &Measured, done: &Measured) -> f64 {
    let times = done.both_each() / limit.both_each();
    println!(
        "{round:>6} {:>9.1} {:>9.1} {:>9.1} {times:>7.2} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>8.2}",
        limit.server_each(),
        done.server_each(),
        done.redis_each(),
        done.report.within_ms(0.5),
        done.report.within_ms(0.99),
        limit.report.within_ms(0.5),
        limit.report.within_ms(0.99),
        done.driver
    );
    times
}
