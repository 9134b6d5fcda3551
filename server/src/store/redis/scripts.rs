//! The scripts, each one atomic step that a plain command can't do. Their files say what they
//! take and answer; what several do is in `prelude.lua`.

use std::sync::LazyLock;

use super::link::Script;

/// What they share.
const PRELUDE: &str = include_str!("scripts/prelude.lua");
/// What those share that write rows of the attribute index.
const ROWS: &str = concat!(include_str!("scripts/prelude.lua"), include_str!("scripts/rows.lua"));

macro_rules! script {
    ($(#[$doc:meta])* $name:ident, $file:literal) => {
        script!($(#[$doc])* $name, $file, PRELUDE);
    };
    ($(#[$doc:meta])* $name:ident, $file:literal, $shared:ident) => {
        $(#[$doc])*
        pub static $name: LazyLock<Script> =
            LazyLock::new(|| Script::with($shared, include_str!(concat!("scripts/", $file))));
    };
}

script!(
    /// Claims an actor.
    CLAIM,
    "claim.lua"
);
script!(
    /// Removes rows of the attribute index.
    DROP_ROWS,
    "drop_rows.lua",
    ROWS
);
script!(
    /// Removes all that is kept of an actor.
    ERASE,
    "erase.lua"
);
script!(
    /// Finds rows of the attribute index.
    FIND_ROWS,
    "find_rows.lua"
);
script!(
    /// Starts the grace of a partition after a change of history.
    GRACE,
    "grace.lua"
);
script!(
    /// Reads a part of the attribute index.
    LOOK_ROWS,
    "look_rows.lua"
);
script!(
    /// Puts a part of the attribute index right.
    MEND_ROWS,
    "mend_rows.lua"
);
script!(
    /// Appends session metrics.
    METRICS,
    "metrics.lua"
);
script!(
    /// Writes rows of the attribute index.
    PUT_ROWS,
    "put_rows.lua",
    ROWS
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
