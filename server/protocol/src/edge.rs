//! What the gateway tells the rules about a caller. Not on the wire: it travels inside a node,
//! as MessagePack, and is never journaled.

use serde::{Deserialize, Serialize};

/// A hello, after the gateway has looked at its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The display name asked for; `None` keeps the one there is.
    pub name: Option<String>,
    /// Why the caller may be this player.
    pub proof: Proof,
}

/// Why a caller may be the player that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A valid token of this player.
    Token,
    /// None, and none is asked for: names are not protected (`--guests open`).
    Open,
    /// None: the name is the caller's if no one has claimed it yet (`--guests claim`).
    Claim,
}

/// The payload of every command and query from the edge to the rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// A verb that a player or service speaks.
    #[serde(rename = "v")]
    Verb(crate::client::Verb),
    /// Makes sure that the player exists; opens no session (`POST /v1/sessions`).
    #[serde(rename = "a")]
    Admit(Opening),
    /// Receive a notification; only services ask for it.
    #[serde(rename = "n")]
    Notify {
        /// The sentence.
        text: String,
        /// Who caused it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// The player stands near a coin and would pick it up; the player's own gateway says so.
    #[serde(rename = "c")]
    Reach {
        /// The coin's number.
        coin: u64,
    },
    /// How much the player does; a query.
    #[serde(rename = "m")]
    Metrics {},
}
