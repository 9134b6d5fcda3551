//! Holds what players say of their parties against each other. Pure.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_protocol::ids::PlayerId;
use holdfast_protocol::server::PartyInfo;

use super::trades::{Broken, Found};

/// Compares what the players' states say, by player.
pub(super) fn compare(parties: &BTreeMap<PlayerId, Option<PartyInfo>>) -> Found {
    let mut found = Found::default();
    for (player, party) in parties {
        let Some(party) = party else { continue };
        found.looked_at += 1;
        if !party.members.contains(player) {
            found.broken.push(broken(player, player, party, "it is not among its members", None));
        }
        if !party.members.contains(&party.leader) {
            found.broken.push(broken(player, &party.leader, party, "its leader is gone", None));
        }
        for member in party.members.iter().filter(|member| *member != player) {
            match parties.get(member) {
                None => found.unknown += 1,
                Some(theirs) => found.broken.extend(judge(player, member, party, theirs.as_ref())),
            }
        }
    }
    found
}

fn judge(
    player: &PlayerId,
    member: &PlayerId,
    ours: &PartyInfo,
    theirs: Option<&PartyInfo>,
) -> Option<Broken> {
    let all = |party: &PartyInfo| {
        let members: BTreeSet<_> = party.members.iter().cloned().collect();
        (members, party.leader.clone(), party.on_leader_left)
    };
    let why = match theirs {
        None => "is in none",
        Some(theirs) if theirs.party_id != ours.party_id => "is in another one",
        Some(theirs) if all(theirs) != all(ours) => "knows others in it, or another leader",
        Some(_) => return None,
    };
    // Both would say the same of each other.
    let is_told = theirs.is_some_and(|theirs| {
        theirs.party_id == ours.party_id && theirs.members.contains(player) && member < player
    });
    (!is_told).then(|| broken(player, member, ours, &format!("{member} {why}"), theirs))
}

fn broken(
    player: &PlayerId,
    other: &PlayerId,
    ours: &PartyInfo,
    why: &str,
    theirs: Option<&PartyInfo>,
) -> Broken {
    let players =
        if player == other { player.to_string() } else { format!("{player} and {other}") };
    let line = |whose: &PlayerId, party: &PartyInfo| {
        let members: Vec<_> = party.members.iter().map(PlayerId::as_str).collect();
        let (id, leader) = (&party.party_id, &party.leader);
        format!("{whose}: party {id} of {}, led by {leader}", members.join(", "))
    };
    let mut shows = vec![line(player, ours)];
    shows.extend(theirs.map(|theirs| line(other, theirs)));
    let what = format!("{player} is in party {} with {}: {why}", ours.party_id, ours.members.len());
    Broken { players, what, shows }
}

/// Players about whose parties there is no agreement.
pub(super) fn undecided(parties: &BTreeMap<PlayerId, Option<PartyInfo>>) -> BTreeSet<PlayerId> {
    let broken = compare(parties).broken;
    let names = broken.iter().flat_map(|one| one.players.split(" and "));
    names.filter_map(|name| PlayerId::new(name).ok()).collect()
}

#[cfg(test)]
#[path = "parties/tests.rs"]
mod tests;
