//! Commands by HTTP while a store is really stopped: of what may have been stored it is said that it
//! is not known, of what is stored and waits that it is pending, and the repeat of a key finds out in
//! both cases.

use loadtest::bot::Bot;
use serde_json::{Value, json};

use crate::scenario::join;
use crate::support::gateways::Gateways;
use crate::support::http::{Connection, Response};
use crate::support::redis::deploy::Cluster;
use crate::support::redis::{Aof, Redis};
use crate::support::{Options, PATIENCE, eventually};

/// Nobody takes a stopped node for dead within a test.
const SETTINGS: [&str; 4] = ["--lease-ttl-ms", "60000", "--hold-ms", "500"];

/// A player's command under a key, on a connection of its own.
async fn command(gateways: &Gateways, token: &str, key: &str, body: &Value) -> Response {
    let mut http = Connection::open(gateways.all[0].addr()).await.unwrap();
    let bearer = format!("Bearer {token}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
        ("idempotency-key", key),
    ];
    http.request("POST", "/v1/players/alice/commands", &headers, &body.to_string()).await.unwrap()
}

async fn token(gateways: &Gateways) -> String {
    let mut http = Connection::open(gateways.all[0].addr()).await.unwrap();
    let made = http.post("/v1/sessions", r#"{"player":"alice"}"#).await.unwrap();
    made.json()["token"].as_str().unwrap().to_owned()
}

fn code(answer: &Response) -> (u16, Value) {
    (answer.status, answer.json()["error"]["code"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stops_leaves_a_command_unknown_until_its_key_is_repeated() {
    let redis = Redis::single(Aof::EverySecond).await;
    let options = Options::default().with(&SETTINGS);
    let gateways = Gateways::start(1, |_| redis.url(), options).await;
    let token = token(&gateways).await;
    let blow = json!({"do": "execute_move", "args": {"move_type": "attack"}});
    let first = command(&gateways, &token, "blow-1", &blow).await;
    assert_eq!(first.status, 200, "{}", first.body);
    redis.pause().await;
    let unknown = command(&gateways, &token, "blow-2", &blow).await;
    redis.resume().await;
    assert_eq!(code(&unknown), (504, json!("outcome_unknown")), "{}", unknown.body);
    let second = eventually("the blow's answer", PATIENCE, async || {
        let again = command(&gateways, &token, "blow-2", &blow).await;
        assert!([200, 503, 504].contains(&again.status), "{}", again.body);
        (again.status == 200).then(|| again.json())
    })
    .await;
    assert_eq!(second["ok"]["damage"], 25, "{second}");
    let state = gateways.all[0].player("alice").await;
    assert_eq!(state["total_actions_count"], 2, "once, however often it was asked for");
}

/// The primary that keeps a player's journal.
async fn keeper<'a>(cluster: &'a Cluster, player: &str) -> &'a Redis {
    for primary in cluster.nodes.iter().take(3) {
        let keys: Vec<String> = primary.ask(&["KEYS", "*"]).await;
        if keys.iter().any(|key| key.ends_with(&format!("player:{player}"))) {
            return primary;
        }
    }
    panic!("no primary has a key of {player}'s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_other_side_is_in_a_shard_that_stops_is_pending_until_it_goes_on() {
    let cluster = Cluster::start(Aof::EverySecond).await;
    let settings = [&SETTINGS[..], &["--pending-after-ms", "300"]].concat();
    let options = Options::default().with(&settings);
    let gateways = Gateways::start(1, |_| cluster.url(), options).await;
    let token = token(&gateways).await;
    let enter = json!({"do": "join_room", "args": {"room_id": "den"}});
    let joined = command(&gateways, &token, "join", &enter).await;
    assert_eq!(joined.status, 200, "{}", joined.body);
    let (mut targets, mut other) = (Vec::new(), None);
    let home = keeper(&cluster, "alice").await.port();
    for n in 0..16 {
        let name = format!("target-{n}");
        let mut bot = Bot::enter(&gateways.all[0].ws(), &name, None).await.unwrap();
        bot.command(join("den")).await.unwrap().result.unwrap();
        targets.push(bot);
        let keeper = keeper(&cluster, &name).await;
        if keeper.port() != home {
            other = Some((name, keeper));
            break;
        }
    }
    let (target, keeper) = other.expect("a target in another shard than alice");
    keeper.pause().await;
    let args = json!({"move_type": "attack", "target_player_id": target});
    let blow = json!({"do": "execute_move", "args": args});
    let pending = command(&gateways, &token, "blow", &blow).await;
    keeper.resume().await;
    assert_eq!(code(&pending), (202, json!("pending")), "{}", pending.body);
    let done = eventually("the blow's answer", PATIENCE, async || {
        let again = command(&gateways, &token, "blow", &blow).await;
        assert!([200, 202, 503].contains(&again.status), "{}", again.body);
        (again.status == 200).then(|| again.json())
    })
    .await;
    assert_eq!(done["ok"]["damage"], 25, "{done}");
    assert_eq!(gateways.all[0].player(&target).await["health"], 75, "struck once");
}
