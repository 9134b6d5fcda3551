//! The show itself: the one task that owns processes, network and what the page may do to them. It
//! grants wishes one after the other, starts again what is gone, and says what happens.

use std::fmt::Display;
use std::io::Write;
use std::net::SocketAddr;

use axum::http::StatusCode;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::DemoError;
use super::bots::Bots;
use super::control::{self, Done, Open, Order, Refused, Wish};
use super::home::Home;
use super::keeper::{Keeper, State, Verdict};
use super::network::Network;
use super::stage::Stage;
use crate::clock::Clock;
use crate::config::Demo;

/// How often it is looked who has ended.
const GLANCE_MS: u64 = 25;

/// What a show is made of.
pub(super) struct Parts<'a> {
    pub asked: &'a Demo,
    pub home: &'a Home,
    pub stage: Stage,
    pub network: Network,
    pub control: Open,
    pub clock: Clock,
}

/// See the module.
pub(super) struct Show<'a> {
    asked: &'a Demo,
    home: &'a Home,
    stage: Stage,
    network: Network,
    control: Open,
    clock: Clock,
    keeper: Keeper,
    bots: Option<Bots>,
    /// Who waits for gateways to serve.
    lookouts: JoinSet<usize>,
    /// When each gateway ended.
    gone_at_ms: Vec<u64>,
    began_ms: u64,
}

impl<'a> Show<'a> {
    pub fn new(parts: Parts<'a>) -> Self {
        let Parts { asked, home, stage, network, control, clock } = parts;
        let count = asked.gateways as usize;
        Self {
            keeper: Keeper::new(count, asked.returns_after_ms),
            bots: None,
            lookouts: JoinSet::new(),
            gone_at_ms: vec![0; count],
            began_ms: clock.uptime_ms(),
            asked,
            home,
            stage,
            network,
            control,
            clock,
        }
    }

    /// Plays for ever.
    pub async fn play(
        &mut self,
        gateways: &[SocketAddr],
        out: &mut impl Write,
    ) -> Result<(), DemoError> {
        loop {
            self.start_due(out)?;
            self.look(out).await?;
            if self.bots.is_none() && self.keeper.all_run() {
                self.bots = Some(Bots::enter(self.asked.bots, gateways, &self.clock));
                write(out, &self.banner());
            }
            let clock = self.clock.clone();
            tokio::select! {
                Some(order) = self.control.orders.recv() => self.obey(order, out).await,
                Some(Ok(nth)) = self.lookouts.join_next() => self.serves(nth, out),
                news = heard(&mut self.bots) => self.say(out, news),
                () = clock.sleep_ms(GLANCE_MS) => {}
            }
        }
    }

    /// Ends everything.
    pub async fn end(&mut self, out: &mut impl Write) {
        write(out, "\nholdfast demo: ending …\n");
        self.bots = None;
        self.stage.end().await;
    }

    fn start_due(&mut self, out: &mut impl Write) -> Result<(), DemoError> {
        let now_ms = self.clock.uptime_ms();
        while let Some(nth) = self.keeper.due(now_ms) {
            let started = self.stage.start(nth);
            self.keeper.started(nth, now_ms);
            if let Err(error) = started {
                // A build may be replacing the program just now.
                if self.is_gone(nth, out) == Verdict::Hopeless {
                    return Err(error);
                }
                continue;
            }
            let served = self.stage.served(nth, &self.clock);
            self.lookouts.spawn(async move {
                served.await;
                nth
            });
        }
        Ok(())
    }

    /// A gateway answers.
    fn serves(&mut self, nth: usize, out: &mut impl Write) {
        if self.keeper.state(nth) != State::Starting {
            return;
        }
        self.keeper.serves(nth);
        self.lead();
        if self.bots.is_some() {
            let gone_at_ms = self.gone_at_ms.get(nth).copied().unwrap_or_default();
            let away = seconds(self.clock.uptime_ms().saturating_sub(gone_at_ms));
            self.say(out, format_args!("{} serves again, after {away}", self.stage.name(nth)));
        }
    }

    /// Leads visitors who come from now on to the first that serves.
    fn lead(&self) {
        let first = self.keeper.first_running().and_then(|nth| self.stage.address(nth));
        if let Some(address) = first {
            self.network.lead_to(address);
        }
    }

    /// Looks who has ended, and who is late.
    async fn look(&mut self, out: &mut impl Write) -> Result<(), DemoError> {
        if let Some(error) = self.stage.redis_fallen() {
            return Err(error.into());
        }
        let now_ms = self.clock.uptime_ms();
        if let Some(nth) = self.keeper.late(now_ms) {
            return Err(self.fallen(nth, "does not come to serve"));
        }
        while let Some(nth) = self.stage.ended().await {
            if self.is_gone(nth, out) == Verdict::Hopeless {
                let served = self.keeper.has_served(nth);
                let why = if served { "ends by itself, again and again" } else { "ends by itself" };
                return Err(self.fallen(nth, why));
            }
        }
        Ok(())
    }

    /// The process of a gateway has ended.
    fn is_gone(&mut self, nth: usize, out: &mut impl Write) -> Verdict {
        let (drained, now_ms) = (self.keeper.is_drained(nth), self.clock.uptime_ms());
        let verdict = self.keeper.ended(nth, now_ms);
        if let Some(gone_at_ms) = self.gone_at_ms.get_mut(nth) {
            *gone_at_ms = now_ms;
        }
        self.lead();
        if let Verdict::Returns(ms) = verdict {
            let how = if drained { "has handed over" } else { "is dead" };
            let (name, back) = (self.stage.name(nth), seconds(ms));
            self.say(out, format_args!("{name} {how}, and starts again in {back}"));
        }
        verdict
    }

    fn fallen(&self, nth: usize, why: &'static str) -> DemoError {
        let (name, words) = (self.stage.name(nth).to_owned(), self.stage.last_words(nth));
        DemoError::Fallen { name, why, words }
    }

    async fn obey(&mut self, Order { wish, answer }: Order, out: &mut impl Write) {
        let granted = self.grant(wish, out).await;
        let answered = granted.map(|done_at_ms| Done { done_at_ms, show: self.show() });
        // Whoever asked may have gone.
        let _ = answer.send(answered);
    }

    /// Grants a wish; when that was.
    async fn grant(&mut self, wish: Wish, out: &mut impl Write) -> Result<u64, Refused> {
        let now_ms = self.clock.now_ms();
        match wish {
            Wish::Show => {}
            Wish::Kill(node) => {
                let nth = self.alive(&node)?;
                self.say(out, format_args!("the page kills {node}"));
                self.keeper.killed(nth);
                self.stage.kill(nth).await;
                // Whoever was told to end comes back.
                let _ = self.is_gone(nth, out);
            }
            Wish::Drain(node) => {
                let nth = self.alive(&node)?;
                if self.keeper.state(nth) != State::Running {
                    let message = format!("{node} does not serve now, so that it can't be drained");
                    return Err(Refused::new(StatusCode::CONFLICT, "busy", message));
                }
                self.stage.drain(nth);
                self.keeper.drains(nth);
                self.lead();
                self.say(out, format_args!("the page drains {node}"));
            }
            Wish::Cut(ms) => {
                self.network.cut(ms, self.clock.uptime_ms());
                let span = seconds(ms);
                self.say(out, format_args!("the page cuts the visitors' network for {span}"));
            }
            Wish::Delay(delay_ms, jitter_ms) => {
                self.network.delay(delay_ms, jitter_ms);
                let what = match (delay_ms, jitter_ms) {
                    (0, 0) => "adds nothing to the visitors' round trips any more".to_owned(),
                    _ => format!("adds {delay_ms} ± {jitter_ms} ms to the visitors' round trips"),
                };
                self.say(out, format_args!("the page {what}"));
            }
        }
        Ok(now_ms)
    }

    /// A gateway that has a process.
    fn alive(&self, node: &str) -> Result<usize, Refused> {
        let nth = self.stage.place(node).ok_or_else(|| {
            let message = format!("there is no gateway {node} in this demo");
            Refused::new(StatusCode::NOT_FOUND, "not_found", message)
        })?;
        if self.keeper.state(nth) == State::Gone || self.stage.id(nth).is_none() {
            let message = format!("{node} is gone already; it comes back by itself");
            return Err(Refused::new(StatusCode::CONFLICT, "gone", message));
        }
        Ok(nth)
    }

    fn show(&self) -> control::Show {
        let row = |(nth, (node, pid, url)): (usize, (&str, Option<u32>, &str))| {
            let state = self.keeper.state(nth);
            control::Gateway { node: node.to_owned(), state, pid, url: url.to_owned() }
        };
        control::Show {
            gateways: self.stage.rows().enumerate().map(row).collect(),
            network: self.network.shape(self.clock.uptime_ms()),
            store: self.stage.store(),
            bots: self.asked.bots,
            returns_after_ms: self.asked.returns_after_ms,
        }
    }

    /// One line for people: when, since the beginning, and what.
    fn say(&self, out: &mut impl Write, what: impl Display) {
        let at = seconds(self.clock.uptime_ms().saturating_sub(self.began_ms));
        write(out, &format!("{at:>9}  {what}\n"));
    }

    fn banner(&self) -> String {
        let (front, dir) = (self.network.front(), self.home.path().display());
        let asked = self.asked;
        let moved = (front.port() != asked.listen.port() && asked.any_port)
            .then(|| format!("  note      port {} was taken\n", asked.listen.port()));
        let open = (!front.ip().is_loopback()).then_some(
            "  note      whoever reaches this address may play under any name; the buttons work on \
             this machine only\n",
        );
        let names: Vec<_> = self.stage.rows().map(|(name, ..)| name).collect();
        let kept = if self.home.is_kept() { "kept at the end" } else { "removed at the end" };
        format!(
            "holdfast demo {version}: {names} on {store}, bots: {bots}\n\
             \x20 open      http://{front}/\n\
             \x20 try       walk, fight, talk; then look behind the scenes: kill your gateway, cut \
             your network\n\
             \x20 terminal  websocat ws://{front}/ws\n\
             {moved}{open}\
             \x20 files     {dir} ({kept}): journals, and a log of each process\n\
             \x20 stop      Ctrl-C\n\n",
            version = env!("CARGO_PKG_VERSION"),
            names = names.join(", "),
            store = if self.stage.store() == "redis" { "a Redis" } else { "the embedded store" },
            bots = asked.bots,
            moved = moved.unwrap_or_default(),
            open = open.unwrap_or_default(),
        )
    }
}

/// What the last line says.
pub(super) fn farewell(home: &Home, out: &mut impl Write) {
    let dir = home.path().display();
    let files = if home.is_kept() { "kept" } else { "removed" };
    write(out, &format!("holdfast demo: all processes have ended, {dir} is {files}\n"));
}

/// News of the bots; for ever none where there are none.
async fn heard(bots: &mut Option<Bots>) -> String {
    let news: Option<&mut mpsc::Receiver<String>> = bots.as_mut().map(|bots| &mut bots.news);
    match news {
        Some(news) => match news.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// Milliseconds as people read them, to the tenth of a second.
fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

/// The show goes on though nobody reads what it says.
fn write(out: &mut impl Write, text: &str) {
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
