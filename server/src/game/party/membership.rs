//! Who is in a party: how it begins, invites, takes in and loses members, speaks and ends.

use std::sync::Arc;

use super::{Draft, INVITED_MAX, Invitation, MEMBERS_MAX, PartyEvent, WAITING_MAX, Waiting, entry};
use crate::actor::contract::{Reject, Token, Undelivered};
use crate::game::tells::ToPlayer;
use crate::game::tells::party::{Change, FromParty, News};

/// Begins with its creator as the only member and leader.
pub(super) fn create(
    draft: &mut Draft<'_>,
    from: Arc<str>,
    token: Token,
    name: Arc<str>,
    passes_on: bool,
) {
    if draft.now.ended || !draft.now.members.is_empty() {
        let reject = Reject::new("no_such_party", "the party's id is taken; create it again");
        draft.refuse(&from, token, reject);
        return;
    }
    let (leader, revision) = (Arc::clone(&from), draft.next_revision());
    draft.record(PartyEvent::Began { name, passes_on, leader, revision });
    let news = [News { what: Change::Created, by: Arc::clone(&from) }];
    draft.inform(&news, Some((&from, token)));
}

/// Invites somebody. The command waits until that player has been told.
pub(super) fn invite(draft: &mut Draft<'_>, by: Arc<str>, token: Token, player: Arc<str>) {
    let is_new = !draft.now.invites(&player);
    let reject = if player == by {
        Reject::new("not_yourself", "you are in the party already")
    } else if draft.now.has(&player) {
        Reject::new("bad_args", format!("{player} is in the party already"))
    } else if draft.now.members.len() >= MEMBERS_MAX {
        Reject::new("party_full", format!("the party is full: it has {MEMBERS_MAX} members"))
    } else if is_new && draft.now.invited.len() >= INVITED_MAX {
        let message = format!("{INVITED_MAX} invitations are open already; take one back first");
        Reject::new("party_full", message)
    } else if draft.now.waiting.len() >= WAITING_MAX {
        Reject::new("too_many_in_flight", "too many invitations are on their way")
    } else {
        let (to, revision) = (Arc::clone(&player), draft.next_revision());
        draft.record(PartyEvent::Invited { player, revision, by: Arc::clone(&by), token });
        let info = draft.now.info();
        draft.tell(&to, FromParty::Invited { info, by, token });
        return;
    };
    draft.refuse(&by, token, reject);
}

/// Ends a command's wait for an invitation. False: it did not wait, or was answered before.
fn settle(draft: &mut Draft<'_>, by: &Arc<str>, token: Token) -> bool {
    let waits = draft.now.waiting.iter().any(|one| one.by == *by && one.token == token);
    if waits {
        draft.record(PartyEvent::Told { by: Arc::clone(by), token });
    }
    waits
}

fn uninvite(draft: &mut Draft<'_>, player: &str) {
    if draft.now.invites(player) {
        draft.record(PartyEvent::Uninvited { player: player.into() });
    }
}

/// The invited player has been told, or does not exist.
pub(super) fn seen(draft: &mut Draft<'_>, from: &str, by: &Arc<str>, token: Token, exists: bool) {
    if !exists {
        uninvite(draft, from);
    } else if !draft.now.invites(from) && !draft.now.has(from) {
        // An invitation that was on its way while an earlier one was taken up, and left again.
        draft.tell(from, FromParty::Withdrawn { by: None });
    }
    if !settle(draft, by, token) {
        return;
    }
    if !exists {
        draft.refuse(by, token, Reject::new("no_such_player", "there is no such player"));
    } else if draft.now.has(by) {
        let news = vec![News { what: Change::Invited, by: Arc::clone(by) }];
        let info = draft.now.info();
        draft.tell(by, FromParty::Info { info, news, token: Some(token) });
    } else {
        let reject = Reject::new("no_such_party", "you left the party before it had invited");
        draft.refuse(by, token, reject);
    }
}

/// Takes a player in who was invited, if there is a place.
pub(super) fn accept(draft: &mut Draft<'_>, from: Arc<str>, token: Token) {
    if draft.now.has(&from) {
        draft.inform(&[], Some((&from, token)));
        return;
    }
    if !draft.now.invites(&from) {
        let reject = Reject::new("no_such_party", "the party does not invite you any more");
        draft.refuse(&from, token, reject);
        return;
    }
    if draft.now.members.len() >= MEMBERS_MAX {
        let message = format!("the party is full: it has {MEMBERS_MAX} members");
        draft.refuse(&from, token, Reject::new("party_full", message));
        return;
    }
    let (player, revision) = (Arc::clone(&from), draft.next_revision());
    draft.record(PartyEvent::Joined { player, revision });
    let news = [News { what: Change::Joined, by: Arc::clone(&from) }];
    draft.inform(&news, Some((&from, token)));
    entry::call_off(draft, &format!("{from} has just joined the party"));
}

/// A player keeps an invitation no longer.
pub(super) fn decline(draft: &mut Draft<'_>, player: Arc<str>, revision: u64) {
    let is_it = |one: &Invitation| one.player == player && one.revision <= revision;
    if draft.now.invited.iter().any(is_it) {
        draft.record(PartyEvent::Uninvited { player });
    }
}

/// A member has left, or says that it never was one.
pub(super) fn leave(draft: &mut Draft<'_>, player: &str) {
    if draft.now.has(player) {
        part(draft, player, Change::Left, None);
    }
}

/// Sends a member away, or takes an invitation back.
pub(super) fn kick(draft: &mut Draft<'_>, by: &Arc<str>, token: Token, player: &Arc<str>) {
    if by == player {
        draft.refuse(by, token, Reject::new("not_yourself", "leave the party instead"));
    } else if draft.now.has(player) {
        let news = News { what: Change::Kicked, by: Arc::clone(player) };
        draft.tell(player, FromParty::Out(news));
        part(draft, player, Change::Kicked, Some((by, token)));
    } else if draft.now.invites(player) {
        uninvite(draft, player);
        draft.tell(player, FromParty::Withdrawn { by: Some(Arc::clone(by)) });
        let info = draft.now.info();
        draft.tell(by, FromParty::Info { info, news: Vec::new(), token: Some(token) });
    } else {
        let message = format!("{player} is neither a member nor invited");
        draft.refuse(by, token, Reject::new("no_such_player", message));
    }
}

/// Loses a member, and ends with the last one, or with a leader it does not outlive.
fn part(draft: &mut Draft<'_>, player: &str, what: Change, asked: Option<(&str, Token)>) {
    entry::call_off(draft, &format!("{player} is in the party no more"));
    let led = draft.now.leads(player);
    let (gone, revision) = (Arc::<str>::from(player), draft.next_revision());
    draft.record(PartyEvent::Left { player: Arc::clone(&gone), revision });
    let heir = draft.now.members.first().cloned();
    let mut news = vec![News { what, by: Arc::clone(&gone) }];
    match heir {
        None => return end(draft, gone),
        Some(_) if led && !draft.now.passes_on => return end(draft, gone),
        Some(heir) if led => news.push(News { what: Change::Led, by: heir }),
        Some(_) => {}
    }
    draft.inform(&news, asked);
}

/// Tells everyone who is left, invited or waiting that the party has ended.
fn end(draft: &mut Draft<'_>, by: Arc<str>) {
    entry::give_up(draft);
    for Waiting { by, token } in draft.now.waiting.clone() {
        draft.refuse(&by, token, Reject::new("no_such_party", "the party has ended"));
    }
    for member in draft.now.members.clone() {
        let news = News { what: Change::Ended, by: Arc::clone(&by) };
        draft.tell(&member, FromParty::Out(news));
    }
    for one in draft.now.invited.clone() {
        draft.tell(&one.player, FromParty::Withdrawn { by: None });
    }
    draft.record(PartyEvent::Ended);
}

/// Speaks to all, the speaker among them.
pub(super) fn say(draft: &mut Draft<'_>, from: &Arc<str>, token: Token, text: &str) {
    for member in draft.now.members.clone() {
        let token = (member == *from).then_some(token);
        let (from, text) = (Arc::clone(from), text.to_owned());
        draft.tell(&member, FromParty::Heard { from, text, token });
    }
}

/// Tells a player that came back what is new.
pub(super) fn ask(draft: &mut Draft<'_>, player: &Arc<str>, revision: u64) {
    if !draft.now.has(player) {
        draft.tell(player, FromParty::Out(News { what: Change::Left, by: Arc::clone(player) }));
    } else if revision > draft.now.revision {
        // The store went back in time: members know what the party has forgotten.
        let revision = draft.next_revision().max(revision.saturating_add(1));
        draft.record(PartyEvent::Revised { revision });
        draft.inform(&[], None);
    } else if revision < draft.now.revision {
        let info = draft.now.info();
        draft.tell(player, FromParty::Info { info, news: Vec::new(), token: None });
    }
}

/// A player can't be told: it is no member and not invited, for it does not exist.
pub(super) fn undelivered(
    draft: &mut Draft<'_>,
    player: &str,
    tell: ToPlayer,
    reason: Undelivered,
) {
    if let ToPlayer::Party(FromParty::Invited { by, token, .. }) = tell {
        seen(draft, player, &by, token, false);
    }
    if reason == Undelivered::NoSuchActor {
        uninvite(draft, player);
        leave(draft, player);
    }
}
