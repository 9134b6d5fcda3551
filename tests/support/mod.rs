//! Real servers as real processes, and the small things that every test needs.
//!
//! A [`Server`] owns a port, a store directory and at most one child process. It is killed with
//! its owner; when the owner fails, the end of its output is shown. Tests that measure or load
//! the machine ask for it alone.

pub mod gateways;
pub mod http;
pub mod raw;
pub mod redis;
pub mod store;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::time::{Instant, sleep, timeout};

use http::{Connection, Response};

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How often it looks.
const GLANCE: Duration = Duration::from_millis(20);

/// Waits until `look` finds something, and fails by naming `what`.
pub async fn eventually<T>(
    what: &str,
    patience: Duration,
    look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let found = within(patience, look).await;
    found.unwrap_or_else(|| panic!("waited {patience:?} in vain for {what}"))
}

/// Waits until `look` finds something; `None` where it does not in time.
pub async fn within<T>(patience: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look().await {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        sleep(GLANCE).await;
    }
}

/// The seed of a random run: `HOLDFAST_SEED`, else a new one. Printed, so that it can be replayed.
pub fn seed() -> u64 {
    let given = std::env::var("HOLDFAST_SEED").ok();
    let seed = given.map_or_else(
        || rand::random_range(1..1_000_000),
        |seed| seed.parse().expect("HOLDFAST_SEED must be a number"),
    );
    println!("replay with HOLDFAST_SEED={seed}");
    seed
}

/// A free port, which nobody takes while its server is down.
fn free_port() -> u16 {
    loadtest::port::free().expect("a port for a server")
}

/// The built server.
pub fn binary() -> PathBuf {
    if let Ok(path) = std::env::var("HOLDFAST_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.parent().and_then(Path::parent).expect("target/<profile>/deps");
    let path = profile.join("holdfast");
    assert!(
        path.exists(),
        "{} is missing: run `cargo build` (with --release if the tests are) first, or set \
         HOLDFAST_BIN",
        path.display()
    );
    path
}

/// The server as a command, without the settings of whoever runs the tests.
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOLDFAST_")) {
        command.env_remove(name);
    }
    command.current_dir(dir).stdin(Stdio::null()).kill_on_drop(true);
    command
}

static TURN: RwLock<()> = RwLock::const_new(());

/// Whether others may run at the same time.
#[expect(dead_code, reason = "held, never read")]
enum Turn {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// No server of another test runs until this is dropped.
pub async fn alone() -> RwLockWriteGuard<'static, ()> {
    TURN.write().await
}

/// Servers that a test starts by other means run beside those of others, and keep away from who
/// wants to be alone.
pub async fn beside() -> RwLockReadGuard<'static, ()> {
    TURN.read().await
}

/// How to start a server.
#[derive(Debug, Clone, Default)]
pub struct Options {
    args: Vec<String>,
    alone: bool,
    admin: bool,
}

impl Options {
    /// Further arguments of `holdfast serve`.
    pub fn with(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// No other server runs meanwhile.
    pub const fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// With an admin listener.
    pub const fn admin(mut self) -> Self {
        self.admin = true;
        self
    }
}

/// See the module.
pub struct Server {
    child: Option<Child>,
    addr: SocketAddr,
    admin: Option<SocketAddr>,
    args: Vec<String>,
    dir: TempDir,
    _turn: Turn,
}

/// Sends a process a signal by name, such as `INT`.
pub async fn signal(pid: u32, name: &str) {
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid}")).status().await;
    assert!(sent.expect("sh to run").success(), "kill -{name} {pid} failed");
}

impl Server {
    /// A server with default settings, ready.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// A server, ready. One per test: two would wait for each other's turn.
    pub async fn start_with(options: Options) -> Self {
        let turn = if options.alone {
            Turn::Alone(TURN.write().await)
        } else {
            Turn::Shared(TURN.read().await)
        };
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let addr = local(free_port());
        let admin = options.admin.then(|| local(free_port()));
        let dir = tempfile::tempdir().expect("a directory for the store");
        let args = options.args;
        let mut server = Self { child: None, addr, admin, args, dir, _turn: turn };
        server.start_again().await;
        server
    }

    /// Arguments that name this server's addresses and store, and its own.
    pub fn args(&self) -> Vec<String> {
        let admin = self.admin.map_or_else(|| "off".to_owned(), |admin| admin.to_string());
        let store = format!("embedded:{}", self.store_dir().display());
        let mut args: Vec<String> = [
            "serve",
            "--listen",
            &self.addr.to_string(),
            "--admin-listen",
            &admin,
            "--store",
            &store,
            "--node",
            "gw-1",
        ]
        .map(str::to_owned)
        .to_vec();
        args.extend(self.args.iter().cloned());
        args
    }

    /// Starts the process again on the same port and store, and waits until it is ready.
    pub async fn start_again(&mut self) {
        assert!(self.child.is_none(), "it is still running");
        let log = std::fs::File::options().create(true).append(true).open(self.log_path());
        let log = log.expect("a file for the server's output");
        let also = log.try_clone().expect("the same file twice");
        let mut command = command(self.dir.path());
        let child = command.args(self.args()).stdout(log).stderr(also).spawn();
        self.child = Some(child.expect("the server to start"));
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready().await {
            let exit = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(exit.is_none(), "the server stopped with {exit:?} before it was ready");
            assert!(Instant::now() < deadline, "the server is not ready after {PATIENCE:?}");
            sleep(GLANCE).await;
        }
    }

    async fn is_ready(&self) -> bool {
        self.try_get("/health/ready").await.is_ok_and(|response| response.status == 200)
    }

    async fn try_get(&self, path: &str) -> std::io::Result<Response> {
        Connection::open(self.addr).await?.get(path).await
    }

    /// SIGKILL: nothing is flushed, nothing is said.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().expect("a running server");
        child.kill().await.expect("the server to be killed");
    }

    /// Kills the process and starts it again.
    pub async fn crash(&mut self) {
        self.kill().await;
        self.start_again().await;
    }

    /// Sends a signal by name, such as `INT`.
    pub async fn signal(&self, name: &str) {
        let pid = self.child.as_ref().and_then(Child::id).expect("a running server");
        signal(pid, name).await;
    }

    /// Waits for the process to end by itself.
    pub async fn exited(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running server");
        let waited = timeout(PATIENCE, child.wait()).await;
        waited.expect("the server to exit in time").expect("its exit status")
    }

    /// SIGTERM; the server must drain and exit with 0.
    pub async fn stop(&mut self) {
        self.signal("TERM").await;
        let status = self.exited().await;
        assert!(status.success(), "after SIGTERM the server exited with {status}");
    }

    /// Stops the process well and starts it again.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Where players connect.
    pub fn ws(&self) -> String {
        format!("ws://{}/ws", self.addr)
    }

    /// The public listener.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The operators' listener.
    pub fn admin(&self) -> SocketAddr {
        self.admin.expect("Options::admin")
    }

    /// The embedded store's directory.
    pub fn store_dir(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// What the server has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).expect("the server's output")
    }

    /// Memory that the process holds, in KiB.
    pub fn rss_kib(&self) -> u64 {
        let pid = self.child.as_ref().and_then(Child::id).expect("a running server");
        loadtest::usage::resident(&pid.to_string()).expect("the process's memory") / 1024
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("server.log")
    }

    /// `GET path` on the public listener.
    pub async fn get(&self, path: &str) -> Response {
        self.try_get(path).await.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// `GET /v1/players/{id}`: the state, whatever it is wrapped in.
    pub async fn player(&self, id: &str) -> serde_json::Value {
        state_of(&self.get(&format!("/v1/players/{id}")).await)
    }
}

/// The state in a player's page, whatever it is wrapped in.
pub fn state_of(page: &Response) -> serde_json::Value {
    assert_eq!(page.status, 200, "{}", page.body);
    let body = page.json();
    body.get("state").cloned().unwrap_or(body)
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let log = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        eprintln!("--- the server's last words ---");
        for line in lines.iter().skip(lines.len().saturating_sub(60)) {
            eprintln!("{line}");
        }
    }
}
