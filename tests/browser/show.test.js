/**
 * Behind the scenes, in a show of two gateways on one Redis: the buttons break
 * what they say, the page takes its player to the other gateway by itself, and
 * tells what happened in words and milliseconds, with the proof.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch } from './browser.js';
import { BACK_WITHIN_MS, Player } from './player.js';
import { Show } from './show.js';

/** @type {Show} */ let show;
/** @type {import('playwright-core').Browser} */ let browser;
/** @type {Player} */ let alice;

before(async () => {
  show = await Show.begin('--gateways', '2', '--bots', '4');
  browser = await launch();
  alice = await Player.open(browser, show, 'alice', { viewport: { width: 1440, height: 900 } });
  await alice.login();
});

after(async () => {
  await browser?.close();
  await show?.end();
});

const node = () => alice.page.evaluate(() => /** @type {any} */ (window).holdfast.connection().node);

/** @returns {Promise<any[]>} newest first */
const incidents = () => alice.page.evaluate(() => /** @type {any} */ (window).holdfast.incidents());

/** Walks until it is let go: input is under way when the loss comes. */
async function walking(/** @type {() => Promise<void>} */ act) {
  await alice.page.locator('#arena').focus();
  await alice.page.keyboard.down('d');
  try {
    await act();
  } finally {
    await alice.page.keyboard.up('d');
  }
}

/**
 * Breaks something by a button, and waits until the page has told the whole.
 * @param {string} button
 * @param {string} cause
 */
async function broken(button, cause) {
  const before = (await incidents()).length;
  alice.outage = true;
  await walking(async () => {
    await alice.page.locator(`#${button}`).click();
    await alice.see('the whole timeline', ([count, why]) => {
      const [newest, ...older] = /** @type {any} */ (window).holdfast.incidents();
      return newest?.cause === why && older.length >= Math.min(Number(count), 3) && !newest.open && newest.total;
    }, [String(before), cause], BACK_WITHIN_MS);
  });
  alice.outage = false;
  return (await incidents())[0];
}

/** The lines of an incident have this order. */
function assertTold(/** @type {any} */ incident, /** @type {string[]} */ wanted) {
  const told = incident.lines.map((/** @type {any} */ line) => line.what);
  let at = 0;
  for (const what of wanted) {
    const found = told.indexOf(what, at);
    assert.ok(found >= 0, `${what} after ${at} in ${JSON.stringify(incident.lines)}`);
    at = found;
  }
}

/** Nothing that a player owns is less than it was; a coin may have come. */
async function assertProof(/** @type {any} */ incident) {
  const { before, after } = incident;
  assert.deepEqual(after.items, before.items, 'the items are all there');
  assert.ok(after.gold >= before.gold && after.score >= before.score && after.xp >= before.xp, JSON.stringify(incident));
  await alice.see('the proof', () => {
    const shown = document.querySelector('#timeline .proof')?.textContent ?? '';
    return ['Gold', 'Items', 'Score', 'XP'].every((word) => shown.includes(word));
  });
}

test('the arena has life in it, and the panel tells of my actor', async () => {
  await alice.see('the bots', () => /** @type {any} */ (window).holdfast.players().length >= 4);
  await alice.see('the panel', () => document.querySelector('#scenes')?.checkVisibility());
  await alice.see('my owner', () => /gw-[12]/u.test(document.querySelector('#actor-node')?.textContent ?? ''));
  await alice.see('the nodes', () => document.querySelectorAll('#nodes tr').length === 2);
  await alice.see('records as they happen', () => document.querySelectorAll('#journal li').length > 2);
  await alice.see('the buttons', () => document.querySelector('#demo-kill')?.checkVisibility());
  assert.match(await alice.page.locator('#actor-epoch').innerText(), /\d{13}/u);
  await alice.picture('5-scenes');
});

test('my gateway is killed, and the other one goes on', async (t) => {
  const former = await node();
  const incident = await broken('demo-kill', 'kill');
  assert.notEqual(await node(), former, 'another gateway');
  t.diagnostic(`${incident.title}: ${incident.total}`);
  for (const line of incident.lines) t.diagnostic(`  +${Math.round(line.at_ms - incident.began_ms)} ms ${line.text}`);
  const text = incident.lines.map((/** @type {any} */ line) => line.text).join('\n');
  assert.match(text, /killed/u);
  assert.match(text, /[Ee]poch \d{13}/u);
  assert.match(text, /replayed/u);
  assert.match(text, /[Ii]nput \d+ acknowledged/u);
  assertTold(incident, ['kill', 'lost', 'claim', 'back', 'input']);
  await assertProof(incident);
  await alice.see('the chip', () => /live|taken over|resumed/u.test(document.querySelector('#status')?.textContent ?? ''));
  await alice.picture('6-killed');
});

test('my gateway is drained, and hands me over', async (t) => {
  await show.whole();
  const former = await node();
  const incident = await broken('demo-drain', 'drain');
  t.diagnostic(`${incident.title}: ${incident.total}`);
  assert.notEqual(await node(), former, 'another gateway');
  assertTold(incident, ['drain', 'lost', 'back']);
  await assertProof(incident);
});

test('my network is cut for five seconds, and the page says so', async () => {
  const told = broken('demo-cut', 'cut');
  await alice.see('the banner', () => document.querySelector('#offline')?.checkVisibility());
  await alice.picture('7-cut');
  const incident = await told;
  assertTold(incident, ['cut', 'lost', 'back']);
  await assertProof(incident);
  await alice.see('no banner', () => !document.querySelector('#offline')?.checkVisibility());
});

test('a distance is added and taken away', async () => {
  await alice.page.locator('#demo-delay').click();
  await alice.see('a slow round trip', () => /** @type {any} */ (window).holdfast.connection().rtt_ms >= 70, undefined, BACK_WITHIN_MS);
  await alice.page.locator('#demo-delay').click();
  await alice.see('a quick one', () => /** @type {any} */ (window).holdfast.connection().rtt_ms < 70, undefined, BACK_WITHIN_MS);
});

test('the browser had nothing to complain of', () => {
  assert.deepEqual(alice.complaints, []);
});
