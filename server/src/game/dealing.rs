//! The player's side of trades and gifts: commands, and what the trade's actor says.
//!
//! A side never ends an escrow by itself: it asks, and the trade's word ends it. What it says and
//! when is in docs/trades.md.

use std::sync::Arc;

use holdfast_protocol::goods::Goods;
use holdfast_protocol::ids::{PlayerId, TradeId};
use holdfast_protocol::server as wire;

use super::TRADE;
use super::deals::{DEALS_MAX, Deal, KNOWN_MAX, ORPHAN_MS, Waiting};
use super::draft::Draft;
use super::event::{DealEvent, Event};
use super::notices;
use super::stock::Stock;
use super::tells::{Evidence, FromTrade, ToTrade};
use super::trade::guard::guard;
use super::trade::{Outcome, Terms, Why};
use crate::actor::contract::{Reject, Token};

/// The timer that looks after trades.
pub(super) const DEALS_TIMER: &str = "deals";
/// How long after an offer's end its side waits until it asks, in milliseconds.
const GRACE_MS: u64 = 10_000;
/// How often it asks then, in milliseconds.
const AGAIN_MS: u64 = 15_000;
/// A player begins one trade in so many milliseconds, ...
const PACE_MS: u64 = 1_000;
/// ... and so many at once.
const BURST: u64 = 60;

fn no_such_trade(message: impl Into<std::borrow::Cow<'static, str>>) -> Reject {
    Reject::new("no_such_trade", message)
}

/// Whether the player holds the goods; the refusal names what is missing.
fn check_holds(draft: &Draft<'_>, goods: &Stock) -> Result<(), Reject> {
    let (_, lacks) = draft.now.holdings().part_of(goods);
    if lacks.is_empty() || !guard!(draft.ctx, HoldIt) {
        return Ok(());
    }
    Err(Reject::new("not_enough", format!("you lack {} for that", lacks.words())))
}

fn check_open(draft: &Draft<'_>) -> Result<(), Reject> {
    let deals = draft.now.deals.as_ref();
    let known = deals.map_or(0, |deals| deals.open.len() + deals.settled.len());
    if draft.now.open_deals().count() >= DEALS_MAX || known >= KNOWN_MAX {
        return Err(Reject::new(
            "too_many_offers",
            format!("at most {DEALS_MAX} trades of a player can be open; wait for one to end"),
        ));
    }
    Ok(())
}

/// When the player may begin another trade, as the newest one leaves it (GCRA).
fn pace(draft: &Draft<'_>) -> Result<u64, Reject> {
    let pace_ms = draft.now.deals.as_ref().map_or(0, |deals| deals.pace_ms);
    let pace_ms = pace_ms.max(draft.ctx.now_ms);
    if pace_ms >= draft.ctx.now_ms.saturating_add(BURST * PACE_MS) {
        return Err(Reject::new("rate_limited", "too many trades; a player begins one a second"));
    }
    Ok(pace_ms.saturating_add(PACE_MS))
}

fn deal_of<'a>(draft: &'a Draft<'_>, trade: &TradeId) -> Result<(Arc<str>, &'a Deal), Reject> {
    let deal = draft.now.open_deals().find(|(id, _)| ***id == *trade.as_str());
    let (id, deal) =
        deal.ok_or_else(|| no_such_trade(format!("no trade {trade} is open to you")))?;
    if deal.waiting.is_some() {
        return Err(Reject::new("busy", "the trade has not answered the last command yet"));
    }
    Ok((Arc::clone(id), deal))
}

/// The deal that the player may answer, if it has the terms that are meant.
fn answerable<'a>(
    draft: &'a Draft<'_>,
    trade: &TradeId,
    revision: Option<u32>,
) -> Result<(Arc<str>, &'a Deal), Reject> {
    let (id, deal) = deal_of(draft, trade)?;
    if *deal.terms.from == *draft.ctx.id.key() {
        return Err(Reject::new(
            "not_yourself",
            "these terms are your own; the other side answers",
        ));
    }
    if revision.is_some_and(|revision| revision != deal.terms.revision) {
        return Err(no_such_trade("the trade has other terms by now"));
    }
    Ok((id, deal))
}

/// A new offer, or a gift.
pub(super) fn offer(
    draft: &mut Draft<'_>,
    to: &PlayerId,
    give: &Goods,
    want: Option<&Goods>,
) -> Result<(), Reject> {
    let me = draft.ctx.id.key();
    if to.as_str() == me {
        return Err(Reject::new("not_yourself", "a trade needs somebody else"));
    }
    let terms = Terms {
        revision: 1,
        from: me.into(),
        to: to.as_str().into(),
        give: Stock::of(give),
        want: want.map(Stock::of).unwrap_or_default(),
        expires_ms: draft.ctx.now_ms.saturating_add(draft.ctx.settings.offer_ms),
        gift: want.is_none(),
    };
    check_open(draft)?;
    check_holds(draft, &terms.give)?;
    let pace = pace(draft)?;
    let trade = draft.fresh_key();
    let token = draft.reply_later();
    draft.tell(TRADE, &trade, &ToTrade::Open(terms.clone()), true);
    draft.deal(&trade, DealEvent::Made { terms, token, pace });
    arm(draft);
    Ok(())
}

/// Other terms.
pub(super) fn counter(
    draft: &mut Draft<'_>,
    trade: &TradeId,
    revision: Option<u32>,
    (give, want): (&Goods, &Goods),
) -> Result<(), Reject> {
    let (id, deal) = answerable(draft, trade, revision)?;
    let terms = Terms {
        revision: deal.terms.revision.saturating_add(1),
        from: Arc::clone(&deal.terms.to),
        to: Arc::clone(&deal.terms.from),
        give: Stock::of(give),
        want: Stock::of(want),
        expires_ms: draft.ctx.now_ms.saturating_add(draft.ctx.settings.offer_ms),
        gift: false,
    };
    check_holds(draft, &terms.give)?;
    let token = draft.reply_later();
    draft.tell(TRADE, &id, &ToTrade::Counter(terms.clone()), false);
    draft.deal(&id, DealEvent::Made { terms, token, pace: 0 });
    Ok(())
}

/// Agreement.
pub(super) fn accept(
    draft: &mut Draft<'_>,
    trade: &TradeId,
    revision: Option<u32>,
) -> Result<(), Reject> {
    let (id, deal) = answerable(draft, trade, revision)?;
    let (revision, want) = (deal.terms.revision, deal.terms.want.clone());
    check_holds(draft, &want)?;
    let token = draft.reply_later();
    draft.tell(TRADE, &id, &ToTrade::Accept { revision }, false);
    draft.deal(&id, DealEvent::Accepted { token: Some(token) });
    Ok(())
}

/// Either side calls it off.
pub(super) fn cancel(draft: &mut Draft<'_>, trade: &TradeId) -> Result<(), Reject> {
    let (id, _) = deal_of(draft, trade)?;
    let token = draft.reply_later();
    draft.tell(TRADE, &id, &ToTrade::Cancel {}, false);
    draft.deal(&id, DealEvent::Cancelling { token });
    Ok(())
}

/// The trade speaks.
pub(super) fn hear(draft: &mut Draft<'_>, trade: &Arc<str>, word: FromTrade) {
    let settled = draft.now.settled(trade).map(|settled| settled.terms.clone());
    if let Some(terms) = settled.filter(|_| guard!(draft.ctx, SettleOnce)) {
        return hear_settled(draft, trade, terms, &word);
    }
    match word {
        FromTrade::Offer(terms) => offered(draft, trade, terms),
        FromTrade::Opened(terms) => opened(draft, trade, &terms),
        FromTrade::Refused { terms, why } => refused(draft, trade, terms, &why),
        FromTrade::Ask { n } => {
            let bound = draft.now.deal(trade).and_then(|deal| deal.bound);
            let evidence =
                bound.map_or(Evidence::Nothing, |revision| Evidence::Reserved { revision });
            answer(draft, trade, &ToTrade::Know { n, evidence });
        }
        FromTrade::Settle { terms, last } => settle(draft, trade, &terms, last),
        FromTrade::Ended { outcome, why } => ended(draft, trade, outcome, &why),
    }
}

fn answer(draft: &mut Draft<'_>, trade: &str, tell: &ToTrade) {
    draft.tell(TRADE, trade, tell, false);
}

/// A word about what was settled already.
fn hear_settled(draft: &mut Draft<'_>, trade: &Arc<str>, terms: Option<Terms>, word: &FromTrade) {
    match (word, terms) {
        (FromTrade::Settle { last: true, .. }, _) => {
            draft.deal(trade, DealEvent::Closed { at: draft.ctx.now_ms });
            arm(draft);
        }
        (FromTrade::Settle { terms, .. }, _) => {
            let (gave, got) = terms.of(draft.ctx.id.key());
            let receipt = ToTrade::Receipt { gave: gave.clone(), got: got.clone() };
            answer(draft, trade, &receipt);
        }
        // The store has taken the decision back from the trade; this side has acted upon it.
        (word, Some(terms)) if guard!(draft.ctx, SaySettled) => {
            let n = if let FromTrade::Ask { n } = word { *n } else { 0 };
            answer(draft, trade, &ToTrade::Know { n, evidence: Evidence::Settled(terms) });
        }
        _ => {}
    }
}

/// Terms are open to this player.
fn offered(draft: &mut Draft<'_>, trade: &Arc<str>, terms: Terms) {
    let revision = terms.revision;
    let is_refused = match draft.now.deal(trade) {
        // The store has brought terms back that the player has answered.
        Some(deal) if deal.terms.revision > revision => return,
        Some(deal) if deal.terms == terms => {
            return answer(draft, trade, &ToTrade::Seen { revision });
        }
        Some(_) => false,
        None if *terms.to != *draft.ctx.id.key() => return,
        None => check_open(draft).is_err(),
    };
    if is_refused {
        let message = format!("{} has too many open offers", draft.now.name);
        let why = Why::new("too_many_offers", message);
        return answer(draft, trade, &ToTrade::Refuse { revision, why });
    }
    let overtaken = draft.now.deal(trade).and_then(|deal| deal.waiting);
    draft.deal(trade, DealEvent::Heard { terms: terms.clone() });
    complete_refused(draft, overtaken, &no_such_trade("the other side has made other terms"));
    if terms.gift {
        draft.deal(trade, DealEvent::Accepted { token: None });
        answer(draft, trade, &ToTrade::Accept { revision });
    } else {
        answer(draft, trade, &ToTrade::Seen { revision });
        tell_client(draft, trade, &terms, phase_of(&terms), None);
    }
    arm(draft);
}

fn phase_of(terms: &Terms) -> wire::TradePhase {
    if terms.revision > 1 { wire::TradePhase::Countered } else { wire::TradePhase::Offered }
}

/// The other side has seen this player's terms.
fn opened(draft: &mut Draft<'_>, trade: &Arc<str>, terms: &Terms) {
    let waiting = draft.now.deal(trade).filter(|deal| deal.terms == *terms);
    let Some(Some(Waiting::Terms(token))) = waiting.map(|deal| deal.waiting) else { return };
    draft.deal(trade, DealEvent::Opened);
    complete(draft, trade, token);
    tell_client(draft, trade, terms, phase_of(terms), None);
    arm(draft);
}

/// An answer of this player was to terms that are not the newest.
fn refused(draft: &mut Draft<'_>, trade: &Arc<str>, terms: Terms, why: &Why) {
    let Some(waiting) = draft.now.deal(trade).map(|deal| deal.waiting) else { return };
    draft.deal(trade, DealEvent::Heard { terms });
    complete_refused(draft, waiting, &why.reject());
}

/// Whether a side that settled by these terms may have forgotten it: then it settles no more.
fn is_ancient(terms: &Terms, now_ms: u64) -> bool {
    terms.expires_ms.saturating_add(ORPHAN_MS) <= now_ms.saturating_add(super::trade::OFFER_MS)
}

/// Goods change hands. I9: once, and all that leaves this side has been reserved, or is paid from
/// what it holds where a store has taken its reservation back.
fn settle(draft: &mut Draft<'_>, trade: &Arc<str>, terms: &Terms, last: bool) {
    let me = draft.ctx.id.key();
    if !terms.is_side(me) || last && !guard!(draft.ctx, LastWord) {
        return;
    }
    let (give, got) = terms.of(me);
    let deal = draft.now.deal(trade);
    if deal.is_none() && is_ancient(terms, draft.ctx.now_ms) {
        draft.alarm(format!("trade {trade} speaks after a day: {me} may have settled, or not"));
        if !last {
            let receipt = ToTrade::Receipt { gave: give.clone(), got: got.clone() };
            answer(draft, trade, &receipt);
        }
        return;
    }
    let mut held = draft.now.holdings();
    let reserved = deal.map(|deal| deal.escrow.clone()).unwrap_or_default();
    if !guard!(draft.ctx, PayWithoutEscrow) {
        held = Stock::default();
    }
    held.add(&reserved);
    let (gave, lacks) = held.part_of(give);
    let waiting = deal.and_then(|deal| deal.waiting);
    if !lacks.is_empty() {
        let text = format!("trade {trade}: {me} can't pay {}: the store went back", lacks.words());
        draft.alarm(text);
    }
    let (gave, got, at) = (gave, got.clone(), draft.ctx.now_ms);
    let receipt = ToTrade::Receipt { gave: gave.clone(), got: got.clone() };
    draft.deal(trade, DealEvent::Settled { terms: terms.clone(), gave, got, at, last });
    if !last {
        answer(draft, trade, &receipt);
    }
    match waiting {
        Some(Waiting::Terms(token) | Waiting::Acceptance(Some(token))) => {
            complete(draft, trade, token);
        }
        waiting => {
            complete_refused(draft, waiting, &no_such_trade("the trade was committed before"))
        }
    }
    tell_client(draft, trade, terms, wire::TradePhase::Committed, None);
    arm(draft);
}

fn ended(draft: &mut Draft<'_>, trade: &Arc<str>, outcome: Outcome, why: &Why) {
    let Some(deal) = draft.now.deal(trade).cloned() else { return };
    if guard!(draft.ctx, Release) {
        draft.deal(trade, DealEvent::Ended);
    }
    match deal.waiting {
        Some(Waiting::Cancellation(token)) => complete(draft, trade, token),
        waiting => complete_refused(draft, waiting, &why.reject()),
    }
    // An offer that no one has ever seen is the refused command's answer alone.
    let unseen = deal.terms.revision == 1 && matches!(deal.waiting, Some(Waiting::Terms(_)));
    if !unseen {
        let phase = match outcome {
            Outcome::Committed => wire::TradePhase::Committed,
            Outcome::Cancelled => wire::TradePhase::Cancelled,
            Outcome::Expired => wire::TradePhase::Expired,
        };
        tell_client(draft, trade, &deal.terms, phase, Some(why));
    }
}

fn complete(draft: &mut Draft<'_>, trade: &str, token: Token) {
    if let Ok(trade_id) = TradeId::new(trade) {
        draft.complete(token, &wire::TradeBody { trade_id });
    }
}

fn complete_refused(draft: &mut Draft<'_>, waiting: Option<Waiting>, reject: &Reject) {
    match waiting {
        Some(
            Waiting::Terms(token) | Waiting::Acceptance(Some(token)) | Waiting::Cancellation(token),
        ) => draft.complete_refused(token, reject.clone()),
        Some(Waiting::Acceptance(None)) | None => {}
    }
}

/// A tell to a trade that is not there any more: it was erased, or the store has lost it. Its
/// word is still needed for what is reserved.
pub(super) fn undelivered(draft: &mut Draft<'_>, trade: &str) {
    if let Some(terms) = draft.now.deal(trade).map(|deal| deal.terms.clone()) {
        draft.tell(TRADE, trade, &ToTrade::Overdue(terms), true);
    }
}

/// When a side begins to ask.
fn overdue_ms(deal: &Deal) -> u64 {
    deal.terms.expires_ms.saturating_add(GRACE_MS)
}

/// Sets the timer that looks after trades, if it is not set for early enough.
fn arm(draft: &mut Draft<'_>) {
    let Some(deals) = draft.now.deals.as_ref() else { return };
    let Some(next_ms) = deals.next_ms(overdue_ms) else { return };
    let set_ms = deals.timer_ms;
    if set_ms.is_none_or(|set_ms| set_ms > next_ms) {
        draft.set_timer(DEALS_TIMER, next_ms);
        draft.record(Event::DealsSwept { at: draft.ctx.now_ms, next: Some(next_ms) });
    }
}

/// Asks about what is overdue, and forgets what can be forgotten.
pub(super) fn timer(draft: &mut Draft<'_>) {
    let now_ms = draft.ctx.now_ms;
    let late = draft.now.open_deals().filter(|(_, deal)| overdue_ms(deal) <= now_ms);
    let late: Vec<_> = late.map(|(id, deal)| (Arc::clone(id), deal.terms.clone())).collect();
    if guard!(draft.ctx, AskOverdue) {
        for (trade, terms) in late {
            draft.tell(TRADE, &trade, &ToTrade::Overdue(terms), true);
        }
    }
    draft.record(Event::DealsSwept { at: now_ms, next: None });
    let again = |deal: &Deal| overdue_ms(deal).max(now_ms.saturating_add(AGAIN_MS));
    let next = draft.now.deals.as_ref().and_then(|deals| deals.next_ms(again));
    let next = next.or_else(|| {
        let pace_ms = draft.now.deals.as_ref().map(|deals| deals.pace_ms);
        pace_ms.filter(|pace_ms| *pace_ms > now_ms)
    });
    if let Some(next_ms) = next {
        draft.set_timer(DEALS_TIMER, next_ms);
        draft.record(Event::DealsSwept { at: now_ms, next });
    }
}

/// The trade as clients see it.
pub(super) fn wire_of(
    trade: &str,
    terms: &Terms,
    phase: wire::TradePhase,
    why: Option<&Why>,
) -> Option<wire::TradeEvent> {
    Some(wire::TradeEvent {
        trade_id: TradeId::new(trade).ok()?,
        phase,
        revision: terms.revision,
        from: PlayerId::new(&terms.from).ok()?,
        to: PlayerId::new(&terms.to).ok()?,
        give: terms.give.goods(),
        want: terms.want.goods(),
        expires_ms: terms.expires_ms,
        why: why.map(|why| why.message.clone()),
    })
}

/// An open trade as clients see it.
pub(super) fn wire_open(trade: &str, deal: &Deal) -> Option<wire::TradeEvent> {
    wire_of(trade, &deal.terms, phase_of(&deal.terms), None)
}

/// Tells the player's client; for one who is away a notice waits, too.
fn tell_client(
    draft: &mut Draft<'_>,
    trade: &str,
    terms: &Terms,
    phase: wire::TradePhase,
    why: Option<&Why>,
) {
    if let Some(event) = wire_of(trade, terms, phase, why) {
        draft.push(&wire::Event::Trade(event));
    }
    let me = draft.ctx.id.key();
    let (other, (give, get)) = (Arc::clone(terms.other(me)), terms.of(me));
    let (give, get) = (give.words(), get.words());
    let text = match phase {
        wire::TradePhase::Offered if *terms.to == *me => {
            format!("{other} offers you {get} for {give}")
        }
        wire::TradePhase::Countered if *terms.to == *me => {
            format!("{other} answers your offer: {get} for {give}")
        }
        wire::TradePhase::Offered | wire::TradePhase::Countered => return,
        wire::TradePhase::Committed if terms.gift && *terms.to == *me => {
            format!("{other} gave you {get}")
        }
        wire::TradePhase::Committed => format!("you gave {give} to {other} and got {get}"),
        wire::TradePhase::Cancelled | wire::TradePhase::Expired => {
            let why = why.map_or("it ended", |why| why.message.as_str());
            format!("the trade with {other} came to nothing: {why}")
        }
    };
    notices::keep_if_away(draft, text, Some(other.to_string()));
}
