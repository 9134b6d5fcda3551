//! The parts `inputs` and `commands`: as many as go through in a closed loop, against the echo.

use loadtest::drive::{Ask, Pace};

use super::stage::{Bare, Kind, Measured, PATIENT, RAISED, Stage};
use super::table::{Goal, Table};
use super::{Args, Outcome};

/// Least share of the echo's round trips.
const INPUTS_GOAL: f64 = 0.8;
const COMMANDS_GOAL_REDIS: f64 = 0.5;
const COMMANDS_GOAL_EMBEDDED: f64 = 0.25;

/// All rounds on one store.
pub async fn run(args: &Args, kind: Kind, ask: Ask, table: &mut Table) -> Outcome<()> {
    let stage = Stage::start(kind, &args.serve(&[&RAISED[..], &PATIENT].concat()))?;
    let bare = Bare::start()?;
    let mut players = stage.crowd(args.players, args.room_of, args.wire()).await?;
    let mut echo = bare.crowd(args.players, args.wire()).await?;
    let windows: &[usize] = if ask == Ask::Input { &args.windows } else { &[1] };
    for window in windows {
        let what = title(ask, *window, kind, args.players);
        println!("\n{what}; limits on frames and commands and the movement clock are off");
        println!(
            "{:>6} {:>11} {:>11} {:>7} {:>9} {:>9} {:>13} {:>13}",
            "round", "echo/s", "durable/s", "share", "p50 ms", "p99 ms", "echo's driver", "driver"
        );
        let pace = Pace::Closed { window: *window };
        let (mut ours, mut theirs, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=args.rounds {
            let limit = bare.run(&mut echo, ask, pace, args.round()).await?;
            let done = stage.run(&mut players, ask, pace, args.round()).await?;
            shares.push(say(round, &limit, &done));
            theirs.push(limit);
            ours.push(done);
        }
        table.find(&format!("{what}: share of the echo"), &shares, "", goal(ask, kind, *window));
        table.cost(&what, &ours);
        table.cost(&format!("{what}: the echo"), &theirs);
    }
    let what = format!("closed loop, {} players, {}", args.players, kind.name());
    stage.check_steps(&what, &players, table)
}

fn title(ask: Ask, window: usize, kind: Kind, players: usize) -> String {
    let what = match ask {
        Ask::Input => "input frames",
        Ask::Heal => "single commands",
    };
    format!("{what}, {players} players, {window} under way on each, {}", kind.name())
}

/// With one frame under way nothing is batched.
fn goal(ask: Ask, kind: Kind, window: usize) -> Goal {
    match (ask, kind) {
        (Ask::Input, _) if window > 1 => Goal::Least(INPUTS_GOAL),
        (Ask::Input, _) => Goal::Open,
        (Ask::Heal, Kind::Redis) => Goal::Least(COMMANDS_GOAL_REDIS),
        (Ask::Heal, Kind::Embedded) => Goal::Least(COMMANDS_GOAL_EMBEDDED),
    }
}

/// Prints a round; the share.
fn say(round: usize, limit: &Measured, done: &Measured) -> f64 {
    let share = done.report.pace() / limit.report.pace();
    println!(
        "{round:>6} {:>11.0} {:>11.0} {share:>7.2} {:>9.1} {:>9.1} {:>13.2} {:>13.2}",
        limit.report.pace(),
        done.report.pace(),
        done.report.within_ms(0.5),
        done.report.within_ms(0.99),
        limit.driver,
        done.driver
    );
    share
}
