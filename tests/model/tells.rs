//! A second, small model: tells between two actors whose stores may each go back in time (H6, H7).
//!
//! A sender journals records that hold tells, keeps them in its outbox until it has journaled
//! their acknowledgement, and sends them as often as it likes; the network repeats, delays, loses
//! and reorders. A receiver journals the newest id that it heard. Either may die (memory is read
//! back from the store), and the store of either may go back: a living owner writes its memory
//! back, a dead one's successor goes on from what is left; both under a new epoch.

use stateright::{Model, Property};

/// What protects a tell; each is on in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guards {
    /// The id of a tell begins with the epoch of the record that created it.
    pub epoch_in_id: bool,
    /// The receiver keeps the newest id that it heard.
    pub watermark: bool,
    /// A tell names the one before it that is not acknowledged, and is refused without it.
    pub predecessor: bool,
    /// Nothing is sent or answered before its record is stored (I2).
    pub stored_first: bool,
    /// An owner that lives writes its memory back.
    pub reassert: bool,
    /// A watermark is forgotten only when the journaled acknowledgement is replicated and no copy
    /// of the tell is under way: what the wait of a minute stands for.
    pub forget_late: bool,
}

impl Guards {
    pub const ALL: Self = Self {
        epoch_in_id: true,
        watermark: true,
        predecessor: true,
        stored_first: true,
        reassert: true,
        forget_late: true,
    };
}

/// The model.
#[derive(Clone, Copy, Debug)]
pub struct Tells {
    pub guards: Guards,
    pub tells: u8,
    pub faults: u8,
}

type Id = (u8, u8, u8);

/// A tell: its id, and which of all tells it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Tell {
    id: Id,
    content: u8,
    prev: Option<Id>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Sender {
    seq: u8,
    told: Vec<(Id, u8)>,
    /// Of `told`, as many are journaled as acknowledged.
    acked: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Receiver {
    heard: Option<Id>,
    effects: Vec<u8>,
}

/// An actor's state in memory, at the primary, and where the replica stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Kept<T> {
    memory: T,
    stored: T,
    replica: Option<T>,
}

impl<T: Clone> Kept<T> {
    fn replicated(&self) -> &T {
        self.replica.as_ref().unwrap_or(&self.stored)
    }

    fn go_back(&mut self, alive: bool) {
        self.stored = self.replica.take().unwrap_or_else(|| self.stored.clone());
        if alive {
            self.stored = self.memory.clone();
        } else {
            self.memory = self.stored.clone();
        }
    }
}

/// Everything there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pair {
    epoch: u8,
    sender: Kept<Sender>,
    receiver: Kept<Receiver>,
    /// Copies under way, each of which may arrive more than once.
    sent: Vec<Tell>,
    received: Vec<Id>,
    decided: u8,
    faults: u8,
    /// Contents whose loss, or whose effect without a cause, a double fault excuses.
    excused: u8,
    dropped: bool,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Decide { tells: u8 },
    StoreSender,
    StoreReceiver,
    Send(usize),
    Arrive(usize),
    Answered(usize),
    CopiesEnd,
    Forget,
    LagSender,
    LagReceiver,
    SenderDies,
    ReceiverDies,
    SenderGoesBack { alive: bool },
    ReceiverGoesBack { alive: bool },
}

impl Pair {
    fn excuse(&mut self, contents: impl IntoIterator<Item = u8>) {
        contents.into_iter().for_each(|content| self.excused |= 1 << content);
    }

    fn is_excused(&self, content: u8) -> bool {
        self.excused & (1 << content) != 0
    }

    fn decide(&mut self, tells: u8, guards: &Guards) {
        let sender = &mut self.sender.memory;
        sender.seq += 1;
        let epoch = if guards.epoch_in_id { self.epoch } else { 0 };
        for index in 0..tells {
            sender.told.push(((epoch, sender.seq, index), self.decided));
            self.decided += 1;
        }
    }

    fn send(&mut self, at: usize) {
        let told = &self.sender.memory.told;
        let prev = (at > self.sender.memory.acked).then(|| told[at - 1].0);
        let (id, content) = told[at];
        let tell = Tell { id, content, prev };
        if !self.sent.contains(&tell) {
            self.sent.push(tell);
            self.sent.sort_unstable();
        }
    }

    fn arrive(&mut self, tell: Tell, guards: &Guards) {
        let receiver = &mut self.receiver.memory;
        if guards.watermark && receiver.heard.is_some_and(|heard| heard >= tell.id) {
            let without_effect = !receiver.effects.contains(&tell.content);
            self.dropped |= without_effect && !self.is_excused(tell.content);
            return self.answer(tell.id, guards);
        }
        let missing = tell.prev.is_some_and(|prev| receiver.heard.is_none_or(|h| h < prev));
        if missing && guards.predecessor {
            return;
        }
        receiver.heard = receiver.heard.max(Some(tell.id));
        receiver.effects.push(tell.content);
        self.answer(tell.id, guards);
    }

    /// The answer to a tell waits for the record that heard it.
    fn answer(&mut self, id: Id, guards: &Guards) {
        let is_stored = self.receiver.stored.heard >= Some(id);
        if (is_stored || !guards.stored_first) && !self.received.contains(&id) {
            self.received.push(id);
            self.received.sort_unstable();
        }
    }

    fn answered(&mut self, id: Id) {
        let sender = &mut self.sender.memory;
        if let Some(at) = sender.told.iter().position(|(told, _)| *told == id) {
            sender.acked = sender.acked.max(at + 1);
        }
    }

    fn lose_effects(&mut self) {
        let kept = self.receiver.replicated().effects.clone();
        let gone: Vec<_> = self.receiver.memory.effects.clone();
        self.excuse(gone.into_iter().filter(|content| !kept.contains(content)));
    }

    fn lose_causes(&mut self) {
        let kept = self.sender.replicated().told.clone();
        let gone: Vec<_> = self.sender.memory.told.clone();
        let gone = gone.into_iter().filter(|told| !kept.contains(told));
        self.excuse(gone.map(|(_, content)| content));
    }
}

impl Tells {
    fn take(&self, pair: &mut Pair, step: Step) {
        match step {
            Step::Decide { tells } => pair.decide(tells, &self.guards),
            Step::StoreSender => pair.sender.stored = pair.sender.memory.clone(),
            Step::StoreReceiver => {
                pair.receiver.stored = pair.receiver.memory.clone();
                if let Some(heard) = pair.receiver.stored.heard {
                    pair.answer(heard, &self.guards);
                }
            }
            Step::Send(at) => pair.send(at),
            Step::Arrive(at) => pair.arrive(pair.sent[at], &self.guards),
            Step::Answered(at) => pair.answered(pair.received[at]),
            Step::CopiesEnd => {
                pair.sent.clear();
                pair.received.clear();
            }
            Step::Forget => pair.receiver.memory.heard = None,
            step => self.fault(pair, step),
        }
    }

    fn fault(&self, pair: &mut Pair, step: Step) {
        pair.faults += u8::from(!matches!(step, Step::LagSender | Step::LagReceiver));
        match step {
            Step::LagSender => pair.sender.replica = Some(pair.sender.stored.clone()),
            Step::LagReceiver => pair.receiver.replica = Some(pair.receiver.stored.clone()),
            Step::SenderDies => {
                pair.epoch += 1;
                pair.sender.memory = pair.sender.stored.clone();
            }
            Step::ReceiverDies => pair.receiver.memory = pair.receiver.stored.clone(),
            Step::SenderGoesBack { alive } => {
                pair.epoch += 1;
                if !alive {
                    pair.lose_causes();
                }
                pair.sender.go_back(alive && self.guards.reassert);
            }
            Step::ReceiverGoesBack { alive } => {
                if !alive {
                    pair.lose_effects();
                }
                pair.receiver.go_back(alive && self.guards.reassert);
            }
            _ => {}
        }
    }

    fn may_forget(&self, pair: &Pair) -> bool {
        let (memory, kept) = (&pair.sender.memory, pair.sender.replicated());
        let through = |sender: &Sender| sender.told.len() == sender.acked;
        let over = pair.sent.is_empty() && through(kept) && through(&pair.sender.stored);
        let settled = through(memory) && through(&pair.sender.stored) && memory.acked > 0;
        let heard = pair.receiver.memory.heard;
        let newest = memory.told.last().map(|(id, _)| *id);
        heard.is_some() && heard == newest && settled && (over || !self.guards.forget_late)
    }
}

impl Model for Tells {
    type State = Pair;
    type Action = Step;

    fn init_states(&self) -> Vec<Pair> {
        vec![Pair { epoch: 1, ..Pair::default() }]
    }

    fn actions(&self, pair: &Pair, steps: &mut Vec<Step>) {
        for tells in 1..=2 {
            if pair.decided + tells <= self.tells {
                steps.push(Step::Decide { tells });
            }
        }
        steps.extend([Step::StoreSender, Step::StoreReceiver, Step::CopiesEnd]);
        let sender = &pair.sender;
        let is_stored = |at: usize| sender.stored.told.len() > at || !self.guards.stored_first;
        let open = sender.memory.acked..sender.memory.told.len();
        steps.extend(open.filter(|at| is_stored(*at)).map(Step::Send));
        steps.extend((0..pair.sent.len()).map(Step::Arrive));
        steps.extend((0..pair.received.len()).map(Step::Answered));
        if self.may_forget(pair) {
            steps.push(Step::Forget);
        }
        if pair.faults >= self.faults {
            return;
        }
        steps.extend([Step::SenderDies, Step::ReceiverDies]);
        if pair.sender.replica.is_none() {
            steps.push(Step::LagSender);
        }
        if pair.receiver.replica.is_none() {
            steps.push(Step::LagReceiver);
        }
        for alive in [true, false] {
            steps.extend([Step::SenderGoesBack { alive }, Step::ReceiverGoesBack { alive }]);
        }
    }

    fn next_state(&self, pair: &Pair, step: Step) -> Option<Pair> {
        let mut next = pair.clone();
        self.take(&mut next, step);
        (next != *pair).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no tell takes effect twice", |_, pair: &Pair| {
                let effects = &pair.receiver.memory.effects;
                (1..effects.len()).all(|at| !effects[..at].contains(&effects[at]))
            }),
            Property::always("tells take effect in order", |_, pair: &Pair| {
                pair.receiver.memory.effects.is_sorted()
            }),
            Property::always("no acknowledged tell is without effect", |_, pair: &Pair| {
                let Sender { told, acked, .. } = &pair.sender.memory;
                let effect = |content: &u8| pair.receiver.memory.effects.contains(content);
                told[..*acked].iter().all(|(_, c)| effect(c) || pair.is_excused(*c))
            }),
            Property::always("no new tell is taken for an old one", |_, pair: &Pair| !pair.dropped),
            Property::always("no effect without a cause", |_, pair: &Pair| {
                let told = &pair.sender.memory.told;
                let caused = |content: &u8| told.iter().any(|(_, told)| told == content);
                pair.receiver.memory.effects.iter().all(|c| caused(c) || pair.is_excused(*c))
            }),
            Property::sometimes("a tell acknowledged", |_, pair: &Pair| {
                pair.sender.stored.acked > 0
            }),
            Property::sometimes("an effect lost to a double fault", |_, pair: &Pair| {
                pair.excused != 0
            }),
        ]
    }
}
