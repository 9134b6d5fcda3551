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
    /// One, or two of which one follows the other.
    servers: Vec<(Process, u16)>,
    sentinel: Option<(Process, u16)>,
}

fn server(name: &str, port: u16, (dir, roll): (&Path, &Roll)) -> Result<Process, StageError> {
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
    ];
    // A rewrite in the middle would be measured; a show may go on for days.
    let measured = ["--auto-aof-rewrite-percentage", "0"];
    let more = measured.iter().filter(|_| !roll.is_prompt());
    let args = fixed.iter().chain(more).map(|arg| (*arg).to_owned()).collect();
    Ok(Process::new(name, Path::new("redis-server"), args, dir, roll))
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

/// The arguments of a server that follows another.
fn follow(primary: u16) -> Vec<String> {
    vec!["--replicaof".to_owned(), "127.0.0.1".to_owned(), primary.to_string()]
}

impl Redis {
    /// Starts it on free ports, empty, its files in `dir`.
    ///
    /// # Errors
    /// [`StageError`]; without a `redis-server`, how to get one.
    pub async fn start(dir: &Path, roll: &Roll, replicated: bool) -> Result<Self, StageError> {
        if !on_path("redis-server") {
            return Err(StageError::NoRedis);
        }
        let port = free_port()?;
        let mut primary = server("redis", port, (dir, roll))?;
        primary.start()?;
        until(port, "PING", "PONG").await?;
        let mut redis = Self { servers: vec![(primary, port)], sentinel: None };
        if replicated {
            redis.replicate(port, dir, roll).await?;
        }
        Ok(redis)
    }

    async fn replicate(&mut self, primary: u16, dir: &Path, roll: &Roll) -> Result<(), StageError> {
        let port = free_port()?;
        let mut replica = server("redis-replica", port, (dir, roll))?;
        replica.start_with(&follow(primary))?;
        until(port, "INFO replication", "master_link_status:up").await?;
        self.servers.push((replica, port));
        let port = free_port()?;
        let file = dir.join("sentinel.conf");
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
        match (&self.sentinel, self.servers.first()) {
            (Some((_, port)), _) => format!("redis+sentinel://127.0.0.1:{port}/{SERVICE}"),
            (None, first) => format!("redis://127.0.0.1:{}", first.map_or(0, |(_, port)| *port)),
        }
    }

    /// A server that has ended, though nobody told it to.
    pub fn fallen(&mut self) -> Option<StageError> {
        let mut processes = self.servers.iter_mut().map(|(process, _)| process);
        let fallen = processes.find_map(|process| (!process.runs()).then(|| process.last_words()));
        fallen.map(|words| StageError::Redis(format!("it has ended; its last words:\n{words}")))
    }

    /// Ends it, well.
    pub async fn end(&mut self) {
        for (process, _) in self.sentinel.iter_mut().chain(&mut self.servers) {
            process.end(PATIENCE).await;
        }
    }

    /// Which of the servers takes the writes now.
    async fn leader(&self) -> Option<usize> {
        for (at, (_, port)) in self.servers.iter().enumerate() {
            let said = ask(*port, "INFO replication").await.unwrap_or_default();
            if said.contains("role:master") {
                return Some(at);
            }
        }
        None
    }

    /// The server that takes the writes now.
    ///
    /// # Errors
    /// [`StageError::Redis`]: none does.
    pub async fn primary(&mut self) -> Result<&mut Process, StageError> {
        let none = || StageError::Redis("no server takes writes".to_owned());
        let at = self.leader().await.ok_or_else(none)?;
        self.servers.get_mut(at).map(|(process, _)| process).ok_or_else(none)
    }

    /// Starts what is dead again, as a follower of who is the primary meanwhile, and waits until
    /// it answers.
    ///
    /// # Errors
    /// [`StageError`].
    pub async fn start_again(&mut self) -> Result<(), StageError> {
        let leader = self.leader().await.and_then(|at| self.servers.get(at));
        let more = leader.map(|(_, port)| follow(*port)).unwrap_or_default();
        for (process, port) in &mut self.servers {
            if !process.runs() {
                process.start_with(&more)?;
                until(*port, "PING", "PONG").await?;
            }
        }
        Ok(())
    }

    /// Has the Sentinel promote whoever is the replica now, and waits until it is the primary.
    ///
    /// # Errors
    /// [`StageError::Redis`].
    pub async fn fail_over(&self) -> Result<(), StageError> {
        let Some((_, sentinel)) = &self.sentinel else {
            return Err(StageError::Redis("there is no replica to fail over to".to_owned()));
        };
        let next = self.follower().await?;
        until(*sentinel, &format!("SENTINEL FAILOVER {SERVICE}"), "OK").await?;
        until(next, "INFO replication", "role:master").await
    }

    /// Waits until one of both follows the other.
    async fn follower(&self) -> Result<u16, StageError> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            for (_, port) in &self.servers {
                let said = ask(*port, "INFO replication").await.unwrap_or_default();
                if said.contains("role:slave") && said.contains("master_link_status:up") {
                    return Ok(*port);
                }
            }
            sleep(GLANCE).await;
        }
        Err(StageError::Redis("neither of both follows the other".to_owned()))
    }
}
