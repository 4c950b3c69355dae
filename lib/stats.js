'use strict';

const { OmdpError } = require('./errors');

/** Requested snapshots that have not arrived. */
class Snapshots {
  #core;
  #describe;
  /** @type {Map<number, { done: (text: string) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();
  #lastId = 0;

  /**
   * @param {{ stats: (id: number) => string | null | undefined }} core
   * @param {(native: any) => any} describe makes the user's snapshot
   */
  constructor(core, describe) {
    this.#core = core;
    this.#describe = describe;
  }

  get size() {
    return this.#waiting.size;
  }

  /** @returns {Promise<any>} */
  ask() {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const done = (/** @type {string} */ text) => resolve(this.#describe(JSON.parse(text)));
      // The native side answers at once if it is not running.
      const text = this.#core.stats(id);
      if (typeof text === 'string') done(text);
      else this.#waiting.set(id, { done, reject });
    });
  }

  /** @param {number} id @param {string} text */
  take(id, text) {
    this.#waiting.get(id)?.done(text);
    this.#waiting.delete(id);
  }

  /** The snapshot exceeds the longest string. @param {number} id */
  refuse(id) {
    this.#waiting.get(id)?.reject(new OmdpError('B_TOO_LARGE'));
    this.#waiting.delete(id);
  }

  /** The start that would have answered has ended. */
  end() {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { done } of waiting) done(this.#core.stats(0) ?? '{}');
  }
}

exports.Snapshots = Snapshots;
