//! Looks at the servers' alarms once a second, so that a server that is killed takes few with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::http::Client;
use crate::verify::alarms::{self, Alarms};

/// How often, and how long a server may take to answer.
const EVERY: Duration = Duration::from_secs(1);

/// See the module. It looks until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    /// Names and origins of the operators' listeners.
    servers: Vec<(String, String)>,
    http: Client,
    seen: Arc<Mutex<Alarms>>,
    _looking: JoinSet<()>,
}

async fn look(http: &Client, servers: &[(String, String)], seen: &Mutex<Alarms>) {
    for (name, origin) in servers {
        let read = timeout(EVERY, http.get(&format!("{origin}/metrics"))).await;
        let page = read.ok().and_then(Result::ok).unwrap_or_default();
        if let Some(count) = alarms::count(&String::from_utf8_lossy(&page)) {
            seen.lock().unwrap_or_else(PoisonError::into_inner).note(name, count);
        }
    }
}

impl Watch {
    pub(super) fn start(servers: Vec<(String, String)>) -> Self {
        let (http, seen) = (Client::default(), Arc::<Mutex<Alarms>>::default());
        let mut looking = JoinSet::new();
        let (its_http, its_servers, its_seen) = (http.clone(), servers.clone(), Arc::clone(&seen));
        looking.spawn(async move {
            let mut seconds = interval(EVERY);
            seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                seconds.tick().await;
                look(&its_http, &its_servers, &its_seen).await;
            }
        });
        Self { servers, http, seen, _looking: looking }
    }

    /// What has come to light, after one more look.
    pub(super) async fn end(self) -> Alarms {
        look(&self.http, &self.servers, &self.seen).await;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
