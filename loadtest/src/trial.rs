//! Plays a bot by its random player's wishes through whatever happens to the server, until told
//! to stop; then every command has an outcome.

use std::time::Duration;

use holdfast_protocol::client::{Class, MoveType, Verb};
use holdfast_protocol::codes::ErrorCode;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::bot::{Bot, Error};
use crate::player::{RandomPlayer, Wish};

/// How a bot is played.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From one breath to the next.
    pub every: Duration,
    /// How long a server may be away.
    pub absence: Duration,
    /// After a resume: how many done commands to repeat, to see the same replies.
    pub repeats: usize,
    /// A gateway that owes an answer for so long is given up: the next one is resumed at.
    pub silence: Option<Duration>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            every: Duration::from_millis(250),
            absence: Duration::from_secs(30),
            repeats: 2,
            silence: None,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections lost and taken up again.
    pub resumes: u64,
    /// Commands whose outcome was learnt only after a resume.
    pub learnt_late: u64,
    /// Done commands repeated, their replies the same.
    pub repeated: u64,
    /// Longest time from a loss to the resumed session.
    pub longest_absence: Duration,
    /// Each time from a loss to the next acknowledged command.
    pub recoveries: Vec<Duration>,
    /// Longest time from a breath's wishes to the last of their outcomes, losses included.
    pub longest_wait: Duration,
}

/// How far back a repeat goes: well within the 64 replies that are kept.
const REPEAT_AMONG: usize = 24;

/// Plays until `stop` is true and every command has an outcome.
///
/// # Errors
/// Every error that resuming does not mend.
pub async fn play(
    bot: &mut Bot,
    player: &mut RandomPlayer,
    pace: Pace,
    mut stop: watch::Receiver<bool>,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    bot.patience = pace.silence.unwrap_or(bot.patience);
    let mut beat = interval(pace.every);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stopped = *stop.borrow_and_update();
        let began = Instant::now();
        let turn = if stopped { settle(bot).await } else { breathe(bot, player).await };
        match turn {
            Ok(()) if stopped => return Ok(tally),
            Ok(()) => {}
            Err(error) if error.is_lost() => come_back(bot, pace, &mut tally).await?,
            Err(Error::Deadline { .. }) if pace.silence.is_some() => {
                bot.kill();
                bot.turn();
                come_back(bot, pace, &mut tally).await?;
            }
            Err(error) => return Err(error),
        }
        tally.longest_wait = tally.longest_wait.max(began.elapsed());
        if !stopped {
            tokio::select! {
                _ = beat.tick() => {}
                _ = stop.changed() => {}
            }
        }
    }
}

/// Some wishes at once, then their outcomes.
async fn breathe(bot: &mut Bot, player: &mut RandomPlayer) -> Result<(), Error> {
    for _ in 0..player.breath() {
        match player.wish() {
            Wish::Ask(verb) => {
                bot.send(verb).await?;
            }
            Wish::Walk(steps) => {
                bot.input(steps).await?;
            }
        }
    }
    settle(bot).await
}

/// Waits until every command has an outcome.
async fn settle(bot: &mut Bot) -> Result<(), Error> {
    if !bot.is_connected() {
        return Err(Error::NotConnected);
    }
    for id in bot.ledger().open() {
        let answer = bot.reply(id).await?;
        if answer.code() == Some(ErrorCode::OutcomeUnknown) {
            let what = format!("the outcome of {id}, which was among the last 64");
            return Err(Error::Deadline { what, after: bot.patience });
        }
    }
    bot.pump()
}

/// Resumes, learns what is owed, repeats some of what is done.
async fn come_back(bot: &mut Bot, pace: Pace, tally: &mut Tally) -> Result<(), Error> {
    let lost_at = Instant::now();
    let is_command = |verb: &Verb| verb.class() == Class::Command;
    let owed = bot.ledger().iter().filter(|(_, e)| e.answer.is_none() && is_command(&e.verb));
    let owed = owed.count() as u64;
    let mut recovery = None;
    loop {
        match resume_and_repeat(bot, pace, lost_at, &mut recovery).await {
            Ok(repeated) => {
                tally.resumes += 1;
                tally.repeated += repeated;
                tally.learnt_late += owed;
                tally.longest_absence = tally.longest_absence.max(lost_at.elapsed());
                tally.recoveries.extend(recovery);
                return Ok(());
            }
            // Killed again meanwhile: the time allowed counts from the first loss.
            Err(error) if error.is_lost() && lost_at.elapsed() < pace.absence => {}
            Err(Error::Deadline { .. })
                if pace.silence.is_some() && lost_at.elapsed() < pace.absence =>
            {
                bot.kill();
                bot.turn();
            }
            Err(error) => return Err(error),
        }
    }
}

async fn resume_and_repeat(
    bot: &mut Bot,
    pace: Pace,
    lost_at: Instant,
    recovery: &mut Option<Duration>,
) -> Result<u64, Error> {
    bot.resume_within(pace.absence).await?;
    let probe =
        Verb::ExecuteMove { move_type: MoveType::Defend, target_player_id: None, event_id: None };
    let probe = bot.send(probe).await?;
    bot.reply(probe).await?;
    recovery.get_or_insert_with(|| lost_at.elapsed());
    settle(bot).await?;
    let mut done = bot.ledger().recent_done(REPEAT_AMONG);
    done.truncate(pace.repeats);
    for &id in &done {
        bot.repeat(id).await?;
    }
    Ok(done.len() as u64)
}

#[cfg(test)]
#[path = "trial/tests.rs"]
mod tests;
