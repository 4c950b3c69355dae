'use strict';

const native = require('./load');
const { LongString } = require('./values');

/** @import { Body } from './values' */

/**
 * The window: how many bytes of a reply's parts may be under way from write() to the reader; the cost of a
 * part beyond its bytes; and how many bytes are read before credit is given.
 */
const { FLOW_WINDOW: WINDOW, FLOW_OVERHEAD: OVERHEAD, FLOW_GRANT: CREDIT_STEP } = native;

/** How often even a slow reader gives credit, in ms, which restarts the request's timeout. */
const SIGN_OF_LIFE_MS = 1000;

/**
 * The cost of a part. JSON escapes of a long string are not counted here; native code adds them.
 * @param {Body} body
 * @returns {number}
 */
function cost(body) {
  if (typeof body === 'string') return Buffer.byteLength(body) + OVERHEAD;
  if (body instanceof LongString) return Buffer.byteLength(body.text) + 2 + OVERHEAD;
  return body.byteLength + OVERHEAD;
}

exports.CREDIT_STEP = CREDIT_STEP;
exports.OVERHEAD = OVERHEAD;
exports.SIGN_OF_LIFE_MS = SIGN_OF_LIFE_MS;
exports.WINDOW = WINDOW;
exports.cost = cost;
