//! `holdfast`: settings, telemetry, a node, a signal, a drain with a deadline.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::process::ExitCode;

use holdfast::clock::Clock;
use holdfast::config::{self, Asked, Resolved, Task, USAGE_EXIT_CODE};
use holdfast::node::Node;
use holdfast::{cli, signals, telemetry};
use tokio::runtime::{Builder, Runtime};
use tracing::{info, warn};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let env: BTreeMap<String, String> = std::env::vars().collect();
    match config::resolve(&args, &env, &|path| std::fs::read_to_string(path)) {
        Ok(Asked::Serve(resolved)) => serve(&resolved),
        Ok(Asked::Task(task)) => run_task(&task),
        Ok(Asked::Dump { resolved, json: false }) => say(&config::dump(&resolved)),
        Ok(Asked::Dump { resolved, json: true }) => {
            say(&format!("{:#}\n", config::dump_json(&resolved)))
        }
        Ok(Asked::Print(text)) => say(&text),
        Err(error) => complain(&error.to_string(), USAGE_EXIT_CODE),
    }
}

/// Writes to standard output; a reader that has gone away is no failure.
fn say(text: &str) -> ExitCode {
    let _ = write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush());
    ExitCode::SUCCESS
}

fn complain(text: &str, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "holdfast: {}", text.trim_end());
    ExitCode::from(code)
}

fn threads(workers: u64) -> io::Result<Runtime> {
    let workers = usize::try_from(workers).unwrap_or(1).max(1);
    Builder::new_multi_thread().worker_threads(workers).enable_all().build()
}

fn run_task(task: &Task) -> ExitCode {
    let done = threads(1).map_err(Into::into).and_then(|runtime| {
        runtime.block_on(cli::run(task, &Clock::system(), &mut io::stdout(), &mut io::stderr()))
    });
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => complain(&error.to_string(), 1),
    }
}

fn serve(resolved: &Resolved) -> ExitCode {
    let settings = &resolved.settings;
    if let Err(error) = telemetry::init(&settings.log, settings.log_format) {
        return complain(&format!("--log: {error}"), USAGE_EXIT_CODE);
    }
    for warning in &resolved.warnings {
        warn!("{warning}");
    }
    // Each player is an open file; the soft limit of most systems is 1,024.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        warn!(%error, "the limit of open files could not be raised");
    }
    match threads(settings.workers) {
        Ok(runtime) => runtime.block_on(run(resolved)),
        Err(error) => complain(&format!("threads could not be started: {error}"), 1),
    }
}

async fn run(resolved: &Resolved) -> ExitCode {
    let settings = &resolved.settings;
    let node = match Node::start(settings, Clock::system()).await {
        Ok(node) => node,
        Err(error) => return complain(&error.to_string(), 1),
    };
    say(&node.banner());
    info!(node = settings.node, address = %node.address, "serving");
    tokio::select! {
        signal = signals::stop() => info!(signal, "stopping"),
        () = node.failed() => {
            return complain("the store has failed; start again to recover from the journal", 1);
        }
    }
    tokio::select! {
        in_time = node.drain(settings.drain_ms) => {
            if in_time {
                say("holdfast: drained, everything is written\n")
            } else {
                complain("the drain was cut short; the journal is complete all the same", 1)
            }
        }
        signal = signals::stop() => complain(&format!("stopped at once by a second {signal}"), 1),
    }
}
