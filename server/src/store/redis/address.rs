//! Where a Redis is, as an operator writes it: one server, a service that Sentinels watch, or a
//! cluster, each with or without TLS. Pure: nothing is looked up and no file is read here.
//!
//! Passwords are in the address; neither `Display` nor `Debug` shows them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::store::Error;

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
const FORMS: &str = "write redis://host:port, redis+sentinel://host:port,host:port/service or \
                     redis+cluster://host:port,host:port (rediss for TLS)";

/// A server: host and port.
pub type Node = (String, u16);

/// How a store on Redis is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// One primary at a fixed address.
    Single {
        /// The server.
        at: Node,
        /// How it lets us in.
        access: Access,
    },
    /// The primary of a service that Sentinels watch.
    Sentinel {
        /// At least one.
        sentinels: Vec<Node>,
        /// The name that the Sentinels know the primary by.
        service: String,
        /// How the primary lets us in.
        access: Access,
        /// How the Sentinels do; TLS as for the primary.
        sentinel_login: Login,
    },
    /// A cluster.
    Cluster {
        /// At least one of its nodes.
        seeds: Vec<Node>,
        /// How its nodes let us in; the database is always 0.
        access: Access,
    },
}

/// How a server lets us in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Encrypted, and the server's certificate checked.
    pub tls: bool,
    /// PEM file of the authorities that certificates are checked against; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// Who we are.
    pub login: Login,
    /// The database's number.
    pub db: u32,
}

/// A user and a password, either of which may be missing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// `None`: Redis's `default` user.
    pub user: Option<String>,
    /// `None`: the server asks for none.
    pub password: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.password.as_ref().map(|_| "…");
        f.debug_struct("Login").field("user", &self.user).field("password", &password).finish()
    }
}

impl Address {
    /// How the data's servers let us in.
    #[must_use]
    pub fn access(&self) -> &Access {
        match self {
            Self::Single { access, .. }
            | Self::Sentinel { access, .. }
            | Self::Cluster { access, .. } => access,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = self.access();
        let (kind, nodes, path) = match self {
            Self::Single { at, .. } => ("", std::slice::from_ref(at), database(access.db)),
            Self::Sentinel { sentinels, service, .. } => {
                ("+sentinel", &sentinels[..], format!("/{service}{}", database(access.db)))
            }
            Self::Cluster { seeds, .. } => ("+cluster", &seeds[..], String::new()),
        };
        let scheme = if access.tls { "rediss" } else { "redis" };
        let user = access.login.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let nodes: Vec<String> = nodes.iter().map(written).collect();
        write!(f, "{scheme}{kind}://{user}{}{path}", nodes.join(","))
    }
}

fn database(db: u32) -> String {
    if db == 0 { String::new() } else { format!("/{db}") }
}

/// A server as it is written in an address: IPv6 in brackets.
#[must_use]
pub fn written((host, port): &Node) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| open(format!("'{text}' has no scheme: {FORMS}")))?;
        let (tls, kind) = match scheme {
            "redis" | "rediss" => (scheme == "rediss", ""),
            "redis+sentinel" | "rediss+sentinel" => (scheme == "rediss+sentinel", "sentinel"),
            "redis+cluster" | "rediss+cluster" => (scheme == "rediss+cluster", "cluster"),
            _ => return Err(open(format!("'{scheme}' is no kind of Redis: {FORMS}"))),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (parse_login(login)?, hosts),
            None => (Login::default(), authority),
        };
        let options = Options::parse(query)?;
        let access = Access { tls, ca: options.ca.clone(), login, db: 0 };
        if access.ca.is_some() && !tls {
            return Err(open("?ca= has a meaning with TLS only: write rediss instead of redis"));
        }
        if kind != "sentinel" && options.sentinel_login != Login::default() {
            return Err(open("?sentinel-password= belongs to redis+sentinel:// addresses only"));
        }
        match kind {
            "sentinel" => sentinel(hosts, path, access, options),
            "cluster" => cluster(hosts, path, access),
            _ => single(hosts, path, access),
        }
    }
}

fn open(text: impl Into<String>) -> Error {
    Error::Open(text.into())
}

fn single(hosts: &str, path: &str, access: Access) -> Result<Address, Error> {
    let mut nodes = parse_nodes(hosts, PORT)?;
    match (nodes.pop(), nodes.is_empty()) {
        (Some(at), true) => {
            Ok(Address::Single { at, access: Access { db: parse_db(path)?, ..access } })
        }
        _ => Err(open(
            "redis:// names one server: write redis+cluster:// for the nodes of a cluster, or \
             redis+sentinel:// for Sentinels",
        )),
    }
}

fn sentinel(hosts: &str, path: &str, access: Access, options: Options) -> Result<Address, Error> {
    let (service, db) = path.split_once('/').unwrap_or((path, ""));
    if service.is_empty() {
        return Err(open(
            "the service that the Sentinels watch is missing: write \
             redis+sentinel://host:port,host:port/service",
        ));
    }
    Ok(Address::Sentinel {
        sentinels: parse_nodes(hosts, SENTINEL_PORT)?,
        service: decode(service)?,
        access: Access { db: parse_db(db)?, ..access },
        sentinel_login: options.sentinel_login,
    })
}

fn cluster(hosts: &str, path: &str, access: Access) -> Result<Address, Error> {
    if !matches!(path, "" | "0") {
        return Err(open("a cluster has database 0 only: leave out what follows the hosts"));
    }
    Ok(Address::Cluster { seeds: parse_nodes(hosts, PORT)?, access })
}

fn parse_nodes(hosts: &str, port: u16) -> Result<Vec<Node>, Error> {
    hosts.split(',').map(|host| parse_node(host, port)).collect()
}

fn parse_node(text: &str, default_port: u16) -> Result<Node, Error> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) = match bracketed {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or(rest))),
        None => match text.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => {
                return Err(open(format!("write IPv6 in brackets, as in [::1]:{PORT}: '{text}'")));
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err(open(format!("a host is missing in '{text}': {FORMS}")));
    }
    let port = match port {
        None => default_port,
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
            open(format!("'{port}' is no port: write host:port, with a port of 1 to 65535"))
        })?,
    };
    Ok((host.to_owned(), port))
}

fn parse_db(path: &str) -> Result<u32, Error> {
    if path.is_empty() {
        return Ok(0);
    }
    let refused = |_| open(format!("'{path}' is no database: write its number, as in host:port/0"));
    path.parse().map_err(refused)
}

fn parse_login(text: &str) -> Result<Login, Error> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    Ok(Login { user: filled(decode(user)?), password: filled(decode(password)?) })
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// What follows the question mark.
#[derive(Default)]
struct Options {
    ca: Option<PathBuf>,
    sentinel_login: Login,
}

impl Options {
    fn parse(query: &str) -> Result<Self, Error> {
        let mut options = Self::default();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = filled(decode(value)?)
                .ok_or_else(|| open(format!("?{name}= has no value: write ?{name}=…")))?;
            match name {
                "ca" => options.ca = Some(value.into()),
                "sentinel-user" => options.sentinel_login.user = Some(value),
                "sentinel-password" => options.sentinel_login.password = Some(value),
                _ => {
                    return Err(open(format!(
                        "?{name}= is unknown: write ?ca=/path/to/ca.pem, ?sentinel-user= or \
                         ?sentinel-password="
                    )));
                }
            }
        }
        Ok(options)
    }
}

/// Undoes percent-encoding: a password may need it.
fn decode(text: &str) -> Result<String, Error> {
    let refused = || {
        open("a '%' in the address must be followed by two hex digits: write %25 for '%' itself")
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if *byte != b'%' {
            bytes.push(*byte);
            rest = after;
            continue;
        }
        let (hex, after) = after.split_at_checked(2).ok_or_else(refused)?;
        let hex = std::str::from_utf8(hex).map_err(|_| refused())?;
        bytes.push(u8::from_str_radix(hex, 16).map_err(|_| refused())?);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| open("what the '%' stand for is not UTF-8"))
}
