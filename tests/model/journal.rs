//! The store of the ownership model: journals, the operations on them, and their answers.
//!
//! A [`Line`] is one primary's history of one actor's journal, at the grain of what the protocol
//! sees: the tip, the records, the terms, the owner. Operations run on it in one atomic step, by
//! the same rules as the real store: an append is refused by order alone, a claim names whom it
//! replaces, a reassertion compares the tip it observed.

use holdfast::store::tip::{Term, Tip};

use super::ghost::Ghost;
use super::guards::Guards;

/// Room for records and terms; more than any bound asks for.
pub const ROOM: usize = 8;

/// Records by position: the record at seq `n` is `ids[n - 1]`; 0 is a hole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log {
    len: u8,
    ids: [u8; ROOM],
}

impl Log {
    pub fn of(id: u8) -> Self {
        let mut log = Self::default();
        log.put(1, id);
        log
    }

    pub fn len(&self) -> u8 {
        self.len
    }

    pub fn ids(&self) -> &[u8] {
        &self.ids[..usize::from(self.len)]
    }

    pub fn at(&self, seq: u8) -> u8 {
        if seq == 0 { 0 } else { self.ids[usize::from(seq) - 1] }
    }

    pub fn put(&mut self, seq: u8, id: u8) {
        self.ids[usize::from(seq) - 1] = id;
        self.len = seq;
    }

    pub fn has(&self, id: u8) -> bool {
        self.ids().contains(&id)
    }

    pub fn starts_with(&self, ids: &[u8]) -> bool {
        self.ids().starts_with(ids)
    }
}

/// The terms of a journal or of a memory, oldest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Terms {
    len: u8,
    terms: [(u8, u8); ROOM],
}

impl Terms {
    pub fn push(&mut self, epoch: u8, from: u8) {
        let full = usize::from(self.len) == ROOM;
        if full {
            self.terms.rotate_left(1);
        }
        let at = usize::from(self.len) - usize::from(full);
        self.terms[at] = (epoch, from);
        self.len += u8::from(!full);
    }

    pub fn to_vec(self) -> Vec<Term> {
        let term = |&(epoch, from): &(u8, u8)| Term { epoch: epoch.into(), from: from.into() };
        self.terms[..usize::from(self.len)].iter().map(term).collect()
    }
}

/// What a read of the tip says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Top {
    pub epoch: u8,
    pub seq: u8,
    pub id: u8,
    pub continues: Option<u8>,
    pub history: u8,
}

impl Top {
    pub fn tip(self) -> Tip {
        Tip {
            epoch: self.epoch.into(),
            seq: self.seq.into(),
            append_id: self.id.into(),
            continues: self.continues.map(Into::into),
            history: self.history.into(),
        }
    }

    fn is_same_entry(self, other: Self) -> bool {
        Self { history: other.history, ..self } == other
    }
}

/// One history of the journal, at one primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    pub history: u8,
    /// The primary came back without any key.
    pub wiped: bool,
    /// The journal is there.
    pub exists: bool,
    /// Newcomers wait.
    pub grace: bool,
    /// Someone has gone on in this history: whoever has not come by now is late.
    pub settled: bool,
    pub owner: Option<(u8, u8)>,
    pub epoch: u8,
    pub log: Log,
    pub terms: Terms,
    id: u8,
    continues: Option<u8>,
}

/// An operation on its way to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Claim { session: u8, replaces: Option<(u8, u8)> },
    Load,
    Append { epoch: u8, seq: u8, id: u8 },
    Tip,
    Reassert(Reassert),
}

/// Memory on its way back into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reassert {
    pub session: u8,
    pub observed: Top,
    pub continues: u8,
    pub id: u8,
    pub snapshot: Option<Log>,
    /// The second of the two: from here on the holder goes on.
    pub confirms: bool,
}

/// An answer on its way to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    Granted { epoch: u8, history: u8 },
    NotNow,
    Loaded { top: Top, log: Log, terms: Terms },
    Appended,
    Refused,
    Tip(Option<Top>),
    Wiped,
}

impl Line {
    /// One actor with one record, held by session 1.
    pub fn begun() -> Self {
        let mut terms = Terms::default();
        terms.push(1, 0);
        Self {
            history: 1,
            wiped: false,
            exists: true,
            grace: false,
            settled: true,
            owner: Some((1, 1)),
            epoch: 1,
            log: Log::of(1),
            terms,
            id: 1,
            continues: None,
        }
    }

    /// A primary that restarted without its data.
    pub fn emptied(history: u8) -> Self {
        Self {
            history,
            wiped: true,
            exists: false,
            grace: true,
            settled: false,
            owner: None,
            epoch: 0,
            log: Log::default(),
            terms: Terms::default(),
            id: 0,
            continues: None,
        }
    }

    /// The same journal in a new history, in which nobody has been heard yet.
    pub fn promoted(self, history: u8) -> Self {
        Self { history, grace: true, settled: false, ..self }
    }

    pub fn top(&self) -> Option<Top> {
        let Self { epoch, id, continues, history, .. } = *self;
        self.exists.then_some(Top { epoch, seq: self.log.len(), id, continues, history })
    }

    /// Runs one operation. `clock` gives epochs; `ghost` sees what no node can.
    pub fn run(&mut self, op: Op, guards: &Guards, clock: &mut u8, ghost: &mut Ghost) -> Reply {
        match op {
            Op::Claim { session, replaces } => self.claim(session, replaces, guards, clock, ghost),
            Op::Load => match self.top() {
                Some(top) => Reply::Loaded { top, log: self.log, terms: self.terms },
                None => Reply::Wiped,
            },
            Op::Append { epoch, seq, id } => self.append(epoch, seq, id, guards, ghost),
            Op::Tip => Reply::Tip(self.top()),
            Op::Reassert(reassert) => self.reassert(reassert, guards, clock),
        }
    }

    fn claim(
        &mut self,
        session: u8,
        replaces: Option<(u8, u8)>,
        guards: &Guards,
        clock: &mut u8,
        ghost: &mut Ghost,
    ) -> Reply {
        if self.wiped && guards.incarnation {
            return Reply::Wiped;
        }
        if self.grace && guards.grace {
            return Reply::NotNow;
        }
        if self.owner.is_some_and(|owner| owner.0 != session) && self.owner != replaces {
            return Reply::NotNow;
        }
        ghost.created_anew |= !self.exists;
        self.exists = true;
        self.begin_term(session, 0, guards, clock);
        self.continues = None;
        Reply::Granted { epoch: self.epoch, history: self.history }
    }

    /// As the store does it: the id must be above the newest, whatever is between them.
    fn append(&mut self, epoch: u8, seq: u8, id: u8, guards: &Guards, ghost: &mut Ghost) -> Reply {
        let above = (epoch, seq) > (self.epoch, self.log.len());
        let accepted = if guards.fence { above } else { seq > self.log.len() };
        if !self.exists || !accepted {
            return Reply::Refused;
        }
        ghost.wrote_after_newer |= epoch < self.epoch;
        ghost.left_a_gap |= seq != self.log.len() + 1;
        ghost.resent |= ghost.resending == id;
        self.log.put(seq, id);
        (self.epoch, self.id, self.continues) = (self.epoch.max(epoch), id, None);
        Reply::Appended
    }

    fn reassert(&mut self, reassert: Reassert, guards: &Guards, clock: &mut u8) -> Reply {
        let Some(top) = self.top() else { return Reply::NotNow };
        if guards.compare && !top.is_same_entry(reassert.observed) {
            return Reply::NotNow;
        }
        if let Some(log) = reassert.snapshot {
            (self.log, self.terms) = (log, Terms::default());
        }
        self.begin_term(reassert.session, reassert.continues, guards, clock);
        (self.id, self.continues) = (reassert.id, Some(reassert.continues));
        Reply::Granted { epoch: self.epoch, history: self.history }
    }

    fn begin_term(&mut self, session: u8, continues: u8, guards: &Guards, clock: &mut u8) {
        let next = self.epoch.max(continues) + 1;
        *clock += 1;
        self.epoch = if guards.unique_epochs { (*clock).max(next) } else { next };
        *clock = (*clock).max(self.epoch);
        self.owner = Some((session, self.epoch));
        self.terms.push(self.epoch, self.log.len());
    }
}
