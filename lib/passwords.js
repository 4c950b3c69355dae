'use strict';

const { randomBytes, scrypt } = require('node:crypto');
const { promisify } = require('node:util');

const COST = { ln: 15, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Maximum costs of a hash at the broker: 1 GB and some seconds. */
const MAX = { ln: 20, r: 8, p: 16 };
const MAX_BYTES = 255;

const FORM =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** @param {Buffer} bytes */
const encode = (bytes) => bytes.toString('base64').replace(/=+$/, '');

/**
 * The message does not contain the password.
 * @param {unknown} value
 * @param {string} what
 * @returns {string}
 */
function checkPassword(value, what) {
  const wanted = `a string of 1 to ${MAX_BYTES} bytes`;
  if (typeof value !== 'string') {
    throw new TypeError(`${what} must be ${wanted}, got ${value === null ? 'null' : typeof value}`);
  }
  const bytes = Buffer.byteLength(value);
  if (bytes < 1 || bytes > MAX_BYTES) throw new RangeError(`${what} must be ${wanted}, got ${bytes} bytes`);
  return value;
}

/**
 * @param {unknown} password
 * @returns {Promise<string>} the hash, for the rules of a broker
 */
async function hashPassword(password) {
  const text = checkPassword(password, 'password');
  const salt = randomBytes(SALT_BYTES);
  const { ln, r, p } = COST;
  const options = { N: 2 ** ln, r, p, maxmem: 256 * 2 ** ln * r };
  /** @type {(password: string, salt: Buffer, length: number, options: object) => Promise<any>} */
  const hash = promisify(scrypt);
  const output = await hash(text, salt, HASH_BYTES, options);
  return `$scrypt$ln=${ln},r=${r},p=${p}$${encode(salt)}$${encode(output)}`;
}

/**
 * Checks a password of the rules, in clear text or hashed, and converts it for the native side.
 * @param {unknown} value
 * @param {string} what
 * @returns {object}
 */
function checkPasswordRule(value, what) {
  const text = checkPassword(value, what);
  if (!text.startsWith('$')) return { clear: text };
  // A value that looks like a hash must be one; otherwise the text of an unsupported hash would be the
  // password.
  const parts = FORM.exec(text);
  const [ln, r, p] = parts === null ? [0, 0, 0] : parts.slice(1, 4).map(Number);
  if (parts === null || ln < 1 || ln > MAX.ln || r < 1 || r > MAX.r || p < 1 || p > MAX.p) {
    const form = '$scrypt$ln=…,r=…,p=…$salt$hash';
    throw new RangeError(`${what} begins with "$", so it must be a hash of hashPassword(): ${form}`);
  }
  const [salt, hash] = parts.slice(4).map((part) => Buffer.from(part, 'base64'));
  return { logN: ln, r, p, salt, hash };
}

exports.checkPassword = checkPassword;
exports.checkPasswordRule = checkPasswordRule;
exports.hashPassword = hashPassword;
