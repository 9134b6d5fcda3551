//! A simulated player without a socket: HTTP commands, each under a key of its own, which is
//! repeated until its outcome is known.

use std::sync::Arc;
use std::time::Duration;

use holdfast_protocol::client::Verb;
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::server::ErrorBody;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::account::{Account, Closed, since};
use super::mind::Mind;
use super::share::Share;
use crate::http::{self, origin};
use crate::ledger::{Answer, Done};
use crate::stats::{Count, Measure};

/// Before a call whose outcome is not known is repeated.
const AGAIN: Duration = Duration::from_millis(200);

/// An answer's body: `ok`, or the error.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    ok: Option<&'a RawValue>,
    seq: Option<u64>,
    #[serde(default)]
    dup: bool,
    error: Option<ErrorBody>,
}

pub(super) struct Caller {
    share: Arc<Share>,
    stop: watch::Receiver<Option<Instant>>,
    nth: u32,
    mind: Mind,
    account: Account,
    token: Option<String>,
    at: usize,
    calls: u64,
}

impl Caller {
    /// The player `nth` of the run; `None`: nobody plays there.
    pub(super) fn new(
        share: Arc<Share>,
        stop: watch::Receiver<Option<Instant>>,
        nth: u32,
    ) -> Option<Self> {
        let bots = share.scenario.bots_of(nth)?.clone();
        let mind = Mind::new(&share.scenario, &bots, share.names, nth);
        let account = Account::new(share.names.player(nth)?);
        Some(Self { share, stop, nth, mind, account, token: None, at: nth as usize, calls: 0 })
    }

    /// Calls until it is told to stop; the last call's outcome is waited for.
    pub(super) async fn live(mut self) -> Closed {
        let mut stop = self.stop.clone();
        let mut due = self.share.turn(self.nth);
        loop {
            tokio::select! {
                () = sleep_until(due) => {}
                _ = stop.wait_for(Option::is_some) => break,
            }
            self.call(due).await;
            due += self.mind.pause().max(Duration::from_millis(1));
        }
        self.account.close()
    }

    async fn call(&mut self, due: Instant) {
        let verb = self.mind.wish(&self.account.knows());
        self.calls += 1;
        let key = format!("call-{}", self.calls);
        loop {
            match self.attempt(&verb, &key).await {
                Some(answer) if answer.code().is_none_or(is_final) => {
                    self.share.count(Count::Calls, 1);
                    self.share.time(Measure::Call, since(due, Instant::now()));
                    if let Some(code) = answer.code() {
                        self.share.refused(code);
                    }
                    return self.account.called(self.calls, &verb, &answer);
                }
                Some(answer) => answer.code().into_iter().for_each(|c| self.share.refused(c)),
                None => self.at += 1,
            }
            let stop = *self.stop.borrow();
            if stop.is_some_and(|until| Instant::now() >= until) {
                return self.account.left_open();
            }
            self.share.count(Count::Repeats, 1);
            sleep(AGAIN).await;
        }
    }

    /// One attempt; `None`: no answer.
    async fn attempt(&mut self, verb: &Verb, key: &str) -> Option<Answer> {
        let origin = origin(self.share.url(self.at)?);
        if self.token.is_none() {
            self.token = self.sign_in(&origin).await;
        }
        let token = self.token.clone()?;
        let url = format!("{origin}/v1/players/{}/commands", self.account.player);
        let body = serde_json::to_value(verb).ok()?;
        let posted = self.share.http.post(&url, Some(&token), Some(key), &body).await;
        self.read(posted)
    }

    async fn sign_in(&self, origin: &str) -> Option<String> {
        let body = json!({ "player": self.account.player });
        let url = format!("{origin}/v1/sessions");
        let answer = self.share.http.post(&url, None, None, &body).await.ok()?;
        let page: Value = serde_json::from_slice(&answer.body).ok()?;
        page.get("token")?.as_str().map(str::to_owned)
    }

    fn read(&self, posted: Result<http::Answer, http::Error>) -> Option<Answer> {
        let answer = posted.ok()?;
        let body: Body<'_> = serde_json::from_slice(&answer.body).ok()?;
        match (body.ok, body.error) {
            (Some(ok), _) => {
                let done = Done { body: ok.get().to_owned(), seq: body.seq };
                Some(Answer { result: Ok(done), dup: body.dup })
            }
            (None, Some(error)) => Some(Answer { result: Err(error), dup: false }),
            (None, None) => None,
        }
    }
}

/// Whether a refusal is the outcome, rather than a wish to be asked again.
fn is_final(code: ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::Pending | ErrorCode::Busy | ErrorCode::RateLimited | ErrorCode::OutcomeUnknown
    )
}
