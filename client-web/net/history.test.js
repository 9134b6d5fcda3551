/** The story of a player: streamed, gone on with elsewhere, nothing told twice. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { EventStream, LINE_MAX } from './event-stream.js';
import { FakeClock } from './fake-server.js';
import { History, OPEN_MAX_MS, QUIET_MAX_MS, nodes } from './history.js';

const text = new TextEncoder();

/** @param {number} seq */
const record = (seq) => ({ entry: 'record', seq, epoch: 5, bytes: 9, facts: [] });
/** @param {number} after @param {number} epoch */
const claim = (after, epoch) => ({ entry: 'claim', after, epoch });

/** @param {any} entry */
function sent(entry) {
  const id = entry.entry === 'record' ? `id: ${entry.seq}\n` : '';
  return `event: ${entry.entry}\n${id}data: ${JSON.stringify(entry)}\n\n`;
}

/** One request, and what a test says in answer. */
class Request {
  /** @type {ReadableStreamDefaultController<Uint8Array> | undefined} */ #out;
  /** @type {(answer: any) => void} */ #answer = () => undefined;
  /** @type {Promise<any>} */ answered = new Promise((answer) => { this.#answer = answer; });
  aborted = false;

  /** @param {string} url @param {any} asked */
  constructor(url, asked) {
    this.url = url;
    this.headers = asked.headers;
    asked.signal?.addEventListener('abort', () => { this.aborted = true; });
  }

  open() {
    const body = new ReadableStream({ start: (out) => { this.#out = out; } });
    this.#answer(new Response(body, { status: 200 }));
  }

  /** @param {...any} entries */
  say(...entries) {
    const texts = entries.map((entry) => (typeof entry === 'string' ? entry : sent(entry)));
    for (const one of texts) this.#out?.enqueue(text.encode(one));
  }

  end() {
    this.#out?.close();
  }

  /** @param {number} status @param {object} body */
  refuse(status, body) {
    this.#answer(new Response(JSON.stringify(body), { status }));
  }
}

function begin() {
  const clock = new FakeClock();
  /** @type {Request[]} */
  const requests = [];
  /** @type {string[]} */
  const told = [];
  /** @type {[boolean, string][]} */
  const states = [];
  const at = { base: 'http://a' };
  const history = new History({
    fetch: /** @type {any} */ ((/** @type {string} */ url, /** @type {any} */ asked) => {
      const request = new Request(url, asked);
      requests.push(request);
      return request.answered;
    }),
    clock,
    base: () => at.base,
    headers: () => ({ Authorization: 'Bearer x' }),
    random: () => 0.5,
  }, {
    entry: (entry) => {
      told.push(entry.entry === 'claim' ? `claim ${entry.epoch}` : `${entry.entry} ${entry.seq}`);
    },
    state: (live, why) => states.push([live, why]),
  });
  const newest = () => /** @type {Request} */ (requests.at(-1));
  return { clock, requests, told, states, at, history, newest };
}

test('asks for one player and tells what comes, in any pieces', async () => {
  const { clock, told, states, history, newest } = begin();
  history.follow('al/ice', 7);
  assert.equal(newest().url, 'http://a/v1/players/al%2Fice/history?follow=true&from=7');
  assert.equal(newest().headers.Authorization, 'Bearer x');
  newest().open();
  newest().say(claim(0, 5), record(7), ': keep\n\n', { entry: 'snapshot', seq: 7, bytes: 1 });
  const pieces = sent(record(8));
  for (const byte of pieces) newest().say(byte);
  await clock.advance(10);
  assert.deepEqual(told, ['claim 5', 'record 7', 'snapshot 7', 'record 8']);
  assert.deepEqual(states, [[true, '']]);
});

test('goes on after a loss from the last record, elsewhere, and tells nothing twice', async () => {
  const { clock, told, states, at, history, newest, requests } = begin();
  history.follow('alice');
  newest().open();
  newest().say(record(1), record(2));
  await clock.advance(10);
  at.base = 'http://b';
  newest().end();
  await clock.advance(300);
  assert.equal(requests.length, 2);
  assert.equal(newest().url, 'http://b/v1/players/alice/history?follow=true');
  assert.equal(newest().headers['Last-Event-ID'], '1', 'the last record again: claims stand after it');
  newest().open();
  newest().say(record(2), claim(2, 9), record(3));
  await clock.advance(10);
  assert.deepEqual(told, ['record 1', 'record 2', 'claim 9', 'record 3']);
  assert.deepEqual(states.map(([live]) => live), [true, false, true]);
});

test('leaves a stream that hangs when the page moves, or is quiet for too long, or never opens', async () => {
  const { clock, at, history, newest, requests, states } = begin();
  history.follow('alice');
  await clock.advance(OPEN_MAX_MS + 1_200);
  assert.equal(requests.length, 2);
  assert.equal(requests[0]?.aborted, true);
  newest().open();
  await clock.advance(10);
  at.base = 'http://b';
  await clock.advance(2_500);
  assert.match(newest().url, /^http:\/\/b/u);
  newest().open();
  await clock.advance(QUIET_MAX_MS - 2_000);
  assert.equal(requests.length, 3);
  await clock.advance(4_000);
  assert.equal(requests.length, 4);
  assert.deepEqual(states.filter(([live]) => !live).map(([, why]) => why),
    ['no answer', 'the page moved to another server', 'the stream went quiet']);
});

test('a refusal is said and tried again; where there is no such record it begins anew', async () => {
  const { clock, states, history, newest, requests } = begin();
  history.follow('alice', 4);
  newest().open();
  newest().say(record(4));
  await clock.advance(10);
  newest().end();
  await clock.advance(300);
  newest().refuse(400, { error: { code: 'bad_args', message: 'there is no such record' } });
  await clock.advance(600);
  assert.deepEqual(states.at(-1), [false, 'there is no such record']);
  assert.equal(newest().headers['Last-Event-ID'], undefined);
  assert.doesNotMatch(newest().url, /from=/u);
  newest().refuse(503, {});
  await clock.advance(10);
  assert.deepEqual(states.at(-1), [false, 'the server answered 503']);
  assert.equal(requests.length, 3);
});

test('says nothing after stop, and a wake does not wait', async () => {
  const { clock, told, history, newest, requests } = begin();
  history.follow('alice');
  newest().refuse(503, {});
  await clock.advance(1);
  history.wake();
  assert.equal(requests.length, 2);
  newest().open();
  await clock.advance(1);
  history.stop();
  newest().say(record(1));
  await clock.advance(60_000);
  assert.deepEqual([told, requests.length, newest().aborted], [[], 2, true]);
});

test('reads events as the standard has them, and no endless line', () => {
  const stream = new EventStream();
  const lines = '\uFEFFdata: a\r\ndata:b\rid: 4\n\nevent: x\ndata\n\nevent: none\n\n:c\nother: 1\n';
  const events = stream.take(text.encode(lines));
  const message = { event: 'message', data: 'a\nb', id: '4' };
  assert.deepEqual(events, [message, { event: 'x', data: '', id: null }]);
  const halves = new EventStream();
  assert.deepEqual(halves.take(text.encode('data: 1\r')), []);
  assert.deepEqual(halves.take(text.encode('\n\r\n')).map(({ data }) => data), ['1']);
  const umlaut = text.encode('data: ü\n\n');
  assert.deepEqual(halves.take(umlaut.slice(0, 7)), []);
  assert.deepEqual(halves.take(umlaut.slice(7)).map(({ data }) => data), ['ü']);
  assert.throws(() => halves.take(new Uint8Array(LINE_MAX + 1).fill(0x61)), /too long/u);
});

test('the nodes, or why not', async () => {
  const page = { nodes: [], demo: { control: 'http://127.0.0.1:1/t' } };
  const fetch = /** @type {any} */ (async () => new Response(JSON.stringify(page)));
  assert.deepEqual(await nodes(fetch, 'http://a', {}), page);
  const no = '{"error":{"message":"no token"}}';
  const refused = /** @type {any} */ (async () => new Response(no, { status: 401 }));
  await assert.rejects(nodes(refused, 'http://a', {}), /no token/u);
});
