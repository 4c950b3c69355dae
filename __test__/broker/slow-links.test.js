'use strict';
// Large bodies over slow links: they take longer than a peer may be silent.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Client, Worker, curveKeyPair } = require('../..');
const { Relay } = require('../chaos/relay');
const { SERVICE, peersFor, start } = require('../support/peers');

const BEATS = { heartbeat: 250, liveness: 4 };
/** Takes two seconds at this number of bytes in 10 ms. */
const BODY = Buffer.alloc(2_000_000, 7);
const RATE = 10_000;

const server = curveKeyPair();
/** The options of the broker, and of its peers. */
const MECHANISMS = {
  NULL: [{}, {}],
  CURVE: [
    { curveServer: true, curveSecretKey: server.secretKey },
    { curveServerKey: server.publicKey, curveSecretKey: curveKeyPair().secretKey },
  ],
  PLAIN: [
    { plainServer: true, security: { users: { u: { password: 'p' } } } },
    { plainUsername: 'u', plainPassword: 'p' },
  ],
};

/** A trio whose worker or client is behind a slow link. */
async function behind(
  t,
  { transport = 'tcp', mechanism = 'NULL', role, rate = RATE, beats = BEATS, services = SERVICE },
) {
  const peers = peersFor(t, transport);
  const [ofBroker, ofPeers] = MECHANISMS[mechanism];
  const broker = peers.broker({ ...beats, ...ofBroker });
  await broker.start();
  const relay = new Relay(peers.endpoint);
  const slow = await relay.listen();
  const conf = { ...beats, ...ofPeers };
  const worker = new Worker(role === 'worker' ? slow : peers.endpoint, services, { concurrency: 8, ...conf });
  const client = new Client(role === 'client' ? slow : peers.endpoint, conf);
  t.after(async () => {
    await Promise.all([client.stop(), worker.stop({ timeout: 0 })]);
    relay.close();
  });
  const lost = [];
  for (const peer of [worker, client]) peer.on('disconnect', (_, reason) => lost.push(reason));
  for (const event of ['workerGone', 'clientGone']) broker.on(event, ({ reason }) => lost.push(reason));
  if (services === SERVICE) worker.on('request', (data, reply) => reply.end(data));
  await start(worker, client);
  relay.slow(rate);
  return { client, lost };
}

describe('a body that takes longer than a peer may be silent', { concurrency: 4 }, () => {
  for (const [transport, mechanism] of [
    ['tcp', 'NULL'],
    ['ipc', 'NULL'],
    ['tcp', 'CURVE'],
    ['tcp', 'PLAIN'],
    ['ipc', 'CURVE'],
  ]) {
    for (const role of ['worker', 'client']) {
      test(`from and to a ${role} over ${transport}, ${mechanism}`, async (t) => {
        const { client, lost } = await behind(t, { transport, mechanism, role });
        const reply = await client.call(SERVICE, BODY, { timeout: 60_000 });
        assert.ok(BODY.equals(reply));
        assert.deepEqual(lost, []);
      });
    }
  }

  for (const mechanism of ['NULL', 'CURVE']) {
    test(`to a worker of several services, ${mechanism}`, async (t) => {
      const echo = (data, reply) => reply.end(data.length);
      const { client, lost } = await behind(t, { mechanism, role: 'worker', services: { a: echo, b: echo } });
      const sizes = ['a', 'b'].map((service) => client.call(service, BODY, { timeout: 60_000 }));
      assert.deepEqual(await Promise.all(sizes), [BODY.length, BODY.length]);
      assert.deepEqual(lost, []);
    });
  }
});

// Less than the system's buffers arrives in the time in which a peer may be silent, or take nothing.
describe('several bodies, over a link that carries less than a MiB in the time in which a peer may be silent', {
  concurrency: 6,
}, () => {
  const beats = { heartbeat: 250, liveness: 3 };
  const body = Buffer.alloc(700_000, 3);
  for (const mechanism of Object.keys(MECHANISMS)) {
    for (const role of ['worker', 'client']) {
      test(`from and to a ${role}, ${mechanism}`, async (t) => {
        const { client, lost } = await behind(t, { mechanism, role, rate: 4000, beats });
        const replies = [1, 2, 3].map(() => client.call(SERVICE, body, { timeout: 60_000 }));
        for (const reply of await Promise.all(replies)) assert.ok(body.equals(reply));
        assert.deepEqual(lost, []);
      });
    }
  }
});
