'use strict';
// The maximum sizes of src/wire/sizes.rs that JavaScript checks before it encodes. A test there compares them with
// PROTOCOL.md.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { optionsOf } = require('../../lib/option-table');
const { ROOT } = require('../support/programs');

const read = (/** @type {string} */ file) => fs.readFileSync(path.join(ROOT, file), 'utf8');

/** The value of a constant of Rust or JavaScript: a product, or a power of two. */
function constant(/** @type {string} */ file, /** @type {string} */ name) {
  const [, text] = new RegExp(`const ${name}(?:: \\w+)? = ([^;]+);`).exec(read(file)) ?? [];
  assert.ok(text, `${file} has no ${name}`);
  const factors = text.replaceAll('_', '').split(' * ');
  const shifted = factors.map((factor) => factor.split(' << ').map(Number));
  return shifted.reduce((product, [number, bits = 0]) => product * number * 2 ** bits, 1);
}

const limit = (/** @type {string} */ name) => constant('src/wire/sizes.rs', name);

describe('the checks of JavaScript have the sizes of the wire', () => {
  const maxOf = (/** @type {string} */ role, /** @type {string} */ name) =>
    optionsOf(role).find((option) => option.name === name)?.max;

  test('of names, descriptions and metadata', () => {
    assert.equal(maxOf('worker', 'name'), limit('MAX_ID'));
    assert.equal(maxOf('worker', 'description'), limit('MAX_DESCRIPTION'));
    assert.equal(maxOf('worker', 'metadata'), limit('MAX_METADATA'));
    assert.equal(constant('lib/services.js', 'MAX_SERVICE_BYTES'), limit('MAX_SERVICE'));
    assert.equal(constant('lib/services.js', 'MAX_NAME_BYTES'), limit('MAX_ID'));
    // The frame about a user has its name and its metadata.
    assert.ok(constant('lib/gatekeeper.js', 'MAX_METADATA') < limit('MAX_USER'));
  });

  test('of the options of requests', () => {
    assert.equal(constant('lib/request-options.js', 'MAX_OPTIONS_BYTES'), limit('MAX_OPTIONS'));
  });

  test('of routing', () => {
    const name = constant('src/proto/broker/requests/routing.rs', 'MAX_NAME');
    assert.equal(maxOf('request', 'worker'), name);
    assert.equal(maxOf('request', 'key'), name);
  });

  test('of rates, weights and retries', () => {
    assert.equal(maxOf('rate', 'max'), constant('src/wire/serving.rs', 'MAX_RATE'));
    assert.equal(maxOf('worker', 'weight'), constant('src/wire/serving.rs', 'MAX_WEIGHT'));
    // It crosses in 8 bits.
    assert.equal(maxOf('request', 'retry'), 2 ** 8 - 1);
  });
});
