'use strict';
// Workers and clients of several brokers: where they are, what is told of each, and who lets them in.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Broker, Client, Worker, curveKeyPair } = require('../..');
const { freshEndpoint } = require('../support/endpoints');
const { namesOf, record } = require('../support/events');
const { SERVICE, echo } = require('../support/peers');
const { cast, connected, several } = require('../support/several-brokers');

describe('endpoints', () => {
  for (const Peer of [Client, Worker]) {
    const make = (endpoint) => new Peer(endpoint, ...(Peer === Worker ? [SERVICE] : []));

    test(`a ${Peer.name} takes a string or an array of different strings`, () => {
      for (const good of ['inproc://a', ['inproc://a'], ['inproc://a', 'inproc://b', 'inproc://c']])
        make(good);
      const bad = [
        [[], RangeError, 'endpoint must have at least one element, got an empty array'],
        [['inproc://a', 1], TypeError, 'endpoint[1] must be a non-empty string, got 1 (number)'],
        [['inproc://a', ''], TypeError, 'endpoint[1] must be a non-empty string, got "" (string)'],
        [
          ['inproc://a', 'inproc://b', 'inproc://a'],
          RangeError,
          'endpoint[2] must differ from the others, got "inproc://a" (string)',
        ],
      ];
      for (const [endpoint, type, message] of bad) {
        assert.throws(
          () => make(endpoint),
          (error) => {
            assert.ok(error instanceof type);
            assert.equal(error.message, message);
            return true;
          },
        );
      }
    });

    test(`a ${Peer.name} does not start when one of them is none`, async (t) => {
      const peer = make([freshEndpoint('inproc'), 'nonsense://x']);
      t.after(() => peer.stop());
      await assert.rejects(peer.start(), (error) => {
        assert.match(error.message, /nonsense:\/\/x/);
        return true;
      });
    });
  }
});

describe('events', () => {
  test('connect and disconnect come for each broker with its endpoint, start and stop once', async (t) => {
    const peers = several(t, 2, 'tcp');
    const [a, b] = [peers.broker(0), peers.broker(1)];
    await Promise.all([a.start(), b.start()]);
    for (const peer of [peers.worker(echo), peers.client()]) {
      const log = record(peer);
      const ready = connected(peer, 2);
      await Promise.all([peer.start(), ready]);
      assert.deepEqual(log[0], 'start');
      assert.deepEqual(
        new Set(log.slice(1).map(String)),
        new Set(peers.endpoints.map((e) => `connect,${e}`)),
      );
      log.length = 0;
      await peer.stop();
      assert.deepEqual(
        new Set(log.slice(0, 2).map(String)),
        new Set(peers.endpoints.map((e) => `disconnect,${e},stopped`)),
      );
      assert.deepEqual(log.slice(2), ['stop']);
    }
  });

  test('the end of one broker is told of it alone, and it is found again', async (t) => {
    const { brokers, endpoints, theWorker, theClient } = await cast(t, { transport: 'tcp' });
    // A broker knows a client by its first message, not by the connection: one request to each.
    await Promise.all([1, 2].map((n) => theClient.call(SERVICE, n)));
    const logs = [theWorker, theClient].map((peer) => record(peer));
    const gone = [theWorker, theClient].map((peer) => once(peer, 'disconnect'));
    await brokers[1].stop();
    await Promise.all(gone);
    const back = [theWorker, theClient].map((peer) => once(peer, 'connect'));
    await brokers[1].start();
    await Promise.all(back);
    for (const log of logs) {
      assert.deepEqual(log, [
        ['disconnect', endpoints[1], 'disconnected by the broker'],
        ['connect', endpoints[1]],
      ]);
    }
  });

  test('two endpoints of one broker are two lines to it', async (t) => {
    const broker = new Broker([freshEndpoint('tcp'), freshEndpoint('tcp')]);
    t.after(() => broker.stop());
    await broker.start();
    const { worker, client } = several(t);
    const [w, c] = [worker(echo, {}, broker.endpoints), client({}, broker.endpoints)];
    const logs = [w, c].map((peer) => record(peer));
    await Promise.all([connected(w, 2), connected(c, 2), w.start(), c.start()]);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => c.call(SERVICE, i)));
    assert.deepEqual(
      answers,
      answers.map((_, i) => i),
    );
    for (const log of logs) assert.deepEqual(namesOf(log), ['start', 'connect', 'connect']);
  });
});

test('CURVE: all brokers have one key', async (t) => {
  const [server, own] = [curveKeyPair(), curveKeyPair()];
  const conf = { curveServer: true, curveSecretKey: server.secretKey };
  const peer = { curveServerKey: server.publicKey, curveSecretKey: own.secretKey };
  const { theClient } = await cast(t, { transport: 'tcp', conf, worker: peer, client: peer });
  assert.deepEqual(await Promise.all([1, 2, 3, 4].map((i) => theClient.call(SERVICE, i))), [1, 2, 3, 4]);
});

test('who is not let in by one of them hears which, and is served by the other', async (t) => {
  const [server, other, own] = [curveKeyPair(), curveKeyPair(), curveKeyPair()];
  const peers = several(t, 2, 'tcp');
  const peer = { curveServerKey: server.publicKey, curveSecretKey: own.secretKey };
  await Promise.all(
    [server, other].map(({ secretKey }, at) =>
      peers.broker(at, { curveServer: true, curveSecretKey: secretKey }).start(),
    ),
  );
  const [w, c] = [peers.worker(echo, peer), peers.client(peer)];
  const refused = once(c, 'error');
  w.on('error', () => {});
  await Promise.all([w.start(), c.start()]);
  assert.deepEqual(await Promise.all([1, 2, 3, 4].map((i) => c.call(SERVICE, i))), [1, 2, 3, 4]);
  const [error] = await refused;
  assert.deepEqual([error.code, error.endpoint], ['B_REFUSED', peers.endpoints[1]]);
});

for (const protocol of ['mdp/0.1', 'mdp/0.2']) {
  test(`several brokers under ${protocol}`, async (t) => {
    const { theClient } = await cast(t, {
      transport: 'tcp',
      conf: { heartbeat: 50 },
      worker: { protocol, heartbeat: 50 },
      client: { protocol },
    });
    const calls = Array.from({ length: 50 }, (_, i) => theClient.call(SERVICE, String(i)));
    assert.equal((await Promise.all(calls)).length, 50);
  });
}
