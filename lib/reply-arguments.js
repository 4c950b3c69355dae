'use strict';
// The arguments of a reply's methods.

const { unknownOption } = require('./checks');
const { errorValue } = require('./errors');
const { checksOf } = require('./options');
const { encode } = require('./values');

/** @import { Check } from './checks' */
/** @import { Body } from './values' */

const CHECKS = checksOf('reply');
const checkTransfer = /** @type {Check} */ (CHECKS.get('transfer'));

/** @param {object} options of a part @returns {boolean} */
function isTransferred(options) {
  for (const key of Object.keys(options)) if (!CHECKS.has(key)) throw unknownOption(key, CHECKS);
  const { transfer } = /** @type {{ transfer?: unknown }} */ (options);
  return checkTransfer(transfer ?? false, 'option "transfer"') === true;
}

/** The argument for a Writable, which takes an encoding but no options. @param {any} encoding */
function encodingIn(encoding) {
  return typeof encoding === 'object' ? undefined : encoding;
}

/**
 * For errors that were not passed to reply.error(): no caller could catch a TypeError.
 * @param {unknown} error
 * @returns {Body}
 */
function encodeSafely(error) {
  try {
    return encode(errorValue(error));
  } catch (reason) {
    return encode(errorValue(reason));
  }
}

exports.encodeSafely = encodeSafely;
exports.encodingIn = encodingIn;
exports.isTransferred = isTransferred;
