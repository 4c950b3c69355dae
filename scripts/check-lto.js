'use strict';
// `npm run check:lto`: whether a release build that was to be optimised across libzmq's files was. A linker that knows
// nothing of gcc's intermediate code takes the machine code beside it, and the build succeeds all the same; that
// libzmq's smallest functions are still functions then, is all that tells. Builds only if there is no release build.
const { readNote } = require('./build.js');
const { ensure } = require('./ensure.js');

ensure('release');
const { lto } = readNote();
if (!lto?.wanted) {
  console.log('– libzmq was built plain: not on Linux, without the tools, or OMDP_LTO=0');
} else if (lto.left.length > 0) {
  console.error(`✗ libzmq was not optimised across its files: ${lto.left.join(', ')} are left`);
  process.exit(1);
} else {
  console.log('✓ libzmq was optimised across its files');
}
