//! Server messages as the protocol writes them.

use serde_json::json;

use super::*;

/// A state with every field of the protocol, in its order.
pub(crate) const STATE: &str = r#"{"player_id":"alice","display_name":"Alice","status":"in_room","current_room":{"room_id":"dungeon-7","room_name":"Room dungeon-7","player_count":2,"max_players":20},"inventory":[{"item_id":"sword-001","name":"Iron Sword","quantity":1},{"item_id":"potion-001","name":"Health Potion","quantity":5}],"gold":100,"health":75,"max_health":100,"xp":10,"level":1,"score":35,"x":2048,"y":2000,"buffs":[{"kind":"defend","until_ms":1795345219097}],"cooldowns":[{"move_type":"special","until_ms":1795345219098}],"session_actions_count":3,"total_actions_count":4,"pending_notifications":[{"text":"hi","from":"bob","at_ms":5},{"text":"ho","at_ms":6}]}"#;

#[test]
fn the_state_has_the_protocols_names_and_order() {
    let state: PlayerState = serde_json::from_str(STATE).unwrap();
    assert_eq!(serde_json::to_string(&state).unwrap(), STATE);
    let nowhere = PlayerState { current_room: None, ..state };
    assert!(serde_json::to_string(&nowhere).unwrap().contains(r#""current_room":null"#));
}

/// What passes between players stands in the state where there is any.
#[test]
fn the_state_has_trades_and_parties_at_its_end() {
    let party =
        r#"{"party_id":"p","name":"Heroes","leader":"al","members":["al"],"on_leader_left":"end"}"#;
    let trade = r#"{"trade_id":"t","phase":"offered","revision":1,"from":"al","to":"bo","give":{"gold":5},"want":{},"expires_ms":7}"#;
    let more = format!(r#","trades":[{trade}],"party":{party},"invitations":[{party}]}}"#);
    let whole = format!("{}{more}", STATE.strip_suffix('}').unwrap());
    let state: PlayerState = serde_json::from_str(&whole).unwrap();
    assert_eq!(serde_json::to_string(&state).unwrap(), whole);
    let none = whole.replace(&more, r#","trades":[],"party":null,"invitations":[]}"#);
    assert_eq!(
        serde_json::to_string(&serde_json::from_str::<PlayerState>(&none).unwrap()).unwrap(),
        STATE
    );
}

#[test]
fn a_welcome_has_the_protocols_names() {
    let state: PlayerState = serde_json::from_str(STATE).unwrap();
    let player = PlayerId::new("alice").unwrap();
    let value = serde_json::to_value(Welcome::new(WelcomeKind::Welcome, player, state)).unwrap();
    for field in [
        "ev", "player", "session", "resume", "node", "epoch", "seq", "state", "limits", "step_ms",
        "now", "gateways",
    ] {
        assert!(value.get(field).is_some(), "{field}");
    }
    assert_eq!(value["ev"], "welcome");
    assert_eq!(value.get("replayed"), None);
    assert_eq!(value["limits"]["message_bytes_max"], 16384);
}

#[test]
fn every_event_goes_there_and_back() {
    let events = [
        json!({"ev": "player", "set": {"health": 75, "status": "idle"}}),
        json!({"ev": "notice", "text": "hi", "from": "bob"}),
        json!({"ev": "combat", "move_type": "attack", "by": "al", "damage": 25, "xp": 10}),
        json!({"ev": "combat", "move_type": "special", "by": "al", "target": "bo", "damage": 40,
            "xp": 10}),
        json!({"ev": "say", "from": "al", "text": "hi", "party": "p1"}),
        json!({"ev": "roster", "players": [[1, "al", "Al"]]}),
        json!({"ev": "room", "tick": 1, "in": 2, "e": [[1, 2, 3, 4, 5]], "gone": []}),
        json!({"ev": "leaderboard", "top": [["al", "Al", 3, 1]]}),
        json!({"ev": "drain", "retry_after_ms": 100}),
        json!({"ev": "coins", "at": [[1, 2, 3]], "taken": [4], "full": true}),
        json!({"ev": "coins", "at": [], "taken": []}),
        json!({"ev": "trade", "trade_id": "t", "phase": "offered", "revision": 1, "from": "al",
            "to": "bo", "give": {"gold": 5, "items": [{"item_id": "a", "quantity": 2}]},
            "want": {}, "expires_ms": 7}),
        json!({"ev": "trade", "trade_id": "t", "phase": "cancelled", "revision": 2, "from": "al",
            "to": "bo", "give": {}, "want": {"gold": 1}, "expires_ms": 7, "why": "al left"}),
        json!({"ev": "party", "party": null, "by": "al", "what": "kicked"}),
        json!({"ev": "party", "party": {"party_id": "p", "name": "Heroes", "leader": "al",
            "members": ["al", "bo"], "on_leader_left": "pass_on"}, "what": "created"}),
        json!({"ev": "later", "at": [[1, 2, 3]]}),
    ];
    for value in events {
        let text = value.to_string();
        let event: Event = serde_json::from_str(&text).unwrap();
        let known = !matches!(event, Event::Unknown(_));
        assert_eq!(known, value["ev"] != "later", "{text}");
        assert_eq!(serde_json::to_value(&event).unwrap(), value);
    }
}

#[test]
fn a_known_event_without_its_fields_is_an_error() {
    assert!(ServerMessage::decode(r#"{"ev":"room","tick":1}"#).is_err());
    assert!(ServerMessage::decode(r#"{"ev":"drain"}"#).is_err());
    assert!(ServerMessage::decode(r#"{"seq":1,"evs":[{"text":"no ev"}]}"#).is_err());
}

#[test]
fn unknown_fields_are_ignored_and_unknown_events_kept() {
    let text = r#"{"seq":4,"evs":[{"new":1,"ev":"notice","text":"a"},{"ev":"later","x":[1]}]}"#;
    let ServerMessage::Events(events) = ServerMessage::decode(text).unwrap() else { panic!() };
    assert!(matches!(&events.evs[..], [Event::Notice(_), Event::Unknown(_)]));
    let later = ServerMessage::decode(r#"{"ev":"later"}"#).unwrap();
    assert!(matches!(later, ServerMessage::Event(Event::Unknown(_))));
}

#[test]
fn a_reply_has_either_ok_or_err() {
    assert!(ServerMessage::decode(r#"{"id":1}"#).is_err());
    let both = r#"{"id":1,"ok":{},"err":{"code":"busy","message":"","retry":true}}"#;
    assert!(ServerMessage::decode(both).is_err());
    assert!(matches!(
        ServerMessage::decode(r#"{"id":null,"err":{"code":"busy","message":"","retry":true}}"#),
        Ok(ServerMessage::Reply(Reply { id: None, outcome: Outcome::Err(_) }))
    ));
}

#[test]
fn a_body_is_read_as_its_type() {
    let text = r#"{"id":1,"ok":{"players":[["al","Al","arena"],["bo","Bo",null]]}}"#;
    let ServerMessage::Reply(reply) = ServerMessage::decode(text).unwrap() else { panic!() };
    let who: WhoBody = reply.body().unwrap();
    assert_eq!(who.players[0].room.as_ref().map(|room| room.as_str()), Some("arena"));
    assert_eq!(who.players[1].room, None);
    assert_eq!(reply.body::<MoveBody>().unwrap_err().code, ErrorCode::BadMessage);
}
