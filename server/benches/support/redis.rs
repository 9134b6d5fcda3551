//! A Redis of the benchmark's own.

use std::process::Command;

use tempfile::TempDir;

use super::{Outcome, Process};

/// A Redis of its own with the documented size of a stream's blocks.
pub struct Server {
    /// The process.
    pub process: Process,
    /// Where it listens on the loopback.
    pub port: u16,
    _dir: TempDir,
}

impl Server {
    /// Starts it on a free port; its data goes with it.
    pub fn start() -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", "yes", "--appendfsync", "everysec"]);
        command.args(["--stream-node-max-bytes", "1024"]).arg("--dir").arg(dir.path());
        let ready = |line: &str| line.contains("Ready to accept connections").then_some(());
        let (process, ()) = Process::start(&mut command, ready)?;
        Ok(Self { process, port, _dir: dir })
    }

    /// Its address, as `--store` takes it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}
