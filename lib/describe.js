'use strict';

const MAX = 60;

/** @param {string} text @returns {string} */
function clip(text) {
  return text.length > MAX ? `${text.slice(0, MAX)}…` : text;
}

/**
 * Describes a value in an error message: in few words, and safely for any value, because proxies and getters
 * of the user may throw.
 * @param {unknown} value
 * @returns {string}
 */
function describe(value) {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(clip(value));
    case 'function':
      return 'a function';
    case 'object':
      return value === null ? 'null' : describeObject(value);
    case 'bigint':
      return clip(`${value}n`);
    case 'number':
      // -0 needs no special case: it is printed as 0 and refused like 0.
      return String(value);
    default:
      return clip(String(value));
  }
}

/** @param {object} value @returns {string} */
function describeObject(value) {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  try {
    const name = value.constructor?.name;
    if (typeof name === 'string' && name !== '' && name !== 'Object') return `an object of ${clip(name)}`;
  } catch {
    // A getter or a proxy of the user has thrown: the value is described as an object.
  }
  return 'an object';
}

/**
 * Describes a value and its type, for messages about a wrong type.
 * @param {unknown} value
 * @returns {string}
 */
function given(value) {
  const text = describe(value);
  const type = typeof value;
  return type === 'string' ||
    type === 'number' ||
    type === 'bigint' ||
    type === 'boolean' ||
    type === 'symbol'
    ? `${text} (${type})`
    : text;
}

exports.describe = describe;
exports.given = given;
