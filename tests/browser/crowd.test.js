/**
 * A page in a room of 200: what its scripts take of each picture, and that its
 * memory does not grow. CROWD_S says for how many seconds (15; five minutes are
 * the measure). A machine that is too slow to draw makes the run void.
 */

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch } from './browser.js';
import { quantile, tooSlow } from './feel.js';
import { Player } from './player.js';
import { Process, binary } from './process.js';
import { Server } from './server.js';

const OTHERS = 199;
const SECONDS = Number(process.env.CROWD_S || 15);
const ROOM = 'lt7-room-0';
/** Measured by the goal; without CROWD_S it is a check on whatever build there is. */
const SCRIPT_MAX_MS = process.env.CROWD_S ? 6 : 8;
/** What a heap may gain while nothing new happens, in bytes: noise of the collector. */
const GROWTH_MAX = 1_500_000;

/** @type {Server} */ let server;
/** @type {Process} */ let crowd;
/** @type {import('playwright-core').Browser} */ let browser;
/** @type {Player} */ let alice;
/** @type {string} */ let folder;

before(async () => {
  server = await Server.begin('--room-capacity', '300');
  folder = await mkdtemp(join(tmpdir(), 'holdfast-crowd-'));
  const scenario = join(folder, 'crowd.toml');
  await writeFile(scenario, `
version = 1
name = "crowd"
players = ${OTHERS}
room_of = ${OTHERS}
ramp = "5s"
hold = "${SECONDS + 120}s"
bots = [
    { kind = "mover", share = 9, input_hz = 5 },
    { kind = "brawler", share = 1, input_hz = 5, think = "2s" },
]
`);
  const args = ['run', scenario, '--target', server.socketUrl, '--seed', '7', '--out', join(folder, 'out')];
  crowd = new Process(binary('loadtest'), args);
  browser = await launch();
  alice = await Player.open(browser, server, 'alice', {}, timeScripts);
  await alice.login();
  await alice.enter(ROOM);
  await alice.see('everyone', (others) => /** @type {any} */ (window).holdfast.players().length >= Number(others), String(OTHERS));
});

after(async () => {
  await browser?.close();
  await crowd?.end('SIGINT');
  await server?.end();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/**
 * In the page, before its own scripts: how long they run between two pictures, but for what is
 * read of the history's stream, a few lines a second.
 */
function timeScripts() {
  /** @type {{ scripts: number[], gaps: number[] }} */
  const measured = { scripts: [], gaps: [] };
  let running = 0;
  let last = performance.now();
  /** @param {Function} act */
  const timed = (act) => (/** @type {any[]} */ ...given) => {
    const begun = performance.now();
    try {
      return act(...given);
    } finally {
      running += performance.now() - begun;
    }
  };
  const draw = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (act) => draw(timed(act));
  for (const name of /** @type {const} */ (['setTimeout', 'setInterval'])) {
    const later = /** @type {any} */ (window)[name].bind(window);
    Object.assign(window, { [name]: (/** @type {any} */ act, /** @type {any[]} */ ...rest) => later(timed(act), ...rest) });
  }
  const told = /** @type {any} */ (Object.getOwnPropertyDescriptor(WebSocket.prototype, 'onmessage'));
  Object.defineProperty(WebSocket.prototype, 'onmessage', {
    ...told,
    set(act) {
      told.set.call(this, act && timed(act));
    },
  });
  const look = () => {
    const now = performance.now();
    measured.gaps.push(now - last);
    measured.scripts.push(running);
    last = now;
    running = 0;
    draw(look);
  };
  draw(look);
  Object.assign(window, { measured });
}

/** The heap after everything that is not needed has been thrown away. */
async function heap(/** @type {import('playwright-core').CDPSession} */ inspector) {
  for (let nth = 0; nth < 3; nth += 1) await inspector.send('HeapProfiler.collectGarbage');
  const { usedSize } = await inspector.send('Runtime.getHeapUsage');
  return usedSize;
}

test('200 in a room take little of each picture, and the page does not grow', async (t) => {
  const inspector = await alice.page.context().newCDPSession(alice.page);
  // What is kept of a while (lines, samples, labels) is there after some seconds.
  await alice.page.waitForTimeout(10_000);
  const begun = await heap(inspector);
  await alice.page.evaluate(() => {
    const { measured } = /** @type {any} */ (window);
    measured.scripts.length = 0;
    measured.gaps.length = 0;
  });
  await alice.page.waitForTimeout(SECONDS * 1_000);
  const { scripts, gaps } = await alice.page.evaluate(() => structuredClone(/** @type {any} */ (window).measured));
  await alice.page.evaluate(() => {
    const { measured } = /** @type {any} */ (window);
    measured.scripts.length = 0;
    measured.gaps.length = 0;
  });
  const grown = await heap(inspector) - begun;
  const others = await alice.page.evaluate(() => /** @type {any} */ (window).holdfast.players().length);
  const [middle, most, gap] = [quantile(scripts, 0.5), quantile(scripts, 0.95), quantile(gaps, 0.5)];
  t.diagnostic(`scripts take ${middle.toFixed(2)} ms of a picture (95%: ${most.toFixed(2)}), ${scripts.length} pictures, one every ${gap.toFixed(1)} ms`);
  t.diagnostic(`the heap was ${(begun / 1e6).toFixed(2)} MB and has gained ${(grown / 1e6).toFixed(2)} MB in ${SECONDS} s`);
  assert.equal(others, OTHERS, 'all are still here');
  assert.ok(grown <= GROWTH_MAX, `no growth: ${grown} bytes`);
  const slow = tooSlow(gaps);
  if (slow) return t.skip(slow);
  assert.ok(most <= SCRIPT_MAX_MS, `scripts take at most ${SCRIPT_MAX_MS} ms at 95%: ${most}`);
  return undefined;
});
