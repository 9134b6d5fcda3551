//! Finds a running node and asks it, over its admin listener: the one way for all commands.
//!
//! ```ignore
//! let node = Admin::new(&asked.node);
//! let page: Page = node.get(&format!("/actors/{}", escaped(id))).await?.json()?;
//! ```
//!
//! The node is where `--admin` says, else where the nodes of the store have said in their files;
//! of several, the first that answers is asked. What it refuses is [`CliError::Refused`] with its
//! own words. Invariant: a question that may change something is never sent twice.
//!
//! One connection a question, by HTTP/1.0: its answer has a length or ends with the connection,
//! and never comes in chunks.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::CliError;
use crate::admin::file;
use crate::config::{NodeAt, StoreChoice};

/// Time for a whole question and its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time until a node has taken the connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer that is read, bytes, with its head.
pub const ANSWER_BYTES_MAX: usize = 32 << 20;

/// A running node, to be asked.
#[derive(Debug, Clone, Copy)]
pub struct Admin<'a> {
    at: &'a NodeAt,
}

/// What a node answered; it has not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Who said it.
    at: String,
    text: String,
}

impl Body {
    /// As it came.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As JSON: a type of the node's, or `serde_json::Value`.
    ///
    /// # Errors
    /// [`CliError::Foreign`]: it is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CliError> {
        serde_json::from_str(&self.text)
            .map_err(|e| CliError::Foreign { at: self.at.clone(), why: e.to_string() })
    }
}

/// Why there is no answer, and whether the question may have been heard.
struct Missed {
    cause: io::Error,
    sent: bool,
}

impl<'a> Admin<'a> {
    /// The node of a command's options.
    #[must_use]
    pub const fn new(at: &'a NodeAt) -> Self {
        Self { at }
    }

    /// Asks for `path`, which may have a query; see [`escaped`].
    ///
    /// # Errors
    /// [`CliError::NoNode`], [`CliError::Refused`] and [`CliError::Foreign`].
    pub async fn get(&self, path: &str) -> Result<Body, CliError> {
        self.ask("GET", path, None).await
    }

    /// Sends `body`, or nothing, to `path`, which may have a query; see [`escaped`].
    ///
    /// # Errors
    /// [`CliError::NoNode`], [`CliError::Refused`] and [`CliError::Foreign`].
    pub async fn post(&self, path: &str, body: Option<&Value>) -> Result<Body, CliError> {
        self.ask("POST", path, body).await
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Body, CliError> {
        let mut failure = None;
        for at in self.addresses()? {
            let question = question(&at, method, path, body);
            match exchange(&at, question.as_bytes()).await {
                Ok(answer) => return read(at, method, path, &answer),
                Err(Missed { cause, sent }) => {
                    let error = CliError::NoNode { at, cause };
                    if sent && method != "GET" {
                        return Err(error);
                    }
                    failure.get_or_insert(error);
                }
            }
        }
        let nobody = || CliError::NoNode {
            at: self.at.data_dir.display().to_string(),
            cause: io::ErrorKind::NotFound.into(),
        };
        Err(failure.unwrap_or_else(nobody))
    }

    /// Where the node may be: what the operator said, or what nodes have said in their files. Of
    /// the nodes that share a Redis, a dead one leaves its file behind.
    fn addresses(&self) -> Result<Vec<String>, CliError> {
        let NodeAt { admin, store, data_dir } = self.at;
        if let Some(admin) = admin {
            let bare = admin.trim_start_matches("http://").trim_end_matches('/');
            return Ok(vec![bare.to_owned()]);
        }
        let (found, place) = match store {
            StoreChoice::Embedded(dir) => {
                (file::announced(dir).map(|at| vec![at.to_string()]), dir.join(file::NAME))
            }
            StoreChoice::Redis(_) => {
                (file::announced_below(data_dir), data_dir.join("NODE").join(file::NAME))
            }
        };
        found.map_err(|cause| CliError::NoNode { at: place.display().to_string(), cause })
    }
}

/// A word that can stand in a path or in a query's value, whatever is in it.
#[must_use]
pub fn escaped(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for byte in word.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn question(at: &str, method: &str, path: &str, body: Option<&Value>) -> String {
    let body = body.map(Value::to_string).unwrap_or_default();
    let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
    format!(
        "{method} {path} HTTP/1.0\r\nhost: {at}\r\n{kind}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn exchange(at: &str, question: &[u8]) -> Result<Vec<u8>, Missed> {
    let late = || io::Error::from(io::ErrorKind::TimedOut);
    let connected = tokio::time::timeout(CONNECT_PATIENCE, TcpStream::connect(at)).await;
    let mut stream =
        connected.unwrap_or_else(|_| Err(late())).map_err(|cause| Missed { cause, sent: false })?;
    let talk = async {
        stream.write_all(question).await?;
        let mut answer = Vec::new();
        let most = ANSWER_BYTES_MAX as u64 + 1;
        (&mut stream).take(most).read_to_end(&mut answer).await?;
        Ok(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, talk).await.unwrap_or_else(|_| Err(late()));
    answer.map_err(|cause| Missed { cause, sent: true })
}

/// What a refusal looks like.
#[derive(Deserialize)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Deserialize)]
struct RefusalBody {
    code: String,
    message: String,
}

/// What the bytes of an answer say.
fn read(at: String, method: &str, path: &str, answer: &[u8]) -> Result<Body, CliError> {
    let foreign = |why: &str| CliError::Foreign { at: at.clone(), why: why.to_owned() };
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(foreign(&format!("more than {ANSWER_BYTES_MAX} bytes; ask for less")));
    }
    let text = std::str::from_utf8(answer).map_err(|_| foreign("not UTF-8"))?;
    let (head, text) = text.split_once("\r\n\r\n").ok_or_else(|| foreign("not HTTP"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().filter(|line| line.starts_with("HTTP/1."));
    let status: Option<u16> = status.and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| foreign("not HTTP"))?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    if length.is_some_and(|(_, length)| length.trim() != text.len().to_string()) {
        return Err(foreign("cut short"));
    }
    if (200..300).contains(&status) {
        return Ok(Body { text: text.to_owned(), at });
    }
    match serde_json::from_str::<Refusal>(text) {
        Ok(Refusal { error }) => {
            Err(CliError::Refused(format!("{} ({})", error.message, error.code)))
        }
        Err(_) if text.trim().is_empty() => {
            Err(foreign(&format!("status {status} to {method} {path}")))
        }
        Err(_) => Err(CliError::Refused(text.trim().to_owned())),
    }
}

#[cfg(test)]
mod tests;
