//! Opens connections and asks a server what it is. Keeps nothing open itself.
//!
//! A connection is of use only after [`examine`] found a primary behind it: its role and its
//! replication id come from one `INFO`, so that they belong together, and a `PING` shows that it
//! is neither loading nor cut from its own primary.
//!
//! The file of authorities is read once, at start: what a node trusts does not change under it. The
//! system's own authorities are read by the TLS library with each connection; connections are made
//! seldom, and so a renewed set needs no restart.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, PushInfo,
    RedisConnectionInfo, TlsCertificates, Value,
};
use tokio::sync::mpsc;

use super::address::{Access, Login, Node, written};
use crate::clock;
use crate::store::Error;

/// How long a connection may take to open, TLS and login included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Requests that wait for a connection's writer; further callers wait for room.
const WRITER_QUEUE: usize = 1024;

/// What a connection of its own is for.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// Commands that are answered at once: fails where an answer takes this long.
    Quick(Duration),
    /// Commands that block at the server (`XREAD BLOCK`, `WAIT`): the caller sets its own limits.
    Blocking,
    /// Subscriptions. What is pushed goes to the sender and is dropped while that is full; the
    /// channel ends with the connection.
    Pushes(mpsc::Sender<PushInfo>),
}

/// Opens connections with one set of credentials.
#[derive(Debug)]
pub struct Connector {
    tls: Option<TlsCertificates>,
    login: Login,
    db: u32,
    patience: Duration,
}

impl Connector {
    /// Reads the file of authorities, where one is named.
    ///
    /// # Errors
    /// [`Error::Open`] when it can't be read.
    pub fn new(access: &Access) -> Result<Self, Error> {
        let root_cert = match &access.ca {
            Some(path) => Some(std::fs::read(path).map_err(|error| {
                Error::Open(format!("the authorities in {} can't be read: {error}", path.display()))
            })?),
            None => None,
        };
        let tls = access.tls.then_some(TlsCertificates { client_tls: None, root_cert });
        let (login, db) = (access.login.clone(), access.db);
        Ok(Self { tls, login, db, patience: CONNECT_TIMEOUT })
    }

    /// The same way to other servers, with another login and database 0.
    #[must_use]
    pub fn with_login(&self, login: &Login) -> Self {
        Self { tls: self.tls.clone(), login: login.clone(), db: 0, patience: self.patience }
    }

    /// The same, with another time than [`CONNECT_TIMEOUT`] for a connection to open.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Opens a connection within [`CONNECT_TIMEOUT`], or what was asked for instead.
    ///
    /// # Errors
    /// A sentence that says why there is none.
    pub async fn open(&self, at: &Node, purpose: Purpose) -> Result<MultiplexedConnection, String> {
        let failed =
            |error: redis::RedisError| format!("{} can't be reached: {error}", written(at));
        let mut settings = RedisConnectionInfo::default().set_db(self.db.into());
        if let Some(user) = &self.login.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.login.password {
            settings = settings.set_password(password);
        }
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(WRITER_QUEUE);
        match purpose {
            Purpose::Quick(limit) => config = config.set_response_timeout(Some(limit)),
            Purpose::Blocking => {}
            Purpose::Pushes(sender) => {
                settings = settings.set_protocol(ProtocolVersion::RESP3);
                config = config.set_push_sender(move |push| sender.try_send(push));
            }
        }
        let client = self.client(at, settings).map_err(failed)?;
        let opening = client.get_multiplexed_async_connection_with_config(&config);
        match tokio::time::timeout(self.patience, opening).await {
            Ok(opened) => opened.map_err(failed),
            Err(_) => {
                let limit_ms = self.patience.as_millis();
                Err(format!("{} does not answer within {limit_ms} ms", written(at)))
            }
        }
    }

    fn client(&self, at: &Node, settings: RedisConnectionInfo) -> redis::RedisResult<Client> {
        let (host, port) = at.clone();
        let address = match self.tls {
            Some(_) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            None => ConnectionAddr::Tcp(host, port),
        };
        let tcp = redis::io::tcp::TcpSettings::default().set_nodelay(true);
        let info =
            address.into_connection_info()?.set_redis_settings(settings).set_tcp_settings(tcp);
        match &self.tls {
            Some(certificates) => Client::build_with_tls(info, certificates.clone()),
            None => Client::open(info),
        }
    }
}

/// What a server said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// It takes writes.
    pub primary: bool,
    /// The name of its history; another one after a restart or a promotion.
    pub replication_id: String,
    /// Its clock, Unix milliseconds.
    pub time_ms: u64,
    /// When its answer was here.
    pub received: Instant,
    /// How long the answer took.
    pub round_trip: Duration,
}

/// Asks a server what it is.
///
/// # Errors
/// A sentence, where it does not answer in time, or not as a Redis that is at work.
pub async fn examine(
    connection: &mut MultiplexedConnection,
    limit: Duration,
) -> Result<Facts, String> {
    let mut questions = redis::pipe();
    questions.cmd("PING").cmd("INFO").arg("replication").cmd("TIME");
    let sent = clock::instant();
    let asking = connection.send_packed_commands(&questions, 0, 3);
    let answers = match tokio::time::timeout(limit, asking).await {
        Ok(answers) => answers.map_err(|error| error.to_string())?,
        Err(_) => return Err(format!("no answer within {} ms", limit.as_millis())),
    };
    let received = clock::instant();
    let round_trip = received.saturating_duration_since(sent);
    for answer in &answers {
        if let Value::ServerError(error) = answer {
            return Err(error.to_string());
        }
    }
    let [_, info, time] = <[Value; 3]>::try_from(answers).map_err(|_| "answers are missing")?;
    let info: String = redis::from_redis_value(info).map_err(|error| error.to_string())?;
    let (seconds, micros): (u64, u64) =
        redis::from_redis_value(time).map_err(|error| error.to_string())?;
    let replication_id = field(&info, "master_replid").ok_or("INFO names no replication id")?;
    Ok(Facts {
        primary: field(&info, "role") == Some("master"),
        replication_id: replication_id.to_owned(),
        time_ms: seconds.saturating_mul(1000).saturating_add(micros / 1000),
        received,
        round_trip,
    })
}

/// A field of an `INFO` answer.
pub fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
}
