/** Owns a `holdfast demo` of the browser tests: a show of real processes on a free port. */

import { BACK_WITHIN_MS } from './player.js';
import { Process, binary, freePort, until } from './process.js';

export class Show {
  /** @type {Process} */ #process;

  /**
   * @param {Process} started
   * @param {number} port
   */
  constructor(started, port) {
    this.#process = started;
    this.url = `http://127.0.0.1:${port}/`;
    this.socketUrl = `ws://127.0.0.1:`;
  }

  /**
   * A show whose page can be opened.
   * @param {string[]} settings
   */
  static async begin(...settings) {
    const port = await freePort();
    const started = new Process(binary('holdfast'), ['demo', '--listen', `127.0.0.1:${port}`, ...settings]);
    await started.hear(/stop +(Ctrl-C)/u);
    return new Show(started, port);
  }

  get said() {
    return this.#process.said;
  }

  /** Waits until every gateway serves: one that was killed comes back after a while. */
  async whole() {
    const { demo } = await (await fetch(`${this.url}v1/nodes`)).json();
    await until('every gateway to serve', BACK_WITHIN_MS, async () => {
      const { gateways } = await (await fetch(`${demo.control}/show`)).json();
      return gateways.every((/** @type {any} */ one) => one.state === 'running');
    });
  }

  /** As a person would: it ends its gateways and its Redis. */
  async end() {
    await this.#process.end('SIGINT');
  }
}
