//! States that are what was promised, and such as are not.

use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::ids::PlayerId;
use serde_json::{Value, json};

use super::*;
use crate::expect::Expected;
use crate::ledger::{Answer, Done};

fn player() -> PlayerState {
    let room = json!({"room_id": "den", "room_name": "Room den", "player_count": 1,
                      "max_players": 20});
    let items = json!([{"item_id": "potion-001", "name": "Health Potion", "quantity": 4},
                       {"item_id": "sword-001", "name": "Iron Sword", "quantity": 1}]);
    let state = json!({"player_id": "a", "display_name": "A", "status": "online",
        "current_room": room, "inventory": items, "gold": 100, "health": 100, "max_health": 100,
        "xp": 10, "level": 1, "score": 35, "x": 12, "y": 0, "buffs": [], "cooldowns": [],
        "session_actions_count": 2, "total_actions_count": 2, "pending_notifications": []});
    serde_json::from_value(state).unwrap()
}

fn fold(sum: &mut Expected, verb: &Verb, body: &Value) {
    let done = Done { body: body.to_string(), seq: Some(1) };
    sum.fold(verb, &Answer { result: Ok(done), dup: false }).unwrap();
}

/// Who has joined, struck once and used a potion.
fn closed() -> Closed {
    let mut sum = Expected::default();
    let state = player();
    let join = Verb::JoinRoom { room_id: "den".parse().unwrap() };
    fold(&mut sum, &join, &json!({"room": state.current_room}));
    let (move_type, target_player_id, event_id) = (MoveType::Attack, None, None);
    let strike = Verb::ExecuteMove { move_type, target_player_id, event_id };
    fold(&mut sum, &strike, &json!({"damage": 25, "xp": 10, "health": 100}));
    let potion = Verb::UseItem { item_id: POTION.to_owned() };
    fold(&mut sum, &potion, &json!({"item": state.inventory[0], "health": 100}));
    let at = Some(Position { x: 12, y: 0 });
    Closed { sum, at, ..Closed::empty(PlayerId::new("a").unwrap()) }
}

fn found(compare: impl FnOnce(&mut Tally)) -> Vec<String> {
    let mut tally = Tally::default();
    compare(&mut tally);
    tally.findings.into_iter().map(|finding| finding.what).collect()
}

#[test]
fn a_state_is_the_sum_of_what_was_acknowledged() {
    let mut is = player();
    let compared = |is: &PlayerState| found(|tally| state(&closed(), is, true, &[9], tally));
    assert_eq!(compared(&is), Vec::<String>::new());
    (is.xp, is.score, is.total_actions_count) = (20, 70, 3);
    let twice = "total_actions_count is 3, not 2; xp is 20, not 10; score is 70, not 35";
    assert_eq!(compared(&is), [twice]);
}

#[test]
fn a_room_counts_only_where_players_stay() {
    let mut is = player();
    is.current_room = None;
    assert_eq!(found(|tally| state(&closed(), &is, true, &[9], tally)).len(), 1);
    assert_eq!(found(|tally| state(&closed(), &is, false, &[9], tally)).len(), 0);
}

#[test]
fn more_potions_than_there_were_are_told() {
    let mut books = closed();
    books.sum.potions_used = 6;
    let told = found(|tally| state(&books, &player(), true, &[9], tally));
    assert_eq!(told, ["6 potions of 5 were used"]);
}

#[test]
fn a_player_stands_where_its_steps_lead() {
    let at = Position { x: 12, y: 0 };
    assert_eq!(found(|tally| place(at, &player(), &[9], tally)).len(), 0);
    let far = Position { x: 24, y: 0 };
    let told = found(|tally| place(far, &player(), &[9], tally));
    assert_eq!(told, ["acknowledged steps lead to 24, 0, but it is at 12, 0"]);
}

#[test]
fn goods_are_even_unless_something_was_made_or_lost() {
    let minted = [("gold", 100), ("potion-001", 5), ("sword-001", 1)];
    let minted: BTreeMap<String, u64> =
        minted.into_iter().map(|(thing, count)| (thing.to_owned(), count)).collect();
    let odd = |state: &PlayerState| {
        let goods = goods(&minted, &closed(), state, 0);
        let odd = goods.into_iter().filter(|(_, goods)| !goods.is_balanced());
        odd.map(|(thing, _)| thing).collect::<Vec<_>>()
    };
    let mut is = player();
    assert_eq!(odd(&is), Vec::<String>::new());
    (is.gold, is.inventory[0].quantity) = (90, 5);
    assert_eq!(odd(&is), ["gold", "potion-001"]);
    let mut is = player();
    is.inventory[1].item_id = "axe-001".to_owned();
    assert_eq!(odd(&is), ["axe-001", "sword-001"], "one was lost, one came from nowhere");
}

#[test]
fn what_is_reserved_and_what_was_found_is_counted() {
    let minted = BTreeMap::from([("gold".to_owned(), 100)]);
    let mut is = player();
    is.gold = 100;
    is.trades = vec![crate::load::dealings::tests::told("t1", "offered", 1)];
    is.player_id = PlayerId::new("alice").unwrap();
    let gold = |is: &PlayerState, found| goods(&minted, &closed(), is, found)["gold"];
    assert!(gold(&is, 5).is_balanced() && !gold(&is, 0).is_balanced());
    is.player_id = PlayerId::new("bob").unwrap();
    assert!(!gold(&is, 5).is_balanced(), "it is the other side that has it reserved");
}

#[test]
fn what_others_give_and_where_they_lead_is_not_of_ones_own_commands() {
    let mut is = player();
    (is.inventory[0].quantity, is.current_room, is.total_actions_count) = (7, None, 9);
    let mut books = closed();
    assert_eq!(found(|tally| state(&books, &is, true, &[9], tally)).len(), 1);
    let mine = crate::load::dealings::tests::told("t1", "offered", 1);
    books.dealings.trades.note(&mine).unwrap();
    books.dealings.led = true;
    assert_eq!(found(|tally| state(&books, &is, true, &[9], tally)).len(), 0);
    is.xp = 20;
    assert_eq!(found(|tally| state(&books, &is, true, &[9], tally)).len(), 1);
}
