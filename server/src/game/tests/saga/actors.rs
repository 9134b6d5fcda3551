//! An actor of the saga: its real rules, and what the runtime keeps of it with them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use holdfast_protocol::client::Verb;
use holdfast_protocol::edge::Request;
use holdfast_protocol::ids::ActorId;
use serde_json::Value;

use super::super::trades::{SWORD, accept, cancel, counter, gift, gold, item, offer};
use super::super::world::START_MS;
use crate::actor::contract::{
    Actor, Ctx, Decision, Message, Origin, Reject, Reply, TimerChange, Token, Undelivered,
};
use crate::game::event::Event;
use crate::game::player::Player;
use crate::game::stock::Stock;
use crate::game::trade::{Trade, TradeEvent};
use crate::game::{Settings, pack};

/// An actor: two sides and their trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    A,
    B,
    T,
}

impl Who {
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::T];

    pub fn id(self) -> ActorId {
        match self {
            Self::A => ActorId::new("player", "a").unwrap(),
            Self::B => ActorId::new("player", "b").unwrap(),
            Self::T => ActorId::new("trade", &trade_id()).unwrap(),
        }
    }

    fn of(id: &ActorId) -> Self {
        Self::ALL.into_iter().find(|who| who.id() == *id).unwrap()
    }
}

/// The one trade's id, as the player's rules make it of this model's randomness.
fn trade_id() -> String {
    format!("{START_MS:x}-{:016x}", 0)
}

/// What a player may be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// A sword for 30 gold.
    Offer,
    /// 10 gold for nothing.
    Gift,
    Accept,
    /// 20 gold for the sword.
    Counter,
    Cancel,
}

impl Command {
    fn verb(self) -> Verb {
        match self {
            Self::Offer => offer("b", item(SWORD, 1), gold(30)),
            Self::Gift => gift("b", gold(10)),
            Self::Accept => accept(&trade_id()),
            Self::Counter => counter(&trade_id(), gold(20), item(SWORD, 1)),
            Self::Cancel => cancel(&trade_id()),
        }
    }

    pub fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What reaches an actor.
#[derive(Clone, Debug)]
pub enum Input {
    Command(Command),
    Tell(Who, Bytes),
    Undelivered(Who, Bytes),
    Timer(String),
}

impl Input {
    fn hash(&self, hasher: &mut DefaultHasher) {
        match self {
            Self::Command(command) => (0u8, command).hash(hasher),
            Self::Tell(who, payload) => (1u8, who, payload).hash(hasher),
            Self::Undelivered(who, payload) => (2u8, who, payload).hash(hasher),
            Self::Timer(name) => (3u8, name).hash(hasher),
        }
    }
}

#[derive(Clone)]
enum Rules {
    Side(Box<Player>),
    Trade(Box<Trade>),
}

/// What is durable of an actor, but for its outbox and the watermarks.
#[derive(Clone)]
pub struct Durable {
    rules: Rules,
    /// It has heard something; a side always has.
    pub exists: bool,
    pub timers: BTreeMap<String, u64>,
    /// Commands whose answer is owed.
    pub owed: BTreeSet<Token>,
    /// Commands that were given, by their bits.
    pub used: u8,
    /// What was spent outside of the trade.
    spent: Stock,
    /// Equal prints: equal in all that matters here.
    pub print: u64,
}

impl fmt::Debug for Durable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rules {
            Rules::Side(player) => write!(
                f,
                "gold {} items {:?} deals {:?} {:?}",
                player.gold, player.inventory, player.deals, self.timers
            ),
            Rules::Trade(trade) => write!(f, "{} {trade:?} {:?}", self.exists, self.timers),
        }
    }
}

impl Durable {
    pub fn fresh(who: Who, gold: u64) -> Self {
        let rules = if who == Who::T {
            Rules::Trade(Box::new(Trade::new(&who.id())))
        } else {
            let mut player = Player::new(&who.id());
            let swords = (who == Who::A).then(|| (SWORD.to_owned(), 1));
            let (name, items) = ("a player".into(), swords.into_iter().collect());
            player.apply(&Event::Created { name, x: 0, y: 0, health: 9, gold, items });
            player.apply(&Event::Opened { at: START_MS });
            Rules::Side(Box::new(player))
        };
        let mut actor = Self {
            rules,
            exists: who != Who::T,
            timers: BTreeMap::new(),
            owed: BTreeSet::new(),
            used: 0,
            spent: Stock::default(),
            print: 0,
        };
        actor.print();
        actor
    }

    /// Of a player only what trades depend on: no times of day, no counters.
    fn print(&mut self) {
        let mut hasher = DefaultHasher::new();
        (self.exists, &self.timers, &self.owed, self.used, &self.spent).hash(&mut hasher);
        match &self.rules {
            Rules::Side(player) => {
                pack(&(player.gold, &player.inventory, &player.deals)).hash(&mut hasher);
            }
            Rules::Trade(trade) => trade.hash(&mut hasher),
        }
        self.print = hasher.finish();
    }

    /// What a side holds, has reserved and has spent.
    pub fn goods(&self) -> Stock {
        let Rules::Side(player) = &self.rules else { return Stock::default() };
        let mut all = Stock { gold: player.gold, items: player.inventory.clone() };
        all.add(&player.escrow());
        all.add(&self.spent);
        all
    }

    /// Spends all that a side holds.
    pub fn spend(&self) -> Self {
        let mut next = self.clone();
        if let Rules::Side(player) = &mut next.rules {
            let (gold, items) = (player.gold, std::mem::take(&mut player.inventory));
            player.gold = 0;
            next.spent.add(&Stock { gold, items });
        }
        next.print();
        next
    }

    /// Whether a trade is open to a side.
    pub fn is_open(&self) -> bool {
        matches!(&self.rules, Rules::Side(player) if player.open_deals().next().is_some())
    }

    /// Whether nothing of any trade is left.
    pub fn is_clear(&self) -> bool {
        match &self.rules {
            Rules::Side(player) => player.deals.is_none() && self.owed.is_empty(),
            Rules::Trade(_) => !self.exists,
        }
    }

    pub fn is_over(&self) -> bool {
        matches!(&self.rules, Rules::Trade(trade) if trade.is_over())
    }

    /// The trade's stage as its snapshot has it, and how it ended.
    pub fn stage(&self) -> (String, String) {
        let Rules::Trade(trade) = &self.rules else { return Default::default() };
        match &serde_json::to_value(trade).unwrap()["stage"] {
            Value::String(stage) => (stage.clone(), String::new()),
            Value::Object(stage) => {
                let (stage, inner) = stage.iter().next().unwrap();
                (stage.clone(), inner["outcome"].as_str().unwrap_or_default().to_owned())
            }
            _ => Default::default(),
        }
    }
}

/// What came of a decision.
#[derive(Debug)]
pub struct Outcome {
    pub actor: Arc<Durable>,
    pub tells: Vec<(Who, Bytes, bool)>,
    pub alarms: Vec<String>,
    /// A round of questions has begun.
    pub asked: bool,
    /// Something was answered that was not owed.
    pub twice: bool,
}

type Key = (u64, u64);

/// The rules, each decision made once: many states of the world share an actor's.
pub struct Decisions {
    settings: Settings,
    made: Mutex<HashMap<Key, Option<Arc<Outcome>>>>,
}

impl Decisions {
    pub fn new(settings: Settings) -> Self {
        Self { settings, made: Mutex::default() }
    }

    /// None: the message is refused.
    pub fn decide(
        &self,
        who: Who,
        actor: &Durable,
        input: &Input,
        now_ms: u64,
        random: u64,
    ) -> Option<Arc<Outcome>> {
        let mut hasher = DefaultHasher::new();
        (who, now_ms, random).hash(&mut hasher);
        input.hash(&mut hasher);
        let key = (actor.print, hasher.finish());
        if let Some(made) = self.made.lock().unwrap().get(&key) {
            return made.clone();
        }
        let made = self.make(who, actor, input, now_ms, random).ok().map(Arc::new);
        self.made.lock().unwrap().insert(key, made.clone());
        made
    }

    fn make(
        &self,
        who: Who,
        actor: &Durable,
        input: &Input,
        now_ms: u64,
        random: u64,
    ) -> Result<Outcome, Reject> {
        let mut next = actor.clone();
        (next.exists, next.print) = (true, 0);
        let mut token = 0;
        if let Input::Command(command) = input {
            next.used |= command.bit();
            token = u64::from(command.bit());
        }
        if let Input::Timer(name) = input {
            next.timers.remove(name);
        }
        let id = who.id();
        let settings = &self.settings;
        let ctx = Ctx { id: &id, now_ms, seq: 1, token, random, connected: true, settings };
        match &mut next.rules {
            Rules::Side(player) => {
                let decision = run(&mut **player, &ctx, input)?;
                Ok(keep(next, decision, false))
            }
            Rules::Trade(trade) => {
                let decision = run(&mut **trade, &ctx, input)?;
                let asked = |event: &TradeEvent| matches!(event, TradeEvent::Asked { .. });
                let asked = decision.events.iter().any(asked);
                Ok(keep(next, decision, asked))
            }
        }
    }
}

fn run<A>(
    rules: &mut A,
    ctx: &Ctx<'_, Settings>,
    input: &Input,
) -> Result<Decision<A::Event>, Reject>
where
    A: Actor<Settings = Settings>,
{
    let (id, bytes);
    let message = match input {
        Input::Command(command) => {
            bytes = pack(&Request::Verb(command.verb()));
            Message::Command { origin: Origin::Service, payload: &bytes }
        }
        Input::Tell(from, payload) => {
            id = from.id();
            Message::Tell { from: &id, payload }
        }
        Input::Undelivered(to, payload) => {
            id = to.id();
            Message::Undelivered { to: &id, payload, reason: Undelivered::NoSuchActor }
        }
        Input::Timer(name) => Message::Timer { name },
    };
    let decision = rules.decide(ctx, &message)?;
    decision.events.iter().for_each(|event| rules.apply(event));
    Ok(decision)
}

/// Timers that have nothing to do with trades are left out.
fn keep<E>(mut actor: Durable, decision: Decision<E>, asked: bool) -> Outcome {
    let mut twice = false;
    for change in decision.timers {
        match change {
            TimerChange::Set { name, .. } if ["idle", "linkdead", "score"].contains(&&*name) => {}
            TimerChange::Set { name, at_ms } => {
                actor.timers.insert(name.into_owned(), at_ms);
            }
            TimerChange::Cancel { name } => {
                actor.timers.remove(&*name);
            }
        }
    }
    for (token, _) in &decision.completions {
        twice |= !actor.owed.remove(token);
    }
    if let Reply::Later(token) = decision.reply {
        twice |= !actor.owed.insert(token);
    }
    actor.print();
    let tells = decision.tells.into_iter();
    let tells = tells.map(|tell| (Who::of(&tell.to), tell.payload, tell.creates)).collect();
    Outcome { actor: Arc::new(actor), tells, alarms: decision.alarms, asked, twice }
}
