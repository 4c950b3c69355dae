'use strict';
// `npm run test:nodes`: runs the JavaScript suite on every supported version of Node.js. The binaries come
// from the npm package `node`, each in its own cache folder, and are not dependencies.
const fs = require('node:fs');
const path = require('node:path');
const { ensure } = require('./ensure.js');
const { runJsTests } = require('./js-tests.js');
const { root } = require('./platforms.js');
const { npm, run, seconds } = require('./run.js');

const VERSIONS = process.argv.length > 2 ? process.argv.slice(2) : ['20', '22', '24', '26'];

/** @param {string} version */
function nodeBinary(version) {
  const dir = path.join(root, 'node_modules', '.cache', 'nodes', version);
  const binary = path.join(
    dir,
    'node_modules',
    'node',
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  );
  if (!fs.existsSync(binary)) {
    fs.mkdirSync(dir, { recursive: true });
    npm(['install', '--prefix', dir, '--no-save', '--no-package-lock', `node@${version}`]);
  }
  return binary;
}

async function main() {
  ensure();
  for (const version of VERSIONS) {
    const start = performance.now();
    const node = nodeBinary(version);
    const exact = run(node, ['--version']).trim();
    const closing = await runJsTests(node);
    console.log(`✓ Node ${exact} (${seconds(start)})`);
    console.log(closing.map((line) => `    ${line}`).join('\n'));
  }
}

main();
