'use strict';
// Bodies that are too large end one request; frames that are too large are refused when they are announced.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const net = require('node:net');
const { describe, test } = require('node:test');
const { curveKeyPair } = require('../..');
const { until } = require('../support/events');
const { SERVICE, peersFor } = require('../support/peers');
const { greeting, head } = require('../support/zmtp');

const KIB64 = 65_536;
const MIB = 2 ** 20;

function addressOf(broker) {
  const { hostname, port } = new URL(broker.endpoints[0]);
  return { host: hostname, port: Number(port) };
}

const MESSAGE = 0x00;
const COMMAND = 0x04;
const GIB6 = 6 * 2 ** 30;

describe('a frame of 6 GiB that is announced before the handshake', () => {
  const keys = curveKeyPair();
  const MECHANISMS = {
    NULL: {},
    CURVE: { curveServer: true, curveSecretKey: keys.secretKey },
  };
  for (const [mechanism, conf] of Object.entries(MECHANISMS)) {
    for (const [kind, flags] of Object.entries({ message: MESSAGE, command: COMMAND })) {
      test(`${mechanism}, as a ${kind}: the connection is closed and nothing is kept`, async (t) => {
        const peers = peersFor(t, 'tcp');
        const broker = peers.broker(conf);
        await broker.start();
        const socket = net.connect(addressOf(broker));
        t.after(() => socket.destroy());
        socket.on('error', () => {});
        socket.resume();
        await once(socket, 'connect');
        const before = process.memoryUsage().rss;
        const closed = new Promise((resolve) => socket.on('close', resolve));
        socket.write(greeting(mechanism));
        socket.write(head(flags, GIB6));
        const piece = Buffer.alloc(MIB);
        let written = 0;
        const pour = () => {
          while (!socket.destroyed && written < 256 && socket.write(piece)) written += 1;
        };
        socket.on('drain', pour);
        pour();
        await closed;
        const growth = process.memoryUsage().rss - before;
        assert.ok(written < 64, `${written} MiB were written`);
        assert.ok(growth < 64 * MIB, `the process has grown by ${growth} bytes`);
      });
    }
  }
});

describe('a body larger than maxMessageSize', () => {
  const large = 'x'.repeat(KIB64 + 1);

  test('is a RangeError where a request is made', async (t) => {
    const { client } = await peersFor(t).trio(undefined, { client: { maxMessageSize: KIB64 } });
    const words = { name: 'RangeError', message: /maxMessageSize/ };
    assert.throws(() => client.request(SERVICE, large), words);
    await assert.rejects(client.call(SERVICE, Buffer.alloc(KIB64 + 1)), words);
    // Two units, six bytes each.
    await assert.rejects(client.call(SERVICE, 'é'.repeat(KIB64 / 2)), words);
    await assert.rejects(client.call(SERVICE, '\0'.repeat(KIB64 / 2)), words);
    assert.equal(await client.call(SERVICE, 'x'.repeat(KIB64 - 2)), 'x'.repeat(KIB64 - 2));
  });

  test('is a RangeError where a reply is made, and the reply can still be ended', async (t) => {
    const seen = [];
    const handler = (data, reply) => {
      for (const act of ['write', 'end', 'error']) {
        assert.throws(() => reply[act](large), { name: 'RangeError', message: /maxMessageSize/ });
        seen.push(act);
      }
      reply.end(data);
    };
    const { client } = await peersFor(t).trio(handler, { worker: { maxMessageSize: KIB64 } });
    assert.equal(await client.call(SERVICE, 1), 1);
    assert.deepEqual(seen, ['write', 'end', 'error']);
  });

  test('has headers of 64 KiB at most', async (t) => {
    const { client } = await peersFor(t).trio();
    const headers = { long: 'h'.repeat(KIB64) };
    await assert.rejects(client.call(SERVICE, 1, { headers }), { name: 'RangeError', message: /headers/ });
  });

  for (const transport of ['tcp', 'inproc']) {
    for (const role of ['broker', 'worker']) {
      test(`for the ${role}, over ${transport}: C_TOO_LARGE, and nothing else is lost`, async (t) => {
        const peers = peersFor(t, transport);
        const { client, worker } = await peers.trio(undefined, { [role]: { maxMessageSize: KIB64 } });
        const lost = [];
        for (const peer of [client, worker]) peer.on('disconnect', (event) => lost.push(event));
        await client.call(SERVICE, 1);
        const before = client.call(SERVICE, 'before');
        const refused = client.call(SERVICE, large);
        const after = client.call(SERVICE, 'after');
        await assert.rejects(refused, { code: 'C_TOO_LARGE' });
        assert.deepEqual(await Promise.all([before, after]), ['before', 'after']);
        assert.deepEqual(lost, []);
      });
    }

    for (const role of ['broker', 'client']) {
      test(`for the ${role}, over ${transport}, as a reply: W_TOO_LARGE, and nothing else is lost`, async (t) => {
        const peers = peersFor(t, transport);
        const cancelled = [];
        const handler = (data, reply) => {
          if (data !== 'part') return reply.end(data === 'final' ? large : data);
          reply.signal.addEventListener('abort', () => cancelled.push(data));
          reply.write(large);
        };
        const { client, worker } = await peers.trio(handler, {
          worker: { concurrency: 8 },
          [role]: { maxMessageSize: KIB64 },
        });
        const lost = [];
        for (const peer of [client, worker]) peer.on('disconnect', (event) => lost.push(event));
        await client.call(SERVICE, 1);
        const refused = [client.call(SERVICE, 'final'), client.call(SERVICE, 'part')];
        const others = [client.call(SERVICE, 'a'), client.call(SERVICE, 'b')];
        for (const each of refused) await assert.rejects(each, { code: 'W_TOO_LARGE' });
        assert.deepEqual(await Promise.all(others), ['a', 'b']);
        assert.deepEqual(lost, []);
        await until(() => cancelled.length > 0, 'the worker hears of the end');
        assert.deepEqual(cancelled, ['part']);
      });
    }
  }
});
