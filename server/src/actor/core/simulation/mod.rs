//! A deterministic simulation of many cores over a faulty store: what proves I1 to I5 and I9.
//!
//! Virtual time, one seeded generator. Appends are lost, late, or applied and unanswered;
//! activations crash, freeze, or are taken over and don't know; the store goes back in time while a
//! holder lives, and must end with all that was acknowledged; letters are lost, doubled and reordered;
//! an actor comes to its end again and again, is erased, and is made anew; erasures are lost, late,
//! unanswered, or undone by the store; clients lose their sockets, resume, resend and repeat
//! themselves. After every step what left
//! a core is held against the journal; when the faults end, everything owed must come to rest.
//!
//! Each guard is then switched off, and the same checks must fail. A failing seed prints itself;
//! `HOLDFAST_SEED=n cargo test -p holdfast --lib thousands_of_seeds_hold -- --nocapture` replays
//! it with a trace.

mod check;
mod client;
mod edge;
mod nemesis;
mod profile;
mod rules;
mod store;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use self::profile::Off;
use self::world::World;
use super::Guard;

const SEEDS: u64 = 4_000;
/// Seeds in which a missing guard has to show.
const SEEDS_WITHOUT: u64 = 500;

fn run(seed: u64, off: Option<Off>, trace: bool) -> Result<u32, String> {
    let mut world = World::new(seed, off, trace);
    world.run().map(|()| world.steps)
}

#[test]
fn thousands_of_seeds_hold() {
    if let Ok(seed) = std::env::var("HOLDFAST_SEED") {
        run(seed.parse().unwrap(), None, true).unwrap();
        return;
    }
    let next = AtomicU64::new(0);
    let steps = AtomicU64::new(0);
    let failed = std::sync::Mutex::new(Vec::new());
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= SEEDS || failed.lock().unwrap().len() >= 5 {
            return;
        }
        match run(seed, None, false) {
            Ok(n) => {
                steps.fetch_add(u64::from(n), Ordering::Relaxed);
            }
            Err(why) => failed.lock().unwrap().push(format!("HOLDFAST_SEED={seed}: {why}")),
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    println!("{SEEDS} seeds, {} steps", steps.into_inner());
}

/// Looks for a seed that fails without the guard.
fn fails_without(off: Off) {
    let why =
        (0..SEEDS_WITHOUT).find_map(|seed| run(seed, Some(off), false).err().map(|e| (seed, e)));
    let (seed, why) = why.unwrap_or_else(|| panic!("{SEEDS_WITHOUT} seeds hold without {off:?}"));
    println!("without {off:?}, seed {seed}: {why}");
}

macro_rules! without {
    ($($test:ident: $off:expr;)*) => {
        $(
            #[test]
            fn $test() {
                fails_without($off);
            }
        )*
    };
}

without! {
    without_the_fence_it_fails: Off::Fence;
    without_lingering_it_fails: Off::Linger;
    without_voiding_late_answers_it_fails: Off::Core(Guard::VoidLateAnswers);
    without_waiting_for_the_append_it_fails: Off::Core(Guard::WaitForAppend);
    without_showing_before_answering_it_fails: Off::Core(Guard::ShowFirst);
    without_holding_in_doubt_it_fails: Off::Core(Guard::HoldInDoubt);
    without_holding_while_frozen_it_fails: Off::Core(Guard::HoldWhileFrozen);
    without_reasserting_on_a_new_history_it_fails: Off::Core(Guard::ReassertOnNewHistory);
    without_confirming_after_the_quiet_it_fails: Off::Core(Guard::ConfirmAfterQuiet);
    without_standing_for_what_it_continues_it_fails: Off::Core(Guard::StandForContinued);
    without_the_doubt_in_the_snapshot_it_fails: Off::Core(Guard::SnapshotHoldsDoubt);
    without_watermarks_it_fails: Off::Core(Guard::Watermark);
    without_kept_replies_it_fails: Off::Core(Guard::KeptReplies);
    without_a_true_busy_it_fails: Off::Core(Guard::BusyIsTrue);
    without_a_busy_that_stays_it_fails: Off::Core(Guard::BusyStays);
    without_waiting_while_pending_it_fails: Off::Core(Guard::WaitWhilePending);
    without_a_whole_attach_it_fails: Off::Core(Guard::WholeAttach);
    without_forgetting_only_the_settled_it_fails: Off::Core(Guard::ForgetSettled);
    without_order_of_the_undelivered_it_fails: Off::Core(Guard::UndeliveredInOrder);
    without_keys_it_fails: Off::Core(Guard::Keys);
    without_watermarks_of_tells_it_fails: Off::Core(Guard::TellWatermark);
    without_predecessors_of_tells_it_fails: Off::Core(Guard::TellPredecessor);
    without_believing_only_the_newest_attempt_it_fails: Off::Core(Guard::NewestAttempt);
    without_waiting_for_what_is_under_way_it_fails: Off::Core(Guard::NoneUnderWay);
    without_resends_it_fails: Off::Core(Guard::Resend);
    without_settling_before_the_end_it_fails: Off::Core(Guard::EraseWhenSettled);
    without_leaving_what_was_erased_it_fails: Off::Core(Guard::ErasedStays);
    without_restarting_activities_it_fails: Off::Core(Guard::RestartActivities);
}
