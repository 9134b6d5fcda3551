/** The encodings: the same bytes as the server's, and nothing in does harm. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { randomOf } from '../sim/traces.js';
import { CodecError, json, msgpack } from './codec.js';
import { DEPTH_MAX, pack, unpack } from './msgpack.js';

/** @typedef {{ message: any, hex: string }} Golden */

/** The bytes that the server's crate is held to as well. */
const FIXTURE = new URL('../../tests/fixtures/msgpack.json', import.meta.url);
/** @type {{ version: number, said: Golden[], told: Golden[] }} */
const golden = JSON.parse(readFileSync(FIXTURE, 'utf8'));

/** @param {Uint8Array} bytes */
const hexOf = (bytes) => Buffer.from(bytes).toString('hex');

/** @param {string} hex */
const bytesOf = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));

/** @param {() => unknown} act @param {RegExp} message */
const refuses = (act, message) => assert.throws(act, (error) => {
  assert.ok(error instanceof CodecError, String(error));
  assert.match(error.message, message);
  return true;
});

test('what a client says has the golden bytes', () => {
  assert.ok(golden.said.length > 5);
  for (const { message, hex } of golden.said) {
    assert.equal(hexOf(/** @type {Uint8Array} */ (msgpack.encode(message))), hex, JSON.stringify(message));
  }
});

test('what a server tells is read from the golden bytes', () => {
  assert.ok(golden.told.length > 6);
  for (const { message, hex } of golden.told) {
    assert.deepEqual(msgpack.decode(bytesOf(hex)), message);
    assert.deepEqual(msgpack.decode(bytesOf(hex).buffer), message);
  }
});

test('every JSON value comes back, in its shortest form', () => {
  const edges = [7, 8, 16, 32, 40, 53].flatMap((bits) => [2 ** bits - 1, 2 ** bits]);
  const integers = [0, ...edges, 1_795_345_219_097];
  const signed = integers.flatMap((number) => [number, -number, -number - 1]).filter(Number.isSafeInteger);
  for (const number of [...signed, 0.5, -0.25, 1e300, 2 ** 53]) {
    assert.equal(unpack(pack(number)) + 0, number + 0);
  }
  const sized = [0, 127, -32, 200, -128, 60_000, 70_000, 2 ** 40];
  assert.deepEqual(sized.map((number) => pack(number).length), [1, 1, 1, 2, 2, 3, 5, 9]);
  for (const len of [0, 31, 32, 255, 256, 65_535, 65_536]) {
    assert.equal(unpack(pack('ü'.repeat(len))), 'ü'.repeat(len));
    const list = Array.from({ length: len }, (_, n) => n);
    assert.deepEqual(unpack(pack(list)), list);
    const map = Object.fromEntries(list.map((n) => [`k${n}`, n]));
    assert.deepEqual(unpack(pack(map)), map);
  }
  assert.deepEqual(unpack(pack({ a: undefined, b: null, c: [true, false] })), { b: null, c: [true, false] });
  assert.equal(unpack(pack(-0)), 0);
});

test('integers that no number holds are BigInts', () => {
  for (const big of [2n ** 64n - 1n, -(2n ** 63n), 2n ** 53n + 1n]) assert.equal(unpack(pack(big)), big);
  assert.equal(unpack(pack(5n)), 5);
});

test('a name that means something to JavaScript is a name', () => {
  const read = unpack(new Uint8Array([0x81, 0xa9, ...Buffer.from('__proto__'), 0x81, 0xa1, 0x61, 0x01]));
  assert.equal(read.a, undefined);
  assert.deepEqual(Object.keys(read), ['__proto__']);
});

test('what the wire has not is refused, in a sentence', () => {
  refuses(() => unpack(bytesOf('c401ff')), /type 0xc4 is not taken/u);
  refuses(() => unpack(bytesOf('d401ff')), /type 0xd4/u);
  refuses(() => unpack(bytesOf('c1')), /type 0xc1/u);
  refuses(() => unpack(bytesOf('cb7ff8000000000000')), /finite/u);
  refuses(() => unpack(bytesOf('810101')), /keys of a map must be text/u);
  refuses(() => unpack(bytesOf('a2c328')), /UTF-8/u);
  refuses(() => unpack(bytesOf('0000')), /bytes after the message: 1/u);
  refuses(() => unpack(bytesOf('')), /too early/u);
  refuses(() => unpack(bytesOf('ddffffffff')), /more than what follows/u);
  refuses(() => unpack(bytesOf('dfffffffff')), /more than what follows/u);
  refuses(() => unpack(bytesOf('dbffffffff61')), /too early/u);
  refuses(() => unpack(new Uint8Array(16_384).fill(0x91)), /deeper than 32/u);
  for (const value of [NaN, Infinity, () => 1, 2n ** 64n, Symbol('x')]) refuses(() => pack({ value }), /./u);
});

test('nesting is bounded the same both ways', () => {
  const nested = (/** @type {number} */ levels) => {
    let value = /** @type {any} */ ([]);
    for (let n = 1; n < levels; n += 1) value = [value];
    return value;
  };
  assert.deepEqual(unpack(pack(nested(DEPTH_MAX))), nested(DEPTH_MAX));
  refuses(() => pack(nested(DEPTH_MAX + 1)), /deeper/u);
});

test('a message is a map or a room frame, which may have grown', () => {
  const others = ['00', 'c0', 'a161', '90', '9101', '950000909000', '9500009190c2', '950000919301020390c2'];
  for (const hex of others) {
    refuses(() => msgpack.decode(bytesOf(hex)), /./u);
  }
  refuses(() => msgpack.decode('{}'), /binary/u);
  const e = [[1, 2, 3, 4, 5, 'more', 6]];
  const grown = pack([7, 3, e, [9], true, { later: 1 }]);
  assert.deepEqual(msgpack.decode(grown), { ev: 'room', tick: 7, in: 3, e, gone: [9], full: true });
});

test('JSON is total as well', () => {
  assert.deepEqual(json.decode(String(json.encode({ id: 1, do: 'who' }))), { id: 1, do: 'who' });
  for (const text of ['', '{', '[]', '1', 'null', '"x"']) refuses(() => json.decode(text), /./u);
  refuses(() => json.decode(new ArrayBuffer(1)), /text/u);
});

test('an input with an id stays a map', () => {
  const message = { id: 4, do: 'input', args: { seq: 1, steps: [[1, 0, 0]] } };
  assert.deepEqual(unpack(/** @type {Uint8Array} */ (msgpack.encode(message))), message);
});

test('any bytes are a value or a CodecError', () => {
  const random = randomOf(7);
  const heads = bytesOf('80819295a2c0c4cbcfd3d9dcdddedfff');
  const any = (/** @type {number} */ count) => Math.floor(random() * count);
  const byte = () => (random() < 0.5 ? heads[any(heads.length)] ?? 0 : any(256));
  const known = golden.told.map(({ hex }) => bytesOf(hex));
  for (let n = 0; n < 20_000; n += 1) {
    const base = n % 2 === 0 ? known[n % known.length] : undefined;
    const bytes = base ? base.slice() : Uint8Array.from({ length: any(40) }, byte);
    if (base) bytes[any(bytes.length)] = byte();
    try {
      const message = msgpack.decode(bytes.subarray(0, base && n % 4 === 0 ? any(bytes.length) : undefined));
      assert.equal(typeof message, 'object');
    } catch (error) {
      assert.ok(error instanceof CodecError, `${hexOf(bytes)}: ${error}`);
    }
  }
});
