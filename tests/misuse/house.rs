//! The house that is misused: a real server with somebody in it, and what must not change.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::support::http::Connection;
use crate::support::raw::Raw;
use crate::support::{Options, PATIENCE, Server, eventually, state_of, within};

/// Whose journals are watched: the misusers, the witnesses, their rooms.
const WATCHED: [&str; 7] = [
    "player:alice",
    "player:lone",
    "player:bob",
    "player:carol",
    "player:dave",
    "room:den",
    "room:crypt",
];

/// The rates are out of the way, so that a row is refused for what it is; rooms hold two.
const SETTINGS: [&str; 12] = [
    "--commands-per-s",
    "100000",
    "--inputs-per-s",
    "100000",
    "--says-per-s",
    "100000",
    "--violations-max",
    "1000000",
    "--room-capacity",
    "2",
    "--hello-ms",
    "60000",
];

/// What a repeat of the same misuse may hold more than the first time, in KiB: the first makes the
/// allocator's reserve and fills the caches, those that follow live on it.
const REPEAT_KIB: u64 = 4 * 1024;

/// How long journals stand still before nothing is under way: an actor writes down what was
/// delivered up to five seconds after the delivery.
const STILL: Duration = Duration::from_secs(6);

/// Where a journal ends, by actor.
pub type Ends = Vec<(&'static str, Option<u64>)>;

/// See the module.
pub struct House {
    pub server: Server,
    /// Sit there and do nothing.
    _witnesses: Vec<Raw>,
}

impl House {
    /// bob in the den, carol and dave in the crypt, which is full.
    pub async fn open(settings: &[&str]) -> Self {
        let options = Options::default().admin().with(&SETTINGS).with(settings);
        let server = Server::start_with(options).await;
        let mut witnesses = Vec::new();
        for (player, room) in [("bob", "den"), ("carol", "crypt"), ("dave", "crypt")] {
            let mut raw = Raw::enter(&server, player).await;
            join(&mut raw, 1, room).await;
            witnesses.push(raw);
        }
        Self { server, _witnesses: witnesses }
    }

    /// Where the watched journals end.
    pub async fn ends(&self) -> Ends {
        let mut http = Connection::open(self.server.admin()).await.unwrap();
        let mut ends = Vec::new();
        for actor in WATCHED {
            ends.push((actor, end(&mut http, actor).await));
        }
        ends
    }

    /// Fails unless the server's memory comes back to what it held after the same misuse before.
    pub async fn holds_no_more_than(&self, before_kib: u64, what: &str) {
        holds_no_more_than(&self.server, before_kib, what).await;
    }

    /// Where they end once nothing is under way any more.
    pub async fn settled(&self) -> Ends {
        let (mut before, mut since) = (self.ends().await, Instant::now());
        eventually("journals that stand still", 3 * PATIENCE, async || {
            let now = self.ends().await;
            if now != before {
                (before, since) = (now, Instant::now());
            }
            (since.elapsed() >= STILL).then(|| before.clone())
        })
        .await
    }

    /// What a player has, without what time changes.
    pub async fn state(&self, player: &str) -> Value {
        let page = self.server.get(&format!("/v1/players/{player}")).await;
        if page.status == 404 { Value::Null } else { state_of(&page) }
    }

    /// The states of all witnesses.
    pub async fn witnesses(&self) -> Vec<Value> {
        let mut states = Vec::new();
        for player in ["bob", "carol", "dave"] {
            states.push(self.state(player).await);
        }
        states
    }

    /// Fails if the server's log tells of a bug.
    pub fn check_log(&self) {
        let log = self.server.log();
        let bad = log.lines().find(|line| line.contains("panicked") || line.contains("ERROR"));
        assert_eq!(bad, None, "in the server's log");
    }
}

/// Where an actor's journal ends, by the admin listener.
pub async fn end(http: &mut Connection, actor: &str) -> Option<u64> {
    let page = http.get(&format!("/actors/{actor}")).await.unwrap();
    (page.status == 200).then(|| page.json()["seq"].as_u64().unwrap())
}

/// See [`House::holds_no_more_than`].
pub async fn holds_no_more_than(server: &Server, before_kib: u64, what: &str) {
    let back =
        within(PATIENCE, async || (server.rss_kib() <= before_kib + REPEAT_KIB).then_some(()))
            .await;
    let now_kib = server.rss_kib();
    println!("{what}: {before_kib} KiB after the first, {now_kib} KiB after the last");
    assert!(back.is_some(), "{what} leaves memory behind: {before_kib} KiB, then {now_kib} KiB");
}

/// Joins a room under JSON.
pub async fn join(raw: &mut Raw, id: u64, room: &str) {
    let join = format!(r#"{{"id":{id},"do":"join_room","args":{{"room_id":"{room}"}}}}"#);
    raw.say(&join).await;
    let joined = raw.hear(|message| message["id"] == id).await;
    assert_eq!(joined["ok"]["room"]["room_id"], room, "{joined}");
}
