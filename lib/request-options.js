'use strict';

const { TermsShift } = require('./load');
const { object, wrongType } = require('./checks');
const { checkHeaders } = require('./headers');
const { checkRetry } = require('./retry');
const { checksOf, unknownOption } = require('./options');
const { optionsOf } = require('./option-table');

/** @import { Check } from './checks' */

const CHECKS = checksOf('request');
const checkTimeout = /** @type {Check} */ (CHECKS.get('timeout'));
const checkMs = /** @type {Check} */ (CHECKS.get('deadline'));
const checkBoolean = /** @type {Check} */ (CHECKS.get('failFast'));
const checkName = /** @type {Check} */ (CHECKS.get('worker'));
/** The options by which the broker chooses the worker, and their defaults. */
const ROUTE = new Map(
  optionsOf('request').flatMap(({ name, route, value }) => (route ? [[name, value]] : [])),
);
/** The maximum size of the options' JSON at brokers. */
const MAX_OPTIONS_BYTES = 65536;
/** The flag beside `retry` in `RequestOptions.how`. */
const FAIL_FAST = 2 ** (TermsShift.FailFast - TermsShift.Retry);
/** The flag for JSON with further options for the broker or the native side. */
const ROUTED = 2 ** (TermsShift.Routed - TermsShift.Retry);

/**
 * The options of one request. `json` is the part for the handler; `how` is for the broker: `retry`, FAIL_FAST
 * and ROUTED.
 * @typedef {object} RequestOptions
 * @property {number} timeout
 * @property {string} json
 * @property {AbortSignal | undefined} signal
 * @property {number} how
 * @property {number | undefined} deadline ms left
 * @property {boolean} [transfer] whether its bytes are given away
 */

/** @param {unknown} value */
const isText = (value) => typeof value === 'string' && value !== '';

/** Checked options whose JSON contains everything that the caller gave. @implements {RequestOptions} */
class ReadOptions {
  signal = undefined;
  deadline = undefined;
  transfer = /** @type {boolean} */ (false);

  /**
   * @param {Record<string, any>} options with `workerId`, `key`, `priority` and `retry`, where true permits
   * any number of attempts
   * @param {number} timeout
   * @param {number} most the maximum number of retries
   */
  constructor(options, timeout, most) {
    this.timeout = timeout;
    this.how = options.retry ? most : 0;
    const { workerId, key, priority, worker } = options;
    if (isText(workerId)) {
      checkName(workerId, 'option "workerId"');
      this.how += ROUTED;
      options = { ...options, worker: workerId };
    } else if ((isText(key) || priority > 0) && worker === undefined) {
      // A broker reads the options of PIGATO's own clients in the same way. There, `worker` belongs to the application.
      this.how += ROUTED;
    }
    this.json = bounded(JSON.stringify(options), 'opts');
  }
}

/** Reads the options of requests; the JSON of options with only a timeout is made once. */
class OptionsReader {
  #defaults;
  /** @type {RequestOptions} */
  #last;
  #protocol;

  /**
   * @param {number} timeout the default
   * @param {string} protocol
   */
  constructor(timeout, protocol) {
    this.#protocol = protocol;
    const json = protocol === 'pigato' ? jsonOf({ timeout, retry: 0 }) : JSON.stringify({ timeout });
    /** @type {RequestOptions} */
    this.#defaults = { timeout, json, signal: undefined, how: 0, deadline: undefined, transfer: false };
    this.#last = this.#defaults;
  }

  /** @param {unknown} opts @returns {RequestOptions} */
  read(opts) {
    if (opts === undefined || opts === null) return this.#defaults;
    if (opts instanceof ReadOptions) return opts;
    let timeout = this.#defaults.timeout;
    let signal;
    let headers;
    /** @type {Record<string, unknown> | undefined} */
    let route;
    let deadline;
    let transfer = false;
    let how = 0;
    const values = /** @type {Record<string, unknown>} */ (object(opts, 'opts'));
    for (const key of Object.keys(values)) {
      const value = values[key];
      if (key === 'timeout') {
        // 0.0.92 uses its default for any falsy value.
        if (value) timeout = checkTimeout(value, 'option "timeout"');
        else if (value !== undefined && value !== null && value !== 0)
          checkTimeout(value, 'option "timeout"');
      } else if (key === 'signal') signal = checkSignal(value);
      else if (key === 'deadline') deadline = checkDeadline(value);
      else if (key === 'headers') headers = checkHeaders(value);
      else if (key === 'retry') {
        const retry = checkRetry(value ?? 0, 'option "retry"');
        if (typeof retry === 'number') how += retry;
        else route = { ...route, retry };
      } else if (key === 'failFast') how += checkFailFast(value);
      else if (key === 'transfer') transfer = checkBoolean(value ?? false, 'option "transfer"') === true;
      else if (ROUTE.has(key)) {
        const checked = checkRoute(key, value);
        if (checked !== ROUTE.get(key)) route = { ...route, [key]: checked };
      } else throw unknownOption(key, 'request');
    }
    if (this.#protocol !== 'omdp') {
      this.#checkSendable(how, route, headers);
      // Brokers and workers of PIGATO read `retry` there, and recognize PIGATO clients by it.
      if (this.#protocol === 'pigato') {
        const json = jsonOf({ timeout, deadline, retry: how, headers });
        return { timeout, json, signal, how, deadline, transfer };
      }
    }
    if (route !== undefined) {
      if (route.worker !== undefined && route.key !== undefined)
        throw new TypeError('option "worker" cannot be used with option "key"');
      const json = jsonOf({ timeout, deadline, ...route, headers });
      return { timeout, json, signal, how: how + ROUTED, deadline, transfer };
    }
    if (headers !== undefined || deadline !== undefined) {
      const json = jsonOf({ timeout, deadline, headers });
      return { timeout, json, signal, how, deadline, transfer };
    }
    if (this.#last.timeout !== timeout) {
      this.#last = {
        timeout,
        json: JSON.stringify({ timeout }),
        signal: undefined,
        how: 0,
        deadline: undefined,
        transfer: false,
      };
    }
    if (signal === undefined && how === 0 && !transfer) return this.#last;
    return { timeout, json: this.#last.json, signal, how, deadline, transfer };
  }

  /**
   * Refuses options that the messages of another protocol cannot carry.
   * @param {number} how
   * @param {Record<string, unknown> | undefined} route
   * @param {Record<string, unknown> | undefined} headers
   */
  #checkSendable(how, route, headers) {
    if (how >= FAIL_FAST) throw unsendable('failFast', this.#protocol);
    if (route !== undefined) throw unsendable(Object.keys(route)[0], this.#protocol);
    if (this.#protocol === 'pigato') return;
    if (headers !== undefined) throw unsendable('headers', this.#protocol);
    if (how > 0) throw unsendable('retry', this.#protocol);
  }

  /** @param {RequestOptions} options @returns {boolean} whether the request may have more than one attempt */
  retries({ how, json }) {
    return how % FAIL_FAST > 0 || (how >= ROUTED && JSON.parse(json).retry !== undefined);
  }
}

/** @param {{ headers?: Record<string, unknown> | undefined, [option: string]: unknown }} said @returns {string} */
function jsonOf(said) {
  return bounded(JSON.stringify(said), 'option "headers"');
}

/** @param {string} json @param {string} what */
function bounded(json, what) {
  // A UTF-16 unit has at most three bytes in UTF-8.
  if (json.length <= MAX_OPTIONS_BYTES / 3) return json;
  const size = Buffer.byteLength(json);
  if (size <= MAX_OPTIONS_BYTES) return json;
  throw new RangeError(`${what} must have at most ${MAX_OPTIONS_BYTES} bytes as JSON, got ${size}`);
}

/** @param {string} option @param {string} protocol */
function unsendable(option, protocol) {
  return new TypeError(`option "${option}" cannot be sent under ${protocol}`);
}

/**
 * A deadline: a time in ms, or an object with `remaining`, such as the reply to the request being handled.
 * @param {unknown} value
 * @returns {number | undefined}
 */
function checkDeadline(value) {
  if (value === undefined || value === null) return undefined;
  const given = typeof value === 'object' && 'remaining' in value ? value.remaining : value;
  if (given === undefined || given === Infinity) return undefined;
  return checkMs(given, 'option "deadline"');
}

/** @param {string} key @param {unknown} value null counts as missing */
function checkRoute(key, value) {
  const present = value ?? ROUTE.get(key);
  return present === undefined ? undefined : CHECKS.get(key)?.(present, `option "${key}"`);
}

/** @param {unknown} value @returns {number} */
function checkFailFast(value) {
  return checkBoolean(value ?? false, 'option "failFast"') ? FAIL_FAST : 0;
}

/** @param {unknown} value @returns {AbortSignal | undefined} */
function checkSignal(value) {
  if (value === undefined || value === null) return undefined;
  const signal = /** @type {AbortSignal} */ (value);
  if (
    typeof signal.aborted === 'boolean' &&
    typeof signal.addEventListener === 'function' &&
    typeof signal.removeEventListener === 'function'
  ) {
    return signal;
  }
  throw wrongType(value, 'option "signal"', 'an AbortSignal');
}

exports.FAIL_FAST = FAIL_FAST;
exports.OptionsReader = OptionsReader;
exports.ReadOptions = ReadOptions;
exports.bounded = bounded;
exports.checkSignal = checkSignal;
exports.jsonOf = jsonOf;
