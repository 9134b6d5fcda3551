//! `loadtest proxy`: spoils the way to a server as it is told, line by line, until it is killed.

use std::io::{self, BufRead as _};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use loadtest::proxy::fault::{FORMS, Form};
use loadtest::proxy::{Config, Counts, Fault, Faults, Handle, Proxy};
use loadtest::span;
use tokio::time::{MissedTickBehavior, interval};

use super::{Outcome, mention, say};

/// How often counts are said, if they changed.
const COUNTS_EVERY: Duration = Duration::from_secs(5);

/// Forwards TCP connections and spoils them; faults are lines of standard input, see `help` there
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where connections lead
    #[arg(long, value_name = "ADDR")]
    target: SocketAddr,
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How much later everything arrives, each way
    #[arg(long, value_name = "SPAN", default_value = "0s", value_parser = span::parse)]
    delay: Duration,
    /// How far from the delay, either way
    #[arg(long, value_name = "SPAN", default_value = "0s", value_parser = span::parse)]
    jitter: Duration,
    /// Bytes a second that are read of the target, on each connection
    #[arg(long, value_name = "BYTES_PER_S")]
    slow: Option<u32>,
    /// What jitters and choices follow from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl Args {
    fn config(&self) -> Result<Config, String> {
        let Self { listen, target, delay, jitter, seed, .. } = *self;
        Fault::delay(delay, jitter).map_err(|error| error.to_string())?;
        let faults = Faults { delay, jitter, slow_bytes_per_s: self.slow };
        Ok(Config { listen, target, faults, seed })
    }
}

/// Prints where it listens, and forwards.
///
/// # Errors
/// The address can't be listened on, or the jitter is more than the delay.
pub fn run(args: &Args) -> Outcome {
    let config = args.config()?;
    tokio::runtime::Runtime::new()?.block_on(forward(config))
}

async fn forward(config: Config) -> Outcome {
    let proxy = Proxy::start(config).map_err(|error| {
        format!("can't listen on {}: {error}; choose another address with --listen", config.listen)
    })?;
    say(&format!("proxy {} -> {}", proxy.address(), config.target));
    let handle = proxy.handle();
    // A thread of its own: the runtime would wait for its last line when it ends.
    thread::spawn(move || obey(&handle));
    watch(&proxy.handle()).await
}

/// Does what standard input says, to its end.
fn obey(handle: &Handle) {
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        if let Some(answer) = answer(&line, handle) {
            say(&answer);
        }
    }
}

fn answer(line: &str, handle: &Handle) -> Option<String> {
    match line.trim() {
        "" => None,
        "help" => Some(help()),
        line => Some(match line.parse::<Fault>() {
            Ok(fault) => done(&fault, handle.apply(&fault)),
            Err(error) => format!("{error}; `help` lists all faults"),
        }),
    }
}

fn help() -> String {
    let line = |Form { form, means, .. }| format!("{form}\n    {means}");
    FORMS.map(line).join("\n")
}

/// What was done, in a line.
fn done(fault: &Fault, count: usize) -> String {
    let connections = match count {
        1 => "1 connection".to_owned(),
        count => format!("{count} connections"),
    };
    match fault {
        Fault::Cut { .. } => format!("{fault}: reset {connections}"),
        Fault::HalfOpen { .. } => format!("{fault}: silenced {connections}"),
        Fault::Refuse { .. } => format!("{fault}: nobody is let in"),
        Fault::Delay { .. } | Fault::Stall { .. } | Fault::Slow { .. } | Fault::Clear => {
            format!("{fault}: holds for {connections} and all new ones")
        }
    }
}

/// Says what has changed every now and then; never ends.
async fn watch(handle: &Handle) -> Outcome {
    let mut ticks = interval(COUNTS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut before = Counts::default();
    loop {
        ticks.tick().await;
        let counts = handle.counts();
        if counts != before {
            let Counts { open, total, refused, up_bytes, down_bytes } = counts;
            mention(&format!(
                "{open} of {total} connections open, {refused} refused, {up_bytes} bytes up, \
                 {down_bytes} down"
            ));
        }
        before = counts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let local = ([127, 0, 0, 1], 0).into();
        Config { listen: local, target: local, faults: Faults::default(), seed: 1 }
    }

    #[tokio::test]
    async fn a_fault_is_done_and_answered() {
        let proxy = Proxy::start(config()).unwrap();
        let answer = |line| answer(line, &proxy.handle());
        assert_eq!(answer("cut 10%").unwrap(), "cut 10%: reset 0 connections");
        assert_eq!(answer("refuse 1s").unwrap(), "refuse 1s: nobody is let in");
        let stall = answer(" stall 300ms ").unwrap();
        assert_eq!(stall, "stall 300ms: holds for 0 connections and all new ones");
    }

    #[tokio::test]
    async fn what_is_no_fault_is_answered_with_what_is() {
        let proxy = Proxy::start(config()).unwrap();
        let answer = |line| answer(line, &proxy.handle());
        assert_eq!(answer("  "), None);
        assert!(answer("explode").unwrap().contains("write one of delay, stall"));
        let help = answer("help").unwrap();
        assert!(FORMS.iter().all(|form| help.contains(form.form)));
    }
}
