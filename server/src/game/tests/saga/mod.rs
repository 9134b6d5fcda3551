//! The saga of a trade as a model over its real rules: every state within bounds is visited.
//!
//! [`actors`] are the two sides and the trade, real [`crate::game::player::Player`] and
//! [`crate::game::trade::Trade`]: what they decide and how facts change them is the code that
//! serves. [`world`] is what the runtime promises them: tells once and in order, by outbox and
//! watermark, whatever is repeated or lost on the way; timers that fire late; a trade that is
//! erased when it is over. [`guards`] takes each guard away, and names the property that then
//! fails.
//!
//! | what happens | how |
//! |---|---|
//! | a tell is delayed | any order between lines, in order on one |
//! | a tell or its acknowledgement is lost, or repeated | it stays in the outbox; heard again, it is dropped: no step of its own |
//! | a crash | what is durable is all there is: no step of its own, but lateness |
//! | a store goes back | once, for one of the three, to any earlier state of at most a minute ago; outbox, watermarks, timers and owed answers go with it. What it had told may still arrive; of what it had heard, any part was acknowledged and is not told again |
//! | time passes | when nothing is under way; `late` times also when something is, or past another timer, by a minute each |
//! | spending | a side whose store went back spends what it has got twice, unless the trade has asked it already |
//!
//! Bounds: one trade; each command at most once; one store goes back once. Not modelled: a side
//! that spends what a lost record had promised to a round under way. The loss is due then; the
//! rules say and count it. `HOLDFAST_SAGA=deep` lets more be late.

mod actors;
mod guards;
mod lines;
mod world;

use std::sync::Arc;

use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};

use actors::{Command, Decisions, Who};
use world::{Step, World};

use super::trades::SWORD;
use crate::game::Settings;
use crate::game::stock::Stock;
use crate::game::trade::guard::Guard;

/// How much may happen.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// What A may be told to do, each once, ...
    a: &'static [Command],
    /// ... and B.
    b: &'static [Command],
    /// B's gold.
    gold: u64,
    /// Whose store goes back once.
    victim: Option<Who>,
    /// It then spends what it has, unless it was asked about it.
    spends: bool,
    /// How often time passes with tells under way.
    late: u8,
    /// How often an erased trade hears again what began it.
    again: u8,
}

impl Bounds {
    const PLAIN: Self = Self {
        a: &[Command::Offer, Command::Cancel],
        b: &[Command::Accept],
        gold: 100,
        victim: None,
        spends: false,
        late: 0,
        again: 0,
    };
}

/// The model.
#[derive(Clone)]
pub struct Saga {
    bounds: Bounds,
    decisions: Arc<Decisions>,
}

/// What may become of a side's gold and sword: nothing, the offer, the counter-offer, the gift.
const A_HAS: [(u64, u64); 4] = [(100, 1), (130, 0), (120, 0), (90, 1)];
const B_GETS: [(i64, u64); 4] = [(0, 0), (-30, 1), (-20, 1), (10, 0)];

impl Saga {
    fn new(off: Option<Guard>, bounds: Bounds) -> Self {
        let settings = Settings { off, ..Settings::default() };
        Self { bounds, decisions: Arc::new(Decisions::new(settings)) }
    }

    /// Which of the deals a side's goods are as; none: as none of them.
    fn deal(&self, world: &World, who: Who) -> Option<usize> {
        let goods = world.actor(who).goods();
        let sword = |swords: u64| (swords > 0).then(|| (SWORD.to_owned(), swords));
        let is = |gold: u64, swords: u64| {
            goods == Stock { gold, items: sword(swords).into_iter().collect() }
        };
        if who == Who::A {
            return A_HAS.iter().position(|(gold, swords)| is(*gold, *swords));
        }
        let gold = |more: i64| self.bounds.gold.saturating_add_signed(more);
        B_GETS.iter().position(|(more, swords)| is(gold(*more), *swords))
    }

    fn is_whole(&self, world: &World) -> bool {
        let deal = self.deal(world, Who::A);
        deal.is_some() && deal == self.deal(world, Who::B)
    }
}

impl Model for Saga {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.bounds)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        world::steps(self, world, steps);
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        world::next(self, world, step)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("goods change at most once", |saga: &Self, world: &World| {
                [Who::A, Who::B].into_iter().all(|who| saga.deal(world, who).is_some())
            }),
            // A late word may create an erased trade anew. It is called off, and changes nothing.
            Property::always("nobody keeps what was called off", |saga: &Self, world: &World| {
                let outcome = world.actor(Who::T).stage().1;
                ["", "ok"].contains(&&*outcome) || saga.is_whole(world)
            }),
            Property::always("at rest goods are whole", |saga: &Self, world: &World| {
                world.back || !world.is_quiet() || saga.is_whole(world)
            }),
            Property::always(
                "in the end both have what they agreed on, or what they had",
                |saga: &Self, world: &World| !world.is_done() || saga.is_whole(world),
            ),
            Property::always("in the end nothing is left", |_, world: &World| {
                !world.is_done() || world.actors.iter().all(|actor| actor.is_clear())
            }),
            Property::always("it ends in time", |_, world: &World| {
                let open = [Who::A, Who::B].iter().any(|who| world.actor(*who).is_open());
                let late = world.passed_ms() > 450_000 && open;
                !late && world.rounds <= 40
            }),
            Property::always("nothing alarms", |_, world: &World| world.alarm.is_none()),
            Property::always("a command is answered once", |_, world: &World| !world.twice),
            Property::sometimes("goods change hands", |saga: &Self, world: &World| {
                saga.is_whole(world) && saga.deal(world, Who::A) != Some(0)
            }),
            Property::sometimes("a trade is called off", |_, world: &World| {
                !["", "ok"].contains(&&*world.actor(Who::T).stage().1)
            }),
            Property::sometimes("a store goes back", |saga: &Self, world: &World| {
                world.back || saga.bounds.victim.is_none()
            }),
        ]
    }
}

fn check(name: &str, saga: Saga) -> impl Checker<Saga> {
    let checker = saga.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("{name}: {states} unique states, depth {depth}");
    checker
}

/// Prints how each violation came about; with `HOLDFAST_SAGA_STATES` also the states.
fn violations(checker: &impl Checker<Saga>) -> Vec<&'static str> {
    let mut found = checker.discoveries();
    let model = checker.model();
    found.retain(|name, _| model.property(name).expectation == Expectation::Always);
    let states = std::env::var("HOLDFAST_SAGA_STATES").is_ok();
    for (property, path) in &found {
        println!("violated: {property}");
        for (world, step) in path.clone().into_vec() {
            println!("  {step:?}");
            if states {
                println!("    {:?} {:?} {:?}", world.actors, world.alarm, world.passed_ms());
            }
        }
    }
    found.into_keys().collect()
}

fn holds(name: &str, mut bounds: Bounds) {
    if std::env::var("HOLDFAST_SAGA").is_ok_and(|how| how == "deep") {
        bounds.late += 1;
    }
    let checker = check(name, Saga::new(None, bounds));
    assert_eq!(violations(&checker), [""; 0]);
    checker.assert_properties();
}

/// Without a guard the checker finds that a property fails.
fn breaks(name: &str, off: Guard, bounds: Bounds, property: &str) {
    let checker = check(name, Saga::new(Some(off), bounds));
    let found = violations(&checker);
    assert!(found.contains(&property), "{found:?}");
}

const OFFER: Bounds = Bounds {
    a: &[Command::Offer, Command::Cancel],
    b: &[Command::Accept, Command::Cancel],
    ..Bounds::PLAIN
};
const COUNTER: Bounds = Bounds {
    a: &[Command::Offer, Command::Accept, Command::Cancel],
    b: &[Command::Counter, Command::Cancel],
    ..Bounds::PLAIN
};
const GIFT: Bounds = Bounds { a: &[Command::Gift, Command::Cancel], b: &[], ..Bounds::PLAIN };

macro_rules! saga_holds {
    ($($name:ident: $bounds:expr;)*) => {
        $(#[test]
        fn $name() {
            holds(stringify!($name), $bounds);
        })*
    };
}

saga_holds! {
    an_offer_holds: Bounds { late: 1, again: 1, ..OFFER };
    a_counter_holds: Bounds { late: 1, ..COUNTER };
    a_gift_holds: Bounds { late: 2, again: 1, ..GIFT };
    an_offer_holds_when_a_goes_back: Bounds { victim: Some(Who::A), spends: true, ..OFFER };
    an_offer_holds_when_b_goes_back: Bounds { victim: Some(Who::B), spends: true, ..OFFER };
    an_offer_holds_when_t_goes_back: Bounds { victim: Some(Who::T), ..OFFER };
    a_counter_holds_when_a_goes_back: Bounds { victim: Some(Who::A), ..COUNTER };
    a_counter_holds_when_b_goes_back: Bounds { victim: Some(Who::B), ..COUNTER };
    a_counter_holds_when_t_goes_back: Bounds {
        victim: Some(Who::T),
        a: &[Command::Offer, Command::Accept],
        ..COUNTER
    };
    a_gift_holds_when_a_goes_back: Bounds { late: 1, victim: Some(Who::A), ..GIFT };
    a_gift_holds_when_b_goes_back: Bounds { late: 1, victim: Some(Who::B), ..GIFT };
    a_gift_holds_when_t_goes_back: Bounds { late: 1, victim: Some(Who::T), ..GIFT };
}
