'use strict';
// The counts of services, and their growth between two snapshots.

const { percentile } = require('./merge');

/** @import { ServiceNumbers } from '../../index' */

/** Upper bound and count of each bucket. @typedef {Map<number, number>} Buckets */
/** Requests that have ended, those of them that failed, and their times. */
/** @typedef {{ ended: number, failed: number, buckets: Buckets }} Counts */

/** @returns {Counts} */
const none = () => ({ ended: 0, failed: 0, buckets: new Map() });

/** @param {Pick<ServiceNumbers, 'counters' | 'latency'>} service @returns {Counts} */
function countsOf({ counters, latency }) {
  return { ...endsOf(counters), buckets: new Map(latency.total.buckets) };
}

/** @param {Pick<ServiceNumbers['counters'], 'replies' | 'failures' | 'errors'>} counters */
function endsOf({ replies, failures, errors }) {
  const failed = failures + Object.values(errors).reduce((sum, count) => sum + count, 0);
  return { ended: replies + failed, failed };
}

/** @param {Counts} into @param {Counts} from */
function add(into, from) {
  into.ended += from.ended;
  into.failed += from.failed;
  for (const [upper, count] of from.buckets) into.buckets.set(upper, (into.buckets.get(upper) ?? 0) + count);
}

/**
 * The growth of counts since an earlier snapshot.
 * @param {Counts} now
 * @param {Counts | undefined} before
 * @returns {Counts}
 */
function since(now, before) {
  // Counts that have decreased are those of a service that was released and created again.
  if (before === undefined || before.ended > now.ended) return now;
  const result = none();
  result.ended = now.ended - before.ended;
  result.failed = Math.max(0, now.failed - before.failed);
  if (result.ended === 0) return result;
  for (const [upper, count] of now.buckets) {
    const fresh = count - (before.buckets.get(upper) ?? 0);
    if (fresh > 0) result.buckets.set(upper, fresh);
  }
  return result;
}

/** @param {Counts} counts @param {readonly number[]} percents @returns {number[]} in ms, 0 without a request */
function percentilesOf({ buckets }, percents) {
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  const count = sorted.reduce((sum, [, each]) => sum + each, 0);
  return percents.map((percent) =>
    count > 0 ? percentile(sorted, count, percent, Number.POSITIVE_INFINITY) : 0,
  );
}

exports.add = add;
exports.countsOf = countsOf;
exports.endsOf = endsOf;
exports.none = none;
exports.percentilesOf = percentilesOf;
exports.since = since;
