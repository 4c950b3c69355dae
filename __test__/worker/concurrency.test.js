'use strict';
// How many requests run at once, and which worker gets the next.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { deferred } = require('../support/events');
const { SERVICE, peersFor, start } = require('../support/peers');

test('one request at a time: the next comes after the reply has ended, and in order', async (t) => {
  const log = [];
  const handler = (data, reply) => {
    log.push(`begin ${data}`);
    setImmediate(() => {
      log.push(`end ${data}`);
      reply.end(data);
    });
  };
  const { client } = await peersFor(t).trio(handler, { worker: { prefetch: 0 } });
  const data = [1, 2, 3, 4, 5];
  assert.deepEqual(await Promise.all(data.map((each) => client.call(SERVICE, each))), data);
  assert.deepEqual(
    log,
    data.flatMap((each) => [`begin ${each}`, `end ${each}`]),
  );
});

test('waiting workers are served in the order in which they became idle', async (t) => {
  const peers = peersFor(t);
  const [broker, client] = [peers.broker(), peers.client()];
  await start(broker, client);
  for (const name of ['W0', 'W1', 'W2']) {
    const ready = once(broker, 'workerReady');
    await peers.worker((data, reply) => reply.end(name), { name }).start();
    await ready;
  }
  // A new worker gets no request before the client has heard of it.
  const seen = new Set();
  while (seen.size < 3) seen.add(await client.call(SERVICE, 'first'));
  const served = [];
  for (let i = 0; i < 9; i += 1) served.push(await client.call(SERVICE, i));
  assert.equal(new Set(served.slice(0, 3)).size, 3);
  assert.deepEqual(served.slice(3), [...served.slice(0, 3), ...served.slice(0, 3)]);
});

describe('concurrency', () => {
  /** A worker whose handlers all wait, and how many of them there are. */
  async function crowd(t, concurrency) {
    const waiting = [];
    let arrived = deferred();
    const peers = await peersFor(t).trio(
      (data, reply) => {
        waiting.push(reply);
        arrived.resolve();
        arrived = deferred();
      },
      { worker: { concurrency } },
    );
    const reach = async (count) => {
      while (waiting.length < count) await arrived.promise;
    };
    return { ...peers, waiting, reach };
  }

  test('so many requests run at once, and no more', async (t) => {
    const { client, waiting, reach } = await crowd(t, 3);
    const calls = Array.from({ length: 7 }, (_, i) => client.call(SERVICE, i));
    await reach(3);
    waiting[1].end('second');
    assert.equal(await calls[1], 'second');
    await reach(4);
    assert.equal(waiting.length, 4, 'one for the one that ended');
    for (const i of [0, 2, 3]) waiting[i].end();
    await reach(7);
    for (const reply of waiting) reply.end();
    await Promise.all(calls);
  });

  test('-1 is no limit', async (t) => {
    const { client, waiting, reach } = await crowd(t, -1);
    const calls = Array.from({ length: 500 }, (_, i) => client.call(SERVICE, i));
    await reach(500);
    for (const reply of waiting) reply.end();
    await Promise.all(calls);
  });

  test('may be changed while it runs', async (t) => {
    const { worker, client, waiting, reach } = await crowd(t, 1);
    const calls = Array.from({ length: 6 }, (_, i) => client.call(SERVICE, i));
    await reach(1);
    worker.concurrency = 4;
    assert.equal(worker.concurrency, 4);
    await reach(4);
    worker.concurrency = 1;
    for (const reply of waiting.slice(0, 4)) reply.end();
    await reach(5);
    assert.equal(waiting.length, 5);
    waiting[4].end();
    await reach(6);
    waiting[5].end();
    await Promise.all(calls);
  });

  test('changed while it is stopped, it counts from the next start on', async (t) => {
    const { worker, client, waiting, reach } = await crowd(t, 1);
    await worker.stop();
    worker.concurrency = 2;
    await worker.start();
    const calls = [client.call(SERVICE, 1), client.call(SERVICE, 2)];
    await reach(2);
    for (const reply of waiting) reply.end();
    await Promise.all(calls);
  });
});
