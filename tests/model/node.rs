//! A node of the ownership model and its activation of the one actor.
//!
//! Everything that a holder decides about a tip is decided by the real doubt table, `judge`.

use holdfast::actor::doubt::{Mine, Verdict, judge};

use super::guards::Guards;
use super::journal::{Log, Op, Reassert, Reply, Terms, Top};

/// Where an activation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Absent,
    Claiming,
    Loading {
        epoch: u8,
        history: u8,
    },
    /// Decides; one append at most is under way.
    Active,
    /// Holds, and reads the tip.
    InDoubt,
    Reasserting,
    /// A reassertion was granted; nothing is visible yet.
    Quiet,
    /// The quiet time is over and the tip is asked for once more.
    Confirming,
    /// Fenced, or the actor was given up, but its memory is kept for a while.
    Lingering,
    Halted,
}

/// What a holder has in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    pub epoch: u8,
    /// The epoch that it stands for: another one while its reassertion is not confirmed.
    pub stands_for: u8,
    /// What its last reassertion continued.
    pub continued: u8,
    /// Records, the one in doubt at the end included.
    pub log: Log,
    pub acked: u8,
    pub history: u8,
    pub reasserting: Option<u8>,
    pub terms: Terms,
    pub reclaim: bool,
    /// It serves nothing any more: it may write back, and then lingers on.
    pub lingers: bool,
}

impl Memory {
    pub fn in_doubt(&self) -> Option<u8> {
        (self.log.len() > self.acked).then(|| self.log.at(self.log.len()))
    }

    /// The doubt table, with the guards that live in it taken away where the test says so.
    pub fn judge(&self, top: Option<Top>, guards: &Guards) -> Verdict {
        let terms = self.terms.to_vec();
        let tip = top.map(Top::tip);
        let verified = if guards.new_term { self.history } else { top.map_or(0, |t| t.history) };
        let mine = Mine {
            epoch: self.epoch.into(),
            stands_for: self.stands_for.into(),
            acked: self.acked.into(),
            in_doubt: self.in_doubt().map(Into::into),
            reasserting: self.reasserting.map(Into::into),
            history: verified.into(),
            lineage: &terms,
            reclaim: self.reclaim,
        };
        let verdict = judge(&mine, tip.as_ref());
        let older = top.is_some_and(|top| top.epoch < self.epoch || top.seq < self.acked);
        match verdict {
            Verdict::Reassert { .. } if older && !guards.behind => Verdict::Fenced { lost: true },
            Verdict::Fenced { .. }
                if top.is_some_and(|t| t.epoch < self.epoch) && !guards.settled_wins =>
            {
                Verdict::Reassert { snapshot: true, fork: true }
            }
            verdict => verdict,
        }
    }
}

/// A node: one run of it at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    pub session: u8,
    pub frozen: bool,
    /// The history that its connections lead to.
    pub link: u8,
    pub phase: Phase,
    pub memory: Option<Memory>,
    /// The operation under way, if it has not run yet.
    pub flight: Option<Op>,
    /// Its answer, if it has.
    pub reply: Option<Reply>,
    /// An operation that was given up on and may still run: the history it was sent in.
    pub late: Option<(u8, Op)>,
}

/// What a step of a node made visible, or what an observer should know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    None,
    /// Records up to this seq are visible now.
    Shows(u8),
    /// As before; the newest was found applied after a lost answer.
    FoundApplied(u8),
    /// The memory came from the store, all of it visible.
    Loaded,
    Resends(u8),
    Fenced,
    Reasserts {
        over: bool,
    },
    Contradicted,
}

impl Node {
    pub fn empty(session: u8, link: u8) -> Self {
        Self {
            session,
            frozen: false,
            link,
            phase: Phase::Absent,
            memory: None,
            flight: None,
            reply: None,
            late: None,
        }
    }

    pub fn holds(&self, id: u8) -> bool {
        self.memory.is_some_and(|memory| memory.log.has(id))
    }

    pub fn is_idle(&self) -> bool {
        let quiet = self.flight.is_none() && self.reply.is_none();
        self.phase == Phase::Active
            && quiet
            && self.memory.is_some_and(|memory| memory.in_doubt().is_none())
    }

    /// What is under way is given up on: its answer is void, it may still run.
    pub fn abandon(&mut self) {
        if let Some(op) = self.flight.take().filter(|op| !matches!(op, Op::Load | Op::Tip)) {
            self.late = Some((self.link, op));
        }
        self.reply = None;
    }

    pub fn send(&mut self, op: Op) {
        (self.flight, self.reply) = (Some(op), None);
    }

    pub fn forget(&mut self) {
        (self.phase, self.memory) = (Phase::Absent, None);
    }

    /// Holds, and asks for the tip.
    pub fn doubt(&mut self) {
        self.abandon();
        if self.memory.is_none() {
            self.phase = Phase::Absent;
            return;
        }
        if self.phase != Phase::Halted {
            self.phase = Phase::InDoubt;
            self.send(Op::Tip);
        }
    }

    pub fn claim(&mut self, owner: Option<(u8, u8)>) {
        self.phase = Phase::Claiming;
        self.send(Op::Claim { session: self.session, replaces: owner });
    }

    /// Decides a command, and sends the record if the store is the one it knows.
    pub fn decide(&mut self, id: u8, guards: &Guards) {
        let Some(memory) = &mut self.memory else { return };
        memory.log.put(memory.acked + 1, id);
        if guards.history && memory.history != self.link {
            self.doubt();
        } else {
            self.append();
        }
    }

    fn append(&mut self) {
        let Some(memory) = self.memory else { return };
        let seq = memory.log.len();
        self.phase = Phase::Active;
        self.send(Op::Append { epoch: memory.epoch, seq, id: memory.log.at(seq) });
    }

    /// The quiet time is over.
    pub fn end_quiet(&mut self, guards: &Guards) {
        let Some(memory) = self.memory else { return };
        self.phase = Phase::Confirming;
        let op = if guards.confirm {
            let observed = Top {
                epoch: memory.epoch,
                seq: memory.log.len(),
                id: memory.reasserting.unwrap_or(0),
                continues: Some(memory.continued),
                history: memory.history,
            };
            self.reassertion(observed, memory.epoch, None, true)
        } else {
            Op::Tip
        };
        self.send(op);
    }

    fn reassertion(
        &mut self,
        observed: Top,
        continues: u8,
        snapshot: Option<Log>,
        confirms: bool,
    ) -> Op {
        let id = 128 + 4 * observed.epoch + self.session % 10;
        if let Some(memory) = &mut self.memory {
            memory.reasserting = Some(id);
        }
        let session = self.session;
        Op::Reassert(Reassert { session, observed, continues, id, snapshot, confirms })
    }

    /// Takes the answer to the operation under way.
    pub fn take(&mut self, reply: Reply, guards: &Guards) -> Effect {
        match (self.phase, reply) {
            (Phase::Claiming, Reply::Granted { epoch, history }) => {
                self.phase = Phase::Loading { epoch, history };
                self.send(Op::Load);
                Effect::None
            }
            (Phase::Loading { epoch, history }, Reply::Loaded { top, log, terms }) => {
                self.load(epoch, history, top, log, terms)
            }
            (Phase::Claiming | Phase::Loading { .. }, _) => {
                self.forget();
                Effect::None
            }
            (Phase::Active, Reply::Appended) => self.appended(false),
            (Phase::Active, _) => self.refused(guards),
            (Phase::InDoubt | Phase::Confirming, Reply::Tip(top)) => self.follow(top, guards),
            (Phase::Reasserting, Reply::Granted { epoch, history }) => {
                self.granted(epoch, history, guards)
            }
            (Phase::Confirming, Reply::Granted { epoch, history }) => {
                self.begin_term(epoch, history);
                self.go_on(epoch)
            }
            _ => {
                self.doubt();
                Effect::None
            }
        }
    }

    fn load(&mut self, epoch: u8, history: u8, top: Top, log: Log, terms: Terms) -> Effect {
        if top.epoch != epoch || top.history != history {
            self.forget();
            return Effect::None;
        }
        self.phase = Phase::Active;
        let (stands_for, acked) = (epoch, log.len());
        self.memory = Some(Memory {
            epoch,
            stands_for,
            continued: 0,
            log,
            acked,
            history,
            reasserting: None,
            terms,
            reclaim: false,
            lingers: false,
        });
        Effect::Loaded
    }

    fn appended(&mut self, found: bool) -> Effect {
        self.phase = Phase::Active;
        let Some(memory) = &mut self.memory else { return Effect::None };
        memory.acked = memory.log.len();
        if found { Effect::FoundApplied(memory.acked) } else { Effect::Shows(memory.acked) }
    }

    /// The store says that the id is not above its newest.
    fn refused(&mut self, guards: &Guards) -> Effect {
        if guards.tip_decides {
            self.doubt();
            return Effect::None;
        }
        // Taken for "another record was there first": the same one goes after it.
        let Some(memory) = &mut self.memory else { return Effect::None };
        let (seq, id) = (memory.log.len(), memory.log.at(memory.log.len()));
        memory.acked = seq;
        memory.log.put(seq + 1, id);
        self.append();
        Effect::None
    }

    fn follow(&mut self, top: Option<Top>, guards: &Guards) -> Effect {
        let Some(memory) = self.memory else { return Effect::None };
        match (memory.judge(top, guards), top) {
            (Verdict::Applied | Verdict::Resend, _) if memory.lingers => self.linger(),
            (Verdict::Applied, _) => self.appended(true),
            (Verdict::Resend, _) => {
                self.append();
                Effect::Resends(memory.log.at(memory.log.len()))
            }
            (Verdict::GoOn, _) if memory.continued == 0 && memory.lingers => self.linger(),
            (Verdict::GoOn, _) if memory.continued == 0 => {
                self.phase = Phase::Active;
                Effect::None
            }
            (Verdict::GoOn, _) if self.phase == Phase::Confirming => self.go_on(memory.epoch),
            (Verdict::GoOn, _) => {
                self.phase = Phase::Quiet;
                Effect::None
            }
            (Verdict::Reassert { snapshot, .. }, Some(top)) => self.reassert(top, snapshot),
            (Verdict::Reasserted(_), Some(top)) => {
                self.begin_term(top.epoch, top.history);
                self.own(top.continues)
            }
            (Verdict::Fenced { lost }, _) => {
                self.fenced(lost, guards);
                Effect::Fenced
            }
            (Verdict::Contradiction, _) => {
                self.phase = Phase::Halted;
                Effect::Contradicted
            }
            (Verdict::Wiped, _) | (_, None) => {
                self.phase = Phase::Halted;
                Effect::None
            }
        }
    }

    /// A reassertion of its own was found, whose answer had been lost.
    fn own(&mut self, continues: Option<u8>) -> Effect {
        self.phase = Phase::Quiet;
        if let Some(memory) = &mut self.memory {
            memory.continued = continues.unwrap_or(memory.continued);
            memory.stands_for = continues.unwrap_or(memory.stands_for);
            memory.acked = memory.log.len();
        }
        Effect::Reasserts { over: false }
    }

    fn reassert(&mut self, top: Top, snapshot: bool) -> Effect {
        let Some(memory) = self.memory else { return Effect::None };
        self.phase = Phase::Reasserting;
        let log = snapshot.then_some(memory.log);
        let op = self.reassertion(top, memory.stands_for, log, false);
        self.send(op);
        Effect::Reasserts { over: top.epoch > memory.epoch }
    }

    fn granted(&mut self, epoch: u8, history: u8, guards: &Guards) -> Effect {
        self.begin_term(epoch, history);
        self.phase = Phase::Quiet;
        if let Some(memory) = &mut self.memory {
            memory.acked = memory.log.len();
            memory.continued = memory.stands_for;
            memory.stands_for = if guards.stand { memory.stands_for } else { epoch };
        }
        if guards.quiet { Effect::None } else { self.go_on(epoch) }
    }

    fn begin_term(&mut self, epoch: u8, history: u8) {
        let Some(memory) = &mut self.memory else { return };
        (memory.epoch, memory.history, memory.reclaim) = (epoch, history, false);
        memory.terms.push(epoch, memory.log.len());
    }

    fn go_on(&mut self, epoch: u8) -> Effect {
        self.phase = Phase::Active;
        let Some(memory) = &mut self.memory else { return Effect::None };
        (memory.stands_for, memory.continued, memory.reasserting) = (epoch, 0, None);
        if memory.lingers {
            return self.linger();
        }
        Effect::Shows(memory.acked)
    }

    fn fenced(&mut self, lost: bool, guards: &Guards) {
        self.linger();
        if lost || !guards.linger {
            self.forget();
        }
    }

    /// The actor was released.
    pub fn give_up(&mut self, guards: &Guards) {
        self.linger();
        if !guards.release_stable {
            self.forget();
        }
    }

    /// Serves nothing from now on.
    fn linger(&mut self) -> Effect {
        self.phase = Phase::Lingering;
        if let Some(memory) = &mut self.memory {
            memory.lingers = true;
        }
        Effect::None
    }
}
