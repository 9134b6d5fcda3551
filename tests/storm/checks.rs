//! What must hold after a storm: in each player's own state, between any two players, and in the
//! views that all share.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_protocol::client::Verb;
use holdfast_protocol::ids::{PlayerId, RoomId};
use holdfast_protocol::server::{PlayerState, RoomsBody, TopBody, WhoBody};
use loadtest::bot::{Bot, Error};

use super::findings::Findings;
use super::{Crowd, Survivor};
use crate::support::{PATIENCE, within};

/// Gold that everybody begins with.
const GOLD: u64 = 100;

/// Blows by target and striker, in order.
type Blows<'a> = BTreeMap<(&'a PlayerId, &'a str), Vec<u64>>;

impl Crowd {
    /// Everything that must hold once a storm is over, wherever each player ended up.
    pub async fn check(&mut self) {
        let Self { survivors, findings, broken } = self;
        for survivor in &*survivors {
            check_own_state(survivor, findings);
        }
        check_blows(survivors, findings);
        if *broken > 0 {
            findings.say(format!("{broken} players broke off, so what all share is not checked"));
            return;
        }
        check_gold(survivors, findings);
        check_rooms(survivors, findings).await;
        if let Err(error) = check_leaderboard(survivors, findings).await {
            findings.add("the leaderboard", error.into());
        }
    }
}

/// Everything acknowledged counts once, in a player's own state.
fn check_own_state(survivor: &Survivor, findings: &mut Findings) {
    let Survivor { bot, name, expected, state, .. } = survivor;
    findings.compare_state(name, expected, state);
    // What events told, folded, is what a query says.
    let facts = |state: &PlayerState| {
        let room = state.current_room.as_ref().map(|room| room.room_id.clone());
        let mut items = state.inventory.clone();
        items.sort_by(|a, b| a.item_id.cmp(&b.item_id));
        (state.xp, state.level, state.score, state.gold, room, items)
    };
    match bot.state() {
        Ok(told) if facts(told) == facts(state) => {}
        told => findings.say(format!("{name}: events told {told:?}, a query {state:?}")),
    }
}

/// A blow that its striker was told of is one that its target was told of, in the same order.
fn check_blows(survivors: &[Survivor], findings: &mut Findings) {
    let strikers: BTreeSet<_> = survivors.iter().map(|striker| &*striker.name).collect();
    let mut struck = Blows::new();
    for striker in survivors {
        for blow in &striker.expected.blows {
            struck.entry((&blow.target, &*striker.name)).or_default().push(blow.damage);
        }
    }
    let whole: Vec<_> = survivors.iter().filter(|s| s.bot.mirror().resyncs == 0).collect();
    for target in &whole {
        let me = &target.state.player_id;
        let (mut felt, mut blows) = (Blows::new(), 0);
        for (_, combat) in target.bot.mirror().combats() {
            if combat.target.as_ref() != Some(me) || combat.damage == 0 {
                continue;
            }
            blows += 1;
            let by = combat.by.as_str();
            if strikers.contains(by) {
                felt.entry((me, by)).or_default().push(combat.damage);
            }
        }
        let mine = struck.iter().filter(|((target, _), _)| *target == me);
        let mine: Blows<'_> = mine.map(|(key, damages)| (*key, damages.clone())).collect();
        compare_blows(&mine, &felt, findings);
        let told = target.bot.mirror().notices();
        let told = told.filter(|(_, notice)| notice.text.contains(" attacked you for ")).count();
        findings.compare(format!("notices of {me}"), blows, told as u64);
    }
    if whole.len() * 2 <= survivors.len() {
        findings.say(format!("only {} players saw every event", whole.len()));
    }
}

/// Compares the blows that strikers were told of with those that their target felt.
fn compare_blows(struck: &Blows<'_>, felt: &Blows<'_>, findings: &mut Findings) {
    let pairs: BTreeSet<_> = struck.keys().chain(felt.keys()).collect();
    for pair in pairs {
        let of = |blows: &Blows<'_>| blows.get(pair).cloned().unwrap_or_default();
        let (mut struck, mut felt) = (of(struck), of(felt));
        let what = format!("blows at {} by {}", pair.0, pair.1);
        if struck != felt {
            findings.say(format!("{what}: {felt:?}, not {struck:?}"));
        }
        struck.sort_unstable();
        felt.sort_unstable();
        for damage in struck.iter().chain(&felt).collect::<BTreeSet<_>>() {
            let count = |blows: &[u64]| blows.iter().filter(|blow| *blow == damage).count() as u64;
            findings.compare(format!("{what} for {damage}"), count(&struck), count(&felt));
        }
    }
}

/// Fights move gold from one to another, and neither make nor lose any.
fn check_gold(survivors: &[Survivor], findings: &mut Findings) {
    let gold: u64 = survivors.iter().map(|survivor| survivor.state.gold).sum();
    findings.compare("gold", GOLD * survivors.len() as u64, gold);
}

/// Who is where, as one sees it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Places {
    counts: BTreeMap<RoomId, u64>,
    who: BTreeSet<(String, Option<RoomId>)>,
}

impl Places {
    fn expected(survivors: &[Survivor]) -> Self {
        let mut places = Self::default();
        for survivor in survivors {
            let room = &survivor.expected.room;
            if let Some(room) = room {
                *places.counts.entry(room.clone()).or_default() += 1;
            }
            places.who.insert((survivor.name.clone(), room.clone()));
        }
        places
    }

    /// A gateway knows its own players and the rooms that they are in: one asks at each.
    async fn seen(askers: &mut [&mut Survivor]) -> Result<Self, Error> {
        let mut places = Self::default();
        for asker in askers {
            let body: RoomsBody = asker.bot.query(Verb::Rooms {}).await?;
            let full = body.rooms.into_iter().filter(|room| room.player_count > 0);
            places.counts.extend(full.map(|room| (room.room_id, room.player_count.into())));
            let body: WhoBody = asker.bot.query(Verb::Who {}).await?;
            let rows = body.players.into_iter().map(|row| (row.player.to_string(), row.room));
            places.who.extend(rows);
        }
        Ok(places)
    }

    fn compare(&self, seen: &Self, findings: &mut Findings) {
        for room in self.counts.keys().chain(seen.counts.keys()).collect::<BTreeSet<_>>() {
            let count = |places: &Self| places.counts.get(room).copied().unwrap_or(0);
            findings.compare(format!("players in {room}"), count(self), count(seen));
        }
        for (name, room) in self.who.difference(&seen.who) {
            findings.lose(format!("nobody sees {name} in {room:?}"));
        }
        for (name, room) in seen.who.difference(&self.who) {
            findings.double(format!("{name} is seen in {room:?}"));
        }
    }
}

/// Everybody is where the last acknowledged join says, and in no other room.
async fn check_rooms(survivors: &mut [Survivor], findings: &mut Findings) {
    let expected = Places::expected(survivors);
    let mut asked = BTreeSet::new();
    let mut askers: Vec<_> =
        survivors.iter_mut().filter(|s| asked.insert(s.bot.url().to_owned())).collect();
    let mut last = Ok(Places::default());
    let agreed = within(PATIENCE, async || {
        last = Places::seen(&mut askers).await;
        last.as_ref().is_ok_and(|seen| *seen == expected).then_some(())
    });
    let agreed = agreed.await;
    match last {
        Ok(seen) if agreed.is_none() => expected.compare(&seen, findings),
        Ok(_) => check_rosters(survivors, &expected, findings).await,
        Err(error) => findings.add("rooms", error.into()),
    }
}

/// Those in a room see each other.
async fn check_rosters(survivors: &mut [Survivor], places: &Places, findings: &mut Findings) {
    for room in places.counts.keys() {
        let inside = places.who.iter().filter(|(_, place)| place.as_ref() == Some(room));
        let names: BTreeSet<_> = inside.map(|(name, _)| name.clone()).collect();
        let one = survivors.iter_mut().find(|s| s.expected.room.as_ref() == Some(room));
        let Some(Survivor { bot, .. }) = one else { continue };
        let roster = |bot: &Bot| {
            let rows = bot.mirror().room.roster.values();
            rows.map(|(player, _)| player.to_string()).collect::<BTreeSet<_>>()
        };
        let what = format!("the roster of {room} to be {names:?}");
        if let Err(error) = bot.wait_for(&what, |bot| roster(bot) == names).await {
            findings.say(format!("{error}; it is {:?}", roster(bot)));
        }
    }
}

/// The activities that carry scores have all ended, faults or not.
async fn check_leaderboard(
    survivors: &mut [Survivor],
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut best: Vec<_> = survivors.iter().map(|s| (s.expected.score, s.name.clone())).collect();
    best.sort_by(|(a, a_name), (b, b_name)| b.cmp(a).then(a_name.cmp(b_name)));
    best.truncate(10);
    let Some(Survivor { bot, .. }) = survivors.first_mut() else { return Ok(()) };
    let mut last = Ok(Vec::new());
    let agreed = within(PATIENCE, async || {
        last = bot.query(Verb::Top {}).await.map(|body: TopBody| {
            let rows = body.top.into_iter().map(|row| (row.score, row.player.to_string()));
            rows.take(best.len()).collect()
        });
        last.as_ref().is_ok_and(|top| *top == best).then_some(())
    });
    if agreed.await.is_some() {
        return Ok(());
    }
    let top = last?;
    for (score, name) in &best {
        match top.iter().find(|(_, shown)| shown == name) {
            Some((shown, _)) if shown < score => findings.lose(format!("{name} has {shown} there")),
            Some((shown, _)) if shown > score => {
                findings.double(format!("{name} has {shown} there"));
            }
            Some(_) => {}
            None => findings.lose(format!("{name} is not among the ten best")),
        }
    }
    findings.say(format!("the ten best are {top:?}, not {best:?}"));
    Ok(())
}

#[test]
fn blows_are_compared_one_by_one() {
    let alice: PlayerId = "alice".parse().unwrap();
    let blows = |damages: &[u64]| Blows::from([((&alice, "bob"), damages.to_vec())]);
    let compared = |struck: &[u64], felt: &[u64]| {
        let mut found = Findings::default();
        compare_blows(&blows(struck), &blows(felt), &mut found);
        (found.lost, found.doubled, found.is_none())
    };
    assert_eq!(compared(&[25, 40, 25], &[25, 40, 25]), (0, 0, true));
    assert_eq!(compared(&[25, 40, 25], &[25, 40]), (1, 0, false));
    assert_eq!(compared(&[25, 40], &[25, 40, 40]), (0, 1, false));
    assert_eq!(compared(&[25, 40], &[40, 25]), (0, 0, false), "the order is another");
}

#[test]
fn places_are_compared_player_by_player() {
    let den: RoomId = "den".parse().unwrap();
    let places = |names: &[(&str, bool)]| {
        let mut places = Places::default();
        for (name, inside) in names {
            places.who.insert(((*name).to_owned(), inside.then(|| den.clone())));
            if *inside {
                *places.counts.entry(den.clone()).or_default() += 1;
            }
        }
        places
    };
    let compared = |seen: &[(&str, bool)]| {
        let mut found = Findings::default();
        places(&[("a", true), ("b", false)]).compare(&places(seen), &mut found);
        (found.lost, found.doubled)
    };
    assert_eq!(compared(&[("b", false), ("a", true)]), (0, 0));
    assert_eq!(compared(&[("b", false)]), (2, 0), "from the room, and from who is there");
    assert_eq!(compared(&[("a", true), ("b", false), ("b", true)]), (0, 2));
}
