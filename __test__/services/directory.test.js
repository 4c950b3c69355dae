'use strict';
// Who is there: what a client learns of services and workers, and how it follows them.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Client, OmdpError, Worker } = require('../..');
const { SERVICE, echo, peersFor, start } = require('../support/peers');
const { curveBroker, curvePeer, keys, next } = require('../support/security');
const { until } = require('../support/events');

/** Lists of the broker may be some ms old. */
function listed(ask, fits) {
  let value;
  return until(async () => {
    value = await ask();
    return fits(value);
  }).then(() => value);
}

describe('a service', () => {
  test('has numbers, the last error, and workers with what they tell about themselves', async (t) => {
    const metadata = { region: 'eu', list: [1, { a: null }] };
    const { client, worker } = await peersFor(t).trio(
      (data, reply) => (data === 'bad' ? reply.error({ message: 'no' }) : reply.end(data)),
      { worker: { description: 'echoes', metadata, name: 'W1' } },
    );
    await client.call(SERVICE, 1);
    await assert.rejects(client.call(SERVICE, 'bad'));
    const [info] = await listed(
      () => client.services(),
      ([first]) => first?.errors === 1,
    );
    assert.equal(info.name, SERVICE);
    assert.deepEqual([info.workers, info.queued, info.requests], [1, 0, 2]);
    assert.equal(info.lastError.value, '{"message":"no"}');
    assert.ok(info.lastError.at instanceof Date && info.started instanceof Date);
    assert.ok(info.time.mean > 0 && info.time.p50 <= info.time.max);
    const { instances, ...same } = await client.service(SERVICE);
    assert.equal(same.requests, 2);
    const [{ name, description, metadata: told, ended, failed, dialect }] = instances;
    assert.deepEqual(
      { name, description, told, ended, failed, dialect },
      { name: worker.name, description: 'echoes', told: metadata, ended: 2, failed: 1, dialect: 'omdp' },
    );
    assert.equal(await client.service('nobody'), null);
    assert.ok((await client.ping(SERVICE)) >= 0);
    await assert.rejects(
      client.ping('nobody'),
      (error) => error instanceof OmdpError && error.code === 'W_NONE',
    );
  });

  test('has a base and a version only if its name ends with a version of semver', async (t) => {
    const peers = peersFor(t);
    const [broker, client] = [peers.broker(), peers.client()];
    await start(broker, client);
    const names = ['a@1.2.3-rc.1+build.5', 'a@b@1.2.3', 'a@1.2.3.4', 'a@01.2.3', '@1.2.3'];
    const worker = new Worker(peers.endpoint, Object.fromEntries(names.map((name) => [name, echo])));
    t.after(() => worker.stop());
    await worker.start();
    const all = await listed(
      () => client.services(),
      ({ length }) => length === names.length,
    );
    assert.deepEqual(
      names.map((name) => all.find((each) => each.name === name)).map(({ base, version }) => [base, version]),
      [['a', '1.2.3-rc.1+build.5'], ['a@b', '1.2.3'], ...Array(3).fill([undefined, undefined])],
    );
  });

  test('has more workers than a page', async (t) => {
    const peers = peersFor(t);
    const [broker, client] = [peers.broker(), peers.client()];
    await start(broker, client);
    await start(...Array.from({ length: 40 }, () => peers.worker(echo)));
    await until(async () => (await broker.stats()).workers.length === 40);
    const { instances } = await listed(
      () => client.service(SERVICE),
      (found) => found?.instances.length === 40,
    );
    assert.equal(new Set(instances.map(({ name }) => name)).size, 40);
  });
});

describe('what a worker tells about itself', () => {
  const make = (conf) => () => new Worker('tcp://127.0.0.1:5555', 'echo', conf);

  test('is checked', () => {
    assert.throws(make({ description: '' }), RangeError);
    assert.throws(make({ description: 'x'.repeat(513) }), RangeError);
    assert.throws(make({ description: 5 }), TypeError);
    assert.throws(make({ metadata: [] }), TypeError);
    assert.throws(make({ metadata: 'text' }), TypeError);
    assert.throws(make({ metadata: { a: 1n } }), /^TypeError: option "metadata" cannot be converted to JSON/);
    assert.throws(make({ metadata: { a: 'x'.repeat(4096) } }), {
      name: 'RangeError',
      message: 'option "metadata" must have at most 4096 bytes as JSON, got 4104',
    });
  });

  test('may be as long as it may be', async (t) => {
    const metadata = { a: '"'.repeat(2044) };
    const description = '\u0001'.repeat(512);
    const { client } = await peersFor(t, 'tcp').trio(echo, { worker: { metadata, description } });
    const { instances } = await listed(
      () => client.service(SERVICE),
      (found) => found?.instances.length === 1,
    );
    assert.deepEqual(instances[0].metadata, metadata);
    assert.equal(instances[0].description, description);
  });
});

describe('watchServices()', () => {
  test('tells who is there, who comes and who goes', async (t) => {
    const peers = peersFor(t);
    const { broker, client } = await peers.trio(echo, { worker: { name: 'W1' } });
    await until(async () => (await broker.stats()).workers.length === 1);
    const watch = client.watchServices({ interval: 10 });
    const take = async () => (await watch.next()).value;
    assert.deepEqual(await take(), { type: 'ready', service: SERVICE, worker: 'W1', workers: 1 });
    const second = peers.worker(echo, { name: 'W2' });
    await second.start();
    assert.deepEqual(await take(), { type: 'ready', service: SERVICE, worker: 'W2', workers: 2 });
    await second.stop();
    assert.deepEqual(await take(), {
      type: 'gone',
      service: SERVICE,
      worker: 'W2',
      workers: 1,
      reason: 'goodbye',
    });
    // Nobody comes or goes any more.
    const waiting = watch.next();
    await watch.return();
    assert.deepEqual(await waiting, { value: undefined, done: true });
    assert.equal((await watch.next()).done, true);
  });

  test('goes on with the next broker, and misses nothing of the difference', async (t) => {
    const peers = peersFor(t, 'tcp');
    const { broker, worker, client } = await peers.trio(echo, { worker: { name: 'W1' } });
    await client.call(SERVICE, 1);
    const watch = client.watchServices({ interval: 10 });
    const take = async () => (await watch.next()).value;
    assert.equal((await take()).worker, 'W1');
    await broker.stop();
    await worker.stop();
    const other = peers.broker();
    await other.start();
    await peers.worker(echo, { name: 'W2', service: 'new' }).start();
    const seen = new Set();
    while (seen.size < 2) {
      const { type, worker: name, reason } = await take();
      seen.add(`${type} ${name} ${reason}`);
    }
    assert.deepEqual([...seen].sort(), ['gone W1 missed', 'ready W2 undefined']);
    await watch.return();
  });

  test('ends with its signal and with its client', async (t) => {
    const peers = peersFor(t);
    const { client } = await peers.trio();
    const controller = new AbortController();
    const loop = (async () => {
      for await (const _ of client.watchServices({ signal: controller.signal })) controller.abort();
    })();
    await loop;
    const watch = client.watchServices({ interval: 10 });
    await watch.next();
    const rest = watch.next();
    await client.stop({ timeout: 0 });
    assert.deepEqual(await rest, { value: undefined, done: true });
  });

  test('checks what it is given', () => {
    const client = new Client('tcp://127.0.0.1:5555');
    assert.throws(() => client.watchServices({ interval: 1 }), RangeError);
    assert.throws(() => client.watchServices({ signal: {} }), TypeError);
    assert.throws(() => client.watchServices({ every: 5 }), /^TypeError: unknown option "every"/);
    const several = new Client(['tcp://127.0.0.1:5555', 'tcp://127.0.0.1:5556']);
    assert.throws(
      () => several.watchServices(),
      /^TypeError: watchServices\(\) requires a client of one broker/,
    );
  });
});

test('a user sees the services that it may use', async (t) => {
  const [server, web, all] = [keys(), keys(), keys()];
  const lists = ['mmi.services', 'mmi.workers', 'mmi.service', 'mmi.directory', 'mmi.events', '$dir'];
  const users = {
    web: { keys: web.publicKey, call: ['open', ...lists] },
    all: { keys: all.publicKey, serve: '*', call: '*' },
  };
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker(curveBroker(server, users));
  await broker.start();
  for (const service of ['open', 'secret']) {
    const ready = next(broker, 'workerReady');
    const handler = (_, reply) => reply.error('hidden');
    await peers.worker(handler, { service, name: service, ...curvePeer(server, all) }).start();
    await ready;
  }
  const client = peers.client(curvePeer(server, web));
  const operator = peers.client(curvePeer(server, all));
  await start(client, operator);
  await assert.rejects(operator.call('open', 1));
  const names = (services) => services.map(({ name }) => name);
  assert.deepEqual(names(await operator.services()), ['open', 'secret']);
  const [open, ...others] = await listed(
    () => client.services(),
    ([first]) => first.errors === 1,
  );
  assert.deepEqual([open.name, others.length], ['open', 0]);
  assert.equal('value' in open.lastError, false);
  assert.equal(await client.service('secret'), null);
  await assert.rejects(client.ping('secret'), { code: 'W_NONE' });
  assert.deepEqual(await client.call('mmi.workers', 'secret'), []);
  assert.deepEqual(names(await client.call('mmi.workers', 'open')), ['open']);
  assert.deepEqual(await client.call('$dir'), { open: ['open'] });
  assert.deepEqual(await operator.call('$dir', 'secret'), ['secret']);
  const watch = client.watchServices({ interval: 10 });
  assert.equal((await watch.next()).value.service, 'open');
  const gone = once(broker, 'workerReady');
  await peers.worker(echo, { service: 'secret', name: 'W2', ...curvePeer(server, all) }).start();
  await gone;
  await peers.worker(echo, { service: 'open', name: 'W3', ...curvePeer(server, all) }).start();
  assert.equal((await watch.next()).value.worker, 'W3');
  await watch.return();
});
