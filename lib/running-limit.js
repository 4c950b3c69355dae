'use strict';

const { performance } = require('node:perf_hooks');

/**
 * Limits the running time of a worker's handlers: requests begin in order, so the first one is the next to
 * expire.
 */
class RunningLimit {
  #ms;
  #expire;
  /** The start time of each handler. @type {Map<number, number>} */
  #begun = new Map();
  /** @type {NodeJS.Timeout | undefined} */
  #timer;

  /**
   * @param {number} ms
   * @param {(id: number) => void} expire
   */
  constructor(ms, expire) {
    this.#ms = ms;
    this.#expire = expire;
  }

  /** @param {number} id */
  begin(id) {
    this.#begun.set(id, performance.now());
    if (this.#timer === undefined) this.#wait(this.#ms);
  }

  /** @param {number} id */
  end(id) {
    this.#begun.delete(id);
  }

  clear() {
    this.#begun.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** @param {number} ms */
  #wait(ms) {
    // Node.js timers may fire a fraction of a millisecond early.
    this.#timer = setTimeout(() => this.#check(), Math.ceil(ms));
  }

  #check() {
    this.#timer = undefined;
    const now = performance.now();
    for (const [id, begun] of this.#begun) {
      const left = begun + this.#ms - now;
      if (left > 0) {
        this.#wait(left);
        return;
      }
      this.#begun.delete(id);
      this.#expire(id);
    }
  }
}

exports.RunningLimit = RunningLimit;
