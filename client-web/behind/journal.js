/**
 * Owns what is known of one actor's journal from its history: epoch, position,
 * snapshot, and the last rows as they are shown. Runs of input are one row.
 * Bounded; free of the DOM.
 */

import { inputOf, recordWords } from './words.js';

/** Rows that are kept. */
export const ROWS_MAX = 24;
/** A row of input holds at most so many records. */
const RUN_MAX = 50;

/**
 * @typedef {import('./words.js').Happened} Happened
 * @typedef {{ entry: 'record', seq: number, epoch: number, bytes: number, time_ms?: number,
 *   facts: Happened[], problem?: string }} RecordEntry
 * @typedef {{ entry: 'claim', after: number, epoch: number }} ClaimEntry
 * @typedef {{ entry: 'snapshot', seq: number, bytes: number }} SnapshotEntry
 * @typedef {RecordEntry | ClaimEntry | SnapshotEntry} Entry
 *
 * @typedef {object} Row
 * @property {string} key
 * @property {'record' | 'input' | 'claim' | 'snapshot'} kind
 * @property {number} seq
 * @property {number} count records in it
 * @property {number} bytes
 * @property {string} words
 * @property {number | null} time_ms
 * @property {{ from: number, to: number } | null} steps
 */

export class Journal {
  /** @type {Row[]} newest first */ #rows = [];
  #seq = 0;
  #epoch = 0;
  /** @type {{ seq: number, bytes: number, time_ms: number | null } | null} */ #snapshot = null;
  /**
   * Times of the newest records, by seq: a snapshot has the time of its last record.
   * @type {Map<number, number>}
   */
  #times = new Map();

  get rows() {
    return this.#rows;
  }

  get seq() {
    return this.#seq;
  }

  get epoch() {
    return this.#epoch;
  }

  get snapshot() {
    return this.#snapshot;
  }

  clear() {
    this.#rows = [];
    this.#seq = this.#epoch = 0;
    this.#snapshot = null;
    this.#times.clear();
  }

  /** @param {Entry} entry */
  add(entry) {
    if (entry.entry === 'record') this.#record(entry);
    else if (entry.entry === 'claim') this.#claim(entry);
    else if (entry.entry === 'snapshot') this.#kept(entry);
  }

  /** @param {RecordEntry} entry */
  #record({ seq, epoch, bytes, time_ms, facts, problem }) {
    if (seq <= this.#seq) return;
    this.#seq = seq;
    this.#epoch = Math.max(this.#epoch, epoch);
    if (time_ms !== undefined) this.#remember(seq, time_ms);
    const steps = inputOf(facts);
    const last = this.#rows[0];
    if (steps && last?.kind === 'input' && last.steps && last.count < RUN_MAX) {
      last.count += 1;
      last.seq = seq;
      last.bytes += bytes;
      last.time_ms = time_ms ?? last.time_ms;
      last.steps.to = steps.to;
      last.words = inputWords(last);
      return;
    }
    /** @type {Row} */
    const row = {
      key: `record ${seq}`,
      kind: steps ? 'input' : 'record',
      seq,
      count: 1,
      bytes,
      words: '',
      time_ms: time_ms ?? null,
      steps,
    };
    row.words = problem ?? (steps ? inputWords(row) : recordWords(facts));
    this.#push(row);
  }

  /** @param {ClaimEntry} entry */
  #claim({ after, epoch }) {
    if (epoch <= this.#epoch && this.#rows.some(({ key }) => key === `claim ${epoch}`)) return;
    this.#epoch = Math.max(this.#epoch, epoch);
    this.#push({
      key: `claim ${epoch}`,
      kind: 'claim',
      seq: after,
      count: 0,
      bytes: 0,
      words: `epoch ${epoch} taken`,
      time_ms: epoch,
      steps: null,
    });
  }

  /** @param {SnapshotEntry} entry */
  #kept({ seq, bytes }) {
    if (this.#snapshot && seq <= this.#snapshot.seq) return;
    this.#snapshot = { seq, bytes, time_ms: this.#times.get(seq) ?? null };
    this.#push({
      key: `snapshot ${seq}`,
      kind: 'snapshot',
      seq,
      count: 0,
      bytes,
      words: 'snapshot kept',
      time_ms: this.#snapshot.time_ms,
      steps: null,
    });
  }

  /** @param {Row} row */
  #push(row) {
    this.#rows.unshift(row);
    if (this.#rows.length > ROWS_MAX) this.#rows.pop();
  }

  /**
   * @param {number} seq
   * @param {number} time
   */
  #remember(seq, time) {
    this.#times.set(seq, time);
    if (this.#times.size <= 256) return;
    const oldest = this.#times.keys().next();
    if (!oldest.done) this.#times.delete(oldest.value);
  }
}

/** @param {Row} row */
function inputWords({ count, steps }) {
  const of = steps && steps.to > steps.from ? `steps ${steps.from}–${steps.to}` : `step ${steps?.to ?? ''}`;
  return count > 1 ? `input: ${of} in ${count} records` : `input: ${of}`;
}
