'use strict';
// The options of a monitor.

const { boolean, object } = require('../checks');
const { describe, given } = require('../describe');
const { knownAre } = require('../nearest');

/** @import { Client } from '../../index' */

/** What the monitor uses of a client. @typedef {Pick<Client, 'request'>} Requester */

/** @typedef {{ token?: string, remote: boolean, client?: Requester, maxWorkers: number, interval: number }} Options */

/** @param {unknown} options @returns {Options} */
function checkOptions(options) {
  /** @type {Options} */
  const result = { remote: false, maxWorkers: 200, interval: 2000 };
  if (options === undefined || options === null) return result;
  for (const [key, value] of Object.entries(object(options, 'options'))) {
    const what = `option "${key}"`;
    if (value === undefined) continue;
    if (key === 'remote') result.remote = boolean(value, what);
    else if (key === 'token') {
      if (typeof value !== 'string' || value === '')
        throw new TypeError(`${what} must be a non-empty string, got ${typeof value}`);
      // Browsers and scrapers send others in different ways, or not at all. The error must not tell the token.
      if (!/^[\x21-\x7e]+$/.test(value))
        throw new TypeError(`${what} must consist of visible characters of ASCII`);
      result.token = value;
    } else if (key === 'client') {
      if (typeof value?.request !== 'function')
        throw new TypeError(`${what} must be a Client, got ${given(value)}`);
      result.client = value;
    } else if (key === 'maxWorkers' || key === 'interval') {
      if (!Number.isInteger(value) || value < (key === 'interval' ? 100 : 0))
        throw new RangeError(
          `${what} must be an integer of ${key === 'interval' ? 100 : 0} or more, got ${given(value)}`,
        );
      result[key] = value;
    } else {
      const known = ['token', 'remote', 'client', 'maxWorkers', 'interval'];
      throw new TypeError(`unknown option ${describe(key)}${knownAre(key, known)}`);
    }
  }
  return result;
}

exports.checkOptions = checkOptions;
