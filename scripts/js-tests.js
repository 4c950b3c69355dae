'use strict';
// Runs the JavaScript suite by a given Node.js binary; returns the last lines of the test runner. As a
// program: uses the present binary, and runs all files or those given as arguments.
//
// The files run in parallel, more than there are cores, because they mostly wait; Node's default would be one on two
// cores.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { stripVTControlCharacters } = require('node:util');
const { root } = require('./platforms.js');
const { runBeside } = require('./run.js');

// The timeout of a test and of a file. Far above the duration of any: it only turns a hang into a failure.
const TIMEOUT = 300_000;

/** All test files in __test__. */
function testFiles() {
  // Listed individually, because Node.js 20 accepts no globs and later versions no folders.
  const names = fs.readdirSync(path.join(root, '__test__'), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.test.js')).map((name) => name.replaceAll('\\', '/'));
}

/**
 * Returns the last lines of the test runner.
 * @param {string} node the path of a Node binary
 * @param {string[]} [files] all by default
 */
async function runJsTests(node, files = testFiles()) {
  const concurrency = 2 * os.availableParallelism() + 1;
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

module.exports = { runJsTests, testFiles };
