'use strict';
// The maximum sizes that stand in several places: src/wire/sizes.rs has them, PROTOCOL.md lists them, and JavaScript
// checks some of them before it encodes.
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

describe('the table of sizes in PROTOCOL.md', () => {
  const rows = new Map(
    [...read('PROTOCOL.md').matchAll(/^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$/gm)].map(([, part, bytes]) => [
      part.trim(),
      bytes.match(/\d+/g)?.map(Number) ?? [],
    ]),
  );
  for (const [part, numbers] of /** @type {[string, number[]][]} */ ([
    ['routing id', [1, limit('MAX_ID')]],
    ['service', [1, limit('MAX_SERVICE')]],
    ['request id, session', [1, limit('MAX_ID')]],
    ['hello', [limit('MAX_HELLO')]],
    ['description, and metadata as JSON, in a hello', [limit('MAX_DESCRIPTION'), limit('MAX_METADATA')]],
    ['options, headers included', [limit('MAX_OPTIONS')]],
    ['user', [limit('MAX_USER')]],
    ['channels of a connection, by number', [limit('MAX_CHANNELS'), 2 * limit('MAX_CHANNELS')]],
  ])) {
    test(part, () => assert.deepEqual(rows.get(part), numbers));
  }

  test('lists', () => {
    const [toBroker, fromBroker] = rows.get('a list of tokens, numbers or request ids') ?? [];
    assert.deepEqual([toBroker, fromBroker], [limit('MAX_LIST'), limit('MAX_LIST_OF_BROKER')]);
    assert.equal(rows.get('the services of a roster')?.[0], limit('MAX_ROSTER'));
  });
});

describe('the checks of JavaScript have the sizes of the wire', () => {
  const maxOf = (/** @type {string} */ role, /** @type {string} */ name) =>
    optionsOf(role).find((option) => option.name === name)?.max;

  test('of names, descriptions and metadata', () => {
    assert.equal(maxOf('worker', 'name'), limit('MAX_ID'));
    assert.equal(maxOf('worker', 'description'), limit('MAX_DESCRIPTION'));
    assert.equal(maxOf('worker', 'metadata'), limit('MAX_METADATA'));
    assert.equal(constant('lib/services.js', 'MAX_SERVICE_BYTES'), limit('MAX_SERVICE'));
  });

  test('of the options of requests', () => {
    assert.equal(constant('lib/request-options.js', 'MAX_OPTIONS_BYTES'), limit('MAX_OPTIONS'));
  });

  test('of rates and pages', () => {
    const [, rate] = /checkMax = integer\(1, ([\d_]+)\)/.exec(read('lib/policies.js')) ?? [];
    assert.equal(Number(rate?.replaceAll('_', '')), constant('src/wire/serving.rs', 'MAX_RATE'));
    const page = constant('src/proto/broker/directory.rs', 'PAGE');
    assert.equal(constant('lib/directory.js', 'SERVICES_PER_PAGE'), page);
  });
});
