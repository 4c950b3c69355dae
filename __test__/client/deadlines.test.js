'use strict';
// The deadline of a request: how long it may take in all, and what its handler knows of that.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Client } = require('../..');
const { OldBroker } = require('../support/old');
const { freshEndpoint } = require('../support/endpoints');
const { SERVICE, ask, heard, peersFor, start } = require('../support/peers');

for (const transport of ['inproc', 'tcp']) {
  describe(`over ${transport}`, () => {
    test('parts do not move it, and the handler is told', async (t) => {
      let aborted;
      const { client } = await peersFor(t, transport).trio((data, reply) => {
        const timer = setInterval(() => reply.write('part'), 5);
        aborted = new Promise((resolve) => {
          reply.signal.addEventListener('abort', () => {
            clearInterval(timer);
            resolve(reply.signal.reason.code);
          });
        });
      });
      const { partials, final } = await ask(client, 1, { timeout: 60_000, deadline: 300 });
      assert.ok(partials.length > 0);
      assert.deepEqual(final, ['C_TIMEOUT']);
      assert.equal(await aborted, 'C_ABORTED');
    });

    test('a request that waits for a worker leaves the queue', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(), peers.client()];
      await start(broker, client);
      const call = client.call(SERVICE, 1, { timeout: -1, deadline: 50 });
      await assert.rejects(call, { code: 'C_TIMEOUT', message: /deadline of 50 ms/ });
      await heard(client);
      assert.equal((await broker.stats()).tables.requests, 0);
    });

    test('reply.remaining, and a call that inherits it', async (t) => {
      const peers = peersFor(t, transport);
      const seen = [];
      const inner = peers.client();
      const { client, worker } = await peers.trio(
        async (depth, reply, opts) => {
          seen.push([reply.remaining, opts.deadline]);
          if (depth === 0) return reply.end('deep');
          reply.end(await inner.call(SERVICE, depth - 1, { deadline: reply }));
        },
        { worker: { concurrency: -1 } },
      );
      await start(inner);
      assert.equal(worker.concurrency, -1);
      assert.equal(await client.call(SERVICE, 2, { deadline: 60_000 }), 'deep');
      assert.equal(seen.length, 3);
      let before = 60_000;
      for (const [remaining, given] of seen) {
        assert.ok(remaining > 0 && remaining <= before, `${remaining} of ${before}`);
        assert.ok(given <= before);
        before = remaining;
      }
      assert.equal(await client.call(SERVICE, 1), 'deep');
      assert.deepEqual(seen.slice(3), [
        [Infinity, undefined],
        [Infinity, undefined],
      ]);
    });
  });
}

test('what has passed already is not sent', async (t) => {
  const seen = [];
  const { client } = await peersFor(t).trio((data, reply) => {
    seen.push(data);
    reply.end(data);
  });
  await assert.rejects(client.call(SERVICE, 'late', { deadline: 0 }), { code: 'C_TIMEOUT' });
  await assert.rejects(client.call(SERVICE, 'late', { deadline: { remaining: 0 } }), { code: 'C_TIMEOUT' });
  assert.equal(await client.call(SERVICE, 'sent', { deadline: Infinity }), 'sent');
  assert.equal(await client.call(SERVICE, 'sent', { deadline: null }), 'sent');
  assert.deepEqual(seen, ['sent', 'sent']);
});

test('a bad one throws', (t) => {
  const client = peersFor(t).client();
  for (const deadline of [-1, Number.NaN, 2 ** 31, -Infinity]) {
    assert.throws(() => client.request(SERVICE, 1, null, null, { deadline }), RangeError, String(deadline));
  }
  for (const deadline of ['1', true, {}, { remaining: 'x' }]) {
    assert.throws(() => client.request(SERVICE, 1, null, null, { deadline }), TypeError);
  }
});

test('a client that was never started keeps it', async (t) => {
  // Its requests keep no process alive.
  const alive = setInterval(() => {}, 1000);
  t.after(() => clearInterval(alive));
  const client = new Client(freshEndpoint('tcp'));
  await assert.rejects(client.call(SERVICE, 1, { deadline: 20, timeout: -1 }), { code: 'C_TIMEOUT' });
  await assert.rejects(client.call(SERVICE, 1, { deadline: 60_000, timeout: 20 }), { code: 'C_TIMEOUT' });
});

test('at a broker of 0.0.92 the client keeps it, and the handler knows what was left at the call', async (t) => {
  const peers = peersFor(t, 'tcp');
  await OldBroker.start(t, peers.endpoint);
  const worker = peers.worker(() => {});
  const client = peers.client();
  await start(worker, client);
  await assert.rejects(client.call(SERVICE, 1, { timeout: -1, deadline: 200 }), { code: 'C_TIMEOUT' });
});
