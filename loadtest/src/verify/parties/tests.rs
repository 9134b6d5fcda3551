//! Parties whose members are of one mind, and such as are not.

use serde_json::json;

use super::*;

type Parties = BTreeMap<PlayerId, Option<PartyInfo>>;

fn party(id: &str, leader: &str, members: &[&str]) -> Option<PartyInfo> {
    let party = json!({"party_id": id, "name": "us", "leader": leader, "members": members,
                       "on_leader_left": "end"});
    serde_json::from_value(party).unwrap()
}

fn all(views: &[(&str, Option<PartyInfo>)]) -> Parties {
    let one =
        |(name, party): &(&str, Option<PartyInfo>)| (PlayerId::new(name).unwrap(), party.clone());
    views.iter().map(one).collect()
}

fn found(views: &[(&str, Option<PartyInfo>)]) -> Vec<(String, String)> {
    let broken = compare(&all(views)).broken.into_iter();
    broken.map(|one| (one.players, one.what)).collect()
}

#[test]
fn members_of_one_mind_have_no_findings() {
    let us = party("p1", "alice", &["alice", "bob"]);
    let alone = party("p2", "dave", &["dave"]);
    let views = [("alice", us.clone()), ("bob", us), ("carol", None), ("dave", alone)];
    assert_eq!(found(&views), []);
    assert_eq!(compare(&all(&views)).looked_at, 3);
    assert!(undecided(&all(&views)).is_empty());
}

#[test]
fn a_member_who_knows_nothing_of_it_is_found() {
    let us = party("p1", "alice", &["alice", "bob"]);
    for (theirs, why) in [
        (None, "bob is in none"),
        (party("p2", "bob", &["bob"]), "bob is in another one"),
        (party("p1", "alice", &["bob", "alice", "carol"]), "bob knows others in it, or another"),
        (party("p1", "bob", &["alice", "bob"]), "bob knows others in it, or another leader"),
    ] {
        let views = [("alice", us.clone()), ("bob", theirs), ("carol", None)];
        let odd = found(&views);
        assert_eq!(odd[0].0, "alice and bob");
        assert!(odd[0].1.contains(why), "{odd:?}");
        let undecided = undecided(&all(&views));
        assert!(undecided.iter().any(|name| name.as_str() == "bob"), "{undecided:?}");
    }
}

#[test]
fn who_is_in_a_party_is_among_its_members() {
    let odd = found(&[("alice", None), ("bob", party("p1", "bob", &["carol"])), ("carol", None)]);
    let whats: Vec<_> = odd.iter().map(|(_, what)| what.as_str()).collect();
    assert!(whats.iter().any(|what| what.contains("it is not among its members")), "{whats:?}");
    assert!(whats.iter().any(|what| what.contains("its leader is gone")), "{whats:?}");
}

#[test]
fn members_who_are_not_here_prove_nothing() {
    let views = [("alice", party("p1", "alice", &["alice", "eve"]))];
    assert_eq!((found(&views).len(), compare(&all(&views)).unknown), (0, 1));
}
