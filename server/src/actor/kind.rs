//! Kinds of actors: rules of any type behind one face. Pure.
//!
//! The runtime serves players, rooms and whatever a game team adds, each with its own state,
//! events and settings. A [`Kind`] wraps one [`Actor`] type; inside, state is typed; outside, it
//! is bytes, which is what a journal holds anyway.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;

use super::contract::{Actor, Attributes, Ctx, Decision, Declaration, Message, Reject, View};
use crate::msgpack;
use crate::search::Registry;
use crate::search::attribute::DeclareError;

/// What the runtime knows when it asks for a decision.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// See [`Ctx::id`].
    pub id: &'a ActorId,
    /// See [`Ctx::now_ms`].
    pub now_ms: u64,
    /// See [`Ctx::seq`].
    pub seq: u64,
    /// See [`Ctx::token`].
    pub token: u64,
    /// See [`Ctx::random`].
    pub random: u64,
    /// See [`Ctx::connected`].
    pub connected: bool,
}

/// Why the rules gave no decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// They refused the message.
    Rejected(Reject),
    /// `decide` panicked: the message is refused, the actor lives. The text is the panic's.
    Decide(String),
    /// `apply` panicked: the state can't be trusted any more. The actor is quarantined.
    Apply(String),
}

/// One actor's state behind its rules.
pub trait Behaviour: Send {
    /// Decides, folds the decision's events at once, and returns it with the events encoded.
    fn decide(&mut self, facts: Facts<'_>, message: &Message<'_>)
    -> Result<Decision<Bytes>, Fault>;
    /// Folds a journaled event.
    fn replay(&mut self, event: &[u8]) -> Result<(), String>;
    /// Answers a read.
    fn query(&self, facts: Facts<'_>, payload: &[u8]) -> Result<Bytes, Fault>;
    /// The state for a snapshot. Equal states have equal bytes.
    fn save(&self) -> Bytes;
    /// See [`Actor::view`].
    fn view(&self) -> Option<View>;
    /// See [`Actor::topic`].
    fn topic(&self, id: &ActorId) -> Option<Arc<str>>;
    /// See [`Actor::is_over`].
    fn is_over(&self) -> bool;
    /// See [`Actor::attributes`].
    fn attributes(&self) -> Option<Attributes>;
}

struct Typed<A: Actor> {
    state: A,
    settings: Arc<A::Settings>,
}

impl<A: Actor> Typed<A> {
    fn ctx<'a>(&'a self, facts: Facts<'a>) -> Ctx<'a, A::Settings> {
        Ctx {
            id: facts.id,
            now_ms: facts.now_ms,
            seq: facts.seq,
            token: facts.token,
            random: facts.random,
            connected: facts.connected,
            settings: &self.settings,
        }
    }
}

fn panic_text(cause: &(dyn std::any::Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| cause.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".into())
}

impl<A: Actor> Behaviour for Typed<A> {
    fn decide(
        &mut self,
        facts: Facts<'_>,
        message: &Message<'_>,
    ) -> Result<Decision<Bytes>, Fault> {
        let decided =
            catch_unwind(AssertUnwindSafe(|| self.state.decide(&self.ctx(facts), message)))
                .map_err(|cause| Fault::Decide(panic_text(&*cause)))?
                .map_err(Fault::Rejected)?;
        let mut events = Vec::with_capacity(decided.events.len());
        for event in &decided.events {
            events.push(msgpack::named(event).map_err(|e| Fault::Apply(e.to_string()))?);
            catch_unwind(AssertUnwindSafe(|| self.state.apply(event)))
                .map_err(|cause| Fault::Apply(panic_text(&*cause)))?;
        }
        Ok(Decision {
            events,
            tells: decided.tells,
            timers: decided.timers,
            activities: decided.activities,
            pushes: decided.pushes,
            broadcasts: decided.broadcasts,
            reply: decided.reply,
            completions: decided.completions,
            warning: decided.warning,
            alarms: decided.alarms,
            ends_session: decided.ends_session,
        })
    }

    fn replay(&mut self, event: &[u8]) -> Result<(), String> {
        let event: A::Event = rmp_serde::from_slice(event).map_err(|e| e.to_string())?;
        catch_unwind(AssertUnwindSafe(|| self.state.apply(&event))).map_err(|c| panic_text(&*c))
    }

    fn query(&self, facts: Facts<'_>, payload: &[u8]) -> Result<Bytes, Fault> {
        catch_unwind(AssertUnwindSafe(|| self.state.query(&self.ctx(facts), payload)))
            .map_err(|cause| Fault::Decide(panic_text(&*cause)))?
            .map_err(Fault::Rejected)
    }

    fn save(&self) -> Bytes {
        // A state that can't be written leaves empty bytes, which no restore accepts.
        msgpack::named(&self.state).unwrap_or_default()
    }

    fn view(&self) -> Option<View> {
        // A view is for others' eyes only; one that can't be made shows nothing.
        catch_unwind(AssertUnwindSafe(|| self.state.view())).unwrap_or(None)
    }

    fn topic(&self, id: &ActorId) -> Option<Arc<str>> {
        catch_unwind(AssertUnwindSafe(|| self.state.topic(id))).unwrap_or(None)
    }

    fn is_over(&self) -> bool {
        // Rules that can't say so keep their actor.
        catch_unwind(AssertUnwindSafe(|| self.state.is_over())).unwrap_or(false)
    }

    fn attributes(&self) -> Option<Attributes> {
        // The same: the row in the index stays as it was.
        catch_unwind(AssertUnwindSafe(|| self.state.attributes())).unwrap_or(None)
    }
}

/// One kind of actor: how its state is made and read.
#[derive(Clone)]
pub struct Kind {
    new: Arc<New>,
    restore: Arc<Restore>,
    declared: fn() -> Vec<Declaration>,
}

type New = dyn Fn(&ActorId) -> Box<dyn Behaviour> + Send + Sync;
type Restore = dyn Fn(&[u8]) -> Result<Box<dyn Behaviour>, String> + Send + Sync;

impl Kind {
    /// The kind whose rules are `A`.
    #[must_use]
    pub fn of<A: Actor>(settings: Arc<A::Settings>) -> Self {
        let for_restore = Arc::clone(&settings);
        Self {
            new: Arc::new(move |id| {
                Box::new(Typed { state: A::new(id), settings: Arc::clone(&settings) })
            }),
            restore: Arc::new(move |bytes| {
                let state: A = rmp_serde::from_slice(bytes).map_err(|e| e.to_string())?;
                Ok(Box::new(Typed { state, settings: Arc::clone(&for_restore) }))
            }),
            declared: A::declared,
        }
    }

    /// See [`Actor::declared`].
    #[must_use]
    pub fn declared(&self) -> Vec<Declaration> {
        (self.declared)()
    }

    /// The state before the first event.
    #[must_use]
    pub fn fresh(&self, id: &ActorId) -> Box<dyn Behaviour> {
        (self.new)(id)
    }

    /// The state that a snapshot holds.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn restore(&self, bytes: &[u8]) -> Result<Box<dyn Behaviour>, String> {
        (self.restore)(bytes)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a kind")
    }
}

/// The kinds that a node serves, by the part of an actor's id before the colon.
#[derive(Debug, Clone, Default)]
pub struct Kinds(BTreeMap<&'static str, Kind>);

impl Kinds {
    /// Adds a kind under its name; replaces one of the same name.
    #[must_use]
    pub fn with(mut self, name: &'static str, kind: Kind) -> Self {
        self.0.insert(name, kind);
        self
    }

    /// All attributes that sessions have: the built-in ones and what the kinds declare.
    ///
    /// # Errors
    /// [`DeclareError`] when a kind declares what can't be an attribute.
    pub fn attributes(&self) -> Result<Registry, DeclareError> {
        let mut registry = Registry::default();
        for declaration in self.0.values().flat_map(Kind::declared) {
            registry.declare(declaration)?;
        }
        Ok(registry)
    }

    /// The kind of an actor, if this node serves it.
    #[must_use]
    pub fn of(&self, id: &ActorId) -> Option<&Kind> {
        self.0.get(id.kind())
    }
}
