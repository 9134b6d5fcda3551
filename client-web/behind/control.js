/**
 * Owns the demo's control: orders that act on processes the demo started and
 * on the network it stands between. Exists only where /v1/nodes names one.
 */

/**
 * @typedef {{ node: string, state: string, pid: number | null, url: string }} ShowGateway
 * @typedef {object} Show
 * @property {ShowGateway[]} gateways
 * @property {{ cut_ms: number, delay_ms: number, jitter_ms: number }} network
 * @property {string} store
 * @property {number} bots
 * @property {number} returns_after_ms
 */

export class Control {
  /** @type {typeof fetch} */ #fetch;
  /** @type {string} */ #base;

  /**
   * @param {typeof fetch} fetcher
   * @param {string} base as /v1/nodes names it
   */
  constructor(fetcher, base) {
    this.#fetch = fetcher;
    this.#base = base.replace(/\/$/u, '');
  }

  get base() {
    return this.#base;
  }

  /** @returns {Promise<Show>} */
  show() {
    return this.#ask('show');
  }

  /**
   * @param {'kill' | 'drain' | 'cut' | 'delay'} order
   * @param {object} args
   * @returns {Promise<{ done_at_ms: number, show: Show }>}
   */
  order(order, args) {
    return this.#ask(order, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(args),
    });
  }

  /**
   * @param {string} path
   * @param {RequestInit} [init]
   */
  async #ask(path, init) {
    const answer = await this.#fetch(`${this.#base}/${path}`, init);
    const body = await answer.json();
    if (!answer.ok) throw new Error(body?.error?.message ?? `the demo answered ${answer.status}`);
    return body;
  }
}
