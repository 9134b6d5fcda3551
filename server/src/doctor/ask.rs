//! Asks one server, and writes down what it says. Changes nothing but one key of its own, which
//! expires.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue};

use super::facts::{Fields, Server};
use super::needs;
use crate::clock::{self, Clock};
use crate::store::durability::Durability;
use crate::store::redis::address::{Access, Login, Node, written};
use crate::store::redis::connect::{Connector, Purpose};

/// Patience with one answer.
const ANSWER: Duration = Duration::from_secs(2);
/// Keys that are tried for one that a shard of a Cluster holds.
const KEYS_TRIED: u32 = 2_000;
/// What is read of the configuration; nothing else, because passwords are in it too.
const SETTINGS: &[&str] = &[
    "appendonly",
    "appendfsync",
    "no-appendfsync-on-rewrite",
    "save",
    "stop-writes-on-bgsave-error",
    "maxmemory",
    "maxmemory-policy",
    "stream-node-max-bytes",
    "min-replicas-to-write",
    "min-replicas-max-lag",
    "repl-backlog-size",
    "timeout",
    "tcp-keepalive",
    "maxclients",
    "client-output-buffer-limit",
    "cluster-require-full-coverage",
    "port",
    "tls-port",
];
/// A script with the header of ours. `allow-oom` lets it run in a full server.
const SCRIPT: &str = "#!lua flags=allow-oom\nreturn redis.call('TIME')";

/// How servers are reached.
pub(super) fn connector(access: &Access) -> Result<Connector, String> {
    let connector = Connector::new(access).map_err(|error| error.to_string())?;
    Ok(connector.patient(ANSWER))
}

/// A connection of its own.
pub(super) async fn dial(
    connector: &Connector,
    at: &Node,
) -> Result<MultiplexedConnection, String> {
    connector.open(at, Purpose::Quick(ANSWER)).await
}

/// A command of words.
pub(super) fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command
}

/// Asks, and says what went wrong in the server's words.
pub(super) async fn ask<T: FromRedisValue>(
    connection: &mut MultiplexedConnection,
    words: &[&str],
) -> Result<T, String> {
    command(words).query_async(connection).await.map_err(|error| error.to_string())
}

/// `name:value` lines.
pub(super) fn fields(text: &str) -> Fields {
    let pair = |line: &str| {
        let (name, value) = line.trim_end().split_once(':')?;
        Some((name.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

/// What is asked of one server.
pub(super) struct Question<'a> {
    pub connector: &'a Connector,
    pub login: &'a Login,
    pub cluster: bool,
    pub durability: Durability,
    /// Answers whose median is taken.
    pub samples: usize,
    pub clock: &'a Clock,
}

impl Question<'_> {
    /// Asks everything; fails only where there is no answer at all.
    pub async fn put(&self, at: &Node) -> Result<Server, String> {
        let mut connection = dial(self.connector, at).await?;
        let info = fields(&ask::<String>(&mut connection, &["INFO"]).await?);
        let mut server = Server {
            at: written(at),
            port: at.1,
            tls: self.connector.is_tls(),
            loopback: is_loopback(&at.0),
            info,
            ..Server::default()
        };
        self.settings(&mut connection, &mut server).await;
        self.identity(&mut connection, &mut server, at).await?;
        self.script(&mut connection, &mut server).await;
        self.permissions(&mut connection, &mut server).await;
        self.clock(&mut connection, &mut server).await?;
        self.speed(&mut connection, &mut server).await?;
        Ok(server)
    }

    async fn settings(&self, connection: &mut MultiplexedConnection, server: &mut Server) {
        let words: Vec<&str> = ["CONFIG", "GET"].iter().chain(SETTINGS).copied().collect();
        match ask(connection, &words).await {
            Ok(config) => server.config = config,
            Err(why) => server.config_refused = Some(why),
        }
    }

    /// Whether what answers is one server each time.
    async fn identity(
        &self,
        connection: &mut MultiplexedConnection,
        server: &mut Server,
        at: &Node,
    ) -> Result<(), String> {
        for _ in 0..8 {
            if let Ok(id) = ask(connection, &["CLIENT", "ID"]).await {
                server.client_ids.push(id);
            }
        }
        server.run_ids.push(server.info("run_id").to_owned());
        for _ in 0..2 {
            let mut other = dial(self.connector, at).await?;
            let info = fields(&ask::<String>(&mut other, &["INFO", "server"]).await?);
            server.run_ids.extend(info.get("run_id").cloned());
        }
        Ok(())
    }

    async fn script(&self, connection: &mut MultiplexedConnection, server: &mut Server) {
        let run = async {
            let sha: String = ask(connection, &["SCRIPT", "LOAD", SCRIPT]).await?;
            ask::<Vec<String>>(connection, &["EVALSHA", &sha, "0"]).await
        };
        server.script_refused = run.await.err();
    }

    async fn permissions(&self, connection: &mut MultiplexedConnection, server: &mut Server) {
        server.user = match ask::<String>(connection, &["ACL", "WHOAMI"]).await {
            Ok(user) => user,
            Err(why) => {
                server.unchecked = Some(why);
                self.login.user.clone().unwrap_or_else(|| "default".to_owned())
            }
        };
        let user = server.user.clone();
        let mut wanted: Vec<&[&str]> = needs::ALWAYS.to_vec();
        if self.cluster {
            wanted.extend(needs::CLUSTER);
        }
        if self.durability == Durability::Fsynced && server.has_waitaof() {
            wanted.extend(needs::WAITAOF);
        }
        for words in wanted {
            match dry_run(connection, &user, words).await {
                Ok(None) => {}
                Ok(Some(reason)) => server.denied.push((needs::name(words), reason)),
                Err(why) => {
                    server.unchecked.get_or_insert(why);
                    break;
                }
            }
        }
        server.almighty = matches!(dry_run(connection, &user, needs::NEVER).await, Ok(None));
    }

    /// Of several readings the one with the shortest way counts.
    async fn clock(
        &self,
        connection: &mut MultiplexedConnection,
        server: &mut Server,
    ) -> Result<(), String> {
        let mut best: Option<(u64, i64)> = None;
        for _ in 0..8 {
            let sent = clock::instant();
            let before_ms = self.clock.now_ms();
            let (s, us): (i64, i64) = ask(connection, &["TIME"]).await?;
            let way_us = micros(sent);
            let here_ms = i64::try_from(before_ms + way_us / 2_000).unwrap_or(i64::MAX);
            let skew_ms = s.saturating_mul(1_000).saturating_add(us / 1_000) - here_ms;
            if best.is_none_or(|(shortest, _)| way_us < shortest) {
                best = Some((way_us, skew_ms));
            }
        }
        server.skew_ms = best.map_or(0, |(_, skew_ms)| skew_ms);
        Ok(())
    }

    async fn speed(
        &self,
        connection: &mut MultiplexedConnection,
        server: &mut Server,
    ) -> Result<(), String> {
        let mut pings = Vec::with_capacity(self.samples);
        for _ in 0..self.samples {
            let sent = clock::instant();
            let _: String = ask(connection, &["PING"]).await?;
            pings.push(micros(sent));
        }
        server.ping_us = median(pings);
        match self.writes(connection).await {
            Ok(took) => server.set_us = median(took),
            Err(why) => server.set_refused = Some(why),
        }
        Ok(())
    }

    async fn writes(&self, connection: &mut MultiplexedConnection) -> Result<Vec<u64>, String> {
        let key = self.own_key(connection).await?;
        let mut took = Vec::with_capacity(self.samples);
        for _ in 0..self.samples {
            let sent = clock::instant();
            let _: String = ask(connection, &["SET", &key, "x", "PX", "10000"]).await?;
            took.push(micros(sent));
        }
        Ok(took)
    }

    /// A key that this server holds: of a Cluster's slots each shard has some.
    async fn own_key(&self, connection: &mut MultiplexedConnection) -> Result<String, String> {
        let run: u64 = rand::random();
        let mut refusal = String::new();
        for number in 0..KEYS_TRIED {
            let key = format!("hf:{{doctor-{run:x}-{number}}}:x");
            match command(&["SET", &key, "x", "PX", "10000"]).exec_async(connection).await {
                Ok(()) => return Ok(key),
                Err(error) if error.redirect_node().is_some() => refusal = error.to_string(),
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(refusal)
    }
}

/// The server's reason why the user may not; `None` where it may, and where the server knows no
/// such command.
async fn dry_run(
    connection: &mut MultiplexedConnection,
    user: &str,
    words: &[&str],
) -> Result<Option<String>, String> {
    let all: Vec<&str> = ["ACL", "DRYRUN", user].iter().chain(words).copied().collect();
    let answer = ask::<String>(connection, &all).await?;
    Ok((answer != "OK").then_some(answer))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

fn micros(since: std::time::Instant) -> u64 {
    let took = clock::instant().saturating_duration_since(since);
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

fn median(mut took: Vec<u64>) -> u64 {
    took.sort_unstable();
    took.get(took.len() / 2).copied().unwrap_or(0)
}
