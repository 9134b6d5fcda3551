//! Timers, activities, and riders: what may wait for another record to ride in.

use bytes::Bytes;

use super::draft::Draft;
#[cfg(test)]
use super::guard;
use super::{Core, Output, Rider, RunOut};
use crate::actor::activity::Failure;
use crate::actor::contract::Message;
use crate::actor::record::{ActivityId, Fact};

/// Timers that fire in one record.
const TIMERS_MAX: usize = 64;
/// The key under which a failed attempt's text reaches the rules.
type Ended = Result<Bytes, String>;

impl Core {
    /// Fires what is due. A timer is gone before the rules hear of it, so that they may set it
    /// again.
    pub(super) fn fire_timers(&mut self, draft: &mut Draft) {
        for _ in 0..TIMERS_MAX {
            let due = self.durable.ledger.timers.iter().find(|(_, at)| **at <= draft.now_ms);
            let Some(name) = due.map(|(name, _)| name.clone()) else { return };
            self.write(draft, Fact::TimerGone { name: name.clone() });
            self.react(draft, &Message::Timer { name: &name }, 0);
            if self.stopped() {
                return;
            }
        }
    }

    /// Runs the activities of the acknowledged state that are not running. I5.
    pub(super) fn run_activities(&mut self, now_ms: u64) {
        let ledger = &self.durable.ledger;
        let idle = ledger.activities.iter().filter(|(id, _)| !self.running.contains(id));
        #[cfg(test)]
        let idle =
            idle.filter(|(id, _)| guard!(self, RestartActivities) || **id > self.activities_found);
        let ready: Vec<_> = idle.filter(|(_, a)| a.not_before_ms <= now_ms).collect();
        for (id, activity) in ready {
            self.running.insert(*id);
            self.out.push_back(Output::Run(RunOut {
                activity: *id,
                name: activity.name.to_string(),
                input: activity.input.clone(),
                attempt: activity.failed + 1,
                heartbeat: activity.heartbeat.clone(),
                options: activity.options.clone(),
            }));
        }
    }

    /// An attempt has ended: its result, another attempt, or its failure for good.
    pub(super) fn activity_ended(
        &mut self,
        now_ms: u64,
        id: ActivityId,
        result: Result<Bytes, Failure>,
    ) {
        if !self.running.contains(&id) {
            return;
        }
        let Some(activity) = self.durable.ledger.activities.get(&id) else { return };
        let last = activity.failed + 1 >= activity.options.attempts_max;
        match result {
            Err(failure) if failure.retry && !last => {
                let options = &activity.options;
                let wait = options.first_retry_ms << activity.failed.min(16);
                let retry_at_ms = now_ms + wait.min(options.retry_ms_max);
                self.ride(now_ms, Rider::ActivityTried(id, retry_at_ms), 0);
            }
            result => {
                let ended: Ended = result.map_err(|failure| failure.message);
                self.ride(now_ms, Rider::ActivityEnded(id, ended), self.limits.ride_ms);
            }
        }
    }

    /// Keeps the newest heartbeat of an activity, at most one record every few seconds.
    pub(super) fn heartbeat(&mut self, now_ms: u64, id: ActivityId, payload: Bytes) {
        if !self.running.contains(&id) {
            return;
        }
        self.riders.retain(|r| !matches!(r, Rider::Heartbeat(other, _) if *other == id));
        let wait = self.heartbeat_at_ms.saturating_sub(now_ms);
        self.ride(now_ms, Rider::Heartbeat(id, payload), wait);
    }

    /// Lets something ride in the next record, or in one of its own after `wait_ms`.
    pub(super) fn ride(&mut self, now_ms: u64, rider: Rider, wait_ms: u64) {
        self.riders.push(rider);
        let by = now_ms + wait_ms;
        self.ride_by_ms = Some(self.ride_by_ms.map_or(by, |before| before.min(by)));
    }

    /// Takes the riders along in a record that is being written, or writes one when they have
    /// waited long enough.
    pub(super) fn board_riders(&mut self, draft: &mut Draft) {
        let late = self.ride_by_ms.is_some_and(|by| by <= draft.now_ms);
        if self.riders.is_empty() || draft.sealed || (draft.facts.is_empty() && !late) {
            return;
        }
        self.ride_by_ms = None;
        for rider in std::mem::take(&mut self.riders) {
            match rider {
                Rider::Acked(to, through) => self.acked(draft, to, through),
                Rider::Undelivered(to, id) => self.undelivered(draft, to, id),
                Rider::Forgot(from, through) => self.forgot(draft, from, through),
                Rider::Heartbeat(activity, payload) => {
                    self.heartbeat_at_ms = draft.now_ms + self.limits.heartbeat_ms;
                    self.write(draft, Fact::Heartbeat { activity, payload });
                }
                Rider::ActivityTried(activity, retry_at_ms) => {
                    self.running.remove(&activity);
                    self.write(draft, Fact::ActivityTried { activity, retry_at_ms });
                }
                Rider::ActivityEnded(id, outcome) => self.ended(draft, id, outcome),
            }
        }
    }

    fn ended(&mut self, draft: &mut Draft, id: ActivityId, outcome: Ended) {
        self.running.remove(&id);
        let Some(activity) = self.durable.ledger.activities.get(&id).cloned() else { return };
        self.write(draft, Fact::ActivityEnded { activity: id });
        let outcome = outcome.as_ref().map(|bytes| &bytes[..]).map_err(String::as_str);
        let (name, input) = (&*activity.name, &activity.input[..]);
        self.react(draft, &Message::ActivityEnded { name, input, outcome }, 0);
    }
}
