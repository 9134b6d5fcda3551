/**
 * Owns one player's page in a browser context of its own: logging in by
 * keyboard, walking, reading what the page shows, and every complaint the
 * browser makes meanwhile.
 */

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Whatever is waited for must be seen within this. */
export const WITHIN_MS = 20_000;
/** A connection that comes back may sit out a full backoff first. */
export const BACK_WITHIN_MS = 40_000;

/** @typedef {import('playwright-core').Page} Page */

export class Player {
  /** What the browser complained of. @type {string[]} */ complaints = [];
  /** True while the server is known to be away. */
  outage = false;

  /**
   * @param {string} name
   * @param {Page} page
   * @param {import('./server.js').Server} server
   */
  constructor(name, page, server) {
    this.name = name;
    this.page = page;
    page.setDefaultTimeout(WITHIN_MS);
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      const { url } = message.location();
      if (this.outage && (message.text().includes(server.socketUrl) || url.startsWith(server.url))) return;
      this.complaints.push(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.complaints.push(`thrown: ${error.message}`));
    page.on('response', (response) => {
      if (response.status() >= 400) this.complaints.push(`${response.status()} ${response.url()}`);
    });
  }

  /**
   * @param {import('playwright-core').Browser} browser
   * @param {{ url: string, socketUrl: string }} server
   * @param {string} name
   * @param {import('playwright-core').BrowserContextOptions} [options]
   * @param {() => void} [first] runs in the page before its own scripts
   */
  static async open(browser, server, name, options = {}, first) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    if (first) await context.addInitScript(first);
    const player = new Player(name, await context.newPage(), server);
    await player.page.goto(server.url);
    return player;
  }

  /** Types the name in the first input that is seen, and presses Enter. */
  async login() {
    const first = this.page.locator('input:visible').first();
    assert.equal(await first.getAttribute('id'), 'name', 'the name is the first visible input');
    await first.fill(this.name);
    await first.press('Enter');
    await this.page.locator('canvas#arena').waitFor({ state: 'visible' });
    await this.see('live in the arena', () => {
      const { connection, state } = /** @type {any} */ (window).holdfast;
      return connection().phase === 'live' && state()?.current_room?.room_id === 'arena';
    });
    assert.notEqual(await this.page.evaluate(() => document.activeElement?.id), 'name', 'focus has left the name');
  }

  /** Goes to another room by the switcher. @param {string} room */
  async enter(room) {
    await this.page.locator('#room-open').click();
    await this.page.locator('#room').fill(room);
    await this.page.locator('#room').press('Enter');
    await this.see(room, (id) => /** @type {any} */ (window).holdfast.state()?.current_room?.room_id === id, room);
  }

  /**
   * Waits until a function of the page is true; says what was missing.
   * @template T
   * @param {string} what
   * @param {(given: T) => unknown} look runs in the page
   * @param {T} [given]
   * @param {number} [timeout]
   */
  async see(what, look, given, timeout = WITHIN_MS) {
    try {
      await this.page.waitForFunction(/** @type {any} */ (look), given, { timeout, polling: 50 });
    } catch (error) {
      const now = await this.page.evaluate(() => {
        const { connection, state, positions } = /** @type {any} */ (window).holdfast;
        return JSON.stringify({ connection: connection(), state: state(), positions: positions() });
      });
      throw new Error(`${this.name} never saw: ${what}; the page knows ${now}`, { cause: error });
    }
  }

  /** @returns {Promise<any>} the player's state as the page knows it */
  state() {
    return this.page.evaluate(() => /** @type {any} */ (window).holdfast.state());
  }

  /** @returns {Promise<number>} rises with each socket that was opened */
  connectionId() {
    return this.page.evaluate(() => /** @type {any} */ (window).holdfast.session.connection);
  }

  /**
   * Where this page sees a player stand.
   * @param {string} player
   * @returns {Promise<{ x: number, y: number }>}
   */
  async where(player) {
    await this.see(`${player} somewhere`, (id) => /** @type {any} */ (window).holdfast.positions()[id], player);
    return this.page.evaluate((id) => /** @type {any} */ (window).holdfast.positions()[id], player);
  }

  /**
   * Walks right until a witness has seen it; then the key is let go.
   * @param {Player} witness
   * @param {string} key
   */
  async walkRight(witness, key) {
    const before = await witness.where(this.name);
    await this.page.locator('#arena').focus();
    await this.page.keyboard.down(key);
    try {
      await witness.see(`${this.name} walks right`, ([id, x]) => {
        const at = /** @type {any} */ (window).holdfast.positions()[id ?? ''];
        return at && at.x >= Number(x) + 60;
      }, [this.name, String(before.x)]);
    } finally {
      await this.page.keyboard.up(key);
    }
  }

  /** Live again on a socket that is newer than the given one. @param {number} connection */
  async isBack(connection) {
    await this.see('the connection comes back', (before) => {
      const { connection: now, session } = /** @type {any} */ (window).holdfast;
      return now().phase === 'live' && session.connection > before;
    }, connection, BACK_WITHIN_MS);
    await this.see('the chip says so', () => /live|resumed/u.test(document.querySelector('#status')?.textContent ?? ''));
  }

  /** @param {string} title into the folder SCREENSHOTS, if there is one */
  async picture(title) {
    const folder = process.env.SCREENSHOTS;
    if (!folder) return;
    await mkdir(folder, { recursive: true });
    await this.page.screenshot({ path: join(folder, `${title}-${this.name}.png`) });
  }
}
