//! The guards of the saga, each taken away once: the checker finds what it was there for.

use super::actors::{Command, Who};
use super::{Bounds, breaks};
use crate::game::trade::guard::Guard;

const A: Bounds = Bounds { victim: Some(Who::A), ..Bounds::PLAIN };
const B: Bounds = Bounds { victim: Some(Who::B), ..Bounds::PLAIN };
const T: Bounds = Bounds { victim: Some(Who::T), ..Bounds::PLAIN };

/// One test a guard: the bounds within which, and the property that then fails.
macro_rules! saga_breaks {
    ($($name:ident: $guard:ident, $bounds:expr, $property:expr;)*) => {
        $(#[test]
        fn $name() {
            breaks(stringify!($name), Guard::$guard, $bounds, $property);
        })*
    };
}

saga_breaks! {
    without_asking_before_the_end: AskBeforeEnd, T, "nobody keeps what was called off";
    without_asking_again: AskAgain, B, "it ends in time";
    without_heeding_who_has_settled: SettledDecides, T, "nobody keeps what was called off";
    without_the_terms_of_who_has_settled: SettledTerms, Bounds { a: &[Command::Offer, Command::Accept], b: &[Command::Counter], ..T }, "nothing alarms";
    without_rounds: AnswersOfThisRound, Bounds { b: &[Command::Accept], ..T }, "nobody keeps what was called off";
    without_both_reserved: BothReserved, Bounds { spends: true, ..A }, "nothing alarms";
    without_closing_late: CloseLate, B, "in the end both have what they agreed on, or what they had";
    without_holding_it: HoldIt, Bounds { gold: 25, ..Bounds::PLAIN }, "goods change at most once";
    without_settling_once: SettleOnce, T, "goods change at most once";
    without_paying_from_what_is_held: PayWithoutEscrow, A, "nothing alarms";
    without_release: Release, Bounds { a: &[Command::Offer], b: &[], ..Bounds::PLAIN }, "it ends in time";
    without_asking_about_what_is_overdue: AskOverdue, T, "it ends in time";
    without_the_last_word: LastWord, B, "in the end both have what they agreed on, or what they had";
    without_saying_what_was_settled: SaySettled, T, "it ends in time";
}
