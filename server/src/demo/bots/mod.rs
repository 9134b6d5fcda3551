//! The bots of a show: players like any other, by the public protocol, who connect to the gateways
//! themselves and not by the visitors' way in.
//!
//! Reading order: [`cast`] (who they are), [`mind`] (what they want), both pure; `player` (one of
//! them on its socket).

pub mod cast;
pub mod mind;
mod player;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::player::Player;
use crate::clock::Clock;

/// I7: news of bots that nobody has read yet; more are dropped.
const NEWS_MAX: usize = 16;
/// Between the arrivals of two.
const APART_MS: u64 = 400;

/// All of them. They leave when this is dropped.
#[derive(Debug)]
pub struct Bots {
    /// What people should know of them, in sentences.
    pub news: mpsc::Receiver<String>,
    _tasks: JoinSet<()>,
}

impl Bots {
    /// Lets `count` of them come in, one after the other, spread over the gateways.
    #[must_use]
    pub fn enter(count: u32, gateways: &[SocketAddr], clock: &Clock) -> Self {
        let (sender, news) = mpsc::channel(NEWS_MAX);
        let urls: Arc<[String]> =
            gateways.iter().map(|address| format!("ws://{address}/ws")).collect();
        let roles: Arc<[cast::Role]> = cast::roles(count).into();
        let (seed, mut tasks) = (rand::random(), JoinSet::new());
        for nth in 0..count {
            let Some(player) = Player::new(nth, &roles, &urls, seed, clock) else { continue };
            let (clock, sender) = (clock.clone(), sender.clone());
            tasks.spawn(async move {
                clock.sleep_ms(APART_MS * u64::from(nth)).await;
                player.live(&sender).await;
            });
        }
        Self { news, _tasks: tasks }
    }
}
