//! On what a run ran.

use std::fs;
use std::thread::available_parallelism;
use std::time::SystemTime;

use serde::Deserialize;

use crate::http::Client;
use crate::result::Machine;

/// What this machine says of itself.
#[must_use]
pub fn read() -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let kib = field(&memory, "MemTotal").unwrap_or_default();
    let kib: u64 = kib.trim_end_matches(" kB").parse().unwrap_or(0);
    let version = read("/proc/sys/kernel/osrelease");
    Machine {
        cores: available_parallelism().map_or(0, |cores| cores.get() as u64),
        cpu: field(&cpu, "model name").unwrap_or_default(),
        memory_bytes: kib * 1024,
        kernel: format!("{} {}", std::env::consts::OS, version.trim()),
        holdfast: String::new(),
        loadtest: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Unix milliseconds now.
#[expect(clippy::disallowed_methods, reason = "when a run was is written down, never counted with")]
#[must_use]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The version of the server at an HTTP origin; empty where it does not say.
pub async fn server_version(origin: &str) -> String {
    #[derive(Deserialize)]
    struct Nodes {
        nodes: Vec<Node>,
    }
    #[derive(Deserialize)]
    struct Node {
        version: String,
    }
    let nodes = Client::default().get_json::<Nodes>(&format!("{origin}/v1/nodes")).await;
    nodes.ok().and_then(|page| page.nodes.into_iter().next()).map(|n| n.version).unwrap_or_default()
}
