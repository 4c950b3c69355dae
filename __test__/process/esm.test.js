'use strict';
// The package by `require` and by `import`.
const assert = require('node:assert/strict');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { test } = require('node:test');

const NAMES = [
  'Broker',
  'Client',
  'OmdpError',
  'RemoteError',
  'Worker',
  'capability',
  'curveKeyPair',
  'hashPassword',
  'version',
];

test('require gives its names, and no others', () => {
  assert.deepEqual(Object.keys(require('zmq-omdp')).sort(), NAMES);
});

test('import gives the same, by name and as the default', async () => {
  const module = await import('zmq-omdp');
  const required = require('zmq-omdp');
  assert.equal(module.default, required);
  for (const name of NAMES) assert.equal(module[name], required[name], name);
});

test('an ES module that imports it by name works, with await at its top level, and ends', () => {
  const program = path.join(__dirname, '..', 'support', 'program.mjs');
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' });
  assert.deepEqual(
    { status, signal, stdout, stderr },
    { status: 0, signal: null, stdout: 'one two three\n', stderr: '' },
  );
});

test('it says nothing on the console when it is loaded', () => {
  const run = spawnSync(
    process.execPath,
    ['-e', `require(${JSON.stringify(path.join(__dirname, '../..'))})`],
    {
      encoding: 'utf8',
    },
  );
  assert.deepEqual([run.status, run.stdout, run.stderr], [0, '', '']);
});

test('version and capability tell of the ZeroMQ that is built in', () => {
  const { version, capability } = require('zmq-omdp');
  assert.equal(version, '4.3.5');
  assert.equal(capability.curve, true);
  assert.equal(capability.ipc, true);
  for (const [name, is] of Object.entries(capability)) assert.equal(typeof is, 'boolean', name);
});

test('package.json can be had', () => {
  assert.equal(require('zmq-omdp/package.json').name, 'zmq-omdp');
});
