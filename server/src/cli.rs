//! The commands that speak to a running node: `holdfast leaderboard rebuild`.
//!
//! One HTTP request a connection over the admin listener; a node that restarts meanwhile is found
//! again by the file in its store's directory, and its rebuild goes on by itself.

use std::io::{self, Write};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::admin::file;
use crate::admin::rebuild::{Stage, Status};
use crate::clock::Clock;
use crate::config::Rebuild;

/// Time for one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two looks at the progress.
const POLL_MS: u64 = 500;
/// Looks in a row that may fail while a node restarts.
const MISSES_MAX: u32 = 60;
/// Largest answer that is read, bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

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
    /// The node refused.
    #[error("the node refused: {0}")]
    Refused(String),
    /// The rebuild was tried as often as it may.
    #[error("the rebuild failed: {0}")]
    Failed(String),
    /// Standard output is gone.
    #[error("nothing reads the progress: {0}")]
    Output(#[from] io::Error),
}

/// Starts a rebuild and writes its progress to `out` until it has ended.
///
/// # Errors
/// [`CliError`], for the operator.
pub async fn rebuild(asked: &Rebuild, clock: &Clock, out: &mut impl Write) -> Result<(), CliError> {
    let mut status =
        request(asked, "POST", &format!("/leaderboard/rebuild?rate={}", asked.rate)).await?;
    let (mut said, mut misses) = (String::new(), 0);
    loop {
        let line = line(&status);
        if line != said {
            writeln!(out, "{line}")?;
            out.flush()?;
            said = line;
        }
        match status.status {
            Stage::Finished => return Ok(()),
            Stage::Failed => return Err(CliError::Failed(status.error.unwrap_or_default())),
            Stage::Running | Stage::Idle => clock.sleep_ms(POLL_MS).await,
        }
        match request(asked, "GET", "/leaderboard/rebuild").await {
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

fn address(asked: &Rebuild) -> Result<String, CliError> {
    if let Some(admin) = &asked.admin {
        let bare = admin.trim_start_matches("http://").trim_end_matches('/');
        return Ok(bare.to_owned());
    }
    let dir = asked.store.directory();
    file::announced(dir)
        .map(|addr| addr.to_string())
        .map_err(|cause| CliError::NoNode { at: dir.join(file::NAME).display().to_string(), cause })
}

async fn request(asked: &Rebuild, method: &str, path: &str) -> Result<Status, CliError> {
    let at = address(asked)?;
    let answer = match tokio::time::timeout(REQUEST_TIMEOUT, exchange(&at, method, path)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(cause)) => return Err(CliError::NoNode { at, cause }),
        Err(_) => return Err(CliError::NoNode { at, cause: io::ErrorKind::TimedOut.into() }),
    };
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let ok = head.split(' ').nth(1).is_some_and(|code| code.starts_with('2'));
    match serde_json::from_str(body) {
        Ok(status) if ok => Ok(status),
        _ => Err(CliError::Refused(body.trim().to_owned())),
    }
}

async fn exchange(at: &str, method: &str, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(at).await?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
#[path = "cli/tests.rs"]
mod tests;
