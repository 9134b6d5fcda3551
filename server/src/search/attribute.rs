//! Which attributes there are: the built-in ones and those that a game declares.
//!
//! - Names are matched without regard to case and shown as they were declared, so two names that
//!   differ in case only are one name.
//! - A built-in attribute's code stands for it in stored rows for ever. A declared one is stored
//!   under its name.
//! - An attribute that is a *time since* is never stored: it is computed when it is asked for,
//!   from a stored time and now.

use std::borrow::Cow;
use std::collections::BTreeMap;

use holdfast_protocol::near::nearest;

/// Longest name, in characters.
pub const NAME_LEN_MAX: usize = 32;
/// Most attributes that a game may declare.
pub const DECLARED_MAX: usize = 64;

/// Words of the query language; no attribute may be called so.
pub(super) const RESERVED: [&str; 15] = [
    "AND",
    "OR",
    "NOT",
    "BETWEEN",
    "IN",
    "STARTS_WITH",
    "IS",
    "NULL",
    "ORDER",
    "BY",
    "ASC",
    "DESC",
    "TRUE",
    "FALSE",
    "WHERE",
];

/// What an attribute's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// Text that is compared whole or by its beginning, byte for byte.
    Keyword,
    /// A whole number.
    Integer,
    /// A moment, in Unix milliseconds.
    Time,
    /// A length of time, in milliseconds.
    Duration,
    /// True or false.
    Bool,
}

impl Type {
    /// As a sentence calls it: `PlayerLevel is a whole number`.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Keyword => "text",
            Self::Integer => "a whole number",
            Self::Time => "a time",
            Self::Duration => "a duration",
            Self::Bool => "true or false",
        }
    }

    /// A value as the query language writes it.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Keyword => "\"text\"",
            Self::Integer => "10",
            Self::Time => "\"2026-01-31T12:00:00Z\"",
            Self::Duration => "10m",
            Self::Bool => "true",
        }
    }
}

/// The attributes that every session has, whatever the game. Their numbers are in stored rows:
/// one that was used keeps its meaning for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Builtin {
    /// Who plays.
    PlayerId = 0,
    /// As others see the player.
    DisplayName = 1,
    /// Such as `in_room`.
    PlayerStatus = 2,
    /// Missing outside rooms.
    CurrentRoom = 3,
    /// By experience.
    PlayerLevel = 4,
    /// On the leaderboard.
    Score = 5,
    /// In the purse.
    Gold = 6,
    /// When the session began.
    StartTime = 7,
    /// When the last command came.
    LastCommandTime = 8,
    /// Time since `StartTime`; computed.
    SessionDuration = 9,
    /// Time since `LastCommandTime`; computed.
    IdleTime = 10,
    /// The node that holds the actor; missing while it is asleep.
    Node = 11,
    /// Commands that did something, ever.
    TotalActions = 12,
}

/// Every built-in attribute, by its code.
pub const BUILTIN: [Builtin; 13] = [
    Builtin::PlayerId,
    Builtin::DisplayName,
    Builtin::PlayerStatus,
    Builtin::CurrentRoom,
    Builtin::PlayerLevel,
    Builtin::Score,
    Builtin::Gold,
    Builtin::StartTime,
    Builtin::LastCommandTime,
    Builtin::SessionDuration,
    Builtin::IdleTime,
    Builtin::Node,
    Builtin::TotalActions,
];

impl Builtin {
    /// Its declaration, the same in every registry.
    #[must_use]
    pub fn attribute(self) -> Attribute {
        let (name, kind, since) = self.declared();
        Attribute {
            id: u16::from(self as u8),
            name: Cow::Borrowed(name),
            kind,
            since: since.map(|of| u16::from(of as u8)),
            indexed: since.is_none(),
        }
    }

    fn declared(self) -> (&'static str, Type, Option<Self>) {
        match self {
            Self::PlayerId => ("PlayerId", Type::Keyword, None),
            Self::DisplayName => ("DisplayName", Type::Keyword, None),
            Self::PlayerStatus => ("PlayerStatus", Type::Keyword, None),
            Self::CurrentRoom => ("CurrentRoom", Type::Keyword, None),
            Self::PlayerLevel => ("PlayerLevel", Type::Integer, None),
            Self::Score => ("Score", Type::Integer, None),
            Self::Gold => ("Gold", Type::Integer, None),
            Self::StartTime => ("StartTime", Type::Time, None),
            Self::LastCommandTime => ("LastCommandTime", Type::Time, None),
            Self::SessionDuration => ("SessionDuration", Type::Duration, Some(Self::StartTime)),
            Self::IdleTime => ("IdleTime", Type::Duration, Some(Self::LastCommandTime)),
            Self::Node => ("Node", Type::Keyword, None),
            Self::TotalActions => ("TotalActions", Type::Integer, None),
        }
    }
}

/// One attribute of one registry. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub(super) id: u16,
    pub(super) name: Cow<'static, str>,
    pub(super) kind: Type,
    /// The stored time that this one counts from.
    pub(super) since: Option<u16>,
    pub(super) indexed: bool,
}

impl Attribute {
    /// Its number in its registry: the same in every process for the built-in ones only.
    #[must_use]
    pub fn id(&self) -> u16 {
        self.id
    }

    /// As it was declared.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its values are.
    #[must_use]
    pub fn kind(&self) -> Type {
        self.kind
    }

    /// Whether a game declared it.
    #[must_use]
    pub fn is_declared(&self) -> bool {
        usize::from(self.id) >= BUILTIN.len()
    }

    /// Whether it is computed when it is asked for, and never stored.
    #[must_use]
    pub fn is_computed(&self) -> bool {
        self.since.is_some()
    }

    /// Whether an index is kept for it. A query about another one reads every row that is left.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        self.indexed
    }
}

/// What a game says of one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    name: String,
    form: Form,
    indexed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Stored(Type),
    Since(String),
}

impl Declaration {
    /// An attribute whose values the rules give.
    #[must_use]
    pub fn stored(name: &str, kind: Type) -> Self {
        Self { name: name.into(), form: Form::Stored(kind), indexed: true }
    }

    /// The time that has passed since the moment in the attribute `of`.
    #[must_use]
    pub fn since(name: &str, of: &str) -> Self {
        Self { name: name.into(), form: Form::Since(of.into()), indexed: false }
    }

    /// Without an index: for what changes all the time and is seldom asked for.
    #[must_use]
    pub fn unindexed(mut self) -> Self {
        self.indexed = false;
        self
    }
}

/// Why a declaration is not taken. Reacts: the start, which ends with this sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeclareError {
    /// Empty, too long, or with other characters.
    #[error(
        "{0:?} is no name for an attribute: it begins with a letter and has at most \
         {NAME_LEN_MAX} letters, digits and _"
    )]
    Name(String),
    /// A word of the query language.
    #[error("an attribute can't be called {0}: queries use that word")]
    Reserved(String),
    /// Declared before, perhaps in another case.
    #[error("there is an attribute {0} already")]
    Taken(String),
    /// Counts from something that is no stored time.
    #[error("{name} counts from {of}, which is no stored time declared before it")]
    NoTime {
        /// What was declared.
        name: String,
        /// What it counts from.
        of: String,
    },
    /// More than [`DECLARED_MAX`].
    #[error("a game declares at most {DECLARED_MAX} attributes")]
    TooMany,
}

/// All attributes of a process: the built-in ones, then the declared ones in their order.
#[derive(Debug, Clone)]
pub struct Registry {
    attributes: Vec<Attribute>,
    /// By the name in lower case.
    by_name: BTreeMap<String, usize>,
}

impl Default for Registry {
    fn default() -> Self {
        let attributes: Vec<_> = BUILTIN.iter().map(|builtin| builtin.attribute()).collect();
        let lower = |(at, a): (usize, &Attribute)| (a.name.to_ascii_lowercase(), at);
        let by_name = attributes.iter().enumerate().map(lower).collect();
        Self { attributes, by_name }
    }
}

impl Registry {
    /// Adds an attribute of the game's.
    ///
    /// # Errors
    /// [`DeclareError`] when the name is not good or taken, or what it counts from is no time.
    pub fn declare(&mut self, new: Declaration) -> Result<Attribute, DeclareError> {
        let lower = check_name(&new.name)?;
        if let Some(taken) = self.find(&new.name) {
            return Err(DeclareError::Taken(taken.name.clone().into_owned()));
        }
        if self.attributes.len() >= BUILTIN.len() + DECLARED_MAX {
            return Err(DeclareError::TooMany);
        }
        let (kind, since) = match new.form {
            Form::Stored(kind) => (kind, None),
            Form::Since(of) => match self.find(&of).filter(|a| a.kind == Type::Time) {
                Some(base) => (Type::Duration, Some(base.id)),
                None => return Err(DeclareError::NoTime { name: new.name, of }),
            },
        };
        let at = self.attributes.len();
        let id = u16::try_from(at).map_err(|_| DeclareError::TooMany)?;
        let name = Cow::Owned(new.name);
        let attribute = Attribute { id, name, kind, since, indexed: new.indexed };
        self.by_name.insert(lower, at);
        self.attributes.push(attribute.clone());
        Ok(attribute)
    }

    /// The attribute of this name, in any case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Attribute> {
        self.attributes.get(*self.by_name.get(&name.to_ascii_lowercase())?)
    }

    /// The attribute with this number.
    #[must_use]
    pub fn at(&self, id: u16) -> Option<&Attribute> {
        self.attributes.get(usize::from(id))
    }

    /// All of them, by their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter()
    }

    /// The name that a mistyped one most resembles.
    pub(super) fn nearest(&self, name: &str) -> Option<&str> {
        let known: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        self.find(nearest(name, &known)?).map(Attribute::name)
    }
}

/// The name in lower case, if it may be an attribute's.
fn check_name(name: &str) -> Result<String, DeclareError> {
    let good = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= NAME_LEN_MAX
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !good {
        return Err(DeclareError::Name(name.chars().take(NAME_LEN_MAX).collect()));
    }
    if RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name)) {
        return Err(DeclareError::Reserved(name.into()));
    }
    Ok(name.to_ascii_lowercase())
}
