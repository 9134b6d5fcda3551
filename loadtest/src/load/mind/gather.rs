//! Where those walk who pick up coins. Pure.

use holdfast_protocol::client::Step;
use holdfast_protocol::server::CoinRow;

use super::Knows;

/// Nearer than that to a coin, nobody walks on; it is picked up from farther away.
const NEAR: i32 = 24;

/// The step to the nearest coin; `None`: there is none, or it is not known where one stands.
pub(super) fn step(knows: &Knows<'_>) -> Option<Step> {
    let at = knows.at?;
    let away = |coin: &CoinRow| {
        let (dx, dy) = (i64::from(coin.x - at.x), i64::from(coin.y - at.y));
        dx * dx + dy * dy
    };
    let coin = knows.coins.values().min_by_key(|coin| away(coin))?;
    let towards = |from: i32, to: i32| match to - from {
        far if far > NEAR => 1,
        far if far < -NEAR => -1,
        _ => 0,
    };
    Some(Step { dx: towards(at.x, coin.x), dy: towards(at.y, coin.y), buttons: 0 })
}
