//! The scripts, each one atomic step that a plain command can't do. Their files say what they
//! take and answer; what several do is in `prelude.lua`.

use std::sync::LazyLock;

use super::link::Script;

/// What they share.
const PRELUDE: &str = include_str!("scripts/prelude.lua");

macro_rules! script {
    ($(#[$doc:meta])* $name:ident, $file:literal) => {
        $(#[$doc])*
        pub static $name: LazyLock<Script> =
            LazyLock::new(|| Script::with(PRELUDE, include_str!(concat!("scripts/", $file))));
    };
}

script!(
    /// Claims an actor.
    CLAIM,
    "claim.lua"
);
script!(
    /// Starts the grace of a partition after a change of history.
    GRACE,
    "grace.lua"
);
script!(
    /// Appends session metrics.
    METRICS,
    "metrics.lua"
);
script!(
    /// Writes memory back.
    REASSERT,
    "reassert.lua"
);
script!(
    /// Gives an actor up.
    RELEASE,
    "release.lua"
);
script!(
    /// Puts a score on the leaderboard.
    SCORE,
    "score.lua"
);
script!(
    /// Reads or makes a secret.
    SECRET,
    "secret.lua"
);
script!(
    /// Keeps a snapshot and trims the journal.
    SNAPSHOT,
    "snapshot.lua"
);
