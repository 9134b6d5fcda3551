//! Real `holdfast` processes that share one store: gw-1, gw-2 and so on, each on free ports with a
//! data directory of its own, killed with its owner.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;

use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::timeout;

use super::http::{Connection, Response};
use super::{Options, PATIENCE, TURN, Turn, command, eventually, free_port, state_of};

/// One gateway.
pub struct Gateway {
    child: Option<Child>,
    name: String,
    store: String,
    addr: SocketAddr,
    admin: SocketAddr,
    args: Vec<String>,
    dir: TempDir,
}

/// Gateways of one world. Hold no second one, nor a `Server`, in the same test: each waits for
/// the other's turn.
pub struct Gateways {
    pub all: Vec<Gateway>,
    _turn: Turn,
}

impl Gateways {
    /// As many gateways, ready. `store` makes the value of `--store` from a gateway's name.
    pub async fn start(count: usize, store: impl Fn(&str) -> String, options: Options) -> Self {
        let turn = if options.alone {
            Turn::Alone(TURN.write().await)
        } else {
            Turn::Shared(TURN.read().await)
        };
        let mut all = Vec::new();
        for number in 1..=count {
            let name = format!("gw-{number}");
            let mut gateway = Gateway::new(&name, &store(&name), &options.args);
            gateway.start_again().await;
            all.push(gateway);
        }
        Self { all, _turn: turn }
    }

    /// Starts one more, under a name of its own.
    pub async fn add(&mut self, name: &str, store: &str, args: &[&str]) -> &mut Gateway {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut gateway = Gateway::new(name, store, &args);
        gateway.start_again().await;
        self.all.push(gateway);
        self.all.last_mut().expect("the one just added")
    }
}

impl Gateway {
    fn new(name: &str, store: &str, args: &[String]) -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            child: None,
            name: name.to_owned(),
            store: store.to_owned(),
            addr: local(free_port()),
            admin: local(free_port()),
            args: args.to_vec(),
            dir: tempfile::tempdir().expect("a directory for the gateway"),
        }
    }

    fn arguments(&self) -> Vec<String> {
        let pairs = [
            ("--listen", self.addr.to_string()),
            ("--admin-listen", self.admin.to_string()),
            ("--store", self.store.clone()),
            ("--data-dir", self.data_dir().display().to_string()),
            ("--node", self.name.clone()),
        ];
        let own = pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        own.chain(self.args.iter().cloned()).collect()
    }

    /// Starts the process without waiting until it is ready.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "{} is still running", self.name);
        let log = std::fs::File::options().create(true).append(true).open(self.log_path());
        let log = log.expect("a file for the gateway's output");
        let also = log.try_clone().expect("the same file twice");
        let mut command = command(self.dir.path());
        let child = command.args(self.arguments()).stdout(log).stderr(also).spawn();
        self.child = Some(child.expect("the gateway to start"));
    }

    /// Starts the process on the same ports, and waits until it is ready.
    pub async fn start_again(&mut self) {
        self.spawn();
        self.ready().await;
    }

    /// Waits until the process is ready.
    pub async fn ready(&mut self) {
        eventually("a ready gateway", PATIENCE, async || {
            let exit = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(exit.is_none(), "{} stopped with {exit:?}:\n{}", self.name, self.log());
            let response = self.try_get("/health/ready").await.ok()?;
            (response.status == 200).then_some(())
        })
        .await;
    }

    /// SIGKILL: nothing is flushed, nothing is said.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().expect("a running gateway");
        child.kill().await.expect("the gateway to be killed");
    }

    /// Kills the process and starts it again.
    pub async fn crash(&mut self) {
        self.kill().await;
        self.start_again().await;
    }

    /// SIGSTOP: sockets stay, answers stop.
    pub async fn pause(&self) {
        self.signal("STOP").await;
    }

    /// SIGCONT.
    pub async fn resume(&self) {
        self.signal("CONT").await;
    }

    /// Sends a signal by name, such as `TERM`.
    pub async fn signal(&self, name: &str) {
        let pid = self.child.as_ref().and_then(Child::id).expect("a running gateway");
        super::signal(pid, name).await;
    }

    /// Waits for the process to end by itself.
    pub async fn exited(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running gateway");
        let waited = timeout(PATIENCE, child.wait()).await;
        waited.expect("the gateway to exit in time").expect("its exit status")
    }

    /// SIGTERM; the gateway must drain and exit with 0.
    pub async fn stop(&mut self) {
        self.signal("TERM").await;
        let status = self.exited().await;
        assert!(status.success(), "after SIGTERM {} exited with {status}", self.name);
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.name
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
    pub const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// What `--data-dir` names.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    async fn try_get(&self, path: &str) -> std::io::Result<Response> {
        Connection::open(self.addr).await?.get(path).await
    }

    /// `GET path` on the public listener.
    pub async fn get(&self, path: &str) -> Response {
        let response = self.try_get(path).await;
        response.unwrap_or_else(|error| panic!("GET {path} at {}: {error}", self.name))
    }

    /// `GET /v1/players/{id}`: the state.
    pub async fn player(&self, id: &str) -> serde_json::Value {
        state_of(&self.get(&format!("/v1/players/{id}")).await)
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("gateway.log")
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let end = lines.get(lines.len().saturating_sub(60)..).unwrap_or_default();
            eprintln!("--- the last words of {} ---\n{}", self.name, end.join("\n"));
        }
    }
}
