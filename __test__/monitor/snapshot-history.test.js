'use strict';
// What the page tells of the last minutes: rates and times of services, rows, and the points of charts.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { ChartHistory } = require('../../lib/monitor/chart-history');
const { peerRows, serviceRows } = require('../../lib/monitor/page-rows');
const { SnapshotHistory } = require('../../lib/monitor/snapshot-history');

const COUNTERS = { requests: 0, replies: 0, failures: 0, partials: 0, cancelled: 0, retried: 0, rejected: 0 };
const times = (buckets) => ({ count: 0, sum: 0, max: 0, buckets });
const PRESENT = { workers: 0, idle: 0, queued: 0, queuedBytes: 0, oldest: 0, running: 0 };

/** What a service has counted. */
function numbers(replies, failures = 0, buckets = [[1, replies + failures]], errors = {}) {
  const latency = { queue: times([]), work: times([]), total: times(buckets) };
  const requests = replies + failures;
  return { counters: { ...COUNTERS, requests, replies, failures, errors, bytesIn: 0, bytesOut: 0 }, latency };
}

const service = (name, ...counts) => {
  return { ...PRESENT, name, named: true, workers: 1, ...numbers(...counts) };
};
const absent = (name, ...counts) => ({ name, ...numbers(...counts) });
const unnamed = (...args) => ({ ...service(...args), named: false, workers: 0, queued: 1 });

/** A snapshot. */
function snapshot(services, absentServices = [], otherServices = numbers(0)) {
  const all = [...services, ...absentServices, otherServices].map(({ counters }) => counters);
  const sum = (key) => all.reduce((total, counters) => total + counters[key], 0);
  const counters = {
    requests: sum('requests'),
    replies: sum('replies'),
    failures: sum('failures'),
    errors: {},
  };
  const rest = { ...PRESENT, ...otherServices };
  return { services, absentServices, otherServices: rest, counters, queued: 0, running: 0 };
}

/** The numbers of the last minutes, by name. */
function rowsOf(recent, stats, now) {
  const { rows } = serviceRows(stats, recent.add(stats, now));
  return new Map(rows.map(({ name, recent: row }) => [name, row]));
}

test('rates, failures and percentiles are those since the oldest snapshot in the span', () => {
  const recent = new SnapshotHistory(60_000);
  recent.add(snapshot([service('a', 100, 1)]), 1000);
  // Within the step nothing is kept.
  recent.add(snapshot([service('a', 150, 1)]), 5000);
  const buckets = [
    [1, 151],
    [8, 90],
    [64, 10],
  ];
  const stats = snapshot([service('a', 249, 2, buckets), service('__proto__', 20, 0, [[2, 20]])]);
  const rows = rowsOf(recent, stats, 11_000);
  assert.deepEqual(rows.get('a'), { perSecond: 15, failed: 1, p50: 8, p95: 64, p99: 64 });
  assert.equal(rows.get('__proto__').perSecond, 2);
  // The first snapshot leaves the span.
  recent.add(snapshot([service('a', 300, 2)]), 62_000);
  assert.equal(rowsOf(recent, snapshot([service('a', 310, 2)]), 67_000).get('a').perSecond, 2);
});

test('a broker that is started again begins anew, whatever it has counted since', () => {
  for (const count of [20, 200]) {
    const recent = new SnapshotHistory(600_000);
    recent.add(snapshot([service('a', 100)]), 0);
    recent.begin(10_000);
    const row = rowsOf(recent, snapshot([service('a', count, 0, [[4, count]])]), 20_000).get('a');
    assert.deepEqual([row.perSecond, row.p50], [count / 10, 4]);
  }
});

test('a service whose last worker leaves and whose first returns has counted nothing', () => {
  const nothing = { perSecond: 0, failed: 0, p50: 0, p95: 0, p99: 0 };
  const recent = new SnapshotHistory(600_000);
  // There before, absent at first, and in neither list for a moment.
  for (const first of [snapshot([service('a', 5, 3)]), snapshot([], [absent('a', 5, 3)])]) {
    recent.begin(0);
    recent.add(first, 600_000);
    recent.add(snapshot([]), 630_000);
    assert.deepEqual(rowsOf(recent, snapshot([], [absent('a', 5, 3)]), 1_260_000).get('a'), nothing);
    assert.deepEqual(rowsOf(recent, snapshot([service('a', 5, 3)]), 1_270_000).get('a'), nothing);
  }
});

test('a service without numbers of its own that goes leaves no load with the others', () => {
  const recent = new SnapshotHistory(600_000);
  recent.add(snapshot([unnamed('x', 7)], [], numbers(1)), 0);
  const rows = rowsOf(recent, snapshot([unnamed('x', 9)], [], numbers(2)), 10_000);
  assert.deepEqual([rows.get('x').perSecond, rows.get(null).perSecond], [0.2, 0.1]);
  assert.equal(rowsOf(recent, snapshot([], [], numbers(11)), 10_000).get(null).perSecond, 0.3);
});

test('two names that are equal as text have one row', () => {
  const stats = snapshot([service('a', 1), service('a', 2)], [absent('a', 3)]);
  const { rows } = serviceRows(stats, new SnapshotHistory(1).add(stats, 0));
  assert.deepEqual(
    rows.map(({ name, workers, counters }) => [name, workers, counters.requests]),
    [['a', 2, 6]],
  );
});

test('the busiest services have rows, the others share one, and the sums are the totals', () => {
  const name = (n) => `s${String(n).padStart(3, '0')}`;
  const many = (of, from, to) => Array.from({ length: to - from }, (_, n) => of(name(from + n), 10 + n));
  const stats = snapshot(many(service, 0, 550), many(absent, 550, 600), numbers(4));
  const recent = new SnapshotHistory(1000);
  recent.begin(0);
  const { rows, count, left } = serviceRows(stats, recent.add(stats, 1000));
  assert.deepEqual([rows.length, count, left], [501, 600, 100]);
  // Those with most requests, by name.
  assert.deepEqual([rows[0].name, rows[499].name, rows[500].name], [name(50), name(549), null]);
  const sum = (value) => rows.reduce((total, row) => total + value(row), 0);
  assert.equal(
    sum(({ counters }) => counters.requests),
    stats.counters.requests,
  );
  assert.equal(
    sum(({ recent: { perSecond } }) => perSecond),
    stats.counters.requests,
  );
  assert.equal(
    sum(({ workers }) => workers),
    550,
  );
  const peers = Array.from({ length: 501 }, (_, n) => ({ name: name(501 - n) }));
  const shown = peerRows(peers, 700);
  assert.deepEqual([shown.rows.length, shown.rows[0].name, shown.left], [500, name(1), 200]);
});

test('the chart of all is that of the totals, and services keep theirs', () => {
  const recent = new SnapshotHistory(600_000);
  const history = new ChartHistory(600_000);
  const add = (stats, at) => history.add(stats, recent.add(stats, at).ledger, at);
  const name = (n) => `s${String(n).padStart(3, '0')}`;
  const many = Array.from({ length: 250 }, (_, n) => service(name(n), 4));
  const first = add(snapshot([service('kept', 1), ...many], [absent('gone', 9, 1)], numbers(5)), 0);
  assert.deepEqual(first.all, [1016, 1016, 1, 0, 0, 0, 0]);
  assert.equal(Object.keys(first.rows).length, 200);
  const stats = snapshot(
    [
      ...many,
      service('kept', 3, 0, [
        [1, 1],
        [9, 2],
      ]),
    ],
    [absent('gone', 9, 1)],
    numbers(5),
  );
  const second = add(stats, 1000);
  assert.deepEqual(second.rows.kept, [3, 3, 0, 0, 0, 9, 9]);
  assert.deepEqual(second.all, [1018, 1018, 1, 0, 0, 9, 9]);
  // A service without a worker has a chart if there is room.
  const third = add(snapshot([], [absent('kept', 3)]), 2000);
  assert.deepEqual([Object.keys(third.rows), history.charted], [['kept'], ['kept']]);
  history.begin(3000);
  assert.deepEqual(history.points.at(-1), { at: 3000, all: [0, 0, 0, 0, 0, 0, 0], rows: {} });
});
