//! Each flaw is found, and what almost is one is not.

use std::sync::Arc;

use super::*;
use crate::actor::contract::Actor;
use crate::game::event::{DealEvent, Event};
use crate::game::trade::{TradeEvent, Why};

const TRADE_ID: &str = "1-a";
const MADE_MS: u64 = 1_795_000_000_000;
const LATER_MS: u64 = MADE_MS + OFFER_MS + OVERDUE_MS + 1;
const HORIZON_MS: u64 = 10_000;
/// The trade's word.
const WORD: Mark = (7, 3, 1);

fn gold(gold: u64) -> Stock {
    Stock { gold, ..Stock::default() }
}

fn sword() -> Stock {
    Stock { gold: 0, items: [("sword-001".to_owned(), 1)].into() }
}

/// Alice gives a sword, and bob so much gold.
fn terms(price: u64) -> Terms {
    Terms {
        revision: 1,
        from: "alice".into(),
        to: "bob".into(),
        give: sword(),
        want: gold(price),
        expires_ms: MADE_MS + OFFER_MS,
        gift: false,
    }
}

fn ended(outcome: Outcome) -> TradeEvent {
    let why = Why { code: "no_such_trade".into(), message: "it is over".into() };
    let why = (outcome != Outcome::Committed).then_some(why);
    TradeEvent::Ended { outcome, why, terms: None }
}

/// A trade after these events, with words under way to these sides.
fn trade(events: &[TradeEvent], heading: &[&str]) -> Transfer {
    let mut trade = Trade::default();
    trade.apply(&TradeEvent::Termed(terms(20)));
    events.iter().for_each(|event| trade.apply(event));
    let word = FromTrade::Settle { terms: terms(20), last: false };
    let payload = crate::game::pack(&ToPlayer::Trade { trade: TRADE_ID.into(), word });
    let to: Vec<_> = heading.iter().map(|to| ActorId::new("player", to).unwrap()).collect();
    let tells = to.iter().map(|to| (to, &payload[..], WORD));
    Transfer::read(TRADE_ID, &crate::game::pack(&trade), tells).unwrap()
}

fn committed(heading: &[&str]) -> Transfer {
    trade(&[ended(Outcome::Committed)], heading)
}

/// A player with 100 gold and a sword, after these facts about the trade.
fn side(id: &str, deals: Vec<DealEvent>) -> Holding {
    let held = sword();
    let mut player = Player { id: id.into(), exists: true, gold: 100, ..Player::default() };
    player.inventory = held.items;
    let trade: Arc<str> = TRADE_ID.into();
    for deal in deals {
        player.apply(&Event::Deal { trade: Arc::clone(&trade), deal });
    }
    let state = crate::game::pack(&player);
    Holding::read(&state, std::iter::empty(), std::iter::empty()).unwrap().unwrap()
}

fn settled_by(id: &str, terms: &Terms) -> Holding {
    let (gave, got) = terms.of(id);
    let (gave, got, terms) = (gave.clone(), got.clone(), terms.clone());
    side(id, vec![DealEvent::Settled { terms, gave, got, at: MADE_MS + 5, last: false }])
}

fn settled(id: &str) -> Holding {
    settled_by(id, &terms(20))
}

/// Bob has accepted: 20 gold are reserved.
fn open() -> Holding {
    side("bob", vec![DealEvent::Heard { terms: terms(20) }, DealEvent::Accepted { token: None }])
}

/// What is found of a trade between alice, who has settled, and this bob.
fn flaws(transfer: &Transfer, sides: &[Holding], now_ms: u64) -> Vec<(Flaw, Vec<String>)> {
    let findings = transfer.judge(sides, now_ms);
    findings.into_iter().map(|finding| (finding.flaw, finding.players)).collect()
}

fn one(flaw: Flaw, players: [&str; 2]) -> Vec<(Flaw, Vec<String>)> {
    vec![(flaw, players.map(str::to_owned).to_vec())]
}

#[test]
fn a_side_that_lost_its_settlement_is_found() {
    let now_ms = MADE_MS + HORIZON_MS;
    assert_eq!(committed(&[]).sides(now_ms, HORIZON_MS), ["alice", "bob"]);
    let expected = one(Flaw::Unsettled, ["bob", "alice"]);
    assert_eq!(flaws(&committed(&[]), &[settled("alice"), open()], now_ms), expected);
    let nothing = side("bob", vec![]);
    assert_eq!(flaws(&committed(&[]), &[settled("alice"), nothing], now_ms), expected);
    let finding = &committed(&[]).judge(&[settled("alice"), open()], now_ms)[0];
    assert_eq!(finding.trade.as_deref(), Some(TRADE_ID));
    assert!(finding.what.contains("bob has not got Iron Sword x1 of alice"), "{}", finding.what);
}

#[test]
fn a_settlement_that_is_under_way_or_too_young_is_not() {
    let now_ms = MADE_MS + HORIZON_MS;
    assert_eq!(flaws(&committed(&["bob"]), &[settled("alice"), open()], now_ms), []);
    // The trade's journal does not know yet that bob has heard it; an older word is not it.
    for (heard, count) in [(WORD, 1), ((7, 3, 0), 0), ((8, 1, 0), 1)] {
        let bob = Holding { heard: [(TRADE_ID.to_owned(), heard)].into(), ..open() };
        let found = flaws(&committed(&["bob"]), &[settled("alice"), bob], now_ms);
        assert_eq!(found.len(), count, "{heard:?}");
    }
    assert_eq!(flaws(&committed(&[]), &[settled("alice"), settled("bob")], now_ms), []);
    assert_eq!(committed(&[]).sides(now_ms - 1, HORIZON_MS), [""; 0]);
    // Closed, and long forgotten by bob.
    let closed = trade(&[ended(Outcome::Committed), TradeEvent::Closed], &[]);
    assert_eq!(flaws(&closed, &[settled("alice"), side("bob", vec![])], LATER_MS), []);
}

#[test]
fn sides_that_settled_by_other_terms_are_found() {
    let sides = [settled("alice"), settled_by("bob", &terms(30))];
    let expected = one(Flaw::OtherTerms, ["bob", "alice"]);
    assert_eq!(flaws(&committed(&[]), &sides, LATER_MS), expected);
    let finding = sides[0].judge_alone(TRADE_ID, Some(&sides[1]), LATER_MS).unwrap();
    assert_eq!(finding.flaw, Flaw::OtherTerms);
    assert_eq!(sides[0].judge_alone(TRADE_ID, Some(&settled("bob")), LATER_MS), None);
    // After the last word a side no longer knows by which terms it settled.
    let (gave, got) = (gold(30), sword());
    let last = DealEvent::Settled { terms: terms(30), gave, got, at: MADE_MS, last: true };
    let sides = [settled("alice"), side("bob", vec![last])];
    assert_eq!(flaws(&committed(&[]), &sides, LATER_MS), []);
}

#[test]
fn a_settlement_of_what_was_called_off_is_found() {
    for outcome in [Outcome::Cancelled, Outcome::Expired] {
        let off = trade(&[ended(outcome)], &[]);
        let sides = [settled("alice"), side("bob", vec![])];
        assert_eq!(flaws(&off, &sides, LATER_MS), one(Flaw::CalledOff, ["alice", "bob"]));
        assert_eq!(flaws(&off, &[side("alice", vec![]), side("bob", vec![])], LATER_MS), []);
    }
}

#[test]
fn a_settlement_of_a_trade_without_an_end_is_found_when_it_is_overdue() {
    let undecided = trade(&[TradeEvent::Seen], &[]);
    let sides = [settled("alice"), open()];
    assert_eq!(flaws(&undecided, &sides, LATER_MS), one(Flaw::Unended, ["alice", "bob"]));
    assert_eq!(flaws(&undecided, &[side("alice", vec![]), open()], LATER_MS), []);
    assert_eq!(undecided.sides(LATER_MS, HORIZON_MS).len(), 2);
    assert_eq!(undecided.sides(LATER_MS - 1, HORIZON_MS), [""; 0]);
}

#[test]
fn an_escrow_that_no_trade_will_end_is_found() {
    assert_eq!(open().leans_on(LATER_MS), [(TRADE_ID.to_owned(), "alice".to_owned())]);
    assert_eq!(open().leans_on(LATER_MS - 1), []);
    let finding = open().judge_alone(TRADE_ID, None, LATER_MS).unwrap();
    assert_eq!(
        (finding.flaw, finding.players),
        (Flaw::Stranded, vec!["bob".into(), "alice".into()])
    );
    assert_eq!(open().judge_alone(TRADE_ID, None, LATER_MS - 1), None);
    let asking = Holding { heading: [TRADE_ID.to_owned()].into(), ..open() };
    assert_eq!(asking.judge_alone(TRADE_ID, None, LATER_MS), None);
    let heard = side("bob", vec![DealEvent::Heard { terms: terms(20) }]);
    assert_eq!(heard.leans_on(LATER_MS), [], "nothing is reserved");

    let sides = [side("alice", vec![]), open()];
    let stranded = one(Flaw::Stranded, ["bob", "alice"]);
    let events = [ended(Outcome::Expired), TradeEvent::Closed];
    for events in [&events[..1], &events[..]] {
        assert_eq!(flaws(&trade(events, &[]), &sides, LATER_MS), stranded);
        assert_eq!(flaws(&trade(events, &[]), &sides, LATER_MS - 1), []);
        assert_eq!(flaws(&trade(events, &["bob"]), &sides, LATER_MS), []);
    }
}

#[test]
fn a_side_that_kept_its_escrow_is_found_when_the_trade_is_gone() {
    assert_eq!(settled("alice").leans_on(LATER_MS).len(), 1);
    let judge = |bob: &Holding| settled("alice").judge_alone(TRADE_ID, Some(bob), LATER_MS);
    let finding = judge(&open()).unwrap();
    assert_eq!(
        (finding.flaw, finding.players),
        (Flaw::Unsettled, vec!["alice".into(), "bob".into()])
    );
    let asking = Holding { heading: [TRADE_ID.to_owned()].into(), ..open() };
    assert_eq!(judge(&asking), None);
    assert_eq!(judge(&side("bob", vec![])), None, "bob may have forgotten it");
    assert_eq!(settled("alice").judge_alone(TRADE_ID, None, LATER_MS), None);
}

#[test]
fn goods_that_the_journal_does_not_tell_of_are_found() {
    let finding = settled("alice").judge_journal(&side("alice", vec![])).unwrap();
    assert_eq!((finding.flaw, &finding.players), (Flaw::Journal, &vec!["alice".to_owned()]));
    let what = "by its whole journal alice has Iron Sword x1 too few and 20 gold too many";
    assert_eq!(finding.what, what);
    assert_eq!(open().judge_journal(&side("bob", vec![])), None, "reserved goods are one's own");
}

fn totals(began_ms: u64, sides: &[Holding], transfer: Option<&Transfer>) -> Totals {
    let mut totals = Totals::begin(began_ms);
    if let Some(transfer) = transfer {
        transfer.count(sides, totals.cut_ms, &mut totals);
    }
    sides.iter().for_each(|side| totals.player(side));
    totals.end(began_ms + 1_000);
    totals
}

/// Potions are part of the start equipment, and nobody here has any.
fn beyond(totals: &Totals) -> (i64, Option<&i64>) {
    (totals.beyond.gold, totals.beyond.items.get("sword-001"))
}

#[test]
fn what_changes_hands_between_two_reads_counts_once() {
    // Bob was read before the trade, alice after it.
    let sides = [settled("alice"), side("bob", vec![])];
    let counted = totals(MADE_MS + 1_000, &sides, None);
    assert_eq!((beyond(&counted), counted.exact), ((0, None), true));
    let counted = totals(MADE_MS + 1_000, &[settled("alice"), open()], None);
    assert_eq!((beyond(&counted), counted.escrow.gold), ((0, None), 20));
    // Long after it that would be a loss, and nothing hides it.
    let counted = totals(LATER_MS, &sides, None);
    assert_eq!(beyond(&counted), (20, Some(&-1)));
}

#[test]
fn what_one_side_has_given_and_the_other_has_not_got_is_under_way() {
    let sides = [settled("alice"), open()];
    let counted = totals(LATER_MS, &sides, Some(&committed(&["bob"])));
    assert_eq!(beyond(&counted), (0, None));
    assert_eq!((counted.escrow.gold, counted.transfer.items["sword-001"]), (0, 1));
    let both = [settled("alice"), settled("bob")];
    let counted = totals(LATER_MS, &both, Some(&committed(&[])));
    assert_eq!((beyond(&counted), &counted.transfer), ((0, None), &Balance::default()));
}

#[test]
fn a_look_that_took_long_is_not_exact() {
    let mut totals = Totals::begin(LATER_MS);
    totals.end(LATER_MS + 44_000);
    assert!(totals.exact);
    totals.end(LATER_MS + 46_000);
    assert!(!totals.exact);
}
