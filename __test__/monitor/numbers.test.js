'use strict';
// The broker's numbers by service, of a load whose counts are known.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { runChild } = require('../support/child');
const { until } = require('../support/events');
const { SERVICE, ask, heard, peersFor, start } = require('../support/peers');
const { rawDealer } = require('../support/raw');
const { curveBroker, curvePeer, keys } = require('../support/security');

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
    rejected: 0,
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

test('rejections and codes of workers are counted as such, and not as failures', async (t) => {
  const { broker, client, worker } = await peersFor(t).trio(
    (data, reply) => {
      if (data === 'reject') reply.reject('busy');
      else reply.error('failed');
    },
    { broker: { logRequests: true }, worker: { name: 'W1' } },
  );
  const outcomes = [];
  broker.on('requestEnded', ({ outcome }) => outcomes.push(outcome));
  await assert.rejects(client.call(SERVICE, 'reject', { failFast: true }), { code: 'W_REJECTED' });
  await assert.rejects(client.call(SERVICE, 'fail'));
  await until(() => outcomes.length === 2);
  assert.deepEqual(outcomes, ['W_REJECTED', 'error']);
  const { services, workers, counters } = await broker.stats();
  const { errors, failures, rejected, replies } = services[0].counters;
  assert.deepEqual([replies, failures, rejected, errors], [0, 1, 1, { W_REJECTED: 1 }]);
  assert.deepEqual([counters.failures, counters.rejected, counters.errors], [1, 1, { W_REJECTED: 1 }]);
  assert.deepEqual([workers[0].ended, workers[0].failed, workers[0].rejected], [1, 1, 1]);
  const own = (await worker.stats()).counters;
  assert.deepEqual([own.requests, own.replies, own.failures, own.errors], [2, 0, 1, { W_REJECTED: 1 }]);
});

test('the state of services beyond those that are listed is in the others', async (t) => {
  const peers = peersFor(t);
  const [broker, client] = [peers.broker(), peers.client()];
  await start(broker, client);
  for (let n = 0; n < 1200; n += 1) client.call(`invented ${n}`, 1).catch(() => {});
  const { services, otherServices } = await until(async () => {
    const stats = await broker.stats();
    return stats.queued === 1200 && stats;
  });
  assert.equal(services.length, 1000);
  assert.deepEqual([otherServices.queued, otherServices.workers, otherServices.running], [200, 0, 0]);
  assert.equal(otherServices.counters.requests, 200);
  assert.equal(
    otherServices.queuedBytes * 5,
    services.reduce((total, { queuedBytes }) => total + queuedBytes, 0),
  );
  assert.ok(otherServices.oldest > 0);
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
    omitted: 0,
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
  // Without security nobody is told by which name a client can be replaced, nor where anybody is.
  const [{ name, dialect, address }] = await client.call('mmi.clients');
  assert.match(name, /^id-[0-9a-f]{16}$/);
  assert.deepEqual([dialect, address], ['omdp', undefined]);
  assert.deepEqual([metrics.clientList[0].name, metrics.workers[0].address], [name, undefined]);
  const { last } = await client.call('mmi.events');
  const { events } = await client.call('mmi.events', last - 1);
  const [{ since, ...event }] = events;
  assert.equal(events.length, 1);
  assert.deepEqual(event, { event: 'workerReady', payload: { worker: 'W1', service: SERVICE } });
  assert.ok(since >= 0, `${since} ms ago`);
  assert.deepEqual((await client.call('mmi.events', last)).events, []);
});

test('to users that may ask, MMI tells identities and addresses', async (t) => {
  const [server, own] = [keys(), keys()];
  const peers = peersFor(t, 'tcp');
  const users = { alice: { keys: own.publicKey, call: 'mmi.*' } };
  const client = peers.client({ name: 'C1', ...curvePeer(server, own) });
  await start(peers.broker(curveBroker(server, users)), client);
  const [{ name, address }] = await client.call('mmi.clients');
  assert.equal(name, 'C1');
  assert.match(address, /^127\.0\.0\.1:\d+$/);
});

test('events have the address of their peer, also when its first message is bad', async (t) => {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker();
  await broker.start();
  const events = [];
  for (const name of ['workerReady', 'workerGone', 'badMessage'])
    broker.on(name, (event) => events.push([name, event]));
  await rawDealer(t, peers.endpoint).send(['Z', 'nonsense']);
  await until(() => events.length === 1);
  const worker = peers.worker();
  await worker.start();
  await until(() => events.length === 2);
  await worker.stop();
  await until(() => events.length === 3);
  for (const [name, { address }] of events) assert.match(address, /^127\.0\.0\.1:\d+$/, name);
  const [[, bad], [, ready], [, gone]] = events;
  assert.equal(ready.address, gone.address);
  assert.notEqual(ready.address, bad.address);
});

for (const options of [{}, { discard: true }]) {
  test(`so have those of a broker that stops: ${JSON.stringify(options)}`, async (t) => {
    const peers = peersFor(t, 'tcp');
    const broker = peers.broker();
    await broker.start();
    const events = [];
    for (const name of ['workerReady', 'workerGone'])
      broker.on(name, ({ address, reason }) => events.push([address, reason]));
    await peers.worker().start();
    await until(() => events.length === 1);
    await broker.stop(options);
    const [[address]] = events;
    assert.match(address, /^127\.0\.0\.1:\d+$/);
    assert.deepEqual(events.slice(1), [[address, 'broker stopped']]);
  });
}

test('the bytes of a request to all workers are those of its data and options', async (t) => {
  const peers = peersFor(t);
  const { broker, client } = await peers.trio();
  for await (const _answer of client.callAll(SERVICE, 'x'.repeat(1000)));
  const [{ counters }] = (await broker.stats()).services;
  assert.equal(counters.requests, 2);
  assert.ok(counters.bytesIn > 1000 && counters.bytesIn < 1100, `${counters.bytesIn} bytes`);
});

test('how many services have numbers of their own is an option', async (t) => {
  const peers = peersFor(t);
  const broker = peers.broker({ maxMeasuredServices: 1 });
  const client = peers.client();
  await start(broker, client);
  for (const service of ['first', 'second']) {
    await peers.worker((data, reply) => reply.end(data), { service }).start();
    await client.call(service, 1);
  }
  const { services } = await broker.stats();
  assert.deepEqual(
    services.map(({ name, named }) => [name, named]),
    [
      ['first', true],
      ['second', false],
    ],
  );
});
