'use strict';
// What a hostile peer may do by very many small things: parts of messages, connections with little of one, versions,
// claims, and questions about requests of a broker that never was.
const { batch, part } = require('../support/packed');
const { frame, head, sayPlain } = require('../support/zmtp');
const { HELLO, EXT, PAST, KIB, MIB, dial, shake, push, pause, ready, inChannel } = require('./tools');

/** @param {bigint | number} number */
function inEight(number) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}

/** Empty parts of a message that does not end with them. @param {number} count */
const emptyParts = (count) => Buffer.alloc(2 * count, Buffer.from([1, 0]));

/** The message of a client that is alive. */
const BEAT = Buffer.concat([frame(1, 'C'), frame(0, '4')]);

/** A connection of a user without rights that has spoken. @param {string} endpoint */
async function speakPlain(endpoint) {
  const socket = await dial(endpoint);
  await sayPlain(socket, 'attacker', 'attacker');
  socket.write(BEAT);
  return socket;
}

/** @typedef {(routingId?: string) => import('zeromq').Dealer} Connect */

/** Messages of a million empty parts, or without an end. @param {(n: number) => Promise<import('node:net').Socket>} open */
async function sendManyParts(open, scale) {
  const parts = emptyParts(500_000);
  for (let n = 0; n < 20 * scale; n += 1) {
    const socket = await open(n);
    await push(socket, Buffer.concat([frame(1, ''), frame(1, 'MDPC01'), frame(1, 'nobody')]));
    for (let sent = 0; sent < (n % 2 === 0 ? 2 : 60) && (await push(socket, parts)); sent += 1);
    await push(socket, frame(0, ''));
    await pause(100);
  }
}

/** @type {typeof import('./scenarios').SCENARIOS} */
const NUMBERS = {
  'messages of very many frames': {
    about: 'messages of MDP with a million empty frames, and without an end',
    run: (_connect, scale, endpoint) => sendManyParts(() => shake(endpoint), scale),
  },
  'very many frames over PLAIN': {
    about: 'the same of a user without rights',
    users: 'plain',
    run: (_connect, scale, endpoint) => sendManyParts(() => speakPlain(endpoint), scale),
  },
  'very many frames over PLAIN and ipc': {
    about: 'the same over ipc, and messages of 8 MiB and without an end',
    users: 'plain',
    over: 'ipc',
    broker: { maxMessageSize: 8 * MIB },
    async run(_connect, scale, endpoint) {
      await sendManyParts(() => speakPlain(endpoint), scale);
      const piece = frame(1, Buffer.alloc(MIB));
      for (let n = 0; n < 20 * scale; n += 1) {
        const socket = await speakPlain(endpoint);
        for (let sent = 0; sent < 300 && (await push(socket, piece)); sent += 1);
      }
    },
  },
  'a little of very many messages over PLAIN': {
    about: '900 KiB of a message of 2 MiB, over 1500 connections of a user without rights',
    users: 'plain',
    async run(_connect, scale, endpoint) {
      const begun = Buffer.concat([frame(1, 'C'), head(0, 2 * MIB), Buffer.alloc(900 * KIB)]);
      for (let n = 0; n < 1500 * scale; n += 1) await push(await speakPlain(endpoint), begun);
      await pause(1000);
    },
  },
  'first frames and single small frames over PLAIN': {
    about:
      'first frames of 4 MiB over 150 connections of a user without rights, and frames of 40 bytes one by one',
    users: 'plain',
    async run(_connect, scale, endpoint) {
      for (let n = 0; n < 150 * scale; n += 1) {
        const socket = await dial(endpoint);
        await sayPlain(socket, 'attacker', 'attacker');
        // Not all of it is read.
        socket.write(frame(1, Buffer.alloc(4 * MIB)));
      }
      const small = frame(1, Buffer.alloc(40));
      const sockets = [];
      for (let n = 0; n < 50 * scale; n += 1) {
        const socket = await speakPlain(endpoint);
        socket.setNoDelay(true);
        sockets.push(socket);
      }
      for (let sent = 0; sent < 3000; sent += 1) {
        for (const socket of sockets) socket.write(small);
        await pause(1);
      }
    },
  },
  'questions about very many services': {
    about: 'requests to ever new services of a user about whom the callback authorize is asked each time',
    users: true,
    asks: true,
    async run(connect, scale) {
      const socket = connect();
      for (let n = 0; n < 100_000 * scale; n += 1) await socket.send(['C', '2', `s${n}`, `r${n}`, '1', '{}']);
    },
  },
  'ranges over very many versions': {
    about: 'requests for ranges of many parts, of a service with 5000 versions that do not satisfy them',
    async run(connect, scale) {
      for (let at = 0; at < 10; at += 1) {
        const socket = connect();
        for (let n = 1; n <= 500; n += 1) {
          const name = `version${at}-${n}`;
          await socket.send(ready(n, `lib@1.${500 * at + n}.0`, { name, session: `${name}.1` }));
        }
      }
      const client = connect();
      const range = `${'<0.0.1||'.repeat(29)}<0.0.2`;
      const asks = (from) =>
        Array.from({ length: 200 }, (_, n) => part('C', '2', `lib@${range}`, `r${from + n}`, '1', '{}'));
      for (let n = 0; n < 100 * scale; n += 1) await client.send([batch(...asks(200 * n))]);
      await pause(1000);
    },
  },
  'requests of a broker that never was': {
    about:
      'RESUMEs with what their client knows of a lost broker, to 250 workers that say that they were there',
    async run(connect, scale) {
      const [client, workers] = [connect('recaller'), connect('asked')];
      const hello = (session, more) => JSON.stringify({ ...JSON.parse(HELLO), session, ...more });
      await client.send(['C', '1', hello('recaller.1', { roster: true })]);
      const recall = Buffer.concat([inEight(1), inEight(1_000_000), inEight(77), Buffer.from('lost')]);
      for (let n = 0; n < 50_000 * scale; n += 1)
        await client.send(['C', '11', 'recalled', `r${n}`, '1', '{}', EXT, PAST, recall]);
      const life = (session) =>
        Buffer.concat([Buffer.from([session.length]), Buffer.from(session), inEight(7)]);
      const lives = Array.from({ length: 32 }, (_, n) => life(n === 0 ? 'lost' : `lost${n}`));
      for (let n = 1; n <= 250; n += 1) {
        const name = `asked${n}`;
        await workers.send(ready(n, 'recalled', { name, session: `${name}.1`, roster: true }));
        await workers.send([inChannel(n, 'W'), '15', Buffer.concat(lives)]);
      }
      for (let n = 0; n < 100 * scale; n += 1) await client.send(['C', '15']);
      await pause(1000);
    },
  },
  'claims of very many workers that end': {
    about: '1000 CLAIMs each of 250 workers on one connection, which then ends',
    async run(connect, scale) {
      const socket = connect();
      for (let n = 1; n <= 250; n += 1)
        await socket.send(ready(n, 'claims', { name: `ends${n}`, session: `ends${n}.1` }));
      for (let m = 0; m < 1000 * scale; m += 1) {
        for (let n = 1; n <= 250; n += 1) {
          const number = Buffer.concat([Buffer.from([0]), inEight(m)]);
          await socket.send([inChannel(n, 'W'), '11', 'somebody', `${m}.${n}`, number]);
        }
      }
      await pause(300);
      socket.close();
      await pause(2000);
    },
  },
};

module.exports = { NUMBERS };
