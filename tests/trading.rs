//! Trades and gifts over real sockets and processes: goods change hands once or not at all,
//! whatever dies meanwhile, and whoever was away finds the outcome.

mod kills;

use holdfast_protocol::client::Verb;
use holdfast_protocol::goods::{Goods, GoodsItem};
use holdfast_protocol::ids::{PlayerId, TradeId};
use holdfast_protocol::server::{Event, PlayerState, TradeBody, TradeEvent, TradePhase};
use loadtest::bot::Bot;
use serde_json::{Value, json};

use crate::gateways::pair;
use crate::services::Caller;
use crate::support::redis::{Aof, Redis};
use crate::support::{Options, PATIENCE, Server, eventually};

fn gold(gold: u64) -> Goods {
    Goods { gold: Some(gold), items: vec![] }
}

fn sword() -> Goods {
    Goods { gold: None, items: vec![GoodsItem { item_id: "sword-001".into(), quantity: 1 }] }
}

fn offer(to: &str, give: Goods, want: Goods) -> Verb {
    Verb::TradeOffer { to: PlayerId::new(to).unwrap(), give, want }
}

fn accept(trade: &TradeId) -> Verb {
    Verb::TradeAccept { trade_id: trade.clone(), revision: None }
}

/// Gold, swords, and offers that are open.
fn goods(state: &Value) -> (u64, u64, usize) {
    let items = state["inventory"].as_array().unwrap();
    let sword = items.iter().find(|item| item["item_id"] == "sword-001");
    let swords = sword.map_or(0, |item| item["quantity"].as_u64().unwrap());
    let open = state.get("trades").map_or(0, |trades| trades.as_array().unwrap().len());
    (state["gold"].as_u64().unwrap(), swords, open)
}

async fn bargain(bot: &mut Bot, verb: Verb) -> TradeId {
    bot.query::<TradeBody>(verb).await.unwrap().trade_id
}

/// The phases of a trade that a player has been told, in order.
async fn told(bot: &mut Bot, phase: TradePhase) -> TradeEvent {
    let find = |bot: &Bot| {
        let events = bot.mirror().frames.iter().flat_map(|frame| &frame.evs);
        let mut trades = events.filter_map(|event| match event {
            Event::Trade(trade) if trade.phase == phase => Some(trade.clone()),
            _ => None,
        });
        trades.next_back()
    };
    bot.wait_for("the trade's event", |bot| find(bot).is_some()).await.unwrap();
    find(bot).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_players_trade_and_a_kill_takes_nothing_back() {
    let mut server = Server::start().await;
    let mut alice = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    let mut bob = Bot::enter(&server.ws(), "bob", None).await.unwrap();
    let trade = bargain(&mut alice, offer("bob", sword(), gold(20))).await;
    let offered = told(&mut bob, TradePhase::Offered).await;
    assert_eq!((&offered.trade_id, offered.from.as_str()), (&trade, "alice"));
    assert_eq!(goods(&server.player("alice").await), (100, 0, 1), "the sword is reserved");
    server.crash().await;
    assert_eq!(goods(&server.player("alice").await), (100, 0, 1), "and stays so");
    bob.resume_within(PATIENCE).await.unwrap();
    bargain(&mut bob, accept(&trade)).await;
    assert_eq!(goods(&server.player("bob").await), (80, 2, 0));
    alice.resume_within(PATIENCE).await.unwrap();
    told(&mut alice, TradePhase::Committed).await;
    server.crash().await;
    assert_eq!(goods(&server.player("alice").await), (120, 0, 0));
    assert_eq!(goods(&server.player("bob").await), (80, 2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn players_of_two_gateways_trade_and_give() {
    let redis = Redis::single(Aof::EverySecond).await;
    let gateways = pair(&redis.url()).await;
    let mut alice = Bot::enter(&gateways.all[0].ws(), "alice", None).await.unwrap();
    let mut bob = Bot::enter(&gateways.all[1].ws(), "bob", None).await.unwrap();
    let trade = bargain(&mut alice, offer("bob", gold(5), sword())).await;
    told(&mut bob, TradePhase::Offered).await;
    let terms = Verb::TradeCounter {
        trade_id: trade.clone(),
        give: sword(),
        want: gold(50),
        revision: Some(1),
    };
    bargain(&mut bob, terms).await;
    let countered = told(&mut alice, TradePhase::Countered).await;
    assert_eq!((countered.revision, countered.from.as_str()), (2, "bob"));
    bargain(&mut alice, accept(&trade)).await;
    told(&mut bob, TradePhase::Committed).await;
    let gift = Verb::Gift { to: PlayerId::new("alice").unwrap(), give: gold(10) };
    bargain(&mut bob, gift).await;
    let both = async |name: &str| goods(&gateways.all[0].player(name).await);
    eventually("the gift", PATIENCE, async || {
        (both("alice").await == (60, 2, 0) && both("bob").await == (140, 0, 0)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_no_one_accepts_ends_by_itself_across_a_kill() {
    let options = Options::default().with(&["--trade-offer-ms", "1500"]);
    let mut server = Server::start_with(options).await;
    let mut alice = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    Bot::enter(&server.ws(), "bob", None).await.unwrap();
    bargain(&mut alice, offer("bob", gold(30), gold(1))).await;
    server.crash().await;
    eventually("the offer's end", PATIENCE, async || {
        (goods(&server.player("alice").await) == (100, 1, 0)).then_some(())
    })
    .await;
    let bob = server.player("bob").await;
    let notice = bob["pending_notifications"][0]["text"].as_str();
    assert!(notice.is_some_and(|text| text.contains("alice offers you")), "{bob}");
    alice.resume_within(PATIENCE).await.unwrap();
    told(&mut alice, TradePhase::Expired).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_traded_is_refused_by_sockets_and_by_http() {
    let server = Server::start().await;
    let mut alice = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    Bot::enter(&server.ws(), "bob", None).await.unwrap();
    let none = TradeId::new("none").unwrap();
    for (verb, code) in [
        (offer("bob", gold(101), gold(1)), "not_enough"),
        (offer("alice", gold(1), gold(1)), "not_yourself"),
        (offer("nobody", gold(1), gold(1)), "no_such_player"),
        (offer("bob", gold(1), Goods { gold: Some(0), items: vec![] }), "bad_args"),
        (offer("bob", Goods::default(), Goods::default()), "bad_args"),
        (accept(&none), "no_such_trade"),
        (Verb::TradeCancel { trade_id: none.clone() }, "no_such_trade"),
    ] {
        let refused = alice.query::<TradeBody>(verb.clone()).await;
        let Err(loadtest::bot::Error::Refused(error)) = refused else {
            panic!("{verb:?} was not refused: {refused:?}")
        };
        assert_eq!(error.code.as_str(), code, "{verb:?}");
        assert!(error.message.len() > 10, "{error:?}");
    }
    let state: PlayerState = alice.query(Verb::GetState {}).await.unwrap();
    assert_eq!((state.gold, state.trades.len()), (100, 0), "nothing was used up");
    let mut caller = Caller::player(server.addr(), "alice", "alice").await;
    let gift = |gold| json!({"do": "gift", "args": {"to": "bob", "give": {"gold": gold}}});
    let response = caller.command("alice", None, &gift(1_000)).await;
    assert_eq!(
        (response.status, response.json()["error"]["code"].as_str()),
        (409, Some("not_enough"))
    );
    let response = caller.command("alice", None, &gift(7)).await;
    assert_eq!(response.status, 200, "{}", response.body);
    eventually("the gift", PATIENCE, async || {
        (goods(&server.player("bob").await) == (107, 1, 0)).then_some(())
    })
    .await;
}
