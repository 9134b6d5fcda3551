//! What those who go together want. Pure.
//!
//! One in four begins a party; a leader gathers some others and goes from room to room with them,
//! sends one away now and then, or leaves; who is led speaks, wanders off, and leaves at times.

use holdfast_protocol::client::Verb;
use holdfast_protocol::ids::{PlayerId, RoomId};
use holdfast_protocol::server::{OnLeaderLeft, PartyInfo};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::Knows;

/// Players whom a leader gathers, itself among them.
const PARTY_LEN: usize = 4;

/// A companion's next command. `begins`: it is one who begins parties.
pub(super) fn go(
    rng: &mut StdRng,
    (others, rooms): (&[PlayerId], &[RoomId]),
    begins: bool,
    knows: &Knows<'_>,
) -> Verb {
    let Some(state) = knows.state else { return Verb::GetState {} };
    match &state.party {
        Some(party) if &party.leader == knows.me => lead(rng, (others, rooms), party, knows),
        Some(_) => follow(rng),
        None => match state.invitations.choose(rng) {
            Some(party) if rng.random_bool(0.8) => {
                Verb::PartyAccept { party_id: party.party_id.clone() }
            }
            None if begins => create(rng),
            _ if rng.random_bool(0.1) => create(rng),
            _ => Verb::GetState {},
        },
    }
}

fn create(rng: &mut StdRng) -> Verb {
    let ends = rng.random_bool(0.5);
    let on_leader_left = if ends { OnLeaderLeft::End } else { OnLeaderLeft::PassOn };
    Verb::PartyCreate { name: "the fellowship".to_owned(), on_leader_left }
}

fn lead(
    rng: &mut StdRng,
    (others, rooms): (&[PlayerId], &[RoomId]),
    party: &PartyInfo,
    knows: &Knows<'_>,
) -> Verb {
    if party.members.len() < PARTY_LEN && rng.random_bool(0.6) {
        let strangers: Vec<_> =
            others.iter().filter(|other| !party.members.contains(other)).collect();
        if let Some(stranger) = strangers.choose(rng) {
            return Verb::PartyInvite { player: (*stranger).clone() };
        }
    }
    let led: Vec<_> = party.members.iter().filter(|member| *member != knows.me).collect();
    match (rng.random_range(0..40_u32), rooms.choose(rng), led.choose(rng)) {
        (0..24, Some(room_id), _) => Verb::PartyJoinRoom { room_id: room_id.clone() },
        (24..34, ..) => Verb::PartySay { text: "hold fast".to_owned() },
        (34..36, ..) => Verb::LeaveRoom {},
        (36..38, _, Some(led)) => Verb::PartyKick { player: (*led).clone() },
        (38, ..) => Verb::PartyLeave {},
        _ => Verb::GetState {},
    }
}

fn follow(rng: &mut StdRng) -> Verb {
    match rng.random_range(0..20_u32) {
        0..8 => Verb::PartySay { text: "after you".to_owned() },
        8..10 => Verb::LeaveRoom {},
        10 => Verb::PartyLeave {},
        _ => Verb::GetState {},
    }
}
