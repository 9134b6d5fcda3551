//! Parties: who is in them, what they say, and how they enter rooms.

use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::ids::{ActorId, PartyId, PlayerId, RoomId};
use holdfast_protocol::server::OnLeaderLeft;
use serde_json::{Value, json};

use super::world::{Sent, World, join, strike};
use crate::actor::contract::{Message, Origin};
use crate::game::fellowship::INVITATIONS_MAX;
use crate::game::pack;
use crate::game::party::{INVITED_MAX, MEMBERS_MAX, PartyEvent, READY_MS};
use crate::game::tells::ToPlayer;
use crate::game::tells::party::{Change, FromParty, Info, News};

pub fn create(then: OnLeaderLeft) -> Verb {
    Verb::PartyCreate { name: "Heroes".into(), on_leader_left: then }
}

pub fn invite(player: &str) -> Verb {
    Verb::PartyInvite { player: PlayerId::new(player).unwrap() }
}

pub fn kick(player: &str) -> Verb {
    Verb::PartyKick { player: PlayerId::new(player).unwrap() }
}

pub fn accept(party: &str) -> Verb {
    Verb::PartyAccept { party_id: PartyId::new(party).unwrap() }
}

pub fn tell_all(text: &str) -> Verb {
    Verb::PartySay { text: text.into() }
}

pub fn enter(room: &str) -> Verb {
    Verb::PartyJoinRoom { room_id: RoomId::new(room).unwrap() }
}

/// The id of the party that the reply names.
fn id_of(reply: &Value) -> String {
    reply["party"]["party_id"].as_str().unwrap().to_owned()
}

/// A world whose players are all in one party, the first leads; and its id.
fn party(then: OnLeaderLeft, players: &[&str]) -> (World, String) {
    let mut world = World::with(players);
    let party = id_of(&world.act(players[0], create(then)).unwrap());
    for player in &players[1..] {
        world.act(players[0], invite(player)).unwrap();
        world.act(player, accept(&party)).unwrap();
    }
    for player in players {
        world.events(player);
    }
    (world, party)
}

/// What happened to parties, as `player` was told since the last time.
fn news(world: &mut World, player: &str) -> Vec<(String, Option<String>, Vec<String>)> {
    let events = world.events(player).into_iter().filter(|event| event["ev"] == "party");
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let members = |event: &Value| {
        let members = event["party"]["members"].as_array().cloned().unwrap_or_default();
        members.iter().filter_map(text).collect()
    };
    events.map(|e| (text(&e["what"]).unwrap(), text(&e["by"]), members(&e))).collect()
}

fn told(what: &str, by: &str, members: &[&str]) -> (String, Option<String>, Vec<String>) {
    let members = members.iter().map(|&member| member.to_owned()).collect();
    (what.to_owned(), (!by.is_empty()).then(|| by.to_owned()), members)
}

/// Members as the state of `player` shows them.
fn members(world: &mut World, player: &str) -> Vec<String> {
    let party = world.state(player).party;
    party.map_or(Vec::new(), |party| party.members.iter().map(ToString::to_string).collect())
}

fn room_of(world: &mut World, player: &str) -> Option<String> {
    world.state(player).current_room.map(|room| room.room_id.to_string())
}

/// The sentence that refuses a command.
fn sentence(world: &mut World, player: &str, verb: Verb) -> (String, String) {
    let reject = world.act(player, verb).unwrap_err();
    (reject.code.into_owned(), reject.message.into_owned())
}

#[test]
fn a_party_begins_invites_and_takes_in() {
    let mut world = World::with(&["a", "b"]);
    let reply = world.act("a", create(OnLeaderLeft::End)).unwrap();
    let party = id_of(&reply);
    let info = json!({"party_id": party, "name": "Heroes", "leader": "a", "members": ["a"],
        "on_leader_left": "end"});
    assert_eq!(reply, json!({"party": info}));
    assert_eq!(news(&mut world, "a"), [told("created", "a", &["a"])]);
    assert_eq!(sentence(&mut world, "a", create(OnLeaderLeft::End)).0, "bad_args");

    assert_eq!(world.act("a", invite("b")).unwrap(), json!({"party": info}));
    assert_eq!(world.act("a", invite("b")).unwrap(), json!({"party": info}), "again");
    assert_eq!(world.state("b").invitations.len(), 1);
    let invited = told("invited", "a", &["a"]);
    assert_eq!(news(&mut world, "b"), [invited.clone(), invited.clone()]);
    assert_eq!(news(&mut world, "a"), [invited.clone(), invited]);
    assert_eq!(world.seat("b").state.notices.len(), 0, "who is here needs no notice");

    let reply = world.act("b", accept(&party)).unwrap();
    assert_eq!(reply["party"]["members"], json!(["a", "b"]));
    for player in ["a", "b"] {
        assert_eq!(news(&mut world, player), [told("joined", "b", &["a", "b"])]);
        assert_eq!(members(&mut world, player), ["a", "b"]);
    }
    assert_eq!(world.state("b").invitations, []);
    assert_eq!(id_of(&world.act("b", accept(&party)).unwrap()), party, "again");
}

#[test]
fn who_may_not_is_refused() {
    let (mut world, party) = party(OnLeaderLeft::End, &["a", "b"]);
    world.hello("c");
    assert_eq!(sentence(&mut world, "a", invite("nobody")).0, "no_such_player");
    assert_eq!(sentence(&mut world, "a", invite("a")).0, "not_yourself");
    assert_eq!(sentence(&mut world, "a", kick("a")).0, "not_yourself");
    assert_eq!(sentence(&mut world, "a", invite("b")).0, "bad_args");
    assert_eq!(sentence(&mut world, "a", kick("c")).0, "no_such_player");
    for verb in [invite("c"), kick("a"), enter("r")] {
        assert_eq!(sentence(&mut world, "b", verb).0, "not_leader");
    }
    for verb in [invite("a"), kick("a"), tell_all("hm"), enter("r"), accept(&party)] {
        assert_eq!(sentence(&mut world, "c", verb).0, "no_such_party");
    }
    assert_eq!(world.act("c", Verb::PartyLeave {}).unwrap(), json!({"party": null}));
    let other = id_of(&world.act("c", create(OnLeaderLeft::End)).unwrap());
    world.act("c", invite("b")).unwrap();
    let (code, message) = sentence(&mut world, "b", accept(&other));
    assert_eq!((&*code, message.contains("leave it first")), ("bad_args", true));
    assert_eq!(members(&mut world, "b"), ["a", "b"]);
    assert_eq!(world.state("b").invitations.len(), 1, "for later");
}

#[test]
fn a_party_and_its_invitations_have_bounds() {
    let names: Vec<_> = (0..20).map(|n| format!("p{n:02}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let (mut world, party) = party(OnLeaderLeft::End, &names[..MEMBERS_MAX - 1]);
    let rest = &names[MEMBERS_MAX - 1..];
    for player in rest {
        world.hello(player);
    }
    for player in &rest[..INVITED_MAX] {
        world.act(names[0], invite(player)).unwrap();
    }
    assert_eq!(sentence(&mut world, names[0], invite(rest[INVITED_MAX])).0, "party_full");
    world.act(names[0], invite(rest[0])).unwrap();
    world.act(rest[0], accept(&party)).unwrap();
    assert_eq!(sentence(&mut world, rest[1], accept(&party)).0, "party_full");
    assert_eq!(world.state(rest[1]).party, None);
    assert_eq!(world.state(rest[1]).invitations.len(), 1, "there may be a place later");
    assert_eq!(sentence(&mut world, names[0], invite(rest[INVITED_MAX])).0, "party_full");
    world.act(names[0], kick(names[1])).unwrap();
    world.act(rest[1], accept(&party)).unwrap();
    assert_eq!(members(&mut world, rest[1]).len(), MEMBERS_MAX);
}

#[test]
fn the_oldest_invitation_gives_way() {
    let leaders: Vec<_> = (0..=INVITATIONS_MAX).map(|n| format!("l{n}")).collect();
    let mut world = World::with(&["z"]);
    let mut parties = Vec::new();
    for leader in &leaders {
        world.hello(leader);
        parties.push(id_of(&world.act(leader, create(OnLeaderLeft::End)).unwrap()));
        world.act(leader, invite("z")).unwrap();
    }
    let held = world.state("z").invitations;
    let held: Vec<_> = held.iter().map(|info| info.party_id.to_string()).collect();
    assert_eq!(held, parties[1..]);
    assert!(news(&mut world, "z").contains(&told("withdrawn", "", &[])));
    assert_eq!(sentence(&mut world, "z", accept(&parties[0])).0, "no_such_party");
    let first: ActorId = format!("party:{}", parties[0]).parse().unwrap();
    assert_eq!(world.other(&first)["invited"], json!([]), "the party knows it too");
    world.act(&leaders[0], invite("z")).unwrap();
    world.act("z", accept(&parties[0])).unwrap();
}

#[test]
fn an_invitation_waits_for_who_is_away_and_can_be_taken_back() {
    let mut world = World::with(&["a", "b"]);
    let party = id_of(&world.act("a", create(OnLeaderLeft::PassOn)).unwrap());
    world.act("b", Verb::Logout {}).unwrap();
    world.events("b");
    world.act("a", invite("b")).unwrap();
    let notices = world.state("b").pending_notifications;
    assert_eq!(notices[0].text, "a invites you to the party Heroes");
    world.hello("b");
    assert_eq!(world.state("b").invitations.len(), 1);
    news(&mut world, "b");
    world.act("a", kick("b")).unwrap();
    assert_eq!(news(&mut world, "b"), [told("withdrawn", "a", &[])]);
    assert_eq!(world.state("b").invitations, []);
    assert_eq!(sentence(&mut world, "b", accept(&party)).0, "no_such_party");

    // Taken back while the answer is on its way.
    world.act("a", invite("b")).unwrap();
    let sent = world.send("b", Origin::Session, accept(&party)).unwrap();
    world.send("a", Origin::Session, kick("b")).unwrap();
    while world.deliver_from("player:a") {}
    world.deliver();
    let Sent::Later(token) = sent else { panic!("{sent:?}") };
    let answer = world.seat("b").answers.remove(&token).unwrap();
    assert_eq!(answer.unwrap_err().code, "no_such_party");
    assert_eq!((world.state("b").party, world.state("b").invitations), (None, vec![]));
}

#[test]
fn a_leader_that_leaves_ends_the_party_or_passes_it_on() {
    let (mut world, _) = party(OnLeaderLeft::End, &["a", "b", "c"]);
    world.hello("d");
    world.act("a", invite("d")).unwrap();
    news(&mut world, "d");
    assert_eq!(world.act("a", Verb::PartyLeave {}).unwrap(), json!({"party": null}));
    for player in ["b", "c"] {
        assert_eq!(news(&mut world, player), [told("ended", "a", &[])]);
        assert_eq!(world.state(player).party, None);
    }
    assert_eq!(news(&mut world, "d"), [told("withdrawn", "", &[])]);
    assert!(world.others.is_empty(), "nothing is kept of it");

    let (mut world, party) = party(OnLeaderLeft::PassOn, &["a", "b", "c"]);
    world.act("a", Verb::PartyLeave {}).unwrap();
    assert_eq!(news(&mut world, "a"), [told("left", "a", &[])]);
    let then = [told("left", "a", &["b", "c"]), told("led", "b", &["b", "c"])];
    assert_eq!(news(&mut world, "c"), then);
    assert_eq!(world.state("c").party.unwrap().leader.as_str(), "b");
    world.act("b", invite("a")).unwrap();
    world.act("a", accept(&party)).unwrap();
    assert_eq!(members(&mut world, "a"), ["b", "c", "a"], "the last of them now");
    for player in ["c", "b", "a"] {
        world.act(player, Verb::PartyLeave {}).unwrap();
    }
    assert!(world.others.is_empty(), "it ended with its last member");
}

#[test]
fn who_is_sent_away_is_told() {
    let (mut world, party) = party(OnLeaderLeft::End, &["a", "b", "c"]);
    let reply = world.act("a", kick("b")).unwrap();
    assert_eq!(reply["party"]["members"], json!(["a", "c"]));
    assert_eq!(news(&mut world, "b"), [told("kicked", "b", &[])]);
    assert_eq!(news(&mut world, "c"), [told("kicked", "b", &["a", "c"])]);
    assert_eq!(world.state("b").party, None);
    assert_eq!(sentence(&mut world, "b", accept(&party)).0, "no_such_party");
}

#[test]
fn all_hear_what_is_said_and_nobody_else() {
    let (mut world, party) = party(OnLeaderLeft::End, &["a", "b", "c"]);
    world.hello("d");
    world.lose("c");
    assert_eq!(world.act("b", tell_all("hey")).unwrap()["party"]["party_id"], party.as_str());
    let said = json!({"ev": "say", "from": "b", "text": "hey", "party": party});
    assert_eq!(world.seat("a").passing, std::slice::from_ref(&said));
    assert_eq!(world.seat("b").passing, [said]);
    world.resume("c");
    for away in ["c", "d"] {
        assert_eq!(world.seat(away).passing, Vec::<Value>::new());
    }
}

#[test]
fn membership_outlasts_the_session() {
    let (mut world, party) = party(OnLeaderLeft::End, &["a", "b"]);
    world.act("b", Verb::Logout {}).unwrap();
    assert_eq!(members(&mut world, "b"), ["a", "b"]);
    world.hello("b");
    assert_eq!(world.state("b").party.unwrap().party_id.as_str(), party);
}

#[test]
fn all_enter_a_room_or_nobody() {
    let (mut world, _) = party(OnLeaderLeft::End, &["a", "b", "c"]);
    world.settings.room_capacity = 3;
    world.act("b", join("r")).unwrap();
    world.act("c", join("s")).unwrap();
    world.hello("d");
    world.act("d", join("r")).unwrap();
    let (code, message) = sentence(&mut world, "a", enter("r"));
    assert_eq!(code, "room_full");
    assert_eq!(message, "Room r has 1 free places, too few for all 3 of you");
    assert_eq!(world.members("r"), ["b", "d"]);
    assert_eq!(world.members("s"), ["c"], "who could not enter stays");
    world.act("d", Verb::LeaveRoom {}).unwrap();
    for player in ["a", "b", "c"] {
        world.events(player);
    }
    let reply = world.act("a", enter("r")).unwrap();
    assert_eq!(reply["party"]["members"], json!(["a", "b", "c"]));
    assert_eq!(world.members("r"), ["a", "b", "c"]);
    assert_eq!(world.members("s"), Vec::<String>::new(), "the former place was given back");
    for player in ["a", "b", "c"] {
        assert_eq!(room_of(&mut world, player).as_deref(), Some("r"));
        assert_eq!(news(&mut world, player), [told("entered", "a", &["a", "b", "c"])]);
        assert!(world.seat(player).state.joins.is_empty());
    }
    // Once more: they are there.
    world.act("a", enter("r")).unwrap();
    assert_eq!(world.members("r"), ["a", "b", "c"]);
}

#[test]
fn one_who_can_not_come_keeps_all_outside() {
    let (mut world, _) = party(OnLeaderLeft::End, &["a", "b", "c"]);
    world.act("b", Verb::Logout {}).unwrap();
    let (code, message) = sentence(&mut world, "a", enter("r"));
    assert_eq!((&*code, &*message), ("not_in_room", "b is offline; nobody entered"));
    world.hello("b");

    for player in ["b", "c"] {
        world.act(player, join("den")).unwrap();
    }
    for _ in 0..4 {
        world.act("c", strike(MoveType::Attack, Some("b"))).unwrap();
    }
    let (code, message) = sentence(&mut world, "a", enter("r"));
    assert_eq!((&*code, &*message), ("defeated", "b is defeated; nobody entered"));
    assert_eq!(world.members("r"), Vec::<String>::new());
    for player in ["a", "b", "c"] {
        assert!(world.seat(player).state.joins.is_empty(), "{player} waits for nothing");
    }
    world.pass(world.settings.recover_after_ms);
    world.act("a", enter("r")).unwrap();
    assert_eq!(world.members("r").len(), 3);
}

#[test]
fn a_silent_member_keeps_all_outside() {
    let (mut world, _) = party(OnLeaderLeft::End, &["a", "b"]);
    let sent = world.send("a", Origin::Session, enter("r")).unwrap();
    world.deliver_from("player:a");
    while world.deliver_to("player:a") || world.deliver_from("player:a") {}
    assert_eq!(world.seat("a").state.joins.len(), 1, "a is ready");
    let again = world.send("a", Origin::Owner, enter("r")).unwrap();
    world.deliver_from("player:a");
    world.pass_alone(READY_MS);
    while world.deliver_to("player:a") {}
    let answers = [sent, again].map(|sent| match sent {
        Sent::Later(token) => world.seat("a").answers.remove(&token).unwrap().unwrap_err(),
        other => panic!("{other:?}"),
    });
    assert_eq!(answers[0].message, "b did not answer in time; nobody entered");
    assert_eq!(answers[1].code, "too_many_in_flight");
    assert!(world.seat("a").state.joins.is_empty(), "a waits no more");
    world.deliver();
    assert!(world.seat("b").state.joins.is_empty(), "nor does b");
    assert_eq!(world.members("r"), Vec::<String>::new());
}

#[test]
fn a_member_with_other_plans_is_heard() {
    for plan in [join("s"), Verb::LeaveRoom {}, Verb::Logout {}, Verb::PartyLeave {}] {
        let (mut world, _) = party(OnLeaderLeft::End, &["a", "b", "c"]);
        let sent = world.send("a", Origin::Session, enter("r")).unwrap();
        world.deliver_from("player:a");
        world.deliver_to("player:b");
        assert_eq!(world.seat("b").state.joins.len(), 1, "b is ready");
        world.send("b", Origin::Session, plan.clone()).unwrap();
        world.deliver();
        let Sent::Later(token) = sent else { panic!("{sent:?}") };
        let reject = world.seat("a").answers.remove(&token).unwrap().unwrap_err();
        assert!(reject.message.contains('b'), "{plan:?}: {reject:?}");
        assert_eq!(world.members("r"), Vec::<String>::new(), "{plan:?}");
        assert_eq!(world.members("s").len(), usize::from(plan == join("s")));
    }
}

#[test]
fn a_party_that_knows_nothing_of_a_member_is_believed() {
    let (mut world, party) = party(OnLeaderLeft::End, &["a", "b", "c"]);
    let id: ActorId = format!("party:{party}").parse().unwrap();
    // The party's store went back to before b and c had joined.
    for player in ["b", "c"] {
        let party = world.others.get_mut(&id).unwrap();
        let left = PartyEvent::Left { player: player.into(), revision: 1 };
        party.behaviour.replay(&pack(&left)).unwrap();
    }
    assert_eq!(sentence(&mut world, "b", tell_all("hm")).0, "no_such_party");
    assert_eq!(world.state("b").party, None);
    world.lose("c");
    world.resume("c");
    assert_eq!(world.state("c").party, None, "whoever comes back asks");
    // It is gone altogether.
    world.others.clear();
    assert_eq!(sentence(&mut world, "a", invite("b")).0, "no_such_party");
    assert_eq!(world.state("a").party, None);
    assert_eq!(news(&mut world, "a").last(), Some(&told("ended", "", &[])));
    world.act("a", create(OnLeaderLeft::End)).unwrap();
}

#[test]
fn a_player_that_knows_nothing_of_a_party_is_dropped() {
    let (mut world, party) = party(OnLeaderLeft::PassOn, &["a", "b", "c"]);
    // The store of b went back to before b had joined, c's lost c.
    let id: ActorId = format!("party:{party}").parse().unwrap();
    let news = News { what: Change::Left, by: "b".into() };
    let payload = pack(&ToPlayer::Party(FromParty::Out(news)));
    world.message("b", &Message::Tell { from: &id, payload: &payload }).unwrap();
    world.players.remove("c");
    assert_eq!(world.other(&id)["members"], json!(["a", "b", "c"]));
    world.act("a", tell_all("who is there?")).unwrap();
    world.hello("d");
    world.act("a", invite("d")).unwrap();
    world.act("d", accept(&party)).unwrap();
    assert_eq!(world.other(&id)["members"], json!(["a", "d"]));
    assert_eq!(members(&mut world, "a"), ["a", "d"]);
}

#[test]
fn an_older_word_never_replaces_a_newer_one() {
    let (mut world, party) = party(OnLeaderLeft::End, &["a", "b"]);
    let id: ActorId = format!("party:{party}").parse().unwrap();
    let say = |world: &mut World, revision, members: &[&str]| {
        let members = members.iter().map(|&member| member.into()).collect();
        let (key, name) = (party.as_str().into(), "Heroes".into());
        let info = Info { id: key, revision, name, passes_on: false, members };
        let payload = pack(&ToPlayer::Party(FromParty::Info { info, news: vec![], token: None }));
        world.message("b", &Message::Tell { from: &id, payload: &payload }).unwrap();
    };
    say(&mut world, u64::MAX - 1, &["a", "b", "c"]);
    say(&mut world, u64::MAX - 2, &["a", "b"]);
    assert_eq!(members(&mut world, "b"), ["a", "b", "c"]);
    // The party itself has forgotten how far it was; it goes on from what its member knows.
    world.lose("b");
    world.resume("b");
    assert_eq!(members(&mut world, "b"), ["a", "b"]);
}

#[test]
fn who_has_nothing_to_do_with_parties_keeps_nothing_of_them() {
    let (mut world, _) = party(OnLeaderLeft::End, &["a", "b"]);
    assert!(world.seat("b").state.fellowship.is_some());
    world.act("a", Verb::PartyLeave {}).unwrap();
    for player in ["a", "b"] {
        let state = &world.seat(player).state;
        assert_eq!(state.fellowship, None);
        let saved = String::from_utf8_lossy(&pack(state)).into_owned();
        assert!(!saved.contains("fellowship"), "nor does a snapshot");
    }
}

#[test]
fn an_invitation_that_was_taken_up_and_left_at_once_is_gone() {
    let (mut world, party) = party(OnLeaderLeft::End, &["a"]);
    world.hello("b");
    world.act("a", invite("b")).unwrap();
    let sent = world.send("b", Origin::Owner, accept(&party)).unwrap();
    world.send("b", Origin::Owner, Verb::PartyLeave {}).unwrap();
    world.deliver();
    let Sent::Later(token) = sent else { panic!("{sent:?}") };
    assert_eq!(world.seat("b").answers.remove(&token), Some(Ok(json!({"party": null}))));
    assert_eq!((world.state("b").party, world.state("b").invitations), (None, vec![]));
    assert_eq!(members(&mut world, "a"), ["a"]);
}
