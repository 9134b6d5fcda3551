//! Lines about what passes between players: trades, gifts and parties.
//!
//! A line names goods, offers and parties as people do. [`Ask`] is what it says; with the
//! player's state and what the socket was told ([`Known`]) it becomes a verb, or a line to show.
//! Goods are written as they are shown: `sword 1`, `20 gold and potion`, `Iron Sword x1`.

use super::known::{Known, Meant};
use super::render::{self, plain};
use super::{Line, TextError, checked, find_item, help, player, room, usage};
use crate::client::{ITEM_ID_LEN_MAX, Verb};
use crate::codes::ErrorCode;
use crate::goods::{Goods, GoodsItem, ITEMS_MAX, QUANTITY_MAX};
use crate::ids::PlayerId;
use crate::near;
use crate::server::{OnLeaderLeft, PartyInfo, PlayerState};

/// A quantity of something, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `gold`, or an item's id or a word of its name, in small letters.
    pub word: String,
    /// How many.
    pub quantity: u64,
}

/// What a line asks for that needs the player's state to be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Shows the open offers.
    Offers,
    /// Offers a trade.
    Offer {
        /// To whom.
        to: PlayerId,
        /// What the speaker gives.
        give: Vec<Part>,
        /// What the speaker gets.
        want: Vec<Part>,
    },
    /// Gives for nothing.
    Gift {
        /// To whom.
        to: PlayerId,
        /// What.
        give: Vec<Part>,
    },
    /// Answers an offer with other terms.
    Counter {
        /// The offer's number or the trade's id.
        offer: String,
        /// What the speaker gives.
        give: Vec<Part>,
        /// What the speaker gets.
        want: Vec<Part>,
    },
    /// Accepts an offer.
    Accept {
        /// The offer's number or the trade's id.
        offer: String,
    },
    /// Takes an offer back, or declines it.
    Cancel {
        /// The offer's number or the trade's id.
        offer: String,
    },
    /// Shows the party and the invitations.
    Party,
    /// Joins the party of an invitation.
    PartyAccept {
        /// The party's name or id, or its leader; none where there is only one.
        party: Option<String>,
    },
}

/// What becomes of an [`Ask`].
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A line to show.
    Show(String),
    /// A verb to carry out; it has passed [`Verb::check`].
    Do(Verb),
}

impl Ask {
    /// Understands the line.
    ///
    /// # Errors
    /// [`TextError`] with `no_such_item`, `no_such_trade`, `no_such_party` or `bad_args`.
    pub fn answer(
        &self,
        state: &PlayerState,
        known: &mut Known,
        now_ms: u64,
    ) -> Result<Answer, TextError> {
        known.learn(&state.inventory);
        let verb = match self {
            Self::Offers => {
                known.sync(&state.trades);
                let own = state.player_id.as_str();
                return Ok(Answer::Show(render::dealing::offers(known, own, now_ms)));
            }
            Self::Party => return Ok(Answer::Show(render::dealing::parties(state))),
            Self::Offer { to, give, want } => {
                let (give, want) = (given(give, state)?, wanted(want, state, known)?);
                Verb::TradeOffer { to: to.clone(), give, want }
            }
            Self::Gift { to, give } => Verb::Gift { to: to.clone(), give: given(give, state)? },
            Self::Counter { offer, give, want } => {
                let Meant { trade_id, revision } = known.find(offer)?;
                let (give, want) = (given(give, state)?, wanted(want, state, known)?);
                Verb::TradeCounter { trade_id, give, want, revision }
            }
            Self::Accept { offer } => {
                let Meant { trade_id, revision } = known.find(offer)?;
                Verb::TradeAccept { trade_id, revision }
            }
            Self::Cancel { offer } => Verb::TradeCancel { trade_id: known.find(offer)?.trade_id },
            Self::PartyAccept { party } => {
                let party = invitation(party.as_deref(), &state.invitations)?;
                Verb::PartyAccept { party_id: party.party_id.clone() }
            }
        };
        verb.check()?;
        Ok(Answer::Do(verb))
    }
}

/// What the speaker gives: items that the speaker carries.
fn given(parts: &[Part], state: &PlayerState) -> Result<Goods, TextError> {
    goods(parts, |word| find_item(word, &state.inventory).map(|item| item.item_id.clone()))
}

/// What the speaker gets: items of somebody else.
fn wanted(parts: &[Part], state: &PlayerState, known: &Known) -> Result<Goods, TextError> {
    goods(parts, |word| {
        if let Ok(item) = find_item(word, &state.inventory) {
            return Ok(item.item_id.clone());
        }
        let is_id = word.contains(|c: char| c == '-' || c == '_' || c.is_ascii_digit());
        known.item(word).or_else(|| is_id.then_some(word)).map(str::to_owned).ok_or_else(|| {
            let message =
                format!("nothing is called {}; an item's id is always known", plain(word));
            TextError { code: ErrorCode::NoSuchItem, message }
        })
    })
}

fn goods(
    parts: &[Part],
    item_of: impl Fn(&str) -> Result<String, TextError>,
) -> Result<Goods, TextError> {
    let mut goods = Goods::default();
    for Part { word, quantity } in parts {
        if word == "gold" {
            goods.gold = Some(goods.gold.unwrap_or(0).saturating_add(*quantity));
            continue;
        }
        let item_id = item_of(word)?;
        match goods.items.iter_mut().find(|item| item.item_id == item_id) {
            Some(item) => item.quantity = item.quantity.saturating_add(*quantity),
            None => goods.items.push(GoodsItem { item_id, quantity: *quantity }),
        }
    }
    if goods.is_allowed() {
        return Ok(goods);
    }
    let message =
        format!("a side has up to {ITEMS_MAX} kinds of items, and up to {QUANTITY_MAX} of each");
    Err(TextError::bad_args(message))
}

/// The invitation that a word means.
fn invitation<'a>(
    word: Option<&str>,
    invitations: &'a [PartyInfo],
) -> Result<&'a PartyInfo, TextError> {
    let no = |message: String| TextError { code: ErrorCode::NoSuchParty, message };
    let names = || render::dealing::party_names(invitations);
    let Some(word) = word else {
        return match invitations {
            [] => Err(no("you have no invitation to a party".to_owned())),
            [party] => Ok(party),
            _ => Err(TextError::bad_args(format!("party accept which: {}?", names()))),
        };
    };
    let by_id = invitations.iter().find(|party| party.party_id.as_str() == word);
    let by_name = || invitations.iter().find(|party| party.name.to_lowercase() == word);
    let by_leader = || invitations.iter().find(|party| party.leader.as_str() == word);
    by_id.or_else(by_name).or_else(by_leader).ok_or_else(|| {
        let word = plain(&word.chars().take(ITEM_ID_LEN_MAX).collect::<String>());
        no(format!("no invitation is called {word}; you have: {}", names()))
    })
}

pub(super) fn trade(rest: &str) -> Result<Line, TextError> {
    let Some((to, rest)) = first(rest) else { return Ok(Line::Ask(Ask::Offers)) };
    let (give, want) = sides("trade", rest)?;
    Ok(Line::Ask(Ask::Offer { to: player(to)?, give, want }))
}

pub(super) fn gift(rest: &str) -> Result<Line, TextError> {
    let (to, rest) = first(rest).ok_or_else(|| usage("gift"))?;
    let (give, want) = sides("gift", rest)?;
    if want.is_empty() && !give.is_empty() {
        return Ok(Line::Ask(Ask::Gift { to: player(to)?, give }));
    }
    Err(usage("gift"))
}

pub(super) fn counter(rest: &str) -> Result<Line, TextError> {
    let (offer, rest) = first(rest).ok_or_else(|| usage("counter"))?;
    let (give, want) = sides("counter", rest)?;
    Ok(Line::Ask(Ask::Counter { offer: offer.to_owned(), give, want }))
}

/// `accept` and `cancel`.
pub(super) fn one_offer(word: &str, args: &[&str]) -> Result<Line, TextError> {
    let [offer] = args else { return Err(usage(word)) };
    let offer = (*offer).to_owned();
    Ok(Line::Ask(if word == "accept" { Ask::Accept { offer } } else { Ask::Cancel { offer } }))
}

/// The first word, and what comes after it.
fn first(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (!word.is_empty()).then(|| (word, rest.trim_start()))
}

/// `GOODS [for GOODS]`.
fn sides(word: &str, rest: &str) -> Result<(Vec<Part>, Vec<Part>), TextError> {
    let spaced = rest.to_lowercase().replace(',', " , ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut halves = tokens.split(|token| *token == "for");
    let give = parts(word, halves.next().unwrap_or_default())?;
    let want = halves.next().map_or(Ok(Vec::new()), |half| parts(word, half))?;
    if halves.next().is_some() {
        return Err(usage(word));
    }
    Ok((give, want))
}

/// Goods joined by `and` or commas; `nothing` is none.
fn parts(word: &str, tokens: &[&str]) -> Result<Vec<Part>, TextError> {
    if tokens == ["nothing"] {
        return Ok(Vec::new());
    }
    tokens.split(|token| matches!(*token, "and" | ",")).map(|tokens| part(word, tokens)).collect()
}

/// `sword 1`, `1 sword`, `sword`.
fn part(word: &str, tokens: &[&str]) -> Result<Part, TextError> {
    let (count, name) = match tokens {
        [] => return Err(usage(word)),
        [name @ .., count] if is_count(count) && !name.is_empty() => (Some(*count), name),
        [count, name @ ..] if is_count(count) && !name.is_empty() => (Some(*count), name),
        name => (None, name),
    };
    if name.iter().any(|token| is_count(token)) || (name == ["gold"] && count.is_none()) {
        let how = "goods have a quantity each: sword 1 and gold 20";
        return Err(TextError::bad_args(format!("{}; {how}", help::usage(word))));
    }
    let name = name.join(" ");
    if name.chars().count() > ITEM_ID_LEN_MAX {
        let message = format!("an item's id or name has up to {ITEM_ID_LEN_MAX} characters");
        return Err(TextError::bad_args(message));
    }
    let quantity = match count.map(|count| count.trim_start_matches('x').parse()) {
        None => 1,
        Some(Ok(quantity @ 1..=QUANTITY_MAX)) => quantity,
        Some(_) => {
            let message = format!("a quantity is a whole number from 1 to {QUANTITY_MAX}");
            return Err(TextError::bad_args(message));
        }
    };
    Ok(Part { word: name, quantity })
}

/// Whether a token stands for a quantity, be it a good one or not.
fn is_count(token: &str) -> bool {
    let digits = token.trim_start_matches(['x', '-', '+', '.']);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// What `party` may be followed by.
const PARTY_WORDS: [&str; 7] = ["create", "invite", "kick", "accept", "leave", "say", "join"];

pub(super) fn party(rest: &str) -> Result<Line, TextError> {
    let Some((word, rest)) = first(rest) else { return Ok(Line::Ask(Ask::Party)) };
    let rest = rest.trim_end();
    match (word.to_lowercase().as_str(), rest) {
        ("create", rest) if !rest.is_empty() => create(rest),
        ("invite", rest) if !rest.is_empty() => {
            checked(Verb::PartyInvite { player: player(rest)? })
        }
        ("kick", rest) if !rest.is_empty() => checked(Verb::PartyKick { player: player(rest)? }),
        ("accept", rest) => {
            let party = (!rest.is_empty()).then(|| rest.to_lowercase());
            Ok(Line::Ask(Ask::PartyAccept { party }))
        }
        ("leave", "") => checked(Verb::PartyLeave {}),
        ("say", rest) if !rest.is_empty() => checked(Verb::PartySay { text: rest.to_owned() }),
        ("join", rest) if !rest.is_empty() => checked(Verb::PartyJoinRoom { room_id: room(rest)? }),
        (word, _) if PARTY_WORDS.contains(&word) => Err(usage("party")),
        (word, _) => {
            let message = format!("party {}", near::suggest(word, &PARTY_WORDS));
            Err(TextError { code: ErrorCode::UnknownVerb, message })
        }
    }
}

/// `NAME [end|pass on]`; it is passed on unless said otherwise.
fn create(rest: &str) -> Result<Line, TextError> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let small: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let small: Vec<&str> = small.iter().map(String::as_str).collect();
    let (left_out, on_leader_left) = match small.as_slice() {
        [_, .., "end"] => (1, OnLeaderLeft::End),
        [_, .., "pass", "on"] => (2, OnLeaderLeft::PassOn),
        [_, .., "pass_on"] => (1, OnLeaderLeft::PassOn),
        _ => (0, OnLeaderLeft::PassOn),
    };
    let name = words.get(..words.len().saturating_sub(left_out)).unwrap_or_default().join(" ");
    checked(Verb::PartyCreate { name, on_leader_left })
}

#[cfg(test)]
mod tests;
