'use strict';

const { randomBytes } = require('node:crypto');
const checks = require('./checks');
const { describe, given } = require('./describe');
const { checkHeaders } = require('./headers');
const { checkKey } = require('./keys');
const { balances } = require('./load');
const { DISCOVER, PROTOCOLS, RETRY_CAUSES, VERSIONS, optionsOf } = require('./option-table');
const { checkPassword } = require('./passwords');
const { checkSchema, checkSchemas } = require('./schema');

/** @import { Check, Checks } from './checks' */
/** @import { Option, Role } from './option-table/option' */

const { integer, isObject, members, number, oneOf, orAuto, orNull, outOfRange, text, wrongType } = checks;

const checkDialects = checks.arrayOf(oneOf(PROTOCOLS));

/** @type {Check} */
function checkProtocols(value, what) {
  const protocols = checkDialects(value, what);
  if (protocols.length > 0) return protocols;
  throw new RangeError(`${what} must name at least one dialect, got an empty array`);
}

/** The grammar of https://semver.org without build metadata, which do not affect precedence. */
const VERSION =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][\da-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][\da-zA-Z-]*))*)?$/;
const BUILD = /\+[\da-zA-Z-]+(\.[\da-zA-Z-]+)*$/;

/** Whether the broker takes a text for a version without build metadata. @param {string} text */
function isVersion(text) {
  return VERSION.exec(text)
    ?.slice(1, 4)
    .every((part) => Number.isSafeInteger(Number(part)));
}

/** Splits the name of a worker's service into base and version, if it has one. @param {string} name */
function splitVersion(name) {
  const at = name.lastIndexOf('@');
  const version = name.slice(at + 1);
  return at > 0 && isVersion(version.replace(BUILD, '')) ? { base: name.slice(0, at), version } : undefined;
}

/** @type {Check} */
function checkVersion(value, what) {
  if (typeof value !== 'string') throw wrongType(value, what, 'a string');
  if (isVersion(value)) return value;
  throw new RangeError(`${what} must be a version such as 2.1.0 or 2.1.0-rc.1, got ${given(value)}`);
}

/**
 * A deadline: a time in ms, or an object with `remaining`, such as the reply to the request being handled.
 * @param {Check} checkMs
 * @returns {Check}
 */
function deadline(checkMs) {
  return (value, what) => {
    if (value === undefined || value === null) return undefined;
    const ms = typeof value === 'object' && 'remaining' in value ? value.remaining : value;
    return ms === undefined || ms === Infinity ? undefined : checkMs(ms, what);
  };
}

/** Checks an object of which no member may be missing. @param {Role} role @returns {Check} */
function complete(role) {
  const required = checksOf(role);
  return (value, what) => {
    const result = members(value, what, required);
    for (const [name, check] of required)
      if (!Object.hasOwn(result, name)) check(undefined, `${what}.${name}`);
    return result;
  };
}

/** The policies of a broker's services, by name or pattern. @returns {Check} */
function policies() {
  const policy = checksOf('policy');
  return (value, what) =>
    Object.entries(checks.object(value, what)).map(([service, each]) => ({
      service,
      ...members(each, `${what}[${describe(service)}]`, policy),
    }));
}

/** A number of retries, or a policy. @param {Check} checkNumber @returns {Check} */
function retry(checkNumber) {
  const policy = checksOf('retry');
  return (value, what) =>
    isObject(value) ? members(value, what, policy, defaultsOf('retry')) : checkNumber(value, what);
}

const MAX = Number.MAX_SAFE_INTEGER;

/**
 * The check for each type of the table.
 * @type {Record<Option['type'], (option: Option) => Check>}
 */
const CHECKS = {
  version: () => orNull(checkVersion),
  versions: () => oneOf(VERSIONS),
  discover: () => oneOf(DISCOVER),
  function: () => checks.callback,
  balance: () => orNull(oneOf(balances())),
  rate: () => orNull(complete('rate')),
  policies: () => orNull(policies()),
  number: ({ min = 0, max = MAX, off }) => number(min, max, off !== undefined),
  integer: ({ min = 0, max = MAX, off, auto }) => {
    const check = integer(min, max, off !== undefined);
    return auto === undefined ? check : orAuto(check);
  },
  fraction: ({ min = 0, max = MAX }) => number(min, max, false, (x) => x),
  deadline: ({ min = 0, max = MAX }) => deadline(number(min, max)),
  retry: ({ min = 0, max = MAX }) => retry(integer(min, max)),
  causes: () => checks.arrayOf(oneOf(RETRY_CAUSES)),
  boolean: () => checks.boolean,
  // ZeroMQ reserves identities that begin with a zero byte.
  name: ({ max = 0 }) =>
    text(`a string of 1 to ${max} bytes that does not begin with NUL`, max, (name) => name[0] !== '\0'),
  words: ({ max = 0 }) => text(`a string of 1 to ${max} bytes`, max),
  json: ({ max = 0 }) => {
    return (value, what) => checks.jsonOf(checks.object(value, what), max, what);
  },
  headers: () => checkHeaders,
  signal: () => orNull(checks.signal),
  protocol: () => oneOf(PROTOCOLS),
  protocols: () => checkProtocols,
  key: () => orNull(checkKey),
  text: () => orNull(checkPassword),
  user: () => orNull(checks.user),
  // Checked later, when the mechanism is known.
  rules: () => orNull((value) => value),
  own: () => (value) => value,
  schema: () => orNull(checkSchema),
  schemas: () => orNull(checkSchemas),
  ignored: () => checks.ignored,
};

/**
 * @param {Role} role
 * @param {Record<string, Check>} [own] checks of options of the type `own`
 * @returns {Checks}
 */
function checksOf(role, own = {}) {
  return new Map(
    optionsOf(role).map((option) => [option.name, own[option.name] ?? CHECKS[option.type](option)]),
  );
}

/** @param {Role} role @returns {Record<string, any>} a new object with the options that have a default */
function defaultsOf(role) {
  const options = optionsOf(role).filter(({ value }) => value !== undefined);
  return Object.fromEntries(options.map(({ name, value }) => [name, value === 'auto' ? -1 : value]));
}

const OF = /** @type {const} */ (['broker', 'worker', 'client', 'stop', 'callAll', 'watchServices']);
const CHECKS_OF = Object.fromEntries(OF.map((role) => [role, checksOf(role)]));

/**
 * @param {(typeof OF)[number]} role
 * @param {unknown} given the options that the user has given
 * @returns {any} every option that was given or has a default
 */
function checkOptions(role, given) {
  return checks.options(given, 'options', CHECKS_OF[role], defaultsOf(role));
}

/**
 * @param {'broker' | 'worker' | 'client'} role
 * @param {unknown} conf the user's options
 * @returns {any} every option of the role, with defaults
 */
function checkConf(role, conf) {
  const name = role[0].toUpperCase() + randomBytes(9).toString('base64url');
  const result = checks.options(conf, 'conf', CHECKS_OF[role], { name, ...defaultsOf(role) });
  result.generated = result.name === name;
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

/** @type {Check} */
const checkConcurrencyValue = /** @type {Check} */ (CHECKS_OF.worker.get('concurrency'));

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

exports.checkConcurrency = checkConcurrency;
exports.checkConf = checkConf;
exports.checkOptions = checkOptions;
exports.checksOf = checksOf;
exports.defaultsOf = defaultsOf;
exports.shownConf = shownConf;
exports.splitVersion = splitVersion;
