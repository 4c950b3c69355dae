'use strict';

const native = require('./load');
const { LongString } = require('./values');

/** @import { Body } from './values' */

/**
 * How many bytes of a reply's parts may be under way from write() to the reader; what a part costs beyond its bytes; and how
 * many bytes are read before credit is given.
 */
const { FLOW_WINDOW: WINDOW, FLOW_OVERHEAD: OVERHEAD, FLOW_GRANT: GRANT } = native;

/** A reader that goes on, however slowly, is heard of so often: it starts the request's timeout anew. */
const SIGN_OF_LIFE_MS = 1000;

/**
 * What this part costs. For a long string JSON's escapes are not counted; native code adds them.
 * @param {Body} body
 * @returns {number}
 */
function cost(body) {
  if (typeof body === 'string') return Buffer.byteLength(body) + OVERHEAD;
  if (body instanceof LongString) return Buffer.byteLength(body.text) + 2 + OVERHEAD;
  return body.byteLength + OVERHEAD;
}

exports.GRANT = GRANT;
exports.OVERHEAD = OVERHEAD;
exports.SIGN_OF_LIFE_MS = SIGN_OF_LIFE_MS;
exports.WINDOW = WINDOW;
exports.cost = cost;
