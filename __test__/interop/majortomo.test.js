'use strict';
// majortomo's broker, worker and client against ours, in every combination.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const majortomo = require('../support/majortomo');
const { MDP } = require('../support/mdp');
const { SERVICE, echo, peersFor } = require('../support/peers');

const reason = majortomo.missing();
const conf = { protocol: 'mdp/0.2-majortomo' };
const NAME = ['-n', SERVICE];

/** Its client: sends the message `times` times, prints each reply. */
async function theirClient(t, endpoint, message, times = 1) {
  const { ended } = majortomo.run(
    t,
    'echo',
    endpoint,
    ...NAME,
    'client',
    '-m',
    message,
    '-r',
    String(times),
    '-t',
    '20',
    '-d',
    '0',
  );
  const { code, output } = await ended;
  assert.equal(code, 0, output);
  return [...output.matchAll(/Got response: (\[.*\])/g)].map(([, frames]) => frames);
}

/** Its echo worker, registered with a broker of ours. */
async function theirWorker(t, broker, endpoint) {
  const ready = once(broker, 'workerReady');
  const worker = majortomo.run(t, 'echo', endpoint, ...NAME, 'worker');
  await ready;
  return worker;
}

/** Its broker, with a worker of ours that it has taken. */
async function theirBroker(t, worker, endpoint) {
  const broker = majortomo.run(t, 'broker', endpoint, '-i', '0.5');
  const connected = once(worker, 'connect');
  await worker.start();
  const died = broker.ended.then(({ output }) => {
    throw new Error(`its broker ended: ${output}`);
  });
  await Promise.race([connected, died]);
  return broker;
}

describe(reason === undefined ? 'majortomo' : `majortomo (skipped: ${reason})`, { skip: reason }, () => {
  test('our broker, their worker, their client', async (t) => {
    const peers = peersFor(t, 'tcp');
    const broker = peers.broker();
    await broker.start();
    const worker = await theirWorker(t, broker, peers.endpoint);
    assert.deepEqual(await theirClient(t, peers.endpoint, 'hello', 2), ["[b'hello']", "[b'hello']"]);
    const gone = once(broker, 'workerGone');
    worker.child.kill('SIGINT');
    assert.equal((await gone)[0].lost, 0);
  });

  for (const protocol of ['omdp', ...MDP.map(({ name }) => name)]) {
    test(`our broker, their worker, our client of ${protocol}`, async (t) => {
      const peers = peersFor(t, 'tcp');
      const broker = peers.broker();
      await broker.start();
      await theirWorker(t, broker, peers.endpoint);
      const client = peers.client({ protocol });
      await client.start();
      for (const value of ['text', '5', 5, null, ['a', 'b'], { a: 1 }, Buffer.from([255, 0])]) {
        assert.deepEqual(await client.call(SERVICE, value), value);
      }
    });

    test(`our broker, our worker of ${protocol}, their client`, async (t) => {
      const peers = peersFor(t, 'tcp');
      const worker = peers.worker(echo, { protocol });
      await Promise.all([peers.broker().start(), worker.start()]);
      assert.deepEqual(await theirClient(t, peers.endpoint, 'hello', 2), ["[b'hello']", "[b'hello']"]);
    });
  }

  test('their broker, our worker, our client', async (t) => {
    const peers = peersFor(t, 'tcp');
    const worker = peers.worker((data, reply) => {
      reply.write('part');
      reply.end(data);
    }, conf);
    const broker = await theirBroker(t, worker, peers.endpoint);
    const client = peers.client(conf);
    await client.start();
    const stream = client.requestStream(SERVICE, { a: 1 });
    assert.deepEqual(await stream.toArray(), ['part', { a: 1 }]);
    assert.deepEqual(await Promise.all([1, 2, 3].map((n) => client.call(SERVICE, n))), [1, 2, 3]);
    await assert.rejects(client.call('nobody', 1, { timeout: 50 }), { code: 'C_TIMEOUT' });
    assert.equal(await client.call(SERVICE, 'after'), 'after');
    broker.child.kill('SIGINT');
    await once(worker, 'disconnect');
  });

  test('their broker, our worker, their client', async (t) => {
    const peers = peersFor(t, 'tcp');
    const worker = peers.worker(echo, conf);
    await theirBroker(t, worker, peers.endpoint);
    assert.deepEqual(await theirClient(t, peers.endpoint, 'hello'), ["[b'hello']"]);
  });

  test('their broker, their worker, our client', async (t) => {
    const peers = peersFor(t, 'tcp');
    majortomo.run(t, 'broker', peers.endpoint);
    majortomo.run(t, 'echo', peers.endpoint, ...NAME, 'worker');
    const client = peers.client(conf);
    await client.start();
    // Its broker keeps the request until the worker is there.
    assert.equal(await client.call(SERVICE, 'hello', { timeout: 20_000 }), 'hello');
  });
});
