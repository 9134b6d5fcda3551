//! Which node looks after which partition of the store. Pure.
//!
//! Rendezvous hashing (Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit
//! Rates", 1998): each node scores each partition, and the highest score drives. When a node
//! goes, only its partitions move. All nodes must score alike, in every version of the program.
//! Two drivers of one partition, as nodes learn of a change at different times, do no harm.

use crate::store::{NodeSession, Partition};

/// The session among `sessions` that drives `partition`; `None` if there are none.
pub fn driver(
    partition: Partition,
    sessions: impl IntoIterator<Item = NodeSession>,
) -> Option<NodeSession> {
    sessions.into_iter().max_by_key(|session| (score(partition, *session), *session))
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators", 2014) over both numbers.
fn score(partition: Partition, session: NodeSession) -> u64 {
    let mixed = |mut bits: u64| {
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    };
    mixed(session ^ mixed(u64::from(partition).wrapping_add(0x9e37_79b9_7f4a_7c15)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTITIONS: Partition = 1024;

    #[test]
    fn partitions_are_spread_over_the_nodes() {
        let sessions = [3, 77, 1 << 60, u64::MAX - 5];
        let mut driven = [0_u32; 4];
        for partition in 0..PARTITIONS {
            let chosen = driver(partition, sessions).unwrap();
            driven[sessions.iter().position(|session| *session == chosen).unwrap()] += 1;
        }
        // 256 each on average, with a standard deviation of 14.
        assert!(driven.iter().all(|count| (186..=326).contains(count)), "{driven:?}");
    }

    #[test]
    fn only_the_gone_nodes_partitions_move() {
        let before = [11, 22, 33, 44, 55];
        let mut moved = 0;
        for partition in 0..PARTITIONS {
            let was = driver(partition, before).unwrap();
            let is =
                driver(partition, before.into_iter().filter(|session| *session != 33)).unwrap();
            assert!(was == is || was == 33, "partition {partition} moved from {was} to {is}");
            moved += u32::from(was == 33);
        }
        assert!(moved > 0);
    }

    #[test]
    fn every_node_chooses_alike() {
        assert_eq!(driver(7, [1, 2, 3]), driver(7, [3, 1, 2]));
        assert_eq!(driver(7, []), None);
        // A new version that scored differently would drive beside the old ones.
        let chosen: Vec<_> = (0..8).filter_map(|p| driver(p, [1, 2, 3])).collect();
        assert_eq!(chosen, [1, 3, 1, 3, 1, 1, 1, 2]);
    }
}
