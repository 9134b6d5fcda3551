//! What an acknowledgement promises: the level that an operator asks for, plain.

use std::fmt;
use std::str::FromStr;

/// Most replicas that a level may name.
pub const REPLICAS_MAX: u8 = 16;

/// When a record counts as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The primary has answered.
    #[default]
    Stored,
    /// So many replicas have it as well.
    Replicated(u8),
    /// The primary has synced it to its disk.
    Fsynced,
}

impl FromStr for Durability {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "{text:?} is not a level of durability; say stored, replicated:K (K replicas, 1 to \
                 {REPLICAS_MAX}) or fsynced"
            )
        };
        match text.split_once(':') {
            None if text == "stored" => Ok(Self::Stored),
            None if text == "fsynced" => Ok(Self::Fsynced),
            Some(("replicated", k)) => match k.parse() {
                Ok(k @ 1..=REPLICAS_MAX) => Ok(Self::Replicated(k)),
                _ => Err(bad()),
            },
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored => f.write_str("stored"),
            Self::Replicated(k) => write!(f, "replicated:{k}"),
            Self::Fsynced => f.write_str("fsynced"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_reads_back_as_it_was_written() {
        for text in ["stored", "replicated:1", "replicated:16", "fsynced"] {
            assert_eq!(text.parse::<Durability>().unwrap().to_string(), text);
        }
        for text in ["", "replicated", "replicated:0", "replicated:17", "fsynced:1", "Stored"] {
            assert!(text.parse::<Durability>().unwrap_err().contains("replicated:K"), "{text}");
        }
    }
}
