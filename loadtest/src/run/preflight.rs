//! Whether this machine can play a scenario, before anything is started. Pure but for reading what
//! the system allows.

use std::fs;

use crate::scenario::Scenario;

/// Open files of a generator process besides its sockets, and of the server besides its own.
pub const FILES_BESIDE: u64 = 200;

/// What the system allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Open files of a process.
    pub files: u64,
    /// Ports of outgoing connections to one address.
    pub ports: u64,
    /// Connections that may wait to be accepted.
    pub backlog: u64,
}

impl Allowed {
    /// Reads it; what the system does not tell is taken to be no limit.
    #[must_use]
    pub fn read(files: u64) -> Self {
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
        let ports = range.ok().and_then(|text| ports_of(&text)).unwrap_or(u64::MAX);
        let backlog = fs::read_to_string("/proc/sys/net/core/somaxconn");
        let backlog = backlog.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX);
        Self { files, ports, backlog }
    }
}

fn ports_of(text: &str) -> Option<u64> {
    let mut ends = text.split_whitespace().map(str::parse::<u64>);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    last.checked_sub(first).map(|span| span + 1)
}

/// How a run is split up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// Generator processes.
    pub processes: u32,
    /// What is to be known, in sentences.
    pub remarks: Vec<String>,
}

/// Splits a scenario into processes; `wanted` asks for a number of them, `gateways` are at hand.
///
/// # Errors
/// A sentence that says what is too small, and what to do.
pub fn fit(
    scenario: &Scenario,
    allowed: Allowed,
    wanted: Option<u32>,
    gateways: usize,
) -> Result<Fit, String> {
    let players = u64::from(scenario.players);
    let each = allowed.files.saturating_sub(FILES_BESIDE);
    if each == 0 {
        return Err(format!(
            "a process may open only {} files: raise the hard limit (ulimit -Hn)",
            allowed.files
        ));
    }
    let needed = players.div_ceil(each).max(1);
    let processes = u64::from(wanted.unwrap_or(1)).max(needed).min(players);
    let a_gateway = players.div_ceil(gateways.max(1) as u64);
    // A proxy is within this process, and holds both ends.
    let here = if scenario.proxied { 2 * players } else { 0 };
    if a_gateway > each || here > each {
        return Err(format!(
            "{players} players on {gateways} gateways need {} open files in one process, and {} \
             are allowed: raise the hard limit (ulimit -Hn), or say fewer --players",
            a_gateway.max(here) + FILES_BESIDE,
            allowed.files
        ));
    }
    if a_gateway > allowed.ports {
        return Err(format!(
            "{a_gateway} connections to one gateway need as many ports, and {} are allowed: widen \
             /proc/sys/net/ipv4/ip_local_port_range, or say fewer --players",
            allowed.ports
        ));
    }
    let mut remarks = Vec::new();
    if needed > 1 && wanted.is_none_or(|wanted| u64::from(wanted) < needed) {
        remarks.push(format!(
            "{processes} generator processes, since each may open {} files",
            allowed.files
        ));
    }
    if allowed.backlog < 1_024 && players > allowed.backlog {
        remarks.push(format!(
            "only {} connections may wait to be accepted (net.core.somaxconn): storms of \
             connections will be slower than they need to be",
            allowed.backlog
        ));
    }
    Ok(Fit { processes: u32::try_from(processes).unwrap_or(u32::MAX), remarks })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(players: u32, proxied: bool) -> Scenario {
        Scenario::parse(&format!(
            "version = 1\nname = \"t\"\nplayers = {players}\nramp = \"1s\"\nhold = \"1s\"\n\
             proxied = {proxied}\nbots = [{{ kind = \"mover\" }}]"
        ))
        .unwrap()
    }

    const ALLOWED: Allowed = Allowed { files: 20_000, ports: 28_232, backlog: 4_096 };

    #[test]
    fn a_run_has_as_many_processes_as_its_sockets_need() {
        let fit = |players, wanted| fit(&scenario(players, false), ALLOWED, wanted, 2).unwrap();
        assert_eq!(fit(5_000, None), Fit { processes: 1, remarks: vec![] });
        assert_eq!(fit(5_000, Some(3)).processes, 3);
        assert_eq!(fit(2, Some(3)).processes, 2);
        let many = fit(30_000, None);
        assert_eq!((many.processes, many.remarks.len()), (2, 1));
    }

    #[test]
    fn what_is_too_small_is_said_with_what_to_do() {
        let refused = |players, proxied, allowed| {
            fit(&scenario(players, proxied), allowed, None, 1).unwrap_err()
        };
        assert!(refused(30_000, false, ALLOWED).contains("ulimit -Hn"));
        assert!(refused(12_000, true, ALLOWED).contains("24200 open files"));
        let many = Allowed { files: 1_000_000, ..ALLOWED };
        assert!(refused(30_000, false, many).contains("ip_local_port_range"));
        assert!(refused(1, false, Allowed { files: 100, ..ALLOWED }).contains("only 100 files"));
    }

    #[test]
    fn a_small_backlog_is_worth_a_remark() {
        let small = Allowed { backlog: 128, ..ALLOWED };
        let remarks = fit(&scenario(500, false), small, None, 1).unwrap().remarks;
        assert!(remarks.iter().any(|remark| remark.contains("somaxconn")), "{remarks:?}");
    }

    #[test]
    fn the_range_of_ports_is_read() {
        assert_eq!(ports_of("32768\t60999\n"), Some(28_232));
        assert_eq!(ports_of("x"), None);
    }
}
