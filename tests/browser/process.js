/**
 * Owns one process of the browser tests: starts it, keeps the end of what it
 * says, waits for a word of it, and ends it. Beside it what all tests wait by.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';

const POLL_MS = 50;
const READY_WITHIN_MS = 20_000;
const KEPT = 8_000;

/** A binary of the build under test. @param {'holdfast' | 'loadtest'} name */
export function binary(name) {
  const holdfast = process.env.HOLDFAST_BIN;
  if (!holdfast) throw new Error('HOLDFAST_BIN must name the server binary');
  return name === 'holdfast' ? holdfast : join(dirname(holdfast), name);
}

/** A port nobody listens on. */
export async function freePort() {
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
 * @param {() => Promise<boolean> | boolean} ask
 */
export async function until(what, withinMs, ask) {
  const deadline = performance.now() + withinMs;
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

export class Process {
  /** @type {import('node:child_process').ChildProcess} */ #child;
  /** @type {Error | null} */ #failed = null;
  #said = '';

  /**
   * @param {string} program
   * @param {string[]} args
   */
  constructor(program, args) {
    this.name = `${program} ${args[0] ?? ''}`;
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.on('error', (error) => { this.#failed = error; });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk) => { this.#said = (this.#said + chunk).slice(-KEPT); });
    }
  }

  /** The end of what it said. */
  get said() {
    return this.#said;
  }

  get lives() {
    const { pid, exitCode, signalCode } = this.#child;
    return pid !== undefined && exitCode === null && signalCode === null;
  }

  /**
   * Waits until it is ready; a process that has ended never is.
   * @param {() => Promise<boolean> | boolean} ask
   */
  async ready(ask) {
    await until(`${this.name} is ready`, READY_WITHIN_MS, async () => {
      if (this.#failed) throw this.#failed;
      if (!this.lives) throw new Error(`${this.name} has ended:\n${this.#said}`);
      return ask();
    });
  }

  /**
   * Waits for what it says.
   * @param {RegExp} words
   * @returns {Promise<string>} what the first group matched
   */
  async hear(words) {
    await this.ready(() => words.test(this.#said));
    return words.exec(this.#said)?.[1] ?? '';
  }

  /** @param {NodeJS.Signals} signal */
  async end(signal) {
    if (!this.lives) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill(signal);
    await gone;
  }
}
