'use strict';
// Connections whose name belongs to another peer: their messages are dropped, and nobody is charged for them.
const assert = require('node:assert/strict');
const net = require('node:net');
const { test } = require('node:test');
const { REMOTE_TRANSPORTS } = require('../support/endpoints');
const { until } = require('../support/events');
const { SERVICE, echo, peersFor } = require('../support/peers');
const { frame, greeting, head } = require('../support/zmtp');

const MIB = 2 ** 20;
const TYPE = '\x0bSocket-Type\0\0\0\x06DEALER';
const READY = Buffer.from(`\x05READY${TYPE}`, 'latin1');

/** A connection of a client with this name. */
function connect(t, endpoint, session) {
  const isIpc = endpoint.startsWith('ipc:');
  const { hostname, port } = isIpc ? {} : new URL(endpoint);
  const socket = isIpc ? net.connect(endpoint.slice('ipc://'.length)) : net.connect(Number(port), hostname);
  const raw = { socket, isClosed: false, bytes: Buffer.alloc(0) };
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    raw.bytes = Buffer.concat([raw.bytes, bytes]);
  });
  socket.on('close', () => {
    raw.isClosed = true;
  });
  t.after(() => socket.destroy());
  const hello = JSON.stringify({ omdp: 1, heartbeat: 60_000, liveness: 3, flow: 1, name: 'X', session });
  socket.write(Buffer.concat([greeting(), frame(4, READY)]));
  socket.write(Buffer.concat([frame(1, 'C'), frame(1, '1'), frame(0, hello)]));
  return raw;
}

for (const transport of REMOTE_TRANSPORTS) {
  test(`large messages of connections whose name was refused end them, over ${transport}`, {
    skip: process.platform === 'win32' && 'libzmq has the connections there',
  }, async (t) => {
    const peers = peersFor(t, transport);
    const { broker, client } = await peers.trio(echo);
    const reasons = [];
    broker.on('peerRefused', ({ reason }) => reasons.push(reason));
    const holder = connect(t, peers.endpoint, 'first');
    await until(() => holder.bytes.includes('"omdp"'));
    const others = [1, 2, 3].map((n) => connect(t, peers.endpoint, `other${n}`));
    // The broker has answered the hello.
    await until(() => others.every(({ bytes }) => bytes.length > 64 + 2 + READY.length));
    // Small ones are dropped, and end no connection.
    const small = Buffer.concat([frame(1, 'C'), frame(0, '4')]);
    await Promise.all(others.map(({ socket }) => new Promise((sent) => socket.write(small, sent))));
    for (let n = 0; n < 10; n += 1) await client.call(SERVICE, n);
    assert.deepEqual(
      others.map(({ isClosed }) => isClosed),
      [false, false, false],
    );
    const part = Buffer.concat([frame(1, 'C'), head(0, 8 * MIB), Buffer.alloc(MIB)]);
    for (const { socket } of [holder, ...others]) socket.write(part);
    await until(() => others.every(({ isClosed }) => isClosed));
    await until(() => reasons.length === others.length);
    assert.deepEqual(
      reasons,
      others.map(() => 'over its limit'),
    );
    assert.ok(!holder.isClosed);
    await until(async () => (await broker.stats()).heldBytes > MIB / 2);
    assert.equal(await client.call(SERVICE, 1), 1);
  });
}
