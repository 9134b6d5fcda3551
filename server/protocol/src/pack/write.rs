//! MessagePack into a vector: each value in its shortest form, and JSON text transcoded.
//!
//! A list or map whose length is not known yet gets one byte for its head, which is all that up
//! to 15 parts need; a longer one moves what follows by two bytes or four when it is closed.
//! That is less than a buffer for each level, and few lists are that long.

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// What has parts, by the heads of up to 15, up to 2^16 − 1 and up to 2^32 − 1 of them.
#[derive(Clone, Copy)]
struct Kind {
    fix: u8,
    short: u8,
    long: u8,
}

const LIST: Kind = Kind { fix: 0x90, short: 0xdc, long: 0xdd };
const MAP: Kind = Kind { fix: 0x80, short: 0xde, long: 0xdf };

/// The head of a list of `len` elements, which is below 16: of the wire's own arrays.
pub(super) fn list_head(out: &mut Vec<u8>, len: u8) {
    out.push(LIST.fix | (len & 0x0f));
}

/// The head of a list of `len` elements. Beyond 2^32 − 1 they would need 4 GiB.
pub(super) fn list_len(out: &mut Vec<u8>, len: usize) {
    match len {
        ..16 => out.push(LIST.fix | len as u8),
        16..0x1_0000 => head(out, LIST.short, &(len as u16).to_be_bytes()),
        _ => head(out, LIST.long, &(len as u32).to_be_bytes()),
    }
}

/// A list, its elements written by `push`.
pub(super) fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut push: impl FnMut(&mut Vec<u8>, T),
) {
    let (at, mut count) = (open(out), 0);
    for item in items {
        push(out, item);
        count += 1;
    }
    close(out, at, LIST, count);
}

fn open(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len() - 1
}

/// Writes the head where `open` left room for it. Parts beyond 2^32 − 1 would need 4 GiB.
fn close(out: &mut Vec<u8>, at: usize, kind: Kind, count: usize) {
    let place = at..at + 1;
    if count < 16 {
        out.splice(place, [kind.fix | count as u8]);
    } else if let Ok(count) = u16::try_from(count) {
        let [a, b] = count.to_be_bytes();
        out.splice(place, [kind.short, a, b]);
    } else {
        let [a, b, c, d] = (count as u32).to_be_bytes();
        out.splice(place, [kind.long, a, b, c, d]);
    }
}

pub(super) fn flag(out: &mut Vec<u8>, flag: bool) {
    out.push(if flag { 0xc3 } else { 0xc2 });
}

pub(super) fn uint(out: &mut Vec<u8>, number: u64) {
    match number {
        0..=0x7f => out.push(number as u8),
        0x80..=0xff => out.extend([0xcc, number as u8]),
        0x100..=0xffff => head(out, 0xcd, &(number as u16).to_be_bytes()),
        0x1_0000..=0xffff_ffff => head(out, 0xce, &(number as u32).to_be_bytes()),
        _ => head(out, 0xcf, &number.to_be_bytes()),
    }
}

pub(super) fn int(out: &mut Vec<u8>, number: i64) {
    match number {
        0.. => uint(out, number.unsigned_abs()),
        -0x20..0 => out.push(number as u8),
        -0x80..-0x20 => out.extend([0xd0, number as u8]),
        -0x8000..-0x80 => head(out, 0xd1, &(number as i16).to_be_bytes()),
        -0x8000_0000..-0x8000 => head(out, 0xd2, &(number as i32).to_be_bytes()),
        _ => head(out, 0xd3, &number.to_be_bytes()),
    }
}

/// Text; beyond 4 GiB it would need another format.
fn text(out: &mut Vec<u8>, text: &str) {
    match text.len() {
        len @ ..0x20 => out.push(0xa0 | len as u8),
        len @ ..0x100 => out.extend([0xd9, len as u8]),
        len @ ..0x1_0000 => head(out, 0xda, &(len as u16).to_be_bytes()),
        len => head(out, 0xdb, &(len as u32).to_be_bytes()),
    }
    out.extend_from_slice(text.as_bytes());
}

fn head(out: &mut Vec<u8>, marker: u8, bytes: &[u8]) {
    out.push(marker);
    out.extend_from_slice(bytes);
}

/// JSON text as MessagePack, value by value as it is read.
pub(super) fn transcode(json: &str) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(json.len());
    let mut from = serde_json::Deserializer::from_str(json);
    from.deserialize_any(Pack(&mut out))?;
    from.end()?;
    Ok(out)
}

/// Writes what it visits.
struct Pack<'a>(&'a mut Vec<u8>);

impl<'de> serde::de::DeserializeSeed<'de> for Pack<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pack<'_> {
    type Value = ();

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.push(0xc0);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        flag(self.0, value);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        uint(self.0, number);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        int(self.0, number);
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        head(self.0, 0xcb, &number.to_be_bytes());
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        text(self.0, value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let (at, mut count) = (open(self.0), 0);
        while seq.next_element_seed(Pack(self.0))?.is_some() {
            count += 1;
        }
        close(self.0, at, LIST, count);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (at, mut count) = (open(self.0), 0);
        while map.next_key_seed(Pack(self.0))?.is_some() {
            map.next_value_seed(Pack(self.0))?;
            count += 1;
        }
        close(self.0, at, MAP, count);
        Ok(())
    }
}
