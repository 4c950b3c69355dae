'use strict';
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { TRANSPORTS } = require('./support/endpoints');
const { deferred, record } = require('./support/events');
const { SERVICE, ask, echo, peersFor, start } = require('./support/peers');

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
      const asked = [ask(client, 'first'), ask(client, 'second')];
      let handled = 0;
      await new Promise((resolve) => {
        worker.on('request', () => {
          handled += 1;
          if (handled === 2) resolve();
        });
      });
      await broker.stop();
      const [first] = await Promise.all(asked);
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

describe('callbacks of request()', () => {
  const twoPartials = (data, reply) => {
    reply.write('one');
    reply.write('two');
    reply.end('three');
  };
  const calls = async (t, makePartialCb) => {
    const { client } = await peersFor(t).trio(twoPartials);
    const log = [];
    await new Promise((resolve) => {
      client.request(SERVICE, 1, makePartialCb(log), (...args) => {
        log.push(['final', ...args]);
        resolve();
      });
    });
    return log;
  };

  test('a partial callback with two parameters gets (null, data)', async (t) => {
    const log = await calls(t, (to) => (err, data) => to.push([err, data]));
    assert.deepEqual(log, [
      [null, 'one'],
      [null, 'two'],
      ['final', null, 'three'],
    ]);
  });

  test('one with exactly one parameter gets the data alone', async (t) => {
    const log = await calls(t, (to) => (data) => to.push(data));
    assert.deepEqual(log, ['one', 'two', ['final', null, 'three']]);
  });

  test('one with none, or with rest parameters, gets (null, data)', async (t) => {
    const log = await calls(
      t,
      (to) =>
        (...args) =>
          to.push(args),
    );
    assert.deepEqual(log, [
      [null, 'one'],
      [null, 'two'],
      ['final', null, 'three'],
    ]);
  });

  test('each may be left out, as undefined or null', async (t) => {
    const { client } = await peersFor(t).trio(twoPartials);
    for (const nothing of [undefined, null]) {
      await once(client.request(SERVICE, 1, nothing, nothing), 'end');
      await new Promise((resolve) => client.request(SERVICE, 1, nothing, resolve));
    }
    await once(client.request(SERVICE, 1), 'end');
  });

  test('one that throws is an uncaught exception, and keeps nobody else from their replies', async (t) => {
    const { client } = await peersFor(t).trio(twoPartials, { worker: { concurrency: -1 } });
    const thrown = [];
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    t.after(() => {
      process.removeAllListeners('uncaughtException');
      for (const listener of others) process.on('uncaughtException', listener);
    });
    const allCame = new Promise((resolve) => {
      process.on('uncaughtException', (error) => {
        if (thrown.push(error.message) === 30) resolve();
      });
    });
    const finals = await Promise.all(
      numbers(10).map(
        (i) =>
          new Promise((resolve) => {
            const fail = () => {
              throw new Error(`partial ${i}`);
            };
            client.request(SERVICE, i, fail, (err, data) => {
              resolve(data);
              throw new Error(`final ${i}`);
            });
          }),
      ),
    );
    await allCame;
    assert.deepEqual(finals, Array(10).fill('three'));
    assert.equal(thrown.filter((message) => message.startsWith('final')).length, 10);
  });
});

describe('the final callback is called exactly once:', () => {
  /** Each makes a request end in its way; gives what the final callback was called with. */
  const ENDS = {
    'end(data)': { handler: (data, reply) => reply.end('done'), expected: [null, 'done'] },
    'end()': { handler: (data, reply) => reply.end(), expected: [null, null] },
    'end() twice': {
      handler: (data, reply) => {
        reply.end('once');
        reply.end('twice');
      },
      expected: [null, 'once'],
    },
    'error(value)': { handler: (data, reply) => reply.error('no'), expected: ['no'] },
    'error() after end()': {
      handler: (data, reply) => {
        reply.end('done');
        reply.error('no');
      },
      expected: [null, 'done'],
    },
    'a handler that throws': {
      handler: () => {
        throw new TypeError('oops');
      },
      expected: [{ message: 'oops', name: 'TypeError' }],
    },
    'a handler that throws after its end': {
      handler: (data, reply) => {
        reply.end('done');
        throw new TypeError('oops');
      },
      expected: [null, 'done'],
    },
    'no handler': {
      handler: null,
      expected: [
        {
          message: 'no request listener: the worker has no handler for its requests',
          name: 'Error',
          code: 'W_NO_HANDLER',
        },
      ],
    },
    'a timeout in the queue': { service: 'nobody', opts: { timeout: 20 }, expected: ['C_TIMEOUT'] },
    'a timeout in the worker': { handler: () => {}, opts: { timeout: 20 }, expected: ['C_TIMEOUT'] },
    'a reply that comes after the timeout': {
      handler: (data, reply) => reply.signal.addEventListener('abort', () => reply.end('late')),
      opts: { timeout: 20 },
      expected: ['C_TIMEOUT'],
    },
    'a signal that aborts': {
      handler: () => {},
      act: ({ controller }) => controller.abort(),
      expected: ['C_ABORTED'],
    },
    'a signal that aborts twice as the stream is destroyed': {
      handler: () => {},
      act: ({ controller, stream }) => {
        stream.destroy();
        controller.abort();
        controller.abort();
      },
      expected: ['C_ABORTED'],
    },
    'a stream that is destroyed': {
      handler: () => {},
      act: ({ stream }) => stream.destroy(),
      expected: ['C_ABORTED'],
    },
    'a stream that is destroyed with an error': {
      handler: () => {},
      act: ({ stream }) => stream.destroy(new Error('mine')),
      expected: ['C_ABORTED'],
    },
    'stop() of the client': {
      handler: () => {},
      act: ({ client }) => client.stop(),
      expected: ['C_STOPPED'],
    },
    'stop() of the worker': {
      handler: () => {},
      act: ({ worker }) => worker.stop({ timeout: 0 }),
      expected: ['W_LOST'],
    },
    'stop() of the broker': { handler: () => {}, act: ({ broker }) => broker.stop(), expected: ['B_LOST'] },
    'all of them stopped at once': {
      handler: () => {},
      act: ({ broker, worker, client }) =>
        Promise.all([broker.stop(), worker.stop({ timeout: 0 }), client.stop()]),
      expected: ['C_STOPPED'],
    },
  };
  for (const [how, { handler, service = SERVICE, opts, act, expected }] of Object.entries(ENDS)) {
    test(how, async (t) => {
      const running = deferred();
      const peers = await peersFor(t).trio(
        handler &&
          ((data, reply, options) => {
            running.resolve();
            return handler(data, reply, options);
          }),
      );
      const { client } = peers;
      const controller = new AbortController();
      const finals = [];
      const ended = deferred();
      const onFinal = (...args) => {
        finals.push(args);
        ended.resolve();
      };
      const stream = client.request(service, 1, null, onFinal, { signal: controller.signal, ...opts });
      if (act !== undefined) await running.promise;
      await act?.({ ...peers, controller, stream });
      await ended.promise;
      // Whatever might still call it would be through by then: another request, and the ends of all peers.
      if (expected[0] === null) await ask(client, 2);
      await Promise.all([client.stop(), peers.worker.stop({ timeout: 0 }), peers.broker.stop()]);
      await new Promise(setImmediate);
      assert.deepEqual(finals, [expected]);
    });
  }

  const EARLY = {
    'a signal that was aborted before': [{ signal: AbortSignal.abort() }, 'C_ABORTED'],
    'a timeout before start()': [{ timeout: 20 }, 'C_TIMEOUT'],
  };
  for (const [how, [opts, code]] of Object.entries(EARLY)) {
    test(how, async (t) => {
      const client = peersFor(t).client();
      const finals = [];
      const ended = deferred();
      client.request(
        SERVICE,
        1,
        null,
        (...args) => {
          finals.push(args);
          ended.resolve();
        },
        opts,
      );
      assert.deepEqual(finals, [], 'never before request() has returned');
      const starting = code === 'C_TIMEOUT' ? client.start() : undefined;
      await ended.promise;
      await starting;
      await client.stop();
      assert.deepEqual(finals, [[code]]);
    });
  }

  test('a request that is made after stop()', async (t) => {
    const client = peersFor(t).client();
    await client.start();
    await client.stop();
    assert.deepEqual((await ask(client, 1)).final, ['C_STOPPED']);
  });
});

describe('call()', () => {
  test('gives the data of the final; partials are passed over', async (t) => {
    const { client } = await peersFor(t).trio((data, reply) => {
      reply.write('part');
      reply.end({ data });
    });
    assert.deepEqual(await client.call(SERVICE, 7), { data: 7 });
    assert.deepEqual(await client.call(SERVICE), { data: null });
  });

  test('rejects with an OmdpError for a code of ours', async (t) => {
    const { OmdpError } = require('..');
    const client = peersFor(t).client();
    const rejects = assert.rejects(client.call(SERVICE, 1), (error) => {
      assert.ok(error instanceof OmdpError && error instanceof Error);
      assert.equal(error.name, 'OmdpError');
      assert.equal(error.code, 'C_STOPPED');
      assert.ok(error.message.length > 10);
      return true;
    });
    await client.start();
    await client.stop();
    await rejects;
  });

  test("rejects with a RemoteError for the worker's error value", async (t) => {
    const { RemoteError } = require('..');
    const { client } = await peersFor(t).trio((data, reply) => reply.error(data));
    const VALUES = [
      ['E_TEXT', 'E_TEXT', undefined],
      [{ message: 'words', code: 'E_CODE', more: [1] }, 'words', 'E_CODE'],
      [{ code: 42 }, undefined, undefined],
      [0, undefined, undefined],
      [null, undefined, undefined],
    ];
    for (const [value, message, code] of VALUES) {
      await assert.rejects(client.call(SERVICE, value), (error) => {
        assert.ok(error instanceof RemoteError && error instanceof Error);
        assert.deepEqual(error.value, value);
        if (message !== undefined) assert.equal(error.message, message);
        assert.equal(error.code, code);
        return true;
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

test('two clients of one name: the later one gets its replies', async (t) => {
  for (const transport of ['tcp', 'ipc']) {
    const peers = peersFor(t, transport);
    await peers.trio();
    const first = peers.client({ name: 'same' });
    const connected = once(first, 'connect');
    await first.start();
    await connected;
    const second = peers.client({ name: 'same' });
    await second.start();
    assert.equal(await second.call(SERVICE, 'mine'), 'mine');
  }
});
