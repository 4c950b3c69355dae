'use strict';
// A client of several brokers spreads its requests over those that live.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { until } = require('../support/events');
const { SERVICE, ask, echo } = require('../support/peers');
const { cast, connected, oneWorkerEach, several } = require('../support/several-brokers');

describe('a client', () => {
  test('spreads its requests evenly where all are alike', async (t) => {
    const { client, asked } = await oneWorkerEach(t, { count: 3 });
    const c = client();
    await Promise.all([connected(c, 3), c.start()]);
    for (let i = 0; i < 30; i += 1) assert.equal(await c.call(SERVICE, i), i);
    assert.deepEqual(asked, [10, 10, 10]);
    await Promise.all(Array.from({ length: 300 }, (_, i) => c.call(SERVICE, i)));
    assert.deepEqual(asked, [110, 110, 110]);
  });

  test('gives less to a broker that has much of its already', async (t) => {
    const peers = several(t);
    await Promise.all([peers.broker(0).start(), peers.broker(1).start()]);
    const w = peers.worker(echo, {}, peers.endpoints[1]);
    await Promise.all([once(w, 'connect'), w.start()]);
    const c = peers.client();
    await Promise.all([connected(c, 2), c.start()]);
    let answered = 0;
    for (let i = 0; i < 20; i += 1) {
      const call = c.call(SERVICE, i, { timeout: -1 }).then(
        () => {
          answered += 1;
        },
        () => {},
      );
      if (i > 0) await Promise.race([call, until(() => answered >= i)]);
    }
    // Where nobody serves one lies, and nobody adds to it while the other has none.
    assert.equal(answered, 19);
  });

  test('waits while there is no broker, and goes to the first that comes', async (t) => {
    const peers = several(t, 2, 'tcp');
    const c = peers.client();
    await c.start();
    const calls = Array.from({ length: 10 }, (_, i) => c.call(SERVICE, i));
    await assert.rejects(c.call(SERVICE, 'impatient', { timeout: 20 }), { code: 'C_TIMEOUT' });
    const aborting = new AbortController();
    const aborted = assert.rejects(c.call(SERVICE, 'aborted', { signal: aborting.signal }), {
      code: 'C_ABORTED',
    });
    aborting.abort();
    await aborted;
    const order = [];
    const handler = (data, reply) => {
      order.push(data);
      reply.end(data);
    };
    await Promise.all([peers.broker(1).start(), peers.worker(handler).start()]);
    await Promise.all(calls);
    assert.deepEqual(
      order,
      calls.map((_, i) => i),
    );
  });

  test('timeouts, partials, errors, signals and cancellations are as with one', async (t) => {
    const cancelled = [];
    let waiting = 0;
    const { theClient: c } = await cast(t, {
      worker: { concurrency: -1 },
      handler: (data, reply) => {
        if (data === 'error') return reply.error({ code: 'EFAIL' });
        if (data === 'wait') {
          waiting += 1;
          return reply.signal.addEventListener('abort', () => cancelled.push(reply));
        }
        reply.write(1);
        reply.write(Buffer.from([2]));
        reply.end(data);
      },
    });
    for (let i = 0; i < 4; i += 1) {
      assert.deepEqual(await ask(c, i), {
        partials: [
          [null, 1],
          [null, Buffer.from([2])],
        ],
        final: [null, i],
      });
      await assert.rejects(c.call(SERVICE, 'error'), { code: 'EFAIL' });
      await assert.rejects(c.call(SERVICE, 'wait', { timeout: 20 }), { code: 'C_TIMEOUT' });
      const stream = c.requestStream(SERVICE, 'never started');
      stream.heartbeat();
      stream.on('error', () => {});
      stream.destroy();
      const parts = [];
      for await (const part of c.requestStream(SERVICE, 'end')) parts.push(part);
      assert.deepEqual(parts, [1, Buffer.from([2]), 'end']);
    }
    c.heartbeat();
    const left = [1, 2].map(() => ask(c, 'wait'));
    await until(() => waiting === 6);
    await c.stop();
    for (const each of left) assert.deepEqual((await each).final, ['C_STOPPED']);
    await until(() => cancelled.length === 6);
  });
});
