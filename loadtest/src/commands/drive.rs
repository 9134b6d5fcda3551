//! `loadtest drive`: connections that have messages echoed, in a closed or an open loop.

use std::time::Duration;

use clap::ValueEnum;
use loadtest::drive::{Ask, Crowd, Error, Guests, Pace, Plan, Report, Tally};
use loadtest::socket;
use loadtest::usage;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{Outcome, mention, say};

/// How often progress is said.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// Open files besides the connections.
const FILES_BESIDE: u64 = 32;

/// Drives an echo: input frames of one step, each of which has to come back
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The echo, such as the one that `loadtest echo` prints
    #[arg(value_name = "URL", value_parser = url)]
    url: String,
    /// Connections
    #[arg(long, value_name = "N", default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    players: u32,
    /// Whether a frame is sent when the one before was answered, or at its time
    #[arg(long, value_enum, default_value_t = Mode::Closed)]
    mode: Mode,
    /// Open loop: frames a second of each connection
    #[arg(long, value_name = "H", default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..=1_000))]
    hz: u32,
    /// Closed loop: frames of each connection that are under way
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    window: u32,
    /// How long
    #[arg(long, value_name = "S", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
}

/// When frames are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// When one is answered
    Closed,
    /// H times a second, whatever the answers do
    Open,
}

fn url(text: &str) -> Result<String, String> {
    if text.starts_with("ws://") && text.len() > "ws://".len() {
        return Ok(text.to_owned());
    }
    Err("it is no ws:// URL; give one such as ws://127.0.0.1:8080/ws".to_owned())
}

impl Args {
    fn plan(&self) -> Plan {
        let pace = match self.mode {
            Mode::Closed => Pace::Closed { window: self.window as usize },
            Mode::Open => Pace::Open { hz: self.hz.into() },
        };
        let span = Duration::from_secs(self.seconds.into());
        Plan { ask: Ask::Input, pace, span }
    }

    fn title(&self) -> String {
        let Self { players, hz, window, seconds, .. } = self;
        let pace = match self.mode {
            Mode::Closed => format!("closed loop, {window} under way on each"),
            Mode::Open => format!("open loop, {hz} frames a second on each"),
        };
        format!("{players} connections, {pace}, {seconds} s, to {}", self.url)
    }
}

/// Connects, drives, and says how it went.
///
/// # Errors
/// No connection, a broken one, or too few open files allowed.
pub fn run(args: &Args, files: u64) -> Outcome {
    let needed = u64::from(args.players) + FILES_BESIDE;
    if files < needed {
        return Err(format!(
            "{} connections need {needed} open files, and {files} are allowed: raise the hard \
             limit (ulimit -Hn) or say fewer --players",
            args.players
        )
        .into());
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(drive(args))
}

async fn drive(args: &Args) -> Outcome {
    say(&args.title());
    let guests = Guests::new(&args.url, args.players as usize);
    let mut crowd = Crowd::at_echo(&guests).await.map_err(explain)?;
    let (tally, plan) = (Tally::new()?, args.plan());
    let cpu = usage::own_micros().ok();
    tokio::select! {
        done = crowd.run(plan, &tally) => done?,
        () = progress(&tally, plan.span) => {}
    }
    report(args.mode, &tally.report());
    if let (Some(before), Ok(after)) = (cpu, usage::own_micros()) {
        let share = (after - before) / 1e6 / tally.report().span.as_secs_f64();
        say(&format!("the driver, in one thread, used {share:.2} of a core"));
    }
    Ok(())
}

/// Adds the way out to what went wrong.
fn explain(error: Error) -> String {
    match error {
        Error::Open { source: socket::Error::Connect(_), .. } => {
            format!("{error}; `loadtest echo` starts an echo and prints its URL")
        }
        error => error.to_string(),
    }
}

/// Says every now and then how far it is; never ends.
async fn progress(tally: &Tally, span: Duration) {
    let began = Instant::now();
    let mut ticks = interval_at(began + PROGRESS_EVERY, PROGRESS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut before = 0;
    loop {
        ticks.tick().await;
        let answered = tally.answered();
        let pace = (answered - before) / PROGRESS_EVERY.as_secs();
        before = answered;
        let (at, end) = (began.elapsed().as_secs(), span.as_secs());
        mention(&format!("{at} of {end} s: {pace} round trips/s"));
    }
}

fn report(mode: Mode, report: &Report) {
    let [p50, p99, most] = [0.5, 0.99, 1.0].map(|share| report.within_ms(share));
    say(&format!(
        "{:.0} round trips/s: {} in {:.1} s",
        report.pace(),
        report.answered,
        report.span.as_secs_f64()
    ));
    say(&format!("latency: p50 {p50:.3} ms, p99 {p99:.3} ms, longest {most:.3} ms"));
    say(match mode {
        Mode::Closed => {
            "latencies count from the sending; whoever waits asks nothing, so that they leave out \
             the worst (coordinated omission): see --mode open"
        }
        Mode::Open => {
            "latencies count from the time when a frame was due, sent late or not; timers of this \
             driver are good to a millisecond"
        }
    });
}
