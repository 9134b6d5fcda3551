//! What may follow what, and what may not.

use super::*;

fn welcome(kind: WelcomeKind, seq: u64, replayed: Option<u64>) -> Welcome {
    let state = serde_json::json!({
        "player_id": "alice", "display_name": "alice", "status": "online", "current_room": null,
        "inventory": [], "gold": 100, "health": 100, "max_health": 100, "xp": 0, "level": 1,
        "score": 0, "x": 1, "y": 2, "buffs": [], "cooldowns": [], "session_actions_count": 0,
        "total_actions_count": 0, "pending_notifications": [],
    });
    let state = serde_json::from_value(state).unwrap();
    let mut welcome = Welcome::new(kind, "alice".parse().unwrap(), state);
    (welcome.seq, welcome.replayed) = (seq, replayed);
    welcome
}

fn frame(seq: u64, xp: u64) -> Events {
    let text = format!(r#"{{"seq":{seq},"evs":[{{"ev":"player","set":{{"xp":{xp}}}}}]}}"#);
    serde_json::from_str(&text).unwrap()
}

fn at(seq: u64) -> Mirror {
    let mut mirror = Mirror::default();
    mirror.welcome(welcome(WelcomeKind::Welcome, seq, None)).unwrap();
    mirror
}

#[test]
fn player_events_fold_into_the_state() {
    let mut mirror = at(1);
    mirror.events(frame(2, 10)).unwrap();
    mirror.events(frame(5, 20)).unwrap();
    let state = mirror.state.as_ref().unwrap();
    assert_eq!((state.xp, state.gold, mirror.seen()), (20, 100, 5));
}

#[test]
fn a_frame_comes_once_and_in_order() {
    let mut mirror = at(1);
    mirror.events(frame(4, 10)).unwrap();
    let twice = mirror.events(frame(4, 10));
    assert_eq!(twice, Err(Violation::FrameOrder { seq: 4, after: 4 }));
    assert!(mirror.events(frame(3, 10)).is_err());
}

#[test]
fn resumed_is_followed_by_exactly_what_it_promised() {
    let mut mirror = at(1);
    mirror.events(frame(2, 10)).unwrap();
    let mut short = mirror.clone();
    mirror.welcome(welcome(WelcomeKind::Resumed, 9, Some(2))).unwrap();
    mirror.events(frame(5, 77)).unwrap();
    mirror.events(frame(8, 78)).unwrap();
    assert_eq!(mirror.state.as_ref().unwrap().xp, 0, "the state was newer than the replay");
    assert!(mirror.clone().events(frame(9, 79)).is_err(), "a third frame was not promised");
    mirror.events(frame(10, 80)).unwrap();
    assert_eq!(mirror.state.as_ref().unwrap().xp, 80);

    short.welcome(welcome(WelcomeKind::Resumed, 9, Some(2))).unwrap();
    short.events(frame(5, 77)).unwrap();
    let missing = short.events(frame(10, 80));
    assert_eq!(missing, Err(Violation::FramesMissing { left: 1, seq: 10 }));
}

#[test]
fn nothing_goes_back_within_a_session() {
    let mut mirror = at(7);
    let back = mirror.welcome(welcome(WelcomeKind::Resync, 6, None));
    assert_eq!(back, Err(Violation::WentBack { what: "the position", was: 7, now: 6 }));
    let room = |input_seq| {
        let room = RoomEvent { tick: 1, input_seq, e: vec![], gone: vec![], full: false };
        Event::Room(room)
    };
    mirror.event(room(4)).unwrap();
    assert_eq!(mirror.event(room(3)), Err(Violation::InputFell { was: 4, now: 3 }));
}

#[test]
fn the_room_is_drawn_from_frames_and_roster() {
    let mut mirror = at(1);
    let events = [
        r#"{"ev":"roster","players":[[1,"alice","Alice"],[2,"bob","Bob"]],"full":true}"#,
        r#"{"ev":"room","tick":5,"in":0,"e":[[1,10,10,100,0],[2,20,20,75,8]],"gone":[],"full":true}"#,
        r#"{"ev":"room","tick":6,"in":2,"e":[[1,22,10,100,0]],"gone":[]}"#,
    ];
    for event in events {
        mirror.event(serde_json::from_str(event).unwrap()).unwrap();
    }
    assert_eq!(mirror.room.row_of("alice").unwrap().x, 22);
    assert_eq!(mirror.room.row_of("bob").unwrap().flags, 8);
    let gone = r#"{"ev":"room","tick":7,"in":2,"e":[],"gone":[2]}"#;
    mirror.event(serde_json::from_str(gone).unwrap()).unwrap();
    assert_eq!(mirror.room.row_of("bob"), None);
}

#[test]
fn coins_lie_until_they_are_taken() {
    let mut mirror = at(1);
    let mut lie = |event: &str| {
        mirror.event(serde_json::from_str(event).unwrap()).unwrap();
        mirror.coins.keys().copied().collect::<Vec<_>>()
    };
    assert_eq!(lie(r#"{"ev":"coins","at":[[1,10,10],[2,20,30]]}"#), [1, 2]);
    assert_eq!(lie(r#"{"ev":"coins","at":[[3,5,5]],"taken":[1]}"#), [2, 3]);
    assert_eq!(lie(r#"{"ev":"coins","at":[[4,5,5]],"full":true}"#), [4]);
    assert_eq!((mirror.coins[&4].x, mirror.coins[&4].y), (5, 5));
}
