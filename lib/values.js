'use strict';

const { isAnyArrayBuffer, isSharedArrayBuffer } = require('node:util/types');
const { describe } = require('./describe');

/** @import { Transferred } from './transferred' */

/**
 * An encoded value: JSON text; bytes, which the other side gets unchanged, and which their owner may have given away;
 * or a long string, for which native code makes the JSON.
 * @typedef {string | Uint8Array | Transferred | LongString} Body
 */

/**
 * The minimum length of strings that cross separately, and not as JSON in a batch's text: V8's generic JSON
 * path takes most of a millisecond for a MiB, and joining such strings as long again.
 */
const LONG = 4096;

/**
 * Up to this length a string is checked unit by unit, which takes a fraction of a call of JSON.stringify or
 * JSON.parse; then, up to which length V8 copies a substring: a longer one would keep the whole text alive.
 */
const SHORT = 32;
const COPIED = 12;

/** How many members of an object are checked for streams. */
const MOST_MEMBERS = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** A string whose JSON native code makes. */
class LongString {
  /** @param {string} text well-formed, because UTF-8 cannot encode anything else */
  constructor(text) {
    this.text = text;
  }

  /** The approximate length of its JSON. */
  get length() {
    return this.text.length + 2;
  }
}

/** JSON that crossed separately. It is parsed where an exception ends only its own request. */
class LargeJson {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }

  parse() {
    return JSON.parse(this.text);
  }
}

/**
 * The value of a record's body.
 * @param {Buffer | string | LargeJson | undefined} blob the body, if it crossed separately
 * @param {string} text
 * @param {number} at otherwise its start in the text
 * @param {number} length
 * @returns {any}
 * @throws {SyntaxError} if it is not JSON
 */
function bodyValue(blob, text, at, length) {
  if (blob === undefined) return decode(text, at, at + length);
  return blob instanceof LargeJson ? blob.parse() : blob;
}

/**
 * Bytes at the top level remain bytes; any other value becomes the result of JSON.stringify, or null if there
 * is none (undefined, functions, symbols).
 * @template [S=never]
 * @param {unknown} value
 * @param {(stream: any) => S} [takeStream] converts a stream, where one can be sent
 * @returns {Body | S}
 * @throws {TypeError} if it has no JSON, with the reason as `cause`; also for a stream
 */
function encode(value, takeStream = refuseStream) {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'object' && value !== null) {
    if (ArrayBuffer.isView(value)) return bytesOf(value);
    if (isAnyArrayBuffer(value)) return bytesOf(wholeOf(value));
    if (isStream(value)) return takeStream(value);
  }
  return stringify(value);
}

/**
 * Whether the value provides its content piece by piece; its JSON would describe the stream instead.
 * @param {any} value
 * @returns {boolean}
 */
function isStream(value) {
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return false;
  return typeof value.pipe === 'function' || typeof value[Symbol.asyncIterator] === 'function';
}

/**
 * @param {any} value
 * @returns {never}
 */
function refuseStream(value) {
  const what = typeof value.pipe === 'function' ? 'a stream' : 'an async iterable';
  throw new TypeError(`cannot be sent: ${what} cannot be converted to JSON`);
}

/**
 * Refuses an object or array with a stream as a member: its JSON would describe the stream. Deeper streams, and those
 * behind many members, are not looked for, because the search takes time for each request.
 * @param {any} value
 */
function refuseMembers(value) {
  let members = 0;
  for (const key in value) {
    const member = value[key];
    if (typeof member === 'object' && isStream(member)) refuseMember(value, key);
    members += 1;
    if (members === MOST_MEMBERS) return;
  }
}

/** @param {any} value @param {string} key */
function refuseMember(value, key) {
  // Its JSON has only what toJSON() gives, and only own members.
  if (typeof value.toJSON === 'function' || !Object.hasOwn(value, key)) return;
  const what = Array.isArray(value) ? `its element ${key}` : `its member ${describe(key)}`;
  throw new TypeError(`${what} is a stream, which cannot be converted to JSON`);
}

/** @param {string} text @returns {Body} */
function quote(text) {
  if (text.length <= SHORT && isVerbatim(text, 0, text.length)) return `"${text}"`;
  return text.length >= LONG && text.isWellFormed() ? new LongString(text) : stringify(text);
}

/**
 * Whether the JSON of this text is the text itself. Surrogates are excluded, because unpaired ones are
 * escaped.
 * @param {string} text
 * @param {number} from
 * @param {number} to
 */
function isVerbatim(text, from, to) {
  for (let at = from; at < to; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0x20 || unit === QUOTE || unit === BACKSLASH || unit >= 0xd800) return false;
  }
  return true;
}

/** @param {unknown} value @returns {string} */
function stringify(value) {
  try {
    if (typeof value === 'object') refuseMembers(value);
    return JSON.stringify(value) ?? 'null';
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    // V8's error for JSON that exceeds the longest string.
    if (cause instanceof RangeError) throw new RangeError(`cannot be sent: ${reason}`, { cause });
    throw new TypeError(`cannot be sent: ${reason}`, { cause });
  }
}

/**
 * @param {ArrayBufferLike} buffer
 * @returns {Uint8Array}
 * @throws {TypeError} if it is detached
 */
function wholeOf(buffer) {
  try {
    return new Uint8Array(buffer);
  } catch (cause) {
    throw new TypeError('cannot be sent: its ArrayBuffer is detached, its memory was given away', { cause });
  }
}

/** @param {ArrayBufferView} view @returns {Uint8Array} */
function bytesOf(view) {
  // A detached one has no bytes; a DataView would throw an error of its own.
  if (!(view instanceof Uint8Array) || view.byteLength === 0) wholeOf(view.buffer);
  const bytes =
    view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  // Native code reads the bytes later in this tick; other threads must not change them before.
  return isSharedArrayBuffer(bytes.buffer) ? Uint8Array.from(bytes) : bytes;
}

/**
 * @param {string} text
 * @param {number} from the start of the JSON
 * @param {number} to
 * @returns {any}
 * @throws {SyntaxError} if a peer has sent something else
 */
function decode(text, from, to) {
  const last = to - 1;
  if (
    last > from &&
    last - from - 1 <= COPIED &&
    text.charCodeAt(from) === QUOTE &&
    text.charCodeAt(last) === QUOTE &&
    isVerbatim(text, from + 1, last)
  ) {
    return text.slice(from + 1, last);
  }
  return JSON.parse(text.slice(from, to));
}

/**
 * Copies a body that is kept for later, because its owner may change the bytes.
 * @param {Body} body
 * @returns {Body}
 */
function owned(body) {
  return body instanceof Uint8Array ? Buffer.from(body) : body;
}

exports.LargeJson = LargeJson;
exports.bodyValue = bodyValue;
exports.LongString = LongString;
exports.decode = decode;
exports.encode = encode;
exports.isStream = isStream;
exports.owned = owned;
exports.stringify = stringify;
