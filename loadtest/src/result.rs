//! The result of a run: what `result.json` holds, while the run goes on and after it. Pure.
//!
//! The file is written anew every few seconds and at the end, so that a run that is cut off
//! half-way leaves what it knew ([`RunResult::complete`] is false then). It has a version; later
//! versions only add fields, and a file of a newer one is refused with a sentence.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::stats::{Count, Measure, Packed};

/// What the file says that it is.
pub const FORMAT: &str = "holdfast-loadtest-result";
/// The version that is written; older ones are read.
pub const VERSION: u32 = 1;

/// Why a file is no result. Reacts: whoever named it.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It can't be read or written.
    #[error("{file}: {cause}")]
    Io {
        /// Which.
        file: String,
        /// What the OS said.
        cause: io::Error,
    },
    /// It is something else.
    #[error(
        "{file} is no result of a load test ({why}); name a result.json that `loadtest run` wrote"
    )]
    Foreign {
        /// Which.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// A newer program wrote it.
    #[error(
        "{file} has version {version} of the result's form, and this loadtest reads up to {VERSION}: use a newer one"
    )]
    Newer {
        /// Which.
        file: String,
        /// Its version.
        version: u32,
    },
}

/// How a run ended; also the exit status of `loadtest run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every threshold is met and no promise was broken.
    Met,
    /// A threshold is missed.
    Missed,
    /// A promise was broken.
    Violated,
    /// The run says nothing: the harness was too slow, or could not go on.
    Void,
}

impl Verdict {
    /// 0 to 3.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Met => 0,
            Self::Missed => 1,
            Self::Violated => 2,
            Self::Void => 3,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Violated => "violated",
            Self::Void => "void",
        }
    }
}

/// A run, as far as it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// Whether the run came to its end, its verification included.
    pub complete: bool,
    /// How it ended; while it goes on, [`Verdict::Void`].
    pub verdict: Verdict,
    /// Why, in sentences: what makes it void, which thresholds were missed, what was violated.
    pub reasons: Vec<String>,
    /// When it began, in Unix milliseconds.
    pub began_ms: u64,
    /// What was played.
    pub setup: Setup,
    /// On what.
    pub machine: Machine,
    /// What the run went through, in order; the times are milliseconds after the beginning.
    pub phases: Vec<Mark>,
    /// What was done to the servers.
    pub chaos: Vec<Mark>,
    /// Everything measured and counted while the load was held, put together.
    pub held: Packed,
    /// Everything from the beginning to the end.
    pub all: Packed,
    /// Second by second.
    pub seconds: Vec<Second>,
    /// The processes that could be looked at: servers, Redis, the harness's own.
    pub processes: Vec<Process>,
    /// What the scenario asked for.
    pub thresholds: Vec<Judged>,
    /// What was promised, and whether it was kept.
    pub checks: Vec<Check>,
    /// The promises that were broken, at most [`VIOLATIONS_MAX`] in full.
    pub violations: Vec<Violation>,
    /// What could not be checked, in sentences.
    pub unchecked: Vec<String>,
}

/// Violations that a result shows in full; all are counted in its checks.
pub const VIOLATIONS_MAX: usize = 20;

/// What was played.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The scenario's name.
    pub scenario: String,
    /// What it is for.
    pub about: String,
    /// As it was read; the command line may have said another number of players, store or hold.
    pub toml: String,
    /// Players in all.
    pub players: u64,
    /// Milliseconds from the first player to the last.
    pub ramp_ms: u64,
    /// Milliseconds during which all play.
    pub hold_ms: u64,
    /// From which everything random follows.
    pub seed: u64,
    /// `embedded`, `redis`, or `target` for servers that were there before.
    pub store: String,
    /// Where the players connected.
    pub urls: Vec<String>,
    /// Generator processes.
    pub processes: u64,
    /// Limits of the servers that were raised for the run, as they were said to them.
    pub raised: Vec<String>,
}

/// On what it ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Processors that may be used.
    pub cores: u64,
    /// Their name.
    pub cpu: String,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// The kernel.
    pub kernel: String,
    /// The servers' version, as they say it.
    pub holdfast: String,
    /// The harness's version.
    pub loadtest: String,
}

/// A point in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Milliseconds after the beginning.
    pub at_ms: u64,
    /// What happened.
    pub what: String,
}

/// What happened within a second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Its end, in milliseconds after the beginning.
    pub at_ms: u64,
    /// Players with a session on a socket at its end.
    pub connected: u64,
    /// What was counted.
    pub counts: BTreeMap<Count, u64>,
    /// Of each time that was measured in it.
    pub times: BTreeMap<Measure, Quantiles>,
}

/// Milliseconds within which a share of the times lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// How many there were.
    pub count: u64,
    /// Half of them.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// All.
    pub max: f64,
}

/// A process, looked at once a second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Such as `gw-1`, `redis`, `loadtest`.
    pub name: String,
    /// What was seen.
    pub samples: Vec<Sample>,
}

/// Whose process it is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A gateway.
    Server,
    /// The store, its replicas and sentinels.
    Redis,
    /// The bare echo.
    Echo,
    /// The harness's own.
    Harness,
}

impl Role {
    /// By a name such as `gw-1`, `redis`, `loadtest-2`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            name if name.starts_with("redis") || name.starts_with("sentinel") => Self::Redis,
            name if name.starts_with("echo") => Self::Echo,
            name if name.starts_with("loadtest") || name.starts_with("generator") => Self::Harness,
            _ => Self::Server,
        }
    }
}

/// A look at a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Milliseconds after the beginning.
    pub at_ms: u64,
    /// Cores that it used since the look before.
    pub cores: f64,
    /// Bytes that are resident.
    pub resident: u64,
}

/// A threshold, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// As the scenario has it.
    pub text: String,
    /// Its left side: what was measured, in milliseconds where it is a time; `None`: nothing was.
    pub measured: Option<f64>,
    /// Its right side.
    pub allowed: Option<f64>,
    /// The unit of both, such as `ms`; empty: none.
    pub unit: String,
    /// Whether it holds.
    pub met: bool,
}

/// A promise, and how often it was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Such as `lost`.
    pub name: String,
    /// What is promised, in a sentence.
    pub what: String,
    /// Things that were checked.
    pub looked_at: u64,
    /// Of those, broken.
    pub violations: u64,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The check's name.
    pub check: String,
    /// Whose, or which room.
    pub player: String,
    /// What is wrong, in a sentence.
    pub what: String,
    /// The least of the player's history that shows it, a line each.
    pub history: Vec<String>,
}

impl RunResult {
    /// That of a run which has just begun.
    #[must_use]
    pub fn begun(began_ms: u64, setup: Setup, machine: Machine) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            complete: false,
            verdict: Verdict::Void,
            reasons: Vec::new(),
            began_ms,
            setup,
            machine,
            phases: Vec::new(),
            chaos: Vec::new(),
            held: Packed::default(),
            all: Packed::default(),
            seconds: Vec::new(),
            processes: Vec::new(),
            thresholds: Vec::new(),
            checks: Vec::new(),
            violations: Vec::new(),
            unchecked: Vec::new(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read(file: &Path) -> Result<Self, FileError> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let name = file.display().to_string();
        let text = fs::read_to_string(file)
            .map_err(|cause| FileError::Io { file: name.clone(), cause })?;
        let foreign = |why: String| FileError::Foreign { file: name.clone(), why };
        let head: Head = serde_json::from_str(&text).map_err(|why| foreign(why.to_string()))?;
        if head.format != FORMAT {
            return Err(foreign(format!("its format is {:?}", head.format)));
        }
        if head.version > VERSION {
            return Err(FileError::Newer { file: name, version: head.version });
        }
        serde_json::from_str(&text).map_err(|why| foreign(why.to_string()))
    }

    /// Writes a file; whoever reads it meanwhile reads the former one or the new one.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn write(&self, file: &Path) -> Result<(), FileError> {
        let failed = |cause| FileError::Io { file: file.display().to_string(), cause };
        let text = serde_json::to_string(self).map_err(io::Error::from).map_err(failed)?;
        let new = file.with_extension("json.new");
        fs::write(&new, text + "\n").and_then(|()| fs::rename(&new, file)).map_err(failed)
    }
}
