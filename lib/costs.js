'use strict';

/** So many that were read are kept before the others move to the front. */
const MAX_READ = 1024;

/** What the parts of a Readable cost that nobody has read yet, in their order. */
class Costs {
  /** @type {number[]} */
  #costs = [];
  /** The first that was not read. */
  #first = 0;

  get isEmpty() {
    return this.#first === this.#costs.length;
  }

  /** @param {number} cost */
  push(cost) {
    this.#costs.push(cost);
  }

  /**
   * Takes out what was read.
   * @param {number} left how many parts are in the Readable
   * @returns {number} what those cost that are there no more
   */
  read(left) {
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
