/** What is said of trades and parties. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { dealLine, dealWords, isGift, leftWords, partyLine, rowWords, sentence } from './deal-words.js';

const SWORD = { items: [{ item_id: 'sword-001', quantity: 1 }] };
const GOLD = { gold: 20 };

/** @param {Partial<import('../sim/dealings.js').Deal>} [other] @returns {import('../sim/dealings.js').Deal} */
function deal(other = {}) {
  const mine = other.mine ?? true;
  const [give, want] = [other.give ?? GOLD, other.want ?? SWORD];
  return {
    trade_id: 't1', phase: 'offered', revision: 1, from: mine ? 'alice' : 'bob', to: mine ? 'bob' : 'alice',
    expires_ms: 0, seq: 7, mine, other: 'bob', gives: mine ? give : want, gets: mine ? want : give, ...other,
    give, want,
  };
}

test('the log says who gives what, and where it is', () => {
  assert.equal(dealLine(deal(), 'Bob'), 'You offer Bob 20 gold for Iron Sword.');
  assert.equal(dealLine(deal({ mine: false }), 'Bob'), 'Bob offers you 20 gold for Iron Sword.');
  assert.equal(dealLine(deal({ mine: false, phase: 'countered' }), 'Bob'), 'Bob answers with other terms: 20 gold for Iron Sword.');
  assert.equal(dealLine(deal({ phase: 'committed' }), 'Bob'), 'Traded with Bob: 20 gold for Iron Sword, committed at #7.');
  assert.equal(dealLine(deal({ phase: 'expired' }), 'Bob'), 'Your offer to Bob ran out. You have 20 gold back.');
  assert.equal(dealLine(deal({ mine: false, phase: 'expired' }), 'Bob'), 'The offer of Bob ran out.');
  assert.equal(
    dealLine(deal({ phase: 'cancelled', why: 'bob declined' }), 'Bob'),
    'The trade with Bob was called off. Bob declined. You have 20 gold back.',
  );
});

test('a gift is a gift from both sides', () => {
  const given = deal({ phase: 'committed', want: {} });
  assert.ok(isGift(given) && !isGift(deal()));
  assert.equal(dealLine(given, 'Bob'), 'You gave Bob 20 gold, committed at #7.');
  assert.equal(dealLine(deal({ mine: false, phase: 'committed', want: {} }), 'Bob'), 'Bob gave you 20 gold, committed at #7.');
  assert.equal(rowWords(given), 'Gift: 20 gold');
});

test('the window says what an answer costs, and the position of the journal', () => {
  assert.deepEqual(dealWords(deal(), 'Bob'), { title: 'Bob decides', means: 'Reserved until then: 20 gold.' });
  assert.equal(dealWords(deal({ mine: false }), 'Bob').means, 'You part with Iron Sword only if you accept.');
  assert.equal(dealWords(deal({ phase: 'committed' }), 'Bob').title, 'Committed at #7');
  assert.equal(dealWords(deal({ phase: 'committed', seq: null }), 'Bob').title, 'Committed');
  assert.equal(dealWords(deal({ mine: false, phase: 'cancelled' }), 'Bob').means, 'Everybody has their own goods.');
  assert.match(dealWords(deal({ phase: 'over' }), 'Bob').means, /It has ended/u);
});

test('time is counted down, and ends', () => {
  assert.deepEqual([60_000, 59_001, 1, 0, -5].map(leftWords), ['60 s left', '60 s left', '1 s left', 'ending …', 'ending …']);
});

test('a refusal stands as a sentence', () => {
  assert.deepEqual([sentence('you have 3 gold'), sentence('Really?'), sentence(' ')], ['You have 3 gold.', 'Really?', '']);
});

test('a party is told by names', () => {
  const party = { party_id: 'p', name: 'Wolves', leader: 'bob', members: ['bob'], on_leader_left: /** @type {const} */ ('end') };
  const named = (/** @type {string} */ id) => id.toUpperCase();
  const line = (/** @type {any} */ what, /** @type {string} */ by, /** @type {any} */ of = party) =>
    partyLine({ ev: 'party', party: of, what, by }, 'alice', named);
  assert.equal(line('invited', 'bob'), 'BOB invites you to the party Wolves.');
  assert.equal(line('invited', 'alice'), 'Your invitation is out.');
  assert.equal(line('joined', 'alice'), 'You are in the party Wolves now.');
  assert.equal(line('kicked', 'alice', null), 'You were sent away from the party.');
  assert.equal(line('led', 'eve'), 'EVE leads the party now.');
  for (const what of ['created', 'withdrawn', 'left', 'ended', 'entered']) assert.notEqual(line(what, 'bob'), '', what);
});
