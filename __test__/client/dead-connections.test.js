'use strict';
// A line that dies in between: what is sent is lost, and nobody says so. Before the broker's hello a client can't tell
// it from a broker of 0.0.92, which says nothing to clients but replies; it must not wait for ever nevertheless.
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { EventEmitter, once } = require('node:events');
const net = require('node:net');
const { test } = require('node:test');
const { runChild } = require('../support/child');
const { freshEndpoint } = require('../support/endpoints');
const { peersFor, start } = require('../support/peers');

/** How a ZMTP 3 connection begins: a greeting of 64 bytes, and READY with a length of one byte. */
const GREETING = 64;
const handshakeOf = (bytes) => GREETING + 2 + (bytes[GREETING + 1] ?? Number.POSITIVE_INFINITY);

/** A proxy to a broker. Connections made after `deaden()` carry the handshake of ZMTP, and nothing behind it. */
async function proxyTo(t, endpoint) {
  const { hostname, port } = new URL(endpoint);
  const sockets = new Set();
  let dead = false;
  const joins = new EventEmitter();
  const server = net.createServer((near) => {
    joins.emit('join');
    const far = net.connect(Number(port), hostname);
    const limited = dead;
    let passed = Buffer.alloc(0);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    near.on('data', (bytes) => far.write(bytes));
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    far.on('data', (bytes) => {
      if (!limited) return near.write(bytes);
      const before = Math.min(passed.length, handshakeOf(passed));
      passed = Buffer.concat([passed, bytes]);
      return near.write(passed.subarray(before, Math.min(passed.length, handshakeOf(passed))));
    });
  });
  const { hostname: host, port: own } = new URL(freshEndpoint('tcp'));
  server.listen(Number(own), host);
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    endpoint: `tcp://${host}:${own}`,
    joined: () => once(joins, 'join'),
    deaden: () => {
      dead = true;
    },
    heal: () => {
      dead = false;
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

test('where a broker has said hello before, a line that dies before the next hello is given up for another', async (t) => {
  const link = { heartbeat: 100, liveness: 5 };
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker(link);
  const worker = peers.worker((data, reply) => reply.end(data), link);
  await broker.start();
  const proxy = await proxyTo(t, peers.endpoint);
  const client = peersFor(t, 'tcp', proxy.endpoint).client(link);
  await start(worker, client);
  assert.equal(await client.call('service', 1, { timeout: -1 }), 1);

  proxy.deaden();
  const joined = proxy.joined();
  proxy.cut();
  await joined;
  // The connection is there, and stays as it is; the client makes another.
  proxy.heal();
  assert.equal(await client.call('service', 2, { timeout: 30_000 }), 2);
});

/** Runs in the child, which has a network of its own: peers that never say hello, on a line that dies. */
async function deadBeforeHello({ omdp, say }) {
  const { execFileSync } = require('node:child_process');
  const { once } = require('node:events');
  const { Router } = require('zeromq');
  const tc = (...args) => execFileSync('tc', ['qdisc', ...args]);
  const requested = async (router) => {
    for (;;) {
      const frames = await router.receive();
      if (frames.some((frame) => frame.toString() === 'service')) return;
    }
  };
  const routers = {};
  const clients = {};
  const ends = [];
  for (const [protocol, port] of [
    ['omdp', 7001],
    ['mdp/0.2', 7002],
  ]) {
    const endpoint = `tcp://127.0.0.1:${port}`;
    routers[protocol] = new Router({ linger: 0, handover: true });
    await routers[protocol].bind(endpoint);
    clients[protocol] = new omdp.Client(endpoint, { protocol });
    await clients[protocol].start();
    const request = clients[protocol].call('service', 'x', { timeout: -1 });
    await requested(routers[protocol]);
    const lost = once(clients[protocol], 'disconnect');
    const failed = request.catch(({ code }) => code);
    ends.push(Promise.all([failed, lost]).then(([code, [, why]]) => [protocol, code, why]));
  }
  tc('add', 'dev', 'lo', 'root', 'blackhole');
  say('ends', await Promise.all(ends));
  // And the way is looked for again.
  const again = Object.values(clients).map((client) => client.call('service', 'y', { timeout: -1 }));
  tc('del', 'dev', 'lo', 'root');
  await Promise.all(Object.values(routers).map(requested));
  say('back');
  const stopped = Object.values(clients).map((client) => client.stop({ timeout: 0 }));
  await Promise.allSettled([...again, ...stopped]);
  for (const router of Object.values(routers)) router.close();
}

/** A network of its own for a command, in which nothing arrives once this has been done to it. */
const OWN_NETWORK = ['-Urn', 'sh', '-c', 'ip link set lo up && tc qdisc add dev lo root blackhole'];
const canLose = process.platform === 'linux' && spawnSync('unshare', OWN_NETWORK).status === 0;

test('the system tells of a line that dies before the first hello', {
  skip: !canLose && 'no network of its own',
}, async (t) => {
  const shell =
    'if [ -z "$OWN" ]; then export OWN=1; exec unshare -Urn sh -c "ip link set lo up; exec \\"\\$@\\"" sh "$@"; fi';
  const child = runChild(t, deadBeforeHello, {}, { shell, patience: 60_000 });
  const { value: ends } = await child.said('ends');
  assert.deepEqual(ends, [
    ['omdp', 'B_LOST', 'connection lost'],
    ['mdp/0.2', 'B_LOST', 'connection lost'],
  ]);
  await child.said('back');
  const { code, signal, stderr } = await child.ended;
  assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' });
});
