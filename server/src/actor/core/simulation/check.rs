//! What must hold: after every step, and when all is at rest.

use bytes::Bytes;

use super::client::READS;
use super::rules::{Account, name};
use super::store::Journal;
use super::world::{ERRAND, World};
use crate::actor::contract::Value;
use crate::actor::core::hold::Hold;
use crate::actor::core::{Core, Output, Verdict};
use crate::actor::envelope::{Attached, CallError, Closing, Delivery, Outcome, Refusal};
use crate::actor::record::{Fact, Place};

type Check = Result<(), String>;

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(what()) }
}

fn number(body: &str) -> Option<u64> {
    let digits = body.strip_prefix("{\"v\":")?.split(',').next()?;
    digits.parse().ok()
}

/// Refused for want of room, which a core that holds may say.
fn is_busy(output: &Output) -> bool {
    match output {
        Output::Deliver(_, Delivery::Reply { outcome, .. }) => {
            let code = outcome.result.as_ref().err().map(|reject| &*reject.code);
            matches!(code, Some("busy" | "too_many_in_flight"))
        }
        Output::Deliver(_, Delivery::Refused(why)) => **why == Refusal::Busy,
        Output::Deliver(_, Delivery::Close(why)) => *why == Closing::Lost,
        Output::Answer(_, Err(why)) => *why == CallError::Busy,
        Output::Verdict(_, _, verdict) => *verdict == Verdict::Busy,
        _ => false,
    }
}

impl Journal {
    /// I2: a state that was shown is one that record `seq` or an earlier one left behind.
    fn holds_state(&self, seq: u64, body: &Bytes) -> Check {
        let what = || format!("I2: {} shows {body:?} at {seq}, tip {}", self.id, self.tip());
        let text = std::str::from_utf8(body).unwrap();
        let newest = self.version_at(seq).ok_or_else(what)?;
        let version = number(text).ok_or_else(what)?;
        let index = usize::try_from(version).unwrap();
        let known = version <= newest && self.bodies.get(index).is_some_and(|b| b == text);
        ensure(known, what)
    }

    fn holds_frame(&self, seq: u64, evs: &Bytes) -> Check {
        let what = || format!("I2: {} sends frame {seq} that its journal does not hold", self.id);
        let record = &self.entry(seq).ok_or_else(what)?.record;
        let pushed = record.facts.iter().filter_map(|fact| match fact {
            Fact::Pushed(text) => Some(&text[..]),
            _ => None,
        });
        let joined = pushed.collect::<Vec<_>>().join(&b","[..]);
        ensure(joined == evs[..], what)
    }

    fn holds_answer(&self, place: Option<Place>, seq: u64, body: &Bytes) -> Check {
        let what = || format!("I2: {} answers {place:?} with {body:?} at {seq}", self.id);
        let mut facts = self.entry(seq).ok_or_else(what)?.record.facts.iter();
        let found = facts.any(|fact| match fact {
            Fact::Answered { place: p, body: b, .. } => b == body && place.is_none_or(|q| q == *p),
            Fact::Completed { token, result } => {
                let p = self.tokens.get(token);
                result.as_ref() == Ok(body) && place.is_none_or(|q| Some(&q) == p)
            }
            _ => false,
        });
        ensure(found, what)
    }

    fn holds_reply(&self, place: Place, outcome: &Outcome) -> Check {
        match (&outcome.result, outcome.seq) {
            (Ok(body), Some(seq)) if place.id >= READS => self.holds_state(seq, body),
            (Ok(body), Some(_)) if outcome.dup && &body[..] == b"{}" => Ok(()),
            // A repeat of a key is answered with another command's words.
            (Ok(body), Some(seq)) if outcome.dup => self.holds_answer(None, seq, body),
            (Ok(body), Some(seq)) => self.holds_answer(Some(place), seq, body),
            (Ok(_), None) => Err(format!("I2: {place:?} is ok without a seq")),
            (Err(reject), _) if reject.code == "pending" => {
                let known = self.tokens.values().any(|p| *p == place);
                ensure(known, || format!("I2: {place:?} is called durable and is not"))
            }
            (Err(reject), _) if reject.code == "outcome_unknown" => {
                let kept = self.shadow.ledger.kept(place).is_some();
                ensure(!kept, || format!("I4: the reply of {place:?} is kept and not given"))
            }
            (Err(_), _) => Ok(()),
        }
    }

    fn holds_attached(&self, attached: &Attached) -> Check {
        self.holds_state(attached.seq, &attached.state)?;
        let whole = number(std::str::from_utf8(&attached.state).unwrap());
        ensure(whole == self.version_at(attached.seq), || {
            format!("I2: a state that is not all of record {} is sent as such", attached.seq)
        })?;
        attached.replay.iter().try_for_each(|(seq, evs)| self.holds_frame(*seq, evs))
    }

    /// Whoever hears an answer finds that others see at least what it speaks of.
    fn has_shown(&self, shown: u64, delivery: &Delivery) -> Check {
        let seq = match delivery {
            Delivery::Reply { outcome, .. } if outcome.result.is_ok() => outcome.seq,
            Delivery::Attached(attached) => Some(attached.seq),
            _ => None,
        };
        let spoken = seq.and_then(|seq| self.version_at(seq)).unwrap_or_default();
        ensure(spoken <= shown, || {
            format!("{} speaks of version {spoken} and shows {shown}: {delivery:?}", self.id)
        })
    }

    fn holds_delivery(&self, session: u64, delivery: &Delivery) -> Check {
        match delivery {
            Delivery::Attached(attached) => self.holds_attached(attached),
            Delivery::Reply { id: Some(id), outcome } => {
                self.holds_reply(Place { session, id: *id }, outcome)
            }
            Delivery::Events { seq, evs } => self.holds_frame(*seq, evs),
            _ => Ok(()),
        }
    }
}

impl World {
    /// I2: what leaves a core is in the journal already.
    pub fn visible(&self, a: usize, output: &Output) -> Check {
        let activation = &self.activations[a];
        let journal = &self.journals[activation.actor];
        ensure(!activation.frozen || is_busy(output), || format!("frozen, and says {output:?}"))?;
        if activation.life != journal.life {
            // Its journal is gone, and what it says was in it.
            return Ok(());
        }
        if journal.missing.is_some() {
            // Said before it was known; whether it comes back is held against it in the end.
            return Ok(());
        }
        let ledger = &journal.shadow.ledger;
        let what = || format!("I2: {} lets out {output:?} (tip {})", journal.id, journal.tip());
        match output {
            Output::Deliver(connection, delivery) => {
                let session = self.sockets.get(connection).map_or(0, |s| s.session);
                journal.has_shown(activation.shown, delivery)?;
                journal.holds_delivery(session, delivery)
            }
            Output::Answer(_, Ok(answered)) => {
                ensure(journal.tip() >= answered.seq, what)?;
                if answered.dup {
                    return Ok(());
                }
                journal.holds_answer(None, answered.seq, &answered.body)
            }
            Output::Tell(to, tell) => {
                let entry = journal.entry(tell.id.seq).ok_or_else(what)?;
                let mut told = entry.record.facts.iter().filter_map(|fact| match fact {
                    Fact::Told { to, payload, .. } => Some((to, payload)),
                    _ => None,
                });
                let same = told.nth(tell.id.index as usize) == Some((to, &tell.payload));
                ensure(same && entry.epoch == tell.id.epoch, what)
            }
            Output::Verdict(from, id, Verdict::Received) => {
                ensure(journal.heard.get(from).is_some_and(|newest| newest >= id), what)
            }
            Output::Settled(to, through) => {
                let open = ledger.outbox.iter().any(|o| o.to == *to && o.id <= *through);
                // It may be of an earlier life, which owed nothing when it ended.
                let known = through.seq <= journal.tip() || journal.life > 0;
                ensure(!open && known, what)
            }
            Output::Run(run) => ensure(run.activity <= ledger.activity, what),
            Output::View(seq, Some(view)) => {
                ensure(journal.version_at(*seq).is_some_and(|v| view.input <= v), what)
            }
            Output::Attributes { seq, attributes, .. } => {
                let version = journal.version_at(*seq).map(Value::from);
                let told = attributes.builtin.first().map(|(_, value)| value.clone());
                ensure(told == version && told.is_some(), what)
            }
            Output::Snapshot { seq, bytes, .. } if *seq == journal.tip() => {
                ensure(*bytes == journal.shadow.save(), || "I3: a snapshot strays".into())
            }
            _ => Ok(()),
        }
    }

    /// I3: the live core is what its journal says, when nothing is in flight.
    pub fn as_journaled(&self, a: usize) -> Check {
        let journal = &self.journals[self.activations[a].actor];
        let Some(core) = self.activations[a].core.as_ref() else { return Ok(()) };
        let other = (core.epoch(), core.history) != (journal.epoch, journal.history);
        let other = other || !journal.exists;
        if other || core.flight.is_some() || core.hold != Hold::Free {
            return Ok(());
        }
        ensure(core.seq() == journal.tip(), || {
            format!("I3: {} is at {}, its journal at {}", journal.id, core.seq(), journal.tip())
        })?;
        let same = core.durable().save() == journal.shadow.save();
        ensure(same, || format!("I3: {} differs from its journal", journal.id))
    }

    /// I9: held + in transit = deposited, at every moment, by the journals alone.
    pub fn conserved(&self) -> Check {
        if self.journals.iter().any(|j| j.missing.is_some()) {
            return Ok(());
        }
        let accounts = || self.journals.iter().map(|j| &j.account);
        let taken = |from: usize, to: &Account, no| to.taken.contains(&(name(from), no));
        let mut held: u64 = accounts().map(|account| account.coins).sum();
        for (from, account) in accounts().enumerate() {
            for transfer in account.transfers.values() {
                let to = self.journals.iter().find(|j| j.id == transfer.to);
                if !to.is_some_and(|to| taken(from, &to.account, transfer.no)) {
                    held += transfer.n;
                }
            }
        }
        let deposited: u64 = accounts().map(|account| account.deposited).sum();
        ensure(held == deposited, || format!("I9: {deposited} coins are {held}"))
    }

    /// What is still owed.
    pub fn unrest(&self) -> String {
        let mut out = Vec::new();
        for journal in &self.journals {
            let ledger = &journal.shadow.ledger;
            let (id, account) = (&journal.id, &journal.account);
            let owed = [
                ("tells", ledger.outbox.len()),
                ("replies", ledger.pending.len()),
                ("timers", ledger.timers.len()),
                ("activities", ledger.activities.len()),
                ("watermarks", ledger.heard.len()),
                ("transfers", account.transfers.len()),
                ("unfired timers", account.timers.values().filter(|n| **n != 1).count()),
                ("unfinished work", account.works.values().filter(|n| **n != 1).count()),
            ];
            let owed = owed.into_iter().filter(|(_, n)| *n > 0);
            out.extend(owed.map(|(what, n)| format!("{id} owes {n} {what}")));
        }
        if self.journals[ERRAND].exists {
            out.push("the errand is not at its end".into());
        }
        for client in self.clients.iter().filter(|client| !client.done()) {
            let (ids, attached) = (client.unanswered.keys(), client.attached);
            out.push(format!("client {} waits for {ids:?} ({attached})", client.actor));
        }
        if !self.service.open.is_empty() {
            out.push(format!("calls wait: {:?}", self.service.open));
        }
        out.join("; ")
    }

    /// When nothing more is on its way: everything owed was done, exactly once.
    pub fn at_rest(&self) -> Check {
        let unrest = self.unrest();
        ensure(unrest.is_empty(), || format!("I5: left hanging: {unrest}"))?;
        let missing = self.journals.iter().find(|j| j.missing.is_some()).map(|j| &j.id);
        ensure(missing.is_none(), || format!("I6: records of {missing:?} are lost"))?;
        self.conserved()?;
        for a in self.current.iter().flatten() {
            let core = self.activations[*a].core.as_ref();
            let free = |core: &Core| core.flight.is_none() && core.hold == Hold::Free;
            ensure(core.is_none_or(free), || "in flight, or held".into())?;
            self.as_journaled(*a)?;
        }
        for client in &self.clients {
            let account = &self.journals[client.actor].account;
            for (nonce, intent) in &client.intents {
                let effects = account.effects.get(nonce).copied().unwrap_or(0);
                let wrong = match (intent.ok, intent.unknown) {
                    (true, _) => effects != 1,
                    (false, false) => effects != 0,
                    (false, true) => effects > 1,
                };
                ensure(!wrong, || format!("I4: {nonce} {intent:?} took effect {effects} times"))?;
            }
            self.all_frames(client)?;
        }
        for (nonce, (actor, _, ok)) in &self.service.answered {
            let effects = self.journals[*actor].account.effects.get(nonce).copied().unwrap_or(0);
            // A refusal frees the key, so a copy that came after it may take effect.
            ensure(effects == 1 || !*ok, || format!("I4: call {nonce}: {effects}"))?;
        }
        Ok(())
    }

    /// A session that was resumed saw every numbered frame since its last whole state.
    fn all_frames(&self, client: &super::client::Client) -> Check {
        let entries = (1..).zip(&self.journals[client.actor].entries);
        let pushed = |fact: &Fact| matches!(fact, Fact::Pushed(_));
        let made = entries.filter(|(_, entry)| entry.record.facts.iter().any(pushed));
        let made: Vec<u64> = made.map(|(seq, _)| seq).filter(|seq| *seq > client.base).collect();
        ensure(made == client.frames, || {
            format!("client {}: saw {:?} of {made:?}", client.actor, client.frames)
        })
    }
}
