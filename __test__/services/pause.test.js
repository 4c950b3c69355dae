'use strict';
// A worker that pauses stays registered, gets nothing new, and gives back what has not started.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { test } = require('node:test');
const { Worker } = require('../..');
const { deferred, until } = require('../support/events');
const { SERVICE, echo, heard, peersFor, start } = require('../support/peers');

/** Until the broker has been through all that this worker has told it: a client is behind it, as both are of one thread. */
async function settled(client) {
  await heard(client);
  await heard(client);
}

test('a paused worker gets nothing, and is still there', async (t) => {
  const { broker, worker, client } = await peersFor(t).trio();
  await client.call(SERVICE, 0);
  const got = [];
  worker.on('request', (data) => got.push(data));
  worker.pause();
  assert.equal(worker.paused, true);
  worker.pause();
  await settled(client);
  const call = client.call(SERVICE, 1);
  await settled(client);
  const [{ queued, workers }] = (await broker.stats()).services;
  assert.deepEqual({ queued, workers }, { queued: 1, workers: 1 });
  assert.deepEqual(got, []);
  worker.resume();
  assert.equal(worker.paused, false);
  assert.equal(await call, 1);
});

test('what runs goes on, and what has not started runs at another worker, once', async (t) => {
  const peers = peersFor(t);
  const gate = deferred();
  const log = [];
  const first = async (data, reply) => {
    log.push(data);
    if (data === 50) {
      gate.resolve();
      await once(reply, 'go');
    }
    reply.end('first');
  };
  const replies = [];
  const { worker, client } = await peers.trio(
    (data, reply) => {
      replies.push(reply);
      return first(data, reply);
    },
    { worker: { prefetch: 1024 } },
  );
  const calls = Array.from({ length: 200 }, (_, i) => client.call(SERVICE, i));
  await gate.promise;
  worker.pause();
  const other = peers.worker((data, reply) => {
    log.push(data);
    reply.end('other');
  });
  await other.start();
  const rest = await Promise.all(calls.filter((_, i) => i !== 50));
  replies[50].emit('go');
  assert.equal(await calls[50], 'first');
  assert.ok(rest.includes('other'));
  assert.deepEqual(
    log.sort((a, b) => a - b),
    Array.from({ length: 200 }, (_, i) => i),
  );
});

test('a worker may begin paused, and stops while it is paused', async (t) => {
  const peers = peersFor(t);
  const [broker, client] = [peers.broker(), peers.client()];
  await start(broker, client);
  const worker = new Worker(peers.endpoint, SERVICE);
  t.after(() => worker.stop());
  worker.on('request', echo);
  worker.pause();
  const ready = once(broker, 'workerReady');
  await worker.start();
  await ready;
  await settled(client);
  const call = client.call(SERVICE, 'kept');
  await settled(client);
  const gone = once(broker, 'workerGone');
  await worker.stop();
  assert.equal((await gone)[0].reason, 'goodbye');
  await worker.start();
  assert.equal(worker.paused, true);
  worker.resume();
  assert.equal(await call, 'kept');
});

test('a broker of MDP takes nothing back: what it has given waits in the worker, and runs before that stops', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { broker, worker, client } = await peers.trio(echo, { worker: { protocol: 'mdp/0.2' } });
  assert.equal(await client.call(SERVICE, 0), 0);
  worker.pause();
  const given = async () => (await broker.stats()).running === 1;
  const first = client.call(SERVICE, 1);
  await until(given);
  await until(async () => (await worker.stats()).queued === 1);
  worker.resume();
  assert.equal(await first, 1);
  worker.pause();
  const second = client.call(SERVICE, 2);
  await until(given);
  await until(async () => (await worker.stats()).queued === 1);
  await worker.stop();
  assert.equal(await second, 2);
});
