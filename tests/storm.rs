//! A crowd of random players that plays on through whatever a test does to the servers, and what
//! must hold afterwards: every acknowledged command counts exactly once, none by half.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast_protocol::client::Verb;
use holdfast_protocol::ids::{PlayerId, RoomId};
use holdfast_protocol::server::{PlayerState, RoomsBody, TopBody, WhoBody};
use loadtest::bot::Bot;
use loadtest::expect::Expected;
use loadtest::player::{RandomPlayer, World};
use loadtest::scenario::{Pace, Tally, play};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::{PATIENCE, eventually};

/// Players who share their rooms.
const GROUP: usize = 20;
/// A group has two rooms, which together hold fewer than all of it wants at times.
pub const CAPACITY: &str = "12";

/// One player at the end of the storm.
pub struct Survivor {
    pub bot: Bot,
    pub name: String,
    pub tally: Tally,
    pub expected: Expected,
    pub state: PlayerState,
}

pub fn name(player: usize) -> String {
    format!("p{player:03}")
}

fn world(player: usize) -> World {
    let group = player / GROUP;
    let mates = (group * GROUP..(group + 1) * GROUP).filter(|mate| *mate != player);
    World {
        players: mates.map(|mate| name(mate).parse().unwrap()).collect(),
        rooms: ["a", "b"].map(|side| format!("den-{group}-{side}").parse().unwrap()).to_vec(),
    }
}

/// Players on their way.
pub struct Storm {
    stop: watch::Sender<bool>,
    players: JoinSet<Survivor>,
}

impl Storm {
    /// Sends everybody in, spread over the gateways; each knows all of them.
    pub async fn begin(players: usize, gateways: &[String], seed: u64, pace: Pace) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut crowd = JoinSet::new();
        for player in 0..players {
            let home = player % gateways.len();
            let mut bot = Bot::enter(&gateways[home], &name(player), None).await.unwrap();
            let others = (1..gateways.len()).map(|n| gateways[(home + n) % gateways.len()].clone());
            bot.know(others);
            bot.patience = Duration::from_secs(30);
            bot.open_patience = pace.silence.unwrap_or(bot.open_patience);
            let mut random = RandomPlayer::new(seed.wrapping_add(player as u64), world(player));
            let stopped = stopped.clone();
            crowd.spawn(async move {
                let tally = play(&mut bot, &mut random, pace, stopped).await;
                let tally = tally.unwrap_or_else(|error| panic!("{}: {error}", name(player)));
                survive(bot, name(player), tally).await
            });
        }
        Self { stop, players: crowd }
    }

    /// Stops everybody, until every command has an outcome.
    pub async fn end(self) -> Vec<Survivor> {
        self.stop.send(true).unwrap();
        let mut survivors = self.players.join_all().await;
        survivors.sort_by(|a, b| a.name.cmp(&b.name));
        // Who ended early was still struck by who ended late.
        for survivor in &mut survivors {
            survivor.bot.patience = PATIENCE;
            survivor.state = ask_state(&mut survivor.bot, &survivor.name).await;
        }
        survivors
    }
}

/// A player's whole state, whatever the last fault still does to its socket. What was pushed before
/// it has arrived by then.
async fn ask_state(bot: &mut Bot, name: &str) -> PlayerState {
    loop {
        match bot.query(Verb::GetState {}).await {
            Ok(state) => return state,
            Err(error) if error.is_lost() => drop(bot.resume_within(PATIENCE).await.unwrap()),
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

async fn survive(mut bot: Bot, name: String, tally: Tally) -> Survivor {
    let state = ask_state(&mut bot, &name).await;
    let expected = Expected::of(bot.ledger()).unwrap_or_else(|odd| panic!("{name}: {odd}"));
    Survivor { bot, name, tally, expected, state }
}

/// Everything acknowledged counts once, in a player's own state.
pub fn check_own_state(survivor: &Survivor) {
    let Survivor { bot, name, expected, state, .. } = survivor;
    let odd = expected.differences(state);
    assert!(odd.is_empty(), "{name}: {odd:?}");
    assert!(state.health <= state.max_health, "{name} has {} health", state.health);
    // What events told, folded, is what a query says.
    let told = bot.state().unwrap();
    let facts = |state: &PlayerState| {
        let room = state.current_room.as_ref().map(|room| room.room_id.clone());
        let mut items = state.inventory.clone();
        items.sort_by(|a, b| a.item_id.cmp(&b.item_id));
        (state.xp, state.level, state.score, state.gold, room, items)
    };
    assert_eq!(facts(told), facts(state), "{name}: events and query differ");
}

/// A blow that its striker was told of is one that its target was told of, in the same order.
pub fn check_blows(survivors: &[Survivor]) {
    let mut whole = 0;
    let mut struck: BTreeMap<(&PlayerId, &str), Vec<u64>> = BTreeMap::new();
    for striker in survivors {
        for blow in &striker.expected.blows {
            struck.entry((&blow.target, &*striker.name)).or_default().push(blow.damage);
        }
    }
    for target in survivors.iter().filter(|target| target.bot.mirror().resyncs == 0) {
        whole += 1;
        let me = &target.state.player_id;
        let mut felt: BTreeMap<(&PlayerId, &str), Vec<u64>> = BTreeMap::new();
        for (_, combat) in target.bot.mirror().combats() {
            if combat.target.as_ref() == Some(me) && combat.damage > 0 {
                felt.entry((me, combat.by.as_str())).or_default().push(combat.damage);
            }
        }
        let mine = struck.iter().filter(|((target, _), _)| *target == me);
        let mine = mine.map(|(key, damages)| (*key, damages.clone())).collect();
        assert_eq!(felt, mine, "blows that {me} felt, and blows that others were told of");
        let told = target.bot.mirror().notices();
        let told = told.filter(|(_, notice)| notice.text.contains(" attacked you for ")).count();
        let blows: usize = felt.values().map(Vec::len).sum();
        assert_eq!(told, blows, "notices of {me}");
    }
    assert!(whole > survivors.len() / 2, "only {whole} players saw every event");
}

/// Fights move no gold.
pub fn check_gold(survivors: &[Survivor]) {
    let gold: u64 = survivors.iter().map(|survivor| survivor.state.gold).sum();
    assert_eq!(gold, 100 * survivors.len() as u64, "gold was made or lost");
}

/// Everybody is where the last acknowledged join says, and in no other room.
pub async fn check_rooms(survivors: &mut [Survivor]) {
    let mut members: BTreeMap<RoomId, BTreeSet<String>> = BTreeMap::new();
    for survivor in &*survivors {
        if let Some(room) = &survivor.expected.room {
            members.entry(room.clone()).or_default().insert(survivor.name.clone());
        }
    }
    let counts: BTreeMap<_, _> =
        members.iter().map(|(room, names)| (room.clone(), names.len())).collect();
    let who: BTreeSet<_> =
        survivors.iter().map(|s| (s.name.clone(), s.expected.room.clone())).collect();
    // A gateway knows its own players and the rooms that they are in: one asks at each.
    let mut asked = BTreeSet::new();
    let mut askers: Vec<_> =
        survivors.iter_mut().filter(|s| asked.insert(s.bot.url().to_owned())).collect();
    eventually("rooms and who to agree with the players", PATIENCE, async || {
        let (mut rooms, mut seen) = (BTreeMap::new(), BTreeSet::new());
        for asker in &mut askers {
            let body: RoomsBody = asker.bot.query(Verb::Rooms {}).await.unwrap();
            let full = body.rooms.into_iter().filter(|room| room.player_count > 0);
            rooms.extend(full.map(|room| (room.room_id, room.player_count as usize)));
            let body: WhoBody = asker.bot.query(Verb::Who {}).await.unwrap();
            seen.extend(body.players.into_iter().map(|row| (row.player.to_string(), row.room)));
        }
        (rooms == counts && seen == who).then_some(())
    })
    .await;
    for (room, names) in members {
        let inside = survivors.iter_mut().find(|s| s.expected.room.as_ref() == Some(&room));
        let bot = &mut inside.unwrap().bot;
        let what = format!("the roster of {room} to be {names:?}");
        let roster = |bot: &Bot| {
            let rows = bot.mirror().room.roster.values();
            rows.map(|(player, _)| player.to_string()).collect::<BTreeSet<_>>()
        };
        bot.wait_for(&what, |bot| roster(bot) == names).await.unwrap();
    }
}

/// The activities that carry scores have all ended, kills or not.
pub async fn check_leaderboard(survivors: &mut [Survivor]) {
    let mut best: Vec<_> = survivors.iter().map(|s| (s.expected.score, s.name.clone())).collect();
    best.sort_by(|(a, a_name), (b, b_name)| b.cmp(a).then(a_name.cmp(b_name)));
    let best: Vec<_> = best.into_iter().take(10).collect();
    let asker = &mut survivors[0].bot;
    eventually("the ten best on the leaderboard", PATIENCE, async || {
        let top: TopBody = asker.query(Verb::Top {}).await.unwrap();
        let top: Vec<_> =
            top.top.into_iter().map(|row| (row.score, row.player.to_string())).collect();
        (top.get(..10) == Some(&best[..])).then_some(())
    })
    .await;
}
