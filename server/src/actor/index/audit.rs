//! Holds the attribute index against the journals, and puts it right.
//!
//! A row says which record it tells of, so it is compared with the state after that very record,
//! while the game goes on. It is *wrong* when the two differ, when it tells of records that there
//! are not, or when the journal has gone on and no living node holds the actor, who would write
//! the next one. *Stray* is a row of nobody, *missing* one that a player should have. Then each
//! partition's entries are held against its rows.
//!
//! Nothing is claimed. Journals are read at a pace. What is mended is looked at once more: the
//! last report says whether all is equal.

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_protocol::ids::{ActorId, PlayerId};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::warn;

use super::{Index, KIND, player_of, row_of};
use crate::actor::due::Budget;
use crate::actor::fleet::FleetHandle;
use crate::actor::kind::Kind;
use crate::actor::reading::{Reading, read};
use crate::clock::Clock;
use crate::search::{Builtin, Row};
use crate::store::attributes::{EntriesFound, RowAt, RowOf};
use crate::store::{Error, Owner, Partition, Store};

/// Rows read at a time.
const PAGE: usize = 256;
/// How long a row that seems wrong is given: its writer coalesces for a second.
const PATIENCE_MS: u64 = 1_500;

/// What an audit found. Counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// Rows looked at.
    pub rows: u64,
    /// Rows that don't say what their journal says.
    pub wrong: u64,
    /// Players without a row.
    pub missing: u64,
    /// Rows without a player.
    pub stray: u64,
    /// Players whose journal can't be read; their rows are left alone.
    pub unreadable: u64,
    /// Entries that rows call for and that are not there.
    pub entries_missing: u64,
    /// Entries that no row calls for.
    pub entries_stray: u64,
}

impl Report {
    /// Whether the index says what the journals say.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        let Self { wrong, missing, stray, entries_missing, entries_stray, .. } = self;
        wrong + missing + stray + entries_missing + entries_stray == 0
    }
}

/// How far an audit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Players looked at.
    pub done: u64,
    /// Players in all.
    pub players: u64,
}

/// What an audit needs.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Which attributes there are.
    pub index: Index,
    /// Rows and journals.
    pub store: Arc<dyn Store>,
    /// The rules of sessions.
    pub kind: Kind,
    /// The other nodes over the same store.
    pub fleet: Option<FleetHandle>,
    /// For its pace.
    pub clock: Clock,
}

/// What a look at one player found.
enum Verdict {
    Equal,
    /// The row should be this one.
    Wrong(Box<RowOf>),
    /// There should be this row.
    Missing(Box<RowOf>),
    /// There should be none.
    Stray,
    /// Nobody knows.
    Unreadable(String),
}

/// One run over the whole index.
struct Run<'a> {
    audit: &'a Audit,
    mends: bool,
    budget: Budget,
    report: Report,
    progress: &'a watch::Sender<Progress>,
}

impl Audit {
    /// Compares everything, so many players a second; with `mends` puts right what differs.
    ///
    /// # Errors
    /// The store's: the audit is to be begun again.
    pub async fn run(
        &self,
        mends: bool,
        per_s: u64,
        progress: &watch::Sender<Progress>,
    ) -> Result<Report, Error> {
        let budget = Budget::new(per_s, self.store.now_ms());
        let players = self.count().await?;
        progress.send_replace(Progress { done: 0, players });
        let mut run = Run { audit: self, mends, budget, report: Report::default(), progress };
        let mut known = BTreeSet::new();
        for partition in 0..self.store.partitions() {
            run.rows(partition, &mut known).await?;
        }
        run.rowless(&known).await?;
        for partition in 0..self.store.partitions() {
            let registry = &self.index.registry;
            let EntriesFound { missing, stray, .. } =
                self.store.check_entries(registry, partition, mends).await?;
            run.report.entries_missing += missing;
            run.report.entries_stray += stray;
        }
        Ok(run.report)
    }

    /// Rows of a partition, and who holds whom they are about.
    async fn page(
        &self,
        partition: Partition,
        after: Option<PlayerId>,
    ) -> Result<(Vec<RowOf>, Vec<Option<Owner>>), Error> {
        let rows = self.store.rows(&self.index.registry, partition, after, PAGE).await?;
        let owners = self.store.owners(rows.iter().map(RowOf::actor).collect()).await?;
        Ok((rows, owners))
    }

    async fn count(&self) -> Result<u64, Error> {
        let (mut after, mut players) = (None, 0);
        loop {
            let page = self.store.actors(KIND, after, PAGE).await?;
            players += page.len() as u64;
            if page.len() < PAGE {
                return Ok(players);
            }
            after = page.last().cloned();
        }
    }

    /// Whether a living node holds an actor, as far as can be told: a node alone is believed what
    /// its rows say.
    fn is_held(&self, row: Option<&Row>, owner: Option<Owner>) -> bool {
        match &self.fleet {
            Some(fleet) => owner.is_some_and(|owner| fleet.is_alive(owner.session)),
            None => row.and_then(node_of).is_some_and(|node| node == self.index.node),
        }
    }

    /// The name that a row may give to the holder.
    fn node(&self, row: Option<&Row>, owner: Option<Owner>) -> Option<String> {
        let Some(fleet) = &self.fleet else { return row.and_then(node_of) };
        let table = fleet.members();
        let table = table.borrow();
        table.member(owner?.session).map(|member| member.info.name.clone())
    }

    /// The row of what was read; `None`: it is no session.
    fn row(&self, player: &PlayerId, reading: &Reading, node: Option<String>) -> Option<RowOf> {
        let attributes = reading.durable.state.attributes()?;
        let row = row_of(&self.index.registry, player.clone(), attributes, node.as_deref());
        Some(RowOf { at: RowAt { epoch: reading.tip.epoch, seq: reading.seq }, row })
    }
}

impl Run<'_> {
    /// Holds each row of a partition against its journal.
    async fn rows(
        &mut self,
        partition: Partition,
        known: &mut BTreeSet<PlayerId>,
    ) -> Result<(), Error> {
        let (audit, mut after) = (self.audit, None);
        loop {
            let (rows, owners) = audit.page(partition, after.clone()).await?;
            let mut suspects = BTreeSet::new();
            for (row, owner) in rows.iter().zip(owners) {
                self.step().await;
                known.insert(row.row.player().clone());
                self.report.rows += 1;
                if !matches!(self.judge(row, owner).await?, Verdict::Equal) {
                    suspects.insert(row.row.player().clone());
                }
            }
            if !suspects.is_empty() {
                self.look_again(partition, after, &suspects).await?;
            }
            if rows.len() < PAGE {
                return Ok(());
            }
            after = rows.last().map(|last| last.row.player().clone());
        }
    }

    /// Someone may have been about to write the row: only what is still so counts.
    async fn look_again(
        &mut self,
        partition: Partition,
        after: Option<PlayerId>,
        suspects: &BTreeSet<PlayerId>,
    ) -> Result<(), Error> {
        self.audit.clock.sleep_ms(PATIENCE_MS).await;
        let (rows, owners) = self.audit.page(partition, after).await?;
        for (row, owner) in rows.iter().zip(owners) {
            if suspects.contains(row.row.player()) {
                let verdict = self.judge(row, owner).await?;
                self.settle(&row.actor(), Some(row), verdict).await?;
            }
        }
        Ok(())
    }

    async fn step(&mut self) {
        self.budget.wait(&self.audit.clock, &*self.audit.store).await;
        self.progress.send_modify(|progress| progress.done += 1);
    }

    async fn judge(&self, row: &RowOf, owner: Option<Owner>) -> Result<Verdict, Error> {
        let (audit, actor, player) = (self.audit, row.actor(), row.row.player());
        let read = read(&*audit.store, &audit.kind, &actor, Some(row.at.seq)).await?;
        let reading = match read {
            Ok(reading) => reading,
            Err(_) if audit.store.tip(&actor).await?.is_none_or(|tip| tip.seq == 0) => {
                return Ok(Verdict::Stray);
            }
            Err(why) => return Ok(Verdict::Unreadable(why)),
        };
        let node = audit.node(Some(&row.row), owner);
        let then = (reading.seq == row.at.seq).then(|| audit.row(player, &reading, None));
        let (ahead, tip) = (row.at.seq > reading.tip.seq, reading.tip.seq);
        let held = audit.is_held(Some(&row.row), owner);
        let now = match reading.finish() {
            Ok(reading) => audit.row(player, &reading, node.clone().filter(|_| held)),
            Err(why) => return Ok(Verdict::Unreadable(why)),
        };
        let Some(now) = now else { return Ok(Verdict::Stray) };
        let differs = then
            .is_some_and(|then| then.is_none_or(|then| !self.says_the_same(&then.row, &row.row)));
        let behind = !held && row.at.seq < tip && !self.says_the_same(&now.row, &row.row);
        let ghost = !held && node_of(&row.row).is_some();
        let wrong = ahead || differs || behind || ghost;
        Ok(if wrong { Verdict::Wrong(Box::new(now)) } else { Verdict::Equal })
    }

    /// Compares two rows of one player, but for the node.
    fn says_the_same(&self, one: &Row, two: &Row) -> bool {
        let node = Builtin::Node.attribute();
        let mut stored = self.audit.index.registry.iter();
        stored.all(|a| a.is_computed() || *a == node || one.value(a, 0) == two.value(a, 0))
    }

    /// Counts a verdict, and mends what it is about.
    async fn settle(
        &mut self,
        actor: &ActorId,
        row: Option<&RowOf>,
        verdict: Verdict,
    ) -> Result<(), Error> {
        let put = match verdict {
            Verdict::Equal => return Ok(()),
            Verdict::Unreadable(why) => {
                warn!(%actor, why, "the index passes over a player");
                self.report.unreadable += 1;
                return Ok(());
            }
            Verdict::Wrong(put) => {
                self.report.wrong += 1;
                Some(put)
            }
            Verdict::Missing(put) => {
                self.report.missing += 1;
                Some(put)
            }
            Verdict::Stray => {
                self.report.stray += 1;
                None
            }
        };
        if !self.mends {
            return Ok(());
        }
        let (store, registry) = (&self.audit.store, &self.audit.index.registry);
        // A row that tells of what is not there would be newer than the true one.
        if let Some(row) = row {
            let doomed = (row.row.player().clone(), row.at);
            store.drop_rows(registry, vec![doomed]).await?;
        }
        match put {
            Some(put) => store.put_rows(registry, vec![*put]).await,
            None => Ok(()),
        }
    }

    /// Makes the rows of players who have none.
    async fn rowless(&mut self, known: &BTreeSet<PlayerId>) -> Result<(), Error> {
        let (audit, mut after) = (self.audit, None);
        loop {
            let actors = audit.store.actors(KIND, after, PAGE).await?;
            let len = actors.len();
            after = actors.last().cloned();
            for actor in actors {
                let player = player_of(&actor).filter(|player| !known.contains(player));
                if let Some(player) = player {
                    self.one_rowless(&actor, &player).await?;
                }
            }
            if len < PAGE {
                return Ok(());
            }
        }
    }

    async fn one_rowless(&mut self, actor: &ActorId, player: &PlayerId) -> Result<(), Error> {
        self.step().await;
        let audit = self.audit;
        let reading = match read(&*audit.store, &audit.kind, actor, None).await? {
            Ok(reading) => reading,
            Err(why) => return self.settle(actor, None, Verdict::Unreadable(why)).await,
        };
        let owner = audit.store.owners(vec![actor.clone()]).await?.into_iter().next().flatten();
        let held = audit.is_held(None, owner);
        let node = audit.node(None, owner).filter(|_| held);
        let Some(row) = audit.row(player, &reading, node) else { return Ok(()) };
        self.settle(actor, None, Verdict::Missing(Box::new(row))).await
    }
}

fn node_of(row: &Row) -> Option<String> {
    match row.value(&Builtin::Node.attribute(), 0) {
        Some(crate::search::value::Seen::Text(node)) => Some(node.to_owned()),
        _ => None,
    }
}
