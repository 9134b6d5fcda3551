//! Ownership of an actor by many nodes over a store that may go back in time: the protocol as a
//! model, checked in every state within bounds before the code is trusted.
//!
//! [`world`] is the ownership protocol: nodes that claim, append, doubt, reassert, die and freeze;
//! a primary with delayed operations, lost answers, failover to any prefix of its history, forks
//! and restarts without data. What a holder makes of a tip is decided by the real doubt table,
//! [`holdfast::actor::doubt::judge`], not by a copy. [`tells`] are messages between two actors
//! whose stores may go back, [`replicated`] is when an append counts as replicated.
//!
//! Every guard can be taken away, and then the checker must find a violation: that is a test. So
//! is every `sometimes`: the interesting situations are reached.
//!
//! | hazard | guard | shown to matter by |
//! |---|---|---|
//! | I1: a fenced owner writes | the store refuses ids below its newest | `without_the_fence` |
//! | H1: one epoch given twice, in two histories | epochs from the clock | `without_unique_epochs` |
//! | H2: an old owner resurrects where its fence was rolled back | a new term in a new history, a quiet time, a confirmation, standing for the epoch continued | `without_a_new_term`, `without_the_quiet_time`, `without_the_confirmation`, `without_standing_for_what_it_continues` |
//! | H3: a tip behind memory taken for a fence | "older" is not "fenced" | `without_writing_over_what_is_behind` |
//! | H4: an append over an older tip | the history is checked before sending; a reassertion compares | `without_the_history_number`, `without_comparing_the_tip` |
//! | H5: a newcomer is faster than the holder | the grace | `without_the_grace` |
//! | H6: the sender of a tell goes back | the epoch in its id, memory written back, storing first | `without_epochs_in_tells`, `without_writing_back`, `without_storing_first` |
//! | H7: the receiver of a tell goes back, or repeats | watermark, predecessor, forgetting late | `without_watermarks`, `without_predecessors`, `without_the_wait_before_forgetting` |
//! | H8: WAIT succeeds at another primary | one history for the append and all of the beacon | `without_one_history_for_the_beacon`, `without_the_history_of_the_append` |
//! | H9: no memory has what the store lost | who releases lingers; a fenced holder lingers | `without_a_stable_release`, `without_lingering` |
//! | H10: the store is empty | the incarnation key | `without_the_incarnation` |
//! | a record sent again blindly | the tip decides | `without_reading_the_tip` |
//! | a fork of a greater epoch comes late | who was gone on with wins | `without_the_settled_line` |
//!
//! Checked: no append after a newer epoch, no gap, no record twice, no two records acknowledged
//! at one seq, no acknowledged record lost, nothing created anew. A loss is excused in two cases
//! only, which [`ghost`] defines: *widowed* (owner and primary gone together) and *forfeit* (a
//! holder that was not there when the quiet time or the grace had passed).
//!
//! What the model found wrong in the protocol as first written, and the correction:
//!
//! 1. *Reading the tip after the quiet time settles nothing.* A reasserts, is quiet, reads its own
//!    tip and answers a client from memory, which writes nothing. B, who continues a higher epoch,
//!    comes late, sees a reassertion that continues a lower one, and writes over it what A had
//!    acknowledged. So the quiet time ends with a second reassertion that continues the first: a
//!    compare-and-set, after which A stands higher than anyone who comes late.
//! 2. *A granted reassertion may not raise its holder.* A (epoch 1) reasserts as 3; B (epoch 2)
//!    replaces it with 4, which continues 2. Judged by 3, A finds that 2 is lower and writes over
//!    B. Until the confirmation A stands for the epoch that it continues (`Mine::stands_for`), in
//!    its judgement and in what its next reassertion names.
//! 3. *A fork of a greater epoch may come after the others went on.* On the old primary, which
//!    does not know that it was replaced, C takes over with an epoch above the one confirmed on
//!    the new primary; by the rule of the higher epoch C then writes over acknowledged records of
//!    a healthy majority. Now a tip that is older and known not to be on the holder's lineage
//!    fences it, unless it is a reassertion that awaits its confirmation.
//! 4. *A fenced holder that forgets at once takes the last copy with it.* A is fenced by B's claim
//!    and drops; before B has loaded, the primary fails back behind the claim: nobody died but the
//!    primary, and A's acknowledged tail is gone. So a fenced holder lingers, its record in doubt
//!    included, until what it acknowledged is replicated or old enough, and takes part as a holder
//!    if the history changes. So does one that releases the actor, which need not wait with that
//!    until it is replicated. Neither serves again: having written back, it lingers on.
//!
//! Not guarded: epochs are unique only as long as clocks of primaries are. If a promoted primary's
//! clock is so far back that epochs merely count up, two histories can give the same one. And of
//! two lines that both served clients one must lose: if a replaced primary grants a claim between
//! another's reassertion and its confirmation, and the confirmed holder is then released or dies,
//! the claimer writes over what that holder acknowledged (21 steps, with a fork and a release).
//! The level `stored` excludes a partitioned primary; with the holder alive it writes itself back.

mod ghost;
mod guards;
mod journal;
mod node;
mod replicated;
mod tells;
mod world;

use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use guards::{Bounds, Guards};
use replicated::Replicated;
use tells::Tells;
use world::Ownership;

/// What the checker and its reports ask of a model.
trait Checked:
    Model<State: Clone + PartialEq + Hash + Debug + Send + Sync, Action: Clone + PartialEq + Debug>
    + Send
    + Sync
    + 'static
{
}

impl Checked for Ownership {}
impl Checked for Tells {}
impl Checked for Replicated {}

/// Visits every state within bounds, up to the first violation.
fn check<M: Checked>(name: &str, model: M) -> impl Checker<M> {
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("{name}: {states} unique states, depth {depth}");
    checker
}

/// No violation anywhere within bounds, and everything that should be reachable is reached.
fn holds<M: Checked>(name: &str, model: M) {
    check(name, model).assert_properties();
}

/// A guard is missing, and the checker finds what it was there for.
fn breaks<M: Checked>(name: &str, model: M) {
    let checker = check(name, model);
    let is_bad = |name| checker.model().property(name).expectation == Expectation::Always;
    let mut found = checker.discoveries();
    found.retain(|name, _| is_bad(name));
    assert!(!found.is_empty(), "without this guard nothing goes wrong within the bounds");
    for (property, path) in found {
        let steps = path.into_actions();
        println!("  violated: {property}, after {} steps: {steps:?}", steps.len());
    }
}

fn owned(guards: Guards, bounds: Bounds) -> Ownership {
    Ownership { guards, bounds, nodes: 2 }
}

const ONE_HISTORY: Bounds = Bounds { timeouts: 2, releases: 1, ..Bounds::NONE };
const FREEZE: Bounds = Bounds { timeouts: 1, freezes: 1, ..Bounds::NONE };
const FAILOVER: Bounds = Bounds { timeouts: 1, failovers: 1, ..Bounds::NONE };
const FORK: Bounds = Bounds { epochs: 5, failovers: 1, forks: true, ..Bounds::NONE };
const TWICE: Bounds = Bounds { records: 2, epochs: 5, failovers: 2, ..Bounds::NONE };
const DEATH: Bounds = Bounds { records: 2, deaths: 1, failovers: 1, releases: 1, ..Bounds::NONE };
const WIPE: Bounds = Bounds { wipes: 1, ..Bounds::NONE };

#[test]
fn ownership_holds_in_one_history() {
    holds("one history", owned(Guards::ALL, ONE_HISTORY));
}

#[test]
fn ownership_holds_over_a_freeze() {
    holds("freeze", owned(Guards::ALL, FREEZE));
}

#[test]
fn ownership_holds_over_a_failover() {
    holds("failover", owned(Guards::ALL, FAILOVER));
}

#[test]
fn ownership_holds_over_a_fork() {
    holds("fork", owned(Guards::ALL, FORK));
}

#[test]
fn ownership_holds_over_two_failovers() {
    holds("two failovers", owned(Guards::ALL, TWICE));
}

#[test]
fn ownership_holds_when_owner_and_primary_go_together() {
    holds("death and failover", owned(Guards::ALL, DEATH));
}

#[test]
fn ownership_holds_over_a_wipe() {
    holds("wipe", owned(Guards::ALL, WIPE));
}

#[test]
fn ownership_holds_among_three_nodes() {
    let bounds = Bounds { records: 2, failovers: 1, ..Bounds::NONE };
    holds("three nodes", Ownership { guards: Guards::ALL, bounds, nodes: 3 });
}

/// Wider bounds, minutes each and gigabytes, for a change of the protocol:
/// `HOLDFAST_MODEL_DEEP=1`.
#[test]
fn ownership_holds_deeper() {
    if std::env::var("HOLDFAST_MODEL_DEEP").is_err() {
        println!("skipped: HOLDFAST_MODEL_DEEP is not set; the bounds above were checked");
        return;
    }
    let deep: [(&str, Bounds, u8); 3] = [
        ("fork and freeze", Bounds { epochs: 4, freezes: 1, ..FORK }, 2),
        ("two failovers", Bounds { records: 3, ..TWICE }, 2),
        ("death and failover", Bounds { records: 3, epochs: 5, ..DEATH }, 2),
    ];
    for (name, bounds, nodes) in deep {
        holds(name, Ownership { guards: Guards::ALL, bounds, nodes });
    }
    holds("more tells", Tells { guards: tells::Guards::ALL, tells: 3, faults: 1 });
}

/// One test a guard: taken away, a violation is found.
macro_rules! ownership_breaks {
    ($($name:ident: $guard:ident, $bounds:expr;)*) => {
        $(#[test]
        fn $name() {
            let guards = Guards { $guard: false, ..Guards::ALL };
            breaks(stringify!($name), owned(guards, $bounds));
        })*
    };
}

ownership_breaks! {
    without_the_fence: fence, ONE_HISTORY;
    without_reading_the_tip: tip_decides, ONE_HISTORY;
    without_the_history_number: history, FAILOVER;
    without_unique_epochs: unique_epochs, Bounds { records: 4, ..FORK };
    without_a_new_term: new_term, FAILOVER;
    without_writing_over_what_is_behind: behind, FAILOVER;
    without_the_grace: grace, FAILOVER;
    without_the_quiet_time: quiet, FAILOVER;
    without_the_confirmation: confirm, Bounds { epochs: 5, timeouts: 0, ..FAILOVER };
    without_standing_for_what_it_continues: stand, Bounds { epochs: 6, timeouts: 0, ..FAILOVER };
    without_comparing_the_tip: compare, Bounds { epochs: 5, timeouts: 0, ..FAILOVER };
    without_a_stable_release: release_stable, DEATH;
    without_lingering: linger, FAILOVER;
    without_the_settled_line: settled_wins, FORK;
    without_the_incarnation: incarnation, WIPE;
}

#[test]
fn tells_take_effect_once() {
    holds("tells", Tells { guards: tells::Guards::ALL, tells: 2, faults: 2 });
}

macro_rules! tells_break {
    ($($name:ident: $guard:ident;)*) => {
        $(#[test]
        fn $name() {
            let guards = tells::Guards { $guard: false, ..tells::Guards::ALL };
            breaks(stringify!($name), Tells { guards, tells: 2, faults: 1 });
        })*
    };
}

tells_break! {
    without_epochs_in_tells: epoch_in_id;
    without_watermarks: watermark;
    without_predecessors: predecessor;
    without_storing_first: stored_first;
    without_writing_back: reassert;
    without_the_wait_before_forgetting: forget_late;
}

#[test]
fn what_counts_as_replicated_survives() {
    holds("replicated", Replicated { same_throughout: true, same_as_append: true });
}

#[test]
fn without_one_history_for_the_beacon() {
    let model = Replicated { same_throughout: false, same_as_append: true };
    breaks("without_one_history_for_the_beacon", model);
}

#[test]
fn without_the_history_of_the_append() {
    let model = Replicated { same_throughout: true, same_as_append: false };
    breaks("without_the_history_of_the_append", model);
}
