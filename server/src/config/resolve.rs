//! From arguments, environment and settings file to settings, with the origin of each value.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::history::{self, History, NodeAt, Replay};
use super::option::{self, GROUPS, Opt};
use super::{ConfigError, Guests, Settings, check, file};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    /// No one set it.
    #[default]
    Default,
    /// A settings file, at this line.
    File {
        /// Which file.
        path: PathBuf,
        /// Counts from 1.
        line: usize,
    },
    /// This environment variable.
    Env(String),
    /// This flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "file {}:{line}", path.display()),
            Self::Env(name) => write!(f, "env {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Settings, and what is to be said about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The settings.
    pub settings: Settings,
    /// By key of the settings file; a key that is not here is [`Origin::Default`].
    pub origins: BTreeMap<String, Origin>,
    /// Sentences for the log at start.
    pub warnings: Vec<String>,
}

impl Resolved {
    /// Where the value of `key` came from.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or_default()
    }
}

/// `holdfast leaderboard rebuild`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuild {
    /// The node that is asked.
    pub node: NodeAt,
    /// Players a second.
    pub rate: u32,
}

/// `holdfast doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doctor {
    /// Store, files and durability are what counts here.
    pub resolved: Box<Resolved>,
    /// For programs instead of people.
    pub json: bool,
    /// Change what can be changed on the running server.
    pub fix: bool,
}

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Run the server.
    Serve(Box<Resolved>),
    /// Print the settings and stop.
    Dump(Box<Resolved>),
    /// Ask a running node to rebuild the leaderboard.
    Rebuild(Box<Rebuild>),
    /// Examine the Redis of the settings.
    Doctor(Doctor),
    /// Show what has happened to an actor.
    History(Box<History>),
    /// Fold a journal by today's rules.
    Replay(Box<Replay>),
    /// Print this (help, version) and stop.
    Print(String),
}

/// Reads a settings file; handed in so that resolving stays pure.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// Players a second of a rebuild, unless said otherwise.
const REBUILD_RATE: u32 = 500;

/// One value of one source.
pub(super) struct Given {
    pub opt: &'static Opt,
    pub texts: Vec<String>,
    pub origin: Origin,
    /// How an error names the place.
    pub place: String,
}

/// Resolves the command line. `args` begins with the program's name.
///
/// # Errors
/// [`ConfigError`] with a sentence that says what to change.
pub fn resolve(
    args: &[String],
    env: &BTreeMap<String, String>,
    read_file: ReadFile<'_>,
) -> Result<Asked, ConfigError> {
    let matches = match command().try_get_matches_from(without_serve(args)) {
        Ok(matches) => matches,
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Ok(Asked::Print(e.render().to_string()));
        }
        Err(e) => return Err(ConfigError::Usage(usage_text(&e))),
    };
    if let Some(("leaderboard", below)) = matches.subcommand()
        && let Some(("rebuild", below)) = below.subcommand()
    {
        return rebuild(below, env).map(|asked| Asked::Rebuild(Box::new(asked)));
    }
    if let Some(("doctor", below)) = matches.subcommand() {
        let resolved = Box::new(layers(below, env, read_file)?);
        let (json, fix) = (below.get_flag("json"), below.get_flag("fix"));
        return Ok(Asked::Doctor(Doctor { resolved, json, fix }));
    }
    match matches.subcommand() {
        Some(("history", below)) => {
            return history::history(below, env).map(|asked| Asked::History(Box::new(asked)));
        }
        Some(("replay", below)) => {
            return history::replay(below, env).map(|asked| Asked::Replay(Box::new(asked)));
        }
        _ => {}
    }
    let resolved = Box::new(layers(&matches, env, read_file)?);
    Ok(if matches.get_flag("dump-config") { Asked::Dump(resolved) } else { Asked::Serve(resolved) })
}

/// Clap's complaint, without the word that the program's name already stands for.
fn usage_text(error: &clap::Error) -> String {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            format!("this command needs another word\n\n{text}")
        }
        _ => text.strip_prefix("error: ").unwrap_or(&text).to_owned(),
    }
}

/// `serve` is what the program does anyway: its options are the program's.
fn without_serve(args: &[String]) -> Vec<String> {
    let named = args.get(1).is_some_and(|arg| arg == "serve");
    args.iter().enumerate().filter(|(at, _)| !named || *at != 1).map(|(_, a)| a.clone()).collect()
}

fn command() -> Command {
    let defaults = Settings::default();
    let mut command = Command::new("holdfast")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A WebSocket real-time game server whose player sessions survive the servers they run on")
        .override_usage(
            "holdfast [serve] [OPTIONS]\n       holdfast doctor [OPTIONS]\n       \
             holdfast history ACTOR [OPTIONS]\n       holdfast replay ACTOR|FILE [OPTIONS]\n       \
             holdfast leaderboard rebuild [OPTIONS]",
        )
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .arg(config_file())
        .arg(
            Arg::new("dump-config")
                .long("dump-config")
                .action(ArgAction::SetTrue)
                .help("Print every value and where it came from, then stop"),
        )
        .after_help(
            "Every option can also stand in the environment (--beat-ms is HOLDFAST_BEAT_MS) and \
             in the settings file (beat_ms). The command line wins over the environment, and the \
             environment over the file.",
        )
        .subcommand(leaderboard())
        .subcommand(history::history_command())
        .subcommand(history::replay_command())
        .subcommand(doctor());
    for (heading, group) in GROUPS {
        for opt in group {
            command = command.arg(argument(opt, &defaults).help_heading(heading));
        }
    }
    command
}

fn argument(opt: &'static Opt, defaults: &Settings) -> Arg {
    let default = match opt.show(defaults) {
        Some(toml::Value::String(text)) if opt.name != "guests" => format!(" [default: {text}]"),
        Some(value @ toml::Value::Integer(_)) if opt.name != "workers" => {
            format!(" [default: {value}]")
        }
        Some(toml::Value::Boolean(on)) => {
            format!(" [default: {}]", if on { "on" } else { "off" })
        }
        _ => String::new(),
    };
    let action = if opt.is_list() { ArgAction::Append } else { ArgAction::Set };
    Arg::new(opt.name)
        .long(opt.name)
        .value_name(opt.arg)
        .help(format!("{}{default}", opt.help))
        .action(action)
}

fn config_file() -> Arg {
    Arg::new("config").long("config").value_name("FILE").help("A settings file (TOML)")
}

/// The options of the server that say which Redis, and what is asked of it.
const DOCTOR: [&str; 4] = ["store", "redis-password-file", "redis-ca-file", "durability"];

fn doctor() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let defaults = Settings::default();
    let command = Command::new("doctor")
        .about(
            "Examines the Redis that a node would use: what is set wrongly, what to write \
             instead, and what durability that really gives",
        )
        .after_help("Exit codes: 0 without errors, 1 with errors or without an answer.")
        .arg(config_file())
        .arg(flag("json", "Print JSON, for programs"))
        .arg(flag("fix", "Change on the running servers what CONFIG SET may change"));
    option::all()
        .filter(|opt| DOCTOR.contains(&opt.name))
        .fold(command, |command, opt| command.arg(argument(opt, &defaults)))
}

fn leaderboard() -> Command {
    let option = |name: &'static str, value: &'static str| {
        Arg::new(name).long(name).value_name(value).action(ArgAction::Set)
    };
    let rebuild = Command::new("rebuild")
        .about("Reads every player's journal and writes the leaderboard anew, while the game runs")
        .arg(option("admin", "ADDR").help(
            "The running node's admin listener; without it, the address is read from the store's \
             directory, or from --data-dir",
        ))
        .arg(option("store", "STORE").help("The store of the running node"))
        .arg(option("data-dir", "DIR").help("Where nodes of a Redis keep their files"))
        .arg(option("rate", "N").help(format!("Players a second [default: {REBUILD_RATE}]")));
    Command::new("leaderboard")
        .about("Operations on the leaderboard of a running node")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(rebuild)
}

fn rebuild(matches: &ArgMatches, env: &BTreeMap<String, String>) -> Result<Rebuild, ConfigError> {
    let bad = |place: &str, why: String| ConfigError::Value { place: place.into(), why };
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let rate = match text("rate") {
        None => REBUILD_RATE,
        Some(rate) => option::number(rate, 1, 1_000_000)
            .map(|rate| u32::try_from(rate).unwrap_or(u32::MAX))
            .map_err(|why| bad("--rate", why))?,
    };
    Ok(Rebuild { node: NodeAt::read(matches, env)?, rate })
}

fn layers(
    matches: &ArgMatches,
    env: &BTreeMap<String, String>,
    read_file: ReadFile<'_>,
) -> Result<Resolved, ConfigError> {
    let mut resolved =
        Resolved { settings: Settings::default(), origins: BTreeMap::new(), warnings: Vec::new() };
    let flag = matches.get_one::<String>("config").cloned();
    let named = flag.or_else(|| env.get("HOLDFAST_CONFIG").cloned()).filter(|f| !f.is_empty());
    if let Some(path) = named.map(PathBuf::from) {
        let text = read_file(&path).map_err(|e| ConfigError::Value {
            place: path.display().to_string(),
            why: format!("the settings file can't be read ({e}); name another by --config"),
        })?;
        file::read(&path, &text, &mut resolved)?;
    }
    from_env(env, &mut resolved)?;
    from_flags(matches, &mut resolved)?;
    if resolved.origin("guests") == Origin::Default && !resolved.settings.listen.ip().is_loopback()
    {
        resolved.settings.guests = Guests::Claim;
    }
    check::check(&mut resolved)?;
    Ok(resolved)
}

/// Takes one value over what the sources below said.
pub(super) fn take(given: Given, resolved: &mut Resolved) -> Result<(), ConfigError> {
    given
        .opt
        .set(&mut resolved.settings, &given.texts)
        .map_err(|why| ConfigError::Value { place: given.place, why })?;
    resolved.origins.insert(given.opt.key(), given.origin);
    Ok(())
}

fn from_env(env: &BTreeMap<String, String>, resolved: &mut Resolved) -> Result<(), ConfigError> {
    for opt in option::all() {
        let name = opt.variable();
        if let Some(text) = env.get(&name).filter(|text| !text.is_empty()) {
            let origin = Origin::Env(name.clone());
            take(Given { opt, texts: vec![text.clone()], origin, place: name }, resolved)?;
        }
    }
    let known: Vec<String> = option::all().map(Opt::key).chain(["config".to_owned()]).collect();
    let mut foreign = Vec::new();
    for name in env.keys() {
        let Some(key) = name.strip_prefix("HOLDFAST_").map(str::to_lowercase) else { continue };
        if known.contains(&key) {
            continue;
        }
        if let Some(near) = file::nearest(&key, &known).map(str::to_uppercase) {
            let why = format!("no option has this name; did you mean HOLDFAST_{near}?");
            return Err(ConfigError::Value { place: name.clone(), why });
        }
        foreign.push(name.as_str());
    }
    if !foreign.is_empty() {
        resolved.warnings.push(format!("no option reads {}; ignored", foreign.join(", ")));
    }
    Ok(())
}

fn from_flags(matches: &ArgMatches, resolved: &mut Resolved) -> Result<(), ConfigError> {
    for opt in option::all() {
        // The doctor's command knows some of the options only.
        if let Ok(Some(texts)) = matches.try_get_many::<String>(opt.name) {
            let place = format!("--{}", opt.name);
            let origin = Origin::Flag(place.clone());
            take(Given { opt, texts: texts.cloned().collect(), origin, place }, resolved)?;
        }
    }
    Ok(())
}
