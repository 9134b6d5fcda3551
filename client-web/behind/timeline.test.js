/** The timeline from what the session, the journal and the demo say. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HARMLESS_MS, INCIDENTS_MAX, QUIET_MS, Timeline } from './timeline.js';

const T = 1_796_000_000_000;
const OLD = 1_795_000_000_000;
const [ONE, TWO] = ['ws://one/ws', 'ws://two/ws'];

function state(changes = {}) {
  const inventory = [{ item_id: 'potion-001', name: 'Health Potion', quantity: 5 }];
  return /** @type {any} */ ({ gold: 100, xp: 20, score: 45, inventory, ...changes });
}

/** A timeline of a player who is served by gw-1 in epoch OLD. */
function served() {
  const page = { known: state() };
  const names = { [ONE]: 'gw-1', [TWO]: 'gw-2' };
  const timeline = new Timeline({ known: () => page.known, nameOf: (url) => names[url] ?? url });
  const at = (/** @type {number} */ ms, /** @type {string} */ what, fields = {}) =>
    timeline.trace({ unix_ms: T + ms, what, ...fields });
  at(-9_000, 'trying', { url: ONE, attempt: 0 });
  at(-8_990, 'welcome', { url: ONE, node: 'gw-1', epoch: OLD, seq: 3, replayed: 0 });
  return { timeline, at, page };
}

/** @param {Timeline} timeline */
const lines = (timeline) => timeline.incidents[0]?.lines.map(({ at_ms, text }) => `${at_ms - T} ${text}`);

/** What the trace says of a take-over by gw-2. */
function takeOver(/** @type {ReturnType<typeof served>['at']} */ at) {
  at(4, 'lost', { code: 1006, reason: 'connection lost', url: ONE, node: 'gw-1' });
  at(4, 'waiting', { attempt: 1, ms: 30 });
  at(34, 'trying', { url: ONE, attempt: 1 });
  at(35, 'unreachable', { url: ONE });
  at(36, 'trying', { url: TWO, attempt: 2 });
  at(40, 'opened', { url: TWO });
  at(58, 'resumed', {
    url: TWO,
    node: 'gw-2',
    epoch: T + 50,
    seq: 90,
    replayed: 5,
    activation: { records: 37, took_ms: 2.1 },
  });
  at(58, 'repeated', { ids: [12] });
}

test('a command that was refused did not run, and one that is forgotten may have', () => {
  const { timeline, at } = served();
  takeOver(at);
  at(70, 'answered', { id: 12, verb: 'say', dup: true, code: 'cooldown' });
  at(71, 'answered', { id: 13, verb: 'say', dup: false, code: 'outcome_unknown' });
  assert.deepEqual(lines(timeline)?.slice(-2), [
    '70 Command 12 was refused (cooldown): it had no effect',
    '71 Command 13 is too old: nobody knows any more whether it ran',
  ]);
  assert.deepEqual(timeline.incidents[0]?.ran, []);
});

test('a first welcome is no incident', () => {
  assert.deepEqual(served().timeline.incidents, []);
});

test('a kill is told from the order to the acknowledged input', () => {
  const { timeline, at } = served();
  timeline.order({ kind: 'kill', node: 'gw-1' }, T - 3);
  takeOver(at);
  timeline.done(T);
  timeline.back(state());
  timeline.claim({ after: 89, epoch: T + 50 });
  at(70, 'answered', { id: 12, verb: 'execute_move', dup: true });
  at(95, 'input', { seq: 1842, after_ms: 91 });
  assert.deepEqual(lines(timeline), [
    '0 gw-1 killed (SIGKILL)',
    '4 Socket to gw-1 lost (code 1006)',
    '4 Waits 30 ms, then attempt 1',
    '35 gw-1 does not answer',
    `50 Epoch ${T + 50} taken by gw-2, after record 89`,
    '58 Taken over in 2.1 ms, 37 records replayed',
    '58 Reconnected to gw-2 (attempt 2)',
    '58 5 missed events replayed',
    '58 Command 12 sent again under the same number',
    '70 Command 12 had run already: answered again, run once',
    '95 Input 1842 acknowledged',
  ]);
  const [incident] = timeline.incidents;
  assert.equal(incident?.open, false);
  assert.equal(incident?.total, '95 ms from the kill to your input counting again');
  assert.equal(incident && timeline.proof(incident)?.same, true);
});

test('what changed is said, with why', () => {
  const { timeline, at } = served();
  takeOver(at);
  timeline.back(state({ xp: 30, score: 55 }));
  at(70, 'answered', { id: 12, verb: 'execute_move', dup: true });
  const [incident] = timeline.incidents;
  const proof = incident && timeline.proof(incident);
  assert.equal(proof?.why, '5 events replayed, command 12 had run');
  assert.deepEqual(
    proof?.rows.filter(({ same }) => !same).map(({ name, before, after }) => [name, before, after]),
    [
      ['Score', '45', '55'],
      ['XP', '20', '30'],
    ],
  );
});

test('before is what was known at the loss, not at the order', () => {
  const { timeline, at, page } = served();
  timeline.order({ kind: 'drain', node: 'gw-1' }, T);
  page.known = state({ gold: 105 });
  at(20, 'drain', { retry_after_ms: 200 });
  at(30, 'lost', { code: 4001, reason: 'moved to another server', url: ONE, node: 'gw-1' });
  page.known = state({ gold: 999 });
  timeline.back(state({ gold: 105 }));
  const [incident] = timeline.incidents;
  assert.equal(incident && timeline.proof(incident)?.same, true);
  assert.deepEqual(lines(timeline)?.slice(1), [
    '20 The gateway says that it drains, and asks for 200 ms',
    '30 Socket to gw-1 lost (moved to another server, code 4001)',
  ]);
});

test('the claim is told by the journal where the session has not said it yet', () => {
  const { timeline, at } = served();
  at(0, 'lost', { code: 1006, reason: 'connection lost', url: ONE, node: 'gw-1' });
  timeline.claim({ after: 7, epoch: T + 30 });
  at(60, 'resumed', { node: 'gw-2', epoch: T + 30, seq: 7, replayed: 0 });
  assert.deepEqual(lines(timeline)?.slice(1), [
    `30 Epoch ${T + 30} taken by gw-2, after record 7`,
    '60 Reconnected to gw-2',
  ]);
});

test('the same epoch means that the actor never moved', () => {
  const { timeline, at } = served();
  at(0, 'lost', { code: 1006, reason: 'connection lost', url: ONE, node: 'gw-1' });
  at(40, 'trying', { url: ONE, attempt: 1 });
  at(50, 'resumed', { node: 'gw-1', epoch: OLD, seq: 3, replayed: 0 });
  assert.deepEqual(lines(timeline)?.slice(1), [
    '50 Reconnected to gw-1 (attempt 1)',
    `50 Epoch ${OLD} goes on: the actor never moved`,
  ]);
});

test('an effect is never shown before its cause', () => {
  const { timeline, at } = served();
  at(10, 'lost', { code: 1006, reason: 'connection lost', url: ONE, node: 'gw-1' });
  at(20, 'resumed', { node: 'gw-2', epoch: T + 25, seq: 3, replayed: 0 });
  const times = timeline.incidents[0]?.lines.map(({ at_ms }) => at_ms - T) ?? [];
  assert.deepEqual(
    times,
    [...times].sort((a, b) => a - b),
  );
  assert.equal(times[1], 20, 'the claim was no later than its welcome');
});

test('a gateway that stays silent is one line', () => {
  const { timeline, at } = served();
  at(0, 'lost', { code: 1006, reason: 'connection lost', url: ONE, node: 'gw-1' });
  for (let n = 1; n <= 3; n += 1) {
    at(n * 100, 'unreachable', { url: ONE });
    at(n * 100, 'waiting', { attempt: n + 1, ms: 90 });
  }
  assert.deepEqual(lines(timeline)?.slice(1), [
    '100 gw-1 does not answer, 3 times',
    '300 Waits 90 ms, then attempt 4',
  ]);
});

test('without input it is over when it was quiet for a while', () => {
  const { timeline, at } = served();
  at(0, 'lost', { code: 1006, reason: 'connection lost', url: ONE, node: 'gw-1' });
  at(80, 'resumed', { node: 'gw-1', epoch: OLD, seq: 3, replayed: 0 });
  timeline.tick(T + 80 + QUIET_MS);
  assert.equal(timeline.busy, true);
  timeline.tick(T + 81 + QUIET_MS);
  assert.equal(timeline.busy, false);
  assert.equal(timeline.incidents[0]?.total, '80 ms from the loss to being back in the game');
});

test('a command that was sent again is waited for', () => {
  const { timeline, at } = served();
  takeOver(at);
  timeline.tick(T + 58 + QUIET_MS + 1);
  assert.equal(timeline.busy, true);
  at(3_000, 'answered', { id: 12, verb: 'say', dup: false });
  assert.match(lines(timeline)?.at(-1) ?? '', /had not arrived: run now, once/u);
  timeline.tick(T + 3_001);
  assert.equal(timeline.busy, false);
});

test('a cut that the socket outlives needs no resume', () => {
  const { timeline } = served();
  timeline.order({ kind: 'cut', node: 'gw-1', ms: 5_000 }, T - 10);
  timeline.done(T);
  timeline.tick(T + 5_000 + QUIET_MS - 1);
  assert.equal(timeline.busy, true);
  timeline.tick(T + 5_000 + QUIET_MS);
  assert.deepEqual(lines(timeline), [
    '0 Network cut for 5,000 ms: nothing passes',
    '5000 The network is back; the socket outlived the cut',
  ]);
  assert.equal(timeline.incidents[0]?.total, 'No resume was needed');
});

test('an order that was refused leaves nothing, one without effect says so', () => {
  const { timeline } = served();
  timeline.order({ kind: 'kill', node: 'gw-1' }, T);
  timeline.failed();
  assert.deepEqual(timeline.incidents, []);
  timeline.order({ kind: 'kill', node: 'gw-9' }, T);
  timeline.done(T);
  timeline.tick(T + HARMLESS_MS);
  assert.equal(timeline.busy, false);
});

test('only the last incidents are kept', () => {
  const { timeline, at } = served();
  for (let n = 0; n < INCIDENTS_MAX + 3; n += 1) {
    at(n * 9_000, 'lost', { code: 1006, reason: '', url: ONE, node: 'gw-1' });
    at(n * 9_000 + 50, 'resumed', { node: 'gw-1', epoch: OLD, seq: 3, replayed: 0 });
    at(n * 9_000 + 90, 'input', { seq: n, after_ms: 90 });
  }
  assert.equal(timeline.incidents.length, INCIDENTS_MAX);
});
