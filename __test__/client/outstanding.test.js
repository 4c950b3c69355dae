'use strict';
// The table of what is outstanding, by its number.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Table } = require('../../lib/table');

describe('a table', () => {
  test('has what it was given, whatever its numbers', () => {
    const table = new Table();
    for (const id of [1, 17, 33, 2 ** 31, 2 ** 32 + 1, 2 ** 40 + 17, Number.MAX_SAFE_INTEGER]) {
      table.add(id, `of ${id}`);
    }
    for (const id of [1, 17, 33, 2 ** 31, 2 ** 32 + 1, 2 ** 40 + 17, Number.MAX_SAFE_INTEGER]) {
      assert.equal(table.get(id), `of ${id}`);
    }
    for (const id of [0, -1, 2, 1.5, 16, 49, 2 ** 32, Number.POSITIVE_INFINITY, Number.NaN]) {
      assert.equal(table.get(id), undefined);
      assert.equal(table.has(id), false);
      assert.equal(table.delete(id), false);
    }
    assert.equal(table.size, 7);
    assert.equal(table.delete(17), true);
    assert.equal(table.delete(17), false);
    assert.equal(table.has(33), true);
    assert.equal(table.size, 6);
  });

  test('is what a Map is, while some stay for long and many come and go', () => {
    let seed = 1;
    const random = (below) => {
      seed = (seed * 48271) % 2147483647;
      return seed % below;
    };
    for (const most of [1, 3, 8, 9, 40, 3000]) {
      const [table, map] = [new Table(), new Map()];
      let last = 0;
      for (let step = 0; step < 20_000; step += 1) {
        if (random(2) === 0 && map.size < most) {
          last += 1;
          const value = { id: last };
          table.add(last, value);
          map.set(last, value);
        } else if (map.size > 0) {
          // The oldest mostly; now and then a later one, so that old ones stay behind.
          const ids = [...map.keys()].slice(random(8) === 0 ? -3 : 0);
          assert.equal(table.delete(ids[0]), map.delete(ids[0]));
          assert.equal(table.get(ids[0]), undefined);
        }
        const id = last - random(2 * most);
        assert.equal(table.get(id), map.get(id));
        assert.equal(table.size, map.size);
      }
      assert.deepEqual(table.clear(), [...map.values()]);
      assert.equal(table.size, 0);
    }
  });

  test('gives all that there are in the order of their numbers, and leaves none', () => {
    const table = new Table();
    for (const id of [1, 2, 3, 19, 35, 36]) table.add(id, id);
    assert.deepEqual(table.clear(), [1, 2, 3, 19, 35, 36]);
    assert.deepEqual(table.clear(), []);
    assert.equal(table.has(19), false);
    table.add(19, 'again');
    assert.equal(table.get(19), 'again');
  });

  test('survives a flood', () => {
    const table = new Table();
    const ids = Array.from({ length: 100_000 }, (_, i) => i + 1);
    for (let round = 0; round < 2; round += 1) {
      for (const id of ids) table.add(id, id);
      assert.equal(table.size, ids.length);
      for (const id of ids) assert.equal(table.get(id), id);
      for (const id of ids) assert.equal(table.delete(id), true);
      assert.equal(table.size, 0);
    }
  });
});
