//! Input is collected per beat: many frames become few records, and no step is lost, doubled or
//! out of order.

use std::time::Duration;

use bytes::Bytes;
use holdfast::actor::record::Record;
use holdfast::clock::instant;
use holdfast_protocol::client::{Step, Verb};
use holdfast_protocol::movement::{self, BUTTON_SPRINT, STEP_MS};
use holdfast_protocol::server::PlayerState;
use loadtest::bot::Bot;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::scenario::join;
use crate::support::{Options, Server, seed, store};

const PLAYERS: u64 = 50;
/// Five seconds of frames, one step each.
const FRAMES: usize = 100;
const BEAT_MS: u64 = 100;
/// Frames between two changes of a button, which do not wait for a beat: a second and a quarter.
const EDGE_EVERY: usize = 25;
const EDGES: u64 = (FRAMES / EDGE_EVERY) as u64 - 1;
const RECORDS_PER_S: u64 = 1_000 / BEAT_MS;

/// A player's fact, of which only input is looked at. Journals keep these names for ever.
#[derive(Deserialize)]
struct PlayerFact {
    #[serde(rename = "in")]
    input: Option<InputFact>,
}

#[derive(Deserialize)]
struct InputFact {
    /// The number of the first step that counts.
    #[serde(rename = "f", default)]
    first: u64,
    /// One byte a step.
    #[serde(rename = "s", default)]
    steps: Bytes,
    /// The last step judged.
    #[serde(rename = "n")]
    last: u64,
    /// Steps beyond the clock's credit.
    #[serde(rename = "d", default)]
    dropped: u64,
}

/// A step as journals write it: its direction in 0..9, plus 9 when it sprints.
fn byte(step: Step) -> u8 {
    let along = |d: i8| u8::try_from(d + 1).unwrap();
    along(step.dx) * 3 + along(step.dy) + 9 * (step.buttons & BUTTON_SPRINT)
}

fn inputs(record: &Record) -> Vec<InputFact> {
    let events = store::events(record);
    let facts = events.filter_map(|event| rmp_serde::from_slice::<PlayerFact>(event).ok());
    facts.filter_map(|fact| fact.input).collect()
}

/// Walks at random for five seconds, 20 frames a second.
async fn walk(url: String, player: String, seed: u64) -> (String, Vec<Step>) {
    let mut bot = Bot::enter(&url, &player, None).await.unwrap();
    let room = format!("field-{}", seed % 5);
    assert!(bot.command(join(&room)).await.unwrap().result.is_ok());
    let mut rng = StdRng::seed_from_u64(seed);
    let mut walked = Vec::new();
    let mut beat = interval(Duration::from_millis(STEP_MS));
    for _ in 0..FRAMES {
        beat.tick().await;
        let (dx, dy) = (rng.random_range(-1..=1), rng.random_range(-1..=1));
        let sprints = walked.len() / EDGE_EVERY % 2 == 1;
        let step = Step { dx, dy, buttons: u8::from(sprints) };
        walked.push(step);
        bot.input(vec![step]).await.unwrap();
        bot.pump().unwrap();
    }
    let last = bot.steps_sent();
    bot.wait_for("every step to be durable", |bot| bot.mirror().input_seq == last).await.unwrap();
    assert!(bot.complaints().is_empty(), "{:?}", bot.complaints());
    let mut at = movement::spawn(&player);
    for step in &walked {
        at = movement::step(at, *step);
    }
    let state: PlayerState = bot.query(Verb::GetState {}).await.unwrap();
    assert_eq!((state.x, state.y), (at.x, at.y), "{player} is where its steps lead");
    let row = bot.mirror().room.row_of(&player).expect("the own row");
    assert_eq!((row.x, row.y), (at.x, at.y), "{player} as the room draws it");
    (player, walked)
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_frames_a_second_become_ten_records_with_every_step_in_order() {
    let seed = seed();
    let beat = BEAT_MS.to_string();
    let settings = ["--beat-ms", &beat, "--beat-least-ms", &beat, "--retain", "4096"];
    let mut server = Server::start_with(Options::default().alone().with(&settings)).await;
    let mut walkers = JoinSet::new();
    for walker in 0..PLAYERS {
        let player = format!("walker-{walker}");
        walkers.spawn(walk(server.ws(), player, seed.wrapping_mul(PLAYERS) + walker));
    }
    let walks = walkers.join_all().await;
    server.stop().await;
    let store = store::open(&server.store_dir());
    for (player, walked) in walks {
        let journal = store::journal(&store, &format!("player:{player}")).await;
        let records: Vec<_> = journal
            .iter()
            .map(|record| (record.now_ms, inputs(record)))
            .filter(|(_, inputs)| !inputs.is_empty())
            .collect();
        check_steps(&player, records.iter().flat_map(|(_, inputs)| inputs), &walked);
        let times: Vec<_> = records.iter().map(|(at_ms, _)| *at_ms).collect();
        check_rate(&player, &times);
    }
}

fn check_steps<'a>(player: &str, inputs: impl Iterator<Item = &'a InputFact>, walked: &[Step]) {
    let mut journaled = Vec::new();
    for input in inputs {
        assert_eq!(input.dropped, 0, "{player}: steps were dropped at {}", input.last);
        assert_eq!(input.first, journaled.len() as u64 + 1, "{player}: a gap or an overlap");
        journaled.extend_from_slice(&input.steps);
        assert_eq!(input.last, journaled.len() as u64, "{player}: in passed steps");
    }
    let sent: Vec<_> = walked.iter().map(|step| byte(*step)).collect();
    assert_eq!(journaled, sent, "{player}: the steps in the journal are not those sent");
}

/// At most ten records a second over the whole walk, and one for each change of a button; in a
/// single second one more, because a beat may come some milliseconds early after one that came
/// late.
fn check_rate(player: &str, times_ms: &[u64]) {
    let count = times_ms.len() as u64;
    let span_ms = times_ms.last().unwrap() - times_ms.first().unwrap();
    assert!(
        count <= span_ms / BEAT_MS + 2 + EDGES,
        "{player}: {count} input records in {span_ms} ms"
    );
    assert!(count >= FRAMES as u64 / 10, "{player}: only {count} records, which is no beat");
    for start in times_ms {
        let second = times_ms.iter().filter(|at_ms| (*start..start + 1_000).contains(at_ms));
        let records = second.count() as u64;
        assert!(records <= RECORDS_PER_S + 2, "{player}: {records} records in one second");
    }
}

/// With a beat a second long, five presses that waited for one would take four seconds at least.
#[tokio::test(flavor = "multi_thread")]
async fn a_button_does_not_wait_for_the_beat() {
    let settings = ["--beat-ms", "1000", "--beat-least-ms", "1000"];
    let server = Server::start_with(Options::default().with(&settings)).await;
    let mut alice = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    assert!(alice.command(join("den")).await.unwrap().result.is_ok());
    let began = instant();
    for press in 0..5 {
        let walk = |buttons| Step { dx: 1, dy: 0, buttons };
        let (held, pressed) = (walk(press % 2), walk(1 - press % 2));
        alice.input(vec![held]).await.unwrap();
        let last = alice.input(vec![pressed]).await.unwrap();
        alice.wait_for("both steps", |alice| alice.mirror().input_seq == last).await.unwrap();
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(3), "five presses took {took:?}");
}

#[test]
fn a_beat_of_fifty_milliseconds_would_be_seen() {
    let twice_as_often: Vec<_> = (0..100).map(|beat| beat * 50).collect();
    let found = std::panic::catch_unwind(|| check_rate("somebody", &twice_as_often));
    assert!(found.is_err());
    let ten_a_second: Vec<_> = (0..50).map(|beat| beat * BEAT_MS).collect();
    check_rate("somebody", &ten_a_second);
}

#[test]
fn input_facts_are_found_among_others() {
    use std::collections::BTreeMap;

    #[derive(serde::Serialize)]
    struct Input {
        f: u64,
        s: Bytes,
        n: u64,
    }
    let steps = Bytes::from_static(&[4, 17]);
    let walked = BTreeMap::from([("in", Input { f: 3, s: steps.clone(), n: 4 })]);
    let joined = BTreeMap::from([("join", BTreeMap::from([("room", "den")]))]);
    let events = [
        rmp_serde::to_vec_named("back").unwrap(),
        rmp_serde::to_vec_named(&joined).unwrap(),
        rmp_serde::to_vec_named(&walked).unwrap(),
    ];
    let facts = events.map(|event| holdfast::actor::record::Fact::Event(event.into())).to_vec();
    let found = inputs(&Record { now_ms: 1, facts });
    assert_eq!(found.len(), 1);
    let InputFact { first, steps: read, last, dropped } = &found[0];
    assert_eq!((*first, read, *last, *dropped), (3, &steps, 4, 0));
    let sprint = Step { dx: 1, dy: 1, buttons: BUTTON_SPRINT };
    assert_eq!([byte(Step { dx: 0, dy: 0, buttons: 0 }), byte(sprint)], [4, 17]);
}
