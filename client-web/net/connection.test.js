/** The socket: backoff, verdicts, stale sockets, immediate retries. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { closeCode } from './close_codes.js';
import { BACKOFF_CAP_MS, Connection, HANDSHAKE_MAX_MS, SETTLED_MS, backoffMs } from './connection.js';
import { FakeClock, FakeServer } from './fake-server.js';

const HOME = 'ws://home/ws';

function begin(random = () => 0.5) {
  const clock = new FakeClock();
  const server = new FakeServer(clock);
  /** @type {string[]} */
  const heard = [];
  const connection = new Connection(server.env(random), 'holdfast.v1.json', {
    opened: () => connection.settled(),
    message: (text) => heard.push(text),
    closed: (code) => closeCode(code).verdict,
    status: () => undefined,
  });
  return { clock, server, connection, heard };
}

test('asks for its subprotocol and is live after the handshake', async () => {
  const { clock, server, connection } = begin();
  connection.start(HOME);
  assert.equal(connection.status.phase, 'connecting');
  await clock.advance(20);
  assert.equal(connection.status.phase, 'live');
  assert.equal(server.newest?.protocol, 'holdfast.v1.json');
});

test('the backoff has full jitter, doubles, and is capped', () => {
  assert.equal(backoffMs(1, () => 0), 0);
  assert.equal(backoffMs(1, () => 0.999), 249);
  assert.equal(backoffMs(3, () => 0.5), 500);
  assert.equal(backoffMs(50, () => 0.5), BACKOFF_CAP_MS / 2);
});

test('reconnects on 40xx and counts the attempts until it is settled', async () => {
  const { clock, server, connection } = begin();
  connection.start(HOME);
  await clock.advance(20);
  server.down = true;
  server.cut(4002);
  assert.deepEqual([connection.status.phase, connection.status.attempt], ['waiting', 1]);
  await clock.advance(1_000);
  assert.ok(connection.status.attempt > 1);
  server.down = false;
  await clock.advance(BACKOFF_CAP_MS);
  assert.equal(connection.status.phase, 'live');
  await clock.advance(SETTLED_MS);
  server.cut(1012);
  assert.equal(connection.status.attempt, 1);
});

test('stops on 45xx and says why', async () => {
  const { clock, server, connection } = begin();
  connection.start(HOME);
  await clock.advance(20);
  server.cut(4504);
  await clock.advance(60_000);
  assert.equal(connection.status.phase, 'stopped');
  assert.equal(connection.status.reason, 'replaced elsewhere');
  assert.equal(server.sockets.length, 1);
});

test('codes of a later version are judged by range', () => {
  assert.equal(closeCode(4599).verdict, 'stop');
  assert.equal(closeCode(4099).verdict, 'reconnect');
  assert.equal(closeCode(1006).verdict, 'reconnect');
});

test('a stale socket can not act', async () => {
  const { clock, server, connection, heard } = begin();
  connection.start(HOME);
  await clock.advance(20);
  const stale = server.newest;
  const { onmessage, onclose } = /** @type {any} */ (stale);
  connection.reopen();
  await clock.advance(20);
  onmessage({ data: '{"ev":"ghost"}' });
  onclose({ code: 4504 });
  assert.equal(connection.status.phase, 'live');
  assert.deepEqual(heard, []);
});

test('waking retries at once, and only when waiting', async () => {
  const { clock, server, connection } = begin(() => 0.99);
  connection.start(HOME);
  await clock.advance(20);
  connection.wake();
  assert.equal(server.sockets.length, 1);
  server.cut(1006);
  connection.wake();
  assert.equal(server.sockets.length, 2);
  await clock.advance(20);
  assert.equal(connection.status.phase, 'live');
});

test('gives up a socket that never gets through the handshake', async () => {
  const { clock, server, connection } = begin();
  server.silent = true;
  connection.start(HOME);
  await clock.advance(HANDSHAKE_MAX_MS);
  assert.equal(connection.status.phase, 'waiting');
});

test('tries the other gateways in turn, and comes home', async () => {
  const { clock, server, connection } = begin();
  connection.start(HOME);
  await clock.advance(20);
  connection.alternatives(['ws://b/ws', 'javascript:alert(1)', HOME]);
  server.down = true;
  server.cut(1006);
  await clock.advance(3_000);
  const urls = server.sockets.map(({ url }) => url);
  assert.deepEqual(urls.slice(0, 4), [HOME, HOME, 'ws://b/ws', HOME]);
});

test('a drained server is left for another at once, else waited for', async () => {
  const alone = begin(() => 0);
  alone.connection.start(HOME);
  await alone.clock.advance(20);
  alone.connection.retryAfter(2_000);
  alone.server.cut(1012);
  await alone.clock.advance(1_900);
  assert.equal(alone.server.sockets.length, 1);
  await alone.clock.advance(200);
  assert.equal(alone.connection.status.phase, 'live');

  const many = begin(() => 0);
  many.connection.start(HOME);
  await many.clock.advance(20);
  many.connection.alternatives(['ws://b/ws']);
  many.connection.retryAfter(2_000);
  many.server.cut(1012);
  await many.clock.advance(20);
  assert.equal(many.server.newest?.url, 'ws://b/ws');
});
