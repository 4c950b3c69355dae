'use strict';
// Whether the benchmark runs and writes what its readers expect; never how fast anything is.
const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs/promises');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { promisify } = require('node:util');

const BENCH = path.join(__dirname, '../..', 'benches', 'run.js');
const run = promisify(execFile);

test('a small run of the benchmark measures, checks and reports', async (t) => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'omdp-bench-'));
  t.after(() => fs.rm(dir, { recursive: true, force: true }));
  const json = path.join(dir, 'results.json');
  const chart = path.join(dir, 'chart.svg');

  const args = ['--only', 'window', '--rounds', '1', '--count', 'small', '--systems', 'ours'];
  const { stdout } = await run(process.execPath, [BENCH, ...args, '--json', json, '--chart', chart]);

  assert.match(stdout, /^\[1\/1\] window, round 1 of 1, zmq-omdp 1\.0: /m);
  assert.match(stdout, /^\| zmq-omdp 1\.0 +\|/m);
  const results = JSON.parse(await fs.readFile(json, 'utf8'));
  assert.equal(results.schema, 1);
  assert.match(results.command, /^npm run bench -- --only window /);
  assert.ok(Date.parse(results.at) > 0);
  assert.equal(results.rounds, 1);
  assert.equal(results.machine.node, process.versions.node);
  assert.deepEqual(Object.keys(results.build), ['profile', 'bytes']);
  assert.deepEqual(
    results.systems.map(({ name }) => name),
    ['ours'],
  );
  assert.deepEqual(results.skipped, []);
  assert.deepEqual(results.failed, []);

  assert.equal(results.scenarios.length, 1);
  const [scenario] = results.scenarios;
  assert.equal(scenario.name, 'window');
  assert.equal(scenario.unit, 'requests/s');
  assert.equal(scenario.results.length, 1);
  const [result] = scenario.results;
  assert.equal(result.case, 'ours');
  assert.equal(result.rounds.length, 1);
  for (const value of [result.median, result.min, result.max]) assert.equal(value, result.rounds[0].value);
  assert.ok(result.median > 0);
  assert.equal(result.ratio, 1);

  assert.match(await fs.readFile(chart, 'utf8'), /^<svg .*zmq-omdp 1\.0/s);
});

test('several clients, large bodies, little traffic and Unix sockets can be measured', async (t) => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'omdp-bench-'));
  t.after(() => fs.rm(dir, { recursive: true, force: true }));
  const json = path.join(dir, 'results.json');
  const only = ['seq-2', 'large-10-1', 'trickle-100', ...(process.platform === 'win32' ? [] : ['window'])];
  const args = [
    '--only',
    only.join(),
    '--rounds',
    '1',
    '--count',
    'small',
    '--systems',
    'ours',
    '--json',
    json,
  ];
  const transport = process.platform === 'win32' ? [] : ['--transport', 'ipc'];
  await run(process.execPath, [BENCH, ...args, ...transport]);
  const results = JSON.parse(await fs.readFile(json, 'utf8'));
  assert.deepEqual([results.failed, results.skipped], [[], []]);
  assert.deepEqual(results.scenarios.map(({ name }) => name).sort(), only.sort());
});

test('what the benchmark does not know it refuses', async () => {
  for (const args of [['--only', 'nothing'], ['--systems', 'nobody'], ['--rounds', '0'], ['--fast']]) {
    await assert.rejects(run(process.execPath, [BENCH, ...args]), ({ code, stderr }) => {
      assert.equal(code, 1);
      assert.match(stderr, /no such (scenario|system)|--rounds must be|--fast/);
      return true;
    });
  }
});

test('everything that observes can be measured', async (t) => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'omdp-bench-'));
  t.after(() => fs.rm(dir, { recursive: true, force: true }));
  const json = path.join(dir, 'results.json');
  await run(process.execPath, [
    BENCH,
    ...['--only', 'window', '--rounds', '1', '--count', 'small', '--observed', '--json', json],
  ]);
  const results = JSON.parse(await fs.readFile(json, 'utf8'));
  assert.deepEqual(results.failed, []);
  assert.deepEqual(
    results.scenarios[0].results.map(({ case: system }) => system),
    ['ours', 'observed', 'subscribed', 'traced'],
  );
});

test('CURVE has a system of its own, in the scenarios that show its cost', async (t) => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'omdp-bench-'));
  t.after(() => fs.rm(dir, { recursive: true, force: true }));
  const json = path.join(dir, 'results.json');
  const args = ['--only', 'seq,stream', '--rounds', '1', '--count', 'small', '--systems', 'ours-curve'];
  await run(process.execPath, [BENCH, ...args, '--json', json]);
  const results = JSON.parse(await fs.readFile(json, 'utf8'));
  assert.deepEqual(results.failed, []);
  assert.deepEqual(
    results.scenarios.map(({ name, results: [{ case: system }] }) => [name, system]),
    [['seq', 'ours-curve']],
  );
});
