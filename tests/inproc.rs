//! The runtime with the reference game inside the test's own process: no sockets, and a clock
//! that the test moves. For behaviour that needs a million commands or a minute's wait.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use holdfast::actor::activity::Activities;
use holdfast::actor::connection::Connection;
use holdfast::actor::contract::{Origin, View};
use holdfast::actor::envelope::{
    Answered, Attach, Attached, Call, CallError, Command, Delivery, Nearby, Outcome,
};
use holdfast::actor::handle::{Config, Parts, Runtime};
use holdfast::actor::kind::{Kind, Kinds};
use holdfast::clock::Clock;
use holdfast::game;
use holdfast::store::Store;
use holdfast_protocol::client::Verb;
use holdfast_protocol::edge::{Opening, Proof, Request};
use holdfast_protocol::ids::{ActorId, PlayerId};

/// Longest wait for anything that should happen at once.
pub const SOON: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct Nobody;

impl Nearby for Nobody {
    fn view(&self, _: &ActorId, _: u64, _: u64, _: Option<View>) {}
    fn broadcast(&self, _: &ActorId, _: &Arc<str>, _: Bytes) {}
}

/// The kinds of the reference game.
pub fn kinds(settings: game::Settings) -> Kinds {
    let settings = Arc::new(settings);
    Kinds::default()
        .with(game::PLAYER, Kind::of::<game::player::Player>(Arc::clone(&settings)))
        .with(game::TRADE, Kind::of::<game::trade::Trade>(Arc::clone(&settings)))
        .with(game::ROOM, Kind::of::<game::room::Room>(Arc::clone(&settings)))
        .with(game::LEADERBOARD, Kind::of::<game::leaderboard::Leaderboard>(settings))
}

/// A runtime over `store`.
pub fn runtime(store: Arc<dyn Store>, clock: Clock, config: &Config) -> Runtime {
    let (activities, nearby) = (Activities::default(), Arc::new(Nobody));
    let parts = Parts {
        store,
        kinds: kinds(game::Settings::default()),
        activities,
        nearby,
        clock,
        fleet: None,
        index: None,
    };
    Runtime::start(config, parts)
}

pub fn player(name: &str) -> ActorId {
    ActorId::player(&PlayerId::new(name).unwrap())
}

/// The payload of a verb.
pub fn payload(verb: &Verb) -> Bytes {
    rmp_serde::to_vec_named(&Request::Verb(verb.clone())).unwrap().into()
}

fn opening() -> Bytes {
    rmp_serde::to_vec_named(&Opening { name: None, proof: Proof::Open }).unwrap().into()
}

/// A service's command.
pub async fn call(runtime: &Runtime, actor: &ActorId, verb: &Verb) -> Result<Answered, CallError> {
    let call = Call {
        origin: Origin::Service,
        key: None,
        payload: payload(verb),
        creates: false,
        signal: false,
    };
    runtime.call(actor, call).await
}

/// A player on an in-process connection.
pub struct Client {
    runtime: Runtime,
    pub actor: ActorId,
    connection: Connection,
    pub session: u64,
    next_id: u64,
}

impl Client {
    /// Says hello.
    pub async fn hello(runtime: &Runtime, name: &str) -> (Self, Attached) {
        let attach = Attach::Hello { payload: opening(), creates: true };
        Self::attach(runtime, name, attach).await
    }

    async fn attach(rt: &Runtime, name: &str, attach: Attach) -> (Self, Attached) {
        let connection = Connection::new(rand::random(), 4096);
        let (actor, runtime) = (player(name), rt.clone());
        runtime.attach(&actor, connection.clone(), attach).await;
        let mut client = Self { runtime, actor, connection, session: 0, next_id: 1 };
        match client.next().await {
            Delivery::Attached(attached) => {
                client.session = attached.session;
                (client, *attached)
            }
            other => panic!("not attached: {other:?}"),
        }
    }

    /// The next delivery.
    pub async fn next(&mut self) -> Delivery {
        let next = tokio::time::timeout(SOON, self.connection.next()).await;
        next.expect("no delivery in time")
    }

    /// Sends without waiting; returns the id.
    pub async fn send(&mut self, verb: &Verb) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send_as(id, verb).await;
        id
    }

    /// Sends under an id of the caller's choice.
    pub async fn send_as(&mut self, id: u64, verb: &Verb) {
        let command = Command {
            session: self.session,
            connection: self.connection.id,
            id: Some(id),
            key: verb.event_id().map(Into::into),
            payload: payload(verb),
        };
        self.runtime.command(&self.actor, command).await;
    }

    /// Waits for the reply to `id`, past other deliveries.
    pub async fn reply(&mut self, id: u64) -> Outcome {
        loop {
            if let Delivery::Reply { id: Some(got), outcome } = self.next().await
                && got == id
            {
                return *outcome;
            }
        }
    }

    /// Sends and waits for the reply.
    pub async fn command(&mut self, verb: &Verb) -> Outcome {
        let id = self.send(verb).await;
        self.reply(id).await
    }

    /// Hangs up.
    pub async fn hang_up(self) {
        self.runtime.detach(&self.actor, self.connection.id).await;
    }
}
