'use strict';
// What a hostile peer may do over CURVE, PLAIN and ipc: several things of a kind in each scenario.
const net = require('node:net');
const { batch, part } = require('../support/packed');
const { frame, greeting, head, sayPlain } = require('../support/zmtp');
const { HELLO, EXT, PAST, MIB, dial, shake, push, pause } = require('./tools');

/**
 * A relay to the broker that stops after so many bytes of a connection, and keeps it.
 * @param {string} endpoint @param {number} most
 */
async function stoppingRelay(endpoint, most) {
  const server = net.createServer((near) => {
    near.on('error', () => {});
    dial(endpoint).then((far) => {
      let passed = 0;
      far.on('data', (bytes) => near.write(bytes));
      far.on('close', () => near.destroy());
      near.on('close', () => far.destroy());
      near.on('data', (bytes) => {
        passed += bytes.length;
        if (passed > most) near.pause();
        else if (!far.write(bytes)) {
          near.pause();
          far.once('drain', () => near.resume());
        }
      });
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  return `tcp://127.0.0.1:${port}`;
}

/** Everything that fills a table, as a peer without rights or with them. @param {Connect} connect @param {number} scale */
async function fillTables(connect, scale) {
  const [client, worker] = [connect('filler'), connect('claimer')];
  const long = 'x'.repeat(60_000);
  const body = Buffer.alloc(MIB, '1');
  await client.send(['C', '1', HELLO]);
  for (let n = 0; n < 100 * scale; n += 1)
    await client.send(['C', '11', 'nobody', `r${n}`, body, '{}', EXT, PAST]);
  // A client that was silent for long is kept for a minute, with the replies that it has not read.
  await client.send(['C', '4']);
  await worker.send(['W', '1', 'claims', HELLO]);
  const number = Buffer.alloc(9, 1);
  for (let n = 0; n < 5000 * scale; n += 1) {
    number.writeUInt32BE(n);
    await worker.send(['W', '11', 'somebody', n % 2 === 0 ? `r${n}` : `${n}${long}`, number]);
    await worker.send(['W', '1', n % 2 === 0 ? `s${n}` : `${n}${long}`, HELLO]);
    if (n % 100 === 0) await client.send(['C', '4']);
  }
  const session = 's'.repeat(2 * MIB);
  const hello = JSON.stringify({ omdp: 1, heartbeat: 2500, liveness: 3, session });
  for (let n = 0; n < 20 * scale; n += 1) {
    const socket = connect();
    await socket.send(['C', '1', hello]);
    await pause(20);
    socket.close();
  }
}

/** Batches of 1500 requests over many connections. @param {Connect} connect @param {number} scale */
async function floodInBatches(connect, scale) {
  const asks = (service) =>
    Array.from({ length: 1500 }, (_, n) => part('C', '2', service, `r${n}`, '1', '{}'));
  const frames = ['mmi.services', 'nobody'].map((service) => batch(...asks(service)));
  const sockets = Array.from({ length: 50 }, () => connect());
  for (let n = 0; n < 20 * scale; n += 1)
    await Promise.all(sockets.map((socket, at) => socket.send([frames[at % 2]])));
}

/** Both, one after the other. @param {Connect} connect @param {number} scale */
async function fillTablesInBatches(connect, scale) {
  await fillTables(connect, scale);
  await floodInBatches(connect, scale);
}

/**
 * Sends a message of 8 MiB but for its last part, or one without an end until its connection is ended.
 * @param {net.Socket} socket @param {boolean} isLarge
 */
async function sendUnfinished(socket, isLarge) {
  const piece = Buffer.alloc(MIB);
  const part = isLarge ? piece : frame(1, piece);
  if (isLarge) socket.write(Buffer.concat([frame(1, 'C'), head(0, 8 * MIB)]));
  for (let sent = 0; sent < (isLarge ? 7 : 30) && (await push(socket, part)); sent += 1);
}

/** @typedef {(routingId?: string, to?: string) => import('zeromq').Dealer} Connect */

/** @type {typeof import('./scenarios').SCENARIOS} */
const SECURED = {
  'messages without an end over CURVE': {
    about: '50 MiB of a message of 60 MiB, over 40 connections of a user without rights',
    users: true,
    async run(connect, scale, endpoint) {
      const relay = await stoppingRelay(endpoint, 50 * MIB);
      const body = Buffer.alloc(60 * MIB);
      for (let n = 0; n < 40 * scale; n += 1) {
        const socket = connect(undefined, relay);
        // Silent connections end sooner.
        await socket.send(['C', '2', 'nobody', 'r', '1', '{}']);
        socket.send(['C', body]).catch(() => {});
        await pause(50);
      }
      await pause(1500);
    },
  },
  'tables and batches over CURVE': {
    about: 'RESUMEs, CLAIMs, READYs, large hellos and batches of a user without rights',
    users: true,
    run: fillTablesInBatches,
  },
  'connections over PLAIN': {
    about:
      'wrong passwords, silent connections, announced frames, and messages without an end of a user without rights',
    users: 'plain',
    broker: { maxMessageSize: 8 * MIB, handshakeInterval: 1000, silenceInterval: 1000 },
    async run(connect, scale, endpoint) {
      for (let n = 0; n < 1000 * scale; n += 1) {
        const socket = await dial(endpoint);
        sayPlain(socket, n % 2 === 0 ? 'attacker' : 'nobody', 'wrong');
        if (n % 4 === 0) await pause(1);
      }
      for (let n = 0; n < 500 * scale; n += 1) {
        const socket = await dial(endpoint);
        if (n % 3 === 0) socket.write(greeting('PLAIN'));
        if (n % 3 === 1) sayPlain(socket, 'attacker', 'attacker');
        if (n % 3 === 2) socket.write(Buffer.concat([greeting('PLAIN'), head(0, 6144 * MIB)]));
      }
      for (let n = 0; n < 80 * scale; n += 1) {
        const socket = await dial(endpoint);
        await sayPlain(socket, 'attacker', 'attacker');
        await sendUnfinished(socket, n % 2 === 0);
      }
      await pause(500);
    },
  },
  'tables and batches over PLAIN and ipc': {
    about: 'RESUMEs, CLAIMs, READYs, large hellos and batches of a user without rights',
    users: 'plain',
    over: 'ipc',
    run: fillTablesInBatches,
  },
  'connections and tables over ipc': {
    about:
      'silent connections, announced frames, messages without an end, RESUMEs, CLAIMs, READYs and batches',
    over: 'ipc',
    broker: { maxMessageSize: 8 * MIB, maxConnections: 300, handshakeInterval: 1000, silenceInterval: 1000 },
    async run(connect, scale, endpoint) {
      for (let n = 0; n < 1000 * scale; n += 1) await (n % 2 === 0 ? dial(endpoint) : shake(endpoint));
      const piece = Buffer.alloc(MIB);
      for (let n = 0; n < 40 * scale; n += 1) {
        const socket = await dial(endpoint);
        socket.write(Buffer.concat([greeting(), head(0, 6144 * MIB)]));
        for (let sent = 0; sent < 8 && (await push(socket, piece)); sent += 1);
      }
      for (let n = 0; n < 40 * scale; n += 1) {
        const socket = await shake(endpoint);
        await sendUnfinished(socket, n % 2 === 0);
      }
      await fillTablesInBatches(connect, scale);
    },
  },
};

module.exports = { SECURED };
