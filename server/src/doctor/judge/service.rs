//! Whether it serves us well: permissions, scripts, speed, connections.

use crate::doctor::facts::{Facts, Server};
use crate::doctor::finding::Finding;

/// A median answer above is felt, µs.
const ANSWER_FELT_US: u64 = 3_000;
/// A median answer above breaks leases and patience, µs.
const ANSWER_MAX_US: u64 = 50_000;
/// Fewer connections are soon used up: each gateway opens about ten to each primary.
const CLIENTS_MIN: u64 = 500;
/// Output that may wait for a subscriber, bytes.
const PUBSUB_BYTES_MIN: u64 = 8 << 20;

pub(super) fn acl(_: &Facts, server: &Server) -> Vec<Finding> {
    let name = "acl";
    let user = &server.user;
    if !server.denied.is_empty() {
        let commands: Vec<&str> =
            server.denied.iter().map(|(command, _)| command.as_str()).collect();
        let reason = server.denied.first().map_or("", |(_, reason)| reason.as_str());
        let what = format!("the user {user} may not use {} ({reason})", commands.join(", "));
        let means = "what needs them fails: players can't be loaded, saved or handed over";
        let change = format!("give {user} the line of docs/redis/users.acl, then ACL LOAD");
        return vec![Finding::error(name, what, means).change(change).refuses()];
    }
    if let Some(why) = &server.unchecked {
        let means = "a missing permission would be noticed only when it is needed";
        let finding = Finding::note(name, format!("permissions can't be looked at: {why}"), means);
        return vec![finding.change(format!("users.acl: +acl|whoami +acl|dryrun for {user}"))];
    }
    if server.almighty {
        let means = "whoever takes over a gateway could erase every player";
        let what = format!("the user {user} may do anything, FLUSHALL included");
        let change = "a user of its own, as in docs/redis/users.acl";
        return vec![Finding::note(name, what, means).change(change)];
    }
    vec![Finding::ok(name, format!("the user {user} may do what is needed, and no more"))]
}

pub(super) fn scripts(_: &Facts, server: &Server) -> Vec<Finding> {
    match &server.script_refused {
        None => vec![Finding::ok("scripts", "scripts run, also in a full server")],
        Some(why) => {
            let means = "no player can be claimed: nobody can play";
            let what = format!("a script does not run: {why}");
            let change = "Redis 7.0 or later, and +evalsha +script|load for the user";
            vec![Finding::error("scripts", what, means).change(change).refuses()]
        }
    }
}

pub(super) fn latency(_: &Facts, server: &Server) -> Vec<Finding> {
    let name = "latency";
    let (ping, set) = (server.ping_us, server.set_us);
    let mut findings = Vec::new();
    if let Some(why) = &server.set_refused {
        let means = "the server refuses writes: players hear busy until it takes them again";
        findings.push(Finding::error("writes", format!("a SET is refused: {why}"), means));
    }
    let what = format!("median of PING {ping} µs, of SET {set} µs");
    let change = "gateways and Redis in one data centre; no swap, no huge pages, fewer forks";
    let means = "every command of every player waits this long";
    findings.push(match ping.max(set) {
        0..=ANSWER_FELT_US => Finding::ok(name, what),
        slow if slow <= ANSWER_MAX_US => Finding::warning(name, what, means).change(change),
        _ => Finding::error(name, what, means).change(change),
    });
    findings
}

pub(super) fn connections(_: &Facts, server: &Server) -> Vec<Finding> {
    let mut findings = Vec::new();
    match server.number("timeout") {
        Some(0) => findings.push(Finding::ok("timeout", "idle connections stay")),
        Some(s) => {
            let means = "a quiet gateway is cut off again and again, and each time what was on \
                         its way is in doubt";
            let what = format!("the server closes connections after {s} s of silence");
            findings.push(Finding::warning("timeout", what, means).set("timeout", "0"));
        }
        None => {}
    }
    match server.number("tcp-keepalive") {
        Some(0) => {
            let means = "connections of a dead gateway are kept until maxclients is reached";
            let what = "dead connections are never noticed";
            let finding = Finding::warning("tcp-keepalive", what, means);
            findings.push(finding.set("tcp-keepalive", "60"));
        }
        Some(s) => findings.push(Finding::ok("tcp-keepalive", format!("{s} s"))),
        None => {}
    }
    findings.extend(clients(server));
    findings
}

fn clients(server: &Server) -> Option<Finding> {
    let name = "maxclients";
    let most = server.number(name)?;
    let now = server.count("connected_clients").unwrap_or(0);
    let what = format!("{now} of {most} connections are in use");
    let means = "a gateway that needs one more can't reach its players";
    Some(if now.saturating_mul(10) >= most.saturating_mul(9) {
        Finding::error(name, what, means).set(name, "10000")
    } else if most < CLIENTS_MIN {
        Finding::warning(name, what, means).set(name, "10000")
    } else {
        Finding::ok(name, what)
    })
}

pub(super) fn pubsub_buffer(_: &Facts, server: &Server) -> Vec<Finding> {
    let name = "client-output-buffer-limit";
    let Some(limits) = server.set_to(name) else { return Vec::new() };
    let words: Vec<&str> = limits.split_whitespace().collect();
    let of = words.chunks(4).find(|class| class.first() == Some(&"pubsub"));
    let bytes = |at: usize| of?.get(at)?.parse::<u64>().ok();
    let least = [bytes(1), bytes(2)].into_iter().flatten().filter(|n| *n > 0).min();
    match least {
        Some(least) if least < PUBSUB_BYTES_MIN => {
            let means = "a gateway that falls behind for a moment loses the frames of its rooms";
            let what = format!("a subscriber is cut off at {least} bytes");
            vec![Finding::warning(name, what, means).set(name, "pubsub 64mb 16mb 60")]
        }
        _ => vec![Finding::ok(name, "room enough for subscribers")],
    }
}
