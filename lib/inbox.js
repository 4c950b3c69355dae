'use strict';

const { performance } = require('node:perf_hooks');
const { throwLater } = require('./errors');

/** @import { Core, Outbox } from './outbox' */

/** The record's data is not in the text but the next blob. */
const BINARY = 256;

const HEADER = 4;
const FIELDS = 5;
const MAX_RECORDS = 1024;

/** How many records and how many ms one wake-up may bring before timers, I/O and promises get their turn. */
const MAX_TURN_RECORDS = 4 * MAX_RECORDS;
const MAX_TURN_MS = 2;

/** How many ms what the callbacks submit may wait while there is more to take. */
const MAX_HOLD_MS = 0.1;

/** @type {(Buffer | string)[]} */
const NO_BLOBS = [];

/** One for all peers of the thread: a drain is over before the next begins. */
const SHARED = new Float64Array(HEADER + FIELDS * MAX_RECORDS);
let sharedInUse = false;

/**
 * Takes one record. `at` is where its text begins; `blob` is there when its data is bytes, or a long string; `n` is
 * its number.
 * @typedef {(kind: number, id: number, a: number, b: number, text: string, at: number, blob: Buffer | string | undefined, n: number) => void} Take
 */

/** Empties the native side's queue of notices when it wakes us. */
class Inbox {
  #core;
  #outbox;
  #take;
  #afterBatch;
  #room;
  #again = false;
  #draining = false;
  /** The room that the native side knows of; while there is none it doesn't wake us for an offer. */
  #told = 0;
  /** It has notices that did not fit. */
  #notices = false;

  /**
   * @param {Core} core
   * @param {Outbox} outbox
   * @param {Take} take
   * @param {() => void} afterBatch
   * @param {() => number} room how many more requests a worker can start now
   */
  constructor(core, outbox, take, afterBatch, room) {
    this.#core = core;
    this.#outbox = outbox;
    this.#take = take;
    this.#afterBatch = afterBatch;
    this.#room = room;
  }

  /** There is room again: says so at the end of the tick, and takes what is on offer. */
  roomy() {
    if (this.#told > 0 || this.#again || this.#draining) return;
    this.#again = true;
    process.nextTick(() => {
      this.#again = false;
      this.#drain();
    });
  }

  wake() {
    // What the wake-up tells of is reached by the drain that is due anyway.
    if (!this.#again) this.#drain();
  }

  #drain() {
    const begin = performance.now();
    let flushed = begin;
    let records = 0;
    this.#draining = true;
    this.#outbox.beginDrain();
    try {
      do {
        records += this.#drainBatch();
        const now = performance.now();
        if (records >= MAX_TURN_RECORDS || now - begin >= MAX_TURN_MS) {
          if (this.#notices || this.#told === 0) this.#goOnLater();
          return;
        }
        // A handler of 20 µs shares its crossing with the next ones, a slow one doesn't wait for them.
        if (now - flushed >= MAX_HOLD_MS) {
          flushed = now;
          this.#outbox.flush();
        }
      } while (this.#notices || (this.#told === 0 && this.#room() > 0));
    } finally {
      this.#draining = false;
      this.#outbox.endDrain();
      this.#afterBatch();
    }
  }

  #goOnLater() {
    this.#again = true;
    setImmediate(() => {
      this.#again = false;
      this.#drain();
    });
  }

  /** @returns {number} how many records it had */
  #drainBatch() {
    // Something that runs a nested event loop inside of a callback could bring us here again.
    const nested = sharedInUse;
    const into = nested ? new Float64Array(SHARED.length) : SHARED;
    sharedInUse = true;
    try {
      const room = this.#room();
      const text = this.#core.drain(into, room);
      const count = into[0];
      this.#notices = into[2] !== 0;
      this.#told = room - into[3];
      if (count > 0) this.#takeAll(into, text, into[1] === 0 ? NO_BLOBS : this.#core.takeBlobs());
      return count;
    } finally {
      sharedInUse = nested;
    }
  }

  /**
   * @param {Float64Array} into
   * @param {string} text
   * @param {(Buffer | string)[]} blobs
   */
  #takeAll(into, text, blobs) {
    const end = HEADER + into[0] * FIELDS;
    let at = HEADER;
    let textAt = 0;
    let blobAt = 0;
    // A callback that throws leaves the inner loop; the outer goes on behind its record.
    while (at < end) {
      try {
        while (at < end) {
          const kind = into[at];
          const id = into[at + 1];
          const a = into[at + 2];
          const b = into[at + 3];
          const n = into[at + 4];
          const from = textAt;
          at += FIELDS;
          textAt += a + b;
          if (kind < BINARY) this.#take(kind, id, a, b, text, from, undefined, n);
          else this.#take(kind - BINARY, id, a, b, text, from, blobs[blobAt++], n);
        }
      } catch (error) {
        throwLater(error);
      }
    }
  }
}

exports.Inbox = Inbox;
