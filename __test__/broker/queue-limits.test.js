'use strict';
// What may wait at the broker is bounded; past it a request ends at once. OMDP_FLOOD=1000000 makes the flood a real one.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { runChild } = require('../support/child');
const { REMOTE_TRANSPORTS } = require('../support/endpoints');
const { record, until } = require('../support/events');
const { MDP, MdpSocket } = require('../support/mdp');
const { OldClient } = require('../support/old');
const { SERVICE, ask, echo, peersFor, start } = require('../support/peers');

const FLOOD = Number(process.env.OMDP_FLOOD ?? 250_000);

for (const transport of REMOTE_TRANSPORTS) {
  describe(`over ${transport}`, () => {
    test('requests past maxQueue, of one service', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker({ maxQueue: 3 }), peers.client()];
      await start(broker, client);
      const log = record(broker, ['queueFull']);
      const first = [1, 2, 3].map((each) => client.call(SERVICE, each));
      await assert.rejects(client.call(SERVICE, 4), {
        code: 'B_QUEUE_FULL',
        message: "the broker's queue for the service is full",
      });
      assert.deepEqual((await ask(client, 5)).final, ['B_QUEUE_FULL']);
      const other = client.call('other', 6);
      // What was said before this has arrived.
      await assert.rejects(client.call('none', 0, { failFast: true }), { code: 'W_NONE' });
      const { queued, counters } = await broker.stats();
      assert.deepEqual([queued, counters.refused, counters.errors], [4, 2, { B_QUEUE_FULL: 2, W_NONE: 1 }]);
      assert.deepEqual(log, [['queueFull', { service: SERVICE, queued: 3, queuedBytes: 54, total: false }]]);
      await start(peers.worker(echo), peers.worker(echo, { service: 'other' }));
      assert.deepEqual(await Promise.all([...first, other]), [1, 2, 3, 6]);
      assert.equal(await client.call(SERVICE, 7), 7);
    });

    test('bytes, and all services together', async (t) => {
      const peers = peersFor(t, transport);
      const conf = { maxQueueBytes: 10_000, maxTotalQueue: 4, maxTotalQueueBytes: 15_000 };
      const [broker, client] = [peers.broker(conf), peers.client()];
      await start(broker, client);
      const log = record(broker, ['queueFull']);
      const refused = (service, data) => assert.rejects(client.call(service, data), { code: 'B_QUEUE_FULL' });
      await refused('a', Buffer.alloc(10_000));
      const waiting = [client.call('a', Buffer.alloc(9000))];
      await refused('a', Buffer.alloc(1000));
      await refused('b', Buffer.alloc(6000));
      waiting.push(client.call('b', 1), client.call('c', 2), client.call('d', 3));
      await refused('e', 4);
      await until(() => log.length === 3);
      assert.deepEqual(
        log.map(([, { service, total }]) => [service, total]),
        [
          ['a', false],
          // It was forgotten meanwhile, having nothing.
          ['a', false],
          ['b', true],
        ],
      );
      const stopped = waiting.map((each) => assert.rejects(each, { code: 'C_STOPPED' }));
      await client.stop();
      await Promise.all(stopped);
      await until(async () => (await broker.stats()).tables.requests === 0);
    });

    test('clients of 0.0.92 and of MDP', async (t) => {
      const peers = peersFor(t, transport);
      await peers.broker({ maxQueue: 0 }).start();
      const old = new OldClient(t, peers.endpoint);
      assert.deepEqual(await old.ask(SERVICE, 1), { partials: [], error: 'B_QUEUE_FULL' });
      for (const dialect of MDP) {
        const mdp = new MdpSocket(t, peers.endpoint, dialect);
        await mdp.send(dialect.request(SERVICE, '1'));
        assert.deepEqual(await mdp.receive(), dialect.gotFinal(SERVICE, 'OMDP-CODE', 'B_QUEUE_FULL'));
      }
    });

    test('what is given back, or tried again, is never refused', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker({ maxQueue: 1 }), peers.client()];
      const first = peers.worker(null, { concurrency: 2 });
      let running = 0;
      const both = new Promise((resolve) => {
        first.on('request', () => ++running === 2 && resolve());
      });
      await start(broker);
      await start(first, client);
      await until(async () => (await broker.stats()).services[0]?.idle === 1);
      const calls = [1, 2].map((each) => client.call(SERVICE, each, { retry: 1 }));
      await both;
      calls.push(client.call(SERVICE, 3));
      await assert.rejects(client.call(SERVICE, 4), { code: 'B_QUEUE_FULL' });
      await first.stop({ timeout: 0 });
      assert.equal((await broker.stats()).queued, 3);
      await peers.worker(echo).start();
      assert.deepEqual(await Promise.all(calls), [1, 2, 3]);
    });

    test(`a flood of ${FLOOD} requests leaves memory bounded, and the other services at their pace`, async (t) => {
      const peers = peersFor(t, transport);
      const child = runChild(
        t,
        async ({ omdp, say, endpoint, conf }) => {
          const broker = new omdp.Broker(endpoint, conf);
          let events = 0;
          broker.on('queueFull', () => {
            events += 1;
          });
          await broker.start();
          let asked = 0;
          process.stdin.on('data', async () => {
            asked += 1;
            const { queued, counters, tables } = await broker.stats();
            say(`stats ${asked}`, { queued, counters, tables, events, rss: process.memoryUsage.rss() });
          });
          say('started');
        },
        { endpoint: peers.endpoint, conf: { maxQueue: 5000 } },
      );
      let asked = 0;
      const stats = async () => {
        child.tell('stats');
        asked += 1;
        return (await child.said(`stats ${asked}`)).value;
      };
      await child.said('started');
      const [worker, client] = [peers.worker(echo), peers.client()];
      await start(worker, client);
      assert.equal(await client.call(SERVICE, 'before'), 'before');
      const before = await stats();

      const flooder = runChild(
        t,
        async ({ omdp, say, endpoint, count }) => {
          const client = new omdp.Client(endpoint, { timeout: -1 });
          await client.start();
          await client.call('nobody', 0, { failFast: true }).catch(() => {});
          const codes = {};
          let left = count - 5000;
          let made = 0;
          const ended = (code) => {
            codes[code] = (codes[code] ?? 0) + 1;
            left -= 1;
            if (left === 0) say('flooded', codes);
          };
          const more = () => {
            for (let i = 0; i < 5000 && made < count; i++, made++)
              client.request('nobody', made, null, ended);
            if (made < count) setImmediate(more);
          };
          more();
        },
        { endpoint: peers.endpoint, count: FLOOD },
      );
      let flooding = true;
      const flooded = flooder.said('flooded').finally(() => {
        flooding = false;
      });
      const took = [];
      while (flooding) {
        const begin = performance.now();
        assert.equal(await client.call(SERVICE, took.length), took.length);
        took.push(performance.now() - begin);
      }
      took.sort((a, b) => a - b);
      const usual = took[Math.floor(took.length * 0.95)];
      assert.deepEqual((await flooded).value, { B_QUEUE_FULL: FLOOD - 5000 });
      const after = await stats();
      t.diagnostic(
        `${took.length} calls meanwhile, 95 % within ${usual.toFixed(1)} ms, the slowest ${took.at(-1)?.toFixed(1)} ms; ${((after.rss - before.rss) / 1e6).toFixed(1)} MB more`,
      );
      assert.ok(took.length >= 20, 'calls go on during the flood');
      assert.equal(after.queued, 5000);
      assert.equal(after.counters.refused, FLOOD - 5000);
      assert.equal(after.events, 1);
      assert.ok(after.rss - before.rss < 150e6, `${after.rss - before.rss} bytes more`);
      flooder.kill();
      while ((await stats()).tables.requests > 0) await client.call(SERVICE, 'again');
    });
  });
}
