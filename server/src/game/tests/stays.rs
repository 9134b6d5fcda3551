//! Presence: hello, proofs, lost connections, idleness, logout, callers over HTTP.

use holdfast_protocol::client::MoveType::Attack;
use holdfast_protocol::client::Verb;
use holdfast_protocol::edge::{Opening, Proof, Request};
use serde_json::json;

use super::world::{START_MS, World, join, strike, walk};
use crate::actor::contract::{Actor, Message, Origin, Reject};
use crate::game::metrics::{MetricsInput, RECORD_SESSION_METRICS};
use crate::game::pack;

fn admit(world: &mut World, player: &str, proof: Proof) -> Result<(), Reject> {
    let payload = pack(&Request::Admit(Opening { name: None, proof }));
    let message = Message::Command { origin: Origin::Service, payload: &payload };
    world.message(player, &message).map(|_| ())
}

#[test]
fn a_claimed_name_needs_its_token() {
    let mut world = World::new();
    world.open("alice", None, Proof::Claim).unwrap();
    let refused = world.open("alice", None, Proof::Claim).unwrap_err();
    assert_eq!(refused.code, "unauthorized");
    assert_eq!(refused.message, "this name is taken; log in with its token");
    assert_eq!(admit(&mut world, "alice", Proof::Claim).unwrap_err().code, "unauthorized");
    world.open("alice", None, Proof::Token).unwrap();
    world.open("alice", None, Proof::Open).unwrap();
}

#[test]
fn an_open_hello_protects_nothing() {
    let mut world = World::new();
    world.open("alice", None, Proof::Open).unwrap();
    world.open("alice", None, Proof::Claim).unwrap();
    assert!(world.open("alice", None, Proof::Claim).is_err());
}

#[test]
fn a_token_protects() {
    let mut world = World::new();
    world.open("alice", None, Proof::Open).unwrap();
    world.open("alice", None, Proof::Token).unwrap();
    assert!(world.open("alice", None, Proof::Claim).is_err());
}

#[test]
fn a_hello_without_a_name_keeps_it() {
    let mut world = World::new();
    world.open("alice", Some("Alice the Brave"), Proof::Open).unwrap();
    world.hello("alice");
    assert_eq!(world.state("alice").display_name, "Alice the Brave");
    world.events("alice");
    world.open("alice", Some("Al"), Proof::Open).unwrap();
    let renamed = json!({"ev": "player", "set": {"display_name": "Al"}});
    assert_eq!(world.events("alice"), [renamed]);
}

#[test]
fn an_admission_creates_and_opens_no_session() {
    let mut world = World::new();
    admit(&mut world, "alice", Proof::Claim).unwrap();
    assert_eq!(world.status("alice"), "offline");
    assert_eq!(world.state("alice").gold, 100);
    assert!(world.open("alice", None, Proof::Claim).is_err(), "the claim counts");
}

#[test]
fn nothing_else_creates_a_player() {
    let mut world = World::new();
    for origin in [Origin::Session, Origin::Owner, Origin::Service] {
        let refused = world.send("alice", origin, strike(Attack, None)).unwrap_err();
        assert_eq!(refused.code, "no_such_player");
    }
    assert_eq!(world.query("alice", Verb::GetState {}).unwrap_err().code, "no_such_player");
    assert!(world.seat("alice").state.view().is_none());
}

#[test]
fn a_lost_connection_keeps_everything_for_a_minute() {
    let mut world = World::in_room("r", &["alice"]);
    world.lose("alice");
    assert_eq!(world.flags("alice"), 8);
    world.pass(59_999);
    assert_eq!((world.status("alice"), world.members("r").len()), ("in_room".into(), 1));
    world.events("alice");
    world.pass(1);
    assert!(world.members("r").is_empty());
    let set = json!({"status": "offline", "current_room": null});
    assert_eq!(world.events("alice"), [json!({"ev": "player", "set": set})]);
    assert_eq!(world.flags("alice"), 0);
}

#[test]
fn a_resume_in_time_changes_nothing() {
    let mut world = World::in_room("r", &["alice"]);
    world.lose("alice");
    world.pass(30_000);
    world.resume("alice");
    world.pass(40_000);
    assert_eq!((world.status("alice"), world.flags("alice")), ("in_room".into(), 0));
    assert_eq!(world.members("r"), ["alice"]);
}

#[test]
fn the_next_hello_or_resume_puts_the_player_back() {
    let mut world = World::in_room("r", &["alice"]);
    world.act("alice", walk(1, &[(1, 1, 0)])).unwrap();
    let before = world.state("alice");
    world.lose("alice");
    world.pass(60_000);
    world.hello("alice");
    let after = world.state("alice");
    assert_eq!((after.x, after.y), (before.x, before.y));
    assert_eq!(after.current_room, before.current_room);
    assert_eq!(after.total_actions_count, before.total_actions_count, "it is no action");
    world.lose("alice");
    world.pass(60_000);
    world.resume("alice");
    assert_eq!(world.members("r"), ["alice"]);
}

#[test]
fn without_space_the_player_is_online() {
    let mut world = World::in_room("r", &["alice"]);
    world.settings.room_capacity = 1;
    world.lose("alice");
    world.pass(60_000);
    world.hello("bob");
    world.act("bob", join("r")).unwrap();
    world.hello("alice");
    assert_eq!(world.status("alice"), "online");
    world.act("bob", Verb::LeaveRoom {}).unwrap();
    world.lose("alice");
    world.resume("alice");
    assert_eq!(world.status("alice"), "online", "it was asked once");
}

#[test]
fn leaving_forgets_the_room() {
    let mut world = World::in_room("r", &["alice"]);
    world.lose("alice");
    world.pass(60_000);
    world.act_as(Origin::Owner, "alice", Verb::LeaveRoom {}).unwrap();
    world.hello("alice");
    assert_eq!(world.status("alice"), "online");
}

#[test]
fn logout_leaves_at_once_and_hands_the_metrics_over() {
    let mut world = World::in_room("r", &["alice"]);
    world.pass(1_500);
    assert_eq!(world.act("alice", Verb::Logout {}).unwrap(), json!({}));
    assert_eq!(world.seat("alice").sessions_ended, 1);
    assert_eq!(world.status("alice"), "offline");
    assert!(world.members("r").is_empty());
    let expected = MetricsInput {
        player: "alice".into(),
        actions: 1,
        duration_ms: 1_500,
        at_ms: START_MS + 1_500,
    };
    let inputs = world.inputs::<MetricsInput>("alice", RECORD_SESSION_METRICS);
    assert_eq!(inputs, [expected]);
    let state = world.state("alice");
    assert_eq!((state.session_actions_count, state.total_actions_count), (0, 1));
    world.lose("alice");
    assert!(world.seat("alice").timers.is_empty(), "nothing goes on");
    world.hello("alice");
    assert_eq!(world.status("alice"), "online");
}

#[test]
fn a_thousand_actions_are_handed_over() {
    let mut world = World::with(&["alice"]);
    for _ in 0..999 {
        world.act("alice", strike(Attack, None)).unwrap();
    }
    assert!(world.inputs::<MetricsInput>("alice", RECORD_SESSION_METRICS).is_empty());
    world.act("alice", strike(Attack, None)).unwrap();
    let inputs = world.inputs::<MetricsInput>("alice", RECORD_SESSION_METRICS);
    assert_eq!((inputs.len(), inputs[0].actions), (1, 1_000));
    let state = world.state("alice");
    assert_eq!((state.session_actions_count, state.total_actions_count), (0, 1_000));
}

#[test]
fn five_minutes_of_silence_are_idle() {
    let mut world = World::in_room("r", &["alice"]);
    world.pass(200_000);
    world.act("alice", Verb::Say { text: "still here".into() }).unwrap();
    world.pass(299_999);
    assert_eq!(world.status("alice"), "in_room");
    world.query("alice", Verb::GetState {}).unwrap();
    world.events("alice");
    world.pass(1);
    let idle = json!({"ev": "player", "set": {"status": "idle"}});
    assert_eq!(world.events("alice"), [idle]);
    assert_eq!(world.members("r"), ["alice"]);
    world.act("alice", Verb::Say { text: "back".into() }).unwrap();
    assert_eq!(world.status("alice"), "in_room");
    world.pass(300_000);
    assert_eq!(world.status("alice"), "idle");
    world.events("alice");
    world.act("alice", walk(1, &[(1, 0, 0)])).unwrap();
    let awake = json!({"ev": "player", "set": {"status": "in_room"}});
    assert_eq!(world.events("alice"), [awake]);
    world.pass(300_000);
    assert_eq!(world.status("alice"), "idle");
}

#[test]
fn a_lost_connection_keeps_the_status() {
    let mut world = World::with(&["alice"]);
    world.pass(290_000);
    world.lose("alice");
    world.pass(20_000);
    assert_eq!(world.status("alice"), "online");
    world.resume("alice");
    world.pass(0);
    assert_eq!(world.status("alice"), "idle");
    world.lose("alice");
    world.resume("alice");
    assert_eq!(world.status("alice"), "idle", "a resume is no command");
    world.hello("alice");
    assert_eq!(world.status("alice"), "online");
}

#[test]
fn an_owners_command_is_online_for_a_minute() {
    let mut world = World::with(&["alice"]);
    world.act("alice", Verb::Logout {}).unwrap();
    world.act_as(Origin::Owner, "alice", join("r")).unwrap();
    assert_eq!((world.status("alice"), world.flags("alice")), ("in_room".into(), 8));
    world.pass(40_000);
    world.act_as(Origin::Owner, "alice", strike(Attack, None)).unwrap();
    world.pass(59_999);
    assert_eq!(world.status("alice"), "in_room");
    world.pass(1);
    assert_eq!(world.status("alice"), "offline");
}

#[test]
fn a_services_command_puts_nobody_online() {
    let mut world = World::with(&["alice"]);
    world.act("alice", Verb::Logout {}).unwrap();
    world.act_as(Origin::Service, "alice", strike(Attack, None)).unwrap();
    assert_eq!(world.status("alice"), "offline");
    let refused = world.act_as(Origin::Service, "alice", join("r")).unwrap_err();
    assert_eq!(refused.code, "not_in_room");
}

#[test]
fn an_owners_command_beside_a_socket_changes_no_presence() {
    let mut world = World::in_room("r", &["alice"]);
    world.act_as(Origin::Owner, "alice", strike(Attack, None)).unwrap();
    assert_eq!(world.flags("alice"), 0);
    world.pass(60_000);
    assert_eq!(world.status("alice"), "in_room");
}
