//! Trades that both sides know alike, and such as they do not.

use super::*;
use crate::load::dealings::tests::told;

/// One side of the trade `t1`, as it was told last.
fn side(player: &str, last: Option<TradeEvent>) -> Side {
    let mut trades = Book::default();
    last.iter().for_each(|told| assert!(trades.note(told).unwrap()));
    let player = PlayerId::new(player).unwrap();
    Side { player, trades, whole: true, accepted: BTreeSet::new(), party: None }
}

fn at(phase: &str) -> Option<TradeEvent> {
    Some(told("t1", phase, 1))
}

fn found(alice: Option<TradeEvent>, bob: Option<TradeEvent>) -> Vec<String> {
    let found = compare(&[side("alice", alice), side("bob", bob)]);
    assert_eq!((found.looked_at, found.unknown), (1, 0));
    assert!(found.broken.iter().all(|one| one.shows.len() == 2));
    found.broken.into_iter().map(|one| one.what).collect()
}

#[test]
fn sides_that_know_one_end_are_of_one_mind() {
    for phase in ["committed", "cancelled", "expired"] {
        assert_eq!(found(at(phase), at(phase)), Vec::<String>::new());
    }
    // It was called off before the other side had heard of it.
    assert_eq!(found(at("cancelled"), None), Vec::<String>::new());
    // Who called it off knew newer terms.
    assert_eq!(found(at("cancelled"), Some(told("t1", "cancelled", 2))), Vec::<String>::new());
}

#[test]
fn a_trade_has_one_end() {
    let odd = found(at("committed"), at("expired"));
    assert_eq!(odd, ["trade t1 of alice and bob: committed for alice, expired for bob"]);
    let odd = found(at("committed"), Some(told("t1", "committed", 2)));
    assert_eq!(odd, ["trade t1 of alice and bob: committed on different terms"]);
}

#[test]
fn a_side_that_was_told_no_end_is_found() {
    let never = "trade t1 of alice and bob: bob was never told that it is";
    assert_eq!(found(at("committed"), at("offered")), [format!("{never} committed")]);
    assert_eq!(found(at("committed"), None), [format!("{never} committed")]);
    assert_eq!(found(at("expired"), at("offered")), [format!("{never} expired")]);
    let odd = found(at("offered"), at("offered"));
    assert_eq!(odd, ["trade t1 of alice and bob: it never came to an end"]);
}

#[test]
fn who_may_have_missed_something_proves_nothing() {
    for (one, other) in [("committed", Some("offered")), ("committed", None)] {
        let mut bob = side("bob", other.and_then(at));
        bob.whole = false;
        assert_eq!(compare(&[side("alice", at(one)), bob]).broken, []);
    }
    let alone = compare(&[side("alice", at("committed"))]);
    assert_eq!((alone.broken.len(), alone.unknown), (0, 1));
}

#[test]
fn an_acceptance_that_was_answered_ok_is_a_trade() {
    let accepted = |last: Option<TradeEvent>, whole: bool| {
        let mut bob = side("bob", last);
        (bob.whole, bob.accepted) = (whole, BTreeSet::from([TradeId::new("t1").unwrap()]));
        let found = compare(&[bob]);
        let what = found.broken.into_iter().map(|one| one.what);
        what.collect::<Vec<_>>()
    };
    let odd = "its acceptance of trade t1 was answered ok, and the trade is";
    assert_eq!(accepted(at("committed"), true), Vec::<String>::new());
    assert_eq!(accepted(at("expired"), true), [format!("{odd} expired")]);
    assert_eq!(accepted(at("offered"), true), [format!("{odd} not committed")]);
    assert_eq!(accepted(None, false), Vec::<String>::new());
}
