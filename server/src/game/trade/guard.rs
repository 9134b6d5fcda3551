//! The guards of the saga by name, so that the model can show that each is needed.

/// The guards of trades, each of which the model switches off once.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// A trade asks both sides before it ends.
    AskBeforeEnd,
    /// Silent sides are asked again.
    AskAgain,
    /// Whoever has settled decides.
    SettledDecides,
    /// It decides also by which terms.
    SettledTerms,
    /// An answer counts in its round only.
    AnswersOfThisRound,
    /// Both sides have reserved what they promised.
    BothReserved,
    /// An ended trade is there for a while.
    CloseLate,
    /// A side reserves only what it holds.
    HoldIt,
    /// A side settles once.
    SettleOnce,
    /// A side without an escrow pays from what it holds.
    PayWithoutEscrow,
    /// What was reserved comes back when a trade is called off.
    Release,
    /// A side asks about what is overdue.
    AskOverdue,
    /// A last word settles what a store has taken back.
    LastWord,
    /// A side that has settled says so to whoever speaks of the trade.
    SaySettled,
}

/// Whether a guard is in force: always, outside of the model.
macro_rules! guard {
    ($ctx:expr, $name:ident) => {{
        #[cfg(test)]
        let on = $ctx.settings.off != Some(crate::game::trade::guard::Guard::$name);
        #[cfg(not(test))]
        let on = true;
        on
    }};
}
pub(in crate::game) use guard;
