'use strict';
// Sums of the numbers of several services.

/** @import { Latency, ServiceNumbers } from '../../index' */

/** @param {ServiceNumbers[]} all @returns {ServiceNumbers} */
function mergeNumbers(all) {
  /** @type {any} */
  const counters = { errors: {} };
  for (const each of all) {
    for (const [key, value] of Object.entries(each.counters)) {
      if (typeof value === 'number') counters[key] = (counters[key] ?? 0) + value;
    }
    for (const [code, count] of Object.entries(each.counters.errors)) {
      counters.errors[code] = (counters.errors[code] ?? 0) + count;
    }
  }
  const [queue, work, total] = /** @type {const} */ (['queue', 'work', 'total']).map((which) =>
    mergeLatencies(all.map(({ latency }) => latency[which])),
  );
  return { counters, latency: { queue, work, total } };
}

/** @param {Latency[]} all @returns {Latency} */
function mergeLatencies(all) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const { buckets } of all) {
    for (const [upper, count] of buckets) counts.set(upper, (counts.get(upper) ?? 0) + count);
  }
  const buckets = [...counts].sort(([a], [b]) => a - b);
  const count = all.reduce((sum, each) => sum + each.count, 0);
  const max = Math.max(0, ...all.map((each) => each.max));
  const of = (/** @type {number} */ percent) => percentile(buckets, count, percent, max);
  const sum = all.reduce((total, each) => total + each.sum, 0);
  return { count, sum, max, p50: of(50), p90: of(90), p95: of(95), p99: of(99), buckets };
}

/** @param {readonly (readonly [number, number])[]} buckets @param {number} count @param {number} percent @param {number} max */
function percentile(buckets, count, percent, max) {
  let left = Math.max(1, Math.ceil((count * percent) / 100));
  for (const [upper, each] of buckets) {
    left -= each;
    if (left <= 0) return Math.min(upper, max);
  }
  return max;
}

exports.mergeNumbers = mergeNumbers;
exports.percentile = percentile;
