//! Where journals and states are read: over HTTP, again after a failure that passes, at the next
//! server when one is gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout_at};

use super::shown;
use crate::http::{Client, Error};

/// How long servers may take to come back.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same once they have not come back in that time: thousands of reads may follow.
const IMPATIENCE: Duration = Duration::from_secs(1);
/// Between two attempts.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_MAX: Duration = Duration::from_secs(1);

/// Why there is nothing to read. Reacts: whoever compares.
#[derive(Debug, thiserror::Error)]
pub(super) enum Missing {
    /// There is no such player or actor.
    #[error("there is no such player")]
    Absent,
    /// The servers refuse to serve it until an operator has looked.
    #[error("{0}")]
    Quarantined(String),
    /// It could not be read.
    #[error("{0}")]
    Unread(String),
}

/// Reads at any of several servers.
#[derive(Debug)]
pub(super) struct Source<'a> {
    http: &'a Client,
    origins: &'a [String],
    /// The servers did not come back when they were waited for.
    gone: AtomicBool,
}

impl<'a> Source<'a> {
    pub(super) const fn new(http: &'a Client, origins: &'a [String]) -> Self {
        Self { http, origins, gone: AtomicBool::new(false) }
    }

    /// Reads a path at the server with that number, or at those after it.
    ///
    /// # Errors
    /// [`Missing`].
    pub(super) async fn get(&self, nth: usize, path: &str) -> Result<Bytes, Missing> {
        let gone = self.gone.load(Ordering::Relaxed);
        let end = Instant::now() + if gone { IMPATIENCE } else { PATIENCE };
        let (mut at, mut wait, mut last) = (nth, AGAIN, None);
        loop {
            let why = match self.attempt(at, path, end).await {
                Ok(body) => {
                    self.gone.store(false, Ordering::Relaxed);
                    return Ok(body);
                }
                Err(Missing::Unread(why)) => why,
                Err(missing) => return Err(missing),
            };
            let why = last.get_or_insert(why);
            if Instant::now() + wait >= end {
                self.gone.store(true, Ordering::Relaxed);
                return Err(Missing::Unread(why.clone()));
            }
            sleep(wait).await;
            at += 1;
            wait = (wait * 2).min(AGAIN_MAX);
        }
    }

    async fn attempt(&self, at: usize, path: &str, end: Instant) -> Result<Bytes, Missing> {
        let none = || Missing::Unread("no server is known to read at".to_owned());
        let origin = self.origins.get(at % self.origins.len().max(1)).ok_or_else(none)?;
        let url = format!("{origin}{path}");
        let late = || Missing::Unread(format!("{url} did not answer"));
        let read = timeout_at(end, self.http.get(&url)).await.map_err(|_| late())?;
        read.map_err(|error| missing(&error))
    }

    /// The least of a history that shows what is wrong; `path` gives it but for the part.
    pub(super) async fn history(&self, nth: usize, path: &str, seqs: &[u64]) -> Vec<String> {
        let mut lines = Vec::new();
        for seq in seqs {
            let (from, to) = shown::around(*seq);
            match self.get(nth, &format!("{path}from={from}&to={to}")).await {
                Ok(page) => lines.extend(shown::lines(&page, *seq)),
                Err(why) => lines.push(format!("seq {seq}: it can't be shown: {why}")),
            }
        }
        shown::trim(lines)
    }
}

fn missing(error: &Error) -> Missing {
    match error {
        Error::Status { status: 404, body, .. } if body.contains("no_such_") => Missing::Absent,
        Error::Status { body, .. } if body.contains("\"quarantined\"") => {
            Missing::Quarantined(error.to_string())
        }
        _ => Missing::Unread(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, body: &str) -> Error {
        Error::Status { url: "http://a/b".to_owned(), status, body: body.to_owned() }
    }

    #[test]
    fn what_is_said_for_good_is_told_from_what_passes() {
        let absent = r#"{"error":{"code":"no_such_player","message":"none"}}"#;
        assert!(matches!(missing(&status(404, absent)), Missing::Absent));
        let kept = r#"{"error":{"code":"quarantined","message":"looked at"}}"#;
        assert!(matches!(missing(&status(503, kept)), Missing::Quarantined(_)));
        let busy = r#"{"error":{"code":"busy","message":"later"}}"#;
        assert!(matches!(missing(&status(503, busy)), Missing::Unread(_)));
        assert!(matches!(missing(&Error::Silent("a".to_owned())), Missing::Unread(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn servers_that_are_gone_are_waited_for_once() {
        let http = Client::default();
        let origins = ["http://127.0.0.1:9".to_owned(), "http://127.0.0.1:9".to_owned()];
        let source = Source::new(&http, &origins);
        let began = Instant::now();
        let first = source.get(0, "/x").await.unwrap_err();
        assert!(matches!(first, Missing::Unread(_)), "{first}");
        let waited = began.elapsed();
        assert!(waited > PATIENCE - AGAIN_MAX * 2, "{waited:?}");
        let began = Instant::now();
        assert!(source.get(0, "/x").await.is_err());
        assert!(began.elapsed() <= IMPATIENCE);
    }
}
