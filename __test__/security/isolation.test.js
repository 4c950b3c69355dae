'use strict';
// Attacks of peers that are let in, one each: what is somebody else's can't be had, and is counted.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { test } = require('node:test');
const { until } = require('../support/events');
const { SERVICE, peersFor, start } = require('../support/peers');
const { curveBroker, curvePeer, foreignDealer, keys } = require('../support/security');
const { toText } = require('../support/raw');

const server = keys();
const [victim, mallory, provider] = [keys(), keys(), keys()];
const USERS = {
  victim: { keys: victim.publicKey },
  mallory: { keys: mallory.publicKey },
  provider: { keys: provider.publicKey },
};

/** A victim's request that a worker holds until it is told to answer, and Mallory's socket. */
async function scene(t, conf = {}) {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker(curveBroker(server, USERS));
  const worker = peers.worker(null, { name: 'Wprovider', ...curvePeer(server, provider) });
  const client = peers.client({ name: 'Cvictim', ...curvePeer(server, victim) });
  const ready = once(broker, 'workerReady');
  await start(broker, worker, client);
  await ready;
  const given = new Promise((resolve) => {
    worker.on('request', (data, reply) => resolve({ data, reply }));
  });
  const result = client.call(SERVICE, 'secret');
  const { reply } = await given;
  const { socket } = foreignDealer(t, peers.endpoint, { ...curvePeer(server, mallory), ...conf });
  return { peers, broker, worker, client, reply, result, socket };
}

/** The rid that a client of ours uses is random; Mallory is told it, which is more than can be guessed. */
async function ridOf(t, peers) {
  const worker = foreignDealer(t, peers.endpoint, { ...curvePeer(server, provider), routingId: 'Wold' });
  await worker.socket.send(['W', '1', 'old']);
  return worker.socket;
}

test('a forged client address: a reply to a client whom the worker serves nothing', async (t) => {
  const { broker, reply, result, socket } = await scene(t);
  const gone = once(broker, 'workerReady');
  await socket.send(['W', '1', 'mine']);
  await gone;
  for (const rid of ['1', 'r1', '']) await socket.send(['W', '3', 'Cvictim', rid || 'x', '0', '"forged"']);
  await until(() => broker.refusals.strays >= 3);
  await reply.end('genuine');
  assert.equal(await result, 'genuine');
});

test("a reply to somebody else's request, by its number", async (t) => {
  const { peers, broker, result, reply, socket } = await scene(t);
  const old = await ridOf(t, peers);
  const ready = once(broker, 'workerReady');
  await socket.send(['W', '1', 'mine']);
  await ready;
  // The broker's own numbers for requests, which a worker could guess: small ones first.
  for (let key = 0; key < 4; key += 1) {
    for (let serial = 0; serial < 4; serial += 1) {
      const token = Buffer.alloc(9);
      token.writeUInt32BE(serial, 1);
      token.writeUInt32BE(key, 5);
      await socket.send(['W', '3', 'Cvictim', 'r', '0', '"forged"', token]);
    }
  }
  await until(() => broker.refusals.strays >= 16);
  await reply.end('genuine');
  assert.equal(await result, 'genuine');
  old.close();
});

test('a second READY under a taken identity', async (t) => {
  const { broker, worker, client, reply, result, socket } = await scene(t, { routingId: 'Wprovider' });
  const log = [];
  broker.on('workerGone', () => log.push('gone'));
  worker.on('disconnect', () => log.push('disconnect'));
  await socket.send(['W', '1', SERVICE]);
  // Whatever libzmq makes of the second connection, the first one keeps its name and its request.
  await socket.send(['W', '1', SERVICE]);
  await reply.end('genuine');
  assert.equal(await result, 'genuine');
  const next = new Promise((resolve) => {
    worker.on('request', (data, second) => second.end(data).on('finish', resolve));
  });
  assert.equal(await client.call(SERVICE, 'again'), 'again');
  await next;
  assert.deepEqual(log, []);
});

test("a client's identity is not taken over, and its reply not delivered to another", async (t) => {
  const { reply, result, socket } = await scene(t, { routingId: 'Cvictim', receiveTimeout: 200 });
  await socket.send(['C', '4']);
  await socket.send(['C', '2', SERVICE, 'r9', '1', '{}']);
  await reply.end('for the victim alone');
  assert.equal(await result, 'for the victim alone');
  await assert.rejects(
    async () => {
      for (;;)
        assert.ok(
          !toText(await socket.receive())
            .join()
            .includes('victim'),
        );
    },
    { code: 'EAGAIN' },
  );
});

test("a cancel of somebody else's request", async (t) => {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker(curveBroker(server, USERS));
  const worker = peers.worker(null, curvePeer(server, provider));
  await start(broker, worker);
  const given = new Promise((resolve) => worker.on('request', (_data, reply) => resolve(reply)));
  const theirs = foreignDealer(t, peers.endpoint, { ...curvePeer(server, victim), routingId: 'Cv' });
  await theirs.socket.send(['C', '2', SERVICE, 'r1', '1', '{}']);
  const reply = await given;
  const { socket } = foreignDealer(t, peers.endpoint, { ...curvePeer(server, mallory), routingId: 'Cm' });
  await socket.send(['C', '1', JSON.stringify({ heartbeat: 2500, liveness: 3, omdp: 1, session: 's' })]);
  await socket.receive();
  for (const command of ['8', '4']) await socket.send(['C', command, 'r1']);
  await until(() => broker.refusals.strays >= 2);
  assert.equal(reply.active(), true);
  reply.end('genuine');
  assert.deepEqual(toText(await theirs.socket.receive()), ['C', '3', 'r1', '0', '"genuine"']);
});

test('a handshake that does not end is ended', async (t) => {
  const net = require('node:net');
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker({ ...curveBroker(server, USERS), handshakeInterval: 50 });
  await broker.start();
  const { hostname, port } = new URL(peers.endpoint.replace('tcp:', 'http:'));
  const socket = net.connect(Number(port), hostname);
  t.after(() => socket.destroy());
  const said = once(broker, 'peerRefused');
  socket.resume();
  await once(socket, 'end');
  assert.equal((await said)[0].reason, 'the handshake was not finished');
});
