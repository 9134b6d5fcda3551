//! A history as server-sent events: what there is, then what comes, by looking at the journal's tip
//! a few times a second. Ends at the record that was asked for, at drain, and with its reader.
//!
//! I7: a follower holds one page; a reader that does not read is not read for.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use holdfast_protocol::ids::ActorId;
use tokio::sync::OwnedSemaphorePermit;

use crate::actor::archive::{Archive, ArchiveError, Cursor, Page, RECORDS_DEFAULT, Span};
use crate::actor::history::entries::Entry;
use crate::gateway::Edge;

/// Time between two looks at the tip, in milliseconds.
const LOOK_MS: u64 = 250;
/// Looks without anything new after which a comment keeps the connection: 15 s.
const QUIET_MAX: u32 = 60;
/// Looks in a row that may fail.
const FAILURES_MAX: u32 = 40;

/// One who follows.
struct Follower {
    edge: Arc<Edge>,
    archive: Archive,
    actor: ActorId,
    /// The last record that is wanted.
    to: Option<u64>,
    /// Where the next page begins; `None`: the reader has come to the tip.
    next: Option<u64>,
    seen: Cursor,
    waiting: VecDeque<Entry>,
    quiet: u32,
    failures: u32,
    _place: OwnedSemaphorePermit,
}

/// The stream of a history, of which `page` is the first part.
pub(super) fn follow(
    edge: &Arc<Edge>,
    archive: Archive,
    page: Page,
    to: Option<u64>,
    place: OwnedSemaphorePermit,
) -> Response {
    let mut follower = Follower {
        edge: Arc::clone(edge),
        archive,
        actor: page.actor.clone(),
        to,
        next: None,
        seen: Cursor { seq: 0, epoch: 0 },
        waiting: VecDeque::new(),
        quiet: 0,
        failures: 0,
        _place: place,
    };
    follower.take(page);
    let events = stream::unfold(follower, |mut follower| async {
        let event = follower.event().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    let mut response = Sse::new(events).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn event(entry: &Entry) -> Event {
    let event = match entry {
        Entry::Record(_) => Event::default().event("record").id(entry.seq().to_string()),
        Entry::Claim(_) => Event::default().event("claim"),
        Entry::Snapshot(_) => Event::default().event("snapshot"),
    };
    // Maps with text keys and plain values: they have a JSON form, in one line.
    event.data(serde_json::to_string(entry).unwrap_or_default())
}

impl Follower {
    /// The next event; `None`: the end.
    async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(entry) = self.waiting.pop_front() {
                self.quiet = 0;
                return Some(event(&entry));
            }
            if self.edge.is_draining() || self.to.is_some_and(|to| self.seen.seq >= to) {
                return None;
            }
            match self.look().await {
                Ok(()) => self.failures = 0,
                Err(ArchiveError::Store(error)) if self.failures < FAILURES_MAX => {
                    tracing::debug!(actor = %self.actor, %error, "a history can't be read");
                    self.failures += 1;
                }
                Err(error) => {
                    tracing::warn!(actor = %self.actor, %error, "a follower is let go");
                    return None;
                }
            }
            if self.waiting.is_empty() {
                self.edge.clock.sleep_ms(LOOK_MS).await;
                self.quiet += 1;
            }
            if self.quiet >= QUIET_MAX {
                self.quiet = 0;
                return Some(Event::default().comment(""));
            }
        }
    }

    fn take(&mut self, page: Page) {
        let last = page.next.map_or(page.tip, |next| next - 1);
        self.seen = Cursor { seq: last.max(self.seen.seq), epoch: page.epoch };
        self.next = page.next;
        self.waiting.extend(page.entries);
    }

    /// Reads on.
    async fn look(&mut self) -> Result<(), ArchiveError> {
        if let Some(from) = self.next {
            let span = Span { from: Some(from), to: self.to, limit: RECORDS_DEFAULT };
            let page = self.archive.page(&self.actor, span).await?;
            self.take(page);
            return Ok(());
        }
        let (new, seen) = self.archive.since(&self.actor, self.seen, RECORDS_DEFAULT).await?;
        self.seen = seen;
        let wanted = |entry: &Entry| self.to.is_none_or(|to| entry.seq() <= to);
        self.waiting.extend(new.into_iter().filter(wanted));
        Ok(())
    }
}
