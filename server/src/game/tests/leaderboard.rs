//! Scores on their way, and the rebuilding of the leaderboard.

use holdfast_protocol::client::MoveType::{Attack, Heal};
use holdfast_protocol::edge::Proof;
use serde_json::{Value, json};

use super::world::{START_MS, World, strike};
use crate::actor::contract::{ActivityCall, Actor, Ctx, Message, Origin, Reply};
use crate::game::leaderboard::{
    Leaderboard, LeaderboardRequest, REBUILD_LEADERBOARD, RebuildInput, RebuildResult, ScoreInput,
    Standing, UPDATE_LEADERBOARD, standing_of, state_query,
};
use crate::game::{Settings, pack, unpack};

fn sent(world: &World) -> Vec<u64> {
    let calls = world.players["alice"].activities.iter();
    let calls = calls.filter(|call| call.name == UPDATE_LEADERBOARD);
    calls.map(|call| unpack::<ScoreInput>(&call.input).unwrap().score).collect()
}

#[test]
fn a_score_is_sent_with_its_position() {
    let mut world = World::with(&["alice"]);
    world.act("alice", strike(Attack, None)).unwrap();
    let seq = world.seat("alice").seq;
    let (player, name) = ("alice".to_owned(), "alice".to_owned());
    let expected = ScoreInput { player, name, score: 35, seq };
    assert_eq!(world.inputs::<ScoreInput>("alice", UPDATE_LEADERBOARD), [expected]);
}

#[test]
fn one_is_open_at_most_and_the_newest_follows() {
    let mut world = World::with(&["alice"]);
    for _ in 0..5 {
        world.act("alice", strike(Heal, None)).unwrap();
        world.pass(2_000);
    }
    assert_eq!(sent(&world), [10]);
    world.end_activity("alice", UPDATE_LEADERBOARD, Ok(&[]));
    assert_eq!(sent(&world), [50], "at once, for the second is over");
    world.end_activity("alice", UPDATE_LEADERBOARD, Ok(&[]));
    assert!(sent(&world).is_empty(), "nothing is new");
}

#[test]
fn one_is_started_a_second() {
    let mut world = World::with(&["alice"]);
    world.act("alice", strike(Heal, None)).unwrap();
    world.end_activity("alice", UPDATE_LEADERBOARD, Ok(&[]));
    world.act("alice", strike(Heal, None)).unwrap();
    world.act("alice", strike(Heal, None)).unwrap();
    world.pass(999);
    assert!(sent(&world).is_empty());
    world.pass(1);
    assert_eq!(sent(&world), [30]);
}

#[test]
fn an_answer_within_the_second_waits_for_its_end() {
    let mut world = World::with(&["alice"]);
    world.act("alice", strike(Heal, None)).unwrap();
    world.act("alice", strike(Heal, None)).unwrap();
    world.end_activity("alice", UPDATE_LEADERBOARD, Ok(&[]));
    assert!(sent(&world).is_empty());
    world.pass(1_000);
    assert_eq!(sent(&world), [20]);
}

#[test]
fn a_failed_one_is_sent_again_later() {
    let mut world = World::with(&["alice"]);
    world.act("alice", strike(Heal, None)).unwrap();
    world.end_activity("alice", UPDATE_LEADERBOARD, Err("no store"));
    world.pass(59_999);
    assert!(sent(&world).is_empty());
    world.pass(1);
    assert_eq!(sent(&world), [10]);
}

#[test]
fn a_new_name_is_sent_where_there_is_a_score() {
    let mut world = World::with(&["alice"]);
    world.open("alice", Some("Al"), Proof::Open).unwrap();
    assert!(sent(&world).is_empty());
    world.act("alice", strike(Heal, None)).unwrap();
    world.end_activity("alice", UPDATE_LEADERBOARD, Ok(&[]));
    world.pass(1_000);
    world.open("alice", Some("Ally"), Proof::Open).unwrap();
    let inputs = world.inputs::<ScoreInput>("alice", UPDATE_LEADERBOARD);
    assert_eq!((inputs[0].name.as_str(), inputs[0].score), ("Ally", 10));
}

#[test]
fn a_standing_is_read_from_a_state() {
    let mut world = World::with(&["alice"]);
    world.act("alice", strike(Attack, None)).unwrap();
    let _ = state_query();
    let answer = serde_json::to_vec(&world.state("alice")).unwrap();
    let (player, name) = ("alice".to_owned(), "alice".to_owned());
    assert_eq!(standing_of(&answer), Some(Standing { player, name, score: 35 }));
    assert_eq!(standing_of(b"{}"), None);
}

struct Board {
    state: Leaderboard,
    calls: Vec<ActivityCall>,
}

impl Board {
    fn new() -> Self {
        Self { state: Leaderboard::new(&"leaderboard:main".parse().unwrap()), calls: Vec::new() }
    }

    fn with_ctx<T>(&self, run: impl FnOnce(&Leaderboard, &Ctx<'_, Settings>) -> T) -> T {
        let (id, settings) = ("leaderboard:main".parse().unwrap(), Settings::default());
        let ctx = Ctx {
            id: &id,
            now_ms: START_MS,
            seq: 1,
            token: 1,
            random: 0,
            connected: false,
            settings: &settings,
        };
        run(&self.state, &ctx)
    }

    fn message(&mut self, message: &Message<'_>) -> Option<Value> {
        let decision = self.with_ctx(|state, ctx| state.decide(ctx, message)).unwrap();
        for event in &decision.events {
            self.state.apply(&unpack(&pack(event)).unwrap());
        }
        self.calls.extend(decision.activities);
        match decision.reply {
            Reply::Now(body) => serde_json::from_slice(&body).unwrap(),
            _ => None,
        }
    }

    fn rebuild(&mut self) -> Value {
        let payload = pack(&LeaderboardRequest::Rebuild);
        let message = Message::Command { origin: Origin::Service, payload: &payload };
        self.message(&message).unwrap()["rebuild"].clone()
    }

    fn end(&mut self, outcome: Result<&[u8], &str>) {
        let input = self.calls.last().unwrap().input.clone();
        let name = REBUILD_LEADERBOARD;
        self.message(&Message::ActivityEnded { name, input: &input, outcome });
    }

    fn status(&self) -> Value {
        let body = self.with_ctx(|state, ctx| state.query(ctx, &[])).unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()["rebuild"].clone()
    }
}

#[test]
fn a_rebuild_runs_once_at_a_time() {
    let mut board = Board::new();
    assert_eq!(board.status(), Value::Null);
    let running = json!({"run": 1, "status": "running", "started_ms": START_MS});
    assert_eq!(board.rebuild(), running);
    assert_eq!(board.rebuild(), running, "a second start is told of the first");
    assert_eq!(board.calls.len(), 1);
    let call = &board.calls[0];
    assert_eq!(call.options.start_to_close_ms, 1_800_000);
    assert_eq!(call.options.heartbeat_timeout_ms, Some(30_000));
    assert_eq!(unpack::<RebuildInput>(&call.input).unwrap().run, 1);
    board.end(Ok(&pack(&RebuildResult { players: 7 })));
    assert_eq!(
        (&board.status()["status"], &board.status()["players"]),
        (&json!("finished"), &json!(7))
    );
    board.end(Err("late"));
    assert_eq!(board.status()["status"], "finished", "it has ended");
    assert_eq!(board.rebuild()["run"], 2);
    board.end(Err("no store"));
    assert_eq!(
        (&board.status()["status"], &board.status()["error"]),
        (&json!("failed"), &json!("no store"))
    );
}

#[test]
fn only_a_service_rebuilds() {
    let board = Board::new();
    let payload = pack(&LeaderboardRequest::Rebuild);
    for origin in [Origin::Session, Origin::Owner] {
        let message = Message::Command { origin, payload: &payload };
        let refused = board.with_ctx(|state, ctx| state.decide(ctx, &message)).unwrap_err();
        assert_eq!(refused.code, "unauthorized");
    }
}
