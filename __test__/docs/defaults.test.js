'use strict';
// The defaults that the guides state, against those of the code.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const native = require('../../lib/load');
const { optionsOf } = require('../../lib/option-table');
const { ROOT } = require('../support/programs');

const UNITS = { MiB: 2 ** 20, GiB: 2 ** 30 };

const read = (/** @type {string} */ guide) => fs.readFileSync(path.join(ROOT, 'docs', `${guide}.md`), 'utf8');

/** The numbers and `false` that a guide states as defaults, by the names in its tables. */
function defaultsIn(/** @type {string} */ guide) {
  const rows = read(guide).matchAll(/^\| `(\w+)` \| (-?[\d.]+|false)(?: (\w+))? \|/gm);
  return new Map([...rows].map(([, name, value, unit]) => [name, JSON.parse(value) * (UNITS[unit] ?? 1)]));
}

for (const [guide, count] of /** @type {[string, number][]} */ ([
  ['broker', 13],
  ['mdp', 2],
])) {
  test(`docs/${guide}.md has the defaults of options`, () => {
    const said = [...defaultsIn(guide)];
    const values = new Map(
      [...optionsOf('broker'), ...optionsOf('client')].map(({ name, value }) => [name, value]),
    );
    assert.deepEqual(
      said,
      said.map(([name]) => [name, values.get(name)]),
    );
    assert.equal(said.length, count);
  });
}

test('docs/migrating.md has each code that a request of an earlier program may end with', () => {
  // `stats()` alone rejects with this one.
  const codes = native
    .codes()
    .map(({ code }) => code)
    .filter((code) => code !== 'B_TOO_LARGE');
  const text = read('migrating');
  assert.deepEqual(
    codes.filter((code) => !text.includes(`\`${code}\``)),
    [],
  );
});
