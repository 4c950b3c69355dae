'use strict';
// Large bodies over slow links: they take longer than a peer may be silent.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Client, Worker } = require('../..');
const { Relay } = require('../chaos/relay');
const { SERVICE, peersFor, start } = require('../support/peers');

const BEATS = { heartbeat: 100, liveness: 3 };
/** Takes a second at this number of bytes in 10 ms. */
const BODY = Buffer.alloc(3_000_000, 7);
const RATE = 30_000;

/** A trio whose worker or client is behind a slow link. */
async function behind(t, transport, role, handler) {
  const peers = peersFor(t, transport);
  const broker = peers.broker(BEATS);
  await broker.start();
  const relay = new Relay(peers.endpoint);
  const slow = await relay.listen();
  relay.slow(RATE);
  const worker = new Worker(role === 'worker' ? slow : peers.endpoint, SERVICE, BEATS);
  const client = new Client(role === 'client' ? slow : peers.endpoint, BEATS);
  t.after(async () => {
    await Promise.all([client.stop(), worker.stop({ timeout: 0 })]);
    relay.close();
  });
  const lost = [];
  for (const peer of [worker, client]) peer.on('disconnect', (_, reason) => lost.push(reason));
  worker.on('request', handler);
  await start(worker, client);
  return { client, lost };
}

describe('a body that takes longer than a peer may be silent', () => {
  for (const transport of ['tcp', 'ipc']) {
    for (const role of ['worker', 'client']) {
      test(`from and to a ${role} over ${transport}`, async (t) => {
        const { client, lost } = await behind(t, transport, role, (data, reply) => reply.end(data));
        const reply = await client.call(SERVICE, BODY, { timeout: 20_000 });
        assert.ok(BODY.equals(reply));
        assert.deepEqual(lost, []);
      });
    }
  }

  test('to a worker of several services', async (t) => {
    const peers = peersFor(t, 'tcp');
    await peers.broker(BEATS).start();
    const relay = new Relay(peers.endpoint);
    const slow = await relay.listen();
    relay.slow(RATE);
    const echo = (data, reply) => reply.end(data.length);
    const worker = new Worker(slow, { a: echo, b: echo }, BEATS);
    const client = peers.client(BEATS);
    t.after(() => worker.stop({ timeout: 0 }).then(() => relay.close()));
    const lost = [];
    worker.on('disconnect', (_, reason) => lost.push(reason));
    await start(worker, client);
    const sizes = ['a', 'b'].map((service) => client.call(service, BODY, { timeout: 20_000 }));
    assert.deepEqual(await Promise.all(sizes), [BODY.length, BODY.length]);
    assert.deepEqual(lost, []);
  });
});
