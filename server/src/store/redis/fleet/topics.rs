//! Topics that one subscriber watches: a task, with one connection to each server that serves
//! some of them.
//!
//! Sharded channels (Redis 7.0) lie where the hash tag of their name does. When a connection is
//! lost or a topic moves, everything is subscribed again and the subscriber hears
//! [`Heard::Lost`]: afterwards, so that what it then asks for in full is followed without a gap.
//! I7: what finds the subscriber's channel full is dropped, and it hears `Lost` once there is
//! room.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, Value};
use tokio::sync::mpsc;

use super::{channel, channel_tag};
use crate::clock::Clock;
use crate::store::fleet::Heard;
use crate::store::redis::connect::Purpose;
use crate::store::redis::link::Link;
use crate::store::redis::route::Router;

/// Most messages that wait for the subscriber, and as many that wait for this task.
const HEARD_LEN_MAX: usize = 4096;
/// How often connections are tried and links compared, in milliseconds.
const LOOK_MS: u64 = 500;
/// Pause before a subscription is tried again, in milliseconds.
const RETRY_MS: u64 = 50;
/// How long a server may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// Starts the task; it ends with the sender of `topics` or the receiver of what is heard.
pub(super) fn watch(
    router: Router,
    clock: Clock,
    topics: mpsc::Receiver<(String, bool)>,
) -> mpsc::Receiver<Heard> {
    let (heard, receiver) = mpsc::channel(HEARD_LEN_MAX);
    let watcher = Watcher {
        router,
        clock,
        wanted: BTreeSet::new(),
        ways: Vec::new(),
        heard,
        lost: false,
        look_at_ms: 0,
    };
    tokio::spawn(watcher.run(topics));
    receiver
}

struct Watcher {
    router: Router,
    clock: Clock,
    wanted: BTreeSet<String>,
    ways: Vec<Way>,
    heard: mpsc::Sender<Heard>,
    /// Messages may have been missed since the subscriber was last told so.
    lost: bool,
    /// By [`Clock::uptime_ms`].
    look_at_ms: u64,
}

/// A connection to one server, and what is subscribed on it.
struct Way {
    link: Link,
    connection: MultiplexedConnection,
    pushes: mpsc::Receiver<PushInfo>,
    topics: BTreeSet<String>,
}

impl Watcher {
    async fn run(mut self, mut topics: mpsc::Receiver<(String, bool)>) {
        loop {
            tokio::select! {
                () = self.heard.closed() => return,
                pushed = next_push(&mut self.ways) => self.pushed(pushed),
                change = topics.recv() => {
                    let Some((topic, begins)) = change else { return };
                    self.change(topic, begins).await;
                }
                () = self.clock.sleep_until_uptime(self.look_at_ms) => self.look().await,
            }
        }
    }

    async fn change(&mut self, topic: String, begins: bool) {
        if begins {
            self.wanted.insert(topic);
            self.settle().await;
            return;
        }
        self.wanted.remove(&topic);
        for at in 0..self.ways.len() {
            let Some(way) = self.ways.get_mut(at).filter(|way| way.topics.contains(&topic)) else {
                continue;
            };
            if way.ask("SUNSUBSCRIBE", &topic).await {
                way.topics.remove(&topic);
            } else {
                self.give_up(at);
            }
            return;
        }
    }

    /// Tries the connections, and follows topics that are served elsewhere now.
    async fn look(&mut self) {
        self.look_at_ms = self.clock.uptime_ms() + LOOK_MS;
        let mut at = 0;
        while let Some(way) = self.ways.get_mut(at) {
            if way.answers().await && way.is_right(&self.router) {
                at += 1;
            } else {
                self.give_up(at);
            }
        }
        self.settle().await;
    }

    /// Subscribes what is wanted and not yet subscribed; tells the subscriber when all is well
    /// again.
    async fn settle(&mut self) {
        let missing: Vec<String> = self
            .wanted
            .iter()
            .filter(|topic| !self.ways.iter().any(|way| way.topics.contains(*topic)))
            .cloned()
            .collect();
        for topic in missing {
            if !self.subscribe(topic).await {
                self.lost = true;
                self.look_at_ms = self.clock.uptime_ms() + RETRY_MS;
                return;
            }
        }
        if self.lost {
            self.lost = self.heard.try_send(Heard::Lost).is_err();
        }
    }

    async fn subscribe(&mut self, topic: String) -> bool {
        let link = self.router.link(&channel_tag(&topic));
        let at = match self.ways.iter().position(|way| way.link == link) {
            Some(at) => at,
            None => {
                let Some(way) = Way::open(link).await else { return false };
                self.ways.push(way);
                self.ways.len() - 1
            }
        };
        let Some(way) = self.ways.get_mut(at) else { return false };
        let subscribed = way.ask("SSUBSCRIBE", &topic).await;
        if subscribed {
            way.topics.insert(topic);
        } else {
            self.give_up(at);
        }
        subscribed
    }

    fn give_up(&mut self, at: usize) {
        self.ways.swap_remove(at);
        self.lost = true;
        self.look_at_ms = self.look_at_ms.min(self.clock.uptime_ms() + RETRY_MS);
    }

    fn pushed(&mut self, (at, push): (usize, Option<PushInfo>)) {
        let Some(push) = push else { return self.give_up(at) };
        // It was full before this push was taken, so others may have been dropped.
        self.lost |= self.ways.get(at).is_some_and(|way| way.pushes.len() + 1 >= HEARD_LEN_MAX);
        match push.kind {
            PushKind::Disconnection => self.give_up(at),
            PushKind::SMessage => self.hear(push.data),
            // The server ends a subscription itself when the slot moves.
            PushKind::SUnsubscribe => self.unsubscribed(at, &push.data),
            _ => {}
        }
    }

    fn hear(&mut self, data: Vec<Value>) {
        let mut data = data.into_iter();
        let (Some(Value::BulkString(channel)), Some(Value::BulkString(bytes))) =
            (data.next(), data.next())
        else {
            return;
        };
        let Some(topic) = topic_of(&channel).filter(|topic| self.wanted.contains(*topic)) else {
            return;
        };
        if self.lost {
            self.lost = self.heard.try_send(Heard::Lost).is_err();
        }
        let message = Heard::Message { topic: topic.to_owned(), bytes: Bytes::from(bytes) };
        self.lost |= self.heard.try_send(message).is_err();
    }

    fn unsubscribed(&mut self, at: usize, data: &[Value]) {
        let Some(Value::BulkString(channel)) = data.first() else { return };
        let Some(topic) = topic_of(channel).filter(|topic| self.wanted.contains(*topic)) else {
            return;
        };
        if self.ways.get_mut(at).is_some_and(|way| way.topics.remove(topic)) {
            self.lost = true;
            self.look_at_ms = self.look_at_ms.min(self.clock.uptime_ms() + RETRY_MS);
        }
    }
}

impl Way {
    async fn open(link: Link) -> Option<Self> {
        let (sender, pushes) = mpsc::channel(HEARD_LEN_MAX);
        match link.connection(Purpose::Pushes(sender)).await {
            Ok(connection) => Some(Self { link, connection, pushes, topics: BTreeSet::new() }),
            Err(error) => {
                tracing::debug!(%error, "topics can't be watched");
                None
            }
        }
    }

    async fn ask(&mut self, command: &str, topic: &str) -> bool {
        let mut ask = redis::cmd(command);
        ask.arg(channel(topic));
        let asking = self.connection.send_packed_command(&ask);
        let answer = tokio::time::timeout(ANSWER_MAX, asking).await;
        answer.is_ok_and(|answer| answer.is_ok_and(|value| value.extract_error().is_ok()))
    }

    async fn answers(&mut self) -> bool {
        let ping = redis::cmd("PING");
        let asking = self.connection.send_packed_command(&ping);
        tokio::time::timeout(ANSWER_MAX, asking).await.is_ok_and(|answer| answer.is_ok())
    }

    /// Whether this server still serves what is subscribed on it.
    fn is_right(&self, router: &Router) -> bool {
        self.topics.iter().all(|topic| router.link(&channel_tag(topic)) == self.link)
    }
}

/// The next push of any connection, with its place; `None` of one that has ended.
async fn next_push(ways: &mut [Way]) -> (usize, Option<PushInfo>) {
    std::future::poll_fn(|context| {
        for (at, way) in ways.iter_mut().enumerate() {
            if let std::task::Poll::Ready(push) = way.pushes.poll_recv(context) {
                return std::task::Poll::Ready((at, push));
            }
        }
        std::task::Poll::Pending
    })
    .await
}

fn topic_of(channel: &[u8]) -> Option<&str> {
    std::str::from_utf8(channel).ok()?.strip_prefix("hf:{r:")?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_found_in_its_channel() {
        assert_eq!(topic_of(channel("room:hall").as_bytes()), Some("room:hall"));
        assert_eq!(topic_of(b"hf:{p0001}:j:x"), None);
    }
}
