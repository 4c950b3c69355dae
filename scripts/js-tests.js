'use strict';
// Runs the JavaScript suite by a given Node.js binary; returns the last lines of the test runner. As a
// program: uses the present binary, and runs all files or those given as arguments.
//
// The files run in parallel, more than there are cores, because they mostly wait; Node's default would be one on two
// cores. Files that measure run before, one at a time.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { stripVTControlCharacters } = require('node:util');
const { root } = require('./platforms.js');
const { runBeside } = require('./run.js');

// The timeout of a test and of a file. Far above the duration of any: it only turns a hang into a failure.
const TIMEOUT = 300_000;

// Files whose assertions depend on the load of the machine: memory, processor time, or relative speed.
/** @type {string[]} */
const ALONE = [];

/** All test files in __test__. */
function testFiles() {
  // Listed individually, because Node.js 20 accepts no globs and later versions no folders.
  const names = fs.readdirSync(path.join(root, '__test__'), { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.test.js')).map((name) => name.replaceAll('\\', '/'));
  for (const name of ALONE) if (!files.includes(name)) throw new Error(`there is no __test__/${name}`);
  return files;
}

/**
 * The files of `testFiles()`, or of some of them, that run in parallel, and those that run one at a time.
 * @param {string[]} [files]
 */
function parts(files = testFiles()) {
  return {
    together: files.filter((name) => !ALONE.includes(name)),
    alone: files.filter((name) => ALONE.includes(name)),
  };
}

/**
 * Returns the last lines of the test runner.
 * @param {string} node the path of a Node binary
 * @param {string[]} [files] all by default
 */
async function runJsTests(node, files) {
  const { together, alone } = parts(files);
  return [...(await runAlone(node, alone)), ...(await runTogether(node, together))];
}

/** @param {string} node @param {string[]} [files] */
function runTogether(node, files = parts().together) {
  return runSome(node, files, 2 * os.availableParallelism() + 1);
}

/** @param {string} node @param {string[]} [files] */
function runAlone(node, files = parts().alone) {
  return runSome(node, files, 1);
}

/** @param {string} node @param {string[]} files @param {number} concurrency @returns {Promise<string[]>} */
async function runSome(node, files, concurrency) {
  if (files.length === 0) return [];
  const limits = [`--test-timeout=${TIMEOUT}`, `--test-concurrency=${concurrency}`];
  const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout'];
  if (process.stderr.isTTY) {
    // A URL, because the drive letter of a path would be taken for a scheme.
    const progress = pathToFileURL(path.join(__dirname, 'progress.js')).href;
    reporters.push(`--test-reporter=${progress}`, '--test-reporter-destination=stderr');
  }
  const named = files.map((name) => path.join('__test__', name));
  const output = await runBeside(node, ['--test', ...reporters, ...limits, ...named], {
    shown: process.stderr.isTTY,
  });
  const closing = /^ℹ (tests|pass|fail|cancelled|skipped|todo|duration_ms) /;
  // Coloured if stderr is a terminal, although stdout is a pipe.
  return stripVTControlCharacters(output)
    .split('\n')
    .filter((line) => closing.test(line));
}

if (require.main === module) {
  const files = process.argv.slice(2);
  runJsTests(process.execPath, files.length > 0 ? files : undefined).then((lines) =>
    console.log(lines.join('\n')),
  );
}

module.exports = { runAlone, runJsTests, runTogether, testFiles };
