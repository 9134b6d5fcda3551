//! Who lingers: activations that were fenced, and those whose actors were given up, while what
//! they acknowledged may still be lost with the primary alone.
//!
//! A lingering holder serves nothing; its actor's slot, mail and sockets go on without it. It is
//! named by actor and term, so that an actor may have a new activation here beside it, which is to
//! it what one on another node is. Stores that keep what they answered by themselves have none.
//!
//! | what happens | what the lingering holder does |
//! |---|---|
//! | its actor was given up in good time, and the store says so | it is forgotten |
//! | another has ended its actor, which is gone | it is forgotten when its time is over |
//! | its time is over | it reads its tip; if that is answered in the history in which its time began, it is forgotten |
//! | the store does not answer, or the node is frozen | it is kept |
//! | the store's history changes | it lets holders come first, and then follows the doubt table |
//! | ... and the store has what it knows, or one who stands higher writes | its time begins anew |
//! | ... and lacks it | it writes it back, confirms, gives the actor up, and its time begins anew |
//! | ... and another line that lacks it has won | what it knew goes to lost and found |
//! | an activation of its actor begins here, in the same history | it is forgotten: that one knows more |
//! | there are too many (I7) | the one with the least time left is forgotten, and counted |
//! | the node drains | the drain waits for it, within its deadline |

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt;
use holdfast_protocol::ids::ActorId;
use tracing::{debug, error, info, warn};

use super::{ROUND_MAX, Worker};
use crate::actor::cell::{Cell, End};
use crate::actor::core::Input;
use crate::actor::desk::{Born, Desk, Done};
use crate::store::{Epoch, History};

/// After a change of history those who serve come first, then those who linger, and then (after
/// the store's grace of two seconds) newcomers. Half of the grace is left for being quiet.
const AFTER_HOLDERS_MS: u64 = 700;
/// I7: holders that linger at a worker, as a part of the activations that it may have.
const PART: usize = 4;

/// One holder, by actor and term.
type Name = (ActorId, Born);

/// Those of one worker.
#[derive(Default)]
pub(super) struct Lingering {
    holders: BTreeMap<Name, Holder>,
    /// When each is to do something next.
    times: BTreeSet<(u64, Name)>,
}

struct Holder {
    cell: Box<Cell>,
    /// The history in which its time began, and in which it knew its tip then.
    since: History,
    /// The newest history that it was told of.
    told: History,
    /// Its term when its time began.
    term: Epoch,
    until_ms: u64,
    booked_ms: Option<u64>,
}

impl Lingering {
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }

    /// When something is to be done next.
    pub fn wake_at_ms(&self) -> u64 {
        self.times.first().map_or(u64::MAX, |(at, _)| *at)
    }

    pub fn cell(&mut self, id: &ActorId, born: Born) -> Option<&mut Cell> {
        self.holders.get_mut(&(id.clone(), born)).map(|holder| &mut *holder.cell)
    }

    fn book(&mut self, name: &Name, at_ms: Option<u64>) {
        let Some(holder) = self.holders.get_mut(name) else { return };
        if let Some(before) = std::mem::replace(&mut holder.booked_ms, at_ms) {
            self.times.remove(&(before, name.clone()));
        }
        if let Some(at_ms) = at_ms {
            self.times.insert((at_ms, name.clone()));
        }
    }

    /// Books the end of its time, or what its core wants.
    fn book_next(&mut self, name: &Name) {
        let next = self.holders.get(name).and_then(|holder| match holder.cell.core.rests() {
            true => Some(holder.until_ms),
            false => holder.cell.core.wake_at_ms(),
        });
        self.book(name, next);
    }

    fn names(&self, fits: impl Fn(&Holder) -> bool) -> Vec<Name> {
        let fitting = self.holders.iter().filter(|(_, holder)| fits(holder));
        fitting.map(|(name, _)| name.clone()).collect()
    }
}

impl Worker {
    /// Whether what an activation acknowledged needs its memory no more.
    pub(super) fn is_stable(&self, cell: &Cell, now_ms: u64) -> bool {
        cell.stored_ms.saturating_add(self.desk.store.stable_after_ms()) <= now_ms
    }

    /// Keeps the memory of an activation that has ended. One whose actor is being given up is
    /// looked at when the store has answered.
    pub(super) fn linger(&mut self, mut cell: Box<Cell>, releasing: bool) {
        let stable_ms = self.desk.store.stable_after_ms();
        // Without a record there is nothing to lose, and no journal to be left behind.
        if stable_ms == 0 || cell.core.seq() == 0 || !self.has_room_to_linger() {
            return;
        }
        cell.core.linger();
        let name = (cell.core.id().clone(), cell.born);
        let (since, term) = (cell.history, cell.core.epoch());
        let told = self.desk.store.history_of(&name.0);
        let until_ms = match told == since {
            true => cell.stored_ms + stable_ms,
            false => self.desk.store.now_ms() + AFTER_HOLDERS_MS,
        };
        let holder = Holder { cell, since, told, term, until_ms, booked_ms: None };
        self.lingering.holders.insert(name.clone(), holder);
        self.desk.stats.lingering.add(1);
        if !releasing {
            self.lingering.book_next(&name);
        }
    }

    /// I7: at the bound, the one with the least time left goes. A drain makes no more of them than
    /// there were activations.
    fn has_room_to_linger(&mut self) -> bool {
        let most = self.config.activations_max.div_ceil(PART);
        if self.draining || self.lingering.holders.len() < most {
            return true;
        }
        self.desk.stats.lingered_short.add(1);
        let holders = &self.lingering.holders;
        let rests = |name: &Name| holders.get(name).is_some_and(|holder| holder.cell.core.rests());
        let first = self.lingering.times.iter().find(|(_, name)| rests(name));
        let Some((_, name)) = first.cloned() else { return false };
        self.forget(&name);
        true
    }

    fn forget(&mut self, name: &Name) {
        self.lingering.book(name, None);
        if self.lingering.holders.remove(name).is_some() {
            self.desk.stats.lingering.sub(1);
        }
    }

    /// Does something with one that lingers, if it is still there.
    pub(super) fn stir(
        &mut self,
        id: &ActorId,
        born: Born,
        act: impl FnOnce(&mut Cell, &mut Desk) -> Option<End>,
    ) {
        let name = (id.clone(), born);
        let Some(holder) = self.lingering.holders.get_mut(&name) else { return };
        let rested = holder.cell.core.rests();
        match act(&mut holder.cell, &mut self.desk) {
            Some(end) => {
                self.forget(&name);
                self.is_lost(id, end);
            }
            None if !rested && holder.cell.core.rests() => self.comes_to_rest(&name),
            None => self.lingering.book_next(&name),
        }
    }

    fn is_lost(&mut self, id: &ActorId, end: End) {
        match end {
            End::Fenced(None) | End::Erased => {}
            End::Fenced(Some(lost)) => self.keep_aside(id, *lost),
            End::Halted(why) => {
                error!(actor = %id, why, "the partition of a lingering holder was wiped");
                self.desk.stats.halted.add(1);
            }
            End::Quarantined(why) => {
                error!(actor = %id, why, "a lingering holder can't explain its journal");
                self.desk.stats.alarms.add(1);
            }
        }
    }

    /// The doubt of one is over: what it knows is in the store, or someone else stands for it.
    fn comes_to_rest(&mut self, name: &Name) {
        let now_ms = self.desk.store.now_ms();
        let Some(holder) = self.lingering.holders.get_mut(name) else { return };
        let (here, term) = (holder.cell.history, holder.cell.core.epoch());
        let wrote = term != holder.term;
        if here == holder.since && !wrote && now_ms >= holder.until_ms {
            debug!(actor = %name.0, "a lingering holder is forgotten");
            return self.forget(name);
        }
        if here != holder.since || wrote {
            (holder.since, holder.term) = (here, term);
            holder.until_ms = now_ms + self.desk.store.stable_after_ms();
        }
        if wrote {
            info!(actor = %name.0, epoch = term, "a lingering holder has written back what it knew");
            self.let_go_again(name);
        } else {
            self.lingering.book_next(name);
        }
    }

    /// Whoever wrote back holds the actor, and serves nothing: it is given up at once.
    fn let_go_again(&mut self, name: &Name) {
        let Some(holder) = self.lingering.holders.get(name) else { return };
        let (epoch, due_ms) = (holder.cell.core.epoch(), holder.cell.core.due_at_ms());
        let released = self.desk.store.release(&name.0, epoch, due_ms);
        self.lingering.book(name, None);
        let (id, born) = name.clone();
        let job = async move {
            if let Err(error) = released.await {
                warn!(actor = %id, epoch, %error, "an actor could not be released");
            }
            Done::Released(id, born, false)
        };
        self.desk.jobs.push(job.boxed());
    }

    /// The store has answered a release; `heard`: it knows.
    pub(super) fn let_go(&mut self, name: &Name, heard: bool) {
        let now_ms = self.desk.store.now_ms();
        let Some(holder) = self.lingering.holders.get(name) else { return };
        let known = heard && self.desk.store.history_of(&name.0) == holder.since;
        if known && holder.cell.core.rests() && now_ms >= holder.until_ms {
            return self.forget(name);
        }
        self.lingering.book_next(name);
    }

    /// Those whose time is over read their tip; others do what they wait for.
    pub(super) fn wake_lingering(&mut self, now_ms: u64) {
        for _ in 0..ROUND_MAX {
            let Some((_, name)) = self.lingering.times.first().filter(|(at, _)| *at <= now_ms)
            else {
                return;
            };
            let (id, born) = name.clone();
            self.lingering.book(&(id.clone(), born), None);
            self.stir(&id, born, |cell, desk| {
                let input = if cell.core.rests() { Input::Suspect } else { Input::Tick };
                cell.handle(desk, now_ms, input)
            });
        }
    }

    /// The store's history may have changed for some.
    pub(super) fn tell_lingering(&mut self) {
        let (store, now_ms) = (std::sync::Arc::clone(&self.desk.store), self.desk.store.now_ms());
        let others = |holder: &Holder| store.history_of(holder.cell.core.id()) != holder.told;
        for name in self.lingering.names(others) {
            let Some(holder) = self.lingering.holders.get_mut(&name) else { continue };
            holder.told = store.history_of(&name.0);
            if holder.cell.core.rests() {
                holder.until_ms = now_ms + AFTER_HOLDERS_MS;
                self.lingering.book_next(&name);
            } else {
                self.stir(&name.0, name.1, |cell, desk| cell.handle(desk, now_ms, Input::Suspect));
            }
        }
    }

    /// The node may not write: those who rest need not.
    pub(super) fn freeze_lingering(&mut self) {
        let now_ms = self.desk.store.now_ms();
        for (id, born) in self.lingering.names(|holder| !holder.cell.core.rests()) {
            self.stir(&id, born, |cell, desk| cell.handle(desk, now_ms, Input::Freeze));
        }
    }

    /// It may again; whether the history changed meanwhile may only be noticed later.
    pub(super) fn thaw_lingering(&mut self) {
        let now_ms = self.desk.store.now_ms();
        for name in self.lingering.names(|_| true) {
            let Some(holder) = self.lingering.holders.get_mut(&name) else { continue };
            if holder.cell.core.rests() {
                holder.until_ms = holder.until_ms.max(now_ms + AFTER_HOLDERS_MS);
                if holder.booked_ms.is_some() {
                    self.lingering.book_next(&name);
                }
            } else {
                let thaw = Input::Thaw { reclaim: false };
                self.stir(&name.0, name.1, |cell, desk| cell.handle(desk, now_ms, thaw));
            }
        }
    }

    /// An activation begins that has read all that these know.
    pub(super) fn supersede(&mut self, id: &ActorId, history: History) {
        let own = (id.clone(), Born::MIN)..=(id.clone(), Born::MAX);
        let known = |holder: &Holder| {
            let same = holder.since == history && holder.told == history;
            same && holder.cell.core.rests()
        };
        let holders = self.lingering.holders.range(own).filter(|(_, holder)| known(holder));
        for name in holders.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.forget(&name);
        }
    }
}
