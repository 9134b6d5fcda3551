/**
 * How it feels over a distance: two pages, each behind a proxy that adds 50 ± 10
 * ms each way, one walks, the other looks on. A machine that is too slow to draw
 * makes the run void, which is said and is no pass. FEEL_WALKS says how many walks: then it is a
 * measurement, by the goal itself; without it a check of 24 walks on whatever build there is.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch } from './browser.js';
import { felt, quantile, tooSlow, watchOther, watchSelf } from './feel.js';
import { Player } from './player.js';
import { Process, binary } from './process.js';
import { Server } from './server.js';

const WALKS = Number(process.env.FEEL_WALKS || 24);
const SEEN_MAX_MS = process.env.FEEL_WALKS ? 350 : 440;

/** @type {Server} */ let server;
/** @type {Process} */ let proxy;
/** @type {import('playwright-core').Browser} */ let browser;
/** @type {Player} */ let alice;
/** @type {Player} */ let bob;

before(async () => {
  server = await Server.begin();
  const args = ['proxy', '--target', server.address, '--delay', '50ms', '--jitter', '10ms', '--seed', '7'];
  proxy = new Process(binary('loadtest'), args);
  const address = await proxy.hear(/^proxy (\S+) ->/mu);
  const far = { url: `http://${address}/`, socketUrl: `ws://${address}/ws` };
  browser = await launch();
  alice = await Player.open(browser, far, 'alice');
  bob = await Player.open(browser, far, 'bob');
  await alice.login();
  await bob.login();
  await bob.see('alice', () => /** @type {any} */ (window).holdfast.positions().alice);
});

after(async () => {
  await browser?.close();
  await proxy?.end('SIGKILL');
  await server?.end();
});

/** Walks to and fro; between two walks everyone has come to rest. */
async function walk() {
  const { keyboard } = alice.page;
  await alice.page.locator('#arena').focus();
  for (let nth = 0; nth < WALKS; nth += 1) {
    const key = nth % 2 === 0 ? 'd' : 'a';
    await keyboard.down(key);
    await alice.page.waitForTimeout(300 + (nth * 37) % 50);
    await keyboard.up(key);
    await alice.page.waitForTimeout(750);
  }
}

test('at 100 ± 20 ms a key moves at once, and is seen soon', async (t) => {
  await watchSelf(alice.page);
  await watchOther(bob.page, 'alice');
  const before = await bob.page.evaluate(() => /** @type {any} */ (window).holdfast.net());
  const corrections = await alice.page.evaluate(() => /** @type {any} */ (window).holdfast.corrections());
  await walk();
  const [own, seen] = [await felt(alice.page), await felt(bob.page)];
  const net = await bob.page.evaluate(() => /** @type {any} */ (window).holdfast.net());

  const pictures = own.starts.map((/** @type {any} */ start) => start.pictures);
  const delays = own.starts.flatMap((/** @type {any} */ start) => {
    const first = seen.seen.find((/** @type {number} */ at) => at >= start.at && at < start.at + 1_000);
    return first === undefined ? [] : [first - start.at];
  });
  const rtt = await alice.page.evaluate(() => /** @type {any} */ (window).holdfast.connection().rtt_ms);
  const underruns = (net.underruns - before.underruns) / Math.max(1, net.drawn - before.drawn);
  const gaps = [...own.gaps, ...seen.gaps];
  t.diagnostic(`round trip ${rtt} ms; pictures every ${quantile(gaps, 0.5).toFixed(1)} ms (95%: ${quantile(gaps, 0.95).toFixed(1)})`);
  t.diagnostic(`own move after pictures: 50% ${quantile(pictures, 0.5)}, 95% ${quantile(pictures, 0.95)}, of ${pictures.length} keys`);
  t.diagnostic(`seen by the other: 50% ${quantile(delays, 0.5).toFixed(0)} ms, 95% ${quantile(delays, 0.95).toFixed(0)} ms, of ${delays.length}`);
  t.diagnostic(`pictures without news: ${(underruns * 100).toFixed(2)} % of ${net.drawn - before.drawn}`);
  const slow = tooSlow(gaps);
  if (slow) return t.skip(slow);
  assert.ok(rtt >= 80, `the distance is there: ${rtt} ms`);
  assert.equal(pictures.length, WALKS, 'every key moved the avatar');
  assert.ok(quantile(pictures, 0.95) <= 2, `own move within 2 pictures: ${quantile(pictures, 0.95)}`);
  assert.ok(delays.length >= WALKS * 0.95, `every walk is seen: ${delays.length}`);
  assert.ok(quantile(delays, 0.95) <= SEEN_MAX_MS, `seen within ${SEEN_MAX_MS} ms: ${quantile(delays, 0.95)}`);
  assert.ok(underruns <= 0.005, `at most 0.5 % of the pictures without news: ${underruns}`);
  const corrected = await alice.page.evaluate(() => /** @type {any} */ (window).holdfast.corrections());
  assert.equal(corrected, corrections, 'the prediction was right');
  return undefined;
});
