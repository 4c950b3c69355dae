'use strict';
// A reporter for Node's test runner: one line on a terminal with the numbers so far and the latest file, and a line for
// each failure.

/** @param {AsyncIterable<{ type: string, data: any }>} source */
module.exports = async function* progress(source) {
  let passed = 0;
  let failed = 0;
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite') continue;
    if (type === 'test:pass') passed += 1;
    else {
      failed += 1;
      yield `\r\x1b[K✖ ${data.file ?? ''} ${data.name}\n`;
    }
    const file = (data.file ?? '').split(/[\\/]/).slice(-2).join('/');
    yield `\r\x1b[K  ${passed} passed, ${failed} failed  ${file}`;
  }
  yield '\r\x1b[K';
};
