//! Receipts that do not come: asked for once more, then named to the operators, and not by a trade
//! that was held up itself.

use super::*;
use crate::actor::contract::TimerChange;
use crate::game::stock::Stock;

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

/// What the timer for receipts does: whom it tells, when it is set again, and what it says.
fn missed(trade: &mut Trade, now_ms: u64) -> (Vec<String>, Option<u64>, Vec<String>) {
    let decision = decide(trade, now_ms, |draft| draft.missed());
    decision.events.iter().for_each(|event| trade.apply(event));
    let told = decision.tells.iter().map(|tell| tell.to.key().to_owned()).collect();
    let set = decision.timers.iter().find_map(|change| match change {
        TimerChange::Set { name, at_ms } if *name == RECEIPT_TIMER => Some(*at_ms),
        _ => None,
    });
    (told, set, decision.alarms)
}

#[test]
fn a_settlement_that_does_not_come_is_named() {
    let mut trade = committed();
    trade.apply(&TradeEvent::Settled { player: "alice".into() });
    let (told, set, alarms) = missed(&mut trade, NOW_MS + RECEIPT_MS);
    assert_eq!((told, set), (vec!["bob".to_owned()], Some(NOW_MS + 2 * RECEIPT_MS)));
    assert!(alarms.is_empty(), "{alarms:?}");
    let (told, set, alarms) = missed(&mut trade, NOW_MS + 2 * RECEIPT_MS);
    assert_eq!((told, set), (vec!["bob".to_owned()], None));
    assert_eq!(alarms, ["trade 1-a between alice and bob: bob has not settled 8 s after it"]);
}

#[test]
fn a_trade_that_was_held_up_itself_waits_anew() {
    let mut trade = committed();
    missed(&mut trade, NOW_MS + RECEIPT_MS);
    let late_ms = NOW_MS + 2 * RECEIPT_MS + AWAY_MS + 1;
    let (told, set, alarms) = missed(&mut trade, late_ms);
    assert_eq!((told.len(), set, alarms.len()), (2, Some(late_ms + RECEIPT_MS), 0));
    // Then it has to wait twice again.
    let (_, set, alarms) = missed(&mut trade, late_ms + RECEIPT_MS);
    assert_eq!((set, alarms.len()), (Some(late_ms + 2 * RECEIPT_MS), 0));
    assert_eq!(missed(&mut trade, late_ms + 2 * RECEIPT_MS).2.len(), 2);
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
    assert_eq!(missed(&mut trade, NOW_MS + RECEIPT_MS), (vec![], None, vec![]));
}
