'use strict';
// A worker's lives: started before and after its broker, stopped with requests, started again.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { TRANSPORTS } = require('../support/endpoints');
const { deferred, record } = require('../support/events');
const { SERVICE, ask, echo, peersFor, start } = require('../support/peers');

for (const transport of TRANSPORTS) {
  describe(`a worker over ${transport}`, () => {
    test('gets the data of a request, and its end is the final of the client', async (t) => {
      const requests = [];
      const { client } = await peersFor(t, transport).trio((data, reply) => {
        requests.push(data);
        reply.end({ sum: data.a + data.b });
      });
      assert.deepEqual(await client.call(SERVICE, { a: 1, b: 2 }), { sum: 3 });
      assert.deepEqual(requests, [{ a: 1, b: 2 }]);
    });

    test('stopped and started again, it serves', async (t) => {
      const { worker, client } = await peersFor(t, transport).trio();
      for (let life = 1; life <= 5; life += 1) {
        assert.equal(await client.call(SERVICE, life), life);
        await worker.stop();
        const waiting = client.call(SERVICE, 'meanwhile');
        await worker.start();
        assert.equal(await waiting, 'meanwhile');
      }
    });

    test('stopped right after it was started, and started again, it serves', async (t) => {
      for (let i = 0; i < 30; i += 1) {
        const peers = peersFor(t, transport);
        const [broker, worker, client] = [
          peers.broker(),
          peers.worker(echo, { reconnect: 1 }),
          peers.client(),
        ];
        await start(broker, worker, client);
        await worker.stop();
        await worker.start();
        assert.equal(await client.call(SERVICE, i), i);
        await Promise.all([client.stop(), worker.stop(), broker.stop()]);
      }
    });

    test('may start before the broker, and finds it', async (t) => {
      const peers = peersFor(t, transport);
      const [worker, client] = [peers.worker(echo), peers.client()];
      await start(worker, client);
      const early = client.call(SERVICE, 'early');
      await peers.broker().start();
      assert.equal(await early, 'early');
    });
  });
}

describe('stop() of a worker', () => {
  test('lets the running request end, and takes no other', async (t) => {
    const running = deferred();
    const peers = peersFor(t);
    const { worker, client } = await peers.trio((data, reply) => running.resolve(reply));
    const [first, second] = [client.call(SERVICE, 1), client.call(SERVICE, 2)];
    const reply = await running.promise;
    const log = record(worker, ['stop']);
    const stopping = worker.stop();
    const other = peers.worker((data, answer) => answer.end(`other ${data}`));
    await other.start();
    assert.equal(await second, 'other 2');
    assert.deepEqual(log, []);
    assert.equal(reply.active(), true);
    reply.end('late, but whole');
    assert.equal(await first, 'late, but whole');
    await stopping;
    assert.deepEqual(log, ['stop']);
  });

  test('requests that it had not begun go to another worker', async (t) => {
    const peers = peersFor(t);
    const arrived = deferred();
    const { worker, client } = await peers.trio((data, reply) => arrived.resolve(reply));
    const calls = [1, 2, 3].map((data) => client.call(SERVICE, data));
    const reply = await arrived.promise;
    const stopped = worker.stop();
    await peers.worker((data, answer) => answer.end(`other ${data}`)).start();
    reply.end('mine');
    await stopped;
    assert.deepEqual(await Promise.all(calls), ['mine', 'other 2', 'other 3']);
  });

  test('with a timeout: what still runs is cancelled, and its client told', async (t) => {
    const running = deferred();
    const { worker, client } = await peersFor(t).trio((data, reply) => running.resolve(reply));
    const asked = ask(client, 1);
    const reply = await running.promise;
    const { signal } = reply;
    await worker.stop({ timeout: 10 });
    assert.equal(reply.active(), false);
    assert.equal(signal.aborted, true);
    assert.equal(signal.reason.code, 'W_LOST');
    assert.deepEqual((await asked).final, ['W_LOST']);
    reply.write('into the void');
    reply.end('into the void');
  });

  test('a second call can be less patient than the first', async (t) => {
    const running = deferred();
    const { worker, client } = await peersFor(t).trio((data, reply) => running.resolve(reply));
    const asked = ask(client, 1);
    await running.promise;
    await Promise.all([worker.stop(), worker.stop({ timeout: 0 })]);
    assert.deepEqual((await asked).final, ['W_LOST']);
  });

  test('while it looks for a broker ends the search', async (t) => {
    const peers = peersFor(t);
    const { broker, worker, client } = await peers.trio(echo, { worker: { reconnect: 60_000 } });
    await client.call(SERVICE, 'so that the worker has its broker');
    const lost = once(worker, 'disconnect');
    await broker.stop();
    await lost;
    const log = record(worker);
    await worker.stop();
    await broker.start();
    const ready = record(broker, ['workerReady']);
    const other = peers.worker(echo, { name: 'other' });
    const seen = once(broker, 'workerReady');
    await other.start();
    await seen;
    assert.deepEqual(ready, [['workerReady', { worker: 'other', service: SERVICE }]]);
    assert.deepEqual(log, ['stop']);
  });
});

test('a service may have any name that is text', async (t) => {
  const peers = peersFor(t);
  const { client } = await peers.trio();
  const names = [
    'constructor',
    '__proto__',
    'hasOwnProperty',
    'toString',
    'dienst-ü',
    '服务',
    '😀',
    ' ',
    '0',
    'x'.repeat(255),
  ];
  for (const service of names) {
    const worker = peers.worker((data, reply) => reply.end(worker.service === service), { service });
    await worker.start();
    assert.equal(await client.call(service, 1), true, service);
  }
});
