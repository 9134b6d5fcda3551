//! Rooms of minds, played for minutes in an instant.

use std::collections::BTreeMap;

use holdfast_protocol::movement;

use super::*;

const STEP_MS: u64 = 50;
const MINUTE: u64 = 60_000;

struct Someone {
    player: PlayerId,
    at: Position,
    health: u32,
    down_until_ms: u64,
    mind: Option<Mind>,
    struck_by: Vec<PlayerId>,
}

/// A room by the rules, as far as minds need it.
struct Room {
    now_ms: u64,
    all: Vec<Someone>,
    said: Vec<(u64, String)>,
    /// By who struck and who was struck.
    blows: BTreeMap<(PlayerId, PlayerId), u32>,
    defeats: BTreeMap<PlayerId, u32>,
}

impl Room {
    fn of(bots: u32, visitors: &[&str]) -> Self {
        let someone = |name: &str, mind| Someone {
            player: name.parse().unwrap(),
            at: movement::spawn(name),
            health: 100,
            down_until_ms: 0,
            mind,
            struck_by: Vec::new(),
        };
        let bot = |nth| someone(&format!("{nth}-bot"), Some(Mind::new(7, nth, bots)));
        let visitors = visitors.iter().map(|name| someone(name, None));
        Self {
            now_ms: 1_000_000,
            all: (0..bots).map(bot).chain(visitors).collect(),
            said: Vec::new(),
            blows: BTreeMap::new(),
            defeats: BTreeMap::new(),
        }
    }

    fn sight(&mut self, nth: usize) -> Sight {
        let others = self.all.iter().enumerate().filter(|(at, _)| *at != nth);
        let others = others.map(|(_, one)| Other {
            player: one.player.clone(),
            at: one.at,
            health: one.health,
            is_down: one.health == 0,
            is_visitor: one.mind.is_none(),
        });
        let others = others.collect();
        let me = &mut self.all[nth];
        Sight {
            now_ms: self.now_ms,
            at: me.at,
            health: me.health,
            is_down: me.health == 0,
            potions: 0,
            others,
            struck_by: std::mem::take(&mut me.struck_by),
        }
    }

    fn strike(&mut self, by: &PlayerId, whom: &PlayerId, damage: u32) {
        *self.blows.entry((by.clone(), whom.clone())).or_default() += 1;
        let struck = self.all.iter_mut().find(|one| one.player == *whom).unwrap();
        assert!(struck.health > 0, "{by} strikes {whom}, who is down");
        struck.health = struck.health.saturating_sub(damage);
        struck.struck_by.push(by.clone());
        if struck.health == 0 {
            struck.down_until_ms = self.now_ms + 5_000;
            *self.defeats.entry(whom.clone()).or_default() += 1;
        }
    }

    fn step(&mut self) {
        self.now_ms += STEP_MS;
        for nth in 0..self.all.len() {
            let one = &mut self.all[nth];
            if one.health == 0 && one.down_until_ms <= self.now_ms {
                one.health = 100;
            }
            let Some(mut mind) = self.all[nth].mind.take() else { continue };
            let wish = mind.think(&self.sight(nth));
            let me = &mut self.all[nth];
            me.mind = Some(mind);
            if let Some(step) = wish.step {
                assert!(step.is_allowed() && me.health > 0);
                me.at = movement::step(me.at, step);
            }
            let player = me.player.clone();
            match wish.verb {
                Some(Verb::Say { text }) => self.said.push((self.now_ms, text)),
                Some(Verb::ExecuteMove { move_type: MoveType::Heal, .. }) => {
                    me.health = (me.health + 15).min(100);
                }
                Some(Verb::ExecuteMove { move_type, target_player_id: Some(whom), .. }) => {
                    let damage = if move_type == MoveType::Special { 40 } else { 25 };
                    self.strike(&player, &whom, damage);
                }
                _ => {}
            }
        }
    }

    fn play(&mut self, ms: u64) {
        for _ in 0..ms / STEP_MS {
            self.step();
        }
    }

    /// Blows that the visitors got.
    fn bothered(&self) -> u32 {
        let bothers = |(_, whom): &&(PlayerId, PlayerId)| !whom.as_str().ends_with("-bot");
        self.blows.iter().filter(|(who, _)| bothers(who)).map(|(_, blows)| blows).sum()
    }
}

#[test]
fn bots_walk_fight_and_talk_a_little() {
    let mut room = Room::of(6, &[]);
    let began: Vec<Position> = room.all.iter().map(|one| one.at).collect();
    room.play(3 * MINUTE);
    assert!(room.all.iter().zip(&began).all(|(one, from)| one.at != *from));
    let blows: u32 = room.blows.values().sum();
    assert!((30..1_500).contains(&blows), "{blows} blows in three minutes");
    let words = room.said.len();
    assert!((4..40).contains(&words), "{words} remarks in three minutes");
    for one in &room.all {
        let inside = EDGE..=WORLD_SIZE - EDGE;
        assert!(inside.contains(&one.at.x) && inside.contains(&one.at.y), "{:?}", one.at);
    }
}

/// A visitor who only looks is struck now and then, and never brought down.
#[test]
fn a_visitor_who_just_looks_is_left_alive() {
    for visitors in [&["alice"][..], &["alice", "bob", "carol"]] {
        let mut room = Room::of(6, visitors);
        for _ in 0..10 {
            room.play(MINUTE);
            // He drinks a potion now and then.
            for visitor in room.all.iter_mut().filter(|one| one.mind.is_none()) {
                visitor.health = (visitor.health + 50).min(100);
            }
        }
        let brought_down = visitors
            .iter()
            .any(|name| room.defeats.contains_key(&name.parse::<PlayerId>().unwrap()));
        assert!(!brought_down, "{:?}", room.defeats);
        let bothered = room.bothered();
        assert!((1..=60).contains(&bothered), "{bothered} blows in ten minutes");
    }
}

#[test]
fn whoever_strikes_a_bot_is_struck_back_by_that_one() {
    let mut room = Room::of(6, &["alice"]);
    let (alice, victim): (PlayerId, PlayerId) =
        ("alice".parse().unwrap(), "0-bot".parse().unwrap());
    for _ in 0..20 {
        if room.all[0].health > 0 {
            room.strike(&alice, &victim, 1);
        }
        room.all[6].health = 100;
        room.play(4_000);
    }
    let back = |bot: &str| room.blows.get(&(bot.parse().unwrap(), alice.clone())).copied();
    assert!(back("0-bot").unwrap_or(0) >= 4, "{:?}", room.blows);
    assert!((1..6).all(|nth| back(&format!("{nth}-bot")).unwrap_or(0) <= 2), "{:?}", room.blows);
}

#[test]
fn bots_keep_company_with_a_visitor_far_away() {
    let mut room = Room::of(6, &["alice"]);
    room.all[6].at = Position { x: 3_500, y: 700 };
    let near = |room: &Room| {
        room.all[..6].iter().filter(|one| is_near(one.at, room.all[6].at, 700)).count()
    };
    assert_eq!(near(&room), 0);
    let mut most = 0;
    for _ in 0..60 {
        room.play(1_000);
        most = most.max(near(&room));
    }
    assert!(most >= 2, "at most {most} came");
}

#[test]
fn somebody_new_is_greeted_once() {
    let mut room = Room::of(6, &["alice"]);
    room.play(2_000);
    let greetings = room.said.iter().filter(|(_, text)| GREETINGS.contains(&text.as_str()));
    assert_eq!(greetings.count(), 1, "{:?}", room.said);
}

#[test]
fn a_step_leads_nearer_and_stands_still_there() {
    let at = |x, y| Position { x, y };
    let step = |dx, dy, buttons| Some(Step { dx, dy, buttons });
    assert_eq!(towards(at(0, 0), at(100, 90), false), step(1, 1, 0));
    assert_eq!(towards(at(0, 0), at(-100, 20), true), step(-1, 0, BUTTON_SPRINT));
    assert_eq!(towards(at(0, 0), at(11, -11), false), None);
    let (mut place, to) = (at(2_000, 2_000), at(1_234, 3_210));
    for _ in 0..200 {
        let Some(step) = towards(place, to, false) else { break };
        place = movement::step(place, step);
    }
    assert!(is_near(place, to, WALK_SPEED), "{place:?}");
}

#[test]
fn the_same_seed_wants_the_same() {
    let played = || {
        let mut room = Room::of(4, &["alice"]);
        room.play(MINUTE);
        (room.said, room.blows)
    };
    assert_eq!(played(), played());
}
