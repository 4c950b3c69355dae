'use strict';
// A reporter for Node's test runner: one line on a terminal with the progress and the failures so far.

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
    yield `\r\x1b[K  ${passed} passed, ${failed} failed`;
  }
  yield '\r\x1b[K';
};
