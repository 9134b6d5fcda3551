/**
 * Owns the server process of the browser tests: starts the binary named by
 * HOLDFAST_BIN on a free port with a store of its own, kills it without
 * warning, starts it again on the same port and store, and tidies up. A
 * missing binary is a failure, never a skipped test.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const READY_WITHIN_MS = 20_000;
const POLL_MS = 50;

/** A port nobody listens on. */
async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (!address || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/**
 * Asks again and again until it is true, or fails by name at the deadline.
 * @param {string} what
 * @param {number} withinMs
 * @param {() => Promise<boolean>} ask
 */
async function until(what, withinMs, ask) {
  const deadline = performance.now() + withinMs;
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

export class Server {
  /** @type {import('node:child_process').ChildProcess | null} */ #child = null;
  #output = '';

  /**
   * @param {string} binary
   * @param {number} port
   * @param {string} store a folder of this run
   */
  constructor(binary, port, store) {
    this.binary = binary;
    this.port = port;
    this.store = store;
  }

  /** A server that is ready for players. */
  static async begin() {
    const binary = process.env.HOLDFAST_BIN;
    if (!binary) throw new Error('HOLDFAST_BIN must name the server binary');
    const store = await mkdtemp(join(tmpdir(), 'holdfast-browser-'));
    const server = new Server(binary, await freePort(), store);
    try {
      await server.start();
    } catch (error) {
      await server.end();
      throw error;
    }
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/`;
  }

  get socketUrl() {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  async start() {
    const args = ['serve', '--listen', `127.0.0.1:${this.port}`, '--store', `embedded:${this.store}`, '--admin-listen', 'off'];
    const child = spawn(this.binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    /** @type {Error | null} */
    let failed = null;
    child.on('error', (error) => { failed = error; });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => { this.#output = (this.#output + chunk).slice(-8_000); });
    }
    await until('the server is ready', READY_WITHIN_MS, async () => {
      if (failed) throw failed;
      if (child.exitCode !== null) throw new Error(`the server exited with ${child.exitCode}:\n${this.#output}`);
      return this.#isReady();
    });
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
    const child = this.#child;
    this.#child = null;
    if (!child || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async end() {
    await this.kill();
    await rm(this.store, { recursive: true, force: true });
  }
}
