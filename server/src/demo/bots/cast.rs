//! Who the bots are, and what they say. Pure.

use holdfast_protocol::ids::PlayerId;

/// Their names, in the order in which they come.
const NAMES: [&str; 16] = [
    "Bramble", "Juniper", "Otter", "Wren", "Thistle", "Marlow", "Pip", "Sorrel", "Tansy", "Finch",
    "Hazel", "Rook", "Clover", "Birch", "Saffron", "Moss",
];

/// What they say now and then.
pub const REMARKS: [&str; 14] = [
    "hold fast!",
    "good fight",
    "I will be back for that one",
    "lovely weather in the arena today",
    "who has a potion left?",
    "they say a gateway fell here once, and nobody noticed",
    "my bag survived three crashes and a power cut",
    "race you to the corner",
    "that special move has to cool down, I know",
    "mind the edge of the world",
    "I never lose my place, whatever they unplug",
    "anyone up for a duel?",
    "a short rest, then on we go",
    "have you looked behind the scenes?",
];

/// What is said to someone new.
pub const GREETINGS: [&str; 4] =
    ["a new face, welcome!", "hello there", "welcome to the arena", "good to see somebody new"];

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Nobody who types a name becomes one of them by accident.
    pub player: PlayerId,
    /// As others see it.
    pub name: &'static str,
}

/// The first `count` of them.
#[must_use]
pub fn roles(count: u32) -> Vec<Role> {
    let role = |name: &&'static str| {
        let player = PlayerId::new(&format!("{}-bot", name.to_lowercase())).ok()?;
        Some(Role { player, name })
    };
    NAMES.iter().take(count as usize).filter_map(role).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::BOTS_MAX;

    #[test]
    fn there_are_enough_of_them_and_each_once() {
        let roles = roles(BOTS_MAX);
        let players: BTreeSet<_> = roles.iter().map(|role| role.player.as_str()).collect();
        assert_eq!((roles.len(), players.len()), (BOTS_MAX as usize, BOTS_MAX as usize));
    }

    #[test]
    fn what_they_say_is_short() {
        for text in REMARKS.iter().chain(&GREETINGS) {
            assert!(text.len() <= 60, "{text}");
        }
    }
}
