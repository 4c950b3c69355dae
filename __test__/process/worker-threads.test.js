'use strict';
// One native context for the whole process: inproc:// connects worker threads, and a thread that is terminated in the
// middle of requests leaves nothing behind. `OMDP_THREADS=20` has the last test start so many.
const assert = require('node:assert/strict');
const path = require('node:path');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Worker: Thread } = require('node:worker_threads');
const { TRANSPORTS, freshEndpoint } = require('../support/endpoints');
const { until } = require('../support/events');
const { SERVICE, ask, echo, peersFor, start } = require('../support/peers');
const { COUNTING, counts } = require('../support/resources');

const THREADS = Number(process.env.OMDP_THREADS ?? 300);
const PROGRAM = path.join(__dirname, '..', 'support', 'in-thread.js');

function thread(t, endpoint, ...parts) {
  const made = new Thread(PROGRAM, { workerData: { endpoint, service: SERVICE, parts } });
  t.after(() => made.terminate());
  return made;
}

/** Waits until the thread says this. */
function says(made, what) {
  return new Promise((resolve, reject) => {
    made.on('message', (message) => message === what && resolve());
    made.on('error', reject);
    made.on('exit', (code) => reject(new Error(`the thread ended (${code}) before it said ${what}`)));
  });
}

for (const transport of TRANSPORTS) {
  describe(`over ${transport}`, () => {
    test('broker, worker and client work in a thread each', async (t) => {
      const { endpoint } = peersFor(t, transport);
      const [broker, worker, client] = ['broker', 'worker', 'caller'].map((part) =>
        thread(t, endpoint, part),
      );
      await Promise.all([broker, worker, client].map((each) => says(each, 'ready')));
      client.postMessage({ hello: 'thread' });
      const [{ reply }] = await once(client, 'message');
      assert.deepEqual(reply, { hello: 'thread' });
    });

    test('peers of the main thread and of others find each other, whoever begins', async (t) => {
      const peers = peersFor(t, transport);
      const client = peers.client();
      await client.start();
      const early = client.call(SERVICE, 'early');
      const worker = thread(t, peers.endpoint, 'worker');
      await says(worker, 'ready');
      thread(t, peers.endpoint, 'broker');
      assert.equal(await early, 'early');
    });

    test('a worker whose thread is terminated is lost at once', async (t) => {
      const peers = peersFor(t, transport);
      const slow = { heartbeat: 60_000 };
      const [broker, client] = [peers.broker(slow), peers.client(slow)];
      await start(broker, client);
      const worker = thread(t, peers.endpoint, 'worker');
      const held = ask(client, 'silence');
      assert.equal(await client.call(SERVICE, 'it runs'), 'it runs');
      await worker.terminate();
      assert.deepEqual((await held).final, ['W_LOST']);
    });

    test('a client whose thread is terminated takes its requests with it', async (t) => {
      const peers = peersFor(t, transport);
      let aborted;
      const { client } = await peers.trio(
        (data, reply) => {
          if (data === 'silence') aborted = once(reply.signal, 'abort');
          else reply.end(data);
        },
        { worker: { concurrency: -1 } },
      );
      const other = thread(t, peers.endpoint, 'traffic');
      await says(other, 'busy');
      await until(() => aborted !== undefined);
      await other.terminate();
      await aborted;
      assert.equal(await client.call(SERVICE, 'goes on'), 'goes on');
    });

    test('a broker whose thread is terminated is lost at once, and another takes its place', async (t) => {
      const peers = peersFor(t, transport);
      const slow = { heartbeat: 60_000 };
      const first = thread(t, peers.endpoint, 'broker');
      await says(first, 'ready');
      const [worker, client] = [peers.worker(echo, { ...slow, reconnect: 1 }), peers.client(slow)];
      await start(worker, client);
      assert.equal(await client.call(SERVICE, 1), 1);
      const lost = Promise.all([once(worker, 'disconnect'), once(client, 'disconnect')]);
      await first.terminate();
      await lost;
      const call = client.call(SERVICE, 2);
      const second = peers.broker();
      // The address is free when the thread's socket is closed, which nothing tells.
      await until(() =>
        second.start().then(
          () => true,
          () => false,
        ),
      );
      assert.equal(await call, 2);
    });
  });
}

test('a thread that has stopped its peers ends by itself', async (t) => {
  const peers = peersFor(t);
  const { client } = await peers.trio();
  const ended = thread(t, peers.endpoint, 'stop');
  assert.deepEqual(await once(ended, 'exit'), [0]);
  assert.equal(await client.call(SERVICE, 'goes on'), 'goes on');
});

test('process.exit() of a thread in the middle of its requests ends that thread alone', async (t) => {
  const peers = peersFor(t);
  const { client } = await peers.trio((data, reply) => data === 'silence' || reply.end(data), {
    worker: { concurrency: -1 },
  });
  const exits = Array.from({ length: 10 }, () => once(thread(t, peers.endpoint, 'worker', 'exit'), 'exit'));
  for (const [code] of await Promise.all(exits)) assert.equal(code, 3);
  assert.equal(await client.call(SERVICE, 'goes on'), 'goes on');
});

test(
  `${THREADS} threads started, and terminated in the middle of requests, leave no thread and no descriptor`,
  COUNTING,
  async (t) => {
    const peers = peersFor(t);
    const endpoints = [peers.endpoint, ...TRANSPORTS.map(freshEndpoint)];
    const broker = peers.broker({}, endpoints);
    const worker = peers.worker((data, reply) => data === 'silence' || reply.end(data), { concurrency: -1 });
    const client = peers.client();
    await start(broker, worker, client);
    const round = async (size) => {
      const threads = Array.from({ length: size }, (_, i) =>
        thread(t, endpoints[i % endpoints.length], 'worker', 'traffic'),
      );
      await Promise.all(threads.map((each) => says(each, 'busy')));
      await Promise.all(threads.map((each) => each.terminate()));
    };
    /** With nothing of ours running, and the native side at rest. */
    const atRest = async (isSo) => {
      await Promise.all([client.stop(), worker.stop({ timeout: 0 }), broker.stop()]);
      let last;
      await until(
        () => {
          last = counts();
          return isSo(last);
        },
        () => `at rest it has ${JSON.stringify(last)}`,
      );
      await start(broker, worker, client);
      return last;
    };
    // Once for what Node and the system make at the first time and keep.
    await round(10);
    let before;
    let same = 0;
    await atRest((now) => {
      same = JSON.stringify(now) === JSON.stringify(before) ? same + 1 : 0;
      before = now;
      return same === 20;
    });
    for (let i = 0; i < THREADS; i += 10) await round(10);
    await atRest((now) => now.threads <= before.threads && now.descriptors <= before.descriptors);
    assert.equal(await client.call(SERVICE, 'goes on'), 'goes on');
  },
);
