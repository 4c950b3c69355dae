'use strict';
// The API of PIGATO, as its users call it.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Broker, Client, Worker, services } = require('zmq-omdp/pigato');
const { Client: Plain } = require('../..');
const { freshEndpoint } = require('../support/endpoints');
const { rawDealer } = require('../support/raw');

/** Peers that are stopped when the test ends. */
async function cast(t, { conf, transport = 'inproc' } = {}) {
  const endpoint = freshEndpoint(transport);
  const made = [];
  const keep = (peer) => {
    made.push(peer);
    return peer;
  };
  const broker = new Broker(endpoint, conf);
  t.after(async () => {
    for (const peer of made) peer.stop();
    const stopped = once(broker, 'stop');
    broker.stop();
    await stopped;
  });
  const started = once(broker, 'start');
  broker.start();
  await started;
  return {
    broker,
    endpoint,
    worker: (service, handler, conf) => {
      const worker = keep(new Worker(endpoint, service, conf));
      if (handler) worker.on('request', handler);
      worker.start();
      return worker;
    },
    client: (conf) => {
      const client = keep(new Client(endpoint, conf));
      client.start();
      return client;
    },
    directory: (conf) => keep(new services.Directory(endpoint, conf)),
  };
}

const ask = (client, service, data, opts) => {
  const parts = [];
  return new Promise((resolve) => {
    const returned = client.request(
      service,
      data,
      (...args) => parts.push(args),
      (...final) => resolve({ parts, final }),
      opts,
    );
    assert.equal(returned, undefined);
  });
};

describe('a client', () => {
  test('has the defaults of PIGATO', (t) => {
    const client = new Client('inproc://nowhere', { timeout: 5, own: 1 });
    const { autostart, heartbeat, reconnect, retry, timeout, own, prefix } = client.conf;
    assert.deepEqual([autostart, heartbeat, reconnect, retry, timeout, own], [false, 2500, 1000, 0, 5, 1]);
    assert.match(prefix, /^C[0-9a-f-]{36}$/);
    assert.equal(client.socketId, undefined);
    client.start();
    t.after(() => client.stop());
    const { socketId } = client;
    assert.ok(socketId.startsWith(`${prefix}-`));
    client.start();
    assert.ok(client.socketId.startsWith(`${prefix}-`));
    assert.notEqual(client.socketId, socketId);
  });

  test('gets 0 and the data, or the error value and null', async (t) => {
    const peers = await cast(t);
    peers.worker('s', (data, reply) => {
      if (data === 'no') return reply.error({ no: 1 });
      reply.write('part');
      return reply.end(data);
    });
    const client = peers.client();
    assert.deepEqual(await ask(client, 's', 7), { parts: [[null, 'part']], final: [0, 7] });
    assert.deepEqual(await ask(client, 's', 'no'), { parts: [], final: [{ no: 1 }, null] });
    assert.deepEqual((await ask(client, 'nobody', 1, { timeout: 20 })).final, ['C_TIMEOUT', null]);
  });

  test('gets a stream with three arguments', async (t) => {
    const peers = await cast(t);
    peers.worker('s', (data, reply) => {
      reply.write(1);
      if (data === 'no') reply.error('no');
      else reply.end(2);
    });
    const client = peers.client();
    assert.deepEqual(await client.request('s', 'x').toArray(), [1, 2]);
    assert.deepEqual(await client.request('s', 'x', { timeout: 1000 }).toArray(), [1, 2]);
    const stream = client.request('s', 'no');
    stream.resume();
    const error = await new Promise((resolve) => stream.on('error', resolve));
    assert.equal(error, 'no');
  });

  test('reads its conf whenever it makes a request', async (t) => {
    const peers = await cast(t);
    const client = peers.client();
    client.conf.timeout = 20;
    assert.deepEqual((await ask(client, 'nobody', 1)).final, ['C_TIMEOUT', null]);
  });

  test('says connect and disconnect by events and hooks', async (t) => {
    const peers = await cast(t);
    const said = [];
    const client = new Client(peers.endpoint, {
      autostart: true,
      onConnect: () => said.push('onConnect'),
      onDisconnect: () => said.push('onDisconnect'),
    });
    for (const event of ['connect', 'disconnect', 'stop']) client.on(event, () => said.push(event));
    await once(client, 'connect');
    client.stop();
    assert.deepEqual(said, ['connect', 'onConnect', 'disconnect', 'onDisconnect', 'stop']);
    client.stop();
    assert.equal(said.length, 5);
  });
});

describe('a worker', () => {
  test('gets the options of the client, whatever they are', async (t) => {
    const peers = await cast(t);
    peers.worker('s', (_data, reply, opts) => reply.end(opts));
    const client = peers.client();
    const { final } = await ask(client, 's', 1, { own: [1], retry: 1 });
    const { own, retry, timeout } = final[1];
    assert.deepEqual([own, retry, timeout], [[1], 1, 60_000]);
  });

  test('handles as many requests as its conf says at that time', async (t) => {
    const peers = await cast(t);
    const replies = [];
    const worker = peers.worker('s', (data, reply) => replies.push([data, reply]), { concurrency: 1 });
    assert.deepEqual(worker.conf.concurrency, 1);
    const client = peers.client();
    const all = [ask(client, 's', 1), ask(client, 's', 2)];
    await once(worker, 'request');
    const second = once(worker, 'request');
    worker.conf.concurrency = 2;
    await second;
    assert.deepEqual(
      replies.map(([data]) => data),
      [1, 2],
    );
    for (const [, reply] of replies) reply.end();
    await Promise.all(all);
  });

  test('gets nothing while its concurrency is 0, and reads it as the broker of PIGATO does', async (t) => {
    const peers = await cast(t);
    const worker = peers.worker('s', (data, reply) => reply.end(data), { concurrency: 0 });
    const client = peers.client();
    for (const [off, on] of [
      [0, 1],
      [null, '5'],
      [-2, 1.5],
      [Number.NaN, -1],
    ]) {
      worker.conf.concurrency = off;
      assert.deepEqual((await ask(client, 's', 1, { timeout: 50 })).final, ['C_TIMEOUT', null]);
      const waiting = ask(client, 's', 2);
      worker.conf.concurrency = on;
      assert.deepEqual((await waiting).final, [0, 2]);
    }
  });

  test('that stops loses what runs, or another one gets it', async (t) => {
    const peers = await cast(t);
    const worker = peers.worker('s', () => {});
    const client = peers.client();
    const lost = ask(client, 's', 1);
    await once(worker, 'request');
    worker.stop();
    assert.deepEqual((await lost).final, ['W_LOST', null]);
    worker.start();
    const again = ask(client, 's', 1, { retry: 1 });
    await once(worker, 'request');
    worker.stop();
    peers.worker('s', (_data, reply) => reply.end('other'));
    assert.deepEqual((await again).final, [0, 'other']);
  });

  test('may have async handlers, whose errors the client gets', async (t) => {
    const peers = await cast(t);
    peers.worker('s', async () => {
      throw new TypeError('bad');
    });
    const { final } = await ask(peers.client(), 's', 1);
    assert.deepEqual([final[0].name, final[0].message], ['TypeError', 'bad']);
  });

  test('without a handler answers with a code', async (t) => {
    const peers = await cast(t);
    peers.worker('s');
    assert.deepEqual((await ask(peers.client(), 's', 1)).final, ['W_NO_HANDLER', null]);
  });
});

test('any timeout is accepted, as PIGATO does, and the handler gets what was given', async (t) => {
  const peers = await cast(t);
  peers.worker('s', (_data, reply, { timeout }) => reply.end(timeout));
  const client = peers.client({ heartbeat: 60 });
  for (const timeout of ['60000', -5, 1e12, 5e4 + 0.5, { no: 1 }]) {
    assert.deepEqual((await ask(client, 's', 1, { timeout })).final, [0, timeout]);
  }
  // PIGATO looks at its timeouts with each heartbeat.
  assert.deepEqual((await ask(client, 'nobody', 1, { timeout: 0 })).final, ['C_TIMEOUT', null]);
});

test('a key and a priority choose as in the main API, and other values are the handler’s', async (t) => {
  const peers = await cast(t);
  for (const name of ['one', 'two']) {
    peers.worker('s', (_data, reply, opts) => reply.end([name, opts.key, opts.worker]), { concurrency: 1 });
  }
  const client = peers.client();
  while ((await ask(client, '$dir', 's')).final[1].length < 2);
  const named = async (opts) => (await ask(client, 's', 1, opts)).final[1];
  const names = async (opts) => {
    const all = [];
    for (let i = 0; i < 4; i += 1) all.push((await named(opts))[0]);
    return new Set(all).size;
  };
  assert.equal(await names({ key: 'customer-17' }), 1);
  assert.deepEqual((await named({ key: { own: 1 } })).slice(1), [{ own: 1 }, null]);
  assert.deepEqual((await named({ worker: 'missing', key: 'a' })).slice(1), ['a', 'missing']);
  const order = [];
  let release;
  peers.worker(
    'queue',
    (data, reply) => {
      order.push(data);
      if (data === 'first') release = () => reply.end();
      else reply.end();
    },
    { concurrency: 1 },
  );
  const first = ask(client, 'queue', 'first');
  while (release === undefined) await new Promise(setImmediate);
  const rest = [ask(client, 'queue', 'later'), ask(client, 'queue', 'urgent', { priority: 9 })];
  // The broker has both when it answers what was asked after them.
  await ask(client, '$dir', 's');
  release();
  await Promise.all([first, ...rest]);
  assert.deepEqual(order, ['first', 'urgent', 'later']);
});

test('protocol: pigato is for a broker of PIGATO itself', async (t) => {
  const peers = await cast(t, { transport: 'tcp' });
  peers.worker('s', (data, reply, { own }) => reply.write('part') && reply.end([data, own]), {
    protocol: 'pigato',
  });
  const client = peers.client({ protocol: 'pigato' });
  assert.deepEqual(await ask(client, 's', 1, { own: 2 }), { parts: [[null, 'part']], final: [0, [1, 2]] });
  const { dialects } = (await ask(client, 'mmi.stats')).final[1];
  assert.deepEqual([dialects.pigato.workers, dialects.omdp.workers, dialects.omdp.clients], [1, 0, 0]);
});

test('the main API and this one share a broker', async (t) => {
  const peers = await cast(t);
  peers.worker('s', (data, reply) => reply.end([data]));
  const plain = new Plain(peers.endpoint);
  t.after(() => plain.stop());
  await plain.start();
  assert.deepEqual(await plain.call('s', 1), [1]);
  // No worker of its own is among the services.
  assert.deepEqual(Object.keys(await plain.call('$dir')), ['s']);
});

test('a broker calls its hooks, and says why it cannot start', async (t) => {
  const peers = await cast(t, { transport: 'tcp' });
  const other = new Broker(peers.endpoint, { onStart: () => assert.fail('it is taken') });
  const failed = once(other, 'error');
  other.start();
  assert.equal((await failed)[0].code, 'EADDRINUSE');
  let calls = 0;
  other.conf.onStop = () => {
    calls += 1;
  };
  const stopped = once(other, 'stop');
  other.stop();
  await stopped;
  assert.equal(calls, 1);
});

test('dmode chooses the worker', async (t) => {
  const shares = async (dmode) => {
    const peers = await cast(t, { conf: { dmode } });
    const counts = { quick: 0, slow: 0 };
    const handler = (name, ms) => (data, reply) => {
      counts[name] += 1;
      setTimeout(() => reply.end(data), ms);
    };
    const seen = [];
    peers.broker.on('error', (error) => seen.push(error));
    peers.worker('s', handler('quick', 0), { concurrency: 1 });
    peers.worker('s', handler('slow', 30), { concurrency: 1 });
    const client = peers.client();
    const plain = new Plain(peers.endpoint);
    t.after(() => plain.stop());
    await plain.start();
    while ((await plain.call('mmi.services', 's'))[0]?.workers !== 2);
    for (let n = 0; n < 20; n += 1) await ask(client, 's', n);
    assert.deepEqual(seen, []);
    return counts;
  };
  // One after the other: in turns, or by what each has had to do.
  assert.deepEqual(await shares('turns'), { quick: 10, slow: 10 });
  const { slow } = await shares('load');
  assert.ok(slow <= 5, `${slow} of 20`);
  const random = await shares('rand');
  assert.equal(random.quick + random.slow, 20);
});

test('an invalid message is an error in the words of PIGATO, for who listens', async (t) => {
  const { broker, client, endpoint, worker } = await cast(t, { transport: 'tcp' });
  const raw = rawDealer(t, endpoint);
  await raw.send(['X', '1']);
  await raw.send(['C', '2', 'mmi.service', 'rid', '"s"', '{}']);
  await raw.receive();
  // The broker's events come in order: with a worker's registration, the error that nobody listened for has come.
  worker('later', () => {});
  const asker = client();
  while ((await ask(asker, '$dir', 'later')).final[1].length < 1);
  const errors = [];
  broker.on('error', (error) => errors.push(error));
  const all = new Promise((resolve) => broker.on('error', () => errors.length === 4 && resolve()));
  for (const frames of [
    ['X', '1'],
    ['C', '2', 's'],
    ['W', '99'],
    ['C', '2', '', 'rid', '1', '{}'],
  ]) {
    await raw.send(frames);
  }
  await all;
  const expected = ['ERR_MSG_HEADER', 'ERR_MSG_LENGTH', 'ERR_MSG_TYPE', 'ERR_REQ_INVALID'];
  assert.deepEqual(errors, expected);
});

test('a directory serves $dir', async (t) => {
  const peers = await cast(t);
  const [first, second] = [peers.worker('one', () => {}), peers.worker('one', () => {})];
  const directory = peers.directory();
  const started = new Promise((resolve) => {
    directory.conf.onStart = resolve;
  });
  directory.start();
  await started;
  const client = peers.client();
  const list = async (service) => (await ask(client, '$dir', service)).final[1];
  // A worker's start is over before the broker has it.
  while ((await list('one')).length < 2);
  assert.deepEqual((await list('one')).sort(), [first.socketId, second.socketId].sort());
  assert.deepEqual(await list('other'), []);
  assert.deepEqual(Object.keys(await list()).sort(), ['$dir', 'one']);
  assert.ok((await list('$dir'))[0].startsWith(directory.wrk.conf.prefix));
});

test('a worker rejects a request, and `workerId` names the worker of one', async (t) => {
  const { client, worker } = await cast(t);
  const asker = client();
  const first = worker('echo', (_, reply) => reply.reject('not mine'));
  const second = new Promise((resolve) => {
    first.on('request', () => resolve(worker('echo', (data, reply) => reply.end(data))));
  });
  assert.deepEqual((await ask(asker, 'echo', 1)).final, [0, 1]);
  const { socketId } = await second;
  for (let i = 0; i < 3; i++) {
    assert.deepEqual((await ask(asker, 'echo', i, { workerId: socketId })).final, [0, i]);
  }
  assert.deepEqual((await ask(asker, 'echo', 1, { workerId: first.socketId })).final, ['W_REJECTED', null]);
  assert.deepEqual((await ask(asker, 'echo', 1, { workerId: 'missing' })).final, ['W_NONE', null]);
});
