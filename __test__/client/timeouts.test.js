'use strict';
// A request's timeout is an idle timeout: ms without any sign of the reply. When it is over is told by the order of
// things, and by a lower bound; what starts it anew is tested in virtual time, in src/proto/tests/timeouts.rs.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { deferred } = require('../support/events');
const { SERVICE, ask, heard, peersFor, start } = require('../support/peers');

/**
 * In 0.0.92 the heartbeat's tick was when timeouts were seen: a request that is only ended then exceeds the limit of a
 * test.
 */
const SLOW = { heartbeat: 600_000 };
const slowly = { broker: SLOW, worker: SLOW, client: SLOW };

const never = () => {};

test('is finalCb("C_TIMEOUT"), an error event of the stream, and an OmdpError of call()', async (t) => {
  const { client } = await peersFor(t).trio(never, slowly);
  const finals = [];
  const stream = client.request(SERVICE, 1, null, (...args) => finals.push(args), { timeout: 20 });
  const error = await new Promise((resolve) => stream.on('error', resolve));
  assert.equal(error, 'C_TIMEOUT');
  assert.deepEqual(finals, [['C_TIMEOUT']]);
  await assert.rejects(client.call(SERVICE, 1, { timeout: 20 }), { name: 'OmdpError', code: 'C_TIMEOUT' });
});

test('never crashes the process, whoever listens', async (t) => {
  const { client } = await peersFor(t).trio(never, slowly);
  client.request(SERVICE, 1, undefined, undefined, { timeout: 5 });
  client.requestStream(SERVICE, 1, { timeout: 5 });
  client.requestStream(SERVICE, 1, { timeout: 5 }).on('data', () => {});
  client.request(SERVICE, 1, () => {}, undefined, { timeout: 5 });
  await assert.rejects(client.call(SERVICE, 1, { timeout: 50 }), { code: 'C_TIMEOUT' });
});

test('is not before its time', async (t) => {
  const { client } = await peersFor(t).trio(never, slowly);
  for (const timeout of [1, 10, 60]) {
    const begin = performance.now();
    await assert.rejects(client.call(SERVICE, 1, { timeout }), { code: 'C_TIMEOUT' });
    const elapsed = performance.now() - begin;
    assert.ok(elapsed >= timeout, `${elapsed} ms instead of ${timeout}`);
  }
});

test('is precise: requests time out in the order of their timeouts, whatever that of their making', async (t) => {
  const { client } = await peersFor(t).trio(never, slowly);
  const order = [];
  const timeouts = [400, 100, 300, 200];
  await Promise.all(
    timeouts.map(async (timeout) => {
      await assert.rejects(client.call(SERVICE, 1, { timeout }), { code: 'C_TIMEOUT' });
      order.push(timeout);
    }),
  );
  assert.deepEqual(order, [100, 200, 300, 400]);
});

describe('wherever the request is:', () => {
  test('at a client that is not connected', async (t) => {
    const client = peersFor(t, 'tcp').client(SLOW);
    await client.start();
    assert.deepEqual((await ask(client, 1, { timeout: 20 })).final, ['C_TIMEOUT']);
  });

  test('in the queue of a service that has no worker', async (t) => {
    const peers = peersFor(t);
    const client = peers.client(SLOW);
    await start(peers.broker(SLOW), client);
    assert.deepEqual((await ask(client, 1, { timeout: 20 }, 'nobody')).final, ['C_TIMEOUT']);
  });

  test('behind another request', async (t) => {
    const { client } = await peersFor(t).trio(never, slowly);
    client.request(SERVICE, 1);
    assert.deepEqual((await ask(client, 1, { timeout: 20 })).final, ['C_TIMEOUT']);
  });
});

test('a request that timed out in the queue is never begun, and the broker forgets it', async (t) => {
  const replies = [];
  const arrived = deferred();
  const { client } = await peersFor(t).trio((data, reply) => {
    replies.push(data);
    if (data === 'long') arrived.resolve(reply);
    else reply.end(data);
  }, slowly);
  const long = client.call(SERVICE, 'long');
  const reply = await arrived.promise;
  await assert.rejects(client.call(SERVICE, 'expired', { timeout: 20 }), { code: 'C_TIMEOUT' });
  await heard(client);
  const next = client.call(SERVICE, 'next');
  reply.end('done');
  assert.equal(await long, 'done');
  assert.equal(await next, 'next');
  assert.deepEqual(replies, ['long', 'next']);
});

describe('the timeout of a request is', () => {
  const tellTimeout = (data, reply, opts) => reply.end(opts.timeout);

  test('60 s unless somebody says otherwise', async (t) => {
    const { client } = await peersFor(t).trio(tellTimeout);
    assert.equal(await client.call(SERVICE, 1), 60_000);
  });

  test("the client's conf.timeout, beside other keys of conf", async (t) => {
    const { client } = await peersFor(t).trio(tellTimeout, {
      client: { heartbeat: 1000, timeout: 1234, name: 'C' },
    });
    assert.equal(await client.call(SERVICE, 1), 1234);
    assert.equal(await client.call(SERVICE, 1, {}), 1234);
    for (const falsy of [0, null, undefined]) {
      assert.equal(await client.call(SERVICE, 1, { timeout: falsy }), 1234);
    }
  });

  test("its own opts.timeout, whatever the client's", async (t) => {
    const { client } = await peersFor(t).trio(tellTimeout, { client: { timeout: 1 } });
    assert.equal(await client.call(SERVICE, 1, { timeout: 4321 }), 4321);
    assert.equal(await client.call(SERVICE, 1, { timeout: -1 }), -1);
  });

  test('off with -1', async (t) => {
    const running = deferred();
    const { client } = await peersFor(t).trio((data, reply) => running.resolve(reply), {
      client: { timeout: 1 },
    });
    const call = client.call(SERVICE, 1, { timeout: -1 });
    const reply = await running.promise;
    // Others come and go meanwhile.
    for (let i = 0; i < 5; i += 1) {
      await assert.rejects(client.call('nobody', 1), { code: 'C_TIMEOUT' });
    }
    assert.equal(reply.active(), true);
    reply.end('at last');
    assert.equal(await call, 'at last');
  });
});

test('conf.timeout takes effect', async (t) => {
  const { client } = await peersFor(t).trio(never, { client: { timeout: 20 } });
  await assert.rejects(client.call(SERVICE, 1), { code: 'C_TIMEOUT', message: /\b20 ms\b/ });
});

test('a request that expired is told by the broker, and whether a worker had it', async (t) => {
  const { Dealer } = require('zeromq');
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker(SLOW);
  const ready = once(broker, 'workerReady');
  await start(broker, peers.worker(never, SLOW));
  await ready;
  // One of 0.0.92, for the broker alone keeps its time.
  const dealer = new Dealer({ linger: 0, receiveTimeout: 60_000 });
  t.after(() => dealer.close());
  dealer.connect(peers.endpoint);
  for (const [service, running] of [
    [SERVICE, true],
    ['nobody', false],
  ]) {
    const expired = once(broker, 'requestExpired');
    await dealer.send(['C', '2', service, 'rid', '1', '{"timeout":20}']);
    assert.deepEqual((await expired)[0], { service, running });
    assert.deepEqual((await dealer.receive()).map(String), ['C', '3', 'rid', '"C_TIMEOUT"']);
  }
});
