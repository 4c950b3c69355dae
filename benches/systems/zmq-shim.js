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
    // At the limit of 1000 a ROUTER drops what it should send, so that partials are lost. (0.0.92 and PIGATO do lose
    // them; but then nothing could be measured.)
    if (type === 'router') socket.setsockopt(compat.ZMQ_SNDHWM, 0);
    return socket;
  },
};
