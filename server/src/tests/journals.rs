//! Journals of real fights, recorded by a real server, folded by today's rules: each record must
//! give the state that it gave then.
//!
//! Every `tests/fixtures/journals/*.jsonl` is replayed. Who changes what an event means sees red:
//! journals of players who play now would be folded otherwise too, so give the new meaning a new
//! event, and leave the old one as it is. A new field of a state is no difference.
//!
//! To record them anew, with more of the game in them: play it in `tests/history/story.rs`, then
//! `HOLDFAST_WRITE_FIXTURES=1 cargo test -p holdfast-tests --test all history::story`.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::actor::contract::{Actor, Ctx, Decision, Message, Reject};
use crate::actor::history::check::{Place, Replayed, check};
use crate::actor::history::recorded::{Journal, read};
use crate::actor::kind::{Kind, Kinds};
use crate::game;
use crate::game::event::Event;
use crate::game::player::Player;
use crate::node::todays_kinds;

fn journals() -> Vec<(String, Journal)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/journals");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        found.push((name, read(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))));
    }
    assert!(found.len() >= 3, "only {} recorded journals", found.len());
    found
}

fn journal(name: &str) -> Journal {
    let found = journals().into_iter().find(|(file, _)| file == name);
    found.unwrap_or_else(|| panic!("no {name}")).1
}

#[test]
fn every_recorded_journal_gives_the_recorded_states() {
    for (name, journal) in journals() {
        let replayed = check(&todays_kinds(), &journal).unwrap();
        assert_eq!(replayed.difference, None, "{name}");
        assert_eq!(replayed.same, replayed.records, "{name}");
    }
}

/// Players whose wounds are one point deeper than their journals say.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Harsh(Player);

impl Actor for Harsh {
    type Event = Event;
    type Settings = game::Settings;

    fn new(id: &ActorId) -> Self {
        Self(Player::new(id))
    }

    fn decide(
        &self,
        ctx: &Ctx<'_, game::Settings>,
        message: &Message<'_>,
    ) -> Result<Decision<Event>, Reject> {
        self.0.decide(ctx, message)
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Hit { health } => self.0.apply(&Event::Hit { health: health.saturating_sub(1) }),
            event => self.0.apply(event),
        }
    }

    fn query(&self, ctx: &Ctx<'_, game::Settings>, payload: &[u8]) -> Result<Bytes, Reject> {
        self.0.query(ctx, payload)
    }
}

#[test]
fn rules_that_deal_other_damage_are_pointed_at() {
    let kinds = Kinds::default().with(game::PLAYER, Kind::of::<Harsh>(Arc::default()));
    let Replayed { difference, same, .. } = check(&kinds, &journal("bob.jsonl")).unwrap();
    let difference = difference.expect("a difference");
    let Place::Record { seq, .. } = difference.at else { panic!("{:?}", difference.at) };
    assert_eq!(seq, same + 1, "the first one");
    let first = difference.changes.first().expect("a change");
    assert_eq!((&*first.path, difference.changes.len()), ("/state/health", 1));
    assert_eq!((&first.before, &first.after), (&Some(json!(75)), &Some(json!(74))));
    let event = difference.events.first().expect("an event");
    assert_eq!((event.name.as_deref(), &event.data), (Some("hit"), &Some(json!({"health": 75}))));
    assert_eq!(difference.events.len(), 1, "no other event of the record touched it");
    // She has not been hit.
    let alice = check(&kinds, &journal("alice.jsonl")).unwrap();
    assert_eq!(alice.difference, None);
}
