//! `holdfast doctor`: examines the Redis of the settings and prints the report.

use std::io::{self, Write};

use super::CliError;
use crate::clock::Clock;
use crate::config::{ConfigError, Doctor, redis_address};
use crate::doctor::{self, Level, Order};

/// Examines the Redis of the settings and writes the report to `out`; with JSON there, what was
/// changed goes to `notes`. Returns whether the report is without errors.
pub(super) async fn doctor(
    asked: &Doctor,
    clock: &Clock,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<bool, CliError> {
    let settings = &asked.resolved.settings;
    let Some(address) = redis_address(settings)? else {
        return Err(CliError::Config(ConfigError::Value {
            place: "--store".into(),
            why: format!(
                "{} is no Redis: each record is synced to this machine's disk, there is nothing \
                 to examine",
                settings.store
            ),
        }));
    };
    let order = Order { address, durability: settings.durability, samples: doctor::SAMPLES };
    let mut report = doctor::examine(&order, clock).await?;
    if asked.fix {
        for line in doctor::fix(&order, &report).await? {
            if asked.json {
                writeln!(notes, "{line}")?;
            } else {
                writeln!(out, "{line}")?;
            }
        }
        report = doctor::examine(&order, clock).await?;
    }
    if asked.json {
        let text = serde_json::to_string_pretty(&report).map_err(io::Error::from)?;
        writeln!(out, "{text}")?;
    } else {
        write!(out, "{}", report.text())?;
    }
    Ok(report.worst() < Level::Error)
}
