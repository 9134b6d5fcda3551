//! The doctor against real servers: each wrong setting is found by its name, good ones are left
//! alone, and what can be changed at once is changed.

use std::collections::BTreeSet;
use std::path::Path;

use holdfast::clock::Clock;
use holdfast::doctor::{self, Finding, Level, Order, Report};
use holdfast::store::durability::Durability;
use holdfast::store::redis::address::Address;

use crate::support;
use crate::support::redis::deploy::{Cluster, Pair, Sentinels};
use crate::support::redis::tls::Tls;
use crate::support::redis::{Aof, OPERATOR, Redis, Setup, documented_file};

async fn examine(url: &str, durability: Durability) -> Report {
    let address: Address = url.parse().unwrap();
    let order = Order { address, durability, samples: 20 };
    doctor::examine(&order, &Clock::system()).await.unwrap()
}

fn find<'a>(report: &'a Report, name: &str) -> Option<&'a Finding> {
    report.findings.iter().find(|finding| finding.name == name && finding.level > Level::Note)
}

/// Asserts that a finding is there, and how bad it is.
fn assert_found(report: &Report, name: &str, level: Level) {
    let finding = find(report, name);
    let finding = finding.unwrap_or_else(|| panic!("{name} was not found:\n{}", report.text()));
    assert_eq!(finding.level, level, "{}", report.text());
    assert!(!finding.means.is_empty(), "{name} does not say what it means");
}

/// What is worse than a note, but for what depends on this machine's load and memory.
fn complaints(report: &Report) -> Vec<&'static str> {
    let bad = report.findings.iter().filter(|finding| finding.level > Level::Note);
    bad.map(|finding| finding.name)
        .filter(|name| !["latency", "maxmemory"].contains(name))
        .collect()
}

/// The documented files on a machine of any size.
fn documented() -> Setup {
    Setup::documented().with(&["--maxmemory", "256mb"])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_files_leave_nothing_to_say() {
    let server = Redis::start(documented()).await;
    let report = examine(&server.url(), Durability::Stored).await;
    assert_eq!(complaints(&report), [""; 0], "{}", report.text());
    assert!(report.refusals().is_empty());
    let acl = report.findings.iter().find(|finding| finding.name == "acl").unwrap();
    assert_eq!(acl.level, Level::Ok, "{}", report.text());
    assert!(!report.text().contains("change-this"), "a password is shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_wrong_settings_of_one_server_are_found() {
    let setup = documented().with(&[
        "--maxmemory-policy",
        "allkeys-lru",
        "--appendfsync",
        "no",
        "--no-appendfsync-on-rewrite",
        "yes",
        "--stream-node-max-bytes",
        "4096",
        "--timeout",
        "5",
        "--tcp-keepalive",
        "0",
        "--maxclients",
        "200",
        "--client-output-buffer-limit",
        "pubsub 1mb 512kb 60",
        "--min-replicas-to-write",
        "0",
    ]);
    let server = Redis::start(setup).await;
    let report = examine(&server.url(), Durability::Replicated(1)).await;
    assert_found(&report, "maxmemory-policy", Level::Error);
    assert_found(&report, "appendfsync", Level::Warning);
    assert_found(&report, "no-appendfsync-on-rewrite", Level::Warning);
    assert_found(&report, "stream-node-max-bytes", Level::Warning);
    assert_found(&report, "timeout", Level::Warning);
    assert_found(&report, "tcp-keepalive", Level::Warning);
    assert_found(&report, "maxclients", Level::Warning);
    assert_found(&report, "client-output-buffer-limit", Level::Warning);
    assert_found(&report, "min-replicas-to-write", Level::Warning);
    assert_found(&report, "replicas", Level::Error);
    let refusals = report.refusals().join("\n");
    assert!(refusals.contains("allkeys-lru") && refusals.contains("replicated:1"), "{refusals}");
    assert_eq!(report.refusals().len(), 2, "{refusals}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_changed_at_once_is_changed() {
    let wrong = ["--stream-node-max-bytes", "4096", "--timeout", "5"];
    let server = Redis::start(documented().with(&wrong)).await;
    let operator = format!("redis://{}:{}@{}", OPERATOR.name, OPERATOR.password, server.address());
    let order = |url: &str| Order {
        address: url.parse().unwrap(),
        durability: Durability::Stored,
        samples: 5,
    };
    let report = examine(&server.url(), Durability::Stored).await;
    let refused = doctor::fix(&order(&server.url()), &report).await.unwrap();
    assert!(refused.iter().all(|line| line.contains("was refused")), "{refused:?}");
    let done = doctor::fix(&order(&operator), &report).await.unwrap();
    assert!(done.iter().any(|line| line.contains("stream-node-max-bytes is 1024")), "{done:?}");
    let after = examine(&server.url(), Durability::Stored).await;
    assert!(find(&after, "stream-node-max-bytes").is_none(), "{}", after.text());
    assert!(find(&after, "timeout").is_none(), "{}", after.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_nothing_or_is_nearly_full_is_found() {
    let server = Redis::single(Aof::Off).await;
    let report = examine(&server.url(), Durability::Fsynced).await;
    assert_found(&report, "persistence", Level::Error);
    assert_found(&report, "appendfsync", Level::Error);
    assert_eq!(report.refusals().len(), 1, "{}", report.text());
    let all = "everything: the server comes back empty, and the nodes halt";
    assert!(report.durability.faults.iter().any(|row| row.lost == all));
    for number in 0..16 {
        let filler = "x".repeat(1 << 20);
        let _: String = server.ask(&["SET", &number.to_string(), &filler]).await;
    }
    let used: u64 = server.info("used_memory").await.unwrap().parse().unwrap();
    let limit = async |bytes: u64| {
        let _: String = server.ask(&["CONFIG", "SET", "maxmemory", &bytes.to_string()]).await;
    };
    limit(used + used / 40).await;
    assert_found(&examine(&server.url(), Durability::Stored).await, "maxmemory", Level::Error);
    limit(used - (1 << 20)).await;
    let full = examine(&server.url(), Durability::Stored).await;
    assert_found(&full, "writes", Level::Error);
    assert!(find(&full, "scripts").is_none(), "allow-oom does not work:\n{}", full.text());
    assert!(full.refusals().is_empty(), "a full server keeps nodes from starting");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_lacks_a_command_or_a_key_is_found() {
    let server = Redis::start(documented()).await;
    let _: String = server.ask(&["ACL", "SETUSER", "holdfast", "-xadd", "-ssubscribe"]).await;
    let report = examine(&server.url(), Durability::Stored).await;
    assert_found(&report, "acl", Level::Error);
    let what = &find(&report, "acl").unwrap().what;
    assert!(what.contains("XADD") && what.contains("SSUBSCRIBE"), "{what}");
    assert!(!what.contains("XRANGE"), "{what}");
    let _: String = server.ask(&["ACL", "SETUSER", "holdfast", "+xadd", "+ssubscribe"]).await;
    assert!(find(&examine(&server.url(), Durability::Stored).await, "acl").is_none());
    let _: String = server.ask(&["ACL", "SETUSER", "holdfast", "resetkeys", "~other:*"]).await;
    assert_found(&examine(&server.url(), Durability::Stored).await, "acl", Level::Error);
    let _: String =
        server.ask(&["ACL", "SETUSER", "holdfast", "~hf:*", "-config|get", "-evalsha"]).await;
    let report = examine(&server.url(), Durability::Stored).await;
    assert_found(&report, "config", Level::Warning);
    assert_found(&report, "scripts", Level::Error);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_no_primary_and_a_silent_one_is_missed() {
    let pair = Pair::start(Aof::EverySecond).await;
    let report = examine(&pair.replica.url(), Durability::Stored).await;
    assert_found(&report, "role", Level::Error);
    let change = &find(&report, "role").unwrap().change;
    assert!(change.contains(&pair.primary.port().to_string()), "{change}");
    // A replica that has just been in step counts once its primary calls it online.
    let primary = support::eventually("a replica", support::PATIENCE, async || {
        let report = examine(&pair.primary.url(), Durability::Replicated(1)).await;
        report.refusals().is_empty().then_some(report)
    })
    .await;
    assert_found(&primary, "min-replicas-to-write", Level::Warning);
    let two = examine(&pair.primary.url(), Durability::Replicated(2)).await;
    assert_found(&two, "replicas", Level::Error);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_kind_of_address_is_found() {
    let server = Redis::single(Aof::EverySecond).await;
    let as_cluster = server.url().replace("redis://", "redis+cluster://");
    let report = examine(&as_cluster, Durability::Stored).await;
    assert_found(&report, "mode", Level::Error);
    let gone = Address::Single { at: ("127.0.0.1".into(), 1), access: Default::default() };
    let order = Order { address: gone, durability: Durability::Stored, samples: 1 };
    let error = doctor::examine(&order, &Clock::system()).await.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:1") && error.contains("--store"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_primary_of_a_cluster_is_looked_at_and_a_hole_is_found() {
    let mut cluster = Cluster::start(Aof::EverySecond).await;
    let url = cluster.url();
    let report = examine(&url, Durability::Replicated(1)).await;
    let places: BTreeSet<&str> =
        report.findings.iter().map(|finding| finding.at.as_str()).collect();
    assert_eq!(places.len(), 4, "three primaries and the whole: {places:?}");
    assert_found(&report, "cluster-require-full-coverage", Level::Warning);
    assert!(report.durability.summary.contains("shards"), "{}", report.durability.summary);
    assert!(find(&report, "cluster-state").is_none(), "{}", report.text());
    cluster.nodes[3].kill().await;
    cluster.nodes[0].kill().await;
    let seen = support::eventually("a hole in the cluster", support::PATIENCE, async || {
        let report = examine(&url, Durability::Stored).await;
        find(&report, "cluster-state").is_some().then_some(report)
    })
    .await;
    assert_found(&seen, "cluster-state", Level::Error);
    assert_found(&seen, "reach", Level::Error);
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_are_asked_for_the_primary_with_tls_and_users() {
    let tls = Tls::new();
    let all = Sentinels::with(&documented().tls(&tls)).await;
    let url = format!("{}?ca={}", all.url(), tls.ca().display());
    let report = examine(&url, Durability::Replicated(1)).await;
    assert!(find(&report, "sentinels").is_none(), "{}", report.text());
    let place = all.pair.primary.address();
    assert!(report.findings.iter().any(|finding| finding.at == place), "{}", report.text());
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.name != "tls" || finding.what.contains("checked"))
    );
    let both = report.durability.faults.iter().find(|row| row.fault.contains("together")).unwrap();
    assert_eq!(both.lost, "nothing", "one replica, and it has confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_a_report_and_its_exit_code() {
    let server = Redis::start(documented().with(&["--maxmemory-policy", "allkeys-lru"])).await;
    let dir = tempfile::tempdir().unwrap();
    let run = async |words: &[&str]| {
        let output = support::command(dir.path()).args(words).output().await.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let url = server.url();
    let (code, text) = run(&["doctor", "--store", &url]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("maxmemory-policy: allkeys-lru"), "{text}");
    assert!(text.contains("CONFIG SET maxmemory-policy"), "{text}");
    let password = dir.path().join("password");
    std::fs::write(&password, format!("{}\n", OPERATOR.password)).unwrap();
    let bare = format!("redis://{}@{}", OPERATOR.name, server.address());
    let file = password.display().to_string();
    let words = ["doctor", "--store", &bare, "--redis-password-file", &file, "--fix", "--json"];
    let (code, text) = run(&words).await;
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, Some(0), "{text}");
    assert!(report["durability"]["faults"].as_array().unwrap().len() >= 5);
    let (code, _) = run(&["doctor", "--store", "redis://127.0.0.1:1"]).await;
    assert_eq!(code, Some(1));
    let (code, _) = run(&["doctor", "--store", "embedded:x"]).await;
    assert_eq!(code, Some(1));
}

#[test]
fn the_documented_user_may_use_just_what_is_needed() {
    let users = std::fs::read_to_string(documented_file("users.acl")).unwrap();
    let line = users.lines().find(|line| line.starts_with("user holdfast ")).unwrap();
    let given: BTreeSet<String> =
        line.split(' ').filter_map(|word| word.strip_prefix('+')).map(str::to_uppercase).collect();
    let needs = [doctor::needs::ALWAYS, doctor::needs::CLUSTER].concat();
    let wanted: BTreeSet<String> =
        needs.iter().map(|words| doctor::needs::name(words).replace(' ', "|")).collect();
    let missing: Vec<&String> = wanted.difference(&given).collect();
    assert!(missing.is_empty(), "not given: {missing:?}");
    let more: Vec<&String> = given.difference(&wanted).collect();
    // To log in, and to look at its own permissions.
    assert_eq!(more, ["ACL|DRYRUN", "ACL|WHOAMI", "AUTH"]);
}

/// The words that stand between `open` and `close` in a text.
fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
}

/// The commands that the store's sources name, its tests aside.
fn commands_in(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("tests") {
            commands_in(&path, found);
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let calls = ["redis.call('", "redis.pcall('"].map(|open| between(&text, open, '\''));
        let sent = between(code, "cmd(\"", '"');
        match path.extension().and_then(|end| end.to_str()) {
            Some("lua") => found.extend(calls.into_iter().flatten().map(str::to_uppercase)),
            Some("rs") if !path.ends_with("tests.rs") => {
                found.extend(sent.map(str::to_uppercase));
            }
            _ => {}
        }
    }
}

#[test]
fn whatever_the_store_sends_is_looked_for_and_allowed() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src/store/redis");
    let mut sent = BTreeSet::new();
    commands_in(&store, &mut sent);
    assert!(sent.contains("INFO"), "{sent:?}");
    let needs = [doctor::needs::ALWAYS, doctor::needs::CLUSTER, doctor::needs::WAITAOF].concat();
    let known: BTreeSet<String> =
        needs.iter().filter_map(|words| words.first()).map(|word| (*word).to_owned()).collect();
    let mut missing: Vec<&String> = sent.difference(&known).collect();
    // Sentinels are asked, not the server that has the user.
    missing.retain(|word| *word != "SENTINEL");
    assert!(missing.is_empty(), "doctor/needs.rs and users.acl do not know {missing:?}");
    assert_eq!(
        between("cmd(\"A\").arg(cmd(\"B\"))", "cmd(\"", '"').collect::<Vec<_>>(),
        ["A", "B"]
    );
}
