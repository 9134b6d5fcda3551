//! The walk of an audit over all that the store knows, page by page and at a pace, while the world
//! goes on. Claims no one and changes nothing.
//!
//! What seems wrong is looked at again, [`LOOKS`] times in all with [`GAP_MS`] between, and counts
//! only if it is still so. [`crate::game::audit`] judges; the order of the reads is what it asks
//! for.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::warn;

use crate::actor::kind::{Kind, Kinds};
use crate::actor::reading::{Reading, read};
use crate::actor::record::{Formats, TellId};
use crate::actor::replay::{Durable, Stored, replay};
use crate::clock::Clock;
use crate::game::audit::{Finding, Holding, Mark, Totals, Transfer, Undelivered};
use crate::game::{PLAYER, TRADE};
use crate::store::{Base, Error, Store};

/// Actors asked for at a time.
const PAGE: usize = 256;
/// Actors read at the same time.
const AT_ONCE: usize = 8;
/// Looks at what seems wrong.
const LOOKS: u32 = 3;
/// Time between them.
const GAP_MS: u64 = 1_000;
/// Findings that are kept; the others are counted.
pub const FINDINGS_MAX: usize = 1_000;

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Trades younger than this are left alone.
    pub horizon_ms: u64,
    /// Actors a second.
    pub per_s: u64,
    /// Players whose journal is whole are folded from their first record.
    pub deep: bool,
}

/// What is read.
#[derive(Debug, Clone)]
pub struct Books {
    /// Where.
    pub store: Arc<dyn Store>,
    /// By which rules.
    pub kinds: Kinds,
    /// For the pace.
    pub clock: Clock,
}

/// How far a walk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Actors looked at.
    pub done: u64,
    /// Trades and players in all, when it began.
    pub actors: u64,
}

/// What a walk found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// Trades looked at.
    pub trades: u64,
    /// Players looked at.
    pub players: u64,
    /// Of them, those whose whole journal was folded.
    pub whole: u64,
    /// What is wrong; at most [`FINDINGS_MAX`] of them.
    pub findings: Vec<Finding>,
    /// How much is wrong.
    pub found: u64,
    /// Actors whose journal can't be read; the log names them.
    pub unreadable: u64,
    /// Everything there is.
    pub totals: Totals,
}

impl Report {
    /// Whether all that could be read is as it should be.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.found == 0 && self.unreadable == 0
    }
}

/// What is looked at, and again if it seems wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Suspect {
    /// A trade, with its sides.
    Trade(ActorId),
    /// What a player has to do with a trade that is not there; the other side.
    Alone(ActorId, String, String),
    /// A player's whole journal.
    Journal(ActorId),
}

/// What a look at a player gave.
struct Seen {
    actor: ActorId,
    holding: Option<Holding>,
    suspects: Vec<Suspect>,
    whole: bool,
}

struct Walk<'a> {
    books: &'a Books,
    order: Order,
    report: Report,
    progress: &'a watch::Sender<Progress>,
    began_ms: u64,
}

impl Books {
    /// Looks at everything.
    ///
    /// # Errors
    /// The store's: the audit is to be begun again.
    pub async fn audit(
        &self,
        order: Order,
        progress: &watch::Sender<Progress>,
    ) -> Result<Report, Error> {
        let actors = self.count(TRADE).await? + self.count(PLAYER).await?;
        progress.send_replace(Progress { done: 0, actors });
        let totals = Totals::begin(self.store.now_ms());
        let report = Report { totals, ..Report::default() };
        let began_ms = self.clock.now_ms();
        let mut walk = Walk { books: self, order, report, progress, began_ms };
        walk.over(TRADE).await?;
        walk.over(PLAYER).await?;
        // The rooms come here, once coins lie in them: minted, and nobody's yet.
        walk.report.totals.end(self.store.now_ms());
        Ok(walk.report)
    }

    async fn count(&self, kind: &str) -> Result<u64, Error> {
        let (mut after, mut count) = (None, 0);
        loop {
            let page = self.store.actors(kind, after, PAGE).await?;
            count += page.len() as u64;
            if page.len() < PAGE {
                return Ok(count);
            }
            after = page.last().cloned();
        }
    }

    fn kind(&self, actor: &ActorId) -> Result<&Kind, String> {
        self.kinds.of(actor).ok_or_else(|| format!("no rules for {actor}"))
    }

    /// An actor as it is. The inner error: it can't be read; none: there is none.
    async fn read(&self, actor: &ActorId) -> Result<Result<Option<Reading>, String>, Error> {
        let kind = match self.kind(actor) {
            Ok(kind) => kind,
            Err(why) => return Ok(Err(why)),
        };
        match read(&*self.store, kind, actor, None).await? {
            Ok(reading) => Ok(Ok(Some(reading))),
            Err(_) if self.store.tip(actor).await?.is_none_or(|tip| tip.seq == 0) => Ok(Ok(None)),
            Err(why) => Ok(Err(why)),
        }
    }

    async fn holding(&self, actor: &ActorId) -> Result<Result<Option<Holding>, String>, Error> {
        Ok(match self.read(actor).await? {
            Ok(Some(reading)) => holding_of(&reading.durable),
            Ok(None) => Ok(None),
            Err(why) => Err(why),
        })
    }

    async fn transfer(&self, actor: &ActorId) -> Result<Result<Option<Transfer>, String>, Error> {
        let durable = match self.read(actor).await? {
            Ok(Some(reading)) => reading.durable,
            Ok(None) => return Ok(Ok(None)),
            Err(why) => return Ok(Err(why)),
        };
        let transfer = Transfer::read(actor.key(), &durable.state.save(), undelivered(&durable));
        Ok(transfer.map(Some).map_err(|reject| reject.message.into_owned()))
    }

    /// A trade, and then its sides.
    async fn trade(
        &self,
        actor: &ActorId,
        horizon_ms: u64,
    ) -> Result<Result<Option<(Transfer, Vec<Holding>)>, String>, Error> {
        let transfer = match self.transfer(actor).await? {
            Ok(Some(transfer)) => transfer,
            Ok(None) => return Ok(Ok(None)),
            Err(why) => return Ok(Err(why)),
        };
        let mut sides = Vec::new();
        for side in transfer.sides(self.store.now_ms(), horizon_ms) {
            let Ok(player) = ActorId::new(PLAYER, &side) else { continue };
            // One that can't be read is found and said on the way over the players.
            if let Ok(Some(holding)) = self.holding(&player).await? {
                sides.push(holding);
            }
        }
        Ok(Ok(Some((transfer, sides))))
    }

    /// A player as its whole journal makes it, from the first record to `until`; none where the
    /// first records are no longer there.
    async fn whole(&self, actor: &ActorId, until: u64) -> Result<Option<Durable>, Error> {
        let loaded = match self.store.load(actor, Base::Older).await {
            Ok(loaded) => loaded,
            Err(Error::Absent | Error::Corrupt { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Ok(kind) = self.kind(actor) else { return Ok(None) };
        if loaded.snapshot.is_some() {
            return Ok(None);
        }
        let rows = loaded.records.into_iter().filter(|row| row.seq <= until);
        let rows = rows.map(|row| Stored { epoch: row.epoch, seq: row.seq, bytes: row.record });
        Ok(replay((kind, Formats::READS), actor, None, rows).ok())
    }

    /// What is wrong with a player's goods by its whole journal; none where it is not whole.
    async fn journal(&self, actor: &ActorId) -> Result<Option<Option<Finding>>, Error> {
        let Ok(Some(reading)) = self.read(actor).await? else { return Ok(None) };
        let Some(whole) = self.whole(actor, reading.seq).await? else { return Ok(None) };
        let (Ok(Some(kept)), Ok(Some(whole))) = (holding_of(&reading.durable), holding_of(&whole))
        else {
            return Ok(None);
        };
        Ok(Some(kept.judge_journal(&whole)))
    }

    /// What is wrong with a suspect now.
    async fn judge(&self, suspect: &Suspect, horizon_ms: u64) -> Result<Vec<Finding>, Error> {
        let now_ms = self.store.now_ms();
        match suspect {
            Suspect::Trade(actor) => match self.trade(actor, horizon_ms).await? {
                Ok(Some((transfer, sides))) => Ok(transfer.judge(&sides, now_ms)),
                _ => Ok(Vec::new()),
            },
            Suspect::Alone(actor, trade, other) => {
                let Ok(Some(holding)) = self.holding(actor).await? else { return Ok(Vec::new()) };
                let Ok(id) = ActorId::new(TRADE, trade) else { return Ok(Vec::new()) };
                if self.store.tip(&id).await?.is_some_and(|tip| tip.seq > 0) {
                    return Ok(Vec::new());
                }
                let other = match ActorId::new(PLAYER, other) {
                    Ok(other) => self.holding(&other).await?.ok().flatten(),
                    Err(_) => None,
                };
                Ok(holding.judge_alone(trade, other.as_ref(), now_ms).into_iter().collect())
            }
            Suspect::Journal(actor) => {
                Ok(self.journal(actor).await?.flatten().into_iter().collect())
            }
        }
    }
}

const fn mark(id: TellId) -> Mark {
    (id.epoch, id.seq, id.index)
}

fn undelivered(durable: &Durable) -> impl Iterator<Item = Undelivered<'_>> {
    durable.ledger.outbox.iter().map(|tell| (&tell.to, &tell.payload[..], mark(tell.id)))
}

fn holding_of(durable: &Durable) -> Result<Option<Holding>, String> {
    let heard = durable.ledger.heard.iter().map(|(of, newest)| (of, mark(newest.id)));
    Holding::read(&durable.state.save(), undelivered(durable), heard)
        .map_err(|reject| reject.message.into_owned())
}

impl Walk<'_> {
    /// Waits until as many actors may have been looked at as were.
    async fn step(&self, looked_at: usize) {
        let mut done = 0;
        self.progress.send_modify(|progress| {
            progress.done += looked_at as u64;
            done = progress.done;
        });
        let due_ms = done.saturating_mul(1_000) / self.order.per_s.max(1);
        self.books.clock.sleep_until(self.began_ms.saturating_add(due_ms)).await;
    }

    fn unreadable(&mut self, actor: &ActorId, why: &str) {
        warn!(%actor, why, "the audit passes over an actor");
        self.report.unreadable += 1;
    }

    /// All actors of a kind, page by page.
    async fn over(&mut self, kind: &str) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = self.books.store.actors(kind, after, PAGE).await?;
            let len = page.len();
            after = page.last().cloned();
            let suspects = match kind {
                TRADE => self.trades(page).await?,
                _ => self.players(page).await?,
            };
            self.look_again(suspects).await?;
            self.step(len).await;
            if len < PAGE {
                return Ok(());
            }
        }
    }

    /// Looks at trades, several at once. Returns those that seem wrong.
    async fn trades(&mut self, page: Vec<ActorId>) -> Result<Vec<Suspect>, Error> {
        let (books, horizon_ms) = (self.books, self.order.horizon_ms);
        let looks = page
            .into_iter()
            .map(|actor| async move { (books.trade(&actor, horizon_ms).await, actor) });
        let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
        let mut suspects = Vec::new();
        while let Some((look, actor)) = looks.next().await {
            match look? {
                Ok(Some((transfer, sides))) => {
                    self.report.trades += 1;
                    let cut_ms = self.report.totals.cut_ms;
                    transfer.count(&sides, cut_ms, &mut self.report.totals);
                    if !transfer.judge(&sides, books.store.now_ms()).is_empty() {
                        suspects.push(Suspect::Trade(actor));
                    }
                }
                Ok(None) => {}
                Err(why) => self.unreadable(&actor, &why),
            }
        }
        Ok(suspects)
    }

    /// The same of players.
    async fn players(&mut self, page: Vec<ActorId>) -> Result<Vec<Suspect>, Error> {
        let (books, deep) = (self.books, self.order.deep);
        let looks =
            page.into_iter().map(|actor| async move { (books.player(&actor, deep).await, actor) });
        let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
        let mut suspects = Vec::new();
        while let Some((look, actor)) = looks.next().await {
            match look? {
                Ok(seen) => {
                    self.report.players += u64::from(seen.holding.is_some());
                    self.report.whole += u64::from(seen.whole);
                    if let Some(holding) = &seen.holding {
                        self.report.totals.player(holding);
                    }
                    suspects.extend(seen.suspects);
                }
                Err(why) => self.unreadable(&actor, &why),
            }
        }
        Ok(suspects)
    }

    /// What is still wrong after all looks is a finding.
    async fn look_again(&mut self, mut suspects: Vec<Suspect>) -> Result<(), Error> {
        let mut found = BTreeSet::new();
        for _ in 1..LOOKS {
            if suspects.is_empty() {
                return Ok(());
            }
            self.books.clock.sleep_ms(GAP_MS).await;
            found.clear();
            let mut left = Vec::new();
            for suspect in suspects {
                let findings = self.books.judge(&suspect, self.order.horizon_ms).await?;
                if !findings.is_empty() {
                    left.push(suspect);
                    found.extend(findings);
                }
            }
            suspects = left;
        }
        let room = FINDINGS_MAX.saturating_sub(self.report.findings.len());
        self.report.found += found.len() as u64;
        self.report.findings.extend(found.into_iter().take(room));
        Ok(())
    }
}

impl Books {
    /// A look at a player, and at the trades that it leans on.
    async fn player(&self, actor: &ActorId, deep: bool) -> Result<Result<Seen, String>, Error> {
        let holding = match self.holding(actor).await? {
            Ok(holding) => holding,
            Err(why) => return Ok(Err(why)),
        };
        let mut seen = Seen { actor: actor.clone(), holding, suspects: Vec::new(), whole: false };
        let leans = seen.holding.as_ref().map(|holding| holding.leans_on(self.store.now_ms()));
        for (trade, other) in leans.unwrap_or_default() {
            let suspect = Suspect::Alone(seen.actor.clone(), trade, other);
            if !self.judge(&suspect, 0).await?.is_empty() {
                seen.suspects.push(suspect);
            }
        }
        if deep {
            let judged = self.journal(actor).await?;
            seen.whole = judged.is_some();
            if judged.flatten().is_some() {
                seen.suspects.push(Suspect::Journal(actor.clone()));
            }
        }
        Ok(Ok(seen))
    }
}
