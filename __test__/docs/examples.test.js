'use strict';
// Every example and the demo, run as the README says: each ends by itself with exit code 0, and its output holds what
// it is there to show.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { freshEndpoint } = require('../support/endpoints');
const { ROOT, runNode } = require('../support/programs');

/** @type {Record<string, RegExp[]>} */
const EXAMPLES = {
  'quickstart.js': [/^client: the sum is 42$/m, /^client: refused with "a and b must be numbers"$/m],
  'upload.js': [/^the file came back as it was$/m, /^the generator was ended$/m, /^the sum is 1035$/m],
  'stream-a-file.js': [
    /^stream-a-file.js: \d+ bytes in \d+ parts$/m,
    /^the copy is the same$/m,
    /^cannot read no-such-file: ENOENT$/m,
  ],
  'partials.js': [
    /^(one parameter: [321]\n){3}final: null liftoff\n(two parameters: null [321]\n){3}final: null liftoff$/m,
    /^stream: 2\nstream: 1\nstream: liftoff\nloop: 1000\nloop: 999\ncall: liftoff$/m,
  ],
  'services.js': [
    /^2 \+ 3 is 5\n2 \* 3 is 6\nadd: 1 request, served by calc\/add \(Adds and multiplies; eu\)$/m,
    /^ready: calc\/add of add$/m,
    /^ready: calc\/math\.mul of math\.mul$/m,
    /^ready: spare of add\n2 \+ 3 is from the spare worker$/m,
  ],
  cluster: [
    /^primary: fibonacci\(21\) is 10946; [123] of them shared 12 requests$/m,
    /^primary: the request is lost: W_LOST$/m,
    /^primary: process [123] died; another takes its place$/m,
    /^primary: fibonacci\(30\) is 832040, says process \d$/m,
    /^primary: all processes ended$/m,
  ],
  'http-server.js': [
    /^GET \/primes\/100 -> 200 {"count":25,"last":97}$/m,
    /^GET \/primes\/many -> 400 /m,
    /^GET \/ -> 404 /m,
    /^stopped$/m,
  ],
  security: [
    /^shop: Emma costs 12, shop$/m,
    /^broker: shop may not call payroll$/m,
    /^shop: payroll: B_DENIED$/m,
    /^broker: refused a peer: not in the rules$/m,
    /^stranger: B_REFUSED: not admitted by the broker$/m,
    /^new shop: Emma costs 12, shop\nnew shop: Persuasion costs 12, shop$/m,
  ],
  'several-brokers': [
    /^connected to 2 brokers$/m,
    /^squares: 1,4,9,16$/m,
    /^the first broker is gone: connection lost$/m,
    /^on with the other: 49\nanswered: 25\nanswered: 36\nall stopped$/m,
  ],
  'routing.js': [
    /^orders@\^1: 1\.4\.0$/m,
    /^orders: 2\.0\.0$/m,
    /^billing\.refund: served by billing\.\*$/m,
    /^five requests of one cart: one worker$/m,
    /^urgent first: now later$/m,
    /^rejected by the one, done by the other$/m,
    /^third attempt: made it$/m,
  ],
  'esm.mjs': [/^OVER LIBZMQ 4\.3\.5$/m, /^nobody answered: C_TIMEOUT$/m],
  'perf.js': [
    /^100000 of 100000 requests answered, 0 wrong, in [\d.]+ s$/m,
    /^\d+ requests\/s with 1 worker/m,
  ],
  'migrate-0.0.92.js': [
    /^BROKER started$/m,
    /^PARTIAL null foo partial 1\nPARTIAL null foo partial 2\nPARTIAL null foo partial 3$/m,
    /^END null foo final$/m,
    /^partial data bar partial 3$/m,
    /^final data bar final$/m,
    /^STREAM baz partial 3$/m,
    /^STREAM baz final$/m,
    /^END { code: 'EFAIL', message: 'as asked' }\nSTREAM ERROR EFAIL\nEND C_TIMEOUT$/m,
  ],
  'demo.js': [
    /^1\. A request with one answer\n {2}client .*\n {2}worker .*\n {2}client {2}gets the final: "Hello, Ada!"$/m,
    /client {2}gets 1\n {2}client {2}gets 2\n {2}client {2}gets 3\n {2}client {2}gets "that was all"$/m,
    /client {2}gets the worker's error: "cannot divide 1 by 0", code DIVISION$/m,
    /client {2}gets \d+ bytes in \d+ parts: the same file, byte for byte$/m,
    /\n✓ All four requests went as they should\.\n$/,
  ],
};

/** What lies in the folder and is no example by itself. */
const PARTS = new Set(['demo']);

test('no example is forgotten here', () => {
  const found = fs.readdirSync(path.join(ROOT, 'examples')).filter((name) => !PARTS.has(name));
  assert.deepEqual(found.sort(), Object.keys(EXAMPLES).sort());
});

for (const [name, expected] of Object.entries(EXAMPLES)) {
  test(`examples/${name}`, async () => {
    // Where an endpoint is fixed, it must not be in use by another test.
    const env = name.startsWith('migrate') ? { OMDP_ENDPOINT: freshEndpoint('tcp') } : {};
    const { code, signal, stdout, stderr } = await runNode([path.join('examples', name)], env);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, stdout + stderr);
    assert.equal(stderr, '');
    for (const line of expected) assert.match(stdout, line);
  });
}

test('npm run demo is the demo, after what it needs was made', () => {
  const { scripts } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  assert.equal(scripts.demo, 'node scripts/ensure.js && node examples/demo.js');
});

test('npm test on a machine without Rust says what to install, and nothing else', async () => {
  const { code, stdout, stderr } = await runNode(['scripts/test.js'], { PATH: '/nowhere', CXX: '' });
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /^Building from source requires Rust 1\.\d+ or later \(https:\/\/rustup\.rs\).*\n$/);
});

const UNUSABLE = {
  'an old cargo': ['echo "cargo 1.63.0"', /requires Rust 1\.\d+ or later, not 1\.63 /],
  "rustup's cargo without a toolchain": [
    'echo "error: no default is configured" >&2; exit 1',
    /requires Rust 1/,
  ],
  'no clippy and no rustfmt': ['echo "cargo 1.999.0"', /requires .*rustup component add clippy rustfmt/],
};
for (const [name, [script, expected]] of Object.entries(UNUSABLE)) {
  const skip = process.platform === 'win32' && 'the cargo is a shell script';
  test(`so it does with ${name}`, { skip }, async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-cargo-'));
    t.after(() => fs.rmSync(folder, { recursive: true }));
    fs.writeFileSync(path.join(folder, 'cargo'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const { code, stdout, stderr } = await runNode(['scripts/test.js'], { PATH: folder, CXX: '' });
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, expected);
    assert.match(stderr, /^[^\n]+\n$/);
  });
}

test('a demo that goes wrong says so, and fails', async () => {
  // An address of nobody's: the broker can't be bound to it.
  const { code, stderr } = await runNode(['examples/demo.js'], { OMDP_ENDPOINT: 'tcp://192.0.2.1:5555' });
  assert.equal(code, 1);
  assert.match(stderr, /^✗ The demo failed: the broker ended with exit code 1$/m);
});
