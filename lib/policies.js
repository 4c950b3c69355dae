'use strict';

const { integer, number, object, oneOf } = require('./checks');
const { describe } = require('./describe');
const { balances } = require('./load');
const { knownAre } = require('./nearest');
const { MAX_MS } = require('./option-table');

/** @import { Check } from './checks' */

const checkBalance = oneOf(balances());
const checkMax = integer(1, 1_000_000);
const checkInterval = number(1, MAX_MS);

/** @param {string} key @param {string} what @param {string[]} known */
function unknown(key, what, known) {
  return new TypeError(`${what} has the unknown member ${describe(key)}${knownAre(key, known)}`);
}

/** @type {Check} */
function checkRate(value, what) {
  if (value === undefined || value === null) return undefined;
  const { max, interval, ...rest } = /** @type {any} */ (object(value, what));
  const [other] = Object.keys(rest);
  if (other !== undefined) throw unknown(other, what, ['max', 'interval']);
  return { max: checkMax(max, `${what}.max`), interval: checkInterval(interval, `${what}.interval`) };
}

/**
 * Checks the broker's policies of services, by name or pattern.
 * @type {Check}
 */
function checkPolicies(value, what) {
  if (value === undefined || value === null) return undefined;
  return Object.entries(object(value, what)).map(([service, said]) => {
    const each = `${what}[${describe(service)}]`;
    const { balance, rate, ...rest } = /** @type {any} */ (object(said, each));
    const [other] = Object.keys(rest);
    if (other !== undefined) throw unknown(other, each, ['balance', 'rate']);
    return {
      service,
      balance: balance === undefined ? undefined : checkBalance(balance, `${each}.balance`),
      rate: checkRate(rate, `${each}.rate`),
    };
  });
}

exports.checkBalance = checkBalance;
exports.checkPolicies = checkPolicies;
exports.checkRate = checkRate;
