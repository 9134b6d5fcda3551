//! The command against the real admin listener, with a rebuild of the test's own making.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::net::TcpListener;

use super::*;
use crate::actor::envelope::CallError;
use crate::admin::{self, AdminState, file};
use crate::config::{NodeAt, StoreChoice};
use crate::store::Store;
use crate::store::memory::Memory;
use crate::telemetry::metrics::Metrics;

/// Each look finds a quarter more done.
#[derive(Debug, Default)]
struct Quarters(AtomicU64);

fn status(done: u64) -> Status {
    let status = if done >= 100 { Stage::Finished } else { Stage::Running };
    Status { status, run: 1, done, players: 100, resumed_from: 25, attempts: 2, error: None }
}

impl admin::rebuild::Rebuild for Quarters {
    fn start(&self, rate: Option<u32>) -> BoxFuture<'static, Result<Status, CallError>> {
        assert_eq!(rate, Some(9));
        futures::future::ready(Ok(status(25))).boxed()
    }

    fn status(&self) -> BoxFuture<'static, Result<Status, CallError>> {
        let done = 25 * self.0.fetch_add(1, Ordering::SeqCst) + 50;
        futures::future::ready(Ok(status(done))).boxed()
    }
}

async fn listener() -> String {
    let store: Arc<dyn Store> = Arc::new(Memory::new(Clock::system()));
    let state = AdminState {
        node: "gw-1".into(),
        metrics: Metrics::default(),
        store,
        rebuild: Arc::new(Quarters::default()),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, admin::router(state)).await });
    addr.to_string()
}

fn asked(admin: Option<String>, dir: &str) -> Rebuild {
    let store = StoreChoice::Embedded(dir.into());
    Rebuild { node: NodeAt { admin, store, data_dir: dir.into() }, rate: 9, json: false }
}

#[tokio::test]
async fn progress_is_shown_until_it_is_done() {
    let asked = asked(Some(format!("http://{}/", listener().await)), "none");
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    rebuild(&asked, &Clock::system(), &mut out, &mut notes).await.unwrap();
    let wanted = " 25 %  25 of 100 players, resumed from 25\n \
                  50 %  50 of 100 players, resumed from 25\n \
                  75 %  75 of 100 players, resumed from 25\n";
    assert_eq!(String::from_utf8(notes).unwrap(), wanted);
    let end = "leaderboard rebuilt: 100 players, resumed from 25\n";
    assert_eq!(String::from_utf8(out).unwrap(), end);
}

#[tokio::test]
async fn for_programs_each_line_is_an_object_and_nothing_else_is_said() {
    let mut asked = asked(Some(listener().await), "none");
    asked.json = true;
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    rebuild(&asked, &Clock::system(), &mut out, &mut notes).await.unwrap();
    let lines: Vec<Status> =
        out.split_inclusive(|c| *c == b'\n').map(|l| serde_json::from_slice(l).unwrap()).collect();
    assert_eq!(lines, [25, 50, 75, 100].map(status));
    assert!(notes.is_empty());
}

#[tokio::test]
async fn the_node_is_found_by_its_file_and_missed_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let asked = asked(None, dir.path().to_str().unwrap());
    let error =
        rebuild(&asked, &Clock::system(), &mut Vec::new(), &mut Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("--admin"), "{error}");
    file::announce(dir.path(), listener().await.parse().unwrap()).unwrap();
    rebuild(&asked, &Clock::system(), &mut Vec::new(), &mut Vec::new()).await.unwrap();
}

#[tokio::test]
async fn of_the_nodes_of_a_redis_the_first_that_answers_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let store = StoreChoice::Redis("redis://localhost".parse().unwrap());
    let mut asked = asked(None, dir.path().to_str().unwrap());
    asked.node.store = store;
    let error =
        rebuild(&asked, &Clock::system(), &mut Vec::new(), &mut Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("NODE/admin"), "{error}");
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    file::announce(&dir.path().join("gw-1"), dead).unwrap();
    file::announce(&dir.path().join("gw-2"), listener().await.parse().unwrap()).unwrap();
    rebuild(&asked, &Clock::system(), &mut Vec::new(), &mut Vec::new()).await.unwrap();
}
