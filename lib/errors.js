'use strict';

const { isNativeError } = require('node:util/types');
const { describe } = require('./describe');
const native = require('./load');

/** The meaning of each code, for the `message` of an OmdpError. */
const MEANING = new Map(native.codes().map(({ code, meaning }) => [code, meaning]));

/** The largest length of an error value in a message. */
const MAX_SHOWN = 200;

/**
 * Context of a failed request.
 * @typedef {object} Context
 * @property {string} [service]
 * @property {string} [rid]
 * @property {number} [attempt]
 * @property {number} [elapsed] ms since its creation
 * @property {string} [endpoint] the broker's
 * @property {string} [worker] the name of the worker that had the request
 */

const CONTEXT = /** @type {const} */ (['service', 'rid', 'attempt', 'elapsed', 'endpoint', 'worker']);

/** @param {Error} error @param {Context} context */
function describeRequest(error, context) {
  for (const key of CONTEXT) {
    if (context[key] !== undefined) /** @type {any} */ (error)[key] = context[key];
  }
}

/** A failure that this package itself has found, identified by its stable `code`. */
class OmdpError extends Error {
  /**
   * @param {string} code
   * @param {{ message?: string, cause?: unknown } & Context} [options]
   */
  constructor(code, options = {}) {
    super(
      options.message ?? MEANING.get(code) ?? `the request failed: ${code}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    describeRequest(this, options);
  }
}
hideName(OmdpError, 'OmdpError');

/** An error value that a worker gave to `reply.error()`, as an Error. */
class RemoteError extends Error {
  /**
   * @param {unknown} value the error value, unchanged
   * @param {Context} [context]
   */
  constructor(value, context = {}) {
    super(remoteMessage(value, context));
    this.value = value;
    const code = fieldOf(value, 'code');
    if (typeof code === 'string') this.code = code;
    describeRequest(this, context);
  }
}
hideName(RemoteError, 'RemoteError');

/**
 * Defines `name` on the prototype, as built-in errors do, so that it is not printed as a field.
 * @param {Function} Class
 * @param {string} name
 */
function hideName(Class, name) {
  Object.defineProperty(Class.prototype, 'name', { value: name, writable: true, configurable: true });
}

/** @param {unknown} value @param {string} key @returns {unknown} */
function fieldOf(value, key) {
  return typeof value === 'object' && value !== null ? /** @type {any} */ (value)[key] : undefined;
}

/** @param {unknown} value @param {Context} context @returns {string} */
function remoteMessage(value, { service, worker: name }) {
  const message = typeof value === 'string' ? value : fieldOf(value, 'message');
  if (typeof message === 'string' && message !== '') return message;
  const worker = name === undefined ? 'a worker' : `worker ${describe(name)}`;
  const where = service === undefined ? 'the worker' : `${worker} of service ${describe(service)}`;
  return `${where} replied with the error ${shown(value)}`;
}

/** @param {unknown} value @returns {string} */
function shown(value) {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return describe(value);
  try {
    const json = JSON.stringify(value);
    return json.length > MAX_SHOWN ? `${json.slice(0, MAX_SHOWN)}…` : json;
  } catch {
    // Only if the value was not received.
    return describe(value);
  }
}

/**
 * The error value for `x`. The fields of an Error are not enumerable, so its JSON would be `{}`. The stack is
 * omitted, because it would reveal internals of the worker to the client's user.
 * @param {unknown} x
 * @returns {unknown}
 */
function errorValue(x) {
  if (!isNativeError(x) && !(x instanceof Error)) return x;
  /** @type {{ message: string, name: string, code?: string | number }} */
  const value = { message: String(x.message), name: String(x.name) };
  const code = fieldOf(x, 'code');
  if (typeof code === 'string' || typeof code === 'number') value.code = code;
  return value;
}

const FORM = 'an endpoint is tcp://HOST:PORT with a port up to 65535, ipc://PATH or inproc://NAME';

/** Additions to the system's messages. @type {Record<string, string | undefined>} */
const HINTS = {
  EINVAL: FORM,
  EPROTONOSUPPORT: FORM,
  ENODEV: 'the host must be an address or a network interface of this machine, or *',
};

/**
 * @param {string} code such as EADDRINUSE
 * @param {string} message
 * @param {readonly string[]} endpoints
 * @returns {Error & { code: string }}
 */
function startError(code, message, endpoints) {
  // The native error may name one of several endpoints; the message names an endpoint once.
  const named = endpoints.some((endpoint) => message.includes(endpoint));
  const text = named ? message : `${message} (${endpoints.map((each) => describe(each)).join(', ')})`;
  const hint = HINTS[code];
  return Object.assign(new Error(hint === undefined ? text : `${text} (${hint})`), { code });
}

/**
 * Throws `error` as an uncaught exception, as if from an event listener, after the current work.
 * @param {unknown} error
 */
function throwLater(error) {
  process.nextTick(() => {
    throw error;
  });
}

/**
 * Emits `error` if there is a listener. An error that the listener throws is thrown later.
 * @param {import('node:events').EventEmitter} emitter
 * @param {unknown} error
 */
function emitError(emitter, error) {
  if (emitter.listenerCount('error') === 0) return;
  try {
    emitter.emit('error', error);
  } catch (thrown) {
    throwLater(thrown);
  }
}

/**
 * Rejects a promise that is resolved with the result. The error is created in a job on which that promise
 * already waits, so that V8 includes the awaiting functions in the stack; a request that succeeds has no
 * cost.
 * @param {() => Error} make
 * @returns {Promise<never>}
 */
async function rejection(make) {
  await null;
  await null;
  throw make();
}

exports.OmdpError = OmdpError;
exports.RemoteError = RemoteError;
exports.errorValue = errorValue;
exports.rejection = rejection;
exports.startError = startError;
exports.emitError = emitError;
exports.throwLater = throwLater;
