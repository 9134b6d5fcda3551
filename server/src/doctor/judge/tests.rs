//! Each wrong setting, one at a time, over a server that is as it should be.

use super::*;
use crate::doctor::facts::{Fields, Kind};
use crate::store::durability::Durability;

fn fields(text: &str) -> Fields {
    let pair = |line: &str| {
        let (name, value) = line.trim().split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

fn good() -> Server {
    let info = "redis_version=7.0.15\nredis_mode=standalone\nrole=master\nloading=0\n\
                tcp_port=6379\naof_enabled=1\naof_last_write_status=ok\n\
                rdb_last_bgsave_status=ok\nused_memory=1000000\nmaxmemory=1000000000\n\
                total_system_memory=4000000000\nconnected_clients=20";
    let config = "appendonly=yes\nappendfsync=everysec\nno-appendfsync-on-rewrite=no\nsave=\n\
                  maxmemory=1000000000\nmaxmemory-policy=noeviction\nstream-node-max-bytes=1024\n\
                  min-replicas-to-write=0\nmin-replicas-max-lag=10\nrepl-backlog-size=268435456\n\
                  timeout=0\ntcp-keepalive=60\nmaxclients=10000\nport=6379\ntls-port=0\n\
                  cluster-require-full-coverage=no\n\
                  client-output-buffer-limit=normal 0 0 0 slave 268435456 67108864 60 pubsub \
                  67108864 16777216 60";
    Server {
        at: "h:6379".into(),
        port: 6379,
        loopback: true,
        info: fields(info),
        config: fields(config),
        client_ids: vec![5; 8],
        run_ids: vec!["r".into(); 3],
        ping_us: 80,
        set_us: 90,
        user: "holdfast".into(),
        ..Server::default()
    }
}

fn whole(server: Server) -> Facts {
    Facts { servers: vec![server], ..Facts::default() }
}

/// What is worse than a note, as "level name" or, where no node may start, "level name!".
fn found(facts: &Facts) -> Vec<String> {
    let bad = judge(facts).into_iter().filter(|finding| finding.level > Level::Note);
    bad.map(|finding| {
        let mark = if refuses(&finding) { "!" } else { "" };
        format!("{} {}{mark}", finding.level.as_str(), finding.name)
    })
    .collect()
}

/// Changes values of the good server: `name=value` of INFO, `:name=value` of the configuration.
fn changed(text: &str) -> Server {
    let mut server = good();
    for (name, value) in fields(&text.replace("; ", "\n")) {
        match name.strip_prefix(':') {
            Some(name) => server.config.insert(name.to_owned(), value),
            None => server.info.insert(name, value),
        };
    }
    server
}

#[test]
fn a_good_server_has_nothing_but_good_news() {
    assert_eq!(found(&whole(good())), [""; 0]);
    assert!(judge(&whole(good())).len() >= CHECKS.len());
}

#[test]
fn each_wrong_setting_is_found_by_its_name() {
    let table = [
        ("redis_version=6.2.14", "error version!"),
        ("redis_version=", "error version!"),
        ("dragonfly_version=df-1", "error version!"),
        ("server_name=valkey; valkey_version=7.2.5", "error version!"),
        ("redis_mode=cluster", "error mode!"),
        ("redis_mode=sentinel", "error mode!"),
        ("role=slave; master_host=h; master_port=1", "error role!"),
        ("loading=1", "error role"),
        ("tcp_port=6380; :port=6380", "warning proxy"),
        (":appendonly=no", "error persistence"),
        (":appendonly=no; :save=3600 1", "warning persistence"),
        (":appendfsync=no", "warning appendfsync"),
        (":no-appendfsync-on-rewrite=yes", "warning no-appendfsync-on-rewrite"),
        ("aof_last_write_status=err", "error disk"),
        ("rdb_last_bgsave_status=err; :save=60 1", "error disk"),
        ("rdb_last_bgsave_status=err", "warning disk"),
        ("rdb_last_bgsave_status=err; :save=60 1; :stop-writes-on-bgsave-error=no", "warning disk"),
        ("aof_last_bgrewrite_status=err", "warning disk"),
        (":maxmemory-policy=allkeys-lru", "error maxmemory-policy!"),
        (":maxmemory-policy=volatile-ttl", "error maxmemory-policy!"),
        (":maxmemory=0", "warning maxmemory"),
        ("used_memory=800000000", "warning maxmemory"),
        ("used_memory=950000000", "error maxmemory"),
        ("total_system_memory=1200000000", "warning maxmemory"),
        (":stream-node-max-bytes=4096", "warning stream-node-max-bytes"),
        (":stream-node-max-bytes=0", "warning stream-node-max-bytes"),
        (":timeout=5", "warning timeout"),
        (":tcp-keepalive=0", "warning tcp-keepalive"),
        (":maxclients=100", "warning maxclients"),
        ("connected_clients=9100", "error maxclients"),
        (
            ":client-output-buffer-limit=normal 0 0 0 pubsub 1048576 0 0",
            "warning client-output-buffer-limit",
        ),
        (":min-replicas-to-write=1", "error min-replicas-to-write"),
        ("slave0=state=online,lag=0", "warning min-replicas-to-write"),
        (":min-replicas-to-write=1; slave0=state=online,lag=7", "warning replica-lag"),
        (":min-replicas-to-write=1; slave0=state=wait_bgsave,lag=0", "error min-replicas-to-write"),
    ];
    for (change, wanted) in table {
        assert_eq!(found(&whole(changed(change))), [wanted], "{change}");
    }
}

#[test]
fn what_is_no_setting_is_found_too() {
    type Bend = fn(&mut Server);
    let table: [(Bend, &str); 12] = [
        (|s| s.client_ids.push(6), "error proxy!"),
        (|s| s.run_ids.push("other".into()), "error proxy!"),
        (|s| s.loopback = false, "warning tls"),
        (|s| s.skew_ms = -501, "warning clock"),
        (|s| s.skew_ms = 30_001, "error clock"),
        (|s| s.ping_us = 3_001, "warning latency"),
        (|s| s.set_us = 50_001, "error latency"),
        (|s| s.set_refused = Some("OOM".into()), "error writes"),
        (|s| s.script_refused = Some("NOPERM".into()), "error scripts!"),
        (|s| s.denied = vec![("XADD".into(), "no".into())], "error acl!"),
        (|s| s.config_refused = Some("NOPERM".into()), "warning config"),
        (|s| s.tls = true, ""),
    ];
    for (number, (bend, wanted)) in table.into_iter().enumerate() {
        let mut server = good();
        bend(&mut server);
        assert_eq!(found(&whole(server)).concat(), wanted, "row {number}");
    }
}

#[test]
fn notes_are_no_warnings() {
    let mut server = changed("server_name=valkey; valkey_version=8.1.0; redis_version=7.2.4");
    server.almighty = true;
    let facts = whole(server);
    assert_eq!(found(&facts), [""; 0]);
    let notes: Vec<&str> = judge(&facts)
        .iter()
        .filter(|finding| finding.level == Level::Note)
        .map(|finding| finding.name)
        .collect();
    assert_eq!(notes, ["version", "acl"]);
}

#[test]
fn a_level_that_is_not_given_is_refused() {
    let asked = |durability, change| found(&Facts { durability, ..whole(changed(change)) });
    let fsynced = Durability::Fsynced;
    assert_eq!(asked(fsynced, ""), ["error appendfsync!"], "everysec before 7.2");
    assert_eq!(asked(fsynced, ":appendfsync=always"), [""; 0]);
    assert_eq!(asked(fsynced, "redis_version=7.2.0"), [""; 0], "WAITAOF");
    let none = asked(fsynced, "redis_version=7.2.0; :appendonly=no");
    assert_eq!(none, ["error persistence", "error appendfsync!"]);
    let one = Durability::Replicated(1);
    assert_eq!(asked(one, ""), ["error replicas!", "warning min-replicas-to-write"]);
    let there = "slave0=state=online,lag=0";
    assert_eq!(asked(one, there), ["warning min-replicas-to-write"]);
    let kept = format!("{there}; :min-replicas-to-write=1");
    assert_eq!(asked(one, &kept), [""; 0]);
    assert_eq!(asked(Durability::Replicated(2), &kept).first().unwrap(), "error replicas!");
}

#[test]
fn sentinels_must_agree_and_be_enough() {
    let said = |text: &str| fields(&text.replace("; ", "\n"));
    let one = "ip=h; port=1; flags=master; quorum=2; num-other-sentinels=2";
    let of = |all: &[&str]| {
        let sentinels = all.iter().enumerate().map(|(n, text)| (n.to_string(), said(text)));
        let mut server = good();
        server.info.insert("slave0".into(), "state=online,lag=0".into());
        server.config.insert("min-replicas-to-write".into(), "1".into());
        found(&Facts { kind: Kind::Sentinel, sentinels: sentinels.collect(), ..whole(server) })
    };
    assert_eq!(of(&[one, one, one]), [""; 0]);
    assert_eq!(of(&[one, &one.replace("port=1", "port=2")]), ["error sentinels"]);
    assert_eq!(of(&[&one.replace("flags=master", "flags=master,s_down")]), ["error sentinels"]);
    assert_eq!(of(&[&one.replace("sentinels=2", "sentinels=1")]), ["warning sentinels"]);
    assert_eq!(of(&[&one.replace("quorum=2", "quorum=1")]), ["warning sentinels"]);
    let alone = Facts { kind: Kind::Sentinel, ..whole(good()) };
    assert_eq!(found(&alone), ["warning replicas"]);
}

#[test]
fn a_cluster_must_serve_every_slot() {
    let state = "cluster_state=ok; cluster_slots_assigned=16384; cluster_slots_ok=16384";
    let of = |state: &str, change: &str| {
        let server = changed(&format!("redis_mode=cluster; slave0=state=online,lag=0; {change}"));
        let cluster = fields(&state.replace("; ", "\n"));
        found(&Facts { kind: Kind::Cluster, cluster, ..whole(server) })
    };
    assert_eq!(of(state, ""), [""; 0]);
    assert_eq!(of(&state.replace("ok; ", "fail; "), ""), ["error cluster-state"]);
    assert_eq!(of(&state.replace("ok=16384", "ok=9000"), ""), ["error cluster-state"]);
    let strict = ":cluster-require-full-coverage=yes";
    assert_eq!(of(state, strict), ["warning cluster-require-full-coverage"]);
    assert_eq!(of("", "redis_mode=standalone"), ["error cluster-state", "error mode!"]);
}

#[test]
fn who_does_not_answer_is_named_and_each_server_is_looked_at() {
    let mut other = changed(":timeout=5");
    other.at = "i:6379".into();
    let facts = Facts {
        silent: vec![("j:6379".into(), "refused".into())],
        servers: vec![good(), other],
        ..Facts::default()
    };
    let bad: Vec<(String, &str)> = judge(&facts)
        .into_iter()
        .filter(|finding| finding.level > Level::Note)
        .map(|finding| (finding.at, finding.name))
        .collect();
    assert_eq!(bad, [("j:6379".into(), "reach"), ("i:6379".into(), "timeout")]);
}

#[test]
fn each_finding_says_what_it_means_and_what_to_change() {
    let mut server = changed(":timeout=5; :maxmemory-policy=allkeys-lru; role=slave; :maxmemory=0");
    server.loopback = false;
    server.denied = vec![("XADD".into(), "no".into())];
    for finding in judge(&whole(server)).iter().filter(|finding| finding.level > Level::Note) {
        assert!(!finding.means.is_empty() && !finding.change.is_empty(), "{finding:?}");
        if let Some(fix) = &finding.fix {
            assert_eq!(finding.change, format!("redis.conf: {} {}", fix.name, fix.value));
        }
    }
}
