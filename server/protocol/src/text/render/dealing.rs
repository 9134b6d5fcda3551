//! Trades, gifts and parties as human lines, from the view of who reads them.

use super::{list, plain, read};
use crate::client::Verb;
use crate::goods::Goods;
use crate::server::{
    Event, OnLeaderLeft, PartyBody, PartyChange, PartyEvent, PartyInfo, PlayerState, TradeBody,
    TradeEvent, TradePhase,
};
use crate::text::known::{Known, game_name};

/// `Iron Sword x1 and 20 gold`, by the names of `name_of`.
fn goods_by(goods: &Goods, name_of: impl Fn(&str) -> String) -> String {
    let items = goods.items.iter();
    let items = items.map(|item| format!("{} x{}", name_of(&item.item_id), item.quantity));
    let gold = goods.gold.map(super::gold);
    let all: Vec<String> = items.chain(gold).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(" and ") }
}

/// `Iron Sword x1 and 20 gold`.
#[must_use]
pub fn goods(goods: &Goods, known: &Known) -> String {
    goods_by(goods, |item| known.name(item))
}

/// `; reserved: Iron Sword x1`, or nothing where nothing is: the end of the answer to `inv`.
#[must_use]
pub fn reserved(known: &Known, reader: &str) -> String {
    let all: Vec<String> = known.reserved(reader).map(|given| goods(given, known)).collect();
    if all.is_empty() { String::new() } else { format!("; reserved: {}", all.join(", ")) }
}

/// The end of the answer to `state`: what is reserved, and the party.
pub(super) fn of_state(state: &PlayerState) -> String {
    let carried = |item: &str| state.inventory.iter().find(|entry| entry.item_id == item);
    let name_of = |item: &str| {
        let name = carried(item).map(|entry| entry.name.as_str());
        plain(name.or_else(|| game_name(item)).unwrap_or(item))
    };
    let own = state.trades.iter().filter(|trade| trade.from == state.player_id);
    let own = own.filter(|trade| !trade.give.is_empty());
    let own: Vec<String> = own.map(|trade| goods_by(&trade.give, name_of)).collect();
    let mut out = String::new();
    if !own.is_empty() {
        out.push_str(&format!("; reserved: {}", own.join(", ")));
    }
    if let Some(party) = &state.party {
        out.push_str(&format!("; party {}", plain(&party.name)));
    }
    out
}

/// The terms of an open offer, and what its reader can do about it.
fn offer(number: u32, trade: &TradeEvent, reader: &str, now_ms: u64, known: &Known) -> String {
    let TradeEvent { from, to, give, want, .. } = trade;
    let terms = format!("{} for {}", goods(give, known), goods(want, known));
    let left_s = trade.expires_ms.saturating_sub(now_ms).div_ceil(1_000);
    if from.as_str() == reader {
        return format!("offer {number} to {to}: {terms} ({left_s} s; \"cancel {number}\")");
    }
    format!(
        "offer {number} from {from}: {terms} ({left_s} s; \"accept {number}\", \"counter {number} \
         …\" or \"cancel {number}\")"
    )
}

/// What `trade` alone answers.
#[must_use]
pub fn offers(known: &Known, reader: &str, now_ms: u64) -> String {
    let open: Vec<_> = known.offers().collect();
    list(&open, |(number, trade)| offer(*number, trade, reader, now_ms, known), "no open offers")
}

/// The lines after a welcome: what is open since before.
#[must_use]
pub fn recall(state: &PlayerState, known: &Known, now_ms: u64) -> Vec<String> {
    let own = state.player_id.as_str();
    let open = known.offers();
    let mut lines: Vec<String> = open
        .map(|(number, trade)| format!("* {}", offer(number, trade, own, now_ms, known)))
        .collect();
    if state.party.is_some() || !state.invitations.is_empty() {
        lines.push(format!("* {}", parties(state)));
    }
    lines
}

/// An event of trades or parties as a line for `reader`; what it says is learnt. None for all
/// others, and for what the reader's own line has answered.
#[must_use]
pub fn event(event: &Event, reader: &str, now_ms: u64, known: &mut Known) -> Option<String> {
    match event {
        Event::Trade(trade) => Some(format!("* {}", self::trade(trade, reader, now_ms, known))),
        Event::Party(party) => changed(party, reader).map(|what| format!("* {what}")),
        other => {
            known.hear(other);
            None
        }
    }
}

fn trade(trade: &TradeEvent, reader: &str, now_ms: u64, known: &mut Known) -> String {
    let number = known.tell(trade);
    let from_reader = trade.from.as_str() == reader;
    let other = if from_reader { &trade.to } else { &trade.from };
    let (gave, got) = match from_reader {
        true => (&trade.give, &trade.want),
        false => (&trade.want, &trade.give),
    };
    let what = number.map_or_else(|| "the trade".to_owned(), |number| format!("offer {number}"));
    match trade.phase {
        TradePhase::Offered => offer(number.unwrap_or(0), trade, reader, now_ms, known),
        TradePhase::Countered => {
            format!("counter-{}", offer(number.unwrap_or(0), trade, reader, now_ms, known))
        }
        TradePhase::Committed if number.is_none() && trade.want.is_empty() => {
            let given = goods(&trade.give, known);
            match from_reader {
                true => format!("gift: you gave {given} to {other}"),
                false => format!("gift: you got {given} from {other}"),
            }
        }
        TradePhase::Committed => {
            let (got, gave) = (goods(got, known), goods(gave, known));
            format!("{what} is done: you got {got} from {other} and gave {gave}")
        }
        TradePhase::Cancelled | TradePhase::Expired => {
            let how = if trade.phase == TradePhase::Expired { "expired" } else { "was cancelled" };
            let why = trade.why.as_ref().map(|why| format!(" ({})", plain(why)));
            let back = match from_reader && !gave.is_empty() {
                true => format!("; you have {} back", goods(gave, known)),
                false => String::new(),
            };
            let side = if from_reader { "to" } else { "from" };
            format!("{what} {side} {other} {how}{}{back}", why.unwrap_or_default())
        }
    }
}

/// The `ok` of a verb of trades or parties in words; none for other verbs.
#[must_use]
pub fn answer(verb: &Verb, json: &str, known: &mut Known) -> Option<String> {
    let numbered = |known: &Known, what: &str| {
        let trade: TradeBody = read(json)?;
        let number = known.number_of(&trade.trade_id);
        let number = number.map_or_else(String::new, |number| format!(" {number}"));
        Some(format!("offer{number} {what}"))
    };
    match verb {
        Verb::TradeOffer { to, .. } => {
            let trade: TradeBody = read(json)?;
            Some(format!("offer {} to {to}", known.number(&trade.trade_id)))
        }
        Verb::Gift { to, give } => Some(format!("gave {} to {to}", goods(give, known))),
        Verb::TradeCounter { .. } => numbered(known, "countered"),
        Verb::TradeAccept { .. } => numbered(known, "accepted"),
        Verb::TradeCancel { .. } => numbered(known, "cancelled"),
        Verb::PartyInvite { player } => Some(format!("{player} is invited")),
        Verb::PartyKick { player } => Some(format!("{player} is sent away")),
        Verb::PartyJoinRoom { room_id } => Some(format!("the party enters {room_id}")),
        Verb::PartyCreate { .. } | Verb::PartyAccept { .. } | Verb::PartyLeave {} => {
            read(json).map(|body: PartyBody| party(body.party.as_ref()))
        }
        _ => None,
    }
}

/// `party Heroes, led by alice: alice, bob`.
fn party(party: Option<&PartyInfo>) -> String {
    let Some(party) = party else { return "in no party".to_owned() };
    format!("party {}, led by {}: {}", plain(&party.name), party.leader, members(party))
}

fn members(party: &PartyInfo) -> String {
    list(&party.members, ToString::to_string, "nobody")
}

/// What `party` alone answers.
#[must_use]
pub fn parties(state: &PlayerState) -> String {
    let mut out = party(state.party.as_ref());
    if let Some(party) = &state.party {
        out.push_str(match party.on_leader_left {
            OnLeaderLeft::End => "; it ends when its leader leaves",
            OnLeaderLeft::PassOn => "; it is passed on when its leader leaves",
        });
    }
    if !state.invitations.is_empty() {
        let names = party_names(&state.invitations);
        out.push_str(&format!("; invited to {names} (\"party accept NAME\")"));
    }
    out
}

/// `Heroes (led by alice), Thieves (led by bob)`.
#[must_use]
pub fn party_names(parties: &[PartyInfo]) -> String {
    let name = |party: &PartyInfo| format!("{} (led by {})", plain(&party.name), party.leader);
    list(parties, name, "none")
}

fn changed(event: &PartyEvent, reader: &str) -> Option<String> {
    let by = event.by.as_ref().map_or("somebody", crate::ids::PlayerId::as_str);
    let own = by == reader;
    let name = event
        .party
        .as_ref()
        .map_or_else(|| "the party".to_owned(), |party| format!("party {}", plain(&party.name)));
    let words = match event.what {
        PartyChange::Kicked if own => "you were sent away from the party".to_owned(),
        PartyChange::Led if own => format!("you lead {name} now"),
        // The reader's own doing was answered in words.
        _ if own => return None,
        PartyChange::Created => format!("{by} began {name}"),
        PartyChange::Invited => {
            let accept = event.party.as_ref().map_or_else(String::new, |party| {
                format!("; \"party accept {}\" joins {}", party.leader, members(party))
            });
            format!("{by} invites you to {name}{accept}")
        }
        PartyChange::Withdrawn => "an invitation to a party is no longer good".to_owned(),
        PartyChange::Joined => format!("{by} joined {name}"),
        PartyChange::Left => format!("{by} left {name}"),
        PartyChange::Kicked => format!("{by} was sent away from {name}"),
        PartyChange::Led => format!("{by} leads {name} now"),
        PartyChange::Ended => format!("{name} has ended"),
        PartyChange::Entered => format!("{by} takes {name} into a room"),
    };
    Some(words)
}

#[cfg(test)]
mod tests;
