//! The end of everything that a run has started, whatever becomes of the run: a process beside it
//! that is told their ids, and kills them when the run's end of the pipe is gone.
//!
//! A run that ends by itself ends its processes by itself; this is for one that is killed.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::StageError;
use crate::usage;

/// The run's end: tells it whom to kill.
#[derive(Debug)]
pub struct Warden {
    child: Child,
}

impl Warden {
    /// Starts it; `binary` is this one.
    ///
    /// # Errors
    /// [`StageError::Start`].
    pub fn start(binary: &Path) -> Result<Self, StageError> {
        let failed = |cause| StageError::Start { what: binary.display().to_string(), cause };
        let mut command = Command::new(binary);
        command.arg("warden").stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        Ok(Self { child: command.spawn().map_err(failed)? })
    }

    /// A process that must not outlive the run.
    pub(super) fn note(&mut self, id: u32) {
        if let Some(pipe) = &mut self.child.stdin {
            let _ = writeln!(pipe, "{id}").and_then(|()| pipe.flush());
        }
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// When a process began: an id that has been given to another one meanwhile is told by it.
fn began(id: u32) -> Option<u64> {
    usage::began(&id.to_string()).ok()
}

/// Reads ids until there are no more, and kills those that still run.
///
/// # Errors
/// The pipe can't be read; whoever was named is killed all the same.
pub fn watch(ids: impl BufRead) -> io::Result<()> {
    let mut named = BTreeMap::new();
    let mut read = Ok(());
    for line in ids.lines() {
        match line {
            Ok(line) => named.extend(line.trim().parse::<u32>().ok().map(|id| (id, began(id)))),
            Err(error) => {
                read = Err(error);
                break;
            }
        }
    }
    for (id, then) in named {
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| then.is_some() && began(id) == then) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn whoever_was_named_ends_and_nobody_else() {
        let sleeper = || Command::new("sleep").arg("60").spawn().unwrap();
        let (mut named, mut other) = (sleeper(), sleeper());
        watch(format!("{}\n0\nx\n4294967295\n", named.id()).as_bytes()).unwrap();
        assert_eq!(named.wait().unwrap().signal(), Some(9));
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
