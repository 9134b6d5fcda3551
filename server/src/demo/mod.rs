//! `holdfast demo`: a whole show on one machine. Gateways of this very program, bots to play with,
//! and buttons in the page that kill gateways and spoil the visitors' network.
//!
//! Nothing is played: gateways are processes that really die, the network is real sockets, and the
//! bots know no more than other players. In reading order, pure: [`keeper`] (when gateways are
//! started again), `bots::cast` and `bots::mind`. I/O: `home` (files), `stage` (processes),
//! [`network`] (the visitors' way in), [`control`] (the buttons), [`bots`], `show` (grants wishes,
//! and says what happens).
//!
//! Start: the directory, the way in, the buttons, the Redis, the gateways, the bots. Stop goes the
//! other way; whatever is left when this process is killed is ended by a warden.

pub mod bots;
pub mod control;
mod home;
pub mod keeper;
pub mod network;
mod show;
mod stage;

use std::io::{self, Write};
use std::path::PathBuf;

use loadtest::stage::{StageError, warden};

use self::control::Control;
use self::home::Home;
use self::network::Network;
use self::show::{Parts, Show};
use self::stage::{Stage, Told};
use crate::clock::Clock;
use crate::config::Demo;
use crate::signals;

/// Why there is no show. Reacts: whoever started it; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A directory can't be used.
    #[error("{path} can't be used ({cause}); name another directory by --data-dir")]
    Dir {
        /// Which.
        path: PathBuf,
        /// What the OS said.
        cause: io::Error,
    },
    /// Two shows in one directory.
    #[error("another holdfast demo runs in {0}; stop it, or name another directory by --data-dir")]
    Shared(PathBuf),
    /// The visitors' way in.
    #[error("{0}")]
    Network(io::Error),
    /// Something can't be started.
    #[error("{what} can't be had: {cause}")]
    Start {
        /// What.
        what: String,
        /// What the OS said.
        cause: io::Error,
    },
    /// No `redis-server`.
    #[error(
        "several gateways share a Redis, and there is no redis-server here; install it (apt install \
         redis-server, dnf install redis, brew install redis), or leave --gateways out: with one \
         gateway everything works but going on at another one"
    )]
    NoRedis,
    /// A process can't be started, or the Redis has ended.
    #[error("the show can't go on: {0}")]
    Stage(StageError),
    /// A gateway falls again and again.
    #[error("{name} {why}; its last words:\n{words}")]
    Fallen {
        /// Which.
        name: String,
        /// What became of it.
        why: &'static str,
        /// The end of its log.
        words: String,
    },
}

impl From<StageError> for DemoError {
    fn from(error: StageError) -> Self {
        match error {
            StageError::NoRedis => Self::NoRedis,
            error => Self::Stage(error),
        }
    }
}

/// Plays until someone stops it, and says what happens in `out`.
///
/// # Errors
/// [`DemoError`]; nothing is left running.
pub async fn run(asked: &Demo, clock: &Clock, out: &mut impl Write) -> Result<(), DemoError> {
    // A visitor is two open files here. The soft limit of most systems is 1,024, which will do.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let home = Home::open(asked.data_dir.as_deref())?;
    let addresses = stage::addresses(asked.gateways)?;
    let network =
        Network::open(asked.listen, asked.any_port, &addresses).map_err(DemoError::Network)?;
    let control = Control::bind().await?;
    let program = stage::own_program()?;
    let roll = stage::roll(&program)?;
    let told = Told { network: &network, control: &control.url, dir: home.path() };
    let stage = tokio::select! {
        stage = Stage::set(&addresses, &program, &roll, told) => stage?,
        _ = signals::stop_or_hang_up() => return Ok(()),
    };
    let control = control.open(network.origins());
    let parts = Parts { asked, home: &home, stage, network, control, clock: clock.clone() };
    let mut show = Show::new(parts);
    let played = tokio::select! {
        played = show.play(&addresses, out) => played,
        _ = signals::stop_or_hang_up() => Ok(()),
    };
    let ended = tokio::select! {
        () = show.end(out) => true,
        _ = signals::stop_or_hang_up() => false,
    };
    if played.is_ok() && ended {
        show::farewell(&home, out);
    }
    played
}

/// Waits for the end of a show that is killed, and ends what it has started.
///
/// # Errors
/// Standard input can't be read.
pub fn keep_watch() -> io::Result<()> {
    warden::watch(io::stdin().lock())
}
