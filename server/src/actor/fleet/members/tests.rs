//! Who is declared dead, and when.

use super::*;
use crate::actor::record::Formats;
use crate::store::fleet::NodeInfo;

const TTL_MS: u64 = 1_500;

fn table(live: &[NodeSession], expired: &[NodeSession]) -> Table {
    let member = |session: NodeSession, expired| {
        let info = NodeInfo {
            session,
            name: String::new(),
            address: String::new(),
            version: String::new(),
            format: 1,
            format_oldest: 1,
            activations: 0,
            sockets: 0,
            draining: false,
            outdated: false,
        };
        (session, Member { info, age_ms: 0, expired })
    };
    let live = live.iter().map(|session| member(*session, false));
    let expired = expired.iter().map(|session| member(*session, true));
    Table { members: live.chain(expired).collect(), read: 1 }
}

#[test]
fn two_reads_apart_must_see_it() {
    let mut reaper = Reaper::new(TTL_MS);
    let seen = table(&[1, 2], &[9]);
    assert!(reaper.saw(&seen, &[], 1_000).is_empty());
    assert!(reaper.saw(&seen, &[], 1_149).is_empty(), "too soon after the first");
    assert_eq!(reaper.saw(&seen, &[], 1_150), [9]);
    assert!(reaper.saw(&seen, &[], 1_300).is_empty(), "once is enough");
}

#[test]
fn a_renewal_between_two_reads_clears_it() {
    let mut reaper = Reaper::new(TTL_MS);
    assert!(reaper.saw(&table(&[1, 2], &[9]), &[], 1_000).is_empty());
    assert!(reaper.saw(&table(&[1, 2, 9], &[]), &[], 1_150).is_empty());
    assert!(reaper.saw(&table(&[1, 2], &[9]), &[], 1_300).is_empty());
    assert_eq!(reaper.saw(&table(&[1, 2], &[9]), &[], 1_450), [9]);
}

#[test]
fn after_a_failed_read_everyone_gets_a_ttl() {
    let mut reaper = Reaper::new(TTL_MS);
    let seen = table(&[1, 2], &[9]);
    assert!(reaper.saw(&seen, &[], 1_000).is_empty());
    reaper.blind(1_100);
    for now_ms in (1_150..1_100 + TTL_MS).step_by(150) {
        assert!(reaper.saw(&seen, &[], now_ms).is_empty(), "at {now_ms}");
    }
    assert_eq!(reaper.saw(&seen, &[], 1_100 + TTL_MS), [9]);
}

#[test]
fn who_is_frozen_or_was_declares_no_one_dead() {
    let seen = table(&[1, 2], &[9]);
    let mut reaper = Reaper::new(TTL_MS);
    let mut read = |holds, now_ms| {
        let quiet = reaper.is_quiet(holds, now_ms);
        let victims = reaper.saw(&seen, &[], now_ms);
        assert!(!quiet || victims.is_empty());
        victims
    };
    for now_ms in (0..1_000).step_by(150) {
        assert!(read(None, now_ms).is_empty(), "frozen");
    }
    assert!(read(Some(1), 1_000).is_empty());
    assert!(read(Some(1), 900 + TTL_MS - 1).is_empty());
    assert!(read(Some(2), 900 + TTL_MS).is_empty(), "it froze and thawed between");
    assert!(read(Some(2), 900 + TTL_MS + 150).is_empty());
    assert_eq!(read(Some(2), 900 + 2 * TTL_MS), [9]);
}

#[test]
fn no_more_than_half_go_within_a_ttl() {
    let mut reaper = Reaper::new(TTL_MS);
    let seen = table(&[1], &[5, 6, 7, 8]);
    assert!(reaper.saw(&seen, &[], 1_000).is_empty());
    assert_eq!(reaper.saw(&seen, &[], 1_150), [5, 6]);
    let rest = table(&[1], &[7, 8]);
    assert!(reaper.saw(&rest, &[5, 6], 1_300).is_empty());
    assert!(reaper.saw(&rest, &[], 1_149 + TTL_MS).is_empty());
    assert_eq!(reaper.saw(&rest, &[], 1_150 + TTL_MS), [7]);
}

#[test]
fn those_whom_others_declared_dead_count_too() {
    let mut reaper = Reaper::new(TTL_MS);
    assert!(reaper.saw(&table(&[1, 2], &[7, 8, 9]), &[], 1_000).is_empty());
    // Another node was quicker with two of five.
    assert!(reaper.saw(&table(&[1, 2], &[9]), &[7, 8], 1_150).is_empty());
    assert_eq!(reaper.saw(&table(&[1, 2], &[9]), &[], 1_150 + TTL_MS), [9]);
}

#[test]
fn after_an_outage_an_absent_session_is_not_dead_at_once() {
    let clock = Clock::movable();
    let stats = Arc::<FleetStats>::default();
    let lease = Arc::new(Lease::new(clock.clone(), TTL_MS, stats.clone()));
    let agreement = Arc::new(Agreement::new(Formats::READS, Formats::WRITES));
    let members = Members::new(clock, TTL_MS, (lease, stats), agreement);
    let read = |number, sessions: &[NodeSession], quiet| {
        members.begun.store(number, Ordering::SeqCst);
        let seen = table(sessions, &[]).members.into_values().collect();
        members.publish(number, seen, quiet)
    };
    assert!(read(1, &[1, 2], false).is_empty());
    assert!(read(2, &[1], true).is_empty());
    assert!(members.is_alive(2) && members.is_alive(77));
    assert!(members.table().borrow().member(2).is_some_and(|member| member.expired));
    assert!(read(3, &[1], true).is_empty());
    assert!(members.is_alive(2) && members.is_alive(77), "a quiet read convicts no one");
    assert_eq!(read(4, &[1], false), [2]);
    assert!(!members.is_alive(2) && !members.is_alive(77));
    assert_eq!(*members.departures().borrow(), 1);
}
