'use strict';
// The old packages require `zmq`, whose native part does not build for present versions of Node.js: they get
// zeromq.js through zmq-shim.js.
const Module = require('node:module');
const path = require('node:path');

const SHIM = path.join(__dirname, 'zmq-shim.js');

/** Replaces every later `require('zmq')` of this process. */
function putInPlaceOfZmq() {
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    return request === 'zmq' ? SHIM : resolve.call(this, request, ...rest);
  };
}

module.exports = { putInPlaceOfZmq };
