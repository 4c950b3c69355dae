'use strict';
// The old packages ask for `zmq`, whose native part no Node of today builds: they get zeromq.js by way of zmq-shim.js.
const Module = require('node:module');
const path = require('node:path');

const SHIM = path.join(__dirname, 'zmq-shim.js');

/** From now on, for every `require('zmq')` in this process. */
function putInPlaceOfZmq() {
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    return request === 'zmq' ? SHIM : resolve.call(this, request, ...rest);
  };
}

module.exports = { putInPlaceOfZmq };
