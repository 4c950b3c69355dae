'use strict';
// The error values that a worker sends by itself, in place of its handler.

/** For a request whose data are not valid JSON. */
const BAD_REQUEST = {
  message: 'the request is not valid JSON',
  name: 'SyntaxError',
  code: 'C_BAD_REQUEST',
};

const TOO_LARGE = {
  message: 'the request is too large for the JavaScript of its worker',
  name: 'RangeError',
  code: 'C_TOO_LARGE',
};

const NO_HANDLER = {
  message: 'no request listener: the worker has no handler for its requests',
  name: 'Error',
  code: 'W_NO_HANDLER',
};

/** For a reply that was destroyed without an error. */
const DESTROYED = {
  message: 'the reply was destroyed before it ended',
  name: 'Error',
  code: 'W_DESTROYED',
};

exports.BAD_REQUEST = BAD_REQUEST;
exports.DESTROYED = DESTROYED;
exports.NO_HANDLER = NO_HANDLER;
exports.TOO_LARGE = TOO_LARGE;
