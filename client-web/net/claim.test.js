/** How a claimed name stays one's own. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RENEW_BELOW_MS, renewToken, tokenEndsMs, isTokenDue } from './claim.js';

const tokenUntil = (/** @type {unknown} */ exp) => {
  const part = (/** @type {object} */ of) => Buffer.from(JSON.stringify(of)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part({ sub: 'ælice?>', exp })}.c2ln`;
};

test('a token says when it ends, and what is none says nothing', () => {
  assert.equal(tokenEndsMs(tokenUntil(1_800_000_000)), 1_800_000_000_000);
  for (const odd of ['', 'a.b', 'a.!!.c', tokenUntil('soon'), tokenUntil(null)]) assert.equal(tokenEndsMs(odd), null, odd);
});

test('a token is renewToken while it counts, and not at every welcome', () => {
  const ends = 1_800_000_000_000;
  const token = tokenUntil(ends / 1_000);
  assert.equal(isTokenDue(token, ends - RENEW_BELOW_MS - 1), false, 'it is new');
  assert.equal(isTokenDue(token, ends - RENEW_BELOW_MS + 1), true);
  assert.equal(isTokenDue(token, ends - 1), true);
  assert.equal(isTokenDue(token, ends), false, 'it has ended');
  assert.equal(isTokenDue('no token', 0), false);
});

test('an exchange shows the old token and gives the new one, or nothing', async () => {
  /** @type {any[]} */ const asked = [];
  const server = (/** @type {number} */ status, /** @type {object} */ body) =>
    /** @type {any} */ (async (/** @type {string} */ url, /** @type {any} */ init) => {
      asked.push([url, init.headers.authorization, init.body]);
      return new Response(JSON.stringify(body), { status });
    });
  assert.equal(await renewToken(server(200, { token: 'new' }), 'http://gw', 'alice', 'old'), 'new');
  assert.deepEqual(asked, [['http://gw/v1/sessions', 'Bearer old', '{"player":"alice"}']]);
  assert.equal(await renewToken(server(401, { error: {} }), 'http://gw', 'alice', 'old'), null);
  assert.equal(await renewToken(server(200, {}), 'http://gw', 'alice', 'old'), null);
  const away = /** @type {any} */ (() => Promise.reject(new TypeError('away')));
  assert.equal(await renewToken(away, 'http://gw', 'alice', 'old'), null);
});
