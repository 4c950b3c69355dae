'use strict';
// Requests of a client: in any order of starting, in any number, before and after its broker's lives.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { REMOTE_TRANSPORTS, TRANSPORTS } = require('../support/endpoints');
const { deferred, record } = require('../support/events');
const { SERVICE, ask, echo, peersFor, start } = require('../support/peers');

const numbers = (count) => Array.from({ length: count }, (_, i) => i);

for (const transport of TRANSPORTS) {
  describe(`a client over ${transport}`, () => {
    test('10,000 requests at once are all answered, each with its own reply', async (t) => {
      const { client } = await peersFor(t, transport).trio();
      const data = numbers(10_000);
      assert.deepEqual(await Promise.all(data.map((each) => client.call(SERVICE, each))), data);
    });

    test('so are those of several clients to several workers', async (t) => {
      const peers = peersFor(t, transport);
      await peers.trio();
      const clients = numbers(5).map(() => peers.client());
      const workers = numbers(5).map(() => peers.worker(echo));
      await start(...clients, ...workers);
      const data = numbers(400).map((i) => `request ${i}`);
      const replies = await Promise.all(
        clients.map((client) =>
          Promise.all(data.map((each) => client.call(SERVICE, `${client.name} ${each}`))),
        ),
      );
      assert.deepEqual(
        replies,
        clients.map((client) => data.map((each) => `${client.name} ${each}`)),
      );
    });

    test('requests before start() wait, and go out with it, in order', async (t) => {
      const peers = peersFor(t, transport);
      const seen = [];
      // What a worker was handed ahead of need and gives back may be overtaken by what is under way to it.
      const worker = peers.worker(
        (data, reply) => {
          seen.push(data);
          reply.end(data);
        },
        { prefetch: 0 },
      );
      await start(peers.broker(), worker);
      const client = peers.client();
      const calls = numbers(3000).map((each) => client.call(SERVICE, each));
      await client.start();
      assert.deepEqual(await Promise.all(calls), numbers(3000));
      assert.deepEqual(seen, numbers(3000));
    });

    test('requests before the broker is there wait for it', async (t) => {
      const peers = peersFor(t, transport);
      const client = peers.client();
      await client.start();
      const calls = numbers(100).map((each) => client.call(SERVICE, each));
      await start(peers.broker(), peers.worker(echo));
      assert.deepEqual(await Promise.all(calls), numbers(100));
    });

    test('requests before there is a worker wait for one', async (t) => {
      const peers = peersFor(t, transport);
      const client = peers.client();
      await start(peers.broker(), client);
      const calls = numbers(100).map((each) => client.call(SERVICE, each));
      await peers.worker(echo).start();
      assert.deepEqual(await Promise.all(calls), numbers(100));
    });

    test('requests while the broker is away wait for it to come back', async (t) => {
      const { broker, client } = await peersFor(t, transport).trio();
      assert.equal(await client.call(SERVICE, 'before'), 'before');
      const lost = once(client, 'disconnect');
      await broker.stop();
      await lost;
      const calls = numbers(100).map((each) => client.call(SERVICE, each));
      await broker.start();
      assert.deepEqual(await Promise.all(calls), numbers(100));
    });

    test('what the broker passed on before it stopped arrives', async (t) => {
      const handler = (data, reply) => {
        for (const part of numbers(50)) reply.write(part);
        reply.end(data);
      };
      const { broker, worker, client } = await peersFor(t, transport).trio(handler, {
        worker: { prefetch: 0 },
      });
      // Gone from the worker and over the broker, for it gave the worker the second request.
      const asked = ask(client, 'first');
      ask(client, 'second');
      let handled = 0;
      await new Promise((resolve) => {
        worker.on('request', () => {
          handled += 1;
          if (handled === 2) resolve();
        });
      });
      await broker.stop();
      const first = await asked;
      assert.equal(first.partials.length, 50);
      assert.deepEqual(first.final, [null, 'first']);
    });

    test('stopped and started again, it makes requests', async (t) => {
      const { client } = await peersFor(t, transport).trio();
      for (let life = 1; life <= 5; life += 1) {
        assert.equal(await client.call(SERVICE, life), life);
        await client.stop();
        assert.deepEqual((await ask(client, 'meanwhile')).final, ['C_STOPPED']);
        const starting = client.start();
        const early = client.call(SERVICE, 'early');
        await starting;
        assert.equal(await early, 'early');
      }
    });
  });
}

test('inproc works in either order of bind and connect', async (t) => {
  const orders = [
    ['broker', 'worker', 'client'],
    ['broker', 'client', 'worker'],
    ['worker', 'broker', 'client'],
    ['worker', 'client', 'broker'],
    ['client', 'broker', 'worker'],
    ['client', 'worker', 'broker'],
  ];
  for (const order of orders) {
    const peers = peersFor(t);
    const made = { broker: peers.broker(), worker: peers.worker(echo), client: peers.client() };
    for (const role of order) await made[role].start();
    assert.deepEqual(await made.client.call(SERVICE, order), order);
  }
});

test('the stream’s end alone tells that a request is done, as in the perf example of 0.0.92', async (t) => {
  const { client } = await peersFor(t).trio((data, reply) => reply.end(`${data}FINAL`));
  let left = 10_000;
  await new Promise((resolve) => {
    for (let i = 0; i < 10_000; i += 1) {
      client.request(SERVICE, 'foo', undefined, undefined, { timeout: -1 }).on('end', () => {
        left -= 1;
        if (left === 0) resolve();
      });
    }
  });
});

test('a data argument that is left out or undefined arrives as null, and the worker lives on', async (t) => {
  const { client } = await peersFor(t).trio((data, reply) => reply.end([data]));
  assert.deepEqual(await client.call(SERVICE, undefined), [null]);
  assert.deepEqual(await client.call(SERVICE), [null]);
  const stream = client.request(SERVICE);
  const [first] = await once(stream, 'data');
  assert.deepEqual(first, [null]);
});

test('heartbeat() may be called with and without a request id, before and after anything', async (t) => {
  const running = deferred();
  const { worker, client } = await peersFor(t).trio((data, reply) => running.resolve(reply));
  const log = record(worker, ['badMessage']);
  client.heartbeat();
  const stream = client.requestStream(SERVICE, 1);
  stream.heartbeat();
  client.heartbeat(stream.rid);
  client.heartbeat('no such');
  client.heartbeat(-1);
  (await running.promise).end('done');
  assert.deepEqual(await stream.toArray(), ['done']);
  stream.heartbeat();
  client.heartbeat(stream.rid);
  await client.stop();
  client.heartbeat();
  stream.heartbeat();
  assert.deepEqual(log, []);
});

test('two clients of one name: the first keeps it, the later one hears so and has it afterwards', async (t) => {
  for (const transport of REMOTE_TRANSPORTS) {
    const peers = peersFor(t, transport);
    await peers.trio();
    const first = peers.client({ name: 'same' });
    const connected = once(first, 'connect');
    await first.start();
    await connected;
    const second = peers.client({ name: 'same' });
    const errors = [];
    second.on('error', ({ code }) => errors.push(code));
    await second.start();
    await assert.rejects(second.call(SERVICE, 'mine'), { code: 'C_NAME_TAKEN' });
    assert.deepEqual(errors.slice(0, 1), ['C_NAME_TAKEN']);
    assert.equal(await first.call(SERVICE, 'its'), 'its');
    const free = once(second, 'connect');
    await first.stop();
    await free;
    assert.equal(await second.call(SERVICE, 'mine'), 'mine');
  }
});
