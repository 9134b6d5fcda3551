/** The session: hello, resume, ids, repeats, event seqs, and when to stop. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { json } from './codec.js';
import { FakeClock, FakeServer } from './fake-server.js';
import { BLOCK } from './ledger.js';
import { Session } from './session.js';
import { displayName, playerId } from './wire.js';

/** Storage of one tab and one browser. */
function newStores() {
  /** @type {import('./ledger.js').Saved | null} */
  let saved = null;
  /** @type {Map<string, string>} */
  const claims = new Map();
  return {
    session: {
      load: () => saved,
      save: (/** @type {import('./ledger.js').Saved} */ next) => { saved = next; },
      clear: () => { saved = null; },
    },
    claims: { get: (/** @type {string} */ player) => claims.get(player) ?? null, set: claims.set.bind(claims) },
  };
}

/**
 * @param {ReturnType<typeof newStores>} [stores]
 * @param {FakeClock} [clock]
 * @param {FakeServer} [server]
 * @param {import('./codec.js').Codec} [codec]
 */
function begin(stores = newStores(), clock = new FakeClock(), server = new FakeServer(clock), codec) {
  /** @type {any[]} */
  const events = [];
  /** @type {any[]} */
  const welcomes = [];
  /** @type {any[]} */
  const refused = [];
  /** @type {import('./session.js').Trace[]} */
  const trace = [];
  /** @type {import('./session.js').SessionStatus[]} */
  const statuses = [];
  const session = new Session(server.env(), stores, 'ws://home:8080/ws', {
    status: (status) => statuses.push(status),
    welcome: (welcome) => welcomes.push(welcome.ev),
    event: (event, replayed) => events.push([event.ev, replayed]),
    refused: (error) => refused.push(error.code),
    trace: (entry) => trace.push(entry),
  }, codec);
  return { clock, server, stores, session, events, welcomes, refused, trace, statuses };
}

/** @param {Parameters<typeof begin>} given */
async function playing(...given) {
  const page = begin(...given);
  page.session.login('alice', 'Alice');
  await page.clock.advance(100);
  assert.equal(page.session.live, true);
  return page;
}

test('the id of a player comes from the name', () => {
  assert.equal(playerId('  Alice B. '), 'alice-b-');
  assert.match(playerId('Älice'), /^-lice-[a-z0-9]{1,7}$/u);
  const names = ['日本', '中国', 'Ö', 'Ä', 'ö'.repeat(40), 'ä'.repeat(40)];
  assert.equal(new Set(names.map(playerId)).size, names.length, 'other letters keep players apart');
  for (const name of names) assert.match(playerId(name), /^[a-z0-9_-]{1,32}$/u);
  assert.equal(playerId('A\u0308lice'), playerId('Älice'), 'however it was typed');
  assert.equal(playerId('x'.repeat(40)).length, 32);
  assert.equal(playerId('   '), '');
  assert.equal(displayName(' A\u0007lice '), 'Alice');
});

test('says hello with player and name, and nothing else answers it', async () => {
  const { server, welcomes } = await playing();
  assert.deepEqual(server.heard[0], { do: 'hello', args: { player: 'alice', name: 'Alice' } });
  assert.deepEqual(welcomes, ['welcome']);
});

test('ids rise and replies find their callers', async () => {
  const { clock, session } = await playing();
  const both = Promise.all([session.command('say', { text: 'a' }), session.command('execute_move', { move_type: 'attack' })]);
  await clock.advance(50);
  assert.equal((await both)[1].damage, 25);
});

test('resumes, repeats what is unanswered under its id, and it counts once', async () => {
  const { clock, server, session, welcomes } = await playing();
  server.hold.add('execute_move');
  const blow = session.command('execute_move', { move_type: 'attack' });
  await clock.advance(50);
  server.hold.clear();
  server.cut(1006);
  await clock.advance(1_000);
  assert.deepEqual(welcomes, ['welcome', 'resumed']);
  assert.equal((await blow).damage, 25);
  const ids = server.said('execute_move').map(({ id }) => id);
  assert.equal(ids.length, 2);
  assert.equal(ids[0], ids[1]);
  assert.equal(server.effects.get(ids[0]), 1);
});

test('commands given while the line is down are sent after the resume', async () => {
  const { clock, server, session } = await playing();
  server.cut(1006);
  const said = session.command('say', { text: 'late' });
  await clock.advance(1_000);
  await said;
  assert.equal(server.said('say').length, 1);
});

test('commands given before the welcome are sent once it is there', async () => {
  const { clock, server, session, trace } = begin();
  session.login('alice', 'Alice');
  const joined = session.command('join_room', { room_id: 'arena' });
  await clock.advance(100);
  assert.equal((await joined).room.room_id, 'arena');
  await Promise.all([session.command('say', { text: 'a' }), clock.advance(50)]);
  const ids = ['join_room', 'say'].map((verb) => server.said(verb).map(({ id }) => id));
  assert.deepEqual(ids, [[1], [2]]);
  assert.ok(!trace.some(({ what }) => what === 'repeated'), 'what was never sent is not sent again');
});

test('what can not be sent is refused at once, and harms nothing', async () => {
  const { clock, server, session, welcomes } = await playing();
  await assert.rejects(session.command('move', { x: Number.NaN }), { name: 'CommandError', code: 'bad_args' });
  assert.deepEqual(session.numbers.unanswered, []);
  server.cut(1006);
  await clock.advance(1_000);
  assert.deepEqual(welcomes, ['welcome', 'resumed']);
});

test('a reply that speaks of a pong is a reply all the same', async () => {
  const { clock, server, session } = await playing();
  server.hold.add('play');
  const played = session.command('play');
  await clock.advance(50);
  server.push({ id: server.said('play')[0].id, ok: { pong: 3 } });
  await clock.advance(50);
  assert.deepEqual(await played, { pong: 3 });
  assert.equal(session.status.rtt_ms, 2 * server.delayMs);
});

test('missed frames are replayed once, marked, and old ones dropped', async () => {
  const { clock, server, session, events } = await playing();
  server.pushNumbered({ ev: 'notice', text: 'one' });
  await clock.advance(50);
  server.cut(1006);
  server.pushNumbered({ ev: 'notice', text: 'two' });
  await clock.advance(1_000);
  server.push({ seq: 2, evs: [{ ev: 'notice', text: 'one again' }] });
  server.pushNumbered({ ev: 'notice', text: 'three' });
  await clock.advance(50);
  assert.deepEqual(events, [['notice', false], ['notice', true], ['notice', false]]);
  assert.equal(server.said('resume')[0].args.seq, 2);
  assert.equal(session.numbers.seq, 4);
});

test('a reload resumes, with numbers that were never used', async () => {
  const page = await playing();
  await Promise.all([page.session.command('say', { text: 'a' }), page.clock.advance(50)]);
  page.session.input(1, [[1, 0, 0]]);
  await page.clock.advance(50);
  const again = begin(page.stores, page.clock, page.server);
  assert.equal(again.session.restore(), true);
  await again.clock.advance(100);
  assert.deepEqual(again.welcomes, ['resumed']);
  await Promise.all([again.session.command('say', { text: 'b' }), again.clock.advance(50)]);
  assert.equal(page.server.said('say').at(-1).id, 1 + BLOCK + 1);
  assert.equal(again.session.inputSeq, 1 + BLOCK);
});

test('a refused resume is followed by a hello, without a person', async () => {
  const { clock, server, session, welcomes } = await playing();
  server.hold.add('say');
  const said = session.command('say', { text: 'lost' });
  await clock.advance(50);
  server.session += 1;
  server.cut(1006);
  await Promise.all([assert.rejects(said, { code: 'outcome_unknown' }), clock.advance(1_000)]);
  assert.deepEqual(welcomes, ['welcome', 'welcome']);
  assert.equal(server.said('say').length, 1);
});

test('4005 is followed by a hello', async () => {
  const { clock, server, welcomes } = await playing();
  server.cut(4005);
  await clock.advance(1_000);
  assert.deepEqual(welcomes, ['welcome', 'welcome']);
  assert.equal(server.said('resume').length, 0);
});

test('4504 stops, open commands are told, and logging in again works', async () => {
  const { clock, server, session } = await playing();
  server.hold.add('say');
  const said = session.command('say', { text: 'x' });
  await clock.advance(50);
  server.cut(4504);
  await assert.rejects(said, { code: 'outcome_unknown' });
  await assert.rejects(session.command('say', { text: 'y' }), { code: 'offline' });
  await clock.advance(60_000);
  assert.equal(session.status.phase, 'stopped');
  session.again();
  await clock.advance(100);
  assert.equal(session.live, true);
});

test('a refused hello stops with the reason', async () => {
  const { clock, server, session } = begin();
  server.refuse.hello = [{ code: 'unauthorized', message: 'the name is taken', retry: false }];
  session.login('alice', 'Alice');
  await clock.advance(100);
  assert.equal(session.status.phase, 'stopped');
  assert.equal(session.status.error?.message, 'the name is taken');
});

test('a hello that may be repeated is repeated on the same socket', async () => {
  const { clock, server, session } = begin();
  server.refuse.hello = [{ code: 'busy', message: 'busy', retry: true, retry_after_ms: 300 }];
  session.login('alice', 'Alice');
  await clock.advance(500);
  assert.equal(session.live, true);
  assert.equal(server.sockets.length, 1);
});

test('a claimed name sends its token, and a refused token is not the end', async () => {
  const { clock, server, session, stores } = begin();
  stores.claims.set('alice', 'claim-alice');
  server.refuse.hello = [{ code: 'unauthorized', message: 'old token', retry: false }];
  session.login('alice', 'Alice');
  await clock.advance(500);
  assert.deepEqual(server.said('hello').map(({ args }) => args), [{ token: 'claim-alice' }, { player: 'alice', name: 'Alice' }]);
  assert.equal(session.live, true);
});

test('pending keeps a command open until its real reply', async () => {
  const { clock, server, session, refused } = await playing();
  server.hold.add('execute_move');
  const blow = session.command('execute_move', { move_type: 'attack' });
  await clock.advance(50);
  const { id } = server.said('execute_move')[0];
  server.push({ id, err: { code: 'pending', message: 'pending', retry: false } });
  await clock.advance(50);
  assert.deepEqual(refused, ['pending']);
  server.push({ id, ok: { damage: 12 } });
  await clock.advance(50);
  assert.equal((await blow).damage, 12);
});

test('a refusal with retry is sent again under a new id when asked to', async () => {
  const { clock, server, session } = await playing();
  server.refuse.join_room = [{ code: 'busy', message: 'busy', retry: true, retry_after_ms: 100 }];
  const joined = session.command('join_room', { room_id: 'arena' }, 1);
  await clock.advance(500);
  assert.equal((await joined).room.room_id, 'arena');
  const [first, second] = server.said('join_room');
  assert.ok(second.id > first.id);
});

test('a refused command is not sent again for whoever logs in next', async () => {
  const { clock, server, session } = await playing();
  server.refuse.join_room = [{ code: 'busy', message: 'busy', retry: true, retry_after_ms: 500 }];
  const joined = session.command('join_room', { room_id: 'arena' }, 3);
  await clock.advance(50);
  session.login('bob', 'Bob');
  await Promise.all([assert.rejects(joined, { code: 'busy' }), clock.advance(1_000)]);
  assert.equal(session.live, true);
  assert.equal(server.said('join_room').length, 1);
});

test('the story tells an answer from a refusal', async () => {
  const { clock, server, session, trace } = await playing();
  server.hold.add('say');
  const said = session.command('say', { text: 'x' });
  await clock.advance(50);
  server.refuse.say = [{ code: 'outcome_unknown', message: 'too old', retry: false }];
  server.cut(1006);
  await Promise.all([assert.rejects(said, { code: 'outcome_unknown' }), clock.advance(1_000)]);
  const told = trace.filter(({ what }) => what === 'answered').map(({ at, unix_ms, ...entry }) => entry);
  assert.deepEqual(told, [{ what: 'answered', id: 1, verb: 'say', dup: false, code: 'outcome_unknown' }]);
});

test('measures the round trip and the server clock', async () => {
  const { clock, server, session } = await playing();
  await clock.advance(2_100);
  assert.equal(session.status.rtt_ms, 2 * server.delayMs);
  assert.ok(Math.abs(session.serverNow() - (1e12 + clock.now())) <= 1);
});

test('a line that went silent is slow in a second, and given up and resumed in five', async () => {
  const { clock, server, session, welcomes } = await playing();
  await clock.advance(3_000);
  server.silent = true;
  await clock.advance(2_100);
  assert.deepEqual([session.status.phase, session.status.slow], ['live', true]);
  assert.ok(session.status.quiet_since !== null, 'it is said since when');
  await clock.advance(3_200);
  assert.notEqual(session.status.phase, 'live');
  assert.equal(session.status.reason, 'the line went quiet');
  server.silent = false;
  await clock.advance(10_000);
  assert.equal(welcomes.at(-1), 'resumed');
  assert.equal(session.live, true);
});

test('input and ping carry no id; nothing is sent while the line is down', async () => {
  const { clock, server, session } = await playing();
  session.input(1, [[1, 0, 0]]);
  await clock.advance(50);
  assert.deepEqual(server.said('input')[0], { do: 'input', args: { seq: 1, steps: [[1, 0, 0]] } });
  assert.equal(server.said('ping')[0].id, undefined);
  server.cut(1006);
  session.input(2, [[1, 0, 0]]);
  assert.equal(server.said('input').length, 1);
});

test('a long round trip is slow, until it is clearly short again', async () => {
  const { clock, server, session, statuses } = await playing();
  server.delayMs = 150;
  await clock.advance(8_000);
  assert.equal(session.status.slow, true);
  assert.ok(Math.abs((session.status.rtt_ms ?? 0) - 300) < 5, `${session.status.rtt_ms}`);
  server.delayMs = 110;
  await clock.advance(8_000);
  assert.equal(session.status.slow, true);
  server.delayMs = 90;
  await clock.advance(8_000);
  assert.equal(session.status.slow, false);
  assert.ok(statuses.some(({ slow }) => slow), 'the page was told');
});

test('after a wake silence is judged sooner, and a slept-over timer judges nothing', async () => {
  const { clock, server, session } = await playing();
  server.delayMs = 400;
  const pings = server.said('ping').length;
  while (server.said('ping').length === pings) await clock.advance(5);
  clock.sleep(60_000);
  await clock.advance(1_000);
  assert.deepEqual([session.live, server.sockets.length], [true, 1]);
  server.delayMs = 10;
  await clock.advance(1_000);
  server.silent = true;
  session.wake();
  await clock.advance(1_800);
  assert.notEqual(session.status.phase, 'live');
});

test('speaks JSON when asked to', async () => {
  const { server, session } = await playing(newStores(), undefined, undefined, json);
  assert.equal(server.newest?.protocol, 'holdfast.v1.json');
  assert.equal(session.live, true);
});

test('tells the story of a loss: tried, unreachable, taken over, repeated, answered, input', async () => {
  const { clock, server, session, trace } = await playing();
  assert.deepEqual(trace.map(({ what }) => what), ['trying', 'opened', 'welcome']);
  server.others = ['ws://b:1/ws'];
  server.cut(1006);
  await clock.advance(200);
  session.input(1, [[1, 0, 0]]);
  session.acknowledged(0);
  session.acknowledged(1);
  server.hold.add('say');
  const said = session.command('say', { text: 'x' });
  await clock.advance(10_000);
  server.hold.clear();
  trace.length = 0;
  server.gone.add('ws://home:8080/ws');
  server.cut(1006);
  await clock.advance(200);
  session.input(2, [[1, 0, 0], [1, 0, 0]]);
  await clock.advance(30);
  session.acknowledged(1);
  session.acknowledged(3);
  session.acknowledged(4);
  await said;
  await Promise.all([session.command('get_state'), clock.advance(50)]);
  const story = trace.map(({ at, unix_ms, ...entry }) => entry);
  const [home, b] = ['ws://home:8080/ws', 'ws://b:1/ws'];
  const lost = { url: home, code: 1006, reason: 'connection lost' };
  assert.deepEqual(story, [
    { what: 'lost', ...lost, node: 'gw-fake' },
    { what: 'waiting', attempt: 1, ms: 50 },
    { what: 'trying', url: home, attempt: 1 },
    { what: 'unreachable', ...lost },
    { what: 'trying', url: b, attempt: 2 },
    { what: 'opened', url: b },
    { what: 'resumed', node: 'gw-fake', epoch: 1, seq: 1, replayed: 0, url: b },
    { what: 'repeated', ids: [1] },
    { what: 'answered', id: 1, verb: 'say', dup: true },
    { what: 'input', seq: 3, after_ms: 230, took_ms: 30 },
  ]);
  for (const { at, unix_ms } of trace) assert.ok(Math.abs(unix_ms - at - 1e12) <= 20, `${unix_ms}`);
  assert.equal(session.status.url, b);
});

test('a greeting that made the node take the player over says what it took', async () => {
  const { clock, server, trace } = await playing();
  const activation = { records: 37, took_ms: 2.1 };
  server.activation = activation;
  server.cut(1006);
  await clock.advance(200);
  assert.deepEqual(trace.at(-1), { ...trace.at(-1), what: 'resumed', activation });
});

test('a drain leads to another gateway before the socket closes', async () => {
  const { clock, server, session, trace, events } = await playing();
  server.others = ['ws://b:1/ws'];
  server.cut(1006);
  await clock.advance(200);
  trace.length = 0;
  server.push({ ev: 'drain', retry_after_ms: 3_000 });
  await clock.advance(200);
  assert.deepEqual([session.live, session.status.url], [true, 'ws://b:1/ws']);
  const story = trace.map(({ what }) => what);
  assert.deepEqual(story, ['drain', 'lost', 'waiting', 'trying', 'opened', 'resumed']);
  assert.deepEqual(events, [['drain', false]]);
});

test('a gateway that is busy is left for another', async () => {
  const { clock, server, session } = await playing();
  server.others = ['ws://b:1/ws'];
  server.cut(1006);
  await clock.advance(200);
  server.refuse.resume = [{ code: 'busy', message: 'busy', retry: true, retry_after_ms: 5_000 }];
  server.cut(1006);
  await clock.advance(300);
  assert.deepEqual([session.live, session.status.url], [true, 'ws://b:1/ws']);
});

test('HTTP is asked where the socket is, with the token of a claimed name', async () => {
  const { clock, server, session, stores } = await playing();
  assert.equal(session.http(), 'http://home:8080');
  assert.deepEqual(session.authorization(), {});
  stores.claims.set('alice', 'claim-alice');
  assert.deepEqual(session.authorization(), { Authorization: 'Bearer claim-alice' });
  server.others = ['wss://b/ws'];
  server.cut(1006);
  await clock.advance(200);
  server.cut(1012);
  assert.equal(session.http(), 'https://b');
});

test('logging out says so, stops, and leaves nothing to restore', async () => {
  const { clock, server, session, stores } = await playing();
  const out = session.logout();
  await clock.advance(2_000);
  await out;
  assert.equal(server.said('logout').length, 1);
  assert.equal(session.status.phase, 'stopped');
  assert.equal(stores.session.load(), null);
});
