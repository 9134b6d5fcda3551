//! Whether this is the server that was meant: version, mode, role, way, clock.

use crate::doctor::facts::{Facts, Kind, Server};
use crate::doctor::finding::Finding;

/// Clocks that differ by more are worth a word, ms.
const SKEW_NOTICED_MS: u64 = 500;
/// Clocks that differ by more make times wrong that players see, ms.
const SKEW_MAX_MS: u64 = 30_000;

/// Servers that look like Redis and were not made by its rules of replication.
const OTHERS: [(&str, &str); 3] = [
    ("dragonfly_version", "Dragonfly"),
    ("kvrocks_version", "Kvrocks"),
    ("garnet_version", "Garnet"),
];

pub(super) fn version(_: &Facts, server: &Server) -> Vec<Finding> {
    let name = "version";
    let other = OTHERS.iter().find(|(field, _)| !server.info(field).is_empty());
    if let Some((_, product)) = other {
        let means = "Holdfast's promises rest on how Redis orders, replicates and fails over";
        let finding = Finding::error(name, format!("this is {product}, not Redis"), means);
        return vec![finding.change("use Redis 7.0 or later").refuses()];
    }
    let seen = if server.is_valkey() { "Valkey" } else { "Redis" };
    let least = if server.is_valkey() { (8, 0) } else { (7, 0) };
    let Some((major, minor)) = server.version() else {
        let means = "nothing is known about what it keeps and when";
        let finding = Finding::error(name, "INFO names no version of Redis", means);
        return vec![finding.change("connect to Redis itself, 7.0 or later").refuses()];
    };
    let what = format!("{seen} {major}.{minor}");
    if (major, minor) < least {
        let means = "scripts and permissions that Holdfast needs are missing: nothing works";
        let change = format!("use {seen} {}.{} or later", least.0, least.1);
        return vec![Finding::error(name, what, means).change(change).refuses()];
    }
    if server.is_valkey() {
        let means = "it should work as Redis does, but no test of Holdfast has run on it";
        return vec![Finding::note(name, format!("{what}, untested"), means)];
    }
    vec![Finding::ok(name, what)]
}

pub(super) fn mode(facts: &Facts, server: &Server) -> Vec<Finding> {
    let mode = match server.info("redis_mode") {
        "" => server.info("server_mode"),
        mode => mode,
    };
    let wanted = if facts.kind == Kind::Cluster { "cluster" } else { "standalone" };
    if mode.is_empty() || mode == wanted {
        return vec![Finding::ok("mode", wanted)];
    }
    let change = match mode {
        "cluster" => format!("--store redis+cluster://{}", server.at),
        "sentinel" => format!("--store redis+sentinel://{}/NAME", server.at),
        _ => format!("--store redis://{}", server.at),
    };
    let what = format!("the server runs as {mode}, the address says {wanted}");
    let means = "most players could not be loaded or saved";
    vec![Finding::error("mode", what, means).change(change).refuses()]
}

pub(super) fn role(_: &Facts, server: &Server) -> Vec<Finding> {
    if server.info("loading") == "1" {
        let means = "nobody can play until it has read its files";
        return vec![Finding::error("role", "the server is still loading its data", means)];
    }
    if server.info("role") == "master" {
        return vec![Finding::ok("role", "primary")];
    }
    let (host, port) = (server.info("master_host"), server.info("master_port"));
    let what = format!("this is a replica of {host}:{port}");
    let means = "a replica takes no writes: nobody can play";
    let change = format!("--store redis://{host}:{port}, or the Sentinels' addresses");
    vec![Finding::error("role", what, means).change(change).refuses()]
}

pub(super) fn proxy(_: &Facts, server: &Server) -> Vec<Finding> {
    let name = "proxy";
    let means = "a late write of one connection may overtake another: doubt about a write could \
                 not be settled, and a failover not be seen";
    let change = "connect to Redis itself: no proxy, balancer or virtual address between";
    let error = |what: &str| vec![Finding::error(name, what, means).change(change).refuses()];
    if server.client_ids.windows(2).any(|pair| pair.first() != pair.last()) {
        return error("CLIENT ID changes on one connection: something stands between");
    }
    if server.run_ids.windows(2).any(|pair| pair.first() != pair.last()) {
        return error("two connections to one address reach two servers");
    }
    let own = [Some(server.info("tcp_port")), server.set_to("tls-port"), server.set_to("port")];
    let own: Vec<u16> = own.into_iter().flatten().filter_map(|port| port.parse().ok()).collect();
    if !own.is_empty() && !own.contains(&server.port) {
        let what = format!(
            "port {} was connected to, the server listens on {}",
            server.port,
            own.first().copied().unwrap_or_default()
        );
        let means = "where that is a virtual address, it may lead to two primaries during a \
                     failover; a mere translation of ports does no harm";
        return vec![Finding::warning(name, what, means).change(change)];
    }
    vec![Finding::ok(name, "nothing stands between")]
}

pub(super) fn tls(_: &Facts, server: &Server) -> Vec<Finding> {
    if server.tls {
        return vec![Finding::ok("tls", "encrypted, the certificate is checked")];
    }
    if server.loopback {
        return vec![Finding::ok("tls", "not encrypted, on this machine only")];
    }
    let means = "whoever can listen on the network reads the password and every player's state";
    vec![
        Finding::warning("tls", "the connection is not encrypted", means)
            .change("redis.conf: tls-port 6379, and --store rediss://…"),
    ]
}

pub(super) fn clock(_: &Facts, server: &Server) -> Vec<Finding> {
    let (off, side) = (server.skew_ms.unsigned_abs(), server.skew_ms.is_positive());
    let what = format!("the server's clock is {off} ms {}", if side { "ahead" } else { "behind" });
    let change =
        "let the machines' clocks follow the same time servers (chrony, systemd-timesyncd)";
    let means = "who owns a player does not depend on it; times of day and the age of tokens do";
    vec![match off {
        0..=SKEW_NOTICED_MS => Finding::ok("clock", what),
        off if off <= SKEW_MAX_MS => Finding::warning("clock", what, means).change(change),
        _ => Finding::error("clock", what, means).change(change),
    }]
}
