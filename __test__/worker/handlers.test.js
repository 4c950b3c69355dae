'use strict';
// Listeners of request events: what they are called with, and what becomes of those that fail.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { record } = require('../support/events');
const { SERVICE, ask, peersFor, start } = require('../support/peers');

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
