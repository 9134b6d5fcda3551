//! The commands that speak to a running node, `holdfast leaderboard rebuild`, [`history`] and
//! [`replay`], or to its store, `holdfast doctor`.
//!
//! To a node: one HTTP request a connection over the admin listener; a node that restarts meanwhile is found
//! again by the file in its store's directory, and its rebuild goes on by itself.

use std::io::{self, Write};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::admin::file;
use crate::admin::rebuild::{Stage, Status};
use crate::clock::Clock;
use crate::config::{ConfigError, Doctor, NodeAt, Rebuild, StoreChoice, redis_address};
use crate::doctor::{self, Level, Order};

mod history;

pub use history::{history, replay};

/// Time for one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two looks at the progress.
const POLL_MS: u64 = 500;
/// Looks in a row that may fail while a node restarts.
const MISSES_MAX: u32 = 60;
/// Largest answer that is read, bytes.
const ANSWER_BYTES_MAX: u64 = 32 << 20;

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
    /// The settings name no Redis, or a file of theirs can't be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No Redis answers.
    #[error(transparent)]
    Unreachable(#[from] doctor::Unreachable),
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
    #[error("nothing reads the progress: {0}")]
    Output(#[from] io::Error),
}

/// Examines the Redis of the settings and writes the report to `out`. Returns whether it is
/// without errors.
///
/// # Errors
/// [`CliError`], for the operator.
pub async fn doctor(asked: &Doctor, out: &mut impl Write) -> Result<bool, CliError> {
    let settings = &asked.resolved.settings;
    let Some(address) = redis_address(settings)? else {
        return Err(CliError::Config(ConfigError::Value {
            place: "--store".into(),
            why: format!(
                "{} is no Redis: each record is synced to this machine's disk, there is nothing \
                 to examine",
                settings.store
            ),
        }));
    };
    let order = Order { address, durability: settings.durability, samples: doctor::SAMPLES };
    let clock = Clock::system();
    let mut report = doctor::examine(&order, &clock).await?;
    if asked.fix {
        for line in doctor::fix(&order, &report).await? {
            // JSON stays JSON: what was changed is seen in the report.
            if !asked.json {
                writeln!(out, "{line}")?;
            }
        }
        report = doctor::examine(&order, &clock).await?;
    }
    if asked.json {
        let text = serde_json::to_string_pretty(&report).map_err(io::Error::from)?;
        writeln!(out, "{text}")?;
    } else {
        write!(out, "{}", report.text())?;
    }
    Ok(report.worst() < Level::Error)
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

/// Where the node may be: what the operator said, or what nodes have said in their files. Of the
/// nodes that share a Redis, a dead one leaves its file behind.
fn addresses(asked: &NodeAt) -> Result<Vec<String>, CliError> {
    if let Some(admin) = &asked.admin {
        let bare = admin.trim_start_matches("http://").trim_end_matches('/');
        return Ok(vec![bare.to_owned()]);
    }
    let found = match &asked.store {
        StoreChoice::Embedded(dir) => file::announced(dir).map(|at| vec![at.to_string()]),
        StoreChoice::Redis(_) => file::announced_below(&asked.data_dir),
    };
    found.map_err(|cause| {
        let dir = match &asked.store {
            StoreChoice::Embedded(dir) => dir.join(file::NAME),
            StoreChoice::Redis(_) => asked.data_dir.join("NODE").join(file::NAME),
        };
        CliError::NoNode { at: dir.display().to_string(), cause }
    })
}

async fn request(asked: &Rebuild, method: &str, path: &str) -> Result<Status, CliError> {
    let body = ask(&asked.node, method, path).await?;
    serde_json::from_str(&body).map_err(|_| CliError::Refused(body.trim().to_owned()))
}

/// The body of a node's answer.
async fn ask(asked: &NodeAt, method: &str, path: &str) -> Result<String, CliError> {
    let mut failure = None;
    for at in addresses(asked)? {
        let cause = match tokio::time::timeout(REQUEST_TIMEOUT, exchange(&at, method, path)).await {
            Ok(Ok(answer)) => return body(&answer),
            Ok(Err(cause)) => cause,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        failure.get_or_insert(CliError::NoNode { at, cause });
    }
    Err(failure.unwrap_or_else(|| CliError::NoNode {
        at: asked.data_dir.display().to_string(),
        cause: io::ErrorKind::NotFound.into(),
    }))
}

fn body(answer: &str) -> Result<String, CliError> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    if head.split(' ').nth(1).is_some_and(|code| code.starts_with('2')) {
        return Ok(body.to_owned());
    }
    let said: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let message = said.as_ref().and_then(|said| said.pointer("/error/message")?.as_str());
    Err(CliError::Refused(message.unwrap_or(body.trim()).to_owned()))
}

async fn exchange(at: &str, method: &str, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(at).await?;
    let request = format!(
        "{method} {path} HTTP/1.0\r\nhost: {at}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
#[path = "cli/tests.rs"]
mod tests;
