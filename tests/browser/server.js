/**
 * Owns the server process of the browser tests: starts the binary named by
 * HOLDFAST_BIN on a free port with a store of its own, kills it without
 * warning, starts it again on the same port and store, and tidies up. A
 * missing binary is a failure, never a skipped test.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Process, binary, freePort } from './process.js';

export class Server {
  /** @type {Process | null} */ #process = null;

  /**
   * @param {number} port
   * @param {string} store a folder of this run
   * @param {string[]} settings
   */
  constructor(port, store, settings) {
    this.port = port;
    this.store = store;
    this.settings = settings;
  }

  /**
   * A server that is ready for players.
   * @param {string[]} settings
   */
  static async begin(...settings) {
    const store = await mkdtemp(join(tmpdir(), 'holdfast-browser-'));
    const server = new Server(await freePort(), store, settings);
    try {
      await server.start();
    } catch (error) {
      await server.end();
      throw error;
    }
    return server;
  }

  get address() {
    return `127.0.0.1:${this.port}`;
  }

  get url() {
    return `http://${this.address}/`;
  }

  get socketUrl() {
    return `ws://${this.address}/ws`;
  }

  async start() {
    const args = ['serve', '--listen', this.address, '--store', `embedded:${this.store}`, '--admin-listen', 'off'];
    const started = new Process(binary('holdfast'), [...args, ...this.settings]);
    this.#process = started;
    await started.ready(() => this.#isReady());
  }

  async #isReady() {
    try {
      const answer = await fetch(`${this.url}health/ready`, { signal: AbortSignal.timeout(2_000) });
      await answer.arrayBuffer();
      return answer.status === 200;
    } catch {
      return false;
    }
  }

  /** Ends the process as a power cut would. */
  async kill() {
    await this.#process?.end('SIGKILL');
    this.#process = null;
  }

  async end() {
    await this.kill();
    await rm(this.store, { recursive: true, force: true });
  }
}
