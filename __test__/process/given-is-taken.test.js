'use strict';
// Bytes that their owner changes after the call has returned arrive as they were.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { SERVICE, peersFor, start } = require('../support/peers');

const SIZES = [8, 4096, 100_000, 600_000];

describe('a Buffer that is used again', () => {
  for (const size of SIZES) {
    test(`of ${size} bytes: partials and the final`, async (t) => {
      const { client } = await peersFor(t, 'tcp').trio((_data, reply) => {
        const buffer = Buffer.alloc(size);
        for (let n = 0; n < 8; n += 1) reply.write(buffer.fill(n));
        reply.end(buffer.fill(8));
        buffer.fill(255);
      });
      const got = [];
      for await (const part of client.requestStream(SERVICE)) got.push(part);
      assert.deepEqual(
        got,
        Array.from({ length: 9 }, (_, n) => Buffer.alloc(size, n)),
      );
    });

    test(`of ${size} bytes: requests, before start() too`, async (t) => {
      const peers = peersFor(t, 'tcp');
      await start(peers.broker());
      await start(peers.worker((data, reply) => reply.end(data), { concurrency: -1 }));
      const client = peers.client();
      const buffer = new Uint8Array(size);
      const calls = [];
      for (let n = 0; n < 4; n += 1) calls.push(client.call(SERVICE, buffer.fill(n)));
      buffer.fill(255);
      await client.start();
      for (let n = 4; n < 8; n += 1) calls.push(client.call(SERVICE, buffer.fill(n)));
      buffer.fill(255);
      assert.deepEqual(
        await Promise.all(calls),
        Array.from({ length: 8 }, (_, n) => Buffer.alloc(size, n)),
      );
    });
  }

  test('one that is detached arrives whole', async (t) => {
    const { client } = await peersFor(t).trio();
    const echoes = [1, 2, 3].map((n) => {
      const bytes = new Uint8Array(64).fill(n);
      const call = client.call(SERVICE, bytes);
      structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
      return call;
    });
    assert.deepEqual(
      await Promise.all(echoes),
      [1, 2, 3].map((n) => Buffer.alloc(64, n)),
    );
  });
});
