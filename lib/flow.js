'use strict';

/** @import { Body } from './values' */

/**
 * How many bytes of a reply's parts may be under way, from write() to whoever reads them; what a part costs beyond
 * its bytes; and how much is read before it is given back. As in `src/proto/flow.rs`.
 */
const WINDOW = 512 * 1024;
const OVERHEAD = 64;
const GRANT = WINDOW / 2;

/** A reader that goes on, however slowly, is heard of so often: it starts the request's timeout anew. */
const SIGN_OF_LIFE_MS = 1000;

/** @param {Body} body @returns {number} what this part costs */
function cost(body) {
  return (typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength) + OVERHEAD;
}

exports.GRANT = GRANT;
exports.SIGN_OF_LIFE_MS = SIGN_OF_LIFE_MS;
exports.WINDOW = WINDOW;
exports.cost = cost;
