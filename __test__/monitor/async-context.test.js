'use strict';
// In whose AsyncLocalStorage context callbacks, events and handlers run.
const assert = require('node:assert/strict');
const { AsyncLocalStorage } = require('node:async_hooks');
const { once } = require('node:events');
const { test } = require('node:test');
const { SERVICE, peersFor, start } = require('../support/peers');

const storage = new AsyncLocalStorage();
const here = () => storage.getStore();

/** Peers that somebody started in a context of his own. */
async function startedBySomebody(t, handler, conf) {
  const peers = peersFor(t);
  return storage.run('starter', () => peers.trio(handler, conf));
}

/** A handler with a part and a final. */
const inParts = (data, reply) => {
  reply.write('part');
  reply.end(data);
};

test('callbacks of request() run in the context of its caller', async (t) => {
  const { client } = await startedBySomebody(t, inParts);
  const seen = await Promise.all(
    ['ann', 'bob', undefined].map((user) =>
      storage.run(user, () => {
        const contexts = [];
        return new Promise((resolve) => {
          client.request(
            SERVICE,
            user ?? null,
            () => contexts.push(here()),
            () => resolve([...contexts, here()]),
          );
        });
      }),
    ),
  );
  assert.deepEqual(seen, [
    ['ann', 'ann'],
    ['bob', 'bob'],
    [undefined, undefined],
  ]);
});

test('so do those of a request that was aborted, and of a client that was stopped by others', async (t) => {
  const { client } = await startedBySomebody(t, () => {});
  const failed = (user, opts) =>
    storage.run(user, () => {
      return new Promise((resolve) => {
        const done = (code) => resolve([code, here()]);
        client.request(SERVICE, 1, undefined, done, opts);
      });
    });
  const controller = new AbortController();
  const aborted = failed('ann', { signal: controller.signal });
  const timedOut = failed('bob', { timeout: 20 });
  const stopped = failed('eve');
  storage.run('somebody else', () => controller.abort());
  assert.deepEqual(await aborted, ['C_ABORTED', 'ann']);
  assert.deepEqual(await timedOut, ['C_TIMEOUT', 'bob']);
  await storage.run('somebody else', () => client.stop());
  assert.deepEqual(await stopped, ['C_STOPPED', 'eve']);
});

test('events of streams, promises and loops', async (t) => {
  const { client } = await startedBySomebody(t, inParts);
  const streamed = storage.run('ann', () => {
    const contexts = [];
    const stream = client.requestStream(SERVICE, 1);
    for (const event of ['data', 'end']) stream.on(event, () => contexts.push(event, here()));
    return once(stream, 'close').then(() => contexts);
  });
  const called = storage.run('bob', () => client.call(SERVICE, 1).then(() => here()));
  const looped = storage.run('eve', async () => {
    const contexts = [];
    for await (const part of client.requestStream(SERVICE, 1)) contexts.push(part, here());
    return contexts;
  });
  assert.deepEqual(await streamed, ['data', 'ann', 'data', 'ann', 'end', 'ann']);
  assert.equal(await called, 'bob');
  assert.deepEqual(await looped, ['part', 'eve', 1, 'eve']);
});

test('what somebody else destroys or cancels still ends in the context of its caller', async (t) => {
  const { client } = await startedBySomebody(t, () => {});
  const contexts = [];
  const stream = storage.run('ann', () => client.requestStream(SERVICE, 1));
  const closed = storage.run('ann', () =>
    once(
      stream.on('close', () => contexts.push(here())),
      'close',
    ),
  );
  storage.run('somebody else', () => stream.destroy());
  await closed;
  assert.deepEqual(contexts, ['ann']);
});

test('a stream that is the data of a request is read and left in the context of its caller', async (t) => {
  const { client } = await startedBySomebody(t, async (data, reply) => {
    for await (const part of data) if (part === 'last') break;
    reply.end();
  });
  const contexts = [];
  async function* parts() {
    try {
      for (const part of ['first', 'last', 'more']) {
        contexts.push(here());
        yield part;
      }
    } finally {
      contexts.push(`left by ${here()}`);
    }
  }
  await storage.run('ann', () => client.call(SERVICE, parts()));
  assert.deepEqual([...new Set(contexts)], ['ann', 'left by ann']);
});

test('each handler has a context of its own', async (t) => {
  const { client } = await startedBySomebody(
    t,
    async (data, reply) => {
      const atFirst = here();
      storage.enterWith(data);
      await null;
      reply.end([atFirst ?? 'nobody', here()]);
    },
    { worker: { concurrency: 8 } },
  );
  // In one tick, so that several come in one batch.
  const replies = await storage.run('caller', () =>
    Promise.all(Array.from({ length: 64 }, (_, n) => client.call(SERVICE, n))),
  );
  assert.deepEqual(
    replies,
    Array.from({ length: 64 }, (_, n) => ['nobody', n]),
  );
});

test('what a handler hears of later comes in its context', async (t) => {
  const aborted = [];
  const { client } = await startedBySomebody(
    t,
    (data, reply) =>
      storage.run(data, () => {
        // Whoever listens in the handler is heard in the handler's context, which is not that within run().
        reply.signal.addEventListener('abort', () => aborted.push(here()));
        reply.write('begun');
      }),
    { worker: { concurrency: 2 } },
  );
  const stream = client.requestStream(SERVICE, 'inner');
  await once(stream, 'data');
  storage.run('client', () => stream.destroy());
  while (aborted.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(aborted, [undefined]);
});

test('start(cb) and stop(cb)', async (t) => {
  const peers = peersFor(t);
  const [broker, client] = [peers.broker(), peers.client()];
  await start(broker);
  const by = (user, act) => storage.run(user, () => new Promise((resolve) => act(() => resolve(here()))));
  assert.deepEqual(await Promise.all(['ann', 'bob'].map((user) => by(user, (done) => client.start(done)))), [
    'ann',
    'bob',
  ]);
  assert.deepEqual(await Promise.all(['ann', 'bob'].map((user) => by(user, (done) => client.stop(done)))), [
    'ann',
    'bob',
  ]);
});

test('events of peers are in nobody’s context', async (t) => {
  const { broker } = await startedBySomebody(t, inParts);
  const gone = storage.run('listener', () => {
    return new Promise((resolve) => broker.on('workerReady', () => resolve(here() ?? 'nobody')));
  });
  const worker = peersFor(t, 'inproc', broker.endpoints[0]).worker(inParts, { service: 'other' });
  await worker.start();
  assert.equal(await gone, 'nobody');
});
