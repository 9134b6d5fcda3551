//! The other nodes: who is alive, and declaring dead who is not.
//!
//! The lease table is read every tenth of a TTL, on the lease's thread; sooner where a lease is
//! about to run out, and at once when this node has declared someone dead. A session that is
//! absent from it is dead; while it can't be read, nobody is dead who was alive before, nor for a
//! TTL after that: the table may have come back empty, and its nodes are about to return to it.
//! Death is declared carefully, because an outage of the store looks like everyone's death at
//! once: see [`Reaper`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::formats::Agreement;
use super::lease::Lease;
use crate::actor::stats::FleetStats;
use crate::clock::Clock;
use crate::store::NodeSession;
use crate::store::fleet::{Fleet, Member};

/// Most sessions remembered that are not in the table. The smallest is forgotten first: asked
/// for again, it takes another read of the table until it is known to be dead.
const ABSENT_MAX: usize = 4096;

/// The lease table as it was last read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// By session.
    members: BTreeMap<NodeSession, Member>,
    /// Which read of this node's it is; 0: none yet.
    read: u64,
}

impl Table {
    /// Everyone in the table, by session: also those whose lease has run out, until they are
    /// declared dead.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// One of them.
    #[must_use]
    pub fn member(&self, session: NodeSession) -> Option<&Member> {
        self.members.get(&session)
    }
}

/// What this node knows of the others.
#[derive(Debug)]
pub(super) struct Members {
    clock: Clock,
    ttl_ms: u64,
    lease: Arc<Lease>,
    stats: Arc<FleetStats>,
    agreement: Arc<Agreement>,
    table: watch::Sender<Arc<Table>>,
    departures: watch::Sender<u64>,
    /// Reads of the table that were begun.
    begun: AtomicU64,
    /// Sessions that were asked for and are in no table: the reads begun by then. One that is
    /// absent from a later read is dead; an earlier read may be older than the session.
    absent: Mutex<BTreeMap<NodeSession, u64>>,
}

impl Members {
    pub fn new(
        clock: Clock,
        ttl_ms: u64,
        (lease, stats): (Arc<Lease>, Arc<FleetStats>),
        agreement: Arc<Agreement>,
    ) -> Self {
        Self {
            clock,
            ttl_ms,
            lease,
            stats,
            agreement,
            table: watch::channel(Arc::default()).0,
            departures: watch::channel(0).0,
            begun: AtomicU64::new(0),
            absent: Mutex::default(),
        }
    }

    pub fn table(&self) -> watch::Receiver<Arc<Table>> {
        self.table.subscribe()
    }

    pub fn departures(&self) -> watch::Receiver<u64> {
        self.departures.subscribe()
    }

    pub fn is_alive(&self, session: NodeSession) -> bool {
        let table = self.table.borrow().clone();
        if session == self.lease.session() || table.members.contains_key(&session) {
            return true;
        }
        let begun = self.begun.load(Ordering::SeqCst);
        table.read <= self.first_asked(session, begun)
    }

    /// A lease is renewed each third of its time, and the table is read each tenth.
    pub fn is_overdue(&self, session: NodeSession) -> bool {
        let table = self.table.borrow();
        let late = |member: &Member| member.expired || member.age_ms > self.ttl_ms * 13 / 30;
        table.members.get(&session).is_none_or(late)
    }

    /// Looks once who is there, before this node takes a lease; `false`: it may not join them.
    /// Where no one can be seen now, joining shows whether it may.
    pub async fn greet(&self, fleet: &dyn Fleet) -> bool {
        match self.clock.within_ms(self.ttl_ms / 3, fleet.members()).await {
            Some(Ok(members)) => self.agreement.may_join(self.lease.session(), &members),
            _ => true,
        }
    }

    /// Reads the table for ever, once the lease was held.
    pub async fn run(&self, fleet: &dyn Fleet) {
        let mut reaper = Reaper::new(self.ttl_ms);
        self.lease.held().await;
        loop {
            let sent_ms = self.clock.uptime_ms();
            let read = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let asked = self.clock.within_ms(self.ttl_ms / 3, fleet.members());
            match asked.await {
                Some(Ok(members)) if self.is_credible(&members) => {
                    let holds = self.lease.in_force().then(|| self.lease.thaws());
                    let quiet = reaper.is_quiet(holds, sent_ms);
                    let next_ms = sent_ms + self.next_read_in(&members);
                    let gone = self.publish(read, members, quiet);
                    if !self.reap(fleet, &mut reaper, sent_ms, &gone).await {
                        self.clock.sleep_until_uptime(next_ms).await;
                    }
                }
                _ => {
                    reaper.blind(self.clock.uptime_ms());
                    self.clock.sleep_until_uptime(sent_ms + self.tenth_ms()).await;
                }
            }
        }
    }

    fn tenth_ms(&self) -> u64 {
        (self.ttl_ms / 10).max(1)
    }

    /// A tenth of a TTL, or sooner the moment when someone's lease will have run out. A lease that
    /// is in force beyond this node's TTL runs longer than that: it is no reason to hurry.
    fn next_read_in(&self, members: &[Member]) -> u64 {
        let runs = |member: &&Member| !member.expired && member.age_ms < self.ttl_ms;
        let left = members.iter().filter(runs).map(|member| self.ttl_ms - member.age_ms + 1);
        left.min().unwrap_or(u64::MAX).min(self.tenth_ms())
    }

    /// A table without this node, which holds a lease, has gone back in time or is another's: it
    /// says nothing of the others.
    fn is_credible(&self, members: &[Member]) -> bool {
        members.iter().any(|member| member.info.session == self.lease.session())
    }

    /// Keeps what was read; returns who is gone since the last read. A `quiet` read convicts no
    /// one: who was known and is absent stays, as one whose lease has run out.
    fn publish(&self, read: u64, members: Vec<Member>, quiet: bool) -> Vec<NodeSession> {
        let mut members: BTreeMap<_, _> =
            members.into_iter().map(|member| (member.info.session, member)).collect();
        let before = self.table.borrow().clone();
        if quiet {
            for (session, member) in &before.members {
                let kept = || Member { expired: true, ..member.clone() };
                members.entry(*session).or_insert_with(kept);
            }
        }
        let read = if quiet { before.read } else { read };
        let gone: Vec<_> =
            before.members.keys().filter(|known| !members.contains_key(*known)).copied().collect();
        for session in &gone {
            self.first_asked(*session, 0);
        }
        // Before anyone sees who is there: claims look at the agreement after the table.
        self.agreement.agree(self.lease.session(), members.values());
        self.table.send_replace(Arc::new(Table { members, read }));
        if !gone.is_empty() {
            tracing::info!(?gone, "node sessions have gone");
            self.departures.send_modify(|count| *count += 1);
        }
        gone
    }

    /// Declares dead who has to be; `true`: someone was, and the table has changed.
    async fn reap(
        &self,
        fleet: &dyn Fleet,
        reaper: &mut Reaper,
        now_ms: u64,
        gone: &[NodeSession],
    ) -> bool {
        let mut reaped = false;
        let table = self.table.borrow().clone();
        for victim in reaper.saw(&table, gone, now_ms) {
            if !self.lease.in_force() {
                return reaped;
            }
            match self.clock.within_ms(self.ttl_ms / 3, fleet.reap(victim)).await {
                Some(Ok(true)) => {
                    reaped = true;
                    self.stats.reaped.add(1);
                    tracing::warn!(victim, "declared a node session dead");
                }
                Some(Ok(false)) => {}
                _ => reaper.blind(self.clock.uptime_ms()),
            }
        }
        reaped
    }

    /// The reads that had begun when someone first asked for an absent session.
    fn first_asked(&self, session: NodeSession, begun: u64) -> u64 {
        let mut absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = *absent.entry(session).or_insert(begun);
        if absent.len() > ABSENT_MAX {
            absent.pop_first();
        }
        asked
    }
}

/// Who is to be declared dead. Pure.
///
/// - Two reads, at least a tenth of a TTL apart, both saw the lease run out.
/// - This node's own lease is in force, and neither it nor a read of the table has failed for a
///   TTL: after an outage everyone gets the time to come back.
/// - Never more than half of the node sessions within a TTL, whoever declared them dead.
#[derive(Debug)]
struct Reaper {
    ttl_ms: u64,
    /// When each was first seen expired, without having been seen renewed since.
    suspects: BTreeMap<NodeSession, u64>,
    /// Who has gone, and when.
    gone: Vec<(u64, NodeSession)>,
    /// No one is declared dead until then.
    quiet_until_ms: u64,
    thaws: Option<u64>,
}

impl Reaper {
    fn new(ttl_ms: u64) -> Self {
        Self { ttl_ms, suspects: BTreeMap::new(), gone: Vec::new(), quiet_until_ms: 0, thaws: None }
    }

    /// This node could not see, or was itself not seen.
    fn blind(&mut self, now_ms: u64) {
        self.suspects.clear();
        self.quiet_until_ms = now_ms + self.ttl_ms;
    }

    /// Whether a read sent at `now_ms` convicts no one. `holds` counts the thaws of the own
    /// lease, if it is in force.
    fn is_quiet(&mut self, holds: Option<u64>, now_ms: u64) -> bool {
        let thawed = self.thaws.is_some() && self.thaws != holds;
        self.thaws = holds.or(self.thaws);
        if thawed || holds.is_none() {
            self.blind(now_ms);
        }
        now_ms < self.quiet_until_ms
    }

    /// A read of the table, sent at `now_ms`, and who is gone since the last one: returns whom to
    /// declare dead.
    fn saw(&mut self, table: &Table, gone: &[NodeSession], now_ms: u64) -> Vec<NodeSession> {
        self.gone.retain(|(at_ms, _)| now_ms < at_ms + self.ttl_ms);
        let unknown: Vec<_> =
            gone.iter().filter(|session| !self.has_gone(**session)).copied().collect();
        self.gone.extend(unknown.into_iter().map(|session| (now_ms, session)));
        let expired: BTreeSet<_> = table
            .members()
            .filter(|member| member.expired)
            .map(|member| member.info.session)
            .collect();
        self.suspects.retain(|session, _| expired.contains(session));
        for session in expired {
            self.suspects.entry(session).or_insert(now_ms);
        }
        if now_ms < self.quiet_until_ms {
            return Vec::new();
        }
        self.sentence(table, now_ms)
    }

    fn sentence(&mut self, table: &Table, now_ms: u64) -> Vec<NodeSession> {
        let gone = self.gone.iter().filter(|(_, session)| table.member(*session).is_none()).count();
        let budget = ((table.members.len() + gone) / 2).saturating_sub(self.gone.len());
        let apart_ms = self.ttl_ms / 10;
        let due = self.suspects.iter().filter(|(_, first)| now_ms >= **first + apart_ms);
        let due = due.map(|(session, _)| *session).filter(|session| !self.has_gone(*session));
        let victims: Vec<_> = due.take(budget).collect();
        self.gone.extend(victims.iter().map(|session| (now_ms, *session)));
        victims
    }

    fn has_gone(&self, session: NodeSession) -> bool {
        self.gone.iter().any(|(_, gone)| *gone == session)
    }
}

#[cfg(test)]
mod tests;
