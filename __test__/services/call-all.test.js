'use strict';
// callAll(): a request to every worker of a service, and what they answer.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Client, OmdpError, RemoteError } = require('../..');
const { deferred, until } = require('../support/events');
const { SERVICE, peersFor, start } = require('../support/peers');
const { curveBroker, curvePeer, keys } = require('../support/security');

/** A broker, a client, and a worker with each of these handlers, by their names. */
async function cast(t, handlers, { transport, broker, client, worker } = {}) {
  const peers = peersFor(t, transport);
  const theBroker = peers.broker(broker);
  const theClient = peers.client(client);
  await start(theBroker);
  const workers = Object.entries(handlers).map(([name, handler]) =>
    peers.worker(handler, { name, ...worker }),
  );
  await start(theClient, ...workers);
  await until(async () => (await theBroker.stats()).workers.length === workers.length);
  return { peers, broker: theBroker, client: theClient, workers };
}

async function all(answers) {
  const got = [];
  for await (const answer of answers) got.push(answer);
  return got.sort((a, b) => (a.worker < b.worker ? -1 : 1));
}

describe('callAll()', () => {
  test('gives the answer of each worker, and ends', async (t) => {
    const bytes = Buffer.from([1, 2, 3]);
    const { client, broker } = await cast(t, {
      a: (data, reply) => reply.end(data * 2),
      b: (_, reply) => reply.end(bytes),
      c: (data, reply) => {
        for (let i = 0; i < 5; i += 1) reply.write('x'.repeat(200_000));
        reply.end(`parts ${data}`);
      },
      d: (_, reply) => reply.error({ code: 7 }),
      e: () => {
        throw new Error('no');
      },
    });
    const [a, b, c, d, e, ...rest] = await all(client.callAll(SERVICE, 21));
    assert.deepEqual(rest, []);
    assert.deepEqual(
      [a, b, c],
      [
        { worker: 'a', value: 42 },
        { worker: 'b', value: bytes },
        { worker: 'c', value: 'parts 21' },
      ],
    );
    assert.ok(d.error instanceof RemoteError);
    assert.deepEqual(d.error.value, { code: 7 });
    assert.equal(e.error.message, 'no');
    assert.deepEqual(await all(client.callAll('nobody', 1)), []);
    assert.equal((await broker.stats()).requests, 0);
    assert.equal(
      await client.call(SERVICE, 1).then(
        () => 'ok',
        () => 'ok',
      ),
      'ok',
    );
  });

  test('tells of a worker that is lost', async (t) => {
    const started = deferred();
    const { client, workers } = await cast(t, {
      a: (_, reply) => reply.end('a'),
      b: () => started.resolve(),
    });
    const answers = all(client.callAll(SERVICE, 1));
    await started.promise;
    await workers[1].stop({ timeout: 0 });
    const [a, b] = await answers;
    assert.deepEqual(a, { worker: 'a', value: 'a' });
    assert.equal(b.worker, 'b');
    assert.ok(b.error instanceof OmdpError && b.error.code === 'W_LOST');
  });

  test('ends at its limits, and tells the workers', async (t) => {
    const waiting = [];
    const { client, broker } = await cast(
      t,
      {
        a: (_, reply) => reply.end('a'),
        b: (_, reply) => waiting.push(reply),
      },
      { worker: { concurrency: 10 } },
    );
    const only = [{ worker: 'a', value: 'a' }];
    assert.deepEqual(await all(client.callAll(SERVICE, 1, { timeout: 200 })), only);
    assert.deepEqual(await all(client.callAll(SERVICE, 2, { stall: 100 })), only);
    assert.deepEqual(await all(client.callAll(SERVICE, 3, { max: 1 })), only);
    for await (const _ of client.callAll(SERVICE, 4)) break;
    await until(() => waiting.length === 4 && waiting.every((reply) => !reply.active()));
    assert.equal((await broker.stats()).requests, 0);
    const aborted = client.callAll(SERVICE, 5, { signal: AbortSignal.abort() });
    await assert.rejects(all(aborted), { code: 'C_ABORTED' });
  });

  test('takes its data at the call, and ends when it is left before its first answer', async (t) => {
    const [come, gone] = [deferred(), deferred()];
    const { client, broker } = await cast(t, {
      a: (data, reply) => {
        if (String(data) === 'data') return reply.end(data);
        reply.signal.addEventListener('abort', () => gone.resolve(reply.end()));
        return come.resolve();
      },
    });
    const data = Buffer.from('data');
    const answers = client.callAll(SERVICE, data);
    data.fill(0);
    assert.deepEqual(await all(answers), [{ worker: 'a', value: Buffer.from('data') }]);
    const left = client.callAll(SERVICE, 'silence', { timeout: -1 });
    const first = left.next();
    await come.promise;
    await left.return();
    assert.deepEqual(await first, { value: undefined, done: true });
    await gone.promise;
    await client.callAll(SERVICE, 'silence', { timeout: -1 }).return();
    await until(async () => (await broker.stats()).requests === 0);
  });

  test('is for the workers of a version', async (t) => {
    const handler = (name) => (_, reply) => reply.end(name);
    const { client, peers } = await cast(t, { a: handler('a') }, { worker: { service: 'orders@1.0.0' } });
    const other = peers.worker(handler('b'), { name: 'b', service: 'orders@2.0.0' });
    await other.start();
    await until(async () => (await client.call('mmi.service', 'orders@2.0.0')) === 200);
    assert.deepEqual(await all(client.callAll('orders@^1', 1)), [{ worker: 'a', value: 'a' }]);
    assert.deepEqual(await all(client.callAll('orders', 1)), [{ worker: 'b', value: 'b' }]);
  });

  test('needs the right to call the service', async (t) => {
    const [server, web, all_] = [keys(), keys(), keys()];
    const users = {
      web: { keys: web.publicKey, call: ['open', 'mmi.all:*'] },
      all: { keys: all_.publicKey, serve: '*', call: '*' },
    };
    const peers = peersFor(t, 'tcp');
    const broker = peers.broker(curveBroker(server, users));
    const client = peers.client(curvePeer(server, web));
    await broker.start();
    for (const service of ['open', 'secret']) {
      const seen = deferred();
      broker.once('workerReady', () => seen.resolve());
      const worker = peers.worker((_, reply, { user }) => reply.end(user), {
        service,
        name: service,
        ...curvePeer(server, all_),
      });
      await worker.start();
      await seen.promise;
    }
    await client.start();
    // Undefined options are missing ones, whatever their names.
    const options = { retry: undefined, other: undefined };
    assert.deepEqual(await all(client.callAll('open', 1, options)), [{ worker: 'open', value: 'web' }]);
    await assert.rejects(all(client.callAll('secret', 1)), { code: 'B_DENIED' });
  });

  test('checks what it is given', () => {
    const client = new Client('tcp://127.0.0.1:5555');
    assert.throws(() => client.callAll(''), RangeError);
    for (const options of [
      { retry: 1 },
      { failFast: true },
      { worker: 'w' },
      { key: 'k' },
      { priority: 1 },
    ]) {
      const [name] = Object.keys(options);
      const message = `option "${name}" cannot be used with callAll()`;
      assert.throws(() => client.callAll('a', 1, options), { name: 'TypeError', message });
    }
    assert.throws(() => client.callAll('a', 1, { retry: null }), TypeError);
    assert.throws(() => client.callAll('a', 1, { timeout: 0 }), RangeError);
    assert.throws(() => client.callAll('a', 1, { max: 0 }), RangeError);
    assert.throws(() => client.callAll('a', 1, 5), TypeError);
    assert.throws(() => client.callAll('a', 1, { signal: {} }), /^TypeError: option "signal" must be/);
    assert.throws(() => client.callAll('a', 1, { headers: [] }), /^TypeError: option "headers" must be/);
    assert.throws(() => client.callAll('a', 1, { every: 5 }), {
      name: 'TypeError',
      message: 'unknown option "every"; the known ones are: timeout, stall, max, deadline, signal, headers',
    });
    assert.throws(() => client.callAll('a', 1n), /^TypeError: .*bigint/i);
    const mdp = new Client('tcp://127.0.0.1:5555', { protocol: 'mdp/0.2' });
    assert.throws(() => mdp.callAll('a', 1), /^TypeError: callAll\(\) cannot be used under mdp\/0\.2/);
  });
});
