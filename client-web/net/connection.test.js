/** The socket: backoff, verdicts, stale sockets, immediate retries. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { closeCode } from './close_codes.js';
import { json, msgpack } from './codec.js';
import {
  AT_ONCE_MS, BACKOFF_CAP_MS, Connection, HANDSHAKE_MAX_MS, OPEN_MAX_MS, SETTLED_MS, backoffMs,
} from './connection.js';
import { FakeClock, FakeServer } from './fake-server.js';

const HOME = 'ws://home/ws';

function begin(random = () => 0.5, codec = json) {
  const clock = new FakeClock();
  const server = new FakeServer(clock);
  /** @type {any[]} */
  const heard = [];
  /** @type {import('./connection.js').ConnectionTrace[]} */
  const trace = [];
  const connection = new Connection(server.env(random), codec, {
    opened: () => connection.settled(),
    message: (message) => heard.push(message),
    closed: (code) => closeCode(code).verdict,
    status: () => undefined,
    trace: (entry) => trace.push(entry),
  });
  return { clock, server, connection, heard, trace };
}

/** Live at home, with other gateways known. @param {string[]} others */
async function withOthers(others, random = () => 0.5) {
  const page = begin(random);
  page.connection.start(HOME);
  await page.clock.advance(20);
  page.connection.alternatives([HOME, ...others]);
  await page.clock.advance(SETTLED_MS);
  return page;
}

test('asks for its subprotocol and is live after the handshake', async () => {
  const { clock, server, connection } = begin();
  connection.start(HOME);
  assert.equal(connection.status.phase, 'connecting');
  await clock.advance(20);
  assert.equal(connection.status.phase, 'live');
  assert.equal(server.newest?.protocol, 'holdfast.v1.json');
  assert.equal(server.newest?.binaryType, 'arraybuffer');
});

test('what can not be read is passed over, and all is counted', async () => {
  const { clock, server, connection, heard } = begin(() => 0.5, msgpack);
  connection.start(HOME);
  await clock.advance(20);
  server.newest?.onmessage?.({ data: new Uint8Array([0xc1]).buffer });
  server.newest?.onmessage?.({ data: 'text' });
  server.newest?.onmessage?.({ data: msgpack.encode({ ev: 'drain' }) });
  connection.send({ do: 'ping', args: { t: 1 } });
  assert.deepEqual(heard, [{ ev: 'drain' }]);
  assert.equal(connection.status.phase, 'live');
  assert.deepEqual(connection.traffic, { frames_in: 3, bytes_in: 15, frames_out: 1, bytes_out: 18 });
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

test('waking gives up an attempt that hangs', async () => {
  const { clock, server, connection } = begin();
  server.silent = true;
  connection.start(HOME);
  await clock.advance(100);
  connection.wake();
  assert.equal(server.sockets.length, 1);
  server.silent = false;
  await clock.advance(900);
  connection.wake();
  await clock.advance(20);
  assert.equal(connection.status.phase, 'live');
});

test('an attempt that does not open ends soon, later ones are given more time', async () => {
  const { clock, server, connection, trace } = begin();
  server.silent = true;
  connection.start(HOME);
  await clock.advance(OPEN_MAX_MS + 1);
  assert.equal(connection.status.phase, 'waiting');
  await clock.advance(120_000);
  const tried = trace.filter(({ what }) => what === 'unreachable').length;
  assert.ok(tried >= 6 && tried <= 14, `${tried} attempts in two minutes`);
});

test('a socket that opens may take longer for its handshake', async () => {
  const { clock, server, connection } = begin();
  const opened = [];
  const slow = new Connection(server.env(), json, {
    opened: () => opened.push(1),
    message: () => undefined,
    status: () => undefined,
    closed: () => 'reconnect',
  });
  slow.start(HOME);
  await clock.advance(HANDSHAKE_MAX_MS - 100);
  assert.deepEqual([slow.status.phase, opened.length], ['connecting', 1]);
  await clock.advance(200);
  assert.equal(slow.status.phase, 'waiting');
  connection.stop(null, '');
});

test('a lost socket is tried again at once, and the others without a wait', async () => {
  const others = ['ws://b/ws', 'javascript:alert(1)', 'ws://c/ws'];
  const { clock, server, connection, trace } = await withOthers(others);
  for (const url of [HOME, 'ws://b/ws']) server.gone.add(url);
  trace.length = 0;
  server.cut(1006);
  assert.ok((connection.status.retry_at ?? Infinity) - clock.now() <= AT_ONCE_MS);
  await clock.advance(AT_ONCE_MS + 60);
  assert.equal(connection.status.phase, 'live');
  assert.deepEqual(trace.map(({ what, ...more }) => [what, 'url' in more ? more.url : 0]), [
    ['lost', HOME], ['waiting', 0], ['trying', HOME], ['unreachable', HOME], ['trying', 'ws://b/ws'],
    ['unreachable', 'ws://b/ws'], ['trying', 'ws://c/ws'], ['opened', 'ws://c/ws'],
  ]);
});

test('after a round every attempt waits with full jitter, and home is tried for ever', async () => {
  const { clock, server, connection, trace } = await withOthers(['ws://b/ws'], () => 0.9);
  server.down = true;
  trace.length = 0;
  server.cut(1006);
  await clock.advance(5_000);
  const waits = trace.flatMap((entry) => (entry.what === 'waiting' ? [entry.ms] : []));
  assert.deepEqual(waits.slice(0, 4), [90, 225, 450, 900]);
  const tried = trace.flatMap((entry) => (entry.what === 'trying' ? [entry.url] : []));
  assert.deepEqual(tried.slice(0, 4), [HOME, 'ws://b/ws', HOME, 'ws://b/ws']);
  server.down = false;
  await clock.advance(BACKOFF_CAP_MS);
  assert.equal(connection.status.phase, 'live');
});

test('a gateway that is gone for good does not stop the page, also after a login', async () => {
  const { clock, server, connection } = await withOthers(['ws://b/ws']);
  server.gone.add(HOME);
  server.cut(1006);
  await clock.advance(500);
  assert.equal(connection.url, 'ws://b/ws');
  connection.stop(4504, 'replaced');
  connection.start(HOME);
  await clock.advance(500);
  assert.deepEqual([connection.status.phase, connection.url], ['live', 'ws://b/ws']);
});

test('a gateway that no page may open is passed over', async () => {
  const { clock, server, connection } = await withOthers(['ws://b/ws', 'ws://c/ws']);
  server.gone.add(HOME);
  server.forbidden.add('ws://b/ws');
  server.cut(1006);
  await clock.advance(500);
  assert.deepEqual([connection.status.phase, connection.url], ['live', 'ws://c/ws']);
});

test('a drained gateway is left at once for another, else waited for', async () => {
  const alone = begin(() => 0);
  alone.connection.start(HOME);
  await alone.clock.advance(20);
  alone.connection.drained(2_000);
  alone.server.cut(1012);
  await alone.clock.advance(1_900);
  assert.equal(alone.server.sockets.length, 1);
  await alone.clock.advance(200);
  assert.equal(alone.connection.status.phase, 'live');

  alone.connection.drained(60_000);
  alone.connection.stop(1000, 'logged out');
  alone.server.down = true;
  alone.connection.start(HOME);
  await alone.clock.advance(100);
  assert.ok(alone.server.sockets.length > 3, 'whoever starts anew is not asked to wait');

  const many = await withOthers(['ws://b/ws'], () => 0.99);
  many.server.cut(1006);
  await many.clock.advance(AT_ONCE_MS + 20);
  many.connection.drained(2_000);
  await many.clock.advance(AT_ONCE_MS + 20);
  assert.equal(many.server.newest?.url, 'ws://b/ws');
  assert.equal(many.connection.status.phase, 'live');
  assert.equal(many.server.sockets.at(-2)?.closedBy, 1000);
});

test('a close that says so leads elsewhere first, and another name of it is last', async () => {
  const { clock, server, connection } = begin();
  connection.start('ws://localhost/ws');
  await clock.advance(20);
  connection.alternatives(['ws://127.0.0.1/ws', 'ws://b/ws']);
  server.cut(4001);
  await clock.advance(200);
  assert.equal(server.newest?.url, 'ws://b/ws');
});

test('a socket that is lost again and again is not hammered', async () => {
  const { clock, server, connection } = await withOthers([], () => 0.5);
  for (let n = 0; n < 6; n += 1) {
    server.cut(1006);
    await clock.advance((connection.status.retry_at ?? 0) - clock.now() + 50);
    assert.equal(connection.status.phase, 'live');
  }
  server.cut(1006);
  assert.ok((connection.status.retry_at ?? 0) - clock.now() >= 2_000);
});
