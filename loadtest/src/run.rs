//! A run of a scenario: generator processes, servers where they are started here, chaos, the
//! comparison afterwards, and a result that is written all the while.
//!
//! In reading order: [`preflight`] (can this machine play it), [`agents`] (the generator
//! processes), [`meter`] (the numbers second by second), `alarms` (what the servers say
//! themselves), [`judge`] (what they come to), [`view`] (who is told how far it is), and here the
//! way through: echo, ramp, hold with chaos, drain, verification.

pub mod agents;
mod alarms;
mod chaos;
mod echo;
pub mod judge;
pub mod machine;
pub mod meter;
pub mod preflight;
mod split;
pub mod view;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use self::agents::Agents;
use self::alarms::Watch;
use self::judge::Numbers;
use self::meter::Meter;
use self::view::View;
use crate::http::{Client, origin};
use crate::load::mind::Names;
use crate::load::orders::{EchoRun, Order, Saying, Share, Stopped, Verification, Verified};
use crate::report;
use crate::result::{FileError, Mark, RunResult, Setup};
use crate::scenario::Scenario;
use crate::span;
use crate::stage::process::Roll;
use crate::stage::warden::Warden;
use crate::stage::{self, Stage, StageError};
use crate::verify;

/// How long what is open may take to be answered in the end.
const DRAIN: Duration = Duration::from_secs(45);
/// How much longer the ramp may take than it was meant to.
const RAMP_MORE: Duration = Duration::from_secs(20);
/// How long a generator process may take to begin, and to drive an echo beyond its time.
const BEGIN: Duration = Duration::from_secs(20);
/// How long the comparison may take without a word.
const VERIFY: Duration = Duration::from_secs(120);
/// How often the result is written.
const WRITE_EVERY: Duration = Duration::from_secs(5);
const SECOND: Duration = Duration::from_secs(1);
const GLANCE: Duration = Duration::from_millis(100);

/// Why a run could not go on; the result is void then, and says so.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// This machine can't play it.
    #[error("{0}")]
    Preflight(String),
    /// A generator process can't go on.
    #[error("generator process {nth}: {why}")]
    Agent {
        /// Which, counted from 0.
        nth: usize,
        /// Why.
        why: String,
    },
    /// The servers can't be set up, or have fallen.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The echo can't be started.
    #[error("the bare echo can't be started: {0}")]
    Echo(String),
    /// What is done to the servers ended early: a bug of the harness.
    #[error("what is done to the servers ended early: {0}")]
    Chaos(String),
    /// Nothing was heard for too long.
    #[error("{0} did not end in time")]
    Late(&'static str),
    /// Someone stopped it.
    #[error("it was stopped after {0}")]
    Stopped(String),
    /// The result can't be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The scenario, after the command line had its say.
    pub scenario: Scenario,
    /// As it was read.
    pub toml: String,
    /// WebSocket URLs of servers that are there already; none: they are started.
    pub targets: Vec<String>,
    /// The server's binary.
    pub server: PathBuf,
    /// This binary.
    pub own: PathBuf,
    /// Where results, logs and stores go.
    pub out: PathBuf,
    /// Generator processes, if a number of them is wanted.
    pub processes: Option<u32>,
    /// From which everything random follows.
    pub seed: u64,
    /// Open files that a process may have.
    pub files: u64,
}

impl Options {
    /// The result's file.
    #[must_use]
    pub fn result_file(&self) -> PathBuf {
        self.out.join("result.json")
    }
}

/// See the module.
struct Run<'a> {
    options: &'a Options,
    view: &'a mut dyn View,
    roll: Roll,
    meter: Meter,
    result: RunResult,
    began: Instant,
    written: Instant,
    hold_ms: (u64, u64),
    seconds: Interval,
    marks: mpsc::UnboundedReceiver<String>,
    stopped: Vec<Stopped>,
    /// Players compared, by generator process.
    checked: BTreeMap<usize, u64>,
    verified: Verified,
    alarms: Option<Watch>,
    /// Processes that have compared all.
    verified_len: usize,
}

/// Plays a scenario and says what came of it; the result is in its file too, with a report beside
/// it. What keeps a run from its end makes its result void, and is no error here.
///
/// # Errors
/// [`RunError::File`]: nothing can be written.
pub async fn run(
    options: &Options,
    view: &mut dyn View,
    stop: watch::Receiver<bool>,
) -> Result<RunResult, RunError> {
    let mut run = Run::new(options, view);
    run.write()?;
    let ended = run.through(stop).await;
    run.result.complete = ended.is_ok();
    run.conclude(ended.err().map(|error| format!("the run could not go on: {error}")));
    run.write()?;
    let html = options.out.join("report.html");
    let failed = |cause| FileError::Io { file: html.display().to_string(), cause };
    std::fs::write(&html, report::html(&run.result)).map_err(failed)?;
    Ok(run.result)
}

fn setup(options: &Options) -> Setup {
    let scenario = &options.scenario;
    let started = options.targets.is_empty();
    let raised = stage::RAISED.iter().map(|arg| (*arg).to_owned());
    let raised = raised.chain(scenario.server.iter().cloned());
    Setup {
        scenario: scenario.name.clone(),
        about: scenario.about.clone(),
        toml: options.toml.clone(),
        players: scenario.players.into(),
        ramp_ms: millis(scenario.ramp),
        hold_ms: millis(scenario.hold),
        seed: options.seed,
        store: if started { scenario.store.name() } else { "target" }.to_owned(),
        urls: options.targets.clone(),
        processes: 0,
        raised: if started { raised.collect() } else { Vec::new() },
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl<'a> Run<'a> {
    fn new(options: &'a Options, view: &'a mut dyn View) -> Self {
        let mut result = RunResult::begun(machine::unix_ms(), setup(options), machine::read());
        result.reasons.push("the run has not ended".to_owned());
        let roll = Roll::default();
        roll.note("loadtest", std::process::id());
        let mut seconds = interval_at(Instant::now() + SECOND, SECOND);
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            options,
            view,
            meter: Meter::new(roll.clone()),
            roll,
            result,
            began: Instant::now(),
            written: Instant::now(),
            hold_ms: (0, 0),
            seconds,
            marks: mpsc::unbounded_channel().1,
            stopped: Vec::new(),
            checked: BTreeMap::new(),
            verified: Verified::default(),
            alarms: None,
            verified_len: 0,
        }
    }

    fn at_ms(&self) -> u64 {
        millis(self.began.elapsed())
    }

    fn phase(&mut self, what: &str) -> Result<(), FileError> {
        let at_ms = self.at_ms();
        self.result.phases.push(Mark { at_ms, what: what.to_owned() });
        self.view.phase(what, self.began.elapsed());
        self.write()
    }

    /// The whole way, unless someone stops it.
    async fn through(&mut self, mut stop: watch::Receiver<bool>) -> Result<(), RunError> {
        tokio::select! {
            ended = self.way() => return ended,
            stopped = stop.wait_for(|stop| *stop) => drop(stopped),
        }
        Err(RunError::Stopped(span::show(Duration::from_secs(self.at_ms() / 1_000))))
    }

    async fn way(&mut self) -> Result<(), RunError> {
        let (options, scenario) = (self.options, &self.options.scenario);
        let gateways = match options.targets.len() {
            0 => scenario.gateways as usize,
            some => some,
        };
        let allowed = preflight::Allowed::read(options.files);
        let fit = preflight::fit(scenario, allowed, options.processes, gateways);
        let fit = fit.map_err(RunError::Preflight)?;
        self.result.setup.processes = fit.processes.into();
        fit.remarks.iter().for_each(|remark| self.view.remark(remark));
        let mut agents = Agents::start(fit.processes as usize, &options.own, &self.roll)?;
        self.begin(&mut agents).await?;
        self.echo(&mut agents).await?;
        let stage = self.set_up().await?;
        let mut stage = self.play(&mut agents, stage).await?;
        self.drain(&mut agents).await?;
        let meant = split::left_dead(&scenario.chaos);
        if let Some(fallen) = stage.as_mut().and_then(|stage| stage.fallen(&meant)) {
            return Err(fallen.into());
        }
        self.verify(&mut agents, stage.as_ref()).await
    }

    /// The servers, unless they are there already.
    async fn set_up(&mut self) -> Result<Option<Stage>, RunError> {
        if !self.options.targets.is_empty() {
            let first = self.options.targets.first().map_or("", String::as_str);
            self.result.machine.holdfast = machine::server_version(&origin(first)).await;
            return Ok(None);
        }
        self.phase("setup")?;
        let (scenario, server) = (&self.options.scenario, &self.options.server);
        let dir = self.options.out.join("servers");
        self.roll.watched(Warden::start(&self.options.own)?);
        // What a former run has left there is another world.
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir)
            .map_err(|cause| FileError::Io { file: dir.display().to_string(), cause })?;
        let plan =
            stage::Plan { scenario, server, dir: &dir, seed: self.options.seed, roll: &self.roll };
        let stage = Stage::start(plan).await?;
        self.result.setup.urls = stage.urls();
        let names = (1..).map(|nth: u32| format!("gw-{nth}"));
        self.alarms = Some(Watch::start(names.zip(stage.admin_origins()).collect()));
        let origins = stage.origins();
        let first = origins.first().map_or("", String::as_str);
        self.result.machine.holdfast = machine::server_version(first).await;
        Ok(Some(stage))
    }

    /// Has all drive a bare echo first.
    async fn echo(&mut self, agents: &mut Agents) -> Result<(), RunError> {
        let scenario = &self.options.scenario;
        if scenario.echo.is_zero() {
            return Ok(());
        }
        self.phase("echo")?;
        let (_echo, url) = echo::start(&self.options.own).await?;
        let (len, hz) = split::rate(scenario);
        let span_ms = millis(scenario.echo);
        for nth in 0..agents.len() {
            let len = split::part(nth, agents.len(), len, 1).1;
            let order = EchoRun { url: url.clone(), len, hz, span_ms };
            agents.tell(nth, &Order::Echo(order)).await?;
        }
        let end = Instant::now() + scenario.echo + BEGIN + BEGIN;
        for _ in 0..agents.len() {
            let (_, saying) = timeout_at(end, agents.hear(), "the echo").await?;
            if let Saying::Echoed(packed) = saying {
                self.meter.add(&packed.unpack().map_err(RunError::Echo)?);
            }
        }
        Ok(())
    }

    async fn begin(&mut self, agents: &mut Agents) -> Result<(), RunError> {
        let scenario = &self.options.scenario;
        for nth in 0..agents.len() {
            let players = scenario.players as usize;
            let room_of = scenario.room_of as usize;
            let (first, len) = split::part(nth, agents.len(), players, room_of);
            let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let share = Share {
                toml: self.options.toml.clone(),
                players: scenario.players,
                first: small(first),
                len: small(len),
                seed: self.options.seed,
            };
            agents.tell(nth, &Order::Begin(share)).await?;
        }
        let end = Instant::now() + BEGIN;
        for _ in 0..agents.len() {
            timeout_at(end, agents.hear(), "the start of the generator processes").await?;
        }
        Ok(())
    }

    /// Ramp and hold, with chaos where the servers are one's own.
    async fn play(
        &mut self,
        agents: &mut Agents,
        stage: Option<Stage>,
    ) -> Result<Option<Stage>, RunError> {
        let scenario = &self.options.scenario;
        self.phase("ramp")?;
        agents.tell_all(&Order::Play { urls: self.result.setup.urls.clone() }).await?;
        let ramped = Instant::now() + scenario.ramp;
        let players = split::staying(scenario);
        self.listen(agents, ramped + RAMP_MORE, |run| {
            Instant::now() >= ramped && run.meter.connected() >= players
        })
        .await?;
        self.phase("hold")?;
        self.meter.hold(true);
        self.hold_ms.0 = self.at_ms();
        let hold = Instant::now();
        let (mark, marks) = mpsc::unbounded_channel();
        self.marks = marks;
        // Aborted with this run; the servers end with it.
        let mut playing = JoinSet::new();
        if let Some(stage) = stage {
            playing.spawn(chaos::play(stage, scenario.chaos.clone(), hold, mark));
        }
        let limited = scenario.bots.iter().all(|bots| bots.commands > 0);
        let all = u64::from(scenario.players);
        self.listen(agents, hold + scenario.hold, |run| limited && run.meter.finished() >= all)
            .await?;
        self.hold_ms.1 = self.at_ms();
        self.meter.hold(false);
        // What is done to the servers may take longer than the hold.
        loop {
            match playing.try_join_next() {
                Some(Ok((stage, done))) => {
                    done?;
                    return Ok(Some(stage));
                }
                Some(Err(why)) => return Err(RunError::Chaos(why.to_string())),
                None if playing.is_empty() => return Ok(None),
                None => self.listen(agents, Instant::now() + GLANCE, |_| false).await?,
            }
        }
    }

    /// Takes in what the generator processes say, until a time or until something is so.
    async fn listen(
        &mut self,
        agents: &mut Agents,
        end: Instant,
        over: impl Fn(&Self) -> bool,
    ) -> Result<(), RunError> {
        let timer = sleep_until(end);
        tokio::pin!(timer);
        loop {
            tokio::select! {
                said = agents.hear() => {
                    let (nth, saying) = said?;
                    self.take(nth, saying)?;
                }
                Some(what) = self.marks.recv() => self.mark(what),
                _ = self.seconds.tick() => self.second()?,
                () = timer.as_mut() => return Ok(()),
            }
            if over(self) {
                return Ok(());
            }
        }
    }

    fn take(&mut self, nth: usize, saying: Saying) -> Result<(), RunError> {
        match saying {
            Saying::Second { connected, finished, stats } => {
                let stats = stats.unpack().map_err(|why| RunError::Agent { nth, why })?;
                self.meter.take(nth, connected, finished, &stats);
            }
            Saying::Stopped(stopped) => self.stopped.push(stopped),
            Saying::Checked { done } => {
                self.checked.insert(nth, done);
                let done = self.checked.values().sum();
                self.view.checked(done, self.options.scenario.players.into());
            }
            Saying::Verified(verified) => {
                self.verified.add(verified);
                self.verified_len += 1;
            }
            Saying::Ready { .. } | Saying::Echoed(_) | Saying::Failed(_) => {}
        }
        Ok(())
    }

    /// A second has passed.
    fn second(&mut self) -> Result<(), RunError> {
        let at_ms = self.at_ms();
        let second = self.meter.second(at_ms);
        self.view.second(&second, &self.meter, self.began.elapsed());
        self.result.seconds.push(second);
        if self.written.elapsed() >= WRITE_EVERY {
            self.written = Instant::now();
            self.tally();
            self.write()?;
        }
        Ok(())
    }

    fn mark(&mut self, what: String) {
        self.view.mark(&what, self.began.elapsed());
        let at_ms = self.at_ms();
        self.result.chaos.push(Mark { at_ms, what });
    }

    /// Nothing new is asked; what is open is waited for.
    async fn drain(&mut self, agents: &mut Agents) -> Result<(), RunError> {
        self.phase("drain")?;
        agents.tell_all(&Order::Stop { patience_ms: millis(DRAIN) }).await?;
        let all = agents.len();
        let end = Instant::now() + DRAIN + BEGIN;
        self.listen(agents, end, |run| run.stopped.len() >= all).await?;
        if self.stopped.len() < all {
            return Err(RunError::Late("the drain"));
        }
        Ok(())
    }

    /// What was promised is compared with what the servers have.
    async fn verify(&mut self, agents: &mut Agents, stage: Option<&Stage>) -> Result<(), RunError> {
        self.phase("verify")?;
        let origins = match stage {
            Some(stage) => stage.origins(),
            None => self.options.targets.iter().map(|url| origin(url)).collect(),
        };
        let admin = stage.map(Stage::admin_origins).unwrap_or_default();
        // Memory that is written back after a store has lost something begins a journal anew.
        let whole = !self.options.scenario.chaos.iter().any(|blow| blow.action.harms_store());
        let retained = stage.is_some() && whole;
        let asked = Verification { origins, admin: admin.clone(), retained };
        agents.tell_all(&Order::Verify(asked)).await?;
        let all = agents.len();
        while self.verified_len < all {
            let before = (self.verified_len, self.checked.clone());
            self.listen(agents, Instant::now() + VERIFY, |run| {
                (run.verified_len, &run.checked) != (before.0, &before.1)
            })
            .await?;
            if (self.verified_len, &self.checked) == (before.0, &before.1) {
                return Err(RunError::Late("the verification"));
            }
        }
        let names = Names { seed: self.options.seed };
        let rooms = split::rooms(&self.options.scenario, names);
        if admin.is_empty() {
            let what = "whether rooms kept their capacity: that is in the rooms' journals, which \
                        only an operator may read";
            self.verified.unchecked.push(what.to_owned());
        } else {
            let found = verify::verify_rooms(&Client::default(), &admin, &rooms).await;
            self.verified.add(found);
            self.verified.match_coins();
        }
        if let Some((watch, stage)) = self.alarms.take().zip(stage) {
            let found = watch.end().await.judge(&stage.errors(), !whole);
            self.verified.add(found);
        }
        Ok(())
    }

    /// Puts what is known so far into the result.
    fn tally(&mut self) {
        self.result.held = self.meter.held().pack();
        self.result.all = self.meter.all().pack();
        self.result.processes = self.meter.processes().to_vec();
    }

    /// What it all comes to.
    fn conclude(&mut self, broken: Option<String>) {
        self.tally();
        let result = &mut self.result;
        let verified = std::mem::take(&mut self.verified);
        result.checks = verified.checks.into_values().collect();
        result.violations = verified.violations;
        result.unchecked = verified.unchecked;
        let hold_ms = (self.hold_ms.0, self.hold_ms.1.min(millis(self.began.elapsed())));
        let numbers = Numbers {
            held: self.meter.held(),
            all: self.meter.all(),
            held_s: Duration::from_millis(hold_ms.1.saturating_sub(hold_ms.0)).as_secs_f64(),
            players: f64::from(self.options.scenario.players),
            dropped: verified.dropped,
            unacknowledged: self.stopped.iter().map(|one| one.unacknowledged).sum(),
            lost: self.stopped.iter().map(|one| one.lost.len() as u64).sum(),
            checks: &result.checks.clone(),
            processes: self.meter.processes(),
            hold_ms,
            late_is_void: self.options.scenario.late_is_void,
        };
        result.thresholds = numbers.judge(&self.options.scenario);
        judge::conclude(result, &numbers, broken);
    }

    fn write(&self) -> Result<(), FileError> {
        self.result.write(&self.options.result_file())
    }
}

async fn timeout_at<T>(
    end: Instant,
    heard: impl Future<Output = Result<T, RunError>>,
    what: &'static str,
) -> Result<T, RunError> {
    tokio::time::timeout_at(end, heard).await.map_err(|_| RunError::Late(what))?
}
