'use strict';
// The documents and types against what the native side exports: numbers of the crossing, and error codes.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const native = require('../../lib/load');
const { PROTOCOLS } = require('../../lib/option-table');
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

  test('has the positions of fields that share a number', () => {
    const DIGITS = '⁰¹²³⁴⁵⁶⁷⁸⁹';
    const shiftsIn = (heading) => {
      const powers = JSON.stringify(table(text, heading)).matchAll(/2([⁰¹²³⁴-⁹]+)/g);
      return [...powers].map(([, digits]) =>
        Number([...digits].map((digit) => DIGITS.indexOf(digit)).join('')),
      );
    };
    const { Options, Stream, Service, Attempt, Place } = native.LeftShift;
    const { Retry, FailFast, Routed } = native.TermsShift;
    assert.deepEqual(shiftsIn("client's op"), [Options, Retry, FailFast, Routed]);
    assert.deepEqual(shiftsIn('kind'), [Stream, Service, Attempt, Place]);
  });

  test('has the places of requests', () => {
    const [, places] = /`n` is ([^|]+?), and above it/.exec(text) ?? [];
    const said = [...(places ?? '').matchAll(/(\d) /g)].map(([, number]) => Number(number));
    assert.deepEqual(said, Object.values(native.RequestPlace));
  });

  test('has the fields of records and batches', () => {
    const WORDS = { six: 6, eight: 8 };
    const [toRust, toJavaScript] = [...text.matchAll(/(\w+) numbers each: `(\[[^`]+\])`/gi)].map(
      ([, word, fields]) => [WORDS[word.toLowerCase()], fields.split(',').length],
    );
    assert.deepEqual(toRust, [native.SUBMIT_FIELDS, native.SUBMIT_FIELDS]);
    assert.deepEqual(toJavaScript, [native.DRAIN_FIELDS, native.DRAIN_FIELDS]);
    const [, header] = /The array\nbegins with\n`\[([^\]]+)\]`/.exec(text) ?? [];
    assert.equal(header?.split(',').length, native.DRAIN_HEADER);
  });
});

/** The words of a union of strings in index.d.ts. */
function unionOf(pattern) {
  const [, union] = new RegExp(pattern).exec(read('index.d.ts')) ?? [];
  assert.ok(union, `no ${pattern}`);
  return [...union.matchAll(/'([^']+)'/g)].map(([, word]) => word);
}

test('the dialects are those of the native side', () => {
  assert.deepEqual(PROTOCOLS, native.dialects());
  assert.deepEqual(unionOf('type Protocol =([^;]+);'), native.dialects());
});

test('the causes of further attempts are those of the native side', () => {
  const source = read('src/node/client/terms.rs');
  const causes = [...source.matchAll(/\(Cause::\w+, "(\w+)"\)/g)].map(([, cause]) => cause);
  assert.ok(causes.length > 0);
  assert.deepEqual(unionOf('on\\?: readonly \\(([^)]+)\\)'), causes);
});

test("the names of the broker's own services are those of the native side", () => {
  const named = (file, pattern) => [...read(file).matchAll(pattern)].map(([, name]) => name);
  const known = ['mmi.rs', 'query.rs'].flatMap((file) =>
    named(path.join('src/proto/broker', file), /b"(mmi\.\w+)"/g),
  );
  const asked = fs
    .readdirSync(path.join(ROOT, 'lib'), { recursive: true })
    .filter((file) => file.endsWith('.js'))
    .flatMap((file) => named(path.join('lib', file), /'(mmi\.\w+)'/g));
  assert.ok(asked.length > 5);
  assert.deepEqual(
    asked.filter((name) => !known.includes(name)),
    [],
  );
});

describe('events', () => {
  const sources = fs
    .readdirSync(path.join(ROOT, 'src/node'), { recursive: true })
    .filter((file) => file.endsWith('.rs'))
    .map((file) => read(path.join('src/node', file)))
    .join('');
  const declaredBy = (type) => {
    const [, body] =
      new RegExp(`interface ${type}Events\\b[^{]*\\{([^]*?)\\n\\}`).exec(read('index.d.ts')) ?? [];
    return [...(body ?? '').matchAll(/^ {2}(\w+): \[/gm)].map(([, name]) => name);
  };

  test('of a broker in index.d.ts are made by the native side', () => {
    const all = `${sources}${read('src/proto/broker/event.rs')}`;
    const declared = declaredBy('Broker');
    assert.ok(declared.length > 10);
    assert.deepEqual(
      declared.filter((name) => !all.includes(`"${name}"`)),
      [],
    );
  });

  test('of the native side are in index.d.ts', () => {
    const made = [...sources.matchAll(/\.event\("(\w+)"/g)].map(([, name]) => name);
    // `lib/common-records.js` makes an `error` of it.
    const declared = ['refused', ...['Peer', 'Broker', 'Worker', 'Client'].flatMap(declaredBy)];
    assert.ok(made.length > 5);
    assert.deepEqual(
      made.filter((name) => !declared.includes(name)),
      [],
    );
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
