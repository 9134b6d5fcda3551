//! A Redis of a benchmark's own, and what it says of its work.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::Command;

use holdfast::clock::Clock;
use holdfast::store::durability::Durability;
use holdfast::store::redis::{Options, Redis};
use tempfile::TempDir;

use super::{Outcome, Process};

/// A Redis with the documented settings: append-only file, flushed every second, stream blocks of
/// 1,024 bytes. The file is never rewritten: that would fall into one round and not another.
pub struct RedisServer {
    process: Process,
    port: u16,
    _dir: TempDir,
}

/// What one command has cost so far, or cost between two looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// Times that it ran, from scripts too.
    pub calls: f64,
    /// Microseconds in the command itself: neither socket nor parsing nor the append-only file.
    pub micros: f64,
}

/// CPU and commands so far.
pub struct Work {
    /// CPU seconds of all threads.
    pub cpu: f64,
    /// By name, in small letters.
    pub commands: BTreeMap<String, Spent>,
}

impl Work {
    /// CPU microseconds since `before`.
    pub fn cpu_micros_since(&self, before: &Self) -> f64 {
        (self.cpu - before.cpu) * 1e6
    }

    /// What a command cost since `before`.
    pub fn since(&self, before: &Self, name: &str) -> Spent {
        let now = self.commands.get(name).copied().unwrap_or_default();
        let then = before.commands.get(name).copied().unwrap_or_default();
        Spent { calls: now.calls - then.calls, micros: now.micros - then.micros }
    }
}

impl RedisServer {
    /// Starts it on a free port.
    pub fn start() -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", "yes", "--appendfsync", "everysec"]);
        command.args(["--stream-node-max-bytes", "1024"]).arg("--dir").arg(dir.path());
        command.args(["--auto-aof-rewrite-percentage", "0"]);
        let ready = |line: &str| line.contains("Ready to accept connections").then_some(());
        let (process, ()) = Process::start(&mut command, ready)?;
        Ok(Self { process, port, _dir: dir })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its address for `--store`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The store of this project on it.
    pub async fn store(&self, clock: &Clock) -> Outcome<Redis> {
        let (address, level) = (self.url().parse()?, Durability::Stored);
        let options = Options { address, namespace: "hf".into(), level };
        Ok(Redis::open(&options, clock.clone()).await?)
    }

    /// Asks one thing over a connection of its own.
    pub async fn ask(&self, words: &[&str]) -> Outcome<redis::Value> {
        let client = redis::Client::open(("127.0.0.1", self.port))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let Some((name, args)) = words.split_first() else { return Err("no command".into()) };
        let mut command = redis::cmd(name);
        command.arg(args);
        Ok(command.query_async(&mut connection).await?)
    }

    async fn info(&self) -> Outcome<String> {
        match self.ask(&["INFO", "everything"]).await? {
            redis::Value::BulkString(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
            redis::Value::VerbatimString { text, .. } => Ok(text),
            other => Err(format!("INFO gave {other:?}").into()),
        }
    }

    /// Bytes that it has allocated.
    pub async fn memory(&self) -> Outcome<f64> {
        field(&self.info().await?, "used_memory")
    }

    /// What it has done so far.
    pub async fn work(&self) -> Outcome<Work> {
        let info = self.info().await?;
        let cpu = field(&info, "used_cpu_user")? + field(&info, "used_cpu_sys")?;
        let commands = info.lines().filter_map(command).collect();
        Ok(Work { cpu, commands })
    }
}

fn field(info: &str, name: &str) -> Outcome<f64> {
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(line.ok_or_else(|| format!("no {name} in INFO"))?.trim().parse()?)
}

/// A line such as `cmdstat_xadd:calls=3,usec=14,usec_per_call=4.67,…`.
fn command(line: &str) -> Option<(String, Spent)> {
    let (name, facts) = line.strip_prefix("cmdstat_")?.split_once(':')?;
    let number = |of: &str| {
        facts.split(',').find_map(|fact| fact.strip_prefix(of)?.strip_prefix('=')?.parse().ok())
    };
    Some((name.to_owned(), Spent { calls: number("calls")?, micros: number("usec")? }))
}
