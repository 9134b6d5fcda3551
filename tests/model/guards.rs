//! The guards of the ownership protocol, each of which a test takes away.

/// What protects the journal. Each is on in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guards {
    /// The store refuses an append of an older epoch.
    pub fence: bool,
    /// An append goes only to the history that its writer has verified.
    pub history: bool,
    /// Epochs are taken from a clock, so that two histories never give the same.
    pub unique_epochs: bool,
    /// In another history a holder takes a new term, although the tip is its own.
    pub new_term: bool,
    /// A tip that is older than memory is written over, not taken for a fence.
    pub behind: bool,
    /// After a change of history, newcomers wait.
    pub grace: bool,
    /// Nothing is visible between a reassertion and the end of the quiet time.
    pub quiet: bool,
    /// The quiet time ends with a second reassertion, not with a read of the tip.
    pub confirm: bool,
    /// Until then a holder stands for the epoch that it continues, not for the one it was given.
    pub stand: bool,
    /// A refused or lost append is judged by the tip, not by the refusal.
    pub tip_decides: bool,
    /// A reassertion compares the tip with the one observed.
    pub compare: bool,
    /// Who releases an actor keeps its memory until what it acknowledged is replicated.
    pub release_stable: bool,
    /// A fenced holder keeps its memory until what it acknowledged is replicated.
    pub linger: bool,
    /// A history that others have gone on in wins over a fork of a greater epoch.
    pub settled_wins: bool,
    /// A store without its incarnation key is halted.
    pub incarnation: bool,
}

impl Guards {
    pub const ALL: Self = Self {
        fence: true,
        history: true,
        unique_epochs: true,
        new_term: true,
        behind: true,
        grace: true,
        quiet: true,
        confirm: true,
        stand: true,
        tip_decides: true,
        compare: true,
        release_stable: true,
        linger: true,
        settled_wins: true,
        incarnation: true,
    };
}

/// How much may happen in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Records that are ever decided, the first included.
    pub records: u8,
    /// Epochs that are ever given, the first included.
    pub epochs: u8,
    /// Answers that are given up on; their operations may still run.
    pub timeouts: u8,
    /// Nodes that die and come back empty.
    pub deaths: u8,
    /// Nodes whose lease runs out and that thaw.
    pub freezes: u8,
    /// Changes to an older prefix of the history, or to the same.
    pub failovers: u8,
    /// At a change the old primary goes on serving whoever has not noticed.
    pub forks: bool,
    /// Restarts without data.
    pub wipes: u8,
    /// Releases of the actor.
    pub releases: u8,
}

impl Bounds {
    pub const NONE: Self = Self {
        records: 3,
        epochs: 4,
        timeouts: 0,
        deaths: 0,
        freezes: 0,
        failovers: 0,
        forks: false,
        wipes: 0,
        releases: 0,
    };
}
