//! The generator processes of a run: started, told what to do, listened to.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::RunError;
use crate::load::orders::{Order, Saying};
use crate::stage::process::Roll;

/// Sayings that wait to be heard; a process that says more waits.
const SAYINGS_MAX: usize = 64;

/// See the module.
#[derive(Debug)]
pub struct Agents {
    all: Vec<Agent>,
    sayings: mpsc::Receiver<(usize, Saying)>,
}

#[derive(Debug)]
struct Agent {
    orders: ChildStdin,
    /// Killed with its owner.
    _child: Child,
    listening: JoinHandle<()>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Agents {
    /// Starts so many processes of this binary.
    ///
    /// # Errors
    /// [`RunError::Agent`].
    pub fn start(count: usize, binary: &Path, roll: &Roll) -> Result<Self, RunError> {
        let (said, sayings) = mpsc::channel(SAYINGS_MAX);
        let mut all = Vec::with_capacity(count);
        for nth in 0..count {
            let mut child = Command::new(binary)
                .arg("agent")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .process_group(0)
                .spawn()
                .map_err(|why| RunError::Agent { nth, why: why.to_string() })?;
            let why = "it has no standard streams".to_owned();
            let gone = || RunError::Agent { nth, why: why.clone() };
            let orders = child.stdin.take().ok_or_else(gone)?;
            let output = child.stdout.take().ok_or_else(gone)?;
            if let Some(id) = child.id() {
                roll.note(&format!("loadtest-{}", nth + 1), id);
            }
            let said = said.clone();
            let listening = tokio::spawn(async move {
                let mut lines = BufReader::new(output).lines();
                let mut has_ended = false;
                while let Ok(Some(line)) = lines.next_line().await {
                    let saying = serde_json::from_str(&line).unwrap_or_else(|why| {
                        Saying::Failed(format!("it said what is not understood: {why}"))
                    });
                    // There is nothing more to be said then.
                    has_ended = matches!(saying, Saying::Verified(_));
                    if said.send((nth, saying)).await.is_err() {
                        return;
                    }
                }
                if !has_ended {
                    let why = "it has ended before its time".to_owned();
                    let _ = said.send((nth, Saying::Failed(why))).await;
                }
            });
            all.push(Agent { orders, _child: child, listening });
        }
        Ok(Self { all, sayings })
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Tells one what to do.
    ///
    /// # Errors
    /// [`RunError::Agent`]: it has gone.
    pub async fn tell(&mut self, nth: usize, order: &Order) -> Result<(), RunError> {
        let failed = |why: String| RunError::Agent { nth, why };
        let Some(agent) = self.all.get_mut(nth) else { return Ok(()) };
        let mut line = serde_json::to_string(order).map_err(|why| failed(why.to_string()))?;
        line.push('\n');
        let written = agent.orders.write_all(line.as_bytes()).await;
        written.map_err(|why| failed(why.to_string()))
    }

    /// Tells all the same.
    ///
    /// # Errors
    /// As [`Agents::tell`].
    pub async fn tell_all(&mut self, order: &Order) -> Result<(), RunError> {
        for nth in 0..self.all.len() {
            self.tell(nth, order).await?;
        }
        Ok(())
    }

    /// What one of them says next.
    ///
    /// # Errors
    /// [`RunError::Agent`]: it can't go on.
    pub async fn hear(&mut self) -> Result<(usize, Saying), RunError> {
        match self.sayings.recv().await {
            Some((nth, Saying::Failed(why))) => Err(RunError::Agent { nth, why }),
            Some(said) => Ok(said),
            None => Err(RunError::Agent { nth: 0, why: "all have ended".to_owned() }),
        }
    }
}
