//! The one writer: a thread that puts whatever waits into one transaction.
//!
//! While a commit is on its way to the disk the next group gathers, so the disk's pace sets the
//! size of the groups and no timer does. Nobody hears before the commit has returned (I2).
//! A failed statement or commit poisons the store: no answer of that group is given.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::attributes::Index;
use super::lock::DirLock;
use super::tables::{self, Heads};
use super::{Guard, Shared};
use crate::clock::Clock;
use crate::store::{Append, Claim, Claimed, Epoch, Error, Score, Seq, SessionMetrics, Snapshot};

/// Records in one transaction, unless a single call brings more.
const GROUP_RECORDS_MAX: usize = 8_192;

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<T>;

/// A call that writes.
pub(super) enum Job {
    Append(Vec<Append>, Reply<Vec<Result<(), Error>>>),
    Claim(Claim, Reply<Result<Claimed, Error>>),
    Snapshot(Snapshot, Reply<Result<(), Error>>),
    Release(ActorId, Epoch, Option<u64>, Reply<Result<(), Error>>),
    Erase(ActorId, Epoch, Seq, Reply<Result<(), Error>>),
    Score(Score, Reply<Result<(), Error>>),
    Metrics(SessionMetrics, Reply<Result<(), Error>>),
    Secret(String, Bytes, Reply<Result<Bytes, Error>>),
    Close(Reply<Result<(), Error>>),
}

/// An answer that waits for the commit.
enum Answer {
    Append(Vec<Result<(), Error>>, Reply<Vec<Result<(), Error>>>),
    Claim(Result<Claimed, Error>, Reply<Result<Claimed, Error>>),
    Done(Result<(), Error>, Reply<Result<(), Error>>),
    Secret(Result<Bytes, Error>, Reply<Result<Bytes, Error>>),
    /// Given once everything is closed.
    Closed(Reply<Result<(), Error>>),
}

/// What the writer's thread owns. The lock goes last, after every connection.
pub(super) struct Writer {
    pub conn: Connection,
    pub readers: Vec<JoinHandle<()>>,
    pub index: Index,
    pub clock: Clock,
    pub lock: DirLock,
}

impl Writer {
    /// Serves jobs until the queue is closed or a commit fails.
    pub fn run(mut self, shared: &Arc<Shared>) {
        let guard = Guard::new(shared);
        let (mut heads, mut closers) = (Heads::new(), Vec::new());
        while let Some(group) = shared.writes.take(GROUP_RECORDS_MAX) {
            match self.commit(&mut heads, group) {
                Ok(answers) => {
                    shared.commits.fetch_add(1, Ordering::Relaxed);
                    closers.extend(answers.into_iter().filter_map(give));
                }
                Err(error) => {
                    shared.poison(&error.to_string());
                    break;
                }
            }
        }
        drop(guard);
        let closed = self.close(shared);
        for closer in closers {
            give_to(closer, closed.clone());
        }
    }

    /// Does a group's jobs in one transaction. An error undoes them all.
    fn commit(&mut self, heads: &mut Heads, group: Vec<Job>) -> rusqlite::Result<Vec<Answer>> {
        let now_ms = self.clock.now_ms();
        let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let answers = group
            .into_iter()
            .map(|job| job.perform(&transaction, heads, now_ms))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        transaction.commit()?;
        Ok(answers)
    }

    /// Waits for the index and the readers, writes the log back into the file, and gives up the
    /// lock.
    fn close(self, shared: &Shared) -> Result<(), Error> {
        self.index.close();
        for reader in self.readers {
            drop(reader.join());
        }
        let written_back = if shared.poisoned.is_cancelled() {
            // After a failed sync the file is left alone: the next start reads the log afresh.
            let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            self.conn.set_db_config(no_checkpoint, true).map(|_| ())
        } else {
            self.conn.pragma_update(None, "wal_checkpoint", "TRUNCATE")
        };
        let closed = self.conn.close().map_err(|(_, error)| error);
        drop(self.lock);
        written_back.and(closed).map_err(|error| Error::Poisoned(error.to_string()))
    }
}

impl Job {
    fn perform(
        self,
        conn: &Connection,
        heads: &mut Heads,
        now_ms: u64,
    ) -> rusqlite::Result<Answer> {
        Ok(match self {
            Self::Append(batch, reply) => {
                Answer::Append(tables::append(conn, heads, &batch)?, reply)
            }
            Self::Claim(claim, reply) => {
                Answer::Claim(tables::claim(conn, heads, claim, now_ms)?, reply)
            }
            Self::Snapshot(snapshot, reply) => {
                Answer::Done(tables::snapshot(conn, heads, &snapshot)?, reply)
            }
            Self::Release(actor, epoch, due_ms, reply) => {
                Answer::Done(tables::release(conn, heads, &actor, epoch, due_ms)?, reply)
            }
            Self::Erase(actor, epoch, seq, reply) => {
                let tip = (epoch, seq);
                Answer::Done(tables::erase(conn, heads, &actor, tip, now_ms)?, reply)
            }
            Self::Score(score, reply) => Answer::Done(tables::put_score(conn, &score)?, reply),
            Self::Metrics(metrics, reply) => {
                Answer::Done(tables::put_metrics(conn, &metrics)?, reply)
            }
            Self::Secret(name, fresh, reply) => {
                Answer::Secret(tables::secret(conn, &name, &fresh)?, reply)
            }
            Self::Close(reply) => Answer::Closed(reply),
        })
    }
}

/// I2: called after the commit only. Keeps back the answer that closing gives.
fn give(answer: Answer) -> Option<Reply<Result<(), Error>>> {
    match answer {
        Answer::Append(results, reply) => give_to(reply, results),
        Answer::Claim(result, reply) => give_to(reply, result),
        Answer::Done(result, reply) => give_to(reply, result),
        Answer::Secret(result, reply) => give_to(reply, result),
        Answer::Closed(reply) => return Some(reply),
    }
    None
}

/// A caller that has gone needs no answer.
fn give_to<T>(reply: Reply<T>, answer: T) {
    drop(reply.send(answer));
}
