//! A process that the harness has started: it is looked at, signalled, and ends with its owner.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::StageError;
use super::warden::Warden;
use crate::usage;

/// Lines of a log that are shown when its process has ended.
const TAIL_LEN: usize = 8;
/// Errors of a log that are looked at.
const ERRORS_LEN: usize = 10_000;

/// How much the servers, and the echo, yield to the generator processes where all want the same
/// cores: a generator that has to wait for them is late, and then the run says nothing.
const NICE: &str = "10";

/// A program that yields to this one. `nice` becomes the program, so that it has its id.
#[must_use]
pub fn yielding(program: &Path) -> Command {
    let mut command = Command::new("nice");
    command.arg("-n").arg(NICE).arg(program);
    command
}

/// A look at a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// CPU microseconds of all its threads so far.
    pub cpu_micros: f64,
    /// Resident bytes.
    pub resident: u64,
}

/// The processes that run, by name, for whoever measures them, and for the warden that ends them
/// if the run is killed. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Roll {
    running: Arc<Mutex<BTreeMap<String, u32>>>,
    /// Its processes do not yield to whoever starts them.
    prompt: bool,
    warden: Arc<Mutex<Option<Warden>>>,
}

impl Roll {
    fn running(&self) -> MutexGuard<'_, BTreeMap<String, u32>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A roll of processes that are not measured, and do not yield.
    #[must_use]
    pub fn prompt() -> Self {
        Self { prompt: true, ..Self::default() }
    }

    /// Whether it is of such.
    pub const fn is_prompt(&self) -> bool {
        self.prompt
    }

    /// Has a warden watch over everything that is noted from now on.
    pub fn watched(&self, warden: Warden) {
        *self.warden.lock().unwrap_or_else(PoisonError::into_inner) = Some(warden);
    }

    /// Notes a process, by its name and id.
    pub fn note(&self, name: &str, id: u32) {
        self.running().insert(name.to_owned(), id);
    }

    /// Notes a process that must not outlive the run.
    fn start(&self, name: &str, id: u32) {
        self.note(name, id);
        if let Some(warden) = &mut *self.warden.lock().unwrap_or_else(PoisonError::into_inner) {
            warden.note(id);
        }
    }

    /// A process has ended.
    fn strike(&self, name: &str) {
        self.running().remove(name);
    }

    /// What each uses now: name, id, look.
    #[must_use]
    pub fn looks(&self) -> Vec<(String, u32, Look)> {
        let running = self.running().clone();
        let look = |(name, id): (String, u32)| look(&id.to_string()).map(|look| (name, id, look));
        running.into_iter().filter_map(look).collect()
    }
}

/// What a process uses; `None`: there is none of that id.
fn look(process: &str) -> Option<Look> {
    let (cpu_micros, resident) = (usage::micros(process).ok()?, usage::resident(process).ok()?);
    Some(Look { cpu_micros, resident })
}

/// See the module.
#[derive(Debug)]
pub struct Process {
    /// Its name in reports.
    pub name: String,
    program: PathBuf,
    args: Vec<String>,
    log: PathBuf,
    roll: Roll,
    child: Option<Child>,
}

impl Process {
    /// What is started by [`Process::start`]; its output is added to `NAME.log` in `dir`.
    #[must_use]
    pub fn new(name: &str, program: &Path, args: Vec<String>, dir: &Path, roll: &Roll) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            args,
            log: dir.join(format!("{name}.log")),
            roll: roll.clone(),
            child: None,
        }
    }

    /// Starts it, without the settings of whoever runs the harness.
    ///
    /// # Errors
    /// [`StageError::Start`].
    pub fn start(&mut self) -> Result<(), StageError> {
        self.start_with(&[])
    }

    /// The same with further arguments, for this time.
    ///
    /// # Errors
    /// [`StageError::Start`].
    pub fn start_with(&mut self, more: &[String]) -> Result<(), StageError> {
        let failed = |cause: io::Error| StageError::Start {
            what: self.program.display().to_string(),
            cause,
        };
        let log = File::options().create(true).append(true).open(&self.log).map_err(failed)?;
        let mut command =
            if self.roll.prompt { Command::new(&self.program) } else { yielding(&self.program) };
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOLDFAST_")) {
            command.env_remove(name);
        }
        // A Ctrl-C is for the run, which ends it in its turn.
        command
            .args(&self.args)
            .args(more)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .process_group(0);
        command.stdout(log.try_clone().map_err(failed)?).stderr(log);
        self.child = Some(command.spawn().map_err(failed)?);
        if let Some(id) = self.id() {
            self.roll.start(&self.name, id);
        }
        Ok(())
    }

    /// Whether it runs, as far as is known without waiting.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Its id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Sends it a signal; nothing where it does not run.
    pub fn signal(&self, signal: Signal) {
        let pid = self.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
    }

    /// SIGKILL, and waits for its end.
    pub async fn kill(&mut self) {
        self.roll.strike(&self.name);
        if let Some(mut child) = self.child.take() {
            let _ = child.kill().await;
        }
    }

    /// SIGTERM, and waits for its end; killed after `patience`. `None`: it was.
    pub async fn end(&mut self, patience: Duration) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        let mut child = self.child.take()?;
        self.roll.strike(&self.name);
        match timeout(patience, child.wait()).await {
            Ok(status) => status.ok(),
            Err(_) => {
                let _ = child.kill().await;
                None
            }
        }
    }

    /// The end of what it said.
    #[must_use]
    pub fn last_words(&self) -> String {
        self.tail(TAIL_LEN, |_| true).join("\n")
    }

    /// The newest errors that it logged.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        self.tail(ERRORS_LEN, |line| line.contains("ERROR"))
    }

    fn tail(&self, len: usize, is_one: impl Fn(&str) -> bool) -> Vec<String> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let mut lines = VecDeque::new();
        for line in text.lines().filter(|line| is_one(line)) {
            if lines.len() == len {
                lines.pop_front();
            }
            lines.push_back(line.to_owned());
        }
        Vec::from(lines)
    }
}
