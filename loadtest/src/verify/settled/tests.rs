//! Players who have what their trades brought them, and such as have not.

use holdfast_protocol::server::TradeEvent;
use serde_json::json;

use super::*;
use crate::load::dealings::tests::told;

/// Alice, who gave five gold for a potion, and has this much.
fn alice(gold: u64, potions: u64) -> PlayerState {
    let state = json!({"player_id": "alice", "display_name": "A", "status": "online",
        "current_room": null, "gold": gold, "health": 100, "max_health": 100, "xp": 0, "level": 1,
        "inventory": [{"item_id": "potion-001", "name": "Health Potion", "quantity": potions}],
        "score": 0, "x": 0, "y": 0, "buffs": [], "cooldowns": [], "session_actions_count": 0,
        "total_actions_count": 0, "pending_notifications": []});
    serde_json::from_value(state).unwrap()
}

fn found(state: &PlayerState, events: &[TradeEvent]) -> Vec<String> {
    let began = BTreeMap::from([("gold".to_owned(), 100), ("potion-001".to_owned(), 5)]);
    let used = BTreeMap::from([("potion-001".to_owned(), 1)]);
    let (mut tally, mut trades) = (Tally::default(), Book::default());
    events.iter().for_each(|event| assert!(trades.note(event).unwrap()));
    let balance = Balance { began: &began, used: &used, gained: 0 };
    has(state, &balance, &trades, &[7], &mut tally);
    assert_eq!(tally.of(SETTLED).0, 1);
    tally.findings.into_iter().map(|finding| finding.what).collect()
}

#[test]
fn a_committed_trade_changes_what_both_have() {
    let committed = [told("t1", "committed", 1)];
    assert_eq!(found(&alice(95, 5), &committed), Vec::<String>::new());
    assert_eq!(found(&alice(95, 4), &committed), ["by its trades, potion-001 is 4, not 5"]);
    assert_eq!(found(&alice(100, 5), &committed), ["by its trades, gold is 100, not 95"]);
    let mut bob = alice(105, 3);
    bob.player_id = PlayerId::new("bob").unwrap();
    assert_eq!(found(&bob, &committed), Vec::<String>::new());
    bob.gold = 100;
    assert_eq!(found(&bob, &committed), ["by its trades, gold is 100, not 105"]);
}

#[test]
fn a_trade_that_came_to_nothing_changes_nothing() {
    for phase in ["offered", "cancelled", "expired"] {
        let trade = [told("t1", phase, 1)];
        assert_eq!(found(&alice(100, 4), &trade), Vec::<String>::new());
        assert_eq!(found(&alice(95, 4), &trade), ["by its trades, gold is 95, not 100"]);
    }
}

#[test]
fn coins_and_defeats_change_what_one_has() {
    let began = BTreeMap::from([("gold".to_owned(), 100)]);
    let mut state = alice(93, 0);
    state.inventory.clear();
    for (gained, broken) in [(-7, 0), (0, 1), (7, 1)] {
        let mut tally = Tally::default();
        let balance = Balance { began: &began, used: &BTreeMap::new(), gained };
        has(&state, &balance, &Book::default(), &[], &mut tally);
        assert_eq!(tally.of(SETTLED), (1, broken), "{gained}");
    }
}

#[test]
fn a_thing_that_came_from_nowhere_is_told() {
    let mut state = alice(100, 4);
    state.inventory[0].item_id = "axe-001".to_owned();
    assert_eq!(found(&state, &[]), ["by its trades, potion-001 is 0, not 4; axe-001 is 4, not 0"]);
}

#[test]
fn what_is_reserved_is_still_ones_own_and_does_not_stay_so() {
    let offer = told("t1", "offered", 1);
    let mut state = alice(95, 4);
    state.trades = vec![offer.clone()];
    assert_eq!(found(&state, &[offer]), Vec::<String>::new());
    let mut tally = Tally::default();
    escrow(&state, &[7], &mut tally);
    let what = "trade t1 is open after its time, with 5 gold of alice";
    assert_eq!((tally.of(ESCROW), &*tally.findings[0].what), ((1, 1), what));
    state.trades.clear();
    let mut tally = Tally::default();
    escrow(&state, &[7], &mut tally);
    assert_eq!(tally.of(ESCROW), (1, 0));
}
