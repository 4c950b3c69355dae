'use strict';
// The JavaScript suite, run by a given Node; returns the closing lines of its runner. As a program: by this Node, all
// files or those that are named.
//
// The files run side by side, as most of their time is waiting: as many as there are cores, but at least two, where
// node's own choice on two cores would be one. Those that measure run afterwards, one at a time.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { stripVTControlCharacters } = require('node:util');
const { root } = require('./platforms.js');
const { run } = require('./run.js');

// Of a test, and of a file. Far above what any takes: it only turns a hang into a failure.
const TIMEOUT = 300_000;

// What these assert depends on what else the machine does: memory, processor time, or who is faster.
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

/** All test files, below __test__. */
function testFiles() {
  // Named one by one, as Node 20 takes no globs and later versions take no folders.
  const names = fs.readdirSync(path.join(root, '__test__'), { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.test.js')).map((name) => name.replaceAll('\\', '/'));
  for (const name of ALONE) if (!files.includes(name)) throw new Error(`there is no __test__/${name}`);
  return files;
}

/**
 * @param {string} node the path of a Node binary
 * @param {{ files?: string[], wrapper?: string[] }} [options] files: some of `testFiles()`; wrapper: a program, with its
 *   arguments, that runs the Node binary
 */
function runJsTests(node, { files = testFiles(), wrapper = [] } = {}) {
  const together = files.filter((name) => !ALONE.includes(name));
  const alone = files.filter((name) => ALONE.includes(name));
  const cores = Math.max(2, os.availableParallelism());
  return [...runSome(node, wrapper, together, cores), ...runSome(node, wrapper, alone, 1)];
}

/** @param {string} node @param {string[]} wrapper @param {string[]} files @param {number} concurrency */
function runSome(node, wrapper, files, concurrency) {
  if (files.length === 0) return [];
  const [program, ...before] = [...wrapper, node];
  const limits = [`--test-timeout=${TIMEOUT}`, `--test-concurrency=${concurrency}`];
  const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout'];
  if (process.stderr.isTTY) {
    // As a URL: a drive letter alone would be taken for the scheme of one.
    const progress = pathToFileURL(path.join(__dirname, 'progress.js')).href;
    reporters.push(`--test-reporter=${progress}`, '--test-reporter-destination=stderr');
  }
  const named = files.map((name) => path.join('__test__', name));
  const output = run(program, [...before, '--test', ...reporters, ...limits, ...named], { progress: true });
  const closing = /^ℹ (tests|pass|fail|cancelled|skipped|todo|duration_ms) /;
  // Coloured where standard error is a terminal, though this is read from a pipe.
  return stripVTControlCharacters(output)
    .split('\n')
    .filter((line) => closing.test(line));
}

if (require.main === module) {
  const files = process.argv.slice(2);
  console.log(runJsTests(process.execPath, files.length > 0 ? { files } : {}).join('\n'));
}

module.exports = { runJsTests, testFiles };
