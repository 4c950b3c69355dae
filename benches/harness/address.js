'use strict';
// The endpoints of a run.
const os = require('node:os');
const path = require('node:path');

/** @param {'tcp' | 'ipc' | undefined} transport @param {number} port a number that no other run has */
function address(transport, port) {
  if (transport !== 'ipc') return `tcp://127.0.0.1:${port}`;
  return `ipc://${path.join(os.tmpdir(), `omdp-bench-${port}`)}`;
}

module.exports = { address };
