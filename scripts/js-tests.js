'use strict';
// Runs the JavaScript suite by a given Node.js binary; returns the last lines of the test runner. As a
// program: uses the present binary, and runs all files or those given as arguments.
//
// The files run in parallel, one more than there are cores, because they mostly wait; Node's default would be one on two
// cores. Files that measure run afterwards, one at a time.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { stripVTControlCharacters } = require('node:util');
const { root } = require('./platforms.js');
const { run } = require('./run.js');

// The timeout of a test and of a file. Far above the duration of any: it only turns a hang into a failure.
const TIMEOUT = 300_000;

// Files whose assertions depend on the load of the machine: memory, processor time, or relative speed.
const ALONE = [
  'broker/restart.test.js',
  'broker/slow-peers.test.js',
  'client/large-strings.test.js',
  'docs/examples.test.js',
  'process/bench.test.js',
  'process/busy-event-loop.test.js',
  'process/memory.test.js',
  'worker/blocked.test.js',
];

/** All test files in __test__. */
function testFiles() {
  // Listed individually, because Node.js 20 accepts no globs and later versions no folders.
  const names = fs.readdirSync(path.join(root, '__test__'), { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.test.js')).map((name) => name.replaceAll('\\', '/'));
  for (const name of ALONE) if (!files.includes(name)) throw new Error(`there is no __test__/${name}`);
  return files;
}

/**
 * @param {string} node the path of a Node binary
 * @param {{ files?: string[], wrapper?: string[] }} [options] files: some of `testFiles()`; wrapper: a
 * program, with arguments, that runs the binary
 */
function runJsTests(node, { files = testFiles(), wrapper = [] } = {}) {
  const together = files.filter((name) => !ALONE.includes(name));
  const alone = files.filter((name) => ALONE.includes(name));
  const parallel = os.availableParallelism() + 1;
  return [...runSome(node, wrapper, together, parallel), ...runSome(node, wrapper, alone, 1)];
}

/** @param {string} node @param {string[]} wrapper @param {string[]} files @param {number} concurrency */
function runSome(node, wrapper, files, concurrency) {
  if (files.length === 0) return [];
  const [program, ...before] = [...wrapper, node];
  const limits = [`--test-timeout=${TIMEOUT}`, `--test-concurrency=${concurrency}`];
  const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout'];
  if (process.stderr.isTTY) {
    // A URL, because the drive letter of a path would be taken for a scheme.
    const progress = pathToFileURL(path.join(__dirname, 'progress.js')).href;
    reporters.push(`--test-reporter=${progress}`, '--test-reporter-destination=stderr');
  }
  const named = files.map((name) => path.join('__test__', name));
  const output = run(program, [...before, '--test', ...reporters, ...limits, ...named], { progress: true });
  const closing = /^ℹ (tests|pass|fail|cancelled|skipped|todo|duration_ms) /;
  // Coloured if stderr is a terminal, although stdout is a pipe.
  return stripVTControlCharacters(output)
    .split('\n')
    .filter((line) => closing.test(line));
}

if (require.main === module) {
  const files = process.argv.slice(2);
  console.log(runJsTests(process.execPath, files.length > 0 ? { files } : {}).join('\n'));
}

module.exports = { runJsTests, testFiles };
