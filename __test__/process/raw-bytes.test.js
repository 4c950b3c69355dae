'use strict';
// Bytes on plain TCP connections to a bound broker: greetings, handshakes and frames of ZMTP, mutated. The broker goes on,
// and keeps nothing of them. OMDP_CONNECTIONS=10000 makes more of them, OMDP_SEED others.
const assert = require('node:assert/strict');
const net = require('node:net');
const { test } = require('node:test');
const { curveKeyPair } = require('../..');
const { until } = require('../support/events');
const { generator } = require('../support/nonsense');
const { SERVICE, peersFor } = require('../support/peers');
const { greeting } = require('../support/zmtp');

const CONNECTIONS = Number(process.env.OMDP_CONNECTIONS ?? 300);
const SEED = Number(process.env.OMDP_SEED ?? 1);

/** Of frames: the last, followed by others, with a long length, a command; and flags that do not exist. */
const FLAGS = [0, 1, 2, 3, 4, 6, 8, 0xff];
const WORDS = ['C', 'W', '1', '2', 'service', '{}', '', 'MDPC02', 'x'.repeat(300)];
const LENGTHS = [0n, 1n, 255n, 256n, 65_536n, 2n ** 31n, 2n ** 40n, 2n ** 63n, 2n ** 64n - 1n];

function frame(below) {
  const flags = FLAGS[below(FLAGS.length)];
  const body = Buffer.from(WORDS[below(WORDS.length)]);
  if ((flags & 2) === 0)
    return Buffer.concat([Buffer.from([flags, below(4) === 0 ? below(256) : body.length]), body]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(below(2) === 0 ? BigInt(body.length) : LENGTHS[below(LENGTHS.length)]);
  return Buffer.concat([Buffer.from([flags]), length, body]);
}

function command(below) {
  const names = ['READY', 'HELLO', 'INITIATE', 'PING', 'ERROR', 'SUBSCRIBE'];
  const name = names[below(names.length)];
  const property = `\x0bSocket-Type\0\0\0\x06${['DEALER', 'ROUTER', 'PUB'][below(3)]}`;
  const identity = `\x08Identity\0\0\0${String.fromCharCode(below(256))}${'i'.repeat(below(20))}`;
  const body = Buffer.from(String.fromCharCode(name.length) + name + property + identity, 'latin1');
  return Buffer.concat([Buffer.from([4, body.length]), body]);
}

/** What one connection says. */
function speech(below) {
  const parts = [greeting(['NULL', 'CURVE', 'PLAIN', 'GSSAPI'][below(6)] ?? 'NULL')];
  for (let n = below(3); n > 0; n -= 1) parts.push(command(below));
  for (let n = below(12); n > 0; n -= 1) parts.push(frame(below));
  const bytes = Buffer.concat(parts);
  for (let n = below(4); n > 0; n -= 1) bytes[below(bytes.length)] = below(256);
  return below(4) === 0 ? bytes.subarray(0, below(bytes.length)) : bytes;
}

const keys = curveKeyPair();
const MECHANISMS = { NULL: {}, CURVE: { curveServer: true, curveSecretKey: keys.secretKey } };

for (const [mechanism, conf] of Object.entries(MECHANISMS)) {
  test(`any bytes at a broker with ${mechanism}`, async (t) => {
    const peers = peersFor(t, 'tcp');
    const broker = peers.broker({ ...conf, heartbeat: 200, handshakeInterval: 1000, silenceInterval: 1000 });
    await broker.start();
    const { hostname, port } = new URL(broker.endpoints[0]);
    const below = generator(SEED);
    const open = new Set();
    for (let n = 0; n < CONNECTIONS; n += 1) {
      const socket = net.connect(Number(port), hostname);
      const bytes = speech(below);
      const stays = below(3) === 0;
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => open.delete(socket));
      socket.resume();
      await new Promise((resolve) => {
        socket.on('close', resolve);
        socket.on('connect', () => socket.write(bytes, resolve));
      });
      if (!stays) socket.destroySoon();
    }
    // Others are let in, once those have gone that are waited for.
    if (mechanism === 'NULL') {
      const [worker, client] = [peers.worker((data, reply) => reply.end(data)), peers.client()];
      await Promise.all([worker.start(), client.start()]);
      assert.equal(await client.call(SERVICE, 'goes on'), 'goes on');
      await Promise.all([worker.stop(), client.stop()]);
    }
    for (const socket of open) socket.destroy();
    await until(async () => {
      const { heldBytes, tables } = await broker.stats();
      return heldBytes === 0 && tables.clients === 0 && tables.workers === 0 && tables.requests === 0;
    });
  });
}
