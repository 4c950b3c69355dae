'use strict';

/** How many places a table begins with, and from how many on it is made anew when it is empty; powers of two. */
const SMALL = 16;
const LARGE = 4096;

/**
 * What is outstanding, by its number. Numbers are given out in ascending order and mostly end in about the same: so
 * each has its place in a ring, and only what is still there when a later number comes to its place moves into a Map.
 * A Map alone makes itself anew every few requests, even when it never holds more than one.
 * @template T
 */
class Table {
  /** @type {(T | undefined)[]} */
  #values = new Array(SMALL).fill(undefined);
  /** Whose place it is, which counts where there is a value. */
  #ids = new Float64Array(SMALL);
  #mask = SMALL - 1;
  #inRing = 0;
  /** @type {Map<number, T>} */
  #stragglers = new Map();

  get size() {
    return this.#inRing + this.#stragglers.size;
  }

  /** @param {number} id @returns {T | undefined} */
  get(id) {
    const at = id & this.#mask;
    if (this.#ids[at] === id) {
      const value = this.#values[at];
      if (value !== undefined) return value;
    }
    return this.#stragglers.size === 0 ? undefined : this.#stragglers.get(id);
  }

  /** @param {number} id @returns {boolean} */
  has(id) {
    return this.get(id) !== undefined;
  }

  /**
   * @param {number} id that is not there
   * @param {T} value
   */
  add(id, value) {
    if (this.#inRing > this.#mask >> 1) this.#grow();
    const at = id & this.#mask;
    const other = this.#values[at];
    if (other === undefined) this.#inRing += 1;
    else this.#stragglers.set(this.#ids[at], other);
    this.#values[at] = value;
    this.#ids[at] = id;
  }

  /** @param {number} id @returns {boolean} whether it was there */
  delete(id) {
    const at = id & this.#mask;
    if (this.#ids[at] !== id || this.#values[at] === undefined) {
      return this.#stragglers.size > 0 && this.#stragglers.delete(id);
    }
    this.#values[at] = undefined;
    this.#inRing -= 1;
    if (this.#inRing === 0 && this.#mask >= LARGE) this.#make(SMALL);
    return true;
  }

  /** Gives all that there are, in the order of their numbers, and leaves none. @returns {T[]} */
  clear() {
    /** @type {[number, T][]} */
    const all = [...this.#stragglers];
    for (const [at, value] of this.#values.entries()) {
      if (value !== undefined) all.push([this.#ids[at], value]);
    }
    this.#stragglers.clear();
    this.#inRing = 0;
    this.#make(SMALL);
    return all.sort(([a], [b]) => a - b).map(([, value]) => value);
  }

  /** @param {number} places a power of two */
  #make(places) {
    this.#values = new Array(places).fill(undefined);
    this.#ids = new Float64Array(places);
    this.#mask = places - 1;
  }

  #grow() {
    const [values, ids] = [this.#values, this.#ids];
    this.#make(4 * values.length);
    // Who had a place of its own has one among more.
    for (let at = 0; at < values.length; at += 1) {
      const value = values[at];
      if (value === undefined) continue;
      const place = ids[at] & this.#mask;
      this.#values[place] = value;
      this.#ids[place] = ids[at];
    }
  }
}

exports.Table = Table;
