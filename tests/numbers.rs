//! The numbers that operators watch: they move when it happens, and each has its line in the
//! documentation.

use std::path::Path;

use holdfast::actor::envelope::CallError;
use holdfast::telemetry::metrics::Metrics;

use crate::houses::{City, House};
use crate::support::gateways::Gateways;
use crate::support::http::Connection;
use crate::support::redis::{Aof, Redis};
use crate::support::{Options, PATIENCE, eventually};
use crate::toy::{Line, Order, order, query, toy};

fn watch(house: &House) -> Metrics {
    let metrics = Metrics::default();
    metrics.watch_runtime(&house.runtime.stats());
    metrics.watch_fleet(&house.handle);
    metrics
}

/// A number of the text that `/metrics` answers.
fn number(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("no {name} in\n{text}"));
    line.trim().parse().unwrap_or_else(|error| panic!("{name} is {line}: {error}"))
}

async fn reaches(metrics: &Metrics, name: &str, least: f64) {
    let what = format!("{name} to reach {least}");
    let there = async || (number(&metrics.render(), name) >= least).then_some(());
    eventually(&what, PATIENCE, there).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn take_over_fence_freeze_and_adoption_are_counted() {
    let city = City::new();
    let (one, two) = (city.house("one").await, city.house("two").await);
    let (first, second) = (watch(&one), watch(&two));
    reaches(&first, "holdfast_nodes", 2.0).await;
    for metrics in [&first, &second] {
        assert_eq!(number(&metrics.render(), "holdfast_freezes_total"), 0.0, "a first lease");
        assert_eq!(number(&metrics.render(), "holdfast_frozen_seconds_total"), 0.0);
    }
    // A player goes from one node to the other.
    let before = Line::open(&one.runtime, "a").await;
    let after = Line::open(&two.runtime, "a").await;
    assert_eq!(number(&second.render(), "holdfast_taken_over_total"), 1.0);
    reaches(&first, "holdfast_handed_over_total", 1.0).await;
    drop((before, after));
    // An actor is taken from a node that does not answer, and its activation there ends.
    order(&one.runtime, &toy("b"), &Order::Add(1)).await.unwrap();
    two.lose_mail(true);
    let unknown = order(&two.runtime, &toy("b"), &Order::Add(1)).await;
    assert_eq!(unknown, Err(CallError::OutcomeUnknown));
    reaches(&second, "holdfast_claims_unanswered_total", 1.0).await;
    two.lose_mail(false);
    assert_eq!(query(&one.runtime, &toy("b"), true).await, Err(CallError::Busy));
    reaches(&first, "holdfast_fenced_total", 1.0).await;
    // A node is cut off, declared dead, and what it had is adopted.
    order(&one.runtime, &toy("c"), &Order::Add(1)).await.unwrap();
    let dead = one.session();
    one.cut_off(true);
    two.buries(dead).await;
    let text = first.render();
    assert_eq!(
        (number(&text, "holdfast_frozen"), number(&text, "holdfast_freezes_total")),
        (1.0, 1.0)
    );
    let lasted = number(&text, "holdfast_frozen_seconds_total");
    reaches(&first, "holdfast_frozen_seconds_total", lasted + 0.05).await;
    order(&two.runtime, &toy("c"), &Order::Add(1)).await.unwrap();
    let text = second.render();
    assert_eq!(number(&text, "holdfast_adopted_total"), 1.0);
    assert_eq!(number(&text, "holdfast_nodes_reaped_total"), 1.0);
    assert_eq!(number(&text, "holdfast_nodes"), 1.0);
    assert!(number(&text, "holdfast_forwarded_total") >= 1.0);
    assert_eq!(number(&text, "holdfast_frozen"), 0.0);
    one.cut_off(false);
    reaches(&first, "holdfast_sessions_lost_total", 1.0).await;
    reaches(&first, "holdfast_fenced_total", 2.0).await;
    let text = first.render();
    assert_eq!(
        (number(&text, "holdfast_frozen"), number(&text, "holdfast_freezes_total")),
        (0.0, 1.0)
    );
    one.drain().await;
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_is_documented_and_a_first_lease_is_no_thaw() {
    let redis = Redis::single(Aof::Off).await;
    let gateways = Gateways::start(1, |_| redis.url(), Options::default()).await;
    let gateway = &gateways.all[0];
    let mut admin = Connection::open(gateway.admin()).await.unwrap();
    let text = admin.get("/metrics").await.unwrap().body;
    assert_eq!(number(&text, "holdfast_nodes"), 1.0);
    assert_eq!(number(&text, "holdfast_frozen"), 0.0);
    assert_eq!(number(&text, "holdfast_freezes_total"), 0.0);
    assert_eq!(number(&text, "holdfast_store_stalled"), 0.0);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let page = std::fs::read_to_string(page).unwrap();
    let names = text.lines().filter_map(|line| {
        let mut words = line.strip_prefix("# TYPE holdfast_")?.split(' ');
        Some((words.next()?, words.next()?))
    });
    let shown = |(name, kind): &(&str, &str)| match *kind {
        "counter" => format!("`{name}_total`"),
        _ => format!("`{name}`"),
    };
    let missing: Vec<_> =
        names.map(|name| shown(&name)).filter(|name| !page.contains(name)).collect();
    assert!(missing.is_empty(), "not in docs/operations.md: {missing:?}");
    let log = gateway.log();
    assert!(log.contains("the lease is held"), "{log}");
    assert!(!log.contains("thaw") && !log.contains("freeze") && !log.contains("frozen"), "{log}");
}
