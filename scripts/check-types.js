'use strict';
// `npm run check:types`: runs the tests of the types with the oldest supported TypeScript, and with the last
// one before the compiler that `npm test` uses. npm fetches them; as dependencies they would replace that
// compiler in node_modules/.bin.
const { ensureInstalled } = require('./ensure.js');
const { npm } = require('./run.js');

ensureInstalled();

for (const version of ['5.4.5', '5.9.3']) {
  npm([
    'exec',
    '--yes',
    `--package=typescript@${version}`,
    '--',
    'tsc',
    '-p',
    '__test__/types/tsconfig.json',
  ]);
  console.log(`✓ TypeScript ${version}`);
}
