//! Which lines mean what.

use proptest::prelude::*;

use super::*;

fn verb(line: &str) -> Verb {
    match parse(line).unwrap() {
        Line::Verb(verb) => verb,
        other => panic!("{line}: {other:?}"),
    }
}

fn refused(line: &str) -> String {
    parse(line).expect_err(line).to_string()
}

fn blow_at(move_type: MoveType, target: Option<&str>) -> Verb {
    let target_player_id = target.map(|id| PlayerId::new(id).unwrap());
    Verb::ExecuteMove { move_type, target_player_id, event_id: None }
}

#[test]
fn lines_become_verbs() {
    let hello = |token: Option<&str>| Verb::Hello {
        token: token.map(Into::into),
        player: Some(PlayerId::new("alice").unwrap()),
        name: None,
    };
    assert_eq!(verb("login alice\r\n"), hello(None));
    assert_eq!(verb("LOGIN Alice eyJ.X.y"), hello(Some("eyJ.X.y")));
    assert_eq!(
        verb("join Dungeon-7"),
        Verb::JoinRoom { room_id: RoomId::new("dungeon-7").unwrap() }
    );
    assert_eq!(verb("leave"), Verb::LeaveRoom {});
    assert_eq!(verb("attack"), blow_at(MoveType::Attack, None));
    assert_eq!(verb("attack Bob"), blow_at(MoveType::Attack, Some("bob")));
    assert_eq!(verb("special bob"), blow_at(MoveType::Special, Some("bob")));
    assert_eq!(verb("defend"), blow_at(MoveType::Defend, None));
    assert_eq!(verb("heal"), blow_at(MoveType::Heal, None));
    assert_eq!(verb("say  Hi,  Bob! \n"), Verb::Say { text: "Hi,  Bob!".into() });
    assert_eq!(verb("inv"), Verb::GetInventory {});
    assert_eq!(verb("who"), Verb::Who {});
    assert_eq!(verb("rooms"), Verb::Rooms {});
    assert_eq!(verb("top"), Verb::Top {});
    assert_eq!(verb("state"), Verb::GetState {});
    assert_eq!(verb("ping").name(), "ping");
}

#[test]
fn other_lines_are_for_the_gateway() {
    assert_eq!(parse(" \n"), Ok(Line::Empty));
    assert_eq!(parse("look"), Ok(Line::Look));
    assert_eq!(parse("gold"), Ok(Line::Gold));
    assert_eq!(parse("quit"), Ok(Line::Quit));
    assert_eq!(parse("use Health Potion"), Ok(Line::Use { word: "Health Potion".into() }));
    assert_eq!(parse("watch on"), Ok(Line::Watch { on: true, hz: None }));
    assert_eq!(parse("watch on 5"), Ok(Line::Watch { on: true, hz: Some(5) }));
    assert_eq!(parse("watch OFF"), Ok(Line::Watch { on: false, hz: None }));
    assert_eq!(parse("json on"), Ok(Line::Json { on: true }));
    assert_eq!(parse("help"), Ok(Line::Help { topic: None }));
    assert_eq!(parse("help ATTACK"), Ok(Line::Help { topic: Some("attack".into()) }));
}

#[test]
fn moves_go_by_the_compass() {
    let up = Step { dx: 0, dy: -1, buttons: 0 };
    assert_eq!(parse("move n 3"), Ok(Line::Move { steps: vec![up; 3] }));
    assert_eq!(parse("move N"), Ok(Line::Move { steps: vec![up] }));
    let down_left = Step { dx: -1, dy: 1, buttons: 0 };
    assert_eq!(parse("move sw 32"), Ok(Line::Move { steps: vec![down_left; 32] }));
    for direction in ["n", "ne", "e", "se", "s", "sw", "w", "nw"] {
        assert!(parse(&format!("move {direction}")).is_ok());
    }
    for line in ["move", "move up", "move n 0", "move n 33", "move n -1", "move n 3 4"] {
        assert!(refused(line).starts_with("bad_args: usage: move DIRECTION [STEPS]"), "{line}");
    }
    for line in ["move up", "move n 33"] {
        assert!(refused(line).ends_with(": n, ne, e, se, s, sw, w or nw, 1 to 32 steps"));
    }
}

#[test]
fn what_is_wrong_is_said() {
    assert_eq!(refused("atack bob"), "unknown_verb: atack (did you mean attack?)");
    assert_eq!(refused("trad bob sword"), "unknown_verb: trad (did you mean trade?)");
    assert_eq!(refused("xyzzy"), r#"unknown_verb: xyzzy ("help" lists the words)"#);
    assert_eq!(refused("login"), "bad_args: usage: login NAME [TOKEN]");
    assert_eq!(refused("leave now"), "bad_args: usage: leave");
    assert_eq!(refused("attack bob now"), "bad_args: usage: attack [PLAYER]");
    assert_eq!(refused("say"), "bad_args: usage: say TEXT");
    assert_eq!(refused("use"), "bad_args: usage: use ITEM");
    assert!(refused("login a.b").contains("a player id may only have"));
    assert!(refused("join a.b").contains("a room id may only have"));
    assert!(refused(&format!("say {}", "x".repeat(201))).contains("200 characters"));
    assert!(refused("say a\u{7}b").contains("control characters"));
    for line in
        ["watch", "watch maybe", "watch on 0", "watch on 21", "watch off 5", "json", "json 1"]
    {
        assert!(refused(line).starts_with("bad_args: usage: "), "{line}");
    }
}

#[test]
fn every_word_with_help_is_understood() {
    for word in help::WORDS {
        let understood = match parse(word) {
            Ok(_) => true,
            Err(error) => error.code == ErrorCode::BadArgs,
        };
        assert!(understood, "{word}");
    }
}

#[test]
fn items_are_found_by_id_or_word() {
    let item =
        |id: &str, name: &str| InventoryItem { item_id: id.into(), name: name.into(), quantity: 1 };
    let bag = [item("sword-001", "Iron Sword"), item("potion-001", "Health Potion")];
    let found = |word: &str| find_item(word, &bag).map(|item| item.item_id.as_str());
    assert_eq!(found("potion-001"), Ok("potion-001"));
    assert_eq!(found("Potion"), Ok("potion-001"));
    assert_eq!(found("health potion"), Ok("potion-001"));
    assert_eq!(found("iron"), Ok("sword-001"));
    assert_eq!(found("pot").unwrap_err().to_string(), "no_such_item: you carry nothing called pot");
}

#[test]
fn a_brace_begins_json() {
    assert!(is_json(r#" {"id":1}"#));
    assert!(!is_json("say {"));
}

proptest! {
    #[test]
    fn no_line_panics(line in ".*") {
        let _ = parse(&line);
    }

    #[test]
    fn no_near_line_panics(word in prop::sample::select(help::WORDS.to_vec()), rest in ".*") {
        if let Ok(Line::Verb(verb)) = parse(&format!("{word} {rest}")) {
            prop_assert_eq!(verb.check(), Ok(()));
        }
    }
}
