//! What real-time play costs: 1,000 players who walk, against a bare WebSocket echo that the same
//! driver drives in the same way.
//!
//! - `inputs`: closed loop, input frames of one step, each durable before its place is taken by
//!   the next; with several under way (batched) and with one.
//! - `commands`: closed loop, `execute_move heal`, each acknowledged on its own.
//! - `rooms`: open loop, 20 input frames a second and player, rooms of 20, the room's state at
//!   10 Hz: CPU of server and Redis a frame, and the time from a frame's due time to its `in`.
//! - `stopped`: the same, and one in ten stops reading for good: what the others notice.
//! - `hot`: one room of 125, 250, 500: state received and CPU for each player.
//! - `growth`: as `rooms`, for 100 to 10,000 players, each number with a server of its own; it
//!   goes on where the machine is full and says what was lost. `--plot FILE` draws it.
//!
//! Server, Redis and echo are processes of their own; the driver is this process, in one thread,
//! and all share the machine's cores. Its own CPU is printed: where it is near 1.00, the driver
//! and not the server ended first. Rounds of server and echo alternate and the middle one counts.
//! After each server's rounds every player is asked where it stands: no step may be missing, or
//! the program fails in the end.
//! With few frames under way a closed loop waits for the server's beats and frames, not for its
//! CPU: `--serve=--frame-ms=10` and the like show the difference.
//! Needs `redis-server` in the PATH, and 2,100 open files, 10,100 for `growth`.
//! Run it with `cargo bench -p holdfast --bench realtime`; `-- --help` lists parts and sizes.

#![allow(clippy::print_stdout, reason = "it prints its findings")]

#[path = "realtime/growth.rs"]
mod growth;
#[path = "realtime/hot.rs"]
mod hot;
#[path = "realtime/loops.rs"]
mod loops;
#[path = "realtime/plot.rs"]
mod plot;
#[path = "realtime/rooms.rs"]
mod rooms;
#[path = "realtime/stage.rs"]
mod stage;
#[path = "realtime/stopped.rs"]
mod stopped;
mod support;
#[path = "realtime/table.rs"]
mod table;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use loadtest::drive::Ask;
use loadtest::wire::Wire;
use stage::Kind;
use support::Outcome;
use support::client::{echo, is_echo};
use table::Table;

/// Open files besides the sockets.
const FILES_BESIDE: u64 = 100;

/// What real-time play costs, against a bare WebSocket echo
#[derive(Debug, Parser)]
#[command(name = "realtime")]
struct Args {
    /// What to measure; all without any
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// On which store
    #[arg(long, value_enum, default_value_t = Stores::Both)]
    store: Stores,
    /// Players, but for the hot room
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    players: usize,
    /// Players of a room, but for the hot one
    #[arg(long, value_name = "N", default_value_t = 20)]
    room_of: usize,
    /// Alternating rounds
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Seconds of a round, after a second of warm-up
    #[arg(long, value_name = "S", default_value_t = 4)]
    seconds: u64,
    /// Seconds without a reader, in the part `stopped`
    #[arg(long, value_name = "S", default_value_t = 45)]
    stopped_seconds: u64,
    /// Frames of each player under way, in the part `inputs`
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [1, 4, 32])]
    windows: Vec<usize>,
    /// Players in the hot room
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [125, 250, 500])]
    sizes: Vec<usize>,
    /// Numbers of players in the part `growth`
    #[arg(long, value_name = "N,…", value_delimiter = ',',
        default_values_t = [100, 300, 1_000, 3_000, 10_000],
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    growth_sizes: Vec<u32>,
    /// Draw the part `growth` into this SVG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Speak MessagePack, but in the part `stopped`
    #[arg(long)]
    packed: bool,
    /// An argument for `holdfast serve`, such as --serve=--beat-ms=10; may be repeated
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    serve: Vec<String>,
    /// Said by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Inputs,
    Commands,
    Rooms,
    Stopped,
    Hot,
    Growth,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stores {
    Embedded,
    Redis,
    Both,
}

impl Args {
    fn kinds(&self) -> &'static [Kind] {
        match self.store {
            Stores::Embedded => &[Kind::Embedded],
            Stores::Redis => &[Kind::Redis],
            Stores::Both => &[Kind::Embedded, Kind::Redis],
        }
    }

    /// What is measured, in order.
    fn chosen(&self) -> Vec<Part> {
        let every = Part::value_variants().iter().copied();
        every.filter(|part| self.parts.is_empty() || self.parts.contains(part)).collect()
    }

    /// Open files that this process needs.
    fn files(&self) -> u64 {
        let sockets = |part: Part| match part {
            Part::Growth => self.growth_sizes.iter().copied().max().unwrap_or(0).into(),
            Part::Hot => self.sizes.iter().copied().max().unwrap_or(0) as u64,
            // Of the server and of the echo.
            _ => 2 * self.players as u64,
        };
        FILES_BESIDE + self.chosen().into_iter().map(sockets).max().unwrap_or(0)
    }

    fn round(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    fn wire(&self) -> Wire {
        if self.packed { Wire::Packed } else { Wire::Json }
    }

    /// The server's arguments: a part's, then those of the command line.
    fn serve<'a>(&'a self, part: &[&'a str]) -> Vec<&'a str> {
        part.iter().copied().chain(self.serve.iter().map(String::as_str)).collect()
    }
}

fn main() -> Outcome<()> {
    if is_echo() {
        return tokio::runtime::Runtime::new()?.block_on(echo());
    }
    let args = Args::parse();
    support::print_machine()?;
    let (files, needed) = (rlimit::increase_nofile_limit(u64::MAX)?, args.files());
    if files < needed {
        return Err(format!("{files} open files are allowed, {needed} needed").into());
    }
    if !args.serve.is_empty() {
        println!("the server is given: {}", args.serve.join(" "));
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(&args))
}

async fn measure(args: &Args) -> Outcome<()> {
    let (mut table, mut grown) = (Table::default(), Vec::new());
    for part in args.chosen() {
        for kind in args.kinds() {
            match part {
                Part::Inputs => loops::run(args, *kind, Ask::Input, &mut table).await?,
                Part::Commands => loops::run(args, *kind, Ask::Heal, &mut table).await?,
                Part::Rooms => rooms::run(args, *kind, &mut table).await?,
                Part::Stopped => stopped::run(args, *kind, &mut table).await?,
                Part::Hot => hot::run(args, *kind, &mut table).await?,
                Part::Growth => grown.push(growth::run(args, *kind, &mut table).await?),
            }
        }
    }
    if let (Some(file), false) = (&args.plot, grown.is_empty()) {
        fs::write(file, growth::draw(&grown))?;
        println!("\nthe plot is in {}", file.display());
    }
    support::print_load("at the end");
    table.print()
}
