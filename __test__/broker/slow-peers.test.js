'use strict';
// Peers that read slowly, or not at all: what is under way to them is bounded, in every process on its way.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { STOPPING, runChild } = require('../support/child');
const { freshEndpoint } = require('../support/endpoints');
const { GROWTH, MIB, brokerProgram, runWatched } = require('../support/growth');
const { SERVICE, echo, peersFor } = require('../support/peers');

/* global growth */

/** Writes so many parts, each when there is room, and says how often there was none. */
const workerProgram = ({ omdp, say, endpoint, service, count, size }) => {
  const { once } = require('node:events');
  const worker = new omdp.Worker(endpoint, service, { concurrency: 4 });
  worker.on('request', async (data, reply) => {
    if (data === 'ping') return reply.end('pong');
    const part = Buffer.alloc(size, 7);
    let waits = 0;
    for (let i = 0; i < count && reply.active(); i += 1) {
      if (reply.write(part)) continue;
      waits += 1;
      if (waits === 1) say('full');
      try {
        await once(reply, 'drain');
      } catch (error) {
        // A cancelled reply is destroyed.
        say('done', { waits, growth: growth(), failed: error.code });
        return;
      }
    }
    reply.end('end');
    say('done', { waits, growth: growth() });
  });
  worker.once('connect', () => say('ready'));
  worker.start();
};

/** Reads so many parts, a bit later each, and says what it got; or begins, and waits to be stopped. */
const clientProgram = ({ omdp, say, endpoint, service, slowly }) => {
  const client = new omdp.Client(endpoint);
  client.start();
  const read = async () => {
    const pings = [];
    let bytes = 0;
    let last;
    let parts = 0;
    let answered = 0;
    for await (const part of client.requestStream(service, 'go')) {
      last = part;
      if (!Buffer.isBuffer(part)) continue;
      bytes += part.length;
      parts += 1;
      if (parts === 20) say('reading');
      if (parts % 200 === 0) {
        const ping = client.call(service, 'ping');
        pings.push(
          ping.finally(() => {
            answered += 1;
          }),
        );
      }
      if (slowly) await new Promise((done) => setTimeout(done, parts % 4 === 0 ? 1 : 0));
    }
    const meanwhile = answered;
    say('end', { bytes, last, growth: growth(), meanwhile, pings: await Promise.all(pings) });
  };
  read().finally(() => client.stop());
};

describe('a stream of 200 MB to a client that reads slowly', () => {
  test('is whole; no process grows by it, write() waits, and other requests pass', async (t) => {
    const endpoint = freshEndpoint('tcp');
    const broker = runWatched(t, brokerProgram, { endpoint });
    await broker.said('started');
    const size = 64 * 1024;
    const count = (200 * MIB) / size;
    const worker = runWatched(t, workerProgram, { endpoint, service: SERVICE, count, size });
    await worker.said('ready');
    const client = runWatched(t, clientProgram, { endpoint, service: SERVICE, slowly: true });
    const { value: end } = await client.said('end');
    const { value: done } = await worker.said('done');
    broker.tell('growth');
    const { value: atBroker } = await broker.said('growth');
    assert.equal(end.bytes, 200 * MIB);
    assert.equal(end.last, 'end');
    assert.equal(done.failed, undefined);
    assert.ok(done.waits > 100, `${done.waits} waits`);
    assert.deepEqual(end.pings, Array(Math.floor(count / 200)).fill('pong'));
    // The last ones may be on their way when the stream ends.
    assert.ok(end.meanwhile >= end.pings.length / 2, `${end.meanwhile} of ${end.pings.length} meanwhile`);
    for (const grown of [end.growth, done.growth, atBroker]) {
      assert.ok(grown < GROWTH, `grew by ${Math.round(grown / MIB)} MiB`);
    }
  });
});

test(
  'a client whose process stops is given up, the broker does not grow, others go on',
  STOPPING,
  async (t) => {
    const endpoint = freshEndpoint('tcp');
    const conf = { heartbeat: 200, reconnectGrace: 0 };
    const broker = runWatched(t, brokerProgram, { endpoint, conf });
    await broker.said('started');
    const args = { endpoint, service: SERVICE, count: 1e6, size: 64 * 1024 };
    const worker = runWatched(t, workerProgram, args);
    await worker.said('ready');
    const client = runWatched(t, clientProgram, { endpoint, service: SERVICE, slowly: true });
    await client.said('reading');
    client.process.kill('SIGSTOP');
    const peers = peersFor(t);
    peers.endpoint = endpoint;
    const other = peers.client();
    await other.start();
    assert.equal(await other.call(SERVICE, 'ping'), 'pong');
    const { value: gone } = await broker.said('clientGone');
    assert.equal(gone.reason, 'heartbeat lost');
    assert.equal(gone.lost, 1);
    const { value: done } = await worker.said('done');
    assert.equal(done.failed, 'C_ABORTED');
    assert.ok(done.growth < GROWTH, `the worker grew by ${done.growth}`);
    assert.equal(await other.call(SERVICE, 'ping'), 'pong');
    broker.tell('growth');
    const { value: grown } = await broker.said('growth');
    assert.ok(grown < GROWTH, `the broker grew by ${grown}`);
  },
);

test('a worker whose process stops and takes nothing loses its place, and no more', STOPPING, async (t) => {
  const peers = peersFor(t, 'tcp');
  // Its own heartbeat is slower, so it is not lost by its silence.
  const broker = peers.broker({ maxPeerBytes: 8 * MIB, heartbeat: 1000 });
  await broker.start();
  const program = ({ omdp, say, endpoint, service }) => {
    const worker = new omdp.Worker(endpoint, service, { concurrency: -1 });
    worker.once('connect', () => say('ready'));
    worker.start();
  };
  const worker = runChild(t, program, { endpoint: peers.endpoint, service: SERVICE });
  await worker.said('ready');
  worker.process.kill('SIGSTOP');
  const gone = once(broker, 'workerGone');
  const client = peers.client();
  await client.start();
  const data = Buffer.alloc(MIB);
  const calls = Array.from({ length: 60 }, () => client.call(SERVICE, data).catch((error) => error.code));
  const [{ reason, lost }] = await gone;
  assert.equal(reason, 'too slow');
  // What its connection took; what it did not take stayed in the queue.
  assert.ok(lost >= 1 && lost <= 30, `${lost} were lost`);
  assert.equal((await client.call('mmi.stats')).slowPeersTotal, 1);
  peers.worker(echo).start();
  const results = await Promise.all(calls);
  assert.equal(results.filter((result) => result === 'W_LOST').length, lost);
  assert.equal(results.filter(Buffer.isBuffer).length, 60 - lost);
});
