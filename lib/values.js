'use strict';

const { isAnyArrayBuffer, isSharedArrayBuffer } = require('node:util/types');

/**
 * What goes over: JSON text; bytes that the other side gets as they are; or a long string, which native code
 * makes JSON of.
 * @typedef {string | Uint8Array | LongString} Body
 */

/**
 * From here on a string crosses by itself and not as JSON inside of a batch's text: V8's generic JSON path
 * takes the longer part of a millisecond for a MiB, and joining such strings as much again.
 */
const LONG = 4096;

/**
 * Up to here a string is looked at unit by unit, which takes a fraction of what a call of JSON.stringify or JSON.parse
 * does. Of what is longer V8 makes no copy when it is cut out: it would keep the whole text that it was cut out of.
 */
const SHORT = 32;
const COPIED = 12;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** A string whose JSON native code makes. */
class LongString {
  /** @param {string} text well-formed, since UTF-8 can't carry anything else */
  constructor(text) {
    this.text = text;
  }

  /** About how long its JSON is. */
  get length() {
    return this.text.length + 2;
  }
}

/** JSON that crossed by itself, to be parsed where what it throws ends its own request alone. */
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
 * What a record's body is.
 * @param {Buffer | string | LargeJson | undefined} blob the body, if it crossed by itself
 * @param {string} text
 * @param {number} at where it begins in the text, if not
 * @param {number} length
 * @returns {any}
 * @throws {SyntaxError} if it is no JSON
 */
function bodyValue(blob, text, at, length) {
  if (blob === undefined) return decode(text, at, at + length);
  return blob instanceof LargeJson ? blob.parse() : blob;
}

/**
 * Bytes at the top level stay bytes; everything else is what JSON.stringify says, and what it says nothing
 * about (undefined, functions, symbols) is null.
 * @template [S=never]
 * @param {unknown} value
 * @param {(stream: any) => S} [takeStream] what is made of a stream, where one can be sent
 * @returns {Body | S}
 * @throws {TypeError} when JSON can't take it, with the reason as `cause`; also for a stream
 */
function encode(value, takeStream = refuseStream) {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'object' && value !== null) {
    if (ArrayBuffer.isView(value)) return bytesOf(value);
    if (isAnyArrayBuffer(value)) return bytesOf(new Uint8Array(value));
    if (isStream(value)) return takeStream(value);
  }
  return stringify(value);
}

/**
 * Whether this gives its content piece by piece; JSON would take what it is made of for its content.
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
  throw new TypeError(`cannot be sent: ${what} has no JSON`);
}

/** @param {string} text @returns {Body} */
function quote(text) {
  if (text.length <= SHORT && isVerbatim(text, 0, text.length)) return `"${text}"`;
  return text.length >= LONG && text.isWellFormed() ? new LongString(text) : stringify(text);
}

/**
 * Whether what stands there stands in JSON as it is. Surrogates don't for certain: alone they are escaped.
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
    return JSON.stringify(value) ?? 'null';
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    // V8's word for JSON that is longer than a string can be.
    if (cause instanceof RangeError) throw new RangeError(`cannot be sent: ${reason}`, { cause });
    throw new TypeError(`cannot be sent: ${reason}`, { cause });
  }
}

/** @param {ArrayBufferView} view @returns {Uint8Array} */
function bytesOf(view) {
  const bytes =
    view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  // Native code reads the bytes later in this tick; other threads must not change them meanwhile.
  return isSharedArrayBuffer(bytes.buffer) ? Uint8Array.from(bytes) : bytes;
}

/**
 * @param {string} text
 * @param {number} from where the JSON begins in it
 * @param {number} to
 * @returns {any}
 * @throws {SyntaxError} when a peer sent something else than JSON
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
 * A body that is kept until later: its owner may change bytes meanwhile.
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
