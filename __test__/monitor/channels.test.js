'use strict';
// The channels of diagnostics_channel: what they tell of requests and of their handling.
const assert = require('node:assert/strict');
const { AsyncLocalStorage } = require('node:async_hooks');
const { channel, subscribe, tracingChannel, unsubscribe } = require('node:diagnostics_channel');
const { Readable } = require('node:stream');
const { test } = require('node:test');
const { SERVICE, ask, peersFor } = require('../support/peers');
const { until } = require('../support/events');

const NAMES = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];

/** Writes down what is published, with what was known then. */
function listen(t, name) {
  const log = [];
  const messages = [];
  const subscribers = {};
  for (const event of NAMES) {
    subscribers[event] = (message) => {
      log.push(event);
      if (!messages.includes(message)) messages.push(message);
    };
  }
  tracingChannel(name).subscribe(subscribers);
  t.after(() => tracingChannel(name).unsubscribe(subscribers));
  return { log, messages };
}

test('a request and its handling', async (t) => {
  const peers = peersFor(t);
  const { client } = await peers.trio(
    (data, reply) => {
      reply.write('p1');
      reply.write('p2');
      reply.end(data);
    },
    { client: { name: 'C1' }, worker: { name: 'W1' } },
  );
  const requests = listen(t, 'zmq-omdp.request');
  const handlings = listen(t, 'zmq-omdp.handle');
  const parts = [];
  const onPart = (message) => parts.push(message.partials);
  subscribe('zmq-omdp.request:partial', onPart);
  t.after(() => unsubscribe('zmq-omdp.request:partial', onPart));

  const { final } = await ask(client, 'data', { retry: 2, headers: { a: 1 } });
  assert.deepEqual(final, [null, 'data']);
  assert.deepEqual(requests.log, ['start', 'end', 'asyncStart', 'asyncEnd']);
  // It replied before it returned.
  assert.deepEqual(handlings.log, ['start', 'asyncStart', 'asyncEnd', 'end']);
  assert.deepEqual(parts, [1, 2]);

  const [{ startTime, duration, ...request }] = requests.messages;
  assert.ok(startTime > 0 && duration > 0);
  assert.deepEqual(request, {
    service: SERVICE,
    client: 'C1',
    broker: peers.endpoint,
    size: 6,
    timeout: 60000,
    deadline: undefined,
    retry: 2,
    failFast: false,
    headers: { a: 1 },
    worker: undefined,
    partials: 2,
    replySize: 14,
    rid: '1',
    attempt: 1,
  });
  const [{ startTime: began, duration: took, ...handling }] = handlings.messages;
  assert.ok(began > startTime && took > 0 && took < duration);
  assert.deepEqual(handling, {
    service: SERVICE,
    worker: 'W1',
    rid: '1',
    delivery: handling.delivery,
    attempt: 1,
    headers: { a: 1 },
    timeout: 60000,
    user: undefined,
    size: 6,
    partials: 2,
    replySize: 14,
  });
});

test('each request has its own headers, whatever a subscriber has added to those of others', async (t) => {
  const { client } = await peersFor(t).trio((_data, reply, opts) => {
    const { headers, ...rest } = opts;
    reply.end([{ ...headers }, rest]);
  });
  let n = 0;
  const subscribers = {
    start({ headers }) {
      n += 1;
      if (n !== 3) headers[`h${n}`] = `"${n}"`;
    },
  };
  tracingChannel('zmq-omdp.request').subscribe(subscribers);
  t.after(() => tracingChannel('zmq-omdp.request').unsubscribe(subscribers));
  const terms = { timeout: 60000, attempt: 1 };
  const replies = [];
  for (const opts of [
    undefined,
    undefined,
    undefined,
    { headers: { mine: 1 } },
    { headers: {} },
    { timeout: 5000 },
  ])
    replies.push(await client.call(SERVICE, 1, opts));
  assert.deepEqual(replies, [
    [{ h1: '"1"' }, terms],
    [{ h2: '"2"' }, terms],
    [{}, terms],
    [{ mine: 1, h4: '"4"' }, terms],
    [{ h5: '"5"' }, terms],
    [{ h6: '"6"' }, { ...terms, timeout: 5000 }],
  ]);
});

test('errors, with their codes', async (t) => {
  const { client } = await peersFor(t).trio((data, reply) => {
    if (data === 'throw') throw Object.assign(new Error('thrown'), { code: 'E_MINE' });
    if (data !== 'hang') reply.error('value');
  });
  const requests = listen(t, 'zmq-omdp.request');
  const handlings = listen(t, 'zmq-omdp.handle');
  const failed = ['start', 'end', 'error', 'asyncStart', 'asyncEnd'];
  for (const [data, code, service, opts] of [
    ['throw', 'E_MINE'],
    ['value', undefined],
    ['x', 'W_NONE', 'none', { failFast: true }],
    ['hang', 'C_TIMEOUT', SERVICE, { timeout: 20 }],
  ]) {
    requests.log.length = 0;
    await client.call(service ?? SERVICE, data, opts).catch(() => {});
    assert.deepEqual(requests.log, failed, data);
    const message = requests.messages.at(-1);
    assert.equal(message.code, code);
    assert.ok(message.error instanceof Error);
  }
  assert.deepEqual(
    handlings.messages.map(({ code, error }) => [code, error?.message]),
    [
      ['E_MINE', 'thrown'],
      [undefined, 'value'],
      [undefined, undefined],
    ],
  );
});

test('a handling has the id that the client has for its request', async (t) => {
  let n = 0;
  const { client } = await peersFor(t).trio((_data, reply) => {
    n += 1;
    if (n === 1) reply.error('not yet');
    else reply.end(n);
  });
  const handlings = listen(t, 'zmq-omdp.handle');
  await client.call(SERVICE, 1, { retry: { attempts: 2, on: ['error'], delay: 1 } });
  await client.call(SERVICE, 2);
  for await (const _answer of client.callAll(SERVICE, 3));
  const stream = client.requestStream(SERVICE, 4);
  await stream.toArray();
  const rids = handlings.messages.map(({ rid }) => rid);
  assert.deepEqual(rids, ['1', '1', '2', '3', stream.rid]);
  assert.equal(handlings.messages[0].error.rid, '1');
});

test('the error of a handler is the one that it threw, and streams have their size', async (t) => {
  const thrown = new RangeError('mine');
  const { client } = await peersFor(t).trio(async (data) => {
    if (typeof data === 'string') throw thrown;
    for await (const _part of data);
    throw thrown;
  });
  const requests = listen(t, 'zmq-omdp.request');
  const handlings = listen(t, 'zmq-omdp.handle');
  await client.call(SERVICE, 'x').catch(() => {});
  await client.call(SERVICE, Readable.from([Buffer.alloc(10), Buffer.alloc(20)])).catch(() => {});
  assert.deepEqual(
    handlings.messages.map(({ error }) => error),
    [thrown, thrown],
  );
  assert.ok(requests.messages.every(({ error }) => error.name === 'RemoteError'));
  assert.deepEqual(
    [requests, handlings].map(({ messages }) => messages[1].size),
    [30, 30],
  );
});

test('the further attempts of a retry policy, in the context of the caller', async (t) => {
  const attempts = [];
  const storage = new AsyncLocalStorage();
  const { client } = await peersFor(t).trio((_data, reply, { attempt }) => {
    if (attempt < 3) reply.error('not yet');
    else reply.end(attempt);
  });
  const requests = listen(t, 'zmq-omdp.request');
  const onRetry = ({ attempt }) => attempts.push([attempt, storage.getStore()]);
  subscribe('zmq-omdp.request:retry', onRetry);
  t.after(() => unsubscribe('zmq-omdp.request:retry', onRetry));
  const retry = { attempts: 3, on: ['error'], delay: 1 };
  assert.equal(await storage.run('ann', () => client.call(SERVICE, 1, { retry })), 3);
  assert.deepEqual(attempts, [
    [2, 'ann'],
    [3, 'ann'],
  ]);
  assert.deepEqual(requests.log, ['start', 'end', 'asyncStart', 'asyncEnd']);
  assert.equal(requests.messages[0].attempt, 3);
  assert.equal((await client.stats()).counters.retried, 2);
});

test('the channels of parts and of further attempts need no other subscriber', async (t) => {
  const { client } = await peersFor(t).trio((_data, reply, { attempt }) => {
    if (attempt < 2) return reply.error('not yet');
    reply.write('part');
    return reply.end();
  });
  for (const [name, told] of [
    ['zmq-omdp.request:partial', [1]],
    ['zmq-omdp.request:retry', [0]],
  ]) {
    const messages = [];
    const onMessage = ({ partials }) => messages.push(partials);
    subscribe(name, onMessage);
    await client.call(SERVICE, 1, { retry: { attempts: 2, on: ['error'], delay: 1 } });
    unsubscribe(name, onMessage);
    assert.deepEqual(messages, told, name);
  }
});

test('a handling whose client has gone ends with why', async (t) => {
  let hanging;
  const { client } = await peersFor(t).trio((_data, reply) => {
    hanging = reply;
  });
  const handlings = listen(t, 'zmq-omdp.handle');
  const stream = client.requestStream(SERVICE, 1);
  await until(() => hanging);
  stream.destroy();
  await until(() => !hanging.active());
  hanging.end();
  assert.deepEqual(handlings.log, ['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
  assert.equal(handlings.messages[0].code, 'C_ABORTED');
});

test('a handling whose worker has ended it ends with why', async (t) => {
  const { client } = await peersFor(t).trio(() => {}, { worker: { maxRunning: 20 } });
  const handlings = listen(t, 'zmq-omdp.handle');
  await client.call(SERVICE, 1).catch(() => {});
  assert.deepEqual(handlings.log, ['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
  const [{ cancelled, code, error }] = handlings.messages;
  assert.deepEqual([cancelled, code, error.code], ['W_TIMEOUT', 'W_TIMEOUT', 'W_TIMEOUT']);
});

test('a handling that rejects its request tells so, and the request that all have', async (t) => {
  const { client } = await peersFor(t).trio((_data, reply) => reply.reject());
  const requests = listen(t, 'zmq-omdp.request');
  const handlings = listen(t, 'zmq-omdp.handle');
  await client.call(SERVICE, 1, { failFast: true }).catch(() => {});
  const errors = [handlings, requests].map(({ messages: [{ code, error }] }) => [code, error.message]);
  assert.deepEqual(errors, [
    ['W_REJECTED', 'the handler rejected the request'],
    ['W_REJECTED', 'every worker of the service rejected the request'],
  ]);
});

test('subscribers add headers, wrap the handler, and bind stores', async (t) => {
  const stored = new AsyncLocalStorage();
  const bound = new AsyncLocalStorage();
  const { client } = await peersFor(t).trio((_data, reply, { headers }) => {
    reply.end([headers.added, stored.getStore(), bound.getStore()]);
  });
  const addHeader = ({ headers }) => {
    headers.added = 'yes';
  };
  const wrap = (message) => {
    message.run = (handle) => stored.run(`handles ${message.service}`, handle);
  };
  subscribe('tracing:zmq-omdp.request:start', addHeader);
  const start = channel('tracing:zmq-omdp.handle:start');
  start.subscribe(wrap);
  start.bindStore(bound, ({ attempt }) => attempt);
  t.after(() => {
    unsubscribe('tracing:zmq-omdp.request:start', addHeader);
    start.unsubscribe(wrap);
    start.unbindStore(bound);
  });
  assert.deepEqual(await client.call(SERVICE), ['yes', `handles ${SERVICE}`, 1]);
});
