'use strict';
// The broker and every heartbeat run on native threads: JavaScript may be busy for many times the liveness, on any side,
// and nothing is lost.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { runChild } = require('../support/child');
const { TRANSPORTS } = require('../support/endpoints');
const { record } = require('../support/events');
const { SERVICE, ask, echo, peersFor, start } = require('../support/peers');

/** Small enough for a test, and large enough for a machine that is busy with others. */
const CONF = { heartbeat: 100, liveness: 10 };

/** Longer than the liveness. */
const BLOCKED_MS = 1500;

/** Holds this thread. A spinning CPU is no different for the event loop, but would take it from the native threads. */
function block() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCKED_MS);
}

const LOSSES = ['disconnect', 'workerGone', 'badMessage', 'requestExpired'];

for (const transport of TRANSPORTS) {
  test(`all three in one process that blocks, over ${transport}: nothing is lost, nobody is disconnected`, async (t) => {
    const peers = await peersFor(t, transport).trio(echo, {
      broker: CONF,
      worker: { ...CONF, concurrency: -1 },
      client: CONF,
    });
    const { client } = peers;
    assert.equal(await client.call(SERVICE, 'before'), 'before');
    const logs = Object.values(peers).map((peer) => record(peer, LOSSES));
    const calls = Array.from({ length: 100 }, (_, i) => client.call(SERVICE, i));
    block();
    assert.deepEqual(await Promise.all(calls), [...Array(100).keys()]);
    assert.equal(await client.call(SERVICE, 'after'), 'after');
    for (const log of logs) assert.deepEqual(log, []);
  });
}

/** Runs in a child: one peer, and a block whenever it reads a line. */
async function blockingPeer({ omdp, say, endpoint, service, role, conf, ms }) {
  const wait = () => {
    say('blocking');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    say('blocked');
  };
  process.stdin.on('data', wait);
  const peer = {
    broker: () => new omdp.Broker(endpoint, conf),
    worker: () => new omdp.Worker(endpoint, service, conf).on('request', (data, reply) => reply.end(data)),
    client: () => new omdp.Client(endpoint, conf),
  }[role]();
  for (const event of ['disconnect', 'workerGone', 'badMessage', 'requestExpired']) {
    peer.on(event, (...args) => say('lost', [event, ...args]));
  }
  await peer.start();
  say('started');
  if (role === 'client') {
    process.stdin.once('data', async () => {
      const calls = Array.from({ length: 100 }, (_, i) => peer.call(service, i));
      wait();
      say('answers', await Promise.all(calls));
    });
  }
}

describe('the event loop blocks in', () => {
  for (const role of ['broker', 'worker', 'client']) {
    test(`the ${role}’s process`, async (t) => {
      const peers = peersFor(t, 'tcp');
      const here = {
        broker: () => peers.broker(CONF),
        worker: () => peers.worker(echo, CONF),
        client: () => peers.client(CONF),
      };
      const others = Object.fromEntries(
        Object.keys(here)
          .filter((each) => each !== role)
          .map((each) => [each, here[each]()]),
      );
      if (others.broker !== undefined) await others.broker.start();
      const { endpoint } = peers;
      const child = runChild(t, blockingPeer, {
        endpoint,
        service: SERVICE,
        role,
        conf: CONF,
        ms: BLOCKED_MS,
      });
      await child.said('started');
      await start(...Object.values(others).filter((peer) => peer !== others.broker));
      if (others.client !== undefined) assert.equal(await others.client.call(SERVICE, 'before'), 'before');
      const logs = Object.values(others).map((peer) => record(peer, LOSSES));

      child.tell('block');
      await child.said('blocking');
      if (others.client === undefined) {
        assert.deepEqual((await child.said('answers')).value, [...Array(100).keys()]);
      } else {
        // Those of a blocked worker wait for it, those through a blocked broker don't.
        const calls = Array.from({ length: 100 }, (_, i) => others.client.call(SERVICE, i));
        assert.deepEqual(await Promise.all(calls), [...Array(100).keys()]);
      }
      await child.said('blocked');
      if (others.client !== undefined) assert.equal(await others.client.call(SERVICE, 'after'), 'after');
      for (const log of logs) assert.deepEqual(log, []);
      child.kill();
      const { said } = await child.ended;
      assert.deepEqual(
        said.filter(({ what }) => what === 'lost'),
        [],
      );
    });
  }
});

test('a broker whose event loop is blocked goes on passing requests', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { endpoint } = peers;
  const child = runChild(t, blockingPeer, {
    endpoint,
    service: SERVICE,
    role: 'broker',
    conf: CONF,
    ms: 30_000,
  });
  await child.said('started');
  child.tell('block');
  await child.said('blocking');
  const [worker, client] = [peers.worker(echo), peers.client()];
  await start(worker, client);
  const data = [...Array(100).keys()];
  assert.deepEqual(await Promise.all(data.map((each) => client.call(SERVICE, each))), data);
});

test('a handler that blocks for longer than the liveness keeps its worker and its reply', async (t) => {
  const { worker, client } = await peersFor(t, 'tcp').trio(
    (data, reply) => {
      reply.write('before');
      block();
      reply.write('after');
      reply.end(reply.active());
    },
    { broker: CONF, worker: CONF, client: CONF },
  );
  const log = record(worker, LOSSES);
  assert.deepEqual(await ask(client, 1), {
    partials: [
      [null, 'before'],
      [null, 'after'],
    ],
    final: [null, true],
  });
  assert.deepEqual(log, []);
});

test('a partial leaves while the handler goes on computing', async (t) => {
  // The worker's thread never comes back to its event loop; what it wrote arrives all the same.
  const peers = peersFor(t, 'tcp');
  const client = peers.client();
  await start(peers.broker(), client);
  const child = runChild(
    t,
    async ({ omdp, endpoint, service }) => {
      const worker = new omdp.Worker(endpoint, service);
      worker.on('request', (data, reply) => {
        reply.write('one');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
        reply.write('two');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30_000);
      });
      await worker.start();
    },
    { endpoint: peers.endpoint, service: SERVICE },
  );
  const parts = [];
  for await (const part of client.requestStream(SERVICE, 1)) {
    parts.push(part);
    if (parts.length === 2) break;
  }
  assert.deepEqual(parts, ['one', 'two']);
  child.kill();
});
