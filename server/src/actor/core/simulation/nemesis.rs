//! What befalls the world: crashes, take-overs, freezes, appends and reassertions that are lost,
//! late or unanswered, and a store that goes back in time.
//!
//! The store goes back only while its holder lives, and the holder hears of it in time and is left
//! alone for a while: then nothing that was acknowledged may be lost. Others who hold older terms
//! hear of it too, and try to go on. One holder may be late: who has only just claimed, and whose
//! claim is lost while its node is frozen. The one before it goes on, and both can't.
//!
//! Or the store goes back behind a change of hands that no one has loaded yet: then the one before,
//! fenced or given up, lingers, and its memory is all there is.

use std::sync::Arc;

use super::profile::Off;
use super::store::{Taken, entry};
use super::world::{ERRAND, Event, World};
use crate::actor::core::{AppendOut, Ask, Core, Erasure, Input, ReassertOut};

/// How long the driver waits for an answer.
const TIMEOUT_MS: u64 = 60;
/// For how long after the store went back its holders are left alone.
const GRACE_MS: u64 = 1_000;
/// For how long one whose claim was lost is away at most.
const AWAY_MS_MAX: u64 = 1_200;
/// How long the node of one sleeps at most that others end meanwhile.
const SLEEP_MS_MAX: u64 = 30_000;
/// How long a kill may be put off, see [`Event::Kill`].
pub const PUT_OFF_MS_MAX: u64 = GRACE_MS + AWAY_MS_MAX;

impl World {
    pub fn nemesis(&mut self) -> Result<(), String> {
        if !self.faulty() {
            return Ok(());
        }
        let actor = self.rng.index(ERRAND + 1);
        let journal = &self.journals[actor];
        let at_peace = self.now_ms >= journal.grace_ms && journal.exists;
        if let Some(a) = self.current[actor].filter(|_| at_peace) {
            let safe = !self.activations[a].frozen || self.rivals(actor, a).is_empty();
            let fate = self.rng.below(9);
            // Who slept through an end and a change of history would not know of the end.
            let fate = if self.is_slept_through(actor) { fate % 4 } else { fate };
            match fate {
                0 | 1 => self.kill(a),
                2 | 3 if actor == ERRAND && self.rng.one_in(2) => self.sleep(actor, a)?,
                2 => {
                    self.take_over(actor)?;
                }
                3 => {
                    let ms = 1 + self.rng.below(600);
                    self.freeze(a, ms)?;
                }
                4 | 5 if safe => {
                    // Who was just taken over contends.
                    let holder = if self.rng.one_in(2) { a } else { self.take_over(actor)? };
                    self.go_back(actor, holder)?;
                }
                6 if !self.activations[a].frozen => self.forget_claim(actor)?,
                7 if !self.activations[a].frozen => self.lose_successor(actor, a)?,
                _ => {}
            }
        }
        let ms = 20 + self.rng.below(self.profile.crash_ms);
        self.after(ms, Event::Nemesis);
        Ok(())
    }

    /// A new activation claims; the old one goes on for a while and does not know.
    pub fn take_over(&mut self, actor: usize) -> Result<usize, String> {
        let at_peace = self.now_ms >= self.journals[actor].grace_ms;
        if let Some(old) = self.current[actor].take_if(|_| at_peace) {
            let ms = 1 + self.rng.below(self.profile.stale_ms - 1);
            self.after(ms, Event::Kill(old));
        }
        self.activate(actor)
    }

    /// The node of one sleeps for long, and another claims the actor and may end it.
    fn sleep(&mut self, actor: usize, a: usize) -> Result<(), String> {
        if self.activations[a].frozen {
            return Ok(());
        }
        let ms = 1_000 + self.rng.below(SLEEP_MS_MAX);
        self.freeze(a, ms)?;
        self.current[actor] = None;
        let awake_ms = 1 + self.rng.below(self.profile.stale_ms - 1);
        self.after(ms + awake_ms, Event::Kill(a));
        self.activate(actor).map(|_| ())
    }

    /// Whether someone sleeps who has held the errand.
    fn is_slept_through(&self, actor: usize) -> bool {
        let sleeps = |a: &usize| self.activations[*a].frozen;
        actor == ERRAND && self.rivals(actor, usize::MAX).iter().any(sleeps)
    }

    fn freeze(&mut self, a: usize, ms: u64) -> Result<(), String> {
        if self.activations[a].frozen {
            return Ok(());
        }
        self.handle(a, Input::Freeze)?;
        self.activations[a].frozen = true;
        self.after(ms, Event::Thaw(a));
        Ok(())
    }

    /// Others of the actor that are in memory.
    fn rivals(&self, actor: usize, holder: usize) -> Vec<usize> {
        let activations = self.activations.iter().enumerate();
        let lives = activations.filter(|(_, one)| one.actor == actor && one.core.is_some());
        lives.map(|(a, _)| a).filter(|a| *a != holder).collect()
    }

    fn go_back(&mut self, actor: usize, holder: usize) -> Result<(), String> {
        let (lost, markers) = (self.rng.below(5), self.rng.index(3));
        let journal = &mut self.journals[actor];
        let records = journal.tip().saturating_sub(lost);
        journal.grace_ms = self.now_ms + GRACE_MS;
        journal.go_back(records, markers)?;
        self.handle(holder, Input::Suspect)?;
        self.rivals_hear(actor, holder);
        Ok(())
    }

    fn rivals_hear(&mut self, actor: usize, holder: usize) {
        for a in self.rivals(actor, holder) {
            let ms = 1 + self.rng.below(30);
            self.after(ms, Event::Into(a, Input::Suspect));
        }
    }

    /// A claim is lost with its primary, and who made it is away until after the quiet time; it
    /// has said nothing yet. The one that it took over from may go on, or they contend.
    fn forget_claim(&mut self, actor: usize) -> Result<(), String> {
        let holder = self.take_over(actor)?;
        let ms = 200 + self.rng.below(AWAY_MS_MAX - 200);
        self.freeze(holder, ms)?;
        let journal = &mut self.journals[actor];
        journal.grace_ms = self.now_ms + ms + GRACE_MS;
        journal.forget_claim()?;
        self.activations[holder].late = true;
        self.rivals_hear(actor, holder);
        Ok(())
    }

    /// The actor changes hands, and who claimed it dies before it has read a record.
    fn lose_successor(&mut self, actor: usize, a: usize) -> Result<(), String> {
        self.journals[actor].grace_ms = self.now_ms + GRACE_MS;
        self.journals[actor].claim(self.now_ms, false)?;
        let idle = self.activations[a].core.as_ref().is_some_and(Core::is_idle);
        if idle && self.rng.one_in(2) {
            return self.linger(a);
        }
        self.activations[a].lost_successor = true;
        self.handle(a, Input::Suspect)
    }

    /// One that was given up or fenced lingers; the store goes back behind that.
    fn linger(&mut self, a: usize) -> Result<(), String> {
        let actor = self.activations[a].actor;
        self.cut(a);
        match self.activations[a].core.as_mut() {
            Some(core) if self.off != Some(Off::Linger) => core.linger(),
            _ => self.kill(a),
        }
        self.go_back(actor, a)
    }

    /// One learns that another writes. Only who was late may be the one that claimed last; then
    /// whoever went on in its absence is the holder.
    pub fn fenced(&mut self, a: usize) -> Result<(), String> {
        let actor = self.activations[a].actor;
        if std::mem::take(&mut self.activations[a].lost_successor) {
            return self.linger(a);
        }
        if self.current[actor] == Some(a) {
            let epoch = self.journals[actor].epoch;
            let writes = |a: &usize| {
                self.activations[*a].core.as_ref().is_some_and(|core| core.epoch() == epoch)
            };
            let other = self.rivals(actor, a).into_iter().find(writes);
            if !self.activations[a].late {
                return Err("the newest claim was fenced".into());
            }
            self.current[actor] = other;
            if other.is_none() {
                self.after(1, Event::Adopt(actor));
            }
        }
        self.kill(a);
        Ok(())
    }

    /// Sends an erasure, with the fate that it meets.
    pub fn send_erase(&mut self, a: usize, ask: Ask, seq: u64) {
        let actor = self.activations[a].actor;
        let Some(epoch) = self.activations[a].core.as_ref().map(Core::epoch) else { return };
        let ms = self.store_ms(actor);
        let erase = Event::AtErase(a, ask, (epoch, seq));
        if self.faulty() && self.rng.one_in(4) {
            // Never arrives, or late.
            let doubt = Input::Erased(ask, Erasure::Doubt);
            self.after(TIMEOUT_MS, Event::Into(a, doubt));
            if self.rng.one_in(2) {
                return;
            }
            let late_ms = self.rng.below(5 * TIMEOUT_MS);
            return self.after(ms + late_ms, erase);
        }
        self.after(ms, erase);
    }

    pub fn at_erase(&mut self, a: usize, ask: Ask, (epoch, seq): (u64, u64)) -> Result<(), String> {
        let (actor, now_ms) = (self.activations[a].actor, self.now_ms);
        let life = self.journals[actor].life;
        let erasure = self.journals[actor].erase(now_ms, epoch, seq)?;
        self.conserved()?;
        let undone = self.faulty() && self.rng.one_in(4) && !self.is_slept_through(actor);
        if self.journals[actor].life != life && undone {
            let ms = 1 + self.rng.below(40);
            self.after(ms, Event::Unerase(actor, life));
        }
        let ms = self.store_ms(actor);
        let lost = self.faulty() && self.rng.one_in(4);
        let answer = if lost { Erasure::Doubt } else { erasure };
        self.after(ms, Event::Into(a, Input::Erased(ask, answer)));
        Ok(())
    }

    /// The store goes back behind an erasure, if the actor has no new life yet. It is due there,
    /// so that someone finds it.
    pub fn unerase(&mut self, actor: usize, life: u32) -> Result<(), String> {
        let grace_ms = self.now_ms + GRACE_MS;
        if self.journals[actor].unerase(life, grace_ms)? {
            self.rivals_hear(actor, usize::MAX);
            self.at(grace_ms, Event::Adopt(actor));
        }
        Ok(())
    }

    /// Nothing is left of the actor.
    pub fn ended(&mut self, a: usize) {
        let actor = self.activations[a].actor;
        if self.current[actor] == Some(a) {
            self.current[actor] = None;
        }
        self.activations[a].core = None;
    }

    /// The way to the store or back, for all but appends.
    pub fn store_ms(&mut self, actor: usize) -> u64 {
        let ms = self.delay();
        if self.now_ms < self.journals[actor].grace_ms { ms.min(15) } else { ms }
    }

    /// Sends an append, with the fate that it meets.
    pub fn append(&mut self, a: usize, append: AppendOut) -> Result<(), String> {
        let line = &mut self.activations[a].line;
        if append.seq > line.len() as u64 {
            line.push(Arc::new(entry(&append)?));
        }
        let timeout = Input::AppendDoubt(append.append_id);
        self.after(TIMEOUT_MS, Event::Into(a, timeout));
        let (there, back) = (1 + self.rng.below(10), 1 + self.rng.below(10));
        let fate = if self.faulty() { self.rng.below(24) } else { 24 };
        match fate {
            0 => {}
            1 => self.after(there, Event::AtStore(a, append, None)),
            2 | 3 => {
                let there = there + self.rng.below(400);
                self.after(there, Event::AtStore(a, append, Some(back)));
            }
            4 => {
                let back = back + self.rng.below(400);
                self.after(there, Event::AtStore(a, append, Some(back)));
            }
            _ => self.after(there, Event::AtStore(a, append, Some(back))),
        }
        Ok(())
    }

    pub fn answered(&mut self, a: usize, append_id: u64, taken: Taken) -> Result<(), String> {
        let unsure = taken == Taken::Repeated && self.rng.one_in(2);
        match taken {
            Taken::Applied | Taken::Repeated if !unsure => {
                self.handle(a, Input::Appended(append_id))
            }
            _ => self.handle(a, Input::AppendDoubt(append_id)),
        }
    }

    pub fn send_reassert(&mut self, a: usize, out: ReassertOut) {
        let ms = self.store_ms(self.activations[a].actor);
        if self.faulty() && self.rng.one_in(8) {
            // Never arrives, or late.
            self.after(TIMEOUT_MS, Event::Into(a, Input::Reasserted(out.ask, Err(()))));
            if self.rng.one_in(2) {
                return;
            }
            let late_ms = self.rng.below(2 * TIMEOUT_MS);
            return self.after(ms + late_ms, Event::AtReassert(a, out));
        }
        self.after(ms, Event::AtReassert(a, out));
    }

    pub fn at_reassert(&mut self, a: usize, out: &ReassertOut) -> Result<(), String> {
        let (actor, now_ms) = (self.activations[a].actor, self.now_ms);
        let line = &self.activations[a].line;
        let result = self.journals[actor].reassert(now_ms, out, line)?;
        self.conserved()?;
        let ms = self.store_ms(actor);
        let lost = self.faulty() && self.rng.one_in(5);
        let answer = if lost { Err(()) } else { Ok(result) };
        self.after(ms, Event::Into(a, Input::Reasserted(out.ask, answer)));
        Ok(())
    }
}
