'use strict';
// Texts that cross by themselves: JSON and options from 32 KiB on, and what JavaScript can't hold.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Inbox } = require('../../lib/inbox');
const { DRAIN_FIELDS, DRAIN_HEADER, Flag, Kind } = require('../../lib/load');
const { LargeJson } = require('../../lib/values');
const { SERVICE, peersFor } = require('../support/peers');

describe('large texts arrive whole', () => {
  const rows = Array.from({ length: 5000 }, (_, n) => ({ n, text: 'é€😀\n"' }));

  test('JSON of requests, partials, finals and error values', async (t) => {
    const { client } = await peersFor(t, 'tcp').trio((data, reply) => {
      if (data.fails) return reply.error(data);
      reply.write(data);
      reply.end(data);
    });
    const got = [];
    for await (const part of client.requestStream(SERVICE, rows)) got.push(part);
    assert.deepEqual(got, [rows, rows]);
    await assert.rejects(client.call(SERVICE, { fails: true, rows }), ({ value }) => {
      assert.deepEqual(value.rows, rows);
      return true;
    });
  });

  test('headers, beside data of each kind', async (t) => {
    const { client } = await peersFor(t, 'tcp').trio((data, reply, { headers }) => {
      reply.end([Buffer.isBuffer(data) ? data.length : data, headers.long.length, headers.wide]);
    });
    const headers = { long: 'x'.repeat(40_000), wide: '😀' };
    for (const data of [1, 'short', rows, 'long'.repeat(5000)]) {
      assert.deepEqual(await client.call(SERVICE, data, { headers }), [data, 40_000, '😀']);
    }
    assert.deepEqual(await client.call(SERVICE, Buffer.alloc(7), { headers }), [7, 40_000, '😀']);
  });
});

test('what JavaScript can not hold is null for its record alone', () => {
  const records = [
    [Kind.Request, 1, 3, 0, 0, 0, 0, 1],
    [Kind.Request | Flag.Blob | Flag.Json, 2, 0, 2, 0, 0, 0, 1],
    [Kind.Request | Flag.Blob, 3, 0, 0, 0, 0, 0, 1],
    [Kind.Request | Flag.Blob | Flag.Json | Flag.Extra, 4, 0, 0, 1, 0, 0, 1],
    [Kind.Request | Flag.Extra, 5, 3, 0, 0, 0, 0, 1],
    [Kind.Request | Flag.Extra, 6, 3, 0, 1, 0, 1, 1],
    [Kind.Request, 7, 3, 0, 0, 0, 0, 1],
  ];
  const blobs = [null, null, '[4]', '{"o":4}', null, '{"o":6}'];
  let drained = false;
  const core = {
    drain(into) {
      into.fill(0, 0, DRAIN_HEADER);
      if (drained) return '';
      drained = true;
      records.forEach((record, n) => {
        into.set(record, DRAIN_HEADER + DRAIN_FIELDS * n);
      });
      into.set([records.length, blobs.length, 0, records.length, 0]);
      return '"1"{}u"5""6"UM"7"';
    },
    takeBlobs: () => blobs,
  };
  const taken = [];
  const take = (_kind, id, a, b, c, text, from, blob, _n, d, e) => {
    let at = from;
    const texts = [a, b, c, d, e].map((length) => {
      at += length;
      return text.slice(at - length, at);
    });
    taken.push([id, blob instanceof LargeJson ? blob.parse() : blob, ...texts]);
  };
  const outbox = { beginDrain() {}, endDrain() {}, flush() {}, touch() {} };
  const inbox = new Inbox(
    core,
    outbox,
    take,
    () => {},
    () => records.length,
    () => {},
  );
  inbox.wake();
  assert.deepEqual(taken, [
    [1, undefined, '"1"', '', '', '', ''],
    [2, null, '', '{}', '', '', ''],
    [3, null, '', '', '', '', ''],
    [4, [4], '', '{"o":4}', 'u', '', ''],
    [5, null, '', '', '', '', ''],
    [6, undefined, '"6"', '{"o":6}', 'U', '', 'M'],
    [7, undefined, '"7"', '', '', '', ''],
  ]);
});
