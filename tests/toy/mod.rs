//! A tiny kind of actor for tests of the runtime: it does what it is told to do, and notes all
//! that happens to it. With it, a store whose answers a test can bend ([`store`]), and
//! activities whose attempts a test answers by hand ([`work`]).

pub mod store;
pub mod work;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use holdfast::actor::activity::Activities;
use holdfast::actor::connection::Connection;
use holdfast::actor::contract::{
    ActivityCall, ActivityOptions, Actor, Ctx, Decision, Message, Origin, Reject, Reply, Tell,
    TimerChange, View,
};
use holdfast::actor::envelope::{
    Answered, Attach, Call, CallError, Closing, Command, Delivery, Outcome,
};
use holdfast::actor::fleet::FleetHandle;
use holdfast::actor::handle::{Config, Parts, Runtime};
use holdfast::actor::kind::{Kind, Kinds};
use holdfast::clock::Clock;
use holdfast::store::Store;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

use crate::inproc::{Nobody, SOON};
use crate::support::{PATIENCE, eventually};

/// What a toy can be told to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Order {
    Add(u64),
    Refuse,
    /// `decide` panics.
    Panic,
    /// `apply` panics, now and at every replay.
    Bomb,
    /// `view` panics from now on.
    Hide,
    Timer {
        name: String,
        at_ms: u64,
    },
    /// A timer that sets itself again and again.
    Spin,
    Run {
        name: String,
        input: String,
        options: ActivityOptions,
    },
    /// It is over.
    End,
    Tell {
        to: ActorId,
        order: Box<Order>,
        creates: bool,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    Added(u64),
    Noted(String),
    Exploded,
    Hidden,
    Ended,
}

/// The toy's state: what it was told to add, and how often each thing happened to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toy {
    pub sum: u64,
    pub notes: BTreeMap<String, u64>,
    hidden: bool,
    #[serde(default)]
    over: bool,
}

fn obey(order: &Order, now_ms: u64) -> Result<Decision<Event>, Reject> {
    let mut decision = Decision::default();
    match order.clone() {
        Order::Add(n) => decision.events.push(Event::Added(n)),
        Order::Refuse => return Err(Reject::new("bad_args", "as it was told")),
        Order::Panic => panic!("as it was told"),
        Order::Bomb => decision.events.push(Event::Exploded),
        Order::Hide => decision.events.push(Event::Hidden),
        Order::End => decision.events.push(Event::Ended),
        Order::Timer { name, at_ms } => {
            decision.timers.push(TimerChange::Set { name: name.into(), at_ms });
        }
        Order::Spin => {
            let name = "spin".into();
            decision.timers.push(TimerChange::Set { name, at_ms: now_ms + 1 });
        }
        Order::Run { name, input, options } => {
            decision.activities.push(ActivityCall {
                name: name.into(),
                input: input.into(),
                options,
            });
        }
        Order::Tell { to, order, creates } => {
            let payload = serde_json::to_vec(&order).unwrap().into();
            decision.tells.push(Tell { to, payload, creates });
        }
    }
    Ok(decision)
}

fn noted(note: String) -> Decision<Event> {
    Decision { events: vec![Event::Noted(note)], ..Decision::default() }
}

impl Actor for Toy {
    type Event = Event;
    type Settings = ();

    fn new(_: &ActorId) -> Self {
        Self::default()
    }

    fn decide(&self, ctx: &Ctx<'_, ()>, message: &Message<'_>) -> Result<Decision<Event>, Reject> {
        Ok(match message {
            Message::Command { payload, .. } => {
                let mut decision = obey(&serde_json::from_slice(payload).unwrap(), ctx.now_ms)?;
                decision.reply = Reply::Now(Bytes::from_static(b"{}"));
                decision
            }
            Message::Tell { payload, .. } => {
                obey(&serde_json::from_slice(payload).unwrap(), ctx.now_ms)?
            }
            Message::Timer { name: "spin" } => obey(&Order::Spin, ctx.now_ms)?,
            Message::Timer { name } => noted(format!("timer {name}")),
            Message::ActivityEnded { name, outcome, .. } => match outcome {
                Ok(bytes) => noted(format!("{name}: {}", String::from_utf8_lossy(bytes))),
                Err(why) => noted(format!("{name} failed: {why}")),
            },
            Message::Undelivered { to, .. } => noted(format!("undelivered to {to}")),
            Message::Opened { .. } => noted("opened".into()),
            Message::Resumed => noted("resumed".into()),
            Message::Lost => noted("lost".into()),
        })
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Added(n) => self.sum += n,
            Event::Noted(note) => *self.notes.entry(note.clone()).or_default() += 1,
            Event::Exploded => panic!("as it was told"),
            Event::Hidden => self.hidden = true,
            Event::Ended => self.over = true,
        }
    }

    fn query(&self, _: &Ctx<'_, ()>, _: &[u8]) -> Result<Bytes, Reject> {
        Ok(serde_json::to_vec(self).unwrap().into())
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn view(&self) -> Option<View> {
        assert!(!self.hidden, "as it was told");
        None
    }
}

pub fn toy(key: &str) -> ActorId {
    ActorId::new("toy", key).unwrap()
}

/// A runtime of toys.
pub fn start(
    store: Arc<dyn Store>,
    clock: &Clock,
    activities: Activities,
    config: &Config,
) -> Runtime {
    start_in(store, clock, activities, config, None)
}

/// A runtime of toys, among others.
pub fn start_in(
    store: Arc<dyn Store>,
    clock: &Clock,
    activities: Activities,
    config: &Config,
    fleet: Option<FleetHandle>,
) -> Runtime {
    let kinds = Kinds::default().with("toy", Kind::of::<Toy>(Arc::new(())));
    let (nearby, clock) = (Arc::new(Nobody), clock.clone());
    let index = None;
    Runtime::start(config, Parts { store, kinds, activities, nearby, clock, fleet, index })
}

/// One worker, so that what a test sends is taken in its order.
pub fn alone() -> Config {
    Config { workers: 1, ..Config::default() }
}

/// Tells a toy what to do; makes it if there is none.
pub async fn order(rt: &Runtime, id: &ActorId, order: &Order) -> Result<Answered, CallError> {
    let payload = serde_json::to_vec(order).unwrap().into();
    let call = Call { origin: Origin::Service, key: None, payload, creates: true, signal: false };
    tokio::time::timeout(SOON, rt.call(id, call)).await.expect("no answer in time")
}

pub async fn query(rt: &Runtime, id: &ActorId, linearizable: bool) -> Result<Toy, CallError> {
    let asked = rt.query(id, Bytes::new(), linearizable);
    let answer = tokio::time::timeout(SOON, asked).await.expect("no answer in time")?;
    Ok(serde_json::from_slice(&answer.body).unwrap())
}

/// The newest record of a toy, without touching the runtime.
pub async fn seq(store: &dyn Store, id: &ActorId) -> u64 {
    store.tip(id).await.unwrap().map_or(0, |tip| tip.seq)
}

/// Moves the clock on until nothing is in memory.
pub async fn asleep(rt: &Runtime, clock: &Clock) {
    let stats = rt.stats();
    eventually("every actor to leave memory", PATIENCE, async || {
        clock.advance(1_000);
        (stats.activations.get() == 0).then_some(())
    })
    .await;
}

/// A socket's other end.
pub struct Line {
    pub runtime: Runtime,
    pub actor: ActorId,
    pub connection: Connection,
    pub session: u64,
}

impl Line {
    /// Says hello and is welcome.
    pub async fn open(runtime: &Runtime, key: &str) -> Self {
        let connection = Connection::new(rand::random(), 1024);
        let (runtime, actor) = (runtime.clone(), toy(key));
        let attach = Attach::Hello { payload: Bytes::new(), creates: true };
        runtime.attach(&actor, connection.clone(), attach).await;
        let mut line = Self { runtime, actor, connection, session: 0 };
        match line.next().await {
            Delivery::Attached(attached) => line.session = attached.session,
            other => panic!("not attached: {other:?}"),
        }
        line
    }

    pub async fn next(&mut self) -> Delivery {
        let next = tokio::time::timeout(SOON, self.connection.next()).await;
        next.expect("no delivery in time")
    }

    pub async fn send(&self, id: u64, order: &Order) {
        let command = Command {
            session: self.session,
            connection: self.connection.id,
            id: Some(id),
            key: None,
            payload: serde_json::to_vec(order).unwrap().into(),
        };
        self.runtime.command(&self.actor, command).await;
    }

    /// Waits for the reply to `id`.
    pub async fn reply(&mut self, id: u64) -> Outcome {
        loop {
            match self.next().await {
                Delivery::Reply { id: Some(got), outcome } if got == id => return *outcome,
                Delivery::Close(why) => panic!("closed: {why:?}"),
                _ => {}
            }
        }
    }

    /// Reads until the connection is closed; counts the commands that were acknowledged.
    pub async fn acknowledged(&mut self) -> (u64, Closing) {
        let mut ok = 0;
        loop {
            match self.next().await {
                Delivery::Reply { outcome, .. } => ok += u64::from(outcome.result.is_ok()),
                Delivery::Close(why) => return (ok, why),
                _ => {}
            }
        }
    }

    pub async fn hang_up(self) {
        self.runtime.detach(&self.actor, self.connection.id).await;
    }
}
