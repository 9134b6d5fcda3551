//! Records that hold every event, tell and fact there is, and the lists that say so.
//!
//! Adding a variant breaks the `match` at its list: add it to the list and to the samples.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use holdfast_protocol::client::MoveType;
use holdfast_protocol::ids::ActorId;
use serde::Serialize;
use serde_json::Value;

use super::parties;
use crate::actor::contract::{ActivityOptions, Reject};
use crate::actor::record::{Fact, KeyHash, Place, Record, TellId};
use crate::game::event::{DealEvent, Event, Input, Notice};
use crate::game::fellowship::FellowEvent;
use crate::game::leaderboard::LeaderboardEvent;
use crate::game::pack;
use crate::game::room::{Member, RoomEvent};
use crate::game::stock::Stock;
use crate::game::tells::party::FromParty;
use crate::game::tells::{Evidence, FromTrade, ToPlayer, ToRoom, ToTrade};
use crate::game::trade::{Aim, Outcome, Terms, TradeEvent, Why};

pub const START_MS: u64 = 1_795_345_219_097;

/// What can be written, by the short names of the journal.
pub const ALL: [(&str, &str); 11] = [
    (
        "event",
        "new name prot open back lost gone act idle in jask jno join left swing swung move hit \
         heal def cool item note told score scored deal deals fellow metr cask cno coin rob loot",
    ),
    ("fact", "e so se sa sd ok no pd pc to ta th tf td ws wg ab at ah ae u"),
    ("leaderboard", "start done fail"),
    ("room", "in out mint coin took"),
    ("to_player", "joined full blow done refused trade coin nocoin party"),
    ("to_room", "join leave take joinall"),
    ("deal", "made heard yes stop open end paid bye"),
    ("evidence", "none held paid"),
    ("from_trade", "offer open no ask settle end"),
    ("to_trade", "open seen refuse accept counter cancel know late paid"),
    ("trade", "terms seen ask know end doubt paid bye"),
];

/// Breaks the build for a variant that [`ALL`] has not heard of.
fn listed(event: &Event) {
    match event {
        Event::Created { .. } | Event::Named { .. } | Event::Protected | Event::Opened { .. } => {}
        Event::Returned | Event::Lost { .. } | Event::Gone { .. } | Event::Active { .. } => {}
        Event::Idled | Event::Input(_) | Event::JoinAsked { .. } | Event::JoinDropped { .. } => {}
        Event::Joined { .. } | Event::RoomLeft | Event::Swung { .. } => {}
        Event::SwingEnded { .. } | Event::Moved { .. } | Event::Hit { .. } => {}
        Event::Healed { .. } | Event::Defended { .. } | Event::Cooled { .. } => {}
        Event::ItemSet { .. } | Event::Noted(_) | Event::NotesTold => {}
        Event::Deal { .. } | Event::DealsSwept { .. } => {}
        Event::Fellow(_) => {}
        Event::ScoreSent { .. } | Event::ScoreEnded { .. } | Event::Measured { .. } => {}
        Event::CoinAsked { .. } | Event::CoinMissed { .. } | Event::Coined { .. } => {}
        Event::Robbed { .. } | Event::Looted { .. } => {}
    }
}

/// As [`listed`], for facts and tells.
fn listed_too(fact: &Fact, room: &RoomEvent, to: (&ToRoom, &ToPlayer), board: &LeaderboardEvent) {
    match fact {
        Fact::Event(_) | Fact::Opened | Fact::Ended | Fact::Attached | Fact::Detached => {}
        Fact::Answered { .. } | Fact::Refused { .. } | Fact::Deferred { .. } => {}
        Fact::Completed { .. } | Fact::Told { .. } | Fact::Acked { .. } | Fact::Heard { .. } => {}
        Fact::Forgot { .. } | Fact::DeadLetter { .. } | Fact::TimerSet { .. } => {}
        Fact::TimerGone { .. } | Fact::ActivityBegun { .. } | Fact::ActivityTried { .. } => {}
        Fact::Heartbeat { .. } | Fact::ActivityEnded { .. } | Fact::Pushed(_) => {}
    }
    match room {
        RoomEvent::Joined { .. } | RoomEvent::Left { .. } | RoomEvent::Minting => {}
        RoomEvent::CoinLaid { .. } | RoomEvent::CoinTaken { .. } => {}
    }
    match to {
        (ToRoom::Join { .. } | ToRoom::Leave { .. }, ToPlayer::Joined { .. }) => {}
        (ToRoom::Take { .. }, ToPlayer::Joined { .. }) => {}
        (_, ToPlayer::Coin { .. } | ToPlayer::CoinGone { .. }) => {}
        (ToRoom::JoinAll { .. }, ToPlayer::Joined { .. }) | (_, ToPlayer::Party(_)) => {}
        (_, ToPlayer::Full { .. } | ToPlayer::Blow { .. } | ToPlayer::BlowDone { .. }) => {}
        (_, ToPlayer::BlowRefused { .. } | ToPlayer::Trade { .. }) => {}
    }
    match board {
        LeaderboardEvent::Started { .. } | LeaderboardEvent::Finished { .. } => {}
        LeaderboardEvent::Failed { .. } => {}
    }
}

/// As [`listed`], for trades.
fn listed_trades(deal: &DealEvent, trade: &TradeEvent, to: &ToTrade, from: &FromTrade) {
    match deal {
        DealEvent::Made { .. } | DealEvent::Heard { .. } | DealEvent::Accepted { .. } => {}
        DealEvent::Cancelling { .. } | DealEvent::Opened | DealEvent::Ended => {}
        DealEvent::Settled { .. } | DealEvent::Closed { .. } => {}
    }
    match trade {
        TradeEvent::Termed(_) | TradeEvent::Seen | TradeEvent::Asked { .. } => {}
        TradeEvent::Known { .. } | TradeEvent::Ended { .. } | TradeEvent::Settled { .. } => {}
        TradeEvent::Doubted { .. } | TradeEvent::Closed => {}
    }
    match to {
        ToTrade::Open(_) | ToTrade::Seen { .. } | ToTrade::Refuse { .. } => {}
        ToTrade::Accept { .. } | ToTrade::Counter(_) | ToTrade::Cancel {} => {}
        ToTrade::Overdue(_) | ToTrade::Receipt { .. } => {}
        ToTrade::Know { evidence, .. } => match evidence {
            Evidence::Nothing | Evidence::Reserved { .. } | Evidence::Settled(_) => {}
        },
    }
    match from {
        FromTrade::Offer(_) | FromTrade::Opened(_) | FromTrade::Refused { .. } => {}
        FromTrade::Ask { .. } | FromTrade::Settle { .. } | FromTrade::Ended { .. } => {}
    }
}

/// The name under which a value is written: its variant.
fn name(value: &impl Serialize) -> String {
    match serde_json::to_value(value).unwrap() {
        Value::String(name) => name,
        Value::Object(fields) => fields.keys().next().unwrap().clone(),
        other => panic!("{other} is no variant"),
    }
}

pub fn names_of<T: Serialize>(values: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    values.into_iter().map(|value| name(&value)).collect()
}

/// The names that the samples hold.
pub fn names() -> BTreeMap<&'static str, BTreeSet<String>> {
    let (facts, rooms, boards) = (facts(), room_events(), leaderboard_events());
    player_events().iter().for_each(listed);
    for fact in &facts {
        let (to_room, to_player) = (&to_room()[0], &to_player()[0]);
        listed_too(fact, &rooms[0], (to_room, to_player), &boards[0]);
    }
    for (deal, trade) in deals().iter().zip(trade_events().iter().cycle()) {
        listed_trades(deal, trade, &to_trade()[0], &from_trade()[0]);
    }
    let events = [Fact::Event(Bytes::new())];
    BTreeMap::from([
        ("event", names_of(player_events())),
        ("fact", names_of(facts.into_iter().chain(events))),
        ("leaderboard", names_of(boards)),
        ("room", names_of(rooms)),
        ("to_player", names_of(to_player())),
        ("to_room", names_of(to_room())),
        ("deal", names_of(deals())),
        ("evidence", names_of(evidence())),
        ("from_trade", names_of(from_trade())),
        ("to_trade", names_of(to_trade())),
        ("trade", names_of(trade_events())),
    ])
}

fn room_name() -> std::sync::Arc<str> {
    "dungeon-7".into()
}

/// A player's arrival, its connection and its place in a room.
fn arrival() -> Vec<Event> {
    let items = BTreeMap::from([("potion-001".into(), 5), ("sword-001".into(), 1)]);
    let token = Some(3 << 10);
    vec![
        Event::Created { name: "Alice".into(), x: 2048, y: 2000, health: 100, gold: 100, items },
        Event::Named { name: "Alice the Brave".into() },
        Event::Protected,
        Event::Opened { at: START_MS },
        Event::Lost { until: START_MS + 60_000 },
        Event::Returned,
        Event::Idled,
        Event::Active { at: START_MS + 5 },
        Event::JoinAsked { n: 1, room: "full-one".into(), token },
        Event::JoinDropped { n: 1 },
        Event::JoinAsked { n: 2, room: room_name(), token: None },
        Event::Joined { n: 2, room: room_name(), entity: 4, count: 2, max: 20, acted: true },
        Event::Input(Input {
            first: 1,
            steps: Bytes::from_static(&[5, 9, 2]),
            input: 4,
            credit: 9_000,
            credit_ms: START_MS + 6,
            dropped: 1,
            at: START_MS + 6,
        }),
    ]
}

/// Blows, goods, notices, scores, and the way out.
fn deeds() -> Vec<Event> {
    let at = START_MS + 10;
    let token = 9 << 10;
    let swing = |token| Event::Swung { token, target: "bob".into(), by: MoveType::Special, at };
    vec![
        swing(token),
        swing(token + 1),
        Event::SwingEnded { token },
        Event::Moved { damage: 40, xp: 10 },
        Event::Cooled { until: Some(at + 5_000) },
        Event::Defended { until: Some(at + 3_000) },
        Event::Hit { health: 35 },
        Event::Healed { health: 50 },
        Event::ItemSet { item: "potion-001".into(), quantity: 4 },
        Event::Noted(Notice { text: "gone".into(), from: None, at_ms: at }),
        Event::NotesTold,
        Event::Noted(Notice { text: "you were hit".into(), from: Some("bob".into()), at_ms: at }),
        Event::ScoreSent { score: 50, name: "Alice the Brave".into(), next: at + 1_000 },
        Event::ScoreEnded { ok: true, next: at + 1_000 },
        Event::Measured { at },
        Event::RoomLeft,
        Event::JoinAsked { n: 3, room: room_name(), token: Some(token) },
        Event::Joined { n: 3, room: room_name(), entity: 5, count: 1, max: 20, acted: true },
        Event::Gone { room: Some(room_name()) },
        Event::Moved { damage: 25, xp: 10 },
    ]
}

fn terms(revision: u32) -> Terms {
    Terms {
        revision,
        from: "alice".into(),
        to: "bob".into(),
        give: Stock { gold: 5, items: BTreeMap::from([("sword-001".into(), 1)]) },
        want: Stock { gold: 7, ..Stock::default() },
        expires_ms: START_MS + 60_000,
        gift: revision == 2,
    }
}

fn why() -> Why {
    Why { code: "no_such_trade".into(), message: "bob called the trade off".into() }
}

fn deals() -> Vec<DealEvent> {
    let terms = terms(1);
    let (gave, got, at) = (terms.give.clone(), terms.want.clone(), START_MS + 20);
    let settled = |last| {
        let (terms, gave, got) = (terms.clone(), gave.clone(), got.clone());
        DealEvent::Settled { terms, gave, got, at, last }
    };
    vec![
        DealEvent::Made { terms: terms.clone(), token: 11 << 10, pace: at },
        DealEvent::Opened,
        DealEvent::Heard { terms: terms.clone() },
        DealEvent::Accepted { token: Some(12 << 10) },
        DealEvent::Cancelling { token: 13 << 10 },
        DealEvent::Ended,
        DealEvent::Made { terms: terms.clone(), token: 14 << 10, pace: 0 },
        settled(false),
        DealEvent::Closed { at: at + 120_000 },
        settled(true),
        DealEvent::Heard { terms: self::terms(2) },
        DealEvent::Accepted { token: None },
    ]
}

/// Trades of the player: one that is settled and closed, and then open anew.
fn dealings() -> Vec<Event> {
    let deal = |deal| Event::Deal { trade: "17f-00c".into(), deal };
    let at = START_MS + 20;
    let swept =
        [Event::DealsSwept { at, next: Some(at + 70_000) }, Event::DealsSwept { at, next: None }];
    deals().into_iter().map(deal).chain(swept).collect()
}

fn evidence() -> Vec<Evidence> {
    vec![Evidence::Nothing, Evidence::Reserved { revision: 1 }, Evidence::Settled(terms(1))]
}

fn trade_events() -> Vec<TradeEvent> {
    let known = |player: &str, evidence| TradeEvent::Known { player: player.into(), evidence };
    let [nothing, reserved, settled] = evidence().try_into().unwrap();
    let aborted = Outcome::Cancelled;
    vec![
        TradeEvent::Termed(terms(1)),
        TradeEvent::Seen,
        TradeEvent::Asked { n: 7, aim: Aim::Abort(Outcome::Expired, why()) },
        TradeEvent::Asked { n: 8, aim: Aim::Commit(1) },
        known("alice", nothing),
        known("alice", reserved),
        known("bob", settled),
        TradeEvent::Ended { outcome: aborted, why: Some(why()), terms: None },
        TradeEvent::Ended { outcome: Outcome::Committed, why: None, terms: Some(terms(1)) },
        TradeEvent::Doubted { player: "bob".into(), n: 9, again: false },
        TradeEvent::Doubted { player: "bob".into(), n: 10, again: true },
        TradeEvent::Settled { player: "bob".into() },
        TradeEvent::Closed,
        TradeEvent::Ended { outcome: Outcome::Committed, why: None, terms: None },
    ]
}

fn from_trade() -> Vec<FromTrade> {
    vec![
        FromTrade::Offer(terms(1)),
        FromTrade::Opened(terms(1)),
        FromTrade::Refused { terms: terms(1), why: why() },
        FromTrade::Ask { n: 7 },
        FromTrade::Settle { terms: terms(2), last: true },
        FromTrade::Ended { outcome: Outcome::Expired, why: why() },
    ]
}

fn to_trade() -> Vec<ToTrade> {
    let terms = terms(1);
    let mut tells = vec![
        ToTrade::Open(terms.clone()),
        ToTrade::Seen { revision: 1 },
        ToTrade::Refuse { revision: 1, why: why() },
        ToTrade::Accept { revision: 1 },
        ToTrade::Counter(terms.clone()),
        ToTrade::Cancel {},
        ToTrade::Overdue(terms.clone()),
        ToTrade::Receipt { gave: terms.give.clone(), got: terms.want },
    ];
    tells.extend(evidence().into_iter().map(|evidence| ToTrade::Know { n: 7, evidence }));
    tells
}

/// Coins, and what defeats bring and cost.
fn gold() -> Vec<Event> {
    let token = 11 << 10;
    vec![
        Event::CoinAsked { coin: 7 },
        Event::CoinAsked { coin: 8 },
        Event::CoinAsked { coin: 9 },
        Event::CoinMissed { coin: 7 },
        Event::Coined { room: "arena".into(), coin: 8, gold: 5 },
        Event::Robbed { gold: 10, by: "bob".into(), token },
        Event::Looted { gold: 12, from: "bob".into(), token },
    ]
}

fn player_events() -> Vec<Event> {
    let fellow = Event::Fellow(FellowEvent::Parted);
    let events = arrival().into_iter().chain(deeds()).chain(dealings()).chain(gold());
    events.chain([fellow]).collect()
}

fn room_events() -> Vec<RoomEvent> {
    let member = |entity, n, name: &str| Member { entity, n, name: name.into() };
    vec![
        RoomEvent::Joined { player: "bob".into(), member: member(1, 1, "Bob") },
        RoomEvent::Joined { player: "alice".into(), member: member(2, 7, "Alice") },
        RoomEvent::Left { player: "bob".into() },
        RoomEvent::Minting,
        RoomEvent::CoinLaid { coin: 1 },
        RoomEvent::CoinLaid { coin: 2 },
        RoomEvent::CoinTaken { coin: 1 },
    ]
}

fn leaderboard_events() -> Vec<LeaderboardEvent> {
    vec![
        LeaderboardEvent::Started { run: 1, at: START_MS },
        LeaderboardEvent::Finished { players: 3, at: START_MS + 9 },
        LeaderboardEvent::Started { run: 2, at: START_MS + 10 },
        LeaderboardEvent::Failed { error: "the disk is full".into(), at: START_MS + 11 },
    ]
}

fn to_room() -> Vec<ToRoom> {
    let all = ToRoom::JoinAll { entry: START_MS, guests: Vec::new() };
    vec![
        ToRoom::Join { n: 2, name: "Alice".into() },
        ToRoom::Leave { n: 2 },
        ToRoom::Take { coin: 7 },
        all,
    ]
}

fn to_player() -> Vec<ToPlayer> {
    vec![
        ToPlayer::Joined { n: 2, entity: 4, count: 2, max: 20 },
        ToPlayer::Full { n: 1, max: 20 },
        ToPlayer::Blow {
            token: 9 << 10,
            by: MoveType::Attack,
            damage: 25,
            xp: 10,
            room: room_name(),
            name: "Alice".into(),
        },
        ToPlayer::BlowDone { token: 9 << 10, damage: 12, gold: 0 },
        ToPlayer::BlowDone { token: 9 << 10, damage: 12, gold: 10 },
        ToPlayer::Coin { coin: 8, gold: 5 },
        ToPlayer::CoinGone { coin: 7 },
        ToPlayer::BlowRefused {
            token: 9 << 10,
            code: "same_room_required".into(),
            message: "you are not in the same room".into(),
        },
        ToPlayer::Trade { trade: "17f-00c".into(), word: FromTrade::Ask { n: 7 } },
        ToPlayer::Party(FromParty::CalledOff { entry: START_MS }),
    ]
}

fn bob() -> ActorId {
    "player:bob".parse().unwrap()
}

/// The runtime's facts about sessions and answers.
fn answers() -> Vec<Fact> {
    let place = |id| Place { session: 2, id };
    let refused = || Reject::new("room_full", "no place");
    let key = Some(KeyHash([7; 16]));
    let body = Bytes::from_static(b"{\"room\":null}");
    vec![
        Fact::Attached,
        Fact::Answered { place: place(1), key, body: body.clone(), first: None },
        Fact::Answered { place: place(2), key, body: body.clone(), first: Some(2) },
        Fact::Refused { place: place(3), reject: refused() },
        Fact::Deferred { token: 5 << 10, place: place(4), key: Some(KeyHash([8; 16])) },
        Fact::Deferred { token: 6 << 10, place: place(5), key: None },
        Fact::Deferred { token: 7 << 10, place: place(6), key: None },
        Fact::Completed { token: 5 << 10, result: Err(refused()) },
        Fact::Completed { token: 6 << 10, result: Ok(body) },
        Fact::Pushed(Bytes::from_static(b"{\"ev\":\"notice\",\"text\":\"hm\"}")),
        Fact::Pushed(Bytes::from_static(b"{\"ev\":\"player\",\"set\":{}}")),
        Fact::Detached,
    ]
}

/// The runtime's facts about tells: two that are still to be delivered.
fn tells() -> Vec<Fact> {
    let room: ActorId = "room:dungeon-7".parse().unwrap();
    let id = |seq| TellId { epoch: START_MS, seq, index: 0 };
    let told = |to: &ActorId, payload: Bytes| Fact::Told {
        to: to.clone(),
        payload,
        creates: to.kind() == "room",
        hops: 1,
    };
    let mut facts: Vec<Fact> = to_room().iter().map(|tell| told(&room, pack(tell))).collect();
    facts.extend(to_player().iter().map(|tell| told(&bob(), pack(tell))));
    let trade: ActorId = "trade:17f-00c".parse().unwrap();
    facts.extend(to_trade().iter().map(|tell| told(&trade, pack(tell))));
    let words = from_trade().into_iter();
    let words = words.map(|word| ToPlayer::Trade { trade: "17f-00c".into(), word });
    facts.extend(words.map(|tell| told(&bob(), pack(&tell))));
    facts.extend([
        Fact::Acked { to: room.clone(), through: TellId { index: 40, ..id(40) } },
        Fact::Heard { from: room, id: id(7) },
        Fact::Heard { from: bob(), id: id(8) },
        Fact::Forgot { from: bob() },
        Fact::DeadLetter { to: bob(), payload: Bytes::from_static(b"round and round") },
    ]);
    facts
}

/// The runtime's facts about timers and activities: one of each is still open.
fn obligations() -> Vec<Fact> {
    let begun = |name: &'static str| Fact::ActivityBegun {
        name: name.into(),
        input: Bytes::from_static(b"\x80"),
        options: ActivityOptions {
            heartbeat_timeout_ms: Some(30_000),
            ..ActivityOptions::default()
        },
    };
    vec![
        Fact::TimerSet { name: "idle".into(), at_ms: START_MS + 300_000 },
        Fact::TimerSet { name: "defend".into(), at_ms: START_MS + 3_000 },
        Fact::TimerGone { name: "defend".into() },
        begun("update_leaderboard"),
        begun("rebuild_leaderboard"),
        Fact::ActivityEnded { activity: 1 },
        Fact::Heartbeat { activity: 2, payload: Bytes::from_static(b"half") },
        Fact::ActivityTried { activity: 2, retry_at_ms: START_MS + 8_000 },
    ]
}

fn facts() -> Vec<Fact> {
    let sessions = [Fact::Opened, Fact::Ended];
    sessions.into_iter().chain(answers()).chain(tells()).chain(obligations()).collect()
}

pub fn record(at: u64, facts: Vec<Fact>) -> Record {
    Record { now_ms: START_MS + at, facts }
}

pub fn events<E: Serialize>(events: Vec<E>) -> impl Iterator<Item = Fact> {
    events.into_iter().map(|event| Fact::Event(pack(&event)))
}

pub fn player() -> Vec<Record> {
    vec![
        record(0, events(arrival()).chain([Fact::Opened, Fact::Ended]).collect()),
        record(1, [Fact::Opened].into_iter().chain(answers()).collect()),
        record(2, tells()),
        record(3, events(deeds()).chain(obligations()).collect()),
        record(4, events(dealings()).collect()),
        record(5, events(gold()).collect()),
        parties::player(),
    ]
}

pub fn room() -> Vec<Record> {
    room_events().into_iter().map(|event| record(0, events(vec![event]).collect())).collect()
}

pub fn trade() -> Vec<Record> {
    trade_events().into_iter().map(|event| record(0, events(vec![event]).collect())).collect()
}

pub fn leaderboard() -> Vec<Record> {
    let one = |event| record(0, events(vec![event]).collect());
    leaderboard_events().into_iter().map(one).collect()
}
