//! kill -9 at every step of a trade, of the gateway of each of its three actors, on Redis.
//!
//! Steps are counted in the store: a trade's three journals grow by one entry a step. A pair of
//! players trades; after its first, second, ... step one of the gateways is killed and started
//! again. In the end each trade has happened for both sides or for none.

use std::time::Duration;

use holdfast_protocol::client::Verb;
use holdfast_protocol::ids::TradeId;
use loadtest::bot::Bot;
use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, sleep_until};

use super::{accept, bargain, gold, goods, offer, sword};
use crate::support::gateways::Gateways;
use crate::support::redis::{Aof, Redis};
use crate::support::{Options, eventually};

/// Steps after which there is a kill; a whole trade takes about as many.
const STEPS: u64 = 9;
/// How long all trades together may take to end: an offer's time, its sides' patience and some.
const END: Duration = Duration::from_secs(90);
/// How long an offer is open that nobody answers, in milliseconds.
const OFFER_MS: u64 = 1_500;
/// A trade that takes no further step has come to rest.
const REST: Duration = Duration::from_millis(300);

/// What bob does with alice's offer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Accepts,
    Declines,
    Counters,
    Nothing,
}

/// The gateways by what they serve.
const TRADE: usize = 0;
const ALICE: usize = 1;
const BOB: usize = 2;

struct World {
    redis: Redis,
    gateways: Gateways,
    watch: MultiplexedConnection,
}

impl World {
    async fn begin(answer: Answer) -> Self {
        let redis = Redis::single(Aof::EverySecond).await;
        let offer_ms = if answer == Answer::Nothing { OFFER_MS } else { 30_000 };
        let options = Options::default().with(&["--trade-offer-ms", &offer_ms.to_string()]);
        let gateways = Gateways::start(3, |_| redis.url(), options).await;
        let watch = redis.connect(None).await.unwrap();
        Self { redis, gateways, watch }
    }

    fn ws(&self, gateway: usize) -> String {
        self.gateways.all[gateway].ws()
    }

    /// The journals of a trade and its sides.
    async fn journals(&self, actors: &[String]) -> Vec<String> {
        let mut keys = Vec::new();
        for actor in actors {
            let found: Vec<String> = self.redis.ask(&["KEYS", &format!("*:j:{actor}")]).await;
            keys.extend(found);
        }
        assert_eq!(keys.len(), actors.len(), "each has a journal: {keys:?}");
        keys
    }

    /// Entries of these journals.
    async fn steps(&mut self, journals: &[String]) -> u64 {
        let mut sum = redis::pipe();
        journals.iter().for_each(|key| {
            sum.cmd("XLEN").arg(key);
        });
        let lens: Vec<u64> = sum.query_async(&mut self.watch).await.unwrap();
        lens.iter().sum()
    }

    /// Waits for so many steps more, or until no further one comes.
    async fn after(&mut self, journals: &[String], base: u64, steps: u64) -> u64 {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let done = self.steps(journals).await - base;
            if done != last {
                (last, since) = (done, Instant::now());
            }
            let rests = last > 0 && since.elapsed() > REST;
            if done >= steps || rests || since.elapsed() > Duration::from_secs(10) {
                return done;
            }
        }
    }

    /// A trade of its own pair, and a kill in it. Returns the steps that it had made.
    async fn play(&mut self, answer: Answer, victim: usize, steps: u64) -> u64 {
        let [a, b] = ["a", "b"].map(|side| format!("{side}-{victim}-{steps}"));
        let mut bob = Bot::enter(&self.ws(BOB), &b, None).await.unwrap();
        // The trade lives where its first tell was sent; alice then moves on.
        let mut first = Bot::enter(&self.ws(TRADE), &a, None).await.unwrap();
        let begun = Instant::now();
        let trade = bargain(&mut first, offer(&b, sword(), gold(20))).await;
        let _alice = Bot::enter(&self.ws(ALICE), &a, None).await.unwrap();
        let actors = [format!("player:{a}"), format!("player:{b}"), format!("trade:{trade}")];
        let journals = self.journals(&actors).await;
        // What the offer itself and alice's move have left to say is said.
        self.after(&journals, 0, u64::MAX).await;
        if answer == Answer::Nothing {
            // The offer's end is what is looked at, and its sides have acknowledgements to write
            // before it.
            sleep_until(begun + Duration::from_millis(OFFER_MS - 50)).await;
        }
        let base = self.steps(&journals).await;
        if let Some(verb) = verb(answer, &trade) {
            bob.send(verb).await.unwrap();
        }
        let done = if steps == 0 { 0 } else { self.after(&journals, base, steps).await };
        self.gateways.all[victim].kill().await;
        self.gateways.all[victim].start_again().await;
        done
    }
}

fn verb(answer: Answer, trade: &TradeId) -> Option<Verb> {
    match answer {
        Answer::Accepts => Some(accept(trade)),
        Answer::Declines => Some(Verb::TradeCancel { trade_id: trade.clone() }),
        Answer::Counters => Some(Verb::TradeCounter {
            trade_id: trade.clone(),
            give: gold(5),
            want: sword(),
            revision: None,
        }),
        Answer::Nothing => None,
    }
}

/// Gold and swords of alice, and of bob.
type Holdings = ((u64, u64), (u64, u64));
const BEFORE: Holdings = ((100, 1), (100, 1));
const TRADED: Holdings = ((120, 0), (80, 2));

/// What both sides of a pair hold when nothing of theirs is open any more.
async fn ended(gateways: &Gateways, pair: &str) -> Holdings {
    eventually(&format!("the end of the trade of {pair}"), END, async || {
        let a = goods(&gateways.all[0].player(&format!("a-{pair}")).await);
        let b = goods(&gateways.all[0].player(&format!("b-{pair}")).await);
        (a.2 == 0 && b.2 == 0).then_some(((a.0, a.1), (b.0, b.1)))
    })
    .await
}

async fn kill_at_every_step(answer: Answer) {
    let mut world = World::begin(answer).await;
    let mut reached = 0;
    for victim in [TRADE, ALICE, BOB] {
        for steps in 0..STEPS {
            let done = world.play(answer, victim, steps).await;
            reached = reached.max(done);
        }
    }
    assert!(reached >= 4, "no kill came later than {reached} steps into its trade");
    let mut traded = 0;
    for victim in [TRADE, ALICE, BOB] {
        for steps in 0..STEPS {
            let holdings = ended(&world.gateways, &format!("{victim}-{steps}")).await;
            traded += usize::from(holdings == TRADED);
            let may = holdings == BEFORE || answer == Answer::Accepts && holdings == TRADED;
            assert!(may, "victim {victim}, after {steps} steps: {holdings:?}");
        }
    }
    println!("{answer:?}: {traded} of {} trades happened", 3 * STEPS);
    if answer == Answer::Accepts {
        assert!(traded > 0, "no trade happened");
    }
    for gateway in &world.gateways.all {
        let alarm =
            gateway.log().lines().any(|line| line.contains("trade ") && line.contains("ERROR"));
        assert!(!alarm, "{} raised an alarm", gateway.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_step_of_an_accepted_trade() {
    kill_at_every_step(Answer::Accepts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_step_of_a_declined_trade() {
    kill_at_every_step(Answer::Declines).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_step_of_a_countered_trade() {
    kill_at_every_step(Answer::Counters).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_step_of_a_trade_that_expires() {
    kill_at_every_step(Answer::Nothing).await;
}
