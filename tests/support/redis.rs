//! Real `redis-server` processes: each on free ports, in a directory of its own, killed with its
//! owner. Nothing is shared with a server that runs on this machine anyway.
//!
//! [`deploy`] joins them: primary and replica, Sentinels, a Cluster. A missing `redis-server`
//! fails the test that needs it.

pub mod deploy;
pub mod tls;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, FromRedisValue,
    IntoConnectionInfo, RedisConnectionInfo, RedisError, ServerErrorKind, TlsCertificates,
};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{PATIENCE, eventually, free_port};
use tls::Tls;

/// Time for one answer; a paused server gives none.
const ANSWER: Duration = Duration::from_secs(2);

/// How a server keeps what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aof {
    /// Synced before every answer.
    Always,
    /// Synced each second.
    EverySecond,
    /// Nothing is kept.
    Off,
}

impl Aof {
    fn args(self) -> Vec<String> {
        let (on, sync) = match self {
            Self::Always => ("yes", "always"),
            Self::EverySecond => ("yes", "everysec"),
            Self::Off => ("no", "everysec"),
        };
        words(&["--appendonly", on, "--appendfsync", sync, "--save", ""])
    }
}

fn words(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A name and a password of the documented ACL file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    pub name: &'static str,
    pub password: &'static str,
}

/// What a gateway may do.
pub const GATEWAY: User = User { name: "holdfast", password: "change-this-password" };
/// What an operator may do: everything.
pub const OPERATOR: User = User { name: "operator", password: "change-this-operator-password" };
/// What a replica may do.
pub const REPLICA: User = User { name: "replica", password: "change-this-replica-password" };
/// What a Sentinel may do.
pub const SENTINEL: User = User { name: "sentinel", password: "change-this-sentinel-password" };

/// A file of docs/redis. Servers are given copies: a failover rewrites their own.
pub fn documented_file(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    root.join("docs/redis").join(name)
}

/// The documented files.
const CONFIGURATION: [&str; 2] = ["redis.conf", "users.acl"];

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    documented: bool,
    args: Vec<String>,
    operator: Option<User>,
    gateway: Option<User>,
    tls: Option<Tls>,
}

impl Setup {
    /// No file, no users: what the arguments say.
    pub fn plain(aof: Aof) -> Self {
        Self { args: aof.args(), ..Self::default() }.with(&[
            "--enable-debug-command",
            "local",
            "--repl-diskless-sync-delay",
            "0",
        ])
    }

    /// Copies of the documented redis.conf and ACL file, as they are.
    pub fn documented() -> Self {
        Self {
            documented: true,
            operator: Some(OPERATOR),
            gateway: Some(GATEWAY),
            ..Self::default()
        }
        .with(&["--repl-diskless-sync-delay", "0"])
    }

    /// Encrypted connections only.
    pub fn tls(mut self, tls: &Tls) -> Self {
        self.tls = Some(tls.clone());
        self
    }

    /// Further arguments of `redis-server`; later ones win.
    pub fn with(mut self, args: &[&str]) -> Self {
        self.args.extend(words(args));
        self
    }
}

/// See the module.
pub struct Redis {
    child: Option<Child>,
    port: u16,
    setup: Setup,
    dir: TempDir,
    sentinel: bool,
}

impl Redis {
    /// A server of its own.
    pub async fn single(aof: Aof) -> Self {
        Self::start(Setup::plain(aof)).await
    }

    /// A server that answers.
    pub async fn start(setup: Setup) -> Self {
        let dir = tempfile::tempdir().expect("a directory for redis-server");
        for name in CONFIGURATION.iter().filter(|_| setup.documented) {
            let copied = std::fs::copy(documented_file(name), dir.path().join(name));
            copied.unwrap_or_else(|error| panic!("docs/redis/{name}: {error}"));
        }
        let mut server = Self { child: None, port: free_port(), setup, dir, sentinel: false };
        server.start_again().await;
        server
    }

    /// A Sentinel with these lines of configuration.
    async fn watch(lines: &str, setup: Setup) -> Self {
        let dir = tempfile::tempdir().expect("a directory for a Sentinel");
        let port = free_port();
        let text = format!("dir {}\n{lines}", dir.path().display());
        std::fs::write(dir.path().join("sentinel.conf"), text).expect("sentinel.conf");
        let mut server = Self { child: None, port, setup, dir, sentinel: true };
        server.start_again().await;
        server
    }

    fn arguments(&self) -> Vec<String> {
        let port = self.port.to_string();
        let own = |name: &str| self.dir.path().join(name).display().to_string();
        let mut args = Vec::new();
        if self.sentinel {
            args.extend([own("sentinel.conf"), "--sentinel".to_owned()]);
        } else if self.setup.documented {
            args.extend([own("redis.conf"), "--aclfile".to_owned(), own("users.acl")]);
        }
        args.extend(words(&["--bind", "127.0.0.1"]));
        match &self.setup.tls {
            None => args.extend(words(&["--port", &port])),
            Some(tls) => {
                args.extend(words(&["--port", "0", "--tls-port", &port]));
                args.extend(tls.server_args());
            }
        }
        if !self.sentinel {
            args.extend(words(&["--dir", &self.dir.path().display().to_string()]));
        }
        args.extend(self.setup.args.iter().cloned());
        args
    }

    /// Starts the process on the same port and directory, and waits until it answers.
    pub async fn start_again(&mut self) {
        assert!(self.child.is_none(), "it is still running");
        let log = std::fs::File::options().create(true).append(true).open(self.log_path());
        let log = log.expect("a file for redis-server's output");
        let also = log.try_clone().expect("the same file twice");
        let mut command = Command::new("redis-server");
        command.args(self.arguments()).current_dir(self.dir.path()).kill_on_drop(true);
        let child = command.stdin(Stdio::null()).stdout(log).stderr(also).spawn();
        self.child = Some(child.expect("redis-server (Debian's package is redis-server) to start"));
        eventually("redis-server to answer", PATIENCE, async || {
            let exit = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(exit.is_none(), "redis-server stopped with {exit:?}:\n{}", self.last_words());
            self.try_ask::<String>(&["PING"]).await.ok()
        })
        .await;
    }

    /// SIGKILL: nothing is written any more.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().expect("a running redis-server");
        child.kill().await.expect("redis-server to be killed");
    }

    /// Kills the process and starts it again on what it kept.
    pub async fn crash(&mut self) {
        self.kill().await;
        self.start_again().await;
    }

    /// Kills the process and starts it again with nothing.
    pub async fn wipe(&mut self) {
        self.kill().await;
        for entry in std::fs::read_dir(self.dir.path()).expect("its directory").flatten() {
            let path = entry.path();
            let kept = ["redis.log", "nodes.conf", "sentinel.conf", "redis.conf", "users.acl"];
            if kept.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            let gone = if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            gone.expect("to take away what it kept");
        }
        self.start_again().await;
    }

    /// SIGSTOP: connections stay, answers stop.
    pub async fn pause(&self) {
        self.signal("STOP").await;
    }

    /// SIGCONT.
    pub async fn resume(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, name: &str) {
        let pid = self.child.as_ref().and_then(Child::id).expect("a running redis-server");
        super::signal(pid, name).await;
    }

    /// Whether a process is there.
    pub const fn is_up(&self) -> bool {
        self.child.is_some()
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The address for `--store`, with the gateways' user where there is one.
    pub fn url(&self) -> String {
        store_url("redis", self.setup.tls.is_some(), self.setup.gateway, &[self.address()], "")
    }

    /// Asks as an operator, on a connection of its own.
    pub async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let answer = self.try_ask(words).await;
        answer.unwrap_or_else(|error| panic!("{words:?} at {}: {error}", self.address()))
    }

    /// Asks as an operator, on a connection of its own.
    pub async fn try_ask<T: FromRedisValue>(&self, words: &[&str]) -> Result<T, RedisError> {
        let mut connection = self.connect(self.setup.operator).await?;
        command(words).query_async(&mut connection).await
    }

    /// A connection as this user.
    pub async fn connect(&self, user: Option<User>) -> Result<MultiplexedConnection, RedisError> {
        let (host, port) = ("127.0.0.1".to_owned(), self.port);
        let address = match &self.setup.tls {
            None => ConnectionAddr::Tcp(host, port),
            Some(_) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        };
        let login = user.map_or_else(RedisConnectionInfo::default, |user| {
            RedisConnectionInfo::default().set_username(user.name).set_password(user.password)
        });
        let info = address.into_connection_info()?.set_redis_settings(login);
        let client = match &self.setup.tls {
            None => Client::open(info)?,
            Some(tls) => {
                let root_cert = Some(std::fs::read(tls.ca()).expect("the test's authority"));
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })?
            }
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER))
            .set_response_timeout(Some(ANSWER));
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// A field of `INFO`, such as `role`.
    pub async fn info(&self, field: &str) -> Option<String> {
        let text: String = self.try_ask(&["INFO", "everything"]).await.ok()?;
        let found = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        found.map(|value| value.trim().to_owned())
    }

    /// How often it has refused a command with this code, such as `READONLY`.
    pub async fn refusals(&self, code: &str) -> u64 {
        let count = self.info(&format!("errorstat_{code}")).await;
        count.map_or(0, |count| count.trim_start_matches("count=").parse().expect("a count"))
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("redis.log")
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- redis-server at {} ---\n{}", self.address(), self.last_words());
        }
    }
}

/// A command of words.
pub fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command
}

/// True for the answer of a server that has lost its permission to write.
pub fn is_read_only(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}

/// An address for `--store`.
fn store_url(
    scheme: &str,
    tls: bool,
    user: Option<User>,
    servers: &[String],
    path: &str,
) -> String {
    let scheme = if tls { scheme.replacen("redis", "rediss", 1) } else { scheme.to_owned() };
    let login = user.map(|user| format!("{}:{}@", user.name, user.password)).unwrap_or_default();
    format!("{scheme}://{login}{}{path}", servers.join(","))
}
