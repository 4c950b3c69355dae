'use strict';
// zeromq.js has an interface like that of `zmq`; what is missing there for PIGATO is added here.
const compat = require('zeromq/v5-compat');

/** PIGATO looks at the state of a socket before it closes it. */
const STATE_READY = 0;
const STATE_CLOSED = 2;

module.exports = {
  ...compat,
  STATE_READY,
  STATE_CLOSED,

  /** @param {string} type @param {object} [options] */
  socket(type, options) {
    const socket = compat.socket(type, options);
    const native = { state: STATE_READY };
    Object.defineProperty(socket, '_zmq', { value: native });
    const close = socket.close.bind(socket);
    socket.close = () => {
      native.state = STATE_CLOSED;
      return close();
    };
    // A PUB has no identity, and setting one throws in zeromq.js.
    if (type === 'pub') Object.defineProperty(socket, 'identity', { value: '', writable: true });
    return socket;
  },
};
