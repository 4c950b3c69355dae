'use strict';
// Clients and workers of PIGATO, by their frames, at our broker, with ours, with those of 0.0.92 and with MDP's.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { MDP, MdpSocket } = require('../support/mdp');
const { OldClient, OldWorker } = require('../support/old');
const { SERVICE, peersFor, start } = require('../support/peers');
const { LIBRARIES, PigatoClient, PigatoWorker } = require('../support/pigato');

const SLOW = { heartbeat: 60_000 };

async function brokerOf(t, conf = SLOW) {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker(conf);
  await broker.start();
  return { peers, broker, endpoint: peers.endpoint };
}

/** A worker of PIGATO that the broker knows for one. */
async function knownWorker(t, broker, endpoint, { concurrency = 100, ...conf } = {}) {
  const worker = new PigatoWorker(t, endpoint, { service: SERVICE, ...conf });
  const ready = once(broker, 'workerReady');
  await worker.ready();
  await ready;
  await worker.heartbeat(concurrency);
  assert.deepEqual(await worker.next(), ['W', '1']);
  assert.deepEqual(await worker.next(), ['W', '4']);
  return worker;
}

async function answer(worker) {
  const request = await worker.request();
  await worker.partial(request, { part: request.data });
  await worker.final(request, request.data);
  return request;
}

for (const library of Object.keys(LIBRARIES)) {
  describe(`a client of PIGATO, as ${library} writes it`, () => {
    test('is served by our worker', async (t) => {
      const { peers, endpoint } = await brokerOf(t);
      const worker = peers.worker((data, reply, opts) => {
        reply.write(1);
        reply.end({ data, attempt: opts.attempt });
      });
      await worker.start();
      const client = new PigatoClient(t, endpoint, { library });
      const { partials, final } = await client.ask(SERVICE, 'ü');
      assert.deepEqual([partials, final], [[1], { data: 'ü', attempt: 1 }]);
      assert.equal((await client.ask(SERVICE, undefined)).final.data, null);
      await client.beat();
    });

    test('is served by a worker of PIGATO and by one of 0.0.92', async (t) => {
      const { broker, endpoint } = await brokerOf(t);
      const client = new PigatoClient(t, endpoint, { library });
      const worker = await knownWorker(t, broker, endpoint, {
        library: library === 'ruby' ? 'ruby' : 'node',
      });
      const asked = client.ask(SERVICE, 7);
      const request = await answer(worker);
      assert.deepEqual([request.service, request.delimiter], [SERVICE, '']);
      assert.deepEqual(await asked, { partials: [{ part: 7 }], final: 7 });
      const old = new OldWorker(t, endpoint, { service: 'old' });
      await old.ready();
      const again = client.ask('old', [1]);
      const got = await old.request();
      assert.deepEqual(got.data, [1]);
      await old.error(got, 'no');
      assert.deepEqual(await again, { partials: [], error: 'no' });
    });
  });
}

test('errors of ours have their codes, as strings', async (t) => {
  const { peers, endpoint } = await brokerOf(t);
  const client = new PigatoClient(t, endpoint);
  assert.deepEqual(await client.ask('nobody', 1, { timeout: 50 }), { partials: [], error: 'C_TIMEOUT' });
  const worker = peers.worker(() => {});
  await worker.start();
  const asked = client.ask(SERVICE, 1);
  await once(worker, 'request');
  await worker.stop({ timeout: 0 });
  assert.deepEqual(await asked, { partials: [], error: 'W_LOST' });
});

test('errors that PIGATO would take for a success are strings', async (t) => {
  const { peers, endpoint } = await brokerOf(t);
  const worker = peers.worker((data, reply) => reply.error(data));
  await worker.start();
  const client = new PigatoClient(t, endpoint);
  for (const [value, told] of [
    [null, 'null'],
    [0, '0'],
    [false, 'false'],
    ['', 'error'],
    [{ a: 1 }, { a: 1 }],
  ]) {
    assert.deepEqual((await client.ask(SERVICE, value)).error, told);
  }
});

test('a worker that has shown nothing has one request at a time, which either kind reads', async (t) => {
  const { peers, broker, endpoint } = await brokerOf(t);
  const client = peers.client(SLOW);
  await client.start();
  const worker = new PigatoWorker(t, endpoint, { service: SERVICE });
  const ready = once(broker, 'workerReady');
  await worker.ready();
  await ready;
  const calls = [client.call(SERVICE, 1), client.call(SERVICE, 2), client.call(SERVICE, 3)];
  const frames = await worker.next();
  assert.deepEqual([frames[3], frames[4]], [frames[5], frames[6]]);
  assert.deepEqual([frames[2], frames[6]], [client.name, '1']);
  await worker.final({ client: frames[2], rid: frames[5] }, 'one');
  assert.equal(await calls[0], 'one');
  assert.deepEqual(await worker.next(), ['W', '1']);
  const second = await worker.request();
  assert.deepEqual([second.data, second.service], [2, SERVICE]);
  // The reply told what it is, and not how much it takes.
  await worker.heartbeat(2);
  const third = await worker.request();
  assert.equal(third.data, 3);
  await worker.final(third, 'three');
  await worker.final(second, 'two');
  assert.deepEqual(await Promise.all(calls), ['one', 'two', 'three']);
});

test('our client gets parts, errors and null of a worker of PIGATO', async (t) => {
  const { peers, broker, endpoint } = await brokerOf(t);
  const client = peers.client(SLOW);
  await client.start();
  const worker = await knownWorker(t, broker, endpoint);
  const call = client.call(SERVICE, { a: 1 }, { headers: { b: 2 } });
  const request = await worker.request();
  assert.deepEqual([request.data, request.opts.headers], [{ a: 1 }, { b: 2 }]);
  await worker.final(request, undefined);
  assert.equal(await call, null);
  const failing = client.call(SERVICE, 1);
  await worker.error(await worker.request(), { why: 1 });
  await assert.rejects(failing, (error) => error.value.why === 1);
});

test('it has as many requests as it says in its heartbeats', async (t) => {
  const { broker, endpoint } = await brokerOf(t);
  const worker = await knownWorker(t, broker, endpoint, { concurrency: 2 });
  const client = new PigatoClient(t, endpoint);
  for (const data of [1, 2, 3]) await client.request(SERVICE, data);
  const held = [await worker.request(), await worker.request()];
  await worker.heartbeat(2);
  // Everything that it was sent before the answer has come.
  assert.deepEqual(await worker.next(), ['W', '4']);
  for (const { client: id, rid } of held) {
    assert.deepEqual(await worker.next(), ['W', '4', id, '', rid]);
  }
  await worker.final(held[1], 0);
  assert.equal((await worker.request()).data, 3);
});

test('a service that ends with its only * is a pattern, for the clients of every dialect', async (t) => {
  const { peers, broker, endpoint } = await brokerOf(t);
  const client = peers.client();
  await client.start();
  const early = client.call('echo.early', 1);
  const worker = await knownWorker(t, broker, endpoint, { service: 'echo.*' });
  assert.equal((await answer(worker)).service, 'echo.early');
  assert.equal(await early, 1);
  const [old, pigato] = [new OldClient(t, endpoint), new PigatoClient(t, endpoint)];
  const asked = old.ask('echo.old', 2);
  assert.equal((await answer(worker)).service, 'echo.old');
  assert.equal((await asked).final, 2);
  const another = pigato.ask('echo.pigato', 3);
  assert.equal((await answer(worker)).service, 'echo.pigato');
  assert.equal((await another).final, 3);
  await assert.rejects(client.call('echo', 4, { failFast: true }), { code: 'W_NONE' });
  const { workers } = await client.service('echo.*');
  assert.equal(workers, 1);
});

test('what it rejects goes to another worker', async (t) => {
  const { peers, broker, endpoint } = await brokerOf(t);
  const worker = await knownWorker(t, broker, endpoint);
  const client = new PigatoClient(t, endpoint);
  const asked = client.ask(SERVICE, 1);
  const rejected = once(broker, 'requestRejected');
  await worker.reject(await worker.request(), 'busy');
  assert.equal((await rejected)[0].service, SERVICE);
  await peers.worker((_, reply) => reply.end('done')).start();
  assert.deepEqual(await asked, { partials: [], final: 'done' });
});

test('a request with `workerId` goes to this worker', async (t) => {
  const { peers, broker, endpoint } = await brokerOf(t);
  for (const name of ['chosen', 'other']) {
    const ready = once(broker, 'workerReady');
    await peers.worker((_, reply) => reply.end(name), { name }).start();
    await ready;
  }
  const client = new PigatoClient(t, endpoint);
  for (let i = 0; i < 4; i++) {
    assert.equal((await client.ask(SERVICE, i, { workerId: 'chosen' })).final, 'chosen');
  }
  const missing = await client.ask(SERVICE, 1, { workerId: 'missing' });
  assert.deepEqual(missing, { partials: [], error: 'W_NONE' });
});

test('a goodbye is answered, and whoever is not registered is sent away', async (t) => {
  const { broker, endpoint } = await brokerOf(t);
  const worker = await knownWorker(t, broker, endpoint);
  const gone = once(broker, 'workerGone');
  await worker.send('W', '5');
  assert.deepEqual(await worker.next(), ['W', '5']);
  assert.equal((await gone)[0].reason, 'goodbye');
  await worker.heartbeat();
  assert.deepEqual(await worker.next(), ['W', '5']);
});

test('old clients and MDP clients are served by a worker of PIGATO', async (t) => {
  const { broker, endpoint } = await brokerOf(t);
  const worker = await knownWorker(t, broker, endpoint);
  const old = new OldClient(t, endpoint);
  const asked = old.ask(SERVICE, 5);
  await answer(worker);
  assert.equal((await asked).final, 5);
  for (const dialect of MDP) {
    const client = new MdpSocket(t, endpoint, dialect);
    await client.send(dialect.request(SERVICE, 'text'));
    const request = await worker.request();
    assert.equal(request.data, 'text');
    await worker.final(request, 'reply');
    assert.deepEqual(await client.receive(), dialect.gotFinal(SERVICE, 'reply'));
  }
});

test('the broker says who speaks what', async (t) => {
  const { peers, broker, endpoint } = await brokerOf(t);
  await knownWorker(t, broker, endpoint);
  const client = new PigatoClient(t, endpoint);
  await client.request('nobody', 1);
  await client.beat();
  const ours = peers.client(SLOW);
  await ours.start();
  const { dialects } = await broker.stats();
  assert.deepEqual([dialects.pigato.workers, dialects.pigato.clients], [1, 1]);
});

test('our worker and client with protocol "pigato" at our broker', async (t) => {
  const { peers } = await brokerOf(t);
  let options;
  const handler = (data, reply, opts) => {
    options = opts;
    if (data === 'error') reply.error('no');
    else reply.write(data) && reply.end([data]);
  };
  const worker = peers.worker(handler, { protocol: 'pigato', concurrency: 3 });
  const client = peers.client({ protocol: 'pigato' });
  await start(worker, client);
  const parts = await client.requestStream(SERVICE, 1, { headers: { a: 'b' }, retry: 2 }).toArray();
  assert.deepEqual(parts, [1, [1]]);
  assert.deepEqual([options.headers, options.retry, options.timeout], [{ a: 'b' }, 2, 60_000]);
  await assert.rejects(client.call(SERVICE, 'error'), (error) => error.value === 'no');
  assert.throws(() => client.request(SERVICE, 1, null, null, { failFast: true }), TypeError);
});
