'use strict';
// Our Worker and Client as peers of an MDP broker: of ours, and of one that a raw socket plays.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { MDP } = require('../support/mdp');
const { SERVICE, ask, echo, peersFor, start } = require('../support/peers');
const { rawRouter } = require('../support/raw');
const { Client, Worker } = require('../..');

const PROTOCOLS = ['omdp', ...MDP.map(({ name }) => name)];

/** A broker that a raw socket plays: gives the sender and the frames of the next message, as text. */
async function rawBroker(t, endpoint) {
  const socket = await rawRouter(t, endpoint);
  return {
    async receive() {
      const [from, ...frames] = await socket.receive();
      return { from, frames: frames.map((frame) => frame.toString()) };
    },
    send: (to, frames) => socket.send([to, ...frames]),
  };
}

for (const protocol of PROTOCOLS) {
  for (const other of PROTOCOLS) {
    test(`a ${protocol} client and a ${other} worker on our broker`, async (t) => {
      const peers = peersFor(t, 'tcp');
      const seen = [];
      const handler = (data, reply) => {
        seen.push(data);
        if (data === 'fail') reply.error({ code: 'E', n: 1 });
        else reply.end(data);
      };
      const { client } = await peers.trio(handler, { worker: { protocol: other }, client: { protocol } });
      for (const value of [
        null,
        1,
        'text',
        '5',
        '',
        ['a', 'b'],
        ['a'],
        { a: [1, null] },
        Buffer.from([255, 1]),
      ]) {
        assert.deepEqual(await client.call(SERVICE, value), value);
        assert.deepEqual(seen.pop(), value);
      }
      await assert.rejects(client.call(SERVICE, 'fail'), { name: 'RemoteError', value: { code: 'E', n: 1 } });
      const many = Array.from({ length: 50 }, (_, i) => i);
      assert.deepEqual(await Promise.all(many.map((i) => client.call(SERVICE, i))), many);
    });
  }
}

for (const dialect of MDP) {
  // Slow hearts, but where a test is about them: every message that comes is looked at.
  const conf = { protocol: dialect.name, heartbeat: 60_000 };
  describe(`${dialect.name} on a broker that a raw socket plays`, () => {
    test('a worker registers, answers, streams, and says goodbye', async (t) => {
      const peers = peersFor(t, 'tcp');
      const broker = await rawBroker(t, peers.endpoint);
      const worker = peers.worker((data, reply) => {
        reply.write('part');
        reply.end(data);
      }, conf);
      await worker.start();
      const { from, frames } = await broker.receive();
      assert.deepEqual(frames, dialect.ready(SERVICE));
      await broker.send(from, dialect.work('Cx', 'a', 'b'));
      if (dialect.hasPartials) {
        assert.deepEqual((await broker.receive()).frames, dialect.partial('Cx', 'part'));
        assert.deepEqual((await broker.receive()).frames, dialect.final('Cx', 'a', 'b'));
      } else {
        assert.deepEqual((await broker.receive()).frames, dialect.final('Cx', 'part', 'a', 'b'));
      }
      await worker.stop();
      assert.deepEqual((await broker.receive()).frames, dialect.disconnect);
    });

    test('a worker that hears DISCONNECT comes back on a new connection', async (t) => {
      const peers = peersFor(t, 'tcp');
      const broker = await rawBroker(t, peers.endpoint);
      const worker = peers.worker(echo, { ...conf, reconnect: 1 });
      await worker.start();
      const first = await broker.receive();
      const connected = once(worker, 'connect');
      await broker.send(first.from, dialect.heartbeat);
      await connected;
      const lost = once(worker, 'disconnect');
      await broker.send(first.from, dialect.disconnect);
      assert.deepEqual(await lost, [peers.endpoint, 'disconnected by the broker']);
      const second = await broker.receive();
      assert.deepEqual(second.frames, dialect.ready(SERVICE));
      assert.notDeepEqual(second.from, first.from);
    });

    test('a worker whose broker falls silent begins anew', async (t) => {
      const peers = peersFor(t, 'tcp');
      const broker = await rawBroker(t, peers.endpoint);
      const worker = peers.worker(echo, { ...conf, heartbeat: 20, liveness: 3, reconnect: 1 });
      await worker.start();
      const first = await broker.receive();
      const lost = once(worker, 'disconnect');
      await broker.send(first.from, dialect.heartbeat);
      assert.deepEqual(await lost, [peers.endpoint, 'heartbeat lost']);
      let next;
      do next = await broker.receive();
      while (next.frames.join('|') === dialect.heartbeat.join('|'));
      // It may have said goodbye on the old connection.
      if (next.frames.join('|') === dialect.disconnect.join('|')) next = await broker.receive();
      assert.deepEqual(next.frames, dialect.ready(SERVICE));
      assert.notDeepEqual(next.from, first.from);
    });

    test('heartbeats of a worker', async (t) => {
      const peers = peersFor(t, 'tcp');
      const broker = await rawBroker(t, peers.endpoint);
      await peers.worker(echo, { ...conf, heartbeat: 20, liveness: 1000 }).start();
      await broker.receive();
      for (let i = 0; i < 3; i += 1) assert.deepEqual((await broker.receive()).frames, dialect.heartbeat);
    });

    test('a client has one request under way, and gives a connection up with a request', async (t) => {
      const peers = peersFor(t, 'tcp');
      const broker = await rawBroker(t, peers.endpoint);
      const client = peers.client(conf);
      await client.start();
      const controller = new AbortController();
      const slow = client.call(SERVICE, 'slow', { signal: controller.signal });
      const next = ask(client, 'x', undefined, 'next');
      const first = await broker.receive();
      assert.deepEqual(first.frames, dialect.request(SERVICE, 'slow'));
      controller.abort();
      await assert.rejects(slow, { code: 'C_ABORTED' });
      const second = await broker.receive();
      assert.deepEqual(second.frames, dialect.request('next', 'x'));
      assert.notDeepEqual(second.from, first.from);
      if (dialect.hasPartials) await broker.send(second.from, dialect.gotPartial('next', '1'));
      await broker.send(second.from, dialect.gotFinal('next', 'two', 'frames'));
      assert.deepEqual(await next, {
        partials: dialect.hasPartials ? [[null, 1]] : [],
        final: [null, ['two', 'frames']],
      });
    });

    test('what it can not carry is an error at the caller', async (t) => {
      const make = (concurrency) => new Worker('inproc://never', SERVICE, { ...conf, concurrency });
      assert.throws(() => make(2), { name: 'RangeError', message: /"concurrency" must be 1 under mdp/ });
      assert.throws(() => {
        make(1).concurrency = -1;
      }, RangeError);
      const client = new Client('inproc://never', conf);
      t.after(() => client.stop());
      for (const [option, value] of [
        ['headers', { a: 1 }],
        ['retry', 1],
        ['failFast', true],
      ]) {
        assert.throws(() => client.request(SERVICE, 1, null, null, { [option]: value }), {
          name: 'TypeError',
          message: `option "${option}" cannot be sent under ${dialect.name}`,
        });
      }
      client.request(SERVICE, 1, null, null, { retry: 0, failFast: false });
    });
  });
}

test('over inproc, whatever the order', async (t) => {
  for (const { name } of MDP) {
    const peers = peersFor(t, 'inproc');
    const [client, worker] = [peers.client({ protocol: name }), peers.worker(echo, { protocol: name })];
    await start(client, worker);
    const answer = client.call(SERVICE, name);
    await peers.broker().start();
    assert.equal(await answer, name);
  }
});

test('a protocol that there is not', () => {
  assert.throws(
    () => new Client('inproc://x', { protocol: 'mdp' }),
    /option "protocol" must be one of "omdp"/,
  );
  assert.throws(() => new Worker('inproc://x', 's', { protocol: 2 }), TypeError);
});
