//! A rebuild reads players from their journals, at its rate, and goes on where it stopped.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::activities::board;
use crate::actor::activity::Heart;
use crate::actor::contract::{Actor, Ctx, Decision, Message, Reject};
use crate::actor::record::{Fact, Record};
use crate::game::unpack;
use crate::store::memory::Memory;
use crate::store::{Append, Claim, Claimed};
use serde::{Deserialize, Serialize};

/// A player of which only the score matters.
#[derive(Serialize, Deserialize)]
struct Scorer {
    key: String,
    score: u64,
}

impl Actor for Scorer {
    type Event = u64;
    type Settings = ();

    fn new(id: &ActorId) -> Self {
        Self { key: id.key().to_owned(), score: 0 }
    }

    fn decide(&self, _: &Ctx<'_, ()>, _: &Message<'_>) -> Result<Decision<u64>, Reject> {
        Ok(Decision::default())
    }

    fn apply(&mut self, event: &u64) {
        self.score += event;
    }

    fn query(&self, _: &Ctx<'_, ()>, _: &[u8]) -> Result<Bytes, Reject> {
        let (key, score) = (&self.key, self.score);
        Ok(format!(r#"{{"player_id":"{key}","display_name":"{key}","score":{score}}}"#).into())
    }
}

struct Bench {
    store: Arc<dyn Store>,
    rebuild: Rebuild,
}

fn bench() -> Bench {
    let clock = Clock::movable();
    let store: Arc<dyn Store> = Arc::new(Memory::new(clock.clone()));
    let (board, _refresh) = board::open(Arc::clone(&store), clock.clone());
    let player = Kind::of::<Scorer>(Arc::new(()));
    let watch = Watch::default();
    watch.set_rate(1_000_000);
    let rebuild = Rebuild { store: Arc::clone(&store), board, player, clock, watch };
    Bench { store, rebuild }
}

impl Bench {
    async fn player(&self, key: &str, record: Bytes) {
        let actor = ActorId::new(PLAYER, key).unwrap();
        let claim = Claim { actor: actor.clone(), session: 1, creates: true, replaces: None };
        let Ok(Claimed::Granted { epoch, .. }) = self.store.claim(claim).await else { panic!() };
        let append =
            Append { actor, epoch, seq: 1, append_id: 1, history: 0, record, due_ms: None };
        assert_eq!(self.store.append(vec![append]).await, vec![Ok(())]);
    }

    async fn scored(&self, key: &str, score: u64) {
        let event = Bytes::from(rmp_serde::to_vec_named(&score).unwrap());
        let record = Record { now_ms: 1, facts: vec![Fact::Event(event)] };
        self.player(key, record.encode()).await;
    }

    async fn attempt(&self, attempt: u32, heartbeat: Option<Bytes>, heart: Heart) -> u64 {
        let input = pack(&RebuildInput { run: 1, started_ms: 0 });
        let key = "leaderboard:main/1".to_owned();
        let attempt = Attempt { key, input, attempt, heartbeat, heart };
        let result = self.rebuild.run(attempt).await.unwrap();
        unpack::<RebuildResult>(&result).unwrap().players
    }
}

#[tokio::test]
async fn every_player_is_read_and_written_but_for_broken_ones() {
    let bench = bench();
    bench.scored("alice", 35).await;
    bench.scored("bob", 70).await;
    bench.scored("newcomer", 0).await;
    bench.player("broken", Bytes::from_static(b"not a record")).await;
    assert_eq!(bench.attempt(1, None, Heart::new(|_| {})).await, 4);
    let top = bench.store.top_scores(10).await.unwrap();
    let top: Vec<_> = top.iter().map(|row| (&*row.player, row.score, row.at)).collect();
    assert_eq!(top, [("bob", 70, 1), ("alice", 35, 1)]);
}

#[tokio::test]
async fn the_next_attempt_goes_on_after_the_last_heartbeat() {
    let bench = bench();
    for at in 0..600 {
        bench.scored(&format!("p{at:03}"), 10 + at).await;
    }
    let heartbeat = pack(&RebuildProgress { after: Some("p399".into()), done: 400 });
    let earlier = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&earlier);
    let heart = Heart::new(move |payload| {
        let progress: RebuildProgress = unpack(&payload).unwrap();
        seen.fetch_or(progress.done <= 400, Ordering::Relaxed);
    });
    assert_eq!(bench.attempt(2, Some(heartbeat), heart).await, 600);
    assert!(!earlier.load(Ordering::Relaxed));
    let rows = bench.store.top_scores(1000).await.unwrap();
    assert_eq!(rows.len(), 200, "the first 400 were not read again");
    let wanted = Progress { run: 1, done: 600, players: 600, resumed_from: 400, attempt: 2 };
    assert_eq!(bench.rebuild.watch.progress(), wanted);
}

#[tokio::test]
async fn a_score_written_meanwhile_is_newer_and_stays() {
    let bench = bench();
    bench.scored("alice", 35).await;
    let newer = Score { player: "alice".into(), name: "alice".into(), score: 99, at: 7 };
    bench.store.put_score(newer.clone()).await.unwrap();
    bench.attempt(1, None, Heart::new(|_| {})).await;
    assert_eq!(bench.store.top_scores(1).await.unwrap(), vec![newer]);
}

#[tokio::test]
async fn the_rate_is_kept() {
    let clock = Clock::movable();
    let mut pace = Pace::new(clock.clone(), 10);
    pace.step(10).await;
    let begun = clock.now_ms();
    pace.step(10).await;
    assert!(clock.now_ms() - begun >= 90, "ten a second are 100 ms apart");
    clock.advance(10_000);
    let begun = clock.now_ms();
    pace.step(10).await;
    assert!(clock.now_ms() - begun >= 90, "lost time is not made up for");
}
