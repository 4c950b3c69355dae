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
  user,
  wrongType,
} = require('./checks');
const { describe, given } = require('./describe');
const { checkKey } = require('./keys');
const { knownAre } = require('./nearest');
const { DISCOVER, PROTOCOLS, VERSIONS, optionsOf } = require('./option-table');
const { checkPassword } = require('./passwords');
const { checkBalance, checkPolicies, checkRate } = require('./policies');
const { checkSchema, checkSchemas } = require('./schema');

/** @import { Check } from './checks' */
/** @import { Option, Role } from './option-table/option' */

const checkProtocol = oneOf(PROTOCOLS);

/** @type {Check} */
function checkProtocols(value, what) {
  if (!Array.isArray(value)) throw wrongType(value, what, 'an array');
  if (value.length === 0) throw new RangeError(`${what} must name at least one dialect, got an empty array`);
  return Array.from(value, (each, index) => checkProtocol(each, `${what}[${index}]`));
}

/** Checks an object that is sent as JSON of at most `max` bytes. @param {number} max @returns {Check} */
function jsonOf(max) {
  return (value, what) => {
    let json;
    try {
      json = JSON.stringify(object(value, what));
    } catch (error) {
      if (error instanceof TypeError && error.message.startsWith(what)) throw error;
      throw new TypeError(`${what} cannot be converted to JSON: ${/** @type {Error} */ (error).message}`);
    }
    const size = Buffer.byteLength(json ?? '');
    if (json === undefined) throw new TypeError(`${what} cannot be converted to JSON`);
    if (size > max) throw new RangeError(`${what} must have at most ${max} bytes as JSON, got ${size}`);
    return json;
  };
}

/** The grammar of https://semver.org without build metadata, which do not affect precedence. */
const VERSION =
  /^(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})(-(0|[1-9]\d*|\d*[a-zA-Z-][\da-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][\da-zA-Z-]*))*)?$/;
const BUILD = /\+[\da-zA-Z-]+(\.[\da-zA-Z-]+)*$/;

/** Splits the name of a worker's service into base and version, if it has one. @param {string} name */
function splitVersion(name) {
  const at = name.lastIndexOf('@');
  const version = name.slice(at + 1);
  return at > 0 && VERSION.test(version.replace(BUILD, ''))
    ? { base: name.slice(0, at), version }
    : undefined;
}

/** @type {Check} */
function checkVersion(value, what) {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw wrongType(value, what, 'a string');
  if (VERSION.test(value)) return value;
  throw new RangeError(`${what} must be a version such as 2.1.0 or 2.1.0-rc.1, got ${given(value)}`);
}

/**
 * The check for each type of the table.
 * @type {Partial<Record<Option['type'], (option: Option) => Check>>}
 */
const CHECKS = {
  version: () => checkVersion,
  versions: () => oneOf(VERSIONS),
  discover: () => oneOf(DISCOVER),
  function: () => callback,
  balance: () => orNull(checkBalance),
  rate: () => checkRate,
  policies: () => checkPolicies,
  number: ({ min = 0, max = Number.MAX_SAFE_INTEGER, off }) => number(min, max, off !== undefined),
  integer: ({ min = 0, max = Number.MAX_SAFE_INTEGER, off, auto }) => {
    const check = integer(min, max, off !== undefined);
    return auto === undefined ? check : orAuto(check);
  },
  boolean: () => boolean,
  // ZeroMQ reserves identities that begin with a zero byte.
  name: ({ max = 0 }) =>
    text(`a string of 1 to ${max} bytes that does not begin with NUL`, max, (name) => name[0] !== '\0'),
  words: ({ max = 0 }) => text(`a string of 1 to ${max} bytes`, max),
  json: ({ max = 0 }) => jsonOf(max),
  protocol: () => checkProtocol,
  protocols: () => checkProtocols,
  key: () => orNull(checkKey),
  text: () => orNull(checkPassword),
  user: () => orNull(user),
  // Checked later, when the mechanism is known.
  rules: () => orNull((value) => value),
  schema: () => orNull(checkSchema),
  schemas: () => orNull(checkSchemas),
  ignored: () => () => undefined,
};

/**
 * @param {Role} role
 * @returns {Map<string, Check>} the checks of options that need only their own value
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
 * @param {unknown} conf the user's options
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
 * The options that a peer shows: all except security options, which contain secrets.
 * @param {'broker' | 'worker' | 'client'} role
 * @param {any} checked
 * @returns {Readonly<Record<string, unknown>>}
 */
function shownConf(role, checked) {
  const shown = optionsOf(role).filter(({ group, type }) => group !== 'security' && type !== 'ignored');
  return Object.freeze(Object.fromEntries(shown.map(({ name }) => [name, checked[name]])));
}

/**
 * @param {string} key
 * @param {Role} role
 * @returns {TypeError}
 */
function unknownOption(key, role) {
  const known = optionsOf(role).filter(({ type }) => type !== 'ignored');
  const names = known.map(({ name }) => name);
  return new TypeError(`unknown option ${describe(key)}${knownAre(key, names)}`);
}

const STOP = checksOf('stop');

/** @type {Record<string, unknown>} */
const STOP_DEFAULTS = Object.fromEntries(optionsOf('stop').map(({ name, value }) => [name, value]));

/**
 * @param {unknown} options those of stop()
 * @returns {any} all options, with defaults
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
 * Checks a concurrency. Under MDP it must be 1: a broker gives a worker one request at a time, and replies do
 * not identify their requests.
 * @param {string} protocol
 * @param {unknown} value
 * @returns {number}
 */
function checkConcurrency(protocol, value) {
  const what = 'option "concurrency"';
  const concurrency = checkConcurrencyValue(value, what);
  if (!protocol.startsWith('mdp/') || concurrency === 1) return concurrency;
  throw outOfRange(concurrency, what, `1 under ${protocol}`);
}

exports.checkCallback = callback;
exports.checkConcurrency = checkConcurrency;
exports.checkConf = checkConf;
exports.shownConf = shownConf;
exports.checkStop = checkStop;
exports.checksOf = checksOf;
exports.splitVersion = splitVersion;
exports.unknownOption = unknownOption;
