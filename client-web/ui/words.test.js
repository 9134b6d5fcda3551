/** What chip and banner say of a connection. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bannerWords, chipWords, newsOf } from './words.js';

const status = (/** @type {any} */ changes) => ({
  phase: 'live',
  attempt: 0,
  code: null,
  reason: '',
  retry_at: null,
  rtt_ms: 12,
  slow: false,
  node: 'gw-1',
  url: '',
  error: null,
  ...changes,
});

test('the chip says how it stands', () => {
  const say = (/** @type {any} */ changes, news = '') => chipWords(status(changes), news, true, 1_000);
  assert.deepEqual(say({}), { phase: 'live', text: 'live 12 ms' });
  assert.deepEqual(say({ rtt_ms: null }), { phase: 'live', text: 'live' });
  assert.deepEqual(say({ slow: true, rtt_ms: 340 }), { phase: 'slow', text: 'slow 340 ms' });
  assert.deepEqual(say({ slow: true, rtt_ms: 8 }), { phase: 'slow', text: 'slow, no answer yet' });
  assert.deepEqual(say({ phase: 'waiting', attempt: 2, retry_at: 1_412 }), {
    phase: 'waiting',
    text: 'reconnecting in 0.4 s (attempt 2)',
  });
  assert.deepEqual(
    say({ phase: 'waiting', attempt: 2, retry_at: 900 }).text,
    'reconnecting in 0.0 s (attempt 2)',
  );
  assert.deepEqual(say({ phase: 'connecting', attempt: 0 }).text, 'connecting');
  assert.deepEqual(say({ phase: 'connecting', attempt: 3 }).text, 'reconnecting (attempt 3)');
  assert.deepEqual(say({}, 'resumed, 5 events replayed'), {
    phase: 'news',
    text: 'resumed, 5 events replayed',
  });
  const quiet = { slow: true, quiet_since: 200 };
  assert.equal(say(quiet, 'resumed').phase, 'slow', 'a line that is quiet has no good news');
  assert.deepEqual(say({ phase: 'stopped', reason: 'banned' }), { phase: 'stopped', text: 'banned' });
});

test('news waits for a live connection', () => {
  assert.equal(
    chipWords(status({ phase: 'connecting', attempt: 1 }), 'resumed', true, 0).phase,
    'connecting',
  );
});

test('a welcome is news to somebody who was here', () => {
  assert.equal(newsOf({ ev: 'welcome', node: 'gw-1' }, ''), '');
  assert.equal(newsOf({ ev: 'resumed', node: 'gw-1', replayed: 5 }, 'gw-1'), 'resumed, 5 events replayed');
  assert.equal(newsOf({ ev: 'resumed', node: 'gw-1', replayed: 1 }, ''), 'resumed, 1 event replayed');
  assert.equal(
    newsOf({ ev: 'resumed', node: 'gw-2', replayed: 2 }, 'gw-1'),
    'taken over by gw-2, 2 events replayed',
  );
  assert.equal(newsOf({ ev: 'resumed', node: 'gw-2', replayed: 0 }, 'gw-1'), 'taken over by gw-2');
  assert.equal(newsOf({ ev: 'resync', node: 'gw-1' }, 'gw-1'), 'resumed with the newest state');
});

test('the banner says what is the matter and what happens next', () => {
  assert.equal(bannerWords(status({}), true, 0), null);
  assert.equal(bannerWords(status({ phase: 'idle' }), false, 0), null);
  assert.match(bannerWords(status({ slow: true }), false, 0)?.title ?? '', /offline/u);
  assert.equal(chipWords(status({ slow: true }), '', false, 0).text, 'offline');
  assert.equal(
    bannerWords(status({}), false, 0),
    null,
    'a server on this machine is reachable without a network',
  );
  const quiet = (/** @type {number} */ now) => bannerWords(status({ slow: true, quiet_since: 1_000 }), true, now);
  assert.equal(quiet(2_000), null, 'the chip is enough');
  assert.equal(quiet(3_300)?.next, 'No answer for 2.3 s; soon another connection is tried.');
  const words = bannerWords(status({ phase: 'waiting', attempt: 2, retry_at: 700 }), true, 0);
  assert.match(words?.why ?? '', /Nothing is lost/u);
  assert.equal(words?.next, 'Next attempt in 0.7 s (attempt 2).');
});
