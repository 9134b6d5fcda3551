//! Rooms that are never too full, and such as are.

use serde_json::{Value, json};

use super::*;

fn join(player: &str, count: u64) -> Vec<Value> {
    let member = json!({"entity": count, "n": 1, "name": player});
    let event = json!({"what": "event", "name": "in",
                       "data": {"player": player, "member": member}});
    let answer = json!({"joined": {"n": 1, "entity": count, "count": count, "max": 2}});
    let told = json!({"what": "told", "actor": format!("player:{player}"), "data": answer});
    vec![json!({"what": "heard"}), event, told]
}

fn leave(player: &str) -> Vec<Value> {
    vec![json!({"what": "event", "name": "out", "data": {"player": player}})]
}

fn full() -> Vec<Value> {
    vec![json!({"what": "told", "data": {"full": {"n": 1, "max": 2}}})]
}

fn judge(first: u64, records: &[Vec<Value>]) -> Room {
    let entries: Vec<_> = (first..)
        .zip(records)
        .map(|(seq, facts)| json!({"entry": "record", "seq": seq, "epoch": 3, "facts": facts}))
        .collect();
    let tip = first + records.len() as u64 - 1;
    let page = json!({"actor": "room:den", "tip": tip, "next": null, "entries": entries});
    let mut room = Room::default();
    assert_eq!(room.page(&Page::read(page.to_string().as_bytes()).unwrap()), None);
    room
}

fn found(room: &Room) -> Vec<(String, Vec<u64>)> {
    room.tally.findings.iter().map(|one| (one.what.clone(), one.shows.clone())).collect()
}

#[test]
fn a_room_that_is_never_too_full_has_no_findings() {
    let records =
        [join("a", 1), join("b", 2), full(), leave("a"), join("c", 2), join("c", 2), leave("b")];
    let room = judge(1, &records);
    assert_eq!(found(&room), Vec::new());
    assert_eq!((room.tally.of(CAPACITY), room.is_whole()), ((4, 0), true));
}

#[test]
fn a_room_with_one_member_too_many_is_found() {
    let room = judge(1, &[join("a", 1), join("b", 2), join("c", 3)]);
    assert_eq!(found(&room), [("it held 3 players, of 2 at most".to_owned(), vec![3])]);
    // It miscounts, and says that all is well.
    let room = judge(1, &[join("a", 1), join("b", 2), join("c", 2)]);
    assert_eq!(found(&room), [("it held 3 players, of 2 at most".to_owned(), vec![3])]);
}

#[test]
fn of_a_room_whose_beginning_is_gone_its_own_count_is_held_against_it() {
    let room = judge(8, &[join("c", 3), join("d", 2)]);
    assert_eq!((found(&room).len(), room.is_whole()), (1, false));
}

#[test]
fn coins_that_were_given_away_are_known() {
    let coin = |name: &str, coin: u64| {
        vec![json!({"what": "event", "name": name, "data": {"coin": coin}})]
    };
    let records = [coin("coin", 1), coin("took", 1), coin("coin", 2), coin("took", 2)];
    assert_eq!(judge(1, &records).taken, [1, 2].into());
    let back = [coin("coin", 1), coin("took", 1), coin("coin", 1)];
    assert_eq!(judge(1, &back).taken, [].into(), "it came back");
}
