//! Movement: which steps count, and what the clock allows.

use holdfast_protocol::client::Verb;
use holdfast_protocol::movement::{Position, Step, step};
use proptest::prelude::*;

use super::world::{World, join, strike, walk};
use crate::actor::contract::Origin;
use crate::game::movement::{from_byte, to_byte};

const EAST: (i8, i8, u8) = (1, 0, 0);

fn at(world: &mut World) -> (i32, i32) {
    let state = world.state("alice");
    (state.x, state.y)
}

fn input(world: &mut World) -> u64 {
    crate::actor::contract::Actor::view(&world.seat("alice").state).unwrap().input
}

#[test]
fn steps_move_as_the_shared_function_says() {
    let mut world = World::in_room("r", &["alice"]);
    let (x, y) = at(&mut world);
    let steps = [(1, 0, 0), (-1, 1, 1), (0, 0, 0), (0, -1, 0)];
    world.act("alice", walk(1, &steps)).unwrap();
    let folded = steps.iter().fold(Position { x, y }, |at, one| step(at, Step::from(*one)));
    assert_eq!(at(&mut world), (folded.x, folded.y));
    assert_eq!(input(&mut world), 4);
    assert!(world.events("alice").is_empty(), "input alone makes no numbered event");
}

#[test]
fn steps_judged_before_are_ignored_and_gaps_allowed() {
    let mut world = World::in_room("r", &["alice"]);
    let (x, y) = at(&mut world);
    world.act("alice", walk(1, &[EAST; 3])).unwrap();
    world.act("alice", walk(2, &[EAST; 3])).unwrap();
    assert_eq!((at(&mut world), input(&mut world)), ((x + 4 * 12, y), 4));
    let seq = world.seat("alice").seq;
    world.act("alice", walk(1, &[EAST; 4])).unwrap();
    assert_eq!((at(&mut world), input(&mut world)), ((x + 4 * 12, y), 4));
    assert_eq!(world.seat("alice").seq, seq + 1);
    world.act("alice", walk(10, &[EAST])).unwrap();
    assert_eq!((at(&mut world), input(&mut world)), ((x + 5 * 12, y), 10));
}

#[test]
fn a_new_session_counts_from_one_and_a_resumed_one_goes_on() {
    let mut world = World::in_room("r", &["alice"]);
    world.act("alice", walk(1, &[EAST; 3])).unwrap();
    world.lose("alice");
    world.resume("alice");
    assert_eq!(input(&mut world), 3);
    world.hello("alice");
    assert_eq!(input(&mut world), 0);
    let (x, y) = at(&mut world);
    world.act("alice", walk(1, &[EAST])).unwrap();
    assert_eq!(at(&mut world), (x + 12, y));
}

#[test]
fn the_credit_allows_a_second_at_once_and_eleven_tenths_after() {
    let mut world = World::in_room("r", &["alice"]);
    let (x, y) = at(&mut world);
    world.act("alice", walk(1, &[EAST; 32])).unwrap();
    assert_eq!((at(&mut world), input(&mut world)), ((x + 20 * 12, y), 32));
    assert_eq!(world.seat("alice").state.dropped_steps(), 12);
    world.pass(45);
    world.act("alice", walk(33, &[EAST])).unwrap();
    assert_eq!(at(&mut world), (x + 20 * 12, y), "49.5 ms do not pay for a step");
    world.pass(1);
    world.act("alice", walk(34, &[EAST])).unwrap();
    assert_eq!(at(&mut world), (x + 21 * 12, y), "50.6 ms do");
    world.pass(3_600_000);
    world.act("alice", walk(35, &[EAST; 32])).unwrap();
    assert_eq!(at(&mut world), (x + 41 * 12, y), "the credit is capped");
    assert_eq!(input(&mut world), 66);
}

#[test]
fn an_honest_client_never_loses_a_step() {
    let mut world = World::in_room("r", &["alice"]);
    for n in 0..1_000 {
        world.act("alice", walk(1 + n, &[EAST])).unwrap();
        world.pass(46);
    }
    assert_eq!(world.seat("alice").state.dropped_steps(), 0);
}

#[test]
fn a_new_session_gives_no_new_credit() {
    let mut world = World::in_room("r", &["alice"]);
    world.act("alice", walk(1, &[EAST; 20])).unwrap();
    let before = at(&mut world);
    world.hello("alice");
    world.act("alice", walk(1, &[EAST; 20])).unwrap();
    assert_eq!((at(&mut world), input(&mut world)), (before, 20));
}

#[test]
fn without_the_check_every_step_counts() {
    let mut world = World::in_room("r", &["alice"]);
    world.settings.movement_clock_check = false;
    let (x, y) = at(&mut world);
    world.act("alice", walk(1, &[EAST; 32])).unwrap();
    world.act("alice", walk(33, &[EAST; 32])).unwrap();
    assert_eq!(at(&mut world), (x + 64 * 12, y));
    assert_eq!(world.seat("alice").state.dropped_steps(), 0);
}

#[test]
fn input_outside_a_room_moves_nothing_and_is_passed() {
    let mut world = World::with(&["alice"]);
    let before = at(&mut world);
    world.act("alice", walk(1, &[EAST; 5])).unwrap();
    assert_eq!((at(&mut world), input(&mut world)), (before, 5));
    assert_eq!(world.seat("alice").warnings[0].code, "not_in_room");
    world.act("alice", join("r")).unwrap();
    world.act("alice", walk(6, &[EAST; 20])).unwrap();
    assert_eq!(at(&mut world).0, before.0 + 20 * 12, "it cost nothing");
}

#[test]
fn input_while_defeated_moves_nothing_and_is_passed() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    for _ in 0..4 {
        let blow = strike(holdfast_protocol::client::MoveType::Attack, Some("alice"));
        world.act("bob", blow).unwrap();
    }
    let before = at(&mut world);
    world.act("alice", walk(1, &[EAST])).unwrap();
    assert_eq!((at(&mut world), input(&mut world)), (before, 1));
    assert_eq!(world.seat("alice").warnings[0].code, "defeated");
}

#[test]
fn the_last_step_says_whether_a_player_sprints() {
    let mut world = World::in_room("r", &["alice"]);
    world.act("alice", walk(1, &[EAST, (1, 0, 1)])).unwrap();
    assert_eq!(world.flags("alice"), 4);
    world.act("alice", walk(3, &[(1, 0, 1), EAST])).unwrap();
    assert_eq!(world.flags("alice"), 0);
    world.act("alice", walk(5, &[(0, 1, 1)])).unwrap();
    world.act("alice", Verb::LeaveRoom {}).unwrap();
    assert_eq!(world.flags("alice"), 0);
}

#[test]
fn only_the_players_own_session_moves_it() {
    let mut world = World::in_room("r", &["alice"]);
    for origin in [Origin::Owner, Origin::Service] {
        assert!(world.act_as(origin, "alice", walk(1, &[EAST])).is_err());
    }
}

#[test]
fn a_step_survives_its_byte() {
    for dx in -1..=1 {
        for dy in -1..=1 {
            for buttons in 0..=1 {
                let one = Step { dx, dy, buttons };
                assert_eq!(from_byte(to_byte(one)), one);
            }
        }
    }
    for byte in 0..=u8::MAX {
        assert!(from_byte(byte).is_allowed(), "any byte is a step");
    }
}

proptest! {
    #[test]
    fn no_one_outruns_the_clock(frames in proptest::collection::vec((0..200_u64, 0..40_usize), 1..60)) {
        let mut world = World::in_room("r", &["alice"]);
        let (mut seq, mut passed_ms, mut sent) = (1, 0, 0);
        for (ms, steps) in frames {
            world.pass(ms);
            world.act("alice", walk(seq, &vec![EAST; steps])).unwrap();
            seq += steps as u64;
            passed_ms += ms;
            sent += steps as u64;
        }
        let moved = sent - world.seat("alice").state.dropped_steps();
        prop_assert!(moved * 500 <= 10_000 + passed_ms * 11);
        prop_assert_eq!(input(&mut world), sent);
    }
}
