'use strict';

const { TermsShift } = require('./load');
const { isObject, object, wrongType } = require('./checks');
const { checkHeaders, fieldsOf } = require('./headers');
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
 */

/** @param {unknown} value */
const isText = (value) => typeof value === 'string' && value !== '';

/** Checked options whose JSON contains everything that the caller gave. @implements {RequestOptions} */
class ReadOptions {
  signal = undefined;
  deadline = undefined;

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
      // As the broker reads the options of PIGATO's own clients. Another `worker` is the application's.
      this.how += ROUTED;
    }
    this.json = bounded(JSON.stringify(options), 'opts');
  }
}

/**
 * Options in a trace, which all requests with these options share. `headers` are undefined if headers cannot be sent;
 * `others` are options that most requests do not have.
 * @typedef {object} Terms
 * @property {number} timeout
 * @property {number | undefined} deadline
 * @property {any} retry
 * @property {boolean} failFast
 * @property {Record<string, any> | undefined} headers
 * @property {Record<string, any> | undefined} others
 */

/**
 * Options, and their description for a trace. `head` is the JSON up to the headers that are added to options without
 * headers; undefined if these have some.
 * @typedef {{ timeout: number, json: string, how: number, deadline: number | undefined, head: string | undefined, terms: Terms }} Described
 */

/** Reads the options of requests; the JSON of options with only a timeout is made once. */
class OptionsReader {
  #defaults;
  #last;
  #protocol;
  /** The options that were described last. @type {Described | undefined} */
  #described;

  /**
   * @param {number} timeout the default
   * @param {string} protocol
   */
  constructor(timeout, protocol) {
    this.#protocol = protocol;
    const json = protocol === 'pigato' ? jsonOf({ timeout, retry: 0 }) : JSON.stringify({ timeout });
    /** @type {RequestOptions} */
    this.#defaults = { timeout, json, signal: undefined, how: 0, deadline: undefined };
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
      else if (ROUTE.has(key)) {
        const checked = checkRoute(key, value);
        if (checked !== ROUTE.get(key)) route = { ...route, [key]: checked };
      } else throw unknownOption(key, 'request');
    }
    if (this.#protocol !== 'omdp') {
      if (how >= FAIL_FAST) throw unsendable('failFast', this.#protocol);
      if (route !== undefined) throw unsendable(Object.keys(route)[0], this.#protocol);
      // Brokers and workers of PIGATO read `retry` there, and recognize PIGATO clients by it.
      if (this.#protocol === 'pigato') {
        const json = jsonOf({ timeout, deadline, retry: how, headers });
        return { timeout, json, signal, how, deadline };
      }
      if (headers !== undefined) throw unsendable('headers', this.#protocol);
      if (how > 0) throw unsendable('retry', this.#protocol);
    }
    if (route !== undefined) {
      if (route.worker !== undefined && route.key !== undefined)
        throw new TypeError('option "worker" cannot be used with option "key"');
      const json = jsonOf({ timeout, deadline, ...route, headers });
      return { timeout, json, signal, how: how + ROUTED, deadline };
    }
    if (headers !== undefined || deadline !== undefined) {
      return { timeout, json: jsonOf({ timeout, deadline, headers }), signal, how, deadline };
    }
    if (this.#last.timeout !== timeout) {
      this.#last = {
        timeout,
        json: JSON.stringify({ timeout }),
        signal: undefined,
        how: 0,
        deadline: undefined,
      };
    }
    if (signal === undefined && how === 0) return this.#last;
    return { timeout, json: this.#last.json, signal, how, deadline };
  }

  /** @param {RequestOptions} options @returns {boolean} whether the request may have more than one attempt */
  retries({ how, json }) {
    return how % FAIL_FAST > 0 || (how >= ROUTED && JSON.parse(json).retry !== undefined);
  }

  /**
   * The options in a trace.
   * @param {RequestOptions} options
   * @returns {Terms}
   */
  describe(options) {
    const { timeout, json, how, deadline } = options;
    const last = this.#described;
    // Requests of one client mostly have equal options, whose JSON need not be parsed again.
    if (last?.json !== json || last.how !== how || last.timeout !== timeout || last.deadline !== deadline)
      this.#described = {
        timeout,
        json,
        how,
        deadline,
        head: json.includes('"headers"') ? undefined : `${json.slice(0, -1)},"headers":{`,
        terms: describeOptions(this.#protocol, options),
      };
    return /** @type {Described} */ (this.#described).terms;
  }

  /**
   * @param {RequestOptions} options
   * @param {Record<string, any> | undefined} headers replace those of the options
   * @returns {RequestOptions}
   */
  withHeaders(options, headers) {
    if (headers === undefined || isEmpty(headers) || !takesHeaders(this.#protocol)) return options;
    const { timeout, json, signal, how, deadline } = options;
    const last = this.#described;
    if (last?.json === json && last.head !== undefined && this.#protocol === 'omdp' && isObject(headers)) {
      const fields = fieldsOf(headers);
      if (fields === '') return options;
      const text = bounded(`${last.head}${fields}}}`, 'option "headers"');
      return { timeout, json: text, signal, how, deadline };
    }
    const checked = checkHeaders(headers);
    if (checked === undefined || isEmpty(checked)) return options;
    if (this.#protocol === 'pigato')
      return { ...options, json: jsonOf({ timeout, deadline, retry: how, headers: checked }) };
    return { ...options, json: jsonOf({ ...JSON.parse(json), headers: checked }) };
  }
}

/** @param {object} value @returns {boolean} */
function isEmpty(value) {
  for (const key in value) if (Object.hasOwn(value, key)) return false;
  return true;
}

/**
 * @param {string} protocol
 * @param {RequestOptions} options
 * @returns {Terms}
 */
function describeOptions(protocol, { timeout, json, how, deadline }) {
  const terms = {
    timeout,
    deadline,
    retry: how % FAIL_FAST,
    failFast: Math.floor(how / FAIL_FAST) % 2 === 1,
    headers: undefined,
    others: undefined,
  };
  if (!takesHeaders(protocol)) return terms;
  const { timeout: _, deadline: __, retry, headers, ...others } = JSON.parse(json);
  if (typeof retry === 'object') terms.retry = retry;
  return { ...terms, headers: { ...headers }, others: isEmpty(others) ? undefined : others };
}

/** @param {string} protocol */
function takesHeaders(protocol) {
  return protocol === 'omdp' || protocol === 'pigato';
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

exports.OptionsReader = OptionsReader;
exports.ReadOptions = ReadOptions;
exports.checkSignal = checkSignal;
