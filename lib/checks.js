'use strict';

const { describe, given } = require('./describe');
const { knownAre } = require('./suggestions');

/**
 * A check takes a value and its description for messages, and returns the value to use.
 * @typedef {(value: unknown, what: string) => any} Check
 */

/** Checks by the names of options or members, in the order in which messages list them. @typedef {ReadonlyMap<string, Check>} Checks */

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
  const range = max === Number.MAX_SAFE_INTEGER ? `of ${min} or more` : `from ${min} to ${max}`;
  const wanted = `${kind} ${range}${orOff ? ', or -1' : ''}`;
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

/** Of an option that is accepted and ignored. Messages do not list it. @type {Check} */
const ignored = () => undefined;

/** @param {string} key @param {Checks} checks */
function knownIn(key, checks) {
  const known = [...checks].filter(([, check]) => check !== ignored);
  return knownAre(
    key,
    known.map(([name]) => name),
  );
}

/** @param {string} key @param {Checks} checks @returns {TypeError} */
function unknownOption(key, checks) {
  return new TypeError(`unknown option ${describe(key)}${knownIn(key, checks)}`);
}

/**
 * Checks the options that were given to a function. Those that are missing keep their defaults.
 * @param {unknown} value
 * @param {string} what the name of the argument
 * @param {Checks} checks
 * @param {Record<string, any>} [defaults] a new object, which becomes the result
 * @returns {any}
 */
function options(value, what, checks, defaults = {}) {
  if (value === undefined || value === null) return defaults;
  for (const [key, each] of Object.entries(object(value, what))) {
    const check = checks.get(key);
    if (check === undefined) throw unknownOption(key, checks);
    set(defaults, key, check, each, `option "${key}"`);
  }
  return defaults;
}

/**
 * The value without its undefined members, which some functions accept whatever their names.
 * @param {unknown} value
 */
function defined(value) {
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}

/**
 * Checks the members of an object that is an option, or a part of one.
 * @param {unknown} value
 * @param {string} what
 * @param {Checks} checks
 * @param {Record<string, any>} [defaults] a new object, which becomes the result
 * @returns {any}
 */
function members(value, what, checks, defaults = {}) {
  for (const [key, each] of Object.entries(object(value, what))) {
    const check = checks.get(key);
    if (check === undefined)
      throw new TypeError(`unknown member ${describe(key)} of ${what}${knownIn(key, checks)}`);
    set(defaults, key, check, each, `${what}.${key}`);
  }
  return defaults;
}

/** @param {Record<string, any>} into @param {string} key @param {Check} check @param {unknown} value @param {string} what */
function set(into, key, check, value, what) {
  const checked = value === undefined ? undefined : check(value, what);
  if (checked !== undefined) into[key] = checked;
}

/** @param {string} json @param {number} max bytes @param {string} what @returns {string} */
function boundedJson(json, max, what) {
  // A UTF-16 unit has at most three bytes in UTF-8.
  if (json.length <= max / 3) return json;
  const size = Buffer.byteLength(json);
  if (size <= max) return json;
  throw new RangeError(`${what} must have at most ${max} bytes as JSON, got ${size}`);
}

/** @param {unknown} value @param {number} max bytes @param {string} what @returns {string} the value as JSON */
function jsonOf(value, max, what) {
  let json;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    throw new TypeError(`${what} cannot be converted to JSON: ${/** @type {Error} */ (error).message}`);
  }
  if (json === undefined) throw new TypeError(`${what} cannot be converted to JSON`);
  return boundedJson(json, max, what);
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

/** @param {Check} check @returns {Check} */
function arrayOf(check) {
  return (value, what) => {
    if (!Array.isArray(value)) throw wrongType(value, what, 'an array');
    return Array.from(value, (each, index) => check(each, `${what}[${index}]`));
  };
}

/** @type {Check} */
function signal(value, what) {
  const { aborted, addEventListener, removeEventListener } = /** @type {AbortSignal} */ (value);
  if (
    typeof aborted === 'boolean' &&
    typeof addEventListener === 'function' &&
    typeof removeEventListener === 'function'
  ) {
    return value;
  }
  throw wrongType(value, what, 'an AbortSignal');
}

/** @param {Check} numbers @returns {Check} that permits `'auto'`, too, which is -1 in native code */
function orAuto(numbers) {
  return (value, what) => {
    if (value === 'auto') return -1;
    if (typeof value !== 'number') throw wrongType(value, what, "'auto' or a number");
    return numbers(value, what);
  };
}

exports.arrayOf = arrayOf;
exports.boolean = boolean;
exports.boundedJson = boundedJson;
exports.callback = callback;
exports.defined = defined;
exports.ignored = ignored;
exports.integer = integer;
exports.isObject = isObject;
exports.jsonOf = jsonOf;
exports.members = members;
exports.number = number;
exports.object = object;
exports.oneOf = oneOf;
exports.options = options;
exports.orAuto = orAuto;
exports.orNull = orNull;
exports.outOfRange = outOfRange;
exports.signal = signal;
exports.text = text;
exports.unknownOption = unknownOption;
exports.user = user;
exports.wrongType = wrongType;
