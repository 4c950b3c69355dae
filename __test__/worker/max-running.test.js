'use strict';
// maxRunning: how long a handler may take for a request.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { OmdpError, Worker } = require('../..');
const { SERVICE, ask, peersFor, start } = require('../support/peers');

const MAX_RUNNING = 100;

/** A handler that never ends when it is told 'hang', and notes what becomes of its reply. */
function hanging(seen) {
  return (data, reply) => {
    if (data !== 'hang') return reply.end(data);
    seen.reply = reply;
    seen.aborted = once(reply.signal, 'abort');
    return new Promise(() => {});
  };
}

for (const transport of ['inproc', 'tcp']) {
  describe(`over ${transport}`, () => {
    test('the request ends with W_TIMEOUT, the reply is cancelled, and its place is free', async (t) => {
      const seen = {};
      const worker = { maxRunning: MAX_RUNNING };
      const { broker, client } = await peersFor(t, transport).trio(hanging(seen), { worker });
      const hung = assert.rejects(client.call(SERVICE, 'hang', { timeout: -1 }), (error) => {
        assert.ok(error instanceof OmdpError);
        assert.equal(error.code, 'W_TIMEOUT');
        return true;
      });
      // It runs one at a time, so this one waits for the place.
      assert.equal(await client.call(SERVICE, 'next'), 'next');
      await hung;
      await seen.aborted;
      assert.equal(seen.reply.active(), false);
      assert.equal(seen.reply.signal.reason.code, 'W_TIMEOUT');
      seen.reply.end('late');
      assert.equal(await client.call(SERVICE, 'more'), 'more');
      const { tables } = await broker.stats();
      assert.equal(tables.requests, 0);
    });
  });
}

test('what was written before has arrived, and parts do not extend the limit', async (t) => {
  const worker = { maxRunning: MAX_RUNNING };
  const { client } = await peersFor(t).trio(
    (_data, reply) => {
      reply.write('part');
      const timer = setInterval(() => reply.write('more'), 10);
      reply.signal.addEventListener('abort', () => clearInterval(timer));
    },
    { worker },
  );
  const { partials, final } = await ask(client, 1, { timeout: -1 });
  assert.deepEqual(partials[0], [null, 'part']);
  assert.deepEqual(final, ['W_TIMEOUT']);
});

test('a handler that was cancelled and goes on loses its place too', async (t) => {
  const seen = {};
  const worker = { maxRunning: MAX_RUNNING };
  const { client } = await peersFor(t).trio(hanging(seen), { worker });
  const aborting = new AbortController();
  const hung = assert.rejects(client.call(SERVICE, 'hang', { signal: aborting.signal }), {
    code: 'C_ABORTED',
  });
  while (seen.reply === undefined) await new Promise(setImmediate);
  aborting.abort();
  await hung;
  assert.equal(await client.call(SERVICE, 'next', { timeout: -1 }), 'next');
  assert.equal(seen.reply.signal.reason.code, 'C_ABORTED');
});

test('a policy may repeat the request, a number does not', async (t) => {
  const attempts = [];
  const handler = (data, reply) => {
    attempts.push(data);
    if (attempts.length === 4) reply.end('done');
  };
  const { client } = await peersFor(t).trio(handler, { worker: { maxRunning: MAX_RUNNING } });
  await assert.rejects(client.call(SERVICE, 1, { retry: 5 }), { code: 'W_TIMEOUT' });
  await assert.rejects(client.call(SERVICE, 2, { retry: { on: ['lost', 'error'] } }), { code: 'W_TIMEOUT' });
  assert.equal(await client.call(SERVICE, 3, { retry: { on: ['timeout'], delay: 1 } }), 'done');
  assert.deepEqual(attempts, [1, 2, 3, 3]);
});

test('each of several handlers has the time from its own start on', async (t) => {
  const worker = { maxRunning: MAX_RUNNING, concurrency: 3 };
  const { client } = await peersFor(t).trio(() => {}, { worker });
  const calls = [...Array(9).keys()].map((i) => client.call(SERVICE, i, { timeout: -1 }));
  const outcomes = await Promise.allSettled(calls);
  assert.deepEqual(
    outcomes.map(({ reason }) => reason.code),
    Array(9).fill('W_TIMEOUT'),
  );
});

test('a fast handler never meets it', async (t) => {
  const { client } = await peersFor(t).trio(undefined, { worker: { maxRunning: 60_000 } });
  const calls = [...Array(500).keys()].map((i) => client.call(SERVICE, i));
  assert.deepEqual(await Promise.all(calls), [...Array(500).keys()]);
});

test('stop() without a timeout waits for the limit, not for ever', async (t) => {
  const seen = {};
  const worker = { maxRunning: MAX_RUNNING };
  const trio = await peersFor(t).trio(hanging(seen), { worker });
  const hung = assert.rejects(trio.client.call(SERVICE, 'hang'), { code: 'W_TIMEOUT' });
  while (seen.reply === undefined) await new Promise(setImmediate);
  await trio.worker.stop();
  await hung;
});

test('with two brokers', async (t) => {
  const one = peersFor(t, 'tcp');
  const two = peersFor(t, 'tcp');
  const [first, second, client] = [one.broker(), two.broker(), two.client()];
  await start(first, second, client);
  const worker = new Worker([one.endpoint, two.endpoint], SERVICE, { maxRunning: MAX_RUNNING });
  t.after(() => worker.stop({ timeout: 0 }));
  worker.on('request', hanging({}));
  await worker.start();
  const hung = assert.rejects(client.call(SERVICE, 'hang'), { code: 'W_TIMEOUT' });
  assert.equal(await client.call(SERVICE, 'next'), 'next');
  await hung;
});
