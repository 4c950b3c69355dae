'use strict';
// Every way in which a request ends, and that its final callback hears of one end.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { deferred } = require('../support/events');
const { SERVICE, ask, peersFor } = require('../support/peers');

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
    'stop() of the broker that discards': {
      handler: () => {},
      act: ({ broker }) => broker.stop({ discard: true }),
      expected: ['B_LOST'],
    },
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
