'use strict';
// The broker among peers of every MDP dialect, played by raw ZeroMQ sockets.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { MDP, MdpSocket } = require('../support/mdp');
const { SERVICE, peersFor, start } = require('../support/peers');
const { Broker } = require('../..');

async function brokerFor(t, conf) {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker(conf);
  await broker.start();
  const socket = (dialect, name) => new MdpSocket(t, peers.endpoint, dialect, name);
  return { peers, broker, socket };
}

/** A registered worker: the broker says so in an event. */
async function registered(broker, worker, dialect, service = SERVICE) {
  const ready = once(broker, 'workerReady');
  await worker.send(dialect.ready(service));
  await ready;
}

for (const dialect of MDP) {
  describe(dialect.name, () => {
    test('serves clients of every MDP dialect, frames as they are', async (t) => {
      const { broker, socket } = await brokerFor(t);
      const worker = socket(dialect);
      await registered(broker, worker, dialect);
      for (const other of MDP) {
        const client = socket(other, `C-${other.name}`);
        await client.send(other.request(SERVICE, 'a', '', 'b'));
        assert.deepEqual(await worker.receive(), dialect.work(`C-${other.name}`, 'a', '', 'b'));
        await worker.send(dialect.final(`C-${other.name}`, 'x', ''));
        assert.deepEqual(await client.receive(), other.gotFinal(SERVICE, 'x', ''));
      }
    });

    test('a client is served by an OMDP worker', async (t) => {
      const { peers, socket } = await brokerFor(t);
      const seen = [];
      const worker = peers.worker((data, reply) => {
        seen.push(data);
        reply.end(data);
      });
      await worker.start();
      const client = socket(dialect);
      const cases = [
        [['{"a":[1]}'], { a: [1] }],
        [['5'], 5],
        [['"5"'], '5'],
        [['hello'], 'hello'],
        [[''], ''],
        [
          ['a', 'b'],
          ['a', 'b'],
        ],
      ];
      for (const [frames, value] of cases) {
        await client.send(dialect.request(SERVICE, ...frames));
        assert.deepEqual(await client.receive(), dialect.gotFinal(SERVICE, ...frames));
        assert.deepEqual(seen.pop(), value);
      }
      await client.send(dialect.request(SERVICE, Buffer.from([255, 0, 254])));
      assert.deepEqual(await client.receive(), dialect.gotFinal(SERVICE, '\xff\0\xfe'));
      assert.deepEqual(seen.pop(), Buffer.from([255, 0, 254]));
    });

    test('an OMDP worker streams to a client', async (t) => {
      const { peers, socket } = await brokerFor(t);
      const worker = peers.worker((_data, reply) => {
        reply.write('one');
        reply.write({ two: 2 });
        reply.end();
      });
      await worker.start();
      const client = socket(dialect);
      await client.send(dialect.request(SERVICE, 'go'));
      if (dialect.hasPartials) {
        assert.deepEqual(await client.receive(), dialect.gotPartial(SERVICE, 'one'));
        assert.deepEqual(await client.receive(), dialect.gotPartial(SERVICE, '{"two":2}'));
        assert.deepEqual(await client.receive(), dialect.gotFinal(SERVICE, 'null'));
      } else {
        assert.deepEqual(await client.receive(), dialect.gotFinal(SERVICE, 'one', '{"two":2}'));
      }
    });

    test('a worker serves an OMDP client', async (t) => {
      const { peers, broker, socket } = await brokerFor(t);
      const worker = socket(dialect);
      await registered(broker, worker, dialect);
      const client = peers.client({ name: 'Cx' });
      await client.start();
      const parts = [];
      const final = new Promise((resolve) => {
        const onPartial = (_err, part) => parts.push(part);
        client.request(SERVICE, { q: 1 }, onPartial, (...args) => resolve(args));
      });
      assert.deepEqual(await worker.receive(), dialect.work('Cx', '{"q":1}'));
      if (dialect.hasPartials) await worker.send(dialect.partial('Cx', 'part'));
      await worker.send(dialect.final('Cx', 'a', '1'));
      assert.deepEqual(await final, [null, ['a', 1]]);
      assert.deepEqual(parts, dialect.hasPartials ? ['part'] : []);
    });

    test('errors have a form', async (t) => {
      const { peers, broker, socket } = await brokerFor(t);
      const failing = peers.worker((_data, reply) => reply.error({ code: 'E' }));
      await failing.start();
      const client = socket(dialect);
      await client.send(dialect.request(SERVICE, 'x'));
      assert.deepEqual(await client.receive(), dialect.gotFinal(SERVICE, 'OMDP-ERROR', '{"code":"E"}'));

      const worker = socket(dialect);
      await registered(broker, worker, dialect, 'theirs');
      const ours = peers.client({ name: 'Cx' });
      await ours.start();
      const refused = assert.rejects(ours.call('theirs', 1), { name: 'RemoteError', value: 'no' });
      await worker.receive();
      await worker.send(dialect.final('Cx', 'OMDP-ERROR', 'no'));
      await refused;
    });

    test('bad input is told and counted, and harms nobody', async (t) => {
      const { peers, broker, socket } = await brokerFor(t);
      const reasons = [];
      const allTold = new Promise((resolve) => {
        broker.on('badMessage', ({ reason }) => reasons.push(reason) === 7 && resolve());
      });
      const bad = socket(dialect);
      const client = peers.client();
      await client.start();
      const without = dialect.request('x').slice(0, -1);
      await bad.send(without);
      await bad.send(dialect.request(SERVICE));
      await bad.send(dialect.request('', 'x'));
      await bad.send(dialect.ready(''));
      await bad.send([...dialect.heartbeat.slice(0, -1), '\x09']);
      await bad.send([...dialect.ready(SERVICE), 'more']);
      await bad.send(dialect.final('nobody', 'x'));
      assert.deepEqual(await bad.receive(), dialect.disconnect);
      await allTold;
      assert.deepEqual(reasons, [
        'too few frames',
        'too few frames',
        'invalid name or id',
        'invalid name or id',
        'unknown command',
        'too many frames',
        'unexpected command',
      ]);
      assert.equal((await client.call('mmi.stats')).badMessagesTotal, 7);
    });

    test('names of 255 bytes, of more, and of no UTF-8', async (t) => {
      const { broker, socket } = await brokerFor(t);
      const client = socket(dialect, 'Cx');
      for (const name of ['n', 'n'.repeat(255), '\xff\xfe']) {
        const service = Buffer.from(name, 'latin1');
        const worker = socket(dialect);
        await registered(broker, worker, dialect, service);
        await client.send(dialect.request(service, 'x'));
        assert.deepEqual(await worker.receive(), dialect.work('Cx', 'x'));
        await worker.send(dialect.final('Cx', 'y'));
        assert.deepEqual(await client.receive(), dialect.gotFinal(name, 'y'));
      }
      const bad = once(broker, 'badMessage');
      await client.send(dialect.request('n'.repeat(256), 'x'));
      assert.equal((await bad)[0].reason, 'invalid name or id');
    });

    test('one identity speaks one dialect', async (t) => {
      const { broker, socket } = await brokerFor(t);
      const worker = socket(dialect);
      await registered(broker, worker, dialect);
      const other = MDP.find((each) => each !== dialect);
      const gone = once(broker, 'workerGone');
      await worker.send(other.heartbeat);
      assert.deepEqual(await worker.receive(), dialect.disconnect);
      assert.equal((await gone)[0].reason, 'protocol error');
    });

    test('MMI', async (t) => {
      const { broker, socket } = await brokerFor(t);
      const [client, worker] = [socket(dialect), socket(dialect)];
      const ask = async (service, body) => {
        await client.send(dialect.request(service, body));
        return client.receive();
      };
      assert.deepEqual(await ask('mmi.service', SERVICE), dialect.gotFinal('mmi.service', '404'));
      await registered(broker, worker, dialect);
      assert.deepEqual(await ask('mmi.service', SERVICE), dialect.gotFinal('mmi.service', '200'));
      assert.deepEqual(await ask('mmi.other', SERVICE), dialect.gotFinal('mmi.other', '501'));
      const impostor = socket(dialect);
      await impostor.send(dialect.ready('mmi.echo'));
      assert.deepEqual(await impostor.receive(), dialect.disconnect);
    });

    test('dialects narrows what the broker speaks', async (t) => {
      const others = ['omdp', ...MDP.map(({ name }) => name)].filter((name) => name !== dialect.name);
      const { broker, socket } = await brokerFor(t, { dialects: others });
      const bad = once(broker, 'badMessage');
      await socket(dialect).send(dialect.ready(SERVICE));
      assert.equal((await bad)[0].reason, 'dialect not served');
    });

    test('a request that no worker takes expires', async (t) => {
      const { socket } = await brokerFor(t, { expiry: 20 });
      const client = socket(dialect);
      await client.send(dialect.request(SERVICE, 'x'));
      assert.deepEqual(await client.receive(), dialect.gotFinal(SERVICE, 'OMDP-CODE', 'C_TIMEOUT'));
    });
  });
}

test('MMI for OMDP clients, with what is ours', async (t) => {
  const peers = peersFor(t);
  const { broker, worker, client } = await peers.trio(undefined, { worker: { name: 'W1' } });
  await client.call(SERVICE, 1);
  assert.equal(await client.call('mmi.service', SERVICE), 200);
  assert.equal(await client.call('mmi.service', 'none'), 404);
  assert.equal(await client.call('mmi.none'), 501);
  const [{ name, workers, queued, running }] = await client.call('mmi.services');
  assert.deepEqual({ name, workers, queued, running }, { name: SERVICE, workers: 1, queued: 0, running: 0 });
  const [{ since, silent, ...told }, ...others] = await client.call('mmi.workers');
  // A stranger could take the place of a worker by its identity.
  assert.deepEqual(told, { id: 1, service: SERVICE, dialect: 'omdp', running: 0, ended: 1, failed: 0 });
  assert.ok(since >= silent && others.length === 0);
  const { dialects, ...stats } = await client.call('mmi.stats');
  assert.deepEqual(Object.keys(dialects).sort(), [
    'mdp/0.1',
    'mdp/0.2',
    'mdp/0.2-majortomo',
    'omdp',
    'pigato',
  ]);
  const { messagesTotal, ...held } = dialects.omdp;
  // Two hellos, eight requests and a reply, at the least.
  assert.ok(messagesTotal >= 9, `${messagesTotal}`);
  assert.deepEqual(held, { workers: 1, clients: 1 });
  assert.deepEqual(dialects['mdp/0.1'], { messagesTotal: 0, workers: 0, clients: 0 });
  assert.deepEqual(stats, {
    services: 1,
    workers: 1,
    clients: 1,
    requests: 0,
    requestsTotal: 1,
    expiredTotal: 0,
    badMessagesTotal: 0,
    slowPeersTotal: 0,
  });
  const bad = once(broker, 'badMessage');
  await start(peers.worker(undefined, { service: 'mmi.mine', name: 'W2' }));
  assert.deepEqual((await bad)[0], { peer: 'W2', reason: 'reserved service' });
  assert.ok(worker);
});

test('options that are wrong', () => {
  const make = (conf) => () => new Broker('inproc://never', conf);
  assert.throws(make({ dialects: 'omdp' }), /option "dialects" must be an array/);
  assert.throws(make({ dialects: [] }), /must name at least one dialect/);
  assert.throws(make({ dialects: ['mdp'] }), /option "dialects"\[0\] must be one of "omdp", "mdp\/0\.1"/);
  assert.throws(make({ expiry: 0 }), RangeError);
  assert.throws(make({ busyTimeout: -1 }), RangeError);
});
