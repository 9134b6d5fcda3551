//! A Redis for a run, with a replica and a Sentinel where failovers are played.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::process::{Process, Roll};
use super::{StageError, free_port};

/// The name of the primary for Sentinel.
const SERVICE: &str = "loadtest";
/// How long each may take to be there, and a failover to be done.
const PATIENCE: Duration = Duration::from_secs(20);
const GLANCE: Duration = Duration::from_millis(50);
const ANSWER: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Debug)]
pub struct Redis {
    primary: Process,
    primary_port: u16,
    replica: Option<(Process, u16)>,
    sentinel: Option<(Process, u16)>,
}

fn server(
    name: &str,
    port: u16,
    more: &[String],
    (dir, roll): (&Path, &Roll),
) -> Result<Process, StageError> {
    let home = dir.join(name);
    std::fs::create_dir_all(&home)
        .map_err(|cause| StageError::Start { what: home.display().to_string(), cause })?;
    let home = home.display().to_string();
    let port = port.to_string();
    let fixed = [
        "--port",
        &port,
        "--bind",
        "127.0.0.1",
        "--dir",
        &home,
        "--save",
        "",
        "--appendonly",
        "yes",
        "--appendfsync",
        "everysec",
        "--stream-node-max-bytes",
        "1024",
        "--repl-diskless-sync-delay",
        "0",
        "--auto-aof-rewrite-percentage",
        "0",
    ];
    let args = fixed.iter().map(|arg| (*arg).to_owned()).chain(more.iter().cloned());
    Ok(Process::new(name, Path::new("redis-server"), args.collect(), dir, roll))
}

fn on_path(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|dir| dir.join(program).is_file())
}

/// Asks one thing over a connection of its own; the answer's line, or the text that it announces.
async fn ask(port: u16, words: &str) -> io::Result<String> {
    let whole = async {
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
        stream.write_all(format!("{words}\r\n").as_bytes()).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some(len) = line.strip_prefix('$').and_then(|len| len.trim_end().parse().ok()) else {
            return Ok(line);
        };
        let mut text = vec![0; len];
        stream.read_exact(&mut text).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    };
    timeout(ANSWER, whole).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// Waits until an answer holds this.
async fn until(port: u16, words: &str, what: &str) -> Result<(), StageError> {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = ask(port, words).await;
        if answer.as_ref().is_ok_and(|text| text.contains(what)) {
            return Ok(());
        }
        if Instant::now() > end {
            let last = answer.unwrap_or_else(|error| error.to_string());
            return Err(StageError::Redis(format!("{words} on port {port} said {last:?}")));
        }
        sleep(GLANCE).await;
    }
}

/// Waits until one of both follows the other. One that comes back takes itself for the primary
/// until the Sentinel has told it otherwise.
async fn follower(ports: [u16; 2]) -> Result<u16, StageError> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        for port in ports {
            let said = ask(port, "INFO replication").await.unwrap_or_default();
            if said.contains("role:slave") && said.contains("master_link_status:up") {
                return Ok(port);
            }
        }
        sleep(GLANCE).await;
    }
    Err(StageError::Redis("neither of both follows the other".to_owned()))
}

impl Redis {
    /// Starts it on free ports, empty, its files in `dir`.
    ///
    /// # Errors
    /// [`StageError`]; without a `redis-server`, how to get one.
    pub async fn start(dir: &Path, roll: &Roll, replicated: bool) -> Result<Self, StageError> {
        let primary_port = free_port()?;
        let mut primary = server("redis", primary_port, &[], (dir, roll))?;
        if !on_path("redis-server") {
            return Err(StageError::NoRedis);
        }
        primary.start()?;
        until(primary_port, "PING", "PONG").await?;
        let (replica, sentinel) = (None, None);
        let mut redis = Self { primary, primary_port, replica, sentinel };
        if replicated {
            redis.replicate(dir, roll).await?;
        }
        Ok(redis)
    }

    async fn replicate(&mut self, dir: &Path, roll: &Roll) -> Result<(), StageError> {
        let port = free_port()?;
        let follow =
            ["--replicaof".to_owned(), "127.0.0.1".to_owned(), self.primary_port.to_string()];
        let mut replica = server("redis-replica", port, &follow, (dir, roll))?;
        replica.start()?;
        until(port, "INFO replication", "master_link_status:up").await?;
        self.replica = Some((replica, port));
        let port = free_port()?;
        let file = dir.join("sentinel.conf");
        let primary = self.primary_port;
        let text = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor {SERVICE} 127.0.0.1 {primary} 1\n\
             sentinel down-after-milliseconds {SERVICE} 500\n\
             sentinel failover-timeout {SERVICE} 2000\n"
        );
        let failed = |cause| StageError::Start { what: file.display().to_string(), cause };
        std::fs::write(&file, text).map_err(failed)?;
        let args = vec![file.display().to_string(), "--sentinel".to_owned()];
        let mut sentinel = Process::new("sentinel", Path::new("redis-server"), args, dir, roll);
        sentinel.start()?;
        until(port, "INFO sentinel", "slaves=1").await?;
        self.sentinel = Some((sentinel, port));
        Ok(())
    }

    /// Its address for `--store`.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.sentinel {
            Some((_, port)) => format!("redis+sentinel://127.0.0.1:{port}/{SERVICE}"),
            None => format!("redis://127.0.0.1:{}", self.primary_port),
        }
    }

    /// The one that was the primary at the start.
    pub const fn primary(&mut self) -> &mut Process {
        &mut self.primary
    }

    /// Starts that one again and waits until it answers.
    ///
    /// # Errors
    /// [`StageError`].
    pub async fn start_again(&mut self) -> Result<(), StageError> {
        self.primary.start()?;
        until(self.primary_port, "PING", "PONG").await
    }

    /// Has the Sentinel promote whoever is the replica now, and waits until it is the primary.
    ///
    /// # Errors
    /// [`StageError::Redis`].
    pub async fn fail_over(&self) -> Result<(), StageError> {
        let (Some((_, replica)), Some((_, sentinel))) = (&self.replica, &self.sentinel) else {
            return Err(StageError::Redis("there is no replica to fail over to".to_owned()));
        };
        let next = follower([self.primary_port, *replica]).await?;
        until(*sentinel, &format!("SENTINEL FAILOVER {SERVICE}"), "OK").await?;
        until(next, "INFO replication", "role:master").await
    }
}
