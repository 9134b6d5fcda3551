//! Samples of all that parties write, as [`super::samples`] has of the rest.

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_protocol::ids::ActorId;

use super::samples::{START_MS, events, names_of, record};
use crate::actor::record::{Fact, Record};
use crate::game::event::Event;
use crate::game::fellowship::FellowEvent;
use crate::game::pack;
use crate::game::party::PartyEvent;
use crate::game::tells::party::{Change, FromParty, Guest, Info, News, ToParty, Why};
use crate::game::tells::{ToPlayer, ToRoom};

const PARTY: &str = "17f-00d";

/// What can be written, by the short names of the journal.
const ALL: [(&str, &str); 6] = [
    ("change", "new inv in out kick led end go"),
    ("fellow", "ask ans info out inv uninv come"),
    ("from_party", "info no inv wd out say come off"),
    ("party", "new inv told uninv in out rev go ready ask went end"),
    ("to_party", "new inv seen acc dec leave kick say enter ready unready ask placed full"),
    ("why", "off down busy left"),
];

/// Breaks the build for a variant that [`ALL`] has not heard of.
fn listed(event: &PartyEvent, fellow: &FellowEvent, to: &ToParty, from: &FromParty) {
    match event {
        PartyEvent::Began { .. } | PartyEvent::Invited { .. } | PartyEvent::Told { .. } => {}
        PartyEvent::Uninvited { .. } | PartyEvent::Joined { .. } | PartyEvent::Left { .. } => {}
        PartyEvent::Revised { .. } | PartyEvent::EntryBegun { .. } => {}
        PartyEvent::Ready { .. } | PartyEvent::RoomAsked => {}
        PartyEvent::EntryOver | PartyEvent::Ended => {}
    }
    match fellow {
        FellowEvent::Asked { .. } | FellowEvent::Answered { .. } | FellowEvent::Informed(_) => {}
        FellowEvent::Parted | FellowEvent::Invited(_) | FellowEvent::Uninvited { .. } => {}
        FellowEvent::Coming { .. } => {}
    }
    match to {
        ToParty::Create { .. } | ToParty::Invite { .. } | ToParty::Seen { .. } => {}
        ToParty::Accept { .. } | ToParty::Decline { .. } | ToParty::Leave {} => {}
        ToParty::Kick { .. } | ToParty::Say { .. } | ToParty::Enter { .. } => {}
        ToParty::Ready { .. } | ToParty::Ask { .. } | ToParty::Placed { .. } => {}
        ToParty::Full { .. } => {}
        ToParty::Unready { why, .. } => match why {
            Why::Offline | Why::Defeated | Why::Elsewhere | Why::Left => {}
        },
    }
    match from {
        FromParty::Info { .. } | FromParty::Refused { .. } | FromParty::Invited { .. } => {}
        FromParty::Withdrawn { .. } | FromParty::Heard { .. } | FromParty::Come { .. } => {}
        FromParty::CalledOff { .. } => {}
        FromParty::Out(news) => match news.what {
            Change::Created | Change::Invited | Change::Joined | Change::Left => {}
            Change::Kicked | Change::Led | Change::Ended | Change::Entered => {}
        },
    }
}

fn info() -> Info {
    Info {
        id: PARTY.into(),
        revision: START_MS + 30,
        name: "Heroes".into(),
        passes_on: true,
        members: vec!["alice".into(), "bob".into()],
    }
}

fn news() -> Vec<News> {
    let changes = [
        Change::Created,
        Change::Invited,
        Change::Joined,
        Change::Left,
        Change::Kicked,
        Change::Led,
        Change::Ended,
        Change::Entered,
    ];
    changes.into_iter().map(|what| News { what, by: "bob".into() }).collect()
}

fn why() -> [Why; 4] {
    [Why::Offline, Why::Defeated, Why::Elsewhere, Why::Left]
}

/// The player's side: in the end it is in one party and invited to another.
fn fellow() -> Vec<FellowEvent> {
    let other = Info { id: "17f-00e".into(), passes_on: false, ..info() };
    vec![
        FellowEvent::Asked { token: 21 << 10, party: Some(PARTY.into()) },
        FellowEvent::Answered { token: 21 << 10 },
        FellowEvent::Parted,
        FellowEvent::Invited(info()),
        FellowEvent::Uninvited { party: PARTY.into() },
        FellowEvent::Invited(other),
        FellowEvent::Informed(info()),
        FellowEvent::Asked { token: 22 << 10, party: None },
        FellowEvent::Coming { n: 4, room: "dungeon-7".into(), entry: START_MS + 31 },
    ]
}

fn party_events() -> Vec<PartyEvent> {
    let (alice, bob, carol) = ("alice".into(), "bob".into(), "carol".into());
    let (revision, by, token) = (START_MS + 30, "alice".into(), 21 << 10);
    let go = |entry, by: &str| PartyEvent::EntryBegun {
        entry,
        room: "dungeon-7".into(),
        by: by.into(),
        token,
        at: START_MS + 31,
    };
    let leader = Arc::clone(&alice);
    vec![
        PartyEvent::Began { name: "Heroes".into(), passes_on: true, leader, revision },
        PartyEvent::Invited { player: Arc::clone(&bob), revision, by, token },
        PartyEvent::Told { by: Arc::clone(&alice), token },
        PartyEvent::Joined { player: Arc::clone(&bob), revision: revision + 1 },
        PartyEvent::Invited { player: carol, revision, by: "alice".into(), token },
        PartyEvent::Uninvited { player: "carol".into() },
        PartyEvent::Revised { revision: revision + 2 },
        go(revision + 3, "alice"),
        PartyEvent::EntryOver,
        go(revision + 4, "bob"),
        PartyEvent::Ready { player: bob, n: 4, name: "Bob".into() },
        PartyEvent::RoomAsked,
        PartyEvent::Invited { player: "dave".into(), revision: revision + 5, by: alice, token },
        PartyEvent::Left { player: "alice".into(), revision: revision + 6 },
    ]
}

fn to_party() -> Vec<ToParty> {
    let (token, entry) = (21 << 10, START_MS + 31);
    let mut tells = vec![
        ToParty::Create { token, name: "Heroes".into(), passes_on: true },
        ToParty::Invite { token, player: "bob".into() },
        ToParty::Seen { by: "alice".into(), token, exists: true },
        ToParty::Accept { token },
        ToParty::Decline { revision: START_MS + 30 },
        ToParty::Leave {},
        ToParty::Kick { token, player: "bob".into() },
        ToParty::Say { token, text: "hey".into() },
        ToParty::Enter { token, room: "dungeon-7".into() },
        ToParty::Ready { entry, n: 4, name: "Bob".into() },
        ToParty::Ask { revision: START_MS + 30 },
        ToParty::Placed { entry },
        ToParty::Full { entry, free: 1 },
    ];
    tells.extend(why().map(|why| ToParty::Unready { entry, why }));
    tells
}

fn from_party() -> Vec<FromParty> {
    let (token, entry) = (21 << 10, START_MS + 31);
    let mut tells = vec![
        FromParty::Info { info: info(), news: news(), token: Some(token) },
        FromParty::Info { info: info(), news: Vec::new(), token: None },
        FromParty::Refused {
            token,
            code: "not_leader".into(),
            message: "only the party's leader may do that".into(),
            out: false,
        },
        FromParty::Invited { info: info(), by: "alice".into(), token },
        FromParty::Withdrawn { by: Some("alice".into()) },
        FromParty::Withdrawn { by: None },
        FromParty::Heard { from: "bob".into(), text: "hey".into(), token: Some(token) },
        FromParty::Come { entry, room: "dungeon-7".into() },
        FromParty::CalledOff { entry },
    ];
    tells.extend(news().into_iter().map(FromParty::Out));
    tells
}

/// What a player's journal holds of parties.
pub fn player() -> Record {
    let to = |to: &str, payload| {
        let to: ActorId = to.parse().unwrap();
        Fact::Told { to, payload, creates: false, hops: 1 }
    };
    let guest = Guest { player: "bob".into(), n: 4, name: "Bob".into() };
    let all = ToRoom::JoinAll { entry: START_MS + 31, guests: vec![guest] };
    let mut facts: Vec<_> = events(fellow().into_iter().map(Event::Fellow).collect()).collect();
    facts.extend(to_party().iter().map(|tell| to("party:17f-00d", pack(tell))));
    let from = from_party().into_iter().map(ToPlayer::Party);
    facts.extend(from.map(|tell| to("player:bob", pack(&tell))));
    facts.push(to("room:dungeon-7", pack(&all)));
    record(5, facts)
}

/// A party's journal.
pub fn party() -> Vec<Record> {
    let mut written = party_events();
    written.push(PartyEvent::Ended);
    written.into_iter().map(|event| record(0, events(vec![event]).collect())).collect()
}

#[test]
fn the_samples_hold_all_of_parties() {
    let (to, from) = (to_party(), from_party());
    for (event, fellow) in party_events().iter().zip(fellow().iter().cycle()) {
        listed(event, fellow, &to[0], &from[0]);
    }
    let what = news().into_iter().map(|news| news.what);
    let ended = [PartyEvent::Ended];
    let found = [
        ("change", names_of(what)),
        ("fellow", names_of(fellow())),
        ("from_party", names_of(from)),
        ("party", names_of(party_events().into_iter().chain(ended))),
        ("to_party", names_of(to)),
        ("why", names_of(why())),
    ];
    for ((what, names), (name, found)) in ALL.into_iter().zip(found) {
        let names: BTreeSet<_> = names.split(' ').map(str::to_owned).collect();
        assert_eq!((what, names), (name, found));
    }
}
