'use strict';

const { performance } = require('node:perf_hooks');
const { throwLater } = require('./errors');
const native = require('./load');
const { inNobodysScope } = require('./scope');
const { slotsOf } = require('./slots');
const { LargeJson } = require('./values');

/** @import { Core } from './load' */
/** @import { Outbox } from './outbox' */

const { Flag, DRAIN_FIELDS: FIELDS, DRAIN_HEADER: HEADER, SLOT_TAKEN, SLOT_SHOWN } = native;

const BLOB = Flag.Blob;
const JSON_BLOB = Flag.Json;
const EXTRA = Flag.Extra;
/** The bits of a record's kind, below all flags. */
const KIND = BLOB - 1;

/** The position of a record's number, after its kind, its id and the lengths of its texts. */
const N = FIELDS - 1;

const MAX_RECORDS = 1024;

/** The maximum of records and of ms in one wake-up, before timers, I/O and promises get their turn. */
const MAX_TURN_RECORDS = 4 * MAX_RECORDS;
const MAX_TURN_MS = 2;

/** How many ms the records that callbacks submit may wait while there is more to take. */
const MAX_HOLD_MS = 0.1;

/**
 * The maximum number of offers that a batch shows beyond the room: as many as were taken recently, and more
 * if all were. A handler that is slow, or ends its replies later, then causes no text that is not used.
 */
const MAX_AHEAD = native.SLOTS;
const MIN_AHEAD = 4;

/** @type {(Buffer | string | null)[]} */
const NO_BLOBS = [];

/** Shared by all peers of the thread: a drain ends before the next one begins. */
const SHARED = new Float64Array(HEADER + FIELDS * MAX_RECORDS);
let sharedInUse = false;

/**
 * Data outside of the text of its batch: bytes, a string, unparsed JSON, or null in place of data that
 * JavaScript cannot hold.
 * @typedef {Buffer | string | LargeJson | null} Blob
 */

/**
 * Takes one record. `at` is the start of its consecutive texts; `a` to `e` are their lengths;
 * `blob` is set if its data is not in the first text; `n` is its number. Only requests have the fourth and fifth text.
 * @typedef {(kind: number, id: number, a: number, b: number, c: number, text: string, at: number, blob: Blob | undefined, n: number, d: number, e: number) => void} Take
 */

/** Empties the native queue of notices when the native side wakes it. */
class Inbox {
  #core;
  #outbox;
  #take;
  #afterBatch;
  #room;
  #timed;
  /** The slots of shown offers; empty for peers without offers. */
  #slots;
  #ahead = 0;
  #again = false;
  #drainBound = () => this.#drain();
  #draining = false;
  /** The room that the native side was told; without room it does not wake for an offer. */
  #told = 0;
  /** Whether the native side has notices that did not fit. */
  #notices = false;
  /** When this turn began, and when the records of its callbacks were last submitted. */
  #begin = 0;
  #flushed = 0;

  /**
   * @param {Core} core
   * @param {Outbox} outbox
   * @param {Take} take
   * @param {() => void} afterBatch
   * @param {() => number} room how many more requests a worker can start now
   * @param {(now: number) => void} timed called with the time when a drain begins, and whenever the clock is
   * read in it
   */
  constructor(core, outbox, take, afterBatch, room, timed) {
    this.#core = core;
    this.#outbox = outbox;
    this.#take = take;
    this.#afterBatch = afterBatch;
    this.#room = room;
    this.#timed = timed;
    this.#slots = slotsOf(core);
  }

  /** There is room again: reports it at the end of the tick, and takes offers. */
  roomy() {
    if (this.#told > 0 || this.#again || this.#draining) return;
    this.#again = true;
    process.nextTick(() => {
      this.#again = false;
      inNobodysScope(this.#drainBound);
    });
  }

  wake() {
    // The scheduled drain also takes what the wake-up announces.
    if (!this.#again) inNobodysScope(this.#drainBound);
  }

  /**
   * The process ends: takes the notices, and passes on only those that carry no data.
   * @param {(kind: number, id: number, n: number) => void} take
   */
  takeLast(take) {
    const into = new Float64Array(SHARED.length);
    this.#core.drain(into, 0, 0);
    const count = into[0];
    for (let at = HEADER; at < HEADER + count * FIELDS; at += FIELDS) {
      if (into[at] < BLOB) take(into[at], into[at + 1], into[at + N]);
    }
  }

  #drain() {
    this.#begin = performance.now();
    this.#flushed = this.#begin;
    let records = 0;
    this.#draining = true;
    this.#outbox.beginDrain(this.#begin);
    this.#timed(this.#begin);
    try {
      do {
        records += this.#drainBatch();
        if (this.#isOver(records)) {
          if (this.#notices || this.#told === 0) this.#goOnLater();
          return;
        }
      } while (this.#notices || (this.#told === 0 && this.#hasRoom()));
    } finally {
      this.#draining = false;
      this.#outbox.endDrain();
      this.#afterBatch();
    }
  }

  /** Between two batches, or two requests of one: whether the turn has to end. @param {number} records */
  #isOver(records) {
    const now = performance.now();
    this.#outbox.touch(now);
    this.#timed(now);
    if (records >= MAX_TURN_RECORDS || now - this.#begin >= MAX_TURN_MS) return true;
    // Replies of a 20 µs handler share a crossing with the next ones; that of a slow handler does not wait
    // for them.
    if (now - this.#flushed >= MAX_HOLD_MS) {
      this.#flushed = now;
      this.#outbox.flush();
    }
    return false;
  }

  /**
   * Whether there is room after a batch, because its requests have ended in it; then it is worthwhile to show
   * offers.
   */
  #hasRoom() {
    if (this.#room() === 0) return false;
    if (this.#ahead === 0 && this.#slots.length > 0) this.#ahead = MIN_AHEAD;
    return true;
  }

  #goOnLater() {
    this.#again = true;
    setImmediate(() => {
      this.#again = false;
      this.#drain();
    });
  }

  /** @returns {number} the number of records */
  #drainBatch() {
    // A nested event loop inside of a callback may call this again.
    const nested = sharedInUse;
    const into = nested ? new Float64Array(SHARED.length) : SHARED;
    sharedInUse = true;
    try {
      const room = this.#room();
      // Within a callback of another drain no offers are shown, because that drain may still use its own.
      const text = this.#core.drain(into, room, nested ? 0 : this.#ahead);
      const count = into[0];
      const blobs = into[1] === 0 ? NO_BLOBS : this.#core.takeBlobs();
      this.#notices = into[2] !== 0;
      this.#told = room - into[3];
      return this.#takeAll(into, count, count - into[4], text, blobs);
    } finally {
      sharedInUse = nested;
    }
  }

  /**
   * @param {Float64Array} into
   * @param {number} count the number of records
   * @param {number} given how many of them are taken; the others are shown
   * @param {string} text
   * @param {(Buffer | string | null)[]} blobs
   * @returns {number} the number of taken records
   */
  #takeAll(into, count, given, text, blobs) {
    let next = 0;
    let textAt = 0;
    let blobAt = 0;
    let taken = 0;
    // A callback that throws leaves the inner loop; the outer one continues after its record.
    while (next < count) {
      try {
        while (next < count) {
          const slot = next - given;
          if (slot >= 0 && !this.#mayTake(given + taken, taken)) return given + taken;
          const at = HEADER + next * FIELDS;
          const kind = into[at];
          const id = into[at + 1];
          const a = into[at + 2];
          const b = into[at + 3];
          const c = into[at + 4];
          const d = into[at + 5];
          const e = into[at + 6];
          const n = into[at + N];
          const from = textAt;
          const blobsFrom = blobAt;
          if (kind >= BLOB) blobAt += ((kind & BLOB) === 0 ? 0 : 1) + ((kind & EXTRA) === 0 ? 0 : 1);
          next += 1;
          textAt += a + b + c + d + e;
          if (slot >= 0) {
            // The offer was withdrawn in the meantime.
            if (Atomics.compareExchange(this.#slots, slot, SLOT_SHOWN, SLOT_TAKEN) !== SLOT_SHOWN) continue;
            taken += 1;
          }
          if (kind < BLOB) this.#take(kind, id, a, b, c, text, from, undefined, n, d, e);
          else this.#takeWithBlobs(kind, id, a, b, c, text, from, blobs, blobsFrom, n, d, e);
        }
      } catch (error) {
        throwLater(error);
      }
    }
    if (count > given) this.#ahead = Math.min(2 * this.#ahead, MAX_AHEAD);
    return count;
  }

  /**
   * @param {number} kind including flags
   * @param {number} id
   * @param {number} a
   * @param {number} b
   * @param {number} c
   * @param {string} text
   * @param {number} from
   * @param {(Buffer | string | null)[]} blobs
   * @param {number} blobAt
   * @param {number} n
   * @param {number} d
   * @param {number} e
   */
  #takeWithBlobs(kind, id, a, b, c, text, from, blobs, blobAt, n, d, e) {
    /** @type {Blob | undefined} */
    let data;
    let at = blobAt;
    if ((kind & BLOB) !== 0) {
      data = blobs[at++];
      if ((kind & JSON_BLOB) !== 0 && typeof data === 'string') data = new LargeJson(data);
    }
    if ((kind & EXTRA) === 0) {
      this.#take(kind & KIND, id, a, b, c, text, from, data, n, d, e);
      return;
    }
    // Inserts the second text at its place.
    const extra = blobs[at];
    if (typeof extra !== 'string') this.#take(kind & KIND, id, 0, 0, 0, '', 0, null, n, 0, 0);
    else {
      const whole = text.slice(from, from + a) + extra + text.slice(from + a, from + a + c + d + e);
      this.#take(kind & KIND, id, a, extra.length, c, whole, 0, data, n, d, e);
    }
  }

  /**
   * Whether another request can start in this turn.
   * @param {number} records
   * @param {number} taken
   */
  #mayTake(records, taken) {
    if (this.#room() === 0) {
      this.#ahead = taken;
      return false;
    }
    return !this.#isOver(records);
  }
}

exports.Inbox = Inbox;
