//! What only an observer of everything knows: what clients were told, and which losses no
//! protocol at this level could have prevented.
//!
//! A record is *acknowledged* when a client could see it: its append was answered, its reassertion
//! confirmed, or a later holder loaded it. Its loss is excused in two cases only:
//!
//! - *widowed*: every node that had it in memory died, and the primary went back behind it. That
//!   is the double fault that the level `stored` excludes.
//! - *forfeit*: its holder had not taken a term in the present history when another one was
//!   allowed to go on there (the quiet time or the grace had passed): a holder that was cut off or
//!   frozen for longer, or wrote to a primary that had been replaced.

/// Room for record ids, from 1.
pub const IDS: usize = 6;

/// The ghost state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ghost {
    /// By record id: the seq at which it was acknowledged, or 0.
    pub acked: [u8; IDS],
    widowed: u8,
    forfeit: u8,
    pub wrote_after_newer: bool,
    pub left_a_gap: bool,
    pub acked_twice: bool,
    pub contradicted: bool,
    pub created_anew: bool,
    pub resent: bool,
    /// The record that was sent again last.
    pub resending: u8,
    pub took_over: bool,
    pub fenced: bool,
    pub reasserted: bool,
    pub replaced: bool,
    pub found_applied: bool,
}

fn bit(id: u8) -> u8 {
    1 << id
}

impl Ghost {
    pub fn is_excused(&self, id: u8) -> bool {
        (self.widowed | self.forfeit) & bit(id) != 0
    }

    pub fn acked_ids(&self) -> impl Iterator<Item = u8> {
        let ids = 0_u8..;
        let acked = ids.zip(self.acked).filter(|(_, seq)| *seq > 0);
        acked.map(|(id, _)| id).collect::<Vec<_>>().into_iter()
    }

    pub fn is_widowed(&self, id: u8) -> bool {
        self.widowed & bit(id) != 0
    }

    pub fn forfeit(&mut self, id: u8) {
        self.forfeit |= bit(id);
    }

    pub fn widow(&mut self, id: u8) {
        self.widowed |= bit(id);
    }

    /// A node has it in memory again.
    pub fn remember(&mut self, id: u8) {
        self.widowed &= !bit(id);
    }

    /// A client sees this record.
    pub fn acknowledge(&mut self, id: u8, seq: u8) {
        let Some(known) = self.acked.get(usize::from(id)) else { return };
        let another = |(other, at): (u8, u8)| other != id && at == seq && !self.is_excused(other);
        let conflict = (0..).zip(self.acked).any(another) && !self.is_excused(id);
        self.acked_twice |= conflict || (*known != 0 && *known != seq);
        self.acked[usize::from(id)] = seq;
    }
}
