//! The commands beside the server: `holdfast leaderboard rebuild` asks a running node, `holdfast
//! doctor` examines the store of the settings, `holdfast demo` starts a whole show, `holdfast
//! completions` and `holdfast man` print what is made of the command line's own description.
//!
//! One file a command. Those that ask a node do it by [`admin::Admin`] and nothing else. What a
//! command finds out goes to `out`, standard output, and nothing else does: with `--json`, all of
//! it is JSON. Progress and remarks for people go to `notes`, standard error; why it failed is a
//! [`CliError`].

pub mod admin;
mod audit;
mod completions;
mod doctor;
mod follow;
mod history;
mod leaderboard;
mod man;
mod players;

use std::io::{self, Write};

use crate::clock::Clock;
use crate::config::{ConfigError, Task};
use crate::demo::{self, DemoError};
use crate::doctor::Unreachable;
use crate::node::todays_kinds;

/// Why a command failed. Reacts: the operator.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// No node is where one should be.
    #[error(
        "no running node answers at {at} ({cause}); start one, or name its admin listener by --admin"
    )]
    NoNode {
        /// Where it was looked for.
        at: String,
        /// What went wrong.
        cause: io::Error,
    },
    /// The node refused; what it said, and its code.
    #[error("the node refused: {0}")]
    Refused(String),
    /// Something answered that no node of this version says.
    #[error("what {at} answered is not understood ({why}); does a node of this version run there?")]
    Foreign {
        /// Who was asked.
        at: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// The rebuild was tried as often as it may.
    #[error("the rebuild failed: {0}")]
    Failed(String),
    /// The settings name no Redis, or a file of theirs can't be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No Redis answers.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The show can't begin, or go on.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// A man page can't be written.
    #[error("{path} can't be written ({cause}); name a directory that can")]
    Write {
        /// Which.
        path: String,
        /// What went wrong.
        cause: io::Error,
    },
    /// A file can't be read or written.
    #[error("{file}: {cause}")]
    File {
        /// Which.
        file: String,
        /// What went wrong.
        cause: io::Error,
    },
    /// A journal can't be replayed.
    #[error("{what}: {why}")]
    Journal {
        /// Whose, or in which file.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// What is to be replayed is not there.
    #[error("{0} is neither a file nor an actor such as player:alice")]
    What(String),
    /// Standard output is gone.
    #[error("nothing reads what this command says: {0}")]
    Output(#[from] io::Error),
}

/// The exit code of a command that has found what must not be.
const FOUND: u8 = 2;

/// Does what was asked and writes what it finds out to `out`. Returns the exit code: 0 where all is
/// well; where it is not, `out` says why.
///
/// # Errors
/// [`CliError`], for the operator.
pub async fn run(
    task: &Task,
    clock: &Clock,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<u8, CliError> {
    let is_well = match task {
        Task::Audit(asked) => {
            let clean = audit::audit(asked, clock, out, notes).await?;
            return Ok(if clean { 0 } else { FOUND });
        }
        Task::AuditPlayers(asked) => players::audit(asked, clock, out, notes).await?,
        Task::Replay(asked) => history::replay(asked, &todays_kinds(), out).await?,
        Task::Doctor(asked) => doctor::doctor(asked, clock, out, notes).await?,
        task => {
            simply(task, clock, out, notes).await?;
            true
        }
    };
    Ok(u8::from(!is_well))
}

/// The commands that do their work or fail.
async fn simply(
    task: &Task,
    clock: &Clock,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<(), CliError> {
    match task {
        Task::Rebuild(asked) => leaderboard::rebuild(asked, clock, out, notes).await?,
        Task::ListPlayers(asked) => players::list(asked, out).await?,
        Task::CountPlayers(asked) => players::count(asked, out).await?,
        Task::History(asked) => history::history(asked, clock, out).await?,
        Task::Demo(asked) => demo::run(asked, clock, out).await?,
        Task::Warden => demo::keep_watch()?,
        Task::Completions(shell) => completions::print(*shell, out)?,
        Task::Man(None) => man::print(out)?,
        Task::Man(Some(dir)) => man::write(dir, out)?,
        // Said by [`run`].
        Task::Audit(_) | Task::AuditPlayers(_) | Task::Replay(_) | Task::Doctor(_) => {}
    }
    Ok(())
}
