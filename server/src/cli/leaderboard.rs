//! `holdfast leaderboard rebuild`: begins a rebuild and shows how far it is, until it has ended. A
//! node that restarts meanwhile is found again, and its rebuild goes on by itself.

use std::io::{self, Write};

use super::CliError;
use super::admin::Admin;
use crate::admin::rebuild::{Stage, Status};
use crate::clock::Clock;
use crate::config::Rebuild;

/// Time between two looks at the progress.
const POLL_MS: u64 = 500;
/// Looks in a row that may fail while a node restarts.
const MISSES_MAX: u32 = 60;

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
    let (mut status, mut said, mut misses) = (begin.json::<Status>()?, String::new(), 0);
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
            Stage::Running | Stage::Idle => clock.sleep_ms(POLL_MS).await,
        }
        match node.get("/leaderboard/rebuild").await.and_then(|body| body.json()) {
            Ok(now) => (status, misses) = (now, 0),
            Err(e) if misses >= MISSES_MAX => return Err(e),
            Err(_) => misses += 1,
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
            let percent = done.saturating_mul(100).checked_div(*players).unwrap_or(0).min(100);
            format!("{percent:>3} %  {done} of {players} players{resumed}")
        }
    }
}

#[cfg(test)]
mod tests;
