'use strict';
// How many connections a broker has, and what becomes of those that are too many or say nothing.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const net = require('node:net');
const { test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { curveKeyPair } = require('../..');
const { runChild } = require('../support/child');
const { REMOTE_TRANSPORTS } = require('../support/endpoints');
const { until } = require('../support/events');
const { SERVICE, echo, peersFor } = require('../support/peers');
const { COUNTING } = require('../support/resources');
const { frame, greeting, head, sayPlain } = require('../support/zmtp');

const MIB = 2 ** 20;

/** READY of a DEALER without a name. */
const READY = Buffer.from('\x04\x19\x05READY\x0bSocket-Type\0\0\0\x06DEALER', 'latin1');
READY[1] = READY.length - 2;

class Raw {
  constructor(t, broker) {
    const { hostname, port } = new URL(broker.endpoints[0]);
    this.socket = net.connect({ host: hostname.replace(/[[\]]/g, ''), port: Number(port) });
    this.socket.on('error', () => {});
    this.socket.resume();
    this.isClosed = false;
    this.closed = new Promise((resolve) =>
      this.socket.on('close', () => {
        this.isClosed = true;
        resolve();
      }),
    );
    t.after(() => this.socket.destroy());
  }

  async shakeHands() {
    this.socket.write(greeting());
    this.socket.write(READY);
    return this;
  }
}

function refusals(broker) {
  const events = [];
  broker.on('peerRefused', (event) => events.push(event));
  return events;
}

test('past maxConnections a new connection is closed, and the others go on', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { broker, client } = await peers.trio(echo, { broker: { maxConnections: 4 } });
  await client.call(SERVICE, 1);
  const events = refusals(broker);
  const raw = [new Raw(t, broker), new Raw(t, broker)];
  await Promise.all(raw.map((each) => once(each.socket, 'connect')));
  await Promise.all(raw.map((each) => each.shakeHands()));
  const third = new Raw(t, broker);
  await third.closed;
  await until(() => events.length > 0);
  assert.deepEqual(events[0].reason, 'too many connections');
  assert.match(events[0].address, /^127\./);
  assert.ok(raw.every((each) => !each.isClosed));
  assert.equal(await client.call(SERVICE, 2), 2);
});

test('past maxConnectionsPerAddress a new one from there is closed', async (t) => {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker({ maxConnectionsPerAddress: 2 });
  await broker.start();
  const events = refusals(broker);
  const raw = [new Raw(t, broker), new Raw(t, broker)];
  await Promise.all(raw.map((each) => once(each.socket, 'connect')));
  const third = new Raw(t, broker);
  await third.closed;
  await until(() => events.length > 0);
  assert.equal(events[0].reason, 'too many connections of this address');
  assert.ok(raw.every((each) => !each.isClosed));
  // There is room again once one of them has gone.
  raw[0].socket.destroy();
  await until(() => {
    const next = new Raw(t, broker);
    return Promise.race([once(next.socket, 'data').then(() => true), next.closed.then(() => false)]);
  });
});

test('past maxConnectionsPerUser a new one of the user is closed', async (t) => {
  const peers = peersFor(t, 'tcp');
  const keys = curveKeyPair();
  const broker = peers.broker({
    curveServer: true,
    curveSecretKey: keys.secretKey,
    maxConnectionsPerUser: 1,
  });
  await broker.start();
  const events = refusals(broker);
  const own = curveKeyPair();
  const conf = { curveServerKey: keys.publicKey, curveSecretKey: own.secretKey };
  const first = peers.client(conf);
  await first.start();
  await until(async () => (await first.stats()).connected);
  const second = peers.client(conf);
  await second.start();
  await until(() => events.length > 0);
  assert.equal(events[0].reason, 'too many connections of this user');
  assert.equal((await first.stats()).connected, true);
});

test('a connection that says nothing after its handshake is closed after silenceInterval', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { broker, client, worker } = await peers.trio(echo, { broker: { silenceInterval: 300 } });
  const events = refusals(broker);
  const lost = [];
  for (const peer of [client, worker]) peer.on('disconnect', (event) => lost.push(event));
  const raw = await new Raw(t, broker).shakeHands();
  await raw.closed;
  await until(() => events.length > 0);
  assert.equal(events[0].reason, 'silent for too long');
  assert.equal(await client.call(SERVICE, 1), 1);
  assert.deepEqual(lost, []);
});

test('what comes before the end of a handshake is bounded, whatever was announced', {
  skip: process.platform === 'win32' && 'nothing is counted there',
}, async (t) => {
  const peers = peersFor(t, 'tcp');
  const keys = curveKeyPair();
  const broker = peers.broker({ curveServer: true, curveSecretKey: keys.secretKey });
  await broker.start();
  const events = refusals(broker);
  const { socket, closed } = new Raw(t, broker);
  socket.write(greeting('CURVE'));
  socket.write(head(4, 200 * MIB));
  const piece = Buffer.alloc(65_536);
  // Slower than the look at it, so that it is the number of bytes that ends it and not their end.
  while (!socket.destroyed) {
    socket.write(piece);
    await sleep(10);
  }
  await closed;
  await until(() => events.length > 0);
  assert.equal(events[0].reason, 'too many bytes before the handshake');
});

test('a message without an end ends its connection, and one that is large does not', {
  skip: process.platform === 'win32' && 'nothing is counted there',
}, async (t) => {
  const peers = peersFor(t, 'tcp');
  const { broker, client } = await peers.trio(echo, { broker: { maxMessageSize: 4 * MIB } });
  const refused = [];
  broker.on('peerRefused', ({ reason }) => refused.push(reason));
  const { hostname, port } = new URL(peers.endpoint);
  const socket = net.connect(Number(port), hostname);
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.on('error', () => {});
  socket.resume();
  socket.write(Buffer.concat([greeting(), READY]));
  // A frame of 1 MiB, and one more is to follow.
  const part = frame(1, Buffer.alloc(MIB));
  const send = () => {
    while (!socket.destroyed && socket.write(part));
    socket.once('drain', send);
  };
  send();
  const large = 'x'.repeat(3.9 * MIB);
  assert.equal(await client.call(SERVICE, large), large);
  await closed;
  await until(() => refused.length === 1);
  assert.deepEqual(refused, ['a message without an end']);
  for (let n = 0; n < 5; n += 1) assert.equal(await client.call(SERVICE, large), large);
  assert.equal(refused.length, 1);
});

/** A connection to the broker, which `user` opens over PLAIN if it is given. */
async function connectTo({ endpoint }, user) {
  const { hostname, port } = new URL(endpoint);
  const isIpc = endpoint.startsWith('ipc:');
  const socket = isIpc ? net.connect(endpoint.slice('ipc://'.length)) : net.connect(Number(port), hostname);
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.on('error', () => {});
  socket.resume();
  if (user === undefined) socket.write(Buffer.concat([greeting(), READY]));
  else await sayPlain(socket, user, user);
  return { socket, closed };
}

const SECURED = { plainServer: true, security: { users: { u: { password: 'u', call: [], serve: [] } } } };

for (const [transport, user] of [['tcp'], ['tcp', 'u'], ['ipc', 'u']]) {
  const how = `${transport}${user === undefined ? '' : ' with security'}`;
  const isCounted = process.platform !== 'win32' || user === undefined;

  test(`a message of very many frames ends its connection, over ${how}`, {
    skip: !isCounted && 'nothing is counted there',
  }, async (t) => {
    const peers = peersFor(t, transport);
    const broker = peers.broker(user === undefined ? {} : SECURED);
    await broker.start();
    const events = refusals(broker);
    const { socket, closed } = await connectTo(peers, user);
    const beat = Buffer.concat([frame(1, 'C'), frame(0, '4')]);
    const parts = (count) => Buffer.alloc(2 * count, Buffer.from([1, 0]));
    // One that has as many as may be is only none of any dialect.
    socket.write(Buffer.concat([beat, parts(16_383), frame(0, '')]));
    await until(async () => (await broker.stats()).counters.badMessages === 1);
    // What libzmq has read before it notices may still become complete.
    socket.write(Buffer.concat([beat, parts(40_000), frame(0, '')]));
    await closed;
    await until(() => events.length > 0);
    assert.equal(events[0].reason, 'too many frames of a message');
    assert.equal((await broker.stats()).counters.badMessages, 1);
  });
}

for (const transport of REMOTE_TRANSPORTS) {
  test(`incomplete messages with security are bounded together, over ${transport}`, {
    skip: process.platform === 'win32' && 'nothing is counted there',
  }, async (t) => {
    const peers = peersFor(t, transport);
    const broker = peers.broker({ ...SECURED, maxHeld: 16 * MIB });
    await broker.start();
    const events = refusals(broker);
    const begun = Buffer.concat([frame(1, 'C'), frame(0, '4'), frame(1, 'C'), head(0, 8 * MIB)]);
    const connections = [];
    for (let n = 0; n < 60; n += 1) {
      const connection = await connectTo(peers, 'u');
      connection.socket.write(Buffer.concat([begun, Buffer.alloc(0.9 * MIB)]));
      connections.push(connection);
    }
    await until(() => events.length > 0);
    assert.equal(events[0].reason, 'too much of incomplete messages');
    const left = () => connections.filter(({ socket }) => !socket.destroyed).length;
    await until(() => left() < 40);
    assert.ok(left() > 5, `${left()} are left`);
  });
}

test('failed handshakes are events with an address, ten a second at most, and the others are counted', async (t) => {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker();
  await broker.start();
  const events = refusals(broker);
  let made = 0;
  const fail = async () => {
    const raw = new Raw(t, broker);
    raw.socket.write(greeting('PLAIN'));
    made += 1;
    await raw.closed;
  };
  for (let i = 0; i < 200; i += 1) await fail();
  // In a later second an event has the number of those since the last one.
  const told = () => events.reduce((sum, { missed = 0 }) => sum + missed + 1, 0);
  await until(async () => {
    await fail();
    return told() === made;
  });
  assert.ok(events.length < made / 2, `${events.length} events of ${made}`);
  for (const { reason, address } of events) {
    assert.equal(reason, 'another security mechanism');
    assert.match(address, /^127\./);
  }
});

/** Runs in the child: a broker with few descriptors, which says what becomes of it. */
async function fewDescriptors({ omdp, say, endpoint }) {
  const broker = new omdp.Broker(endpoint);
  let exhausted = 0;
  broker.on('descriptorsExhausted', () => {
    exhausted += 1;
  });
  await broker.start();
  say('started', broker.endpoints[0]);
  setInterval(() => say('state', { exhausted, cpu: process.cpuUsage() }), 200);
}

test('500 silent connections at a broker with 100 descriptors', COUNTING, async (t) => {
  const peers = peersFor(t, 'tcp');
  const child = runChild(t, fewDescriptors, { endpoint: peers.endpoint }, { shell: 'ulimit -n 100' });
  const endpoint = (await child.said('started')).value;
  const silent = Array.from({ length: 500 }, () => new Raw(t, { endpoints: [endpoint] }));
  await Promise.all(
    silent.map(({ socket }) => Promise.race([once(socket, 'connect'), once(socket, 'close')])),
  );
  const state = () => {
    child.forget('state');
    return child.said('state').then(({ value }) => value);
  };
  await until(async () => (await state()).exhausted > 0);
  // Peers that speak get in.
  const worker = peers.worker(echo);
  const client = peers.client();
  await Promise.all([worker.start(), client.start()]);
  for (let i = 0; i < 20; i += 1) assert.equal(await client.call(SERVICE, i, { timeout: 10_000 }), i);
  const before = await state();
  await sleep(1000);
  const after = await state();
  const spent = (after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system) / 1000;
  assert.ok(spent < 700, `${spent} ms of processor time in about 1.4 s`);
});
