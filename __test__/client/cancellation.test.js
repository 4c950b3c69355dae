'use strict';
// A request that nobody waits for any more: its worker learns of it, and one that has not begun never begins.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { deferred, until } = require('../support/events');
const { SERVICE, ask, heard, peersFor, start } = require('../support/peers');

/** A worker that is busy with one request, and what it was given. */
async function busy(t, conf) {
  const seen = [];
  const running = deferred();
  const peers = await peersFor(t).trio((data, reply) => {
    seen.push(data);
    if (data === 'first') running.resolve(reply);
    else reply.end(data);
  }, conf);
  const first = peers.client.call(SERVICE, 'first');
  return { ...peers, seen, first, reply: await running.promise };
}

describe('opts.signal', () => {
  test('ends the request with C_ABORTED, whose cause is its reason', async (t) => {
    const { client } = await peersFor(t).trio(() => {});
    const controller = new AbortController();
    const { signal } = controller;
    const reason = new Error('enough');
    const call = assert.rejects(client.call(SERVICE, 1, { signal }), { code: 'C_ABORTED', cause: reason });
    const asked = ask(client, 1, { signal });
    const stream = client.requestStream(SERVICE, 1, { signal });
    const error = new Promise((resolve) => stream.on('error', resolve));
    controller.abort(reason);
    await call;
    assert.deepEqual((await asked).final, ['C_ABORTED']);
    const { code, cause } = await error;
    assert.deepEqual([code, cause], ['C_ABORTED', reason]);
  });

  test('aborted before the request is made, it is never sent', async (t) => {
    const seen = [];
    const { client } = await peersFor(t).trio((data, reply) => {
      seen.push(data);
      reply.end();
    });
    const signal = AbortSignal.abort('why');
    await assert.rejects(client.call(SERVICE, 'never', { signal }), { code: 'C_ABORTED', cause: 'why' });
    await client.call(SERVICE, 'after');
    assert.deepEqual(seen, ['after']);
  });

  test('AbortSignal.timeout() works as one', async (t) => {
    const { client } = await peersFor(t).trio(() => {});
    // Node does not wait for such a signal; the request is what keeps the process.
    await assert.rejects(client.call(SERVICE, 1, { signal: AbortSignal.timeout(20) }), (error) => {
      return error.code === 'C_ABORTED' && error.cause.name === 'TimeoutError';
    });
  });

  test('may be shared by many requests, without a warning, and is let go after them', async (t) => {
    const { client } = await peersFor(t).trio();
    const warnings = [];
    const onWarning = (warning) => warnings.push(warning);
    process.on('warning', onWarning);
    t.after(() => process.off('warning', onWarning));
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    for (const [method, change] of [
      ['addEventListener', 1],
      ['removeEventListener', -1],
    ]) {
      const original = signal[method];
      signal[method] = function counted(...args) {
        listeners += change;
        return original.apply(this, args);
      };
    }
    await Promise.all(Array.from({ length: 100 }, (_, i) => client.call(SERVICE, i, { signal })));
    await new Promise(setImmediate);
    assert.deepEqual(warnings, []);
    assert.equal(listeners, 0);
    controller.abort();
    assert.equal(await client.call(SERVICE, 'unharmed'), 'unharmed');
  });
});

describe('a request that has not begun never begins', () => {
  const WAYS = {
    'when its signal aborts': { opts: (controller) => ({ signal: controller.signal }), code: 'C_ABORTED' },
    'when its stream is destroyed': { code: 'C_ABORTED' },
    'when it times out': { opts: () => ({ timeout: 20 }), code: 'C_TIMEOUT' },
  };
  for (const [when, { opts, code }] of Object.entries(WAYS)) {
    test(when, async (t) => {
      const { client, seen, first, reply } = await busy(t);
      const controller = new AbortController();
      const ended = deferred();
      const stream = client.request(SERVICE, 'waiting', null, ended.resolve, opts?.(controller));
      if (when === 'when its stream is destroyed') stream.destroy();
      controller.abort();
      assert.equal(await ended.promise, code);
      await heard(client);
      const next = client.call(SERVICE, 'next');
      reply.end('done');
      assert.equal(await first, 'done');
      assert.equal(await next, 'next');
      assert.deepEqual(seen, ['first', 'next']);
    });
  }

  test('when its client is stopped', async (t) => {
    const peers = peersFor(t);
    const seen = [];
    const running = deferred();
    const handler = (data, reply) => {
      seen.push(data);
      if (data === 'first') running.resolve(reply);
      else reply.end(data);
    };
    const { client } = await peers.trio(handler, { worker: { prefetch: 0 } });
    const first = client.call(SERVICE, 'first');
    const reply = await running.promise;
    const other = peers.client();
    await other.start();
    const waiting = Promise.all(['a', 'b'].map((data) => ask(other, data)));
    // What the broker makes of a goodbye it tells nobody.
    const queued = (count) =>
      until(async () => (await client.call('mmi.services'))[0].queued === count, `not ${count} in the queue`);
    await queued(2);
    await other.stop();
    for (const { final } of await waiting) assert.deepEqual(final, ['C_STOPPED']);
    await queued(0);
    const next = client.call(SERVICE, 'next');
    reply.end('done');
    assert.equal(await first, 'done');
    assert.equal(await next, 'next');
    assert.deepEqual(seen, ['first', 'next']);
  });
});

test('cancelling one of many leaves the others alone', async (t) => {
  const { client } = await peersFor(t).trio();
  const results = await Promise.all(
    Array.from({ length: 300 }, (_, i) => {
      const controller = new AbortController();
      const asked = ask(client, i, { signal: controller.signal });
      if (i % 3 === 0) controller.abort();
      return asked;
    }),
  );
  for (const [i, { final }] of results.entries()) {
    assert.deepEqual(final, i % 3 === 0 ? ['C_ABORTED'] : [null, i]);
  }
});

test('the death of a client that holds requests cancels them at the worker', async (t) => {
  const { runChild } = require('../support/child');
  const peers = peersFor(t, 'tcp');
  const running = deferred();
  await peers.trio((data, reply) => running.resolve(reply));
  const child = runChild(
    t,
    async ({ omdp, endpoint, service }) => {
      const client = new omdp.Client(endpoint);
      await client.start();
      client.request(service, 1);
    },
    { endpoint: peers.endpoint, service: SERVICE },
  );
  const reply = await running.promise;
  const aborted = once(reply.signal, 'abort');
  child.kill();
  await aborted;
  assert.equal(reply.active(), false);
});

test('a handler that goes on regardless keeps its place, and nobody has to wait behind it', async (t) => {
  const peers = peersFor(t);
  const running = deferred();
  const { client } = await peers.trio((data, reply) => {
    if (data === 'first') running.resolve(reply);
    else reply.end('the one');
  });
  const controller = new AbortController();
  const { signal } = controller;
  const first = assert.rejects(client.call(SERVICE, 'first', { signal }), { code: 'C_ABORTED' });
  const reply = await running.promise;
  const aborted = once(reply.signal, 'abort');
  controller.abort();
  await Promise.all([first, aborted]);
  // It has had room for a shorter time, so the next request is given to the other first.
  const another = peers.worker((_, reply) => reply.end('the other'));
  await start(another);
  for (let n = 0; n < 5; n++) assert.equal(await client.call(SERVICE, n), 'the other');
  reply.end();
  await another.stop();
  assert.equal(await client.call(SERVICE, 'last'), 'the one');
});
