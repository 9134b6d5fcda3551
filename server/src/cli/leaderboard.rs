//! `holdfast leaderboard rebuild`: begins a rebuild and shows how far it is, until it has ended. A
//! node that restarts meanwhile is found again, and its rebuild goes on by itself.

use std::io::{self, Write};

use super::CliError;
use super::admin::Admin;
use super::follow::{Follow, percent};
use crate::admin::rebuild::{Stage, Status};
use crate::clock::Clock;
use crate::config::Rebuild;

/// Time between two looks at the progress.
const POLL_MS: u64 = 500;

/// Starts a rebuild and shows its progress until it has ended: for people in `notes` with the end
/// in `out`, for programs all in `out`.
pub(super) async fn rebuild(
    asked: &Rebuild,
    clock: &Clock,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<(), CliError> {
    let node = Admin::new(&asked.node);
    let begin = node.post(&format!("/leaderboard/rebuild?rate={}", asked.rate), None).await?;
    let (mut status, mut said) = (begin.json::<Status>()?, String::new());
    let follow = Follow { node: &node, path: "/leaderboard/rebuild", clock, poll_ms: POLL_MS };
    loop {
        let line = if asked.json {
            serde_json::to_string(&status).map_err(io::Error::from)?
        } else {
            line(&status)
        };
        if line != said {
            if asked.json || status.status == Stage::Finished {
                writeln!(out, "{line}")?;
                out.flush()?;
            } else {
                writeln!(notes, "{line}")?;
            }
            said = line;
        }
        match status.status {
            Stage::Finished => return Ok(()),
            Stage::Failed => return Err(CliError::Failed(status.error.unwrap_or_default())),
            Stage::Running | Stage::Idle => status = follow.next().await?,
        }
    }
}

/// One line of progress.
fn line(status: &Status) -> String {
    let Status { done, players, resumed_from, .. } = status;
    let resumed = match resumed_from {
        0 => String::new(),
        from => format!(", resumed from {from}"),
    };
    match status.status {
        Stage::Finished => format!("leaderboard rebuilt: {done} players{resumed}"),
        Stage::Failed => format!("rebuild failed after {done} players{resumed}"),
        Stage::Running | Stage::Idle if *players == 0 => "rebuild is about to begin".to_owned(),
        Stage::Running | Stage::Idle => {
            let percent = percent(*done, *players);
            format!("{percent:>3} %  {done} of {players} players{resumed}")
        }
    }
}

#[cfg(test)]
mod tests;
