'use strict';
// Connections that break while the processes at both ends live: nothing is lost, nothing runs twice.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Worker, curveKeyPair } = require('../..');
const { Relay } = require('../chaos/relay');
const { peersFor, start } = require('../support/peers');
const { brokerProgram } = require('../support/restarts');
const { runChild } = require('../support/child');
const { deferred, until } = require('../support/events');

const SERVICE = 'service';
const keys = curveKeyPair();
/** The options of the broker, and of its peers. */
const MECHANISMS = {
  NULL: [{}, {}],
  CURVE: [
    { curveServer: true, curveSecretKey: keys.secretKey },
    { curveServerKey: keys.publicKey, curveSecretKey: curveKeyPair().secretKey },
  ],
};

/** A broker, and relays of the ways to it. */
async function scene(t, conf = {}, transport = 'tcp') {
  const peers = peersFor(t, transport);
  const broker = peers.broker(conf);
  await broker.start();
  const relayed = async () => {
    const relay = new Relay(broker.endpoints[0]);
    t.after(() => relay.close());
    return { relay, peers: peersFor(t, transport, await relay.listen()) };
  };
  return { broker, forWorker: await relayed(), forClient: await relayed() };
}

describe('connections are cut again and again', () => {
  for (const [which, transport] of [
    ['client', 'tcp'],
    ['worker', 'tcp'],
    ['both', 'tcp'],
    ['both', 'ipc'],
  ]) {
    const title = `of the ${which}, ${transport}: every request ends with its reply, each runs once, streams have no gaps`;
    test(title, async (t) => {
      const { forWorker, forClient } = await scene(t, {}, transport);
      const started = new Map();
      const worker = forWorker.peers.worker(
        async (n, reply) => {
          started.set(n, (started.get(n) ?? 0) + 1);
          for (let part = 0; part < n % 4; part += 1) reply.write(part);
          setTimeout(() => reply.end(n), n % 30);
        },
        { concurrency: -1 },
      );
      const client = forClient.peers.client({ timeout: -1 });
      await start(worker, client);
      const relays = { client: [forClient], worker: [forWorker], both: [forClient, forWorker] }[which];
      const asked = [];
      let cuts = 0;
      const ask = (n) =>
        new Promise((resolve, reject) => {
          const parts = [];
          client.request(
            SERVICE,
            n,
            (error, part) => (error ? reject(error) : parts.push(part)),
            (error, last) =>
              error ? reject(Object.assign(new Error('lost'), { error, n })) : resolve([parts, last]),
            { timeout: -1 },
          );
        });
      const ending = deferred();
      const timer = setInterval(() => {
        for (let i = 0; i < 5; i += 1) asked.push(ask(asked.length));
        if (asked.length % 100 === 0) {
          cuts += 1;
          for (const { relay } of relays) relay.cut();
        }
        if (cuts === 12) {
          clearInterval(timer);
          ending.resolve();
        }
      }, 10);
      await ending.promise;
      const ends = await Promise.all(asked);
      for (const [n, [parts, last]] of ends.entries()) {
        assert.equal(last, n);
        assert.deepEqual(
          parts,
          Array.from({ length: n % 4 }, (_, part) => part),
        );
      }
      assert.deepEqual(
        [...started].filter(([, count]) => count !== 1),
        [],
      );
      assert.equal(started.size, asked.length);
      t.diagnostic(`${asked.length} requests, ${cuts} cuts`);
    });
  }
});

test('callAll() has the answer of each worker although the connections are cut meanwhile', async (t) => {
  const { broker, forWorker, forClient } = await scene(t);
  const begun = [];
  const handler = (_, reply) => begun.push(reply);
  const workers = [0, 1, 2].map(() => forWorker.peers.worker(handler));
  const client = forClient.peers.client();
  await start(client, ...workers);
  // A worker's start is over before the broker has it.
  await until(async () => (await broker.stats()).workers.length === 3, 'the workers');
  const answers = client.callAll(SERVICE, 'all', { timeout: -1 });
  const first = answers.next();
  await until(() => begun.length === 3, 'the copies');
  const returned = () => Promise.all([client, ...workers].map((peer) => once(peer, 'connect')));
  const found = [];
  for (const [n, reply] of begun.entries()) {
    const back = returned();
    forClient.relay.cut();
    forWorker.relay.cut();
    reply.end(n);
    await back;
    found.push((await (n === 0 ? first : answers.next())).value);
  }
  assert.equal((await answers.next()).done, true);
  assert.deepEqual(
    found.map(({ value }) => value),
    [0, 1, 2],
  );
  assert.deepEqual(new Set(found.map(({ worker }) => worker)), new Set(workers.map(({ name }) => name)));
  assert.equal((await broker.stats()).requests, 0);
});

describe('a worker that does not come back is lost after the time that it may need, and no sooner', () => {
  for (const [how, mechanism, link, least] of [
    ['finish', 'NULL', { heartbeat: 3000, liveness: 5 }, 400],
    ['finish', 'CURVE', { heartbeat: 3000, liveness: 5 }, 400],
    ['cut', 'NULL', { heartbeat: 200, liveness: 3 }, 3 * 200 + 400],
    ['cut', 'CURVE', { heartbeat: 200, liveness: 3 }, 3 * 200 + 400],
  ]) {
    test(`${how}, ${mechanism}`, async (t) => {
      const [ofBroker, ofPeers] = MECHANISMS[mechanism];
      const { broker, forWorker, forClient } = await scene(t, { ...link, ...ofBroker, reconnectGrace: 400 });
      const gone = once(broker, 'workerGone');
      const worker = forWorker.peers.worker(() => {}, { ...link, ...ofPeers, reconnect: 600_000 });
      const client = forClient.peers.client(ofPeers);
      await start(worker, client);
      const running = once(worker, 'request');
      const asked = client.call(SERVICE, 1);
      await running;
      const began = performance.now();
      forWorker.relay[how]();
      await assert.rejects(asked, { code: 'W_LOST' });
      const took = performance.now() - began;
      assert.ok(took >= least - 10, `${took}`);
      assert.equal((await gone)[0].reason, 'connection lost');
    });
  }
});

for (const mechanism of Object.keys(MECHANISMS)) {
  const [ofBroker, ofPeers] = MECHANISMS[mechanism];

  test(`a connection that is reset at the broker alone loses nothing, ${mechanism}`, async (t) => {
    const link = { heartbeat: 500, liveness: 3 };
    const { forWorker, forClient } = await scene(t, { ...link, ...ofBroker, reconnectGrace: 500 });
    const begun = [];
    const conf = { ...link, ...ofPeers };
    const worker = forWorker.peers.worker((n, reply) => begun.push(reply), { ...conf, concurrency: -1 });
    const client = forClient.peers.client({ ...conf, timeout: -1 });
    await start(worker, client);
    const asked = [1, 2, 3].map((n) => client.call(SERVICE, n));
    await until(() => begun.length === asked.length, 'begun', 10_000);
    // While all clients of its requests are away, a worker is not given up.
    for (const relays of [[forWorker], [forWorker, forClient]]) {
      const back = (relays.length > 1 ? [worker, client] : [worker]).map((peer) => once(peer, 'connect'));
      for (const { relay } of relays) relay.strand();
      await Promise.all(back);
    }
    begun.forEach((reply, n) => {
      reply.end(n);
    });
    assert.deepEqual(await Promise.all(asked), [0, 1, 2]);
  });

  test(`a peer whose connection takes several round trips of 140 ms has more time to return, ${mechanism}`, async (t) => {
    const { forWorker, forClient } = await scene(t, { ...ofBroker, reconnectGrace: 300 });
    for (const { relay } of [forWorker, forClient]) relay.far(70);
    // The services share a connection. The first attempt follows after a tenth.
    const conf = { ...ofPeers, reconnect: 9000 };
    const begun = [];
    const handler = (_, reply) => begun.push(reply);
    const worker = new Worker(
      forWorker.peers.endpoint,
      { one: handler, other: handler },
      { ...conf, concurrency: 2 },
    );
    t.after(() => worker.stop({ timeout: 0 }));
    const client = forClient.peers.client({ ...conf, timeout: -1 });
    await start(worker, client);
    const asked = ['one', 'other'].map((service) => client.call(service, 1));
    await until(() => begun.length === 2, 'begun', 10_000);
    const back = once(worker, 'connect');
    forWorker.relay.finish();
    await back;
    for (const reply of begun) reply.end(1);
    assert.deepEqual(await Promise.all(asked), [1, 1]);
  });
}

/** Waits until the broker has so many replies of the workers. */
const replied = (client, count) =>
  until(async () => (await client.call('mmi.metrics')).counters.replies === count, 'the replies', 20_000);

// Only the broker has them then, unless their worker keeps them as well.
test('a broker that is killed while a client is away takes no replies with it', async (t) => {
  const peers = peersFor(t, 'tcp');
  const args = { endpoint: peers.endpoint, conf: { reconnectGrace: 10_000 } };
  const first = runChild(t, brokerProgram, args);
  await first.said('started');
  const relay = new Relay(peers.endpoint);
  t.after(() => relay.close());
  const client = peersFor(t, 'tcp', await relay.listen()).client({ timeout: -1 });
  const begun = [];
  const worker = peers.worker((_, reply) => begun.push(reply), { concurrency: -1 });
  const observer = peers.client();
  await start(worker, client, observer);
  const asked = Array.from({ length: 200 }, (_, n) => client.call(SERVICE, n));
  await until(() => begun.length === asked.length, 'begun');
  relay.stall();
  relay.cut();
  // The broker has heard of the end of the connection when it answers.
  await observer.call('mmi.service', SERVICE);
  for (const [n, reply] of begun.entries()) reply.end(n);
  await replied(observer, asked.length);
  first.kill();
  await first.ended;
  relay.heal();
  await runChild(t, brokerProgram, args).said('started');
  const ends = await Promise.all(asked);
  assert.deepEqual(
    ends,
    ends.map((_, n) => n),
  );
});

test('a broker that is killed while a large reply is under way to its client does not take it with it', async (t) => {
  const peers = peersFor(t, 'tcp');
  const args = { endpoint: peers.endpoint, conf: { heartbeat: 200, liveness: 30 } };
  const first = runChild(t, brokerProgram, args);
  await first.said('started');
  const relay = new Relay(peers.endpoint);
  t.after(() => relay.close());
  const client = peersFor(t, 'tcp', await relay.listen()).client({ timeout: -1 });
  const large = Buffer.alloc(8_000_000, 7);
  const worker = peers.worker((_, reply) => reply.end(large));
  const observer = peers.client();
  await start(worker, client, observer);
  relay.slow(20_000);
  const asked = client.call(SERVICE, 1);
  await replied(observer, 1);
  first.kill();
  await first.ended;
  relay.heal();
  await runChild(t, brokerProgram, args).said('started');
  assert.ok(large.equals(await asked));
});

test('a broker that stops in order hands over: what runs, what waits, and what is under way', async (t) => {
  const peers = peersFor(t, 'tcp');
  const first = peers.broker();
  await first.start();
  const begun = deferred();
  const worker = peers.worker((n, reply) => {
    if (n !== 0) return reply.end(n);
    reply.write('begun');
    begun.resolve(reply);
  });
  const client = peers.client({ timeout: -1 });
  await start(worker, client);
  const asked = Array.from({ length: 50 }, (_, n) => client.call(SERVICE, n));
  const reply = await begun.promise;
  const more = Array.from({ length: 50 }, (_, n) => client.call(SERVICE, 50 + n));
  await first.stop();
  const second = peers.broker();
  await second.start();
  reply.end(0);
  const ends = await Promise.all([...asked, ...more]);
  assert.deepEqual(
    ends,
    Array.from({ length: 100 }, (_, n) => n),
  );
});
