'use strict';
// Which workers have series of their own, and that no counter decreases.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { WorkerSeries } = require('../../lib/monitor/worker-series');

const worker = (name, ended, rest = {}) => {
  return { service: 's', name, ended, failed: 0, rejected: 0, running: 0, ...rest };
};
const names = ({ own }) => own.map(({ name }) => name);

test('a worker keeps its series, and the counts of others stay when they leave', () => {
  const series = new WorkerSeries(2, 'other');
  assert.deepEqual(series.update([]), { own: [], others: undefined });
  const first = series.update([worker('a', 5), worker('b', 6), worker('c', 7, { failed: 1, running: 2 })]);
  assert.deepEqual(names(first), ['a', 'b']);
  assert.deepEqual(first.others, { ended: 7, failed: 1, rejected: 0, running: 2 });
  // The order of the list has no influence.
  const second = series.update([worker('c', 9, { failed: 1 }), worker('b', 6), worker('a', 5)]);
  assert.deepEqual([names(second), second.others.ended], [['b', 'a'], 9]);
  // There is room, which a new worker gets: what c has counted is in the others already.
  const third = series.update([worker('c', 10), worker('b', 6), worker('d', 1)]);
  assert.deepEqual([names(third), third.others.ended], [['b', 'd'], 10]);
  const fourth = series.update([worker('b', 6)]);
  assert.deepEqual(
    [names(fourth), fourth.others],
    [['b'], { ended: 10, failed: 1, rejected: 0, running: 0 }],
  );
});

test('one that registers again begins anew, and names that are equal share', () => {
  const series = new WorkerSeries(0, 'other');
  series.update([worker('a', 5), worker('a', 2)]);
  assert.equal(series.update([worker('a', 6), worker('a', 2)]).others.ended, 8);
  assert.equal(series.update([worker('a', 3)]).others.ended, 11);
  const named = new WorkerSeries(5, 'other');
  const { own, others } = named.update([worker('other', 1), worker('x', 2), worker('x', 3)]);
  assert.deepEqual([own.map(({ ended }) => ended), others.ended], [[2], 4]);
});
