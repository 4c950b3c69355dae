'use strict';
// The options of a request as subscribers of the channels see them, and the headers that these add.

const { boundedJson, isObject } = require('./checks');
const { checkHeaders, fieldsOf } = require('./headers');
const { FAIL_FAST, MAX_OPTIONS_BYTES, jsonOfOptions } = require('./request-options');

/** @import { RequestOptions } from './request-options' */

/**
 * Options in a trace, which all requests with these options share. `headers` are undefined if headers cannot be sent;
 * `others` are options that most requests do not have.
 * @typedef {object} TracedOptions
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
 * @typedef {{ timeout: number, json: string, how: number, deadline: number | undefined, head: string | undefined, traced: TracedOptions }} Described
 */

/** Describes the options of a client's requests, and adds headers to them. */
class DescribedOptions {
  #protocol;
  /** The options that were described last. @type {Described | undefined} */
  #described;

  /** @param {string} protocol */
  constructor(protocol) {
    this.#protocol = protocol;
  }

  /**
   * The options in a trace.
   * @param {RequestOptions} options
   * @returns {TracedOptions}
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
        traced: describeOptions(this.#protocol, options),
      };
    return /** @type {Described} */ (this.#described).traced;
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
      const text = boundedJson(`${last.head}${fields}}}`, MAX_OPTIONS_BYTES, 'option "headers"');
      return { timeout, json: text, signal, how, deadline };
    }
    const checked = checkHeaders(headers);
    if (checked === undefined || isEmpty(checked)) return options;
    if (this.#protocol === 'pigato')
      return { ...options, json: jsonOfOptions({ timeout, deadline, retry: how, headers: checked }) };
    return { ...options, json: jsonOfOptions({ ...JSON.parse(json), headers: checked }) };
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
 * @returns {TracedOptions}
 */
function describeOptions(protocol, { timeout, json, how, deadline }) {
  const traced = {
    timeout,
    deadline,
    retry: how % FAIL_FAST,
    failFast: Math.floor(how / FAIL_FAST) % 2 === 1,
    headers: undefined,
    others: undefined,
  };
  if (!takesHeaders(protocol)) return traced;
  const { timeout: _, deadline: __, retry, headers, ...others } = JSON.parse(json);
  if (typeof retry === 'object') traced.retry = retry;
  return { ...traced, headers: { ...headers }, others: isEmpty(others) ? undefined : others };
}

/** @param {string} protocol */
function takesHeaders(protocol) {
  return protocol === 'omdp' || protocol === 'pigato';
}

exports.DescribedOptions = DescribedOptions;
