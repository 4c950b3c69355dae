'use strict';
// What short cuts there are to JSON give what JSON gives.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { LongString, decode, encode } = require('../../lib/values');

/** Pieces of which some stand in JSON as they are, some escaped, and some in text of two bytes a unit only. */
const PIECES = [
  ['', 'a', 'foo', '"', '\\', '\\u0041', '/', '\0', '\x1f', ' ', '\x7f', '\x80', 'ÿ', '\b\f\n\r\t', '€'],
  ['\u2028', '\u2029', '\ud7ff', '\ue000', '\uffff', '\ufffd', '😀', '\ud83d', '\ude00', '\ude00\ud83d'],
].flat();

/** Each at the beginning, at the end and within strings around the lengths at which something changes. */
const STRINGS = PIECES.flatMap((piece) =>
  [0, 1, 10, 11, 12, 13, 14, 30, 31, 32, 33, 100].flatMap((length) => {
    const filler = 'x'.repeat(length);
    return [piece + filler, filler + piece, filler.slice(length / 2) + piece + filler.slice(0, length / 2)];
  }),
);

describe('a short string', () => {
  test('becomes the JSON that JSON.stringify makes of it', () => {
    for (const text of STRINGS) assert.equal(encode(text), JSON.stringify(text));
  });

  test('is what JSON.parse makes of its JSON, wherever that stands', () => {
    for (const text of STRINGS) {
      const json = JSON.stringify(text);
      for (const [before, after] of [
        ['', ''],
        ['"', '"'],
        ['€\\', '\\'],
      ]) {
        const from = before.length;
        assert.equal(decode(before + json + after, from, from + json.length), text);
      }
    }
  });

  test('however it came to be', () => {
    const joined = ['one', ' and ', 'two'].reduce((all, each) => all + each);
    for (const text of [
      joined,
      `${joined}, or three`,
      joined.slice(4),
      `${joined} and ${joined}`.slice(14),
    ]) {
      assert.equal(encode(text), JSON.stringify(text));
    }
  });

  test('crosses by itself from 4096 units on, if it is well-formed', () => {
    for (const text of ['x'.repeat(4096), `\\${'€'.repeat(4095)}`]) {
      const long = encode(text);
      assert.ok(long instanceof LongString);
      assert.equal(long.text, text);
    }
    for (const text of ['x'.repeat(4095), `\ud83d${'x'.repeat(4095)}`]) {
      assert.equal(encode(text), JSON.stringify(text));
    }
  });
});

test('what is no JSON is refused, and as JSON.parse refuses it', () => {
  const WRONG = [
    '',
    '"',
    '"a',
    'a"',
    '"a"b"',
    '"\n"',
    '"\\"',
    '"\\x"',
    "'a'",
    'a',
    '""x',
    ' "',
    '"a" "b"',
    '\0',
  ];
  for (const json of WRONG) {
    for (const text of [json, `"${json}"`, `x${json}x`]) {
      const from = text === json ? 0 : 1;
      assert.throws(() => decode(text, from, from + json.length), SyntaxError, JSON.stringify(json));
    }
  }
  for (const json of [' "a"', '"a" ', ' 1', '\t[]\n', 'null', 'true', '-0', '1e3', '{"a":"b"}', '["a"]']) {
    assert.deepEqual(decode(`"${json}"`, 1, json.length + 1), JSON.parse(json));
  }
});
