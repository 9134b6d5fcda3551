//! Two real gateways on a real Redis are one world: players of both meet, either gateway may die,
//! freeze or be restarted, Redis may fail in every way that the level promises to survive, and
//! nothing that was acknowledged is lost or done twice.

mod failover;
mod faults;
mod meet;
mod restart;
mod slots;
mod takeover;
mod zombie;

use std::time::Duration;

use loadtest::trial::Pace;

use crate::storm::options;
use crate::support::gateways::Gateways;

/// Two gateways on a store.
pub async fn pair(store: &str) -> Gateways {
    Gateways::start(2, |_| store.to_owned(), options()).await
}

fn urls(gateways: &Gateways) -> Vec<String> {
    gateways.all.iter().map(|gateway| gateway.ws()).collect()
}

/// Players who give a silent gateway up and go to the next at once.
fn pace() -> Pace {
    Pace { silence: Some(Duration::from_secs(3)), ..Pace::default() }
}
