'use strict';
// Large requests of many clients at once, more than the broker keeps of incomplete messages: one goes after the other.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { REMOTE_TRANSPORTS } = require('../support/endpoints');
const { keys, curveBroker, curvePeer } = require('../support/security');
const { SERVICE, peersFor } = require('../support/peers');

const MIB = 2 ** 20;
const LIMITS = {
  maxHeldPerPeer: 40 * MIB,
  maxHeldPerUser: 48 * MIB,
  maxHeldPerAddress: 64 * MIB,
  maxHeld: 64 * MIB,
};

describe('8 clients of one user send 20 MB each at once', () => {
  for (const transport of REMOTE_TRANSPORTS) {
    test(`CURVE over ${transport}: no connection ends, and all are answered`, async (t) => {
      const peers = peersFor(t, transport);
      const [server, one] = [keys(), keys()];
      const broker = peers.broker({ ...curveBroker(server, { one: { keys: one.publicKey } }), ...LIMITS });
      const refused = [];
      broker.on('peerRefused', (event) => refused.push(event.reason));
      await broker.start();
      const worker = peers.worker((data, reply) => reply.end(data.length), {
        ...curvePeer(server, one),
        concurrency: -1,
      });
      await worker.start();
      const body = Buffer.alloc(20 * MIB, 'x');
      // What the broker keeps of complete requests has a limit of its own, of which each client is told.
      const upload = async (client) => {
        for (;;) {
          try {
            return await client.call(SERVICE, body, { timeout: 60_000 });
          } catch (error) {
            if (error.code !== 'B_QUEUE_FULL') throw error;
            await sleep(50);
          }
        }
      };
      const clients = [];
      for (let n = 0; n < 8; n += 1) clients.push(peers.client(curvePeer(server, one)));
      let disconnects = 0;
      for (const client of clients) {
        await client.start();
        client.on('disconnect', () => (disconnects += 1));
      }
      const answers = await Promise.all(clients.map(upload));
      assert.deepEqual(answers, Array(8).fill(body.length));
      assert.deepEqual([disconnects, refused], [0, []]);
    });
  }
});
