'use strict';
// The memory by which JavaScript takes offers that the native side shows it.

const { SLOT_SHOWN, SLOT_TAKEN } = require('./load');

/** @import { Core } from './load' */

const NO_SLOTS = new Int32Array(0);

/**
 * The slots, if both sides share them. A test exchange shows whether they do: the buffer is not a
 * SharedArrayBuffer, which Node-API cannot create.
 * @param {Core} core
 */
function slotsOf(core) {
  const slots = core.slots?.();
  if (!slots || !Atomics.isLockFree(Int32Array.BYTES_PER_ELEMENT)) return NO_SLOTS;
  Atomics.compareExchange(slots, 0, SLOT_SHOWN, SLOT_TAKEN);
  return core.seesTake?.() ? slots : NO_SLOTS;
}

exports.slotsOf = slotsOf;
