'use strict';
// What comes and goes leaves nothing behind: no memory, no descriptor, no thread, nothing in the broker's tables. By OMDP_CONNECTIONS=10000 and
// OMDP_REQUESTS=1000000 as long as one likes.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { runChild } = require('./child');
const { freshEndpoint } = require('./endpoints');
const { COUNTING } = require('./resources');

const CONNECTIONS = Number(process.env.OMDP_CONNECTIONS ?? 2000);
const REQUESTS = Number(process.env.OMDP_REQUESTS ?? 60_000);

/**
 * What is lost is lost all the time, while an allocator takes a few megabytes at once and keeps them: so RSS must stand
 * still in one third of the run at least.
 */
const SLACK_MB = 2;
const HEAP_SLACK_MB = 1.5;

/** Runs in the child: `work` in ten equal parts; says what is held after each of them. */
async function measure({ omdp, say, endpoints, count, work }) {
  const fs = require('node:fs');
  const { Broker, Client, Worker } = omdp;
  const held = () => {
    global.gc();
    global.gc();
    return {
      rss: Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) / 1024,
      heap: process.memoryUsage().heapUsed / 2 ** 20,
      threads: fs.readdirSync('/proc/self/task').length,
      descriptors: fs.readdirSync('/proc/self/fd').length,
    };
  };
  const where = endpoints.length === 1 ? endpoints[0] : endpoints;
  const make = (service) => {
    const worker = new Worker(where, service);
    worker.on('request', (data, reply) => {
      if (data === 'partial') reply.write(data);
      if (data !== 'endless') reply.end(data);
      else reply.signal.addEventListener('abort', () => reply.end());
    });
    return { worker, client: new Client(where) };
  };
  const start = ({ client, worker }) => Promise.all([worker.start(), client.start()]);
  const stop = ({ client, worker }) => Promise.all([client.stop(), worker.stop()]);

  const brokers = endpoints.map((endpoint) => new Broker(endpoint));
  await Promise.all(brokers.map((broker) => broker.start()));
  // Somebody who stays, and holds what all share.
  const stay = make('stay');
  await start(stay);

  const again = make('again');
  const askers = endpoints.map((endpoint) => new Client(endpoint));
  await Promise.all(askers.map((asker) => asker.start()));
  /** How much each broker has in its tables. */
  const tables = () =>
    Promise.all(
      askers.map(async (asker) => {
        const { services, workers, clients, requests } = await asker.call('mmi.stats');
        return { services, workers, clients, requests };
      }),
    );
  // libzmq closes sockets on a thread of its own, which tells nobody; on a busy machine it is late.
  const descriptors = () => fs.readdirSync('/proc/self/fd').length;
  const before = descriptors();
  const closed = async () => {
    const deadline = Date.now() + 10_000;
    while (descriptors() > before + 4 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const works = {
    /** A new name and a new service each time. */
    strangers: async (i) => {
      const both = make(`service-${i}`);
      await start(both);
      await both.client.call(`service-${i}`, i);
      await stop(both);
    },
    /** The same two, again and again. */
    regulars: async (i) => {
      await start(again);
      await again.client.call('again', i);
      await stop(again);
    },
    /** In every way that a request can end. */
    requests: async (i) => {
      const { client } = stay;
      if (i % 25 === 0) {
        await client.call('stay', 'endless', { signal: AbortSignal.timeout(1) }).catch(() => {});
      } else if (i % 25 === 1) {
        for await (const _part of client.requestStream('stay', 'partial'));
      } else if (i % 25 === 2) {
        await client.call('stay', Buffer.alloc(1000, i));
      } else if (i % 25 === 3) {
        client.requestStream('stay', i).destroy();
      } else {
        await client.call('stay', i);
      }
    },
  };
  const lanes = work === 'requests' ? 100 : 1;
  const all = [];
  let i = 0;
  for (let part = 1; part <= 10; part += 1) {
    const lane = async () => {
      while (i < (count * part) / 10) {
        i += 1;
        await works[work](i);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    await closed();
    all.push(held());
  }
  say('held', all);
  say('tables', await tables());
  await stop(stay);
  await Promise.all([...askers, ...brokers].map((peer) => peer.stop()));
}

/** The heap after the last part against the third, when everything was there once. */
function assertFlat(t, held) {
  const [first, last] = [held[2], held[9]];
  const mib = (x) => x.toFixed(1);
  t.diagnostic(
    `RSS ${held.map(({ rss }) => mib(rss)).join(' ')} MiB, heap ${mib(first.heap)} to ${mib(last.heap)} MiB`,
  );
  const growth = [0, 3, 6].map((from) => held[from + 3].rss - held[from].rss);
  assert.ok(Math.min(...growth) < SLACK_MB, `RSS grew by ${growth.map(mib)} MiB`);
  assert.ok(last.heap - first.heap < HEAP_SLACK_MB, `heap from ${mib(first.heap)} to ${mib(last.heap)} MiB`);
  assert.equal(last.threads, first.threads);
  assert.ok(
    last.descriptors <= first.descriptors + 4,
    `${first.descriptors} to ${last.descriptors} descriptors`,
  );
}

/** @param {string} what @param {number} count of brokers */
function leaveNothing(what, count) {
  // At the same time: each is a process of its own, which mostly waits.
  describe(`of ${what}`, { ...COUNTING, concurrency: true }, () => {
    for (const [work, name, n] of [
      ['strangers', 'workers and clients that come once', CONNECTIONS],
      ['regulars', 'a worker and a client that come again and again', CONNECTIONS],
      ['requests', 'requests, however they end', REQUESTS],
    ]) {
      test(`${n} ${name} leave nothing behind`, async (t) => {
        const endpoints = Array.from({ length: count }, () => freshEndpoint('tcp'));
        // A young generation that grows, or an arena for each thread, would hide what is lost.
        const nodeArgs = ['--expose-gc', '--max-semi-space-size=1'];
        const options = { nodeArgs, patience: 600_000, shell: 'export MALLOC_ARENA_MAX=1' };
        const child = runChild(t, measure, { endpoints, count: n, work }, options);
        assertFlat(t, (await child.said('held')).value);
        const left = { services: 1, workers: 1, clients: 2, requests: 0 };
        assert.deepEqual(
          (await child.said('tables')).value,
          Array.from({ length: count }, () => left),
        );
        const { code, signal, stderr } = await child.ended;
        assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' });
      });
    }
  });
}

module.exports = { leaveNothing };
