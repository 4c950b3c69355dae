'use strict';
// What RFC 7 says of a broker, sentence by sentence as far as mdp.test.js does not test it; the other dialects say the same.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Request } = require('zeromq');
const { MDP, MdpSocket } = require('../support/mdp');
const { SERVICE, echo, peersFor, start } = require('../support/peers');
const { rawDealer } = require('../support/raw');

const BEAT = 20;

async function brokerFor(t, conf) {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker(conf);
  await broker.start();
  return { peers, broker };
}

async function registered(broker, worker, dialect, service = SERVICE) {
  const ready = once(broker, 'workerReady');
  await worker.send(dialect.ready(service));
  await ready;
}

const text = (frames) => frames.map((frame) => frame.toString('latin1'));

test('clients SHOULD use a REQ socket', async (t) => {
  const { peers } = await brokerFor(t);
  await start(peers.worker(echo));
  const socket = new Request({ linger: 0, receiveTimeout: 60_000 });
  t.after(() => socket.close());
  socket.connect(peers.endpoint);
  for (const body of [['one'], ['two', 'frames'], ['mmi']]) {
    await socket.send(['MDPC01', SERVICE, ...body]);
    assert.deepEqual(text(await socket.receive()), ['MDPC01', SERVICE, ...body]);
  }
});

for (const dialect of MDP) {
  describe(`RFC 7, as ${dialect.name} says it`, () => {
    test('requests for which no service has been registered are queued', async (t) => {
      const { peers, broker } = await brokerFor(t);
      const client = new MdpSocket(t, peers.endpoint, dialect, 'Cx');
      await client.send(dialect.request(SERVICE, 'early'));
      // Its answer comes after the broker has read the request.
      await client.send(dialect.request('mmi.service', SERVICE));
      assert.deepEqual(await client.receive(), dialect.gotFinal('mmi.service', '404'));
      const worker = new MdpSocket(t, peers.endpoint, dialect);
      await registered(broker, worker, dialect);
      assert.deepEqual(await worker.receive(), dialect.work('Cx', 'early'));
    });

    test('a worker handles one request at a time', async (t) => {
      const { peers, broker } = await brokerFor(t);
      const worker = new MdpSocket(t, peers.endpoint, dialect);
      await registered(broker, worker, dialect);
      const client = new MdpSocket(t, peers.endpoint, dialect, 'Cx');
      for (const body of ['one', 'two']) await client.send(dialect.request(SERVICE, body));
      await client.send(dialect.request('mmi.services', ''));
      const [listed] = (await client.receive()).slice(-1);
      const [{ name, workers, queued, running }] = JSON.parse(listed);
      assert.deepEqual(
        { name, workers, queued, running },
        { name: SERVICE, workers: 1, queued: 1, running: 1 },
      );
      for (const body of ['one', 'two']) {
        assert.deepEqual(await worker.receive(), dialect.work('Cx', body));
        await worker.send(dialect.final('Cx', body));
        assert.deepEqual(await client.receive(), dialect.gotFinal(SERVICE, body));
      }
    });

    test('there is no response to a READY, and heartbeats come at intervals', async (t) => {
      const { peers } = await brokerFor(t, { heartbeat: BEAT, liveness: 100 });
      const worker = rawDealer(t, peers.endpoint);
      await worker.send(dialect.ready(SERVICE));
      for (let beat = 0; beat < 3; beat += 1)
        assert.deepEqual(text(await worker.receive()), dialect.heartbeat);
    });

    test('a worker may send DISCONNECT before READY', async (t) => {
      const { peers, broker } = await brokerFor(t);
      const bad = [];
      broker.on('badMessage', (event) => bad.push(event));
      const worker = new MdpSocket(t, peers.endpoint, dialect);
      await worker.send(dialect.disconnect);
      await registered(broker, worker, dialect);
      assert.deepEqual(bad, []);
    });

    test('a worker that sent DISCONNECT hears no more', async (t) => {
      const { peers, broker } = await brokerFor(t, { heartbeat: BEAT, liveness: 100 });
      const [leaver, witness] = [rawDealer(t, peers.endpoint), rawDealer(t, peers.endpoint)];
      await registered(broker, leaver, dialect);
      await registered(broker, witness, dialect, 'other');
      const gone = once(broker, 'workerGone');
      await leaver.send(dialect.disconnect);
      assert.equal((await gone)[0].reason, 'goodbye');
      // Answers to the same identity, as a client, mark the time in which a heartbeat would have come.
      const answer = async () => {
        await leaver.send(dialect.request('mmi.service', SERVICE));
        return dialect.gotFinal('mmi.service', '404');
      };
      const first = await answer();
      let frames;
      do frames = text(await leaver.receive());
      while (frames.join('|') === dialect.heartbeat.join('|'));
      assert.deepEqual(frames, first);
      const client = new MdpSocket(t, peers.endpoint, dialect, 'Cx');
      await client.send(dialect.request(SERVICE, 'late'));
      for (let beat = 0; beat < 5; beat += 1) await witness.receive();
      const second = await answer();
      assert.deepEqual(text(await leaver.receive()), second);
    });

    test('an unexpected command is answered by DISCONNECT, and then by nothing', async (t) => {
      const { peers, broker } = await brokerFor(t, { heartbeat: BEAT, liveness: 100 });
      const [worker, witness] = [rawDealer(t, peers.endpoint), rawDealer(t, peers.endpoint)];
      await registered(broker, witness, dialect, 'other');
      await registered(broker, worker, dialect);
      const gone = once(broker, 'workerGone');
      await worker.send(dialect.ready(SERVICE));
      await gone;
      await worker.send(dialect.heartbeat);
      await worker.send(dialect.heartbeat);
      let frames;
      do frames = text(await worker.receive());
      while (frames.join('|') === dialect.heartbeat.join('|'));
      assert.deepEqual(frames, dialect.disconnect);
      for (let beat = 0; beat < 5; beat += 1) await witness.receive();
      worker.receiveTimeout = 0;
      await assert.rejects(worker.receive(), { code: 'EAGAIN' });
    });

    test('a worker that is silent for some multiple of the interval is disconnected', async (t) => {
      const { peers, broker } = await brokerFor(t, { heartbeat: BEAT, liveness: 2 });
      const worker = rawDealer(t, peers.endpoint);
      const begun = performance.now();
      await registered(broker, worker, dialect);
      const [{ reason }] = await once(broker, 'workerGone');
      assert.equal(reason, 'heartbeat lost');
      assert.ok(performance.now() - begun >= 3 * BEAT - 1);
    });

    test('any command acts as a heartbeat', async (t) => {
      const { peers, broker } = await brokerFor(t, { heartbeat: 100, liveness: 2 });
      const log = [];
      broker.on('workerGone', (event) => log.push(event));
      const worker = rawDealer(t, peers.endpoint);
      await registered(broker, worker, dialect);
      const client = new MdpSocket(t, peers.endpoint, dialect, 'Cx');
      // Twice as long as it may be silent, by the broker's own heartbeats; it sends none itself.
      for (let beats = 0; beats < 6; ) {
        await client.send(dialect.request(SERVICE, 'x'));
        let frames = text(await worker.receive());
        for (; frames.join('|') === dialect.heartbeat.join('|'); beats += 1)
          frames = text(await worker.receive());
        await worker.send(dialect.final('Cx', 'x'));
        await client.receive();
      }
      assert.deepEqual(log, []);
    });

    test('a broker that stops says DISCONNECT', async (t) => {
      const { peers, broker } = await brokerFor(t);
      const worker = new MdpSocket(t, peers.endpoint, dialect);
      await registered(broker, worker, dialect);
      await broker.stop();
      assert.deepEqual(await worker.receive(), dialect.disconnect);
      assert.ok(peers);
    });
  });
}
