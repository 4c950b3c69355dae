'use strict';
// What the scenarios have in common.
const net = require('node:net');
const { greeting } = require('../support/zmtp');

const HELLO = JSON.stringify({ omdp: 1, heartbeat: 2500, liveness: 3, session: 'a', flow: 1, packed: true });
const KIB = 1024;
const MIB = 1024 * KIB;

/** The address from which attackers connect: another one than that of the honest peers, where there are several. */
const ATTACKER = process.platform === 'linux' ? '127.9.9.9' : undefined;

/** Terms of a request without timeout, in the extension frame. */
const EXT = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
/** What a client knows of a request that it resumes: nothing, and it may be looked for long. */
const PAST = Buffer.from([0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/** The first frame of a message in a channel. @param {number} number @param {string | Buffer} first */
const inChannel = (number, first) =>
  Buffer.concat([Buffer.from([0x03, number >> 8, number & 0xff]), Buffer.from(first)]);

/** READY of a worker in a channel. @param {number} number @param {string} service @param {object} hello */
const ready = (number, service, hello) => [
  inChannel(number, 'W'),
  '1',
  service,
  JSON.stringify({ ...JSON.parse(HELLO), packed: undefined, ...hello }),
];

/** @typedef {(routingId?: string) => import('zeromq').Dealer} Connect */

/** @param {number} time in ms */
const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

/** A plain connection, which has come about. @param {string} endpoint @returns {Promise<net.Socket>} */
function dial(endpoint) {
  const { protocol, hostname, port } = new URL(endpoint);
  const isIpc = protocol === 'ipc:';
  const socket = isIpc
    ? net.connect(endpoint.slice('ipc://'.length))
    : net.connect({ port: Number(port), host: hostname, localAddress: ATTACKER });
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

module.exports = { ATTACKER, HELLO, EXT, PAST, KIB, MIB, dial, shake, push, pause, inChannel, ready };
