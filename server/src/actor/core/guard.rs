//! The guards of the core by name, so that simulations can show that each is needed.

/// The guards of the core, each of which a simulation switches off once.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    WaitForAppend,
    ShowFirst,
    HoldInDoubt,
    HoldWhileFrozen,
    VoidLateAnswers,
    ReassertOnNewHistory,
    ConfirmAfterQuiet,
    StandForContinued,
    SnapshotHoldsDoubt,
    Watermark,
    KeptReplies,
    BusyIsTrue,
    BusyStays,
    WaitWhilePending,
    WholeAttach,
    Keys,
    TellWatermark,
    TellPredecessor,
    ForgetSettled,
    UndeliveredInOrder,
    NewestAttempt,
    NoneUnderWay,
    Resend,
    RestartActivities,
    EraseWhenSettled,
    ErasedStays,
}

/// Whether a guard is in force: always, outside of simulations.
macro_rules! guard {
    ($core:expr, $name:ident) => {{
        #[cfg(test)]
        let on = $core.off != Some(crate::actor::core::Guard::$name);
        #[cfg(not(test))]
        let on = true;
        on
    }};
}
pub(super) use guard;
