//! Trades and gifts: terms, answers, endings, and what is refused.

use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::goods::{Goods, GoodsItem};
use holdfast_protocol::ids::{PlayerId, TradeId};
use holdfast_protocol::server::{PlayerState, TradePhase};
use serde_json::{Value, json};

use super::world::{World, strike, use_item};
use crate::actor::contract::Origin;
use crate::game::deals::DEALS_MAX;
use crate::game::stock::Stock;
use crate::game::trade::{FORGET_MS, OFFER_MS};

pub const SWORD: &str = "sword-001";
pub const POTION: &str = "potion-001";

pub fn gold(gold: u64) -> Goods {
    Goods { gold: Some(gold), items: vec![] }
}

pub fn item(id: &str, quantity: u64) -> Goods {
    Goods { gold: None, items: vec![GoodsItem { item_id: id.into(), quantity }] }
}

pub fn offer(to: &str, give: Goods, want: Goods) -> Verb {
    Verb::TradeOffer { to: PlayerId::new(to).unwrap(), give, want }
}

pub fn gift(to: &str, give: Goods) -> Verb {
    Verb::Gift { to: PlayerId::new(to).unwrap(), give }
}

pub fn accept(trade: &str) -> Verb {
    Verb::TradeAccept { trade_id: TradeId::new(trade).unwrap(), revision: None }
}

pub fn counter(trade: &str, give: Goods, want: Goods) -> Verb {
    Verb::TradeCounter { trade_id: TradeId::new(trade).unwrap(), give, want, revision: None }
}

pub fn cancel(trade: &str) -> Verb {
    Verb::TradeCancel { trade_id: TradeId::new(trade).unwrap() }
}

pub fn id_of(reply: &Value) -> String {
    reply["trade_id"].as_str().unwrap().to_owned()
}

/// What a player holds: gold, swords, potions.
pub fn held(state: &PlayerState) -> (u64, u64, u64) {
    let of = |id: &str| state.inventory.iter().find(|i| i.item_id == id).map_or(0, |i| i.quantity);
    (state.gold, of(SWORD), of(POTION))
}

/// The phases of the trade events that a player was told since the last time.
fn phases(world: &mut World, player: &str) -> Vec<String> {
    let events = world.events(player).into_iter().filter(|event| event["ev"] == "trade");
    events.map(|event| event["phase"].as_str().unwrap().to_owned()).collect()
}

fn pair() -> World {
    let mut world = World::with(&["alice", "bob"]);
    world.events("alice");
    world.events("bob");
    world
}

fn holds(world: &mut World) -> ((u64, u64, u64), (u64, u64, u64)) {
    (held(&world.state("alice")), held(&world.state("bob")))
}

#[test]
fn an_accepted_offer_changes_hands() {
    let mut world = pair();
    let reply = world.act("alice", offer("bob", item(SWORD, 1), gold(20))).unwrap();
    let trade = id_of(&reply);
    assert_eq!(holds(&mut world), ((100, 0, 5), (100, 1, 5)), "the sword is reserved");
    let open = &world.state("bob").trades[0];
    assert_eq!((open.phase, open.revision, open.from.as_str()), (TradePhase::Offered, 1, "alice"));
    assert_eq!(world.state("alice").trades, world.state("bob").trades);
    assert_eq!(phases(&mut world, "bob"), ["offered"]);
    assert_eq!(world.act("bob", accept(&trade)).unwrap(), json!({"trade_id": trade}));
    assert_eq!(holds(&mut world), ((120, 0, 5), (80, 2, 5)));
    assert_eq!(phases(&mut world, "alice"), ["offered", "committed"]);
    assert_eq!(phases(&mut world, "bob"), ["committed"]);
    assert!(world.state("alice").trades.is_empty() && world.state("bob").trades.is_empty());
    world.pass(FORGET_MS + 1);
    assert!(world.others.is_empty(), "the trade is erased");
    world.pass(2 * FORGET_MS);
    assert!(world.seat("alice").state.deals.is_none(), "and forgotten");
    assert!(world.seat("bob").state.deals.is_none() && world.alarms.is_empty());
}

#[test]
fn a_gift_needs_no_answer() {
    let mut world = pair();
    world.act("alice", gift("bob", item(POTION, 2))).unwrap();
    assert_eq!(holds(&mut world), ((100, 1, 3), (100, 1, 7)));
    assert_eq!(phases(&mut world, "alice"), ["committed"]);
    assert_eq!(phases(&mut world, "bob"), ["committed"]);
}

#[test]
fn other_terms_take_the_place_of_the_first() {
    let mut world = pair();
    let reply = world.act("alice", offer("bob", item(SWORD, 1), gold(90))).unwrap();
    let trade = id_of(&reply);
    world.act("bob", counter(&trade, gold(30), item(SWORD, 1))).unwrap();
    assert_eq!(holds(&mut world), ((100, 1, 5), (70, 1, 5)), "now bob's goods are reserved");
    assert_eq!(phases(&mut world, "alice"), ["offered", "countered"]);
    assert_eq!(world.refusal("bob", accept(&trade)), "not_yourself");
    let stale = Verb::TradeAccept { trade_id: TradeId::new(&trade).unwrap(), revision: Some(1) };
    assert_eq!(world.refusal("alice", stale), "no_such_trade");
    world.act("alice", accept(&trade)).unwrap();
    assert_eq!(holds(&mut world), ((130, 0, 5), (70, 2, 5)));
}

#[test]
fn either_side_calls_it_off() {
    for who in ["alice", "bob"] {
        let mut world = pair();
        let reply = world.act("alice", offer("bob", gold(40), item(SWORD, 1))).unwrap();
        world.act(who, cancel(&id_of(&reply))).unwrap();
        assert_eq!(holds(&mut world), ((100, 1, 5), (100, 1, 5)));
        assert_eq!(phases(&mut world, "alice"), ["offered", "cancelled"]);
        assert_eq!(phases(&mut world, "bob"), ["offered", "cancelled"]);
        assert_eq!(world.refusal("bob", accept(&id_of(&reply))), "no_such_trade");
    }
}

#[test]
fn an_offer_ends_by_itself() {
    let mut world = pair();
    world.act("alice", offer("bob", gold(40), Goods::default())).unwrap();
    world.lose("bob");
    world.pass(OFFER_MS - 1);
    assert_eq!(world.state("alice").gold, 60);
    world.pass(2);
    assert_eq!(world.state("alice").gold, 100);
    assert_eq!(phases(&mut world, "alice"), ["offered", "expired"]);
    let waiting = world.state("bob").pending_notifications;
    assert!(waiting[0].text.contains("came to nothing"), "{waiting:?}");
    world.pass(FORGET_MS);
    assert!(world.others.is_empty());
}

#[test]
fn what_can_not_be_traded_is_refused() {
    let mut world = pair();
    assert_eq!(world.refusal("alice", offer("bob", gold(101), gold(1))), "not_enough");
    assert_eq!(world.refusal("alice", offer("bob", item("crown", 1), gold(1))), "not_enough");
    assert_eq!(world.refusal("alice", offer("alice", gold(1), gold(1))), "not_yourself");
    assert_eq!(world.refusal("alice", cancel("no-such")), "no_such_trade");
    let lost = world.act("alice", offer("nobody", gold(1), gold(1))).unwrap_err();
    assert_eq!((&*lost.code, &*lost.message), ("no_such_player", "there is no player nobody"));
    assert_eq!(world.state("alice").gold, 100);
    assert!(phases(&mut world, "alice").is_empty(), "no one has seen it");
    let reply = world.act("alice", offer("bob", gold(1), gold(100))).unwrap();
    world.act("bob", gift("alice", gold(50))).unwrap();
    assert_eq!(world.refusal("bob", accept(&id_of(&reply))), "not_enough");
    world.hello("carol");
    assert_eq!(world.refusal("carol", accept(&id_of(&reply))), "no_such_trade");
}

#[test]
fn the_defeated_do_not_trade() {
    let mut world = World::in_room("r", &["alice", "bob"]);
    for _ in 0..4 {
        world.act("alice", strike(MoveType::Attack, Some("bob"))).unwrap();
    }
    assert_eq!(world.refusal("bob", offer("alice", gold(1), gold(1))), "defeated");
    world.act("alice", gift("bob", gold(1))).unwrap();
}

#[test]
fn so_many_offers_are_open_at_once() {
    let mut world = pair();
    for _ in 0..DEALS_MAX {
        world.act("alice", offer("bob", gold(1), gold(1))).unwrap();
    }
    assert_eq!(world.refusal("alice", offer("bob", gold(1), gold(1))), "too_many_offers");
    world.hello("carol");
    let code = world.act("carol", offer("bob", gold(1), gold(1))).unwrap_err().code;
    assert_eq!(code, "too_many_offers", "bob has as many");
    assert_eq!(world.state("carol").gold, 100);
}

#[test]
fn a_player_begins_so_many_trades_in_a_while() {
    let mut world = pair();
    world.players.get_mut("alice").unwrap().state.gold = 1_000;
    world.players.get_mut("alice").unwrap().resync();
    let mut begun = 0;
    let refusal = loop {
        match world.act("alice", gift("bob", gold(1))) {
            Ok(_) => begun += 1,
            Err(reject) => break reject.code,
        }
    };
    assert_eq!((begun, &*refusal), (60, "rate_limited"));
    world.pass(1_000);
    world.act("alice", gift("bob", gold(1))).unwrap();
}

#[test]
fn a_command_meanwhile_is_told_to_wait() {
    let mut world = pair();
    let reply = world.act("alice", offer("bob", gold(1), gold(1))).unwrap();
    world.send("bob", Origin::Session, accept(&id_of(&reply))).unwrap();
    let code = world.send("bob", Origin::Owner, cancel(&id_of(&reply))).unwrap_err().code;
    assert_eq!(code, "busy");
    world.deliver();
    assert_eq!(holds(&mut world), ((100, 1, 5), (100, 1, 5)));
    assert_eq!(phases(&mut world, "alice"), ["offered", "committed"]);
}

#[test]
fn a_cancellation_that_comes_too_late_says_so() {
    let mut world = pair();
    let reply = world.act("alice", offer("bob", gold(10), gold(1))).unwrap();
    let trade = id_of(&reply);
    world.send("bob", Origin::Session, accept(&trade)).unwrap();
    world.deliver_one(0);
    let reject = world.act("alice", cancel(&trade)).unwrap_err();
    assert_eq!(&*reject.message, "the trade was committed before");
    assert_eq!(holds(&mut world), ((91, 1, 5), (109, 1, 5)));
}

#[test]
fn whoever_is_away_finds_the_outcome() {
    let mut world = pair();
    let reply = world.act("alice", offer("bob", item(SWORD, 1), gold(20))).unwrap();
    world.lose("alice");
    world.events("alice");
    world.act("bob", accept(&id_of(&reply))).unwrap();
    let state = world.state("alice");
    assert_eq!(
        state.pending_notifications[0].text,
        "you gave Iron Sword x1 to bob and got 20 gold"
    );
    assert_eq!(held(&state), (120, 0, 5));
    assert_eq!(phases(&mut world, "alice"), ["committed"], "for a resume");
}

#[test]
fn a_trade_that_is_lost_is_called_off_when_its_side_asks() {
    let mut world = pair();
    let reply = world.act("alice", offer("bob", gold(10), gold(1))).unwrap();
    world.others.clear();
    let lost = world.act("bob", accept(&id_of(&reply))).unwrap_err();
    assert_eq!(lost.code, "no_such_trade");
    assert_eq!(holds(&mut world), ((100, 1, 5), (100, 1, 5)));
    let reply = world.act("alice", offer("bob", gold(10), gold(1))).unwrap();
    world.others.clear();
    world.pass(OFFER_MS + 20_000);
    assert_eq!(holds(&mut world), ((100, 1, 5), (100, 1, 5)));
    assert_eq!(world.refusal("bob", accept(&id_of(&reply))), "no_such_trade");
}

#[test]
fn a_trade_stays_until_the_last_settlement_is_old() {
    let mut world = pair();
    let reply = world.act("alice", offer("bob", item(SWORD, 1), gold(20))).unwrap();
    world.send("bob", Origin::Session, accept(&id_of(&reply))).unwrap();
    while world.seat("alice").state.gold == 100 {
        assert!(world.deliver_one(0));
    }
    // Bob hears of it only when his timer brings the mail on.
    world.pass(FORGET_MS + 1);
    assert_eq!(holds(&mut world), ((120, 0, 5), (80, 2, 5)));
    assert_eq!(world.others.len(), 1, "bob's store may still take his settlement back");
    world.pass(FORGET_MS);
    assert!(world.others.is_empty());
}

#[test]
fn a_trade_that_speaks_after_a_day_is_not_settled_again() {
    let mut world = pair();
    let reply = world.act("alice", offer("bob", item(SWORD, 1), gold(20))).unwrap();
    world.act("bob", accept(&id_of(&reply))).unwrap();
    let away = std::mem::take(&mut world.others);
    world.pass(90_000_000);
    assert!(world.seat("alice").state.deals.is_none(), "forgotten");
    world.others = away;
    world.pass(1);
    assert_eq!(holds(&mut world), ((120, 0, 5), (80, 2, 5)));
    assert!(world.others.is_empty());
    assert_eq!(world.seat("alice").alarms.len(), 1);
}

#[test]
fn a_fold_that_loses_goods_is_noticed_in_its_record() {
    let mut world = pair();
    let reply = world.act("alice", offer("bob", gold(10), gold(1))).unwrap();
    let seat = world.players.get_mut("alice").unwrap();
    // What was reserved shrinks behind the rules' back.
    let deals = seat.state.deals.as_mut().unwrap();
    deals.open.values_mut().next().unwrap().escrow = Stock { gold: 4, ..Stock::default() };
    seat.resync();
    world.act("bob", accept(&id_of(&reply))).unwrap();
    assert!(world.alarms.is_empty(), "alice pays the rest: {:?}", world.alarms);
    assert_eq!(world.state("alice").gold, 85);
}

#[test]
fn random_markets_conserve_goods() {
    for seed in 0..60 {
        market(seed);
    }
}

/// Players trade, carry tells in any order and let time pass; in the end nothing is reserved, and
/// all of it is there.
fn market(seed: u64) {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut roll = |n: u64| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % n
    };
    let names = ["alice", "bob", "carol"];
    let mut world = World::with(&names);
    let mut used = 0;
    for _ in 0..120 {
        let (me, other) = (names[roll(3) as usize], names[roll(3) as usize]);
        let open: Vec<_> = world.state(me).trades.iter().map(|t| t.trade_id.to_string()).collect();
        let some = open.get(roll(4) as usize).cloned().unwrap_or_else(|| "none".into());
        let goods = |roll: &mut dyn FnMut(u64) -> u64| match roll(3) {
            0 => gold(1 + roll(60)),
            1 => item(POTION, 1 + roll(3)),
            _ => item(SWORD, 1),
        };
        let (give, want) = (goods(&mut roll), goods(&mut roll));
        let verb = match roll(8) {
            0..3 => offer(other, give, want),
            3 => gift(other, give),
            4 => counter(&some, give, want),
            5 => cancel(&some),
            6 => use_item(POTION),
            _ => accept(&some),
        };
        let uses = matches!(verb, Verb::UseItem { .. });
        let sent = world.send(me, Origin::Service, verb);
        used += u64::from(uses && sent.is_ok());
        for _ in 0..roll(6) {
            world.deliver_one(roll(100) as usize);
        }
        if roll(20) == 0 {
            world.pass(roll(40_000));
        }
    }
    world.deliver();
    world.pass(10 * FORGET_MS);
    let states = names.map(|name| world.state(name));
    let sum = states.iter().map(held).fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2));
    assert_eq!(sum, (300, 3, 15 - used), "seed {seed}");
    assert!(states.iter().all(|state| state.trades.is_empty()), "seed {seed}");
    assert!(world.others.is_empty() && world.alarms.is_empty(), "seed {seed}: {:?}", world.alarms);
    for name in names {
        let seat = world.seat(name);
        assert!(seat.state.deals.is_none() && seat.alarms.is_empty(), "seed {seed}: {name}");
    }
}
