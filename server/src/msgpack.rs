//! MessagePack with field names: requests, events, tells and states, as they travel and are kept.

use bytes::Bytes;
use rmp_serde::encode::Error;
use serde::Serialize;

/// Room for what is written most often, an input or an event, so that it is written without
/// growing.
const USUAL_LEN: usize = 192;

/// Writes a value, structs as maps by field name.
///
/// # Errors
/// A value that MessagePack has no form for; plain data has one.
pub fn named<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, Error> {
    let mut out = Vec::with_capacity(USUAL_LEN);
    rmp_serde::encode::write_named(&mut out, value)?;
    // Copied into a place of its length: these wait in queues and records by the thousand.
    Ok(if out.len() <= USUAL_LEN { Bytes::copy_from_slice(&out) } else { Bytes::from(out) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_rmp_serde_writes() {
        for len in [0, 1, USUAL_LEN, 4 * USUAL_LEN] {
            let value = std::collections::BTreeMap::from([("key", "x".repeat(len))]);
            let expected = rmp_serde::to_vec_named(&value).unwrap();
            assert_eq!(named(&value).unwrap(), expected, "{len}");
        }
    }
}
