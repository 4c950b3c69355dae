'use strict';
// Workers of versions, requests for ranges, and patterns in the place of a name, over real sockets and with old peers.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Worker } = require('../..');
const { MDP, MdpSocket } = require('../support/mdp');
const { until } = require('../support/events');
const { OldClient, OldWorker } = require('../support/old');
const { ROOT } = require('../support/programs');
const { peersFor, start } = require('../support/peers');

const whoami = (name) => (_data, reply, opts) => reply.end([name, opts.service ?? null]);

/** Starts a worker that says who it is, and waits until the broker has it. */
async function serve(peers, broker, service, conf = {}) {
  const ready = once(broker, 'workerReady');
  const worker = peers.worker(whoami(service), { service, ...conf });
  await start(worker);
  const [event] = await ready;
  return { worker, event };
}

for (const transport of ['tcp', 'inproc']) {
  describe(`over ${transport}`, () => {
    test('the highest version that satisfies a range, and what a handler learns of it', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(), peers.client()];
      await start(broker, client);
      const { event } = await serve(peers, broker, 'orders', { version: '1.9.0' });
      assert.equal(event.service, 'orders@1.9.0');
      const { worker } = await serve(peers, broker, 'orders@2.1.0');
      assert.deepEqual(await client.call('orders@*'), ['orders@2.1.0', 'orders@*']);
      assert.deepEqual(await client.call('orders@2.1.0'), ['orders@2.1.0', null]);
      assert.deepEqual(await client.call('orders@~1.9'), ['orders', 'orders@~1.9']);
      assert.deepEqual(await client.call('orders'), ['orders@2.1.0', 'orders']);
      await assert.rejects(client.call('orders@^3', null, { failFast: true }), { code: 'W_NONE' });
      const waits = client.call('orders@^2 || ^3', 1);
      assert.deepEqual(await waits, ['orders@2.1.0', 'orders@^2 || ^3']);
      await worker.stop();
      assert.deepEqual(await client.call('orders'), ['orders', 'orders']);
    });

    test('a pattern serves what waits already, and gives way to a worker of the name', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(), peers.client()];
      await start(broker, client);
      const waits = client.call('billing.pay');
      await serve(peers, broker, 'billing.*', { pattern: true });
      assert.deepEqual(await waits, ['billing.*', 'billing.pay']);
      await serve(peers, broker, 'billing.pay');
      assert.deepEqual(await client.call('billing.pay'), ['billing.pay', null]);
      assert.deepEqual(await client.call('billing.ü'), ['billing.*', 'billing.ü']);
    });
  });
}

test('peers of 0.0.92 and of MDP reach versions by name', async (t) => {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker();
  await start(broker);
  const ready = once(broker, 'workerReady');
  const worker = new OldWorker(t, peers.endpoint, { service: 'orders@3.0.0' });
  await worker.ready();
  await ready;
  const answer = async () => worker.final(await worker.request(), 'old');
  const [reply] = await Promise.all([new OldClient(t, peers.endpoint).ask('orders@^3', 1), answer()]);
  assert.equal(reply.final, 'old');
  for (const dialect of MDP) {
    const raw = new MdpSocket(t, peers.endpoint, dialect);
    await Promise.all([raw.send(dialect.request('orders@3.x', 'hello')), answer()]);
    assert.deepEqual(await raw.receive(), dialect.gotFinal('orders@3.x', 'old'));
  }
});

test('clients of 0.0.92 and of MDP reach patterns by name, and a worker that does not reject', async (t) => {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker({ services: { '*': { balance: 'longest-idle' } } });
  await start(broker);
  await serve(peers, broker, 'billing.*', { pattern: true });
  const rejected = [];
  broker.on('requestRejected', ({ worker }) => rejected.push(worker));
  for (const [name, handler] of [
    ['picky', (_data, reply) => reply.reject()],
    ['willing', (data, reply) => reply.end(['willing', data])],
  ]) {
    const ready = once(broker, 'workerReady');
    await start(peers.worker(handler, { service: 'models', name }));
    await ready;
  }
  const old = new OldClient(t, peers.endpoint);
  assert.deepEqual((await old.ask('billing.pay', 1)).final, ['billing.*', 'billing.pay']);
  assert.deepEqual((await old.ask('models', 2)).final, ['willing', 2]);
  for (const dialect of MDP) {
    const raw = new MdpSocket(t, peers.endpoint, dialect);
    const ask = async (service, data) => {
      await raw.send(dialect.request(service, data));
      return raw.receive();
    };
    const expected = dialect.gotFinal('billing.pay', 'billing.*', 'billing.pay');
    assert.deepEqual(await ask('billing.pay', '1'), expected);
    // Twice: whichever worker was idle for longer.
    for (let n = 0; n < 2; n += 1) {
      assert.deepEqual(await ask('models', '3'), dialect.gotFinal('models', '["willing",3]'));
    }
  }
  assert.ok(rejected.length > 0 && rejected.every((worker) => worker === 'picky'));
});

test('what a client of 0.0.92 asks for with priority goes before what one of MDP has asked for', async (t) => {
  const peers = peersFor(t, 'tcp');
  const [broker, client] = [peers.broker(), peers.client()];
  await start(broker, client);
  const [mdp] = MDP;
  const raw = new MdpSocket(t, peers.endpoint, mdp);
  await raw.send(mdp.request('jobs', '"mdp"'));
  await until(async () => (await broker.stats()).queued === 1);
  const old = new OldClient(t, peers.endpoint).ask('jobs', 'old', { timeout: 60_000, priority: 3 });
  await until(async () => (await broker.stats()).queued === 2);
  const ours = client.call('jobs', 'ours', { priority: 9 });
  await until(async () => (await broker.stats()).queued === 3);
  const order = [];
  const worker = peers.worker(
    (data, reply) => {
      order.push(Buffer.isBuffer(data) ? JSON.parse(data) : data);
      reply.end(data);
    },
    { service: 'jobs', prefetch: 0 },
  );
  await start(worker);
  await Promise.all([old, ours, raw.receive()]);
  assert.deepEqual(order, ['ours', 'old', 'mdp']);
});

test('the option takes the versions of the broker, by the examples of its own tests', () => {
  const source = fs.readFileSync(path.join(ROOT, 'src/proto/broker/services/version.rs'), 'utf8');
  const lists = [...source.matchAll(/\[\n((?: +"[^"]*",\n)+) +\]/g)].map(([, list]) =>
    JSON.parse(`[${list.trim().slice(0, -1)}]`),
  );
  assert.deepEqual(
    lists.map((list) => list.length > 10),
    [true, true],
  );
  const [versions, others] = lists;
  for (const version of versions)
    assert.equal(new Worker('inproc://nowhere', 'a', { version }).conf.version, version);
  for (const version of others)
    assert.throws(() => new Worker('inproc://nowhere', 'a', { version }), RangeError, version);
});

test('what is no version, and no pattern, is refused where it is said', () => {
  const make = (service, conf) => () => new Worker('inproc://nowhere', service, conf);
  for (const version of ['2', '2.1', 'v2.1.0', '^2.1.0', '02.1.0', '2.1.0+build', '']) {
    assert.throws(make('orders', { version }), {
      name: 'RangeError',
      message: `option "version" must be a version such as 2.1.0 or 2.1.0-rc.1, got "${version}" (string)`,
    });
  }
  assert.throws(make('orders', { version: 2 }), { name: 'TypeError' });
  assert.throws(make('orders@1.0.0', { version: '2.1.0' }), {
    name: 'TypeError',
    message: 'option "version" cannot be used with a service that has an @, got "orders@1.0.0" (string)',
  });
  for (const service of ['billing', '*.billing', 'a*b*', '**']) {
    assert.throws(make(service, { pattern: true }), {
      name: 'RangeError',
      message: `service must end with its only * under option "pattern", got "${service}" (string)`,
    });
  }
  assert.throws(make('orders.*', { pattern: true, version: '1.0.0' }), { name: 'TypeError' });
  assert.throws(make('orders.*', { pattern: true, protocol: 'mdp/0.2' }), { name: 'TypeError' });
});
