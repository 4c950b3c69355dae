'use strict';
// What is to arrive as it was sent, and in what form it does.

const nested = (depth) => (depth === 0 ? 'bottom' : { down: [nested(depth - 1)] });

/** Names and values; each travels as JSON. */
const JSON_VALUES = Object.entries({
  null: null,
  true: true,
  false: false,
  'the number 0': 0,
  'the number -0': -0,
  'the number 1': 1,
  'a negative fraction': -1.5,
  'the smallest number': 5e-324,
  'the largest number': Number.MAX_VALUE,
  'the largest safe integer': Number.MAX_SAFE_INTEGER,
  'NaN, which JSON has not': Number.NaN,
  'the empty string': '',
  'the string 0': '0',
  'the string null': 'null',
  'a string of quotes and backslashes': '"\\"\\\\"',
  'a string of control characters': '\0\x01\b\t\n\v\f\r\x1f\x7f\x80\u2028\u2029',
  'text beyond ASCII': 'Grüße, 世界, שלום',
  'astral characters': '😀𝒳👩‍👩‍👧',
  'a lone high surrogate': 'a\ud800b',
  'a lone low surrogate': '\udc00',
  'surrogates in the wrong order': '\udc00\ud800',
  'a byte order mark': '\ufeff',
  'an empty array': [],
  'an array with holes': Object.assign(Array(4), { 1: 1 }),
  'a nested array': [[[]], [[[null]]]],
  'an empty object': {},
  'an object with an empty key': { '': '' },
  'an object with undefined in it': { a: undefined, b: null },
  'a __proto__ key': JSON.parse('{"__proto__":{"polluted":true},"a":1}'),
  'keys of Object.prototype': { constructor: 1, hasOwnProperty: 2, toString: 3, valueOf: 4 },
  'keys that look like an index': { 2: 'b', 1: 'a' },
  'a date': new Date(0),
  'something with toJSON': { toJSON: () => ({ as: 'json' }) },
  'boxed values': [Object('text'), Object(1), Object(false)],
  'a Buffer in an object': { bytes: Buffer.from([0, 255]) },
  'an object like a Buffer': { type: 'Buffer', data: [1, 2, 3] },
  'a Map, which JSON has not': new Map([[1, 2]]),
  // Not deeper: on arm64 assert.deepEqual overflows the stack of Node 22 at a thousand levels.
  'what is deeply nested': nested(200),
  'an object of many keys': Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`key${i}`, i])),
  undefined: undefined,
  'a function': () => 1,
  'a symbol': Symbol('s'),
});

const KB_300 = 300 * 1024;

/** Strings of the length at which other ways through the code begin, each with its odd spot at either end. */
const LONG_STRINGS = Object.entries({
  'ASCII text': 'x',
  'Latin-1 text': 'é',
  'text beyond Latin-1': '世',
  'astral characters': '😀',
  quotes: '"',
  backslashes: '\\',
  'line breaks': '\n',
  'lone surrogates': '\ud800',
}).flatMap(([name, unit]) => {
  const filler = 'y'.repeat(KB_300 - unit.length);
  return [
    [`300 kB of ${name}`, unit.repeat(KB_300 / unit.length)],
    [`300 kB that begin with ${name}`, unit + filler],
    [`300 kB that end in ${name}`, filler + unit],
  ];
});

/** What arrives for a value that travels as JSON. */
const arriving = (value) => JSON.parse(JSON.stringify(value) ?? 'null');

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

function shared(bytes) {
  const buffer = new SharedArrayBuffer(bytes.length);
  new Uint8Array(buffer).set(bytes);
  return buffer;
}

const arrayBuffer = (bytes) => Uint8Array.from(bytes).buffer;

/** Each holds the bytes 0 to 255, or none. */
const BINARY_VALUES = Object.entries({
  'a Buffer': everyByte,
  'an empty Buffer': Buffer.alloc(0),
  'a Uint8Array': Uint8Array.from(everyByte),
  'a part of a larger Uint8Array': Uint8Array.from([9, ...everyByte, 9]).subarray(1, 257),
  'an Int8Array': new Int8Array(arrayBuffer(everyByte)),
  'a Float64Array': new Float64Array(arrayBuffer(everyByte)),
  'a DataView': new DataView(arrayBuffer([9, ...everyByte, 9]), 1, 256),
  'an ArrayBuffer': arrayBuffer(everyByte),
  'a SharedArrayBuffer': shared(everyByte),
  'a view of a SharedArrayBuffer': new Uint8Array(shared(everyByte)),
});

module.exports = { BINARY_VALUES, JSON_VALUES, LONG_STRINGS, arriving, everyByte };
