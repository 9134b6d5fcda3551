//! When a simulated player does something: input frames at fixed times, commands at random ones,
//! both decided before any answer is known. Pure.
//!
//! What is due while there is no connection is left out (it can't be sent, and no client plays a
//! backlog); what is due while too many commands are unanswered waits and keeps its due time. A
//! send is late by the harness's own fault when its task was woken too late for it, not when the
//! one before it took long because the server did not read.

use std::time::Duration;

use tokio::time::Instant;

use super::mind::Mind;
use crate::drive::schedule::Schedule;
use crate::scenario::Bots;

/// A send this much after its due time is late.
pub const LATE: Duration = Duration::from_millis(10);
/// A commandless player's next command.
const NEVER: Duration = Duration::from_secs(86_400 * 365);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing yet.
    Rest,
    /// A step, due then.
    Step(Instant),
    /// A command, due then.
    Wish(Instant),
}

/// See the module.
#[derive(Debug)]
pub struct Pulse {
    began: Instant,
    schedule: Option<Schedule>,
    /// The next input frame, counted from the run's beginning.
    frame: u64,
    steps: u64,
    wishes: u64,
    thinks: bool,
    wish_at: Instant,
    /// The due time of a command that waits until another one is answered.
    held: Option<Instant>,
    /// A send that took long: what was due within it waited for it.
    blocked: (Instant, Instant),
    unsent: u64,
}

impl Pulse {
    /// The pulse of the player `nth` of `of`, in a run that began then.
    #[must_use]
    pub fn new(bots: &Bots, nth: u32, of: u32, began: Instant) -> Self {
        let schedule = (bots.input_hz > 0)
            .then(|| Schedule::new(bots.input_hz.into(), nth as usize, of as usize));
        Self {
            began,
            schedule,
            frame: 0,
            steps: 0,
            wishes: 0,
            thinks: bots.think > Duration::ZERO,
            wish_at: began + NEVER,
            held: None,
            blocked: (began, began),
            unsent: 0,
        }
    }

    /// A connection stands: what was due before is left out.
    pub fn resume(&mut self, now: Instant, mind: &mut Mind) {
        if let Some(schedule) = self.schedule {
            let before = self.frame;
            while self.began + schedule.due(self.frame) <= now {
                self.frame += 1;
            }
            self.unsent += if self.steps == 0 { 0 } else { self.frame - before };
        }
        if self.thinks {
            (self.held, self.wish_at) = (None, now + mind.pause());
        }
    }

    /// Input frames that were due without a connection, since the last call.
    pub fn take_unsent(&mut self) -> u64 {
        std::mem::take(&mut self.unsent)
    }

    /// When something is due next.
    #[must_use]
    pub fn next(&self) -> Instant {
        let step = self.schedule.map(|schedule| self.began + schedule.due(self.frame));
        step.map_or(self.wish_at, |step| step.min(self.wish_at))
    }

    /// What is due now, the older first.
    pub fn turn(&mut self, now: Instant) -> Turn {
        let due = self.next();
        if due > now {
            return Turn::Rest;
        }
        if due == self.wish_at {
            return Turn::Wish(self.held.take().unwrap_or(due));
        }
        self.frame += 1;
        self.steps += 1;
        Turn::Step(due)
    }

    /// A command that was due then can't be asked yet: it is looked at again soon, and keeps its
    /// due time.
    pub fn hold(&mut self, due: Instant, now: Instant) {
        self.held = Some(due);
        self.wish_at = now + LATE;
    }

    /// A command that was due then is asked; the next one follows after a pause, whatever the
    /// answer does.
    pub fn wished(&mut self, due: Instant, mind: &mut Mind) {
        self.wishes += 1;
        if self.thinks {
            self.wish_at = due + mind.pause();
        }
    }

    /// Commands asked.
    #[must_use]
    pub const fn wishes(&self) -> u64 {
        self.wishes
    }

    /// Steps taken so far, over all sessions.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// A send took from then to then.
    pub fn sent(&mut self, from: Instant, to: Instant) {
        if to - from > LATE {
            self.blocked = (from, to);
        }
    }

    /// Whether something that was due then, and is sent now, is late.
    #[must_use]
    pub fn is_late(&self, due: Instant, now: Instant) -> bool {
        let (from, to) = self.blocked;
        now.saturating_duration_since(due) > LATE && !(from..=to).contains(&due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::mind::Names;
    use crate::scenario::Scenario;

    const MS: Duration = Duration::from_millis(1);

    fn pulse(bots: &str, began: Instant) -> (Pulse, Mind) {
        let text = format!(
            "version = 1\nname = \"t\"\nplayers = 4\nramp = \"1s\"\nhold = \"1s\"\n\
             bots = [{bots}]"
        );
        let scenario = Scenario::parse(&text).unwrap();
        let bots = scenario.bots.first().unwrap();
        (Pulse::new(bots, 0, 4, began), Mind::new(&scenario, bots, Names { seed: 3 }, 0))
    }

    #[tokio::test(start_paused = true)]
    async fn frames_are_due_at_fixed_times_and_those_without_a_connection_are_left_out() {
        let began = Instant::now();
        let (mut pulse, mut mind) = pulse("{ kind = \"mover\" }", began);
        pulse.resume(began, &mut mind);
        assert_eq!(pulse.turn(began + 49 * MS), Turn::Rest);
        // Woken late: both that were due are sent, each with its own due time.
        assert_eq!(pulse.turn(began + 120 * MS), Turn::Step(began + 50 * MS));
        assert_eq!(pulse.turn(began + 120 * MS), Turn::Step(began + 100 * MS));
        assert_eq!(pulse.turn(began + 120 * MS), Turn::Rest);
        pulse.resume(began + 401 * MS, &mut mind);
        assert_eq!((pulse.take_unsent(), pulse.take_unsent()), (6, 0));
        assert_eq!(pulse.next(), began + 450 * MS);
        assert_eq!(pulse.steps(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_waits_keeps_its_due_time() {
        let began = Instant::now();
        let (mut pulse, mut mind) = pulse("{ kind = \"chatter\", think = \"1s\" }", began);
        pulse.resume(began, &mut mind);
        let due = pulse.next();
        assert_eq!(pulse.turn(due), Turn::Wish(due));
        pulse.hold(due, due);
        assert_eq!(pulse.turn(due + LATE), Turn::Wish(due));
        pulse.wished(due, &mut mind);
        assert!(pulse.next() > due && pulse.wishes() == 1);
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_harness_makes_a_send_late() {
        let began = Instant::now();
        let (mut pulse, _) = pulse("{ kind = \"mover\" }", began);
        let due = began + 50 * MS;
        assert!(!pulse.is_late(due, due + 10 * MS));
        assert!(pulse.is_late(due, due + 11 * MS));
        pulse.sent(began + 40 * MS, began + 300 * MS);
        assert!(!pulse.is_late(due, began + 300 * MS), "the server did not read");
        assert!(pulse.is_late(began + 310 * MS, began + 330 * MS));
    }
}
