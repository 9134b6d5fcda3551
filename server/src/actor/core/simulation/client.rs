//! A player's client: one session, rising ids, resends after a resume, and a memory of every
//! answer, against which later answers are held.

use std::collections::BTreeMap;

use super::profile::Rng;
use super::rules::{Act, Cmd, pack};
use super::world::{ACTORS, ERRAND, NOBODY, Packet};
use crate::actor::contract::Reject;
use crate::actor::envelope::{Attach, Attached, Attachment, Command, Delivery, Outcome, Refusal};

/// Ids of reads begin here, apart from those of commands.
pub const READS: u64 = 1_000_000;

#[derive(Debug, Clone)]
pub struct Sent {
    pub cmd: Cmd,
    pub key: Option<Box<str>>,
}

/// What became of an intent, over all the ids under which it was sent.
#[derive(Debug, Default, Clone, Copy)]
pub struct Intent {
    /// It was answered ok.
    pub ok: bool,
    /// It was refused, or answered as not executed.
    pub refused: bool,
    /// Some copy may or may not have been executed.
    pub unknown: bool,
}

/// A command and its key, unanswered or answered.
type Answer = (Sent, Result<bytes::Bytes, String>);

pub struct Client {
    pub actor: usize,
    pub session: Option<u64>,
    pub connection: Option<u64>,
    pub attached: bool,
    /// It has nothing more to do, unless its connection is closed after the last answer.
    pub ended: bool,
    pub since_ms: u64,
    pub next_id: u64,
    /// The newest numbered frame seen.
    pub seen: u64,
    /// Numbered frames seen since the last state that was whole, and that state's seq.
    pub base: u64,
    pub frames: Vec<u64>,
    pub unanswered: BTreeMap<u64, Sent>,
    pub answered: BTreeMap<u64, Answer>,
    /// Answered on this connection; a refusal is repeated there only.
    pub fresh: Vec<u64>,
    /// Not executed: to be sent again under a new id.
    pub again: Vec<Sent>,
    pub intents: BTreeMap<u64, Intent>,
    pub left: u32,
}

impl Client {
    pub fn new(actor: usize, left: u32) -> Self {
        Self {
            actor,
            session: None,
            connection: None,
            attached: false,
            ended: false,
            since_ms: 0,
            next_id: 1,
            seen: 0,
            base: 0,
            frames: Vec::new(),
            unanswered: BTreeMap::new(),
            answered: BTreeMap::new(),
            fresh: Vec::new(),
            again: Vec::new(),
            intents: BTreeMap::new(),
            left,
        }
    }

    pub fn done(&self) -> bool {
        self.attached && self.unanswered.is_empty() && self.again.is_empty() && self.left == 0
    }

    /// The socket is gone.
    pub fn lose(&mut self) {
        self.connection = None;
        self.attached = false;
    }

    fn intent(&mut self, nonce: u64) -> &mut Intent {
        self.intents.entry(nonce).or_default()
    }

    fn command(&self, id: Option<u64>, sent: &Sent) -> Packet {
        Packet::Command(Command {
            session: self.session.unwrap(),
            connection: self.connection.unwrap(),
            id,
            key: sent.key.clone(),
            payload: pack(&sent.cmd),
        })
    }

    fn send(&mut self, sent: Sent) -> Packet {
        let id = self.next_id;
        self.next_id += 1;
        self.intent(sent.cmd.nonce);
        self.unanswered.insert(id, sent.clone());
        self.command(Some(id), &sent)
    }

    fn forget_session(&mut self) {
        for sent in std::mem::take(&mut self.unanswered).into_values() {
            self.intent(sent.cmd.nonce).unknown = true;
        }
        self.session = None;
        self.answered.clear();
        self.fresh.clear();
    }

    /// The first words on a new connection.
    pub fn attach(&mut self, rng: &mut Rng, connection: u64) -> Attach {
        self.connection = Some(connection);
        self.attached = false;
        self.fresh.clear();
        match self.session {
            Some(session) if !(self.left > 0 && rng.one_in(8)) => {
                Attach::Resume { session, seq: self.seen }
            }
            _ => Attach::Hello { payload: bytes::Bytes::new(), creates: true },
        }
    }

    /// A new command, sometimes with a key.
    fn invent(&mut self, rng: &mut Rng, nonce: u64) -> Sent {
        let act = match rng.below(20) {
            0..=3 => Act::Deposit(rng.below(20)),
            4..=8 => {
                // One of them runs an errand, or does not exist.
                let to = (self.actor + 1 + rng.index(ACTORS)) % (ACTORS + 1);
                let to = if to == ERRAND && rng.one_in(2) { NOBODY } else { to };
                Act::Give(to, 1 + rng.below(12))
            }
            9..=11 => Act::Count,
            12 | 13 => Act::Refuse,
            14 => Act::Timer(1 + rng.below(1_500)),
            15 | 16 => Act::Work,
            17 | 18 => Act::Burst,
            _ if rng.one_in(4) => Act::Bye,
            _ => Act::Count,
        };
        let key = rng.one_in(3).then(|| format!("k{nonce}").into());
        Sent { cmd: Cmd { nonce, act }, key }
    }

    /// What an attached client says next.
    pub fn speak(&mut self, rng: &mut Rng, nonce: &mut u64) -> Vec<Packet> {
        let mut out = Vec::new();
        for sent in std::mem::take(&mut self.again) {
            out.push(self.send(sent));
        }
        let burst = if rng.one_in(8) { 9 } else { rng.below(5) };
        for _ in 0..burst.min(u64::from(self.left)) {
            self.left -= 1;
            *nonce += 1;
            let sent = self.invent(rng, *nonce);
            out.push(self.send(sent));
        }
        for _ in 0..if self.left > 0 { rng.below(3) } else { 0 } {
            out.extend(self.repeat(rng));
        }
        if rng.one_in(4) {
            let id = READS + self.next_id;
            out.push(Packet::Read(self.connection.unwrap(), id));
        }
        out
    }

    /// Says again what was said: the same id, or the same key under a new one.
    fn repeat(&mut self, rng: &mut Rng) -> Option<Packet> {
        if rng.one_in(3) && !self.unanswered.is_empty() {
            let nth = rng.index(self.unanswered.len().min(3));
            let (&id, sent) = self.unanswered.iter().rev().nth(nth)?;
            return Some(self.command(Some(id), &sent.clone()));
        }
        if self.answered.is_empty() || !rng.one_in(3) {
            return None;
        }
        let nth = rng.index(self.answered.len());
        let (&id, (sent, result)) = self.answered.iter().nth(nth)?;
        let sent = sent.clone();
        if result.is_ok() && sent.key.is_some() && rng.one_in(2) {
            return Some(self.send(sent));
        }
        // A refusal that no record holds is forgotten with the activation.
        (result.is_ok() || self.fresh.contains(&id)).then(|| self.command(Some(id), &sent))
    }

    /// Takes a delivery. Says what to send at once.
    pub fn hear(&mut self, delivery: Delivery) -> Result<Vec<Packet>, String> {
        match delivery {
            Delivery::Attached(attached) => return self.welcome(&attached),
            Delivery::Refused(refusal) => {
                if *refusal == Refusal::SessionEnded {
                    self.forget_session();
                }
                self.lose();
            }
            Delivery::Close(_) => self.lose(),
            other if !self.attached => return Err(format!("before attached: {other:?}")),
            Delivery::Reply { id: Some(id), outcome } if id < READS => {
                self.reply(id, *outcome)?;
            }
            Delivery::Events { seq, .. } => self.frame(seq)?,
            Delivery::Reply { .. } | Delivery::Transient(_) => {}
        }
        Ok(Vec::new())
    }

    fn welcome(&mut self, attached: &Attached) -> Result<Vec<Packet>, String> {
        if std::mem::replace(&mut self.attached, true) {
            return Err("attached twice".into());
        }
        match attached.how {
            Attachment::Welcome => {
                self.forget_session();
                self.session = Some(attached.session);
                self.next_id = 1;
            }
            _ if self.session != Some(attached.session) => {
                return Err("resumed another session".into());
            }
            _ => {}
        }
        if attached.how == Attachment::Resumed {
            for (seq, _) in &attached.replay {
                self.frame(*seq)?;
            }
        } else {
            self.frames.clear();
            (self.base, self.seen) = (attached.seq, attached.seq);
        }
        let resent = self.unanswered.iter().map(|(id, sent)| self.command(Some(*id), sent));
        Ok(resent.collect())
    }

    fn frame(&mut self, seq: u64) -> Result<(), String> {
        if seq > self.base {
            if self.frames.last().is_some_and(|last| *last >= seq) {
                return Err(format!("frame {seq} came twice"));
            }
            self.frames.push(seq);
        }
        self.seen = self.seen.max(seq);
        Ok(())
    }

    fn reply(&mut self, id: u64, outcome: Outcome) -> Result<(), String> {
        let result = outcome.result.map_err(|Reject { code, .. }| code.into_owned());
        let code = result.as_ref().err().map(String::as_str);
        if code == Some("pending") {
            return Ok(());
        }
        if let Some((_, first)) = self.answered.get(&id) {
            let unexecuted = first.as_ref().err().is_some_and(|code| retry(code));
            let lost = code == Some("outcome_unknown") && first.is_err();
            return match *first == result || lost || (unexecuted && code.is_some_and(retry)) {
                true => Ok(()),
                false => Err(format!("I4: {id} was answered {first:?}, then {result:?}")),
            };
        }
        let Some(sent) = self.unanswered.remove(&id) else { return Ok(()) };
        let again = code.is_some_and(retry);
        let intent = self.intent(sent.cmd.nonce);
        match code {
            None => intent.ok = true,
            Some("outcome_unknown" | "unauthorized") => intent.unknown = true,
            Some(_) => intent.refused = true,
        }
        if again {
            self.again.push(sent.clone());
        }
        self.fresh.push(id);
        self.answered.insert(id, (sent, result));
        Ok(())
    }
}

/// Whether the code says that nothing was executed.
fn retry(code: &str) -> bool {
    matches!(code, "busy" | "too_many_in_flight")
}
