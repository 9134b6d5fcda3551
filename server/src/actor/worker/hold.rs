//! When activations hold: the node's lease, the store's histories, and a look now and then at
//! those that have long written nothing.
//!
//! A frozen worker lets nothing out and claims nothing; at thaw every activation reads its tip,
//! those first that someone waits for, and follows the doubt table. A new node session, or
//! another history of the store, gives each a new term.

use holdfast_protocol::ids::ActorId;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};

use futures::FutureExt;

use super::{Slot, Worker};
use crate::actor::core::{Input, Lost};
use crate::actor::desk::{Desk, Done};
use crate::actor::fleet::{FleetHandle, LeaseState};
use crate::store::NodeSession;

/// Activations that have not appended for so long read their tip, so that none stays that does
/// not know of its successor.
const QUIET_MS: u64 = 30_000;
/// So many of them at a time; once a sweep.
const DOUBTED_MAX: usize = 512;

/// I7: changes that a worker has not looked at yet; its watcher waits meanwhile.
const CHANGES_MAX: usize = 16;

/// What changes around a worker. A task of its own watches, because a worker is woken so often
/// that watching everything anew each time would cost it a third of its time.
pub(super) struct Watches {
    changes: mpsc::Receiver<Change>,
    lease: Option<watch::Receiver<LeaseState>>,
    /// A node session has gone.
    departed: bool,
    /// The store's history may have changed for someone.
    rewritten: bool,
    /// How often the lease had come back when this worker last thawed.
    thaw: u64,
    /// The lease has been held.
    begun: bool,
    _watcher: AbortOnDropHandle<()>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The node stops: what is in flight is finished.
    Shutdown,
    /// The node can't go on.
    Fatal,
    /// The lease was taken, lost, or has come back.
    Lease,
    /// A node session has gone.
    Departed,
    /// The store's history may have changed for someone.
    Rewritten,
}

impl Watches {
    pub fn new(desk: &Desk, shutdown: CancellationToken, fatal: CancellationToken) -> Self {
        let (sender, changes) = mpsc::channel(CHANGES_MAX);
        let lease = desk.fleet.as_ref().map(FleetHandle::state);
        let watcher = Watcher {
            lease: lease.clone(),
            departures: desk.fleet.as_ref().map(FleetHandle::departures),
            histories: Some(desk.store.changes()),
            shutdown,
            fatal,
        };
        Self {
            changes,
            lease,
            departed: false,
            rewritten: false,
            thaw: 0,
            begun: false,
            _watcher: AbortOnDropHandle::new(tokio::spawn(watcher.run(sender))),
        }
    }

    /// Waits until something has changed.
    pub async fn next(&mut self) -> Change {
        let Some(change) = self.changes.recv().await else { return std::future::pending().await };
        self.departed |= change == Change::Departed;
        self.rewritten |= change == Change::Rewritten;
        change
    }

    /// The session and the count of thaws, as long as the lease is held.
    fn held(&self) -> Option<(NodeSession, u64)> {
        match *self.lease.as_ref()?.borrow() {
            LeaseState::Held { session, thaw } => Some((session, thaw)),
            LeaseState::Frozen => None,
        }
    }
}

/// Watches for one worker.
struct Watcher {
    lease: Option<watch::Receiver<LeaseState>>,
    departures: Option<watch::Receiver<u64>>,
    histories: Option<watch::Receiver<u64>>,
    shutdown: CancellationToken,
    fatal: CancellationToken,
}

impl Watcher {
    async fn run(mut self, changes: mpsc::Sender<Change>) {
        let mut told = false;
        loop {
            let change = tokio::select! {
                () = self.fatal.cancelled() => Change::Fatal,
                () = self.shutdown.cancelled(), if !told => Change::Shutdown,
                () = changed(&mut self.lease) => Change::Lease,
                () = changed(&mut self.departures) => Change::Departed,
                () = changed(&mut self.histories) => Change::Rewritten,
            };
            told |= change == Change::Shutdown;
            if changes.send(change).await.is_err() || change == Change::Fatal {
                return;
            }
        }
    }
}

/// Waits for a change; for ever where nothing changes any more.
async fn changed<T>(watched: &mut Option<watch::Receiver<T>>) {
    if let Some(receiver) = watched
        && receiver.changed().await.is_ok()
    {
        return;
    }
    *watched = None;
    std::future::pending().await
}

impl Worker {
    /// Looks at the lease before anything is done, and at what has changed.
    pub(super) fn look(&mut self) {
        if self.desk.fleet.is_some() {
            let held = self.watches.held().filter(|_| self.desk.in_force());
            match held {
                None => self.freeze(),
                Some((session, thaw)) => self.go_on(session, thaw),
            }
        }
        if std::mem::take(&mut self.watches.departed) {
            self.departed();
        }
        if !self.desk.frozen && std::mem::take(&mut self.watches.rewritten) {
            self.suspect_rewritten();
        }
    }

    fn freeze(&mut self) {
        if self.desk.frozen {
            return;
        }
        warn!(worker = self.desk.index, activations = self.slots.len(), "freeze");
        self.desk.frozen = true;
        self.each(|_| true, || Input::Freeze);
        self.freeze_lingering();
    }

    /// The lease is in force. Whoever finds that it had run out meanwhile has slept through a
    /// freeze.
    fn go_on(&mut self, session: NodeSession, thaw: u64) {
        if !self.desk.frozen && (session, thaw) == (self.desk.session, self.watches.thaw) {
            return;
        }
        self.freeze();
        let reclaim = session != self.desk.session;
        if std::mem::replace(&mut self.watches.begun, true) {
            info!(worker = self.desk.index, session, reclaim, "thaw");
        }
        self.desk.frozen = false;
        self.desk.session = session;
        self.watches.thaw = thaw;
        self.each(|_| true, || Input::Thaw { reclaim });
        self.thaw_lingering();
        self.forgive_silence();
        self.unpark();
    }

    /// Hands an input to every activation that `fits`.
    fn each(&mut self, fits: impl Fn(&super::Cell) -> bool, input: impl Fn() -> Input) {
        let active = self.slots.iter().filter_map(|(id, slot)| match slot {
            Slot::Active(cell) if fits(cell) => Some((id.clone(), cell.born)),
            _ => None,
        });
        let now_ms = self.desk.store.now_ms();
        for (id, born) in active.collect::<Vec<_>>() {
            self.with(&id, born, |cell, desk| cell.handle(desk, now_ms, input()));
        }
    }

    fn suspect_rewritten(&mut self) {
        let store = std::sync::Arc::clone(&self.desk.store);
        let other = |cell: &super::Cell| store.history_of(cell.core.id()) != cell.history;
        self.each(other, || Input::Suspect);
        self.tell_lingering();
    }

    /// Lets some of those read their tip that have not appended for long; the longest first.
    pub(super) fn doubt_the_quiet(&mut self, now_ms: u64) {
        if self.desk.fleet.is_none() {
            return;
        }
        let quiet = self.slots.iter().filter_map(|(id, slot)| match slot {
            Slot::Active(cell) if cell.confirmed_ms + QUIET_MS <= now_ms => {
                Some((cell.confirmed_ms, id.clone(), cell.born))
            }
            _ => None,
        });
        let mut quiet: Vec<_> = quiet.collect();
        if quiet.len() > DOUBTED_MAX {
            quiet.select_nth_unstable(DOUBTED_MAX);
            quiet.truncate(DOUBTED_MAX);
        }
        self.desk.stats.stale_checks.add(quiet.len() as u64);
        for (_, id, born) in quiet {
            self.with(&id, born, |cell, desk| {
                cell.confirmed_ms = now_ms;
                cell.handle(desk, now_ms, Input::Suspect)
            });
        }
    }

    /// Reads the tips that cores have asked for, so many at a time.
    pub(super) fn start_checks(&mut self) {
        while !self.desk.frozen
            && let Some((id, born)) = self.desk.checks.next()
        {
            match self.slots.get_mut(&id) {
                Some(Slot::Active(cell)) if cell.born == born => cell.ask(&mut self.desk),
                _ => {
                    if let Some(cell) = self.lingering.cell(&id, born) {
                        cell.ask(&mut self.desk);
                    }
                }
            }
        }
    }

    /// What a fenced activation knew and the winner lacks goes to lost and found.
    pub(super) fn keep_aside(&mut self, id: &ActorId, lost: Lost) {
        let (epoch, acked, tip) = (lost.epoch, lost.acked, lost.tip);
        error!(actor = %id, epoch, acked, ?tip, "acknowledged records are lost to another history");
        self.desk.stats.lost_tails.add(1);
        self.desk.stats.alarms.add(1);
        let (kept, actor) = (self.desk.lost_found.clone(), id.clone());
        let stats = std::sync::Arc::clone(&self.desk.stats);
        let job = tokio::task::spawn_blocking(move || match kept.keep(&actor, &lost) {
            Ok(Some(path)) => warn!(%actor, path = %path.display(), "kept in lost and found"),
            Ok(None) => {}
            Err(error) => {
                stats.alarms.add(1);
                error!(%actor, %error, "lost and found can't be written");
            }
        });
        self.desk.jobs.push(job.map(|_| Done::Kept).boxed());
    }
}
