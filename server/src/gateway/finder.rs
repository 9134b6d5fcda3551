//! Finding sessions by what they are found by: questions as text, answers as JSON. The players'
//! port and the operators' listener ask alike.
//!
//! The rows come from whoever implements [`SessionIndex`]; here queries are read, and rows shaped
//! for people and programs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use holdfast_protocol::ids::{PlayerId, RoomId};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::{IntoParams, ToSchema};

use crate::search::page::CursorError;
use crate::search::value::Seen;
use crate::search::{
    Attribute, Builtin, Counts, Cursor, Mistake, Query, Registry, Row, Value, parse,
};

/// Sessions of a page, unless the caller says how many.
pub const LIST_LEN: usize = 100;
/// Sessions of a page at most.
pub const LIST_LEN_MAX: usize = crate::search::page::PAGE_LEN_MAX;

/// A page of rows, and where the next one begins.
pub type Rows = (Vec<Row>, Option<Cursor>);

/// Answers queries from the index. The error is a sentence for people.
pub trait SessionIndex: Send + Sync + fmt::Debug + 'static {
    /// Which attributes there are.
    fn registry(&self) -> Arc<Registry>;
    /// Unix milliseconds.
    fn now_ms(&self) -> u64;
    /// Some of the sessions that a query finds, in its order.
    fn page(
        &self,
        query: Arc<Query>,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Rows, String>>;
    /// How many sessions a query finds.
    fn count(&self, query: Arc<Query>, by: Counts) -> BoxFuture<'_, Result<Counts, String>>;
}

/// Why a question was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// The query has a mistake.
    #[error("{0}")]
    Mistake(Box<Mistake>),
    /// The cursor is no cursor of this query.
    #[error("{0}")]
    Cursor(#[from] CursorError),
    /// A parameter is out of its bounds.
    #[error("{0}")]
    Parameter(String),
    /// The index can't be read now.
    #[error("the sessions can't be searched now: {0}; try again")]
    Store(String),
}

impl From<Mistake> for FindError {
    fn from(mistake: Mistake) -> Self {
        Self::Mistake(Box::new(mistake))
    }
}

/// What is asked of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Which sessions, such as `CurrentRoom = "dungeon-7"`; all of them unless said otherwise.
    #[param(required = false, example = "PlayerLevel >= 1 ORDER BY Score DESC")]
    #[serde(default)]
    pub query: String,
    /// How many; 100 unless said otherwise.
    #[param(required = false, minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `next` of the page before.
    #[param(required = false, value_type = String)]
    pub after: Option<String>,
}

/// What is asked of the counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CountParams {
    /// Which sessions; all of them unless said otherwise.
    #[param(required = false, example = "PlayerStatus != \"offline\"")]
    #[serde(default)]
    pub query: String,
    /// The attribute whose values are counted apart; `PlayerStatus` unless said otherwise.
    #[param(required = false, value_type = String, example = "CurrentRoom")]
    pub by: Option<String>,
}

/// A session as a list shows it; what is missing is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionRow {
    /// Who plays.
    pub player_id: PlayerId,
    /// As others see the player.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Such as `in_room`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The room's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// By experience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<i64>,
    /// On the leaderboard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<i64>,
    /// In the purse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gold: Option<i64>,
    /// When the session began, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ms: Option<i64>,
    /// When the last command came, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_command_ms: Option<i64>,
    /// Time since the session began, as of this answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_duration_ms: Option<i64>,
    /// Time since the last command, as of this answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<i64>,
    /// The node that holds the player.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Commands that did something, ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_actions: Option<i64>,
    /// What the game declares, by name.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    pub attributes: BTreeMap<String, Json>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlayersPage {
    /// In the query's order.
    pub players: Vec<SessionRow>,
    /// Where the next page begins, as `after`; null on the last one.
    pub next: Option<String>,
}

/// How many sessions have a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CountGroup {
    /// The value; null: they have none.
    #[schema(value_type = serde_json::Value)]
    pub value: Json,
    /// Sessions that have it.
    pub count: u64,
}

/// Counts by a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CountPage {
    /// The attribute.
    pub by: String,
    /// Sessions in all.
    pub total: u64,
    /// The most frequent first.
    pub groups: Vec<CountGroup>,
    /// Sessions whose value was one of too many to be counted apart.
    pub other: u64,
}

/// The sessions that a query finds.
///
/// # Errors
/// [`FindError`].
pub async fn list(index: &dyn SessionIndex, asked: &ListParams) -> Result<PlayersPage, FindError> {
    let registry = index.registry();
    let limit = asked.limit.unwrap_or(LIST_LEN);
    if !(1..=LIST_LEN_MAX).contains(&limit) {
        let why = format!("limit must be an integer from 1 to {LIST_LEN_MAX}");
        return Err(FindError::Parameter(why));
    }
    let query = Arc::new(parse(&registry, &asked.query)?);
    let after = asked.after.as_deref().map(|text| Cursor::parse(text, &query)).transpose()?;
    let now_ms = index.now_ms();
    let (rows, next) = index.page(query, after, limit).await.map_err(FindError::Store)?;
    let players = rows.iter().map(|row| shape(&registry, row, now_ms)).collect();
    Ok(PlayersPage { players, next: next.map(|next| next.to_text()) })
}

/// How many sessions a query finds, by the value of an attribute.
///
/// # Errors
/// [`FindError`].
pub async fn count(index: &dyn SessionIndex, asked: &CountParams) -> Result<CountPage, FindError> {
    let registry = index.registry();
    let status = Builtin::PlayerStatus.attribute();
    let by = Counts::by(&registry, asked.by.as_deref().unwrap_or(status.name()))?;
    let query = Arc::new(parse(&registry, &asked.query)?);
    let counts = index.count(query, by).await.map_err(FindError::Store)?;
    let group = |(value, count): (Option<&Value>, u64)| CountGroup {
        value: value.map_or(Json::Null, |value| json(value.seen())),
        count,
    };
    Ok(CountPage {
        by: counts.attribute().name().to_owned(),
        total: counts.total(),
        groups: counts.groups().into_iter().map(group).collect(),
        other: counts.other(),
    })
}

/// The rooms that somebody is in, and how many.
///
/// # Errors
/// [`FindError`].
pub async fn occupied_rooms(index: &dyn SessionIndex) -> Result<Vec<(RoomId, u64)>, FindError> {
    let registry = index.registry();
    let by = Counts::by(&registry, Builtin::CurrentRoom.attribute().name())?;
    let query = Arc::new(parse(&registry, "CurrentRoom IS NOT NULL")?);
    let counts = index.count(query, by).await.map_err(FindError::Store)?;
    let room = |(value, count): (Option<&Value>, u64)| match value {
        Some(Value::Text(id)) => Some((RoomId::new(id).ok()?, count)),
        _ => None,
    };
    Ok(counts.groups().into_iter().filter_map(room).collect())
}

fn json(seen: Seen<'_>) -> Json {
    match seen {
        Seen::Text(text) => text.into(),
        Seen::Integer(number) => number.into(),
        Seen::Bool(flag) => flag.into(),
    }
}

/// A row as a list shows it.
fn shape(registry: &Registry, row: &Row, now_ms: u64) -> SessionRow {
    let seen = |builtin: Builtin| row.value(&builtin.attribute(), now_ms);
    let text = |builtin| match seen(builtin) {
        Some(Seen::Text(text)) => Some(text.to_owned()),
        _ => None,
    };
    let number = |builtin| match seen(builtin) {
        Some(Seen::Integer(number)) => Some(number),
        _ => None,
    };
    let own = registry.iter().filter(|attribute| attribute.is_declared());
    let own = own.filter_map(|attribute: &Attribute| {
        Some((attribute.name().to_owned(), json(row.value(attribute, now_ms)?)))
    });
    SessionRow {
        player_id: row.player().clone(),
        display_name: text(Builtin::DisplayName),
        status: text(Builtin::PlayerStatus),
        room: text(Builtin::CurrentRoom),
        level: number(Builtin::PlayerLevel),
        score: number(Builtin::Score),
        gold: number(Builtin::Gold),
        start_ms: number(Builtin::StartTime),
        last_command_ms: number(Builtin::LastCommandTime),
        session_duration_ms: number(Builtin::SessionDuration),
        idle_ms: number(Builtin::IdleTime),
        node: text(Builtin::Node),
        total_actions: number(Builtin::TotalActions),
        attributes: own.collect(),
    }
}
