//! Every key of the store, named in one place.
//!
//! A key carries the tag of its partition in braces, so that all keys of an actor and the indexes
//! of its partition share a slot of a cluster, and a script may touch them together:
//!
//! | key | kind | what |
//! |---|---|---|
//! | `hf:{p0421}:j:<actor>` | stream | journal: entries `<epoch>-<seq>`, records and markers |
//! | `hf:{p0421}:m:<actor>` | hash | owner: `session`, and its `epoch` |
//! | `hf:{p0421}:s:<actor>`, `…:t:<actor>` | string | newest and older snapshot |
//! | `hf:{p0421}:due` | zset | earliest obligation of each actor that has one, in ms |
//! | `hf:{p0421}:ids` | zset | every actor, by name |
//! | `hf:{p0421}:p` | hash | facts: `incarnation`, `replication` id, `grace` until |
//! | `hf:{p0421}:r` | hash | rows of the attribute index, by player |
//! | `hf:{p0421}:x:n<attribute>` | zset | numbers: the players, scored by their values |
//! | `hf:{p0421}:x:w<attribute>` | zset | words: `<value>\0<player>`, all scored 0 |
//! | `hf:{p0421}:beacon:<random>` | string | marks a point in the replication stream |
//! | `hf:{meta}:…` and those of `board`, `metrics`, `secrets` | | what is no actor's |
//!
//! An `<attribute>` is the code of a built-in one, or the name of another in lower case. Its type is
//! in the key, since versions of a game may disagree about it.
//!
//! The partition of an actor is the same for ever: it is in the names of what is stored.

use holdfast_protocol::ids::ActorId;

use crate::store::Partition;

/// Partitions of a namespace, fixed when it is made.
pub const PARTITIONS: Partition = 1024;

/// Which namespace this is, and who made it.
pub const META: &str = "meta";
/// The leaderboard.
pub const BOARD: &str = "board";
/// Session metrics.
pub const METRICS: &str = "metrics";
/// Named secrets.
pub const SECRETS: &str = "secrets";
/// Every tag that is no partition of actors.
pub const SHARED: [&str; 4] = [META, BOARD, METRICS, SECRETS];

/// The partition that keeps an actor: the CRC-32 of its id, modulo [`PARTITIONS`].
#[must_use]
pub fn partition_of(actor: &ActorId) -> Partition {
    let hash = crc32fast::hash(actor.as_str().as_bytes());
    Partition::try_from(hash % u32::from(PARTITIONS)).unwrap_or_default()
}

/// The tag of a partition, such as `p0421`.
#[must_use]
pub fn tag(partition: Partition) -> String {
    let mut tag = String::with_capacity(5);
    push_tag(&mut tag, partition);
    tag
}

/// Writes the tag of a partition behind a text.
pub fn push_tag(text: &mut String, partition: Partition) {
    text.push('p');
    for place in [1_000, 100, 10, 1] {
        let digit = u32::from(partition / place % 10);
        text.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
}

/// The tag of the partition that keeps an actor.
#[must_use]
pub fn tag_of(actor: &ActorId) -> String {
    tag(partition_of(actor))
}

/// Names keys in one namespace.
#[derive(Debug, Clone)]
pub struct Keys {
    namespace: String,
}

impl Keys {
    /// Names keys that begin with `namespace`, such as `hf`.
    #[must_use]
    pub fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned() }
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A key of a partition that is no actor's.
    #[must_use]
    pub fn of(&self, tag: &str, name: &str) -> String {
        format!("{}:{{{tag}}}:{name}", self.namespace)
    }

    /// Facts of a partition, or of another tag.
    #[must_use]
    pub fn facts(&self, tag: &str) -> String {
        self.of(tag, "p")
    }

    /// When the actors of a partition owe something.
    #[must_use]
    pub fn due(&self, tag: &str) -> String {
        self.of(tag, "due")
    }

    /// The actors of a partition.
    #[must_use]
    pub fn ids(&self, tag: &str) -> String {
        self.of(tag, "ids")
    }

    /// Rows of the attribute index.
    #[must_use]
    pub fn rows(&self, tag: &str) -> String {
        self.of(tag, "r")
    }

    /// What finds rows by the values of one attribute, by its name in keys, such as `n4`.
    #[must_use]
    pub fn members(&self, tag: &str, name: &str) -> String {
        format!("{}:{{{tag}}}:x:{name}", self.namespace)
    }

    /// An actor's journal.
    #[must_use]
    pub fn journal(&self, actor: &ActorId) -> String {
        self.actor(actor, 'j')
    }

    /// An actor's owner.
    #[must_use]
    pub fn meta(&self, actor: &ActorId) -> String {
        self.actor(actor, 'm')
    }

    /// An actor's newest snapshot.
    #[must_use]
    pub fn newest(&self, actor: &ActorId) -> String {
        self.actor(actor, 's')
    }

    /// An actor's older snapshot.
    #[must_use]
    pub fn older(&self, actor: &ActorId) -> String {
        self.actor(actor, 't')
    }

    /// Writes [`Keys::journal`] behind a text.
    pub fn push_journal(&self, text: &mut String, actor: &ActorId) {
        self.push_prefix(text, partition_of(actor));
        text.push_str("j:");
        text.push_str(actor.as_str());
    }

    /// Writes [`Keys::due`] behind a text.
    pub fn push_due(&self, text: &mut String, partition: Partition) {
        self.push_prefix(text, partition);
        text.push_str("due");
    }

    fn push_prefix(&self, text: &mut String, partition: Partition) {
        text.push_str(&self.namespace);
        text.push_str(":{");
        push_tag(text, partition);
        text.push_str("}:");
    }

    fn actor(&self, actor: &ActorId, kind: char) -> String {
        format!("{}:{{p{:04}}}:{kind}:{actor}", self.namespace, partition_of(actor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ActorId {
        text.parse().unwrap()
    }

    #[test]
    fn an_actor_stays_in_its_partition_for_ever() {
        let known = [
            ("player:alice", 488),
            ("player:bob", 850),
            ("room:dungeon-7", 599),
            ("trade:t1", 972),
        ];
        for (actor, partition) in known {
            assert_eq!(partition_of(&id(actor)), partition, "{actor}");
        }
    }

    #[test]
    fn a_tag_has_four_digits() {
        assert_eq!([tag(0), tag(7), tag(421), tag(1023)], ["p0000", "p0007", "p0421", "p1023"]);
    }

    #[test]
    fn actors_spread_over_all_partitions() {
        let mut counts = vec![0_u32; PARTITIONS.into()];
        for n in 0..102_400 {
            counts[usize::from(partition_of(&id(&format!("player:p{n}"))))] += 1;
        }
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(*least >= 50 && *most <= 200, "between {least} and {most}, 100 on average");
    }

    #[test]
    fn every_key_of_an_actor_has_its_partition_as_tag() {
        let (keys, alice) = (Keys::new("hf"), id("player:alice"));
        let tag = tag_of(&alice);
        let names = [
            (keys.journal(&alice), "j:player:alice"),
            (keys.meta(&alice), "m:player:alice"),
            (keys.newest(&alice), "s:player:alice"),
            (keys.older(&alice), "t:player:alice"),
            (keys.due(&tag), "due"),
            (keys.ids(&tag), "ids"),
            (keys.facts(&tag), "p"),
            (keys.rows(&tag), "r"),
            (keys.members(&tag, "wguild"), "x:wguild"),
        ];
        for (key, name) in names {
            assert_eq!(key, format!("hf:{{{tag}}}:{name}"));
        }
        let (mut journal, mut due) = (String::new(), String::new());
        keys.push_journal(&mut journal, &alice);
        keys.push_due(&mut due, partition_of(&alice));
        assert_eq!((journal, due), (keys.journal(&alice), keys.due(&tag)));
    }
}
