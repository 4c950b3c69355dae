'use strict';

const { throwLater } = require('./errors');

/** @import { Core, Outbox } from './outbox' */

/** The record's data is not in the text but the next blob. */
const BINARY = 256;

const HEADER = 4;
const FIELDS = 4;
const MAX_RECORDS = 1024;

/** How many batches one wake-up may bring before timers, I/O and promises get their turn. */
const MAX_BATCHES = 4;

/** @type {Buffer[]} */
const NO_BLOBS = [];

/** One for all peers of the thread: a drain is over before the next begins. */
const SHARED = new Float64Array(HEADER + FIELDS * MAX_RECORDS);
let sharedInUse = false;

/**
 * Takes one record. `at` is where its text begins; `blob` is there when its data is binary.
 * @typedef {(kind: number, id: number, a: number, b: number, text: string, at: number, blob: Buffer | undefined) => void} Take
 */

/** Empties the native side's queue of notices when it wakes us. */
class Inbox {
  #core;
  #outbox;
  #take;
  #afterBatch;
  #again = false;

  /**
   * @param {Core} core
   * @param {Outbox} outbox
   * @param {Take} take
   * @param {() => void} afterBatch
   */
  constructor(core, outbox, take, afterBatch) {
    this.#core = core;
    this.#outbox = outbox;
    this.#take = take;
    this.#afterBatch = afterBatch;
  }

  wake() {
    // What the wake-up tells of is reached by the drain that is due anyway.
    if (!this.#again) this.#drain();
  }

  #drain() {
    for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
      if (!this.#drainBatch()) return;
    }
    this.#again = true;
    setImmediate(() => {
      this.#again = false;
      this.#drain();
    });
  }

  /** @returns {boolean} whether more is waiting */
  #drainBatch() {
    // Something that runs a nested event loop inside of a callback could bring us here again.
    const nested = sharedInUse;
    const into = nested ? new Float64Array(SHARED.length) : SHARED;
    sharedInUse = true;
    this.#outbox.beginDrain();
    try {
      const text = this.#core.drain(into);
      this.#takeAll(into, text, into[1] === 0 ? NO_BLOBS : this.#core.takeBlobs());
      return into[2] !== 0;
    } finally {
      sharedInUse = nested;
      this.#outbox.endDrain();
      this.#afterBatch();
    }
  }

  /**
   * @param {Float64Array} into
   * @param {string} text
   * @param {Buffer[]} blobs
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
          const from = textAt;
          at += FIELDS;
          textAt += a + b;
          if (kind < BINARY) this.#take(kind, id, a, b, text, from, undefined);
          else this.#take(kind - BINARY, id, a, b, text, from, blobs[blobAt++]);
        }
      } catch (error) {
        throwLater(error);
      }
    }
  }
}

exports.Inbox = Inbox;
