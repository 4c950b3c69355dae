'use strict';
// The JavaScript suite, run by a given Node; returns the closing lines of its runner. As a program: by this Node.
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./platforms.js');
const { run } = require('./run.js');

// Far above what any test takes: it only turns a test that hangs into one that fails.
const TIMEOUT = 120_000;

/** @param {string} node the path of a Node binary */
function runJsTests(node) {
  // Named one by one, as Node 20 takes no globs and later versions take no folders.
  const names = fs.readdirSync(path.join(root, '__test__'), { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.test.js')).map((name) => path.join('__test__', name));
  const output = run(node, ['--test', '--test-reporter=spec', `--test-timeout=${TIMEOUT}`, ...files]);
  const closing = /^ℹ (tests|pass|fail|cancelled|skipped|todo|duration_ms) /;
  return output.split('\n').filter((line) => closing.test(line));
}

if (require.main === module) console.log(runJsTests(process.execPath).join('\n'));

module.exports = { runJsTests };
