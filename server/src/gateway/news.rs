//! What nodes tell one another about one room: the message and its bytes. Pure.
//!
//! A message is the byte [`VERSION`] and then MessagePack. It carries the sender's node session,
//! its own number, and the number of the message before it about the same room, so that a reader
//! drops what it has and notices what it missed. A full round names every actor that the sender
//! has there, over as many messages as it takes.
//! I7: a message names at most [`SEEN_MAX`] actors and [`SAYS_MAX`] broadcasts; [`split`] makes
//! more messages of more. A longer one is refused by the reader.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The first byte of a message that this build writes and reads.
pub const VERSION: u8 = 1;
/// Most actors that one message names, shown and gone alike.
pub const SEEN_MAX: usize = 128;
/// Most broadcasts in one message.
pub const SAYS_MAX: usize = 32;
/// Longest message that is read, in bytes.
pub const NEWS_LEN_MAX: usize = 256 * 1024;

/// One actor as others may see it, and as of when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Whose.
    pub player: Arc<str>,
    /// The term of its owner.
    pub epoch: u64,
    /// The record that made it so.
    pub seq: u64,
    /// Its number in the room.
    pub entity: u32,
    /// Its display name.
    pub label: Arc<str>,
    /// Position, in the world's units.
    pub x: i32,
    /// Position, in the world's units.
    pub y: i32,
    /// Health.
    pub health: i32,
    /// Bits of the wire's room rows.
    pub flags: u32,
}

/// An actor that left the room, and as of when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Who.
    pub player: Arc<str>,
    /// The term of its owner.
    pub epoch: u64,
    /// The record that made it so.
    pub seq: u64,
}

/// One message about one room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// The sender's node session.
    pub node: u64,
    /// Rises with each message of a node.
    pub n: u64,
    /// The sender's message before this one about the same room; 0: it remembers none.
    pub prev: u64,
    /// Part of a full round that began with the message of that number.
    pub full: Option<u64>,
    /// The last part of that round.
    pub last: bool,
    /// The sender asks the others for a full round.
    pub want: bool,
    /// Actors that are new or have changed.
    pub seen: Vec<Seen>,
    /// Actors that left.
    pub gone: Vec<Gone>,
    /// Broadcasts, oldest first: JSON text.
    pub says: Vec<Bytes>,
}

/// Why bytes are no message. Reacts: the reader drops and counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NewsError {
    /// Another version of this program speaks another version of it.
    #[error("version {0} of room news is not known")]
    Version(u8),
    /// It is not what it should be.
    #[error("not a message of room news")]
    Shape,
    /// Longer than any message that is written.
    #[error("room news beyond its bounds")]
    TooLong,
}

/// The bytes of a message.
#[must_use]
pub fn encode(news: &News) -> Bytes {
    let mut bytes = vec![VERSION];
    // Plain data into memory: encoding can't fail, and what it would leave is refused as a shape.
    let _ = rmp_serde::encode::write(&mut bytes, news);
    bytes.into()
}

/// The message in `bytes`.
///
/// # Errors
/// [`NewsError`], each with its meaning.
pub fn decode(bytes: &[u8]) -> Result<News, NewsError> {
    if bytes.len() > NEWS_LEN_MAX {
        return Err(NewsError::TooLong);
    }
    let (version, body) = bytes.split_first().ok_or(NewsError::Shape)?;
    if *version != VERSION {
        return Err(NewsError::Version(*version));
    }
    let news: News = rmp_serde::from_slice(body).map_err(|_| NewsError::Shape)?;
    if news.seen.len() + news.gone.len() > SEEN_MAX || news.says.len() > SAYS_MAX {
        return Err(NewsError::TooLong);
    }
    Ok(news)
}

/// Cuts one message that may be too long into as many as it takes, in order. `next` gives the
/// numbers; the first part has `whole.prev` as the one before it, and a full round begins there.
#[must_use]
pub fn split(whole: News, mut next: impl FnMut() -> u64) -> Vec<News> {
    let (node, want, full) = (whole.node, whole.want, whole.full.is_some());
    let (mut seen, mut gone) = (whole.seen.into_iter(), whole.gone.into_iter());
    let mut says = whole.says.into_iter();
    let (mut parts, mut prev, mut first): (Vec<News>, u64, Option<u64>) =
        (Vec::new(), whole.prev, None);
    loop {
        let n = next();
        let round = *first.get_or_insert(n);
        let mut part = News { node, n, prev, want, full: full.then_some(round), ..News::default() };
        part.gone.extend(gone.by_ref().take(SEEN_MAX));
        part.seen.extend(seen.by_ref().take(SEEN_MAX - part.gone.len()));
        part.says.extend(says.by_ref().take(SAYS_MAX));
        prev = n;
        part.last = seen.len() == 0 && gone.len() == 0 && says.len() == 0;
        let last = part.last;
        parts.push(part);
        if last {
            return parts;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(player: &str) -> Seen {
        let (player, label) = (player.into(), "Name".into());
        Seen { player, epoch: 7, seq: 9, entity: 3, label, x: -5, y: 6, health: 100, flags: 8 }
    }

    fn whole(len: usize) -> News {
        let gone = |at: usize| Gone { player: format!("g{at}").into(), epoch: 1, seq: 2 };
        News {
            node: u64::MAX,
            prev: 4,
            full: Some(0),
            want: true,
            seen: (0..len).map(|at| seen(&format!("p{at}"))).collect(),
            gone: (0..len).map(gone).collect(),
            says: (0..len).map(|at| Bytes::from(format!("{{\"at\":{at}}}"))).collect(),
            ..News::default()
        }
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        let news = News { n: 5, last: true, ..whole(3) };
        assert_eq!(decode(&encode(&news)), Ok(news));
    }

    #[test]
    fn what_is_no_message_is_refused_by_name() {
        let good = encode(&whole(1));
        let mut other = good.to_vec();
        other[0] = 2;
        assert_eq!(decode(&other), Err(NewsError::Version(2)));
        assert_eq!(decode(&[]), Err(NewsError::Shape));
        assert_eq!(decode(&good[..good.len() - 1]), Err(NewsError::Shape));
        assert_eq!(decode(&encode(&whole(SEEN_MAX))), Err(NewsError::TooLong));
        assert_eq!(decode(&vec![VERSION; NEWS_LEN_MAX + 1]), Err(NewsError::TooLong));
    }

    #[test]
    fn the_bytes_of_version_one_stay_readable() {
        let bytes = encode(&News { node: 1, n: 2, seen: vec![seen("alice")], ..News::default() });
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let kept = "0199010200c0c2c29199a5616c696365070903a44e616d65fb0664089090";
        assert_eq!(hex, kept, "a change of the format is a new version");
    }

    #[test]
    fn what_is_too_much_for_one_message_takes_several_in_order() {
        let mut n = 10;
        let parts = split(whole(300), || {
            n += 1;
            n
        });
        assert_eq!(parts.len(), 10, "300 broadcasts at 32 a message");
        for (at, part) in parts.iter().enumerate() {
            assert!(decode(&encode(part)).is_ok(), "part {at} is too long");
            let prev = if at == 0 { 4 } else { part.n - 1 };
            assert_eq!((part.prev, part.full, part.want), (prev, Some(11), true));
            assert_eq!(part.last, at + 1 == parts.len());
        }
        let says: Vec<_> = parts.iter().flat_map(|part| part.says.clone()).collect();
        let names: Vec<_> = parts.iter().flat_map(|part| part.seen.clone()).collect();
        assert_eq!((says, names), (whole(300).says, whole(300).seen));
    }

    #[test]
    fn an_empty_message_is_one_part() {
        let parts = split(News { want: true, ..News::default() }, || 1);
        assert_eq!(parts.len(), 1);
        assert!(parts[0].last && parts[0].want);
    }
}
