'use strict';
// start, stop, connect and disconnect: one per transition, on all three.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { TRANSPORTS } = require('../support/endpoints');
const { namesOf, record } = require('../support/events');
const { SERVICE, echo, peersFor, start } = require('../support/peers');

const connected = (...peers) => Promise.all(peers.map((peer) => once(peer, 'connect')));
const disconnected = (...peers) => Promise.all(peers.map((peer) => once(peer, 'disconnect')));

for (const transport of TRANSPORTS) {
  describe(`events over ${transport}`, () => {
    test('a life without incidents', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, worker, client] = [peers.broker(), peers.worker(echo), peers.client()];
      const logs = [broker, worker, client].map((peer) => record(peer));
      await start(broker);
      const up = connected(worker, client);
      await start(worker, client);
      await up;
      assert.equal(await client.call(SERVICE, 1), 1);
      await Promise.all([client.stop(), worker.stop()]);
      await broker.stop();
      const { endpoint } = peers;
      const life = ['start', ['connect', endpoint], ['disconnect', endpoint, 'stopped'], 'stop'];
      for (const log of logs) assert.deepEqual(log, life);
    });

    test('a broker that goes and comes back', async (t) => {
      const peers = peersFor(t, transport);
      const { broker, worker, client } = await peers.trio(echo, { worker: { reconnect: 1 } });
      assert.equal(await client.call(SERVICE, 1), 1);
      const logs = [worker, client].map((peer) => record(peer));
      for (let i = 0; i < 3; i += 1) {
        const down = disconnected(worker, client);
        await broker.stop();
        await down;
        const up = connected(worker, client);
        await broker.start();
        await up;
        assert.equal(await client.call(SERVICE, i), i);
      }
      for (const log of logs) {
        const eachTime = [
          ['disconnect', peers.endpoint, 'disconnected by the broker'],
          ['connect', peers.endpoint],
        ];
        assert.deepEqual(log, [...eachTime, ...eachTime, ...eachTime]);
      }
    });

    test('no connect while there is no broker', async (t) => {
      const peers = peersFor(t, transport);
      const [worker, client] = [peers.worker(echo), peers.client()];
      const logs = [worker, client].map((peer) => record(peer));
      await start(worker, client);
      await Promise.all([worker.stop(), client.stop()]);
      for (const log of logs) assert.deepEqual(log, ['start', 'stop']);

      const up = connected(worker, client);
      await start(worker, client);
      for (const log of logs) assert.deepEqual(namesOf(log), ['start', 'stop', 'start']);
      await peers.broker().start();
      await up;
      for (const log of logs) assert.deepEqual(namesOf(log), ['start', 'stop', 'start', 'connect']);
    });
  });
}

for (const transport of TRANSPORTS) {
  test(`of two peers with one name one keeps it, and the other is told: ${transport}`, async (t) => {
    const peers = peersFor(t, transport);
    // Who is displaced over tcp or ipc notices it by the silence.
    const conf = { heartbeat: 100, liveness: 5 };
    await peers.broker(conf).start();
    const loserOf = (pair) =>
      new Promise((resolve) => {
        for (const peer of pair) {
          peer.on('disconnect', (_endpoint, reason) => reason === 'name taken' && resolve(peer));
        }
      });
    const workers = ['first', 'second'].map((word) =>
      peers.worker((_data, reply) => reply.end(word), { name: 'twin', ...conf }),
    );
    const clients = [0, 1].map(() => peers.client({ name: 'C-twin', ...conf }));
    const losers = [];
    for (const pair of [workers, clients]) {
      const loser = loserOf(pair);
      await Promise.all([once(pair[0], 'connect'), pair[0].start()]);
      // A client can tell a silent broker from one of 0.0.92 only once that has said hello.
      await pair[0].call?.('mmi.services');
      await pair[1].start();
      losers.push(await loser);
    }
    const client = peers.client();
    await client.start();
    assert.equal(await client.call(SERVICE, null), losers[0] === workers[0] ? 'second' : 'first');

    // It can be stopped.
    const log = record(losers[0]);
    await losers[0].stop();
    assert.equal(log.at(-1), 'stop');
  });
}

test('a worker whose name another has serves when that one has left', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { worker, client } = await peers.trio((_data, reply) => reply.end('first'), {
    worker: { name: 'twin' },
  });
  assert.equal(await client.call(SERVICE, null), 'first');
  const second = peers.worker((_data, reply) => reply.end('second'), { name: 'twin' });
  const told = once(second, 'disconnect');
  await second.start();
  assert.equal((await told)[1], 'name taken');
  // The first has lost a connection, and no request.
  assert.equal(await client.call(SERVICE, null), 'first');
  const back = once(second, 'connect');
  await worker.stop();
  await back;
  assert.equal(await client.call(SERVICE, null), 'second');
});

test('a listener that throws is an uncaught exception, and keeps the peer from nothing', async (t) => {
  const peers = peersFor(t);
  const broker = peers.broker();
  const thrown = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  const bothCame = new Promise((resolve) => {
    process.on('uncaughtException', (error) => {
      if (thrown.push(error.message) === 2) resolve();
    });
  });
  t.after(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of others) process.on('uncaughtException', listener);
  });
  for (const event of ['start', 'stop']) {
    broker.on(event, () => {
      throw new Error(event);
    });
  }
  await broker.start();
  await broker.stop();
  await bothCame;
  assert.deepEqual(thrown, ['start', 'stop']);
});
