'use strict';

/** The number of read entries after which the others are moved to the front. */
const MAX_READ = 1024;

/** The costs of the unread parts of a Readable, in order. */
class Costs {
  /** @type {number[]} */
  #costs = [];
  /** The index of the first unread part. */
  #first = 0;

  get isEmpty() {
    return this.#first === this.#costs.length;
  }

  /** @param {number} cost */
  push(cost) {
    this.#costs.push(cost);
  }

  /**
   * Removes the entries of read parts.
   * @param {number} left the number of parts in the Readable
   * @returns {number} the total cost of the removed entries
   */
  removeRead(left) {
    const end = this.#costs.length - left;
    let read = 0;
    while (this.#first < end) {
      read += this.#costs[this.#first];
      this.#first += 1;
    }
    if (this.isEmpty || this.#first >= MAX_READ) {
      this.#costs.splice(0, this.#first);
      this.#first = 0;
    }
    return read;
  }
}

exports.Costs = Costs;
