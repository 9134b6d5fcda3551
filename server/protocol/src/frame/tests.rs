//! What the encoders write is what the readers read.

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;
use crate::codes::ErrorCode;
use crate::ids::PlayerId;
use crate::server::{
    Activation, DrainEvent, LeaderboardEvent, MoveBody, NoticeEvent, Outcome, PlayerState,
    RoomEvent, RosterEvent, RosterRow, SayEvent, ServerMessage, TopRow, WelcomeKind,
};

fn player(id: &str) -> PlayerId {
    PlayerId::new(id).unwrap()
}

fn read_event(text: &str) -> Event {
    match ServerMessage::decode(text).unwrap() {
        ServerMessage::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reply_has_its_flags_beside_ok() {
    let text = reply_ok(7, r#"{"damage":25,"xp":10,"health":75}"#, Some(9912), true);
    assert_eq!(text, r#"{"id":7,"ok":{"damage":25,"xp":10,"health":75},"seq":9912,"dup":true}"#);
    let ServerMessage::Reply(reply) = ServerMessage::decode(&text).unwrap() else { panic!() };
    assert_eq!(reply.id, Some(7));
    assert_eq!(reply.body(), Ok(MoveBody { damage: 25, xp: 10, health: 75, gold: 0 }));
    assert!(matches!(reply.outcome, Outcome::Ok { seq: Some(9912), dup: true, .. }));
    assert_eq!(serde_json::to_string(&reply).unwrap(), text);
    assert_eq!(reply_ok(1, "{}", None, false), r#"{"id":1,"ok":{}}"#);
}

#[test]
fn an_error_is_read_back() {
    let error = ErrorBody::new(ErrorCode::RateLimited, "slow \"down\"").after_ms(250);
    let text = reply_err(None, &error);
    assert_eq!(
        text,
        r#"{"id":null,"err":{"code":"rate_limited","message":"slow \"down\"","retry":true,"retry_after_ms":250}}"#
    );
    let ServerMessage::Reply(reply) = ServerMessage::decode(&text).unwrap() else { panic!() };
    assert_eq!((reply.id, reply.body::<MoveBody>()), (None, Err(error)));
    let text = reply_err(Some(3), &ErrorBody::new(ErrorCode::Cooldown, "x"));
    assert_eq!(text, r#"{"id":3,"err":{"code":"cooldown","message":"x","retry":false}}"#);
}

#[test]
fn numbered_events_share_a_frame() {
    let notice = Event::Notice(NoticeEvent { text: "hi".into(), from: None });
    let raw = event(&notice);
    assert_eq!(raw, r#"{"ev":"notice","text":"hi"}"#);
    let text = events(9, [raw.as_str(), raw.as_str()]);
    let ServerMessage::Events(read) = ServerMessage::decode(&text).unwrap() else { panic!() };
    assert_eq!((read.seq, read.evs), (9, vec![notice.clone(), notice]));
    assert_eq!(events(9, []), r#"{"seq":9,"evs":[]}"#);
}

/// A room frame whose first row is the own one.
fn plain_room(tick: u64, input_seq: u64, all: &[EntityRow], gone: &[u32], full: bool) -> String {
    let (own, own_row) = (all.first().map_or(0, |row| row.entity), all.first().copied());
    room(&Room { tick, input_seq, own, own_row, rows: &rows(all), gone, full })
}

#[test]
fn a_room_frame_is_read_back() {
    let own = EntityRow { entity: 3, x: 2048, y: 0, health: 100, flags: 5 };
    let other = EntityRow { entity: 12, x: -1, y: 4095, health: 0, flags: 2 };
    let text = plain_room(77, 40, &[own, other], &[4, 5], false);
    assert_eq!(
        text,
        r#"{"ev":"room","tick":77,"in":40,"e":[[3,2048,0,100,5],[12,-1,4095,0,2]],"gone":[4,5]}"#
    );
    let expected =
        RoomEvent { tick: 77, input_seq: 40, e: vec![own, other], gone: vec![4, 5], full: false };
    assert_eq!(read_event(&text), Event::Room(expected.clone()));
    assert_eq!(event(&Event::Room(expected)), text);
    let text = plain_room(1, 0, &[], &[], true);
    assert_eq!(text, r#"{"ev":"room","tick":1,"in":0,"e":[],"gone":[],"full":true}"#);
}

#[test]
fn rows_are_encoded_once_for_everybody_in_a_room() {
    let row = |entity, x| EntityRow { entity, x, y: 0, health: 100, flags: 0 };
    let all = [row(1, 10), row(2, 20), row(3, 30)];
    let shared = rows(&all);
    let now = |own, own_row| {
        let (tick, input_seq, gone, full) = (1, 2, &[][..], false);
        let text = room(&Room { tick, input_seq, own, own_row, rows: &shared, gone, full });
        let Event::Room(read) = read_event(&text) else { panic!("{text}") };
        read.e.into_iter().map(|row| (row.entity, row.x)).collect::<Vec<_>>()
    };
    for own in 1..=3 {
        let others = all.iter().filter(|row| row.entity != own).map(|row| (row.entity, row.x));
        let others: Vec<_> = others.collect();
        assert_eq!(now(own, None), others);
        assert_eq!(now(own, Some(row(own, 99))), [vec![(own, 99)], others].concat());
    }
    assert_eq!(now(9, None), [(1, 10), (2, 20), (3, 30)]);
    assert_eq!(now(9, Some(row(9, 99)))[0], (9, 99));
}

#[test]
fn roster_and_leaderboard_are_read_back() {
    let text = roster([(1, "alice", "Al \"A\""), (2, "bob", "bob")], true);
    let rows = [(1, player("alice"), "Al \"A\"".to_owned()), (2, player("bob"), "bob".into())];
    let expected = RosterEvent { players: rows.map(RosterRow::from).into(), full: true };
    assert_eq!(read_event(&text), Event::Roster(expected));
    let text = leaderboard([("alice", "Al", 35, 1)]);
    assert_eq!(text, r#"{"ev":"leaderboard","top":[["alice","Al",35,1]]}"#);
    let top = vec![TopRow { player: player("alice"), name: "Al".into(), score: 35, rank: 1 }];
    assert_eq!(read_event(&text), Event::Leaderboard(LeaderboardEvent { top }));
}

#[test]
fn pong_and_passing_events_are_read_back() {
    let t = Number::from_f64(0.5).unwrap();
    let text = pong(&t, 1_795_345_219_097);
    assert_eq!(text, r#"{"pong":0.5,"now":1795345219097}"#);
    let ServerMessage::Pong(read) = ServerMessage::decode(&text).unwrap() else { panic!() };
    assert_eq!((read.pong, read.now), (t, 1_795_345_219_097));
    let drain = Event::Drain(DrainEvent { retry_after_ms: 500 });
    assert_eq!(read_event(&event(&drain)), drain);
    let say = SayEvent { from: player("al"), text: "\u{1f600}\n".into(), party: None };
    assert_eq!(read_event(&event(&Event::Say(say.clone()))), Event::Say(say));
}

#[test]
fn a_welcome_carries_its_state_as_it_is() {
    let state = crate::server::tests::STATE;
    let raw = RawValue::from_string(state.into()).unwrap();
    let mut sent = Welcome::new(WelcomeKind::Resumed, player("alice"), raw);
    sent.replayed = Some(3);
    let text = welcome(&sent);
    assert!(text.starts_with(r#"{"ev":"resumed","player":"alice""#), "{text}");
    assert!(text.contains(state));
    assert!(!text.contains("token"), "{text}");
    let ServerMessage::Welcome(read) = ServerMessage::decode(&text).unwrap() else { panic!() };
    let state: PlayerState = serde_json::from_str(state).unwrap();
    assert_eq!((read.state, read.replayed, read.step_ms), (state, Some(3), 50));
}

#[test]
fn what_an_activation_took_is_said_in_both_encodings_and_in_no_words() {
    let state: PlayerState = serde_json::from_str(crate::server::tests::STATE).unwrap();
    let mut sent = Welcome::new(WelcomeKind::Resync, player("alice"), state);
    let words = crate::text::render::welcome(&sent);
    assert!(!welcome(&sent).contains("activation"));
    sent.activation = Some(Activation { records: 37, took_ms: 2.1 });
    let text = welcome(&sent);
    assert!(text.contains(r#""activation":{"records":37,"took_ms":2.1}"#), "{text}");
    let packed = crate::pack::message(&text);
    let packed = crate::pack::read(&packed).unwrap().decode().unwrap();
    for read in [ServerMessage::decode(&text).unwrap(), packed] {
        let ServerMessage::Welcome(read) = read else { panic!("{read:?}") };
        assert_eq!(*read, sent);
    }
    assert_eq!(crate::text::render::welcome(&sent), words);
}

proptest! {
    #[test]
    fn numbers_are_written_as_rust_writes_them(big in any::<u64>(), small in any::<i32>()) {
        let mut out = String::new();
        push_u64(&mut out, big);
        out.push(' ');
        push_i32(&mut out, small);
        prop_assert_eq!(out, format!("{big} {small}"));
    }

    #[test]
    fn no_frame_panics_a_reader(text in ".*", ev in "[a-z]{0,11}") {
        let _ = ServerMessage::decode(&text);
        let _ = ServerMessage::decode(&format!(r#"{{"ev":"{ev}","text":{text:?}}}"#));
    }

    #[test]
    fn any_error_message_is_escaped(message in ".*") {
        let text = reply_err(Some(1), &ErrorBody::new(ErrorCode::Busy, message.clone()));
        let ServerMessage::Reply(reply) = ServerMessage::decode(&text).unwrap() else { panic!() };
        prop_assert_eq!(reply.body::<MoveBody>().unwrap_err().message, message);
    }
}
