'use strict';
// pyzmq-mdp's broker, worker and client of MDP 0.1 against ours, in every combination; and its MMI questions.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const pyzmqMdp = require('../support/pyzmq-mdp');
const { MDP } = require('../support/mdp');
const { SERVICE, echo, peersFor } = require('../support/peers');
const { rawDealer } = require('../support/raw');

const reason = pyzmqMdp.missing();
const conf = { protocol: 'mdp/0.1' };
/** Its own heartbeats are one a second, and it misses ours after three of its intervals. */
const BEAT = { heartbeat: 1000 };

/** Its client: the frames of the reply, as Python shows them. */
async function theirClient(t, endpoint, ...frames) {
  const { code, output } = await pyzmqMdp.run(t, 'client', endpoint, ...frames).ended;
  assert.equal(code, 0, output);
  return output.trim().replace(/^Got reply: /, '');
}

async function theirWorker(t, broker, endpoint, service = SERVICE) {
  const ready = once(broker, 'workerReady');
  const worker = pyzmqMdp.run(t, 'worker', endpoint, service);
  await Promise.race([ready, died(worker, 'worker')]);
  return worker;
}

/** Its broker, with a worker of ours that it has taken. */
async function theirBroker(t, worker, endpoint) {
  const broker = pyzmqMdp.run(t, 'broker', endpoint);
  const connected = once(worker, 'connect');
  await worker.start();
  await Promise.race([connected, died(broker, 'broker')]);
  return broker;
}

async function died({ ended }, what) {
  const { output } = await ended;
  throw new Error(`its ${what} ended: ${output}`);
}

describe(reason === undefined ? 'pyzmq-mdp' : `pyzmq-mdp (skipped: ${reason})`, { skip: reason }, () => {
  test('our broker, their worker, their client', async (t) => {
    const peers = peersFor(t, 'tcp');
    const broker = peers.broker(BEAT);
    await broker.start();
    const worker = await theirWorker(t, broker, peers.endpoint);
    const reply = `[b'${SERVICE}', b'one', b'', b'two']`;
    assert.equal(await theirClient(t, peers.endpoint, SERVICE, 'one', '', 'two'), reply);
    const gone = once(broker, 'workerGone');
    worker.child.kill('SIGKILL');
    assert.equal((await gone)[0].reason, 'connection lost');
  });

  test('our broker, their client: MMI', async (t) => {
    const peers = peersFor(t, 'tcp');
    const broker = peers.broker(BEAT);
    await broker.start();
    assert.equal(await theirClient(t, peers.endpoint, 'mmi.service', SERVICE), "[b'mmi.service', b'404']");
    await theirWorker(t, broker, peers.endpoint);
    assert.equal(await theirClient(t, peers.endpoint, 'mmi.service', SERVICE), "[b'mmi.service', b'200']");
    assert.equal(await theirClient(t, peers.endpoint, 'mmi.other', ''), "[b'mmi.other', b'501']");
  });

  test('our broker, their worker in the namespace of MMI', async (t) => {
    const peers = peersFor(t, 'tcp');
    const broker = peers.broker(BEAT);
    await broker.start();
    const bad = once(broker, 'badMessage');
    pyzmqMdp.run(t, 'worker', peers.endpoint, 'mmi.mine');
    assert.equal((await bad)[0].reason, 'reserved service');
  });

  test('our broker, their worker: heartbeats keep each other', async (t) => {
    const peers = peersFor(t, 'tcp');
    const broker = peers.broker({ heartbeat: 1000, liveness: 2 });
    await broker.start();
    const log = [];
    broker.on('workerGone', (event) => log.push(event));
    await theirWorker(t, broker, peers.endpoint);
    // Longer than either side bears silence: five beats of the broker, told by a raw worker that hears them.

    const watcher = rawDealer(t, peers.endpoint);
    await watcher.send(MDP[0].ready('watcher'));
    for (let beat = 0; beat < 5; beat += 1) {
      await watcher.receive();
      await watcher.send(MDP[0].heartbeat);
    }
    assert.deepEqual(log, []);
    assert.equal(await theirClient(t, peers.endpoint, SERVICE, 'x'), `[b'${SERVICE}', b'x']`);
  });

  for (const protocol of ['omdp', ...MDP.map(({ name }) => name)]) {
    test(`our broker, their worker, our client of ${protocol}`, async (t) => {
      const peers = peersFor(t, 'tcp');
      const broker = peers.broker(BEAT);
      await broker.start();
      await theirWorker(t, broker, peers.endpoint);
      const client = peers.client({ protocol });
      await client.start();
      for (const value of ['text', '5', 5, null, ['a', 'b'], { a: 1 }, Buffer.from([255, 0])]) {
        assert.deepEqual(await client.call(SERVICE, value), value);
      }
    });

    test(`our broker, our worker of ${protocol}, their client`, async (t) => {
      const peers = peersFor(t, 'tcp');
      const broker = peers.broker(BEAT);
      const ready = once(broker, 'workerReady');
      await broker.start();
      await peers.worker(echo, { protocol }).start();
      await ready;
      assert.equal(await theirClient(t, peers.endpoint, SERVICE, 'hello'), `[b'${SERVICE}', b'hello']`);
    });
  }

  test('their broker, our worker, our client', async (t) => {
    const peers = peersFor(t, 'tcp');
    const worker = peers.worker(echo, { ...conf, ...BEAT });
    await theirBroker(t, worker, peers.endpoint);
    const client = peers.client(conf);
    await client.start();
    for (const value of ['text', null, ['a', 'b'], { a: 1 }]) {
      assert.deepEqual(await client.call(SERVICE, value), value);
    }
    assert.equal(await client.call('mmi.service', SERVICE), 200);
  });

  test('their broker, our worker, their client', async (t) => {
    const peers = peersFor(t, 'tcp');
    await theirBroker(t, peers.worker(echo, { ...conf, ...BEAT }), peers.endpoint);
    assert.equal(await theirClient(t, peers.endpoint, SERVICE, 'hello'), `[b'${SERVICE}', b'hello']`);
  });

  test('their broker, their worker, our client', async (t) => {
    const peers = peersFor(t, 'tcp');
    pyzmqMdp.run(t, 'broker', peers.endpoint);
    pyzmqMdp.run(t, 'worker', peers.endpoint, SERVICE);
    const client = peers.client(conf);
    await client.start();
    // Its broker drops what no worker has ever served, so a client has to ask until there is one.
    while ((await client.call('mmi.service', SERVICE, { timeout: 20_000 })) !== 200);
    assert.equal(await client.call(SERVICE, 'hello', { timeout: 20_000 }), 'hello');
  });
});
