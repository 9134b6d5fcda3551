//! Actors that other nodes have: where their mail goes, and what becomes of it.
//!
//! A route is a hint with a short life. It is learned from a claim that was refused, or from an
//! actor's own mail out of another node; it is forgotten after a lease's time without a word of
//! the actor, when its node has gone or says that it is not there, and when the actor comes home.
//!
//! | fault | what happens |
//! |---|---|
//! | the node does not have it | it says so; the store is asked who does |
//! | the node says so again at once | callers hear BUSY, tells are sent again later |
//! | no answer for 200 ms, and its node missed a renewal of its lease | this node claims the actor, once a lease's time |
//! | no answer for a lease's time, from a node that lives | the same: it may have lost the actor |
//! | the node is dead | this node claims the actor |
//! | the mail could not be sent | as if it had never been forwarded |
//!
//! When a node is given up, a call without a key that was sent there is in doubt and never
//! executed again; one with a key is, since a key takes effect once; queries are asked again, and
//! tells by their senders.
//! I7: routes, and what waits for answers, are bounded; mail beyond hears BUSY.

use std::collections::{BTreeSet, HashMap, VecDeque};

use holdfast_protocol::ids::ActorId;
use tracing::{debug, warn};

use super::{Slot, WAITING_MAX, Worker};
use crate::actor::bring_up::Take;
use crate::actor::core::Verdict;
use crate::actor::envelope::{CallError, Refusal};
use crate::actor::fleet::{FleetHandle, Post};
use crate::actor::mail::{Answer, Envelope, Mail, Routing};
use crate::actor::record::TellId;
use crate::store::NodeSession;

/// After so long without any answer from a node for an actor, the actor is claimed.
const SILENCE_MS: u64 = 200;
/// An answer that takes so long is announced to the node that waits for it.
const WORKING_MS: u64 = 80;
/// A node that said "not here" is not believed to have the actor for so long.
const SHUT_MS: u64 = 50;
/// An answer that was announced is waited for so long: longer than callers are.
const ANSWER_MS_MAX: u64 = 10_000;
/// Calls of other nodes whose slowness is announced.
const WORKS_MAX: usize = 16_384;

/// What a worker knows of actors elsewhere.
#[derive(Default)]
pub(super) struct Away {
    routes: HashMap<ActorId, Route>,
    /// Forwarded calls and queries, by number.
    asked: HashMap<u64, Asked>,
    counter: u64,
    /// When silence is too long.
    deadlines: BTreeSet<(u64, ActorId)>,
    /// When actors were last claimed because of silence.
    claimed: HashMap<ActorId, u64>,
    /// Calls of other nodes that may take their time: when to say so, who, to whom.
    works: VecDeque<(u64, ActorId, NodeSession)>,
}

/// Where an actor is believed to be.
struct Route {
    node: NodeSession,
    until_ms: u64,
    /// The node said that it is not there; until then it is not sent there again.
    shut_until_ms: u64,
    /// The deadline that is booked.
    deadline_ms: Option<u64>,
    /// When the actor was first asked for something that it has not answered.
    silent_since_ms: u64,
    asked: Vec<u64>,
    /// Tells without a verdict: sender and id.
    tells: Vec<(ActorId, TellId)>,
}

/// A call or query that was forwarded.
struct Asked {
    to: ActorId,
    node: NodeSession,
    mail: Mail,
    /// The node has it and is at work.
    working: bool,
    until_ms: u64,
}

impl Away {
    /// When something is to be done next.
    pub fn wake_at_ms(&self) -> u64 {
        let silence = self.deadlines.first().map_or(u64::MAX, |(at, _)| *at);
        silence.min(self.works.front().map_or(u64::MAX, |(at, ..)| *at))
    }

    /// Another node's question was taken; its answer may take a while.
    pub fn will_work(&mut self, now_ms: u64, id: &ActorId, node: NodeSession) {
        // I7: beyond, the other node is not told, and may take the actor.
        if self.works.len() < WORKS_MAX {
            self.works.push_back((now_ms + WORKING_MS, id.clone(), node));
        }
    }

    fn route(&self, id: &ActorId, now_ms: u64) -> Option<NodeSession> {
        let route = self.routes.get(id)?;
        let waits = !route.asked.is_empty() || !route.tells.is_empty();
        let fresh = route.until_ms > now_ms || waits;
        (fresh && route.shut_until_ms <= now_ms).then_some(route.node)
    }

    fn is_shut(&self, id: &ActorId, node: NodeSession, now_ms: u64) -> bool {
        let shut = |route: &Route| route.node == node && route.shut_until_ms > now_ms;
        self.routes.get(id).is_some_and(shut)
    }

    /// Sets or clears the time at which silence becomes too long.
    fn book(&mut self, id: &ActorId, at_ms: Option<u64>) {
        let Some(route) = self.routes.get_mut(id) else { return };
        if let Some(before) = std::mem::replace(&mut route.deadline_ms, at_ms) {
            self.deadlines.remove(&(before, id.clone()));
        }
        if let Some(at_ms) = at_ms {
            self.deadlines.insert((at_ms, id.clone()));
        }
    }

    /// Begins to wait for a word of the actor, unless that has begun.
    fn wait(&mut self, id: &ActorId, now_ms: u64) {
        let Some(route) = self.routes.get_mut(id) else { return };
        if route.deadline_ms.is_none() {
            route.silent_since_ms = now_ms;
            self.book(id, Some(now_ms + SILENCE_MS));
        }
    }

    fn remove(&mut self, id: &ActorId) -> Option<Route> {
        self.book(id, None);
        self.routes.remove(id)
    }
}

impl Worker {
    /// Sends mail to the node that has its actor. What does not travel, or has no known way,
    /// comes back.
    pub(super) fn send_on(&mut self, envelope: Envelope) -> Option<Envelope> {
        let now_ms = self.desk.store.now_ms();
        let Some(node) = self.away.route(&envelope.to, now_ms) else { return Some(envelope) };
        if !envelope.mail.travels() || self.desk.frozen {
            return Some(envelope);
        }
        match envelope.via {
            None => self.forward(envelope, node, now_ms),
            Some(via) if via != node && envelope.mail.activates() => {
                self.not_here(envelope, via);
                None
            }
            // Each believes it to be with the other: the store knows.
            Some(_) => Some(envelope),
        }
    }

    fn forward(&mut self, envelope: Envelope, node: NodeSession, now_ms: u64) -> Option<Envelope> {
        let Some(fleet) = self.desk.fleet.clone() else { return Some(envelope) };
        if !fleet.is_alive(node) {
            self.lose(&envelope.to.clone());
            return Some(envelope);
        }
        self.desk.stats.forwarded.add(1);
        let Envelope { to, via, mail } = envelope;
        match mail {
            Mail::Tell(from, tell) => {
                let id = tell.id;
                let post = Post::Tell { to: to.clone(), from: from.clone(), tell: *tell };
                if fleet.post(node, post) {
                    self.await_verdict(&to, from, id, now_ms);
                } else {
                    self.desk.post(from, Mail::Verdict(to, id, Verdict::Busy));
                }
            }
            Mail::Verdict(from, id, verdict) => {
                let _ = fleet.post(node, Post::Verdict { to, from, id, verdict });
            }
            Mail::Settled(from, id) => {
                let _ = fleet.post(node, Post::Settled { to, from, id });
            }
            Mail::SettleAsked(from, id) => {
                let _ = fleet.post(node, Post::SettleAsked { to, from, id });
            }
            mail => self.ask(&fleet, Envelope { to, via, mail }, node, now_ms),
        }
        None
    }

    fn await_verdict(&mut self, to: &ActorId, from: ActorId, id: TellId, now_ms: u64) {
        let Some(route) = self.away.routes.get_mut(to) else { return };
        // I7: one that is not listed is sent again by its sender all the same.
        if route.tells.len() < WAITING_MAX && !route.tells.contains(&(from.clone(), id)) {
            route.tells.push((from, id));
        }
        self.away.wait(to, now_ms);
    }

    /// Forwards a call or query and waits for its answer.
    fn ask(&mut self, fleet: &FleetHandle, envelope: Envelope, node: NodeSession, now_ms: u64) {
        let Envelope { to, mail, .. } = &envelope;
        let room = self.away.asked.len() < self.config.away_len_max
            && self.away.routes.get(to).is_some_and(|route| route.asked.len() < WAITING_MAX);
        let id = self.away.counter + 1;
        let post = match mail {
            Mail::Call(call, _) => Post::Call { to: to.clone(), id, call: (**call).clone() },
            Mail::Query { payload, linearizable, .. } => Post::Query {
                to: to.clone(),
                id,
                payload: payload.clone(),
                linearizable: *linearizable,
            },
            _ => return,
        };
        if !room || !fleet.post(node, post) {
            self.desk.stats.mail_overflows.add(u64::from(!room));
            return self.desk.refuse(envelope, &Refusal::Busy, CallError::Busy);
        }
        self.away.counter += 1;
        let Envelope { to, mail, .. } = envelope;
        if let Some(route) = self.away.routes.get_mut(&to) {
            route.asked.push(id);
        }
        self.away.wait(&to, now_ms);
        let until_ms = now_ms + ANSWER_MS_MAX;
        let asked = Asked { to, node, mail, working: false, until_ms };
        self.away.asked.insert(id, asked);
    }

    /// The store says that a living node has the actor for which mail waits.
    pub(super) fn found_away(&mut self, id: &ActorId, node: NodeSession, mail: Vec<Envelope>) {
        let now_ms = self.desk.store.now_ms();
        let shut = self.away.is_shut(id, node, now_ms);
        let here = self.send_back(mail);
        if shut {
            return self.refuse_all(here, &Refusal::Busy, &CallError::Busy);
        }
        self.learn(id, node);
        for envelope in here {
            if let Some(envelope) = self.send_on(envelope) {
                self.desk.refuse(envelope, &Refusal::Busy, CallError::Busy);
            }
        }
    }

    /// Says to the nodes that mail came from that it was not taken; returns this node's own.
    pub(super) fn send_back(&mut self, mail: Vec<Envelope>) -> Vec<Envelope> {
        let mut here = Vec::new();
        for envelope in mail {
            match envelope.via {
                Some(via) => self.not_here(envelope, via),
                None => here.push(envelope),
            }
        }
        here
    }

    /// Says to a node that what it sent was not taken.
    fn not_here(&mut self, envelope: Envelope, via: NodeSession) {
        self.desk.stats.not_here.add(1);
        if let Some(fleet) = &self.desk.fleet {
            // Unheard, the other node finds out by the silence.
            let _ = fleet.post(via, Post::NotHere { actor: envelope.to.clone() });
        }
        if let Mail::Call(_, reply) | Mail::Query { reply, .. } = envelope.mail {
            reply.send(Err(CallError::Busy));
        }
    }

    /// Remembers that a node has an actor.
    pub(super) fn learn(&mut self, id: &ActorId, node: NodeSession) {
        let now_ms = self.desk.store.now_ms();
        let until_ms = now_ms + self.config.ttl_ms;
        match self.away.routes.get_mut(id) {
            Some(route) if route.node == node => {
                (route.until_ms, route.shut_until_ms) = (until_ms, 0);
                return;
            }
            Some(_) => self.lose(id),
            None => {}
        }
        if self.away.routes.len() >= self.config.away_len_max {
            self.forget_routes(now_ms);
        }
        if self.away.routes.len() < self.config.away_len_max {
            let route = Route {
                node,
                until_ms,
                shut_until_ms: 0,
                deadline_ms: None,
                silent_since_ms: 0,
                asked: Vec::new(),
                tells: Vec::new(),
            };
            self.away.routes.insert(id.clone(), route);
        } else {
            self.desk.stats.mail_overflows.add(1);
        }
    }

    /// What another node says of an actor.
    pub(super) fn routing(&mut self, id: &ActorId, via: Option<NodeSession>, said: Routing) {
        let Some(node) = via else { return };
        match said {
            Routing::Speaks => self.heard(id, node, false),
            Routing::Working => self.heard(id, node, true),
            Routing::NotHere => self.shut(id, node),
            Routing::Answer(number, answer) => self.answered(number, answer),
            Routing::Unsent(number) => self.unsent(number),
            Routing::HandOver => self.hand_over(id, node),
            Routing::HandedOver => {
                if let Some(Slot::Coming(coming)) = self.slots.get(id) {
                    coming.handed.notify_one();
                }
            }
        }
    }

    /// An actor has spoken out of a node.
    fn heard(&mut self, id: &ActorId, node: NodeSession, working: bool) {
        if self.slots.contains_key(id) {
            return;
        }
        self.learn(id, node);
        let now_ms = self.desk.store.now_ms();
        let Some(route) = self.away.routes.get_mut(id) else { return };
        route.silent_since_ms = now_ms;
        route.tells.clear();
        let numbers = route.asked.clone();
        let mut open = false;
        for number in numbers {
            if let Some(asked) = self.away.asked.get_mut(&number) {
                asked.working |= working;
                open |= !asked.working;
            }
        }
        self.away.book(id, open.then_some(now_ms + SILENCE_MS));
    }

    /// A node does not have an actor. Its tells are sent again; calls are answered by that node.
    fn shut(&mut self, id: &ActorId, node: NodeSession) {
        let now_ms = self.desk.store.now_ms();
        let Some(route) = self.away.routes.get_mut(id).filter(|route| route.node == node) else {
            return;
        };
        route.shut_until_ms = now_ms + SHUT_MS;
        let tells = std::mem::take(&mut route.tells);
        self.send_again(id, tells);
    }

    fn send_again(&mut self, to: &ActorId, tells: Vec<(ActorId, TellId)>) {
        for (from, tell) in tells {
            self.desk.post(from, Mail::Verdict(to.clone(), tell, Verdict::Busy));
        }
    }

    fn take_asked(&mut self, number: u64) -> Option<Asked> {
        let asked = self.away.asked.remove(&number)?;
        if let Some(route) = self.away.routes.get_mut(&asked.to) {
            route.asked.retain(|other| *other != number);
        }
        Some(asked)
    }

    fn answered(&mut self, number: u64, answer: Answer) {
        let Some(asked) = self.take_asked(number) else { return };
        let Asked { to, node, mail, .. } = asked;
        let now_ms = self.desk.store.now_ms();
        // The node did not take it: whoever has the actor is asked.
        if answer == Err(CallError::Busy) && self.away.is_shut(&to, node, now_ms) {
            return self.sort(Envelope { to, via: None, mail });
        }
        self.heard(&to, node, false);
        match mail {
            Mail::Call(_, reply) => reply.send(answer),
            // A read changes nothing: it can be asked again.
            Mail::Query { reply, .. } if answer == Err(CallError::OutcomeUnknown) => {
                reply.send(Err(CallError::Busy));
            }
            Mail::Query { reply, .. } => reply.send(answer),
            _ => {}
        }
    }

    /// What was to be forwarded never left this node.
    fn unsent(&mut self, number: u64) {
        let Some(Asked { to, mail, .. }) = self.take_asked(number) else { return };
        self.lose(&to);
        self.sort(Envelope { to, via: None, mail });
    }

    /// The actor is in memory here.
    pub(super) fn come_home(&mut self, id: &ActorId) {
        self.lose(id);
    }

    /// Forgets a route; what waited for answers goes its own way.
    fn lose(&mut self, id: &ActorId) {
        let open = self.give_up(id);
        self.redeliver(open);
    }

    /// Ends a route. Returns what may be asked again elsewhere.
    fn give_up(&mut self, id: &ActorId) -> Vec<Envelope> {
        let Some(route) = self.away.remove(id) else { return Vec::new() };
        self.send_again(id, route.tells);
        let mut again = Vec::new();
        for number in route.asked {
            let Some(asked) = self.away.asked.remove(&number) else { continue };
            match asked.mail {
                // I4: it may have taken effect there.
                Mail::Call(call, reply) if call.key.is_none() => {
                    reply.send(Err(CallError::OutcomeUnknown));
                }
                mail => again.push(Envelope { to: asked.to, via: None, mail }),
            }
        }
        again
    }

    /// Claims those whose node has been silent for too long, and announces slow answers.
    pub(super) fn wake_away(&mut self, now_ms: u64) {
        while let Some((at_ms, id)) = self.away.deadlines.first().cloned() {
            if at_ms > now_ms {
                break;
            }
            self.silent(id, now_ms);
        }
        while let Some((at_ms, ..)) = self.away.works.front() {
            if *at_ms > now_ms {
                break;
            }
            if let Some((_, id, node)) = self.away.works.pop_front() {
                self.announce(id, node);
            }
        }
    }

    fn silent(&mut self, id: ActorId, now_ms: u64) {
        let before = self.away.claimed.get(&id).copied();
        let again_ms = before.map_or(0, |at_ms| at_ms + self.config.ttl_ms);
        let room = before.is_some() || self.away.claimed.len() < self.config.away_len_max;
        if again_ms > now_ms || !room || self.draining {
            return self.away.book(&id, Some(again_ms.max(now_ms + SILENCE_MS)));
        }
        let route = self.away.routes.get(&id).map(|route| (route.node, route.silent_since_ms));
        let Some((node, since_ms)) = route else {
            self.away.deadlines.pop_first();
            return;
        };
        // Under load a living node may need longer. To take its actors from it would make more
        // load of it, and cost players their sockets.
        let slow = self.desk.fleet.as_ref().is_some_and(|fleet| !fleet.is_overdue(node));
        if slow && now_ms < since_ms + self.config.ttl_ms {
            return self.away.book(&id, Some(now_ms + SILENCE_MS));
        }
        warn!(actor = %id, node, "no answer from its node: it is claimed");
        self.away.claimed.insert(id.clone(), now_ms);
        let mut waiting = self.give_up(&id);
        waiting.push(Envelope { to: id.clone(), via: None, mail: Mail::Wake });
        if self.slots.contains_key(&id) {
            return self.redeliver(waiting);
        }
        self.activate_from(id, waiting, Take::Unanswered(node));
    }

    fn announce(&self, id: ActorId, node: NodeSession) {
        let Some(Slot::Active(cell)) = self.slots.get(&id) else { return };
        if cell.owes(node)
            && let Some(fleet) = &self.desk.fleet
        {
            let _ = fleet.post(node, Post::Working { actor: id });
        }
    }

    /// Node sessions have gone: what was sent to them goes its own way.
    pub(super) fn departed(&mut self) {
        let Some(fleet) = self.desk.fleet.clone() else { return };
        let dead = self.away.routes.iter().filter(|(_, route)| !fleet.is_alive(route.node));
        for id in dead.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            debug!(actor = %id, "its node is dead");
            self.lose(&id);
        }
    }

    /// Forgets what has had its time.
    pub(super) fn sweep_away(&mut self, now_ms: u64) {
        let ttl_ms = self.config.ttl_ms;
        self.away.claimed.retain(|_, at_ms| *at_ms + ttl_ms > now_ms);
        let late = self.away.asked.iter().filter(|(_, asked)| asked.until_ms <= now_ms);
        for number in late.map(|(number, _)| *number).collect::<Vec<_>>() {
            let Some(asked) = self.take_asked(number) else { continue };
            match asked.mail {
                Mail::Call(_, reply) => reply.send(Err(CallError::OutcomeUnknown)),
                Mail::Query { reply, .. } => reply.send(Err(CallError::Busy)),
                _ => {}
            }
        }
        self.forget_routes(now_ms);
    }

    fn forget_routes(&mut self, now_ms: u64) {
        self.away.routes.retain(|_, route| {
            route.until_ms > now_ms || route.deadline_ms.is_some() || !route.asked.is_empty()
        });
    }

    /// The node was frozen: the silence was its own.
    pub(super) fn forgive_silence(&mut self) {
        let at_ms = self.desk.store.now_ms() + SILENCE_MS;
        for (_, id) in self.away.deadlines.clone() {
            self.away.book(&id, Some(at_ms));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_bound_is_not_announced() {
        let (mut away, id) = (Away::default(), ActorId::new("toy", "a").unwrap());
        for now_ms in 0..WORKS_MAX as u64 + 9 {
            away.will_work(now_ms, &id, 1);
        }
        assert_eq!(away.works.len(), WORKS_MAX);
        assert_eq!(away.wake_at_ms(), WORKING_MS, "those before are kept");
    }
}
