//! `loadtest run`: plays a scenario and says what came of it.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use loadtest::report;
use loadtest::run::view::screen::Screen;
use loadtest::run::view::{Lines, View};
use loadtest::run::{self, Options, machine};
use loadtest::scenario::{BUILT_IN, Scenario, Store};
use loadtest::span;
use tokio::sync::watch;

use super::{mention, say};

/// Plays a scenario with thousands of simulated players, and checks every promise afterwards
///
/// Starts the servers that the scenario needs by itself, unless --target names running ones. Writes
/// result.json and report.html. Exit status: 0 thresholds met, 1 missed, 2 a promise was broken, 3
/// void: the run says nothing, 64 the command line can't be used.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A ready-made scenario (`loadtest scenarios` lists them), or a TOML file
    #[arg(value_name = "SCENARIO")]
    scenario: String,
    /// A gateway that runs already, such as ws://127.0.0.1:8080/ws; may be given several times
    #[arg(long, value_name = "URL", value_parser = url)]
    target: Vec<String>,
    /// On which store the servers are that are started
    #[arg(long, value_name = "STORE", value_parser = store)]
    store: Option<Store>,
    /// Players, instead of the scenario's number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    players: Option<u32>,
    /// How long all play, instead of the scenario's time
    #[arg(long, value_name = "SPAN", value_parser = span::parse)]
    hold: Option<std::time::Duration>,
    /// Generator processes; as many as are needed unless said otherwise
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    processes: Option<u32>,
    /// From which everything random follows; a new one unless said otherwise
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The server's binary; `holdfast` beside this one unless said otherwise
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// Where the result goes; a new directory below ./loadtest-results unless said otherwise
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("ws://").filter(|rest| !rest.is_empty());
    let Some(rest) = rest else {
        return Err("it is no ws:// URL; give one such as ws://127.0.0.1:8080/ws".to_owned());
    };
    Ok(if rest.contains('/') { text.to_owned() } else { format!("{text}/ws") })
}

fn store(text: &str) -> Result<Store, String> {
    match text {
        "embedded" => Ok(Store::Embedded),
        "redis" => Ok(Store::Redis),
        _ => Err("write embedded or redis".to_owned()),
    }
}

/// The TOML of a scenario, and whether it is a file.
fn text(name: &str) -> Result<String, String> {
    if let Some(text) = Scenario::built_in(name) {
        return Ok(text.to_owned());
    }
    let names = BUILT_IN.map(|(name, _)| name).join(", ");
    fs::read_to_string(name)
        .map_err(|why| format!("{name} is no ready-made scenario ({names}), and as a file: {why}"))
}

impl Args {
    fn options(&self, files: u64) -> Result<Options, Box<dyn std::error::Error>> {
        let toml = text(&self.scenario)?;
        let mut scenario =
            Scenario::parse(&toml).map_err(|why| format!("{}: {why}", self.scenario))?;
        scenario.players = self.players.unwrap_or(scenario.players);
        scenario.store = self.store.unwrap_or(scenario.store);
        if let Some(hold) = self.hold {
            scenario.hold = hold;
            scenario.chaos.retain(|blow| blow.at <= hold);
        }
        scenario.check().map_err(|why| format!("{}: {why}", self.scenario))?;
        if !self.target.is_empty() && !scenario.chaos.is_empty() {
            mention("note: nothing is done to servers that were not started here; no chaos");
            scenario.chaos.clear();
        }
        let now_ms = machine::unix_ms();
        let name = format!("{}-{}", scenario.name, now_ms / 1_000);
        let out = self.out.clone().unwrap_or_else(|| Path::new("loadtest-results").join(name));
        fs::create_dir_all(&out).map_err(|why| format!("{}: {why}", out.display()))?;
        let out = out.canonicalize()?;
        let own = std::env::current_exe()?;
        let beside = own.with_file_name("holdfast");
        let seed = self.seed.unwrap_or(now_ms);
        Ok(Options {
            scenario,
            toml,
            targets: self.target.clone(),
            server: self.server.clone().unwrap_or(beside),
            own,
            out,
            processes: self.processes,
            seed,
            files,
        })
    }
}

/// Plays, prints a summary, and gives the exit status.
///
/// # Errors
/// The scenario can't be used, or nothing can be written.
pub fn run(args: &Args, files: u64) -> Result<u8, Box<dyn std::error::Error>> {
    let options = args.options(files)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut view: Box<dyn View> = if io::stderr().is_terminal() {
        Box::new(Screen::new(&options))
    } else {
        Box::new(Lines::default())
    };
    let result = runtime.block_on(async {
        let (stopped, stop) = watch::channel(false);
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                stopped.send_replace(true);
            }
        });
        run::run(&options, view.as_mut(), stop).await
    })?;
    view.end();
    say(&report::text(&result));
    say(&format!("report: {}", options.out.join("report.html").display()));
    Ok(result.verdict.exit_code())
}
