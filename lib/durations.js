'use strict';

const { performance } = require('node:perf_hooks');

/** @import { Meter } from './meter' */
/** @import { Outbox } from './outbox' */

/**
 * The durations of deliveries. Handlers that end at once do so within a drain, which reads the clock between
 * them; so their starts and ends use its readings, and the clock is read once for each of them.
 */
class Durations {
  #meter;
  #outbox;
  /** The start times of deliveries that have ended since the clock was read. @type {number[]} */
  #ended = [];
  /** Whether a delivery began since the clock was read. */
  #stale = false;

  /** @param {Meter} meter @param {Outbox} outbox */
  constructor(meter, outbox) {
    this.#meter = meter;
    this.#outbox = outbox;
  }

  /** The start time of a delivery. @returns {number} */
  begin() {
    const outbox = this.#outbox;
    if (this.#stale && outbox.draining) {
      outbox.touch(performance.now());
      this.timed(outbox.time);
    }
    this.#stale = true;
    return outbox.time;
  }

  /** @param {number} since when the delivery began */
  end(since) {
    if (this.#outbox.draining) this.#ended.push(since);
    else this.#meter.took(this.#outbox.time - since);
  }

  /** The clock was read. @param {number} now */
  timed(now) {
    this.#stale = false;
    if (this.#ended.length === 0) return;
    for (const since of this.#ended) this.#meter.took(now - since);
    this.#ended.length = 0;
  }
}

exports.Durations = Durations;
