'use strict';
// Names, with and without security: of two live peers of one name the first keeps it and is not disturbed, the other is
// told so at once, and gets it when the first has gone. And a peer that returns is heard although the broker still has
// its old connection.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { curveKeyPair } = require('../..');
const { Relay } = require('../chaos/relay');
const { deferred, record, until } = require('../support/events');
const { SERVICE, echo, peersFor, start } = require('../support/peers');
const { foreignDealer } = require('../support/security');

const server = curveKeyPair();
const own = curveKeyPair();

/** The options of a broker and of its peers. */
const MECHANISMS = {
  NULL: [{}, {}],
  PLAIN: [
    { plainServer: true, security: { users: { web: { password: 'secret', serve: ['*'], call: ['*'] } } } },
    { plainUsername: 'web', plainPassword: 'secret' },
  ],
  CURVE: [
    { curveServer: true, curveSecretKey: server.secretKey },
    { curveServerKey: server.publicKey, curveSecretKey: own.secretKey },
  ],
};

/** Resolves with the error of the code that the peer emits. */
async function refusal(peer) {
  const [error] = await once(peer, 'error');
  assert.equal(error.code, 'C_NAME_TAKEN');
  return error;
}

for (const [mechanism, [forBroker, forPeers]] of Object.entries(MECHANISMS)) {
  describe(mechanism, () => {
    test('of two clients of one name the first keeps it; the other is told, and works when the first has gone', async (t) => {
      const peers = peersFor(t, 'tcp');
      await start(peers.broker(forBroker));
      const worker = peers.worker(echo, forPeers);
      const first = peers.client({ ...forPeers, name: 'same' });
      await start(worker, first);
      assert.equal(await first.call(SERVICE, 1), 1);
      const log = record(first, ['disconnect', 'error']);
      const second = peers.client({ ...forPeers, name: 'same' });
      const refused = refusal(second);
      const asked = assert.rejects(second.call(SERVICE, 2), { code: 'C_NAME_TAKEN' });
      await second.start();
      await Promise.all([refused, asked]);
      assert.equal(await first.call(SERVICE, 3), 3);
      assert.deepEqual(log, []);
      await first.stop();
      // Its request asks for the name again.
      assert.equal(await second.call(SERVICE, 4), 4);
    });

    test('of two workers of one name the first keeps it; the other is told, and serves when the first has gone', async (t) => {
      const peers = peersFor(t, 'tcp');
      await start(peers.broker(forBroker));
      const client = peers.client(forPeers);
      const one = (n) => peers.worker((_, reply) => reply.end(n), { ...forPeers, name: 'same' });
      const [first, second] = [one(1), one(2)];
      await start(client, first);
      assert.equal(await client.call(SERVICE), 1);
      const log = record(first, ['disconnect', 'error']);
      const refused = refusal(second);
      await second.start();
      await refused;
      assert.equal(await client.call(SERVICE), 1);
      assert.deepEqual(log, []);
      second.on('error', () => {});
      await first.stop();
      assert.equal(await client.call(SERVICE), 2);
    });

    test('a request under way ends with its reply when the broker is away behind a proxy', async (t) => {
      const peers = peersFor(t, 'tcp');
      const broker = peers.broker(forBroker);
      await broker.start();
      const relay = new Relay(broker.endpoints[0]);
      t.after(() => relay.close());
      const behind = peersFor(t, 'tcp', await relay.listen());
      const begun = deferred();
      const worker = behind.worker((_, reply) => begun.resolve(reply), forPeers);
      const client = behind.client({ ...forPeers, timeout: -1 });
      const errors = record(client, ['error']);
      await start(worker, client);
      const asked = client.call(SERVICE, 1);
      const reply = await begun.promise;
      await broker.stop();
      reply.end(2);
      // The proxy takes connections meanwhile, and ends them.
      await until(() => relay.refused > 20, 'attempts in vain');
      await broker.start();
      assert.equal(await asked, 2);
      assert.ok(errors.length < 10, `${errors.length} errors`);
    });

    test('a hello that arrives after that of a later connection of its life does not take its name', async (t) => {
      const peers = peersFor(t, 'tcp');
      const broker = peers.broker(forBroker);
      await start(broker, peers.worker(echo, forPeers));
      const { curveSecretKey } = forPeers;
      const options = curveSecretKey ? { ...forPeers, curvePublicKey: own.publicKey } : forPeers;
      const connect = (n) => foreignDealer(t, peers.endpoint, { ...options, routingId: `raw#${n}` }).socket;
      const [earlier, later] = [connect(1), connect(2)];
      const greet = (socket, n) =>
        socket.send([
          'C',
          '1',
          JSON.stringify({ heartbeat: 2500, liveness: 3, omdp: 1, session: `life-${n}`, name: 'raw' }),
        ]);
      await greet(later, 2);
      await later.receive();
      await greet(earlier, 1);
      // Long enough for the broker to read it: the connections have no common order.
      for (let n = 0; n < 300; n += 1) {
        const rid = `r-${n}.`;
        await later.send(['C', '2', SERVICE, rid, '1', '{"timeout":60000}']);
        while (!Buffer.concat(await later.receive()).includes(rid));
      }
      earlier.receiveTimeout = 0;
      await assert.rejects(earlier.receive(), { code: 'EAGAIN' });
      const { clients } = await broker.stats();
      assert.equal(clients, 1);
    });

    test('a worker serves at once under the name of one that still drains', async (t) => {
      const peers = peersFor(t, 'tcp');
      const broker = peers.broker(forBroker);
      await start(broker);
      const client = peers.client(forPeers);
      const begun = deferred();
      const go = deferred();
      const first = peers.worker(
        async (_, reply) => {
          begun.resolve();
          await go.promise;
          reply.end(1);
        },
        { ...forPeers, name: 'same', concurrency: 2 },
      );
      await start(client, first);
      const long = client.call(SERVICE, 0, { timeout: -1 });
      await begun.promise;
      assert.equal((await broker.stats()).services[0].idle, 1);
      const stopped = first.stop();
      // The broker knows that it leaves when it no longer counts its room.
      await until(async () => (await broker.stats()).services[0].idle === 0);
      const second = peers.worker((_, reply) => reply.end(2), { ...forPeers, name: 'same' });
      const log = record(second, ['error']);
      await second.start();
      assert.equal(await client.call(SERVICE), 2);
      assert.deepEqual(log, []);
      go.resolve();
      assert.equal(await long, 1);
      await stopped;
      assert.equal(await client.call(SERVICE), 2);
    });

    test('a worker that drains while another has its name loses nothing with its connection', async (t) => {
      const peers = peersFor(t, 'tcp');
      const broker = peers.broker(forBroker);
      await start(broker);
      const relay = new Relay(broker.endpoints[0]);
      t.after(() => relay.close());
      const remote = peersFor(t, 'tcp', await relay.listen());
      const client = peers.client(forPeers);
      const begun = deferred();
      const go = deferred();
      let started = 0;
      const first = remote.worker(
        async (_, reply) => {
          started += 1;
          begun.resolve();
          await go.promise;
          reply.end(1);
        },
        { ...forPeers, name: 'same' },
      );
      await start(client, first);
      const long = client.call(SERVICE, 0, { timeout: -1 });
      await begun.promise;
      const stopped = first.stop();
      const second = peers.worker((_, reply) => reply.end(2), { ...forPeers, name: 'same' });
      const connected = once(second, 'connect');
      await start(second);
      await connected;
      for (let round = 0; round < 3; round += 1) {
        const back = once(first, 'connect');
        relay.cut();
        await back;
        assert.equal(await client.call(SERVICE), 2);
      }
      go.resolve();
      assert.equal(await long, 1);
      assert.equal(started, 1);
      await stopped;
    });

    for (const name of [undefined, 'mine']) {
      test(`peers ${name ? 'with' : 'without'} a name whose end of a connection was reset go on, while the broker has its end`, async (t) => {
        const peers = peersFor(t, 'tcp');
        // Silence would end the broker's end only after the timeout of the test.
        const heartbeat = 200_000;
        const broker = peers.broker({ ...forBroker, heartbeat });
        await broker.start();
        const relay = new Relay(broker.endpoints[0]);
        t.after(() => relay.close());
        const remote = peersFor(t, 'tcp', await relay.listen());
        const go = deferred();
        let started = 0;
        const worker = remote.worker(
          async (n, reply) => {
            started += 1;
            if (n === 'long') await go.promise;
            reply.end(n);
          },
          { ...forPeers, heartbeat, concurrency: -1, name: name && `${name}-worker` },
        );
        const client = remote.client({ ...forPeers, heartbeat, name: name && `${name}-client` });
        await start(worker, client);
        const long = client.call(SERVICE, 'long', { timeout: -1 });
        for (let round = 0; round < 5; round += 1) {
          assert.equal(await client.call(SERVICE, round, { timeout: -1 }), round);
          const back = Promise.all([once(client, 'connect'), once(worker, 'connect')]);
          relay.desert();
          await back;
        }
        go.resolve();
        assert.equal(await long, 'long');
        assert.equal(started, 6);
      });
    }
  });
}
