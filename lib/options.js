'use strict';

const { randomBytes } = require('node:crypto');
const { given } = require('./describe');
const { CLIENT_OPTIONS, SERVER_OPTIONS } = require('./security');

/** The longest delay that a timer of Node or of the native side can hold, about 24.8 days. */
const MAX_MS = 2147483647;
/** A broker that looks for messages for longer than this had better poll. */
const MAX_SPIN_US = 1000000;
/** Past this nothing is gained, and a worker that dies loses more. */
const MAX_PREFETCH = 65535;
const MAX_LIVENESS = 1000;
/** Less would not hold what is under way to a peer that keeps up. */
const MIN_PEER_BYTES = 65536;
const MAX_NAME_BYTES = 255;
const MAX_SERVICE_BYTES = 65535;
/** What peers may speak; the first is what a worker or client speaks unless told otherwise. */
const DIALECTS = ['omdp', 'mdp/0.1', 'mdp/0.2', 'mdp/0.2-majortomo'];

/**
 * A check takes what was given and the words for it in messages; it gives back the value to use.
 * @typedef {(value: unknown, what: string) => any} Check
 */

/**
 * @param {unknown} value
 * @param {string} what
 * @param {string} wanted
 * @returns {TypeError}
 */
function wrongType(value, what, wanted) {
  return new TypeError(`${what} must be ${wanted}, got ${given(value)}`);
}

/**
 * @param {number} min
 * @param {number} max
 * @param {boolean} [orOff] whether -1 is taken too
 * @param {(x: number) => number} [round]
 * @returns {Check}
 */
function number(min, max, orOff = false, round = Math.ceil) {
  const wanted = `a number from ${min} to ${max}${orOff ? ', or -1' : ''}`;
  return (value, what) => {
    if (typeof value !== 'number') throw wrongType(value, what, wanted);
    if (orOff && value === -1) return value;
    // Fractions are rounded up first, so that 0.5 ms is 1 ms and not "off" or an error.
    const rounded = round(value);
    if (rounded >= min && rounded <= max) return rounded;
    throw new RangeError(`${what} must be ${wanted}, got ${given(value)}`);
  };
}

/** @param {number} max @param {boolean} [orOff] @param {number} [min] @returns {Check} */
function integer(max, orOff = false, min = 1) {
  return number(min, max, orOff, (x) => (Number.isInteger(x) ? x : Number.NaN));
}

/** @type {Check} */
function name(value, what) {
  const wanted = `a string of 1 to ${MAX_NAME_BYTES} bytes that does not begin with NUL`;
  if (typeof value !== 'string') throw wrongType(value, what, wanted);
  // ZeroMQ keeps identities that begin with a zero byte for itself.
  if (
    value === '' ||
    value[0] === '\0' ||
    Buffer.byteLength(value) > MAX_NAME_BYTES ||
    !value.isWellFormed()
  ) {
    throw new RangeError(`${what} must be ${wanted}, got ${given(value)}`);
  }
  return value;
}

/** @type {Check} */
function protocol(value, what) {
  const wanted = `one of ${DIALECTS.map((each) => `"${each}"`).join(', ')}`;
  if (typeof value !== 'string') throw wrongType(value, what, wanted);
  if (!DIALECTS.includes(value)) throw new RangeError(`${what} must be ${wanted}, got ${given(value)}`);
  return value;
}

/** @type {Check} */
function dialects(value, what) {
  if (!Array.isArray(value)) throw wrongType(value, what, 'an array');
  if (value.length === 0) throw new RangeError(`${what} must name at least one dialect, got an empty array`);
  return Array.from(value, (each, index) => protocol(each, `${what}[${index}]`));
}

const milliseconds = number(1, MAX_MS);
const timeout = number(1, MAX_MS, true);
const stopTimeout = number(0, MAX_MS, true);
const liveness = integer(MAX_LIVENESS);
const concurrency = integer(MAX_MS, true);
const spin = integer(MAX_SPIN_US, false, 0);
const peerBytes = integer(Number.MAX_SAFE_INTEGER, false, MIN_PEER_BYTES);
const prefetch = integer(MAX_PREFETCH, false, 0);
const limit = integer(Number.MAX_SAFE_INTEGER, true, 0);
/** Some code still sets 0.0.92's `debug`, which only made it log. @type {Check} */
const ignored = () => undefined;

/** @typedef {Record<string, { check: Check, value?: unknown }>} Schema */

/** @type {Record<'broker' | 'worker' | 'client', Schema>} */
const SCHEMAS = {
  broker: {
    heartbeat: { check: milliseconds, value: 2500 },
    liveness: { check: liveness, value: 3 },
    spin: { check: spin, value: 0 },
    dialects: { check: dialects, value: DIALECTS },
    expiry: { check: timeout, value: 60000 },
    busyTimeout: { check: milliseconds, value: 900000 },
    maxPeerBytes: { check: peerBytes, value: 64 * 1024 * 1024 },
    maxQueue: { check: limit, value: 262144 },
    maxQueueBytes: { check: limit, value: 268435456 },
    maxTotalQueue: { check: limit, value: 1048576 },
    maxTotalQueueBytes: { check: limit, value: 1073741824 },
    handshakeInterval: { check: milliseconds, value: 10000 },
    ...SERVER_OPTIONS,
    name: { check: name },
    debug: { check: ignored },
  },
  worker: {
    heartbeat: { check: milliseconds, value: 2500 },
    liveness: { check: liveness, value: 3 },
    reconnect: { check: milliseconds, value: 100 },
    concurrency: { check: concurrency, value: 1 },
    prefetch: { check: prefetch, value: 1024 },
    maxBlocked: { check: timeout, value: -1 },
    protocol: { check: protocol, value: DIALECTS[0] },
    ...CLIENT_OPTIONS,
    name: { check: name },
    debug: { check: ignored },
  },
  client: {
    heartbeat: { check: milliseconds, value: 2500 },
    liveness: { check: liveness, value: 3 },
    timeout: { check: timeout, value: 60000 },
    protocol: { check: protocol, value: DIALECTS[0] },
    ...CLIENT_OPTIONS,
    name: { check: name },
    debug: { check: ignored },
  },
};

/**
 * @param {'broker' | 'worker' | 'client'} role
 * @param {unknown} conf what the user gave
 * @returns {any} every option of the role, with defaults
 */
function checkConf(role, conf) {
  const schema = SCHEMAS[role];
  /** @type {Record<string, unknown>} */
  const result = { name: role[0].toUpperCase() + randomBytes(9).toString('base64url') };
  for (const key of Object.keys(schema)) {
    if (schema[key].value !== undefined) result[key] = schema[key].value;
  }
  result.generated = true;
  if (conf === undefined || conf === null) return result;
  for (const [key, value] of Object.entries(object(conf, 'conf'))) {
    if (!Object.hasOwn(schema, key)) throw unknownOption(key, Object.keys(schema));
    if (value === undefined) continue;
    const checked = schema[key].check(value, `option "${key}"`);
    if (checked === undefined) continue;
    result[key] = checked;
    if (key === 'name') result.generated = false;
  }
  return result;
}

/**
 * @param {string} key
 * @param {string[]} known
 * @returns {TypeError}
 */
function unknownOption(key, known) {
  const names = known.filter((each) => each !== 'debug').join(', ');
  return new TypeError(`unknown option ${given(key).replace(/ \(string\)$/, '')}, known are: ${names}`);
}

/** @param {unknown} value @param {string} what @returns {object} */
function object(value, what) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrongType(value, what, 'an object');
  }
  return value;
}

/**
 * Whether an endpoint is well-formed is libzmq's to say, when it binds or connects.
 * @param {unknown} endpoint
 * @returns {string[]}
 */
function checkEndpoints(endpoint) {
  const list = Array.isArray(endpoint) ? Array.from(endpoint) : [endpoint];
  if (list.length === 0) throw new RangeError('endpoint must be at least one, got an empty array');
  list.forEach((each, index) => {
    const what = Array.isArray(endpoint) ? `endpoint[${index}]` : 'endpoint';
    if (typeof each !== 'string' || each === '') throw wrongType(each, what, 'a non-empty string');
    if (each.includes('\0')) throw new RangeError(`${what} must not contain NUL, got ${given(each)}`);
  });
  return list;
}

/**
 * Of the brokers of a worker or client: one twice would be two lines to it.
 * @param {unknown} endpoint
 * @returns {string[]}
 */
function checkBrokers(endpoint) {
  const list = checkEndpoints(endpoint);
  list.forEach((each, index) => {
    if (list.indexOf(each) === index) return;
    throw new RangeError(`endpoint[${index}] must differ from the others, got ${given(each)}`);
  });
  return list;
}

/** @param {unknown} service @returns {string} */
function checkService(service) {
  const wanted = `a string of 1 to ${MAX_SERVICE_BYTES} bytes`;
  if (typeof service !== 'string') throw wrongType(service, 'service', wanted);
  if (service === '' || Buffer.byteLength(service) > MAX_SERVICE_BYTES || !service.isWellFormed()) {
    throw new RangeError(`service must be ${wanted}, got ${given(service)}`);
  }
  return service;
}

/**
 * @param {unknown} callback
 * @param {string} what
 * @returns {any} the function, or undefined where none was given
 */
function checkCallback(callback, what) {
  if (typeof callback === 'function') return callback;
  if (callback === undefined || callback === null) return undefined;
  throw wrongType(callback, what, 'a function');
}

/**
 * @param {unknown} options of stop()
 * @returns {number} ms, -1 is no bound
 */
function checkStop(options) {
  if (options === undefined || options === null) return -1;
  let result = -1;
  for (const [key, value] of Object.entries(object(options, 'options'))) {
    if (key !== 'timeout') throw unknownOption(key, ['timeout']);
    if (value !== undefined) result = stopTimeout(value, 'option "timeout"');
  }
  return result;
}

/**
 * A worker under MDP has one request at a time: its broker gives it no more, and its replies do not say which.
 * @param {string} protocol
 * @param {number} concurrency
 */
function checkConcurrency(protocol, concurrency) {
  if (protocol === DIALECTS[0] || concurrency === 1) return;
  throw new RangeError(`option "concurrency" must be 1 under ${protocol}, got ${given(concurrency)}`);
}

exports.checkBrokers = checkBrokers;
exports.checkCallback = checkCallback;
exports.checkConcurrency = checkConcurrency;
exports.checkConf = checkConf;
exports.checkEndpoints = checkEndpoints;
exports.checkService = checkService;
exports.checkStop = checkStop;
exports.concurrency = concurrency;
exports.integer = integer;
exports.object = object;
exports.timeout = timeout;
exports.unknownOption = unknownOption;
exports.wrongType = wrongType;
