//! Trades that are told as they may be, and such as contradict themselves.

use serde_json::json;

use super::*;

/// A trade of alice's gold for bob's potion.
pub(crate) fn told(id: &str, phase: &str, revision: u32) -> TradeEvent {
    let told = json!({
        "trade_id": id, "phase": phase, "revision": revision, "from": "alice", "to": "bob",
        "give": {"gold": 5}, "want": {"items": [{"item_id": "potion-001", "quantity": 1}]},
        "expires_ms": 60_000,
    });
    serde_json::from_value(told).unwrap()
}

/// The same with the places changed.
fn turned(told: TradeEvent) -> TradeEvent {
    TradeEvent { from: told.to, to: told.from, give: told.want, want: told.give, ..told }
}

fn after(events: &[TradeEvent]) -> Result<Book, Odd> {
    let mut book = Book::default();
    for event in events {
        book.note(event)?;
    }
    Ok(book)
}

#[test]
fn a_trade_ends_once() {
    let [offer, committed] = ["offered", "committed"].map(|phase| told("t1", phase, 1));
    let book = after(&[offer.clone(), committed.clone(), committed.clone()]).unwrap();
    assert_eq!(book.get(&offer.trade_id), Some(&committed));
    for last in [told("t1", "cancelled", 1), told("t1", "committed", 2), offer.clone()] {
        let odd = after(&[offer.clone(), committed.clone(), last]).unwrap_err();
        assert!(odd.starts_with("trade t1 was committed, terms 1: 5 gold of alice for"), "{odd}");
    }
}

#[test]
fn terms_are_counted_and_each_stays_what_it_is() {
    let offer = told("t1", "offered", 1);
    let counter = turned(told("t1", "countered", 2));
    let cancelled = turned(told("t1", "cancelled", 2));
    assert!(after(&[offer.clone(), counter.clone(), cancelled]).is_ok());
    assert!(after(&[counter.clone(), offer.clone()]).is_err(), "the count fell");
    let other = TradeEvent { give: Goods { gold: Some(6), items: vec![] }, ..offer.clone() };
    assert!(after(&[offer.clone(), other.clone()]).is_err(), "the same count, other terms");
    let end = TradeEvent { phase: TradePhase::Committed, ..other };
    assert!(after(&[offer, end]).is_err(), "an end of other terms");
}

#[test]
fn two_books_of_a_player_do_not_contradict_each_other() {
    let offer = after(&[told("t1", "offered", 1)]).unwrap();
    let committed = after(&[told("t1", "committed", 1), told("t2", "expired", 1)]).unwrap();
    for (one, other) in [(&offer, &committed), (&committed, &offer)] {
        let mut book = one.clone();
        book.merge(other).unwrap();
        assert_eq!(&book, &committed);
    }
    let cancelled = after(&[told("t1", "cancelled", 1)]).unwrap();
    let odd = committed.clone().merge(&cancelled).unwrap_err();
    assert!(odd[0].contains("then it was cancelled"), "{odd:?}");
    let other = TradeEvent { want: Goods::default(), ..told("t1", "offered", 1) };
    assert!(committed.clone().merge(&after(&[other]).unwrap()).is_err(), "other terms");
}

#[test]
fn whoever_is_among_the_members_of_a_party_is_led() {
    let me = PlayerId::new("alice").unwrap();
    let mut dealings = Dealings::default();
    let mut hear = |what: &str, members: &[&str]| {
        let party = json!({"party_id": "p1", "name": "us", "leader": "bob", "members": members,
                           "on_leader_left": "pass_on"});
        let told = json!({"ev": "party", "party": party, "by": "bob", "what": what});
        dealings.event(&me, &serde_json::from_value(told).unwrap()).unwrap();
        (dealings.led, dealings.is_used())
    };
    assert_eq!(hear("invited", &["bob"]), (false, false));
    assert_eq!(hear("joined", &["bob", "alice"]), (true, true));
    assert_eq!(hear("left", &["bob"]), (true, true), "it was");
}

#[test]
fn what_others_deal_is_none_of_ones_business() {
    let carol = PlayerId::new("carol").unwrap();
    let of_others = Event::Trade(told("t1", "offered", 1));
    assert!(Dealings::default().event(&carol, &of_others).is_err());
}

#[test]
fn a_session_without_a_replay_may_have_missed_an_end() {
    let state = |trades: serde_json::Value| -> PlayerState {
        let state = json!({
            "player_id": "alice", "display_name": "alice", "status": "online",
            "current_room": null, "inventory": [], "gold": 100, "health": 100, "max_health": 100,
            "xp": 0, "level": 1, "score": 0, "x": 1, "y": 2, "buffs": [], "cooldowns": [],
            "session_actions_count": 0, "total_actions_count": 0, "pending_notifications": [],
            "trades": trades,
        });
        serde_json::from_value(state).unwrap()
    };
    let me = PlayerId::new("alice").unwrap();
    let mut dealings = Dealings::default();
    dealings.welcome(&state(json!([])), false).unwrap();
    dealings.event(&me, &Event::Trade(told("t1", "offered", 1))).unwrap();
    dealings.welcome(&state(json!([])), true).unwrap();
    assert_eq!((dealings.open().count(), dealings.missed), (1, false), "its end follows");
    let other = serde_json::to_value(told("t2", "offered", 1)).unwrap();
    dealings.welcome(&state(json!([other])), false).unwrap();
    let open: Vec<_> = dealings.open().map(|told| told.trade_id.as_str()).collect();
    assert_eq!((open, dealings.missed), (vec!["t2"], true));
}
