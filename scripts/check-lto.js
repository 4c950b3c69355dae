'use strict';
// `npm run check:lto` (Linux with gcc): whether `OMDP_LTO=1` does anything. Where it does, the small functions of
// zmq::msg_t, which every frame goes through, are inlined and most of their symbols are gone; where a linker takes
// the machine code instead, the build succeeds all the same and only this count tells.
const path = require('node:path');
const { symbolNames } = require('./elf.js');
const { root } = require('./platforms.js');
const { run, seconds } = require('./run.js');

/** @param {'0' | '1'} lto */
function countSymbols(lto) {
  const start = performance.now();
  const host = run('rustc', ['-vV']).match(/^host: (.*)$/m)?.[1] ?? '';
  const env = { ...process.env, OMDP_LTO: lto, CARGO_PROFILE_RELEASE_STRIP: 'none' };
  run('cargo', ['build', '--release', '--locked', '--target', host], { env });
  const names = symbolNames(path.join(root, 'target', host, 'release', 'libzmq_omdp.so'));
  const count = names.filter(
    (name) => name.startsWith('_ZN3zmq5msg_t') || name.startsWith('_ZNK3zmq5msg_t'),
  ).length;
  console.log(`OMDP_LTO=${lto}: ${count} symbols of zmq::msg_t are left (${seconds(start)})`);
  return count;
}

const plain = countSymbols('0');
const optimised = countSymbols('1');
if (plain === 0 || optimised * 2 > plain) {
  console.error('✗ libzmq was not optimised across its files');
  process.exit(1);
}
console.log('✓ libzmq was optimised across its files');
