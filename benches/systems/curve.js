'use strict';
// This package with CURVE on every connection, and with rules. The keys are made for each run.
const ours = require('./ours.js');

module.exports = {
  ...ours,
  name: 'ours-curve',
  title: 'zmq-omdp 1.0, CURVE',
  can: ['text', 'bytes'],
  /** The scenarios in which encryption has a cost: throughput, latency, and size. */
  only: ['window', 'seq', 'big-bytes'],

  async prepare() {
    const { curveKeyPair } = require('../..');
    const [server, peer] = [curveKeyPair(), curveKeyPair()];
    const own = { curveServerKey: server.publicKey, curveSecretKey: peer.secretKey };
    const users = { bench: { keys: peer.publicKey } };
    const broker = { curveServer: true, curveSecretKey: server.secretKey, security: { users } };
    return { ...(await ours.prepare()), conf: { broker, worker: own, client: own } };
  },
};
