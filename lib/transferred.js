'use strict';
// Bytes that their owner gives away (option `transfer`): they are sent out of their own memory, without a copy.

/** @import { Body } from './values' */

/** Bytes in an ArrayBuffer that no other code can reach. */
class Transferred {
  /** @param {ArrayBuffer} buffer */
  constructor(buffer) {
    this.buffer = buffer;
  }

  get byteLength() {
    return this.buffer.byteLength;
  }

  get length() {
    return this.buffer.byteLength;
  }
}

/**
 * Takes the memory of bytes from their owner, whose ArrayBuffer is detached. Bytes that are only a part of an
 * ArrayBuffer, and those that cannot be moved, remain as they are, and are copied later like all others.
 * @param {Body} body
 * @returns {Body}
 */
function transfer(body) {
  if (!(body instanceof Uint8Array)) return body;
  const buffer = /** @type {ArrayBuffer} */ (body.buffer);
  if (body.byteLength !== buffer.byteLength || body.byteLength === 0) return body;
  try {
    return new Transferred(structuredClone(buffer, { transfer: [buffer] }));
  } catch {
    // It is that of a WebAssembly.Memory, or marked as untransferable.
    return body;
  }
}

exports.Transferred = Transferred;
exports.transfer = transfer;
