'use strict';
// `npm run check:types`: the tests of the types by the oldest TypeScript that is supported, and by the last one before the
// compiler that `npm test` uses. npm fetches them; as dependencies they would take its place in node_modules/.bin.
const { npm } = require('./run.js');

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
