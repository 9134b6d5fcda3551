/**
 * Owns the encodings of the wire: the same messages as JSON text or as
 * MessagePack, where room frames and inputs are arrays
 * (`[tick, in, rows, gone, full]`, `[seq, steps]`). Above this file there is
 * one form of message, that of JSON.
 *
 * Decoding is total: a message, which is always an object, or a CodecError.
 */

import { CodecError, pack, unpack } from './msgpack.js';

export { CodecError };

/** An entity's row has so many numbers; later versions may add more. */
const ROW_LEN = 5;

/**
 * @typedef {object} Codec
 * @property {string} subprotocol
 * @property {(message: any) => string | Uint8Array<ArrayBuffer>} encode
 * @property {(data: unknown) => any} decode what a socket's message event carries
 */

/** JSON text frames: for people who look at the traffic. @type {Codec} */
export const json = Object.freeze({
  subprotocol: 'holdfast.v1.json',
  encode: (message) => JSON.stringify(message),
  decode(data) {
    if (typeof data !== 'string') throw new CodecError('a JSON message is text');
    try {
      return object(JSON.parse(data));
    } catch (error) {
      if (error instanceof CodecError) throw error;
      throw new CodecError(`not JSON: ${/** @type {Error} */ (error).message}`);
    }
  },
});

/** Binary frames: less than half the bytes where it counts. @type {Codec} */
export const msgpack = Object.freeze({
  subprotocol: 'holdfast.v1.msgpack',
  encode: (message) => pack(isInput(message) ? [message.args.seq, message.args.steps] : message),
  decode(data) {
    const value = unpack(bytesOf(data));
    return Array.isArray(value) ? roomOf(value) : object(value);
  },
});

/** @param {unknown} value */
function object(value) {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new CodecError('a message is a map');
}

/** @param {unknown} data */
function bytesOf(data) {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (data instanceof Uint8Array) return data;
  throw new CodecError('a MessagePack message is binary');
}

/**
 * An input without an id is the array; with one it stays a map.
 * @param {any} message
 */
function isInput(message) {
  return message?.do === 'input' && message.id === undefined;
}

/**
 * The room frame that an array says; what stands behind its parts is of a
 * later version.
 * @param {any[]} parts
 */
function roomOf([tick, input, rows, gone, full]) {
  const numbers = typeof tick === 'number' && typeof input === 'number';
  if (!numbers || !isList(rows, isRow) || !isList(gone, isNumber) || typeof full !== 'boolean') {
    throw new CodecError('an array is a room frame: [tick, in, rows, gone, full]');
  }
  return full
    ? { ev: 'room', tick, in: input, e: rows, gone, full }
    : { ev: 'room', tick, in: input, e: rows, gone };
}

/** @param {unknown} value */
const isNumber = (value) => typeof value === 'number';

/** @param {unknown} value */
const isRow = (value) => Array.isArray(value) && value.length >= ROW_LEN
  && value.slice(0, ROW_LEN).every(isNumber);

/**
 * @param {unknown} value
 * @param {(part: unknown) => boolean} holds
 */
const isList = (value, holds) => Array.isArray(value) && value.every(holds);
