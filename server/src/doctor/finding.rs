//! One thing that was found, in words for an operator.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Players will notice on a bad day.
    Warning,
    /// Players will lose something, or nothing works.
    Error,
}

impl Level {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What `CONFIG SET` can change at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// The setting.
    pub name: &'static str,
    /// Its new value.
    pub value: String,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at, always the same word.
    pub name: &'static str,
    /// Where: a server, or nothing for the whole.
    pub at: String,
    /// What was seen.
    pub what: String,
    /// What it means for players.
    pub means: String,
    /// What to write instead.
    pub change: String,
    /// What `--fix` would do.
    pub fix: Option<Fix>,
    /// Whether a node must not start with it: a mistake of the configuration, not of the day.
    pub refuses: bool,
}

impl Finding {
    fn new(level: Level, name: &'static str, what: String, means: &str) -> Self {
        let (at, means, change) = (String::new(), means.to_owned(), String::new());
        Self { level, name, at, what, means, change, fix: None, refuses: false }
    }

    /// As it should be.
    pub(super) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self::new(Level::Ok, name, what.into(), "")
    }

    /// Worth knowing.
    pub(super) fn note(name: &'static str, what: impl Into<String>, means: &str) -> Self {
        Self::new(Level::Note, name, what.into(), means)
    }

    /// Players will notice on a bad day.
    pub(super) fn warning(name: &'static str, what: impl Into<String>, means: &str) -> Self {
        Self::new(Level::Warning, name, what.into(), means)
    }

    /// Players will lose something.
    pub(super) fn error(name: &'static str, what: impl Into<String>, means: &str) -> Self {
        Self::new(Level::Error, name, what.into(), means)
    }

    /// What to do about it.
    pub(super) fn change(mut self, change: impl Into<String>) -> Self {
        self.change = change.into();
        self
    }

    /// A line of redis.conf that `CONFIG SET` can set as well.
    pub(super) fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        self.change = format!("redis.conf: {name} {value}");
        self.fix = Some(Fix { name, value });
        self
    }

    /// No node may start with it.
    pub(super) const fn refuses(mut self) -> Self {
        self.refuses = true;
        self
    }
}
