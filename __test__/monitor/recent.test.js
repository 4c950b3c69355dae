'use strict';
// Rates and times over the last minutes.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Recent } = require('../../lib/monitor/recent');

const service = (name, replies, failures, buckets) => {
  return { name, counters: { replies, failures, errors: {} }, latency: { total: { buckets } } };
};

test('rates, failures and percentiles are those since the oldest snapshot in the span', () => {
  const recent = new Recent(60_000, 10);
  assert.deepEqual({ ...recent.of([service('a', 1, 0, [[1, 1]])], 0) }, {});
  recent.add([service('a', 100, 1, [[1, 101]])], 1000);
  // Within the step nothing is kept.
  recent.add([service('a', 150, 1, [[1, 151]])], 5000);
  const buckets = [
    [1, 151],
    [8, 90],
    [64, 10],
  ];
  const services = [service('a', 249, 2, buckets), service('__proto__', 20, 0, [[2, 20]])];
  const rows = recent.of(services, 11_000);
  assert.deepEqual(rows.a, { perSecond: 15, failed: 1, p50: 8, p95: 64, p99: 64 });
  assert.deepEqual(Object.keys(rows), ['a', '__proto__']);
  assert.equal(JSON.parse(JSON.stringify(rows)).a.failed, 1);
  // The first snapshot leaves the span.
  recent.add([service('a', 300, 2, [[1, 302]])], 62_000);
  assert.equal(recent.of([service('a', 310, 2, [[1, 312]])], 67_000).a.perSecond, 2);
});

test('a broker that was started again begins anew', () => {
  const recent = new Recent(600_000, 10);
  recent.add([service('a', 100, 0, [[1, 100]])], 0);
  const { a } = recent.of([service('a', 20, 0, [[4, 20]])], 10_000);
  assert.deepEqual([a.perSecond, a.p50], [2, 4]);
});
