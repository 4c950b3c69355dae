'use strict';
// What a worker and a client have done, of a load whose counts are known.
const assert = require('node:assert/strict');
const { Readable } = require('node:stream');
const { describe, test } = require('node:test');
const { Histogram } = require('../../lib/meter');
const { runChild } = require('../support/child');
const { deferred, until } = require('../support/events');
const { SERVICE, ask, peersFor } = require('../support/peers');

const sum = (buckets) => buckets.reduce((total, [, count]) => total + count, 0);
/** Of all times, each as the upper end of its bucket. */
const total = (buckets) => buckets.reduce((all, [upper, count]) => all + upper * count, 0);

/** The numbers of a worker when it has handled so many. */
function handled(worker, count) {
  return until(async () => {
    const stats = await worker.stats();
    return stats.latency.count === count && stats;
  });
}

/** Answers at once, later, in parts, with an error value, or never. */
function handle(data, reply) {
  if (data === 'fail') reply.error('failed');
  else if (data === 'slow') setTimeout(() => reply.end(), 50);
  else if (data === 'busy') {
    for (const end = Date.now() + 20; Date.now() < end; );
    reply.end();
  } else if (data !== 'never') {
    reply.write('é');
    reply.end(data);
  }
}

describe('a worker and a client', () => {
  for (const concurrency of [1, 8]) {
    test(`counts, bytes and times, ${concurrency} at a time`, async (t) => {
      const begun = deferred();
      const handler = (data, reply) => {
        handle(data, reply);
        if (data === 'never') begun.resolve();
      };
      const { client, worker } = await peersFor(t).trio(handler, { worker: { concurrency } });
      await Promise.all(Array.from({ length: 100 }, () => ask(client, 'data')));
      for (let n = 0; n < 3; n += 1) await ask(client, 'fail');
      await ask(client, 'slow');
      const before = total((await handled(worker, 104)).latency.buckets);
      const start = performance.now();
      await Promise.all([1, 2, 3, 4].map(() => ask(client, 'busy')));
      const busy = total((await handled(worker, 108)).latency.buckets) - before;
      // They are busy one after the other: none is charged what another one took. A bucket is an eighth wide.
      assert.ok(busy >= 4 * 19 && busy <= ((performance.now() - start) * 9) / 8, `${busy} ms`);
      const controller = new AbortController();
      const never = client.call(SERVICE, 'never', { signal: controller.signal });
      await begun.promise;
      controller.abort();
      await assert.rejects(never, { code: 'C_ABORTED' });
      const { counters, latency } = await client.stats();
      assert.deepEqual(counters, {
        requests: 109,
        replies: 105,
        failures: 3,
        partials: 100,
        errors: { C_ABORTED: 1 },
        retried: 0,
        bytesIn: 100 * (4 + 6) + 3 * 8 + 5 * 4,
        bytesOut: 104 * 6 + 4 * 6 + 7,
      });
      assert.deepEqual([latency.count, sum(latency.buckets)], [109, 109]);
      assert.ok(latency.max >= 50 && latency.p50 <= latency.p95 && latency.p95 <= latency.max);

      const done = await until(async () => {
        const stats = await worker.stats();
        return Object.keys(stats.counters.errors).length === 1 && stats.latency.count === 108 && stats;
      });
      // Which code it is depends on who noticed first.
      const { errors, ...counted } = done.counters;
      assert.deepEqual(Object.values(errors), [1]);
      assert.deepEqual(counted, {
        requests: 109,
        replies: 105,
        failures: 3,
        partials: 100,
        retried: 0,
        bytesIn: 104 * 6 + 4 * 6 + 7,
        bytesOut: 100 * (4 + 6) + 3 * 8 + 5 * 4,
      });
      assert.ok(done.latency.max >= 49);
    });
  }

  test('the parts of a stream that is the data are counted', async (t) => {
    const { broker, client, worker } = await peersFor(t).trio(async (data, reply) => {
      for await (const _part of data);
      reply.end();
    });
    const parts = [Buffer.alloc(50_000), Buffer.alloc(7)];
    await client.call(SERVICE, Readable.from(parts));
    const { bytesOut } = (await client.stats()).counters;
    const { bytesIn } = (await worker.stats()).counters;
    assert.deepEqual([bytesOut, bytesIn], [50_007, 50_007]);
    const options = '{"timeout":60000}'.length;
    assert.equal((await broker.stats()).services[0].counters.bytesIn, 50_007 + options);
  });

  test('a request whose reply nobody waits for is counted by its code', async (t) => {
    const { client, worker } = await peersFor(t).trio((_data, reply) => {
      reply.signal.addEventListener('abort', () => reply.end());
    });
    await assert.rejects(client.call(SERVICE, 1, { timeout: 20 }), { code: 'C_TIMEOUT' });
    const { counters } = await until(async () => {
      const stats = await worker.stats();
      return stats.latency.count === 1 && stats;
    });
    assert.deepEqual([counters.replies, counters.failures], [0, 0]);
    assert.equal(sum(Object.entries(counters.errors)), 1);
  });

  test('what never left its client is counted too, and counts go on after a stop', async (t) => {
    const { client } = await peersFor(t).trio(handle);
    await ask(client, 'data');
    await client.stop();
    await assert.rejects(client.call(SERVICE, 1), { code: 'C_STOPPED' });
    await assert.rejects(client.call(SERVICE, 1, { signal: AbortSignal.abort() }), { code: 'C_ABORTED' });
    await client.start();
    await ask(client, 'data');
    const { counters, outstanding } = await client.stats();
    assert.deepEqual([counters.requests, counters.replies, outstanding], [4, 2, 0]);
    assert.deepEqual(counters.errors, { C_STOPPED: 1, C_ABORTED: 1 });
  });

  test('a second attempt', async (t) => {
    const peers = peersFor(t, 'tcp');
    await peers.broker().start();
    const client = peers.client();
    await client.start();
    const dying = runChild(
      t,
      async ({ omdp, say, endpoint, service }) => {
        const worker = new omdp.Worker(endpoint, service);
        worker.on('request', () => process.kill(process.pid, 'SIGKILL'));
        await worker.start();
        say('ready');
      },
      { endpoint: peers.endpoint, service: SERVICE },
    );
    await dying.said('ready');
    const reply = client.call(SERVICE, 'data', { retry: 1 });
    await dying.ended;
    const worker = peers.worker(handle);
    await worker.start();
    await reply;
    assert.equal((await worker.stats()).counters.retried, 1);
  });
});

describe('a histogram', () => {
  test('percentiles are those of the sorted values, up to an eighth', () => {
    const histogram = new Histogram();
    const values = Array.from({ length: 5000 }, (_, n) => ((n * n * 7919) % 1_000_003) / 1000);
    for (const value of values) histogram.record(value);
    values.sort((a, b) => a - b);
    const { count, max, p50, p90, p95, p99, buckets } = histogram.describe();
    assert.deepEqual([count, sum(buckets), max], [5000, 5000, values.at(-1)]);
    for (const [percent, found] of Object.entries({ 50: p50, 90: p90, 95: p95, 99: p99 })) {
      const exact = values[Math.ceil((values.length * Number(percent)) / 100) - 1];
      assert.ok(found >= exact - 0.001 && found <= exact * 1.125 + 0.001, `${percent}: ${found}, ${exact}`);
    }
    const uppers = buckets.map(([upper]) => upper);
    assert.deepEqual(
      uppers,
      uppers.toSorted((a, b) => a - b),
    );
  });

  test('the shortest and the longest', () => {
    const histogram = new Histogram();
    for (const ms of [0, -1, 0.0004, 1e12]) histogram.record(ms);
    const { buckets, max, p50 } = histogram.describe();
    assert.deepEqual(buckets, [
      [0, 3],
      [1e12, 1],
    ]);
    assert.deepEqual([max, p50], [1e12, 0]);
    assert.deepEqual(new Histogram().describe().buckets, []);
  });
});
