/**
 * Owns MessagePack as far as the wire uses it: the values that JSON has and
 * nothing else. No binary, no extension types, keys are text, numbers are
 * finite, nesting is at most 32 deep. Each value is written in its shortest
 * form, integers as integers.
 *
 * Reading is total: whatever the bytes are, there is a value or a CodecError.
 * A length is never believed beyond the bytes that came, so memory grows with
 * the message and the stack with the depth. Integers beyond 2^53 are BigInts.
 */

/** Deepest nesting that is read or written, as on the server. */
export const DEPTH_MAX = 32;

const TWO_32 = 2 ** 32;

/** Bytes that are no message, or a value that no message can hold. */
export class CodecError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = 'CodecError';
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
const text = new TextEncoder();

/**
 * Reads one value; bytes after it are refused.
 * @param {Uint8Array} bytes
 * @returns {any}
 */
export function unpack(bytes) {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  reader.end();
  return value;
}

/**
 * Writes one value; `undefined` fields of objects are left out, as in JSON.
 * @param {unknown} value
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function pack(value) {
  const writer = new Writer();
  writer.value(value, 0);
  return writer.bytes();
}

class Reader {
  /** @type {Uint8Array} */ #bytes;
  /** @type {DataView} */ #view;
  #at = 0;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  end() {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw new CodecError(`bytes after the message: ${left}`);
  }

  /**
   * @param {number} depth levels around this value
   * @returns {any}
   */
  value(depth) {
    const marker = this.#view.getUint8(this.#take(1));
    if (marker < 0x80) return marker;
    if (marker < 0x90) return this.#map(marker & 0x0f, depth);
    if (marker < 0xa0) return this.#list(marker & 0x0f, depth);
    if (marker < 0xc0) return this.#text(marker & 0x1f);
    if (marker >= 0xe0) return marker - 0x100;
    return this.#marked(marker, depth);
  }

  /** @param {number} marker @param {number} depth */
  #marked(marker, depth) {
    switch (marker) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xca: return finite(this.#view.getFloat32(this.#take(4)));
      case 0xcb: return finite(this.#view.getFloat64(this.#take(8)));
      case 0xcc: return this.#uint8();
      case 0xcd: return this.#uint16();
      case 0xce: return this.#uint32();
      case 0xcf: return whole(this.#view.getBigUint64(this.#take(8)));
      case 0xd0: return this.#view.getInt8(this.#take(1));
      case 0xd1: return this.#view.getInt16(this.#take(2));
      case 0xd2: return this.#view.getInt32(this.#take(4));
      case 0xd3: return whole(this.#view.getBigInt64(this.#take(8)));
      case 0xd9: return this.#text(this.#uint8());
      case 0xda: return this.#text(this.#uint16());
      case 0xdb: return this.#text(this.#uint32());
      case 0xdc: return this.#list(this.#uint16(), depth);
      case 0xdd: return this.#list(this.#uint32(), depth);
      case 0xde: return this.#map(this.#uint16(), depth);
      case 0xdf: return this.#map(this.#uint32(), depth);
      default: throw new CodecError(`type 0x${marker.toString(16)} is not taken`);
    }
  }

  #uint8() {
    return this.#view.getUint8(this.#take(1));
  }

  #uint16() {
    return this.#view.getUint16(this.#take(2));
  }

  #uint32() {
    return this.#view.getUint32(this.#take(4));
  }

  /**
   * Goes on by so many bytes; where they begin.
   * @param {number} len
   */
  #take(len) {
    const at = this.#at;
    if (len > this.#bytes.length - at) throw new CodecError('the message ends too early');
    this.#at += len;
    return at;
  }

  /** @param {number} len */
  #text(len) {
    const at = this.#take(len);
    try {
      return utf8.decode(this.#bytes.subarray(at, at + len));
    } catch {
      throw new CodecError('text must be UTF-8');
    }
  }

  /**
   * @param {number} len
   * @param {number} depth
   */
  #list(len, depth) {
    this.#allow(len, depth);
    const list = [];
    for (let n = 0; n < len; n += 1) list.push(this.value(depth + 1));
    return list;
  }

  /**
   * @param {number} len
   * @param {number} depth
   */
  #map(len, depth) {
    this.#allow(2 * len, depth);
    /** @type {Record<string, any>} */
    const map = {};
    for (let n = 0; n < len; n += 1) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string') throw new CodecError('the keys of a map must be text');
      put(map, key, this.value(depth + 1));
    }
    return map;
  }

  /**
   * Each part is a byte at least.
   * @param {number} parts
   * @param {number} depth
   */
  #allow(parts, depth) {
    if (depth >= DEPTH_MAX) throw new CodecError(`nesting is deeper than ${DEPTH_MAX} levels`);
    if (parts > this.#bytes.length - this.#at) throw new CodecError('a length is more than what follows');
  }
}

/**
 * Sets a field, also one whose name means something to JavaScript.
 * @param {Record<string, any>} map
 * @param {string} key
 * @param {any} value
 */
function put(map, key, value) {
  if (key !== '__proto__') map[key] = value;
  else Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
}

/** @param {number} number */
function finite(number) {
  if (!Number.isFinite(number)) throw new CodecError('numbers must be finite');
  return number;
}

/**
 * A number where it is exact.
 * @param {bigint} integer
 */
function whole(integer) {
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}

class Writer {
  #bytes = new Uint8Array(128);
  #view = new DataView(this.#bytes.buffer);
  #len = 0;

  bytes() {
    return this.#bytes.slice(0, this.#len);
  }

  /**
   * @param {unknown} value
   * @param {number} depth
   */
  value(value, depth) {
    if (value === null || value === undefined) return this.#byte(0xc0);
    if (typeof value === 'boolean') return this.#byte(value ? 0xc3 : 0xc2);
    if (typeof value === 'number') return this.#number(value);
    if (typeof value === 'bigint') return this.#big(value);
    if (typeof value === 'string') return this.#text(value);
    if (typeof value !== 'object') throw new CodecError(`a ${typeof value} can't be sent`);
    if (depth >= DEPTH_MAX) throw new CodecError(`nesting is deeper than ${DEPTH_MAX} levels`);
    if (Array.isArray(value)) return this.#list(value, depth);
    return this.#map(value, depth);
  }

  /**
   * Makes room for so many more bytes, maybe in another buffer; where they begin.
   * @param {number} len
   */
  #grow(len) {
    const at = this.#len;
    this.#len += len;
    if (this.#len > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(this.#len, 2 * this.#bytes.length));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    return at;
  }

  /** @param {number} byte */
  #byte(byte) {
    const at = this.#grow(1);
    this.#view.setUint8(at, byte);
  }

  /**
   * A marker and an unsigned number of 1, 2 or 4 bytes.
   * @param {number} marker
   * @param {1 | 2 | 4} size
   * @param {number} number
   */
  #head(marker, size, number) {
    this.#byte(marker);
    const at = this.#grow(size);
    if (size === 1) this.#view.setUint8(at, number);
    else if (size === 2) this.#view.setUint16(at, number);
    else this.#view.setUint32(at, number);
  }

  /** @param {number} number */
  #number(number) {
    if (!Number.isFinite(number)) throw new CodecError('numbers must be finite');
    if (!Number.isInteger(number)) return this.#float(number);
    if (number >= 0) return this.#natural(number);
    if (number >= -0x20) return this.#byte(number & 0xff);
    if (number >= -0x80) return this.#head(0xd0, 1, number & 0xff);
    if (number >= -0x8000) return this.#head(0xd1, 2, number & 0xffff);
    if (number >= -0x8000_0000) return this.#head(0xd2, 4, number >>> 0);
    if (!Number.isSafeInteger(number)) return this.#float(number);
    return this.#big(BigInt(number));
  }

  /** @param {number} number */
  #natural(number) {
    if (number < 0x80) return this.#byte(number);
    if (number < 0x100) return this.#head(0xcc, 1, number);
    if (number < 0x1_0000) return this.#head(0xcd, 2, number);
    if (number < TWO_32) return this.#head(0xce, 4, number);
    if (!Number.isSafeInteger(number)) return this.#float(number);
    return this.#big(BigInt(number));
  }

  /** @param {number} number */
  #float(number) {
    this.#byte(0xcb);
    const at = this.#grow(8);
    this.#view.setFloat64(at, number);
  }

  /** @param {bigint} number */
  #big(number) {
    const signed = number < 0n;
    if (number !== (signed ? BigInt.asIntN(64, number) : BigInt.asUintN(64, number))) {
      throw new CodecError('integers have 64 bits at most');
    }
    this.#byte(signed ? 0xd3 : 0xcf);
    const at = this.#grow(8);
    if (signed) this.#view.setBigInt64(at, number);
    else this.#view.setBigUint64(at, number);
  }

  /** @param {string} value */
  #text(value) {
    const bytes = text.encode(value);
    const len = bytes.length;
    if (len < 0x20) this.#byte(0xa0 | len);
    else if (len < 0x100) this.#head(0xd9, 1, len);
    else if (len < 0x1_0000) this.#head(0xda, 2, len);
    else this.#head(0xdb, 4, len);
    const at = this.#grow(len);
    this.#bytes.set(bytes, at);
  }

  /**
   * @param {unknown[]} list
   * @param {number} depth
   */
  #list(list, depth) {
    this.#parts(0x90, 0xdc, list.length);
    for (const part of list) this.value(part, depth + 1);
  }

  /**
   * @param {object} map
   * @param {number} depth
   */
  #map(map, depth) {
    const fields = Object.entries(map).filter(([, value]) => value !== undefined);
    this.#parts(0x80, 0xde, fields.length);
    for (const [key, value] of fields) {
      this.#text(key);
      this.value(value, depth + 1);
    }
  }

  /**
   * @param {number} few marker of up to 15 parts
   * @param {number} many marker of up to 65,535; the next one is that of more
   * @param {number} len
   */
  #parts(few, many, len) {
    if (len < 0x10) this.#byte(few | len);
    else if (len < 0x1_0000) this.#head(many, 2, len);
    else this.#head(many + 1, 4, len);
  }
}
