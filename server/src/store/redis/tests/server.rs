//! Real Redis servers on free ports, ended with the test.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};
use tempfile::TempDir;

use crate::clock;
use crate::store::Error;
use crate::store::redis::link::Link;

/// How long anything may take that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A `redis-server` process.
pub struct Server {
    pub port: u16,
    dir: TempDir,
    options: Vec<String>,
    child: Child,
}

impl Server {
    /// Starts one without persistence; `options` follow on its command line.
    pub async fn start(options: &[&str]) -> Self {
        let port = free_port();
        let dir = tempfile::tempdir().expect("a temporary directory");
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let child = spawn(port, &dir, &options);
        let server = Self { port, dir, options, child };
        server.answers().await;
        server
    }

    /// Starts a Sentinel with these lines of configuration.
    pub async fn start_sentinel(lines: &str) -> Self {
        let port = free_port();
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("sentinel.conf");
        let text = format!("port {port}\nbind 127.0.0.1\n{lines}");
        std::fs::write(&file, text).expect("it is written");
        let child = launch(&[&file.display().to_string(), "--sentinel"]);
        let server = Self { port, dir, options: Vec::new(), child };
        server.answers().await;
        server
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Starts it again at the same port.
    pub async fn restart(&mut self) {
        self.child = spawn(self.port, &self.dir, &self.options);
        self.answers().await;
    }

    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A connection beside those under test.
    pub async fn admin(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.address()).expect("an address");
        let config = redis::AsyncConnectionConfig::new()
            .set_response_timeout(Some(PATIENCE))
            .set_connection_timeout(Some(PATIENCE));
        client.get_multiplexed_async_connection_with_config(&config).await.expect("it answers")
    }

    /// Runs one command, given as words.
    pub async fn run(&self, words: &str) -> Value {
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().expect("a command"));
        for word in words {
            command.arg(word);
        }
        command.query_async(&mut self.admin().await).await.expect("it runs")
    }

    async fn answers(&self) {
        let client = redis::Client::open(self.address()).expect("an address");
        eventually("the server answers", async || {
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            redis::cmd("PING").exec_async(&mut connection).await.ok()
        })
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, dir: &TempDir, options: &[String]) -> Child {
    let (port, dir) = (port.to_string(), dir.path().display().to_string());
    let mut words = vec!["--port", &port, "--save", "", "--appendonly", "no"];
    words.extend(["--bind", "127.0.0.1", "--dir", &dir]);
    words.extend(options.iter().flat_map(|option| option.split(' ')));
    launch(&words)
}

fn launch(words: &[&str]) -> Child {
    Command::new("redis-server")
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server 7.0 or newer must be installed to run this test")
}

/// A free port, which nobody takes while its server is down.
pub fn free_port() -> u16 {
    loadtest::port::free().expect("a port for a server")
}

/// Tries until it gives something; panics after [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let started = clock::instant();
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A pipeline of commands, each given as words.
pub fn pipeline(commands: &[&str]) -> Pipeline {
    let mut pipeline = redis::pipe();
    for command in commands {
        let mut words = command.split(' ');
        pipeline.cmd(words.next().expect("a command"));
        for word in words {
            pipeline.arg(word);
        }
    }
    pipeline
}

/// Sends commands to the append lane, under the link's present history.
pub async fn hot(link: &Link, commands: &[&str]) -> Result<Vec<Value>, Error> {
    link.hot(Some(link.history()), pipeline(commands)).await
}
