'use strict';

const { isAnyArrayBuffer, isSharedArrayBuffer } = require('node:util/types');

/** What goes over: JSON text, or bytes that the other side gets as they are. @typedef {string | Uint8Array} Body */

/**
 * From here on it pays to look whether a string can do without V8's generic JSON path, which takes the
 * longer part of a millisecond for a MiB. Below, the look costs more than it saves.
 */
const LONG = 4096;

/** As of V8 13.8, so in Node 25, JSON.stringify itself is faster than a regular expression. */
const SLOW_STRINGIFY = Number.parseInt(process.versions.v8, 10) < 14;

/** Anything that JSON must escape, lone surrogates included (pairs are caught too: they take the long way). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes exactly these
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

/**
 * Bytes at the top level stay bytes; everything else is what JSON.stringify says, and what it says nothing
 * about (undefined, functions, symbols) is null.
 * @param {unknown} value
 * @returns {Body}
 * @throws {TypeError} when JSON can't take it, with the reason as `cause`
 */
function encode(value) {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'object' && value !== null) {
    if (ArrayBuffer.isView(value)) return bytesOf(value);
    if (isAnyArrayBuffer(value)) return bytesOf(new Uint8Array(value));
  }
  return stringify(value);
}

/** @param {string} text @returns {string} */
function quote(text) {
  if (SLOW_STRINGIFY && text.length >= LONG && !ESCAPED.test(text)) return `"${text}"`;
  return stringify(text);
}

/** @param {unknown} value @returns {string} */
function stringify(value) {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
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
 * @param {string} json
 * @returns {any}
 * @throws {SyntaxError} when a peer sent something else than JSON
 */
function decode(json) {
  // A long string without escapes is its own text; two scans by memchr find out 50 times faster than the
  // parser. (Bare control characters, which strict JSON forbids, pass: nothing depends on refusing them.)
  if (json.length >= LONG && json.charCodeAt(0) === 0x22) {
    if (json.indexOf('"', 1) === json.length - 1 && !json.includes('\\')) return json.slice(1, -1);
  }
  return JSON.parse(json);
}

exports.encode = encode;
exports.decode = decode;
