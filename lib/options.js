'use strict';

const { randomBytes } = require('node:crypto');
const {
  boolean,
  callback,
  integer,
  number,
  object,
  oneOf,
  orAuto,
  orNull,
  outOfRange,
  text,
  wrongType,
} = require('./checks');
const { given } = require('./describe');
const { checkKey } = require('./keys');
const { PROTOCOLS, optionsOf } = require('./option-table');
const { checkPassword } = require('./passwords');

/** @import { Check } from './checks' */
/** @import { Option, Role } from './option-table' */

const MAX_SERVICE_BYTES = 255;

const checkProtocol = oneOf(PROTOCOLS);

/** @type {Check} */
function checkProtocols(value, what) {
  if (!Array.isArray(value)) throw wrongType(value, what, 'an array');
  if (value.length === 0) throw new RangeError(`${what} must name at least one dialect, got an empty array`);
  return Array.from(value, (each, index) => checkProtocol(each, `${what}[${index}]`));
}

/** What each type of the table is checked by. @type {Partial<Record<Option['type'], (option: Option) => Check>>} */
const CHECKS = {
  number: ({ min = 0, max = Number.MAX_SAFE_INTEGER, off }) => number(min, max, off !== undefined),
  integer: ({ min = 0, max = Number.MAX_SAFE_INTEGER, off, auto }) => {
    const check = integer(min, max, off !== undefined);
    return auto === undefined ? check : orAuto(check);
  },
  boolean: () => boolean,
  // ZeroMQ reserves identities that begin with a zero byte.
  name: ({ max = 0 }) =>
    text(`a string of 1 to ${max} bytes that does not begin with NUL`, max, (name) => name[0] !== '\0'),
  protocol: () => checkProtocol,
  protocols: () => checkProtocols,
  key: () => orNull(checkKey),
  text: () => orNull(checkPassword),
  // Checked when the mechanism is known.
  rules: () => orNull((value) => value),
  ignored: () => () => undefined,
};

/**
 * @param {Role} role
 * @returns {Map<string, Check>} those that one value is enough for
 */
function checksOf(role) {
  const options = optionsOf(role).map((option) => [option.name, CHECKS[option.type]?.(option)]);
  return new Map(/** @type {[string, Check][]} */ (options.filter(([, check]) => check !== undefined)));
}

const ROLES = Object.fromEntries(
  /** @type {const} */ (['broker', 'worker', 'client']).map((role) => {
    const values = optionsOf(role).filter(({ value }) => value !== undefined);
    const checks = checksOf(role);
    const defaults = values.map(({ auto, name, value }) => [
      name,
      auto ? checks.get(name)?.(value, name) : value,
    ]);
    return [role, { checks, defaults: Object.fromEntries(defaults) }];
  }),
);

/**
 * @param {'broker' | 'worker' | 'client'} role
 * @param {unknown} conf what the user gave
 * @returns {any} every option of the role, with defaults
 */
function checkConf(role, conf) {
  const { checks, defaults } = ROLES[role];
  /** @type {Record<string, unknown>} */
  const result = {
    name: role[0].toUpperCase() + randomBytes(9).toString('base64url'),
    ...defaults,
    generated: true,
  };
  if (conf === undefined || conf === null) return result;
  for (const [key, value] of Object.entries(object(conf, 'conf'))) {
    const check = checks.get(key);
    if (check === undefined) throw unknownOption(key, role);
    if (value === undefined) continue;
    const checked = check(value, `option "${key}"`);
    if (checked === undefined) continue;
    result[key] = checked;
    if (key === 'name') result.generated = false;
  }
  return result;
}

/**
 * @param {string} key
 * @param {Role} role
 * @returns {TypeError}
 */
function unknownOption(key, role) {
  const known = optionsOf(role).filter(({ type }) => type !== 'ignored');
  const names = known.map(({ name }) => name).join(', ');
  return new TypeError(`unknown option ${given(key).replace(/ \(string\)$/, '')}, known are: ${names}`);
}

/**
 * libzmq decides whether an endpoint is well-formed, when it binds or connects.
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
 * The brokers of a worker or client. A repeated endpoint would be two connections to one broker.
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

const checkServiceText = text(`a string of 1 to ${MAX_SERVICE_BYTES} bytes`, MAX_SERVICE_BYTES);

/** @param {unknown} service @returns {string} */
function checkService(service) {
  return checkServiceText(service, 'service');
}

const STOP = checksOf('stop');

/** @type {Record<string, unknown>} */
const STOP_DEFAULTS = Object.fromEntries(optionsOf('stop').map(({ name, value }) => [name, value]));

/**
 * @param {unknown} options of stop()
 * @returns {any} all of them, with defaults
 */
function checkStop(options) {
  const result = { ...STOP_DEFAULTS };
  if (options === undefined || options === null) return result;
  for (const [key, value] of Object.entries(object(options, 'options'))) {
    const check = STOP.get(key);
    if (check === undefined) throw unknownOption(key, 'stop');
    if (value !== undefined) result[key] = check(value, `option "${key}"`);
  }
  return result;
}

/** @type {Check} */
const checkConcurrencyValue = /** @type {Check} */ (checksOf('worker').get('concurrency'));

/**
 * A worker under MDP has one request at a time: its broker gives it no more, and its replies do not say which.
 * @param {string} protocol
 * @param {unknown} value
 * @returns {number}
 */
function checkConcurrency(protocol, value) {
  const what = 'option "concurrency"';
  const concurrency = checkConcurrencyValue(value, what);
  if (protocol === PROTOCOLS[0] || concurrency === 1) return concurrency;
  throw outOfRange(concurrency, what, `1 under ${protocol}`);
}

exports.checkBrokers = checkBrokers;
exports.checkCallback = callback;
exports.checkConcurrency = checkConcurrency;
exports.checkConf = checkConf;
exports.checkEndpoints = checkEndpoints;
exports.checkService = checkService;
exports.checkStop = checkStop;
exports.checksOf = checksOf;
exports.unknownOption = unknownOption;
