//! The ownership model: two nodes, one actor, one primary that may be replaced.
//!
//! One actor is enough: actors share no key, and what they share (a link's history, a lease)
//! changes for all at once.

use stateright::{Model, Property};

use super::ghost::{Ghost, IDS};
use super::guards::{Bounds, Guards};
use super::journal::{Line, Log, Op, Terms};
use super::node::{Effect, Memory, Node, Phase};

/// The model: what protects, and how much may happen.
#[derive(Clone, Copy, Debug)]
pub struct Ownership {
    pub guards: Guards,
    pub bounds: Bounds,
    pub nodes: u8,
}

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub now: Line,
    /// The old primary, as long as it serves those who have not noticed.
    pub old: Option<Line>,
    /// Where the replica stopped, if it lags.
    pub replica: Option<Line>,
    pub nodes: Vec<Node>,
    pub ghost: Ghost,
    clock: u8,
    decided: u8,
    used: Used,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Used {
    timeouts: u8,
    deaths: u8,
    freezes: u8,
    failovers: u8,
    wipes: u8,
    releases: u8,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Claim(usize),
    Decide(usize),
    /// The operation under way runs at the store.
    Run(usize),
    /// An operation that was given up on runs after all.
    RunLate(usize),
    Answer(usize),
    Timeout(usize),
    QuietEnds(usize),
    Release(usize),
    /// What it acknowledged is replicated: a lingering holder's memory goes.
    Forget(usize),
    Die(usize),
    Freeze(usize),
    Thaw(usize, bool),
    /// Its connections lead to the present primary from now on.
    Relink(usize),
    /// It learns that the history is another.
    Notice(usize),
    Lag,
    Failover {
        fork: bool,
    },
    OldEnds,
    GraceEnds,
    Wipe,
}

impl World {
    fn line(&mut self, history: u8) -> Option<&mut Line> {
        if self.now.history == history {
            return Some(&mut self.now);
        }
        self.old.as_mut().filter(|line| line.history == history)
    }

    /// Whether every failover would keep what this node has acknowledged.
    fn is_stable(&self, node: &Node) -> bool {
        let kept = self.replica.unwrap_or(self.now).log;
        node.memory.is_none_or(|m| kept.starts_with(&m.log.ids()[..usize::from(m.acked)]))
    }

    /// Neither in the journal nor in any memory.
    pub fn is_lost(&self, id: u8) -> bool {
        !self.now.log.has(id) && !self.nodes.iter().any(|node| node.holds(id))
    }

    /// Another goes on in the present history: whoever is not there by now is late.
    fn settle(&mut self) {
        self.now.settled = true;
        for at in 0..self.nodes.len() {
            self.forfeit_if_late(at);
        }
    }

    fn forfeit_if_late(&mut self, at: usize) {
        let Some(memory) = self.nodes[at].memory else { return };
        if self.now.settled && memory.history != self.now.history {
            let only_here = |id: &&u8| !self.now.log.has(**id);
            memory.log.ids().iter().filter(only_here).for_each(|id| self.ghost.forfeit(*id));
        }
    }

    fn show(&mut self, at: usize, up_to: u8) {
        self.forfeit_if_late(at);
        let Some(memory) = self.nodes[at].memory else { return };
        for (seq, id) in (1..=up_to).zip(memory.log.ids()) {
            self.ghost.remember(*id);
            self.ghost.acknowledge(*id, seq);
        }
    }

    fn note(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::None => {}
            Effect::Shows(seq) => self.show(at, seq),
            Effect::FoundApplied(seq) => {
                self.ghost.found_applied = true;
                self.show(at, seq);
            }
            Effect::Loaded => {
                self.ghost.took_over = true;
                let all = self.nodes[at].memory.map_or(0, |memory| memory.acked);
                self.show(at, all);
            }
            Effect::Resends(id) => self.ghost.resending = id,
            Effect::Fenced => self.ghost.fenced = true,
            Effect::Reasserts { over } => {
                self.ghost.reasserted = true;
                self.ghost.replaced |= over;
            }
            Effect::Contradicted => self.ghost.contradicted = true,
        }
    }

    fn run(&mut self, at: usize, history: u8, op: Op, guards: &Guards) {
        let (mut clock, mut ghost) = (self.clock, self.ghost);
        let Some(line) = self.line(history) else { return };
        let before = line.epoch;
        let reply = line.run(op, guards, &mut clock, &mut ghost);
        let granted = line.epoch != before;
        let is_now = history == self.now.history;
        (self.clock, self.ghost) = (clock, ghost);
        let confirms = match op {
            Op::Claim { .. } => granted && !self.now.grace,
            Op::Reassert(reassert) => granted && reassert.confirms,
            // Without a confirmation the second read of the tip is what lets a holder go on.
            Op::Tip => {
                let node = &self.nodes[at];
                let mine = node.memory.is_some_and(|memory| memory.epoch == self.now.epoch);
                node.phase == Phase::Confirming && mine
            }
            _ => false,
        };
        if is_now && confirms {
            self.settle();
        }
        if self.nodes[at].flight == Some(op) {
            (self.nodes[at].flight, self.nodes[at].reply) = (None, Some(reply));
        }
    }

    fn die(&mut self, at: usize) {
        let dead = self.nodes[at];
        let (session, link) = (dead.session + 10, self.now.history);
        self.nodes[at] = Node { late: dead.late, ..Node::empty(session, link) };
        for id in dead.memory.iter().flat_map(|memory| memory.log.ids()) {
            if !self.nodes.iter().any(|node| node.holds(*id)) {
                self.ghost.widow(*id);
            }
        }
    }

    fn replace_primary(&mut self, by: Line, fork: bool) {
        let history = self.now.history + 1;
        self.old = fork.then_some(self.now);
        self.now = by.promoted(history);
        self.replica = None;
        self.drop_dead_letters();
    }

    /// What was sent to a primary that is gone never runs, and is never answered.
    fn drop_dead_letters(&mut self) {
        let alive = [Some(self.now.history), self.old.map(|old| old.history)];
        for node in &mut self.nodes {
            node.late = node.late.filter(|(history, _)| alive.contains(&Some(*history)));
            if !alive.contains(&Some(node.link)) {
                node.flight = None;
            }
        }
    }
}

impl Ownership {
    fn node_steps(&self, world: &World, at: usize, steps: &mut Vec<Step>) {
        let (node, bounds, used) = (&world.nodes[at], &self.bounds, &world.used);
        let reaches = |history| {
            world.now.history == history || world.old.is_some_and(|old| old.history == history)
        };
        let may_grant = |op: &Op| {
            world.clock < bounds.epochs || !matches!(op, Op::Claim { .. } | Op::Reassert(_))
        };
        if node.flight.is_some_and(|op| reaches(node.link) && may_grant(&op)) {
            steps.push(Step::Run(at));
        }
        if node.late.is_some_and(|(history, op)| reaches(history) && may_grant(&op)) {
            steps.push(Step::RunLate(at));
        }
        if used.deaths < bounds.deaths {
            steps.push(Step::Die(at));
        }
        if node.frozen {
            steps.extend([Step::Thaw(at, false), Step::Thaw(at, true)]);
            return;
        }
        if used.freezes < bounds.freezes && node.memory.is_some() {
            steps.push(Step::Freeze(at));
        }
        if node.reply.is_some() {
            steps.push(Step::Answer(at));
        }
        let waits = matches!(node.phase, Phase::Claiming | Phase::Active | Phase::Reasserting)
            || (node.phase == Phase::Confirming && self.guards.confirm);
        let pending = node.flight.is_some() || node.reply.is_some();
        if waits && pending && used.timeouts < bounds.timeouts && reaches(node.link) {
            steps.push(Step::Timeout(at));
        }
        self.own_steps(world, at, reaches(node.link), steps);
    }

    fn own_steps(&self, world: &World, at: usize, reaches: bool, steps: &mut Vec<Step>) {
        let (node, bounds, used) = (&world.nodes[at], &self.bounds, &world.used);
        let behind = node.memory.is_some_and(|memory| memory.history != node.link);
        if node.link != world.now.history {
            steps.push(Step::Relink(at));
        } else if behind && matches!(node.phase, Phase::Active | Phase::Quiet | Phase::Lingering) {
            steps.push(Step::Notice(at));
        }
        if node.is_idle() && world.decided < bounds.records {
            steps.push(Step::Decide(at));
        }
        if node.is_idle() && used.releases < bounds.releases && reaches && !behind {
            steps.push(Step::Release(at));
        }
        match node.phase {
            Phase::Absent if reaches && world.clock < bounds.epochs => steps.push(Step::Claim(at)),
            Phase::Quiet if !behind => steps.push(Step::QuietEnds(at)),
            Phase::Lingering if world.is_stable(node) => steps.push(Step::Forget(at)),
            _ => {}
        }
    }

    fn node_step(&self, world: &mut World, step: Step) {
        match step {
            Step::Claim(at) => {
                let link = world.nodes[at].link;
                let owner = world.line(link).and_then(|line| line.owner);
                world.nodes[at].claim(owner);
            }
            Step::Decide(at) => {
                world.decided += 1;
                let id = world.decided;
                world.nodes[at].decide(id, &self.guards);
            }
            Step::Run(at) => {
                let node = &world.nodes[at];
                if let (link, Some(op)) = (node.link, node.flight) {
                    world.run(at, link, op, &self.guards);
                }
            }
            Step::RunLate(at) => {
                if let Some((history, op)) = world.nodes[at].late.take() {
                    let flight = world.nodes[at].flight.take();
                    world.run(at, history, op, &self.guards);
                    world.nodes[at].flight = flight;
                }
            }
            Step::Answer(at) => {
                if let Some(reply) = world.nodes[at].reply.take() {
                    let effect = world.nodes[at].take(reply, &self.guards);
                    world.note(at, effect);
                }
            }
            Step::QuietEnds(at) => world.nodes[at].end_quiet(&self.guards),
            Step::Release(at) => {
                world.used.releases += 1;
                let (link, epoch) = (world.nodes[at].link, world.nodes[at].memory.map(|m| m.epoch));
                if let Some(line) = world.line(link).filter(|line| Some(line.epoch) == epoch) {
                    line.owner = None;
                }
                world.nodes[at].give_up(&self.guards);
            }
            Step::Forget(at) => world.nodes[at].forget(),
            Step::Notice(at) => world.nodes[at].doubt(),
            Step::Timeout(at) => {
                world.used.timeouts += 1;
                world.nodes[at].doubt();
            }
            _ => self.fault(world, step),
        }
    }

    fn fault(&self, world: &mut World, step: Step) {
        match step {
            Step::Die(at) => {
                world.used.deaths += 1;
                world.die(at);
            }
            Step::Freeze(at) => {
                world.used.freezes += 1;
                world.nodes[at].frozen = true;
                world.nodes[at].abandon();
            }
            Step::Thaw(at, new_session) => {
                let node = &mut world.nodes[at];
                node.frozen = false;
                if new_session {
                    node.session += 10;
                    node.memory = node.memory.map(|m| Memory { reclaim: true, ..m });
                }
                node.doubt();
            }
            Step::Relink(at) => {
                let history = world.now.history;
                let node = &mut world.nodes[at];
                let unaware = matches!(node.phase, Phase::Quiet | Phase::Lingering);
                let unaware = unaware || node.is_idle();
                node.abandon();
                node.link = history;
                if !unaware {
                    node.doubt();
                }
                world.drop_dead_letters();
            }
            Step::Lag => world.replica = Some(world.now),
            Step::Failover { fork } => {
                world.used.failovers += 1;
                world.replace_primary(world.replica.unwrap_or(world.now), fork);
            }
            Step::OldEnds => {
                world.old = None;
                world.drop_dead_letters();
            }
            Step::GraceEnds => world.now.grace = false,
            Step::Wipe => {
                world.used.wipes += 1;
                world.replace_primary(Line::emptied(0), false);
                (1..IDS).for_each(|id| world.ghost.forfeit(u8::try_from(id).unwrap_or(0)));
            }
            _ => {}
        }
    }
}

impl Model for Ownership {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let now = Line::begun();
        let mut nodes: Vec<Node> = (1..=self.nodes).map(|n| Node::empty(n, 1)).collect();
        let mut terms = Terms::default();
        terms.push(1, 0);
        nodes[0].phase = Phase::Active;
        nodes[0].memory = Some(Memory {
            epoch: 1,
            stands_for: 1,
            continued: 0,
            log: Log::of(1),
            acked: 1,
            history: 1,
            reasserting: None,
            terms,
            reclaim: false,
            lingers: false,
        });
        let mut ghost = Ghost::default();
        ghost.acknowledge(1, 1);
        let (old, replica) = (None, None);
        let used = Used::default();
        vec![World { now, old, replica, nodes, ghost, clock: 1, decided: 1, used }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        (0..world.nodes.len()).for_each(|at| self.node_steps(world, at, steps));
        let (bounds, used) = (&self.bounds, &world.used);
        if used.failovers < bounds.failovers && world.old.is_none() {
            steps.push(Step::Failover { fork: false });
            if bounds.forks {
                steps.push(Step::Failover { fork: true });
            }
            if world.replica.is_none() {
                steps.push(Step::Lag);
            }
        }
        if world.old.is_some() {
            steps.push(Step::OldEnds);
        }
        if world.now.grace {
            steps.push(Step::GraceEnds);
        }
        if used.wipes < bounds.wipes {
            steps.push(Step::Wipe);
        }
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        self.node_step(&mut next, step);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = always();
        properties.extend(sometimes(&self.bounds));
        properties
    }
}

fn always() -> Vec<Property<Ownership>> {
    vec![
        Property::always("no append after a newer epoch (I1)", |_, w: &World| {
            !w.ghost.wrote_after_newer
        }),
        Property::always("no gap in the journal", |_, w: &World| {
            !w.ghost.left_a_gap && !w.now.log.ids().contains(&0)
        }),
        Property::always("no record twice in the journal", |_, w: &World| {
            let ids = w.now.log.ids();
            (1..ids.len()).all(|at| !ids[..at].contains(&ids[at]))
        }),
        Property::always("no two records acknowledged at one seq", |_, w: &World| {
            !w.ghost.acked_twice
        }),
        Property::always("no acknowledged record is lost", |_, w: &World| {
            w.ghost.acked_ids().all(|id| !w.is_lost(id) || w.ghost.is_excused(id))
        }),
        Property::always("no holder finds what it can't explain", |_, w: &World| {
            !w.ghost.contradicted
        }),
        Property::always("nothing is created anew", |_, w: &World| !w.ghost.created_anew),
    ]
}

fn sometimes(bounds: &Bounds) -> Vec<Property<Ownership>> {
    let mut seen = vec![
        Property::sometimes("a takeover", |_, w: &World| w.ghost.took_over),
        Property::sometimes("a holder fenced", |_, w: &World| w.ghost.fenced),
    ];
    if bounds.timeouts > 0 {
        seen.extend([
            Property::sometimes("a re-sent record written", |_, w: &World| w.ghost.resent),
            Property::sometimes("a doubt resolved as applied", |_, w: &World| {
                w.ghost.found_applied
            }),
        ]);
    }
    if bounds.failovers > 0 {
        seen.extend([
            Property::sometimes("a reassertion", |_, w: &World| w.ghost.reasserted),
            Property::sometimes("a reassertion replaced", |_, w: &World| w.ghost.replaced),
        ]);
    }
    if bounds.failovers > 0 && bounds.deaths > 0 {
        seen.push(Property::sometimes("a loss with owner and primary", |_, w: &World| {
            w.ghost.acked_ids().any(|id| w.is_lost(id) && w.ghost.is_widowed(id))
        }));
    }
    seen
}
