//! The store's index of sessions, as the edge and the operators ask it, and what holds it against
//! the journals.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::actor::fleet::FleetHandle;
use crate::actor::index::Index;
use crate::actor::index::audit::Audit;
use crate::actor::kind::Kind;
use crate::clock::Clock;
use crate::gateway::SessionIndex;
use crate::gateway::finder::Rows;
use crate::search::{Counts, Cursor, Query, Registry};
use crate::store::attributes::{Found, Search, Want};
use crate::store::{self, Store};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Finder {
    registry: Arc<Registry>,
    store: Arc<dyn Store>,
}

impl Finder {
    pub fn new(index: &Index, store: &Arc<dyn Store>) -> Self {
        Self { registry: Arc::clone(&index.registry), store: Arc::clone(store) }
    }

    async fn ask(&self, query: Arc<Query>, want: Want) -> Result<Found, String> {
        let (registry, now_ms) = (Arc::clone(&self.registry), self.store.now_ms());
        let search = Search { registry, query, now_ms, want };
        self.store.search(search).await.map_err(|error| error.to_string())
    }
}

/// What holds the index against the journals.
pub(crate) fn audit(
    index: &Index,
    store: &Arc<dyn Store>,
    player: &Kind,
    fleet: Option<&FleetHandle>,
    clock: &Clock,
) -> Audit {
    Audit {
        index: index.clone(),
        store: Arc::clone(store),
        kind: player.clone(),
        fleet: fleet.cloned(),
        clock: clock.clone(),
    }
}

fn other() -> String {
    store::Error::Stalled("the index answered something else".into()).to_string()
}

impl SessionIndex for Finder {
    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }

    fn now_ms(&self) -> u64 {
        self.store.now_ms()
    }

    fn page(
        &self,
        query: Arc<Query>,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Rows, String>> {
        async move {
            match self.ask(query, Want::Page { after, limit }).await? {
                Found::Page { rows, next } => Ok((rows, next)),
                Found::Counts(_) => Err(other()),
            }
        }
        .boxed()
    }

    fn count(&self, query: Arc<Query>, by: Counts) -> BoxFuture<'_, Result<Counts, String>> {
        async move {
            match self.ask(query, Want::Counts(by)).await? {
                Found::Counts(counts) => Ok(counts),
                Found::Page { .. } => Err(other()),
            }
        }
        .boxed()
    }
}
