'use strict';
// What a hostile peer may do slowly, or by very many short connections: messages that hardly grow, handshakes that do not
// end, requests that wait, and descriptors that are used again.
const { batch, part } = require('../support/packed');
const { frame, greeting, head, sayPlain } = require('../support/zmtp');
const { HELLO, KIB, MIB, dial, shake, pause, ready } = require('./tools');

/** @param {string} endpoint */
async function speakPlain(endpoint) {
  const socket = await dial(endpoint);
  await sayPlain(socket, 'attacker', 'attacker');
  socket.write(Buffer.concat([frame(1, 'C'), frame(0, '4')]));
  return socket;
}

/** Much of a large message over each connection, which then grows just so much that it is not ended. */
async function drip(open, scale) {
  const sockets = [];
  const begun = Buffer.concat([frame(1, 'C'), head(0, 16 * MIB), Buffer.alloc(4 * MIB)]);
  for (let n = 0; n < 100 * scale; n += 1) {
    const socket = await open();
    sockets.push(socket);
    // It may not be read.
    socket.write(begun);
  }
  const piece = Buffer.alloc(4 * KIB);
  for (let n = 0; n < 50; n += 1) {
    for (const socket of sockets) if (!socket.destroyed) socket.write(piece);
    await pause(100);
  }
}

/** @type {typeof import('./scenarios').SCENARIOS} */
const SLOW = {
  'messages that hardly grow over PLAIN': {
    about: '4 MiB of messages of 16 MiB, and then 40 KiB a second, of a user without rights',
    users: 'plain',
    run: (_connect, scale, endpoint) => drip(() => speakPlain(endpoint), scale),
  },
  'messages that hardly grow over ipc': {
    about: 'the same without security over ipc, where nobody has an address',
    over: 'ipc',
    run: (_connect, scale, endpoint) => drip(() => shake(endpoint), scale),
  },
  'handshakes that do not end over PLAIN and ipc': {
    about: '60 kB of a command of the handshake over each of 250 connections, again and again',
    users: 'plain',
    over: 'ipc',
    broker: { maxConnections: 300, handshakeInterval: 1000, silenceInterval: 1000 },
    async run(_connect, scale, endpoint) {
      const command = Buffer.alloc(60_000, '1');
      for (let n = 0; n < 10_000 * scale; n += 1) {
        const socket = await dial(endpoint);
        socket.write(Buffer.concat([greeting('PLAIN'), head(4, 8 * MIB), command]));
        if (n % 3 === 0) socket.destroy();
        if (n % 50 === 0) await pause(1);
      }
    },
  },
  'requests that wait over CURVE': {
    about: 'batches of requests and of READYs of a user without rights, of which as much waits as is free',
    users: true,
    async run(connect, scale) {
      const asks = (n) =>
        Array.from({ length: 200 }, (_, m) => part('C', '2', `s${n % 7}`, `${n}.${m}`, '1', '{}'));
      const sockets = Array.from({ length: 200 * scale }, () => connect());
      for (let n = 0; n < 60; n += 1)
        await Promise.all(
          sockets.map((socket, at) =>
            at % 5 === 0 ? socket.send(['W', '1', `w${n}`, HELLO]) : socket.send([batch(...asks(n))]),
          ),
        );
      await pause(1000);
    },
  },
  'versions and bodies of very many frames': {
    about:
      '2000 high versions of a service by two workers, requests for its ranges, and bodies of 16,000 frames of MDP',
    async run(connect, scale) {
      for (let at = 0; at < 4; at += 1) {
        const socket = connect();
        for (let n = 1; n <= 500; n += 1) {
          const name = `high${at}-${n}`;
          await socket.send(ready(n, `honest@9.${500 * at + n}.0`, { name, session: `${name}.1` }));
        }
      }
      const [client, mdp, worker] = [connect(), connect(), connect('mdp')];
      await worker.send(['', 'MDPW02', '\u0001', 'frames']);
      const body = Array(16_370).fill('1');
      for (let n = 0; n < 200 * scale; n += 1) {
        await mdp.send(['MDPC02', '\u0001', 'frames', ...body.slice(n % 10)]);
        await client.send(['C', '2', 'honest@^1', `r${n}`, '1', '{}']);
      }
      await pause(1000);
    },
  },
};

module.exports = { SLOW };
