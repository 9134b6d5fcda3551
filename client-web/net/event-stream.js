/**
 * Owns the reading of server-sent events: bytes in any pieces, events out.
 * Pure. A line longer than a megabyte is no event of ours and ends the stream.
 */

/** A line may be so long. */
export const LINE_MAX = 1024 * 1024;

/** @typedef {{ event: string, data: string, id: string | null }} ServerEvent */

export class EventStream {
  #text = new TextDecoder();
  #rest = '';
  /** @type {string[]} */ #data = [];
  #event = '';
  /** @type {string | null} */ #id = null;

  /**
   * The events that these bytes complete.
   * @param {Uint8Array} bytes
   * @returns {ServerEvent[]}
   */
  take(bytes) {
    const text = this.#rest + this.#text.decode(bytes, { stream: true });
    // A carriage return at the end may be half of a line's end.
    const whole = text.endsWith('\r') ? text.slice(0, -1) : text;
    const lines = whole.split(/\r\n|\n|\r/u);
    this.#rest = (lines.pop() ?? '') + text.slice(whole.length);
    if (this.#rest.length > LINE_MAX) throw new Error('a line of the stream is too long');
    return lines.flatMap((line) => this.#line(line) ?? []);
  }

  /**
   * @param {string} line
   * @returns {ServerEvent | null}
   */
  #line(line) {
    if (line === '') return this.#end();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /u, '');
    if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id') this.#id = value;
    return null;
  }

  /** @returns {ServerEvent | null} */
  #end() {
    const event = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id };
    const empty = this.#data.length === 0;
    this.#data = [];
    this.#event = '';
    this.#id = null;
    return empty ? null : event;
  }
}
