//! Players who trade: each offers a potion for gold to the next one, who accepts.

use std::time::Duration;

use holdfast_protocol::client::Verb;
use holdfast_protocol::goods::{Goods, GoodsItem};
use holdfast_protocol::server::{PlayerState, TradeBody};
use loadtest::bot::Bot;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{PATIENCE, eventually};

/// A potion for three gold.
pub fn terms(to: &str) -> Verb {
    let potion = GoodsItem { item_id: "potion-001".into(), quantity: 1 };
    let give = Goods { gold: None, items: vec![potion] };
    Verb::TradeOffer { to: to.parse().unwrap(), give, want: Goods { gold: Some(3), items: vec![] } }
}

/// Acceptance.
pub fn deal(trade: &str) -> Verb {
    Verb::TradeAccept { trade_id: trade.parse().unwrap(), revision: None }
}

/// Offers a potion for gold; the trade.
pub async fn offer(bot: &mut Bot, to: &str) -> String {
    let answer = bot.command(terms(to)).await.unwrap();
    answer.body::<TradeBody>().unwrap().trade_id.to_string()
}

/// See the module.
pub struct Market {
    /// With their ids.
    bots: Vec<(String, Bot)>,
    /// Open offers: to whom, and which.
    open: Vec<(usize, String)>,
}

/// A market that trades by itself.
pub struct Running {
    stop: oneshot::Sender<()>,
    trades: JoinHandle<u64>,
}

impl Market {
    pub async fn open(url: &str, count: usize) -> Self {
        Self::open_at(&[url.to_owned()], count).await
    }

    /// Players at one gateway after the other.
    pub async fn open_at(urls: &[String], count: usize) -> Self {
        let mut bots = Vec::new();
        for nth in 0..count {
            let name = format!("trader-{nth}");
            let bot = Bot::enter(&urls[nth % urls.len()], &name, None).await.unwrap();
            bots.push((name, bot));
        }
        Self { bots, open: Vec::new() }
    }

    /// Everybody makes an offer to the next one.
    pub async fn offer_all(&mut self) {
        for nth in 0..self.bots.len() {
            let to = (nth + 1) % self.bots.len();
            let name = self.bots[to].0.clone();
            // One whose potions are all offered waits.
            let answer = self.bots[nth].1.command(terms(&name)).await.unwrap();
            if let Ok(body) = answer.body::<TradeBody>() {
                self.open.push((to, body.trade_id.to_string()));
            }
        }
    }

    /// Everybody accepts, and nobody waits for what comes of it.
    pub async fn accept_unheard(&mut self) {
        for (to, trade) in std::mem::take(&mut self.open) {
            self.bots[to].1.send(deal(&trade)).await.unwrap();
        }
    }

    /// Everybody accepts. Returns how many trades that were.
    async fn accept_all(&mut self) -> u64 {
        let mut done = 0;
        for (to, trade) in std::mem::take(&mut self.open) {
            let answer = self.bots[to].1.command(deal(&trade)).await.unwrap();
            done += u64::from(answer.result.is_ok());
        }
        done
    }

    pub async fn resume(&mut self) {
        for (name, bot) in &mut self.bots {
            bot.resume_within(PATIENCE).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    /// Waits until no trade is open; what was offered and not accepted runs out.
    pub async fn settle(&mut self) {
        const OFFERS_END: Duration = Duration::from_secs(90);
        for (name, bot) in &mut self.bots {
            eventually(&format!("{name} to have no open trade"), OFFERS_END, async || {
                let state: PlayerState = bot.query(Verb::GetState {}).await.unwrap();
                state.trades.is_empty().then_some(())
            })
            .await;
        }
    }

    /// Trades until it is stopped.
    pub fn run(mut self) -> Running {
        let (stop, mut stopped) = oneshot::channel();
        let trades = tokio::spawn(async move {
            let mut trades = 0;
            while stopped.try_recv().is_err() {
                self.offer_all().await;
                trades += self.accept_all().await;
            }
            trades
        });
        Running { stop, trades }
    }
}

impl Running {
    /// How many trades there were.
    pub async fn stop(self) -> u64 {
        self.stop.send(()).unwrap();
        self.trades.await.unwrap()
    }
}
