//! Which primary serves what. Owns the task that follows the topology and, through the pool, the
//! connections.
//!
//! - A table is replaced as a whole. A primary that Sentinels name enters it only after it said
//!   itself that it is one; a cluster's does so before any of its lanes is handed out.
//! - A slot that moved to another primary is another history for its tags, though not for the
//!   other tags of that primary.
//! - Whoever asks gets a link as things are now; a link whose primary was replaced refuses.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::DropGuard;

use super::address::{Address, Node};
use super::cluster::{self, Map, slot_of};
use super::connect::Connector;
use super::link::{Link, Primary, Shared, next_history};
use super::pool::Pool;
use super::sentinel::Sentinels;
use super::time::StoreTime;
use crate::clock::Clock;
use crate::store::{Error, History};

/// How long a store may take to answer at start.
const OPEN_MAX: Duration = Duration::from_secs(5);
/// The topology is looked at this often when nothing calls for it,
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// and with this much time between when something does.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// Finds primaries; cheap to clone. The connections end with the last clone.
#[derive(Debug, Clone)]
pub struct Router {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pool: Arc<Pool>,
    table: watch::Receiver<Arc<Table>>,
    _ends: DropGuard,
}

/// The primaries, and which serves what.
#[derive(Debug)]
struct Table {
    map: Map,
    /// Serves what no other does.
    lead: Arc<Primary>,
    /// In the order of the map's nodes.
    primaries: Vec<Arc<Primary>>,
    /// By slot: the number of its arrival at the primary that serves it, 0 if it was always there.
    floors: Vec<History>,
}

/// Counts and facts for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Connections made, the first ones included.
    pub connections: u64,
    /// Calls that ended in doubt.
    pub doubts: u64,
    /// Calls for which there was no connection.
    pub stalls: u64,
    /// Where the primaries are.
    pub primaries: Vec<Node>,
}

impl Router {
    /// Connects to a store.
    ///
    /// # Errors
    /// [`Error::Open`] where nothing usable answers within 5 s.
    pub async fn open(address: &Address, clock: Clock) -> Result<Self, Error> {
        let connector = Arc::new(Connector::new(address.access())?);
        let source = Source::new(address, &connector);
        let shared = Arc::new(Shared::new(StoreTime::new(clock)));
        let pool = Arc::new(Pool::new(connector, shared));
        let ends = pool.stop.clone().drop_guard();
        let mut why = "it does not answer".to_owned();
        let opening = tokio::time::timeout(OPEN_MAX, first_table(&source, &pool, &mut why));
        let Ok(table) = opening.await else {
            return Err(Error::Open(format!("no Redis can be used at {address}: {why}")));
        };
        pool.shared.time.follow(&table.lead.at);
        let table = watch::Sender::new(Arc::new(table));
        let tables = table.subscribe();
        let follower = Follower { source, pool: Arc::clone(&pool), table };
        let stop = pool.stop.clone();
        pool.tasks.spawn(async move { stop.run_until_cancelled(follower.follow()).await });
        Ok(Self { inner: Arc::new(Inner { pool, table: tables, _ends: ends }) })
    }

    /// The way to the primary that serves a hash tag, such as `p0421`, now.
    #[must_use]
    pub fn link(&self, key_tag: &str) -> Link {
        let table = self.inner.table.borrow();
        let (primary, floor) = table.serving(key_tag);
        Link::new(Arc::clone(primary), floor, Arc::clone(&self.inner.pool))
    }

    /// Whether [`Router::link`] would give this link for a hash tag now.
    #[must_use]
    pub fn leads(&self, link: &Link, key_tag: &str) -> bool {
        let table = self.inner.table.borrow();
        let (primary, floor) = table.serving(key_tag);
        link.is_to(primary, floor)
    }

    /// The ways to all primaries.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        let pool = &self.inner.pool;
        let table = self.inner.table.borrow();
        let primaries = table.primaries.iter().cloned();
        primaries.map(|primary| Link::new(primary, 0, Arc::clone(pool))).collect()
    }

    /// Moves when any history changed, or something is served by another primary.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.pool.shared.changes.subscribe()
    }

    /// The store's clock, Unix milliseconds: never steps back.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.inner.pool.shared.time.now_ms()
    }

    /// Counts since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let counters = &self.inner.pool.shared.counters;
        Stats {
            connections: counters.connections.load(Ordering::Relaxed),
            doubts: counters.doubts.load(Ordering::Relaxed),
            stalls: counters.stalls.load(Ordering::Relaxed),
            primaries: self.inner.table.borrow().map.nodes.clone(),
        }
    }

    /// Closes all connections. What is in flight ends in doubt.
    pub async fn close(&self) {
        self.inner.pool.stop.cancel();
        self.inner.pool.tasks.close();
        self.inner.pool.tasks.wait().await;
    }
}

/// Who knows where the primaries are.
#[derive(Debug)]
enum Source {
    Fixed(Node),
    Sentinels(Sentinels),
    Cluster(Vec<Node>),
}

impl Source {
    fn new(address: &Address, connector: &Connector) -> Self {
        match address {
            Address::Single { at, .. } => Self::Fixed(at.clone()),
            Address::Sentinel { sentinels, service, sentinel_login, .. } => {
                let (nodes, service) = (sentinels.clone(), service.clone());
                Self::Sentinels(Sentinels::new(nodes, service, connector, sentinel_login))
            }
            Address::Cluster { seeds, .. } => Self::Cluster(seeds.clone()),
        }
    }

    async fn look(&self, pool: &Pool, known: &[Arc<Primary>]) -> Result<Map, String> {
        match self {
            Self::Fixed(at) => Ok(Map::of_one(at.clone())),
            Self::Sentinels(sentinels) => sentinels.look().await.map(Map::of_one),
            Self::Cluster(seeds) => cluster::look(&pool.connector, seeds, known).await,
        }
    }
}

impl Table {
    fn new(map: Map, pool: &Pool) -> Result<Self, String> {
        let primaries: Vec<_> = map.nodes.iter().map(|node| pool.get(node)).collect();
        let lead = primaries.first().cloned().ok_or("no primary is named")?;
        let floors = vec![0; map.slots.len()];
        Ok(Self { map, lead, primaries, floors })
    }

    /// What serves a hash tag, and the number of its slot's arrival there.
    fn serving(&self, key_tag: &str) -> (&Arc<Primary>, History) {
        if self.map.slots.is_empty() {
            return (&self.lead, 0);
        }
        let slot = usize::from(slot_of(key_tag));
        let owner = self.map.slots.get(slot).copied().flatten();
        let primary = owner.and_then(|owner| self.primaries.get(owner)).unwrap_or(&self.lead);
        (primary, self.floors.get(slot).copied().unwrap_or(0))
    }

    fn owner(&self, slot: usize) -> Option<&Node> {
        self.map.slots.get(slot).copied().flatten().and_then(|owner| self.map.nodes.get(owner))
    }

    /// Numbers the slots that have moved since an older table, and returns them.
    fn follow(&mut self, older: &Self) -> Vec<u16> {
        let arrival = next_history();
        let mut moved = Vec::new();
        for (slot, number) in (0_u16..).zip(0..self.floors.len()) {
            let stayed = self.owner(number) == older.owner(number);
            let floor =
                if stayed { older.floors.get(number).copied().unwrap_or(0) } else { arrival };
            if let Some(place) = self.floors.get_mut(number) {
                *place = floor;
            }
            if !stayed {
                moved.push(slot);
            }
        }
        moved
    }
}

/// Looks until there are primaries and all of them answer; notes in `why` what is missing.
async fn first_table(source: &Source, pool: &Pool, why: &mut String) -> Table {
    loop {
        match try_table(source, pool, why).await {
            Ok(table) => return table,
            Err(missing) => *why = missing,
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

async fn try_table(source: &Source, pool: &Pool, why: &mut String) -> Result<Table, String> {
    let table = Table::new(source.look(pool, &[]).await?, pool)?;
    for primary in &table.primaries {
        *why = primary.complaint();
        primary.reached().await.map_err(|_| primary.complaint())?;
    }
    Ok(table)
}

/// Keeps the table.
struct Follower {
    source: Source,
    pool: Arc<Pool>,
    table: watch::Sender<Arc<Table>>,
}

impl Follower {
    async fn follow(self) {
        let looking = async {
            let mut said = Ok(());
            loop {
                let called = self.pool.shared.look.notified();
                let _ = tokio::time::timeout(LOOK_EVERY, called).await;
                let looked = self.look().await;
                if looked != said {
                    match &looked {
                        Ok(()) => tracing::info!("the store's primaries are known again"),
                        Err(why) => tracing::warn!(why, "the store's primaries can't be told"),
                    }
                }
                said = looked;
                tokio::time::sleep(LOOK_PAUSE).await;
            }
        };
        match &self.source {
            Source::Fixed(_) => {}
            Source::Cluster(_) => looking.await,
            Source::Sentinels(sentinels) => {
                let shared = &self.pool.shared;
                futures::future::join(looking, sentinels.listen(shared)).await;
            }
        }
    }

    async fn look(&self) -> Result<(), String> {
        let present = Arc::clone(&self.table.borrow());
        let map = self.source.look(&self.pool, &present.primaries).await?;
        if map == present.map {
            return Ok(());
        }
        let mut table = Table::new(map, &self.pool)?;
        if let Source::Sentinels(_) = self.source {
            table.lead.reached().await.map_err(|_| table.lead.complaint())?;
        }
        for slot in table.follow(&present) {
            self.pool.arrived(slot);
        }
        let nodes = table.map.nodes.clone();
        tracing::warn!(?nodes, "the store is served by other primaries");
        self.pool.shared.time.follow(&table.lead.at);
        self.table.send_replace(Arc::new(table));
        self.pool.keep_only(&nodes);
        self.pool.shared.changed();
        Ok(())
    }
}
