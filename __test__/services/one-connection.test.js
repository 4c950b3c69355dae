'use strict';
// The services of a worker share one connection, on which each is a worker of its own at the broker.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Worker } = require('../..');
const { Relay } = require('../chaos/relay');
const { deferred, until } = require('../support/events');
const { OldBroker, OldClient } = require('../support/old');
const { batch, packed, part } = require('../support/packed');
const { echo, heard, peersFor, start } = require('../support/peers');
const { rawDealer } = require('../support/raw');
const { curveBroker, curvePeer, keys } = require('../support/security');

const SERVICES = ['a', 'b', 'c'];

/** Handlers that answer with the name of their service and the data. */
const named = () =>
  Object.fromEntries(SERVICES.map((name) => [name, (data, reply) => reply.end(`${name} ${data}`)]));

/** A broker, a client, and a relay of the way from workers to the broker. */
async function scene(t, { broker: brokerConf, client: clientConf } = {}) {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker(brokerConf);
  const client = peers.client(clientConf);
  await broker.start();
  await client.start();
  const relay = new Relay(broker.endpoints[0]);
  t.after(() => relay.close());
  return { peers, broker, client, relay, endpoint: await relay.listen() };
}

function workerFor(t, endpoint, handlers, conf) {
  const worker = new Worker(endpoint, handlers, conf);
  t.after(() => worker.stop({ timeout: 0 }));
  return worker;
}

const workersOf = async (broker) => (await broker.stats()).workers;
const registered = (broker, count) => until(async () => (await workersOf(broker)).length === count);

/** Calls each service and checks that it was the one that answered. */
async function callAll(client, data) {
  const replies = await Promise.all(SERVICES.map((name) => client.call(name, data)));
  assert.deepEqual(
    replies,
    SERVICES.map((name) => `${name} ${data}`),
  );
}

const [SERVER, USER] = [keys(), keys()];
const SECURE = {
  broker: curveBroker(SERVER, { user: { keys: USER.publicKey, serve: '*', call: '*' } }),
  worker: curvePeer(SERVER, USER),
  client: curvePeer(SERVER, USER),
};
const PASSWORD = { plainUsername: 'user', plainPassword: 'secret' };
const PLAIN = {
  broker: { plainServer: true, security: { users: { user: { password: 'secret', serve: '*', call: '*' } } } },
  worker: PASSWORD,
  client: PASSWORD,
};

for (const [what, conf] of Object.entries({ 'without security': {}, CURVE: SECURE, PLAIN })) {
  describe(`one connection, ${what}`, () => {
    test('carries all services, and takes them all back when it was cut', async (t) => {
      const { broker, client, relay, endpoint } = await scene(t, conf);
      const worker = workerFor(t, endpoint, named(), { ...conf.worker, concurrency: 8 });
      await worker.start();
      await callAll(client, 1);
      assert.equal(relay.connections, 1);
      for (let cut = 2; cut < 5; cut += 1) {
        relay.cut();
        await once(worker, 'disconnect');
        await callAll(client, cut);
        await registered(broker, 3);
        assert.equal(relay.connections, 1);
      }
      await worker.stop();
      assert.deepEqual(await workersOf(broker), []);
      await until(() => relay.connections === 0);
    });

    test('carries large replies and many small ones of all services at once', async (t) => {
      const { client, relay, endpoint } = await scene(t, conf);
      const worker = workerFor(
        t,
        endpoint,
        { a: echo, b: echo, c: echo },
        { ...conf.worker, concurrency: -1 },
      );
      await worker.start();
      const data = Array.from({ length: 600 }, (_, n) => (n % 50 === 0 ? 'x'.repeat(200_000 + n) : n));
      const replies = await Promise.all(data.map((each, n) => client.call(SERVICES[n % 3], each)));
      assert.deepEqual(replies, data);
      assert.equal(relay.connections, 1);
    });
  });
}

test('running handlers outlive the connection, and each request ends with its reply, once', async (t) => {
  const { client, relay, endpoint } = await scene(t);
  const running = new Map();
  const handler = (name) => (data, reply) => {
    assert.ok(!running.has(name), 'it starts once');
    running.set(name, () => reply.end([name, data]));
  };
  const handlers = Object.fromEntries(SERVICES.map((name) => [name, handler(name)]));
  const worker = workerFor(t, endpoint, handlers, { concurrency: 3 });
  await worker.start();
  const calls = SERVICES.map((name) => client.call(name, 7));
  await until(() => running.size === 3);
  const back = once(worker, 'connect');
  relay.cut();
  await back;
  for (const end of running.values()) end();
  assert.deepEqual(
    await Promise.all(calls),
    SERVICES.map((name) => [name, 7]),
  );
  await until(() => relay.connections === 1);
});

test('a connection that swallows everything is given up for all services', async (t) => {
  const conf = { heartbeat: 100 };
  const { client, broker, relay, endpoint } = await scene(t, { broker: conf });
  const worker = workerFor(t, endpoint, named(), conf);
  await worker.start();
  await callAll(client, 1);
  const lost = once(worker, 'disconnect');
  relay.kill();
  await lost;
  relay.heal();
  await callAll(client, 2);
  await registered(broker, 3);
});

test('a broker that starts later, or again, gets one connection', async (t) => {
  const { peers, broker, client, relay, endpoint } = await scene(t);
  const worker = workerFor(t, endpoint, named());
  await broker.stop();
  await worker.start();
  await broker.start();
  await callAll(client, 1);
  await registered(broker, 3);
  assert.equal(relay.connections, 1);
  await broker.stop();
  const next = peers.broker();
  await next.start();
  await callAll(client, 2);
  await registered(next, 3);
  assert.equal(relay.connections, 1);
});

test('what is refused for one service is nothing to the others', async (t) => {
  const broker = curveBroker(SERVER, { user: { keys: USER.publicKey, serve: ['a', 'c'], call: '*' } });
  const { client, endpoint, relay } = await scene(t, { ...SECURE, broker });
  const handlers = { b: echo, a: echo, c: echo };
  const worker = workerFor(t, endpoint, handlers, SECURE.worker);
  await worker.start();
  assert.equal(await client.call('a', 1), 1);
  assert.equal(await client.call('c', 1), 1);
  await assert.rejects(client.call('b', 1, { failFast: true }), { code: 'W_NONE' });
  await until(() => relay.connections === 1);
});

test('a worker restarted under its name while the old one leaves serves at once', async (t) => {
  const { client, endpoint, relay, broker } = await scene(t);
  const gate = deferred();
  const refused = [];
  const make = (life) => {
    const handlers = Object.fromEntries(
      SERVICES.map((name) => [
        name,
        (data, reply) => (data === 'slow' ? gate.promise.then(() => reply.end(life)) : reply.end(life)),
      ]),
    );
    const worker = workerFor(t, endpoint, handlers, { name: 'W', concurrency: 4 });
    worker.on('refused', (event) => refused.push(event));
    return worker;
  };
  let [old, life] = [make(1), 1];
  await old.start();
  for (const name of SERVICES) assert.equal(await client.call(name, 1), 1);
  const slow = SERVICES.map((name) => client.call(name, 'slow'));
  await until(async () => (await old.stats()).running === 3);
  const stops = [];
  for (life = 2; life < 5; life += 1) {
    stops.push(old.stop());
    old = make(life);
    await old.start();
    await until(async () => (await workersOf(broker)).filter(({ name }) => /^W\/.$/.test(name)).length === 3);
    for (const name of SERVICES) assert.equal(await client.call(name, 1), life);
  }
  gate.resolve();
  assert.deepEqual(await Promise.all(slow), [1, 1, 1]);
  await Promise.all(stops);
  assert.deepEqual(refused, []);
  await until(() => relay.connections === 1);
});

test('two workers under one name: the second gets no service of the first, and one when it is free', async (t) => {
  const { client, endpoint, relay } = await scene(t);
  const first = workerFor(t, endpoint, named(), { name: 'W' });
  await first.start();
  await callAll(client, 1);
  const second = workerFor(t, endpoint, named(), { name: 'W' });
  const refused = new Promise((resolve) => second.once('error', resolve));
  await second.start();
  assert.equal((await refused).code, 'C_NAME_TAKEN');
  await callAll(client, 2);
  await first.stop();
  await callAll(client, 3);
  await until(() => relay.connections === 1);
});

test('brokers that come and go get one connection each', async (t) => {
  const [one, other] = [await scene(t), await scene(t)];
  const worker = workerFor(t, [one.endpoint, other.endpoint], named(), { concurrency: 4 });
  await worker.start();
  for (const { client, relay } of [one, other]) {
    await callAll(client, 1);
    assert.equal(relay.connections, 1);
  }
  worker.setEndpoints([other.endpoint]);
  await until(() => one.relay.connections === 0);
  await callAll(other.client, 2);
  worker.setEndpoints([other.endpoint, one.endpoint]);
  await callAll(one.client, 3);
  await callAll(other.client, 3);
  for (const { relay } of [one, other]) assert.equal(relay.connections, 1);
});

test('a broker of 0.0.92 gets one connection for each service', async (t) => {
  const peers = peersFor(t, 'tcp');
  const broker = await OldBroker.start(t, peers.endpoint);
  const relay = new Relay(peers.endpoint);
  t.after(() => relay.close());
  const worker = workerFor(t, await relay.listen(), named());
  const client = new OldClient(t, peers.endpoint);
  await worker.start();
  for (const name of SERVICES) {
    assert.deepEqual(await client.ask(name, 1), { partials: [], final: `${name} 1` });
  }
  assert.equal(relay.connections, 3);
  const workers = broker.log.filter(([, header, command]) => header === 'W' && command === '1');
  assert.equal(new Set(workers.map(([from]) => from)).size, 3);
});

test('over inproc too, with a broker that is bound later', async (t) => {
  const peers = peersFor(t, 'inproc');
  const worker = workerFor(t, peers.endpoint, named(), { concurrency: 3 });
  await worker.start();
  const [broker, client] = [peers.broker(), peers.client()];
  await start(broker, client);
  await callAll(client, 1);
  await broker.stop();
  await peers.broker().start();
  await callAll(client, 2);
});

describe('hostile messages of channels', () => {
  /** What begins a message in a channel. */
  const inChannel = (number, first) =>
    Buffer.concat([Buffer.from([0x03, number >> 8, number & 0xff]), Buffer.from(first)]);
  const hello = (name, session) =>
    JSON.stringify({ omdp: 1, heartbeat: 60_000, liveness: 3, session, ...(name && { name }) });

  async function attack(t) {
    const peers = peersFor(t, 'tcp');
    const [broker, client] = [peers.broker(), peers.client()];
    await start(broker, client);
    const reasons = [];
    broker.on('badMessage', ({ reason }) => reasons.push(reason));
    const socket = rawDealer(t, peers.endpoint, 'raw');
    const bad = async (...frames) => {
      const before = reasons.length;
      await socket.send(frames);
      await until(() => reasons.length > before);
      return reasons.at(-1);
    };
    return { broker, client, socket, bad };
  }

  test('are bad messages', async (t) => {
    const { broker, client, bad } = await attack(t);
    assert.equal(await bad(inChannel(1, 'W'), '4'), 'bad channel');
    assert.equal(await bad(inChannel(1, 'W'), '1', 'a'), 'bad channel');
    assert.equal(await bad(inChannel(1, 'W'), '1', 'a', hello(undefined, 's.1')), 'bad channel');
    assert.equal(await bad(inChannel(1, 'W'), '1', 'a', 'no hello'), 'bad channel');
    assert.equal(await bad(inChannel(1, 'C'), '1', hello('n', 's.1')), 'bad channel');
    assert.equal(await bad(inChannel(1, packed('C', '4'))), 'bad channel');
    assert.equal(await bad(inChannel(1, batch(part('C', '4')))), 'bad channel');
    assert.equal(await bad(inChannel(1, '')), 'bad channel');
    assert.equal(await bad(inChannel(0, 'W'), '4'), 'unknown header');
    assert.equal(await bad(Buffer.from([3, 0])), 'unknown header');
    assert.equal(await bad(inChannel(1, inChannel(2, 'W')), '4'), 'bad channel');
    assert.deepEqual(await workersOf(broker), []);
    assert.equal(await client.call('mmi.service', 'a'), 404);
  });

  test('open a bounded number', async (t) => {
    const { broker, socket, bad } = await attack(t);
    const open = (n) => [inChannel(n, 'W'), '1', 'a', hello(`n${n}`, `s${n}.1`)];
    for (let n = 1; n <= 510; n += 1) await socket.send(open(n));
    assert.equal(await bad(...open(511)), 'bad channel');
    await registered(broker, 510);
    await socket.send([inChannel(6, 'W'), '5']);
    await registered(broker, 509);
    socket.close();
    await registered(broker, 0);
  });

  test('without effect are those of a channel that was refused', async (t) => {
    const { broker, client, socket, bad } = await attack(t);
    await socket.send([inChannel(1, 'W'), '1', 'a', hello('n', 'one.1')]);
    await registered(broker, 1);
    await socket.send([inChannel(2, 'W'), '1', 'a', hello('n', 'other.1')]);
    for (;;) {
      const [first, command, session] = await socket.receive();
      if (first.equals(inChannel(2, 'W'))) {
        assert.deepEqual([String(command), String(session)], ['5', 'other.1']);
        break;
      }
    }
    const reasons = [];
    broker.on('badMessage', ({ reason }) => reasons.push(reason));
    await socket.send([inChannel(2, 'W'), '5']);
    await socket.send([inChannel(2, 'W'), '1', 'a', hello('m', 'other.1')]);
    assert.equal(await bad(inChannel(3, 'W'), '4'), 'bad channel');
    await heard(client);
    assert.deepEqual(reasons, ['bad channel']);
    await registered(broker, 1);
  });
});
