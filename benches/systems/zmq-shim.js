'use strict';
// The old packages ask for `zmq`, whose native part no Node of today builds. zeromq.js has an interface like it; what
// is missing there for PIGATO is added here.
const Module = require('node:module');

/** PIGATO looks at the state of a socket before it closes it. */
const STATE_READY = 0;
const STATE_CLOSED = 2;

/** Every later `require('zmq')` in this process gets zeromq.js. */
function putInPlaceOfZmq() {
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    return request === 'zmq' ? __filename : resolve.call(this, request, ...rest);
  };
}

module.exports = { putInPlaceOfZmq };

const compat = require('zeromq/v5-compat');

module.exports = {
  ...compat,
  putInPlaceOfZmq,
  STATE_READY,
  STATE_CLOSED,

  /** @param {string} type @param {object} [options] */
  socket(type, options) {
    const socket = compat.socket(type, options);
    let closed = false;
    const close = socket.close.bind(socket);
    socket.close = () => {
      closed = true;
      return close();
    };
    Object.defineProperty(socket, '_zmq', { value: { get state() { return closed ? STATE_CLOSED : STATE_READY; } } });
    // A PUB has no identity, and setting one throws in zeromq.js.
    if (type === 'pub') Object.defineProperty(socket, 'identity', { value: '', writable: true });
    // What is sent in one turn must not be dropped or refused at the limit of 1000 messages.
    socket.setsockopt?.('sndhwm', 0);
    socket.setsockopt?.('rcvhwm', 0);
    return socket;
  },
};
