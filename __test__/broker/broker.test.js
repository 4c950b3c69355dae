'use strict';
// A peer's life, on the broker: start, stop, and again. What differs on workers and clients is in their files.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { TRANSPORTS, freshEndpoint } = require('../support/endpoints');
const { record } = require('../support/events');
const { SERVICE, echo, peersFor, start } = require('../support/peers');

for (const transport of TRANSPORTS) {
  describe(`a broker over ${transport}`, () => {
    test('start(cb) calls cb() without arguments when it serves', async (t) => {
      const broker = peersFor(t, transport).broker();
      const args = await new Promise((resolve) => {
        assert.equal(
          broker.start((...given) => resolve(given)),
          undefined,
        );
      });
      assert.deepEqual(args, []);
    });

    test('start() and stop() without a callback are promises', async (t) => {
      const broker = peersFor(t, transport).broker();
      assert.equal(await broker.start(), undefined);
      assert.equal(await broker.stop(), undefined);
    });

    for (const spin of ['auto', 0, 200]) {
      test(`requests one after the other are answered with spin ${spin}`, async (t) => {
        const peers = peersFor(t, transport);
        await peers.broker({ spin }).start();
        await peers.worker(echo).start();
        const client = peers.client();
        await client.start();
        for (let i = 0; i < 100; i += 1) assert.equal(await client.call(SERVICE, i), i);
      });
    }

    test('endpoints tells where it is bound while it runs', async (t) => {
      const peers = peersFor(t, transport);
      const broker = peers.broker();
      assert.deepEqual(broker.endpoints, []);
      await broker.start();
      assert.deepEqual(broker.endpoints, [peers.endpoint]);
      await broker.stop();
      assert.deepEqual(broker.endpoints, []);
    });

    test('stopped and started again on the same endpoint, it serves', async (t) => {
      const peers = peersFor(t, transport);
      const { broker, client } = await peers.trio();
      for (let life = 1; life <= 3; life += 1) {
        assert.equal(await client.call(SERVICE, life), life);
        const noticed = once(client, 'disconnect');
        await broker.stop();
        await broker.start();
        await noticed;
      }
      assert.equal(await client.call(SERVICE, 'last'), 'last');
    });

    test('another broker can have the endpoint as soon as stop() is done', async (t) => {
      const peers = peersFor(t, transport);
      for (let i = 0; i < 20; i += 1) {
        const broker = peers.broker();
        await broker.start();
        await broker.stop();
      }
    });
  });
}

test('start() again while it starts or runs changes nothing, and tells the same outcome', async (t) => {
  const broker = peersFor(t).broker();
  const log = record(broker, ['start', 'stop']);
  let called = 0;
  broker.start(() => {
    called += 1;
  });
  await Promise.all([broker.start(), broker.start()]);
  await broker.start();
  assert.equal(called, 1);
  assert.deepEqual(log, ['start']);
});

test('stop() when it does not run is done at once, as often as it is called', async (t) => {
  const broker = peersFor(t).broker();
  const log = record(broker, ['start', 'stop']);
  await broker.stop();
  await new Promise((resolve) => broker.stop(resolve));
  await broker.start();
  await Promise.all([broker.stop(), broker.stop(), broker.stop()]);
  await broker.stop();
  assert.deepEqual(log, ['start', 'stop']);
});

test('starts and stops run one after the other, in the order of the calls', async (t) => {
  const broker = peersFor(t).broker();
  const log = record(broker, ['start', 'stop']);
  broker.start();
  broker.stop();
  broker.start();
  broker.stop(() => log.push('done'));
  await broker.start();
  assert.deepEqual(log, ['start', 'stop', 'start', 'stop', 'done', 'start']);
});

test('start() and stop() may be called in the callbacks and listeners of one another', async (t) => {
  const broker = peersFor(t).broker();
  const log = record(broker, ['start', 'stop']);
  await new Promise((done) => broker.start(() => broker.stop(() => broker.start(() => broker.stop(done)))));
  assert.deepEqual(log, ['start', 'stop', 'start', 'stop']);
  broker.once('stop', () => broker.start());
  await broker.start();
  await broker.stop();
  await broker.start();
  assert.deepEqual(log.slice(4), ['start', 'stop', 'start']);
});

test('await using stops it: Symbol.asyncDispose', async (t) => {
  const peers = peersFor(t);
  const { broker, worker, client } = await peers.trio();
  for (const peer of [client, worker, broker]) {
    const log = record(peer, ['stop']);
    assert.equal(await peer[Symbol.asyncDispose](), undefined);
    assert.deepEqual(log, ['stop']);
  }
});

test('tcp://127.0.0.1:* and tcp://127.0.0.1:0 bind a free port, which endpoints tells', async (t) => {
  for (const wildcard of ['tcp://127.0.0.1:*', 'tcp://127.0.0.1:0']) {
    const broker = peersFor(t).broker({}, wildcard);
    await broker.start();
    assert.equal(broker.endpoints.length, 1);
    const [endpoint] = broker.endpoints;
    assert.match(endpoint, /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
    const peers = peersFor(t, 'tcp', endpoint);
    const [worker, client] = [peers.worker(echo), peers.client()];
    await start(worker, client);
    assert.equal(await client.call(SERVICE, wildcard), wildcard);
  }
});

test('a broker on several endpoints connects the peers of all of them', async (t) => {
  const endpoints = TRANSPORTS.map(freshEndpoint);
  const broker = peersFor(t).broker({}, endpoints);
  await broker.start();
  assert.deepEqual(broker.endpoints, endpoints);

  const clients = [];
  for (const endpoint of endpoints) {
    const peers = peersFor(t, undefined, endpoint);
    const worker = peers.worker((data, reply) => reply.end(`${data} by ${endpoint}`), { service: endpoint });
    clients.push(peers.client());
    await start(worker, clients.at(-1));
  }
  for (const client of clients) {
    for (const service of endpoints) {
      assert.equal(await client.call(service, 'done'), `done by ${service}`);
    }
  }
});

test('it tells of workers that came and went, and why', async (t) => {
  const peers = peersFor(t);
  const broker = peers.broker();
  const log = record(broker, ['workerReady', 'workerGone']);
  const worker = peers.worker(echo, { name: 'W1' });
  await start(broker, worker);
  const client = peers.client();
  await client.start();
  await client.call(SERVICE, 1);
  const gone = once(broker, 'workerGone');
  await worker.stop();
  await gone;
  assert.deepEqual(log, [
    ['workerReady', { worker: 'W1', service: SERVICE }],
    ['workerGone', { worker: 'W1', service: SERVICE, reason: 'goodbye', lost: 0 }],
  ]);
});

test('its stop is the end of its workers, which it tells', async (t) => {
  const peers = peersFor(t);
  const { broker, client } = await peers.trio(echo, { worker: { name: 'W1' } });
  await client.call(SERVICE, 1);
  const log = record(broker, ['workerGone', 'stop']);
  await broker.stop();
  const reason = 'broker stopped';
  assert.deepEqual(log, [['workerGone', { worker: 'W1', service: SERVICE, reason, lost: 0 }], 'stop']);
});

test('every key of conf takes effect', (t) => {
  const peers = peersFor(t);
  assert.equal(peers.broker({ heartbeat: 100, liveness: 4, name: 'B1' }).name, 'B1');
  assert.equal(peers.worker(echo, { heartbeat: 100, reconnect: 5, name: 'W1' }).name, 'W1');
  assert.equal(peers.client({ heartbeat: 100, timeout: 5, name: 'C1' }).name, 'C1');
});

test('names are random unless given, and begin with the letter of the role', (t) => {
  const peers = peersFor(t);
  const names = [peers.broker(), peers.worker(), peers.client(), peers.client()].map((peer) => peer.name);
  assert.match(names.join(' '), /^B\S+ W\S+ C\S+ C\S+$/);
  assert.equal(new Set(names).size, 4);
});
