'use strict';
// The options of a monitor.

const { defined, options } = require('../checks');
const { given } = require('../describe');
const { checksOf, defaultsOf } = require('../options');

/** @import { Client } from '../../index' */
/** @import { Check } from '../checks' */

/** The members of a client that the monitor uses. @typedef {Pick<Client, 'request'>} Requester */

/** @typedef {{ token?: string, remote: boolean, client?: Requester, maxWorkers: number, interval: number }} Options */

/** The error must not tell the token. @type {Check} */
function token(value, what) {
  if (typeof value !== 'string' || value === '')
    throw new TypeError(`${what} must be a non-empty string, got ${typeof value}`);
  // Browsers and scrapers send others in different ways, or not at all.
  if (!/^[\x21-\x7e]+$/.test(value))
    throw new TypeError(`${what} must consist of visible characters of ASCII`);
  return value;
}

/** @type {Check} */
function client(value, what) {
  if (typeof (/** @type {any} */ (value)?.request) === 'function') return value;
  throw new TypeError(`${what} must be a Client, got ${given(value)}`);
}

const CHECKS = checksOf('monitor', { token, client });

/** @param {unknown} value @returns {Options} */
function checkOptions(value) {
  return options(defined(value), 'options', CHECKS, defaultsOf('monitor'));
}

exports.checkOptions = checkOptions;
