'use strict';
// Adapts zeromq.js, whose interface resembles that of `zmq`, and adds what PIGATO requires.
const compat = require('zeromq/v5-compat');

/** PIGATO checks the state of a socket before it closes it. */
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
    // A PUB has no identity; setting one throws in zeromq.js.
    if (type === 'pub') Object.defineProperty(socket, 'identity', { value: '', writable: true });
    // At its limit of 1000 a ROUTER drops messages, so that partials are lost. (0.0.92 and PIGATO do lose
    // them, but that could not be measured.)
    if (type === 'router') socket.setsockopt(compat.ZMQ_SNDHWM, 0);
    return socket;
  },
};
