'use strict';
// A name outlives its peer: whoever comes back under it, however often and however soon, is served as anybody else. And
// the identities of other libraries' peers are bytes, not text.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { until } = require('../support/events');
const { SERVICE, echo, peersFor, start } = require('../support/peers');
const { rawDealer } = require('../support/raw');

/** How often one name comes back; more by the environment. */
const RESTARTS = Number(process.env.OMDP_RESTARTS ?? 1000);

for (const transport of ['inproc', 'tcp']) {
  describe(`${RESTARTS} lives under one name over ${transport}`, () => {
    test('of a worker, each of which serves', async (t) => {
      const peers = peersFor(t, transport);
      const client = peers.client();
      const broker = peers.broker();
      await start(broker, client);
      const reasons = {};
      broker.on('workerGone', ({ reason }) => {
        reasons[reason] = (reasons[reason] ?? 0) + 1;
      });
      let life = 0;
      const one = peers.worker((data, reply) => reply.end([life, data]), { name: 'always-the-same' });
      for (life = 1; life <= RESTARTS; life += 1) {
        await one.start();
        assert.deepEqual(await client.call(SERVICE, life, { timeout: 60_000 }), [life, life]);
        await one.stop();
      }
      // The last event may come after the end of stop().
      await until(() => Object.values(reasons).reduce((sum, each) => sum + each, 0) >= RESTARTS);
      assert.deepEqual(reasons, { goodbye: RESTARTS });
    });

    test('of a client, each of which is served', async (t) => {
      const peers = peersFor(t, transport);
      const { client } = await peers.trio(echo, { client: { name: 'always-the-same' } });
      for (let life = 1; life <= RESTARTS; life += 1) {
        assert.equal(await client.call(SERVICE, life, { timeout: 60_000 }), life);
        await client.stop();
        await client.start();
      }
    });
  });
}

/** Every byte there is but the zero at the beginning, which ZeroMQ keeps for itself. */
const IDENTITIES = {
  'bytes that are no UTF-8': Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc3, 0x28]),
  '255 bytes': Buffer.from(Array.from({ length: 255 }, (_, i) => 255 - i)),
  'a line feed and quotes': Buffer.from('"\n\'\\'),
};

describe('identities of raw sockets', () => {
  for (const [what, identity] of Object.entries(IDENTITIES)) {
    test(`a worker of 0.0.92 under ${what}`, async (t) => {
      const peers = peersFor(t, 'tcp');
      const [broker, client] = [peers.broker(), peers.client()];
      await start(broker, client);
      const ready = once(broker, 'workerReady');
      const worker = rawDealer(t, peers.endpoint, identity);
      await worker.send(['W', '1', SERVICE]);
      assert.equal(typeof (await ready)[0].worker, 'string');
      const call = client.call(SERVICE, { n: 1 });
      for (;;) {
        const frames = await worker.receive();
        if (String(frames[1]) !== '2') continue;
        const [, , from, rid, data] = frames;
        await worker.send(['W', '3', from, rid, '0', data]);
        break;
      }
      assert.deepEqual(await call, { n: 1 });
    });

    test(`a client of 0.0.92 under ${what}, whose reply finds back`, async (t) => {
      const peers = peersFor(t, 'tcp');
      const worker = peers.worker(echo);
      await start(peers.broker(), worker);
      const [one, two] = [identity, Buffer.concat([identity.subarray(1), Buffer.from([1])])].map((id) =>
        rawDealer(t, peers.endpoint, id),
      );
      const ask = async (socket, data) => {
        const rid = `r-${data}`;
        await socket.send(['C', '2', SERVICE, rid, JSON.stringify(data), '{"timeout":60000}']);
        for (;;) {
          const frames = (await socket.receive()).map(String);
          if (frames[1] === '3') return [frames[2], JSON.parse(frames[4])];
        }
      };
      const answers = await Promise.all([ask(one, 1), ask(two, 2)]);
      assert.deepEqual(answers, [
        ['r-1', 1],
        ['r-2', 2],
      ]);
    });
  }
});
