//! What players of each kind want, from what they know.

use holdfast_protocol::server::{Event, PartyInfo, TradeEvent};
use serde_json::json;

use super::*;
use crate::load::dealings::tests::told;

/// What a player knows.
struct Known {
    me: PlayerId,
    state: Option<PlayerState>,
    dealings: Dealings,
    coins: BTreeMap<u64, CoinRow>,
    at: Option<Position>,
}

impl Known {
    fn nothing() -> Self {
        Self {
            me: PlayerId::new("lt7-0").unwrap(),
            state: None,
            dealings: Dealings::default(),
            coins: BTreeMap::new(),
            at: None,
        }
    }

    /// The player `nth`, with its start equipment.
    fn at_start(nth: u32) -> Self {
        let state = json!({
            "player_id": "a", "display_name": "a", "status": "online", "current_room": null,
            "inventory": [{"item_id": "potion-001", "name": "Health Potion", "quantity": 5},
                          {"item_id": "sword-001", "name": "Iron Sword", "quantity": 1}],
            "gold": 100, "health": 100, "max_health": 100, "xp": 0, "level": 1, "score": 0,
            "x": 1, "y": 2, "buffs": [], "cooldowns": [], "session_actions_count": 0,
            "total_actions_count": 0, "pending_notifications": [],
        });
        let me = Names { seed: 7 }.player(nth).unwrap();
        let state = Some(serde_json::from_value(state).unwrap());
        Self { me, state, ..Self::nothing() }
    }

    fn knows(&self) -> Knows<'_> {
        let Self { me, state, dealings, coins, at } = self;
        Knows { me, state: state.as_ref(), dealings, coins, at: *at }
    }

    fn hear(&mut self, event: &Event) {
        self.dealings.event(&self.me, event).unwrap();
    }
}

fn mind(kind: &str, nth: u32) -> Mind {
    let text = format!(
        "version = 1\nname = \"t\"\nplayers = 40\nramp = \"1s\"\nhold = \"1s\"\n\
         bots = [{{ kind = \"{kind}\", think = \"1s\" }}, {{ kind = \"mover\" }}]"
    );
    let scenario = Scenario::parse(&text).unwrap();
    let bots = scenario.bots.first().unwrap().clone();
    Mind::new(&scenario, &bots, Names { seed: 7 }, nth)
}

#[test]
fn the_same_seed_wants_the_same_and_another_player_something_else() {
    let wishes = |nth| {
        let (mut mind, known) = (mind("brawler", nth), Known::nothing());
        (0..50).map(|_| mind.wish(&known.knows())).collect::<Vec<_>>()
    };
    assert_eq!(wishes(2), wishes(2));
    assert_ne!(wishes(2), wishes(4));
}

#[test]
fn brawlers_strike_brawlers_of_their_room_only() {
    let (mut mind, known) = (mind("brawler", 21), Known::nothing());
    let mut struck = std::collections::BTreeSet::new();
    for _ in 0..500 {
        if let Verb::ExecuteMove { target_player_id: Some(target), .. } = mind.wish(&known.knows())
        {
            struck.insert(Names { seed: 7 }.nth(target.as_str()).unwrap());
        }
    }
    assert!(struck.len() >= 8, "{struck:?}");
    assert!(struck.iter().all(|nth| (20..40).contains(nth) && *nth != 21), "{struck:?}");
}

#[test]
fn pauses_have_the_mean_that_was_asked_for() {
    let mut mind = mind("chatter", 0);
    let sum: f64 = (0..4_000).map(|_| mind.pause().as_secs_f64()).sum();
    assert!((3_600.0..4_400.0).contains(&sum), "{sum}");
}

#[test]
fn names_are_told_apart_from_those_of_other_runs() {
    let names = Names { seed: 0xbeef };
    assert_eq!(names.nth(names.player(17).unwrap().as_str()), Some(17));
    assert_eq!(names.nth(Names { seed: 1 }.player(17).unwrap().as_str()), None);
    assert_eq!(names.nth("alice"), None);
}

/// Wishes of one who knows the same all the time, each verb's name with how often it came.
fn wishes(mind: &mut Mind, known: &Known, each: impl Fn(&Verb)) -> BTreeMap<&'static str, u32> {
    let mut names = BTreeMap::new();
    for _ in 0..600 {
        let verb = mind.wish(&known.knows());
        each(&verb);
        *names.entry(verb.name()).or_default() += 1;
    }
    names
}

#[test]
fn traders_offer_what_they_have_to_traders_of_their_room() {
    let known = Known::at_start(22);
    let names = wishes(&mut mind("trader", 22), &known, |verb| match verb {
        Verb::TradeOffer { to, give, want } => {
            let nth = Names { seed: 7 }.nth(to.as_str()).unwrap();
            assert!((20..40).contains(&nth) && nth.is_multiple_of(2) && nth != 22, "{nth}");
            assert!(give.is_allowed() && want.is_allowed() && !give.is_empty());
        }
        Verb::ExecuteMove { target_player_id: None, .. } => {}
        other => panic!("{other:?}"),
    });
    assert_eq!((names["trade_offer"], names["execute_move"]), (500, 100));
    let poor = Known { state: None, ..Known::at_start(22) };
    wishes(&mut mind("trader", 22), &poor, |verb| match verb {
        Verb::TradeOffer { give, want, .. } => assert!(give.is_empty() && !want.is_empty()),
        other => assert_eq!(other.name(), "execute_move"),
    });
}

/// The player 22 is asked for a potion.
fn asked(id: &str) -> TradeEvent {
    let [from, to] = [20, 22].map(|nth| Names { seed: 7 }.player(nth).unwrap());
    TradeEvent { from, to, ..told(id, "offered", 1) }
}

#[test]
fn traders_answer_what_they_are_offered_by_what_they_have() {
    let mut known = Known::at_start(22);
    known.hear(&Event::Trade(asked("t1")));
    let names = wishes(&mut mind("trader", 22), &known, |verb| match verb {
        Verb::TradeAccept { trade_id, revision } => {
            assert_eq!((trade_id.as_str(), *revision), ("t1", Some(1)));
        }
        Verb::TradeCounter { want, .. } => assert_eq!(want.gold, Some(5), "what was offered"),
        _ => {}
    });
    assert!(names["trade_accept"] > 350 && names["trade_counter"] > 20, "{names:?}");
    assert!(names["trade_cancel"] > 10 && !names.contains_key("trade_offer"), "{names:?}");
    known.state.as_mut().unwrap().inventory.clear();
    let names = wishes(&mut mind("trader", 22), &known, |_| {});
    assert!(!names.contains_key("trade_accept"), "it has no potion: {names:?}");
    known.hear(&Event::Trade(TradeEvent {
        phase: holdfast_protocol::server::TradePhase::Cancelled,
        ..asked("t1")
    }));
    let names = wishes(&mut mind("trader", 22), &known, |_| {});
    assert!(names.contains_key("trade_offer"), "it is over: {names:?}");
}

#[test]
fn some_offers_are_never_answered_and_own_ones_are_taken_back() {
    let ignored = |id: &str| {
        let mut known = Known::at_start(22);
        known.hear(&Event::Trade(asked(id)));
        let names = wishes(&mut mind("trader", 22), &known, |_| {});
        !names.contains_key("trade_accept")
    };
    let len = (0..240).filter(|nth| ignored(&format!("0191{nth:x}-a{nth}"))).count();
    assert!((2..40).contains(&len), "{len} of 240 are left to their end");
    let mut known = Known::at_start(20);
    for id in ["t1", "t2", "t3"] {
        known.hear(&Event::Trade(asked(id)));
    }
    let names = wishes(&mut mind("trader", 20), &known, |_| {});
    assert_eq!(names["trade_cancel"], 500, "{names:?}");
}

#[test]
fn who_gives_keeps_something() {
    let mut known = Known::at_start(20);
    let names = wishes(&mut mind("gifter", 20), &known, |verb| {
        if let Verb::Gift { give, .. } = verb {
            assert!(!give.is_empty() && give.is_allowed());
        }
    });
    assert_eq!(names["gift"], 500);
    let state = known.state.as_mut().unwrap();
    (state.gold, state.inventory) = (10, Vec::new());
    assert!(!wishes(&mut mind("gifter", 20), &known, |_| {}).contains_key("gift"));
}

#[test]
fn coins_are_walked_to_as_far_as_needed() {
    let mind = mind("collector", 20);
    assert_eq!(mind.home().unwrap().as_str(), "arena-lt7-1");
    let mut known = Known { at: Some(Position { x: 100, y: 100 }), ..Known::at_start(20) };
    assert_eq!(mind.step(3, &known.knows()), walk::step_of(3), "there is no coin");
    known.coins.insert(1, CoinRow { coin: 1, x: 400, y: 90 });
    known.coins.insert(2, CoinRow { coin: 2, x: 4_000, y: 4_000 });
    let towards = Step { dx: 1, dy: 0, buttons: 0 };
    assert_eq!(mind.step(3, &known.knows()), towards);
    known.at = Some(Position { x: 390, y: 300 });
    assert_eq!(mind.step(3, &known.knows()), Step { dx: 0, dy: -1, buttons: 0 });
}

fn party(leader: u32, members: &[u32]) -> PartyInfo {
    let name = |nth: &u32| Names { seed: 7 }.player(*nth).unwrap();
    let members: Vec<_> = members.iter().map(name).collect();
    let party = json!({"party_id": "p1", "name": "us", "leader": name(&leader),
                       "members": members, "on_leader_left": "end"});
    serde_json::from_value(party).unwrap()
}

#[test]
fn companions_gather_and_go_together() {
    let mut known = Known::at_start(20);
    let names = wishes(&mut mind("companion", 20), &known, |_| {});
    assert_eq!(names["party_create"], 600, "it is the first: {names:?}");
    let waits = wishes(&mut mind("companion", 22), &Known::at_start(22), |_| {});
    assert!(waits["get_state"] > 400, "it is not: {waits:?}");
    known.state.as_mut().unwrap().party = Some(party(20, &[20, 24]));
    let names = wishes(&mut mind("companion", 20), &known, |verb| {
        if let Verb::PartyInvite { player } = verb {
            let nth = Names { seed: 7 }.nth(player.as_str()).unwrap();
            assert!((20..40).contains(&nth) && nth != 20 && nth != 24, "{nth}");
        }
    });
    let all = ["party_invite", "party_join_room", "party_kick", "party_say", "party_leave"];
    assert!(all.iter().all(|name| names.contains_key(name)), "{names:?}");
    let mut led = Known::at_start(24);
    led.state.as_mut().unwrap().invitations = vec![party(20, &[20])];
    let names = wishes(&mut mind("companion", 24), &led, |_| {});
    assert!(names["party_accept"] > 400, "{names:?}");
    led.state.as_mut().unwrap().party = Some(party(20, &[20, 24]));
    let names = wishes(&mut mind("companion", 24), &led, |_| {});
    assert!(names.contains_key("party_say") && !names.contains_key("party_invite"), "{names:?}");
}
