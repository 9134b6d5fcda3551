//! What the benchmarks share: the machine's description, real servers as processes of their own,
//! clients, medians, and the lines of the final tables.

#![allow(dead_code, reason = "each benchmark takes what it needs")]
#![allow(clippy::print_stdout, reason = "benchmarks print their findings")]

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

pub mod client;
pub mod http;
pub mod redis;

/// What a benchmark's steps give.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Prints what was on the machine: cores, kernel, file system of the stores, load.
pub fn print_machine() -> Outcome<()> {
    let cores = std::thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    println!(
        "machine: {cores} cores ({}), kernel {}, store on {}",
        model.map_or("model unknown", |(_, name)| name),
        kernel.trim(),
        file_system(&std::env::temp_dir())?,
    );
    print_load("at the start");
    Ok(())
}

/// Prints the load average: a machine that does other things as well gives other numbers.
pub fn print_load(when: &str) {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<_> = load.split(' ').take(3).collect();
    println!("load average {when}: {} (1, 5 and 15 minutes)", averages.join(" "));
}

/// The type of the file system that holds `path`, as the kernel lists it.
pub fn file_system(path: &Path) -> Outcome<String> {
    let path = path.canonicalize()?;
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let holding = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let point = PathBuf::from(words.next()?);
        path.starts_with(&point).then(|| (point.as_os_str().len(), words.next()))
    });
    let kind = holding.max_by_key(|(len, _)| *len).and_then(|(_, kind)| kind);
    Ok(kind.unwrap_or("unknown").to_owned())
}

/// The value below which `share` of the samples lie.
pub fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into at most millions"
    )]
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The middle value.
pub fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// Microseconds.
pub fn micros(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}

/// Whether a goal was met, in a table's words.
pub const fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

/// CPU microseconds of this process so far, in steps of 10,000.
pub fn own_cpu_micros() -> Outcome<f64> {
    Ok(loadtest::usage::own_micros()?)
}

/// A child of this process, killed with its owner.
pub struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts `command`; its first line that `find` makes something of is the answer.
    pub fn start<T>(command: &mut Command, find: impl Fn(&str) -> Option<T>) -> Outcome<(Self, T)> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("no standard output")?;
        let mut process = Self { child, output: BufReader::new(output) };
        let found = process.read_to(find)?;
        Ok((process, found))
    }

    /// What `find` makes of the next line that it makes something of.
    fn read_to<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> Outcome<T> {
        let mut line = String::new();
        while self.output.read_line(&mut line)? > 0 {
            if let Some(found) = find(line.trim()) {
                return Ok(found);
            }
            line.clear();
        }
        Err("the process ended before it served".into())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, named as `kill` does.
    pub fn signal(&self, name: &str) -> Outcome<()> {
        let pid = self.id().to_string();
        let done = Command::new("kill").args(["-s", name, &pid]).status()?;
        if done.success() { Ok(()) } else { Err(format!("kill -s {name}: {done}").into()) }
    }

    /// Resident memory in bytes, as the kernel counts it.
    pub fn resident(&self) -> Outcome<u64> {
        Ok(loadtest::usage::resident(&self.id().to_string())?)
    }

    /// CPU microseconds of all its threads so far, in steps of 10,000.
    pub fn cpu_micros(&self) -> Outcome<f64> {
        Ok(loadtest::usage::micros(&self.id().to_string())?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The built server on a fresh store.
pub struct Server {
    /// The process.
    pub process: Process,
    /// Where players connect.
    pub url: String,
    /// Where operators connect, `IP:PORT`, if `--admin-listen` was among the arguments.
    pub admin: Option<String>,
    _dir: TempDir,
}

impl Server {
    /// Starts `holdfast serve` on an embedded store, with default settings but for `args`.
    pub fn start(args: &[&str]) -> Outcome<Self> {
        Self::start_on(None, args)
    }

    /// Starts `holdfast serve` on a free port, on this store or an embedded one.
    pub fn start_on(store: Option<String>, args: &[&str]) -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOLDFAST_")) {
            command.env_remove(name);
        }
        let embedded = format!("embedded:{}", dir.path().join("store").display());
        let store = store.unwrap_or(embedded);
        let log = fs::File::create(dir.path().join("log"))?;
        command.current_dir(dir.path()).stderr(log);
        command.args(["serve", "--listen", "127.0.0.1:0", "--store", &store]).args(args);
        let has_admin = args.contains(&"--admin-listen");
        if !has_admin {
            command.args(["--admin-listen", "off"]);
        }
        let play = |line: &str| address_of("play", line).map(|at| format!("ws://{at}/ws"));
        let (mut process, url) = Process::start(&mut command, play)?;
        let admin = has_admin.then(|| process.read_to(|line| address_of("admin", line)));
        Ok(Self { process, url, admin: admin.transpose()?, _dir: dir })
    }
}

/// The `IP:PORT` of the banner's line that begins with `name`.
fn address_of(name: &str, line: &str) -> Option<String> {
    let address = line.strip_prefix(name)?.trim().strip_prefix("http://")?;
    address.split('/').next().map(str::to_owned)
}
