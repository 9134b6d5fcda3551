//! The world: virtual time, one seeded generator, a queue of what is on its way, and the driver
//! of every activation, with the faults it is given.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;

use super::client::Client;
use super::profile::{Off, Profile, Rng, limits, profile};
use super::rules::{Account, Cmd, name};
use super::store::{Entry, Journal, Taken};
use crate::actor::activity::Failure;
use crate::actor::core::{
    AppendOut, Ask, Core, Input, Output, ReassertOut, RunOut, Start, Tell, Verdict,
};
use crate::actor::envelope::{Attach, Command, Delivery};
use crate::actor::kind::Kind;
use crate::actor::record::TellId;

/// Actors with clients.
pub const ACTORS: usize = 3;
/// One that others bring into being by what they give it. It passes that on, and is over.
pub const ERRAND: usize = 3;
/// One that is spoken of and does not exist.
pub const NOBODY: usize = 4;
/// The one that may not exist at first.
pub const LATECOMER: usize = 2;
/// When everything must have come to rest.
const END_MS: u64 = 120_000;
const START_MS: u64 = 1_000_000;
const STEPS_MAX: u32 = 60_000;

/// What a client sends.
#[derive(Debug)]
pub enum Packet {
    Attach(u64, Attach),
    Command(Command),
    Read(u64, u64),
    Gone(u64),
}

/// What one actor sends to another.
#[derive(Debug, Clone)]
pub enum Letter {
    Tell(Tell),
    Verdict(TellId, Verdict),
    Settled(TellId),
    AskSettled(TellId),
}

/// Something on its way.
#[derive(Debug)]
pub enum Event {
    Nemesis,
    Act(usize),
    Service,
    Kill(usize),
    Adopt(usize),
    Tick(usize),
    AtStore(usize, AppendOut, Option<u64>),
    Answered(usize, u64, Taken),
    ReadTip(usize, Ask),
    AtReassert(usize, ReassertOut),
    Thaw(usize),
    AtSnapshot(usize, u64, Bytes),
    AtErase(usize, Ask, (u64, u64)),
    Unerase(usize, u32),
    Into(usize, Input),
    Letter(usize, ActorId, Letter),
    Up(usize, Packet),
    Down(usize, u64, Delivery),
    Cut(usize, u64),
}

/// An activation and what its driver knows.
pub struct Activation {
    pub actor: usize,
    pub core: Option<Core>,
    /// Of its actor, which may have had several.
    pub life: u32,
    /// The records that it has in memory.
    pub line: Vec<Arc<Entry>>,
    pub frozen: bool,
    /// It was away when another could go on in a new history.
    pub late: bool,
    /// Another has claimed, and dies before it has read anything.
    pub lost_successor: bool,
    /// The version of the state that others have been shown.
    pub shown: u64,
    tick_ms: Option<u64>,
    runs: Vec<RunOut>,
}

/// A socket: whose, to which activation, and how far its two directions are.
pub struct Socket {
    pub client: usize,
    pub activation: usize,
    pub session: u64,
    pub up_ms: u64,
    pub down_ms: u64,
}

/// A service that calls with keys until it has an answer.
#[derive(Default)]
pub struct Service {
    pub open: BTreeMap<u64, (usize, Cmd, u64)>,
    pub answered: BTreeMap<u64, (usize, Cmd, bool)>,
    pub callers: BTreeMap<u64, u64>,
    pub caller: u64,
}

pub struct World {
    pub now_ms: u64,
    pub rng: Rng,
    pub profile: Profile,
    pub off: Option<Off>,
    trace: bool,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    tie: u64,
    pub journals: Vec<Journal>,
    pub activations: Vec<Activation>,
    pub current: Vec<Option<usize>>,
    pub clients: Vec<Client>,
    pub sockets: BTreeMap<u64, Socket>,
    pub connection: u64,
    pub nonce: u64,
    pub service: Service,
    pub steps: u32,
}

impl World {
    pub fn new(seed: u64, off: Option<Off>, trace: bool) -> Self {
        let kind = Kind::of::<Account>(Arc::new(()));
        let mut rng = Rng(seed);
        let journal = |i| Journal::new(name(i), &kind, off != Some(Off::Fence));
        let mut world = Self {
            now_ms: START_MS,
            profile: profile(seed),
            off,
            trace,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            tie: 0,
            journals: (0..=ERRAND).map(journal).collect(),
            activations: Vec::new(),
            current: vec![None; ERRAND + 1],
            clients: (0..ACTORS).map(|i| Client::new(i, 8 + rng.below(16) as u32)).collect(),
            sockets: BTreeMap::new(),
            connection: 0,
            nonce: 0,
            service: Service::default(),
            steps: 0,
            rng,
        };
        for client in 0..ACTORS {
            // One may come into being while others tell it things.
            let late = client == LATECOMER && world.rng.one_in(2);
            let ms = if late { world.rng.below(world.profile.faults_ms) } else { 0 };
            world.after(1 + ms, Event::Act(client));
            world.journals[client].exists = !late;
        }
        world.after(100, Event::Service);
        world.after(100, Event::Nemesis);
        world
    }

    /// Runs until all is at rest. Returns what went wrong.
    pub fn run(&mut self) -> Result<(), String> {
        while let Some(Reverse((at_ms, tie))) = self.queue.pop() {
            self.now_ms = at_ms;
            self.steps += 1;
            if self.steps > STEPS_MAX || at_ms > START_MS + END_MS {
                return Err(format!("I5: no rest: {}", self.unrest()));
            }
            let event = self.events.remove(&tie).unwrap();
            if self.trace {
                let text = format!("{event:?}");
                eprintln!("{:>7} {}", at_ms - START_MS, text.get(..300).unwrap_or(&text));
            }
            self.step(event)?;
        }
        self.at_rest()
    }

    pub fn faults_end_ms(&self) -> u64 {
        START_MS + self.profile.faults_ms
    }

    pub fn faulty(&self) -> bool {
        self.now_ms < self.faults_end_ms()
    }

    pub fn after(&mut self, ms: u64, event: Event) {
        self.at(self.now_ms + ms, event);
    }

    pub fn at(&mut self, ms: u64, event: Event) {
        self.tie += 1;
        self.queue.push(Reverse((ms, self.tie)));
        self.events.insert(self.tie, event);
    }

    pub fn delay(&mut self) -> u64 {
        if self.faulty() && self.rng.one_in(20) {
            return 100 + self.rng.below(self.profile.late_ms - 100);
        }
        1 + self.rng.below(15)
    }

    fn step(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Nemesis => self.nemesis(),
            Event::Act(client) => self.act(client),
            Event::Service => self.call(),
            Event::Kill(a) => {
                let actor = self.activations[a].actor;
                let grace_ms = self.journals[actor].grace_ms;
                if self.current[actor] == Some(a) && self.now_ms < grace_ms {
                    // It has become the holder again.
                    self.at(grace_ms, Event::Kill(a));
                } else {
                    self.kill(a);
                }
                Ok(())
            }
            Event::Adopt(actor) if !self.journals[actor].exists => Ok(()),
            Event::Adopt(actor) => self.activate(actor).map(|_| ()),
            Event::Tick(a) => {
                self.activations[a].tick_ms = None;
                self.handle(a, Input::Tick)?;
                self.passivate(a);
                Ok(())
            }
            Event::AtStore(a, append, answer_ms) => {
                let taken = self.journals[self.activations[a].actor].append(&append)?;
                self.conserved()?;
                if let Some(ms) = answer_ms {
                    self.after(ms, Event::Answered(a, append.append_id, taken));
                }
                Ok(())
            }
            Event::Answered(a, append_id, taken) => self.answered(a, append_id, taken),
            Event::ReadTip(a, ask) => {
                let actor = self.activations[a].actor;
                let (tip, ms) = (self.journals[actor].read_tip(), self.store_ms(actor));
                let read = match self.journals[actor].exists {
                    true => Input::Tip(ask, Some(tip)),
                    false => Input::Gone(ask, tip.history),
                };
                self.after(ms, Event::Into(a, read));
                Ok(())
            }
            Event::AtReassert(a, out) => self.at_reassert(a, &out),
            Event::Thaw(a) => {
                self.activations[a].frozen = false;
                let reclaim = self.rng.one_in(2);
                self.handle(a, Input::Thaw { reclaim })
            }
            Event::AtSnapshot(a, seq, bytes) => self.at_snapshot(a, seq, bytes),
            Event::AtErase(a, ask, tip) => self.at_erase(a, ask, tip),
            Event::Unerase(actor, life) => self.unerase(actor, life),
            Event::Into(a, input) => self.handle(a, input),
            Event::Letter(to, from, letter) => self.letter(to, &from, letter),
            Event::Up(socket, packet) => self.up(socket, packet),
            Event::Down(client, connection, delivery) => self.down(client, connection, delivery),
            Event::Cut(client, connection) => {
                if self.clients[client].connection == Some(connection) {
                    self.clients[client].lose();
                }
                Ok(())
            }
        }
    }

    /// Everything in memory is gone; sockets break. Whoever adopts comes later.
    pub fn kill(&mut self, a: usize) {
        let actor = self.activations[a].actor;
        if self.activations[a].core.take().is_none() {
            return;
        }
        if self.current[actor] == Some(a) {
            self.current[actor] = None;
            let ms = self.delay();
            self.after(ms, Event::Adopt(actor));
        }
        self.cut(a);
    }

    pub fn cut(&mut self, a: usize) {
        let broken = self.sockets.iter().filter(|(_, s)| s.activation == a);
        let broken: Vec<_> = broken.map(|(&id, s)| (s.client, id)).collect();
        for (client, id) in broken {
            let ms = self.delay();
            self.after(ms, Event::Cut(client, id));
        }
    }

    /// An idle activation is let go; it must come back when something is due.
    fn passivate(&mut self, a: usize) {
        let now_ms = self.now_ms;
        let Some(core) = self.activations[a].core.as_ref() else { return };
        let actor = self.activations[a].actor;
        if !core.can_passivate(now_ms, 100) || self.current[actor] != Some(a) {
            return;
        }
        if self.rng.one_in(2) {
            let due_ms = core.due_at_ms();
            self.activations[a].core = None;
            self.current[actor] = None;
            self.cut(a);
            if let Some(due_ms) = due_ms {
                self.at(due_ms.max(now_ms + 1), Event::Adopt(actor));
            }
        }
    }

    pub fn activate(&mut self, actor: usize) -> Result<usize, String> {
        if let Some(a) = self.current[actor] {
            return Ok(a);
        }
        let older = self.rng.one_in(6);
        let (durable, since_snapshot) = self.journals[actor].claim(self.now_ms, older)?;
        let (epoch, seq) = (self.journals[actor].epoch, self.journals[actor].tip());
        let (history, terms) = (self.journals[actor].history, self.journals[actor].terms());
        let line = self.journals[actor].entries.clone();
        let (id, seed) = (name(actor), self.rng.next());
        let start = Start {
            id,
            epoch,
            seq,
            history,
            terms,
            durable,
            since_snapshot,
            limits: limits(self.profile).into(),
            seed,
        };
        let mut core = Core::new(start);
        core.off = match self.off {
            Some(Off::Core(guard)) => Some(guard),
            _ => None,
        };
        self.activations.push(Activation {
            actor,
            core: Some(core),
            life: self.journals[actor].life,
            line,
            frozen: false,
            late: false,
            lost_successor: false,
            shown: 0,
            tick_ms: None,
            runs: Vec::new(),
        });
        let a = self.activations.len() - 1;
        self.current[actor] = Some(a);
        self.after(0, Event::Tick(a));
        Ok(a)
    }

    /// Hands an input to a core and sees to all that it asks for.
    pub fn handle(&mut self, a: usize, input: Input) -> Result<(), String> {
        let now_ms = self.now_ms;
        let Some(core) = self.activations[a].core.as_mut() else { return Ok(()) };
        if core.lingers() && is_mail(&input) {
            return Ok(());
        }
        core.handle(now_ms, input);
        while let Some(output) = self.activations[a].core.as_mut().and_then(Core::poll) {
            if self.trace {
                let text = format!("{output:?}");
                eprintln!("        {a}: {}", text.get(..300).unwrap_or(&text));
            }
            self.visible(a, &output)?;
            self.output(a, output)?;
        }
        let Some(core) = self.activations[a].core.as_ref() else { return Ok(()) };
        if core.rests() && self.current[self.activations[a].actor] == Some(a) {
            // What it knew is in the store, and the actor is given up again.
            self.kill(a);
            return Ok(());
        }
        let (wake_ms, activation) = (core.wake_at_ms(), &mut self.activations[a]);
        let wake_ms = wake_ms.map(|ms| ms.max(now_ms + 1));
        let sooner = |wake_ms: &u64| activation.tick_ms.is_none_or(|ms| *wake_ms < ms);
        if let Some(wake_ms) = wake_ms.filter(sooner) {
            activation.tick_ms = Some(wake_ms);
            self.at(wake_ms, Event::Tick(a));
        }
        if self.rng.one_in(8) { self.as_journaled(a) } else { Ok(()) }
    }

    fn output(&mut self, a: usize, output: Output) -> Result<(), String> {
        let actor = self.activations[a].actor;
        match output {
            Output::Append(append) => self.append(a, append)?,
            Output::ReadTip(ask) => {
                let ms = self.store_ms(actor);
                self.after(ms, Event::ReadTip(a, ask));
            }
            Output::Reassert(out) => self.send_reassert(a, *out),
            Output::Snapshot { seq, bytes, .. } => {
                let ms = self.delay();
                self.after(ms, Event::AtSnapshot(a, seq, bytes));
            }
            Output::Erase { ask, seq } => self.send_erase(a, ask, seq),
            Output::Erased => self.ended(a),
            Output::Deliver(connection, delivery) => self.deliver(connection, delivery),
            Output::Answer(caller, answer) => {
                let answer = answer.map(|_| ());
                self.service_answer(caller, answer);
            }
            Output::Tell(to, tell) => self.post(actor, &to, Letter::Tell(tell)),
            Output::Verdict(to, id, verdict) => {
                self.post(actor, &to, Letter::Verdict(id, verdict));
            }
            Output::Settled(to, id) => self.post(actor, &to, Letter::Settled(id)),
            Output::AskSettled(to, id) => self.post(actor, &to, Letter::AskSettled(id)),
            Output::Run(run) => self.run_activity(a, run),
            Output::View(_, view) => {
                self.activations[a].shown = view.map_or(0, |view| view.input);
            }
            Output::Broadcast(..) | Output::Attributes { .. } => {}
            // Of one that was taken over and does not know.
            // What a store that goes back is expected to bring about.
            Output::Alarm(text)
                if text.starts_with("another line")
                    || text.starts_with("the store has nothing") => {}
            Output::Alarm(text) | Output::Violation(text) | Output::DeadLetter(text) => {
                return Err(format!("an alarm: {text}"));
            }
            Output::Fenced { .. } => self.fenced(a)?,
            Output::Quarantine(why) | Output::Halted(why) => {
                return Err(format!("quarantined: {why}"));
            }
        }
        Ok(())
    }

    fn at_snapshot(&mut self, a: usize, seq: u64, bytes: Bytes) -> Result<(), String> {
        let actor = self.activations[a].actor;
        let Some(epoch) = self.activations[a].core.as_ref().map(Core::epoch) else {
            return Ok(());
        };
        let kept = !self.rng.one_in(10) && self.journals[actor].snapshot(epoch, seq, bytes);
        self.handle(a, Input::SnapshotDone(kept))
    }

    /// Sends a letter; some are lost, some come twice, some late.
    fn post(&mut self, from: usize, to: &ActorId, letter: Letter) {
        if let Some(to) = (0..NOBODY).find(|i| name(*i) == *to) {
            let exists = self.journals[to].exists;
            // An attempt is handed over at most once; one who has it already knows it again.
            let once = matches!(letter, Letter::Tell(_)) && !exists;
            let slow = once || matches!(letter, Letter::Verdict(_, Verdict::NoSuchActor(_)));
            let copies = match self.rng.below(20) {
                0 | 1 if self.faulty() => 0,
                2 if self.faulty() && !once => 2,
                _ => 1,
            };
            for _ in 0..copies {
                let late = slow && self.faulty() && self.rng.one_in(2);
                let ms = if late { self.rng.below(self.profile.late_ms) } else { self.delay() };
                self.after(ms, Event::Letter(to, name(from), letter.clone()));
            }
        } else if let Letter::Tell(tell) = letter {
            let ms = self.delay();
            let nobody = Letter::Verdict(tell.id, Verdict::NoSuchActor(tell.attempt));
            self.after(ms, Event::Letter(from, to.clone(), nobody));
        }
    }

    /// Whoever is active takes it; sometimes that is one who was taken over and does not know.
    fn letter(&mut self, to: usize, from: &ActorId, letter: Letter) -> Result<(), String> {
        let creates = matches!(&letter, Letter::Tell(tell) if tell.creates);
        if !self.journals[to].exists && !creates {
            let answer = match letter {
                Letter::Tell(tell) => Letter::Verdict(tell.id, Verdict::NoSuchActor(tell.attempt)),
                Letter::AskSettled(id) => Letter::Settled(id),
                _ => return Ok(()),
            };
            self.post(to, from, answer);
            return Ok(());
        }
        let wakes = matches!(letter, Letter::Tell(_) | Letter::AskSettled(_));
        let stale = (0..self.activations.len()).rev();
        let stale = stale.filter(|a| self.activations[*a].actor == to);
        let mut stale = stale.filter(|a| self.activations[*a].core.is_some());
        let old = stale.find(|a| self.current[to] != Some(*a));
        let a = match (old, self.current[to]) {
            (Some(old), _) if self.rng.one_in(3) => old,
            (_, Some(a)) => a,
            _ if wakes => self.activate(to)?,
            _ => return Ok(()),
        };
        let from = from.clone();
        let input = match letter {
            Letter::Tell(tell) => Input::Tell(from, tell),
            Letter::Verdict(id, verdict) => Input::Verdict(from, id, verdict),
            Letter::Settled(id) => Input::Settled(from, id),
            Letter::AskSettled(id) => Input::SettleAsked(from, id),
        };
        self.handle(a, input)
    }

    fn run_activity(&mut self, a: usize, run: RunOut) {
        let result = match self.rng.below(10) {
            0..=2 => Err(Failure::passing("later")),
            3 => Err(Failure::lasting("never")),
            _ => Ok(Bytes::from_static(b"done")),
        };
        for _ in 0..self.rng.below(3) {
            let ms = self.rng.below(300);
            let beat = Input::Heartbeat(run.activity, Bytes::from_static(b"beat"));
            self.after(ms, Event::Into(a, beat));
        }
        let ms = 1 + self.rng.below(400);
        self.after(ms, Event::Into(a, Input::ActivityEnded(run.activity, result)));
        self.activations[a].runs.push(run);
    }
}

/// What is meant for who serves the actor.
fn is_mail(input: &Input) -> bool {
    !matches!(
        input,
        Input::Appended(_)
            | Input::AppendDoubt(_)
            | Input::Suspect
            | Input::Tip(..)
            | Input::Reasserted(..)
            | Input::Freeze
            | Input::Thaw { .. }
            | Input::SnapshotDone(_)
            | Input::Gone(..)
            | Input::Erased(..)
            | Input::Tick
    )
}
