//! What players, parties and rooms tell each other about parties. As durable as the other tells.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::actor::contract::Token;

/// A party, as its members and those it invites know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// The key of its actor.
    pub id: Arc<str>,
    /// Rises with whatever is told of it: what has a lower one is older.
    #[serde(rename = "r")]
    pub revision: u64,
    /// For people.
    pub name: Arc<str>,
    /// It goes on when its leader leaves.
    #[serde(rename = "on", default)]
    pub passes_on: bool,
    /// Everyone, longest first. The first leads.
    pub members: Vec<Arc<str>>,
}

/// What happened to a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It began.
    #[serde(rename = "new")]
    Created,
    /// Somebody was invited.
    #[serde(rename = "inv")]
    Invited,
    /// Somebody has joined.
    #[serde(rename = "in")]
    Joined,
    /// Somebody has left.
    #[serde(rename = "out")]
    Left,
    /// Somebody was sent away.
    #[serde(rename = "kick")]
    Kicked,
    /// Somebody leads now.
    #[serde(rename = "led")]
    Led,
    /// It has ended.
    #[serde(rename = "end")]
    Ended,
    /// All are on their way into a room.
    #[serde(rename = "go")]
    Entered,
}

/// A change, and whose doing it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// What happened.
    #[serde(rename = "w")]
    pub what: Change,
    /// Who did it, or whom it befell.
    pub by: Arc<str>,
}

/// Why a member does not come along into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// Offline.
    #[serde(rename = "off")]
    Offline,
    /// Defeated.
    #[serde(rename = "down")]
    Defeated,
    /// On the way elsewhere.
    #[serde(rename = "busy")]
    Elsewhere,
    /// In this party no more.
    #[serde(rename = "left")]
    Left,
}

/// To a party, from a player or a room. A token is the player's own: exactly one
/// [`FromParty::Info`], [`FromParty::Heard`] or [`FromParty::Refused`] answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToParty {
    /// Begins the party. The only tell that creates one.
    #[serde(rename = "new")]
    Create {
        /// Whose command waits.
        token: Token,
        /// For people.
        name: Arc<str>,
        /// It goes on when its leader leaves.
        passes_on: bool,
    },
    /// Invites somebody.
    #[serde(rename = "inv")]
    Invite {
        /// Whose command waits.
        token: Token,
        /// Whom.
        player: Arc<str>,
    },
    /// The invitation has reached its player; or there is no such player.
    #[serde(rename = "seen")]
    Seen {
        /// As in [`FromParty::Invited`].
        by: Arc<str>,
        /// As in [`FromParty::Invited`].
        token: Token,
        /// There is such a player.
        exists: bool,
    },
    /// Takes an invitation up.
    #[serde(rename = "acc")]
    Accept {
        /// Whose command waits.
        token: Token,
    },
    /// The player keeps that invitation no longer.
    #[serde(rename = "dec")]
    Decline {
        /// The invitation's revision. A newer one stays.
        revision: u64,
    },
    /// The player is no member, whatever the party thinks.
    #[serde(rename = "leave")]
    Leave {},
    /// Sends a member away, or takes an invitation back.
    #[serde(rename = "kick")]
    Kick {
        /// Whose command waits.
        token: Token,
        /// Whom.
        player: Arc<str>,
    },
    /// Speaks to all.
    #[serde(rename = "say")]
    Say {
        /// Whose command waits.
        token: Token,
        /// What is said.
        text: String,
    },
    /// Leads all into a room.
    #[serde(rename = "enter")]
    Enter {
        /// Whose command waits.
        token: Token,
        /// Which room.
        room: Arc<str>,
    },
    /// The member comes along.
    #[serde(rename = "ready")]
    Ready {
        /// Which entry.
        entry: u64,
        /// The number of the member's join, or of its place if it is there already.
        n: u64,
        /// Its display name.
        name: Arc<str>,
    },
    /// The member does not, or no longer.
    #[serde(rename = "unready")]
    Unready {
        /// Which entry.
        entry: u64,
        /// Why.
        why: Why,
    },
    /// Asks whether what the player knows of the party is still so.
    #[serde(rename = "ask")]
    Ask {
        /// What it knows; 0 is nothing.
        revision: u64,
    },
    /// The room has given places to all.
    #[serde(rename = "placed")]
    Placed {
        /// Which entry.
        entry: u64,
    },
    /// The room has not: it has too few.
    #[serde(rename = "full")]
    Full {
        /// Which entry.
        entry: u64,
        /// Free places.
        free: u32,
    },
}

/// To a player, from a party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromParty {
    /// How the party is now. For members.
    #[serde(rename = "info")]
    Info {
        /// The party.
        info: Info,
        /// What happened to it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        news: Vec<News>,
        /// The command that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Token>,
    },
    /// The command under that token is refused.
    #[serde(rename = "no")]
    Refused {
        /// Whose command waits.
        token: Token,
        /// The protocol's error code.
        code: String,
        /// One sentence for people.
        message: String,
        /// The player is no member.
        #[serde(default)]
        out: bool,
    },
    /// An invitation; answered by [`ToParty::Seen`].
    #[serde(rename = "inv")]
    Invited {
        /// The party.
        info: Info,
        /// Who invites.
        by: Arc<str>,
        /// The token of whose command waits.
        token: Token,
    },
    /// The invitation is no longer good.
    #[serde(rename = "wd")]
    Withdrawn {
        /// Who took it back; none where the party has ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// The player is no member any more.
    #[serde(rename = "out")]
    Out(News),
    /// A member said something.
    #[serde(rename = "say")]
    Heard {
        /// Who.
        from: Arc<str>,
        /// What.
        text: String,
        /// The command that it answers, for who said it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Token>,
    },
    /// The party is about to enter a room; answered by [`ToParty::Ready`] or
    /// [`ToParty::Unready`].
    #[serde(rename = "come")]
    Come {
        /// Which entry.
        entry: u64,
        /// Which room.
        room: Arc<str>,
    },
    /// It is not: a place that was asked for is given back.
    #[serde(rename = "off")]
    CalledOff {
        /// Which entry.
        entry: u64,
    },
}

/// A member that waits for a place, as [`super::ToRoom::JoinAll`] names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// Who.
    pub player: Arc<str>,
    /// The number of the member's join, or of its place if it is there already.
    pub n: u64,
    /// The display name.
    pub name: Arc<str>,
}
