'use strict';
// maxBlocked: how long a JavaScript thread that answers nothing counts as alive.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { runChild } = require('../support/child');
const { REMOTE_TRANSPORTS } = require('../support/endpoints');
const { record } = require('../support/events');
const { SERVICE, ask, echo, peersFor, start } = require('../support/peers');

/** Small enough for a test, and large enough for a machine that is busy with others. */
const MAX_BLOCKED = 1000;

/** Runs in the child: a worker whose handler blocks for as many ms, or until the test writes a line to the process. */
async function blockingWorker({ omdp, say, endpoint, service, conf }) {
  const worker = new omdp.Worker(endpoint, service, conf);
  for (const event of ['connect', 'disconnect']) worker.on(event, (...args) => say(event, args));
  worker.on('request', (ms, reply) => {
    say('request');
    if (ms === 'until told') require('node:fs').readSync(0, Buffer.alloc(64));
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    reply.end('late');
    say('ended', reply.signal.reason?.code);
  });
  await worker.start();
}

for (const transport of REMOTE_TRANSPORTS) {
  describe(`over ${transport}`, () => {
    test('a handler that blocks for longer: W_LOST, an event afterwards, and back again', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(), peers.client()];
      await start(broker, client);
      const { endpoint } = peers;
      const conf = { maxBlocked: MAX_BLOCKED };
      const child = runChild(t, blockingWorker, { endpoint, service: SERVICE, conf });
      await child.said('connect');
      const asked = ask(client, 'until told');
      await child.said('request');
      const begin = performance.now();
      const gone = once(broker, 'workerGone');
      assert.deepEqual((await asked).final, ['W_LOST']);
      const took = performance.now() - begin;
      assert.ok(took > MAX_BLOCKED * 0.9, `${took} ms`);
      const [{ reason, lost }] = await gone;
      // The worker has said itself that the request is lost, so it holds none when it goes.
      assert.deepEqual([reason, lost], ['connection lost', 0]);
      assert.deepEqual((await broker.stats()).tables.workers, 0);
      child.tell('go on');
      assert.deepEqual((await child.said('disconnect')).value, [endpoint, 'event loop blocked']);
      const calls = [client.call(SERVICE, 0), client.call(SERVICE, 1)];
      await child.said('connect');
      assert.deepEqual(await Promise.all(calls), ['late', 'late']);
    });

    test('with retry another worker gets the request, and what had not started goes back', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(), peers.client()];
      await start(broker, client);
      const conf = { maxBlocked: MAX_BLOCKED };
      const child = runChild(t, blockingWorker, { endpoint: peers.endpoint, service: SERVICE, conf });
      await child.said('connect');
      const call = client.call(SERVICE, 'until told', { retry: 1 });
      await child.said('request');
      const other = peers.worker((ms, reply, { attempt }) => reply.end([ms, attempt]));
      await other.start();
      assert.deepEqual(await call, ['until told', 2]);
      child.kill();
    });
  });
}

test('without the option a handler blocks for twice the liveness, and delivers', async (t) => {
  const conf = { heartbeat: 200, liveness: 5 };
  const peers = peersFor(t, 'tcp');
  const [broker, client] = [peers.broker(conf), peers.client()];
  await start(broker, client);
  const log = record(broker, ['workerGone']);
  const child = runChild(t, blockingWorker, { endpoint: peers.endpoint, service: SERVICE, conf });
  await child.said('connect');
  assert.equal(await client.call(SERVICE, 2000), 'late');
  assert.deepEqual(log, []);
  child.kill();
});

test('an idle worker, and one that works without blocking, stay', async (t) => {
  const { broker, worker, client } = await peersFor(t, 'tcp').trio(
    async (ms, reply) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      reply.end(ms);
    },
    { worker: { maxBlocked: 1000 } },
  );
  const logs = [record(worker, ['disconnect']), record(broker, ['workerGone'])];
  assert.equal(await client.call(SERVICE, 1500), 1500);
  assert.deepEqual(logs, [[], []]);
});

test('the process of a worker that stopped ends, pings or not', async (t) => {
  const peers = peersFor(t, 'tcp');
  await peers.broker().start();
  const child = runChild(
    t,
    async ({ omdp, endpoint, service }) => {
      const worker = new omdp.Worker(endpoint, service, { maxBlocked: 50 });
      await worker.start();
      await worker.stop();
    },
    { endpoint: peers.endpoint, service: SERVICE },
  );
  assert.equal((await child.ended).code, 0);
  await peers.worker(echo).start();
});
