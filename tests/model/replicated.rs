//! A third, tiny model: when an append counts as replicated (H8).
//!
//! Appends are answered on one connection; on another a beacon reads the replication id, writes,
//! waits for every replica (WAIT), and reads the id again. A promotion may come between any two
//! of these steps, and then the beacon waits for replicas of a primary that never had the append.

use stateright::{Model, Property};

/// The model: its two guards.
#[derive(Clone, Copy, Debug)]
pub struct Replicated {
    /// The replication id is the same before and after the wait.
    pub same_throughout: bool,
    /// It is the one of the history that answered the append.
    pub same_as_append: bool,
}

/// Everything there is: one append, one primary, its replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fleet {
    history: u8,
    primary_has: bool,
    replica_has: bool,
    answered_in: Option<u8>,
    before: Option<u8>,
    waited: bool,
    acknowledged: bool,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Append,
    Replicate,
    Promote,
    BeaconBegins,
    BeaconWaits,
    BeaconEnds,
}

impl Model for Replicated {
    type State = Fleet;
    type Action = Step;

    fn init_states(&self) -> Vec<Fleet> {
        vec![Fleet { history: 1, ..Fleet::default() }]
    }

    fn actions(&self, fleet: &Fleet, steps: &mut Vec<Step>) {
        steps.extend([Step::Replicate, Step::BeaconBegins]);
        if fleet.answered_in.is_none() {
            steps.push(Step::Append);
        }
        if fleet.history < 4 {
            steps.push(Step::Promote);
        }
        let all_have_all = fleet.replica_has == fleet.primary_has;
        if fleet.before.is_some() && !fleet.waited && all_have_all {
            steps.push(Step::BeaconWaits);
        }
        if fleet.waited {
            steps.push(Step::BeaconEnds);
        }
    }

    fn next_state(&self, fleet: &Fleet, step: Step) -> Option<Fleet> {
        let mut next = fleet.clone();
        match step {
            Step::Append => (next.primary_has, next.answered_in) = (true, Some(fleet.history)),
            Step::Replicate => next.replica_has = fleet.primary_has,
            Step::Promote => {
                next.history += 1;
                next.primary_has = fleet.replica_has;
            }
            // It covers what was answered before it began, so there is nothing to do earlier.
            Step::BeaconBegins if fleet.answered_in.is_some() => {
                (next.before, next.waited) = (Some(fleet.history), false);
            }
            Step::BeaconBegins => return None,
            Step::BeaconWaits => next.waited = true,
            Step::BeaconEnds => {
                let throughout = fleet.before == Some(fleet.history) || !self.same_throughout;
                let of_append = fleet.before == fleet.answered_in || !self.same_as_append;
                next.acknowledged |= throughout && of_append;
                (next.before, next.waited) = (None, false);
            }
        }
        (next != *fleet).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("what counts as replicated survives", |_, fleet: &Fleet| {
                !fleet.acknowledged || (fleet.primary_has && fleet.replica_has)
            }),
            Property::sometimes("an append counts as replicated", |_, fleet: &Fleet| {
                fleet.acknowledged
            }),
        ]
    }
}
