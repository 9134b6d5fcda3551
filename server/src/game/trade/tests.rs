//! Receipts that do not come: their sides are told again and asked behind it. Who denies it twice is
//! named to the operators; who is merely slow is not.

use super::*;
use crate::actor::contract::TimerChange;
use crate::game::stock::Stock;
use crate::game::tells::FromTrade;

const NOW_MS: u64 = 1_795_000_000_000;

/// A trade between alice and bob that was committed at [`NOW_MS`].
fn committed() -> Trade {
    let give = Stock { gold: 20, ..Stock::default() };
    let terms = Terms {
        revision: 1,
        from: "alice".into(),
        to: "bob".into(),
        give,
        want: Stock::default(),
        expires_ms: NOW_MS + OFFER_MS,
        gift: false,
    };
    let mut trade = Trade::default();
    trade.apply(&TradeEvent::Termed(terms));
    let draft = decide(&trade, NOW_MS, |draft| draft.end(Outcome::Committed, None, None));
    draft.events.iter().for_each(|event| trade.apply(event));
    trade
}

fn decide(trade: &Trade, now_ms: u64, act: impl FnOnce(&mut Draft<'_>)) -> Decision<TradeEvent> {
    let (id, settings) = (ActorId::new("trade", "1-a").unwrap(), Settings::default());
    let ctx =
        Ctx { id: &id, now_ms, seq: 3, token: 1, random: 1, connected: false, settings: &settings };
    trade.act(&ctx, act)
}

/// What a decision tells, to whom, and what it says to the operators.
fn fold(trade: &mut Trade, decision: &Decision<TradeEvent>) -> (Vec<String>, Vec<String>) {
    decision.events.iter().for_each(|event| trade.apply(event));
    let told = decision.tells.iter().map(|tell| {
        let Ok(ToPlayer::Trade { word, .. }) = unpack(&tell.payload) else { panic!("{tell:?}") };
        let what = match word {
            FromTrade::Settle { last: false, .. } => "settle",
            FromTrade::Ask { .. } => "ask",
            other => panic!("{other:?}"),
        };
        format!("{what} {}", tell.to.key())
    });
    (told.collect(), decision.alarms.clone())
}

fn missed(trade: &mut Trade) -> (Vec<String>, Vec<String>) {
    let decision = decide(trade, NOW_MS + RECEIPT_MS, |draft| draft.missed());
    fold(trade, &decision)
}

/// Bob answers the question of that number with what he has reserved.
fn denies(trade: &mut Trade, n: u64) -> (Vec<String>, Vec<String>) {
    let evidence = Evidence::Reserved { revision: 1 };
    let decision = decide(trade, NOW_MS + RECEIPT_MS, |draft| {
        draft.hear("bob", crate::game::tells::ToTrade::Know { n, evidence });
    });
    fold(trade, &decision)
}

#[test]
fn a_settlement_that_is_denied_twice_is_named() {
    let mut trade = committed();
    trade.apply(&TradeEvent::Settled { player: "alice".into() });
    let asked = vec!["settle bob".to_owned(), "ask bob".to_owned()];
    assert_eq!(missed(&mut trade), (asked.clone(), vec![]));
    assert_eq!(denies(&mut trade, 7), (vec![], vec![]), "no question of this trade");
    assert_eq!(denies(&mut trade, 1), (asked, vec![]), "its store may have gone back");
    let (told, alarms) = denies(&mut trade, 1);
    let text = "trade 1-a between alice and bob: bob has not settled what was committed";
    assert_eq!((told, alarms), (vec![], vec![text.to_owned()]));
}

#[test]
fn who_is_slow_is_not_named() {
    let mut trade = committed();
    assert_eq!(missed(&mut trade).0.len(), 4, "both sides are told and asked");
    let (told, alarms) = missed(&mut trade);
    assert_eq!((told.len(), alarms.len()), (4, 0));
    trade.apply(&TradeEvent::Settled { player: "bob".into() });
    assert_eq!(denies(&mut trade, 1), (vec![], vec![]), "it has settled since");
}

#[test]
fn receipts_that_have_come_end_the_waiting() {
    let mut trade = committed();
    trade.apply(&TradeEvent::Settled { player: "alice".into() });
    let nothing = Stock::default();
    let give = Stock { gold: 20, ..Stock::default() };
    let decision = decide(&trade, NOW_MS + 5, |draft| {
        let receipt = crate::game::tells::ToTrade::Receipt { gave: nothing, got: give };
        draft.hear("bob", receipt);
    });
    let cancel = TimerChange::Cancel { name: RECEIPT_TIMER.into() };
    assert!(decision.timers.contains(&cancel) && decision.alarms.is_empty(), "{decision:?}");
    decision.events.iter().for_each(|event| trade.apply(event));
    assert_eq!(missed(&mut trade), (vec![], vec![]));
}
