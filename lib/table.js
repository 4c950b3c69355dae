'use strict';

/** The initial number of places, and the number from which an empty table is replaced; powers of two. */
const SMALL = 16;
const LARGE = 4096;

/**
 * Outstanding entries by number. Numbers ascend, and entries mostly end in about the same order. Each entry
 * has its place in a ring; one that is still there when a later number needs the place moves into a Map. A
 * Map alone is rehashed every few requests, even if it never holds more than one.
 * @template T
 */
class Table {
  /** @type {(T | undefined)[]} */
  #values = new Array(SMALL).fill(undefined);
  /** The number of the entry in each place, valid if there is a value. */
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
   * @param {number} id not present
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

  /** @param {number} id @returns {boolean} whether the entry existed */
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

  /** Removes and returns all entries, in the order of their numbers. @returns {T[]} */
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

  /** @returns {T[]} all entries, in no order */
  values() {
    const inRing = this.#values.filter((value) => value !== undefined);
    return [...this.#stragglers.values(), .../** @type {T[]} */ (inRing)];
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
    // Entries in the ring have a place in the larger ring, too.
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
