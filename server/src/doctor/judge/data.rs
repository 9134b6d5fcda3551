//! Whether the data is kept: files, disk, memory, eviction.

use crate::doctor::facts::{Facts, Persistence, Server};
use crate::doctor::finding::Finding;
use crate::store::durability::Durability;

/// Above this share of `maxmemory` there is little time left, %.
const FULL_SOON: u64 = 80;
/// Above this share it is as good as full, %.
const FULL: u64 = 95;
/// Above this share of the machine, a rewrite may not fit any more, %.
const MACHINE_SHARE_MAX: u64 = 75;
/// Bytes of a journal's block that waste little.
const NODE_BYTES: u64 = 1_024;

pub(super) fn persistence(facts: &Facts, server: &Server) -> Vec<Finding> {
    let mut findings = vec![file(server), sync(facts, server)];
    if server.set_to("no-appendfsync-on-rewrite") == Some("yes") {
        let name = "no-appendfsync-on-rewrite";
        let means = "a crash of the machine during a rewrite takes up to 30 s with it";
        let finding = Finding::warning(name, "nothing is synced during a rewrite", means);
        findings.push(finding.set(name, "no"));
    }
    findings
}

fn file(server: &Server) -> Finding {
    let name = "persistence";
    match server.persistence() {
        Persistence::None => {
            let means = "when this process ends, every player is gone; a primary that comes back \
                         empty empties its replicas too";
            Finding::error(name, "nothing is written to a disk", means).set("appendonly", "yes")
        }
        Persistence::Snapshots => {
            let means = "after a crash, players whose gateway has let go of them are back where \
                         they were at the last copy, minutes or hours ago";
            let what = "only copies are written now and then, no append-only file";
            Finding::warning(name, what, means).set("appendonly", "yes")
        }
        _ => Finding::ok(name, "append-only file"),
    }
}

fn sync(facts: &Facts, server: &Server) -> Finding {
    let name = "appendfsync";
    let seen = server.set_to(name).unwrap_or("unknown");
    let persistence = server.persistence();
    if facts.durability == Durability::Fsynced {
        let enough = match persistence {
            Persistence::EveryWrite => true,
            Persistence::None | Persistence::Snapshots => false,
            Persistence::EverySecond | Persistence::Whenever => server.has_waitaof(),
        };
        if !enough {
            let what = format!("--durability fsynced was asked for, but appendfsync is {seen}");
            let means = "what players are told is durable would not be on the disk";
            let value = "always";
            return Finding::error(name, what, means).set(name, value).refuses();
        }
    }
    match persistence {
        Persistence::EveryWrite => Finding::ok(name, "always: synced before every answer"),
        Persistence::EverySecond => Finding::ok(name, format!("{seen}: synced each second")),
        Persistence::Whenever => {
            let means = "a crash of the machine takes up to 30 s with it";
            let what = "no: the system syncs when it likes";
            Finding::warning(name, what, means).set(name, "everysec")
        }
        Persistence::Snapshots | Persistence::None => {
            Finding::note(name, "without effect while there is no append-only file", "")
        }
    }
}

pub(super) fn disk(_: &Facts, server: &Server) -> Vec<Finding> {
    let name = "disk";
    let failed = |field: &str| !matches!(server.info(field), "" | "ok");
    let change = "make room on the Redis's disk and look at its log";
    let refused = "the server refuses every write (MISCONF): players hear busy until it is cured";
    if failed("aof_last_write_status") {
        let what = "the append-only file could not be written";
        return vec![Finding::error(name, what, refused).change(change)];
    }
    let stops = server.set_to("stop-writes-on-bgsave-error") != Some("no")
        && server.set_to("save").is_some_and(|points| !points.is_empty());
    if failed("rdb_last_bgsave_status") {
        let what = "the last snapshot file could not be written";
        let means = "the disk or the memory for a fork is short";
        return vec![match stops {
            true => Finding::error(name, what, refused).change(change),
            false => Finding::warning(name, what, means).change(change),
        }];
    }
    if failed("aof_last_bgrewrite_status") {
        let what = "the append-only file could not be rewritten";
        let means = "it grows until the disk is full";
        return vec![Finding::warning(name, what, means).change(change)];
    }
    vec![Finding::ok(name, "the last writes succeeded")]
}

pub(super) fn eviction(_: &Facts, server: &Server) -> Vec<Finding> {
    let name = "maxmemory-policy";
    let policy = match server.set_to(name) {
        Some(policy) => policy,
        None => server.info("maxmemory_policy"),
    };
    match policy {
        "noeviction" => vec![Finding::ok(name, policy)],
        "" => vec![Finding::note(name, "the server does not tell", "ask its operator")],
        _ => {
            let means = "a full server throws away players' journals, without a word";
            let finding = Finding::error(name, policy, means);
            vec![finding.set(name, "noeviction").refuses()]
        }
    }
}

pub(super) fn memory(_: &Facts, server: &Server) -> Vec<Finding> {
    let name = "maxmemory";
    let used = server.count("used_memory").unwrap_or(0);
    let most = server.number(name).or_else(|| server.count(name)).unwrap_or(0);
    let machine = server.count("total_system_memory").unwrap_or(0);
    let half = megabytes(machine / 2).max(1);
    if most == 0 {
        let means = "the server grows until the system kills it, and then nobody can play";
        let what = "no limit of memory";
        return vec![Finding::warning(name, what, means).set(name, format!("{half}mb"))];
    }
    let share = used.saturating_mul(100) / most;
    let what = format!("{} of {} MB in use ({share} %)", megabytes(used), megabytes(most));
    let full =
        "a full server refuses writes: players hear busy until there is room; nothing is lost";
    let more = format!("{}mb", megabytes(most.saturating_mul(2)).max(1));
    if share >= FULL {
        return vec![Finding::error(name, what, full).set(name, more)];
    }
    if share >= FULL_SOON {
        return vec![Finding::warning(name, what, full).set(name, more)];
    }
    if machine > 0 && most.saturating_mul(100) / machine > MACHINE_SHARE_MAX {
        let means = "while files are rewritten, memory may run out and the system kill the server";
        let what = format!("{} MB of the machine's {} MB", megabytes(most), megabytes(machine));
        return vec![
            Finding::warning(name, what, means).change(format!("redis.conf: {name} {half}mb")),
        ];
    }
    vec![Finding::ok(name, what)]
}

const fn megabytes(bytes: u64) -> u64 {
    bytes >> 20
}

pub(super) fn stream_node(_: &Facts, server: &Server) -> Vec<Finding> {
    let name = "stream-node-max-bytes";
    match server.number(name) {
        None => Vec::new(),
        Some(bytes) if (1..=NODE_BYTES).contains(&bytes) => {
            vec![Finding::ok(name, bytes.to_string())]
        }
        Some(bytes) => {
            let means = "each player's journal takes 4.3 KB of memory instead of 1.3";
            vec![Finding::warning(name, bytes.to_string(), means).set(name, "1024")]
        }
    }
}
