'use strict';
// The services of a worker have a connection each while their broker supports no channels, and share one afterwards.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { test } = require('node:test');
const { Worker } = require('../..');
const { Relay } = require('../chaos/relay');
const { until } = require('../support/events');
const { OldBroker, OldClient } = require('../support/old');
const { peersFor } = require('../support/peers');
const { rawRouter, Router } = require('../support/raw');

const SERVICES = ['a', 'b', 'c'];

/** Handlers that answer with the name of their service and the data. */
const named = () =>
  Object.fromEntries(SERVICES.map((name) => [name, (data, reply) => reply.end(`${name} ${data}`)]));

function workerFor(t, endpoint, conf) {
  const worker = new Worker(endpoint, named(), conf);
  t.after(() => worker.stop({ timeout: 0 }));
  return worker;
}

const WELCOME = JSON.stringify({ omdp: 1, heartbeat: 60_000, liveness: 3, session: 's', channels: 255 });

/** The first frame of a worker in this channel. */
const inChannel = (number) => Buffer.from([0x03, number >> 8, number & 0xff, 0x57]);

test('services whose broker answers late share the connection of the first that has the answer', async (t) => {
  const { endpoint } = peersFor(t, 'tcp');
  // The broker is played, so that it answers when all services have opened connections of their own.
  const broker = await rawRouter(t, endpoint, {}, Router);
  await workerFor(t, endpoint, { name: 'W' }).start();
  const ids = new Map();
  while (ids.size < 3) {
    const [from, header, command, service, hello] = await broker.receive();
    assert.deepEqual([String(header), String(command)], ['W', '1']);
    assert.equal(JSON.parse(hello).name, `W/${service}`);
    ids.set(String(service), from);
  }
  for (const id of ids.values()) await broker.send([id, 'W', '1', WELCOME]);
  const joined = [];
  let shared;
  for (let number = 1; number < 3; number += 1) {
    const [from, header, command, service, hello] = await broker.receive();
    shared ??= from;
    assert.deepEqual([from, header, String(command)], [shared, inChannel(number), '1']);
    assert.equal(JSON.parse(hello).name, `W/${service}`);
    joined.push(String(service));
  }
  const first = SERVICES.find((service) => ids.get(service).equals(shared));
  assert.deepEqual([first, ...joined].sort(), SERVICES);
});

test('services go apart with a broker of 0.0.92, and share a connection again with the next one', async (t) => {
  const peers = peersFor(t, 'tcp');
  const relay = new Relay(peers.endpoint);
  t.after(() => relay.close());
  const worker = workerFor(t, await relay.listen(), { concurrency: 3 });
  const client = peers.client();
  for (let round = 0; round < 3; round += 1) {
    const broker = peers.broker();
    await broker.start();
    if (round === 0) await Promise.all([worker.start(), client.start()]);
    for (const name of SERVICES) assert.equal(await client.call(name, round), `${name} ${round}`);
    await until(() => relay.connections === 1);
    const lost = once(worker, 'disconnect');
    await broker.stop();
    await lost;
    const old = await OldBroker.start(t, peers.endpoint);
    const oldClient = new OldClient(t, peers.endpoint, { name: `old-${round}` });
    for (const name of SERVICES) {
      assert.deepEqual(await oldClient.ask(name, round), { partials: [], final: `${name} ${round}` });
    }
    assert.equal(relay.connections, 3);
    oldClient.close();
    old.close();
    await until(() => relay.connections === 0);
  }
});
