'use strict';

const { boundedJson, object, unknownOption } = require('./checks');
const { TermsShift } = require('./load');
const { checksOf } = require('./options');
const { optionsOf } = require('./option-table');

/** @import { Check } from './checks' */

const CHECKS = checksOf('request');
const checkName = /** @type {Check} */ (CHECKS.get('worker'));
/**
 * The checks of the options with what an error calls them, made once. `isRoute`: the broker chooses the worker by it.
 * @type {Map<string, { check: Check, what: string, isRoute: boolean, byDefault: unknown }>}
 */
const READERS = new Map(
  optionsOf('request').map(({ name, route, value }) => {
    const check = /** @type {Check} */ (CHECKS.get(name));
    return [name, { check, what: `option "${name}"`, isRoute: route === true, byDefault: value }];
  }),
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

/**
 * @param {number} timeout
 * @param {string} json
 * @param {number} [how]
 * @param {{ signal?: AbortSignal, deadline?: number, transfer: boolean }} [others]
 * @returns {RequestOptions}
 */
function make(timeout, json, how = 0, { signal, deadline, transfer } = NO_OTHERS) {
  return { timeout, json, signal, how, deadline, transfer };
}

const NO_OTHERS = { signal: undefined, deadline: undefined, transfer: false };

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
    this.json = boundedJson(JSON.stringify(options), MAX_OPTIONS_BYTES, 'opts');
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
    const json = protocol === 'pigato' ? jsonOfOptions({ timeout, retry: 0 }) : JSON.stringify({ timeout });
    this.#defaults = make(timeout, json);
    this.#last = this.#defaults;
  }

  /** @param {unknown} opts @returns {RequestOptions} */
  read(opts) {
    if (opts === undefined || opts === null) return this.#defaults;
    if (opts instanceof ReadOptions) return opts;
    const given = this.#check(/** @type {Record<string, unknown>} */ (object(opts, 'opts')));
    const { timeout, deadline, headers, route, retry, failFast } = given;
    const how = retry + (failFast ? FAIL_FAST : 0);
    if (this.#protocol !== 'omdp') {
      this.#checkSendable(how, route, headers);
      // Brokers and workers of PIGATO read `retry` there, and recognize PIGATO clients by it.
      if (this.#protocol === 'pigato') {
        return make(timeout, jsonOfOptions({ timeout, deadline, retry: how, headers }), how, given);
      }
    }
    if (route !== undefined) {
      if (route.worker !== undefined && route.key !== undefined)
        throw new TypeError('option "worker" cannot be used with option "key"');
      return make(timeout, jsonOfOptions({ timeout, deadline, ...route, headers }), how + ROUTED, given);
    }
    if (headers !== undefined || deadline !== undefined) {
      return make(timeout, jsonOfOptions({ timeout, deadline, headers }), how, given);
    }
    if (this.#last.timeout !== timeout) this.#last = make(timeout, JSON.stringify({ timeout }));
    if (given.signal === undefined && how === 0 && !given.transfer) return this.#last;
    return make(timeout, this.#last.json, how, given);
  }

  /** @param {Record<string, unknown>} opts those that are null count as missing */
  #check(opts) {
    /** @type {{ timeout: number, signal?: AbortSignal, deadline?: number, headers?: Record<string, unknown>, route?: Record<string, unknown>, retry: number, failFast: boolean, transfer: boolean }} */
    const given = {
      timeout: this.#defaults.timeout,
      signal: undefined,
      deadline: undefined,
      headers: undefined,
      route: undefined,
      retry: 0,
      failFast: false,
      transfer: false,
    };
    for (const key of Object.keys(opts)) {
      const reader = READERS.get(key);
      if (reader === undefined) throw unknownOption(key, CHECKS);
      const value = opts[key];
      // In 0.0.92, too, a timeout of 0 is the default.
      if (value === undefined || value === null || (value === 0 && key === 'timeout')) continue;
      const checked = reader.check(value, reader.what);
      if (reader.isRoute) {
        if (checked !== reader.byDefault) given.route = { ...given.route, [key]: checked };
      } else if (key === 'retry' && typeof checked === 'object') {
        // A policy, which the native side reads from the JSON.
        given.route = { ...given.route, retry: checked };
      } else {
        /** @type {any} */ (given)[key] = checked;
      }
    }
    return given;
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
function jsonOfOptions(said) {
  return boundedJson(JSON.stringify(said), MAX_OPTIONS_BYTES, 'option "headers"');
}

/** @param {string} option @param {string} protocol */
function unsendable(option, protocol) {
  return new TypeError(`option "${option}" cannot be sent under ${protocol}`);
}

exports.FAIL_FAST = FAIL_FAST;
exports.MAX_OPTIONS_BYTES = MAX_OPTIONS_BYTES;
exports.OptionsReader = OptionsReader;
exports.ReadOptions = ReadOptions;
exports.jsonOfOptions = jsonOfOptions;
