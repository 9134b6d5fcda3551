//! From arguments, environment and settings file to settings, with the origin of each value.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::error::ErrorKind;

use super::commands::{self, Asked};
use super::option::{self, Opt};
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

/// Reads a settings file; handed in so that resolving stays pure.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

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
    let matches = match commands::whole_command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Ok(Asked::Print(e.render().to_string()));
        }
        Err(e) => return Err(ConfigError::Usage(usage_text(&e))),
    };
    if let Some(task) = commands::task(&matches, |below| layers(below, env, read_file))? {
        return Ok(Asked::Task(task));
    }
    let serving = matches.subcommand_matches("serve").unwrap_or(&matches);
    let resolved = Box::new(layers(serving, env, read_file)?);
    if serving.get_flag("dump-config") {
        return Ok(Asked::Dump { resolved, json: serving.get_flag("json") });
    }
    Ok(Asked::Serve(resolved))
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
        // A command knows some of the options only.
        if let Ok(Some(texts)) = matches.try_get_many::<String>(opt.name) {
            let place = format!("--{}", opt.name);
            let origin = Origin::Flag(place.clone());
            take(Given { opt, texts: texts.cloned().collect(), origin, place }, resolved)?;
        }
    }
    Ok(())
}
