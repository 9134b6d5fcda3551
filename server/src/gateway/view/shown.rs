//! Rows that many sockets are shown, encoded once for each encoding.

use std::sync::{Arc, OnceLock};

use holdfast_protocol::server::EntityRow;
use holdfast_protocol::{frame, pack, rows};

/// What changed in a topic, for everybody who was told as much before.
#[derive(Debug, Default)]
pub struct Shown {
    rows: Vec<EntityRow>,
    json: OnceLock<rows::Rows<String>>,
    packed: OnceLock<rows::Rows<Vec<u8>>>,
}

impl Shown {
    /// Rows that nobody has encoded yet.
    #[must_use]
    pub fn new(rows: Vec<EntityRow>) -> Self {
        Self { rows, json: OnceLock::new(), packed: OnceLock::new() }
    }

    /// As JSON text.
    #[must_use]
    pub fn json(&self) -> &rows::Rows<String> {
        self.json.get_or_init(|| frame::rows(&self.rows))
    }

    /// As MessagePack.
    #[must_use]
    pub fn packed(&self) -> &rows::Rows<Vec<u8>> {
        self.packed.get_or_init(|| pack::rows(&self.rows))
    }
}

/// The rows of one socket's frame: the own one first, then the others.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The own entity; its row in `shown` does not count.
    pub own: u32,
    /// Its row; `None`: it has not changed.
    pub own_row: Option<EntityRow>,
    /// The others, and perhaps an older row of the own entity.
    pub shown: Arc<Shown>,
}

impl Rows {
    /// Rows for one socket alone, in this order but for the own one.
    #[must_use]
    pub fn chosen(own: u32, rows: Vec<EntityRow>) -> Self {
        let own_row = rows.iter().find(|row| row.entity == own).copied();
        Self { own, own_row, shown: Arc::new(Shown::new(rows)) }
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.own_row.is_none() && self.others().next().is_none()
    }

    /// All, the own one first.
    #[must_use]
    pub fn to_vec(&self) -> Vec<EntityRow> {
        self.own_row.into_iter().chain(self.others()).collect()
    }

    fn others(&self) -> impl Iterator<Item = EntityRow> {
        self.shown.rows.iter().copied().filter(|row| row.entity != self.own)
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        self.to_vec() == other.to_vec()
    }
}

impl Eq for Rows {}
