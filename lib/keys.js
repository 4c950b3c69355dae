'use strict';

const { derivePublicKey, makeKeyPair } = require('./load');

/** The alphabet of Z85 (ZeroMQ RFC 32), by value. */
const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';
const VALUES = new Map(Array.from(DIGITS, (digit, value) => [digit, value]));
const KEY_BYTES = 32;
const KEY_TEXT = 40;
const WANTED = `a key: ${KEY_TEXT} characters of Z85, or a Buffer of ${KEY_BYTES} bytes`;

/** @returns {{ publicKey: string, secretKey: string }} */
function curveKeyPair() {
  const [publicKey, secretKey] = makeKeyPair();
  return { publicKey, secretKey };
}

/** @param {Uint8Array} bytes a multiple of four @returns {string} */
function toZ85(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = '';
  for (let at = 0; at < bytes.byteLength; at += 4) {
    const value = view.getUint32(at);
    for (let unit = 85 ** 4; unit >= 1; unit /= 85) text += DIGITS[Math.floor(value / unit) % 85];
  }
  return text;
}

/** @param {string} text @returns {boolean} */
function isZ85(text) {
  for (let at = 0; at < text.length; at += 5) {
    let value = 0;
    for (const digit of text.slice(at, at + 5)) value = value * 85 + (VALUES.get(digit) ?? Number.NaN);
    if (!(value <= 0xffffffff)) return false;
  }
  return true;
}

/**
 * The message does not contain the key, which may be a secret one.
 * @param {unknown} value
 * @param {string} what
 * @returns {string} as Z85
 */
function checkKey(value, what) {
  if (value instanceof Uint8Array) {
    if (value.length === KEY_BYTES) return toZ85(value);
    throw new RangeError(`${what} must be ${WANTED}, got ${value.length} bytes`);
  }
  if (typeof value !== 'string') {
    const type = value === null ? 'null' : typeof value;
    throw new TypeError(`${what} must be ${WANTED}, got ${type}`);
  }
  if (value.length !== KEY_TEXT) {
    throw new RangeError(`${what} must be ${WANTED}, got ${value.length} characters`);
  }
  if (!isZ85(value)) throw new RangeError(`${what} must be ${WANTED}, got characters that are not Z85`);
  return value;
}

/** @param {string} secretKey @returns {string} */
function publicKeyOf(secretKey) {
  const publicKey = derivePublicKey(secretKey);
  if (publicKey === null || publicKey === undefined) throw new Error('libzmq was built without CURVE');
  return publicKey;
}

exports.checkKey = checkKey;
exports.curveKeyPair = curveKeyPair;
exports.publicKeyOf = publicKeyOf;
