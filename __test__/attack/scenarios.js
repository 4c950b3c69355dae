'use strict';
// What a hostile peer may do, each as a function of how to connect. The peers are plain ZeroMQ sockets: nothing of this
// package keeps them from saying what they like.
const net = require('node:net');
const { batch, part } = require('../support/packed');
const { greeting } = require('../support/zmtp');

const HELLO = JSON.stringify({ omdp: 1, heartbeat: 2500, liveness: 3, session: 'a', flow: 1, packed: true });
const KIB = 1024;
const MIB = 1024 * KIB;

/** Terms of a request without timeout, in the extension frame. */
const EXT = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
/** What a client knows of a request that it resumes: nothing, and it may be looked for long. */
const PAST = Buffer.from([0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/** @typedef {(routingId?: string) => import('zeromq').Dealer} Connect */

/** A plain TCP connection, which has come about. @param {string} endpoint @returns {Promise<net.Socket>} */
function dial(endpoint) {
  const { hostname, port } = new URL(endpoint);
  const socket = net.connect(Number(port), hostname);
  socket.on('error', () => {});
  return new Promise((resolve) => {
    socket.on('connect', () => resolve(socket));
    socket.on('close', () => resolve(socket));
  });
}

/** A connection over which the handshake of NULL is done. @param {string} endpoint */
async function shake(endpoint) {
  const socket = await dial(endpoint);
  socket.resume();
  const type = '\x0bSocket-Type\0\0\0\x06DEALER';
  const ready = Buffer.from(`\x05READY${type}`, 'latin1');
  socket.write(Buffer.concat([greeting(), Buffer.from([4, ready.length]), ready]));
  return socket;
}

/** @param {net.Socket} socket @param {Buffer} bytes @returns {Promise<boolean>} whether it is still there */
async function push(socket, bytes) {
  if (socket.destroyed) return false;
  if (socket.write(bytes)) return true;
  await new Promise((resolve) => {
    const done = () => {
      for (const event of ['drain', 'close']) socket.off(event, done);
      resolve(undefined);
    };
    for (const event of ['drain', 'close']) socket.on(event, done);
  });
  return !socket.destroyed;
}

/**
 * `broker`: options of the broker. `users`: it has users, and the attacker is one of them, who may call and serve
 * nothing. `asks`: it has an `authorize` callback, which takes its time.
 * @type {Record<string, { about: string, broker?: object, users?: boolean, asks?: boolean,
 *   run(connect: Connect, scale: number, endpoint: string): Promise<void> }>}
 */
const SCENARIOS = {
  'requests to nobody': {
    about: 'plain requests to services that nobody serves',
    async run(connect, scale) {
      const socket = connect();
      for (let n = 0; n < 100_000 * scale; n += 1)
        await socket.send(['C', '2', `s${n % 1000}`, `r${n}`, '1', '{}']);
    },
  },
  'large requests': {
    about: 'requests of 1 MiB to nobody',
    async run(connect, scale) {
      const socket = connect();
      const body = Buffer.alloc(MIB, '1');
      for (let n = 0; n < 500 * scale; n += 1)
        await socket.send(['C', '2', 'nobody', `r${n}`, body, '{"timeout":-1}']);
    },
  },
  resumes: {
    about: 'RESUME of requests of 1 MiB that never were',
    async run(connect, scale) {
      const socket = connect('resumer');
      await socket.send(['C', '1', HELLO]);
      const body = Buffer.alloc(MIB, '1');
      for (let n = 0; n < 500 * scale; n += 1)
        await socket.send(['C', '11', 'nobody', `r${n}`, body, '{}', EXT, PAST]);
    },
  },
  'long ids': {
    about: 'request ids and service names of 65 kB, in requests and READYs',
    async run(connect, scale) {
      const socket = connect();
      const long = 'x'.repeat(65_000);
      for (let n = 0; n < 5000 * scale; n += 1) {
        await socket.send(['C', '2', 'nobody', `${n}${long}`, '1', '{}']);
        await socket.send(['W', '1', `${n}${long}`]);
      }
    },
  },
  claims: {
    about: 'CLAIMs of requests that nobody asked for, with long ids',
    async run(connect, scale) {
      const socket = connect('claimer');
      await socket.send(['W', '1', 'claims', HELLO]);
      const long = 'x'.repeat(60_000);
      for (let n = 0; n < 20_000 * scale; n += 1) {
        const number = Buffer.alloc(9, 1);
        number.writeUInt32BE(n);
        await socket.send(['W', '11', 'somebody', n % 2 === 0 ? `r${n}` : `${n}${long}`, number]);
      }
    },
  },
  hellos: {
    about: 'hellos with sessions of 2 MB, of clients that go at once',
    async run(connect, scale) {
      const session = 's'.repeat(2 * MIB);
      const hello = JSON.stringify({ omdp: 1, heartbeat: 2500, liveness: 3, session });
      for (let n = 0; n < 30 * scale; n += 1) {
        const socket = connect();
        await socket.send(['C', '1', hello]);
        await new Promise((resolve) => setTimeout(resolve, 20));
        socket.close();
      }
    },
  },
  'mmi in batches': {
    about: 'requests that wait under 5000 names, then frames with 1500 requests to mmi.services each',
    async run(connect, scale) {
      const socket = connect();
      for (let n = 0; n < 5000; n += 1)
        await socket.send(['C', '2', `${'n'.repeat(200)}${n}`, `r${n}`, '1', '{}']);
      const asks = Array.from({ length: 1500 }, (_, n) =>
        part('C', '2', 'mmi.services', `m${n}`, `${n % 7}`, '{}'),
      );
      const frame = batch(...asks);
      const asker = connect();
      for (let n = 0; n < 20 * scale; n += 1) await asker.send([frame]);
    },
  },
  'mmi one by one': {
    about: 'plain requests to mmi.*, whose answers are not read',
    async run(connect, scale) {
      const socket = connect();
      for (let n = 0; n < 300; n += 1) await connect(`w${n}`).send(['W', '1', `${'n'.repeat(200)}${n}`]);
      const names = ['mmi.services', 'mmi.workers', 'mmi.stats'];
      for (let n = 0; n < 10_000 * scale; n += 1)
        await socket.send(['C', '2', names[n % 3], `m${n}`, '0', '{}']);
    },
  },
  nonsense: {
    about: 'batches of 30,000 messages that are none',
    async run(connect, scale) {
      const socket = connect();
      const frame = batch(Buffer.alloc(60_000));
      for (let n = 0; n < 20 * scale; n += 1) await socket.send([frame]);
    },
  },
  'large json to mdp': {
    about: 'JSON of many small elements for a worker of MDP',
    async run(connect, scale) {
      const worker = connect('mdp');
      await worker.send(['', 'MDPW02', '\u0001', 'bridge']);
      const client = connect();
      const body = `[${'1,'.repeat(MIB)}1]`;
      for (let n = 0; n < 4 * scale; n += 1) await client.send(['C', '2', 'bridge', `r${n}`, body, '{}']);
      await new Promise((resolve) => setTimeout(resolve, 500));
    },
  },
  'silent connections': {
    about: 'connections that say nothing, before their handshake and after it',
    broker: { maxConnectionsPerAddress: 200, handshakeInterval: 1000, silenceInterval: 1000 },
    async run(_connect, scale, endpoint) {
      for (let n = 0; n < 2000 * scale; n += 1) await (n % 2 === 0 ? dial(endpoint) : shake(endpoint));
      await new Promise((resolve) => setTimeout(resolve, 2000));
    },
  },
  'a message without an end': {
    about: 'frames of 1 MiB, after each of which one more is announced',
    broker: { maxMessageSize: 8 * MIB },
    async run(_connect, scale, endpoint) {
      const socket = await shake(endpoint);
      const head = Buffer.alloc(9);
      head[0] = 3;
      head.writeBigUInt64BE(BigInt(MIB), 1);
      const frame = Buffer.concat([head, Buffer.alloc(MIB)]);
      for (let n = 0; n < 2000 * scale && (await push(socket, frame)); n += 1);
    },
  },
  'a user without rights': {
    about: 'requests and READYs of a user who may call and serve nothing, over CURVE',
    users: true,
    async run(connect, scale) {
      const socket = connect();
      const body = 'x'.repeat(10 * KIB);
      for (let n = 0; n < 20_000 * scale; n += 1) {
        await socket.send(['C', '2', `s${n}`, `r${n}`, JSON.stringify(body), '{}']);
        await socket.send(['W', '1', `s${n}`]);
      }
    },
  },
  'questions to authorize': {
    about: 'large requests to ever new services, each of which the callback authorize is asked about',
    users: true,
    asks: true,
    async run(connect, scale) {
      const socket = connect();
      const body = Buffer.alloc(100 * KIB, '1');
      for (let n = 0; n < 5000 * scale; n += 1) await socket.send(['C', '2', `s${n}`, `r${n}`, body, '{}']);
    },
  },
  'a worker beyond its window': {
    about: 'parts without end for a client that reads nothing, of a worker that promised to keep to windows',
    async run(connect, scale) {
      const [worker, client] = [connect('liar'), connect('reader')];
      // Not packed, so that what comes can be read here.
      const { packed, ...hello } = JSON.parse(HELLO);
      await worker.send(['W', '1', 'lies', JSON.stringify({ ...hello, concurrency: 1 })]);
      await client.send(['C', '1', JSON.stringify(hello)]);
      await client.send(['C', '2', 'lies', 'a1', '1', '{}', EXT]);
      let request = await worker.receive();
      while (String(request[1]) !== '2') request = await worker.receive();
      const [, , from, rid, , , ext] = request;
      // The flags of a part, and the token of its request.
      const part = Buffer.concat([Buffer.from([1]), ext.subarray(1, 9)]);
      const body = Buffer.alloc(100 * KIB, '1');
      for (let n = 0; n < 5000 * scale; n += 1) await worker.send(['W', '6', from, rid, '0', body, part]);
    },
  },
};

module.exports = { SCENARIOS };
