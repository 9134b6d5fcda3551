//! Parties over real sockets: what their members see, and that a killed gateway loses nothing.

use holdfast_protocol::client::Verb;
use holdfast_protocol::ids::PartyId;
use holdfast_protocol::server::{
    Event, OnLeaderLeft, PartyBody, PartyChange, PartyInfo, PlayerState, RoomsBody,
};
use loadtest::bot::Bot;

use crate::support::gateways::Gateways;
use crate::support::redis::{Aof, Redis};
use crate::support::{Options, PATIENCE, Server, eventually};

fn create(then: OnLeaderLeft) -> Verb {
    Verb::PartyCreate { name: "Heroes".to_owned(), on_leader_left: then }
}

fn invite(player: &str) -> Verb {
    Verb::PartyInvite { player: player.parse().unwrap() }
}

fn enter(room: &str) -> Verb {
    Verb::PartyJoinRoom { room_id: room.parse().unwrap() }
}

async fn party(bot: &mut Bot, verb: Verb) -> Option<PartyInfo> {
    bot.query::<PartyBody>(verb).await.unwrap().party
}

async fn refusal(bot: &mut Bot, verb: Verb) -> String {
    bot.command(verb).await.unwrap().result.unwrap_err().code.to_string()
}

fn members(info: &PartyInfo) -> Vec<&str> {
    info.members.iter().map(|member| member.as_str()).collect()
}

/// What the bot's session was told of parties.
fn news(bot: &Bot) -> Vec<(PartyChange, Option<String>)> {
    let events = bot.mirror().frames.iter().flat_map(|frame| &frame.evs);
    let events = events.filter_map(|event| match event {
        Event::Party(party) => Some((party.what, party.by.as_ref().map(ToString::to_string))),
        _ => None,
    });
    events.collect()
}

async fn hears(bot: &mut Bot, what: PartyChange, by: &str) {
    let told = |bot: &Bot| news(bot).contains(&(what, Some(by.to_owned())));
    bot.wait_for(&format!("{what:?} by {by}"), told).await.unwrap();
}

/// The members that the bot's own state shows, as soon as they are these.
async fn sees_members(bot: &mut Bot, expected: &[&str]) {
    let is_so = |bot: &Bot| {
        let party = bot.state().ok().and_then(|state| state.party.as_ref());
        party.map_or(expected.is_empty(), |info| members(info) == expected)
    };
    bot.wait_for(&format!("the members {expected:?}"), is_so).await.unwrap();
    let state: PlayerState = bot.query(Verb::GetState {}).await.unwrap();
    assert_eq!(state.party.as_ref().map_or(Vec::new(), members), expected);
}

/// The first one's party, with all the others in it.
async fn gather(bots: &mut [&mut Bot], then: OnLeaderLeft) -> PartyId {
    let id = party(bots[0], create(then)).await.unwrap().party_id;
    for n in 1..bots.len() {
        let name = bots[n].state().unwrap().player_id.clone();
        party(bots[0], invite(name.as_str())).await.unwrap();
        hears(bots[n], PartyChange::Invited, bots[0].state().unwrap().player_id.clone().as_str())
            .await;
        let joined = party(bots[n], Verb::PartyAccept { party_id: id.clone() }).await.unwrap();
        assert_eq!(joined.members.len(), n + 1);
    }
    id
}

async fn are_in(server: &Server, room: &str, players: &[&str]) {
    for player in players {
        eventually(&format!("{player} in {room}"), PATIENCE, async || {
            let page = server.player(player).await;
            (page["current_room"]["room_id"] == room).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_speaks_enters_and_ends_and_a_kill_loses_nothing() {
    let options = Options::default().with(&["--room-capacity", "3"]);
    let mut server = Server::start_with(options).await;
    let mut bots = Vec::new();
    for name in ["alice", "bob", "carol", "dave"] {
        bots.push(Bot::enter(&server.ws(), name, None).await.unwrap());
    }
    let [mut alice, mut bob, mut carol, mut dave] = <[Bot; 4]>::try_from(bots).ok().unwrap();
    let id = gather(&mut [&mut alice, &mut bob, &mut carol], OnLeaderLeft::PassOn).await;
    assert_eq!(refusal(&mut alice, invite("nobody")).await, "no_such_player");
    assert_eq!(refusal(&mut bob, invite("dave")).await, "not_leader");
    assert_eq!(
        refusal(&mut dave, Verb::PartyAccept { party_id: id.clone() }).await,
        "no_such_party"
    );

    let text = "to the den".to_owned();
    party(&mut bob, Verb::PartySay { text: text.clone() }).await.unwrap();
    for bot in [&mut alice, &mut bob, &mut carol] {
        let said = |bot: &Bot| {
            let says = &bot.mirror().says;
            says.iter().any(|say| say.text == text && say.party.as_deref() == Some(id.as_str()))
        };
        bot.wait_for("what bob said", said).await.unwrap();
    }
    assert!(dave.mirror().says.is_empty());

    // All or nobody.
    dave.command(crate::scenario::join("den")).await.unwrap().result.unwrap();
    assert_eq!(refusal(&mut alice, enter("den")).await, "room_full");
    let rooms: RoomsBody = dave.query(Verb::Rooms {}).await.unwrap();
    assert_eq!(rooms.rooms.iter().map(|room| room.player_count).collect::<Vec<_>>(), [1]);
    dave.command(Verb::LeaveRoom {}).await.unwrap().result.unwrap();

    // The gateway dies on their way; the command is repeated under its id.
    let on_its_way = alice.send(enter("den")).await.unwrap();
    server.crash().await;
    for bot in [&mut alice, &mut bob, &mut carol] {
        bot.resume_within(PATIENCE).await.unwrap();
    }
    let answer = alice.reply(on_its_way).await.unwrap();
    // Someone may have been silent for too long while the gateway was down.
    if answer.result.is_err() {
        party(&mut alice, enter("den")).await.unwrap();
    }
    are_in(&server, "den", &["alice", "bob", "carol"]).await;
    hears(&mut carol, PartyChange::Entered, "alice").await;

    party(&mut alice, Verb::PartyLeave {}).await;
    server.crash().await;
    for bot in [&mut alice, &mut bob, &mut carol] {
        bot.resume_within(PATIENCE).await.unwrap();
    }
    sees_members(&mut alice, &[]).await;
    for bot in [&mut bob, &mut carol] {
        hears(bot, PartyChange::Led, "bob").await;
        sees_members(bot, &["bob", "carol"]).await;
    }
    party(&mut carol, Verb::PartyLeave {}).await;
    sees_members(&mut bob, &["bob"]).await;
    party(&mut bob, Verb::PartyLeave {}).await;
    assert_eq!(refusal(&mut bob, Verb::PartySay { text }).await, "no_such_party");
}

/// Members on two gateways over Redis; the leader's dies, and the leader goes on at the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_party_survives_the_gateway_of_its_leader() {
    let redis = Redis::single(Aof::EverySecond).await;
    let mut gateways = Gateways::start(2, |_| redis.url(), Options::default()).await;
    let [one, two] = [gateways.all[0].ws(), gateways.all[1].ws()];
    let mut alice = Bot::enter(&one, "alice", None).await.unwrap();
    alice.know([two.clone()]);
    let mut bob = Bot::enter(&two, "bob", None).await.unwrap();
    let mut carol = Bot::enter(&two, "carol", None).await.unwrap();
    gather(&mut [&mut alice, &mut bob, &mut carol], OnLeaderLeft::End).await;
    let on_its_way = alice.send(enter("den")).await.unwrap();
    gateways.all[0].kill().await;
    alice.resume_within(PATIENCE).await.unwrap();
    let answer = alice.reply(on_its_way).await.unwrap();
    if answer.result.is_err() {
        party(&mut alice, enter("den")).await.unwrap();
    }
    for bot in [&mut alice, &mut bob, &mut carol] {
        let there = |bot: &Bot| bot.state().is_ok_and(|state| state.current_room.is_some());
        bot.wait_for("the den", there).await.unwrap();
        hears(bot, PartyChange::Entered, "alice").await;
        sees_members(bot, &["alice", "bob", "carol"]).await;
    }
    party(&mut alice, Verb::PartyLeave {}).await;
    for bot in [&mut bob, &mut carol] {
        hears(bot, PartyChange::Ended, "alice").await;
        sees_members(bot, &[]).await;
    }
}
