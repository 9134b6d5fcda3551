//! A scenario's file, as it stands. Pure.

use std::time::Duration;

use serde::Deserialize;

use super::action::Action;
use super::{
    Blow, Bots, IN_FLIGHT_MAX, INPUT_HZ_MAX, Kind, ScenarioError, Store, time, value, within,
};
use crate::span;

/// What happens again and again does so no more often.
const EVERY_MIN: Duration = Duration::from_millis(100);

/// All of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub version: u32,
    pub name: String,
    #[serde(default)]
    pub about: String,
    pub players: u32,
    #[serde(default = "room_of")]
    pub room_of: u32,
    pub ramp: String,
    pub hold: String,
    #[serde(default)]
    pub echo: Option<String>,
    #[serde(default = "one")]
    pub gateways: u32,
    #[serde(default = "embedded")]
    pub store: Store,
    #[serde(default)]
    pub replicated: bool,
    #[serde(default)]
    pub proxied: bool,
    #[serde(default)]
    pub packed: bool,
    #[serde(default = "yes")]
    pub late_is_void: bool,
    #[serde(default)]
    pub server: Vec<String>,
    pub bots: Vec<FileBots>,
    #[serde(default)]
    pub chaos: Vec<FileBlow>,
    #[serde(default)]
    pub thresholds: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileBots {
    kind: Kind,
    #[serde(default = "one")]
    share: u32,
    input_hz: Option<u32>,
    think: Option<String>,
    #[serde(default = "one")]
    in_flight: u32,
    #[serde(default)]
    commands: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileBlow {
    at: String,
    #[serde(default)]
    every: Option<String>,
    #[serde(default)]
    until: Option<String>,
    #[serde(rename = "do")]
    action: String,
}

const fn room_of() -> u32 {
    20
}

const fn yes() -> bool {
    true
}

const fn one() -> u32 {
    1
}

const fn embedded() -> Store {
    Store::Embedded
}

impl FileBlow {
    /// Once, or again and again until its end.
    pub(super) fn read(&self, hold: Duration) -> Result<Vec<Blow>, ScenarioError> {
        let mut at = time("chaos.at", &self.at)?;
        let action: Action = self.action.parse().map_err(|why: String| value("chaos.do", why))?;
        let Some(every) = &self.every else { return Ok(vec![Blow { at, action }]) };
        let every = time("chaos.every", every)?;
        let until = self.until.as_ref().map_or(Ok(hold), |until| time("chaos.until", until))?;
        if every < EVERY_MIN {
            let least = span::show(EVERY_MIN);
            return Err(value("chaos.every", format!("it is shorter than {least}")));
        }
        let mut blows = Vec::new();
        while at <= until {
            blows.push(Blow { at, action: action.clone() });
            at += every;
        }
        Ok(blows)
    }
}

impl FileBots {
    pub(super) fn read(&self) -> Result<Bots, ScenarioError> {
        let think = self.think.as_deref().map_or(Ok(self.kind.think()), |t| time("bots.think", t));
        let hz = self.input_hz.unwrap_or(self.kind.input_hz());
        Ok(Bots {
            kind: self.kind,
            share: self.share,
            input_hz: within("bots.input_hz", hz, 0, INPUT_HZ_MAX)?,
            think: think?,
            in_flight: within("bots.in_flight", self.in_flight, 1, IN_FLIGHT_MAX)?,
            commands: self.commands,
        })
    }
}
