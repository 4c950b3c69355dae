'use strict';
// The documents and types against what the native side exports: numbers of the crossing, and error codes.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const native = require('../../lib/load');
const { ROOT } = require('../support/programs');

const read = (file) => fs.readFileSync(path.join(ROOT, file), 'utf8');

/** The rows of the table in `text` whose first heading is this, as arrays of cells. */
function table(text, heading) {
  const [, rows] = new RegExp(`^\\| ${heading} \\|.*\\n\\|[-|]+\\|\\n((?:\\|.*\\n)+)`, 'm').exec(text) ?? [];
  assert.ok(rows, `no table "${heading}"`);
  return rows
    .trimEnd()
    .split('\n')
    .map((row) =>
      row
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
}

const upper = (name) => name.replace(/(?<=[a-z])[A-Z]/g, '_$&').toUpperCase();
const numbersOf = (members) => Object.entries(members).map(([name, number]) => `${number} ${upper(name)}`);

describe('the crossing in ARCHITECTURE.md', () => {
  const text = read('ARCHITECTURE.md');
  for (const [heading, members] of [
    ["client's op", native.ClientOp],
    ["worker's op", native.WorkerOp],
    ['kind', native.Kind],
  ]) {
    test(`has each ${heading}`, () => {
      const said = table(text, heading).map(([cell]) => cell.split(',')[0]);
      assert.deepEqual(said, numbersOf(members));
    });
  }

  test('has each flag', () => {
    const said = table(text, 'bit').map(([bit, name]) => `${bit} ${name}`);
    assert.deepEqual(said, numbersOf(native.Flag));
  });
});

describe('error codes', () => {
  const codes = native
    .codes()
    .map(({ code }) => code)
    .sort();

  test('each is in docs/errors.md, and no other', () => {
    const said = [...read('docs/errors.md').matchAll(/^\| `([A-Z]_[A-Z_]+)` \|/gm)].map(([, code]) => code);
    // Codes of error values that workers make by themselves; they are no codes of an OmdpError.
    const values = ['W_NO_HANDLER', 'W_DESTROYED', 'C_BAD_REQUEST'];
    assert.deepEqual([...new Set(said)].filter((code) => !values.includes(code)).sort(), codes);
  });

  test('each is a member of ErrorCode in index.d.ts, and no other', () => {
    const [, union] = /export type ErrorCode =([^;]+);/.exec(read('index.d.ts'));
    const said = [...union.matchAll(/'(\w+)'/g)].map(([, code]) => code);
    assert.deepEqual(said.sort(), codes);
  });
});

// The sources have the reasons, and no list of them is exported.
for (const [type, source, enumeration] of [
  ['DisconnectReason', 'src/proto/link/loss.rs', 'Loss'],
  ['WorkerGoneReason', 'src/proto/broker/event.rs', 'Departure'],
]) {
  test(`index.d.ts and docs/api.md have each ${type}`, () => {
    const reasons = [...read(source).matchAll(new RegExp(`${enumeration}::\\w+ => "([^"]+)"`, 'g'))].map(
      ([, reason]) => reason,
    );
    const [, union] = new RegExp(`type ${type} =([^;]+);`).exec(read('index.d.ts'));
    const declared = [...union.matchAll(/'([^']+)'/g)].map(([, reason]) => reason);
    assert.ok(reasons.length > 5);
    assert.deepEqual(declared.sort(), reasons.sort());
    const reference = read('docs/api.md').replace(/\s+/g, ' ');
    assert.deepEqual(
      reasons.filter((reason) => !reference.includes(`\`${reason}\``)),
      [],
    );
  });
}
