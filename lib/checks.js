'use strict';

const { describe, given } = require('./describe');

/**
 * A check takes a value and its description for messages, and returns the value to use.
 * @typedef {(value: unknown, what: string) => any} Check
 */

/**
 * @param {unknown} value
 * @param {string} what
 * @param {string} wanted
 * @returns {TypeError}
 */
function wrongType(value, what, wanted) {
  return new TypeError(`${what} must be ${wanted}, got ${given(value)}`);
}

/**
 * @param {unknown} value
 * @param {string} what
 * @param {string} wanted
 * @returns {RangeError}
 */
function outOfRange(value, what, wanted) {
  return new RangeError(`${what} must be ${wanted}, got ${given(value)}`);
}

/**
 * @param {number} min
 * @param {number} max
 * @param {boolean} [orOff] whether -1 is permitted, too
 * @param {(x: number) => number} [round]
 * @param {string} [kind]
 * @returns {Check}
 */
function number(min, max, orOff = false, round = Math.ceil, kind = 'a number') {
  const wanted = `${kind} from ${min} to ${max}${orOff ? ', or -1' : ''}`;
  return (value, what) => {
    if (typeof value !== 'number') throw wrongType(value, what, wanted);
    if (orOff && value === -1) return value;
    // Fractions are rounded up first, so that 0.5 ms is 1 ms, and neither "off" nor an error.
    const rounded = round(value);
    if (rounded >= min && rounded <= max) return rounded;
    throw outOfRange(value, what, wanted);
  };
}

/** @param {number} min @param {number} max @param {boolean} [orOff] @returns {Check} */
function integer(min, max, orOff = false) {
  return number(min, max, orOff, (x) => (Number.isInteger(x) ? x : Number.NaN), 'an integer');
}

/** @type {Check} */
function boolean(value, what) {
  if (typeof value === 'boolean') return value;
  throw wrongType(value, what, 'a boolean');
}

/**
 * A check of text for the wire.
 * @param {string} wanted
 * @param {number} max bytes
 * @param {(text: string) => boolean} [fits]
 * @returns {Check}
 */
function text(wanted, max, fits = () => true) {
  return (value, what) => {
    if (typeof value !== 'string') throw wrongType(value, what, wanted);
    const size = Buffer.byteLength(value);
    if (size > max) throw new RangeError(`${what} must be ${wanted}, got ${size} bytes: ${describe(value)}`);
    if (size < 1 || !value.isWellFormed() || !fits(value)) throw outOfRange(value, what, wanted);
    return value;
  };
}

/** @param {readonly string[]} values @returns {Check} */
function oneOf(values) {
  const wanted = `one of ${values.map((each) => `"${each}"`).join(', ')}`;
  return (value, what) => {
    if (typeof value !== 'string') throw wrongType(value, what, wanted);
    if (!values.includes(value)) throw outOfRange(value, what, wanted);
    return value;
  };
}

/**
 * As in zeromq.js, null means not set.
 * @param {Check} check
 * @returns {Check}
 */
function orNull(check) {
  return (value, what) => (value === null ? undefined : check(value, what));
}

/**
 * Whether the value is a record of named values: not an array, and not an object with internal content, such as a Date or a
 * Map.
 * @param {unknown} value
 * @returns {value is object}
 */
function isObject(value) {
  if (typeof value !== 'object' || value === null) return false;
  const tag = Object.prototype.toString.call(value);
  return tag === '[object Object]' || tag === '[object Module]';
}

/** @param {unknown} value @param {string} what @returns {object} */
function object(value, what) {
  if (isObject(value)) return value;
  throw wrongType(value, what, 'an object');
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the check is for control characters
const CONTROLS = /[\u0000-\u001f\u007f]/;

/** A check of a user's name. It passes through C strings and is combined with other text, so it has no control characters. */
const user = text(
  'a string of 1 to 255 bytes without control characters',
  255,
  (name) => !CONTROLS.test(name),
);

/**
 * @param {unknown} value
 * @param {string} what
 * @returns {any} the function, or undefined if none was given
 */
function callback(value, what) {
  if (typeof value === 'function') return value;
  if (value === undefined || value === null) return undefined;
  throw wrongType(value, what, 'a function');
}

/** @param {Check} numbers @returns {Check} that permits `'auto'`, too, which is -1 in native code */
function orAuto(numbers) {
  return (value, what) => {
    if (value === 'auto') return -1;
    if (typeof value !== 'number') throw wrongType(value, what, "'auto' or a number");
    return numbers(value, what);
  };
}

exports.boolean = boolean;
exports.callback = callback;
exports.integer = integer;
exports.isObject = isObject;
exports.number = number;
exports.object = object;
exports.oneOf = oneOf;
exports.orAuto = orAuto;
exports.orNull = orNull;
exports.outOfRange = outOfRange;
exports.text = text;
exports.user = user;
exports.wrongType = wrongType;
