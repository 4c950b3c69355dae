'use strict';
// What is of no use as a number, a string or an object, and how it is told.
const assert = require('node:assert/strict');

/** Asserts that it throws such an Error, whose message has all of these words. */
function assertThrows(act, Class, ...words) {
  assert.throws(act, (error) => {
    assert.equal(error.constructor, Class, error.message);
    for (const word of words) assert.ok(error.message.includes(word), `no ${word} in: ${error.message}`);
    return true;
  });
}

async function assertRejects(promise, Class, ...words) {
  const error = await promise.then(
    () => assert.fail('it did not reject'),
    (reason) => reason,
  );
  assertThrows(
    () => {
      throw error;
    },
    Class,
    ...words,
  );
}

/** Of no use where a number is wanted, and how each is told. */
const NO_NUMBERS = [
  ['100', '"100"', 'string'],
  [true, 'true', 'boolean'],
  [10n, '10n', 'bigint'],
  [Symbol('s'), 'Symbol(s)', 'symbol'],
  [null, 'null'],
  [{}, 'an object'],
  [[], 'an empty array'],
  [() => 1, 'a function'],
  [new Date(0), 'Date'],
];

const NO_STRINGS = [
  [1, '1', 'number'],
  [true, 'true'],
  [null, 'null'],
  [{}, 'an object'],
  [Buffer.from('text'), 'Buffer'],
  [Symbol('s'), 'Symbol(s)'],
];

const NO_OBJECTS = [
  ['text', '"text"'],
  [7, '7'],
  [true, 'true'],
  [[], 'array'],
  [() => 1, 'a function'],
];

module.exports = { NO_NUMBERS, NO_OBJECTS, NO_STRINGS, assertRejects, assertThrows };
