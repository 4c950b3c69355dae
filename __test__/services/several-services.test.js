'use strict';
// Several services in one worker: each has its handler, and all of them have one concurrency.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Worker } = require('../..');
const { deferred, until } = require('../support/events');
const { echo, peersFor, start } = require('../support/peers');
const { curveBroker, curvePeer, keys } = require('../support/security');

/** A broker, a client, and a worker with these handlers. */
async function cast(t, handlers, { transport = 'inproc', broker, worker, client } = {}) {
  const peers = peersFor(t, transport);
  const theBroker = peers.broker(broker);
  const theClient = peers.client(client);
  const theWorker = new Worker(peers.endpoint, handlers, worker);
  t.after(() => theWorker.stop({ timeout: 0 }));
  await theBroker.start();
  await start(theWorker, theClient);
  return { broker: theBroker, client: theClient, worker: theWorker, peers };
}

const namesOf = ({ workers }) => workers.map(({ name, service }) => `${service} ${name}`).sort();

describe('a worker of several services', () => {
  test('calls the handler of each, as its own method', async (t) => {
    const { client, worker } = await cast(t, {
      add(data, reply) {
        assert.equal(this, worker);
        reply.end(data.a + data.b);
      },
      'math.mul': async ({ a, b }, reply) => reply.end(a * b),
      fail() {
        throw new Error('no');
      },
    });
    assert.deepEqual(worker.services, ['add', 'math.mul', 'fail']);
    assert.equal(worker.service, 'add');
    assert.equal(await client.call('add', { a: 2, b: 3 }), 5);
    assert.equal(await client.call('math.mul', { a: 2, b: 3 }), 6);
    await assert.rejects(client.call('fail', 1), { message: 'no' });
    const calls = Array.from({ length: 200 }, (_, i) =>
      client.call(i % 2 ? 'add' : 'math.mul', { a: i, b: 2 }),
    );
    assert.deepEqual(
      await Promise.all(calls),
      calls.map((_, i) => (i % 2 ? i + 2 : i * 2)),
    );
  });

  test('has one concurrency for all of them', async (t) => {
    let running = 0;
    let most = 0;
    const started = [];
    const handler = (data, reply) => {
      running += 1;
      most = Math.max(most, running);
      started.push(data);
      setTimeout(() => {
        running -= 1;
        reply.end(data);
      }, data % 3);
    };
    const { client } = await cast(t, { a: handler, b: handler, c: handler }, { worker: { concurrency: 2 } });
    const calls = Array.from({ length: 90 }, (_, i) => client.call('abc'[i % 3], i));
    await Promise.all(calls);
    assert.equal(most, 2);
    assert.deepEqual(
      started.sort((x, y) => x - y),
      calls.map((_, i) => i),
    );
  });

  test('leaves what it has no room for to another worker', async (t) => {
    const gate = deferred();
    const { client, peers } = await cast(t, {
      slow: (_, reply) => gate.promise.then(() => reply.end('done')),
      quick: (_, reply) => reply.end('of the worker'),
    });
    assert.equal(await client.call('quick', 1), 'of the worker');
    const slow = client.call('slow', 1);
    await until(async () => (await client.call('mmi.services', 'slow'))[0]?.running === 1);
    await peers.worker((_, reply) => reply.end('of another'), { service: 'quick' }).start();
    assert.equal(await client.call('quick', 2), 'of another');
    gate.resolve();
    assert.equal(await slow, 'done');
  });

  test('is a worker for each of them at the broker, with its numbers', async (t) => {
    const { broker, client, worker } = await cast(t, { a: echo, b: echo }, { worker: { name: 'W' } });
    await client.call('a', 1);
    await client.call('b', 1);
    await client.call('b', 2);
    const stats = await broker.stats();
    assert.deepEqual(namesOf(stats), ['a W/a', 'b W/b']);
    const requests = Object.fromEntries(
      stats.services.map(({ name, counters }) => [name, counters.requests]),
    );
    assert.deepEqual(requests, { a: 1, b: 2 });
    await worker.stop();
    assert.deepEqual((await broker.stats()).workers, []);
  });

  test('has a concurrency for single ones too, within the common one', async (t) => {
    const gate = deferred();
    const most = { slow: 0, other: 0 };
    const running = { slow: 0, other: 0 };
    const counted = (name, end) => async (data, reply) => {
      running[name] += 1;
      most[name] = Math.max(most[name], running[name]);
      await end();
      running[name] -= 1;
      reply.end(data);
    };
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const { client, broker, worker } = await cast(
      t,
      {
        slow: { handler: counted('slow', () => gate.promise), concurrency: 2 },
        other: { handler: counted('other', turn), concurrency: -1 },
        quick: echo,
      },
      { worker: { concurrency: 4 } },
    );
    const slow = Array.from({ length: 10 }, (_, n) => client.call('slow', n));
    await until(() => running.slow === 2);
    // What waits for the slow one takes no room.
    const others = Array.from({ length: 60 }, (_, n) => client.call('other', n));
    assert.deepEqual(
      await Promise.all(others),
      others.map((_, n) => n),
    );
    assert.equal(await client.call('quick', 1), 1);
    assert.equal((await broker.stats()).queued, 8);
    assert.ok(most.other <= 2, `${most.other}`);
    worker.concurrency = 3;
    gate.resolve();
    assert.deepEqual(
      await Promise.all(slow),
      slow.map((_, n) => n),
    );
    assert.equal(most.slow, 2);
    worker.concurrency = 1;
    await Promise.all(Array.from({ length: 20 }, (_, n) => client.call('slow', n)));
    assert.equal(most.slow, 2);
  });

  test('pauses as a whole', async (t) => {
    const { client, worker, broker } = await cast(t, { a: echo, b: echo });
    await client.call('a', 1);
    await client.call('b', 1);
    worker.pause();
    await client.call('mmi.stats');
    const calls = [client.call('a', 2), client.call('b', 2)];
    await until(async () => (await broker.stats()).queued === 2);
    worker.resume();
    assert.deepEqual(await Promise.all(calls), [2, 2]);
  });

  test('serves what it may, and not the rest', async (t) => {
    const [server, user] = [keys(), keys()];
    const users = { user: { keys: user.publicKey, serve: 'a', call: '*' } };
    const { client } = await cast(
      t,
      { b: echo, a: echo },
      {
        transport: 'tcp',
        broker: curveBroker(server, users),
        worker: curvePeer(server, user),
        client: curvePeer(server, user),
      },
    );
    assert.equal(await client.call('a', 1), 1);
    await assert.rejects(client.call('b', 1, { failFast: true }), { code: 'W_NONE' });
  });
});

for (const protocol of ['mdp/0.1', 'mdp/0.2']) {
  test(`a worker of several services at a broker of ${protocol}`, async (t) => {
    const handlers = {
      a: (data, reply) => reply.end(`a ${data}`),
      b: (data, reply) => reply.end(`b ${data}`),
    };
    const { broker, client } = await cast(t, handlers, { transport: 'tcp', worker: { protocol } });
    assert.deepEqual(await Promise.all([client.call('a', 1), client.call('b', 2)]), ['a 1', 'b 2']);
    const { workers } = await broker.stats();
    assert.deepEqual(
      workers.map(({ dialect }) => dialect),
      [protocol, protocol],
    );
  });
}

test('handlers and names are checked', () => {
  const make = (services, conf) => () => new Worker('tcp://127.0.0.1:5555', services, conf);
  assert.throws(make({}), /^TypeError: service must be a string/);
  assert.throws(make([]), TypeError);
  assert.throws(make(null), TypeError);
  assert.throws(
    make({ a: 1 }),
    /^TypeError: services\["a"\] must be a function, or an object with a handler, got 1/,
  );
  assert.throws(make({ a: {} }), /^TypeError: services\["a"\]\.handler must be a function, got undefined/);
  assert.throws(
    make({ a: { handler: echo, weight: 1 } }),
    /^TypeError: unknown member "weight" of services\["a"\]/,
  );
  for (const concurrency of [0, 1.5, -2, '1', null]) {
    assert.throws(make({ a: { handler: echo, concurrency } }), /services\["a"\]\.concurrency/);
  }
  make({ a: { handler: echo } })();
  assert.throws(make({ '': echo }), RangeError);
  assert.throws(make({ ['x'.repeat(256)]: echo }), RangeError);
  const two = { ['x'.repeat(255)]: echo, b: echo };
  assert.throws(make(two, { name: 'W' }), /^RangeError: option "name" is too long/);
  make(two)();
  make({ b: echo }, { name: 'W'.repeat(255) })();
});

describe('a service with a concurrency of its own, at two brokers', () => {
  async function atTwo(t) {
    const brokers = [peersFor(t), peersFor(t)];
    for (const peers of brokers) await peers.broker().start();
    const started = [];
    const ends = [];
    let most = 0;
    let running = 0;
    const handler = async (data, reply) => {
      started.push(data);
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => ends.push(resolve));
      running -= 1;
      reply.end(data);
    };
    const endpoints = brokers.map(({ endpoint }) => endpoint);
    const services = { slow: { handler, concurrency: 1 }, quick: echo };
    const worker = new Worker(endpoints, services, { concurrency: 5 });
    t.after(() => worker.stop({ timeout: 0 }));
    const clients = brokers.map((peers) => peers.client());
    await start(worker, ...clients);
    const end = async () => {
      await until(() => ends.length > 0);
      ends.shift()();
    };
    return { worker, clients, started, end, most: () => most };
  }

  test('runs no more than that', async (t) => {
    const { clients, end, most } = await atTwo(t);
    const calls = Array.from({ length: 10 }, (_, n) => clients[n % 2].call('slow', n));
    for (const client of clients) assert.equal(await client.call('quick', 1), 1);
    for (const _ of calls) await end();
    assert.deepEqual(
      await Promise.all(calls),
      calls.map((_, n) => n),
    );
    assert.equal(most(), 1);
  });

  test('passes over what was cancelled while it waited', async (t) => {
    const { worker, clients, started, end } = await atTwo(t);
    const first = clients[0].call('slow', 'first');
    await until(() => started.length === 1);
    const abort = new AbortController();
    const second = clients[1].call('slow', 'second', { signal: abort.signal });
    await until(async () => (await worker.stats()).running === 2);
    abort.abort();
    await assert.rejects(second, { message: 'the request was aborted' });
    await until(async () => (await worker.stats()).running === 1);
    const third = clients[1].call('slow', 'third');
    await end();
    assert.equal(await first, 'first');
    await end();
    assert.equal(await third, 'third');
    assert.deepEqual(started, ['first', 'third']);
    await worker.stop();
  });

  test('runs what waits when the worker stops, and nothing of it afterwards', async (t) => {
    const { worker, clients, started, end } = await atTwo(t);
    const calls = clients.map((client, n) => client.call('slow', n));
    await until(async () => (await worker.stats()).running === 2);
    const stopped = worker.stop();
    await end();
    await end();
    assert.deepEqual(await Promise.all(calls), [0, 1]);
    await stopped;
    assert.equal(started.length, 2);
  });
});
