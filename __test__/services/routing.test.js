'use strict';
// One worker, keys, priorities, rejections, policies, rates and policies of retries, over real sockets.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Broker, Client, Worker } = require('../..');
const { OldClient } = require('../support/old');
const { SERVICE, peersFor, start } = require('../support/peers');

/** Starts a worker, and waits until the broker has it. */
async function serve(peers, broker, handler, conf = {}) {
  const ready = once(broker, 'workerReady');
  const worker = peers.worker(handler, conf);
  await start(worker);
  await ready;
  return worker;
}

const named = (name) => [(_data, reply) => reply.end(name), { name }];

for (const transport of ['tcp', 'inproc']) {
  describe(`over ${transport}`, () => {
    test('a worker by its name, and the worker of a key', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(), peers.client()];
      await start(broker, client);
      for (const name of ['one', 'two', 'three']) await serve(peers, broker, ...named(name));
      for (const worker of ['three', 'one', 'one']) {
        assert.equal(await client.call(SERVICE, null, { worker }), worker);
      }
      await assert.rejects(client.call(SERVICE, null, { worker: 'four' }), { code: 'W_NONE' });
      const keys = ['a', 'b', 'c', 'ü', 'e', 'f', 'g', 'h'];
      const places = () => Promise.all(keys.map((key) => client.call(SERVICE, null, { key })));
      const first = await places();
      assert.ok(new Set(first).size > 1, first.join());
      assert.deepEqual(await places(), first);
    });

    test('the urgent go first, and handlers see what was asked for', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(), peers.client()];
      await start(broker, client);
      const calls = [0, 5, 9, 5].map((priority, n) => client.call(SERVICE, n, { priority }));
      await client.call('mmi.service', SERVICE);
      const seen = [];
      await serve(peers, broker, (data, reply, { priority }) => {
        seen.push([data, priority]);
        reply.end();
      });
      await Promise.all(calls);
      assert.deepEqual(seen, [
        [2, 9],
        [1, 5],
        [3, 5],
        [0, undefined],
      ]);
    });

    test('a rejected request goes to another worker, and its reason to the operator', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(), peers.client()];
      await start(broker, client);
      const rejections = [];
      broker.on('requestRejected', (event) => rejections.push(event));
      await serve(peers, broker, (_data, reply) => reply.reject({ model: 'missing' }), { name: 'picky' });
      await assert.rejects(client.call(SERVICE, 1, { failFast: true }), { code: 'W_REJECTED' });
      const waits = client.call(SERVICE, 2);
      await serve(peers, broker, ...named('willing'));
      assert.equal(await waits, 'willing');
      assert.equal(await client.call(SERVICE, 3), 'willing');
      assert.ok(rejections.length >= 2);
      const { service, worker, reason } = rejections[0];
      assert.deepEqual([service, worker, reason], [SERVICE, 'picky', { model: 'missing' }]);
      assert.equal((await broker.stats()).counters.rejected, rejections.length);
    });
  });
}

test('a rejection after a part throws', async (t) => {
  const peers = peersFor(t);
  const thrown = [];
  const { client } = await peers.trio((_data, reply) => {
    reply.write(1);
    try {
      reply.reject('too late');
    } catch (error) {
      thrown.push(error.message);
    }
    reply.end(2);
    reply.reject('ended, so nothing happens');
  });
  assert.equal(await client.call(SERVICE), 2);
  assert.deepEqual(thrown, ['reply.reject() must come before any part of the reply']);
});

test('a policy makes requests again, and the handler sees which attempt it is', async (t) => {
  const peers = peersFor(t);
  const attempts = [];
  const { client } = await peers.trio((_data, reply, { attempt }) => {
    attempts.push(attempt);
    if (attempt < 3) throw new Error('not yet');
    reply.end('now');
  });
  const retry = { attempts: 3, on: ['error', 'timeout'], delay: 1, jitter: 0 };
  assert.equal(await client.call(SERVICE, null, { retry }), 'now');
  assert.deepEqual(attempts, [1, 2, 3]);
  await assert.rejects(client.call(SERVICE, null, { retry: { ...retry, attempts: 2 } }), {
    message: 'not yet',
  });
  const signal = AbortSignal.abort();
  await assert.rejects(client.call(SERVICE, null, { retry, signal }), { code: 'C_ABORTED' });
});

test('no attempt begins after the deadline of a request', async (t) => {
  const peers = peersFor(t);
  const seen = { limited: [], counted: [] };
  const { client } = await peers.trio((name, reply, { attempt }) => {
    seen[name].push([attempt, reply.remaining]);
    throw new Error('never');
  });
  const retry = { attempts: 255, on: ['error'], delay: 20, factor: 1, jitter: 0 };
  // The deadline may pass during an attempt.
  const isEnd = (error) => error.message === 'never' || error.code === 'C_TIMEOUT';
  await assert.rejects(client.call(SERVICE, 'limited', { retry, deadline: 300 }), isEnd);
  const count = seen.limited.length;
  assert.ok(count > 1 && count <= 15, `${count} attempts`);
  let before = 300;
  for (const [at, [attempt, left]] of seen.limited.entries()) {
    assert.equal(attempt, at + 1);
    // The deadline may pass on the way to a handler, but then no other attempt follows.
    assert.ok(before > 0 && left <= before, `${left} behind ${before}`);
    before = left;
  }
  await assert.rejects(client.call(SERVICE, 'counted', { retry: { ...retry, attempts: 2 } }), {
    message: 'never',
  });
  assert.equal(seen.counted.length, 2);
});

test('policies by the broker and by workers, and rates', async (t) => {
  const peers = peersFor(t);
  const broker = peers.broker({
    services: { heavy: { balance: 'weighted' }, 'ra*': { rate: { max: 2, interval: 60_000 } } },
  });
  const client = peers.client();
  await start(broker, client);
  const counts = { light: 0, heavy: 0 };
  for (const [name, weight] of [
    ['light', 1],
    ['heavy', 4],
  ]) {
    const handler = (_data, reply) => {
      counts[name] += 1;
      reply.end();
    };
    await serve(peers, broker, handler, { service: 'heavy', weight });
  }
  for (let n = 0; n < 50; n += 1) await client.call('heavy');
  assert.deepEqual(counts, { light: 10, heavy: 40 });
  await serve(peers, broker, (_data, reply) => reply.end('in time'), { service: 'rare' });
  assert.deepEqual(await Promise.all([client.call('rare'), client.call('rare')]), ['in time', 'in time']);
  await assert.rejects(client.call('rare', null, { timeout: 50 }), { code: 'C_TIMEOUT' });
});

test('a client of 0.0.92 may give these options too', async (t) => {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker();
  await start(broker);
  for (const name of ['one', 'two']) await serve(peers, broker, ...named(name));
  const client = new OldClient(t, peers.endpoint);
  for (const worker of ['two', 'two', 'one']) {
    assert.equal((await client.ask(SERVICE, 1, { timeout: 60_000, worker })).final, worker);
  }
  const nobody = await client.ask(SERVICE, 1, { timeout: 60_000, worker: 'three' });
  assert.equal(nobody.error, 'W_NONE');
});

test('what makes no sense is refused where it is said', async (t) => {
  const client = new Client('inproc://nowhere');
  t.after(() => client.stop());
  const asks = (opts) => () => client.request(SERVICE, null, null, null, opts);
  for (const [opts, name, message] of [
    [{ priority: 10 }, 'RangeError', 'option "priority" must be an integer from 0 to 9, got 10'],
    [
      { priority: 'high' },
      'TypeError',
      'option "priority" must be an integer from 0 to 9, got "high" (string)',
    ],
    [{ key: '' }, 'RangeError', 'option "key" must be a string of 1 to 255 bytes, got "" (string)'],
    [{ worker: 7 }, 'TypeError', 'option "worker" must be a string of 1 to 255 bytes, got 7 (number)'],
    [{ worker: 'a', key: 'b' }, 'TypeError', 'option "worker" cannot be used with option "key"'],
    [{ retry: { attempts: 0 } }, 'RangeError', undefined],
    [{ retry: { on: ['bored'] } }, 'RangeError', undefined],
    [{ retry: { often: 3 } }, 'TypeError', undefined],
    [{ retry: 'often' }, 'TypeError', undefined],
  ]) {
    assert.throws(asks(opts), (error) => {
      assert.equal(error.name, name, JSON.stringify(opts));
      if (message !== undefined) assert.ok(error.message.startsWith(message), error.message);
      return true;
    });
  }
  const broker = (services) => () => new Broker('inproc://nowhere', { services });
  assert.throws(broker({ a: { balance: 'fair' } }), { name: 'RangeError' });
  assert.throws(broker({ a: { rate: { max: 0, interval: 1 } } }), { name: 'RangeError' });
  assert.throws(broker({ a: { rate: { max: 1 } } }), { name: 'TypeError' });
  assert.throws(broker({ a: { speed: 1 } }), { name: 'TypeError' });
  assert.throws(() => new Worker('inproc://nowhere', 'a', { balance: 'fair' }), { name: 'RangeError' });
});
