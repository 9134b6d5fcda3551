//! MessagePack from bytes that nobody vouches for: value by value, or as JSON text.
//!
//! A length is believed only as far as there are bytes for it, so that no message makes a reader
//! ask for more memory than it brings; nesting ends at [`DEPTH_MAX`], so that none costs more
//! stack.

use serde::Serialize;

use super::DEPTH_MAX;

/// Why bytes are no message. Reacts: the session, with a `bad_message` reply; a bot gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// A client's message is neither map nor array.
    #[error(
        r#"a message is a map {{"id": <integer>, "do": "<verb>", "args": {{…}}}} or an input [seq, [[dx, dy, buttons], …]]"#
    )]
    Message,
    /// A client's array has another shape.
    #[error("an array is an input: [seq, [[dx, dy, buttons], …]]")]
    Input,
    /// A server's array has another shape.
    #[error(
        "an array is a room frame: [tick, in, [[entity, x, y, health, flags], …], [gone, …], full]"
    )]
    Room,
    /// The bytes end within a value.
    #[error("the message ends within a value")]
    Short,
    /// Bytes are left over; one frame is one message.
    #[error("bytes after the message: {0}")]
    Trailing(usize),
    /// A list, map or text claims more than is there.
    #[error("a length of {len} is more than the {left} bytes that follow can hold")]
    Length {
        /// The elements, entries or bytes that it claims.
        len: u32,
        /// The bytes that are there.
        left: usize,
    },
    /// Arrays and maps in arrays and maps, beyond [`DEPTH_MAX`].
    #[error("arrays and maps nest deeper than {DEPTH_MAX} levels")]
    Deep,
    /// JSON has no other keys.
    #[error("the keys of a map must be text")]
    Key,
    /// Binary, an extension type, or the byte that begins nothing.
    #[error(
        "type {0:#04x} is not taken: only numbers, text, arrays, maps, true, false and nil are"
    )]
    Type(u8),
    /// JSON has no infinities and no NaN.
    #[error("numbers must be finite")]
    NotFinite,
    /// Text holds bytes that are none.
    #[error("text must be UTF-8")]
    NotUtf8,
}

/// A value, or what opens one that has parts.
enum Head<'a> {
    Nil,
    Bool(bool),
    Uint(u64),
    /// Below zero.
    Int(i64),
    Float(f64),
    Text(&'a str),
    List(u32),
    Map(u32),
}

/// Bytes that are not read yet.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// True when an array is next.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.rest, [0x90..=0x9f | 0xdc | 0xdd, ..])
    }

    /// True when a map is next.
    pub(super) fn is_map(&self) -> bool {
        matches!(self.rest, [0x80..=0x8f | 0xde | 0xdf, ..])
    }

    /// Refuses bytes after the message.
    pub(super) fn end(&self) -> Result<(), PackError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(PackError::Trailing(left)),
        }
    }

    /// The length of an array; `otherwise` when it is none.
    pub(super) fn list(&mut self, otherwise: PackError) -> Result<usize, PackError> {
        match self.head()? {
            Head::List(len) => Ok(len as usize),
            _ => Err(otherwise),
        }
    }

    /// An array of exactly `len`.
    pub(super) fn list_of(&mut self, len: usize, otherwise: PackError) -> Result<(), PackError> {
        if self.list(otherwise)? == len { Ok(()) } else { Err(otherwise) }
    }

    /// An array of at least `len`: how many elements more it has.
    pub(super) fn list_from(
        &mut self,
        len: usize,
        otherwise: PackError,
    ) -> Result<usize, PackError> {
        self.list(otherwise)?.checked_sub(len).ok_or(otherwise)
    }

    /// An integer that fits.
    pub(super) fn number<T>(&mut self, otherwise: PackError) -> Result<T, PackError>
    where
        T: TryFrom<u64> + TryFrom<i64>,
    {
        let number = match self.head()? {
            Head::Uint(number) => T::try_from(number).ok(),
            Head::Int(number) => T::try_from(number).ok(),
            _ => None,
        };
        number.ok_or(otherwise)
    }

    pub(super) fn flag(&mut self, otherwise: PackError) -> Result<bool, PackError> {
        match self.head()? {
            Head::Bool(flag) => Ok(flag),
            _ => Err(otherwise),
        }
    }

    /// Passes over `count` values.
    pub(super) fn skip(&mut self, count: usize) -> Result<(), PackError> {
        let mut out = Vec::new();
        for _ in 0..count {
            self.json(&mut out, DEPTH_MAX)?;
            out.clear();
        }
        Ok(())
    }

    /// All that is left, as the JSON text of one value.
    pub(super) fn whole_text(&mut self) -> Result<String, PackError> {
        let text = self.text()?;
        self.end()?;
        Ok(text)
    }

    /// The next value as JSON text.
    pub(super) fn text(&mut self) -> Result<String, PackError> {
        let mut out = Vec::with_capacity(self.rest.len());
        self.json(&mut out, DEPTH_MAX)?;
        String::from_utf8(out).map_err(|_| PackError::NotUtf8)
    }

    fn json(&mut self, out: &mut Vec<u8>, levels: usize) -> Result<(), PackError> {
        match self.head()? {
            Head::Nil => push(out, &()),
            Head::Bool(flag) => push(out, &flag),
            Head::Uint(number) => push(out, &number),
            Head::Int(number) => push(out, &number),
            Head::Float(number) => push(out, &number),
            Head::Text(text) => push(out, text),
            Head::List(len) => return self.list_json(out, len, below(levels)?),
            Head::Map(len) => return self.map_json(out, len, below(levels)?),
        }
        Ok(())
    }

    fn list_json(&mut self, out: &mut Vec<u8>, len: u32, levels: usize) -> Result<(), PackError> {
        out.push(b'[');
        for index in 0..len {
            if index > 0 {
                out.push(b',');
            }
            self.json(out, levels)?;
        }
        out.push(b']');
        Ok(())
    }

    fn map_json(&mut self, out: &mut Vec<u8>, len: u32, levels: usize) -> Result<(), PackError> {
        out.push(b'{');
        for index in 0..len {
            if index > 0 {
                out.push(b',');
            }
            let Head::Text(key) = self.head()? else { return Err(PackError::Key) };
            push(out, key);
            out.push(b':');
            self.json(out, levels)?;
        }
        out.push(b'}');
        Ok(())
    }

    /// The next value, or the head of one that has parts.
    fn head(&mut self) -> Result<Head<'a>, PackError> {
        let [marker] = self.array()?;
        match marker {
            0x00..=0x7f => Ok(Head::Uint(marker.into())),
            0x80..=0x8f => self.opened(Head::Map, marker & 0x0f, 2),
            0x90..=0x9f => self.opened(Head::List, marker & 0x0f, 1),
            0xa0..=0xbf => self.string(marker & 0x1f),
            0xc0 => Ok(Head::Nil),
            0xc2 | 0xc3 => Ok(Head::Bool(marker == 0xc3)),
            0xca => self.array().map(f32::from_be_bytes).map(f64::from).and_then(finite),
            0xcb => self.array().map(f64::from_be_bytes).and_then(finite),
            0xcc => self.array().map(u8::from_be_bytes).map(|n| Head::Uint(n.into())),
            0xcd => self.array().map(u16::from_be_bytes).map(|n| Head::Uint(n.into())),
            0xce => self.array().map(u32::from_be_bytes).map(|n| Head::Uint(n.into())),
            0xcf => self.array().map(u64::from_be_bytes).map(Head::Uint),
            0xd0 => self.array().map(i8::from_be_bytes).map(|n| signed(n.into())),
            0xd1 => self.array().map(i16::from_be_bytes).map(|n| signed(n.into())),
            0xd2 => self.array().map(i32::from_be_bytes).map(|n| signed(n.into())),
            0xd3 => self.array().map(i64::from_be_bytes).map(signed),
            0xd9 => self.array().map(u8::from_be_bytes).and_then(|len| self.string(len)),
            0xda => self.array().map(u16::from_be_bytes).and_then(|len| self.string(len)),
            0xdb => self.array().map(u32::from_be_bytes).and_then(|len| self.string(len)),
            0xdc => {
                self.array().map(u16::from_be_bytes).and_then(|n| self.opened(Head::List, n, 1))
            }
            0xdd => {
                self.array().map(u32::from_be_bytes).and_then(|n| self.opened(Head::List, n, 1))
            }
            0xde => self.array().map(u16::from_be_bytes).and_then(|n| self.opened(Head::Map, n, 2)),
            0xdf => self.array().map(u32::from_be_bytes).and_then(|n| self.opened(Head::Map, n, 2)),
            0xe0..=0xff => Ok(signed(i8::from_be_bytes([marker]).into())),
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => Err(PackError::Type(marker)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PackError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(PackError::Short)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// A head whose `len` parts of at least `each` bytes may be there.
    fn opened(
        &self,
        head: fn(u32) -> Head<'a>,
        len: impl Into<u32>,
        each: usize,
    ) -> Result<Head<'a>, PackError> {
        let (len, left) = (len.into(), self.rest.len());
        if (len as usize).saturating_mul(each) > left {
            return Err(PackError::Length { len, left });
        }
        Ok(head(len))
    }

    fn string(&mut self, len: impl Into<u32>) -> Result<Head<'a>, PackError> {
        let (len, left) = (len.into(), self.rest.len());
        let parts = self.rest.split_at_checked(len as usize);
        let (bytes, rest) = parts.ok_or(PackError::Length { len, left })?;
        self.rest = rest;
        std::str::from_utf8(bytes).map(Head::Text).map_err(|_| PackError::NotUtf8)
    }
}

fn below(levels: usize) -> Result<usize, PackError> {
    levels.checked_sub(1).ok_or(PackError::Deep)
}

fn finite<'a>(number: f64) -> Result<Head<'a>, PackError> {
    if number.is_finite() { Ok(Head::Float(number)) } else { Err(PackError::NotFinite) }
}

fn signed<'a>(number: i64) -> Head<'a> {
    u64::try_from(number).map_or(Head::Int(number), Head::Uint)
}

/// A scalar as JSON. Writing one to memory can't fail; what is half written would be no JSON,
/// and its reader would say so.
fn push<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(out, value);
}
