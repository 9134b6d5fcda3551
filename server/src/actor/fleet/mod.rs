//! This node among the others: its lease, who else is alive, mail to and from them, and which
//! partitions of the store it looks after.
//!
//! - `lease`: whether this node may act, on a thread of its own.
//! - `members`: who is alive; declares dead who is not.
//! - [`post`], `wire`: what nodes say to each other, and how it is written.
//! - `outbox`, `inbox`: how it travels.
//! - [`drive`]: who looks after what is due.
//! - `formats`: in which format this node writes.
//!
//! A lease says when, the epoch says who: nothing here decides who may write (I1).

pub mod drive;
mod formats;
mod inbox;
mod lease;
mod members;
mod outbox;
pub mod post;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join3;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use self::inbox::PARCEL_AGE_MS_MAX;
pub use self::lease::LeaseState;
pub use self::members::Table;
pub use self::outbox::{Returned, Why};
pub use self::post::Post;

use self::formats::Agreement;
use self::inbox::Inbox;
use self::lease::Lease;
use self::members::Members;
use self::outbox::Outbox;
use super::record::Formats;
use super::stats::FleetStats;
use crate::clock::Clock;
use crate::store::fleet::{Fleet, Member, NodeInfo};
use crate::store::{Error, NodeSession, Partition};

/// What a node is called, and how much mail may wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// As the operator named it.
    pub name: String,
    /// Where clients reach it: an `http(s)` origin.
    pub address: String,
    /// The program's version.
    pub version: String,
    /// The formats of records and snapshots that it reads.
    pub reads: Formats,
    /// Those that it can write.
    pub writes: Formats,
    /// Posts that wait for one destination; more are refused.
    pub outbox_len_max: usize,
    /// Posts that wait for the runtime; with more, the inbox is not read.
    pub inbox_len_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "node".into(),
            address: String::new(),
            version: env!("CARGO_PKG_VERSION").into(),
            reads: Formats::READS,
            writes: Formats::WRITES,
            outbox_len_max: 1024,
            inbox_len_max: 1024,
        }
    }
}

/// What a node says of itself with each renewal, beside what never changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vital {
    /// Actors in its memory.
    pub activations: u64,
    /// Sockets open on it.
    pub sockets: u64,
    /// It hands everything over and takes nothing new.
    pub draining: bool,
}

/// Asked on the lease's thread, several times a second; must not wait for anything.
pub type Vitals = Arc<dyn Fn() -> Vital + Send + Sync>;

/// How the rest of the node speaks to all this. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FleetHandle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    ttl_ms: u64,
    lease: Arc<Lease>,
    members: Arc<Members>,
    stats: Arc<FleetStats>,
    agreement: Arc<Agreement>,
    outbox: Outbox,
    inbox: Mutex<Option<mpsc::Receiver<(NodeSession, Post)>>>,
    returned: Mutex<Option<mpsc::Receiver<Returned>>>,
    leaving: CancellationToken,
    ended: CancellationToken,
}

/// Joins the fleet: starts the lease's thread, and mail on the calling tokio runtime. The node is
/// frozen until the first renewal has been answered. After `shutdown` it is frozen for good, and
/// its lease runs out unless it was given up by [`FleetHandle::leave`].
///
/// # Errors
/// [`Error::Open`] when the thread can't be made.
pub fn start(
    config: Config,
    fleet: Arc<dyn Fleet>,
    vitals: Vitals,
    clock: Clock,
    shutdown: CancellationToken,
) -> Result<FleetHandle, Error> {
    let ttl_ms = fleet.ttl_ms();
    let stats = Arc::<FleetStats>::default();
    let lease = Arc::new(Lease::new(clock.clone(), ttl_ms, stats.clone()));
    let agreement = Arc::new(Agreement::new(config.reads, config.writes));
    let ours = (lease.clone(), stats.clone());
    let members = Arc::new(Members::new(clock.clone(), ttl_ms, ours, agreement.clone()));
    let (returns, returned) = mpsc::channel(config.outbox_len_max);
    let (posts, inbox) = mpsc::channel(config.inbox_len_max);
    let outbox = Outbox::new(
        fleet.clone(),
        clock.clone(),
        (lease.clone(), members.clone(), stats.clone()),
        config.outbox_len_max,
        returns,
        shutdown.clone(),
    );
    let (port, ours, counts) = (fleet.clone(), lease.clone(), stats.clone());
    let reader = Inbox::new(port, clock.clone(), (ours, counts), posts);
    let stop = shutdown.clone();
    tokio::spawn(async move { stop.run_until_cancelled(reader.run()).await });
    let (leaving, ended) = (CancellationToken::new(), CancellationToken::new());
    let keeper = Keeper {
        fleet,
        clock: clock.clone(),
        lease: lease.clone(),
        members: members.clone(),
        outdated: agreement.outdated(),
        shutdown,
        leaving: leaving.clone(),
        ended: ended.clone(),
    };
    keeper.start(Arc::new(config), vitals)?;
    Ok(FleetHandle(Arc::new(Inner {
        clock,
        ttl_ms,
        lease,
        members,
        stats,
        agreement,
        outbox,
        inbox: Mutex::new(Some(inbox)),
        returned: Mutex::new(Some(returned)),
        leaving,
        ended,
    })))
}

impl FleetHandle {
    /// How long a lease runs, in milliseconds.
    #[must_use]
    pub fn ttl_ms(&self) -> u64 {
        self.0.ttl_ms
    }

    /// This node's session, whether its lease is in force or not. Another one after this node
    /// was declared dead.
    #[must_use]
    pub fn session(&self) -> NodeSession {
        self.0.lease.session()
    }

    /// What this node may do, as it changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<LeaseState> {
        self.0.lease.state()
    }

    /// Whether this node may act at this moment. Reads the clock, waits for nothing: ask right
    /// before acting.
    #[must_use]
    pub fn in_force(&self) -> bool {
        self.0.lease.in_force()
    }

    /// What is counted of all this.
    #[must_use]
    pub fn stats(&self) -> Arc<FleetStats> {
        Arc::clone(&self.0.stats)
    }

    /// Milliseconds that this node was frozen, a freeze that lasts included.
    #[must_use]
    pub fn frozen_ms(&self) -> u64 {
        self.0.lease.frozen_ms()
    }

    /// Waits until the lease is held; returns its session.
    pub async fn held(&self) -> NodeSession {
        self.0.lease.held().await
    }

    /// Whether a session may be alive. `false` is certain: it was declared dead or has left.
    /// One that this node has never heard of is alive until a read of the lease table, begun
    /// after it was first asked for, does not show it.
    #[must_use]
    pub fn is_alive(&self, session: NodeSession) -> bool {
        self.0.members.is_alive(session)
    }

    /// Whether the newest read of the lease table shows a session.
    #[must_use]
    pub fn is_listed(&self, session: NodeSession) -> bool {
        self.0.members.table().borrow().member(session).is_some()
    }

    /// Whether a session has missed a renewal of its lease, by the newest read of the table.
    #[must_use]
    pub fn is_overdue(&self, session: NodeSession) -> bool {
        self.0.members.is_overdue(session)
    }

    /// The lease table, replaced with every read (each tenth of a TTL).
    #[must_use]
    pub fn members(&self) -> watch::Receiver<Arc<Table>> {
        self.0.members.table()
    }

    /// Moves when sessions have gone: who waits for what they held looks again.
    #[must_use]
    pub fn departures(&self) -> watch::Receiver<u64> {
        self.0.members.departures()
    }

    /// Sends mail to a node, later and in the order of the calls. `false`: refused, because this
    /// node is frozen, that one is dead, or too much waits for it. What was taken and not surely
    /// delivered comes back through [`FleetHandle::returned`].
    #[must_use]
    pub fn post(&self, to: NodeSession, post: Post) -> bool {
        self.0.outbox.post(to, post)
    }

    /// Mail from other nodes, with the session that sent it. The first caller gets it.
    #[must_use]
    pub fn inbox(&self) -> Option<mpsc::Receiver<(NodeSession, Post)>> {
        self.0.inbox.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Mail that was taken and not surely delivered. The first caller gets it; where no one
    /// takes it, it is dropped.
    #[must_use]
    pub fn returned(&self) -> Option<mpsc::Receiver<Returned>> {
        self.0.returned.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether this node looks after what is due in a partition of the store.
    #[must_use]
    pub fn drives(&self, partition: Partition) -> bool {
        let me = self.session();
        let table = self.0.members.table().borrow().clone();
        let declines = |member: &Member| member.info.draining || member.info.outdated;
        let fit = table.members().filter(|member| !member.expired && !declines(member));
        let fit = fit.map(|member| member.info.session);
        let may = self.in_force() && !table.member(me).is_some_and(declines);
        may && drive::driver(partition, fit.chain([me])) == Some(me)
    }

    /// The format that records and snapshots are written in now: the newest that every live node
    /// reads. `None`: this node can write none that all of them read, and claims nothing.
    #[must_use]
    pub fn write_format(&self) -> Option<u8> {
        self.0.agreement.format()
    }

    /// The formats that this node reads.
    #[must_use]
    pub fn reads(&self) -> Formats {
        self.0.agreement.reads()
    }

    /// Whether another node may have written what this one can't read.
    #[must_use]
    pub fn is_mixed(&self) -> bool {
        self.0.agreement.is_mixed()
    }

    /// This node has come upon what it can't read: it leaves what is due to others from now on.
    /// Returns whether that is new.
    #[must_use]
    pub fn give_way(&self) -> bool {
        self.0.agreement.give_way()
    }

    /// Waits until this node has joined the others.
    ///
    /// # Errors
    /// A sentence for the operator, when it does not: it can write nothing that all of them read.
    pub async fn joined(&self) -> Result<NodeSession, String> {
        tokio::select! {
            session = self.held() => Ok(session),
            () = self.0.ended.cancelled() => Err(self.0.agreement.refusal()),
        }
    }

    /// Gives the lease up after a drain: sends the mail that waits, for a TTL at most, then is
    /// frozen for good.
    pub async fn leave(&self) {
        self.0.clock.within_ms(self.0.ttl_ms, self.0.outbox.flushed()).await;
        self.0.leaving.cancel();
        self.0.ended.cancelled().await;
    }
}

/// What runs on the lease's thread.
struct Keeper {
    fleet: Arc<dyn Fleet>,
    clock: Clock,
    lease: Arc<Lease>,
    members: Arc<Members>,
    outdated: Arc<AtomicBool>,
    shutdown: CancellationToken,
    leaving: CancellationToken,
    ended: CancellationToken,
}

impl Keeper {
    fn start(self, config: Arc<Config>, vitals: Vitals) -> Result<(), Error> {
        let failed = |error: std::io::Error| {
            Error::Open(format!("the lease's thread could not be started: {error}"))
        };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().map_err(failed)?;
        let describe = lease::describer(config, vitals, self.outdated.clone());
        let run = move || runtime.block_on(self.run(&describe));
        std::thread::Builder::new().name("lease".into()).spawn(run).map_err(failed)?;
        Ok(())
    }

    async fn run(self, describe: &(dyn Fn(NodeSession) -> NodeInfo + Sync)) {
        // Also when a bug ends this thread: no one else would say that the lease is gone.
        let _ended = self.ended.clone().drop_guard();
        let fleet = &*self.fleet;
        let work = async {
            if self.members.greet(fleet).await {
                let renew = self.lease.run(fleet, describe);
                join3(renew, self.lease.watch_expiry(), self.members.run(fleet)).await;
            }
        };
        tokio::select! {
            () = self.shutdown.cancelled() => self.lease.end(),
            () = self.leaving.cancelled() => {
                self.lease.end();
                let left = fleet.leave(self.lease.session());
                self.clock.within_ms(fleet.ttl_ms() / 3, left).await;
            }
            () = work => self.lease.end(),
        }
    }
}
