'use strict';
// Statistics of a worker or client: counters, and the durations of its requests.

/**
 * Buckets for each power of two, as in the broker's histograms: each is at most an eighth as wide as its
 * lower bound.
 */
const SUB_BITS = 3;
const SUB = 1 << SUB_BITS;
/**
 * In µs, about 35 minutes. Longer durations are counted in the last bucket, whose upper end is the longest
 * duration.
 */
const LONGEST = 2 ** 31 - 1;

/** @param {number} micros up to LONGEST @returns {number} */
function indexOf(micros) {
  const shift = Math.max(32 - Math.clz32(micros) - (SUB_BITS + 1), 0);
  return shift * SUB + (micros >>> shift);
}

/** The largest value of a bucket. @param {number} index @returns {number} */
function upperOf(index) {
  const shift = Math.max((index >>> SUB_BITS) - 1, 0);
  return (index - shift * SUB + 1) * 2 ** shift - 1;
}

const BUCKETS = indexOf(LONGEST) + 1;

/** A histogram of durations. */
class Histogram {
  /** Allocated on first use. @type {Float64Array | undefined} */
  #buckets;
  #count = 0;
  #sum = 0;
  #max = 0;

  /** @param {number} ms */
  record(ms) {
    const micros = Math.min(Math.max(ms * 1000, 0), LONGEST) | 0;
    this.#buckets ??= new Float64Array(BUCKETS);
    this.#buckets[indexOf(micros)] += 1;
    this.#count += 1;
    if (ms > 0) this.#sum += ms;
    if (ms > this.#max) this.#max = ms;
  }

  /**
   * @param {number} percent
   * @returns {number} the value that this share does not exceed, rounded up to its bucket's end
   */
  #percentile(percent) {
    const rank = Math.max(1, Math.ceil((this.#count * percent) / 100));
    let seen = 0;
    for (const [upper, count] of this.#filled()) {
      seen += count;
      if (seen >= rank) return Math.min(upper, this.#max);
    }
    return this.#max;
  }

  /** The non-empty buckets: their largest values in ms, and their counts. */
  #filled() {
    /** @type {[number, number][]} */
    const filled = [];
    this.#buckets?.forEach((count, index) => {
      const last = index === BUCKETS - 1;
      if (count > 0)
        filled.push([last ? Math.max(this.#max, upperOf(index) / 1000) : upperOf(index) / 1000, count]);
    });
    return filled;
  }

  describe() {
    return {
      count: this.#count,
      sum: this.#sum,
      max: this.#max,
      p50: this.#percentile(50),
      p90: this.#percentile(90),
      p95: this.#percentile(95),
      p99: this.#percentile(99),
      buckets: this.#filled(),
    };
  }
}

/** Counters of all requests of a worker or client since its creation. */
class Meter {
  requests = 0;
  replies = 0;
  failures = 0;
  partials = 0;
  retried = 0;
  /** @type {Map<string, number>} */
  #errors = new Map();
  #times = new Histogram();

  /** Counts a request that ended with this code. @param {string} code */
  error(code) {
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
  }

  /** Records the duration of a request. @param {number} ms */
  took(ms) {
    this.#times.record(ms);
  }

  /** @param {{ bytesIn: number, bytesOut: number }} bytes */
  describe({ bytesIn, bytesOut }) {
    const { requests, replies, failures, partials, retried } = this;
    const errors = Object.fromEntries(this.#errors);
    return {
      counters: { requests, replies, failures, partials, errors, retried, bytesIn, bytesOut },
      latency: this.#times.describe(),
    };
  }
}

exports.Histogram = Histogram;
exports.Meter = Meter;
