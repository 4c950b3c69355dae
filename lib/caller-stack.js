'use strict';
// The stack of an error that a message of the native side causes has no frames of the application. They are
// captured when the application begins to wait, and added when there is an error: V8 formats captured frames
// only when they are read.

/** The innermost frames can be those of Node's streams, which are not shown. */
const MORE = 8;

/** Frames between the application and the function that captured. */
const PASSED = /\(node:|\bat (async )?node:|\bat new Promise \(<anonymous>\)/;

/** The names of the listeners for errors of Node's `finished()`, `pipeline()` and `once()`. */
const AWAITED = new Set(['onerror', 'errorListener']);

/**
 * The frames of the caller of `on` if it adds the listener for errors of a function of Node.js by which the application
 * waits. Frames are of no use to other listeners, and capturing them costs more than the rest of a short request.
 * @param {string | symbol} event
 * @param {any} listener
 * @param {Function} on
 */
function callersOfWait(event, listener, on) {
  if (event !== 'error' || !AWAITED.has((listener?.listener ?? listener)?.name)) return undefined;
  return captureCallers(on);
}

/**
 * Captures the frames of the callers of a function that is being called.
 * @param {Function} below
 * @returns {{ stack?: unknown } | undefined}
 */
function captureCallers(below) {
  const limit = Error.stackTraceLimit;
  if (typeof limit !== 'number' || !(limit > 0)) return undefined;
  const holder = {};
  // Not an assignment, which would throw if the limit is read-only.
  Reflect.set(Error, 'stackTraceLimit', limit + MORE);
  Error.captureStackTrace(holder, below);
  Reflect.set(Error, 'stackTraceLimit', limit);
  return holder;
}

/** @param {unknown} stack @returns {string[]} */
function framesIn(stack) {
  // Error.prepareStackTrace may return anything.
  return typeof stack === 'string' ? stack.split('\n').filter((line) => /^\s+at /.test(line)) : [];
}

/**
 * Adds captured frames to the stack of an error.
 * @template {Error} E
 * @param {E} error
 * @param {{ stack?: unknown } | null | undefined} holder of captureCallers()
 * @param {boolean} [keep] whether its own frames are of interest, too
 * @returns {E}
 */
function withCallers(error, holder, keep = false) {
  const captured = framesIn(holder?.stack);
  const first = captured.findIndex((line) => !PASSED.test(line));
  if (first === -1) return error;
  const own = keep ? framesIn(error.stack) : [];
  const callers = captured.slice(first, first + Error.stackTraceLimit);
  error.stack = [`${error.name}: ${error.message}`, ...own, ...callers].join('\n');
  return error;
}

exports.captureCallers = captureCallers;
exports.callersOfWait = callersOfWait;
exports.withCallers = withCallers;
