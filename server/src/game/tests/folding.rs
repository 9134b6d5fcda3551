//! I3 and the bounds, under messages that nobody sent with a plan.
//!
//! The world itself compares live and folded state after every decision, and checks the bounds.

use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::edge::{Opening, Proof, Request};
use proptest::prelude::*;

use super::world::{World, join, player_id, strike, use_item, walk};
use crate::actor::contract::{Message, Origin, Undelivered};
use crate::game::pack;
use crate::game::tells::{ToPlayer, ToRoom};

#[derive(Debug, Clone)]
enum Deed {
    Open(Proof, bool),
    Resume,
    Lose,
    Verb(Origin, Verb),
    Service(bool),
    Tell(bool, ToPlayer),
    Undelivered(bool, u64),
    Timer(&'static str),
    Ended(&'static str, bool),
    Pass(u64),
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![
        4 => Just(Origin::Session),
        1 => Just(Origin::Owner),
        1 => Just(Origin::Service),
    ]
}

fn verb() -> impl Strategy<Value = Verb> {
    let kind = prop_oneof![
        Just(MoveType::Attack),
        Just(MoveType::Defend),
        Just(MoveType::Heal),
        Just(MoveType::Special),
    ];
    let step = (-1..=1_i8, -1..=1_i8, 0..=1_u8);
    let steps = proptest::collection::vec(step, 0..40);
    let seq = prop_oneof![9 => 0..200_u64, 1 => Just(u64::MAX)];
    prop_oneof![
        2 => Just(join("r")),
        1 => Just(join("s")),
        1 => Just(Verb::LeaveRoom {}),
        6 => (kind, any::<bool>()).prop_map(|(kind, at)| strike(kind, at.then_some("bob"))),
        6 => (seq, steps).prop_map(|(seq, steps)| walk(seq, &steps)),
        2 => Just(use_item("potion-001")),
        1 => Just(use_item("sword-001")),
        1 => Just(Verb::Say { text: "hm".into() }),
        1 => Just(Verb::Logout {}),
        1 => Just(Verb::GetState {}),
    ]
}

/// Tokens and numbers that are sometimes those of a pending blow or join.
fn tell() -> impl Strategy<Value = ToPlayer> {
    let token = (1..60_u64).prop_map(|seq| seq << 10);
    prop_oneof![
        (1..12_u64, 1..5_u32).prop_map(|(n, entity)| ToPlayer::Joined {
            n,
            entity,
            count: 1,
            max: 20
        }),
        (1..12_u64).prop_map(|n| ToPlayer::Full { n, max: 20 }),
        (0..200_u64).prop_map(|damage| ToPlayer::Blow {
            token: 1,
            by: MoveType::Attack,
            damage,
            xp: 10,
            room: "r".into(),
            name: "Bob".into(),
        }),
        (token.clone(), any::<u64>(), 0..3_u64)
            .prop_map(|(token, damage, gold)| ToPlayer::BlowDone { token, damage, gold }),
        (0..4_u64, 0..9_u64).prop_map(|(coin, gold)| ToPlayer::Coin { coin, gold }),
        (0..4_u64).prop_map(|coin| ToPlayer::CoinGone { coin }),
        token.prop_map(|token| ToPlayer::BlowRefused {
            token,
            code: "defeated".into(),
            message: "no".into()
        }),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    let proof = prop_oneof![Just(Proof::Token), Just(Proof::Open), Just(Proof::Claim)];
    let timers = ["linkdead", "idle", "defend", "cooldown", "recover", "score", "other"];
    let activities = ["update_leaderboard", "send_player_notification", "other"];
    prop_oneof![
        2 => (proof, any::<bool>()).prop_map(|(proof, named)| Deed::Open(proof, named)),
        1 => Just(Deed::Resume),
        1 => Just(Deed::Lose),
        12 => (origin(), verb()).prop_map(|(origin, verb)| Deed::Verb(origin, verb)),
        1 => any::<bool>().prop_map(Deed::Service),
        6 => (any::<bool>(), tell()).prop_map(|(room, tell)| Deed::Tell(room, tell)),
        1 => (any::<bool>(), 1..60_u64).prop_map(|(room, n)| Deed::Undelivered(room, n)),
        3 => proptest::sample::select(timers.to_vec()).prop_map(Deed::Timer),
        2 => (proptest::sample::select(activities.to_vec()), any::<bool>())
            .prop_map(|(name, ok)| Deed::Ended(name, ok)),
        2 => (0..10_000_u64).prop_map(Deed::Pass),
    ]
}

fn perform(world: &mut World, deed: &Deed) {
    let command = |payload| Message::Command { origin: Origin::Service, payload };
    let (bob, room) = (player_id("bob"), "room:r".parse().unwrap());
    match deed {
        Deed::Open(proof, named) => drop(world.open("alice", named.then_some("Al"), *proof)),
        Deed::Resume => drop(world.message("alice", &Message::Resumed)),
        Deed::Lose => drop(world.message("alice", &Message::Lost)),
        Deed::Verb(origin, verb) => drop(world.send("alice", *origin, verb.clone())),
        Deed::Service(true) => {
            let opening = Opening { name: None, proof: Proof::Claim };
            let payload = pack(&Request::Admit(opening));
            drop(world.message("alice", &command(&payload)));
        }
        Deed::Service(false) => {
            let payload = pack(&Request::Notify { text: "psst".into(), from: None });
            drop(world.message("alice", &command(&payload)));
        }
        Deed::Tell(from_room, tell) => {
            let from = if *from_room { &room } else { &bob };
            drop(world.message("alice", &Message::Tell { from, payload: &pack(tell) }));
        }
        Deed::Undelivered(true, n) => {
            let payload = pack(&ToRoom::Join { n: *n, name: "a".into() });
            let (to, reason) = (&room, Undelivered::TooManyHops);
            drop(world.message("alice", &Message::Undelivered { to, payload: &payload, reason }));
        }
        Deed::Undelivered(false, seq) => {
            let (token, by) = (seq << 10, MoveType::Attack);
            let (room, name) = ("r".into(), "a".into());
            let payload = pack(&ToPlayer::Blow { token, by, damage: 25, xp: 10, room, name });
            let (to, reason) = (&bob, Undelivered::NoSuchActor);
            drop(world.message("alice", &Message::Undelivered { to, payload: &payload, reason }));
        }
        Deed::Timer(name) => drop(world.message("alice", &Message::Timer { name })),
        Deed::Ended(name, ok) => {
            let outcome: Result<&[u8], &str> = if *ok { Ok(&[]) } else { Err("no") };
            let ended = Message::ActivityEnded { name, input: &[], outcome };
            drop(world.message("alice", &ended));
        }
        Deed::Pass(ms) => world.now_ms += ms,
    }
}

proptest! {
    #[test]
    fn folding_gives_the_live_state(deeds in proptest::collection::vec(deed(), 1..150)) {
        let mut world = World::new();
        let mut client = serde_json::Map::new();
        for deed in &deeds {
            perform(&mut world, deed);
            for event in world.events("alice") {
                if event["ev"] == "player" {
                    client.extend(event["set"].as_object().unwrap().clone());
                }
            }
        }
        // What the player was told is what there is.
        if let Some(state) = crate::game::public::state(&world.seat("alice").state) {
            let state = serde_json::to_value(state).unwrap();
            for (name, told) in client {
                prop_assert_eq!(&state[&name], &told, "{}", name);
            }
        }
    }
}
