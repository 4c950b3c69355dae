'use strict';

const { isObject, number, oneOf, wrongType } = require('./checks');
const { describe } = require('./describe');
const { knownAre } = require('./nearest');
const { MAX_MS, optionsOf } = require('./option-table');

/** @import { Check } from './checks' */

/** @typedef {{ attempts: number, on: string[], delay: number, factor: number, maxDelay: number, jitter: number }} RetryPolicy */

const CAUSES = ['lost', 'rejected', 'error', 'timeout'];
const checkCause = oneOf(CAUSES);

/** @type {RetryPolicy} */
const DEFAULTS = { attempts: 3, on: ['lost'], delay: 100, factor: 2, maxDelay: 10_000, jitter: 0.2 };

const exact = (/** @type {number} */ x) => x;
const whole = (/** @type {number} */ x) => (Number.isInteger(x) ? x : Number.NaN);

/** @type {Record<string, Check>} */
const CHECKS = {
  attempts: number(1, 255, false, whole),
  on: checkCauses,
  delay: number(0, MAX_MS),
  factor: number(1, 1000, false, exact),
  maxDelay: number(0, MAX_MS),
  jitter: number(0, 1, false, exact),
};

const { min = 0, max = 0 } = optionsOf('request').find(({ name }) => name === 'retry') ?? {};
const checkNumber = number(min, max, false, whole);

/** @type {Check} */
function checkCauses(value, what) {
  if (!Array.isArray(value)) throw wrongType(value, what, 'an array');
  return Array.from(value, (each, index) => checkCause(each, `${what}[${index}]`));
}

/**
 * Checks `retry`: how often the broker may repeat a request after the loss of its worker, or a policy by
 * which the client repeats it.
 * @param {unknown} value
 * @param {string} what
 * @returns {number | RetryPolicy}
 */
function checkRetry(value, what) {
  if (!isObject(value)) return checkNumber(value, what);
  const policy = { ...DEFAULTS };
  for (const [key, each] of Object.entries(value)) {
    if (!Object.hasOwn(CHECKS, key)) {
      throw new TypeError(`unknown option ${describe(`retry.${key}`)}${knownAre(key, Object.keys(CHECKS))}`);
    }
    if (each !== undefined) /** @type {any} */ (policy)[key] = CHECKS[key](each, `option "retry.${key}"`);
  }
  return policy;
}

exports.checkRetry = checkRetry;
