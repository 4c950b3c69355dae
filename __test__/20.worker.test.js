'use strict';
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { TRANSPORTS } = require('./support/endpoints');
const { deferred, record } = require('./support/events');
const { SERVICE, ask, echo, peersFor, start } = require('./support/peers');

for (const transport of TRANSPORTS) {
  describe(`a worker over ${transport}`, () => {
    test('gets the data of a request, and its end is the final of the client', async (t) => {
      const requests = [];
      const { client } = await peersFor(t, transport).trio((data, reply) => {
        requests.push(data);
        reply.end({ sum: data.a + data.b });
      });
      assert.deepEqual(await client.call(SERVICE, { a: 1, b: 2 }), { sum: 3 });
      assert.deepEqual(requests, [{ a: 1, b: 2 }]);
    });

    test('stopped and started again, it serves', async (t) => {
      const { worker, client } = await peersFor(t, transport).trio();
      for (let life = 1; life <= 5; life += 1) {
        assert.equal(await client.call(SERVICE, life), life);
        await worker.stop();
        const waiting = client.call(SERVICE, 'meanwhile');
        await worker.start();
        assert.equal(await waiting, 'meanwhile');
      }
    });

    test('stopped right after it was started, and started again, it serves', async (t) => {
      for (let i = 0; i < 30; i += 1) {
        const peers = peersFor(t, transport);
        const [broker, worker, client] = [
          peers.broker(),
          peers.worker(echo, { reconnect: 1 }),
          peers.client(),
        ];
        await start(broker, worker, client);
        await worker.stop();
        await worker.start();
        assert.equal(await client.call(SERVICE, i), i);
        await Promise.all([client.stop(), worker.stop(), broker.stop()]);
      }
    });

    test('may start before the broker, and finds it', async (t) => {
      const peers = peersFor(t, transport);
      const [worker, client] = [peers.worker(echo), peers.client()];
      await start(worker, client);
      const early = client.call(SERVICE, 'early');
      await peers.broker().start();
      assert.equal(await early, 'early');
    });
  });
}

test('one request at a time: the next comes after the reply has ended, and in order', async (t) => {
  const log = [];
  const handler = (data, reply) => {
    log.push(`begin ${data}`);
    setImmediate(() => {
      log.push(`end ${data}`);
      reply.end(data);
    });
  };
  const { client } = await peersFor(t).trio(handler, { worker: { prefetch: 0 } });
  const data = [1, 2, 3, 4, 5];
  assert.deepEqual(await Promise.all(data.map((each) => client.call(SERVICE, each))), data);
  assert.deepEqual(
    log,
    data.flatMap((each) => [`begin ${each}`, `end ${each}`]),
  );
});

test('waiting workers are served in the order in which they became idle', async (t) => {
  const peers = peersFor(t);
  const [broker, client] = [peers.broker(), peers.client()];
  await start(broker, client);
  for (const name of ['W0', 'W1', 'W2']) {
    const ready = once(broker, 'workerReady');
    await peers.worker((data, reply) => reply.end(name), { name }).start();
    await ready;
  }
  const served = [];
  for (let i = 0; i < 6; i += 1) served.push(await client.call(SERVICE, i));
  assert.deepEqual(served, ['W0', 'W1', 'W2', 'W0', 'W1', 'W2']);
});

describe('concurrency', () => {
  /** A worker whose handlers all wait, and how many of them there are. */
  async function crowd(t, concurrency) {
    const waiting = [];
    let arrived = deferred();
    const peers = await peersFor(t).trio(
      (data, reply) => {
        waiting.push(reply);
        arrived.resolve();
        arrived = deferred();
      },
      { worker: { concurrency } },
    );
    const reach = async (count) => {
      while (waiting.length < count) await arrived.promise;
    };
    return { ...peers, waiting, reach };
  }

  test('so many requests run at once, and no more', async (t) => {
    const { client, waiting, reach } = await crowd(t, 3);
    const calls = Array.from({ length: 7 }, (_, i) => client.call(SERVICE, i));
    await reach(3);
    waiting[1].end('second');
    assert.equal(await calls[1], 'second');
    await reach(4);
    assert.equal(waiting.length, 4, 'one for the one that ended');
    for (const i of [0, 2, 3]) waiting[i].end();
    await reach(7);
    for (const reply of waiting) reply.end();
    await Promise.all(calls);
  });

  test('-1 is no limit', async (t) => {
    const { client, waiting, reach } = await crowd(t, -1);
    const calls = Array.from({ length: 500 }, (_, i) => client.call(SERVICE, i));
    await reach(500);
    for (const reply of waiting) reply.end();
    await Promise.all(calls);
  });

  test('may be changed while it runs', async (t) => {
    const { worker, client, waiting, reach } = await crowd(t, 1);
    const calls = Array.from({ length: 6 }, (_, i) => client.call(SERVICE, i));
    await reach(1);
    worker.concurrency = 4;
    assert.equal(worker.concurrency, 4);
    await reach(4);
    worker.concurrency = 1;
    for (const reply of waiting.slice(0, 4)) reply.end();
    await reach(5);
    assert.equal(waiting.length, 5);
    waiting[4].end();
    await reach(6);
    waiting[5].end();
    await Promise.all(calls);
  });

  test('changed while it is stopped, it counts from the next start on', async (t) => {
    const { worker, client, waiting, reach } = await crowd(t, 1);
    await worker.stop();
    worker.concurrency = 2;
    await worker.start();
    const calls = [client.call(SERVICE, 1), client.call(SERVICE, 2)];
    await reach(2);
    for (const reply of waiting) reply.end();
    await Promise.all(calls);
  });
});

describe('the third argument of a handler', () => {
  const tellOptions = (data, reply, opts) => reply.end(opts);

  test("is the client's options", async (t) => {
    const { client } = await peersFor(t).trio(tellOptions, { client: { timeout: 4321 } });
    assert.deepEqual(await client.call(SERVICE, 1), { timeout: 4321, attempt: 1 });
    assert.deepEqual(await client.call(SERVICE, 1, { timeout: -1 }), { timeout: -1, attempt: 1 });
    const headers = { traceparent: '00-ab-cd-01', attempt: 2, dry: false, ümläut: '😀' };
    assert.deepEqual(await client.call(SERVICE, 1, { timeout: 5000, headers }), {
      timeout: 5000,
      attempt: 1,
      headers,
    });
  });

  test('has no signal, and headers that are undefined are left out', async (t) => {
    const { client } = await peersFor(t).trio(tellOptions);
    const { signal } = new AbortController();
    assert.deepEqual(await client.call(SERVICE, 1, { signal, timeout: undefined }), {
      timeout: 60000,
      attempt: 1,
    });
    assert.deepEqual(await client.call(SERVICE, 1, { headers: { a: undefined, b: 1 } }), {
      timeout: 60000,
      attempt: 1,
      headers: { b: 1 },
    });
  });

  test('a header named __proto__ is a header', async (t) => {
    const seen = [];
    const { client } = await peersFor(t).trio((data, reply, opts) => {
      seen.push(Object.keys(opts.headers), opts.headers.polluted, {}.polluted);
      reply.end();
    });
    await client.call(SERVICE, 1, { headers: JSON.parse('{"__proto__":"mine"}') });
    assert.deepEqual(seen, [['__proto__'], undefined, undefined]);
  });

  test('is frozen, for requests may share it', async (t) => {
    const { client } = await peersFor(t).trio((data, reply, opts) => {
      reply.end([Object.isFrozen(opts), Object.isFrozen(opts.headers)]);
    });
    assert.deepEqual(await client.call(SERVICE, 1, { headers: { a: 1 } }), [true, true]);
  });
});

describe('a handler that fails', () => {
  class CustomError extends Error {
    name = 'CustomError';
    code = 'E_CUSTOM';
    secret = 'not for the client';
  }
  const value = { message: 'it broke', name: 'CustomError', code: 'E_CUSTOM' };
  const fail = () => {
    throw new CustomError('it broke');
  };
  const HANDLERS = {
    'throws at once': fail,
    'rejects at once': async () => fail(),
    'rejects later': async () => {
      await new Promise(setImmediate);
      fail();
    },
    'rejects after a partial': async (data, reply) => {
      reply.write('part');
      await new Promise(setImmediate);
      fail();
    },
    // biome-ignore lint/suspicious/noThenProperty: what a handler returns may be a promise of any make.
    'returns a thenable that rejects': () => ({ then: (_, reject) => reject(new CustomError('it broke')) }),
  };
  for (const [how, handler] of Object.entries(HANDLERS)) {
    test(`${how}: the client gets message, name and code, and the worker takes the next request`, async (t) => {
      let fails = true;
      const { client } = await peersFor(t).trio((data, reply, opts) =>
        fails ? handler(data, reply, opts) : reply.end('fine'),
      );
      assert.deepEqual((await ask(client, 1)).final, [value]);
      await assert.rejects(client.call(SERVICE, 1), {
        name: 'RemoteError',
        message: 'it broke',
        code: 'E_CUSTOM',
      });
      fails = false;
      assert.equal(await client.call(SERVICE, 1), 'fine');
    });
  }

  test('emits error on the worker when somebody listens', async (t) => {
    const { worker, client } = await peersFor(t).trio(fail);
    const errors = record(worker, ['error']);
    await ask(client, 1);
    assert.equal(errors.length, 1);
    assert.ok(errors[0][1] instanceof CustomError);
    assert.equal(errors[0][1].secret, 'not for the client');
  });

  test('with something that is no Error: the client gets that very value', async (t) => {
    const { client } = await peersFor(t).trio((data) => {
      throw data;
    });
    for (const thrown of ['text', 0, false, null, { my: 'own' }]) {
      assert.deepEqual((await ask(client, thrown)).final, [thrown]);
    }
  });

  test('with something that can not be sent: the client gets why', async (t) => {
    const { client } = await peersFor(t).trio(() => {
      throw { big: 1n };
    });
    const { final } = await ask(client, 1);
    assert.equal(final[0].name, 'TypeError');
    assert.match(final[0].message, /BigInt/);
  });

  test('after the reply has ended changes nothing for the client', async (t) => {
    const { worker, client } = await peersFor(t).trio((data, reply) => {
      reply.end('done');
      fail();
    });
    const errors = record(worker, ['error']);
    assert.deepEqual((await ask(client, 1)).final, [null, 'done']);
    assert.equal(await client.call(SERVICE, 1), 'done');
    assert.equal(errors.length, 2);
  });
});

describe('request listeners', () => {
  test('without any, the client gets an error value', async (t) => {
    const { client } = await peersFor(t).trio(null);
    const { final } = await ask(client, 1);
    assert.equal(final[0].code, 'W_NO_HANDLER');
  });

  test('an async one that ends its reply is done', async (t) => {
    const { client } = await peersFor(t).trio(async (data, reply) => {
      reply.write(await Promise.resolve('part'));
      reply.end(await Promise.resolve('final'));
    });
    assert.deepEqual(await ask(client, 1), { partials: [[null, 'part']], final: [null, 'final'] });
  });

  test('several are all called, each with the same reply', async (t) => {
    const seen = [];
    const { worker, client } = await peersFor(t).trio((data, reply) => seen.push(['first', data, reply]));
    worker.on('request', (data, reply) => {
      seen.push(['second', data, reply]);
      reply.end();
    });
    await client.call(SERVICE, 'x');
    assert.deepEqual(
      seen.map(([who, data]) => [who, data]),
      [
        ['first', 'x'],
        ['second', 'x'],
      ],
    );
    assert.equal(seen[0][2], seen[1][2]);
  });

  test('once() takes one request', async (t) => {
    const peers = peersFor(t);
    const worker = peers.worker();
    worker.once('request', (data, reply) => reply.end('once'));
    const client = peers.client();
    await start(peers.broker(), worker, client);
    assert.equal(await client.call(SERVICE, 1), 'once');
    await assert.rejects(client.call(SERVICE, 1), { code: 'W_NO_HANDLER' });
  });

  test('are called with the worker as this', async (t) => {
    const { worker, client } = await peersFor(t).trio(function (data, reply) {
      reply.end(this.name);
    });
    assert.equal(await client.call(SERVICE, 1), worker.name);
  });
});

describe('stop() of a worker', () => {
  test('lets the running request end, and takes no other', async (t) => {
    const running = deferred();
    const peers = peersFor(t);
    const { worker, client } = await peers.trio((data, reply) => running.resolve(reply));
    const [first, second] = [client.call(SERVICE, 1), client.call(SERVICE, 2)];
    const reply = await running.promise;
    const log = record(worker, ['stop']);
    const stopping = worker.stop();
    const other = peers.worker((data, answer) => answer.end(`other ${data}`));
    await other.start();
    assert.equal(await second, 'other 2');
    assert.deepEqual(log, []);
    assert.equal(reply.active(), true);
    reply.end('late, but whole');
    assert.equal(await first, 'late, but whole');
    await stopping;
    assert.deepEqual(log, ['stop']);
  });

  test('requests that it had not begun go to another worker', async (t) => {
    const peers = peersFor(t);
    const arrived = deferred();
    const { worker, client } = await peers.trio((data, reply) => arrived.resolve(reply));
    const calls = [1, 2, 3].map((data) => client.call(SERVICE, data));
    const reply = await arrived.promise;
    const stopped = worker.stop();
    await peers.worker((data, answer) => answer.end(`other ${data}`)).start();
    reply.end('mine');
    await stopped;
    assert.deepEqual(await Promise.all(calls), ['mine', 'other 2', 'other 3']);
  });

  test('with a timeout: what still runs is cancelled, and its client told', async (t) => {
    const running = deferred();
    const { worker, client } = await peersFor(t).trio((data, reply) => running.resolve(reply));
    const asked = ask(client, 1);
    const reply = await running.promise;
    const { signal } = reply;
    await worker.stop({ timeout: 10 });
    assert.equal(reply.active(), false);
    assert.equal(signal.aborted, true);
    assert.equal(signal.reason.code, 'W_LOST');
    assert.deepEqual((await asked).final, ['W_LOST']);
    reply.write('into the void');
    reply.end('into the void');
  });

  test('a second call can be less patient than the first', async (t) => {
    const running = deferred();
    const { worker, client } = await peersFor(t).trio((data, reply) => running.resolve(reply));
    const asked = ask(client, 1);
    await running.promise;
    await Promise.all([worker.stop(), worker.stop({ timeout: 0 })]);
    assert.deepEqual((await asked).final, ['W_LOST']);
  });

  test('while it looks for a broker ends the search', async (t) => {
    const peers = peersFor(t);
    const { broker, worker, client } = await peers.trio(echo, { worker: { reconnect: 60_000 } });
    await client.call(SERVICE, 'so that the worker has its broker');
    const lost = once(worker, 'disconnect');
    await broker.stop();
    await lost;
    const log = record(worker);
    await worker.stop();
    await broker.start();
    const ready = record(broker, ['workerReady']);
    const other = peers.worker(echo, { name: 'other' });
    const seen = once(broker, 'workerReady');
    await other.start();
    await seen;
    assert.deepEqual(ready, [['workerReady', { worker: 'other', service: SERVICE }]]);
    assert.deepEqual(log, ['stop']);
  });
});

test('a service may have any name that is text', async (t) => {
  const peers = peersFor(t);
  const { client } = await peers.trio();
  const names = [
    'constructor',
    '__proto__',
    'hasOwnProperty',
    'toString',
    'dienst-ü',
    '服务',
    '😀',
    ' ',
    '0',
    'x'.repeat(65_535),
  ];
  for (const service of names) {
    const worker = peers.worker((data, reply) => reply.end(worker.service === service), { service });
    await worker.start();
    assert.equal(await client.call(service, 1), true, service);
  }
});
