/**
 * Owns the net graph: the last half minute of round trips and frame gaps as a
 * small picture, and every number beside it as text.
 */

import { readPalette, wishes } from '../view/palette.js';
import { byId, follow, make, say } from './dom.js';

/** A sample is taken so often. */
const SAMPLE_MS = 250;
const SAMPLES_MAX = 120;

/**
 * @typedef {object} NetNumbers
 * @property {number | null} rtt_ms
 * @property {number} frame_gap_ms
 * @property {number} delay_ms
 * @property {number} jitter_ms
 * @property {number} underruns
 * @property {number} drawn
 * @property {number} pending_steps
 * @property {number} corrections
 * @property {number} bytes_in
 * @property {number} bytes_out
 */

export class NetGraph {
  #root = byId('netgraph', HTMLElement);
  #canvas = byId('netgraph-plot', HTMLCanvasElement);
  /** @type {{ rtt: number, gap: number }[]} */ #samples = [];
  #sampledAt = -Infinity;
  #bytes = { in: 0, out: 0, at: 0 };
  #rate = { in: 0, out: 0 };
  #palette = readPalette();

  constructor() {
    wishes.watch(() => {
      this.#palette = readPalette();
    });
  }

  toggle() {
    this.#root.hidden = !this.#root.hidden;
  }

  /**
   * Call with each picture; does something a few times a second while it is open.
   * @param {() => NetNumbers} read
   * @param {number} now
   */
  tick(read, now) {
    if (this.#root.hidden || now - this.#sampledAt < SAMPLE_MS) return;
    this.#sampledAt = now;
    const numbers = read();
    this.#samples.push({ rtt: numbers.rtt_ms ?? 0, gap: numbers.frame_gap_ms });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    this.#count(numbers, now);
    this.#plot();
    this.#tell(numbers);
  }

  /**
   * Bytes a second, over about a second.
   * @param {NetNumbers} numbers
   * @param {number} now
   */
  #count(numbers, now) {
    const passed = now - this.#bytes.at;
    if (passed < 1_000) return;
    if (this.#bytes.at > 0) {
      this.#rate.in = ((numbers.bytes_in - this.#bytes.in) * 1_000) / passed;
      this.#rate.out = ((numbers.bytes_out - this.#bytes.out) * 1_000) / passed;
    }
    this.#bytes = { in: numbers.bytes_in, out: numbers.bytes_out, at: now };
  }

  /** @param {NetNumbers} numbers */
  #tell(numbers) {
    const drawn = numbers.drawn > 0 ? (100 * numbers.underruns) / numbers.drawn : 0;
    /** @type {[string, string][]} */
    const rows = [
      ['Round trip', numbers.rtt_ms === null ? '–' : `${numbers.rtt_ms} ms`],
      ['Frame gap', `${Math.round(numbers.frame_gap_ms)} ms`],
      ['Delay', `${Math.round(numbers.delay_ms)} ms`],
      ['Jitter', `${Math.round(numbers.jitter_ms)} ms`],
      ['Underruns', `${drawn.toFixed(1)} %`],
      ['Steps open', String(numbers.pending_steps)],
      ['Corrections', String(numbers.corrections)],
      ['In', `${kilo(this.#rate.in)}/s`],
      ['Out', `${kilo(this.#rate.out)}/s`],
    ];
    follow(
      byId('netgraph-numbers', HTMLElement),
      rows,
      ([name]) => name,
      ([name]) => {
        const row = make('div');
        row.append(make('dt', '', name), make('dd'));
        return row;
      },
      (row, [, value]) => say(row.lastElementChild, value),
    );
  }

  #plot() {
    const canvas = this.#canvas;
    const pen = canvas.getContext('2d');
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!pen || width === 0) return;
    const pixels = Math.min(window.devicePixelRatio || 1, 2);
    canvas.width = width * pixels;
    canvas.height = height * pixels;
    pen.scale(pixels, pixels);
    const most = Math.max(100, ...this.#samples.map(({ rtt, gap }) => Math.max(rtt, gap)));
    const step = width / SAMPLES_MAX;
    const at = (/** @type {number} */ value) => height - 3 - (value / most) * (height - 6);
    pen.fillStyle = this.#palette.muted;
    this.#samples.forEach(({ gap }, place) => {
      pen.globalAlpha = 0.45;
      pen.fillRect(place * step, at(gap), Math.max(1, step - 0.5), height - at(gap));
    });
    pen.globalAlpha = 1;
    pen.strokeStyle = this.#palette.ring;
    pen.lineWidth = 2;
    pen.beginPath();
    this.#samples.forEach(({ rtt }, place) => {
      if (place === 0) pen.moveTo(0, at(rtt));
      else pen.lineTo(place * step, at(rtt));
    });
    pen.stroke();
  }
}

/** @param {number} bytes */
function kilo(bytes) {
  return bytes < 1_000 ? `${Math.round(bytes)} B` : `${(bytes / 1_000).toFixed(1)} kB`;
}
