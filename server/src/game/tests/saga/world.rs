//! The world of the saga: three actors, the lines between them, a clock, and what goes wrong.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::super::world::START_MS;
use super::actors::{Command, Decisions, Durable, Input, Who};
use super::lines::{LINES, Line, Note, line_of};
use super::{Bounds, Saga};

/// How far a store goes back at most, in milliseconds.
pub const BACK_MS: u64 = 60_000;

/// How long a tell is under way at most, and how late a timer is, for each time that something is
/// late, in milliseconds.
const LATE_MS: u64 = 60_000;

/// What a store that goes back has of an actor.
#[derive(Clone, Debug)]
struct Saved {
    actor: Arc<Durable>,
    /// The actor's outboxes, and its watermarks, by line.
    outboxes: [VecDeque<Note>; 4],
    heard: [u16; 4],
    /// When the first record was written that is lost.
    at_ms: u64,
}

/// A state of the world.
#[derive(Clone, Debug)]
pub struct World {
    pub actors: [Arc<Durable>; 3],
    lines: [Line; 4],
    pub now_ms: u64,
    /// Rounds of questions that were begun.
    pub rounds: u8,
    /// How often time passed with mail under way.
    late: u8,
    pub begun: bool,
    saved: Option<Arc<Saved>>,
    /// A store has gone back.
    pub back: bool,
    spent: bool,
    /// A tell of before the end was heard by a trade that was erased.
    again: u8,
    first: Option<Note>,
    pub alarm: Option<Arc<str>>,
    pub twice: bool,
}

/// What happens next. `save`: the store keeps the victim's state of just before.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Command {
        who: Who,
        command: Command,
        save: bool,
    },
    Deliver {
        from: Who,
        to: Who,
        save: bool,
    },
    Stray {
        from: Who,
        to: Who,
    },
    Timer {
        who: Who,
        name: String,
        save: bool,
        late: bool,
    },
    /// Of what was heard since, so much of each line's was acknowledged.
    GoBack {
        acked: [usize; 2],
    },
    Spend,
    /// An erased trade hears again what began it.
    Again,
}

impl World {
    pub fn new(bounds: &Bounds) -> Self {
        Self {
            actors: [(Who::A, 100), (Who::B, bounds.gold), (Who::T, 0)]
                .map(|(who, gold)| Arc::new(Durable::fresh(who, gold))),
            lines: Default::default(),
            now_ms: START_MS,
            rounds: 0,
            late: 0,
            begun: false,
            saved: None,
            back: false,
            spent: false,
            again: 0,
            first: None,
            alarm: None,
            twice: false,
        }
    }

    pub fn actor(&self, who: Who) -> &Durable {
        &self.actors[who as usize]
    }

    /// No tell of an outbox is under way.
    pub fn is_quiet(&self) -> bool {
        self.lines.iter().all(|line| line.waiting().is_none())
    }

    /// Nothing will happen any more, unless something goes wrong.
    pub fn is_done(&self) -> bool {
        self.begun && self.is_quiet() && self.actors.iter().all(|actor| actor.timers.is_empty())
    }

    pub fn passed_ms(&self) -> u64 {
        self.now_ms - START_MS
    }

    fn timers(&self) -> impl Iterator<Item = (Who, &String, u64)> {
        let of = |who: Who| self.actor(who).timers.iter().map(move |(name, at)| (who, name, *at));
        Who::ALL.into_iter().flat_map(of)
    }

    fn may_go_back(&self) -> bool {
        let recent = |saved: &Arc<Saved>| self.now_ms - saved.at_ms <= BACK_MS;
        !self.back && self.saved.as_ref().is_some_and(recent)
    }

    /// What the victim heard since the store's state, by incoming line.
    fn heard_since(&self, victim: Who) -> [usize; 2] {
        let Some(saved) = &self.saved else { return [0, 0] };
        let mut counts = incoming(victim).map(|at| {
            let line = &self.lines[at];
            let is_since = |note: &&Note| note.id > saved.heard[at] && note.id <= line.heard;
            line.outbox.iter().filter(is_since).count()
        });
        std::array::from_fn(|_| counts.next().unwrap_or_default())
    }

    /// Whether a victim may spend what it has twice now without that a loss is due: nobody has
    /// asked it yet.
    fn may_spend(&self, bounds: &Bounds) -> bool {
        let Some(victim) = bounds.victim.filter(|_| bounds.spends && self.back && !self.spent)
        else {
            return false;
        };
        let (stage, _) = self.actor(Who::T).stage();
        let before = ["new", "offering", "open"].contains(&&*stage);
        before && self.lines[line_of(victim, Who::T)].strays.is_empty()
    }
}

fn incoming(victim: Who) -> impl Iterator<Item = usize> {
    (0..LINES.len()).filter(move |at| LINES[*at].1 == victim)
}

/// What may happen.
pub fn steps(saga: &Saga, world: &World, steps: &mut Vec<Step>) {
    let bounds = &saga.bounds;
    let saves = |who: Who| {
        let may = bounds.victim == Some(who) && !world.back && world.saved.is_none();
        [false, true].into_iter().take(1 + usize::from(may))
    };
    let may_late = world.late < bounds.late;
    for (who, commands) in [(Who::A, bounds.a), (Who::B, bounds.b)] {
        for command in commands.iter().copied() {
            let begins = matches!(command, Command::Offer | Command::Gift);
            if world.actor(who).used & command.bit() == 0 && begins != world.begun {
                steps.extend(saves(who).map(|save| Step::Command { who, command, save }));
            }
        }
    }
    for (line, (from, to)) in world.lines.iter().zip(LINES) {
        if let Some(note) = line.waiting() {
            let lost = to == Who::T && !world.actor(to).exists && !note.creates;
            let who = if lost { from } else { to };
            steps.extend(saves(who).map(|save| Step::Deliver { from, to, save }));
        }
        let is_there = |note: &Note| world.actor(to).exists || note.creates;
        if line.stray().is_some_and(is_there) {
            steps.push(Step::Stray { from, to });
        }
    }
    let first_ms = world.timers().map(|timer| timer.2).min();
    let quiet = world.is_quiet();
    let strays = world.lines.iter().any(|line| !line.strays.is_empty());
    for (who, name, at_ms) in world.timers() {
        let mut fire = |late: bool| {
            let step = |save| Step::Timer { who, name: name.clone(), save, late };
            steps.extend(saves(who).map(step));
        };
        let is_next = at_ms <= world.now_ms || Some(at_ms) == first_ms && quiet;
        if is_next {
            fire(false);
        }
        let from_ms = first_ms.filter(|_| quiet).unwrap_or_default().max(world.now_ms);
        let soon_ms = from_ms + LATE_MS;
        if may_late && at_ms <= soon_ms && (!is_next || strays && at_ms > world.now_ms) {
            fire(true);
        }
    }
    if let Some(victim) = bounds.victim.filter(|_| world.may_go_back()) {
        let heard = world.heard_since(victim);
        for first in 0..=heard[0] {
            steps.extend((0..=heard[1]).map(|other| Step::GoBack { acked: [first, other] }));
        }
    }
    if world.may_spend(bounds) {
        steps.push(Step::Spend);
    }
    if world.again < bounds.again && world.begun && !world.actor(Who::T).exists {
        steps.push(Step::Again);
    }
}

/// What comes of it. None: nothing.
pub fn next(saga: &Saga, world: &World, step: Step) -> Option<World> {
    let mut next = world.clone();
    let bounds = &saga.bounds;
    match step {
        Step::Command { who, command, save } => {
            next.save(save.then_some(who));
            next.begun = true;
            next.act(&saga.decisions, who, &Input::Command(command))?;
        }
        Step::Deliver { from, to, save } => {
            let at = line_of(from, to);
            let note = next.lines[at].waiting()?.clone();
            if to == Who::T && !next.actor(to).exists && !note.creates {
                next.save(save.then_some(from));
                next.lines[at].outbox.retain(|other| other.id != note.id);
                next.act(&saga.decisions, from, &Input::Undelivered(to, note.payload));
            } else {
                next.save(save.then_some(to));
                let keep = bounds.victim == Some(to) && !next.back && next.saved.is_some();
                next.lines[at].hear(note.id, keep);
                next.act(&saga.decisions, to, &Input::Tell(from, note.payload));
            }
        }
        Step::Stray { from, to } => {
            let at = line_of(from, to);
            let note = next.lines[at].stray()?.clone();
            next.lines[at].hear(note.id, false);
            next.act(&saga.decisions, to, &Input::Tell(from, note.payload));
        }
        Step::Timer { who, name, save, late } => {
            next.save(save.then_some(who));
            next.late += u8::from(late);
            let at_ms = next.actor(who).timers[&name];
            if at_ms > next.now_ms {
                next.now_ms = at_ms;
                next.lines.iter_mut().filter(|_| !late).for_each(|line| line.strays.clear());
            }
            next.act(&saga.decisions, who, &Input::Timer(name));
        }
        Step::GoBack { acked } => next.go_back(bounds.victim?, acked),
        Step::Spend => {
            let victim = bounds.victim?;
            next.spent = true;
            next.actors[victim as usize] = Arc::new(next.actor(victim).spend());
        }
        Step::Again => {
            next.again += 1;
            let note = next.first.clone()?;
            next.act(&saga.decisions, Who::T, &Input::Tell(Who::A, note.payload));
        }
    }
    next.erase();
    Some(next)
}

impl World {
    fn save(&mut self, who: Option<Who>) {
        let Some(who) = who else { return };
        let mut saved = Saved {
            actor: Arc::clone(&self.actors[who as usize]),
            outboxes: Default::default(),
            heard: Default::default(),
            at_ms: self.now_ms,
        };
        for (at, line) in self.lines.iter().enumerate() {
            if LINES[at].0 == who {
                saved.outboxes[at] = line.outbox.clone();
            }
            saved.heard[at] = line.heard;
        }
        self.saved = Some(Arc::new(saved));
    }

    /// One decision, and what leaves with it.
    fn act(&mut self, decisions: &Decisions, who: Who, input: &Input) -> Option<()> {
        let random = if who == Who::T { u64::from(self.rounds) + 1 } else { 0 };
        let outcome = decisions.decide(who, self.actor(who), input, self.now_ms, random)?;
        self.actors[who as usize] = Arc::clone(&outcome.actor);
        self.rounds += u8::from(outcome.asked);
        self.twice |= outcome.twice;
        self.alarm = self.alarm.take().or(outcome.alarms.first().map(|text| text.as_str().into()));
        for (to, payload, creates) in &outcome.tells {
            let line = &mut self.lines[line_of(who, *to)];
            let note = line.tell(payload.clone(), *creates);
            self.first.get_or_insert(note);
        }
        Some(())
    }

    fn go_back(&mut self, victim: Who, acked: [usize; 2]) {
        let Some(saved) = self.saved.take() else { return };
        self.back = true;
        self.actors[victim as usize] = Arc::clone(&saved.actor);
        for (at, (from, to)) in LINES.into_iter().enumerate() {
            let line = &mut self.lines[at];
            if from == victim {
                let kept = &saved.outboxes[at];
                let is_lost = |note: &Note| kept.iter().all(|kept| kept.id != note.id);
                let heard = line.heard;
                let is_unheard = |note: &&Note| note.id > heard;
                let lost = line.outbox.iter().filter(|note| is_lost(note));
                line.strays = lost.filter(is_unheard).cloned().collect();
                line.outbox = kept.iter().filter(is_unheard).cloned().collect();
            }
            if to == victim {
                let nth = incoming(victim).position(|incoming| incoming == at).unwrap();
                line.outbox.drain(..acked[nth].min(line.outbox.len()));
                line.heard = saved.heard[at];
            }
        }
    }

    /// A trade that is over is gone when its last words have arrived.
    fn erase(&mut self) {
        let trade = self.actor(Who::T);
        let own = [line_of(Who::T, Who::A), line_of(Who::T, Who::B)];
        let silent = own.iter().all(|at| self.lines[*at].waiting().is_none());
        if trade.is_over() && silent && trade.timers.is_empty() {
            self.actors[Who::T as usize] = Arc::new(Durable::fresh(Who::T, 0));
            own.iter().for_each(|at| self.lines[*at].outbox.clear());
            incoming(Who::T).for_each(|at| {
                let heard = std::mem::take(&mut self.lines[at].heard);
                self.lines[at].outbox.retain(|note| note.id > heard);
            });
        }
    }

    /// Of a line's ids only the order counts.
    fn hash_line(&self, at: usize, hasher: &mut impl Hasher) {
        let line = &self.lines[at];
        let saved = self.saved.as_deref();
        let kept = saved.map(|saved| &saved.outboxes[at]);
        let notes = line.outbox.iter().chain(&line.strays).chain(kept.into_iter().flatten());
        let mut ids: Vec<_> = notes.clone().map(|note| note.id).collect();
        ids.push(line.heard);
        ids.extend(saved.map(|saved| saved.heard[at]));
        ids.sort_unstable();
        ids.dedup();
        let rank = |id: u16| ids.partition_point(|other| *other < id);
        notes.for_each(|note| (note.print, note.creates, rank(note.id)).hash(hasher));
        (line.outbox.len(), line.strays.len(), rank(line.heard)).hash(hasher);
        saved.map(|saved| rank(saved.heard[at])).hash(hasher);
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.actors.iter().for_each(|actor| actor.print.hash(hasher));
        (0..LINES.len()).for_each(|at| self.hash_line(at, hasher));
        let saved = self.saved.as_ref().map(|saved| (saved.actor.print, saved.at_ms));
        (saved, self.now_ms, self.rounds, self.late, self.begun, self.back).hash(hasher);
        (self.spent, self.again, &self.alarm, self.twice).hash(hasher);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        let print = |world: &Self| {
            let mut hasher = DefaultHasher::new();
            world.hash(&mut hasher);
            hasher.finish()
        };
        print(self) == print(other)
    }
}
