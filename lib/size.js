'use strict';

const { LongString, stringify } = require('./values');

/** @import { Body } from './values' */

/** The maximum number of UTF-8 bytes of a UTF-16 unit. */
const UNIT = 3;
/** The number of characters of a JSON escape of a unit. */
const ESCAPED = 6;

/**
 * @param {Body} body
 * @param {number} enough
 * @returns {number} its bytes on the wire; 0 if they are certainly fewer than `enough`
 */
function sizeOf(body, enough) {
  if (typeof body === 'string') return body.length * UNIT <= enough ? 0 : Buffer.byteLength(body);
  if (!(body instanceof LongString)) return body.byteLength;
  return body.text.length * ESCAPED <= enough ? 0 : Buffer.byteLength(stringify(body.text));
}

/**
 * @param {Body} body
 * @param {number} max the option maxMessageSize
 * @returns {Body}
 */
function within(body, max) {
  const size = sizeOf(body, max);
  if (size <= max) return body;
  throw new RangeError(`data must have at most ${max} bytes (option "maxMessageSize"), got ${size}`);
}

exports.within = within;
