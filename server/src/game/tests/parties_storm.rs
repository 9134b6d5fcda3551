//! Parties under commands that nobody planned, with tells that arrive in any order.

use std::collections::BTreeMap;

use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::edge::Proof;
use holdfast_protocol::server::OnLeaderLeft;
use proptest::prelude::*;
use serde_json::Value;

use super::parties::{accept, create, enter, invite, kick, tell_all};
use super::world::{Sent, World, join, opening, strike};
use crate::actor::contract::{Message, Origin, Token};
use crate::game::room::Room;

const WHO: [&str; 5] = ["a", "b", "c", "d", "e"];
const WHERE: [&str; 2] = ["r", "s"];

#[derive(Debug, Clone)]
enum Deed {
    Say(usize, Verb),
    /// Accepts the oldest or newest invitation.
    Accept(usize, bool),
    Hello(usize),
    Lose(usize),
    Resume(usize),
    Carry(usize),
    Settle,
    Pass(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let then = prop_oneof![Just(OnLeaderLeft::End), Just(OnLeaderLeft::PassOn)];
    let verb = prop_oneof![
        3 => then.prop_map(create),
        6 => (0..6_usize).prop_map(|who| invite(WHO.get(who).unwrap_or(&"nobody"))),
        2 => (0..5_usize).prop_map(|who| kick(WHO[who])),
        2 => Just(Verb::PartyLeave {}),
        1 => Just(tell_all("hm")),
        4 => (0..2_usize).prop_map(|room| enter(WHERE[room])),
        2 => (0..2_usize).prop_map(|room| join(WHERE[room])),
        1 => Just(Verb::LeaveRoom {}),
        1 => Just(Verb::Logout {}),
        1 => (0..5_usize).prop_map(|who| strike(MoveType::Special, Some(WHO[who]))),
    ];
    prop_oneof![
        8 => (0..5_usize, verb).prop_map(|(who, verb)| Deed::Say(who, verb)),
        3 => (0..5_usize, any::<bool>()).prop_map(|(who, oldest)| Deed::Accept(who, oldest)),
        1 => (0..5_usize).prop_map(Deed::Hello),
        1 => (0..5_usize).prop_map(Deed::Lose),
        1 => (0..5_usize).prop_map(Deed::Resume),
        20 => (0..40_usize).prop_map(Deed::Carry),
        2 => Just(Deed::Settle),
        1 => (0..8_000_u64).prop_map(Deed::Pass),
    ]
}

/// Commands that will be answered later.
type Owed = BTreeMap<&'static str, Vec<Token>>;

fn perform(world: &mut World, owed: &mut Owed, deed: &Deed) {
    let mut say = |world: &mut World, who: usize, verb| {
        if let Ok(Sent::Later(token)) = world.send(WHO[who], Origin::Owner, verb) {
            owed.entry(WHO[who]).or_default().push(token);
        }
    };
    match deed {
        Deed::Say(who, verb) => say(world, *who, verb.clone()),
        Deed::Accept(who, oldest) => {
            let invitations = world.state(WHO[*who]).invitations;
            let chosen = if *oldest { invitations.first() } else { invitations.last() };
            if let Some(info) = chosen {
                say(world, *who, accept(info.party_id.as_str()));
            }
        }
        Deed::Hello(who) => {
            let payload = opening(None, Proof::Open);
            world.message(WHO[*who], &Message::Opened { payload: &payload }).unwrap();
            world.seat(WHO[*who]).connected = true;
        }
        Deed::Lose(who) => drop(world.message(WHO[*who], &Message::Lost)),
        Deed::Resume(who) => drop(world.message(WHO[*who], &Message::Resumed)),
        Deed::Carry(choice) => drop(world.deliver_one(*choice)),
        Deed::Settle => world.deliver(),
        Deed::Pass(ms) => world.pass_alone(*ms),
    }
}

/// What parties and players say of each other, when all tells have arrived.
fn check_views(world: &mut World) {
    let ids: Vec<_> = world.others.keys().cloned().collect();
    let mut parties = BTreeMap::<String, Value>::new();
    for id in ids {
        parties.insert(id.key().to_owned(), world.other(&id));
    }
    for (id, party) in &parties {
        assert_eq!(party["ended"], false, "{id} is over and was not erased");
        let members = party["members"].as_array().unwrap();
        assert!((1..=8).contains(&members.len()));
        assert_eq!(party["leader"], members[0]);
        for member in members {
            let own = world.state(member.as_str().unwrap()).party;
            let own = own.unwrap_or_else(|| panic!("{member} does not know of {id}"));
            assert_eq!((own.party_id.as_str(), &*own.name), (&**id, "Heroes"));
            assert_eq!(&serde_json::to_value(&own.members).unwrap(), &party["members"]);
        }
        for one in party["invited"].as_array().unwrap() {
            let held = world.state(one.as_str().unwrap()).invitations;
            assert!(held.iter().any(|info| info.party_id.as_str() == id), "{one} of {id}");
        }
    }
    for player in WHO {
        let state = world.state(player);
        assert!(state.invitations.len() <= 8);
        if let Some(own) = state.party {
            let members = parties[own.party_id.as_str()]["members"].as_array().unwrap();
            assert!(members.iter().any(|member| member == player));
        }
        for info in state.invitations {
            let invited = parties[info.party_id.as_str()]["invited"].as_array().unwrap();
            assert!(invited.iter().any(|one| one == player), "{player} by {}", info.party_id);
        }
    }
}

fn check_places(world: &mut World) {
    for room in WHERE {
        for (player, member) in world.rooms.get(room).map_or(&BTreeMap::new(), Room::members) {
            let place = world.players[player].state.room.clone();
            let place = place.map(|place| (place.room.to_string(), place.n, place.entity));
            assert_eq!(place, Some((room.to_owned(), member.n, member.entity)), "a stale place");
        }
    }
    for player in WHO {
        if let Some(room) = world.state(player).current_room {
            let members = world.members(room.room_id.as_str());
            assert!(members.contains(&player.to_owned()), "{player} has no place there");
        }
        assert!(world.seat(player).state.joins.is_empty(), "{player} still waits");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn parties_and_players_agree_in_the_end(deeds in proptest::collection::vec(deed(), 1..160)) {
        let mut world = World::with(&WHO);
        world.settings.room_capacity = 3;
        let mut owed = Owed::new();
        for deed in &deeds {
            perform(&mut world, &mut owed, deed);
            for room in WHERE {
                prop_assert!(world.members(room).len() <= 3);
            }
        }
        world.deliver();
        world.pass(10_000);
        check_views(&mut world);
        check_places(&mut world);
        for player in WHO {
            // The world itself sees to it that nothing is answered twice.
            let answers: Vec<_> = world.seat(player).answers.keys().copied().collect();
            let mut owed = owed.remove(player).unwrap_or_default();
            owed.sort_unstable();
            prop_assert_eq!(answers, owed, "each is answered once: {}", player);
        }
    }
}
