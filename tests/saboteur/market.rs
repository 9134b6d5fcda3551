//! Trades on a store that loses the gold of one settlement: what both sides were told is right,
//! and one of them does not have it.

use holdfast_protocol::goods::{Goods, GoodsItem};
use loadtest::expect::POTION;

use super::*;

/// Trades of each pair.
const ROUNDS: u32 = 2;
/// Of so many settlements that bring gold one is spoilt: one of all four.
const EVERY_GOLD: u64 = 3;
const GOLD: u64 = 7;

impl Player {
    /// Until what it was told of trades is so.
    async fn until_open(&mut self, count: usize) {
        let mut settled = Vec::new();
        while self.account.knows().dealings.open().count() != count {
            let message = self.hear().await;
            self.account.hear(message, &mut settled);
        }
    }

    /// A trade of this player's gold for the other one's potion.
    async fn trade(&mut self, other: &mut Self) {
        let items = vec![GoodsItem { item_id: POTION.to_owned(), quantity: 1 }];
        let (give, want) =
            (Goods { gold: Some(GOLD), items: Vec::new() }, Goods { gold: None, items });
        self.ask(Verb::TradeOffer { to: other.account.player.clone(), give, want }).await;
        self.settle().await;
        self.until_open(1).await;
        other.until_open(1).await;
        let told = other.account.knows().dealings.open().next().unwrap().clone();
        let (trade_id, revision) = (told.trade_id, Some(told.revision));
        other.ask(Verb::TradeAccept { trade_id, revision }).await;
        other.settle().await;
        other.until_open(0).await;
        self.until_open(0).await;
    }
}

/// Two pairs of players trade.
async fn deal(node: &Node) -> Vec<Closed> {
    let url = format!("ws://{}/ws", node.address);
    let pair = async |first: u32| {
        let mut one = Player::enter(&url, first).await;
        let mut other = Player::enter(&url, first + 1).await;
        for _ in 0..ROUNDS {
            one.trade(&mut other).await;
        }
        [one.account.close(), other.account.close()]
    };
    join_all([pair(0), pair(2)]).await.into_iter().flatten().collect()
}

impl Stage {
    async fn dealt(crime: Option<Crime>) -> Self {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("holdfast.db");
        let store = Saboteur::new(open(dir.path()), file, crime, EVERY_GOLD);
        let node = start(&settings(dir.path()), &store).await;
        let closed = deal(&node).await;
        Self { dir, node, store, closed }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trades_on_a_server_that_keeps_its_promises_have_no_findings() {
    let stage = Stage::dealt(None).await;
    let verified = stage.restart().await.verify().await;
    assert_eq!((broken(&verified), &verified.violations), (Vec::new(), &Vec::new()));
    let looked_at = |name: &str| verified.checks[name].looked_at;
    // Each trade, and each acceptance.
    assert_eq!(looked_at("trades"), u64::from(4 * ROUNDS));
    assert_eq!((looked_at("settled"), looked_at("escrow"), looked_at("conserved")), (4, 4, 3));
    let gold = verified.goods["gold"];
    assert_eq!((gold.minted, gold.held, gold.escrow, gold.found), (400, 400, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_loses_the_gold_of_one_settlement_is_found() {
    let stage = Stage::dealt(Some(Crime::Short)).await;
    let victims = stage.store.victims();
    let [(victim, _)] = &victims[..] else { panic!("one is to be spoilt: {victims:?}") };
    let verified = stage.restart().await.verify().await;
    let expected = [("conserved", 1), ("settled", 1)];
    assert_eq!(broken(&verified), expected, "{:#?}", verified.violations);
    let [wronged] = &players(&verified.violations, "settled").into_iter().collect::<Vec<_>>()[..]
    else {
        panic!("one is wronged: {:#?}", verified.violations);
    };
    assert_eq!(wronged, victim.key());
    let what = |check: &str| {
        let one = verified.violations.iter().find(|violation| violation.check == check);
        one.unwrap().what.clone()
    };
    assert_eq!(what("settled"), "by its trades, gold is 107, not 114");
    assert_eq!(what("conserved"), "of 400 gold, 393 are held and 0 were used");
}
