'use strict';

const { percentile } = require('./merge');

/** @import { BrokerStats } from '../../index' */

/** @typedef {readonly (readonly [number, number])[]} Buckets */
/** @typedef {{ ended: number, failed: number, buckets: Buckets }} Counts */

/** The time between two snapshots that are kept, in ms. */
const STEP_MS = 30_000;

/** @param {BrokerStats['services'][number]} service @returns {Counts} */
function countsOf({ counters, latency }) {
  const errors = Object.values(counters.errors).reduce((sum, count) => sum + count, 0);
  const failed = counters.failures + errors;
  return { ended: counters.replies + failed, failed, buckets: latency.total.buckets };
}

/**
 * The percentiles of the values counted since an earlier snapshot.
 * @param {Buckets} buckets
 * @param {Buckets} before
 * @param {readonly number[]} percents
 */
function percentilesSince(buckets, before, percents) {
  const earlier = new Map(before);
  /** @type {[number, number][]} */
  const fresh = buckets.map(([upper, count]) => [upper, Math.max(0, count - (earlier.get(upper) ?? 0))]);
  const count = fresh.reduce((sum, [, each]) => sum + each, 0);
  return percents.map((percent) =>
    count > 0 ? percentile(fresh, count, percent, Number.POSITIVE_INFINITY) : 0,
  );
}

/** Rates and times of services over the last minutes. */
class Recent {
  #span;
  #max;
  /** @type {{ at: number, counts: Map<string, Counts> }[]} */
  #kept = [];

  /** @param {number} span in ms @param {number} max of services */
  constructor(span, max) {
    this.#span = span;
    this.#max = max;
  }

  /**
   * Takes a snapshot into account.
   * @param {readonly BrokerStats['services'][number][]} services
   * @param {number} now in ms
   */
  add(services, now) {
    const last = this.#kept.at(-1);
    if (last !== undefined && now - last.at < STEP_MS) return;
    const counts = new Map(services.slice(0, this.#max).map((each) => [each.name, countsOf(each)]));
    this.#kept.push({ at: now, counts });
    while (this.#kept[0].at < now - this.#span) this.#kept.shift();
  }

  /**
   * Per service: requests that ended per second, those of them that failed, and three percentiles in ms.
   * @param {readonly BrokerStats['services'][number][]} services
   * @param {number} now in ms
   * @returns {Record<string, { perSecond: number, failed: number, p50: number, p95: number, p99: number }>}
   */
  of(services, now) {
    const oldest = this.#kept[0];
    // A name may be that of a property of every object.
    const rows = Object.create(null);
    if (oldest === undefined) return rows;
    const seconds = Math.max(1, (now - oldest.at) / 1000);
    for (const service of services.slice(0, this.#max)) {
      const present = countsOf(service);
      const before = oldest.counts.get(service.name);
      // Counts that have decreased are those of another life of the broker.
      const since = before !== undefined && before.ended <= present.ended ? before : NOTHING;
      const [p50, p95, p99] = percentilesSince(present.buckets, since.buckets, [50, 95, 99]);
      rows[service.name] = {
        perSecond: (present.ended - since.ended) / seconds,
        failed: present.failed - since.failed,
        p50,
        p95,
        p99,
      };
    }
    return rows;
  }
}

/** @type {Counts} */
const NOTHING = { ended: 0, failed: 0, buckets: [] };

exports.Recent = Recent;
exports.percentilesSince = percentilesSince;
