'use strict';
// Flow control with clients and brokers of 0.0.92, which have none of their own.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Dealer } = require('zeromq');
const { freshEndpoint } = require('../support/endpoints');
const { deferred, until } = require('../support/events');
const { GROWTH, MIB, brokerProgram, runWatched } = require('../support/growth');
const { OldBroker, OldWorker } = require('../support/old');
const { SERVICE, ask, peersFor, start } = require('../support/peers');
const { rawRouter } = require('../support/raw');

/** Waits until a number does not grow any more: the buffers of the two kernels are full. */
async function standstill(number) {
  let last;
  let looks = 0;
  await until(async () => {
    looks = last === number() ? looks + 1 : 0;
    last = number();
    await new Promise((resolve) => setTimeout(resolve, 100));
    return looks === 4;
  });
}

describe('a client of 0.0.92 that does not read', () => {
  /** One that takes what it must, and no more. */
  function lazyClient(t, endpoint) {
    const socket = new Dealer({
      linger: 0,
      receiveHighWaterMark: 2,
      receiveTimeout: 60_000,
      routingId: 'C-old',
    });
    t.after(() => socket.close());
    socket.connect(endpoint);
    return socket;
  }

  test('gets what was kept for it, and then an error, when its worker goes on and on', async (t) => {
    const endpoint = freshEndpoint('tcp');
    const conf = { maxPeerBytes: 8 * MIB };
    const broker = runWatched(t, brokerProgram, { endpoint, conf });
    await broker.said('started');
    const worker = new OldWorker(t, endpoint, { service: SERVICE });
    await worker.ready();
    const client = lazyClient(t, endpoint);
    await client.send(['C', '2', SERVICE, 'r1', '"go"', '{"timeout":-1}']);
    const request = await worker.request();
    const part = 'x'.repeat(64 * 1024);
    const count = 4000;
    for (let i = 0; i < count; i += 1) await worker.partial(request, `${i} ${part}`);
    await worker.final(request, 'end');
    const { address, ...gone } = (await broker.said('clientGone')).value;
    assert.match(address, /^127\./);
    assert.deepEqual(gone, { client: 'C-old', reason: 'too slow', lost: 1 });
    broker.tell('growth');
    const { value: grown } = await broker.said('growth');
    assert.ok(grown < GROWTH, `the broker grew by ${grown}`);
    for (let i = 0; ; i += 1) {
      const [, command, , code, body] = (await client.receive()).map(String);
      if (command === '3') {
        assert.equal(code, '"C_SLOW"');
        assert.ok(i >= (8 * 16) / 2 && i < count, `${i} parts`);
        break;
      }
      assert.ok(body.startsWith(`"${i} `), 'in order, and none is missing');
    }
  });

  test('has a worker of ours wait for it, and loses nothing', async (t) => {
    const peers = peersFor(t, 'tcp');
    let written = 0;
    const full = deferred();
    const count = 2000;
    await peers.broker().start();
    const worker = peers.worker(async (data, reply) => {
      for (let i = 0; i < count; i += 1) {
        if (reply.write(`${i} ${'x'.repeat(64 * 1024)}`)) continue;
        full.resolve();
        written = i;
        await once(reply, 'drain');
      }
      reply.end('end');
    });
    await worker.start();
    const client = lazyClient(t, peers.endpoint);
    await client.send(['C', '2', SERVICE, 'r1', '"go"', '{"timeout":-1}']);
    await full.promise;
    await standstill(() => written);
    assert.ok(written < count / 2, `${written} parts`);
    for (let i = 0; i < count; i += 1) {
      const [, , , , body] = (await client.receive()).map(String);
      assert.ok(body.startsWith(`"${i} `), `part ${i}`);
    }
    const [, command] = (await client.receive()).map(String);
    assert.equal(command, '3');
  });
});

describe('a broker of 0.0.92', () => {
  const PART = 'x'.repeat(10_000);
  const COUNT = 5000;

  let written = 0;
  const writer = async (data, reply) => {
    for (written = 0; written < COUNT; written += 1) {
      if (!reply.write(`${written} ${PART}`)) await once(reply, 'drain');
    }
    reply.end('end');
  };

  test('passes streams of any length', async (t) => {
    const peers = peersFor(t, 'tcp');
    const broker = await OldBroker.start(t, peers.endpoint);
    const worker = peers.worker(writer);
    const client = peers.client();
    await start(worker, client);
    const { partials, final } = await ask(client, 1);
    assert.equal(partials.length, COUNT);
    assert.deepEqual(final, [null, 'end']);
    assert.ok(!broker.log.some(([, , command]) => command === '10'));
  });

  test('that takes nothing has write() turn false', async (t) => {
    const peers = peersFor(t, 'tcp');
    const router = await rawRouter(t, peers.endpoint, { receiveHighWaterMark: 2 });
    const worker = peers.worker(writer, { heartbeat: 20_000 });
    await worker.start();
    const [from] = await router.receive();
    await router.send([from, 'W', '2', 'client', 'r1', '1']);
    await until(() => written > 0);
    await standstill(() => written);
    assert.ok(written < COUNT, 'it waits');
    let parts = 0;
    for (;;) {
      const [, , command, , , , data] = (await router.receive()).map(String);
      if (command === '3') break;
      if (command !== '6') continue;
      assert.ok(data.startsWith(`"${parts} `), `part ${parts}`);
      parts += 1;
    }
    assert.equal(parts, COUNT);
  });
});
