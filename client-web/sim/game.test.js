/** The game on a session: input beat, targets, arenas, a reconnect in the middle. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock, FakeServer } from '../net/fake-server.js';
import { Session } from '../net/session.js';
import { Game } from './game.js';

/** @param {(player: string, by: number) => void} [hit] */
async function playing(hit = () => undefined) {
  const clock = new FakeClock();
  const server = new FakeServer(clock);
  const stores = {
    session: { load: () => null, save: () => undefined, clear: () => undefined },
    claims: { get: () => null, set: () => undefined },
  };
  /** @type {import('../net/session.js').Trace[]} */
  const trace = [];
  const session = new Session(server.env(), stores, 'ws://home/ws', {
    status: () => undefined,
    welcome: (welcome) => game.welcome(welcome),
    event: (event) => game.event(event),
    refused: () => undefined,
    trace: (entry) => trace.push(entry),
  });
  const game = new Game(session, clock.now, { changed: () => undefined, hit });
  session.login('alice', 'Alice');
  await clock.advance(100);
  await Promise.all([game.arrive(), clock.advance(100)]);
  return { clock, server, session, game, trace };
}

/**
 * Holds a direction, looking at the beat every 25 ms.
 * @param {{ clock: FakeClock, game: Game }} page
 * @param {number} ms
 */
async function hold({ clock, game }, ms) {
  for (let passed = 0; passed < ms; passed += 25) {
    game.step([1, 0, 0]);
    await clock.advance(25);
  }
  game.step(null);
}

test('sends twenty steps a second while held, and nothing else', async () => {
  const page = await playing();
  await hold(page, 1_000);
  await page.clock.advance(1_000);
  const steps = page.server.said('input').flatMap(({ args }) => args.steps);
  assert.equal(steps.length, 20);
  assert.deepEqual(page.game.positions().alice, { x: 2048 + 20 * 12, y: 2048 });
});

test('tapping gives one step a tap, never more than time allows', async () => {
  const page = await playing();
  for (let n = 0; n < 5; n += 1) {
    page.game.step([1, 0, 0]);
    page.game.step(null);
    await page.clock.advance(150);
  }
  assert.equal(page.server.input, 5);
});

test('does not move outside a room, when defeated, or without a line', async () => {
  const page = await playing();
  page.game.event({ ev: 'player', set: { health: 0 } });
  await hold(page, 200);
  page.game.event({ ev: 'player', set: { health: 100, current_room: null } });
  await hold(page, 200);
  page.server.cut(1006);
  await hold(page, 50);
  assert.equal(page.server.said('input').length, 0);
});

test('steps the server has not seen are sent again after a resume', async () => {
  const page = await playing();
  await hold(page, 200);
  page.server.push({ ev: 'room', tick: 50, in: 2, e: [[1, 2072, 2048, 100, 0]], full: true });
  await page.clock.advance(50);
  page.server.input = 2;
  page.server.state.x = 2072;
  page.server.cut(1006);
  await page.clock.advance(1_000);
  assert.equal(page.server.input, 4);
  assert.equal(page.server.state.x, 2048 + 4 * 12);
  assert.equal(page.game.corrections, 0);
});

test('input that is acknowledged after a loss is told once', async () => {
  const page = await playing();
  await hold(page, 200);
  page.server.cut(1006);
  await page.clock.advance(1_000);
  page.server.push({ ev: 'room', tick: 60, in: 4, e: [], full: true });
  page.server.push({ ev: 'room', tick: 61, in: 4, e: [] });
  await page.clock.advance(50);
  const told = page.trace.filter(({ what }) => what === 'input');
  assert.deepEqual(told.map((entry) => entry.what === 'input' && entry.seq), [4]);
});

test('the ghost is where the server said, and the numbers count', async () => {
  const page = await playing();
  assert.deepEqual(page.game.ghost(), { x: 2048, y: 2048 });
  page.server.push({ ev: 'room', tick: 50, in: 0, e: [[1, 2048, 2048, 100, 0]], full: true });
  await page.clock.advance(50);
  await hold(page, 200);
  page.server.push({ ev: 'room', tick: 54, in: 1, e: [[1, 2060, 2048, 100, 0]] });
  await page.clock.advance(20);
  assert.deepEqual(page.game.ghost(), { x: 2060, y: 2048 });
  page.game.scene();
  const { delay_ms, jitter_ms, ...counted } = page.game.net();
  const frames = { frames: 2, frame_gap_ms: 250 };
  assert.deepEqual(counted, { underruns: 0, drawn: 1, ...frames, pending_steps: 3, corrections: 0 });
  assert.ok(delay_ms > 0 && jitter_ms >= 0);
});

test('one\'s own step shows in the picture after the key, and takes its time', async () => {
  const { clock, game } = await playing();
  const x = () => game.scene().me?.x ?? 0;
  assert.equal(x(), 2048);
  game.step([1, 0, 0]);
  assert.ok(x() > 2048 && x() < 2056, `${x()}`);
  await clock.advance(60);
  assert.equal(x(), 2060);
});

test('goes to the next arena when one is full', async () => {
  const page = await playing();
  page.game.event({ ev: 'player', set: { current_room: null } });
  page.server.refuse.join_room = [1, 2].map(() => ({ code: 'room_full', message: 'full', retry: false }));
  const arrived = page.game.arrive();
  await page.clock.advance(200);
  assert.equal(await arrived, 'arena-3');
});

test('in another room nobody is struck or slides for having the number of another', async () => {
  const hits = /** @type {any[]} */ ([]);
  const { clock, server, game } = await playing((player, by) => hits.push([player, by]));
  server.push({ ev: 'roster', players: [[1, 'alice', 'A'], [2, 'bob', 'B']], full: true });
  server.push({ ev: 'room', tick: 50, in: 0, e: [[1, 2048, 2048, 100, 0], [2, 2100, 2048, 100, 0]], full: true });
  await clock.advance(50);
  game.scene();
  server.push({ ev: 'roster', players: [[2, '__proto__', 'E'], [3, 'alice', 'A']], full: true });
  server.push({ ev: 'room', tick: 54, in: 0, e: [[3, 2048, 2048, 100, 0], [2, 2200, 2048, 60, 0]], full: true });
  await clock.advance(50);
  assert.deepEqual(hits, []);
  assert.equal(game.scene().everyone[0]?.x, 2200);
  assert.deepEqual(Object.keys(game.positions()), ['__proto__', 'alice']);
});

test('strikes the selected one, else the nearest still standing', async () => {
  const { clock, server, game } = await playing();
  assert.equal(game.target(), null);
  server.push({ ev: 'roster', players: [[1, 'alice', 'A'], [2, 'bob', 'B'], [3, 'eve', 'E'], [4, 'dan', 'D']], full: true });
  const rows = [[1, 2048, 2048, 100, 0], [2, 2100, 2048, 100, 0], [3, 3000, 3000, 100, 0], [4, 2050, 2048, 0, 2]];
  server.push({ ev: 'room', tick: 50, in: 0, e: rows, full: true });
  await clock.advance(50);
  assert.equal(game.target(), 'bob');
  game.select('eve');
  assert.equal(game.target(), 'eve');
  game.select('eve');
  game.act('attack');
  game.act('heal');
  await clock.advance(50);
  assert.deepEqual(server.said('execute_move').map(({ args }) => args), [{ move_type: 'attack', target_player_id: 'bob' }, { move_type: 'heal' }]);
});
