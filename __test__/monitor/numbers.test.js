'use strict';
// The broker's numbers by service, of a load whose counts are known.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { runChild } = require('../support/child');
const { until } = require('../support/events');
const { SERVICE, ask, heard, peersFor, start } = require('../support/peers');

const sum = (buckets) => buckets.reduce((total, [, count]) => total + count, 0);

test('counts, bytes and times of a service', async (t) => {
  const { broker, client } = await peersFor(t).trio((data, reply) => {
    if (data === 'fail') reply.error('failed');
    else if (data === 'slow') setTimeout(() => reply.end(), 50);
    else {
      reply.write('part');
      reply.end(data);
    }
  });
  for (let n = 0; n < 10; n += 1) await ask(client, 'data');
  for (let n = 0; n < 3; n += 1) await ask(client, 'fail');
  await ask(client, 'slow');
  await assert.rejects(client.call(SERVICE, 'slow', { timeout: 5 }), { code: 'C_TIMEOUT' });
  await heard(client);
  const stats = await until(async () => {
    const now = await broker.stats();
    return now.running === 0 && now;
  });
  const [{ counters, latency, name, named }] = stats.services;
  assert.deepEqual([name, named], [SERVICE, true]);
  const options = '{"timeout":60000}'.length;
  assert.deepEqual(counters, {
    requests: 15,
    replies: 11,
    failures: 3,
    partials: 10,
    errors: { C_TIMEOUT: 1 },
    cancelled: 0,
    retried: 0,
    bytesIn: 15 * 6 + 14 * options + '{"timeout":5}'.length,
    bytesOut: 10 * (6 + 6) + 3 * 8 + 4,
  });
  for (const { count, buckets, p50, p99, max } of Object.values(latency)) {
    assert.equal(count, 15);
    assert.equal(sum(buckets), 15);
    assert.ok(p50 <= p99 && p99 <= max);
  }
  assert.ok(latency.work.max >= 50 && latency.work.p50 < 50);
  assert.ok(latency.total.sum >= latency.work.sum);
  const [{ ended, failed }] = stats.workers;
  assert.deepEqual([ended, failed], [14, 3]);
  assert.equal(stats.clientList[0].name, client.name);
});

test('the oldest of a queue, and numbers that outlive their service', async (t) => {
  const peers = peersFor(t);
  const [broker, client] = [peers.broker(), peers.client()];
  await start(broker, client);
  const waiting = client.call(SERVICE, 1);
  await until(async () => (await broker.stats()).services[0]?.oldest >= 20);
  const worker = peers.worker((data, reply) => reply.end(data));
  await worker.start();
  await waiting;
  await client.call(SERVICE, 1);
  await assert.rejects(client.call('made up', 1, { failFast: true }), { code: 'W_NONE' });
  await worker.stop();
  const gone = await broker.stats();
  assert.deepEqual(gone.services, []);
  const [{ name, counters, latency }] = gone.absentServices;
  // What waited for the first worker is counted with the service.
  assert.deepEqual([name, counters.requests, counters.replies], [SERVICE, 2, 2]);
  assert.ok(latency.queue.max >= 20);
  assert.equal(gone.otherServices.counters.requests, 1);
  assert.deepEqual(gone.otherServices.counters.errors, { W_NONE: 1 });
});

test('a second start is counted, and each request that ends is told if wanted', async (t) => {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker({ logRequests: true });
  const client = peers.client({ name: 'C1' });
  const told = [];
  broker.on('requestEnded', (event) => told.push(event));
  await start(broker, client);
  const dying = runChild(
    t,
    async ({ omdp, say, endpoint, service }) => {
      const worker = new omdp.Worker(endpoint, service, { name: 'W1' });
      worker.on('request', () => process.kill(process.pid, 'SIGKILL'));
      await worker.start();
      say('ready');
    },
    { endpoint: peers.endpoint, service: SERVICE },
  );
  await dying.said('ready');
  const reply = client.call(SERVICE, 'data', { retry: 1 });
  await dying.ended;
  await peers.worker((data, r) => r.end(data), { name: 'W2' }).start();
  await reply;
  await assert.rejects(client.call('none', 1, { failFast: true }), { code: 'W_NONE' });
  await until(() => told.length === 2);
  const [first, second] = told;
  assert.ok(first.queue > 0 && first.work > 0);
  const { queue, work, rid, ...facts } = first;
  assert.match(rid, /-1$/);
  assert.deepEqual(facts, {
    service: SERVICE,
    client: 'C1',
    worker: 'W2',
    attempt: 2,
    outcome: 'ok',
  });
  assert.deepEqual([second.service, second.worker, second.outcome], ['none', null, 'W_NONE']);
  const numbers = (await broker.stats()).services.find(({ name }) => name === SERVICE);
  assert.equal(numbers.counters.retried, 1);
});

test('by MMI: all numbers, clients, and what has happened since', async (t) => {
  const { client } = await peersFor(t).trio(undefined, { client: { name: 'C1' }, worker: { name: 'W1' } });
  await client.call(SERVICE, 1);
  const metrics = await client.call('mmi.metrics');
  assert.equal(metrics.services[0].counters.replies, 1);
  const [{ name, dialect }] = await client.call('mmi.clients');
  assert.deepEqual([name, dialect], ['C1', 'omdp']);
  const { last } = await client.call('mmi.events');
  const { events } = await client.call('mmi.events', last - 1);
  assert.deepEqual(events, [{ event: 'workerReady', payload: { worker: 'W1', service: SERVICE } }]);
  assert.deepEqual((await client.call('mmi.events', last)).events, []);
});
